"""Events of the photo: load it, turn it, continue from a result, and remove it."""

import hashlib
import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

import faceinp

from ..images import examples, pictures
from ..images.editor import WORKING_SIDE, Original, layer_of, layers, share_hidden, working_size
from ..images.painted_proposal import Map, read_hole
from ..layout.page_layout import MASK_STEP, PHOTO_STEP, Page
from ..layout.panel import ALIGNED, EVERY_FACE, NO_PRESET
from ..server.sessions import Visit, Visits
from ..text import strings
from . import choose_face, compare_engines, other_photos, propose_mask, results
from .propose_mask import painted
from .requests import QUIET, Updates

EDITOR_LOADS = 2.0  # seconds in which an editor may still be empty after a turn
MIN_TURN_INTERVAL = 1.0  # seconds between two turns


def connect(page: Page, visits: Visits) -> None:  # noqa: PLR0915 - one statement for each event
    """Connect the controls that load, turn and remove the photo."""
    parts = _photo_parts(page)

    def load(file: str | None, request: gr.Request) -> Updates:
        visit = visits.of(request)
        visit.clear()
        if not file:
            return _show_photo(page, visit, "")
        try:
            open_photo(visit, visit.take(file))
        except faceinp.FaceinpError as error:
            message = strings.error_text(error)
            visit.clear()
            return _show_photo(page, visit, message, error=True)
        return _show_photo(page, visit, strings.NOTHING_MARKED)

    def example(name: str) -> Any:
        def load_it(request: gr.Request) -> Updates:
            visit = visits.of(request)
            visit.clear()
            file = f"{name.lower().replace(' ', '-')}.png"
            open_photo(visit, pictures.write(examples.make(name), visit.folder, file))
            hole = examples.hole(name)
            message = strings.NOTHING_MARKED if hole is None else strings.MARKED
            return _show_photo(
                page, visit, message, face=ALIGNED if name == examples.ALIGNED else EVERY_FACE, hole=hole
            )

        return load_it

    def turn(value: dict[str, Any] | None, request: gr.Request) -> Updates:
        """Turn the photo and its paint clockwise by a quarter."""
        visit = visits.of(request)
        with visit.turning:  # several quick clicks are several turns
            # The editor loads a picture asynchronously, and of two at once it may keep the first.
            time.sleep(max(0, visit.turned[0] + MIN_TURN_INTERVAL - time.monotonic()))
            original = visit.original
            if original is None:
                return {page.message: strings.message(strings.NO_PHOTO)}
            try:
                hole = np.rot90(_painted(visit, original, value), -1)
                open_photo(visit, original.path, original.turns + 1)
            except faceinp.FaceinpError as error:
                return {page.message: strings.message(strings.error_text(error), error=True)}
            visit.earlier = visit.earlier and visit.earlier.turned()
            visit.turn, visit.proposal, visit.pending_proposal, visit.clicks = 0, None, None, []
            visit.turned = time.monotonic(), _strokes(value)
            visit.replace([])
            message = strings.MARKED if hole.any() else strings.NOTHING_MARKED
            return _show_photo(page, visit, message, hole=hole if hole.any() else None)

    def continue_from_result(request: gr.Request) -> Updates:
        """Make the current result the photo."""
        visit = visits.of(request)
        if not visit.results or visit.original is None:
            return {page.message: strings.message(strings.NO_PHOTO)}
        result = visit.result
        file = pictures.own_folder(visit.folder) / result.file.name
        try:
            result.file.replace(file)
        except FileNotFoundError as error:
            raise pictures.Gone from error
        visit.earlier = result.history
        visit.replace([])
        visit.proposal, visit.pending_proposal = None, None
        open_photo(visit, file)
        return _show_photo(page, visit, strings.CONTINUED)

    def forget(request: gr.Request) -> Updates:
        visit = visits.of(request)
        visit.clear()
        return _show_photo(page, visit, "")

    private: Any = {"api_visibility": "private", "show_progress_on": page.photo}
    starts = [
        page.photo.upload(load, page.photo, parts, **private),
        page.camera.input(load, page.camera, parts, **private),
        page.go_on.click(continue_from_result, None, parts, show_progress_on=page.message, **QUIET),
    ]
    starts += [button.click(example(name), None, parts, **private) for name, button in page.examples.items()]
    turns = page.turn.click(turn, page.editor, parts, show_progress_on=page.message, trigger_mode="multiple", **QUIET)
    for start in [*starts, turns]:
        start.then(
            choose_face.finder(page, visits),
            [page.face, page.share],
            [*choose_face.clear_updates(page), page.message],
            js=None if start is turns else results.FOCUS,  # Turn keeps the focus, to be pressed again
            **QUIET | {"queue": True},
        )
    page.another.click(forget, None, parts, show_progress_on=page.message, js=results.FOCUS, **QUIET)


