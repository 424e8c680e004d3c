"""Where each point of a face lies on an exemplar: a smooth map from landmarks, refined on pixels that both know.

Coordinates are shares of a crop's side, from the photo's crop to the exemplar's. The map is a smoothing thin-plate
spline (Duchon 1977; Bookstein 1989) through the 68 landmarks. What noisy landmarks leave over is taken to be affine and
found by Gauss-Newton on the brightness of both pictures (Lucas and Kanade 1981), with their gain and offset, robustly
(Huber 1964), and with a prior that holds it near the landmarks' word.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Bools, Doubles, Floats

# How much a landmark may be off, against bending; so many times as much where it was predicted under a hole; and where
# it belongs to the jaw, whose points (but the chin) lie on a turned head's outline, not on one place of the face.
SMOOTHING, HIDDEN, OUTLINE = 2e-3, 8.0, 100.0
CHIN = 8
GRID = 33  # the spline is evaluated at so many nodes a side: it is smooth

SIDES = (64, 128, 256)  # pixels a side of the crops that are compared, coarse to fine
ITERATIONS, STILL = 12, 0.01  # at most, of each; pixels of a step that end them
HUBER = 0.04  # of brightness in [0, 1]: what differs by more is taken for something else, not for a shift
# Standard deviations of the prior: of the shift, and of the linear part.
SHIFT, LINEAR = 0.01, 0.04
CORRELATED = 100  # pixels of SIDES[-1] that are worth one independent measurement of brightness
LEAST = 400  # pixels of SIDES[-1] that must be known for anything to be found
ENOUGH, NEARLY_SAME = 128, 0.25  # the side at which pictures are told that are nearly the same, by their error
BETTER = 0.9  # of the error before: what gains less is no gain


@dataclass(frozen=True, eq=False)
class Map:
    """x -> spline(x) + (x - 1/2) @ affine[:2] + affine[2].

    nodes: float32 (GRID, GRID, 2), the spline at evenly spread points, corners included. affine: (3, 2).
    """

    nodes: Floats
    affine: Doubles = field(default_factory=lambda: np.zeros((3, 2)))

    def at(self, points: NDArray[Any]) -> Floats:
        """(h, w, 2) -> (h, w, 2); beyond the crop the spline goes on in parallel to its border."""
        points = np.asarray(points, np.float32)
        spline = _look(self.nodes, points * (GRID - 1)) + points - np.clip(points, 0, 1)
        return np.asarray(spline + (points - 0.5) @ self.affine[:2] + self.affine[2], np.float32)

    def grid(self, size: int) -> Floats:
        """At the centres of a crop's pixels: float32 (size, size, 2)."""
        return self.at(centres(size))

    def stretch(self, size: int) -> tuple[Floats, Floats]:
        """How much areas grow, and the greatest stretch over the smallest, at a crop's pixels: (size, size) each."""
        down, across = (np.asarray(slope) for slope in np.gradient(self.grid(size) * size, axis=(0, 1)))
        growth = np.abs(across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0])
        # With singular values s >= t: s t is the growth, s^2 + t^2 the sum of squares, and half of its ratio to the
        # growth is (s / t + t / s) / 2.
        half = (across**2 + down**2).sum(axis=-1) / np.maximum(2 * growth, 1e-6)
        return growth, half + np.sqrt(np.maximum(half**2 - 1, 0))


def centres(size: int) -> Floats:
    """Coordinates of a crop's pixels in shares of its side: float32 (size, size, 2)."""
    along = (np.arange(size, dtype=np.float32) + 0.5) / size
    return np.stack(np.meshgrid(along, along), axis=-1)


def align(
    target_points: Floats,
    source_points: Floats,
    certain: Bools,
    target: Floats,
    source: Floats,
    weight: Floats,
    known: Floats,
) -> Map:
    """The map of a target onto a source.

    target_points, source_points: (68, 2), landmarks of one in the other's order. certain: (68,), False for those under
    a hole. target, source: grey float32 (S, S) in [0, 1]. weight: (S, S), 0 where the target is not known or not of
    interest. known: (S, S), 1 where the source is known, in its own crop.

    Both the spline and the affine map through the landmarks are refined where that gains much. The spline is taken
    unless the affine map explains the known pixels better: two pictures of one moment differ by no more than that, and
    landmarks under a hole are guesses.
    """
    bent, straight = (
        _refine(start, target, source, weight, known)
        for start in (
            from_landmarks(target_points, source_points, certain),
            affine_from_landmarks(target_points, source_points, certain),
        )
    )
    return straight[0] if straight[1] < BETTER * bent[1] else bent[0]


def from_landmarks(points: Floats, onto: Floats, certain: Bools) -> Map:
    """The spline that takes ``points`` (68, 2) to ``onto`` (68, 2). certain: (68,), False for those under a hole."""
    from scipy.interpolate import RBFInterpolator

    noise = SMOOTHING * _uncertainty(certain)
    spline = RBFInterpolator(points.astype(np.float64), onto.astype(np.float64), smoothing=noise)
    return Map(spline(_nodes().reshape(-1, 2)).reshape(GRID, GRID, 2).astype(np.float32))


