"""The controls beside the photo: marking, buttons, the result in words, and the folded settings."""

import gradio as gr

import faceinp

from ..fills import filling
from ..images import shapes
from ..text import strings
from .find_controls import FindControls
from .landmark_controls import LandmarkControls
from .part_controls import PartControls

NO_PRESET = "none"
MOST_OTHERS = 4
USE, ONLY_COMPARE = "use to fill", "only compare"
EVERY_FACE, BOX, POINTS, ALIGNED = 0, "box", "points", "aligned"  # values of ``Page.face`` other than a face's number
ANYWHERE: list[tuple[str, str | int | float]] = [
    (strings.EVERY_FACE, EVERY_FACE),
    (strings.BOX, BOX),
    (strings.POINTS, POINTS),
    (strings.ALIGNED, ALIGNED),
]


class OtherSlot:
    """The controls of one of the other photos of the person."""

    def __init__(self, number: int) -> None:
        with gr.Row(visible=False, elem_classes="other") as self.row:
            self.thumb = gr.HTML(padding=False)
            self.use = gr.Radio([USE, ONLY_COMPARE], value=USE, label=f"Photo {number}", min_width=0)
            self.remove = gr.Button("Remove", size="sm", min_width=0, scale=0)


class Panel:
    """The controls beside the photo. Each method puts a group of them on the page."""

    def lay_out_mark(self) -> None:
        with gr.Column(elem_id="mark"):
            gr.HTML(strings.MARK, padding=False)
            self.find = FindControls()
            with gr.Row(elem_id="mask-row"):
                gr.Button(f"{strings.RECTANGLE} ▭", size="sm", min_width=70, elem_id="rectangle")  # rectangle.js
                self.turn = gr.Button(f"{strings.TURN} ↻", size="sm", min_width=70, elem_id="turn")
                self.share = gr.HTML(padding=False, elem_id="share")
            gr.HTML(strings.RECTANGLE_HINT, padding=False, elem_id="rectangle-hint")

    def lay_out_outcome(self) -> None:
        with gr.Column(elem_id="known"):
            self.outcome = gr.HTML(padding=False, elem_id="outcome")
            self.part = PartControls()
            self.download = gr.DownloadButton("Download", visible=False, variant="primary", elem_id="download")
            with gr.Row(elem_id="onwards"):
                self.go_on = gr.Button(strings.CONTINUE, size="sm", min_width=110, elem_id="go-on")
                self.back = gr.Button(strings.BACK, size="sm", min_width=110, elem_id="back")
            self.part.lay_out_box()
            self.identity = gr.HTML(padding=False, elem_id="identity")
            self.gallery = gr.Gallery(
                label=strings.VARIANTS,
                columns=3,
                height="auto",
                allow_preview=False,
                interactive=False,
                visible=False,
                format="png",
                buttons=[],
                elem_id="gallery",
            )

    def lay_out_buttons(self) -> None:
        with gr.Column(elem_id="act"):
            with gr.Row(elem_id="buttons"):
                self.fill = gr.Button(
                    strings.FILL, variant="primary", interactive=False, scale=2, min_width=90, elem_id="fill"
                )
                self.cancel = gr.Button("Cancel", interactive=False, min_width=70, elem_id="cancel")
                self.another = gr.Button("New photo", interactive=False, min_width=110, elem_id="another")
            self.message = gr.HTML(padding=False, elem_id="message")
            self.running = gr.HTML(padding=False, elem_id="running")

    def lay_out_others(self) -> None:
        with gr.Accordion(strings.OTHERS_TITLE, open=False, elem_id="others"):
            gr.HTML(strings.OTHERS_HINT, padding=False)
            self.others = tuple(map(OtherSlot, range(1, MOST_OTHERS + 1)))
            self.unchecked = gr.Checkbox(label=strings.UNCHECKED, container=False, visible=False, elem_id="unchecked")
            self.others_message = gr.HTML(padding=False, elem_id="others-message")
            self.add_others = gr.File(show_label=False, file_count="multiple", height=56, elem_id="add-others")

    def lay_out_masks(self) -> None:
        with gr.Accordion(strings.SHAPES, open=False, elem_id="shapes"):
            with gr.Row(elem_id="shape-buttons"):
                self.shapes = {
                    name: gr.Button(label, size="sm", min_width=0, elem_id=f"shape-{name}")
                    for name, label in shapes.LABELS.items()
                }
            with gr.Row():
                choices = [(strings.NO_PRESET, NO_PRESET)]
                choices += [(f"{name}: {about}", name) for name, about in faceinp.list_presets().items()]
                self.preset = gr.Dropdown(
                    choices, value=NO_PRESET, label="All masks by name", scale=3, elem_id="preset"
                )
                most = filling.LARGEST_SEED
                self.mask_seed = gr.Number(0, label="Mask seed", precision=0, minimum=0, maximum=most, min_width=90)
            with gr.Row():
                self.mask_file = gr.UploadButton("Upload a mask", size="sm", min_width=120, elem_id="mask-file")
                self.grow = gr.Button("Grow", size="sm", min_width=70, elem_id="grow")
                self.invert = gr.Button("Invert", size="sm", min_width=70, elem_id="invert")

    def lay_out_faces(self) -> None:
        with gr.Accordion(strings.WHICH_FACE, open=False, elem_id="faces-box") as self.faces_box:
            self.faces = gr.Image(
                label="Faces",
                show_label=False,
                interactive=False,
                buttons=[],
                format="png",
                visible=False,
                elem_id="faces",
            )
            self.click_hint = gr.HTML(padding=False, elem_id="click-hint")
            label = strings.WHICH_FACE
            self.face = gr.Radio(
                ANYWHERE, value=EVERY_FACE, label=label, show_label=False, container=False, elem_id="face"
            )
            self.unclick = gr.Button(strings.CLEAR_CLICKS, size="sm", visible=False, elem_id="unclick")

    def lay_out_settings(self) -> None:
        ready = filling.ready_engines()
        chosen = ready[0] if ready else None
        with gr.Accordion(strings.SETTINGS, open=False, elem_id="settings"):
            self.landmarks = LandmarkControls()
            about = strings.about_engine(chosen)
            self.engine = gr.Radio(ready, value=chosen, label="Engine", info=about, elem_id="engine")
            with gr.Accordion(strings.engines_title(), open=False, elem_id="engines-box"):
                gr.HTML(strings.engines(), padding=False)
            self.symmetry = gr.Checkbox(
                filling.completes_faces(chosen), label=strings.SYMMETRY, info=strings.ABOUT_SYMMETRY, elem_id="symmetry"
            )
            with gr.Row():
                most = filling.LARGEST_SEED
                self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=most, min_width=100)
                self.candidates = gr.Slider(
                    1, filling.MOST_CANDIDATES, 1, step=1, label="Variants", min_width=160, elem_id="candidates"
                )
            self.iterations = gr.Slider(
                50,
                2000,
                filling.ITERATIONS,
                step=50,
                label="Iterations",
                visible=chosen in filling.SEARCHES,
                elem_id="iterations",
            )
            self.blending = gr.Radio(
                [("seamless (Poisson)", "poisson"), ("none (composite)", "composite")],
                value="poisson",
                label="Blending",
                elem_id="blending",
            )
        with gr.Accordion("Details", open=False, elem_id="details") as self.details:
            self.facts = gr.HTML(padding=False, elem_id="facts")
