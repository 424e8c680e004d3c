"""Figures that a fill tells of itself are the real ones: counts, sizes, seeds, floors, intervals.

Each of these once could be wrong without any test failing.
"""

import dataclasses
import io
import re
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

import faceinp
from faceinp import identity, pipeline
from faceinp.blend import surroundings
from faceinp.engines.loading import load_engine
from faceinp.evaluate import measures
from faceinp.face import faces, targets
from faceinp.photo import photos
from faceinp.photo.tone import MEANS, Tone

PHOTO = skimage.data.astronaut()
CROP = np.ascontiguousarray(PHOTO[20:220, 120:320])
ALIGNED = faceinp.FaceLocation.aligned()


def rectangle(top: int, left: int, bottom: int, right: int, shape: tuple[int, int] = (512, 512)) -> NDArray[np.bool_]:
    hole = np.zeros(shape, bool)
    hole[top:bottom, left:right] = True
    return hole


EYE = rectangle(90, 228, 118, 266)
CROP_HOLE = rectangle(60, 60, 120, 140, CROP.shape[:2])


def numbers(notes: tuple[str, ...], words: str) -> list[int]:
    """The whole numbers of the one note that holds ``words``."""
    (note,) = [note for note in notes if words in note]
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", note)]


# ---- known pixels ----


def test_known_pixels_that_a_step_changes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = surroundings.fill

    def careless(*arguments: Any, **named: Any) -> surroundings.FilledPhoto:
        filled = real(*arguments, **named)
        spoiled = filled.image.copy()
        spoiled[:70] ^= 1  # ten rows of them are in the hole
        return filled._replace(image=spoiled)

    monkeypatch.setattr(surroundings, "fill", careless)
    result = faceinp.fill(CROP, CROP_HOLE, engine="telea", face=ALIGNED)
    assert (result.known_pixels, result.changed_pixels) == ((~CROP_HOLE).sum(), 70 * 200 - 10 * 80)


def test_changes_are_counted_in_every_part_of_a_tall_photo() -> None:
    before = np.zeros((700, 9, 3), np.uint8)
    after, hole = before.copy(), rectangle(300, 0, 310, 9, (700, 9))
    for row in (0, 255, 256, 305, 511, 512, 699):  # one of them in the hole
        after[row, row % 9, row % 3] = 1
    assert pipeline._count_changed(before, after, hole) == (690 * 9, 6)


# ---- notes ----


@pytest.mark.model
def test_the_note_of_pixels_outside_the_face_has_their_number() -> None:
    result = faceinp.fill(PHOTO, EYE | rectangle(300, 300, 500, 310), engine="telea")
    outside = int((result.sources == 3).sum())
    assert numbers(result.notes, "outside the face")[0] == outside >= 200 * 10


@pytest.mark.model
def test_the_note_of_a_soft_fill_has_the_width_of_the_face_and_of_the_engine() -> None:
    large = np.repeat(np.repeat(PHOTO[:240, 110:350], 4, axis=0), 4, axis=1)
    hole = np.repeat(np.repeat(EYE[:240, 110:350], 4, axis=0), 4, axis=1)
    result = faceinp.fill(large, hole, engine="landmark", symmetry=False)
    width = faces.side(result.faces[0].crop.quad)
    found = numbers(result.faces[0].notes, "px wide")
    assert width > 512 and found[:2] == [round(width), 256]


def test_the_warning_of_a_large_hole_has_its_share() -> None:
    mask = faceinp.read_mask(rectangle(0, 0, 512, 410), faceinp.read_photo(PHOTO))
    assert numbers(mask.warnings, "%") == [80]


