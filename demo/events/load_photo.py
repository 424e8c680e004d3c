"""The wires of photo and mask: what is loaded and turned, and what is painted over."""

import hashlib
import time
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp

from ..images import examples, pictures
from ..images.editor import WORKING_SIDE, Original, layer_of, share_hidden, working_size
from ..images.painted_proposal import read_hole
from ..layout.page_layout import MASK_STEP, PHOTO_STEP, Page
from ..layout.panel import ALIGNED, EVERY_FACE, NO_PRESET
from ..server import uploads
from ..server.sessions import Visit, Visits
from ..text import strings
from . import choose_face, compare_engines, other_photos, propose_mask, results
from .propose_mask import painted
from .requests import QUIET, Update, chosen_location

SETTLES = 2.0  # seconds for which an editor may hold nothing of what was put there
PACE = 1.0  # seconds from one turn to the next, at least
GROWS_BY = 0.004  # of the photo's longer side, each time
Map = NDArray[np.bool_]


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that show and take the photo and its mask."""
    parts = _photo_parts(page)

    def load(file: str | None, request: gr.Request) -> Update:
        visit = visits.of(request)
        visit.clear()
        if not file:
            return _shown(page, visit, "")
        try:
            open_photo(visit, visit.take(file))
        except faceinp.FaceinpError as error:
            message = strings.error_text(error)
            visit.clear()
            return _shown(page, visit, message, error=True)
        return _shown(page, visit, strings.NOTHING_MARKED)

    def example(name: str) -> Any:
        def load_it(request: gr.Request) -> Update:
            visit = visits.of(request)
            visit.clear()
            file = f"{name.lower().replace(' ', '-')}.png"
            open_photo(visit, pictures.write(examples.make(name), visit.folder, file))
            hole = examples.hole(name)
            message = strings.NOTHING_MARKED if hole is None else strings.MARKED
            return _shown(page, visit, message, face=ALIGNED if examples.NAMES[name] else EVERY_FACE, hole=hole)

        return load_it

    def turn(value: dict[str, Any] | None, request: gr.Request) -> Update:
        """A quarter turn clockwise, of the photo and of what is painted on it."""
        visit = visits.of(request)
        with visit.turning:  # clicks that follow each other quickly are turns, too
            # The editor loads what it is given in its own time, and of two pictures at once may keep the first.
            time.sleep(max(0, visit.turned[0] + PACE - time.monotonic()))
            original = visit.original
            if original is None:
                return {page.message: strings.message(strings.NO_PHOTO)}
            try:
                hole = np.rot90(_painted(visit, original, value), -1)
                open_photo(visit, original.path, original.turns + 1)
            except faceinp.FaceinpError as error:
                return {page.message: strings.message(strings.error_text(error), error=True)}
            visit.earlier = visit.earlier and visit.earlier.turned()
            visit.turn, visit.proposed, visit.looked, visit.clicks = 0, None, None, []
            visit.turned = time.monotonic(), _strokes(value)
            visit.replace([])
            message = strings.MARKED if hole.any() else strings.NOTHING_MARKED
            return _shown(page, visit, message, hole=hole if hole.any() else None)

    def go_on(request: gr.Request) -> Update:
        """The result that is shown becomes the photo."""
        visit = visits.of(request)
        if not visit.made or visit.original is None:
            return {page.message: strings.message(strings.NO_PHOTO)}
        made = visit.made[visit.shown]
        file = pictures.own_folder(visit.folder) / made.file.name
        try:
            made.file.replace(file)
        except FileNotFoundError as error:
            raise pictures.Gone from error
        visit.earlier = made.history
        visit.replace([])
        visit.proposed, visit.looked = None, None
        open_photo(visit, file)
        return _shown(page, visit, strings.CONTINUED)

    def forget(request: gr.Request) -> Update:
        visit = visits.of(request)
        visit.clear()
        return _shown(page, visit, "")

    private: Any = {"api_visibility": "private", "show_progress_on": page.photo}
    starts = [
        page.photo.upload(load, page.photo, parts, **private),
        page.camera.input(load, page.camera, parts, **private),
        page.go_on.click(go_on, None, parts, show_progress_on=page.message, **QUIET),
    ]
    starts += [button.click(example(name), None, parts, **private) for name, button in page.examples.items()]
    turns = page.turn.click(turn, page.editor, parts, show_progress_on=page.message, trigger_mode="multiple", **QUIET)
    for start in [*starts, turns]:
        start.then(
            choose_face.finder(page, visits),
            [page.face, page.share],
            choose_face.outputs(page),
            js=None if start is turns else results.FOCUS,  # Turn may be pressed again
            **QUIET | {"queue": True},
        )
    page.another.click(forget, None, parts, show_progress_on=page.message, js=results.FOCUS, **QUIET)
    _connect_mask(page, visits)


def open_photo(visit: Visit, file: Path, turns: int = 0) -> None:
    """Make ``file``, which lies in the visit's folder, the visit's photo; raises PhotoError."""
    photo = pictures.turned(pictures.read(file), turns)
    visit.original = Original(file, photo.height, photo.width, turns % 4)
    visit.background = pictures.write(pictures.shrunk(photo.pixels, WORKING_SIDE), visit.folder, "painted.png")


def _painted(visit: Visit, original: Original, value: dict[str, Any] | None) -> Map:
    """What is painted, bool (H, W): what the last turn put there, if the editor lacks it yet. Raises MaskError."""
    strokes, (when, before) = _strokes(value), visit.turned
    loading = not share_hidden(value) and time.monotonic() - when < SETTLES
    if visit.marked is not None and (loading or strokes == before):
        return visit.marked
    return read_hole(value, original, visit.proposed)


def _strokes(value: dict[str, Any] | None) -> bytes:
    """The layers of an editor's value, to be compared with those of another one."""
    layers = (np.asarray(layer) for layer in (value or {}).get("layers") or [] if layer is not None)
    return hashlib.blake2b(b"".join(layer.tobytes() for layer in layers)).digest()


