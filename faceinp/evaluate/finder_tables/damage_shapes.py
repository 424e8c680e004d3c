"""Curves and areas of drawn damage, to measure damage finders."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import Floats, direction

Points = NDArray[np.float64]  # (N, 2), x and y in pixels
Size = tuple[int, int]  # height and width
Random = np.random.Generator

FINE = 4  # canvas pixels for a pixel of the photo


def noise(size: Size, grain: float, octaves: int, rng: Random) -> Floats:
    """(H, W), mean 0 and standard deviation 1: noise summed over octaves, the coarsest of ``grain`` pixels."""
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        cells = [max(2, round(side * 2**octave / grain) + 2) for side in size]
        values = rng.normal(0, 0.5**octave, cells).astype(np.float32)
        total += cv2.resize(values, size[::-1], interpolation=cv2.INTER_CUBIC)
    return (total - total.mean()) / max(float(total.std()), 1e-6)


def walk(size: Size, steps: int, turning: float, rng: Random) -> Points:
    """A walk of 1 pixel per step whose heading drifts. turning: typical change of heading, radians per pixel."""
    bend, bends = 0.0, []
    for _ in range(max(2, steps)):
        bend = 0.95 * bend + turning * rng.normal(0, 0.31)
        bends.append(bend)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bends)
    path = np.cumsum(direction(heading), axis=0)
    return path - path[len(path) // 2] + rng.uniform(0, 1, 2) * size[::-1]


def displaced(start: Points, end: Points, roughness: float, rng: Random) -> Points:
    """A path between two points: midpoints are displaced, by ``roughness`` times the length of their chord."""
    points = np.stack([start, end])
    while np.linalg.norm(points[1] - points[0]) > 3:
        chord = np.diff(points, axis=0)
        middle = (points[:-1] + points[1:]) / 2
        middle += roughness * rng.normal(0, 1, (len(chord), 1)) * chord[:, ::-1] * (1, -1)
        points = np.insert(points, np.arange(1, len(points)), middle, axis=0)
    return points


class Canvas:
    """Shapes drawn at FINE times the photo's size."""

    def __init__(self, size: Size, rng: Random) -> None:
        self.size, self._rng = size, rng
        self._fine = np.zeros((FINE * size[0], FINE * size[1]), np.uint8)

    def line(self, points: Points, width: float | Floats, opacity: float = 1.0, broken: float = 0.0) -> None:
        """width: pixels, for the whole line or for each point. broken: share of the line that random gaps remove."""
        widths = np.broadcast_to(np.asarray(width, float), len(points))
        fine = np.rint(points * FINE).astype(int)
        missing, run_length = False, 0.0
        for start, end, wide in zip(fine[:-1], fine[1:], widths[:-1], strict=True):
            if run_length <= 0:
                missing = bool(self._rng.random() < broken)
                run_length = self._rng.exponential(25)
            run_length -= np.hypot(*(end - start)) / FINE
            if not missing:
                thickness = max(1, round(FINE * float(wide)))
                cv2.line(self._fine, tuple(start.tolist()), tuple(end.tolist()), round(255 * opacity), thickness)

    def area(self, points: Points) -> None:
        """A filled polygon."""
        cv2.fillPoly(self._fine, [np.rint(points * FINE).astype(np.int32)], 255)

    @property
    def alpha(self) -> Floats:
        """float32 (H, W) in [0, 1]: the share of each pixel that is covered."""
        return np.asarray(cv2.resize(self._fine, self.size[::-1], interpolation=cv2.INTER_AREA) / np.float32(255))


def scale_of(size: Size) -> float:
    """Longer side of the photo relative to 768 pixels, for which lengths are given."""
    return max(size) / 768


def varied_widths(points: Points, width: float, rng: Random) -> Floats:
    """A width for each point, varying smoothly by half in either direction."""
    knots = rng.uniform(0.5, 1.5, max(2, len(points) // 20))
    positions = np.linspace(0, len(knots) - 1, len(points))
    return np.asarray(width * np.interp(positions, np.arange(len(knots)), knots), np.float32)


def strongest(size: Size, share: float, grain: float, octaves: int, rng: Random) -> NDArray[np.bool_]:
    """bool (H, W): where noise is strongest, ``share`` of the photo."""
    values = noise(size, grain, octaves, rng)
    return values > np.quantile(values, 1 - share)
