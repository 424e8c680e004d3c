"""Several pictures in one frame, and one solve that never compares one picture's values with another's.

Each picture g_k has weights w_k in [0, 1]. The frame is their sum. Between two neighbours p and q, however, the
guidance that ``blend.poisson`` follows is

    sum_k min(w_k(p), w_k(q)) (g_k(p) - g_k(q))

so each picture gives gradients of its own only, and where one ends and the next begins there is no edge. With hard
labels, weights of 0 and 1, the guidance between labels is 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend.blending import Floats, Steps


class Layer(NamedTuple):
    """A picture for a part of a frame.

    picture: float32 (h, w, 3) in [0, 1]. weights: float32 (h, w) in [0, 1]. window: the part's rows and columns in the
    frame, slices with start and stop. pieces: bool (h, w) where the picture was put together from two, no gradient of
    which leads from one to the other.
    """

    picture: Floats
    weights: Floats
    window: tuple[slice, slice]
    pieces: NDArray[np.bool_] | None = None


def mix(layers: Sequence[Layer], hole: NDArray[np.bool_]) -> tuple[Floats, tuple[Steps, ...]]:
    """The frame of all layers, float32 (H, W, 3), and the steps in it that are no gradients.

    layers: pictures whose weights sum to 1 in each pixel of the hole and beside it. hole: bool (H, W). What is further
    away from the hole stays 0.
    """
    used = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    frame = np.zeros((*hole.shape, 3), np.float32)
    label = np.full(hole.shape, -1, np.int8)
    for number, (picture, weights, window, pieces) in enumerate(layers):
        alone = used[window] & (weights >= 1)
        np.copyto(frame[window], picture, where=alone[..., None])
        np.copyto(label[window], np.int8(2 * number) + (0 if pieces is None else pieces), where=alone)
        shared = used[window] & (weights > 0) & ~alone
        frame[window][shared] += weights[shared][:, None] * picture[shared]
    steps = []
    for axis in (0, 1):
        low, high = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
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
        steps.append(Steps(y * hole.shape[1] + x, v * hole.shape[1] + u, excess))
    return frame, tuple(steps)
