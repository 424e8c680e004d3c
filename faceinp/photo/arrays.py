"""Types of arrays, conversions between pixels and the pictures of networks, and rectangular parts.

Pixels are uint8 (H, W, 3), RGB. Networks take and return pictures, float32 (3, H, W) in [0, 1].
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Window = tuple[slice, slice]  # rows and columns


def to_picture(pixels: NDArray[Any]) -> Floats:
    """uint8 (..., H, W, 3) -> float32 (..., 3, H, W) in [0, 1]."""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, -3), np.float32) / np.float32(255)


def to_pixels(picture: NDArray[Any]) -> Pixels:
    """float (..., 3, H, W) in [0, 1], clipped -> uint8 (..., H, W, 3), rounded."""
    return np.ascontiguousarray(np.rint(255 * np.clip(np.moveaxis(picture, -3, -1), 0, 1)), np.uint8)


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """(H, W) or (H, W, C) at another size: by averages where it shrinks, else bicubic."""
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)


def direction(angle: Any) -> Doubles:
    """(..., 2): the unit vector, x and y, in the direction of each angle in radians."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def bounding_window(mask: NDArray[np.bool_], margin: int = 0) -> Window:
    """Rows and columns of the smallest rectangle that contains all True pixels of ``mask``, bool (H, W).

    margin: pixels added on each side, within the picture. Raises ValueError where no pixel is True.
    """
    window = []
    for axis, length in zip((1, 0), mask.shape, strict=True):
        used = np.flatnonzero(mask.any(axis=axis))
        if not used.size:
            raise ValueError("The mask has no True pixel, so it has no bounding window.")
        window.append(slice(max(0, int(used[0]) - margin), min(length, int(used[-1]) + 1 + margin)))
    return window[0], window[1]
