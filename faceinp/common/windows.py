"""Rectangular parts of a picture, as slices of its rows and columns."""

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]


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
