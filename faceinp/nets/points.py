"""The 68 landmarks in dlib's order: their groups, their mirror image, and their map. NumPy only."""

import numpy as np
from numpy.typing import NDArray

# First and last point (exclusive) of each channel of the map: jaw, brows, nose, eyes, mouth.
GROUPS = ((0, 17), (17, 27), (27, 36), (36, 48), (48, 68))
# The box of the usual 112 x 112 template of five landmarks in a crop aligned like FFHQ's: left, top, right, bottom in
# shares of the side. Least squares without rotation between the template and the mean landmarks of 30,654 crops.
TEMPLATE_BOX = (0.1237, 0.1231, 0.8751, 0.8745)
SPREAD = 0.012  # standard deviation of a drawn point, in shares of the side

# The index of each point in the mirror image: jaw, brows, nose, eyes, lips.
MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
)


def landmark_map(points: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Points (N, 68, 2), x and y in shares of the side -> float32 (N, 5, side, side) in [0, 1].

    ``nets.completion.landmark_map`` is the same in torch and describes it.
    """
    present = np.isfinite(points).all(axis=2, keepdims=True)
    points = np.where(present, points, np.float32(-9))
    centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    spots = np.exp(-(((points[..., None] - centres) / np.float32(SPREAD)) ** 2) / 2)  # (N, 68, 2, side)
    columns, rows = spots[:, :, 0], spots[:, :, 1].transpose(0, 2, 1)
    groups = [rows[..., start:end] @ columns[:, start:end] for start, end in GROUPS]
    return np.minimum(np.stack(groups, axis=1), np.float32(1))
