"""Turns the paint's strength at each pixel of a mask into a hole.

A stroke ends where its paint falls to half of its strength. Brushes have opacities and pens pressure, so every pixel is
compared with the strength of the stroke it belongs to.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import Bools

Strength = NDArray[np.uint8]  # (H, W), 0 = background, 255 = the strongest paint

HALF = 128
_MIN_STRENGTH = 20  # of a stroke, in a picture without noise
_NOISY_MIN_STRENGTH = 48  # the worst ringing of JPEG
_NOISY_REACH = 16  # pixels: ringing stays in a block of 16 (Annex K of the standard, colours at half the resolution)
_MIN_STROKE_PIXELS = 12  # a smaller weak area in a noisy picture is noise
_FULL_STRENGTH = 230
_MAX_LEVELS = 3  # of strokes, besides the strongest


class Cut(NamedTuple):
    """hole: bool (H, W). soft: whether its edge is a slope. weak: whether a part of it is painted with less than half
    of the strongest paint. left_out: the number of painted pixels too faint, or in areas too small, to be hole.
    """

    hole: Bools
    soft: bool
    weak: bool
    left_out: int


@dataclass(frozen=True)
class _Scale:
    """Properties of a picture of strengths. ground: the greatest strength of the background. floor: the greatest
    strength of the background or of JPEG's ringing around strokes. reach: half the width of an edge in pixels.
    tolerance: levels by which one stroke's strength varies. noisy: whether the picture has noise or ringing.
    """

    ground: int
    floor: int
    reach: int
    tolerance: int
    noisy: bool


def cut(strength: Strength) -> Cut:
    """The hole of a picture of strengths, uint8 (H, W) with a pixel of 255.

    Cores are the pixels that no neighbour exceeds by more than noise: the inside of a stroke, not the slope from a
    strong stroke to the background or to a weaker one. A pixel is hole where its strength is at least half of the
    weakest core's nearby, or of the strongest paint.
    """
    hole = strength >= HALF
    if not (hole ^ (strength > 0)).any():
        return Cut(hole, _is_soft(strength, hole), False, 0)
    scale = _scale(strength)
    cores = _cores(strength, scale)
    weak = False
    if (cores & ~hole).any():
        # Without a core nearby, half of the strongest paint counts. Half is rounded up.
        weakest = cv2.erode(np.where(cores, strength, np.uint8(255)), _square(2 * scale.reach))
        wide = (strength > scale.floor) & (strength >= weakest - weakest // 2)
        wide = _without_specks(wide, hole) if scale.noisy else wide
        weak, hole = bool((wide & ~hole).any()), wide | hole
    beyond = cv2.dilate(hole.astype(np.uint8), _square(2 * scale.reach)) == 0
    left_out = int(np.count_nonzero(beyond & (strength > scale.ground)))
    return Cut(
        hole, _is_soft(strength, hole), weak, left_out if left_out >= _MIN_STROKE_PIXELS or not scale.noisy else 0
    )


def flattened(strength: Strength) -> Strength | None:
    """``strength`` with every stroke at full strength, for masks, whose strokes have a few strengths; None for photos,
    which have all strengths.
    """
    scale = _scale(strength)
    cores = _cores(strength, scale) & (strength < _FULL_STRENGTH)
    left = np.bincount(strength[cores], minlength=256).astype(np.float64)
    total, near = left.sum(), 12
    flat, levels = strength.copy(), strength.astype(np.int16)
    for _ in range(_MAX_LEVELS):
        level = int(np.convolve(left, np.ones(2 * near + 1), "same").argmax())
        left[max(0, level - near) : level + near + 1] = 0
        around = cv2.dilate((cores & (np.abs(levels - level) <= near)).astype(np.uint8), _square(2 * scale.reach)) > 0
        flat[around & (np.abs(levels - level) <= near + scale.tolerance // 2)] = 255
    before, after = (int(np.count_nonzero((one > scale.floor) & (one < _FULL_STRENGTH))) for one in (strength, flat))
    # Measured on strokes of 3 pixels and more: at most 2 % and 30 %. A photo may pass one of the two, rarely both.
    return flat if left.sum() <= 0.03 * total and after <= 0.35 * before else None


def _scale(strength: Strength) -> _Scale:
    counts = np.bincount(strength.ravel(), minlength=256)
    ground = int(counts[:HALF].argmax())
    # The background's spread, for example of a scan's paper: five standard deviations, from the median deviation.
    away = np.abs(np.arange(256) - ground)
    by_distance = np.bincount(away[:HALF], counts[:HALF])
    spread = int(np.searchsorted(np.cumsum(by_distance), by_distance.sum() / 2))
    background = floor = ground + max(_MIN_STRENGTH, round(5 * 1.48 * spread))
    reach, edge = 1, 0
    gradient = cv2.morphologyEx(strength, cv2.MORPH_GRADIENT, _square(1))  # over two pixels
    for level, share in (
        (128, 1.0),
        (64, 0.8),
        (32, 0.5),
    ):  # slopes of a Gaussian edge, relative to the slope at its middle
        if level <= floor:
            break
        inside = (strength >= level).astype(np.uint8)
        contour = gradient[(inside - cv2.erode(inside, _square(1), borderValue=1)) > 0]
        if contour.size:
            edge = max(edge, contour.size)
            reach = max(reach, int(np.ceil(share * 255 / max(1.0, float(np.median(contour))))))
    rough = cv2.absdiff(strength, cv2.medianBlur(strength, 3)) > 1  # ringing is, a brush's soft edge is not
    noisy = spread > 0 or int(np.count_nonzero(rough & (strength != ground) & (strength <= floor))) > 0.25 * edge
    if noisy:
        floor = max(floor, ground + _NOISY_MIN_STRENGTH)
        reach = max(reach, _NOISY_REACH)
    return _Scale(background, floor, int(min(reach + 1, max(2, min(strength.shape) // 8))), 24 if noisy else 10, noisy)


def _cores(strength: Strength, scale: _Scale) -> Bools:
    top = cv2.dilate(strength, _square(scale.reach))
    return np.asarray((strength > scale.floor) & (cv2.subtract(top, strength) <= scale.tolerance))


def _without_specks(wide: Bools, hole: Bools) -> Bools:
    """``wide`` without its small components that contain no pixel of ``hole``."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(wide.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= _MIN_STROKE_PIXELS
    kept[np.unique(labels[hole])] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _is_soft(strength: Strength, hole: Bools) -> bool:
    """Whether there is paint just outside of the hole: its edge is a slope, or a JPEG's."""
    ring = cv2.dilate(hole.astype(np.uint8), _square(1)).astype(bool) & ~hole
    return bool(ring.any()) and float((strength[ring] > 5).mean()) > 0.05


def _square(reach: int) -> NDArray[Any]:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
