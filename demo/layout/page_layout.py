"""The layout of the page, in three steps. Its texts are in ``text``, what its controls do in ``events``.

The element ``steps`` says which step the page is at; the style shows the controls of that step and hides the rest, so
that the editor keeps its strokes while the result is shown.
"""

from dataclasses import dataclass

import gradio as gr

from ..fills import filling
from ..images import examples
from ..images.editor import STROKE
from ..images.pictures import VIEWS
from ..text import strings
from . import panel, theme
from .find_controls import FindControls
from .landmark_controls import LandmarkControls
from .panel import OtherSlot
from .part_controls import PartControls
from .theme import SIDE

BRUSH = "#{:02x}{:02x}{:02x}".format(*STROKE)
PHOTO_STEP, MASK_STEP, RESULT_STEP = 1, 2, 3


@dataclass(frozen=True)
class Page:
    """The page's controls that events read or change."""

    state: gr.HTML
    steps: gr.HTML
    # 1: the photo
    photo: gr.File
    refused: gr.HTML
    camera: gr.Image
    examples: dict[str, gr.Button]
    # 2: what to remove
    editor: gr.ImageEditor
    turn: gr.Button
    find: FindControls
    share: gr.HTML
    shapes: dict[str, gr.Button]
    preset: gr.Dropdown
    mask_seed: gr.Number
    invert: gr.Button
    grow: gr.Button
    mask_file: gr.UploadButton
    faces_box: gr.Accordion
    faces: gr.Image
    face: gr.Radio
    click_hint: gr.HTML
    unclick: gr.Button
    # other photos of the person
    others: tuple[OtherSlot, ...]
    add_others: gr.File
    others_message: gr.HTML
    unchecked: gr.Checkbox
    # fill
    fill: gr.Button
    cancel: gr.Button
    another: gr.Button
    message: gr.HTML
    running: gr.HTML
    # 3: the result
    view: gr.Radio
    legend: gr.HTML
    compare: gr.ImageSlider
    outcome: gr.HTML
    download: gr.DownloadButton
    go_on: gr.Button
    back: gr.Button
    part: PartControls
    gallery: gr.Gallery
    identity: gr.HTML
    # not right yet
    engine: gr.Radio
    iterations: gr.Slider
    seed: gr.Number
    candidates: gr.Slider
    symmetry: gr.Checkbox
    blending: gr.Radio
    landmarks: LandmarkControls
    # details
    details: gr.Accordion
    facts: gr.HTML
    # comparing engines
    compared: gr.CheckboxGroup
    start: gr.Button
    halt: gr.Button
    comparing: gr.HTML
    cards: gr.HTML
    figures: gr.Accordion
    table: gr.HTML
    grid_file: gr.DownloadButton

    @property
    def fill_inputs(self) -> set[gr.components.Component]:
        """The controls that ``requests.painted_request`` reads."""
        settings = {self.engine, self.iterations, self.seed, self.symmetry, self.blending, self.unchecked}
        return settings | {self.editor, self.face}


def lay_out() -> Page:
    """Put the controls on the page; call it inside a ``gr.Blocks``."""
    parts: dict[str, object] = {}
    with gr.Row(elem_id="top"):
        gr.Markdown(f"# {strings.TITLE}\n{strings.LEAD}", elem_id="head")
        parts["state"] = gr.HTML(padding=False, elem_id="state")
    with gr.Tab("Restore", elem_id="fill-tab"), gr.Row(elem_id="board"):
        parts["steps"] = gr.HTML(strings.steps(PHOTO_STEP), padding=False, elem_id="steps")
        with gr.Column(elem_id="stage"):
            parts |= _photo() | _editor() | _result()
        with gr.Column(elem_id="panel"):
            parts |= panel.mark() | panel.outcome() | panel.act() | panel.other_photos()
            parts |= panel.ready_masks() | panel.which_face() | panel.settings() | panel.details()
    with gr.Tab("Compare engines", elem_id="compare-tab"):
        parts |= _comparison()
    gr.Markdown(strings.DISCLAIMER, elem_id="limits")
    return Page(**parts)  # type: ignore[arg-type]


def _photo() -> dict[str, object]:
    with gr.Column(elem_id="load"):
        photo = gr.File(label="Photo", elem_id="photo")  # any file: the server decides by its content
        refused = gr.HTML(padding=False, elem_id="refused")
        with gr.Accordion("Paste a photo, or take one", open=False, elem_id="camera-box"):
            camera = gr.Image(
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
            chosen = {
                name: gr.Button(name, size="sm", min_width=100, elem_id=theme.example_id(name))
                for name in examples.NAMES
            }
    return {"photo": photo, "refused": refused, "examples": chosen, "camera": camera}


def _editor() -> dict[str, object]:
    editor = gr.ImageEditor(
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
    return {"editor": editor}


def _result() -> dict[str, object]:
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
        view = gr.Radio(
            list(VIEWS), value=VIEWS[0], label="View", show_label=False, container=False, visible=False, elem_id="view"
        )
        legend = gr.HTML(padding=False, elem_id="legend")
    return {"compare": compare, "view": view, "legend": legend}


def _comparison() -> dict[str, object]:
    gr.Markdown(strings.COMPARE)
    ready = filling.ready_engines()
    quick = [name for name in ready if filling.expected(name) < 5]
    compared = gr.CheckboxGroup(ready, value=quick, label="Engines", elem_id="compared")
    with gr.Row():
        start = gr.Button("Compare", variant="primary", min_width=140, elem_id="start")
        halt = gr.Button("Cancel", interactive=False, min_width=80, elem_id="halt")
    comparing = gr.HTML(strings.message(strings.COMPARE_FIRST), padding=False, elem_id="comparing")
    cards = gr.HTML(padding=False, elem_id="cards")
    grid_file = gr.DownloadButton("Download the pictures", visible=False, elem_id="grid-file")
    with gr.Accordion(strings.FIGURES, open=False, visible=False, elem_id="figures") as figures:
        table = gr.HTML(padding=False, elem_id="table")
    return {
        "compared": compared,
        "start": start,
        "halt": halt,
        "comparing": comparing,
        "cards": cards,
        "figures": figures,
        "table": table,
        "grid_file": grid_file,
    }
