"""The landmarks that lead the completion in training: as exact as they will be in use, or wrong, or missing.

A face must come out of points that are a little off, that belong to no such face, and of none at all.
"""

import numpy as np
import torch
from torch import Tensor

SHIFT, SCALE = 0.06, 0.15  # standard deviations of points that are wrong as a whole, in shares of the side


def jittered(points: Tensor, jitter: float, rng: np.random.Generator) -> Tensor:
    """Points (N, 68, 2) a little off, all together and each alone: a predictor's are never exact."""
    together, alone = rng.normal(0, jitter, (len(points), 1, 2)), rng.normal(0, jitter / 2, tuple(points.shape))
    return points + torch.from_numpy(together + alone).to(points)


def disturbed(points: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A ``share`` of the faces gets points that are wrong as a whole: shifted and scaled, half of them another
    face's.
    """
    count = len(points)
    middle = points.mean(dim=1, keepdim=True)
    scale = torch.from_numpy(np.exp(rng.normal(0, SCALE, (count, 1, 1)))).to(points)
    shift = torch.from_numpy(rng.normal(0, SHIFT, (count, 1, 2))).to(points)
    others = torch.from_numpy(rng.random((count, 1, 1)) < 0.5).to(points.device)
    wrong = torch.where(others, points.roll(1, 0), middle + scale * (points - middle) + shift)
    chosen = torch.from_numpy(rng.random((count, 1, 1)) < share).to(points.device)
    return torch.where(chosen, wrong, points)


def dropped(maps: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Landmark maps (N, C, S, S), empty for a ``share`` of the pictures."""
    kept = torch.from_numpy(rng.random((len(maps), 1, 1, 1)) >= share).to(maps)
    return maps * kept
