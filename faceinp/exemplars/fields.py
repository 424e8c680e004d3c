"""Operations on maps of a crop: float32 (SIZE, SIZE) or (SIZE, SIZE, C). Lengths are shares of the side."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.exemplar import SIZE
from faceinp.photo.arrays import Floats

# A Gaussian wider than this is applied to a smaller copy; the result is the same but for rounding.
_MAX_DEVIATION = 8.0  # pixels
_SMALLEST_COPY = 32  # pixels, its side


def ramp(value: Any, good: float, bad: float) -> Any:
    """Smoothstep: 1 at ``good`` and beyond, 0 at ``bad`` and beyond. value: a number or a map."""
    t = np.clip((value - bad) / (good - bad), 0, 1)
    return t * t * (3 - 2 * t)


def blurred(field: Floats, deviation: float) -> Floats:
    """A map convolved with a Gaussian of this standard deviation."""
    times = 1
    while deviation * SIZE / times > _MAX_DEVIATION and times < SIZE // _SMALLEST_COPY:
        times *= 2
    if times == 1:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), deviation * SIZE), np.float32)
    small = cv2.resize(field, (SIZE // times, SIZE // times), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), deviation * SIZE / times)
    return np.asarray(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.float32)


def grey(pixels: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)


def mean(field: Floats, weight: Floats) -> float:
    """The weighted mean of a map; 0 where all weights are 0."""
    return float((field * weight).sum() / max(float(weight.sum()), 1e-6))


def eroded(known: NDArray[np.bool_]) -> Floats:
    """1 where all pixels within two pixels are known, else 0."""
    return np.asarray(cv2.erode(known.astype(np.float32), np.ones((5, 5), np.uint8)), np.float32)
