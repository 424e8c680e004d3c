"""Helpers of several events: the page's settings as a request, a job followed until it ends, old errors removed."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

import faceinp

from ..fills import filling
from ..fills.filling import FillRequest
from ..fills.jobs import Job
from ..images.editor import share_hidden
from ..images.painted_proposal import read_hole
from ..layout.page_layout import Page
from ..layout.panel import ALIGNED, BOX, POINTS
from ..server.sessions import Visit, Visits
from ..text import strings

TICK = 0.4  # seconds between updates of a job's progress
CLICKS = {BOX: 2, POINTS: 5}  # how many specify a face
AT_ONCE = 64  # visitors whose jobs are followed; most of them wait in the queue
# No event shows its progress on the editor (show_progress_on, where the editor is an output): for each progress report,
# Gradio's editor first sends all its pictures again. On a busy machine reports then arrive out of order, and
# "processing" stays on the editor after the end.
QUIET: Any = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
CHOICE: Any = QUIET | {"trigger_mode": "always_last"}  # arrow keys pass other radio buttons: only the last one counts
CLEAR_ERRORS = """(...messages) => messages.map((html) => html?.includes('role="alert"') ? '' : html)"""
FINDS: Any = {"concurrency_limit": 1, "concurrency_id": "find"}  # each uses all cores
FILLS: Any = {"concurrency_limit": AT_ONCE, "concurrency_id": "fill", "api_visibility": "private"}

Inputs = dict[Any, Any]  # values by control: what Gradio passes for a set of inputs
Updates = dict[Any, Any]  # new values by control


def painted_request(page: Page, inputs: Inputs, visit: Visit, engine: str | None = None) -> FillRequest:
    """The request for what is painted. Raises FaceinpError without a photo or without paint.

    inputs: values of at least ``page.fill_inputs``. engine: instead of the one chosen on the page.
    """
    original, proposal, value = visit.original, visit.proposal, inputs[page.editor]
    if original is None:
        raise faceinp.PhotoError(strings.NO_PHOTO)
    if not share_hidden(value):
        raise faceinp.MaskError(strings.NOTHING_MARKED)
    engine = engine or inputs[page.engine]
    request = settings_request(page, inputs, visit, original.path, lambda: read_hole(value, original, proposal), engine)
    return replace(request, turns=original.turns)


def settings_request(
    page: Page, inputs: Inputs, visit: Visit, photo: Path, hole: Callable[[], Any], engine: str
) -> FillRequest:
    """A request with the page's settings. Raises FaceinpError if they are invalid.

    inputs: values of ``page.fill_inputs`` without the editor. photo, hole, engine: as in ``FillRequest``.
    """
    symmetry = bool(inputs[page.symmetry])
    return FillRequest(
        photo=photo,
        hole=hole,
        engine=engine,
        seed=int(inputs[page.seed] or 0),
        iterations=int(inputs[page.iterations]) if engine in filling.SEARCHES else 0,
        face=chosen_location(visit, inputs[page.face]),
        turn=visit.turn,
        blending=inputs[page.blending],
        symmetry=None if symmetry == filling.completes_faces(inputs[page.engine]) else symmetry,  # the engine's default
        references=tuple(other.file for other in visit.others if other.used),
        reference_check=not inputs[page.unchecked],
        others=tuple(other.file for other in visit.others),
        earlier=visit.earlier,
    )


def chosen_location(visit: Visit, chosen: Any) -> faceinp.FaceLocation | None:
    """The face chosen under "Which face?"; None for every face that is painted over.

    Raises NoFaceError if clicks are missing, or if they cannot be a face.
    """
    if chosen == ALIGNED:
        return faceinp.FaceLocation.aligned()
    if chosen == BOX and len(visit.clicks) == CLICKS[BOX]:
        (left, top), (right, bottom) = np.sort(np.array(visit.clicks), axis=0).tolist()
        return faceinp.FaceLocation.box(left, top, right - left, bottom - top)
    if chosen == POINTS and len(visit.clicks) == CLICKS[POINTS]:
        return faceinp.FaceLocation.points(visit.clicks)
    if chosen in CLICKS:
        raise faceinp.NoFaceError(strings.NOT_CLICKED)
    return faceinp.FaceLocation.number(int(chosen)) if chosen else None


def follow(
    visit: Visit, start: Callable[[], Job], message: Any, progress: Callable[[Job], Updates]
) -> Generator[Updates, None, Job | None]:
    """Start a job and yield ``progress`` of it until it ends.

    message: the control that shows an error. Returns the job; None after an error, or once the visitor has another
    photo: results of an earlier photo must not appear beside it.
    """
    original = visit.original
    try:
        job = start()
    except faceinp.FaceinpError as error:
        yield {message: strings.message(strings.error_text(error), error=True)}
        return None
    try:
        yield {message: gr.skip()}  # Gradio clears all outputs of a generator that yields nothing
        while not job.wait(TICK):
            if visit.original is not original:
                return None
            yield progress(job)
        job.results()
    except faceinp.FaceinpError as error:
        if visit.original is original:
            yield {message: strings.failure(error)}
        return None
    finally:
        job.stop()  # also when the visitor leaves
    return job if visit.original is original else None


def on_fill(
    page: Page, visits: Visits, button: gr.Button, run: Callable[..., Any], inputs: Any, outputs: list[Any], js: str
) -> None:
    """Run a fill when ``button`` is clicked; meanwhile no other fill can start, and Cancel is enabled.

    run: yields updates of ``outputs``. js: runs in the browser after the end.
    """
    starters = [page.fill, page.landmarks.again, page.part.again]

    def begin() -> Updates:
        disabled = {starter: gr.update(interactive=False) for starter in starters}
        return disabled | {page.cancel: gr.update(interactive=True), page.message: "", page.part.message: ""}

    def end(request: gr.Request) -> Updates:
        has_photo = visits.of(request).original is not None
        enabled = {starter: gr.update(interactive=has_photo) for starter in [*starters, page.another]}
        return enabled | {page.cancel: gr.update(interactive=False), page.running: ""}

    button.click(begin, None, [*starters, page.cancel, page.message, page.part.message], **QUIET).then(
        run, inputs, outputs, show_progress="hidden", **FILLS
    ).then(end, None, [*starters, page.another, page.cancel, page.running], js=js, **QUIET)


def clear_errors(blocks: gr.Blocks, page: Page) -> None:
    """Remove earlier error messages when a button is clicked or a file is uploaded; other messages stay.

    Call it before all other events are connected: Gradio runs the handlers of an event in that order, and the errors of
    later ones must stay. The hint what to click next under "Which face?" stays as well.
    """
    parts = list(blocks.blocks.values())
    starts: list[Any] = [part.upload for part in parts if isinstance(part, gr.File | gr.UploadButton)]
    starts += [part.click for part in parts if isinstance(part, gr.Button | gr.DownloadButton)]
    shown = [page.refused, page.message, page.find.message, page.others_message, page.part.message, page.comparing]
    gr.on(starts, None, shown, shown, js=CLEAR_ERRORS, **QUIET)
