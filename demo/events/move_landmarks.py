"""Events of the landmarks: show them after a fill, and read those that a visitor moved."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from numpy.typing import NDArray

import faceinp

from ..fills.filling import FillResult
from ..images import expression
from ..layout.page_layout import Page
from ..server.sessions import Visit
from ..text import landmark_text
from .requests import Updates

MARGIN = 0.14  # around the landmarks, in parts of their larger side
TOLERANCE = 1.0  # pixels: landmarks come back rounded

Points = NDArray[np.floating[Any]]


def clear_updates(page: Page) -> Updates:
    """Updates that remove the face, of the controls that ``show_updates`` changes."""
    return {page.landmarks.box: gr.update(visible=False), page.landmarks.face: gr.update(value=None, face={})}


def show_updates(page: Page, visit: Visit) -> Updates:
    """Updates that show the current result's face, if its engine used landmarks and one of them can be moved."""
    result, unmoved = visit.result, visit.landmarks
    if unmoved is None or not movable(result, unmoved).any():
        return clear_updates(page)
    return {page.landmarks.box: gr.update(visible=True), page.landmarks.face: gr.update(face=describe(result, unmoved))}


def describe(result: FillResult, unmoved: Points) -> dict[str, Any]:
    """The data of a face for the browser, in pixels of the photo.

    unmoved: (68, 2), its landmarks as predicted. Returns picture: a file that shows ``window``. window: left, top,
    right, bottom. part: left, top, width, height of the visible part of it. points: the unmoved landmarks. movable:
    which landmarks lie in the hole. ends: offsets of the landmarks at -1 and +1 of each control of
    ``expression.CONTROLS``.
    """
    left, top, right, bottom = result.window
    margin = MARGIN * np.ptp(unmoved, axis=0).max()
    start = np.clip(unmoved.min(axis=0) - margin, (left, top), (right - 1, bottom - 1))
    end = np.clip(unmoved.max(axis=0) + margin, start + 1, (right, bottom))
    free = movable(result, unmoved)
    ends = {name: offsets * free[:, None] for name, offsets in expression.blendshapes(unmoved).items()}
    return {
        "picture": FileData(path=str(result.face)).model_dump(),
        "window": result.window,
        "part": _rounded([*start, *(end - start)]),
        "points": _rounded(unmoved),
        "movable": free.tolist(),
        "ends": {name: _rounded(offsets) for name, offsets in ends.items()},
    }


def movable(result: FillResult, unmoved: Points) -> NDArray[np.bool_]:
    """Which landmarks lie in the hole, bool (68,): those on known pixels hardly change the fill."""
    left, top, right, bottom = result.window
    height, width = result.hole.shape
    x, y = np.floor((unmoved - (left, top)) * (width / (right - left), height / (bottom - top))).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return np.asarray(inside & result.hole[y.clip(0, height - 1), x.clip(0, width - 1)], np.bool_)


def read_moved(visit: Visit, value: Any) -> NDArray[np.float32] | None:
    """The landmarks for the next fill, float32 (68, 2) in photo pixels; None if none was moved.

    value: from the browser, so it may be anything. Raises EngineError if it cannot be this face's landmarks.
    """
    if value is None:
        return None
    if not visit.results or visit.landmarks is None:
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS)
    result, unmoved = visit.result, visit.landmarks
    try:
        points = np.array(value["points"], np.float64)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS) from error
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS)
    free, (left, top, right, bottom) = movable(result, unmoved)[:, None], result.window
    # Landmarks in the hole may move within the window, the others not at all.
    nearest = np.where(free, points.clip((left, top), (right, bottom)), unmoved)
    if np.abs(points - nearest).max() > TOLERANCE:
        raise faceinp.EngineError(landmark_text.NOT_THESE_LANDMARKS)
    return nearest.astype(np.float32)


def moved_on(results: Sequence[FillResult], visit: Visit) -> list[FillResult]:
    """Results of a fill with moved landmarks; the next moves start from the same unmoved ones."""
    return [replace(result, unmoved_landmarks=visit.landmarks) for result in results]


def _rounded(numbers: Any) -> Any:
    return np.asarray(numbers, np.float64).round(2).tolist()
