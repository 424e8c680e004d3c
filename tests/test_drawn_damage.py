"""What the training of damage relies on: the classes mark what was drawn, seeds repeat, each kind occurs."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from faceinp.errors import DataError
from faceinp.train.drawn_damage import drawing, overlays
from faceinp.train.drawn_damage.canvas import (
    CLEAN,
    SCRATCH,
    SPOT,
    STAIN,
    STAMP,
    TEAR,
    UNKNOWN,
    Canvas,
    cover_of,
    floats,
    noise,
)

CLASSES = {
    STAIN: ("stains", "watermarks", "ring", "tape"),
    SPOT: ("foxing", "grit", "spots", "pinholes", "dust"),
    TEAR: ("flakes", "patches", "worn", "tear", "missing"),
    STAMP: ("text", "handwriting", "ink strokes", "round stamp"),
}
NAMES = list(drawing.KINDS)


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    return astronaut()[40:232, 130:322]


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_is_drawn_and_its_classes_mark_what_changed(face: NDArray[np.uint8], name: str) -> None:
    own = next((number for number, names in CLASSES.items() if name in names), SCRATCH)
    shares, changed, unmarked = [], [], []
    for seed in range(5):
        kinds = {name: drawing.KINDS[name]}
        picture, classes = drawing.draw(face, np.random.default_rng(seed), kinds=kinds, amount=0.8)
        assert picture.shape == face.shape and picture.dtype == classes.dtype == np.uint8
        assert set(np.unique(classes)) <= {CLEAN, own, UNKNOWN}
        shares.append(float((classes == own).mean()))
        difference = np.abs(picture.astype(int) - face).max(axis=2)
        changed.append(difference[classes == own])
        # What is not marked has been shaded at most: by a bulging fold, dried water, or something hardly seen.
        unmarked.append(np.percentile(difference[classes == CLEAN], 95))
    assert sum(share > 0 for share in shares) >= 3 and max(shares) < 0.75, shares
    assert np.mean(np.concatenate(changed) > 5) > 0.9
    assert max(unmarked) <= 25


@pytest.mark.parametrize("side", [64, 200, 384])
def test_any_size_is_drawn_on(side: int) -> None:
    picture = np.full((side, side, 3), 120, np.uint8)
    for seed in range(6):
        damaged, classes = drawing.draw(picture, np.random.default_rng(seed), amount=1.0)
        assert damaged.shape == (side, side, 3) and classes.shape == (side, side)


def test_one_seed_draws_one_picture_and_leaves_its_input_alone(face: NDArray[np.uint8]) -> None:
    before = face.copy()
    for seed in range(8):
        first, second = (drawing.draw(face, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert np.array_equal(face, before)


def test_a_third_stays_clean_and_clean_means_unchanged(face: NDArray[np.uint8]) -> None:
    small = face[:96, :96]
    clean = 0
    for seed in range(60):
        picture, classes = drawing.draw(small, np.random.default_rng(seed))
        clean += np.array_equal(picture, small) and not classes.any()
    assert 11 <= clean <= 31


def test_what_cannot_be_seen_is_not_labelled() -> None:
    grey = np.full((64, 64, 3), 200, np.uint8)
    cover = np.zeros((64, 64), np.float32)
    cover[30:34] = 1
    for level, expected in ((201, CLEAN), (206, UNKNOWN), (240, SCRATCH)):
        canvas = Canvas(grey, np.random.default_rng(0))
        canvas.lay(SCRATCH, cover, np.full(3, level, np.float32))
        assert set(np.unique(canvas.classes[30:34])) == {expected}
        assert not canvas.classes[:30].any() and not canvas.classes[34:].any()
    # The same change is lost in strong texture.
    rough = np.random.default_rng(0).normal(128, 60, (64, 64, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    canvas = Canvas(rough, np.random.default_rng(0))
    canvas.lay(SCRATCH, cover, canvas.picture + 12)
    assert not (canvas.classes == SCRATCH).any()


@pytest.mark.parametrize("width", [0.75, 1.5, 4.0])
def test_a_line_is_labelled_to_the_pixel(width: float) -> None:
    canvas = Canvas(np.full((64, 64, 3), 60, np.uint8), np.random.default_rng(0))
    line = floats([[-5, 32.5], [70, 32.5]])
    canvas.lay(SCRATCH, canvas.strokes([(line, np.full(2, width, np.float32))]), floats([250, 250, 250]))
    rows = np.flatnonzero((canvas.classes == SCRATCH).all(axis=1))
    assert abs(len(rows) - max(width, 1)) <= 1 and abs(rows.mean() - 32) <= 0.75
    assert not canvas.classes[np.r_[:29, 36:64]].any()


def test_strokes_cover_what_their_width_says() -> None:
    line = floats([[8, 20], [40, 20], [56, 20]])
    cover = cover_of([(line, np.full(3, 3.0, np.float32))], 64)
    assert cover[:, 30].sum() == pytest.approx(3, abs=0.3) and cover.max() <= 1 and not cover[:, :4].any()


@pytest.mark.parametrize(("cell", "octaves", "stretch"), [(1, 1, 1), (3.3, 4, 1), (300, 1, 1), (40, 6, 0.2), (9, 3, 6)])
def test_noise_has_its_mean_and_deviation(cell: float, octaves: int, stretch: float) -> None:
    field = noise(np.random.default_rng(1), 96, cell, octaves, 0.6, stretch)
    assert field.shape == (96, 96) and field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-3) and field.std() == pytest.approx(1, abs=1e-2)


def tar_of(path: Path, names: tuple[str, ...]) -> str:
    with tarfile.open(path, "w") as tar:
        for name in names:
            mask = np.zeros((90, 90), np.uint8)
            mask[20:24, 10:80] = 255
            data = io.BytesIO()
            Image.fromarray(mask).save(data, "PNG")
            entry = tarfile.TarInfo(name)
            entry.size = len(data.getvalue())
            tar.addfile(entry, io.BytesIO(data.getvalue()))
    return str(path)


def test_real_masks_are_labelled_by_their_names(tmp_path: Path, face: NDArray[np.uint8]) -> None:
    masks = overlays.load(
        tar_of(tmp_path / "a.tar", ("damage/hair-000.png", "dots-1.png", "other-1.png", "readme.txt"))
    )
    assert [mask.kind for mask in masks] == [SPOT, SCRATCH] or [mask.kind for mask in masks] == [SCRATCH, SPOT]
    assert all(mask.alpha.shape == (4, 70) for mask in masks)  # cropped to the damage
    for mask in masks:
        found = set()
        for seed in range(6):
            canvas = Canvas(face, np.random.default_rng(seed))
            overlays.lay(canvas, [mask], 0.5)
            found |= set(np.unique(canvas.classes))
        assert mask.kind in found and found <= {CLEAN, UNKNOWN, mask.kind}


def test_a_tar_without_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no PNG"):
        overlays.load(tar_of(tmp_path / "b.tar", ("other-1.png",)))
    with pytest.raises(DataError, match="cannot be read"):
        overlays.load(str(tmp_path / "missing.tar"))
