"""The way through the page: a photo is turned, a face is clicked, a result is gone on from, and no result is shown
of an earlier photo.
"""

import dataclasses
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.events import choose_face, compare_engines, load_photo, requests, results  # noqa: E402
from faceinp.demo.fills import filling  # noqa: E402
from faceinp.demo.fills.history import History  # noqa: E402
from faceinp.demo.fills.jobs import Job  # noqa: E402
from faceinp.demo.images import pictures, shapes  # noqa: E402
from faceinp.demo.images.editor import Original, layer_of, working_size  # noqa: E402
from faceinp.demo.layout import page_layout, panel  # noqa: E402
from faceinp.demo.server import sessions  # noqa: E402
from faceinp.demo.text import result_text, strings  # noqa: E402

SIDE = 96


@pytest.fixture
def visit(tmp_path: Path) -> sessions.Visit:
    """A visitor with a photo of 96 x 64 pixels."""
    visit = sessions.Visit(tmp_path)
    file = visit.folder / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, 64, 3), np.uint8)).save(file)
    visit.original = Original(file, SIDE, 64)
    return visit


def square(top: int, left: int, shape: tuple[int, int] = (SIDE, 64)) -> np.ndarray:
    hole = np.zeros(shape, np.bool_)
    hole[top : top + 12, left : left + 12] = True
    return hole


def order(visit: sessions.Visit, hole: np.ndarray, **more: Any) -> filling.FillRequest:
    original = visit.original
    assert original is not None
    return filling.FillRequest(
        photo=original.path, hole=lambda: hole, engine="telea", turns=original.turns, earlier=visit.earlier, **more
    )


def fill(visit: sessions.Visit, hole: np.ndarray) -> filling.FillResult:
    return filling.fill(order(visit, hole), visit.folder, lambda *_: None, None)


def test_a_turned_photo_is_filled_turned_and_keeps_its_known_pixels(visit: sessions.Visit) -> None:
    assert visit.original is not None
    before = visit.photo().pixels
    visit.original = dataclasses.replace(visit.original, height=64, width=SIDE, turns=1)
    assert (visit.photo().pixels == np.rot90(before, -1)).all()
    hole = square(20, 30, (64, SIDE))
    made = fill(visit, hole)
    after = faceinp.read_photo(made.file).pixels
    assert (after[~hole] == np.rot90(before, -1)[~hole]).all() and (after[hole] != np.rot90(before, -1)[hole]).any()
    assert made.changed_pixels == 0 and made.size == (SIDE, 64)


def test_quick_turns_turn_what_is_painted_though_the_editor_holds_it_unturned(visit: sessions.Visit) -> None:
    assert visit.original is not None
    hole = square(20, 30)
    painted = {"layers": [layer_of(hole)]}
    assert (load_photo._painted(visit, visit.original, painted) == hole).all()
    turned = np.rot90(hole, -1)
    visit.original = dataclasses.replace(visit.original, height=64, width=SIDE, turns=1)
    visit.marked, visit.turned = turned, (time.monotonic(), load_photo._strokes(painted))
    for held in (painted, {"layers": []}, None):
        assert (load_photo._painted(visit, visit.original, held) == turned).all()
    stroke = square(5, 60, (64, SIDE))
    assert (load_photo._painted(visit, visit.original, {"layers": [layer_of(stroke)]}) == stroke).all(), "a new stroke"
    visit.turned = (time.monotonic() - 60, load_photo._strokes(painted))
    assert not load_photo._painted(visit, visit.original, {"layers": []}).any(), "it was erased since"
    visit.clear()
    assert visit.turned == sessions.NEVER


def test_masks_and_sources_add_up_when_one_goes_on_from_a_result(visit: sessions.Visit) -> None:
    assert visit.original is not None
    first, second = square(10, 10), square(50, 30)
    made = fill(visit, first)
    visit.earlier = made.history
    visit.original = Original(made.file, SIDE, 64)
    again = fill(visit, second)
    assert again.known_pixels == (~(first | second)).sum() and again.changed_pixels == 0
    assert ((again.history.sources > 0) == (first | second)).all()
    assert sum(again.shares.values()) == pytest.approx(1)
    before, after = (faceinp.read_photo(file).pixels for file in again.views["Photo"])
    assert (before[~first] == faceinp.read_photo(made.file).pixels[~first]).all() and (
        before[first] != after[first]
    ).any()
    turned = again.history.turned()
    assert (turned.sources == np.rot90(again.history.sources, -1)).all()
    assert (turned.before().pixels == np.rot90(again.history.before().pixels, -1)).all()


def test_the_codes_of_references_stay_those_of_their_files(visit: sessions.Visit, tmp_path: Path) -> None:
    made = fill(visit, square(10, 10))
    result = faceinp.fill(visit.photo(), square(50, 30), engine="telea", references=[visit.photo()])
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    earlier = dataclasses.replace(made.history, files=(one,))
    codes = earlier.sources.copy()
    codes[codes > 0] = pictures.REFERENCE
    import cv2

    earlier = dataclasses.replace(earlier, packed=cv2.imencode(".png", codes)[1].tobytes())
    added = earlier.add(result, (other,))
    assert added.files == (other, one)
    assert set(np.unique(added.sources[10:22, 10:22])) == {pictures.REFERENCE + 1}