def _photo_parts(page: Page) -> list[Any]:
    """The parts that ``_shown`` has something for."""
    parts = [page.photo, page.refused, page.camera, page.editor, page.preset, page.share, page.fill, page.another]
    parts += [
        page.message,
        page.running,
        page.others_message,
        *choose_face.outputs(page),
        *results.outputs(page),
        *compare_engines.outputs(page),
    ]
    return list(dict.fromkeys([*parts, *other_photos.outputs(page), *propose_mask.outputs(page)]))


def _shown(
    page: Page, visit: Visit, message: str, error: bool = False, face: Any = EVERY_FACE, hole: Map | None = None
) -> Update:
    """The page with the visit's photo, or without one. hole: what is marked on it."""
    there, visit.marked = visit.original is not None, hole
    return (
        dict.fromkeys((page.photo, page.camera))
        | dict.fromkeys((page.running, page.others_message), "")
        | results.cleared(page)
        | compare_engines.cleared(page)
        | other_photos.shown(page, visit)
        | propose_mask.shown(page, visit)
        | choose_face.cleared(page, face)
        | {
            page.fill: gr.update(value=strings.FILL, variant="primary", interactive=there),
            page.another: gr.update(interactive=there),
            page.steps: strings.steps(MASK_STEP if there else PHOTO_STEP),
            page.editor: gr.update(value=painted(visit, _layer(hole)), visible=there, **_canvas(visit)),
            page.share: "" if hole is None else strings.marked_share(float(hole.mean())),
            page.preset: NO_PRESET,
            page.message: strings.message(message, error) if there else "",
            page.refused: "" if there else strings.message(message, error),  # beside the place where it was dropped
        }
    )


