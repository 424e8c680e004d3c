"""One part of a result is filled again: what a part is, and that everything else stays as it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.events import load_photo, refill_part  # noqa: E402
from faceinp.demo.fills import filling, history  # noqa: E402
from faceinp.demo.images import pictures, result_parts  # noqa: E402
from faceinp.demo.images.editor import Original  # noqa: E402
from faceinp.demo.layout import page_layout, part_controls  # noqa: E402
from faceinp.demo.server import sessions  # noqa: E402
from faceinp.demo.text import part_text  # noqa: E402

LEFT, RIGHT, BELOW = np.s_[10:24, 8:22], np.s_[10:24, 40:54], np.s_[60:66, 10:50]


def holes(*places: tuple[slice, slice], shape: tuple[int, int] = (96, 64)) -> np.ndarray:
    hole = np.zeros(shape, np.bool_)
    for place in places:
        hole[place] = True
    return hole


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """16 bits a colour, partly transparent."""
    file = tmp_path / "photo.png"
    deep = np.random.default_rng(1).integers(0, 65536, (96, 64, 4), np.uint16)
    cv2.imwrite(str(file), deep)
    return file


def fill(photo: Path, hole: np.ndarray, folder: Path, **more: object) -> filling.FillResult:
    order = filling.FillRequest(photo=photo, hole=lambda: hole, engine="telea", **more)  # type: ignore[arg-type]
    return filling.fill(order, folder, lambda *_: None, None)


def test_parts_are_what_hangs_together_from_left_to_right() -> None:
    sources = holes(LEFT, RIGHT, BELOW).astype(np.uint8)
    found = result_parts.find(sources)
    assert (found.count, found.small) == (3, False)
    for number, place in enumerate((LEFT, BELOW, RIGHT), 1):
        assert (found.on_photo(number, sources) == holes(place)).all()


@pytest.mark.parametrize("scale", [1, 7])
def test_two_eyes_and_a_scratch_are_parts_and_dust_is_one_together(scale: int) -> None:
    sources = np.zeros((400, 300), np.uint8)
    for x in (100, 150):
        cv2.ellipse(sources, (x, 120), (14, 8), 0, 0, 360, 1, -1)
    cv2.line(sources, (220, 10), (230, 380), 3, 2)
    for number in range(20):
        sources[20 + 15 * number, 5 + 13 * number % 50] = 3
    sources = cv2.resize(sources, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    found = result_parts.find(sources)
    assert (found.count, found.small) == (4, True)
    pieces = [found.on_photo(number, sources) for number in range(1, 5)]
    assert (np.sum(pieces, axis=0) == (sources > 0)).all(), "every pixel belongs to one part"
    assert found.codes == ((1,), (1,), (3,), (3,))
    picture = pictures.sized(np.zeros((*sources.shape, 3), np.uint8)[result_parts.window(sources)], pictures.FACE_SIDE)
    shown = result_parts.view(found, picture)
    assert set(np.unique(shown.numbers)) == set(range(5)), "no speck is lost"
    assert [found.on_face(number) for number in range(1, 5)] == [True, True, False, False]
    assert [part_text.part_label(number, found) for number in (1, 4)] == ["1", part_text.SMALL_PARTS]
    middle = [np.argwhere(shown.numbers == number).mean(axis=0)[::-1] for number in (1, 2, 3)]
    assert [shown.at(*place) for place in middle] == [1, 2, 3]
    assert shown.at(*(middle[1] + (25, 0))) == 2, "the nearest one, for fingers"


def test_many_parts_are_the_longest_and_the_others_together() -> None:
    sources = np.zeros((600, 100), np.uint8)
    for number in range(14):
        sources[40 * number : 40 * number + 20, : 20 + 5 * number] = 1
    found = result_parts.find(sources)
    assert (found.count, found.small) == (result_parts.MAX_PARTS, True)
    last = found.on_photo(result_parts.MAX_PARTS, sources)
    assert last[0, 0] and not last[520, 0] and (found.on_photo(1, sources) | last).sum() < (sources > 0).sum()
    assert result_parts.find((sources > 0).astype(np.uint8)[:20]).count == 1


def test_strokes_beside_each_other_are_one_part() -> None:
    sources = holes(np.s_[100:120, 100:500], np.s_[122:140, 300:700], shape=(800, 800)).astype(np.uint8)
    assert result_parts.find(sources).count == 1


def test_a_part_is_filled_again_and_nothing_else_changes(photo: Path, tmp_path: Path) -> None:
    hole = holes(LEFT, RIGHT, BELOW)
    first = fill(photo, hole, tmp_path)
    part = result_parts.find(first.history.sources).on_photo(1, first.history.sources)
    assert (part == holes(LEFT)).all()
    again = fill(first.file, part, tmp_path, earlier=first.history, blending="composite")
    before, after, original = (faceinp.read_photo(file) for file in (first.file, again.file, photo))
    assert (before.pixels != after.pixels)[part].any()
    assert (before.pixels == after.pixels)[~part].all() and (before.deep == after.deep)[~part].all()
    assert (after.deep == original.deep)[~hole].all() and (after.alpha == original.alpha)[~hole].all()
    assert ((again.history.sources > 0) == hole).all()
    assert (again.known_pixels, again.changed_pixels) == ((~hole).sum(), 0)
    assert sum(again.shares.values()) == pytest.approx(1)
    assert again.file.name == "photo-filled.png"


def test_what_the_part_was_filled_with_is_not_known(photo: Path, tmp_path: Path) -> None:
    first = fill(photo, holes(LEFT, RIGHT), tmp_path)
    pixels = faceinp.read_photo(first.file).pixels.copy()
    pixels[LEFT] = 255 - pixels[LEFT]
    spoilt, intact = tmp_path / "spoilt.png", tmp_path / "intact.png"
    Image.fromarray(pixels).save(spoilt)
    Image.fromarray(faceinp.read_photo(first.file).pixels).save(intact)
    one, other = (fill(file, holes(LEFT), tmp_path, earlier=first.history) for file in (spoilt, intact))
    assert (faceinp.read_photo(one.file).pixels[LEFT] == faceinp.read_photo(other.file).pixels[LEFT]).all()


def test_a_part_is_put_back_as_the_photo_was_to_the_bit(photo: Path, tmp_path: Path) -> None:
    first = fill(photo, holes(LEFT, RIGHT), tmp_path)
    back = fill(first.file, holes(LEFT), tmp_path, earlier=first.history, put_back=True)
    before, after, original = (faceinp.read_photo(file) for file in (first.file, back.file, photo))
    assert (after.deep == original.deep)[~holes(RIGHT)].all() and (after.alpha == original.alpha)[LEFT].all()
    assert (after.deep == before.deep)[RIGHT].all()
    assert ((back.history.sources > 0) == holes(RIGHT)).all()
    assert (back.known_pixels, back.changed_pixels) == ((~holes(RIGHT)).sum(), 0)
    assert back.no_judge and back.likeness is None


def test_a_turned_photo_has_its_parts_put_back_turned(photo: Path, tmp_path: Path) -> None:
    hole = np.rot90(holes(LEFT, RIGHT), -1)
    first = fill(photo, hole, tmp_path, turns=1)
    part = np.rot90(holes(LEFT), -1)
    back = fill(first.file, part, tmp_path, earlier=first.history, put_back=True)
    original = np.rot90(faceinp.read_photo(photo).pixels, -1)
    assert (faceinp.read_photo(back.file).pixels[part] == original[part]).all()


def test_earlier_results_stay_beside_the_new_one_and_the_oldest_go(photo: Path, tmp_path: Path) -> None:
    visit = sessions.Visit(tmp_path)
    first = fill(photo, holes(LEFT), visit.folder)
    made = [
        filling.replace(first, folder=pictures.own_folder(visit.folder)) for _ in range(filling.MOST_CANDIDATES + 1)
    ]
    visit.replace(made[:1])
    visit.parts = object()  # type: ignore[assignment]
    for one in made[1:]:
        visit.add(one)
    assert visit.results == made[:0:-1] and visit.result_index == 0 and visit.parts is None
    assert visit.other_index == 1
    visit.show(1)
    assert (visit.result_index, visit.other_index) == (1, 0), "and back"
    visit.show(filling.MOST_CANDIDATES - 1)
    visit.add(filling.replace(first, folder=pictures.own_folder(visit.folder)))
    assert visit.other_index is None, "the one before it has gone"
    assert [one.folder.exists() for one in made] == [False] * 2 + [True] * (filling.MOST_CANDIDATES - 1)
    visit.add(made[-1])
    visit.replace([first])
    assert visit.other_index is None


@pytest.mark.parametrize(
    ("now", "photos", "completes", "likely"),
    [
        (pictures.SYMMETRY, False, True, part_controls.ANEW),
        (pictures.SYMMETRY, True, True, part_controls.PHOTOS),
        (pictures.ENGINE, True, True, part_controls.PHOTOS),
        (pictures.ENGINE, False, True, part_controls.ANEW),  # the engine found that the other half does not fit
        (pictures.ENGINE, False, False, part_controls.OTHER_HALF),
        (pictures.REFERENCE, True, True, part_controls.OTHER_HALF),
    ],
)
def test_what_is_likely_to_help_is_chosen(now: int, photos: bool, completes: bool, likely: str) -> None:
    assert refill_part._likely((now,), photos, completes) == likely


def test_what_a_part_shows_now_is_said() -> None:
    assert part_text.part_now((pictures.SYMMETRY,), ()) == "Now: mirrored from the other half of the face."
    codes = (pictures.REFERENCE + 1, pictures.ENGINE)
    assert part_text.part_now(codes, ("one.jpg", "other.jpg")) == "Now: mostly copied from “other.jpg”."


def test_parts_are_shown_without_the_large_file(photo: Path, tmp_path: Path) -> None:
    visit = sessions.Visit(tmp_path)
    visit.original = Original(photo, 96, 64)
    visit.replace([fill(photo, holes(LEFT, RIGHT), visit.folder)])
    visit.results[0].file.unlink()
    with gr.Blocks():
        page = page_layout.Page()
    update = refill_part._show_parts(page, visit, 2)
    assert update[page.part.number]["choices"] == [("1", 1), ("2", 2)] and update[page.part.number]["value"] == 2
    assert update[page.part.source]["info"] == "Now: continued from its surroundings."


def test_what_came_of_it_is_said(photo: Path, tmp_path: Path) -> None:
    hole = holes(LEFT)
    first = fill(photo, holes(LEFT, RIGHT), tmp_path)
    assert refill_part._looks_same(first, first, hole)
    assert "makes only one picture" in part_text.same_again((pictures.ENGINE, pictures.SURROUNDINGS))
    assert "already showed another photo of the person" in part_text.same_again((pictures.REFERENCE + 2,))
    other = fill(first.file, hole, tmp_path, earlier=first.history, put_back=True)
    assert not refill_part._looks_same(first, other, hole)
    assert refill_part._message(other, hole, part_controls.ANEW) == part_text.PART_FILLED
    assert "does not fit here" in refill_part._message(other, hole, part_controls.OTHER_HALF)
    codes = np.where(hole, np.uint8(pictures.SYMMETRY), np.uint8(0))
    mirrored = filling.replace(other, history=history.History(photo, 0, (), pictures.packed(codes)))
    assert refill_part._message(mirrored, hole, part_controls.OTHER_HALF) == part_text.PART_FILLED


def test_nothing_of_an_earlier_photos_parts_stays(photo: Path, tmp_path: Path) -> None:
    visit = sessions.Visit(tmp_path)
    visit.original = Original(photo, 96, 64)
    with gr.Blocks():
        page = page_layout.Page()
    update = load_photo._show_photo(page, visit, "")
    assert set(page.part.closed()) <= set(update)
    assert update[page.part.picture]["value"] is None and update[page.part.number]["choices"] == []
