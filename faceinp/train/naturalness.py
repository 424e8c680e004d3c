"""How natural filled places look, to choose among a run's averages: a kernel distance that needs no truth.

Losses that compare a fill with its truth prefer blur. The kernel distance (KID, Binkowski et al. 2018,
arXiv 1801.01401) of filled places from real ones does not. One figure is good only beside others of the same run.
"""

import torch
from torch import Tensor

from faceinp.formulas import metrics
from faceinp.models import pretrained
from faceinp.nets.efficientnet import window_features
from faceinp.train import opponents
from faceinp.train.holes import shapes

PART = 4  # the window's side is this part of the picture's
BATCH = 8


@torch.no_grad()
def distance(pictures: Tensor, composite: Tensor, hole: Tensor) -> float:
    """The kernel distance of the windows round the holes' middles, of ``composite`` from ``pictures``.

    pictures, composite: (N, 3, S, S) in [0, 1]. hole: float (N, 1, S, S), 1 in the hole.
    """
    network = pretrained.efficientnet().to(pictures.device).to(memory_format=torch.channels_last)
    side, size = hole.shape[-1], max(1, hole.shape[-1] // PART)
    ticks, total = shapes.centres(side, hole), hole.sum((1, 2, 3)).clamp(min=1)
    middles = (hole[:, 0].sum(2) @ ticks / total, hole[:, 0].sum(1) @ ticks / total)  # down, across
    start = [(side * middle - size / 2).round().long().clamp(0, side - size)[:, None] for middle in middles]
    rows, columns = (first + torch.arange(size, device=hole.device) for first in start)
    features = []
    for shown in (pictures, composite):
        windows = opponents.cut(shown, rows, columns).split(BATCH)
        features.append(window_features(network, windows).double().cpu().numpy())
    return metrics.kernel_distance(*(metrics.standardised(each, features[0]) for each in features))
