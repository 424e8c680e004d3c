"""What looks like damage and is not, and what age and scanners do: nothing moves, and one seed draws one picture."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from faceinp.train.drawn_damage import aged, lookalikes


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    return astronaut()[40:232, 130:322]


def age(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    return aged.scan(aged.age_print(picture, rng), rng)


@pytest.mark.parametrize("name", list(lookalikes.KINDS))
def test_each_kind_is_drawn(face: NDArray[np.uint8], name: str) -> None:
    changed = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        picture = lookalikes.draw(face, rng, kinds={name: lookalikes.KINDS[name]}, plain_share=0)
        assert picture.shape == face.shape and picture.dtype == np.uint8
        changed.append(int((np.abs(picture.astype(int) - face).max(axis=2) > 8).sum()))
    assert sum(count > 4 for count in changed) >= 2, changed


def test_a_part_of_the_pictures_stays_plain(face: NDArray[np.uint8]) -> None:
    small = face[:64, :64]
    plain = sum(np.array_equal(lookalikes.draw(small, np.random.default_rng(seed)), small) for seed in range(40))
    assert 6 <= plain <= 24


@pytest.mark.parametrize("function", [lookalikes.draw, age, aged.age_print, aged.scan])
def test_one_seed_draws_one_picture_and_leaves_its_input_alone(face: NDArray[np.uint8], function) -> None:  # type: ignore[no-untyped-def]
    before = face.copy()
    for seed in range(6):
        first, second = (function(face, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(first, second) and first.shape == face.shape and first.dtype == np.uint8
    assert np.array_equal(face, before)


@pytest.mark.parametrize("side", [64, 150])
def test_ageing_moves_nothing(side: int) -> None:
    """A bright bar stays where it is, to half a pixel, whatever is done to the picture."""
    picture = np.full((side, side, 3), 60, np.uint8)
    picture[:, side // 2 - 4 : side // 2 + 4] = 220
    for seed in range(40):
        row = age(picture, np.random.default_rng(seed)).astype(float).mean(axis=(0, 2))
        near = row[side // 2 - 14 : side // 2 + 14]
        weight = np.clip(near - (near.min() + near.max()) / 2, 0, None)
        centre = (weight * np.arange(-14, 14)).sum() / weight.sum()
        assert centre == pytest.approx(-0.5, abs=0.5)


def test_a_scan_keeps_a_scratch_visible(face: NDArray[np.uint8]) -> None:
    """The widest blur still leaves a line of two pixels clearly brighter than what is beside it."""
    picture = np.asarray(cv2.GaussianBlur(face, (0, 0), 2), np.uint8)
    picture[100:102] = 255
    for seed in range(30):
        result = aged.scan(picture, np.random.default_rng(seed)).astype(int).mean(axis=2)
        contrast = result[100:102].mean(axis=0) - (result[94:97].mean(axis=0) + result[105:108].mean(axis=0)) / 2
        assert np.median(contrast) > 20


def test_prints_are_grey_toned_or_coloured(face: NDArray[np.uint8]) -> None:
    saturation = []
    for seed in range(40):
        picture = aged.age_print(face, np.random.default_rng(seed)).astype(int)
        saturation.append(float((picture.max(axis=2) - picture.min(axis=2)).mean()))
    assert sum(value < 3 for value in saturation) >= 4 and sum(value > 25 for value in saturation) >= 8
