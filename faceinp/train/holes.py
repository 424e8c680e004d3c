"""Holes for training, drawn for a whole batch at once, on the device its landmarks are on.

A hole is irregular strokes or blocks, as in the partial-convolution paper (Liu et al. 2018), or one of the shapes that
hide faces: halves and quarters of the picture or of the face, the eyes, the lower face, what a protective mask covers.
The shapes are those of ``faceinp.presets``, moved and grown a little at random, so that training sees more than the
few that are measured. Sides and distances are shares of the picture's side.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

STROKES_SHARE = 0.25
BLOCKS_SHARE = 0.08
CENTRE_SHARE = 0.05
UNION_SHARE = 0.15  # of the holes get a second one drawn over them
SMALLEST, LARGEST = 0.002, 0.85  # what is outside becomes the centre square

STROKES, SEGMENTS = 10, 4  # at most that many strokes of that many segments
BLOCKS = 6
GROWTH = (0.03, 0.07)  # of hulls; the presets grow by .05
SHIFT = 0.04  # of splits, each way

_GRID = 48  # strokes are measured at so many points a side, and interpolated
_DIRECTIONS = 96  # half-planes that bound one side of a hull

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


def draw(points: Tensor, side: int, *, seed: tuple[int, ...]) -> Tensor:
    """bool (N, 1, side, side), True = hole, on the device of ``points``; every hole leaves some of its picture.

    points: float (N, 68, 2), x and y as shares of the side; where a picture's are NaN, faces' shapes are those of the
    whole picture. seed: all randomness; the shapes of a batch depend on it and on N alone.
    """
    rng = np.random.default_rng(seed)
    points, count = points.float(), len(points)
    # A layer a picture, and a second one for some.
    owner = np.concatenate([np.arange(count), np.flatnonzero(rng.random(count) < UNION_SHARE)])
    shares = np.array([STROKES_SHARE, BLOCKS_SHARE, CENTRE_SHARE, *(shape.share for shape in SHAPES)])
    kind = rng.choice(len(shares), size=len(owner), p=shares / shares.sum()) - 3
    hole = points.new_zeros((count, side, side), dtype=torch.bool)
    for wanted, layers in (
        (kind == -3, lambda n: _strokes(n, side, points.device, rng)),
        (kind == -2, lambda n: _blocks(_corners(n, rng), side, points.device)),
        (kind == -1, lambda n: _blocks(_centres(n, rng), side, points.device)),
        (kind >= 0, lambda n: _shapes(points, owner[kind >= 0], kind[kind >= 0], side, rng)),
    ):
        at = np.flatnonzero(wanted)
        if at.size:
            drawn = layers(at.size)
            # Owners of first layers are all different, and so are those of second ones; first ones come first.
            firsts = int(np.count_nonzero(at < count))
            for part in (slice(firsts), slice(firsts, None)):
                index = torch.from_numpy(owner[at[part]]).to(points.device)
                hole[index] |= drawn[part]
    share = hole.float().mean((1, 2), keepdim=True)
    centre = _blocks(np.full((1, 1, 2, 2), [[0.25, 0.25], [0.75, 0.75]]), side, points.device)
    return torch.where((share < SMALLEST) | (share > LARGEST), centre, hole)[:, None]


def _shapes(
    points: Tensor, owner: NDArray[np.intp], kind: NDArray[np.int64], side: int, rng: np.random.Generator
) -> Tensor:
    """bool (n, side, side): the SHAPES numbered ``kind`` on the faces numbered ``owner``."""
    shapes = [SHAPES[number] for number in kind]
    part = np.array([[i in shape.points for i in range(68)] for shape in shapes])
    rows = np.array([[(i in shape.row) / len(shape.row) for i in range(68)] for shape in shapes])
    grown = np.where(part.any(1), rng.uniform(*GROWTH, len(shapes)), np.inf)
    moved = rng.uniform(-SHIFT, SHIFT, (len(shapes), 2))
    sides = np.array([(shape.across, shape.down) for shape in shapes])

    def there(array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(points.device, points.dtype)

    face = points[torch.from_numpy(owner).to(points.device)]
    counts = there(part).bool()
    of_face = counts.any(1, keepdim=True) & face.isfinite().all(2).all(1, keepdim=True)
    centres = (torch.arange(side, device=points.device, dtype=points.dtype) + 0.5) / side
    left, right = _hull(face.nan_to_num(0), counts, there(grown), centres)
    inside = (centres >= left[..., None]) & (centres <= right[..., None]) | ~of_face[..., None]
    split = torch.stack([face[:, list(_BRIDGE), 0].mean(1), (face[..., 1] * there(rows)).sum(1)], dim=1)
    split = torch.where(of_face, split, 0.5) + there(moved)
    across, down = ((centres - split[:, i, None]) * there(sides)[:, i, None] >= 0 for i in (0, 1))
    return inside & across[:, None, :] & down[:, :, None]


def _hull(points: Tensor, part: Tensor, grown: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where each row enters and leaves the convex hull of some points, dilated by a disc: two tensors (n, rows).

    points: (n, 68, 2). part: bool (n, 68), the points that count. grown: (n), the disc's radius.
    The dilated hull is the intersection of the half-planes x cos a + y sin a <= h(a) + grown, h(a) the greatest value
    that any point has; those with cos a > 0 bound it on the right, their mirror images on the left.
    """
    angle = (torch.arange(_DIRECTIONS, device=points.device, dtype=points.dtype) + 0.5) / _DIRECTIONS * math.pi
    cos, sin = angle.sin(), -angle.cos()  # from straight up over right to straight down; never quite vertical
    edges = []
    for sign in (-1, 1):
        along = points @ torch.stack([sign * cos, sin])
        reach = along.masked_fill(~part[..., None], -math.inf).amax(1) + grown[:, None]
        edges.append(((reach[:, :, None] - sin[:, None] * rows) / cos[:, None]).amin(1) * sign)
    return edges[0], edges[1]


