"""A grainy photo is filled with grain like its own; a clean one is not touched by it."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

import faceinp
from faceinp import grain

ASTRONAUT = skimage.data.astronaut()
LOWER_FACE = np.zeros(ASTRONAUT.shape[:2], bool)
LOWER_FACE[120:180, 180:270] = True
WIDTH = 256.0


def noise(shape, strength, size, seed=0):
    """Grey noise (H, W, 1) of this standard deviation, its grains so many pixels wide."""
    drawn = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(shape), (0, 0), size)
    return (strength * drawn / drawn.std())[..., None]


def grainy(strength=10.0, size=0.7):
    return np.clip(ASTRONAUT * 0.8 + 25 + noise(ASTRONAUT.shape[:2], strength, size), 0, 255).round().astype(np.uint8)


def roughness(pixels, where):
    """Standard deviation in grey levels of what a blur takes away, over the pixels ``where``."""
    values = pixels.astype(np.float32)
    return float((values - cv2.GaussianBlur(values, (0, 0), grain.FORM))[where].std())


def test_a_grainy_photo_is_filled_with_grain_and_says_so():
    photo = grainy()
    result = faceinp.fill(photo, LOWER_FACE)
    inside = cv2.erode(LOWER_FACE.astype(np.uint8), np.ones((9, 9))) > 0
    added = roughness(noise(LOWER_FACE.shape, 10, 0.7).repeat(3, axis=2), np.s_[:])
    assert 0.8 < roughness(result.image, inside) / added < 1.25
    assert sum("grainy" in note for note in result.notes) == 1
    assert np.array_equal(result.image[~LOWER_FACE], photo[~LOWER_FACE])


def test_the_seed_draws_it():
    photo = grainy()
    first, again, other = (faceinp.fill(photo, LOWER_FACE, engine="telea", seed=seed).image for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (first != other)[LOWER_FACE].mean() > 0.5


def test_engines_that_copy_the_photo_have_its_grain_already():
    photo = grainy()
    left = np.zeros_like(LOWER_FACE)
    left[120:180, 180:215] = True
    result = faceinp.fill(photo, left, engine="mirror")
    assert not any("grainy" in note for note in result.notes)


@pytest.mark.parametrize("photo", [ASTRONAUT, np.full_like(ASTRONAUT, 128)], ids=["astronaut", "flat"])
def test_a_clean_photo_has_none(photo):
    assert grain.of(photo, LOWER_FACE, WIDTH) is None


def test_little_known_says_nothing():
    scattered = np.random.default_rng(0).random(LOWER_FACE.shape) < 0.2
    nearly_all = np.ones_like(LOWER_FACE)
    nearly_all[:20] = False
    for hole in (scattered, nearly_all, np.ones_like(LOWER_FACE)):
        assert grain.of(grainy(), hole, WIDTH) is None
    small = np.s_[110:128, 175:195]
    assert grain.of(grainy()[small], LOWER_FACE[small], WIDTH) is None


@settings(max_examples=25, deadline=None)
@given(st.floats(6, 20), st.floats(0.3, 0.7), st.integers(0, 1000))
def test_what_is_drawn_is_as_strong_and_as_fine_as_what_was_seen(strength, size, seed):
    slope = np.linspace(70, 180, 512)[None, :, None] * np.ones((512, 1, 3))
    seen = slope + noise((512, 512), strength, size, seed)
    found = grain.of(np.clip(seen, 0, 255).round().astype(np.uint8), LOWER_FACE, WIDTH)
    assert found is not None
    frame = np.zeros((400, 293, 3), np.float32)
    found.add(frame, np.arange(293) < np.full((400, 1), 280), seed)
    assert not frame[:, 280:].any()
    drawn = 255 * frame[:, :280]
    assert np.ptp(drawn, axis=2).max() < 1.5  # grey, as the noise was
    assert drawn.std() == pytest.approx(found.strength, rel=0.1)

    def of_neighbours(x):
        x = x[..., 0] - x[..., 0].mean()
        return float((x[:, 1:] * x[:, :-1]).mean() / (x * x).mean())

    fine = seen - cv2.GaussianBlur(seen, (0, 0), grain.FORM)
    assert 0.65 < drawn.std() / fine.std() < 1.1  # a little low: the flattest samples are so by chance, too
    assert of_neighbours(drawn) == pytest.approx(of_neighbours(fine), abs=0.2)


def test_on_a_larger_face_grains_may_be_larger():
    photo = cv2.resize(grainy(16), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    hole = cv2.resize(LOWER_FACE.astype(np.uint8), None, fx=4, fy=4) > 0
    narrow, wide = (grain.of(photo, hole, width) for width in (256, 1024))
    assert wide is not None
    assert narrow is None or narrow.strength < wide.strength / 2