def affine_from_landmarks(points: Floats, onto: Floats, certain: Bools) -> Map:
    """As ``from_landmarks``, the affine map that fits best."""
    weights = 1 / np.sqrt(_uncertainty(certain))[:, None]
    design = np.column_stack([points, np.ones(len(points))])
    solved, *_ = np.linalg.lstsq(design * weights, onto * weights, rcond=None)
    return Map((_nodes() @ solved[:2] + solved[2]).astype(np.float32))


def _uncertainty(certain: Bools) -> Doubles:
    uncertainty = np.where(certain, 1.0, HIDDEN)
    uncertainty[[n for n in range(17) if n != CHIN]] *= OUTLINE
    return uncertainty


def _nodes() -> Doubles:
    along = np.linspace(0, 1, GRID)
    return np.stack(np.meshgrid(along, along), axis=-1)


def _refine(start: Map, target: Floats, source: Floats, weight: Floats, known: Floats) -> tuple[Map, float]:
    """``start`` with the affine map that brings both pictures closest, where that gains much, and the error left."""
    refined = start
    for size in SIDES:
        pictures = [_resized(picture, size) for picture in (target, source, weight, known)]
        alignment = _Alignment(start, *pictures)
        refined = Map(start.nodes, alignment.solve(refined.affine))
        if size >= ENOUGH and alignment.error(refined.affine) > NEARLY_SAME:
            break  # the pictures differ by more than a finer look could mend
    before, after = alignment.error(start.affine), alignment.error(refined.affine)
    return (refined, after) if after < BETTER * before else (start, before)


class _Alignment:
    """Gauss-Newton at one size; arguments as for ``refine``."""

    def __init__(self, start: Map, target: Floats, source: Floats, weight: Floats, known: Floats) -> None:
        size = len(target)
        self.size, self.there = size, weight > 0
        self.at, self.base = centres(size) - np.float32(0.5), Map(start.nodes).grid(size)
        self.target, self.weight = target[self.there], weight[self.there]
        ones = np.ones((len(self.target), 1), np.float32)
        self.x = np.concatenate([self.at[self.there], ones], axis=1)
        down, across = (np.asarray(slope, np.float32) for slope in np.gradient(source * size))
        self.source = np.stack([source, across, down, known], axis=-1)
        self.information = (SIDES[-1] / size) ** 2 / (CORRELATED * HUBER**2)  # of one pixel

    def solve(self, affine: Doubles) -> Doubles:
        """The best (3, 2), beginning with ``affine``; that itself where too little is known."""
        begun = affine
        prior = np.array([1 / LINEAR, 1 / LINEAR, 1 / SHIFT] * 2) ** 2
        for _ in range(ITERATIONS):
            seen, across, down, weight = self._look(affine)
            if weight.sum() * (SIDES[-1] / self.size) ** 2 < LEAST:
                return begun
            gain, offset = _line(seen, self.target, weight)
            error = np.asarray(self.target - gain * seen - offset, np.float32)
            robust = (weight * self._trust(error) * self.information)[:, None]
            slopes = np.column_stack(
                [gain * across[:, None] * self.x, gain * down[:, None] * self.x, seen, np.ones_like(seen)]
            )
            normal = (slopes.T @ (slopes * robust)).astype(np.float64)
            normal[np.diag_indices(8)] += np.concatenate([prior, [1e-3, 1e-3]])
            right = (slopes * robust).T @ error - np.concatenate([prior * affine.T.ravel(), [0, 0]])
            step = np.linalg.solve(normal, right)[:6].reshape(2, 3).T
            affine = affine + step
            if np.abs(step).max() * self.size < STILL:
                break
        return affine

    def error(self, affine: Doubles) -> float:
        """Mean of Huber's loss, in units of HUBER squared."""
        seen, _, _, weight = self._look(affine)
        gain, offset = _line(seen, self.target, weight)
        apart = np.abs(self.target - gain * seen - offset) / HUBER
        loss = np.where(apart < 1, apart**2 / 2, apart - 0.5)
        return float((weight * loss).sum() / max(float(weight.sum()), 1e-6))

    def _look(self, affine: Doubles) -> tuple[Floats, ...]:
        """Brightness, its slopes across and down, and weights, at the pixels of interest."""
        place = (self.base + self.at @ affine[:2] + affine[2]).astype(np.float32) * self.size - np.float32(0.5)
        seen, across, down, known = _look(self.source, place)[self.there].T
        return seen, across, down, np.where(known > 0.99, self.weight, np.float32(0))

    @staticmethod
    def _trust(error: Floats) -> Floats:
        return np.minimum(1, HUBER / np.maximum(np.abs(error), 1e-6), dtype=np.float32)


def _resized(picture: Floats, size: int) -> Floats:
    if len(picture) == size:
        return picture
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def _look(picture: Floats, place: Floats) -> Floats:
    """A picture at pixel numbers ``place`` (h, w, 2), between pixels linearly."""
    way = cv2.INTER_LINEAR
    return np.asarray(cv2.remap(picture, place[..., 0], place[..., 1], way, borderMode=cv2.BORDER_REPLICATE))


def _line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Gain and offset of the line through (x, y) that fits best."""
    total = max(float(weight.sum()), 1e-9)
    mean_x, mean_y = float(weight @ x) / total, float(weight @ y) / total
    spread = float(weight @ (x - mean_x) ** 2)
    gain = float(weight @ ((x - mean_x) * (y - mean_y))) / max(spread, 1e-9)
    return gain, mean_y - gain * mean_x
