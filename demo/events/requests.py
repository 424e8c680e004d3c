"""What several wires share: the page's settings as an order, a job that is followed until it ends, ways of events."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

import faceinp

from ..fills import filling
from ..fills.filling import Order
from ..fills.jobs import Job
from ..images.editor import share_hidden
from ..images.painted_proposal import read_hole
from ..layout.page_layout import Page
from ..layout.panel import ALIGNED, BOX, POINTS
from ..server.sessions import Visit
from ..text import strings

TICK = 0.4  # seconds between two looks at a job
CLICKS = {BOX: 2, POINTS: 5}  # how many it takes to say where a face is
AT_ONCE = 64  # visitors whose jobs are looked at; all but a few of them wait for their turn
# No event shows its progress on the editor (show_progress_on, where the editor is among its outputs): to be told of
# progress, Gradio's editor first sends all its pictures again, each time. What it was told may then come out of order
# on a busy machine, and "processing" stays over it after the end.
QUIET: Any = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
CHOICE: Any = QUIET | {"trigger_mode": "always_last"}  # arrow keys go past radio buttons: where they end, counts
FINDS: Any = {"concurrency_limit": 1, "concurrency_id": "find"}  # each has every core busy
FILLS: Any = {"concurrency_limit": AT_ONCE, "concurrency_id": "fill", "api_visibility": "private"}

Given = dict[Any, Any]  # parts of the page and what they hold: Gradio gives it for a set of inputs
Update = dict[Any, Any]  # parts of the page and what becomes of them


def painted_order(page: Page, given: Given, visit: Visit, engine: str | None = None) -> Order:
    """What the page shows, as an order; raises FaceinpError where there is no photo, or nothing is painted on it.

    given: what at least the parts ``page.order`` hold. engine: another one than the page shows.
    """
    original, proposed, value = visit.original, visit.proposed, given[page.editor]
    if original is None:
        raise faceinp.PhotoError(strings.NO_PHOTO)
    if not share_hidden(value):
        raise faceinp.MaskError(strings.NOTHING_MARKED)
    engine = engine or given[page.engine]
    order = settings_order(page, given, visit, original.path, lambda: read_hole(value, original, proposed), engine)
    return replace(order, turns=original.turns)


def settings_order(page: Page, given: Given, visit: Visit, photo: Path, hole: Callable[[], Any], engine: str) -> Order:
    """An order as the page's settings are. given: what ``page.order`` holds, the editor apart. photo, hole, engine: as
    in ``Order``. Raises FaceinpError where the settings make none.
    """
    return Order(
        photo=photo,
        hole=hole,
        engine=engine,
        seed=int(given[page.seed] or 0),
        iterations=int(given[page.iterations]) if engine in filling.SEARCHES else 0,
        face=chosen_location(visit, given[page.face]),
        turn=visit.turn,
        blending=given[page.blending],
        symmetry=_symmetry(page, given),
        references=tuple(other.file for other in visit.others if other.used),
        reference_check=not given[page.unchecked],
        others=tuple(other.file for other in visit.others),
        earlier=visit.earlier,
    )


def chosen_location(visit: Visit, chosen: Any) -> faceinp.FaceLocation | None:
    """Where the face is, as it was chosen under "Which face?"; None for every face that is painted over.

    Raises NoFaceError where it is to be clicked and was not yet, and where what was clicked holds no face.
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


def _symmetry(page: Page, given: Given) -> bool | None:
    """What was chosen; None, which leaves it to each engine, where that is what the chosen engine does by itself."""
    chosen = bool(given[page.symmetry])
    return None if chosen == filling.completes_faces(given[page.engine]) else chosen


def follow(
    visit: Visit, start: Callable[[], Job], told: Any, look: Callable[[Job], Update]
) -> Generator[Update, None, Job | None]:
    """Start a job and give ``look`` of it now and then. Returns the job when it has made what it could; None, and
    the part ``told`` says why, where it could not. Once the visitor has another photo, nothing more is given: what
    belongs to the earlier one must not appear beside it.
    """
    original = visit.original
    try:
        job = start()
    except faceinp.FaceinpError as error:
        yield {told: strings.message(strings.error_text(error), error=True)}
        return None
    try:
        yield {told: gr.skip()}  # Gradio clears all outputs of a generator that gives nothing
        while not job.wait(TICK):
            if visit.original is not original:
                return None
            yield look(job)
        job.made()
    except faceinp.FaceinpError as error:
        if visit.original is original:
            yield {told: strings.failure(error)}
        return None
    finally:
        job.stop()  # whoever left before the end frees the place
    return job if visit.original is original else None
