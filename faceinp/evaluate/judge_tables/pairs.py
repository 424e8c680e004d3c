"""Pairs of faces from shards, of one person and of strangers: how well a judge tells them apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError
from faceinp.formulas import metrics
from faceinp.identity import Judge
from faceinp.identity.calibration import threshold
from faceinp.photo.arrays import Pixels, to_picture
from faceinp.train.datasets import data as shards
from faceinp.train.datasets import stored

RESAMPLES = 1000
BATCH = 32
Weights = NDArray[np.floating]
Number = TypeVar("Number", np.float32, np.float64)


@dataclass(frozen=True)
class Portraits:
    """pictures: uint8 (S, S, 3), each of its own size S. people: the person on each."""

    pictures: tuple[Pixels, ...]
    people: tuple[str, ...]


def portraits(
    data: str | Sequence[str], *, keep: Callable[[str], bool] = lambda person: True, strangers: bool = False
) -> Portraits:
    """The faces of the shards, as stored, whose person is known and accepted by ``keep``.

    Of a picture that the shards contain in two sizes, the larger is used. strangers: treat every picture as another
    person, whatever the shards say. Raises DataError when fewer than two people remain.
    """
    pictures: dict[tuple[str, str], Pixels] = {}
    for sample in shards.records(data):
        person = sample["key"] if strangers else sample["about"].get("identity")
        if person is None or not keep(str(person)):
            continue
        pixels = stored.pixels(sample["picture"], sample["source"])
        key = str(person), sample["key"]
        if key not in pictures or len(pictures[key]) < len(pixels):
            pictures[key] = pixels
    people = tuple(person for person, _ in pictures)
    if len(set(people)) < 2:
        raise DataError(f"{data} has {len(set(people))} known people, but 2 are needed. Give shards of more people.")
    return Portraits(tuple(pictures.values()), people)


def embed(
    judge: Judge,
    pictures: Sequence[Pixels],
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda crops: crops,
) -> NDArray[np.float32]:
    """Pictures uint8 (S, S, 3) of any sizes -> unit vectors (N, D). change: applied to crops (N, 3, S, S) in [0, 1]."""
    vectors: list[NDArray[np.float32]] = []
    for _, group in groupby(pictures, np.shape):
        alike = [*group]
        batches = (np.stack(alike[start : start + BATCH]) for start in range(0, len(alike), BATCH))
        vectors += [judge.embed(change(to_picture(batch))) for batch in batches]
    return np.concatenate(vectors)


def distances(a: NDArray[Number], b: NDArray[Number]) -> NDArray[Number]:
    """Euclidean distances between unit vectors (N, D) and (M, D): (N, M)."""
    return np.asarray(np.sqrt(np.maximum(0, 2 - 2 * a @ b.T)), a.dtype)


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
    unordered = distances(exact, exact)[a, b]
    order = np.argsort(unordered, kind="stable")
    first, second = numbers[a[order]], numbers[b[order]]
    return Pairs(unordered[order], first == second, first, second, len(names))


def area_under_curve(faces: Pairs, weights: Weights | None = None) -> float:
    """The probability that a pair of one person is nearer than a pair of strangers; ties count half."""
    genuine, impostor = _split_weights(faces, weights)
    # By distinct distance: strangers beyond it, and half of those at it.
    starts = np.flatnonzero(np.diff(faces.distances, prepend=-1.0))
    own, other = np.add.reduceat(genuine, starts), np.add.reduceat(impostor, starts)
    beyond = other.sum() - np.cumsum(other)
    return float((own * (beyond + other / 2)).sum() / (own.sum() * other.sum()))


def true_match_rate(faces: Pairs, rate: float, weights: Weights | None = None) -> float:
    """The share of one person's pairs that are accepted where at most ``rate`` of strangers' are."""
    if weights is None:
        return float((faces.own <= threshold(faces.other, rate)).mean())
    genuine, impostor = _split_weights(faces, weights)
    accepted = np.cumsum(impostor) <= rate * impostor.sum() * (1 + 1e-9)
    return float((genuine * accepted).sum() / genuine.sum())


def interval(faces: Pairs, measure: Callable[[Weights], float], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of ``measure``, which takes a weight for each pair.

    People are resampled with replacement, not pairs: a person drawn n times gives n times their own pairs, and with one
    drawn m times n m pairs of strangers.
    """
    values = []
    for drawn in metrics.resample(np.arange(faces.people), RESAMPLES, seed):
        weights = np.where(faces.genuine, drawn[faces.first], drawn[faces.first] * drawn[faces.second])
        if weights[faces.genuine].any() and weights[~faces.genuine].any():
            values.append(measure(weights))
    return metrics.percentiles(values)


def _split_weights(faces: Pairs, weights: Weights | None) -> tuple[Weights, Weights]:
    """Weights of one person's pairs and of strangers' pairs, 0 where a pair is of the other kind."""
    all_weights = np.ones(len(faces.distances)) if weights is None else weights
    return np.where(faces.genuine, all_weights, 0), np.where(faces.genuine, 0, all_weights)
