"""Shapes for a whole batch of holes, drawn on the device their numbers are on: hulls, blocks, capsules, ovals.

Coordinates are x and y as shares of the picture's side; pixel centres lie at (i + .5) / side.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

DIRECTIONS = 96  # half-planes that bound one side of a hull
WAVES = 7  # of a wobbled outline along each side
UNUSED = -9.0  # the radius of a capsule that is not drawn: farther than any pixel


def to_device(array: NDArray[np.floating], like: Tensor) -> Tensor:
    """``array`` as floats on the device of ``like``."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.device, like.dtype)


def centres(side: int, like: Tensor) -> Tensor:
    """(side,): the pixel centres of a row or a column."""
    return (torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side


def hulls(points: Tensor, part: Tensor, grown: Tensor, side: int) -> Tensor:
    """bool (n, side, side): the convex hulls of some points, dilated by a disc.

    points: (n, K, 2). part: bool (n, K), the points that count. grown: (n,), the disc's radius.
    The dilated hull is the intersection of the half-planes x cos a + y sin a <= h(a) + grown, h(a) the greatest value
    that any point has; those with cos a > 0 bound it on the right, their mirror images on the left.
    """
    angle = (torch.arange(DIRECTIONS, device=points.device, dtype=points.dtype) + 0.5) / DIRECTIONS * math.pi
    cos, sin = angle.sin(), -angle.cos()  # from straight up over right to straight down; never quite vertical
    positions = centres(side, points)
    edges = []
    for sign in (-1, 1):
        along = points @ torch.stack([sign * cos, sin])
        reach = along.masked_fill(~part[..., None], -math.inf).amax(1) + grown[:, None]
        edges.append(((reach[:, :, None] - sin[:, None] * positions) / cos[:, None]).amin(1)[..., None] * sign)
    return (positions >= edges[0]) & (positions <= edges[1])


def blocks(corners: Tensor, side: int) -> Tensor:
    """bool (n, side, side): what any of the upright rectangles ``corners`` (n, K, 2, 2), start and end, holds."""
    start, end = corners[..., None].unbind(2)
    ticks = centres(side, corners)
    within = ((ticks >= start) & (ticks < end)).float()  # (n, K, 2, side)
    return (within[:, :, 1].transpose(1, 2) @ within[:, :, 0]) > 0


def capsules(start: Tensor, end: Tensor, radius: Tensor, side: int, grid: int) -> Tensor:
    """bool (n, side, side): what a round brush covers that goes straight from each ``start`` to each ``end``.

    start, end: (n, K, 2). radius: (n, K) or, at both ends, (n, K, 2). grid: distances are measured at so many points a
    side, and interpolated: a brush is not to be thinner than a step of it.
    """
    n = len(start)
    a, d = start, end - start
    first, last = (radius, radius) if radius.ndim == 2 else radius.unbind(2)
    ticks = centres(grid, start)
    y, x = (v.flatten() for v in torch.meshgrid(ticks, ticks, indexing="ij"))
    points = torch.stack([x, y, torch.ones_like(x), x * x + y * y])
    # The distance from p to a segment is that to a + t d, t = (p - a) d / d d, clipped to [0, 1]. Few large tensors,
    # changed in place: on a processor making them costs more than the arithmetic.
    dot, length, zero = (a * d).sum(-1, keepdim=True), (d * d).sum(-1, keepdim=True), torch.zeros_like(a[..., :1])
    projection = torch.cat([d, -dot, zero], -1) @ points
    squared = torch.cat([-2 * a, (a * a).sum(-1, keepdim=True), zero + 1], -1) @ points
    t = (projection / length.clamp(min=1e-12)).clamp_(0, 1)
    squared.addcmul_(t, projection.mul_(-2).addcmul_(t, length))
    distance = squared.clamp_min_(0).sqrt_().sub_(first[..., None])
    if radius.ndim == 3:
        distance.addcmul_(t, (first - last)[..., None])
    nearest = distance.amin(1).view(n, 1, grid, grid)
    if grid != side:
        nearest = functional.interpolate(nearest, (side, side), mode="bilinear", antialias=grid > side)
    return nearest[:, 0] <= 0


def ovals(centre: Tensor, axes: Tensor, power: Tensor, side: int, rim: Tensor | None = None) -> Tensor:
    """bool (n, side, side): what any of K superellipses |x|^p + |y|^p <= 1 holds: ellipses at p = 2, boxes at p = 12.

    centre: (n, K, 2). axes: (n, K, 2, 2), the vectors from the centre to the two ends (..., 0, :) and (..., 1, :), at
    right angles to each other.
    power: (n,). rim: (n,), in shares of the half axes: with less than 1 only what lies so near to the outline.
    """
    ticks = centres(side, centre)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    inverse = axes / (axes**2).sum(-1, keepdim=True)  # a pixel in shares of the axes
    inside = torch.zeros((len(centre), side, side), dtype=torch.bool, device=centre.device)
    for k in range(centre.shape[1]):
        across, down = (
            (inverse[:, k, i, :1, None] * (x - centre[:, k, :1, None])
             + inverse[:, k, i, 1:, None] * (y - centre[:, k, 1:, None])).abs()
            for i in (0, 1)
        )  # fmt: skip
        p = power[:, None, None]
        # The norm with the larger of the two taken out: no power of it overflows.
        larger = torch.maximum(across, down).clamp(min=1e-6)
        value = larger * ((across / larger) ** p + (down / larger) ** p) ** (1 / p)
        inside |= value <= 1 if rim is None else (value <= 1) & (value >= 1 - rim[:, None, None])
    return inside


def wobbled(hole: Tensor, amplitude: Tensor, rng: np.random.Generator) -> Tensor:
    """bool (n, S, S) with uneven outlines: each pixel shows what lies up to about ``amplitude`` (n,) beside it."""
    n, side, _ = hole.shape
    noise = torch.from_numpy(rng.normal(0, 1, (n, 2, WAVES, WAVES)).astype(np.float32)).to(hole.device)
    noise = functional.interpolate(noise, (side, side), mode="bicubic", align_corners=False)
    ticks = centres(side, noise)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    grid = 2 * (torch.stack([x, y]) + noise * amplitude.float()[:, None, None, None]) - 1
    moved = functional.grid_sample(
        hole[:, None].float(), grid.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )
    return moved[:, 0] > 0.5


def halved(hole: Tensor, direction: Tensor, offset: Tensor) -> Tensor:
    """bool (n, S, S): the part of each hole on one side of a line near its middle.

    direction: (n, 2), the unit vector to the side that stays. offset: (n,), how far the line lies from the middle.
    """
    ticks = centres(hole.shape[-1], direction)
    weight = hole.to(direction.dtype)
    total = weight.sum((1, 2)).clamp(min=1)
    middle = torch.stack([(weight.sum(1) @ ticks) / total, (weight.sum(2) @ ticks) / total], dim=1)
    reach = (middle * direction).sum(1) + offset
    along = ticks * direction[:, 0, None], ticks * direction[:, 1, None]
    return hole & (along[0][:, None, :] + along[1][:, :, None] >= reach[:, None, None])
