"""Monochrome photos stay so where they are filled, however they aged; colour photos are not touched by it."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

import faceinp
from faceinp.photo.tone import estimate_tone

ASTRONAUT = skimage.data.astronaut()
GREY = cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY)
SEPIA = (1.0, 0.86, 0.67)
LOWER_FACE = np.zeros(GREY.shape, bool)
LOWER_FACE[120:180, 180:270] = True


def toned(*shares):
    return np.rint(GREY[..., None] * np.array(shares)).astype(np.uint8)


def as_jpeg(pixels):
    written = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return np.ascontiguousarray(cv2.imdecode(written, cv2.IMREAD_COLOR)[..., ::-1])


@pytest.mark.model
def test_a_black_and_white_photo_stored_in_colours_is_filled_without_any():
    result = faceinp.fill(toned(1, 1, 1), LOWER_FACE)
    filled = result.image[LOWER_FACE].astype(int)
    assert np.ptp(filled, axis=1).max() == 0
    assert np.ptp(np.rint(255 * result.generated), axis=2).max() > 4  # the network draws a tint
    assert sum("monochrome" in note for note in result.notes) == 1


@pytest.mark.model
def test_a_sepia_jpeg_is_filled_in_sepia():
    photo = as_jpeg(toned(*SEPIA))
    result = faceinp.fill(photo, LOWER_FACE)
    filled = result.image[LOWER_FACE].astype(float)
    brightness = filled @ (0.299, 0.587, 0.114) / np.dot(SEPIA, (0.299, 0.587, 0.114))
    assert np.abs(filled - brightness[:, None] * SEPIA).mean() < 2
    assert np.array_equal(result.image[~LOWER_FACE], photo[~LOWER_FACE])


def yellowed(pixels, seed):
    """Darker and yellower towards random places, as prints are that lay in the sun or in water: any (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(pixels.shape[:2]) / len(pixels)
    depth = np.zeros(pixels.shape[:2])
    for _ in range(3):
        (v, u), width = rng.random(2), rng.uniform(0.35, 0.6)
        depth = np.maximum(depth, rng.uniform(0.5, 1) * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * width**2)))
    return pixels * (1 - depth[..., None] * (0.05, 0.14, 0.4))


def written_on(pixels):
    """A blue stamp, a red line across the picture and a violet block beside the face."""
    marked = pixels.copy()
    cv2.circle(marked, (330, 90), 60, (60, 70, 190), 5)
    cv2.line(marked, (0, 300), (511, 40), (190, 40, 50), 3)
    cv2.rectangle(marked, (90, 10), (150, 60), (110, 50, 160), -1)
    return marked


EYE = np.zeros(GREY.shape, bool)
EYE[85:125, 175:222] = True


@pytest.mark.model
@pytest.mark.parametrize("engine", ["landmark", "telea"])
@pytest.mark.parametrize("hole", [LOWER_FACE, EYE], ids=["lower face", "eye"])
def test_an_unevenly_yellowed_print_is_filled_as_its_surroundings_are(hole, engine):
    share = yellowed(np.ones((512, 512, 3)), 1)
    damaged = np.rint(share * GREY[..., None]).astype(np.uint8)
    damaged[hole] = (240, 235, 220)
    result = faceinp.fill(as_jpeg(damaged), hole, engine=engine)  # whose blocks mix the edge with what is to go
    filled = result.image[hole].astype(float)
    right = share[hole] * (filled @ (0.299, 0.587, 0.114) / (share[hole] @ (0.299, 0.587, 0.114)))[:, None]
    assert np.abs(filled - right).mean() < 2
    assert np.quantile(np.abs(filled - right).max(axis=1), 0.95) < 7
    assert sum("monochrome" in note for note in result.notes) == 1


@pytest.mark.model
def test_stamps_and_ink_lend_no_colour_to_a_black_and_white_photo():
    photo = written_on(toned(1, 1, 1))
    for hole in (LOWER_FACE, EYE):
        result = faceinp.fill(photo, hole)
        assert np.ptp(result.image[hole].astype(int), axis=1).max() <= 3
        assert np.array_equal(result.image[~hole], photo[~hole])


