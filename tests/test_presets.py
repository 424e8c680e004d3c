"""Holes made by name: the papers' twelve, and what people wear."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.cli.main import main
from faceinp.errors import MaskError
from faceinp.face import detection, faces
from faceinp.face.face_location import FaceLocation
from faceinp.mask import masks, photo_presets, presets, sketches, worn_occluders
from faceinp.photo import photos

SIDE = 128
POINTS = presets.average_points(SIDE)
ASTRONAUT = skimage.data.astronaut()


@pytest.mark.parametrize(
    "points",
    [
        POINTS + np.random.default_rng(0).normal(0, 4, POINTS.shape),
        np.array([(20.0, 30), (110, 30), (110, 70), (20, 70)]),
        np.array([(40.0, 50)]),
    ],
)
def test_the_grown_hull_is_all_within_a_twentieth_of_the_hull(points: np.ndarray) -> None:
    outline = cv2.convexHull(points.astype(np.float32))
    distance = [[cv2.pointPolygonTest(outline, (x + 0.5, y + 0.5), True) for x in range(SIDE)] for y in range(SIDE)]
    assert np.array_equal(presets.hull(points, (SIDE, SIDE)), np.array(distance) >= -0.05 * SIDE)


@given(st.integers(16, 200), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_halves_and_quarters_of_the_face_make_up_the_hull(size: int, seed: int) -> None:
    points = presets.average_points(size) + np.random.default_rng(seed).normal(0, 0.02 * size, (68, 2))
    whole = presets.hull(points, (size, size))
    left, right = (presets.make(str(number), (size, size), points=points) for number in (7, 8))
    low_left, top_left, low_right, top_right = (
        presets.make(str(number), (size, size), points=points) for number in range(9, 13)
    )
    for parts, union in (((left, right), whole), ((low_left, top_left), left), ((low_right, top_right), right)):
        assert np.array_equal(parts[0] | parts[1], union) and not (parts[0] & parts[1]).any()
    eyes, lower = (presets.make(name, (size, size), points=points) for name in ("eyes", "lower-face"))
    assert np.array_equal(eyes ^ lower, whole)


def test_the_twelve_lie_where_the_papers_page_says() -> None:
    twelve = [presets.make(str(number), (SIDE, SIDE), points=POINTS) for number in range(1, 13)]
    assert [hole.mean() for hole in twelve[:6]] == [0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    for number, pixel in zip(
        range(1, 13), [(64, 9), (64, 119), (119, 9), (9, 9), (119, 119), (9, 119)] * 2, strict=True
    ):
        if number <= 6:
            assert twelve[number - 1][pixel]
    eye, other, mouth, other_corner = (tuple(POINTS[n].astype(int)[::-1]) for n in (40, 47, 48, 54))
    for number, inside in ((7, (eye, mouth)), (8, (other, other_corner)), (9, (mouth,)), (10, (eye,))):
        assert all(twelve[number - 1][pixel] for pixel in inside)
    assert twelve[10][other_corner] and twelve[11][other] and not twelve[11][eye] and not twelve[10][mouth]
    assert not twelve[6][:, SIDE // 2 :].any() and not twelve[7][:, : SIDE // 2].any()


def test_the_papers_numbers_are_further_names() -> None:
    for number, name in presets.ALIASES.items():
        hole = presets.make(name, (SIDE, SIDE), points=POINTS)
        assert np.array_equal(hole, presets.make(number, (SIDE, SIDE), points=POINTS))
        assert presets.is_name(number) and presets.describe(number) == presets.list_presets()[name]
        assert (number in presets.OF_FACES) == (name in presets.OF_FACES) == name.startswith("face-")
    assert list(presets.ALIASES) == [str(number) for number in range(1, 13)] and "1" not in presets.list_presets()
    lower_left = presets.make("picture-lower-left", (SIDE, SIDE))
    assert lower_left[SIDE - 1, 0] and lower_left.mean() == 0.25


@given(st.sampled_from(presets.AREAS), st.integers(11, 90), st.integers(11, 90), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_irregular_strokes_stay_in_their_bin(low: int, height: int, width: int, seed: int) -> None:
    hole = presets.irregular((height, width), low, seed)
    assert low < 100 * hole.mean() <= low + 10
    assert np.array_equal(hole, presets.irregular((height, width), low, seed))


@pytest.mark.parametrize("name", [*presets.NAMES, "random-7"])
def test_each_name_gives_a_hole_that_its_seed_decides(name: str) -> None:
    holes = [presets.make(name, (SIDE, SIDE), points=POINTS, seed=seed) for seed in (0, 0, *range(1, 9))]
    assert holes[0].dtype == bool and holes[0].shape == (SIDE, SIDE) and 0 < holes[0].mean() < 0.85
    assert np.array_equal(holes[0], holes[1])
    random = name.startswith(("random", "irregular")) or name in (
        *("glasses", "protective-mask", "blocks", "scratches"),
        *sketches.NAMES,
    )
    assert len({hole.tobytes() for hole in holes}) == (9 if random else 1)


LEFT_EYE, RIGHT_EYE, BOTH, NOSE, MOUTH = (range(36, 42), range(42, 48), range(36, 48), range(27, 36), range(48, 60))
# How much a sketch hides at least of a part's hull, of either side's where it has one, and points that it leaves alone.
HIDDEN: dict[str, tuple[float, tuple[range, ...], range]] = {
    "one-eye": (0.9, (LEFT_EYE, RIGHT_EYE), MOUTH),
    "glasses-band": (0.75, (BOTH,), MOUTH),
    "mouth": (0.9, (MOUTH,), BOTH),
    "nose": (0.75, (NOSE,), BOTH),
    "hair-lock": (0.4, (LEFT_EYE, RIGHT_EYE), MOUTH),
    "hand": (0.8, (MOUTH,), BOTH),
    "cheek": (0.0, (), range(36, 68)),
    "eye-scratch": (0.05, (LEFT_EYE, RIGHT_EYE), MOUTH),
}


@pytest.mark.parametrize("name", sketches.NAMES)
def test_a_sketch_hides_what_it_is_named_after_and_little_else(name: str) -> None:
    least, parts, away = HIDDEN[name]
    x, y = POINTS.astype(int).T
    sides = set()
    for seed in range(20):
        hole = presets.make(name, (SIDE, SIDE), points=POINTS, seed=seed)
        hidden = [hole[presets.hull(POINTS[list(part)], hole.shape, growth=0)].mean() for part in parts]
        assert max(hidden, default=0) >= least
        assert hole[y, x][list(away)].mean() < 0.1 and 0.002 < hole.mean() < 0.16
        sides.add(bool(np.argwhere(hole)[:, 1].mean() > SIDE / 2))
    assert len(sides) == 2 or name in ("mouth", "nose", "glasses-band")


@pytest.mark.parametrize("name", sketches.NAMES)
def test_a_sketch_turns_and_grows_with_the_face(name: str) -> None:
    """Twice as large and upside down it is the same shape, but for pixels at its edge."""
    hole = presets.make(name, (SIDE, SIDE), points=POINTS, seed=5)
    large = presets.make(name, (2 * SIDE, 2 * SIDE), points=2 * SIDE - 2 * POINTS, seed=5)[::-2, ::-2]
    assert (hole & large).sum() / (hole | large).sum() > (0.6 if name == "eye-scratch" else 0.9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("wear", "hole_of"),
    [
        (worn_occluders.wear_protective_mask, worn_occluders.protective_mask),
        (worn_occluders.wear_glasses, worn_occluders.glasses),
    ],
)
def test_what_is_worn_is_all_in_its_hole(wear, hole_of, seed: int) -> None:
    photo = np.full((SIDE, SIDE, 3), 127, np.uint8)
    picture, hole = wear(photo, POINTS, seed=seed)
    assert np.array_equal(hole, hole_of(POINTS, (SIDE, SIDE), seed=seed))
    changed = (picture != photo).any(axis=2)
    around = (
        cv2.dilate(changed.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0
    )  # no rim is left of it either
    assert not (around & ~hole).any() and changed.sum() > 0.5 * hole.sum()


def test_colours_straps_and_lenses_vary_and_can_be_chosen() -> None:
    photo = np.full((SIDE, SIDE, 3), 127, np.uint8)
    below_nose = tuple(POINTS[57].astype(int)[::-1])
    seen = {worn_occluders.wear_protective_mask(photo, POINTS, seed=seed)[0][below_nose].argmax() for seed in range(20)}
    assert len(seen) > 1
    red = worn_occluders.wear_protective_mask(photo, POINTS, colour=(255, 0, 0))[0][below_nose]
    assert red[0] > 150 and red[1] == red[2] == 0
    none, ears, head = (
        worn_occluders.protective_mask(POINTS, (SIDE, SIDE), straps=straps) for straps in ("none", "ears", "head")
    )
    assert not (none & ~ears).any() and none.sum() < ears.sum() and not np.array_equal(ears, head)
    eye = tuple(POINTS[36:42].mean(axis=0).astype(int)[::-1])
    clear, dark = (worn_occluders.glasses(POINTS, (SIDE, SIDE), lenses=lenses) for lenses in ("clear", "dark"))
    assert dark[eye] and not clear[eye] and not (clear & ~dark).any()
    for bad in ({"straps": "three"}, {"lenses": "red"}):
        with pytest.raises(MaskError, match="Choose one of"):
            (worn_occluders.protective_mask if "straps" in bad else worn_occluders.glasses)(POINTS, (SIDE, SIDE), **bad)


def test_what_cannot_be_made_is_said() -> None:
    for name in presets.OF_FACES:
        with pytest.raises(MaskError, match="needs the face's 68 landmarks"):
            presets.make(name, (SIDE, SIDE))
        with pytest.raises(MaskError, match="finite"):
            presets.make(name, (SIDE, SIDE), points=np.full((68, 2), np.nan))
        with pytest.raises(MaskError, match="on_photo"):
            presets.make(name, (SIDE, SIDE + 1), points=POINTS)
    for call in (
        lambda: presets.make("13", (SIDE, SIDE), points=POINTS),
        lambda: presets.make("random-0", (SIDE, SIDE)),
        lambda: presets.make("0", (SIDE, SIDE), points=POINTS),
        lambda: presets.irregular((SIDE, SIDE), 60, 0),
        lambda: presets.irregular((2, 2), 0, 0),
    ):
        with pytest.raises(MaskError):
            call()


@pytest.mark.parametrize("name", ["4", "7", "12", "centre", "protective-mask", "irregular-20-30"])
@pytest.mark.parametrize("scale", [0.4, 1.0, 2.3])
def test_on_a_photo_a_preset_is_the_crops(name: str, scale: float) -> None:
    turn = 0.3
    across = np.array([np.cos(turn), np.sin(turn)]) * SIDE * scale
    down = np.array([-across[1], across[0]])
    start = np.array([90.3, 40.7])
    quad = np.array([start, start + down, start + across + down, start + across])
    points = start + POINTS / SIDE @ np.stack([across, down])
    hole = photo_presets.on_photo(name, quad, (480, 500, 3), points, seed=3)
    side = round(SIDE * scale)
    wanted = presets.make(name, (side, side), points=POINTS * scale, seed=3)
    warped, inside, (rows, columns) = faces.paste(
        np.repeat(wanted[..., None] * np.float32(1), 3, axis=2), quad, (480, 500)
    )
    frame = np.zeros((480, 500), bool)
    frame[rows, columns] = (warped[..., 0] > 0.5) & inside
    assert (frame & hole).sum() / (frame | hole).sum() > (0.93 if scale > 0.5 else 0.85)
    middles = (start + np.argwhere(wanted)[:, ::-1].mean(axis=0) / side @ np.stack([across, down]))[::-1]
    assert np.allclose(np.argwhere(hole).mean(axis=0), middles, atol=1.2)


def test_the_average_face_fits_five_points() -> None:
    points = presets.average_points(SIDE)
    assert points.shape == (68, 2) and np.allclose(points[:17, 0] + points[16::-1, 0], SIDE)
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[[30, 48, 54]][0], points[48], points[54]])
    turned = np.array([[0.9, 0.3], [-0.25, 1.1]])
    assert np.allclose(presets.average_points(SIDE, five @ turned + 7), points @ turned + 7)


@pytest.mark.model
def test_a_preset_is_put_on_a_found_face(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = photos.read(ASTRONAUT)
    eyes = photo_presets.make_preset("eyes", photo)
    face = detection.find_faces(ASTRONAUT)[0]
    for x, y in face.points[:2].astype(int):
        assert eyes.hole[y, x]
    assert not any(eyes.hole[y, x] for x, y in face.points[3:].astype(int)) and "average face" in eyes.about
    boxed = photo_presets.make_preset("eyes", photo, face=FaceLocation.box(*face.box))
    assert (boxed.hole & eyes.hole).sum() > 0.9 * (boxed.hole | eyes.hole).sum()
    square = photos.read(ASTRONAUT[:256, 90:346])
    assert photo_presets.make_preset("centre", square, face=FaceLocation.aligned()).share == 0.25
    assert photo_presets.make_preset("lower-face", square, face=FaceLocation.aligned()).hole[200, 128]
    path, out = tmp_path / "photo.png", tmp_path / "out.png"
    cv2.imwrite(str(path), cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2BGR))
    assert main(["fill", str(path), "--preset", "eyes", "--engine", "telea", "-o", str(out)]) == 0
    changed = (cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB) != ASTRONAUT).any(axis=2)
    assert changed.any() and not (changed & ~eyes.hole).any()
    capsys.readouterr()
    assert main(["masks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(presets.NAMES)
    assert " ".join(lines[2].split()) == "picture-lower-left lower left quarter of the picture (or: 3)"
    assert main(["fill", str(path), "--preset", "13", "-o", str(out)]) == 3


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**31))
def test_random_pixels_are_as_many_as_said(height: int, width: int, share: float, seed: int) -> None:
    hole = presets.random_pixels((height, width), share, seed)
    assert hole.shape == (height, width) and hole.sum() == round(share * (height * width))
    assert np.array_equal(hole, presets.random_pixels((height, width), share, seed))


def test_random_pixels_are_strewn_and_survive_a_file() -> None:
    hole = presets.random_pixels((256, 256), 0.3, seed=1)
    assert not np.array_equal(hole, presets.random_pixels((256, 256), 0.3, seed=2))
    assert np.allclose(hole.reshape(4, 64, 4, 64).mean(axis=(1, 3)), 0.3, atol=0.04)
    for side in (256, 1400):  # a large one too: it must not be averaged into greys on the way
        hole = presets.random_pixels((side, side), 0.3, seed=1)
        photo = photos.read(np.zeros((side, side), np.uint8))
        assert np.array_equal(masks.read(cv2.imencode(".png", hole * np.uint8(255))[1].tobytes(), photo).hole, hole)
    with pytest.raises(MaskError):
        presets.random_pixels((4, 4), 1.2, 0)


def test_centre_and_halves() -> None:
    centre = presets.centre((16, 12))
    assert centre.mean() == 0.25 and centre[4:12, 3:9].all()
    for side, rows, columns in (
        ("left", slice(None), slice(0, 6)),
        ("right", slice(None), slice(6, 12)),
        ("top", slice(0, 4), slice(None)),
        ("bottom", slice(4, 8), slice(None)),
    ):
        half = presets.half((8, 12), side)
        assert half.mean() == 0.5 and half[rows, columns].all()
    assert presets.half((5, 5), "right").sum() == presets.half((5, 5), "bottom").sum() == 10
    with pytest.raises(MaskError, match="left, right"):
        presets.half((8, 8), "middle")  # type: ignore[arg-type]
