"""What is seen on the page: its layout. Its words stand in ``words``; what it does, in the modules that wire it."""

from dataclasses import dataclass

import gradio as gr

import faceinp
from demo import examples, filling, find_controls, looks, words
from demo.editor import STROKE
from demo.find_controls import FindControls
from demo.looks import SIDE
from demo.pictures import VIEWS

FILE_TYPES = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif"]
BRUSH = "#{:02x}{:02x}{:02x}".format(*STROKE)
NO_PRESET = "none"
MOST_OTHERS = 4
USE, ONLY_COMPARE = "use to fill", "only compare"


@dataclass(frozen=True)
class OtherSlot:
    """Where one of the other photos of the person is shown."""

    row: gr.Row
    thumb: gr.HTML
    use: gr.Radio
    remove: gr.Button


@dataclass(frozen=True)
class Page:
    """The page's parts that something is done with."""

    state: gr.HTML
    # photo
    load: gr.Column
    photo: gr.File
    camera: gr.Image
    examples: dict[str, gr.Button]
    faces: gr.Image
    face: gr.Radio
    aligned: gr.Checkbox
    turn: gr.Radio
    # mask
    editor: gr.ImageEditor
    masks: gr.Column
    find: FindControls
    preset: gr.Dropdown
    mask_seed: gr.Number
    invert: gr.Button
    mask_file: gr.UploadButton
    share: gr.HTML
    # other photos of the person
    others_box: gr.Column
    others: tuple[OtherSlot, ...]
    add_others: gr.File
    others_message: gr.HTML
    unchecked: gr.Checkbox
    # engine
    engine: gr.Radio
    iterations: gr.Slider
    seed: gr.Number
    candidates: gr.Slider
    symmetry: gr.Checkbox
    blending: gr.Radio
    fill: gr.Button
    cancel: gr.Button
    another: gr.Button
    message: gr.HTML
    # result
    running: gr.HTML
    view: gr.Radio
    legend: gr.HTML
    compare: gr.ImageSlider
    gallery: gr.Gallery
    facts: gr.HTML
    identity: gr.HTML
    download: gr.DownloadButton
    landmarks_box: gr.Accordion
    landmarks: gr.Image
    point: gr.Number
    right: gr.Number
    down: gr.Number
    move: gr.Button
    reset: gr.Button
    again: gr.Button
    # comparing engines
    compared: gr.CheckboxGroup
    start: gr.Button
    halt: gr.Button
    comparing: gr.HTML
    table: gr.HTML
    grid: gr.Image
    grid_file: gr.DownloadButton

    @property
    def order(self) -> set[gr.components.Component]:
        """What ``orders.painted_order`` reads."""
        settings = {self.engine, self.iterations, self.seed, self.symmetry, self.blending, self.unchecked}
        return settings | {self.editor, self.aligned, self.face, self.turn}


def lay_out() -> Page:
    """Put the parts on the page; called inside of a ``gr.Blocks``."""
    gr.Markdown(f"# {words.TITLE}\n{words.LEAD}", elem_id="head")
    parts: dict[str, object] = {"state": gr.HTML(padding=False, elem_id="state")}
    with gr.Tab("Fill", elem_id="fill-tab"), gr.Row(elem_id="board"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_id="paint"):
                parts |= _photo() | _mask()
            with gr.Column(elem_id="act"):
                parts |= _actions()
            parts |= _other_photos()
            with gr.Column(elem_id="settings"):
                parts |= _settings()
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_id="result"):
                parts |= _result()
            with gr.Column(elem_id="known"):
                parts |= _facts()
    with gr.Tab("Compare engines", elem_id="compare-tab"):
        parts |= _comparison()
    gr.Markdown(words.LIMITS, elem_id="limits")
    return Page(**parts)  # type: ignore[arg-type]


def _photo() -> dict[str, object]:
    with gr.Column(elem_id="load") as load:
        photo = gr.File(label="Photo", file_types=FILE_TYPES, elem_id="photo")
        with gr.Row(elem_id="examples"):
            chosen = {
                name: gr.Button(name, size="sm", min_width=100, elem_id=looks.example_id(name))
                for name in examples.NAMES
            }
        with gr.Accordion("Paste, or take a picture", open=False, elem_id="camera-box"):
            camera = gr.Image(
                show_label=False,
                sources=["clipboard", "webcam"],
                type="filepath",
                image_mode=None,
                height=240,
                buttons=[],
                elem_id="camera",
            )
    return {"load": load, "photo": photo, "examples": chosen, "camera": camera}


def _mask() -> dict[str, object]:
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
    with gr.Column(elem_id="masks", visible=False) as masks:
        find = find_controls.lay_out()
        with gr.Row():
            choices = [(words.NO_PRESET, NO_PRESET)]
            choices += [(f"{name}: {about}", name) for name, about in faceinp.list_presets().items()]
            preset = gr.Dropdown(choices, value=NO_PRESET, label="Ready-made mask", scale=3, elem_id="preset")
            most = filling.LARGEST_SEED
            mask_seed = gr.Number(0, label="Its seed", precision=0, minimum=0, maximum=most, min_width=90)
        with gr.Row(elem_id="mask-row"):
            invert = gr.Button("Invert", size="sm", min_width=80, elem_id="invert")
            upload = gr.UploadButton("Upload a mask", size="sm", min_width=120, elem_id="mask-file")
            share = gr.HTML(padding=False, elem_id="share")
    faces = gr.Image(
        label="Faces found", interactive=False, buttons=[], height=180, format="png", visible=False, elem_id="faces"
    )
    face = gr.Radio([], label="Which face", visible=False, elem_id="face")
    aligned = gr.Checkbox(label="Already aligned: the photo is a square face crop", container=False, elem_id="aligned")
    return {
        "editor": editor,
        "masks": masks,
        "find": find,
        "preset": preset,
        "mask_seed": mask_seed,
        "invert": invert,
        "mask_file": upload,
        "share": share,
        "faces": faces,
        "face": face,
        "aligned": aligned,
    }