def open_photo(visit: Visit, file: Path, turns: int = 0) -> None:
    """Make ``file``, which lies in the visit's folder, the visit's photo. Raises PhotoError."""
    photo = pictures.turned(pictures.read(file), turns)
    visit.original = Original(file, photo.height, photo.width, turns % 4)
    visit.background = pictures.write(pictures.shrunk(photo.pixels, WORKING_SIDE), visit.folder, "painted.png")


def _painted(visit: Visit, original: Original, value: dict[str, Any] | None) -> Map:
    """The painted hole, bool (H, W), or the turned one if the editor has not loaded it yet. Raises MaskError."""
    strokes, (when, before) = _strokes(value), visit.turned
    loading = not share_hidden(value) and time.monotonic() - when < EDITOR_LOADS
    if visit.marked is not None and (loading or strokes == before):
        return visit.marked
    return read_hole(value, original, visit.proposal)


def _strokes(value: dict[str, Any] | None) -> bytes:
    """A digest of the layers in an editor's value."""
    return hashlib.blake2b(b"".join(layer.tobytes() for layer in layers(value))).digest()


def _photo_parts(page: Page) -> list[Any]:
    """The controls of ``_show_photo``."""
    parts = [page.photo, page.refused, page.camera, page.editor, page.preset, page.share, page.another, page.message]
    parts += [page.running, page.others_message, *choose_face.clear_updates(page), *compare_engines.clear_updates(page)]
    return [*parts, *results.shown_parts(page), *propose_mask.outputs(page)]


def _show_photo(
    page: Page, visit: Visit, message: str, error: bool = False, face: Any = EVERY_FACE, hole: Map | None = None
) -> Updates:
    """Updates that show the visit's photo, or no photo. hole: painted on it, bool (H, W)."""
    original, visit.marked = visit.original, hole
    has_photo = original is not None
    # The canvas of the editor must have the layers' size before they are placed in its middle.
    canvas: Any = {"canvas_size": working_size(original.height, original.width)[::-1]} if original else {}
    return (
        dict.fromkeys((page.photo, page.camera))
        | dict.fromkeys((page.running, page.others_message), "")
        | results.clear_updates(page)
        | compare_engines.clear_updates(page)
        | other_photos.show_updates(page, visit)
        | propose_mask.show_updates(page, visit)
        | choose_face.clear_updates(page, face)
        | {
            page.fill: gr.update(value=strings.FILL, variant="primary", interactive=has_photo),
            page.another: gr.update(interactive=has_photo),
            page.steps: strings.steps(MASK_STEP if has_photo else PHOTO_STEP),
            page.editor: gr.update(
                value=painted(visit, None if hole is None else layer_of(hole)), visible=has_photo, **canvas
            ),
            page.share: "" if hole is None else strings.marked_share(float(hole.mean())),
            page.preset: NO_PRESET,
            page.message: strings.message(message, error) if has_photo else "",
            page.refused: "" if has_photo else strings.message(message, error),  # beside the file that was dropped
        }
    )
