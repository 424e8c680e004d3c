"""Map a face onto an exemplar: a smooth map through the landmarks, refined on pixels that are known in both pictures.

Coordinates are shares of a crop's side, from the photo's crop to the exemplar's. The map is a smoothing thin-plate
spline (Duchon 1977; Bookstein 1989) through the 68 landmarks. The error of noisy landmarks is modelled as affine and
estimated by Gauss-Newton on the brightness of both pictures (Lucas and Kanade 1981), with gain and offset, a robust
loss (Huber 1964), and a prior that favours the landmarks.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import Bools, Doubles, Floats

SMOOTHING = 2e-3  # of the spline: larger values bend less and follow the landmarks less
# Factors of SMOOTHING for uncertain landmarks:
HIDDEN_FACTOR = 8.0  # predicted under a hole
JAW_FACTOR = 100.0  # of the jaw but the chin: they follow the outline of a turned head, not fixed points of the face
CHIN = 8
GRID = 33  # nodes a side at which the spline is evaluated: it is smooth

SIDES = (64, 128, 256)  # pixels a side of the compared crops, coarse to fine
MAX_ITERATIONS = 12  # at each side
MIN_STEP = 0.01  # pixels; a smaller step ends the iterations
HUBER = 0.04  # of brightness in [0, 1]; larger differences are outliers
# Standard deviations of the prior.
SHIFT_DEVIATION = 0.01
LINEAR_DEVIATION = 0.04
CORRELATED_PIXELS = 100  # of SIDES[-1] that count as one independent measurement of brightness
MIN_KNOWN_PIXELS = 400  # of SIDES[-1]; with fewer nothing is estimated
# From EARLY_STOP_SIDE on, pictures with a larger error than MAX_FINE_ERROR are not compared at finer sides.
EARLY_STOP_SIDE = 128
MAX_FINE_ERROR = 0.25
MIN_GAIN = 0.9  # error after over error before, at most, for a refinement to count


@dataclass(frozen=True, eq=False)
class Map:
    """The map x -> spline(x) + (x - 1/2) @ affine[:2] + affine[2].

    nodes: float32 (GRID, GRID, 2), the spline on a regular grid with the corners. affine: (3, 2).
    """

    nodes: Floats
    affine: Doubles = field(default_factory=lambda: np.zeros((3, 2)))

    def at(self, points: NDArray[Any]) -> Floats:
        """Map points (h, w, 2); beyond the crop the spline has the shift of the nearest point of its border."""
        points = np.asarray(points, np.float32)
        spline = _sample(self.nodes, points * (GRID - 1)) + points - np.clip(points, 0, 1)
        return np.asarray(spline + (points - 0.5) @ self.affine[:2] + self.affine[2], np.float32)

    def grid(self, size: int) -> Floats:
        """The map at the centres of a crop's pixels: float32 (size, size, 2)."""
        return self.at(centres(size))

    def stretch(self, size: int) -> tuple[Floats, Floats]:
        """The growth of areas, and the greatest stretch over the smallest, at a crop's pixels: (size, size) each."""
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
    """The map from a target to a source.

    target_points, source_points: (68, 2), landmarks in the same order. certain: (68,), False for those under a hole.
    target, source: grey float32 (S, S) in [0, 1]. weight: (S, S), 0 where the target is not known or does not count.
    known: (S, S), 1 where the source is known, in its own crop.

    Both the spline and the affine map through the landmarks are refined. The spline is used unless the affine map has a
    clearly smaller error on the known pixels: two pictures of one moment differ by an affine map, and landmarks under a
    hole are predictions.
    """
    spline, affine = (
        _refine(start, target, source, weight, known)
        for start in (
            from_landmarks(target_points, source_points, certain),
            affine_from_landmarks(target_points, source_points, certain),
        )
    )
    return affine[0] if affine[1] < MIN_GAIN * spline[1] else spline[0]


def from_landmarks(points: Floats, onto: Floats, certain: Bools) -> Map:
    """The spline from ``points`` (68, 2) to ``onto`` (68, 2). certain: (68,), False for those under a hole."""
    from scipy.interpolate import RBFInterpolator

    noise = SMOOTHING * _uncertainty(certain)
    spline = RBFInterpolator(points.astype(np.float64), onto.astype(np.float64), smoothing=noise)
    return Map(spline(_nodes().reshape(-1, 2)).reshape(GRID, GRID, 2).astype(np.float32))


def affine_from_landmarks(points: Floats, onto: Floats, certain: Bools) -> Map:
    """As ``from_landmarks``, by the affine map with the least squared error."""
    weights = 1 / np.sqrt(_uncertainty(certain))[:, None]
    design = np.column_stack([points, np.ones(len(points))])
    solved, *_ = np.linalg.lstsq(design * weights, onto * weights, rcond=None)
    return Map((_nodes() @ solved[:2] + solved[2]).astype(np.float32))