@pytest.mark.parametrize(("turn", "said"), [(90, 90), (180, 180), (270, 270)])
def test_the_note_of_a_turned_face_says_how_the_photo_must_be_turned(turn: int, said: int) -> None:
    """A photo that was turned clockwise by 360 - ``turn`` needs ``turn`` more."""
    points = np.array([[205, 102], [247, 104], [225, 129], [202, 139], [245, 142]], np.float32)
    for _ in range((360 - turn) // 90):  # clockwise: (x, y) -> (height - y, x)
        points = np.stack([512 - points[:, 1], points[:, 0]], axis=1)
    face = faces.Face((0, 0, 512, 512), points, 1.0, 0.0)
    (note,) = targets._notes(face, None)
    assert f" {said} degrees" in note and face.turn == turn


def test_the_note_of_a_turned_head_has_its_yaw() -> None:
    points = np.array([[205, 102], [247, 102], [225, 129], [205, 140], [247, 140]], np.float32)
    (note,) = targets._notes(faces.Face((180, 60, 90, 110), points, 1.0, -57.4), None)
    assert " 57 degrees" in note


# ---- provenance ----


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "tiff"])
def test_a_saved_fill_says_the_seed_it_was_made_with(format: str) -> None:
    result = faceinp.fill(CROP, CROP_HOLE, engine="telea", face=ALIGNED, seed=7)
    data = result.encode(format)
    assert re.search(rb"faceinp:seed(=.|>)7\W", data) and re.search(rb"faceinp:engine(=.|>)telea\W", data)
    if format == "png":
        picture: Any = Image.open(io.BytesIO(data))
        text = picture.text
        assert (text["faceinp:seed"], text["faceinp:engine"]) == ("7", "telea")
        assert text["faceinp:version"] == faceinp.__version__ and text["faceinp:references"] == "0"


def test_an_engine_gets_the_seed_of_the_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    engine: Any = load_engine("telea")
    paint = engine.paint

    def noting(crop: object, hole: object, seed: int) -> object:
        seeds.append(seed)
        return paint(crop, hole, seed)

    monkeypatch.setattr(engine, "paint", noting)
    faceinp.fill(CROP, CROP_HOLE, engine=engine, face=ALIGNED, seed=11)
    assert seeds == [11]


# ---- identity ----


def test_the_floor_is_of_the_photo_with_a_blank_hole_and_knows_nothing_of_the_fill(judge: faceinp.Judge) -> None:
    result = faceinp.fill(CROP, CROP_HOLE, engine="telea", face=ALIGNED)
    spoiled = result.image.copy()
    spoiled[CROP_HOLE] = np.random.default_rng(0).integers(0, 256, spoiled[CROP_HOLE].shape, dtype=np.uint8)
    likeness = faceinp.judge_fill(result, judge)
    other = faceinp.judge_fill(dataclasses.replace(result, image=spoiled), judge)

    whole = faces.whole(CROP, CROP_HOLE, identity.SIDE)
    blank = np.where(whole.hole[..., None], np.uint8(128), whole.pixels)
    vectors = judge.embed(np.stack([blank, whole.pixels]).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    floor = judge.same_person(vectors[0], vectors[1]).distance.euclidean
    assert likeness.floor.distance.euclidean == pytest.approx(floor, abs=1e-5)
    assert other.floor.distance.euclidean == pytest.approx(floor, abs=1e-5)
    assert abs(other.original.distance.euclidean - likeness.original.distance.euclidean) > 1e-4


@pytest.mark.model
def test_the_floor_against_another_photo_is_of_the_blank_photo_too(judge: faceinp.Judge) -> None:
    result = faceinp.fill(CROP, CROP_HOLE, engine="telea", face=ALIGNED)
    spoiled = result.image.copy()
    spoiled[CROP_HOLE] = 255 - spoiled[CROP_HOLE]
    first, second = (
        faceinp.judge_fill(one, judge, others=[PHOTO[:, ::-1]]).others[0]
        for one in (result, dataclasses.replace(result, image=spoiled))
    )
    assert first.filled is not None and first.floor is not None and second.floor is not None
    assert second.floor.distance.euclidean == pytest.approx(first.floor.distance.euclidean, abs=1e-5)
    assert abs(first.floor.distance.euclidean - first.filled.distance.euclidean) > 1e-4


# ---- intervals ----


def test_an_interval_is_as_wide_as_people_differ_however_many_pictures_each_has() -> None:
    people = [f"person {n}" for n in range(6) for _ in range(100)]
    values = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 100)
    by_person = measures.mean(values, people)
    by_picture = measures.mean(values, [str(n) for n in range(600)])
    assert by_person.mean == by_picture.mean == 2.5
    assert by_person.high - by_person.low > 2 > 5 * (by_picture.high - by_picture.low)


