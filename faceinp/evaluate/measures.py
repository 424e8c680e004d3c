"""Averages over pictures and what they are worth: 95 % intervals by bootstrap over people, plain and paired.

Pictures of one person are not independent, so whole people are drawn again, with replacement. A paired interval is
that of the difference between two engines on the same pictures: it is narrow where both find the same pictures hard,
and two engines whose plain intervals overlap may still differ for certain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from faceinp.formulas import metrics


@dataclass(frozen=True)
class Measure:
    """The mean over pictures, and its 95 % bootstrap interval over people (None where there is no such number)."""

    mean: float | None
    low: float | None
    high: float | None


NOTHING = Measure(None, None, None)


def mean(values: ArrayLike, people: Sequence[str]) -> Measure:
    """Of ``values`` (N,) by picture, ``people`` the name on each. NaN: this picture has no such number.

    None where nothing remains or the mean is not finite (a perfect picture's PSNR).
    """
    numbers = np.asarray(values, np.float64)
    there = ~np.isnan(numbers)
    if not there.any():
        return NOTHING
    low, high = metrics.interval(numbers[there], np.asarray(people)[there])
    return _measure(float(numbers[there].mean()), low, high)


def difference(values: ArrayLike, reference: ArrayLike, people: Sequence[str]) -> Measure:
    """Of ``values`` less those of a ``reference``, both (N,) on the same pictures of ``people``: paired."""
    first, second = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    finite = np.isfinite(first) & np.isfinite(second)
    return mean(np.where(finite, first - np.where(finite, second, 0), np.nan), people)


def of_draws(value: float, drawn: ArrayLike, level: float = 0.95) -> Measure:
    """``value`` with the interval of its bootstrap draws, moved so that their mean is at ``value``.

    For figures that grow when pictures repeat, such as a Frechet distance: the draws' spread counts, not their bias.
    """
    numbers = np.asarray(drawn, np.float64)
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return _measure(value, math.nan, math.nan)
    low, high = metrics.percentiles(numbers, level)
    return _measure(value, low - numbers.mean() + value, high - numbers.mean() + value)


def _measure(*numbers: float) -> Measure:
    return Measure(*(number if math.isfinite(number) else None for number in numbers))
