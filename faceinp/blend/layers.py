"""Mix several pictures in one frame, for one blend without edges between them.

Each picture g_k has weights w_k in [0, 1]. The frame is their weighted sum. The guidance of ``blending.poisson``
between two neighbours p and q is, however,

    sum_k min(w_k(p), w_k(q)) (g_k(p) - g_k(q))

so all gradients are within one picture, and there is no edge where one picture ends and the next begins. With weights
of 0 and 1, the guidance between two pictures is 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend.blending import NEIGHBOURS, Floats, Steps
from faceinp.photo.arrays import Window


class Layer(NamedTuple):
    """A picture for a part of a frame.

    picture: float32 (h, w, 3) in [0, 1]. weights: float32 (h, w) in [0, 1]. window: rows and columns of the part in the
    frame. pieces: bool (h, w), for a picture made of two; gradients between both do not count.
    """

    picture: Floats
    weights: Floats
    window: Window
    pieces: NDArray[np.bool_] | None = None


def mix(layers: Sequence[Layer], hole: NDArray[np.bool_]) -> tuple[Floats, tuple[Steps, ...]]:
    """Mix layers into one frame.

    layers: pictures whose weights sum to 1 in each pixel of the hole and next to it. hole: bool (H, W). Returns the
    frame, float32 (H, W, 3), 0 elsewhere, and the steps between pictures along both axes.
    """
    used = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    frame = np.zeros((*hole.shape, 3), np.float32)
    label = np.full(hole.shape, -1, np.int8)  # of the only picture (and piece) of a pixel, -1 where several are mixed
    for index, (picture, weights, window, pieces) in enumerate(layers):
        alone = used[window] & (weights >= 1)
        np.copyto(frame[window], picture, where=alone[..., None])
        np.copyto(label[window], np.int8(2 * index) + (0 if pieces is None else pieces), where=alone)
        mixed = used[window] & (weights > 0) & ~alone
        frame[window][mixed] += weights[mixed][:, None] * picture[mixed]
    return frame, tuple(_steps(layers, frame, label, hole, axis) for axis in (0, 1))


def _steps(
    layers: Sequence[Layer], frame: Floats, label: NDArray[np.int8], hole: NDArray[np.bool_], axis: int
) -> Steps:
    """The steps between neighbours along an axis. label: int8 (H, W), as in ``mix``."""
    low, high = NEIGHBOURS[axis]
    differ = label[low] != label[high]
    differ |= label[low] < 0
    differ &= hole[low] | hole[high]
    y, x = np.divmod(np.flatnonzero(differ), differ.shape[1])
    v, u = (y + 1, x) if axis == 0 else (y, x + 1)
    excess = frame[v, u] - frame[y, x]
    for picture, weights, (rows, columns), pieces in layers:
        both = (y >= rows.start) & (v < rows.stop) & (x >= columns.start) & (u < columns.stop)
        at, after = (y[both] - rows.start, x[both] - columns.start), (v[both] - rows.start, u[both] - columns.start)
        share = np.minimum(weights[at], weights[after])
        if pieces is not None:
            share = np.where(pieces[at] == pieces[after], share, np.float32(0))
        excess[both] -= share[:, None] * (picture[after] - picture[at])
    return Steps(y * hole.shape[1] + x, v * hole.shape[1] + u, excess)