@pytest.mark.parametrize("seed", range(6))
def test_yellowing_stamps_and_jpeg_together_leave_a_photo_monochrome(seed):
    face = np.s_[20:240, 120:330]
    photo = np.rint(yellowed(written_on(toned(*SEPIA)).astype(float), seed)).astype(np.uint8)
    assert estimate_tone(np.ascontiguousarray(as_jpeg(photo)[face]), LOWER_FACE[face]) is not None
    assert estimate_tone(np.ascontiguousarray(as_jpeg(ASTRONAUT)[face]), LOWER_FACE[face]) is None


FACE = np.zeros(GREY.shape, np.uint8)
cv2.ellipse(FACE, (225, 130), (65, 90), 0, 0, 360, 1, -1)


@pytest.mark.parametrize("hidden", ["nothing", "lower face", "left half", "face"])
def test_a_colour_photo_has_no_tone(hidden):
    holes = {"nothing": FACE < 0, "lower face": LOWER_FACE, "left half": np.arange(512) < 225, "face": FACE > 0}
    hole = holes[hidden]
    face = np.s_[20:240, 120:330]
    assert estimate_tone(np.ascontiguousarray(ASTRONAUT[face]), np.broadcast_to(hole, GREY.shape)[face]) is None


def test_what_lies_in_the_hole_does_not_count_and_all_hidden_is_no_tone():
    painted = toned(1, 1, 1)
    painted[80:400] = ASTRONAUT[80:400]
    hole = np.zeros_like(LOWER_FACE)
    hole[80:400] = True
    assert estimate_tone(painted, np.zeros_like(hole)) is None
    assert estimate_tone(painted, hole) is not None
    assert estimate_tone(painted, np.ones_like(hole)) is None


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.tuples(*[st.floats(0.5, 1)] * 3), st.tuples(*[st.floats(0.85, 1.2)] * 3), st.integers(0, 2**31))
def test_a_toned_picture_keeps_its_brightness_and_gets_the_tone_of_its_place(shares, powers, seed):
    """Any strength and a little of a curve a channel, as papers and scanners have, uneven over the picture."""
    photo = np.rint(255 * yellowed((GREY[..., None] / 255.0) ** powers * shares, seed)).astype(np.uint8)
    found = estimate_tone(photo, LOWER_FACE)
    assert found is not None
    picture = np.random.default_rng(seed).random((8, 8, 3), np.float32)
    ours = found(picture)
    brightness = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (ours, picture)]
    assert np.allclose(brightness[0], brightness[1], atol=2e-3)
    again = photo.astype(np.float32) / 255
    assert np.abs(found(again) - again).mean() < 2 / 255
    window = np.s_[100:300, 200:450]
    to_crop = np.array([[1 / 512, 0, 200 / 512], [0, 1 / 512, 100 / 512]])
    assert np.allclose(found(np.ascontiguousarray(again[window]), to_crop), found(again)[window], atol=1e-3)
    quad = np.array([[0, 0], [0, 512], [512, 512], [512, 0]], float)
    matched = found.match_edge(photo, LOWER_FACE, quad)
    beside = (matched != photo).any(axis=2)
    assert not beside[LOWER_FACE].any()
    assert not beside[cv2.dilate(LOWER_FACE.astype(np.uint8), np.ones((3, 3))) == 0].any()


def test_colours_outside_the_crop_stay():
    """A portrait faded to sepia above a dress that kept its colours: the hole reaches from the face into the dress."""
    photo = np.rint(255 * yellowed(np.repeat(GREY[..., None] / 255.0, 3, axis=2), 1)).astype(np.uint8)
    found = estimate_tone(photo, LOWER_FACE)
    assert found is not None
    page = np.concatenate([photo, np.full_like(photo, (60, 90, 160))])
    hole = np.zeros(page.shape[:2], bool)
    hole[300:900, 240:250] = True
    matched = found.match_edge(page, hole, np.array([[0, 0], [0, 512], [512, 512], [512, 0]], float))
    assert np.array_equal(matched[512:], page[512:])
    assert (matched[:512] != page[:512]).any()
    below = np.s_[512:]
    assert np.array_equal(
        found.match_edge(page[below], hole[below], np.array([[0, -512], [0, 0], [512, 0], [512, -512]], float)),
        page[below],
    )
