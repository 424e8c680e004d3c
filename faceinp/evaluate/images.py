"""Small operations on pictures that several tables share."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import Bools, Pixels


def as_crops(pictures: Sequence[Pixels] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 pictures (S, S, 3) of one size -> float32 (N, 3, S, S) in [0, 1], as engines and judges take them."""
    return np.stack(list(pictures)).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)


def grow(hole: Bools, side: int) -> Bools:
    """bool (S, S) -> (side, side): a pixel is hole where any part of it was."""
    resized = cv2.resize(hole.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(resized) > 0
