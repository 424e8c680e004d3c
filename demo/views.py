"""What is seen on the page: its layout, its words and its looks. What happens stands in ``app``."""

from dataclasses import dataclass
from html import escape

import gradio as gr

import faceinp

TITLE = "Fill a part of a face"
LEAD = "Load a photo, paint over what should be replaced, and press Fill. The rest stays as it is, to the bit."
LIMITS = (
    "A filled face is a likeness a network thought up, not the person: never use it to identify or to deceive anyone. "
    "The weights are for research only."
)
NO_PHOTO = "Load a photo first."
NO_STROKE = "Paint over the part that should be replaced, then press Fill."
NO_FACE = (
    "No face was found in the photo. If it is nothing but an aligned face, switch on “Already aligned”; "
    "else take another photo."
)
FILLING = "Filling. Cancel stops it."
STOPPED = "Stopped. Nothing was changed."
FILE_TYPES = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"]
BRUSH = "#e5484d"
SIDE = 440  # pixels, of the editor and the result

CSS = """
.gradio-container { max-width: 1240px !important; width: 100% !important; margin: 0 auto !important; }
main.app { width: 100%; padding: 28px 24px 20px !important; }
footer { display: none !important; }
#head h1 { font-size: 1.7rem; font-weight: 650; letter-spacing: -0.02em; margin: 0 0 4px; }
#head p { font-size: 1rem; color: var(--body-text-color-subdued); margin: 0; }
#limits p { font-size: .82rem; color: var(--body-text-color-subdued); margin: 0; }
#board { display: grid; gap: 16px;
  grid-template: "paint compare" auto "settings facts" 1fr / minmax(0, 1fr) minmax(0, 1fr); }
#paint { grid-area: paint; } #settings { grid-area: settings; }
#result { grid-area: compare; } #known { grid-area: facts; }
#unready p { font-size: .84rem; color: var(--body-text-color-subdued); }
#message .html-container, #facts .html-container { padding: 0 !important; }
#fill, #cancel, #another { white-space: nowrap; }
#compare .empty::after { content: "The filled photo appears here"; margin-left: 10px;
  color: var(--body-text-color-subdued); }
#facts { min-height: 0 !important; }
#facts .known { display: flex; gap: 10px; align-items: center; font-size: 1.05rem; font-weight: 600; }
#facts .known::before { content: "✓"; flex: none; width: 24px; height: 24px; border-radius: 50%; display: grid;
  place-items: center; font-size: .8rem; color: white; background: #18794e; }
#facts .known.broken::before { content: "!"; background: #ca244d; }
#facts dl { display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 12px 0 0; }
#facts dt { font-size: .75rem; color: var(--body-text-color-subdued); }
#facts dd { margin: 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
#facts ul { margin: 12px 0 0; padding: 10px 14px; list-style: none; font-size: .88rem; border-radius: 8px;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary); }
#facts li + li { margin-top: 4px; }
.message { padding: 10px 14px; border-radius: 8px; font-size: .92rem; border: 1px solid var(--border-color-primary);
  border-left: 3px solid var(--color-accent); background: var(--block-background-fill); }
.message.error { border-left-color: #ca244d; }
@media (max-width: 760px) {
  main.app { padding: 18px 12px 14px !important; }
  #head h1 { font-size: 1.4rem; }
  #photo, #editor, #compare { height: 400px !important; }
  #board { grid-template: "paint" auto "settings" auto "compare" auto "facts" auto / minmax(0, 1fr); }
}
"""


@dataclass(frozen=True)
class Page:
    """The page's parts that something is done with."""

    photo: gr.File
    editor: gr.ImageEditor
    engine: gr.Radio
    aligned: gr.Checkbox
    seed: gr.Number
    fill: gr.Button
    cancel: gr.Button
    another: gr.Button
    message: gr.HTML
    compare: gr.ImageSlider
    facts: gr.HTML
    download: gr.DownloadButton


