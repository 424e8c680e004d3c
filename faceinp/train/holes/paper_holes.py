"""The papers' holes: irregular strokes and blocks, as in the partial-convolution paper (Liu et al. 2018), and shapes.

The shapes are those that hide faces: halves and quarters of the picture or of the face, the eyes, the lower face, what
a protective mask covers. They are those of ``mask.presets``, moved and grown a little at random, so that training
sees more than the few that are measured.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceinp.photo.arrays import direction
from faceinp.train.holes import shapes

STROKES, SEGMENTS = 10, 4  # at most that many strokes of that many segments
BLOCKS = 6
GROWTH = (0.03, 0.07)  # of hulls; the presets grow by .05
SHIFT = 0.04  # of splits, each way
GRID = 48

_PICTURE: tuple[int, ...] = ()
_FACE = tuple(range(68))
_GLASSES = (*range(17, 27), *range(36, 48))
_NOSE_AND_MOUTH = (*range(28, 36), *range(48, 68))
_PROTECTIVE = (*range(2, 15), 28)
_BRIDGE = (27, 28, 29, 30)
_UNDER_EYES = (30, 36, 39, 42, 45)


@dataclass(frozen=True)
class Shape:
    """Part of the hull of some of the 68 points (of the picture, when none): left (-1), all (0) or right (1) of a
    column, above (-1), all (0) or below (1) a row, which is the mean height of the points ``row``.
    """

    share: float
    points: tuple[int, ...]
    across: int = 0
    down: int = 0
    row: tuple[int, ...] = _UNDER_EYES


SHAPES = (
    *(Shape(0.050, _PICTURE, across) for across in (-1, 1)),
    *(Shape(0.010, _PICTURE, 0, down) for down in (-1, 1)),
    *(Shape(0.030, _PICTURE, across, down) for across in (-1, 1) for down in (-1, 1)),
    *(Shape(0.040, _FACE, across) for across in (-1, 1)),
    *(Shape(0.020, _FACE, across, down) for across in (-1, 1) for down in (-1, 1)),
    Shape(0.040, _FACE, 0, -1, _BRIDGE),
    Shape(0.025, _GLASSES),
    Shape(0.040, _FACE, 0, 1, _BRIDGE),
    Shape(0.040, _PROTECTIVE),
    Shape(0.025, _NOSE_AND_MOUTH),
    Shape(0.040, _FACE),
)


def strokes(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """bool (n, side, side): polylines that wander over the picture, drawn by a round brush."""
    count = len(points)
    turns = rng.uniform(-1.2, 1.2, (count, STROKES, SEGMENTS)).cumsum(2) + rng.uniform(0, 7, (count, STROKES, 1))
    steps = rng.uniform(0.05, 0.3, turns.shape)[..., None] * direction(turns)
    start = rng.uniform(0, 1, (count, STROKES, 1, 2)) + np.concatenate(
        [np.zeros_like(steps[:, :, :1]), steps.cumsum(2)[:, :, :-1]], axis=2
    )
    radius = np.broadcast_to(rng.uniform(0.02, 0.07, (count, STROKES, 1)), turns.shape).copy()
    radius[np.arange(STROKES) >= rng.integers(1, STROKES + 1, (count, 1))] = shapes.UNUSED
    a, b, r = (shapes.to_device(v, points).flatten(1, 2) for v in (start, start + steps, radius))
    return shapes.capsules(a, b, r, side, GRID)


def blocks(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """bool (n, side, side): one to BLOCKS upright rectangles anywhere."""
    size = rng.uniform(0.1, 0.4, (len(points), BLOCKS, 2))
    size[np.arange(BLOCKS) >= rng.integers(1, BLOCKS + 1, (len(points), 1))] = 0
    start = rng.uniform(0, 1, size.shape) * (1 - size)
    return shapes.blocks(shapes.to_device(np.stack([start, start + size], axis=2), points), side)


def centre(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """bool (n, side, side): the centre square, about half as wide as the picture."""
    middle = 0.5 + rng.uniform(-SHIFT, SHIFT, (len(points), 1, 2))
    half = 0.25 + rng.uniform(-SHIFT, SHIFT, (len(points), 1, 2)) / 2
    return shapes.blocks(shapes.to_device(np.stack([middle - half, middle + half], axis=2), points), side)


def parts(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """bool (n, side, side): one of SHAPES each."""
    weights = np.array([shape.share for shape in SHAPES])
    drawn = [SHAPES[number] for number in rng.choice(len(SHAPES), len(points), p=weights / weights.sum())]
    part = np.array([[i in shape.points for i in range(68)] for shape in drawn])
    rows = np.array([[(i in shape.row) / len(shape.row) for i in range(68)] for shape in drawn])
    grown = np.where(part.any(1), rng.uniform(*GROWTH, len(drawn)), np.inf)
    moved = rng.uniform(-SHIFT, SHIFT, (len(drawn), 2))
    sides = np.array([(shape.across, shape.down) for shape in drawn])

    def there(array: NDArray[Any]) -> Tensor:
        return shapes.to_device(array, points)

    counts = there(part).bool()
    of_face = counts.any(1, keepdim=True) & points.isfinite().all(2).all(1, keepdim=True)
    face = points.nan_to_num(0)
    inside = shapes.hulls(face, counts, there(grown), side) | ~of_face[..., None]
    split = torch.stack([face[:, list(_BRIDGE), 0].mean(1), (face[..., 1] * there(rows)).sum(1)], dim=1)
    split = torch.where(of_face, split, 0.5) + there(moved)
    ticks = shapes.centres(side, points)
    across, down = ((ticks - split[:, i, None]) * there(sides)[:, i, None] >= 0 for i in (0, 1))
    return inside & across[:, None, :] & down[:, :, None]
