"""The wires of photo and mask: what is loaded, which face it is, and what is painted over."""

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp
from demo import examples, finding, other_photos, pictures, uploads, words
from demo.editor import WORKING_SIDE, Original, layer_of, share_hidden, working_size
from demo.finding import painted
from demo.orders import QUIET, face_location
from demo.proposed import read_hole
from demo.sessions import Visit, Visits
from demo.views import NO_PRESET, Page


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that show and take the photo and its mask."""
    results: list[Any] = [page.compare, page.view, page.legend, page.gallery]
    results += [page.facts, page.identity, page.download, page.landmarks_box]
    photo_parts = [page.load, page.photo, page.camera, page.editor, page.masks, page.faces, page.face, page.aligned]
    photo_parts += [page.others_message, *other_photos.outputs(page), *finding.outputs(page)]
    parts = [*photo_parts, page.preset, page.share, page.fill, page.another, page.message, page.running, *results]

    def shown(
        visit: Visit,
        message: str,
        error: bool = False,
        aligned: bool = False,
        hole: NDArray[np.bool_] | None = None,
    ) -> dict[Any, Any]:
        there, visit.marked = visit.original is not None, hole
        return (
            dict.fromkeys((page.photo, page.camera, page.compare))
            | dict.fromkeys((page.running, page.facts, page.identity, page.legend, page.others_message), "")
            | {part: gr.update(visible=False) for part in (page.faces, page.view, page.landmarks_box)}
            | other_photos.shown(page, visit)
            | finding.shown(page, visit)
            | {part: gr.update(value=None, visible=False) for part in (page.gallery, page.download)}
            | {part: gr.update(interactive=there) for part in (page.fill, page.another)}
            | {
                page.load: gr.update(visible=not there),
                page.editor: gr.update(value=painted(visit, _layer(hole)), visible=there, **_canvas(visit)),
                page.masks: gr.update(visible=there),
                page.share: "" if hole is None else words.share(float(hole.mean())),
                page.preset: NO_PRESET,
                page.face: gr.update(choices=[], value=None, visible=False),
                page.aligned: aligned,
                page.message: words.say(message, error),
            }
        )

    def load(file: str | None, request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        visit.clear()
        if not file:
            return shown(visit, words.NO_PHOTO)
        try:
            open_photo(visit, visit.take(file))
        except faceinp.FaceinpError as error:
            message = words.for_people(error)
            visit.clear()
            return shown(visit, message, error=True)
        return shown(visit, words.NO_STROKE)

    def example(name: str) -> Any:
        def load_it(request: gr.Request) -> dict[Any, Any]:
            visit = visits.of(request)
            visit.clear()
            file = f"{name.lower().replace(' ', '-')}.png"
            open_photo(visit, pictures.write(examples.make(name), visit.folder, file))
            hole = examples.hole(name)
            message = words.NO_STROKE if hole is None else words.MARKED
            return shown(visit, message, aligned=examples.NAMES[name], hole=hole)

        return load_it

    def detect(aligned: bool, turn: Any, share: str, request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        nothing = {page.faces: gr.update(visible=False), page.face: gr.update(choices=[], value=None, visible=False)}
        original = visit.original
        if original is None or aligned:
            return nothing
        try:
            visit.faces = faceinp.find_faces(pictures.read(original.path).pixels, visit.marked, turn)
        except faceinp.NoFaceError as error:  # it is not certain how the photo lies
            return nothing | {page.message: words.say(words.for_people(error), error=True)}
        if len(visit.faces) < 2:
            one = f"{words.ONE_FACE} {words.MARKED if share else words.NO_STROKE}"
            return nothing | {page.message: words.say(one if visit.faces else words.NO_FACE)}
        labels = [(f"{n}, the largest" if n == 1 else str(n), n) for n in range(1, len(visit.faces) + 1)]
        return {
            page.faces: gr.update(value=numbered(visit, 0), visible=True),
            page.face: gr.update(choices=[(words.EVERY_FACE, 0), *labels], value=0, visible=True),
        }

    def choose(face: int, request: gr.Request) -> Any:
        return numbered(visits.of(request), face)

    def forget(request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        visit.clear()
        return shown(visit, words.NO_PHOTO)

    private: Any = {"api_visibility": "private", "show_progress_on": page.photo}
    starts = [
        page.photo.upload(load, page.photo, parts, **private),
        page.camera.input(load, page.camera, parts, **private),
    ]
    starts += [button.click(example(name), None, parts, **private) for name, button in page.examples.items()]
    for start in starts:
        start.then(
            detect,
            [page.aligned, page.turn, page.share],
            [page.faces, page.face, page.message],
            **QUIET | {"queue": True},
        )
    for part in (page.aligned, page.turn):
        part.input(
            detect,
            [page.aligned, page.turn, page.share],
            [page.faces, page.face, page.message],
            **QUIET | {"queue": True},
        )
    page.face.input(choose, page.face, page.faces, **QUIET)
    page.another.click(forget, None, parts, show_progress_on=page.message, **QUIET)
    _connect_mask(page, visits)


def _connect_mask(page: Page, visits: Visits) -> None:
    def put_on(
        name: str, seed: int, aligned: bool, face: int | None, turn: Any, request: gr.Request
    ) -> tuple[Any, ...]:
        visit = visits.of(request)
        original = visit.original
        if original is None or name == NO_PRESET:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            photo = pictures.read(original.path)
            mask = faceinp.make_preset(
                name,
                photo,
                face=face_location(aligned, face),
                turn=turn,
                landmarks=visit.points,
                seed=int(seed or 0),
            )
        except faceinp.FaceinpError as error:
            return gr.skip(), gr.skip(), words.say(words.for_people(error), error=True)
        return _put(visit, mask.hole, f"On the photo: {mask.about}.")

    def upload(file: str, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        with uploads.read_once(file):
            original = visit.original
            if original is None:
                return gr.skip(), gr.skip(), words.say(words.NO_PHOTO)
            try:
                mask, doubt = _read_mask(file, pictures.read(original.path))
            except faceinp.FaceinpError as error:
                return gr.skip(), gr.skip(), words.say(words.for_people(error), error=True)
        mask = mask.by_faces([face.box for face in visit.faces])
        said = " ".join([f"The mask was read: {mask.about or 'as it is'}.", *mask.warnings, *doubt])
        return _put(visit, mask.hole, said)

    def invert(value: dict[str, Any] | None, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        if visit.original is None:
            return gr.skip(), gr.skip(), words.say(words.NO_PHOTO)
        try:
            hole = read_hole(value, visit.original, visit.proposed)
        except faceinp.FaceinpError as error:
            return gr.skip(), gr.skip(), words.say(words.for_people(error), error=True)
        return _put(visit, ~hole, "What was hidden is known now, and the other way round.")

    def clear(request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        visit.proposed = None
        return painted(visit), ""

    parts = [page.editor, page.share, page.message]
    private: Any = {"api_visibility": "private", "show_progress": "minimal", "show_progress_on": page.preset}
    puts = [
        change(put_on, [page.preset, page.mask_seed, page.aligned, page.face, page.turn], parts, **private)
        for change in (page.preset.input, page.mask_seed.submit, page.mask_seed.blur)
    ]
    puts.append(page.mask_file.upload(upload, page.mask_file, parts, **private))
    puts.append(page.invert.click(invert, page.editor, parts, **private))
    # The editor's bin takes the photo away, too: it is put back, and what was painted is gone.
    puts.append(page.editor.clear(clear, None, [page.editor, page.share], show_progress_on=page.message, **QUIET))

    def put_away(request: gr.Request) -> dict[Any, Any]:
        return finding.shown(page, visits.of(request))

    for put in puts:
        put.then(put_away, None, finding.outputs(page), **QUIET)

    def share(value: dict[str, Any] | None, request: gr.Request) -> str:
        proposed = visits.of(request).proposed
        return words.share(share_hidden(value) if proposed is None else proposed.share(value))

    page.editor.input(share, page.editor, page.share, trigger_mode="always_last", **QUIET)


def _read_mask(file: str, photo: faceinp.Photo) -> tuple[faceinp.Mask, tuple[str, ...]]:
    """The mask, and what is to be said where either tone of it may be the hole."""
    try:
        return faceinp.read_mask(file, photo), ()
    except faceinp.MaskError as error:
        if "--mask-hole" not in str(error):
            raise
        return faceinp.read_mask(file, photo, hole="white"), (words.WHITE_TAKEN,)


def numbered(visit: Visit, chosen: int) -> str | None:
    """A picture of the visit's photo with its faces numbered; None without a photo."""
    original = visit.original
    if original is None:
        return None
    picture = pictures.number_faces(pictures.read(original.path).pixels, visit.faces, chosen)
    return str(pictures.write(picture, visit.folder, "faces.png"))


def _put(visit: Visit, hole: NDArray[np.bool_], message: str) -> tuple[Any, ...]:
    visit.proposed = None
    return painted(visit, layer_of(hole)), words.share(float(hole.mean())), words.say(message)


def open_photo(visit: Visit, file: Path) -> None:
    """Make ``file``, which lies in the visit's folder, the visit's photo; raises PhotoError."""
    photo = pictures.read(file)
    visit.original = Original(file, photo.height, photo.width)
    visit.background = pictures.write(pictures.shrunk(photo.pixels, WORKING_SIDE), visit.folder, "painted.png")


def _layer(hole: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
    return None if hole is None else layer_of(hole)


def _canvas(visit: Visit) -> dict[str, Any]:
    """The editor lays layers in the middle of its canvas, which must be of their size by then."""
    if visit.original is None:
        return {}
    height, width = working_size(visit.original.height, visit.original.width)
    return {"canvas_size": (width, height)}