# ---- surroundings ----


def stripes(side: int = 400, period: int = 20) -> NDArray[np.uint8]:
    """Slanted stripes that a copy of a few pixels cannot hold."""
    y, x = np.mgrid[:side, :side]
    wave = 128 + 100 * np.sin(2 * np.pi * (x + 0.5 * y) / period)
    return np.repeat(wave.astype(np.uint8)[..., None], 3, axis=2)


def test_what_lies_outside_of_a_crop_is_continued_as_finely_as_the_photo_is() -> None:
    photo = stripes()
    hole = rectangle(198, 40, 201, 360, photo.shape[:2]) | rectangle(100, 100, 130, 130, photo.shape[:2])
    filled = surroundings.fill(photo, hole).image
    error = np.abs(filled[hole].astype(int) - photo[hole]).mean()
    plain = np.abs(photo[hole].astype(int) - photo.mean()).mean()
    assert error < 0.5 * plain


def test_an_edge_goes_on_sharply_without_patchmatch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings.patches, "library", lambda: None)
    photo = np.full((400, 400, 3), 60, np.uint8)
    photo[:, 200:] = 200
    filled = surroundings.fill(photo, rectangle(190, 100, 206, 300, photo.shape[:2])).image
    near = np.s_[190:206, 180:220]
    assert np.abs(filled[near].astype(int) - photo[near]).mean() < 9  # 6, and 15 from a copy of 8 pixels


# ---- tone, resolution, faces ----


def test_a_tone_may_lean_towards_one_colour_with_brightness() -> None:
    field = np.zeros((MEANS, MEANS, 6), np.float32)
    field[..., 3], field[..., 5] = 0.2, -0.2  # slopes of red and blue
    picture = np.stack([np.full((8, 8, 3), value, np.float32) for value in (0.1, 0.5, 0.9)])
    toned = [Tone(np.zeros((9, 3)), field)(one).mean(axis=(0, 1)) for one in picture]
    assert np.allclose(toned, [[0.02, 0.1, 0.18], [0.5, 0.5, 0.5], [0.98, 0.9, 0.82]], atol=1e-3)


@pytest.mark.parametrize(("unit", "inches"), [(2, 1.0), (3, 2.54)], ids=["inches", "centimetres"])
def test_a_resolution_in_exif_is_one_of_inches_whatever_its_unit(unit: int, inches: float) -> None:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[282], exif[283], exif[296] = 120.0, 60.0, unit
    Image.fromarray(CROP).save(buffer, "PNG", exif=exif)
    assert photos.read(buffer.getvalue()).metadata.dpi == pytest.approx((120 * inches, 60 * inches), abs=0.05)


def test_of_a_face_that_was_drawn_the_next_face_sees_the_fill_as_known() -> None:
    engine, shape = load_engine("telea"), (300, 600)
    photo = np.full((*shape, 3), 100, np.uint8)
    hole = rectangle(100, 150, 200, 450, shape)
    quads = [np.array([[x, 0], [x, 300], [x + 300, 300], [x + 300, 0]], np.float64) for x in (0, 250)]
    owner = targets.owners(hole, quads)
    first, second = (targets.Target(None, targets._crop(photo, hole, quad, engine), []) for quad in quads)
    first.generated = np.full((*first.crop.hole.shape, 3), 200 / 255, np.float32)
    crop = targets.crop_after(photo, hole, [first], owner, second, engine)
    theirs = faces.align(photo, owner == 1, quads[1], crop.size)
    own = faces.align(photo, owner == 2, quads[1], crop.size)
    inside = theirs.hole & ~own.hole
    assert inside.any() and not crop.hole[inside].any() and crop.hole[own.hole].all()
    assert np.abs(crop.pixels[inside].astype(int) - 200).max() > 0
    assert (crop.pixels[theirs.hole & ~own.hole & ~_rim(theirs.hole)] == 200).all()
    assert crop.hole.sum() < second.crop.hole.sum()


def _rim(hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a hole within two of its border."""
    from scipy.ndimage import binary_erosion

    return hole & ~binary_erosion(hole, iterations=2)
