"""A face with something over it: glasses, a hand, a microphone, hair."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.mask import worn_occluders

from .drawing import (
    FRACTION,
    Altered,
    Floats,
    Pixels,
    at,
    curve,
    depth,
    ellipse,
    fixed,
    in_face,
    noise,
    occluded,
    polygon,
    sampled,
    soften,
    stroke,
    unit,
)


def sunglasses(pixels: Pixels, points: Floats) -> Altered:
    """Dark lenses over both eyes."""
    drawn, covered = worn_occluders.wear_glasses(pixels, points, lenses="dark", seed=3)
    return Altered(drawn, points, covered)


def eye_patch(pixels: Pixels, points: Floats) -> Altered:
    """A black patch over the left eye, with its strap across the forehead."""
    strap = stroke(pixels.shape, at(points, (-1.15, -0.05), (-0.5, -0.2), (1.05, -0.75)), 0.05 * unit(points))
    patch = polygon(pixels.shape, at(points, *ellipse((-0.5, 0.03), 0.36, 0.3)))
    shade = 0.7 + 0.6 * depth(patch)
    return occluded(pixels, points, [(strap, (30, 27, 26)), (patch, np.array((34, 31, 30)) * shade[..., None])])


def hand_over_mouth(pixels: Pixels, points: Floats) -> Altered:
    """Four fingers before mouth and chin, coming from the right."""
    ends = ((-0.5, 0.86), (-0.66, 1.06), (-0.6, 1.26), (-0.35, 1.44))
    fingers = [((1.25, 0.9 + 0.26 * n), end) for n, end in enumerate(ends)]
    return _hand(pixels, points, [(1.0, 0.78), (1.5, 0.7), (3, 1.2), (3, 2.2), (1.5, 1.95), (0.95, 1.75)], fingers)


def hand_on_cheek(pixels: Pixels, points: Floats) -> Altered:
    """The right cheek rests in a hand whose fingers reach the temple."""
    ends = ((1.2, 0.1), (0.98, -0.12), (0.74, -0.02), (0.52, 0.3))
    fingers = [((1.25 - 0.24 * n, 1.45), end) for n, end in enumerate(ends)]
    return _hand(pixels, points, [(0.42, 1.3), (0.9, 1.15), (1.42, 1.35), (1.3, 2.6), (0.7, 2.6)], fingers)


def microphone(pixels: Pixels, points: Floats) -> Altered:
    """A foam ball before mouth and chin, on a handle."""
    size = unit(points)
    handle = stroke(pixels.shape, at(points, (0.2, 1.4), (0.55, 2.9)), 0.34 * size)
    ball = polygon(pixels.shape, at(points, *ellipse((0.18, 1.32), 0.46, 0.5)))
    x, y = in_face(points, pixels.shape)
    light = np.clip(1 - np.hypot(x + 0.02, y - 1.12) / 0.9, 0, 1)
    foam = 28 + 70 * light + 8 * noise(pixels.shape, 0.03 * size, seed=1)
    return occluded(pixels, points, [(handle, (44, 44, 48)), (ball, np.stack([foam] * 3, axis=-1))])


def lock_of_hair(pixels: Pixels, points: Floats) -> Altered:
    """A lock of hair from the parting over the left eye down to the cheek."""
    strands = []
    for share, end in np.random.default_rng(0).uniform(-1, 1, (260, 2)):
        top = (-0.05 + 0.2 * share, -1.15)
        strands.append(
            [top, (-0.42 + 0.24 * share, -0.45), (-0.66 + 0.2 * share, 0.3), (-0.52 + 0.05 * share, 0.85 + 0.2 * end)]
        )
    return _hair(pixels, points, strands)


def fringe(pixels: Pixels, points: Floats) -> Altered:
    """An asymmetric haircut: hair over the left half of the forehead, the brow and most of the eye."""
    strands = []
    for share, end in np.random.default_rng(1).uniform((0, -1), (1, 1), (700, 2)):
        low = 0.3 - 0.5 * share**2 + 0.07 * end
        strands.append(
            [(0.3 * share, -1.2), (-0.75 + share, -0.9), (-1.1 + 1.1 * share, low - 0.5), (-1.15 + 1.05 * share, low)]
        )
    return _hair(pixels, points, strands)


def _hand(pixels: Pixels, points: Floats, palm: list[tuple[float, float]], fingers: list[Any]) -> Altered:
    """Fingers, from the knuckle to the tip, and a palm over their ends, in the colour of the face's own skin."""
    size = unit(points)
    skin = np.median(sampled(pixels, at(points, (-0.6, 0.75), (0.6, 0.75), (0, 0.3)), 0.12 * size), axis=0)
    parts = [_finger(pixels.shape, points, *finger) for finger in fingers]
    parts.append(soften(polygon(pixels.shape, at(points, *palm)), 0.04 * size))
    grain = 1 + 0.02 * noise(pixels.shape, 0.03 * size, seed=3)
    layers: list[tuple[Floats, Any]] = []
    for part in parts:
        shade = (0.66 + 0.36 * depth(part, 0.12 * size) ** 0.7) * grain
        layers += [(0.35 * soften(part, 0.04 * size), skin * 0.4)]  # its shadow
        layers += [(part, skin * np.array([0.98, 0.93, 0.9]) * shade[..., None])]
    return occluded(pixels, points, layers)


def _finger(shape: tuple[int, ...], points: Floats, knuckle: Any, tip: Any) -> NDArray[np.float64]:
    """A finger that gets thinner towards its tip, (H, W) in [0, 1]."""
    steps = np.linspace(0, 1, 16)[:, None]
    line = at(points, *(np.array(knuckle) * (1 - steps) + np.array(tip) * steps))
    widths = (0.29 - 0.08 * steps[:, 0]) * unit(points)
    return np.max([stroke(shape, line[n : n + 2], widths[n]) for n in range(15)], axis=0)


def _hair(pixels: Pixels, points: Floats, strands: list[Any]) -> Altered:
    """Strands along Bezier curves of four spots, in the colours of the hair above the forehead; the last on top."""
    rng, size = np.random.default_rng(0), unit(points)
    colours = sampled(pixels, at(points, *((x, -1.15) for x in np.linspace(-0.7, 0.7, 9))), 0.05 * size)
    picture, cover = pixels.copy(), np.zeros(pixels.shape[:2], np.uint8)
    for number, strand in enumerate(strands):
        path = fixed(at(points, *curve(strand)) + rng.normal(0, 0.012 * size, 2))
        lit = (0.45 + 0.6 * number / len(strands)) * rng.uniform(0.8, 1.25)  # what lies underneath is in shadow
        colour = np.clip(colours[rng.integers(len(colours))] * lit, 0, 255).tolist()
        width = max(1, round(rng.uniform(0.012, 0.03) * size))
        cv2.polylines(picture, [path], False, colour, width, cv2.LINE_AA, FRACTION)
        cv2.polylines(cover, [path], False, 255, width + 1, cv2.LINE_AA, FRACTION)
    return Altered(picture, points, cover > 127)