@pytest.mark.parametrize(("chosen", "count"), [(panel.BOX, 2), (panel.POINTS, 5)])
def test_a_face_that_is_clicked_is_one_once_it_is_whole(visit: sessions.Visit, chosen: str, count: int) -> None:
    places = [(10.0, 12.0), (30.0, 11.0), (20.0, 22.0), (12.0, 30.0), (28.0, 31.0)]
    visit.clicks = places[: count - 1]
    with pytest.raises(faceinp.NoFaceError, match="not marked yet"):
        requests.chosen_location(visit, chosen)
    visit.clicks = places[:count] if chosen == panel.POINTS else [(30.0, 40.0), (10.0, 12.0)]
    location = requests.chosen_location(visit, chosen)
    assert location is not None
    expected = (10.0, 12.0, 20.0, 28.0) if chosen == panel.BOX else places
    assert np.allclose(location.value, expected)


def test_a_box_that_can_hold_no_face_is_clicked_anew(visit: sessions.Visit) -> None:
    with gr.Blocks():
        page = page_layout.Page()
    visit.clicks = [(10.0, 12.0), (60.0, 14.0)]
    update = choose_face._reject_clicks(page, visit, panel.BOX)
    assert "too small or too narrow" in update[page.click_hint] and visit.clicks == []
    visit.clicks = [(10.0, 12.0), (40.0, 44.0)]
    assert choose_face._reject_clicks(page, visit, panel.BOX) == {} and len(visit.clicks) == 2


def test_clicks_are_drawn_on_the_photo_and_a_face_is_chosen_by_a_click() -> None:
    photo = np.zeros((1280, 1000, 3), np.uint8)
    drawn = pictures.draw_clicks(photo, [(100, 200), (600, 900)], box=True)
    assert drawn.shape[:2] == working_size(1280, 1000, pictures.FACE_SIDE)
    assert drawn[100, 200].tolist() == list(pictures.RED), "the box's upper side"
    face = faceinp.Face((10.0, 20.0, 30.0, 40.0), np.zeros((5, 2), np.float32), 1.0, 0.0)
    assert pictures.face_at([face], 15, 25) == 1 and pictures.face_at([face], 5, 25) == 0


def test_nothing_of_an_earlier_photo_appears_or_stays(visit: sessions.Visit) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> np.ndarray:
        begun.set()
        go_on.wait(30)
        return square(10, 10)

    def start() -> Job:
        return visit.start(Job([dataclasses.replace(order(visit, square(0, 0)), hole=slow)], visit.folder, None))

    told = object()
    steps = requests.follow(visit, start, told, lambda job: {told: job.running.share})
    next(steps)
    begun.wait(30)
    job, folder = visit.job, visit.folder
    visit.clear()
    visit.original = Original(folder / "another.png", SIDE, 64)
    go_on.set()
    assert job is not None and job.wait(30)
    assert list(steps) == [], "neither a result nor a word of it"
    assert not folder.exists() and not list(visit.folder.iterdir())


def test_each_step_is_the_one_that_the_page_is_at() -> None:
    for number in (page_layout.PHOTO_STEP, page_layout.MASK_STEP, page_layout.RESULT_STEP):
        said = strings.steps(number)
        assert f"at-{number}" in said and said.count("aria-current") == 1


def test_a_new_photo_clears_all_that_an_earlier_one_had(visit: sessions.Visit) -> None:
    with gr.Blocks():
        page = page_layout.Page()
    update = load_photo._show_photo(page, visit, "")
    assert set(update) <= set(load_photo._photo_parts(page)), "nothing that is not wired"
    events = results, compare_engines, choose_face
    shown = {page.steps, page.fill, page.message}.union(*(one.clear_updates(page) for one in events))
    assert shown <= set(update)
    for part in (page.compare, page.outcome, page.identity, page.facts, page.cards, page.table):
        assert update[part] in (None, "")


def test_masks_that_are_chosen_by_a_picture_exist_and_have_one() -> None:
    assert set(shapes.LABELS) <= set(faceinp.list_presets())
    assert faceinp.read_photo(shapes.SHEET).pixels.shape == (shapes.SIDE, len(shapes.LABELS) * shapes.SIDE, 3)
    assert (shapes.draw() == faceinp.read_photo(shapes.SHEET).pixels).all(), "run python -m faceinp.demo.images.shapes"


def test_a_photo_that_could_not_be_confirmed_is_said_beside_the_result_as_long_as_it_is_in_it(
    visit: sessions.Visit, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    result = faceinp.fill(visit.photo(), square(10, 10), engine="telea")
    sources = np.where(result.mask, np.uint8(pictures.REFERENCE), np.uint8(0))
    unknown = faceinp.Reference(b"", 1.0, 1.4, note="Too little of the face is known to tell whether it does.")
    result = dataclasses.replace(result, references=(unknown,), sources=sources)
    first = History.of(result, visit.photo(), 0, (one,))
    second = first.add(faceinp.fill(visit.photo(), square(50, 30), engine="telea"), ())
    made = fill(visit, square(10, 10))
    said = "“one.jpg” may not show the same person."
    for history in (first, second):
        assert said in result_text.outcome(dataclasses.replace(made, history=history))
    back = second.without(square(10, 10))
    assert said not in result_text.outcome(dataclasses.replace(made, history=back)), "nothing of it is left"
    known = dataclasses.replace(result, references=(dataclasses.replace(unknown, note=""),))
    history = History.of(known, visit.photo(), 0, (other,))
    assert "may not show" not in result_text.outcome(dataclasses.replace(made, history=history))
