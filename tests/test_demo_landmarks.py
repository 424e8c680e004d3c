"""Landmarks on the page: which of them may be moved, what goes along, and what the server reads of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import faceinp
from faceinp.mask.presets import average_points

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.events import move_landmarks  # noqa: E402
from faceinp.demo.layout import landmark_controls, page_layout  # noqa: E402
from faceinp.demo.server import sessions  # noqa: E402
from faceinp.demo.text import landmark_text  # noqa: E402

LEFT, TOP, SIDE = 100, 50, 200  # the window of the photo that shows the face
FOUND = np.add(average_points(SIDE), (LEFT, TOP)).astype(np.float32)
MOUTH = range(48, 68)


@pytest.fixture
def visit(tmp_path: Path) -> sessions.Visit:
    """A visitor with a result whose hole is the mouth."""
    visit = sessions.Visit(tmp_path)
    hole = np.zeros((SIDE, SIDE), np.bool_)
    low, high = (np.round(end(FOUND[48:68], axis=0) - (LEFT, TOP)).astype(int) for end in (np.min, np.max))
    hole[low[1] - 2 : high[1] + 3, low[0] - 2 : high[0] + 3] = True
    made: Any = SimpleNamespace(
        unmoved_landmarks=FOUND,
        hole=hole,
        window=(LEFT, TOP, LEFT + SIDE, TOP + SIDE),
        face=tmp_path / "f.png",
        folder=visit.folder,
    )
    visit.results = [made]
    return visit


def sent(points: Any) -> Any:
    """What the server gets of what the browser sends."""
    return json.loads(json.dumps({"points": points}))


def test_only_landmarks_in_the_hole_can_be_moved(visit: sessions.Visit) -> None:
    assert np.flatnonzero(move_landmarks.movable(visit.results[0], FOUND)).tolist() == list(MOUTH)
    told = move_landmarks.describe(visit.results[0], FOUND)
    json.dumps(told)
    for offsets in told["ends"].values():
        assert not np.array(offsets)[:, :48].any()
    assert np.array(told["ends"]["smile"]).any() and not np.array(told["ends"]["lids"]).any()
    left, top, width, height = told["part"]
    assert ((left, top) <= FOUND).all() and ((left + width, top + height) >= FOUND).all()
    visit.results[0].hole = visit.results[0].hole.repeat(2, axis=0).repeat(3, axis=1)  # type: ignore[misc]
    assert np.flatnonzero(move_landmarks.movable(visit.results[0], FOUND)).tolist() == list(MOUTH), "of any size"
    far = np.add(FOUND, (SIDE, 0))  # beyond the window
    assert not move_landmarks.movable(visit.results[0], far).any()


def test_moved_landmarks_lead_the_next_fill_and_known_ones_stay(visit: sessions.Visit) -> None:
    assert move_landmarks.read_moved(visit, None) is None
    points = FOUND.astype(np.float64).round(2)
    points[48] += (-7, 4)
    read = move_landmarks.read_moved(visit, sent(points.tolist()))
    assert read is not None and read.dtype == np.float32 and np.allclose(read[48], FOUND[48] + (-7, 4), atol=0.01)
    assert np.array_equal(read[:48], FOUND[:48])


def replaced(point: int, at: Any) -> Any:
    points = FOUND.tolist()
    points[point] = at
    return points


@pytest.mark.parametrize(
    "value",
    [
        "text",
        7,
        [],
        {},
        {"points": None},
        sent(FOUND[:67].tolist()),
        sent([FOUND.tolist()]),
        sent(replaced(48, [1])),
        sent(replaced(48, ["a", "b"])),
        sent(replaced(48, [float("nan"), 1])),
        sent(replaced(48, [float("inf"), 1])),
        sent(replaced(48, [10**400, 1])),
        sent(replaced(48, [LEFT - 40, TOP])),
        sent(replaced(48, [LEFT, TOP + SIDE + 40])),
        sent(replaced(8, (FOUND[8] + 9).tolist())),
    ],
)
def test_what_cannot_be_the_landmarks_is_refused_in_plain_words(visit: sessions.Visit, value: Any) -> None:
    with pytest.raises(faceinp.EngineError) as refused:
        move_landmarks.read_moved(visit, value)
    assert str(refused.value) == landmark_text.NOT_THESE_LANDMARKS


def test_landmarks_go_with_their_photo(visit: sessions.Visit) -> None:
    with gr.Blocks():
        page = page_layout.Page()
    value = sent(FOUND.tolist())
    shown = move_landmarks.show_updates(page, visit)
    assert set(shown) == set(move_landmarks.clear_updates(page)) and shown[page.landmarks.face]["face"]["points"]
    visit.clear()
    with pytest.raises(faceinp.EngineError):
        move_landmarks.read_moved(visit, value)
    assert move_landmarks.clear_updates(page)[page.landmarks.face]["face"] == {}


def test_after_a_fill_with_moved_landmarks_they_are_moved_on_from_where_they_were(visit: sessions.Visit) -> None:
    again: Any = [Led(FOUND + 9)]
    assert move_landmarks.moved_on(again, visit)[0].unmoved_landmarks is FOUND


@dataclass(frozen=True, eq=False)
class Led:
    """What of a result says where its landmarks are."""

    unmoved_landmarks: Any


def test_what_is_dragged_takes_its_neighbours_along_within_its_feature() -> None:
    shares = landmark_controls.neighbours()
    assert all(shares[point][point] == 1 for point in range(68))
    for point, along in enumerate(shares):
        assert all(shares[other][point] == share for other, share in along.items()), "as much as the other way round"
        assert any(set(along) <= set(feature) for feature in landmark_controls.FEATURES if point in feature)
    assert shares[48][49] == shares[48][59] == shares[48][60], "a corner takes both lips along"
    assert not set(shares[57]) & {50, 51, 52, 61, 62, 63}, "one lip leaves the other"
    assert 17 not in shares[16] and 36 in shares[41], "brows are another feature; lids close a ring"


def test_each_landmark_has_a_name_of_its_own() -> None:
    names = landmark_text.landmark_names()
    assert len(set(names)) == 68
    named = {8: "Chin", 30: "Tip of the nose", 48: "Left corner of the mouth", 37: "Left eye, upper lid, 1 of 2"}
    assert {point: names[point] for point in named} == named
    assert sorted(point for feature in landmark_controls.FEATURES for point in feature) == list(range(68))