def _connect_mask(page: Page, visits: Visits) -> None:
    def put_on(name: str, seed: int, face: Any, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        if visit.original is None or name == NO_PRESET:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            mask = faceinp.make_preset(
                name,
                visit.photo(),
                face=chosen_location(visit, face),
                turn=visit.turn,
                landmarks=visit.landmarks,
                seed=int(seed or 0),
            )
        except faceinp.FaceinpError as error:
            return gr.skip(), gr.skip(), strings.message(strings.error_text(error), error=True)
        return _put(visit, mask.hole, f"Mask added: {mask.about}.")

    def putter(name: str) -> Any:
        """The function behind a picture of a mask."""

        def put(seed: int, face: Any, request: gr.Request) -> tuple[Any, ...]:
            return put_on(name, seed, face, request)

        return put

    def upload(file: str, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        with uploads.read_once(file):
            try:
                mask, doubt = _read_mask(file, visit.photo())
            except faceinp.FaceinpError as error:
                return gr.skip(), gr.skip(), strings.message(strings.error_text(error), error=True)
        mask = mask.by_faces([face.box for face in visit.faces])
        text = strings.page_terms(" ".join([f"Mask loaded: {mask.about or 'as it is'}.", *mask.warnings]))
        return _put(visit, mask.hole, f"{text} {doubt}".strip())

    def changer(change: Any, said: str) -> Any:
        """The function behind a button that changes what is painted: bool (H, W) to bool (H, W)."""

        def changed(value: dict[str, Any] | None, request: gr.Request) -> tuple[Any, ...]:
            visit = visits.of(request)
            if visit.original is None:
                return gr.skip(), gr.skip(), strings.message(strings.NO_PHOTO)
            try:
                hole = read_hole(value, visit.original, visit.proposed)
            except faceinp.FaceinpError as error:
                return gr.skip(), gr.skip(), strings.message(strings.error_text(error), error=True)
            if not hole.any():
                return gr.skip(), gr.skip(), strings.message(strings.NOTHING_MARKED)
            return _put(visit, change(hole), said)

        return changed

    def clear(request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        visit.proposed = None
        return painted(visit), ""

    parts = [page.editor, page.share, page.message]
    private: Any = {"api_visibility": "private", "show_progress": "minimal", "show_progress_on": page.preset}
    puts = [
        change(put_on, [page.preset, page.mask_seed, page.face], parts, **private)
        for change in (page.preset.input, page.mask_seed.submit, page.mask_seed.blur)
    ]
    puts += [
        button.click(putter(name), [page.mask_seed, page.face], parts, **private)
        for name, button in page.shapes.items()
    ]
    puts.append(page.mask_file.upload(upload, page.mask_file, parts, **private))
    puts.append(page.invert.click(changer(np.logical_not, strings.MASK_INVERTED), page.editor, parts, **private))
    puts.append(page.grow.click(changer(_grown, strings.MASK_GROWN), page.editor, parts, **private))
    # The editor's bin takes the photo away, too: it is put back, and what was painted is gone.
    puts.append(page.editor.clear(clear, None, [page.editor, page.share], show_progress_on=page.message, **QUIET))

    def put_away(request: gr.Request) -> dict[Any, Any]:
        return propose_mask.shown(page, visits.of(request))

    for put in puts:
        put.then(put_away, None, propose_mask.outputs(page), **QUIET)

    def share(value: dict[str, Any] | None, said: str | None, request: gr.Request) -> tuple[Any, ...]:
        proposed = visits.of(request).proposed
        hidden = share_hidden(value) if proposed is None else proposed.share(value)
        obeyed = hidden and said == strings.message(strings.NOTHING_MARKED, error=True)
        return strings.marked_share(hidden), strings.message(strings.MARKED) if obeyed else gr.skip()

    page.editor.input(
        share, [page.editor, page.message], [page.share, page.message], trigger_mode="always_last", **QUIET
    )


def _read_mask(file: str, photo: faceinp.Photo) -> tuple[faceinp.Mask, str]:
    """The mask, and a warning where either tone of it may be the hole."""
    try:
        return faceinp.read_mask(file, photo), ""
    except faceinp.MaskError as error:
        if "--mask-hole" not in str(error):
            raise
        return faceinp.read_mask(file, photo, hole="white"), strings.WHITE_ASSUMED


def _grown(hole: Map) -> Map:
    reach = 2 * max(1, round(GROWS_BY * max(hole.shape))) + 1
    return cv2.dilate(hole.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0


def _put(visit: Visit, hole: Map, message: str) -> tuple[Any, ...]:
    visit.proposed = None
    return painted(visit, layer_of(hole)), strings.marked_share(float(hole.mean())), strings.message(message)


def _layer(hole: Map | None) -> NDArray[np.uint8] | None:
    return None if hole is None else layer_of(hole)


def _canvas(visit: Visit) -> dict[str, Any]:
    """The editor lays layers in the middle of its canvas, which must be of their size by then."""
    if visit.original is None:
        return {}
    height, width = working_size(visit.original.height, visit.original.width)
    return {"canvas_size": (width, height)}
