"""What drawn occluders share: the face they lie on, coverage, noise, shading, textures, shadows.

A layer is a coverage in [0, 1], float32 (S, S), and a colour, float32 (S, S, 3) in grey levels 0 to 255.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceinp.photo.arrays import Pixels

Array = NDArray[Any]  # float32; OpenCV's stubs do not say so
Floats = NDArray[np.floating[Any]]
Line = NDArray[np.float64]
Placement = Callable[[Any], Line]  # from a thing's own coordinates, (N, 2), to pixels

UNJUDGED = 255  # the class of pixels of which nobody says what they are

_FRACTION = 4  # bits after the point in what OpenCV draws


@dataclass
class Face:
    """A face while things are drawn on it. ``picture`` and ``classes`` change, the rest does not.

    picture: float32 (S, S, 3), 0 to 255. classes: uint8 (S, S). points: float64 (68, 2) in pixels.
    others: uint8 (N, S, S, 3) aligned faces, for skin and textures; N may be 0.
    """

    picture: Array
    classes: Pixels
    points: NDArray[np.float64]
    rng: Generator
    others: Pixels

    def __post_init__(self) -> None:
        self.side = self.picture.shape[0]
        self.eyes = self.points[36:42].mean(axis=0), self.points[42:48].mean(axis=0)
        self.right = self.eyes[1] - self.eyes[0]
        self.gap = float(max(np.hypot(*self.right), 0.02 * self.side))  # between the eyes
        self.across = self.right / self.gap
        self.down = np.array([-self.across[1], self.across[0]])
        self.width = float(max(np.hypot(*(self.points[16] - self.points[0])), 1.2 * self.gap))
        self.light = self.rng.normal(0, 0.5), self.rng.normal(-0.5, 0.4)  # where it comes from: right, down

    def at(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Pixels of what lies ``x`` to the right and ``y`` below the middle of the eyes, in distances of the eyes."""
        middle = (self.eyes[0] + self.eyes[1]) / 2
        return middle + self.gap * (np.multiply.outer(x, self.across) + np.multiply.outer(y, self.down))

    def line(self, *knots: tuple[Any, Any], count: int = 24) -> Line:
        """A smooth line (count, 2) through knots as ``at`` takes them."""
        return curve([self.at(x, y) for x, y in knots], count)

    @cached_property
    def yaw(self) -> float:
        """Radians by which the head is turned, from how far the nose's tip is beside the eyes' middle."""
        beside = float((self.points[30] - sum(self.eyes) / 2) @ self.across) / self.gap
        return float(np.clip(np.arctan(beside / 0.48), -0.9, 0.9))

    @cached_property
    def skin(self) -> Array:
        """float32 (3,): the colour of the cheeks."""
        return _cheek(self.picture, self.points[[2, 31, 48]].mean(axis=0), self.points[[14, 35, 54]].mean(axis=0))

    @cached_property
    def exposure(self) -> Array:
        """float32 (S, S, 1): how bright the face is, low frequencies only, 1 where it is as bright as usual."""
        small = cv2.resize(self.picture.mean(axis=2), (8, 8), interpolation=cv2.INTER_AREA)
        small = 0.5 * small + 0.5 * float(self.skin.mean())
        smooth = cv2.resize(small, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip(smooth / 165, 0.15, 1.25))[..., None]

    @cached_property
    def matched(self) -> Array:
        """float32 (S, S, 1): by what colours are multiplied so that they have (mostly) the light of the face."""
        return np.asarray(self.exposure ** self.rng.choice([0.3, 0.7, 1.0]), np.float32)

    def other(self) -> Pixels:
        """A picture of another face, or this one."""
        if not len(self.others):
            return self.picture.clip(0, 255).astype(np.uint8)
        return np.asarray(self.others[self.rng.integers(len(self.others))])

    def lay(self, alpha: Array, colour: Any, kind: int, *, shadow: float = 0.0, label: Array | None = None) -> None:
        """Lay a layer on the picture, its soft shadow below, and write its class where ``label`` (or alpha) > .4.

        shadow: strength of the shadow, 0 to 1; it is no part of the class.
        """
        if shadow > 0:
            self.cast(alpha, shadow)
        share = alpha[..., None]
        self.picture += share * (np.asarray(colour, np.float32) * self.matched - self.picture)
        self.classes[(alpha if label is None else label) > 0.4] = kind

    def cast(self, alpha: Array, strength: float) -> None:
        """Darken what lies below a layer, away from the light, softly."""
        far = self.gap * self.rng.uniform(0.02, 0.12)
        move = np.array([[1, 0, -far * self.light[0]], [0, 1, max(-far * self.light[1], 0.2 * far)]], np.float32)
        dark = cv2.warpAffine(alpha, move, (self.side, self.side))
        dark = cv2.GaussianBlur(dark, (0, 0), max(0.6, far * self.rng.uniform(0.25, 0.9)))
        tint = np.array([0.85, 1.0, 1.05], np.float32)  # skin in the shade is redder
        self.picture *= 1 - strength * dark[..., None] * tint

    def textured(self, colour: Any, grain: float = 0.04) -> Array:
        """float32 (S, S, 3): a colour with slow and fine variation."""
        slow = 1 + 0.25 * (noise(self.side, 4, self.rng) - 0.5)
        fine = 1 + grain * self.rng.standard_normal((self.side, self.side), np.float32)
        return np.asarray((slow * fine)[..., None] * np.asarray(colour, np.float32))

    def flesh(self) -> Array:
        """float32 (S, S, 3): skin like the face's, or like that of another one, with the texture of a real cheek.

        The texture is spot noise (van Wijk 1991): white noise, filtered by the fine detail of a cheek.
        """
        other, side = self.other(), self.side
        x, y, half = int(self.rng.choice([0.33, 0.67]) * side), int(0.58 * side), max(2, int(0.05 * side))
        patch = other[y - half : y + half + 1, x - half : x + half + 1].mean(axis=2).astype(np.float32)
        detail = patch / np.maximum(cv2.GaussianBlur(patch, (0, 0), half / 3), 8) - 1
        strength = float(np.clip(detail.std(), 0.005, 0.03))
        grain: Array = cv2.filter2D(self.rng.standard_normal((side, side), np.float32), -1, detail - detail.mean())
        grain *= strength * self.rng.uniform(0.6, 1.3) / max(float(grain.std()), 1e-6)
        near = self.rng.random() < 0.65
        colour = self.skin if near else _cheek(other.astype(np.float32), np.array((x, y)))
        if not colour[0] >= colour[1] >= colour[2]:  # no skin: a beard, hair, a grey picture
            colour = self.skin
        colour = colour * self.rng.normal(1, 0.05 if near else 0.1) * self.rng.normal(1, 0.025, 3)
        return np.asarray((1 + grain)[..., None] * colour, np.float32)


