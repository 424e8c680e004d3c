"""Photos of one tone, black and white or sepia: their colours follow brightness, and so must those of a fill.

A network that learned on colour photos gives skin a tint in them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CELLS, LEVELS = 32, 16  # means of pixels, along a side, in which JPEG's errors of colour are gone; parts of brightness
# Root mean square by which colours may leave the tone, in grey levels. Of 1,900 colour photos of faces one was below 2
# and 1 % below 3.3; sepia ones of 256 pixels, saved as JPEG of quality 60, were all below 1.3.
TOLERANCE = 2.0


@dataclass(frozen=True)
class Tone:
    """What colours differ from their brightness by: ``offsets`` (K, 3) at the brightnesses ``levels`` (K,), rising.

    Both in [0, 1]; straight between two levels, and beyond the outer ones the same.
    """

    levels: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def __call__(self, picture: Floats) -> Floats:
        """float32 (H, W, 3) in [0, 1] -> the same shape and brightness, in this tone."""
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
        channels = [grey + np.interp(grey, self.levels, offsets) for offsets in self.offsets.T]
        return np.stack(channels, axis=2).astype(np.float32)


def of(pixels: NDArray[np.uint8], hole: NDArray[np.bool_]) -> Tone | None:
    """The tone of the known pixels of uint8 (H, W, 3), hole bool (H, W); None where they have several, or are none."""
    known = (~hole).astype(np.float32)
    size = (min(CELLS, hole.shape[1]), min(CELLS, hole.shape[0]))
    weights = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(pixels * (known / np.float32(255))[..., None], size, interpolation=cv2.INTER_AREA)
    seen = weights > 0
    if not seen.any():
        return None
    colours = (sums[seen] / weights[seen][:, None]).astype(np.float32)
    grey = cv2.cvtColor(colours[None], cv2.COLOR_RGB2GRAY)[0]
    part = np.minimum((grey * LEVELS).astype(int), LEVELS - 1)
    counts = np.bincount(part, minlength=LEVELS)
    there = counts > 0

    def mean(values: Floats) -> NDArray[np.float64]:
        return np.bincount(part, values, LEVELS)[there] / counts[there]

    tone = Tone(mean(grey), np.stack([mean(colours[:, channel] - grey) for channel in range(3)], axis=1))
    error = colours - tone(colours[None])[0]
    return tone if 255 * float(np.sqrt((error**2).mean())) < TOLERANCE else None