def _uncertainty(certain: Bools) -> Doubles:
    uncertainty = np.where(certain, 1.0, HIDDEN_FACTOR)
    uncertainty[[n for n in range(17) if n != CHIN]] *= JAW_FACTOR
    return uncertainty


def _nodes() -> Doubles:
    along = np.linspace(0, 1, GRID)
    return np.stack(np.meshgrid(along, along), axis=-1)


def _refine(start: Map, target: Floats, source: Floats, weight: Floats, known: Floats) -> tuple[Map, float]:
    """``start`` with the affine map that brings both pictures closest, unless it gains little; and its error."""
    refined = start
    for size in SIDES:
        pictures = [_resized(picture, size) for picture in (target, source, weight, known)]
        alignment = _Alignment(start, *pictures)
        refined = Map(start.nodes, alignment.solve(refined.affine))
        if size >= EARLY_STOP_SIDE and alignment.error(refined.affine) > MAX_FINE_ERROR:
            break  # the pictures differ too much for a finer alignment
    before, after = alignment.error(start.affine), alignment.error(refined.affine)
    return (refined, after) if after < MIN_GAIN * before else (start, before)


class _Alignment:
    """Gauss-Newton at one size; arguments as for ``_refine``."""

    def __init__(self, start: Map, target: Floats, source: Floats, weight: Floats, known: Floats) -> None:
        size = len(target)
        self.size, self.valid = size, weight > 0
        self.offsets, self.base = centres(size) - np.float32(0.5), Map(start.nodes).grid(size)
        self.target, self.weight = target[self.valid], weight[self.valid]
        ones = np.ones((len(self.target), 1), np.float32)
        self.x = np.concatenate([self.offsets[self.valid], ones], axis=1)
        down, across = (np.asarray(slope, np.float32) for slope in np.gradient(source * size))
        self.source = np.stack([source, across, down, known], axis=-1)
        self.information = (SIDES[-1] / size) ** 2 / (CORRELATED_PIXELS * HUBER**2)  # of one pixel

    def solve(self, start: Doubles) -> Doubles:
        """The best affine map (3, 2), from ``start`` on; ``start`` itself where too few pixels are known."""
        affine = start
        prior = np.array([1 / LINEAR_DEVIATION, 1 / LINEAR_DEVIATION, 1 / SHIFT_DEVIATION] * 2) ** 2
        for _ in range(MAX_ITERATIONS):
            source, across, down, weight = self._sample_source(affine)
            if weight.sum() * (SIDES[-1] / self.size) ** 2 < MIN_KNOWN_PIXELS:
                return start
            gain, offset = _fit_line(source, self.target, weight)
            error = np.asarray(self.target - gain * source - offset, np.float32)
            huber = np.minimum(1, HUBER / np.maximum(np.abs(error), 1e-6), dtype=np.float32)
            robust = (weight * huber * self.information)[:, None]
            slopes = np.column_stack(
                [gain * across[:, None] * self.x, gain * down[:, None] * self.x, source, np.ones_like(source)]
            )
            normal = (slopes.T @ (slopes * robust)).astype(np.float64)
            normal[np.diag_indices(8)] += np.concatenate([prior, [1e-3, 1e-3]])
            right = (slopes * robust).T @ error - np.concatenate([prior * affine.T.ravel(), [0, 0]])
            step = np.linalg.solve(normal, right)[:6].reshape(2, 3).T
            affine = affine + step
            if np.abs(step).max() * self.size < MIN_STEP:
                break
        return affine

    def error(self, affine: Doubles) -> float:
        """Mean of Huber's loss, in units of HUBER squared."""
        source, _, _, weight = self._sample_source(affine)
        gain, offset = _fit_line(source, self.target, weight)
        residual = np.abs(self.target - gain * source - offset) / HUBER
        loss = np.where(residual < 1, residual**2 / 2, residual - 0.5)
        return float((weight * loss).sum() / max(float(weight.sum()), 1e-6))

    def _sample_source(self, affine: Doubles) -> tuple[Floats, ...]:
        """Brightness of the source, its slopes across and down, and weights, at the valid pixels."""
        at = (self.base + self.offsets @ affine[:2] + affine[2]).astype(np.float32) * self.size - np.float32(0.5)
        brightness, across, down, known = _sample(self.source, at)[self.valid].T
        return brightness, across, down, np.where(known > 0.99, self.weight, np.float32(0))


def _resized(picture: Floats, size: int) -> Floats:
    if len(picture) == size:
        return picture
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def _sample(picture: Floats, at: Floats) -> Floats:
    """A picture at pixel indices ``at`` (h, w, 2), by linear interpolation."""
    return np.asarray(cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _fit_line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Gain and offset of the weighted least squares line y = gain x + offset."""
    total = max(float(weight.sum()), 1e-9)
    mean_x, mean_y = float(weight @ x) / total, float(weight @ y) / total
    spread = float(weight @ (x - mean_x) ** 2)
    gain = float(weight @ ((x - mean_x) * (y - mean_y))) / max(spread, 1e-9)
    return gain, mean_y - gain * mean_x
