"""How natural filled places look, without knowing the truth: their kernel distance to the same place of other people.

The distance is KID (Binkowski et al. 2018): the squared maximum mean discrepancy under a cubic polynomial kernel, in
its unbiased estimate, so real faces come to 0 on average and a fill may come out a little under it. Features of the
window round the hole's centre, blended as a user would see it, are compared with those of the same window of untouched
faces. Pairs of pictures of one person are left out of all three terms: a fill is compared with *other* people only.

Features are the maps of EfficientNet-Lite0's third to sixth stage, averaged over positions: 424 numbers. The first two
stages see grain above all (noise of 8 grey levels counts more than Telea's smear of an eye), the last one hardly sees
blur, and many of the 1,280 numbers behind it are 0 on almost every face, so that standardising blows them up.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from faceinp.evaluate import measures
from faceinp.evaluate.measures import Measure
from faceinp.formulas import metrics
from faceinp.nets.efficientnet import SIDE, EfficientNetLite

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

PART = 4  # the window's side is this part of the picture's: 64 of 256 pixels
STAGES = slice(2, 6)
BATCH = 8  # more at once takes longer: layers then leave the processor's caches
DRAWS = 2000
LEAST = 20  # pictures: features standardised by fewer say nothing


def window(picture: Pixels, hole: Bools) -> Pixels:
    """The square round the centre of gravity of ``hole``, moved into the picture: uint8 (S / 4, S / 4, 3)."""
    size, side = len(picture), max(1, len(picture) // PART)
    y, x = (int(np.clip(round(at + 0.5 - side / 2), 0, size - side)) for at in np.argwhere(hole).mean(axis=0))
    return picture[y : y + side, x : x + side]


@torch.no_grad()
def features(windows: Sequence[Pixels], network: EfficientNetLite) -> NDArray[np.float32]:
    """Windows, uint8 (s, s, 3) of one size, as ``network`` sees them, enlarged to its pictures' size: (N, D)."""
    seen = []
    for start in range(0, len(windows), BATCH):
        batch = torch.from_numpy(np.stack(windows[start : start + BATCH])).permute(0, 3, 1, 2) / 255
        batch = functional.interpolate(batch, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
        maps = network.stages(batch.contiguous(memory_format=torch.channels_last))[STAGES]
        seen.append(torch.cat([stage.mean(dim=(2, 3)) for stage in maps], dim=1).numpy())
    return np.concatenate(seen)


def distance(real: Floats, made: Floats, people: Sequence[str]) -> Measure:
    """Of ``made`` (n, D) from ``real``, with its interval by bootstrap over people.

    real: (N, D), features of the untouched faces; row i of both is the same picture, of people[i]. made: the first n
    pictures' fills, NaN where there is none.
    """
    return measures.of_draws(*_drawn(real, made, people, _there(made)))


def difference(real: Floats, made: Floats, reference: Floats, people: Sequence[str]) -> Measure:
    """Of the distance of ``made`` less that of ``reference``, on the pictures that both have, by the same draws."""
    common = min(len(made), len(reference))
    both = np.intersect1d(_there(made[:common]), _there(reference[:common]))
    (own, draws), (its, its_draws) = (_drawn(real, each, people, both) for each in (made, reference))
    return measures.of_draws(own - its, draws - its_draws)


def standardised(features: Floats, real: Floats) -> Floats:
    """Features less the mean of ``real``, in its standard deviations; those in which it does not vary count as 0."""
    spread = real.std(axis=0)
    return np.asarray((features - real.mean(axis=0)) / np.where(spread > 0, spread, np.inf))


def _there(made: Floats) -> NDArray[np.intp]:
    return np.flatnonzero(np.isfinite(made).all(axis=1))


def _drawn(real: Floats, made: Floats, people: Sequence[str], places: NDArray[np.intp]) -> tuple[float, Floats]:
    """The distance of the pictures at ``places``, and of the bootstrap's draws of them.

    Real and filled pictures are of the same people, so the three means over pairs are one: of h_ij = k(x_i, x_j) +
    k(y_i, y_j) - k(x_i, y_j) - k(y_i, x_j) over all i, j that show different people (Gretton et al. 2012, Lemma 6).
    """
    x, y = standardised(real[places], real), standardised(made[places], real)
    names = np.asarray(people)[places]
    counted = (names[:, None] != names[None]).astype(np.float64)
    across = metrics.polynomial_kernel(x, y)
    pairs = counted * (metrics.polynomial_kernel(x, x) + metrics.polynomial_kernel(y, y) - across - across.T)
    if not counted.any():
        return float("nan"), np.zeros(0)
    weights = metrics.resample(names, DRAWS).astype(np.float64)
    total, count = ((weights @ each * weights).sum(axis=1) for each in (pairs, counted))
    return float(pairs.sum() / counted.sum()), total[count > 0] / count[count > 0]
