"""Photos of one tone stay so where they are filled; photos of colours are not touched by it."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

import faceinp
from faceinp import tone

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


def test_a_black_and_white_photo_stored_in_colours_is_filled_without_any():
    result = faceinp.fill(toned(1, 1, 1), LOWER_FACE)
    filled = result.image[LOWER_FACE].astype(int)
    assert np.ptp(filled, axis=1).max() == 0
    assert np.ptp(np.rint(255 * result.generated), axis=2).max() > 4  # the network draws a tint
    assert sum("one tone" in note for note in result.notes) == 1


def test_a_sepia_jpeg_is_filled_in_sepia():
    photo = as_jpeg(toned(*SEPIA))
    result = faceinp.fill(photo, LOWER_FACE)
    filled = result.image[LOWER_FACE].astype(float)
    brightness = filled @ (0.299, 0.587, 0.114) / np.dot(SEPIA, (0.299, 0.587, 0.114))
    assert np.abs(filled - brightness[:, None] * SEPIA).mean() < 2
    assert np.array_equal(result.image[~LOWER_FACE], photo[~LOWER_FACE])


@pytest.mark.parametrize("hidden", ["nothing", "lower face", "left half"])
def test_a_colour_photo_has_no_tone(hidden):
    hole = {"nothing": np.zeros_like(LOWER_FACE), "lower face": LOWER_FACE, "left half": np.arange(512) < 225}[hidden]
    face = np.s_[20:240, 120:330]
    assert tone.of(np.ascontiguousarray(ASTRONAUT[face]), np.broadcast_to(hole, GREY.shape)[face]) is None


def test_what_lies_in_the_hole_does_not_count_and_all_hidden_is_no_tone():
    painted = toned(1, 1, 1)
    painted[LOWER_FACE] = (255, 0, 0)
    assert tone.of(painted, np.zeros_like(LOWER_FACE)) is None
    assert tone.of(painted, LOWER_FACE) is not None
    assert tone.of(painted, np.ones_like(LOWER_FACE)) is None


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(0.5, 1)] * 3), st.tuples(*[st.floats(0.85, 1.2)] * 3), st.integers(0, 2**31))
def test_a_toned_picture_keeps_its_brightness_and_gets_the_curve(shares, powers, seed):
    """Any strength and a little of a curve a channel, as papers and scanners have."""
    photo = np.rint(255 * (GREY[..., None] / 255.0) ** powers * shares).astype(np.uint8)
    found = tone.of(photo, LOWER_FACE)
    assert found is not None
    picture = np.random.default_rng(seed).random((8, 8, 3), np.float32)
    ours = found(picture)
    assert np.allclose(*(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (ours, picture)), atol=2e-3)
    again = photo[::8, ::8].astype(np.float32) / 255
    assert np.abs(found(again) - again).mean() < 2 / 255
