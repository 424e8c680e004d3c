"""Conversions between pixels and the pictures of networks, and resizing."""

import cv2
import numpy as np
import pytest

from faceinp.photo.arrays import resize, to_picture, to_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 6, 4, 3), np.uint8)


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[0]])
def test_pixels_become_a_picture_and_come_back(pixels: np.ndarray) -> None:
    picture = to_picture(pixels)
    assert picture.shape == (*pixels.shape[:-3], 3, 6, 4) and picture.dtype == np.float32
    assert picture.flags.c_contiguous and picture.min() >= 0 and picture.max() <= 1
    assert np.array_equal(to_pixels(picture), pixels)


def test_pixels_are_rounded_and_clipped() -> None:
    picture = np.broadcast_to(np.float32([-0.1, 0.501 / 255, 0.499 / 255, 1.2])[None, None], (3, 1, 4))
    assert np.array_equal(to_pixels(picture), np.uint8([[[0] * 3, [1] * 3, [0] * 3, [255] * 3]]))


def test_a_smaller_picture_is_averaged_and_a_larger_one_is_smooth() -> None:
    assert np.array_equal(resize(PIXELS[0], 2, 3), cv2.resize(PIXELS[0], (2, 3), interpolation=cv2.INTER_AREA))
    assert np.array_equal(resize(PIXELS[0], 8, 9), cv2.resize(PIXELS[0], (8, 9), interpolation=cv2.INTER_CUBIC))
    assert np.array_equal(resize(PIXELS[0], 4, 6), PIXELS[0])