def theme() -> gr.themes.Base:
    """Quiet greys and one accent, with fonts the reader's machine has: nothing is fetched from elsewhere."""
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


def lay_out() -> Page:
    """Put the parts on the page; called inside of a ``gr.Blocks``."""
    engines = faceinp.list_engines()
    ready = [engine.name for engine in engines if engine.ready]
    gr.Markdown(f"# {TITLE}\n{LEAD}", elem_id="head")
    with gr.Row(elem_id="board"):
        with gr.Column(elem_id="paint"):
            photo = gr.File(label="Photo", file_types=FILE_TYPES, height=SIDE, elem_id="photo")
            editor = gr.ImageEditor(
                label="Paint here",
                sources=(),
                transforms=(),
                brush=gr.Brush(colors=[BRUSH], color_mode="fixed"),
                eraser=gr.Eraser(),
                layers=False,
                buttons=[],
                format="png",
                height=SIDE,
                visible=False,
                elem_id="editor",
            )
        with gr.Column(elem_id="settings"):
            chosen = ready[0] if ready else None
            engine = gr.Radio(ready, value=chosen, label="Engine", info=about_engine(chosen), elem_id="engine")
            with gr.Row():
                aligned = gr.Checkbox(label="Already aligned", info="The photo is a square face crop.", min_width=150)
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1, min_width=120)
            with gr.Row():
                fill = gr.Button("Fill", variant="primary", interactive=False, scale=2, min_width=110, elem_id="fill")
                cancel = gr.Button("Cancel", interactive=False, min_width=80, elem_id="cancel")
                another = gr.Button("New photo", interactive=False, min_width=125, elem_id="another")
            message = gr.HTML(say(NO_PHOTO), padding=False, elem_id="message")
            if len(ready) < len(engines):
                with gr.Accordion(f"Not ready on this machine: {len(engines) - len(ready)}", open=False):
                    gr.Markdown(
                        "\n\n".join(f"**{engine.name}** {engine.missing}" for engine in engines if not engine.ready),
                        elem_id="unready",
                    )
        with gr.Column(elem_id="result"):
            compare = gr.ImageSlider(
                label="Before and after",
                format="png",
                buttons=["fullscreen"],
                height=SIDE,
                max_height=SIDE,
                interactive=False,
                elem_id="compare",
            )
        with gr.Column(elem_id="known"):
            facts = gr.HTML(padding=False, elem_id="facts")
            download = gr.DownloadButton("Download PNG", visible=False, variant="primary", elem_id="download")
    gr.Markdown(LIMITS, elem_id="limits")
    return Page(photo, editor, engine, aligned, seed, fill, cancel, another, message, compare, facts, download)


def about_engine(name: str | None) -> str:
    """The one line that an engine says of itself."""
    return next((engine.about for engine in faceinp.list_engines() if engine.name == name), "No engine is ready here.")


def say(text: str, error: bool = False) -> str:
    """A message as HTML; empty for no text."""
    if not text:
        return ""
    kind, role = ("message error", "alert") if error else ("message", "status")
    return f'<div class="{kind}" role="{role}">{escape(text)}</div>'


def state_facts(result: "faceinp.Result", seconds: float) -> str:
    """What is known of a result, as HTML."""
    broken = " broken" if result.changed_pixels else ""
    known = f"{result.changed_pixels:,} of {result.known_pixels:,} known pixels changed"
    height, width = result.mask.shape
    pairs = {
        "Engine": result.engine,
        "Runs on": result.runtime,
        "Seed": str(result.seed),
        "Size": f"{width:,} × {height:,}",
        "Time": f"{seconds:.1f} s",
    }
    listed = "".join(f"<div><dt>{term}</dt><dd>{escape(text)}</dd></div>" for term, text in pairs.items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    return f'<div class="known{broken}">{known}</div><dl>{listed}</dl>' + (f"<ul>{notes}</ul>" if notes else "")
