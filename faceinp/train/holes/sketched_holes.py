"""Holes as people draw them: over a feature, a stroke, a lock of hair, a hand, glasses, scratches; and real damage.

Most are drawn in the face's own frame: from the middle between the eyes, to the right and down, in distances between
the eyes. In it the eyes lie at (-.5, 0) and (.5, 0), the mouth near (0, 1.1), the chin near (0, 1.8), the ears near
(-1.1, .2) and (1.1, .2). All functions return bool (n, side, side) for points (n, 68, 2), all of them finite.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faceinp.photo.arrays import direction
from faceinp.train.augmentation import degradation
from faceinp.train.holes import shapes

Floats = NDArray[np.floating]

_EYES = (range(36, 42), range(42, 48))
_BROWS = (range(17, 22), range(22, 27))
_MOUTH, _CHIN = range(48, 60), range(6, 11)
FEATURES: tuple[tuple[float, tuple[int, ...]], ...] = (  # how often, and whose hull
    *((2.0, tuple(eye)) for eye in _EYES),
    *((1.5, (*brow, *eye)) for brow, eye in zip(_BROWS, _EYES, strict=True)),
    (3.0, (*_EYES[0], *_EYES[1])),
    (1.0, (*_BROWS[0], *_BROWS[1], *_EYES[0], *_EYES[1])),
    (2.0, tuple(range(27, 36))),
    (3.0, tuple(_MOUTH)),
    (1.5, (*_MOUTH, *_CHIN)),
    (1.0, (*range(31, 36), *_MOUTH)),
    *((0.7, cheek) for cheek in ((1, 2, 3, 4, 31, 41, 48), (12, 13, 14, 15, 35, 46, 54))),
    *((0.7, tuple(brow)) for brow in _BROWS),
)
GROWTH = (0.01, 0.08)  # of a feature's hull
COARSE = 64  # points a side at which wide brushes are measured
FINE = 160  # and thin ones
THINNEST = 0.0035  # radius; half a step of FINE


@dataclass(frozen=True)
class Frame:
    """origin: (n, 2), between the eyes. axes: (n, 2, 2), the vectors to the right and down, as long as the eyes are
    apart.
    """

    origin: Tensor
    axes: Tensor

    @classmethod
    def of(cls, points: Tensor) -> "Frame":
        left, right = (points[:, list(eye)].mean(1) for eye in _EYES)
        across = right - left
        # A face seen from the side has its eyes close together: the height of its nose and mouth bounds the unit.
        length = across.norm(dim=1, keepdim=True)
        tall = (points[:, 48:60].mean(1) - (left + right) / 2).norm(dim=1, keepdim=True) / 1.1
        level = torch.tensor([1.0, 0.0], device=points.device, dtype=points.dtype)  # of a face without eyes
        direction = torch.where(length > 1e-3, across / length.clamp(min=1e-3), level)
        across = direction * torch.maximum(length, 0.7 * tall).clamp(min=0.02)
        down = torch.stack([-across[:, 1], across[:, 0]], dim=1)
        return cls((left + right) / 2, torch.stack([across, down], dim=1))

    @property
    def unit(self) -> Tensor:
        """(n,): the distance between the eyes."""
        return self.axes[:, 0].norm(dim=1)

    def place(self, points: Tensor) -> Tensor:
        """Points (n, K, 2) of the frame, in the picture."""
        return self.origin[:, None] + points @ self.axes

    def locate(self, points: Tensor) -> Tensor:
        """Points (n, K, 2) of the picture, in the frame."""
        return (points - self.origin[:, None]) @ self.axes.transpose(1, 2) / self.unit[:, None, None] ** 2


def feature(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """The hull of a feature, grown."""
    part = _parts(len(points), rng)
    grown = shapes.to_device(rng.uniform(*GROWTH, len(points)), points)
    return shapes.hulls(points, torch.from_numpy(part).to(points.device), grown, side)


def oval(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """An ellipse laid over a feature."""
    return _over(points, side, rng, (2.0, 2.6))


def box(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A box laid over a feature, a little turned."""
    return _over(points, side, rng, (8.0, 14.0))


