"""Damage found by classical filters: long thin lines, spots, blank areas at the border; little on what is clean."""

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from faceinp.find.baseline import SCRATCH, SPOT, TEAR, classical

Pixels = NDArray[np.uint8]


def smooth_photo(height: int = 240, width: int = 320) -> Pixels:
    """Light and shade, and grain."""
    rows, columns = np.mgrid[:height, :width]
    shade = 120 + 40 * np.sin(rows / 70) + 30 * np.cos(columns / 90)
    grain = np.random.default_rng(0).normal(0, 3, (height, width))
    return np.repeat((shade + grain).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("level", [5, 250])
@pytest.mark.parametrize("end", [(300, 30), (150, 230), (40, 130)])
def test_a_light_or_dark_line_of_any_width_and_direction_is_a_scratch(
    width: int, level: int, end: tuple[int, int]
) -> None:
    photo, line = smooth_photo(), np.zeros((240, 320), np.uint8)
    for canvas, value in ((photo, (level,) * 3), (line, 1)):
        cv2.line(canvas, (40, 20), end, value, width)
    confidence, kind = classical(photo)
    middle = cv2.erode(line, np.ones((3, 3))) if width > 4 else line
    assert (confidence[middle > 0] > 0.5).mean() > 0.8
    assert (kind[(middle > 0) & (confidence > 0.5)] == SCRATCH).mean() > 0.7
    away = cv2.dilate(line, np.ones((15, 15))) == 0
    assert (confidence[away] > 0.5).mean() < 0.003


@pytest.mark.parametrize("radius", [2, 4, 8])
def test_a_spot_is_a_spot(radius: int) -> None:
    photo = smooth_photo()
    for x, y in ((60, 60), (160, 120), (250, 200)):
        cv2.circle(photo, (x, y), radius, (250, 250, 250), -1)
    confidence, kind = classical(photo)
    for x, y in ((60, 60), (160, 120), (250, 200)):
        assert confidence[y, x] > 0.5 and kind[y, x] == SPOT


@pytest.mark.parametrize("level", [0, 255])
def test_a_missing_corner_is_a_tear_and_a_white_area_inside_is_none(level: int) -> None:
    photo = smooth_photo()
    cv2.fillPoly(photo, [np.array([(0, 0), (70, 0), (0, 50)])], (level,) * 3)
    cv2.rectangle(photo, (140, 80), (220, 160), (level,) * 3, -1)
    confidence, kind = classical(photo)
    assert kind[10, 10] == TEAR and confidence[10, 10] == 1
    assert kind[120, 180] == 0 and confidence[120, 180] < 0.5


def test_little_is_marked_on_photos_without_damage() -> None:
    assert (classical(smooth_photo())[0] > 0.5).mean() == 0
    assert (classical(skimage.data.chelsea())[0] > 0.5).mean() < 0.005


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (33, 34), (35, 40), (101, 67)])
def test_photos_of_any_size_give_maps_of_their_size(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    confidence, kind = classical(photo)
    assert confidence.shape == kind.shape == size
    assert confidence.dtype == np.float32 and kind.dtype == np.uint8
    assert confidence.min() >= 0 and confidence.max() <= 1 and set(np.unique(kind)) <= {0, SCRATCH, SPOT, TEAR}
    assert ((kind > 0) >= (confidence > 0.5)).all()
