"""Averages over pictures with 95 % intervals by bootstrap over people, plain and paired.

Pictures of one person are not independent, so whole people are resampled, with replacement. A paired interval is that
of the difference between two engines on the same pictures. It is narrow where both find the same pictures hard: two
engines whose plain intervals overlap may still differ significantly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from faceinp.formulas import metrics


@dataclass(frozen=True)
class Measure:
    """The mean over pictures and its 95 % interval; None where a number does not exist."""

    mean: float | None
    low: float | None
    high: float | None


NOTHING = Measure(None, None, None)


def mean(values: ArrayLike, people: Sequence[str]) -> Measure:
    """The mean of ``values`` (N,), one per picture; NaN values are left out. people: the person on each picture.

    The mean is None where no value remains or it is not finite (a perfect picture's PSNR).
    """
    numbers = np.asarray(values, np.float64)
    known = ~np.isnan(numbers)
    if not known.any():
        return NOTHING
    low, high = metrics.interval(numbers[known], np.asarray(people)[known])
    return _finite(float(numbers[known].mean()), low, high)


def difference(values: ArrayLike, reference: ArrayLike, people: Sequence[str]) -> Measure:
    """The mean of ``values`` - ``reference``, both (N,) on the same pictures of ``people``: paired."""
    first, second = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    finite = np.isfinite(first) & np.isfinite(second)
    return mean(np.where(finite, first - np.where(finite, second, 0), np.nan), people)


def from_draws(value: float, draws: ArrayLike, level: float = 0.95) -> Measure:
    """``value`` with the interval of its bootstrap draws, shifted so that their mean is at ``value``.

    For figures that grow when pictures repeat, such as a Frechet distance: the draws give the spread, not the bias.
    """
    numbers = np.asarray(draws, np.float64)
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return _finite(value, math.nan, math.nan)
    low, high = metrics.percentiles(numbers, level)
    return _finite(value, low - numbers.mean() + value, high - numbers.mean() + value)


def _finite(*numbers: float) -> Measure:
    return Measure(*(number if math.isfinite(number) else None for number in numbers))
