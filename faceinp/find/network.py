"""Load a segmentation network, and run it on a whole photo tile by tile."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from faceinp.models.runtimes import shared
from faceinp.photo.arrays import Floats, Pixels, Window, to_picture

TILE = 768  # pixels, side of a tile without margins
MARGIN = 48  # pixels around a tile that the network also gets
STEPS = 16  # the network's sides are multiples of it; as in nets/segmentation.py, which needs torch
Network = Callable[[Pixels], Floats]


def load(name: str) -> Network:
    """The network of the weights ``name``, loaded once. Raises WeightsError.

    It takes uint8 (H, W, 3), H and W multiples of STEPS, and returns the probability of each of C classes for each
    pixel, float32 (C, H, W).
    """
    session = shared(name)
    return lambda picture: session.run({"picture": to_picture(picture)[None]})[0][0]


def run_tiled(network: Network, pixels: Pixels) -> Iterator[tuple[Window, Floats]]:
    """Run the network on overlapping tiles of a photo, uint8 (H, W, 3).

    Yields rows and columns of the photo and their probabilities, float32 (C, h, w); these windows do not overlap and
    cover the photo. Beyond its borders the photo is mirrored.
    """
    height, width = pixels.shape[:2]
    for rows, columns in iterate_tiles(height, width):
        top, left = max(0, rows.start - MARGIN), max(0, columns.start - MARGIN)
        part = pixels[top : min(rows.stop + MARGIN, height), left : min(columns.stop + MARGIN, width)]
        down, across = (-size % STEPS for size in part.shape[:2])
        padded = cv2.copyMakeBorder(part, 0, down, 0, across, cv2.BORDER_REFLECT_101)
        output = network(np.asarray(padded, np.uint8))
        yield (rows, columns), output[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def iterate_tiles(height: int, width: int) -> Iterator[Window]:
    """Rows and columns of tiles that do not overlap and cover a photo."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield np.s_[top : min(top + TILE, height), left : min(left + TILE, width)]