def _actions() -> dict[str, object]:
    with gr.Row():
        fill = gr.Button("Fill", variant="primary", interactive=False, scale=2, min_width=90, elem_id="fill")
        cancel = gr.Button("Cancel", interactive=False, min_width=70, elem_id="cancel")
        another = gr.Button("New photo", interactive=False, min_width=110, elem_id="another")
    message = gr.HTML(words.say(words.NO_PHOTO), padding=False, elem_id="message")
    running = gr.HTML(padding=False, elem_id="running")
    return {"fill": fill, "cancel": cancel, "another": another, "message": message, "running": running}


def _other_photos() -> dict[str, object]:
    with gr.Column(elem_id="others", visible=False) as box:
        gr.HTML(words.OTHERS, padding=False)
        slots = tuple(_other_slot(number) for number in range(1, MOST_OTHERS + 1))
        unchecked = gr.Checkbox(label=words.UNCHECKED, container=False, visible=False, elem_id="unchecked")
        message = gr.HTML(padding=False, elem_id="others-message")
        add = gr.File(show_label=False, file_count="multiple", file_types=FILE_TYPES, height=56, elem_id="add-others")
    return {"others_box": box, "others": slots, "add_others": add, "others_message": message, "unchecked": unchecked}


def _other_slot(number: int) -> OtherSlot:
    with gr.Row(visible=False, elem_classes="other") as row:
        thumb = gr.HTML(padding=False)
        use = gr.Radio([USE, ONLY_COMPARE], value=USE, label=f"Photo {number}", min_width=0)
        remove = gr.Button("Remove", size="sm", min_width=0, scale=0)
    return OtherSlot(row, thumb, use, remove)


def _settings() -> dict[str, object]:
    ready = filling.ready_engines()
    chosen = ready[0] if ready else None
    engine = gr.Radio(ready, value=chosen, label="Engine", info=words.about_engine(chosen), elem_id="engine")
    with gr.Accordion(words.engines_title(), open=False, elem_id="engines-box"):
        gr.HTML(words.engines(), padding=False)
    with gr.Row():
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=filling.LARGEST_SEED, min_width=100)
        candidates = gr.Slider(
            1, filling.MOST_CANDIDATES, 1, step=1, label="Candidates", min_width=160, elem_id="candidates"
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
    with gr.Accordion("More", open=False, elem_id="more"):
        symmetry = gr.Checkbox(
            filling.completes_faces(chosen), label=words.SYMMETRY, info=words.ABOUT_SYMMETRY, elem_id="symmetry"
        )
        turn = gr.Radio(words.TURNS, value="auto", label=words.TURN, info=words.ABOUT_TURN, elem_id="turn")
        blending = gr.Radio(
            [("seamless (Poisson)", "poisson"), ("as it is (composite)", "composite")],
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
        "turn": turn,
        "blending": blending,
    }


def _result() -> dict[str, object]:
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


def _facts() -> dict[str, object]:
    gallery = gr.Gallery(
        label="Candidates, most similar first",
        columns=4,
        height=170,
        allow_preview=False,
        interactive=False,
        visible=False,
        format="png",
        buttons=[],
        elem_id="gallery",
    )
    facts = gr.HTML(padding=False, elem_id="facts")
    identity = gr.HTML(padding=False, elem_id="identity")
    download = gr.DownloadButton("Download PNG", visible=False, variant="primary", elem_id="download")
    with gr.Accordion("Move the landmarks", open=False, visible=False, elem_id="landmarks-box") as box:
        gr.Markdown(words.HOW_TO_MOVE)
        landmarks = gr.Image(show_label=False, interactive=False, buttons=[], format="png", elem_id="landmarks")
        with gr.Row():
            point = gr.Number(1, label="Point, 1 to 68", precision=0, minimum=1, maximum=68, min_width=90)
            right = gr.Number(0, label="to the right, pixels", min_width=90)
            down = gr.Number(0, label="down, pixels", min_width=90)
            move = gr.Button("Move it", size="sm", min_width=80, elem_id="move")
        with gr.Row():
            again = gr.Button("Fill again with these", variant="primary", min_width=160, elem_id="again")
            reset = gr.Button("Undo the moves", min_width=140, elem_id="reset")
    return {
        "gallery": gallery,
        "facts": facts,
        "identity": identity,
        "download": download,
        "landmarks_box": box,
        "landmarks": landmarks,
        "point": point,
        "right": right,
        "down": down,
        "move": move,
        "again": again,
        "reset": reset,
    }


def _comparison() -> dict[str, object]:
    gr.Markdown(words.COMPARE)
    ready = filling.ready_engines()
    quick = [name for name in ready if filling.expected(name) < 5]
    compared = gr.CheckboxGroup(ready, value=quick, label="Engines", elem_id="compared")
    with gr.Row():
        start = gr.Button("Compare", variant="primary", min_width=140, elem_id="start")
        halt = gr.Button("Cancel", interactive=False, min_width=80, elem_id="halt")
    comparing = gr.HTML(words.say(words.COMPARE_FIRST), padding=False, elem_id="comparing")
    table = gr.HTML(padding=False, elem_id="table")
    grid = gr.Image(show_label=False, interactive=False, buttons=["fullscreen"], visible=False, elem_id="grid")
    grid_file = gr.DownloadButton("Download the grid", visible=False, elem_id="grid-file")
    return {
        "compared": compared,
        "start": start,
        "halt": halt,
        "comparing": comparing,
        "table": table,
        "grid": grid,
        "grid_file": grid_file,
    }
