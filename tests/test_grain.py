"""A grainy photo is filled with grain like its own; a clean one is not touched by it."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

import faceinp
from faceinp.photo.grain import BLUR_SIGMA, estimate_grain

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


def as_jpeg(pixels, quality):
    written = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(written, cv2.IMREAD_COLOR)[..., ::-1])


def roughness(pixels, where):
    """Standard deviation in grey levels of what a blur takes away, over the pixels ``where``."""
    values = pixels.astype(np.float32)
    return float((values - cv2.GaussianBlur(values, (0, 0), BLUR_SIGMA))[where].std())


@pytest.mark.model
def test_a_grainy_photo_is_filled_with_grain_and_says_so():
    photo = grainy()
    result = faceinp.fill(photo, LOWER_FACE)
    inside = cv2.erode(LOWER_FACE.astype(np.uint8), np.ones((9, 9))) > 0
    added = roughness(noise(LOWER_FACE.shape, 10, 0.7).repeat(3, axis=2), np.s_[:])
    assert 0.8 < roughness(result.image, inside) / added < 1.25
    assert sum("Film grain" in note for note in result.notes) == 1
    assert np.array_equal(result.image[~LOWER_FACE], photo[~LOWER_FACE])


@pytest.mark.model
def test_the_seed_draws_it():
    photo = grainy()
    first, again, other = (faceinp.fill(photo, LOWER_FACE, engine="telea", seed=seed).image for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (first != other)[LOWER_FACE].mean() > 0.5


@pytest.mark.model
def test_engines_that_copy_the_photo_have_its_grain_already():
    photo = grainy()
    left = np.zeros_like(LOWER_FACE)
    left[120:180, 180:215] = True
    result = faceinp.fill(photo, left, engine="mirror")
    assert not any("Film grain" in note for note in result.notes)


@pytest.mark.parametrize("photo", [ASTRONAUT, np.full_like(ASTRONAUT, 128)], ids=["astronaut", "flat"])
def test_a_clean_photo_has_none(photo):
    assert estimate_grain(photo, LOWER_FACE, WIDTH) == (None, "")


@pytest.mark.parametrize("quality", [40, 75, 95])
@pytest.mark.parametrize("side", [72, 96, 120, 160, 200, 256, 340])
def test_fine_detail_of_small_photos_and_blocks_of_jpeg_are_no_grain(side, quality):
    photo = cv2.resize(ASTRONAUT, (side, side), interpolation=cv2.INTER_AREA)
    hole = cv2.resize(LOWER_FACE.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0
    assert estimate_grain(as_jpeg(photo, quality), hole, WIDTH * side / 512) == (None, "")


@pytest.mark.parametrize("quality", [60, 75, 95])
@pytest.mark.parametrize("size", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("side", [256, 512])
def test_grain_is_found_in_jpegs_too(side, size, quality):
    photo = cv2.resize(ASTRONAUT, (side, side), interpolation=cv2.INTER_AREA) * 0.8 + 25
    photo = np.clip(photo + noise(photo.shape[:2], 7, size), 0, 255).round().astype(np.uint8)
    hole = cv2.resize(LOWER_FACE.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0
    grain, note = estimate_grain(as_jpeg(photo, quality), hole, WIDTH * side / 512)
    assert grain is not None
    assert f"(standard deviation {grain.strength:.0f})" in note


def screened(spacing, angle, lines=False):
    """The astronaut as print: dark dots, or lines, on white paper, so many pixels apart."""
    grey = cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY) / 255
    y, x = np.indices(grey.shape) * 2 * np.pi / spacing
    across, along = (np.cos(x * np.cos(a) + y * np.sin(a)) for a in np.deg2rad([angle, angle + 90]))
    threshold = 0.5 + (across / 2 if lines else (across + along) / 4)
    return np.dstack([np.rint(25 + 220 / (1 + np.exp(12 * (threshold - grey))))] * 3).astype(np.uint8)


@pytest.mark.parametrize("spacing", [3.3, 5, 8])
@pytest.mark.parametrize("angle", [0, 20, 45])
@pytest.mark.parametrize("lines", [False, True], ids=["dots", "lines"])
def test_dots_and_lines_of_a_print_are_no_grain_and_the_note_says_so(spacing, angle, lines):
    grain, note = estimate_grain(as_jpeg(screened(spacing, angle, lines), 85), LOWER_FACE, WIDTH)
    assert grain is None
    assert "not reproduced" in note


def test_a_halftone_print_is_filled_without_noise():
    result = faceinp.fill(screened(5, 45), LOWER_FACE, engine="telea", aligned=True)
    assert sum("halftone" in note for note in result.notes) == 1


def test_little_known_says_nothing():
    scattered = np.random.default_rng(0).random(LOWER_FACE.shape) < 0.2
    nearly_all = np.ones_like(LOWER_FACE)
    nearly_all[:20] = False
    for hole in (scattered, nearly_all, np.ones_like(LOWER_FACE)):
        assert estimate_grain(grainy(), hole, WIDTH)[0] is None
    small = np.s_[110:128, 175:195]
    assert estimate_grain(grainy()[small], LOWER_FACE[small], WIDTH)[0] is None


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(6, 20), st.floats(0.3, 0.7), st.integers(0, 1000))
def test_what_is_drawn_is_as_strong_and_as_fine_as_what_was_seen(strength, size, seed):
    slope = np.linspace(70, 180, 512)[None, :, None] * np.ones((512, 1, 3))
    seen = slope + noise((512, 512), strength, size, seed)
    found, _ = estimate_grain(np.clip(seen, 0, 255).round().astype(np.uint8), LOWER_FACE, WIDTH)
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

    fine = seen - cv2.GaussianBlur(seen, (0, 0), BLUR_SIGMA)
    assert 0.65 < drawn.std() / fine.std() < 1.1  # a little low: the flattest samples are so by chance, too
    assert of_neighbours(drawn) == pytest.approx(of_neighbours(fine), abs=0.2)


def test_on_a_larger_face_grains_may_be_larger():
    photo = cv2.resize(grainy(16), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    hole = cv2.resize(LOWER_FACE.astype(np.uint8), None, fx=4, fy=4) > 0
    narrow, wide = (estimate_grain(photo, hole, width)[0] for width in (256, 1024))
    assert wide is not None
    assert narrow is None or narrow.strength < wide.strength / 2
