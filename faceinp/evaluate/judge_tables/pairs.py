"""Pairs of faces, one person's and strangers', from shards: how well a judge tells them apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError
from faceinp.formulas import metrics
from faceinp.identity import Judge
from faceinp.identity.calibration import threshold
from faceinp.train.datasets import data as shards
from faceinp.train.datasets import stored

RESAMPLES = 1000

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Portraits:
    """pictures: uint8 (S, S, 3), each of its own size S. people: the name of each."""

    pictures: tuple[Pixels, ...]
    people: tuple[str, ...]


def portraits(
    data: str | Sequence[str], *, keep: Callable[[str], bool] = lambda person: True, strangers: bool = False
) -> Portraits:
    """Faces of the shards whose person is known and whose name ``keep`` accepts, as stored.

    Where one picture of a person is there in two sizes, the larger counts. strangers: every picture is taken for
    another person's, whatever the shards say. Raises DataError when fewer than two people remain.
    """
    found: dict[tuple[str, str], Pixels] = {}
    for sample in shards.records(data):
        identity = sample["key"] if strangers else sample["about"].get("identity")
        if identity is None or not keep(str(identity)):
            continue
        pixels = stored.pixels(sample["picture"], sample["source"])
        name = str(identity), sample["key"]
        if name not in found or len(found[name]) < len(pixels):
            found[name] = pixels
    people = tuple(person for person, _ in found)
    if len(set(people)) < 2:
        raise DataError(f"{data} holds faces of {len(set(people))} known people. Give shards of two at least.")
    return Portraits(tuple(found.values()), people)


def embed(judge: Judge, pictures: Sequence[Pixels], batch: int = 32) -> NDArray[np.float32]:
    """Pictures uint8 (S, S, 3) of any sizes -> unit vectors (N, D)."""
    vectors: list[NDArray[np.float32]] = []
    start = 0
    while start < len(pictures):
        end = start
        while end < min(start + batch, len(pictures)) and pictures[end].shape == pictures[start].shape:
            end += 1
        stacked = np.stack(pictures[start:end]).transpose(0, 3, 1, 2)
        vectors.append(judge.embed(stacked.astype(np.float32) / np.float32(255)))
        start = end
    return np.concatenate(vectors)


@dataclass(frozen=True)
class Pairs:
    """Every pair of N pictures, nearest first: Euclidean distances (K,), genuine (K,) where both show one person.

    first, second: the numbers of their people, 0 to ``people`` - 1.
    """

    distances: NDArray[np.float64]
    genuine: NDArray[np.bool_]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    people: int

    @property
    def own(self) -> NDArray[np.float64]:
        """Distances of pairs of one person."""
        return self.distances[self.genuine]

    @property
    def other(self) -> NDArray[np.float64]:
        """Distances of pairs of strangers."""
        return self.distances[~self.genuine]


def pairs(vectors: NDArray[np.floating], people: Sequence[str]) -> Pairs:
    """All pairs of unit vectors (N, D) of these ``people``."""
    names, numbers = np.unique(np.asarray(people), return_inverse=True)
    a, b = np.triu_indices(len(vectors), 1)
    exact = vectors.astype(np.float64)
    cosines = (exact @ exact.T)[a, b]
    distances = np.sqrt(np.maximum(0, 2 - 2 * cosines))
    order = np.argsort(distances, kind="stable")
    first, second = numbers[a[order]], numbers[b[order]]
    return Pairs(distances[order], first == second, first, second, len(names))


def area_under_curve(found: Pairs, weights: NDArray[np.floating] | None = None) -> float:
    """The chance that one person's pair is nearer than a pair of strangers, ties counting half."""
    genuine, impostor = _by_kind(found, weights)
    # By distinct distance: strangers beyond it, and half of those at it.
    starts = np.flatnonzero(np.diff(found.distances, prepend=-1.0))
    own, other = np.add.reduceat(genuine, starts), np.add.reduceat(impostor, starts)
    beyond = other.sum() - np.cumsum(other)
    return float((own * (beyond + other / 2)).sum() / (own.sum() * other.sum()))


def true_match_rate(found: Pairs, rate: float, weights: NDArray[np.floating] | None = None) -> float:
    """The share of one person's pairs that are accepted where at most ``rate`` of strangers' are."""
    if weights is None:
        return float((found.own <= threshold(found.other, rate)).mean())
    genuine, impostor = _by_kind(found, weights)
    passed = np.cumsum(impostor) <= rate * impostor.sum() * (1 + 1e-9)
    return float((genuine * passed).sum() / genuine.sum())


def interval(found: Pairs, measure: Callable[[NDArray[np.floating]], float], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of ``measure``: people are drawn again, with replacement, not pairs.

    measure: takes the weight of each pair. A person drawn n times gives n times their own pairs, and with one drawn m
    times n m pairs of strangers.
    """
    values = []
    for drawn in metrics.resample(np.arange(found.people), RESAMPLES, seed):
        weights = np.where(found.genuine, drawn[found.first], drawn[found.first] * drawn[found.second])
        if weights[found.genuine].any() and weights[~found.genuine].any():
            values.append(measure(weights))
    return metrics.percentiles(values)


def _by_kind(found: Pairs, weights: NDArray[np.floating] | None) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Weights of pairs of one person and of strangers, 0 where a pair is of the other kind."""
    counted = np.ones(len(found.distances)) if weights is None else weights
    return np.where(found.genuine, counted, 0), np.where(found.genuine, 0, counted)
