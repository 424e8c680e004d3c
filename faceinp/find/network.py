"""The segmentation networks with their weights, and a whole photo seen by one of them, tile by tile."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.models.runtimes import shared

TILE, MARGIN = 768, 48  # pixels that a tile shows of the photo besides its margin on each side
CLASSES, STEPS = 6, 16  # as in nets/segmentation.py, which needs torch
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Network = Callable[[Pixels], Floats]


def load(name: str) -> Network:
    """The network of the weights ``name``, loaded once. Raises WeightsError.

    The network takes uint8 (H, W, 3), H and W multiples of STEPS, and gives the probability of each class for each
    pixel, float32 (CLASSES, H, W).
    """
    session = shared(name)

    def probabilities(picture: Pixels) -> Floats:
        x = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        found: Floats = session.run({"picture": x})[0][0]
        return found

    return probabilities


def see(network: Network, pixels: Pixels, take: Callable[[tuple[slice, slice], Floats], None]) -> None:
    """Show a whole photo to the network by overlapping tiles; ``take`` gets the window and its probabilities.

    pixels: uint8 (H, W, 3). Beyond its borders the photo is mirrored. take: rows and columns of the photo, and
    float32 (CLASSES, h, w); windows do not overlap and cover the photo.
    """
    height, width = pixels.shape[:2]
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            upper, outer = max(0, top - MARGIN), max(0, left - MARGIN)
            part = pixels[upper : min(bottom + MARGIN, height), outer : min(right + MARGIN, width)]
            down, across = (-size % STEPS for size in part.shape[:2])
            padded = cv2.copyMakeBorder(part, 0, down, 0, across, cv2.BORDER_REFLECT_101)
            found = network(np.asarray(padded, np.uint8))[:, top - upper : bottom - upper, left - outer : right - outer]
            take(np.s_[top:bottom, left:right], found)
