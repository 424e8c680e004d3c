"""Antialiased resampling as matrix products, in NumPy, with and without torch."""

import numpy as np
from numpy.typing import NDArray


def triangles(side: int, start: float, end: float, count: int) -> NDArray[np.float32]:
    """A resampling matrix float32 (count, side) for one axis: row i has the weights of sample i; rows sum to 1.

    start, end: the sampled part in shares of the axis; outside the picture its border is repeated. The filter is a
    triangle as wide as the step, and at least as wide as a pixel.
    """
    step = (end - start) * side / count
    centres = start * side + (np.arange(count) + 0.5) * step - 0.5
    reach = max(step, 1.0)
    margin = int(reach + max(0.0, -start, end - 1) * side) + 2
    pixels = np.arange(-margin, side + margin)
    spread = np.maximum(1 - np.abs(pixels[None] - centres[:, None]) / reach, 0)
    weights = spread @ (pixels.clip(0, side - 1)[:, None] == np.arange(side))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def resample(
    pictures: NDArray[np.float32], box: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Cut a box out of pictures and scale it: float32 (N, C, S, S) -> (N, C, *size).

    box: left, top, right, bottom in shares of the side. size: (height, width). ``nets.embedding.resample`` is the same
    in torch.
    """
    left, top, right, bottom = box
    rows = triangles(pictures.shape[-2], top, bottom, size[0])
    columns = triangles(pictures.shape[-1], left, right, size[1])
    return np.asarray(rows @ pictures @ columns.T, np.float32)
