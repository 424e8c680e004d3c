"""The style of the page: greys, one accent colour, and system fonts."""

from pathlib import Path

import gradio as gr

from ..images import examples, pictures, shapes
from ..text import strings

SIDE = 440  # pixels of the editor and the result
THUMB = 104  # pixels of an example's small picture

_STYLE = Path(__file__).parent / "page.css"


def example_id(name: str) -> str:
    """The id of the button that loads the example ``name``."""
    return f"example-{name.lower().replace(' ', '-')}"


def css() -> str:
    """The style sheet, with the pictures of examples and shapes as data URIs."""

    def thumb(name: str) -> str:
        return pictures.data_uri(pictures.shrunk(examples.make(name), THUMB), ".jpg")

    sheet = pictures.data_uri(pictures.read(shapes.SHEET).pixels, ".jpg")
    last = len(shapes.LABELS) - 1
    positions = "".join(
        f"#shape-buttons #shape-{name}::before {{ background-position: {100 * number / last:.4f}% 0; }}\n"
        for number, name in enumerate(shapes.LABELS)
    )
    masks = (
        f"#shape-buttons button::before {{ background: url({sheet}) 0 0 / {len(shapes.LABELS)}00% 100%; }}\n{positions}"
    )
    thumbs = (f"#{example_id(name)} {{ background-image: url({thumb(name)}); }}\n" for name in examples.NAMES)
    touch = f'#photo {{ --choose: "{strings.CHOOSE_PHOTO}"; }} #add-others {{ --choose: "{strings.CHOOSE_OTHERS}"; }}\n'
    return "".join([_STYLE.read_text(), masks, *thumbs, touch])


def script() -> str:
    """The JavaScript of the page: all files of ``scripts/``."""
    files = sorted((Path(__file__).parent / "scripts").glob("*.js"))
    return "() => {\n" + "".join(f"({file.read_text().strip()})();\n" for file in files) + "}"


def theme() -> gr.themes.Base:
    """Gradio's theme with local fonts only."""
    return gr.themes.Default(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="zinc",
        radius_size="lg",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_500",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )
