"""The controls beside the photo: marking, buttons, the result in words, and the folded settings."""

from dataclasses import dataclass

import gradio as gr

import faceinp

from ..fills import filling
from ..images import shapes
from ..text import strings
from . import find_controls, landmark_controls, part_controls

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


@dataclass(frozen=True)
class OtherSlot:
    """The controls of one of the other photos of the person."""

    row: gr.Row
    thumb: gr.HTML
    use: gr.Radio
    remove: gr.Button


def mark() -> dict[str, object]:
    with gr.Column(elem_id="mark"):
        gr.HTML(strings.MARK, padding=False)
        find = find_controls.lay_out()
        with gr.Row(elem_id="mask-row"):
            gr.Button(f"{strings.RECTANGLE} ▭", size="sm", min_width=70, elem_id="rectangle")  # scripts/rectangle.js
            turn = gr.Button(f"{strings.TURN} ↻", size="sm", min_width=70, elem_id="turn")
            share = gr.HTML(padding=False, elem_id="share")
        gr.HTML(strings.RECTANGLE_HINT, padding=False, elem_id="rectangle-hint")
    return {"find": find, "turn": turn, "share": share}


def outcome() -> dict[str, object]:
    with gr.Column(elem_id="known"):
        outcome = gr.HTML(padding=False, elem_id="outcome")
        done = part_controls.lay_out_done()
        download = gr.DownloadButton("Download", visible=False, variant="primary", elem_id="download")
        with gr.Row(elem_id="onwards"):
            go_on = gr.Button(strings.CONTINUE, size="sm", min_width=110, elem_id="go-on")
            back = gr.Button(strings.BACK, size="sm", min_width=110, elem_id="back")
        part = part_controls.lay_out(*done)
        identity = gr.HTML(padding=False, elem_id="identity")
        gallery = gr.Gallery(
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
    return {
        "outcome": outcome,
        "download": download,
        "go_on": go_on,
        "back": back,
        "part": part,
        "identity": identity,
        "gallery": gallery,
    }


def act() -> dict[str, object]:
    with gr.Column(elem_id="act"):
        with gr.Row(elem_id="buttons"):
            fill = gr.Button(strings.FILL, variant="primary", interactive=False, scale=2, min_width=90, elem_id="fill")
            cancel = gr.Button("Cancel", interactive=False, min_width=70, elem_id="cancel")
            another = gr.Button("New photo", interactive=False, min_width=110, elem_id="another")
        message = gr.HTML(padding=False, elem_id="message")
        running = gr.HTML(padding=False, elem_id="running")
    return {"fill": fill, "cancel": cancel, "another": another, "message": message, "running": running}


def other_photos() -> dict[str, object]:
    with gr.Accordion(strings.OTHERS_TITLE, open=False, elem_id="others"):
        gr.HTML(strings.OTHERS_HINT, padding=False)
        slots = tuple(_other_slot(number) for number in range(1, MOST_OTHERS + 1))
        unchecked = gr.Checkbox(label=strings.UNCHECKED, container=False, visible=False, elem_id="unchecked")
        message = gr.HTML(padding=False, elem_id="others-message")
        add = gr.File(show_label=False, file_count="multiple", height=56, elem_id="add-others")
    return {"others": slots, "add_others": add, "others_message": message, "unchecked": unchecked}


def _other_slot(number: int) -> OtherSlot:
    with gr.Row(visible=False, elem_classes="other") as row:
        thumb = gr.HTML(padding=False)
        use = gr.Radio([USE, ONLY_COMPARE], value=USE, label=f"Photo {number}", min_width=0)
        remove = gr.Button("Remove", size="sm", min_width=0, scale=0)
    return OtherSlot(row, thumb, use, remove)


def ready_masks() -> dict[str, object]:
    with gr.Accordion(strings.SHAPES, open=False, elem_id="shapes"):
        with gr.Row(elem_id="shape-buttons"):
            buttons = {
                name: gr.Button(label, size="sm", min_width=0, elem_id=f"shape-{name}")
                for name, label in shapes.LABELS.items()
            }
        with gr.Row():
            choices = [(strings.NO_PRESET, NO_PRESET)]
            choices += [(f"{name}: {about}", name) for name, about in faceinp.list_presets().items()]
            preset = gr.Dropdown(choices, value=NO_PRESET, label="All masks by name", scale=3, elem_id="preset")
            most = filling.LARGEST_SEED
            mask_seed = gr.Number(0, label="Mask seed", precision=0, minimum=0, maximum=most, min_width=90)
        with gr.Row():
            upload = gr.UploadButton("Upload a mask", size="sm", min_width=120, elem_id="mask-file")
            grow = gr.Button("Grow", size="sm", min_width=70, elem_id="grow")
            invert = gr.Button("Invert", size="sm", min_width=70, elem_id="invert")
    return {
        "shapes": buttons,
        "preset": preset,
        "mask_seed": mask_seed,
        "invert": invert,
        "grow": grow,
        "mask_file": upload,
    }


def which_face() -> dict[str, object]:
    with gr.Accordion(strings.WHICH_FACE, open=False, elem_id="faces-box") as box:
        faces = gr.Image(
            label="Faces", show_label=False, interactive=False, buttons=[], format="png", visible=False, elem_id="faces"
        )
        hint = gr.HTML(padding=False, elem_id="click-hint")
        face = gr.Radio(
            ANYWHERE, value=EVERY_FACE, label=strings.WHICH_FACE, show_label=False, container=False, elem_id="face"
        )
        unclick = gr.Button(strings.CLEAR_CLICKS, size="sm", visible=False, elem_id="unclick")
    return {"faces_box": box, "faces": faces, "face": face, "click_hint": hint, "unclick": unclick}


def settings() -> dict[str, object]:
    ready = filling.ready_engines()
    chosen = ready[0] if ready else None
    with gr.Accordion(strings.SETTINGS, open=False, elem_id="settings"):
        landmarks = landmark_controls.lay_out()
        engine = gr.Radio(ready, value=chosen, label="Engine", info=strings.about_engine(chosen), elem_id="engine")
        with gr.Accordion(strings.engines_title(), open=False, elem_id="engines-box"):
            gr.HTML(strings.engines(), padding=False)
        symmetry = gr.Checkbox(
            filling.completes_faces(chosen), label=strings.SYMMETRY, info=strings.ABOUT_SYMMETRY, elem_id="symmetry"
        )
        with gr.Row():
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=filling.LARGEST_SEED, min_width=100)
            candidates = gr.Slider(
                1, filling.MOST_CANDIDATES, 1, step=1, label="Variants", min_width=160, elem_id="candidates"
            )
        iterations = gr.Slider(
            50,
            2000,
            filling.ITERATIONS,
            step=50,
            label="Iterations",
            visible=chosen in filling.SEARCHES,
            elem_id="iterations",
        )
        blending = gr.Radio(
            [("seamless (Poisson)", "poisson"), ("none (composite)", "composite")],
            value="poisson",
            label="Blending",
            elem_id="blending",
        )
    return {
        "engine": engine,
        "seed": seed,
        "candidates": candidates,
        "iterations": iterations,
        "symmetry": symmetry,
        "blending": blending,
        "landmarks": landmarks,
    }


def details() -> dict[str, object]:
    with gr.Accordion("Details", open=False, elem_id="details") as box:
        facts = gr.HTML(padding=False, elem_id="facts")
    return {"details": box, "facts": facts}
