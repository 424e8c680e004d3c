"""How natural fills look, without the original: the kernel distance of the filled window to other people's windows.

The distance is KID (Binkowski et al. 2018): the squared maximum mean discrepancy under a cubic polynomial kernel, in
its unbiased estimate. Real faces have a mean of 0, and a single estimate may be slightly negative. The window is around
the hole's centre, after blending, as a user sees it; its features are compared with those of the same window of
untouched faces. Pairs of pictures of one person are left out of all three terms: a fill is compared with *other* people
only.

Features are the maps of EfficientNet-Lite0's third to sixth stage, averaged over positions: 424 numbers. The first two
stages respond mostly to grain (noise of 8 grey levels counts more than an eye smeared by Telea's inpainting), the last
one hardly to blur, and many of the 1,280 numbers after it are 0 on almost every face, so that standardisation would
inflate them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.evaluate import measures
from faceinp.evaluate.measures import Measure
from faceinp.formulas import metrics
from faceinp.nets.efficientnet import EfficientNetLite, window_features
from faceinp.photo.arrays import Bools, Doubles, Pixels

WINDOWS_PER_SIDE = 4  # the window is 1 / 4 of the picture wide: 64 of 256 pixels
BATCH = 8  # larger batches are slower: layers no longer fit the processor's caches
DRAWS = 2000
LEAST = 20  # pictures: fewer do not suffice to standardise features


def window(picture: Pixels, hole: Bools) -> Pixels:
    """The square around the centre of gravity of ``hole``, shifted into the picture: uint8 (S / 4, S / 4, 3)."""
    size, side = len(picture), max(1, len(picture) // WINDOWS_PER_SIDE)
    y, x = (int(np.clip(round(centre + 0.5 - side / 2), 0, size - side)) for centre in np.argwhere(hole).mean(axis=0))
    return picture[y : y + side, x : x + side]


def features(windows: Sequence[Pixels], network: EfficientNetLite) -> NDArray[np.float32]:
    """Features of windows, uint8 (s, s, 3) of one size, enlarged to the network's input size: (N, D)."""
    batches = torch.from_numpy(np.stack(windows)).permute(0, 3, 1, 2).split(BATCH)
    return np.asarray(window_features(network, (batch / 255 for batch in batches)).numpy())


def distance(real: Doubles, fills: Doubles, people: Sequence[str]) -> Measure:
    """The distance of fills from untouched faces, with its interval by bootstrap over people.

    real: (N, D), features of the untouched faces. fills: (n, D), features of the first n pictures' fills, NaN where a
    fill is missing. Row i of both is the same picture, of people[i].
    """
    return measures.from_draws(*_distance_and_draws(real, fills, people, _finite_rows(fills)))


def difference(real: Doubles, fills: Doubles, reference: Doubles, people: Sequence[str]) -> Measure:
    """The distance of ``fills`` minus that of ``reference``, on the pictures that both have, by the same draws."""
    common = min(len(fills), len(reference))
    rows = np.intersect1d(_finite_rows(fills[:common]), _finite_rows(reference[:common]))
    (own, draws), (its, its_draws) = (_distance_and_draws(real, each, people, rows) for each in (fills, reference))
    return measures.from_draws(own - its, draws - its_draws)


def _finite_rows(fills: Doubles) -> NDArray[np.intp]:
    return np.flatnonzero(np.isfinite(fills).all(axis=1))


def _distance_and_draws(
    real: Doubles, fills: Doubles, people: Sequence[str], rows: NDArray[np.intp]
) -> tuple[float, Doubles]:
    """The distance on the pictures ``rows``, and on bootstrap draws of them.

    Real and filled pictures show the same people, so the three means over pairs become one: the mean of h_ij =
    k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(y_i, x_j) over all i, j of different people (Gretton et al. 2012,
    Lemma 6).
    """
    x, y = metrics.standardised(real[rows], real), metrics.standardised(fills[rows], real)
    names = np.asarray(people)[rows]
    different = (names[:, None] != names[None]).astype(np.float64)
    across = metrics.polynomial_kernel(x, y)
    pairs = different * (metrics.polynomial_kernel(x, x) + metrics.polynomial_kernel(y, y) - across - across.T)
    if not different.any():
        return float("nan"), np.zeros(0)
    weights = metrics.resample(names, DRAWS).astype(np.float64)
    total, count = ((weights @ each * weights).sum(axis=1) for each in (pairs, different))
    return float(pairs.sum() / different.sum()), total[count > 0] / count[count > 0]
