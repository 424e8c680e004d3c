"""The layout of the page, in three steps. Its texts are in ``text``, what its controls do in ``events``.

The element ``steps`` says which step the page is at; the style shows the controls of that step and hides the rest, so
that the editor keeps its strokes while the result is shown.
"""

import gradio as gr

from ..fills import filling
from ..images import examples
from ..images.editor import STROKE
from ..images.pictures import VIEWS
from ..text import strings
from . import theme
from .panel import Panel
from .theme import SIDE

BRUSH = "#{:02x}{:02x}{:02x}".format(*STROKE)
PHOTO_STEP, MASK_STEP, RESULT_STEP = 1, 2, 3


class Page(Panel):
    """The page's controls that events read or change."""

    def __init__(self) -> None:
        """Put the controls on the page; call it inside a ``gr.Blocks``."""
        with gr.Row(elem_id="top"):
            gr.Markdown(f"# {strings.TITLE}\n{strings.LEAD}", elem_id="head")
            self.state = gr.HTML(padding=False, elem_id="state")
        with gr.Tab("Restore", elem_id="fill-tab"), gr.Row(elem_id="board"):
            self.steps = gr.HTML(strings.steps(PHOTO_STEP), padding=False, elem_id="steps")
            with gr.Column(elem_id="stage"):
                self.lay_out_photo()
                self.lay_out_editor()
                self.lay_out_result()
            with gr.Column(elem_id="panel"):
                self.lay_out_mark()
                self.lay_out_outcome()
                self.lay_out_buttons()
                self.lay_out_others()
                self.lay_out_masks()
                self.lay_out_faces()
                self.lay_out_settings()
        with gr.Tab("Compare engines", elem_id="compare-tab"):
            self.lay_out_comparison()
        gr.Markdown(strings.DISCLAIMER, elem_id="limits")

    @property
    def fill_inputs(self) -> set[gr.components.Component]:
        """The controls that ``requests.painted_request`` reads."""
        settings = {self.engine, self.iterations, self.seed, self.symmetry, self.blending, self.unchecked}
        return settings | {self.editor, self.face}

    def lay_out_photo(self) -> None:
        with gr.Column(elem_id="load"):
            self.photo = gr.File(label="Photo", elem_id="photo")  # any file: the server decides by its content
            self.refused = gr.HTML(padding=False, elem_id="refused")
            with gr.Accordion("Paste a photo, or take one", open=False, elem_id="camera-box"):
                self.camera = gr.Image(
                    show_label=False,
                    sources=["clipboard", "webcam"],
                    type="filepath",
                    image_mode=None,
                    height=240,
                    buttons=[],
                    elem_id="camera",
                )
            gr.HTML(strings.EXAMPLES, padding=False)
            with gr.Row(elem_id="examples"):
                self.examples = {
                    name: gr.Button(name, size="sm", min_width=100, elem_id=theme.example_id(name))
                    for name in examples.NAMES
                }

    def lay_out_editor(self) -> None:
        self.editor = gr.ImageEditor(
            label=strings.PAINT_HERE,
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

    def lay_out_result(self) -> None:
        with gr.Column(elem_id="result"):
            self.compare = gr.ImageSlider(
                label="Before and after",
                format="png",
                buttons=["fullscreen"],
                height=SIDE,
                max_height=SIDE,
                interactive=False,
                elem_id="compare",
            )
            self.view = gr.Radio(
                list(VIEWS),
                value=VIEWS[0],
                label="View",
                show_label=False,
                container=False,
                visible=False,
                elem_id="view",
            )
            self.legend = gr.HTML(padding=False, elem_id="legend")

    def lay_out_comparison(self) -> None:
        gr.Markdown(strings.COMPARE)
        ready = filling.ready_engines()
        quick = [name for name in ready if filling.expected(name) < 5]
        self.compared = gr.CheckboxGroup(ready, value=quick, label="Engines", elem_id="compared")
        with gr.Row():
            self.start = gr.Button("Compare", variant="primary", min_width=140, elem_id="start")
            self.halt = gr.Button("Cancel", interactive=False, min_width=80, elem_id="halt")
        self.comparing = gr.HTML(strings.message(strings.COMPARE_FIRST), padding=False, elem_id="comparing")
        self.cards = gr.HTML(padding=False, elem_id="cards")
        self.grid_file = gr.DownloadButton("Download the pictures", visible=False, elem_id="grid-file")
        with gr.Accordion(strings.FIGURES, open=False, visible=False, elem_id="figures") as self.figures:
            self.table = gr.HTML(padding=False, elem_id="table")