def _cheek(picture: Array, *positions: NDArray[Any]) -> Array:
    side = picture.shape[0]
    reach = max(2, side // 24)
    colours = []
    for position in positions:
        x, y = (int(v) for v in np.clip(position, reach, side - reach - 1))
        colours.append(np.median(picture[y - reach : y + reach, x - reach : x + reach].reshape(-1, 3), axis=0))
    return np.asarray(max(colours, key=lambda c: float(c.sum())), np.float32)


def noise(side: int, cells: int, rng: Generator, rows: int | None = None) -> Array:
    """float32 (side, side): smooth values, about 0 to 1, that change ``cells`` times across (``rows`` times down)."""
    coarse = rng.random(((rows or cells) + 1, cells + 1), np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def filled(side: int, outline: Sequence[Floats] | Floats, finer: int = 1) -> Array:
    """float32 (S, S): how much of each pixel lies in the outline (N, 2); drawn ``finer`` times finer, then averaged."""
    layer = np.zeros((side * finer, side * finer), np.uint8)
    cv2.fillPoly(layer, [fixed(outline, finer)], 255, cv2.LINE_AA, _FRACTION)
    return coverage(layer, side)


def strokes(side: int, lines: Any, width: float, finer: int = 2) -> Array:
    """float32 (S, S): how much of each pixel a round brush covers along lines, each (N, 2)."""
    layer = np.zeros((side * finer, side * finer), np.uint8)
    broad = max(1, round(width * finer))
    cv2.polylines(layer, [fixed(line, finer) for line in lines], False, 255, broad, cv2.LINE_AA, _FRACTION)
    return coverage(layer, side) * np.float32(min(1.0, width * finer))


def coverage(layer: Pixels, side: int) -> Array:
    """A layer drawn finer, uint8, as float32 (side, side) in [0, 1]."""
    if layer.shape[0] != side:
        layer = np.asarray(cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA))
    return layer.astype(np.float32) / 255


def fixed(points: Any, finer: int = 1) -> NDArray[np.int32]:
    """Coordinates as OpenCV draws them: pixel numbers with _FRACTION bits after the point."""
    return np.rint((np.asarray(points) * finer - 0.5) * 2**_FRACTION).astype(np.int32)


def curve(knots: Sequence[Floats] | Floats, count: int = 24) -> Line:
    """(count, 2): a smooth line through knots (N, 2), N >= 2 (Catmull-Rom)."""
    knots = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0, len(knots) - 3 - 1e-9, count)
    n = t.astype(int)
    a, b, c, d = (knots[n + k] for k in range(4))
    t = (t - n)[:, None]
    return np.asarray(b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d))) / 2)


def lit(height: Array, light: tuple[float, float], depth: float = 1.0) -> Array:
    """float32 (S, S, 1): shading of a surface (Lambert), about 1 where it faces us. height: in pixels."""
    x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125) * depth
    y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125) * depth
    facing = (1 - x * light[0] - y * light[1]) / np.sqrt(1 + x * x + y * y)
    return np.asarray(np.clip(0.35 + 0.65 * facing, 0.12, 1.5))[..., None]
