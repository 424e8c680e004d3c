"""The wires of the landmarks: which are shown after a fill and may be moved, and what is read of those that were."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from numpy.typing import NDArray

import faceinp

from ..fills.filling import Made
from ..images import expression
from ..layout.page_layout import Page
from ..server.sessions import Visit
from ..text import landmark_text
from .requests import QUIET, Update

MARGIN = 0.14  # of the face's larger side, beyond its outermost landmarks
SAME = 1.0  # pixels by which landmarks that cannot be moved may differ: they come back rounded

Points = NDArray[np.floating[Any]]


def connect(page: Page) -> None:
    """Wire the button that puts all landmarks back; the browser does it."""
    page.landmarks.reset.click(None, None, page.landmarks.face, js="() => null", **QUIET)


def outputs(page: Page) -> list[Any]:
    """The parts that ``shown`` and ``cleared`` have something for."""
    return [page.landmarks.box, page.landmarks.face]


def cleared(page: Page) -> Update:
    """These parts without a face."""
    return {page.landmarks.box: gr.update(visible=False), page.landmarks.face: gr.update(value=None, face={})}


def shown(page: Page, visit: Visit) -> Update:
    """The face of the result that is shown, where its engine was led by landmarks and one of them can be moved."""
    made, found = visit.made[visit.shown], visit.landmarks
    if found is None or not movable(made, found).any():
        return cleared(page)
    return {page.landmarks.box: gr.update(visible=True), page.landmarks.face: gr.update(face=describe(made, found))}


def describe(made: Made, found: Points) -> dict[str, Any]:
    """What the browser is told of a face, in pixels of the photo.

    found: (68, 2), its landmarks where nobody has moved them. picture: a file that shows ``window``. window: left, top,
    right, bottom. part: left, top, width, height of what is shown of it. movable: which landmarks lie in the hole.
    ends: their offsets at -1 and +1 of each control of ``expression.CONTROLS``.
    """
    left, top, right, bottom = made.window
    margin = MARGIN * np.ptp(found, axis=0).max()
    start = np.clip(found.min(axis=0) - margin, (left, top), (right - 1, bottom - 1))
    end = np.clip(found.max(axis=0) + margin, start + 1, (right, bottom))
    free = movable(made, found)
    ends = {name: offsets * free[:, None] for name, offsets in expression.blendshapes(found).items()}
    return {
        "picture": FileData(path=str(made.face)).model_dump(),
        "window": made.window,
        "part": _rounded([*start, *(end - start)]),
        "points": _rounded(found),
        "movable": free.tolist(),
        "ends": {name: _rounded(offsets) for name, offsets in ends.items()},
    }


def movable(made: Made, found: Points) -> NDArray[np.bool_]:
    """Which landmarks lie in the hole, (68,): those on known pixels hardly change what is filled."""
    left, top, right, bottom = made.window
    height, width = made.hole.shape
    x, y = np.floor((found - (left, top)) * (width / (right - left), height / (bottom - top))).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return np.asarray(inside & made.hole[y.clip(0, height - 1), x.clip(0, width - 1)], np.bool_)


def read_moved(visit: Visit, value: Any) -> NDArray[np.float32] | None:
    """The landmarks that lead the next fill, float32 (68, 2) in photo pixels; None where none was moved.

    value: what the browser sent, which may be anything. Raises EngineError for what cannot be this face's landmarks.
    """
    if value is None:
        return None
    if not visit.made or visit.landmarks is None:
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS)
    made, found = visit.made[visit.shown], visit.landmarks
    try:
        points = np.array(value["points"], np.float64)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS) from error
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS)
    free, (left, top, right, bottom) = movable(made, found)[:, None], made.window
    # Those in the hole may lie anywhere in the window, the others where they were.
    nearest = np.where(free, points.clip((left, top), (right, bottom)), found)
    if np.abs(points - nearest).max() > SAME:
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS)
    return nearest.astype(np.float32)


def moved_on(made: Sequence[Made], visit: Visit) -> list[Made]:
    """Results that moved landmarks led, which go on being moved from where they were."""
    return [replace(one, found=visit.landmarks) for one in made]


def _rounded(numbers: Any) -> Any:
    return np.asarray(numbers, np.float64).round(2).tolist()