def _strokes(count: int, side: int, device: torch.device, rng: np.random.Generator) -> Tensor:
    """bool (count, side, side): polylines that wander over the picture, drawn by a round brush."""
    turns = rng.uniform(-1.2, 1.2, (count, STROKES, SEGMENTS)).cumsum(2) + rng.uniform(0, 7, (count, STROKES, 1))
    steps = rng.uniform(0.05, 0.3, turns.shape)[..., None] * np.stack([np.cos(turns), np.sin(turns)], -1)
    start = rng.uniform(0, 1, (count, STROKES, 1, 2)) + np.concatenate(
        [np.zeros_like(steps[:, :, :1]), steps.cumsum(2)[:, :, :-1]], axis=2
    )
    radius = np.broadcast_to(rng.uniform(0.02, 0.07, (count, STROKES, 1)), turns.shape).copy()
    unused = np.arange(STROKES) >= rng.integers(1, STROKES + 1, (count, 1))
    radius[unused] = -9  # farther than any pixel
    a, d, r = (torch.from_numpy(v.astype(np.float32)).to(device).flatten(1, 2) for v in (start, steps, radius))
    ticks = (torch.arange(_GRID, device=device) + 0.5) / _GRID
    y, x = (v.flatten() for v in torch.meshgrid(ticks, ticks, indexing="ij"))
    grid = torch.stack([x, y, torch.ones_like(x), x * x + y * y])
    # The distance from p to a segment is that to a + t d, t = (p - a) d / d d, clipped to [0, 1]. Few large tensors,
    # changed in place: on a processor making them costs more than the arithmetic.
    dot, length, zero = (a * d).sum(-1, keepdim=True), (d * d).sum(-1, keepdim=True), torch.zeros_like(a[..., :1])
    projection = torch.cat([d, -dot, zero], -1) @ grid
    squared = torch.cat([-2 * a, (a * a).sum(-1, keepdim=True), zero + 1], -1) @ grid
    t = (projection / length).clamp_(0, 1)
    squared.addcmul_(t, projection.mul_(-2).addcmul_(t, length))
    distance = squared.clamp_min_(0).sqrt_().sub_(r[..., None])
    nearest = distance.amin(1).view(count, 1, _GRID, _GRID)
    return F.interpolate(nearest, (side, side), mode="bilinear")[:, 0] <= 0


def _corners(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, BLOCKS, 2, 2): top left and bottom right corner of one to BLOCKS blocks; the others are empty."""
    size = rng.uniform(0.1, 0.4, (count, BLOCKS, 2))
    size[np.arange(BLOCKS) >= rng.integers(1, BLOCKS + 1, (count, 1))] = 0
    start = rng.uniform(0, 1, size.shape) * (1 - size)
    return np.stack([start, start + size], axis=2)


def _centres(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, 1, 2, 2): the centre square, about half as wide as the picture."""
    middle = 0.5 + rng.uniform(-SHIFT, SHIFT, (count, 1, 2))
    half = 0.25 + rng.uniform(-SHIFT, SHIFT, (count, 1, 2)) / 2
    return np.stack([middle - half, middle + half], axis=2)


def _blocks(corners: NDArray[np.float64], side: int, device: torch.device) -> Tensor:
    """bool (n, side, side): what any of the rectangles ``corners`` (n, K, 2, 2) holds."""
    start, end = torch.from_numpy(corners.astype(np.float32)).to(device)[..., None].unbind(2)
    ticks = (torch.arange(side, device=device) + 0.5) / side
    within = ((ticks >= start) & (ticks < end)).float()  # (n, K, 2, side)
    return (within[:, :, 1].transpose(1, 2) @ within[:, :, 0]) > 0