def _over(points: Tensor, side: int, rng: np.random.Generator, powers: tuple[float, float]) -> Tensor:
    n = len(points)
    frame = Frame.of(points)
    middle, half = _bounds(frame, points, rng)
    half = half * shapes.to_device(rng.uniform(0.9, 1.5, (n, 2)), points) + shapes.to_device(
        rng.uniform(0.05, 0.3, (n, 2)), points
    )
    middle = middle + half * shapes.to_device(rng.normal(0, 0.2, (n, 2)), points)
    turn = rng.normal(0, 0.2, n)
    cos, sin = np.cos(turn), np.sin(turn)
    axes = shapes.to_device(np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1), points)
    axes = (axes * half[:, :, None]) @ frame.axes
    power = shapes.to_device(rng.uniform(*powers, n), points)
    return shapes.ovals(frame.place(middle[:, None]), axes[:, None], power, side)


def stroke(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """One to three free strokes that start on the face."""
    n, strokes, segments = len(points), 3, 6
    turns = rng.uniform(-0.9, 0.9, (n, strokes, segments)).cumsum(2) + rng.uniform(0, 7, (n, strokes, 1))
    steps = rng.uniform(0.1, 0.5, turns.shape)[..., None] * direction(turns)
    steps[np.arange(segments) >= rng.integers(1, segments + 1, (n, strokes, 1))] = 0
    radius = np.broadcast_to(rng.uniform(0.05, 0.3, (n, strokes, 1)), turns.shape).copy()
    radius[np.arange(strokes) >= rng.choice([1, 1, 2, 3], (n, 1))] = shapes.UNUSED
    frame = Frame.of(points)
    chosen = torch.from_numpy(rng.integers(68, size=(n, strokes))).to(points.device)
    start = points[torch.arange(n, device=points.device)[:, None], chosen]
    start = frame.locate(start) + shapes.to_device(rng.normal(0, 0.15, (n, strokes, 2)), points)
    ends = start[:, :, None] + shapes.to_device(steps.cumsum(2), points)
    corners = torch.cat([start[:, :, None], ends], dim=2)
    return _brush(frame, corners, shapes.to_device(radius, points), side)


def scribble(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A feature scribbled over, to and fro."""
    n, corners = len(points), 12
    frame = Frame.of(points)
    middle, half = _bounds(frame, points, rng)
    half = half + shapes.to_device(rng.uniform(0.05, 0.35, (n, 2)), points)
    along = np.linspace(-1, 1, corners) + rng.normal(0, 0.1, (n, corners))
    across = np.where(np.arange(corners) % 2, 1, -1) * rng.uniform(0.6, 1.1, (n, corners))
    path = np.stack([across, along], -1)
    path = np.where(rng.random((n, 1, 1)) < 0.5, path, path[..., ::-1])
    placed = middle[:, None] + half[:, None] * shapes.to_device(path, points)
    radius = np.broadcast_to(rng.uniform(0.05, 0.18, (n, 1, 1)), (n, 1, corners - 1))
    return _brush(frame, placed[:, None], shapes.to_device(radius, points), side)


def lock(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A lock of hair: some strands that fall from above or from a side across the face, thinner towards their ends."""
    n, strands, segments = len(points), 6, 6
    side_on = rng.random(n) < 0.35
    root = np.where(
        side_on[:, None],
        np.stack([rng.choice([-1.4, 1.4], n), rng.uniform(-1.2, 0.5, n)], -1),
        np.stack([rng.uniform(-1.2, 1.2, n), rng.uniform(-1.9, -1.0, n)], -1),
    )
    target = np.stack([rng.uniform(-0.9, 0.9, n), rng.uniform(0.0, 1.6, n)], -1)
    heading = np.arctan2(*(target - root).T[::-1])[:, None, None] + rng.normal(0, 0.15, (n, strands, 1))
    bend = rng.normal(0, 0.12, (n, 1, 1)) + rng.normal(0, 0.04, (n, strands, segments))
    angle = heading + bend.cumsum(2)
    length = rng.uniform(1.0, 3.0, (n, 1, 1)) * rng.uniform(0.6, 1.0, (n, strands, 1)) / segments
    steps = length[..., None] * direction(angle)
    start = root[:, None] + rng.normal(0, 0.12, (n, strands, 2))
    corners = np.concatenate([start[:, :, None], start[:, :, None] + steps.cumsum(2)], axis=2)
    thickness = rng.uniform(0.03, 0.16, (n, strands, 1)) * (1 - 0.75 * np.arange(segments + 1) / segments)
    thickness[np.arange(strands) >= rng.integers(1, strands + 1, (n, 1))] = shapes.UNUSED
    radius = np.stack([thickness[..., :-1], thickness[..., 1:]], -1)
    frame = Frame.of(points)
    return _brush(frame, shapes.to_device(corners, points), shapes.to_device(radius, points), side, fine=True)


def hand(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A hand with one to five fingers that comes from any side, mostly from below, and reaches for a landmark."""
    n, fingers = len(points), 4
    frame = Frame.of(points)
    chosen = torch.from_numpy(rng.integers(17, 68, n)).to(points.device)
    target = frame.locate(points[torch.arange(n, device=points.device), chosen][:, None])
    heading = rng.normal(-np.pi / 2, 1.1, n)  # upwards: the hand comes from below
    mirrored = rng.choice([-1.0, 1.0], n)
    size = rng.uniform(0.8, 1.2, n)

    # In the hand's frame: x along the fingers, y to the thumb; the knuckles at x = 0, a palm of 1.3 by 1.3.
    def straight(x: Floats, y: Floats) -> Floats:
        return np.stack(np.broadcast_arrays(x, y), -1)

    zero = np.zeros(n)
    spread = rng.uniform(0.02, 0.22, n)
    curl = rng.uniform(0.35, 1.0, (n, fingers))
    at = np.linspace(-0.45, 0.45, fingers)
    starts, ends, radii = list[Floats](), list[Floats](), list[Floats]()
    for k in range(fingers):
        angle = spread * (k - 1.5) + rng.normal(0, 0.04, n)
        reach = (1.05, 1.2, 1.15, 0.9)[k] * curl[:, k]
        raised = rng.random(n) < 0.85
        knuckle = straight(zero - 0.1, zero + at[k])
        starts.append(knuckle)
        ends.append(knuckle + reach[:, None] * direction(angle))
        radii.append(np.where(raised, rng.uniform(0.13, 0.17, n), shapes.UNUSED))
    for y in (-0.25, 0.0, 0.25):  # palm
        starts.append(straight(zero - 1.0, zero + 0.8 * y))
        ends.append(straight(zero - 0.2, zero + y))
        radii.append(zero + 0.4)
    angle, thumb = rng.uniform(0.4, 1.2, n), rng.random(n) < 0.8
    root = straight(zero - 0.9, zero + 0.4)
    starts.append(root)
    ends.append(root + rng.uniform(0.7, 1.1, n)[:, None] * direction(angle))
    radii.append(np.where(thumb, 0.17, shapes.UNUSED))
    bent = rng.normal(0, 0.3, n)  # the arm
    starts.append(straight(zero - 1.2, zero))
    ends.append(straight(zero - 6.0, 6.0 * np.tan(bent)))
    radii.append(zero + 0.42)

    cos, sin = np.cos(heading), np.sin(heading)
    turn = np.stack([np.stack([cos, sin], -1), mirrored[:, None] * np.stack([-sin, cos], -1)], 1) * size[:, None, None]
    depth = rng.uniform(-0.6, 1.2, n)  # how far behind the target the knuckles are
    origin = target[:, 0] - shapes.to_device(depth[:, None] * np.stack([cos, sin], -1), points)
    a, b = (frame.place(origin[:, None] + shapes.to_device(np.stack(ps, 1) @ turn, points)) for ps in (starts, ends))
    radius = np.stack(radii, 1)
    radius = np.where(radius > 0, radius * size[:, None], radius)
    return shapes.capsules(a, b, _scaled(shapes.to_device(radius, points), frame), side, COARSE)


def glasses(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """Glasses as worn: both lenses, bridge and temples; of three in ten the frame alone."""
    n = len(points)
    frame = Frame.of(points)
    eyes = torch.stack([points[:, list(eye)].mean(1) for eye in _EYES], 1)
    centre = frame.locate(eyes) + shapes.to_device(
        np.stack([rng.normal(0, 0.03, (n, 1)) * [-1, 1], np.repeat(rng.normal(0.05, 0.05, (n, 1)), 2, 1)], -1), points
    )
    width, height = rng.uniform(0.34, 0.52, n), rng.uniform(0.22, 0.46, n)
    half = shapes.to_device(np.stack([width, height], -1), points)
    axes = (torch.diag_embed(half) @ frame.axes)[:, None].expand(-1, 2, -1, -1)
    power = shapes.to_device(rng.uniform(2, 6, n), points)
    rims = rng.random(n) < 0.3
    rim = shapes.to_device(np.where(rims, rng.uniform(0.1, 0.25, n), 1.0), points)
    lenses = shapes.ovals(frame.place(centre), axes, power, side, rim)
    # Bridge and temples are fixed to the lenses a little above their middles.
    edge = half * shapes.to_device(np.array([1.0, -0.3]), points)
    mirrored = edge * shapes.to_device(np.array([-1.0, 1.0]), points)
    left, right = centre.unbind(1)
    ears = frame.locate(points[:, [0, 16]])
    a = torch.stack([left + edge, left + mirrored, right + edge], 1)
    b = torch.stack([right + mirrored, ears[:, 0], ears[:, 1]], 1)
    radius = shapes.to_device(np.repeat(rng.uniform(0.03, 0.08, (n, 1)), 3, 1), points)
    temples = shapes.capsules(frame.place(a), frame.place(b), _scaled(radius, frame), side, FINE)
    return lenses | temples


def protective_mask(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A protective mask as worn: over the nose or slipped below it, with straps to the ears."""
    n = len(points)
    slipped = rng.random(n) < 0.15
    part = np.zeros((n, 68), np.bool_)
    part[:, 3:14] = True
    part[~slipped, 2] = part[~slipped, 14] = True
    top = rng.choice([28, 29], n)
    part[np.arange(n), np.where(slipped, 33, top)] = True
    grown = shapes.to_device(rng.uniform(0.0, 0.04, n), points)
    cloth = shapes.hulls(points, torch.from_numpy(part).to(points.device), grown, side)
    frame = Frame.of(points)
    out = shapes.to_device(np.array([[-0.25, 0.0], [0.25, 0.0]]), points)
    ears = frame.place(frame.locate(points[:, [0, 16]]) + out)
    a = torch.cat([points[:, [2, 14]], points[:, [4, 12]]], 1)
    radius = np.repeat(rng.uniform(0.02, 0.05, (n, 1)), 4, 1)
    radius[rng.random(n) < 0.4] = shapes.UNUSED
    straps = shapes.capsules(
        a, torch.cat([ears, ears], 1), _scaled(shapes.to_device(radius, points), frame), side, FINE
    )
    return cloth | straps


def scratch(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """One to eight scratches, long and thin, anywhere on the picture."""
    n, scratches, segments = len(points), 8, 5
    angle = rng.uniform(0, 7, (n, scratches, 1)) + rng.normal(0, 0.12, (n, scratches, segments)).cumsum(2)
    length = rng.uniform(0.15, 1.3, (n, scratches, 1)) / segments
    steps = length[..., None] * direction(angle)
    start = rng.uniform(0, 1, (n, scratches, 1, 2)) - steps.sum(2, keepdims=True) / 2
    path = np.concatenate([start, start + steps.cumsum(2)], axis=2)
    radius = np.broadcast_to(
        np.exp(rng.uniform(np.log(THINNEST), np.log(0.016), (n, scratches, 1))), angle.shape
    ).copy()
    radius[np.arange(scratches) >= rng.integers(1, scratches + 1, (n, 1))] = shapes.UNUSED
    a, b, r = (shapes.to_device(v, points).flatten(1, 2) for v in (path[:, :, :-1], path[:, :, 1:], radius))
    return shapes.capsules(a, b, r, side, FINE)


def tear(points: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A tear or a fold: jagged, of uneven width, from one edge of the picture across the face."""
    n, segments = len(points), 12
    angle = rng.uniform(0, 2 * np.pi, n)
    edge = 0.5 + 0.75 * direction(angle)
    target = np.stack([rng.uniform(0.3, 0.7, n), rng.uniform(0.3, 0.8, n)], -1)
    along = np.linspace(0, 1, segments + 1)[:, None] * rng.uniform(0.7, 2.0, (n, 1, 1))
    path = edge[:, None] + along * (target - edge)[:, None]
    path += rng.normal(0, 0.02, path.shape)
    radius = rng.uniform(0.004, 0.02, (n, 1)) * np.exp(rng.normal(0, 0.5, (n, segments + 1)))
    radius = np.maximum(radius, THINNEST)
    radius = np.stack([radius[:, :-1], radius[:, 1:]], -1)
    a, b, r = (shapes.to_device(v, points) for v in (path[:, :-1], path[:, 1:], radius))
    return shapes.capsules(a, b, r, side, FINE)


def real_damage(points: Tensor, side: int, rng: np.random.Generator, masks: Tensor) -> Tensor:
    """Damage of real photos, covered with some margin. masks: those of ``damage.load`` at ``side``."""
    alpha = degradation.choose(masks.to(points.device), len(points), rng)
    margin = 2 * round(side * 0.004) + 1
    return functional.max_pool2d(alpha, margin, 1, margin // 2)[:, 0] > 0.3


def _parts(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """bool (n, 68): the points of one of FEATURES each."""
    weights = np.array([weight for weight, _ in FEATURES])
    table = np.array([[i in points for i in range(68)] for _, points in FEATURES])
    return table[rng.choice(len(FEATURES), n, p=weights / weights.sum())]


def _bounds(frame: Frame, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Middle and half size (n, 2) of one of FEATURES each, in the face's frame."""
    part = torch.from_numpy(_parts(len(points), rng)).to(points.device)[..., None]
    located = frame.locate(points)
    low, high = located.masked_fill(~part, 9.0).amin(1), located.masked_fill(~part, -9.0).amax(1)
    return (low + high) / 2, (high - low) / 2


def _brush(frame: Frame, corners: Tensor, radius: Tensor, side: int, *, fine: bool = False) -> Tensor:
    """Polylines: corners (n, L, K + 1, 2) and radius (n, L, K) or (n, L, K, 2), all in the face's frame."""
    placed = frame.place(corners.flatten(1, 2)).unflatten(1, corners.shape[1:3])
    a, b = placed[:, :, :-1].flatten(1, 2), placed[:, :, 1:].flatten(1, 2)
    return shapes.capsules(a, b, _scaled(radius.flatten(1, 2), frame), side, FINE if fine else COARSE)


def _scaled(radius: Tensor, frame: Frame) -> Tensor:
    """A radius (n, ...) of the face's frame, in the picture; an unused one stays one."""
    scaled = (radius * frame.unit.view(-1, *[1] * (radius.ndim - 1))).clamp(min=THINNEST)
    return torch.where(radius < 0, shapes.UNUSED, scaled)
