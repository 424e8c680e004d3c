"""Holes like those that people sketch over a part of a face: rough ellipses, bands, a lock of hair, a hand, a scratch.

They follow the 68 landmarks of the iBUG scheme, numbered from 0, in pixels of the picture; lengths are in distances
between the eyes. The seed chooses side, size, tilt and the unevenness of the outline.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceinp.mask.worn_occluders import Points, Shape, filled, sound_points, strokes
from faceinp.photo.arrays import Bools, Doubles

_EYES = (slice(36, 42), slice(42, 48))


class _Face:
    """The face's axes ``right`` and ``down``, each as long as the distance of the eyes, and a random generator."""

    def __init__(self, points: Doubles, seed: int) -> None:
        self.points, self.rng = points, np.random.default_rng(seed)
        self.eyes = tuple(points[eye].mean(axis=0) for eye in _EYES)
        self.right = self.eyes[1] - self.eyes[0]
        self.down = np.array([-self.right[1], self.right[0]])
        self.side = int(self.rng.integers(2))  # 0: left as seen in the picture
        self.out = (2 * self.side - 1) * self.right  # from the nose to that side

    def draw(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def at(self, start: Doubles, out: float, down: float) -> Doubles:
        """``start`` moved outwards and down."""
        return start + out * self.out + down * self.down

    def ellipse(self, centre: Doubles, wide: float, high: float, *, tilt: float = 0.0, power: float = 2.0) -> Doubles:
        """An uneven superellipse (N, 2) with half axes ``wide`` and ``high``. power: 2: an ellipse, more: squarer."""
        angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        radius = np.ones_like(angle)
        for waves in range(2, 7):
            radius += self.rng.normal(0, 0.09 / waves) * np.cos(waves * angle + self.draw(0, 2 * np.pi))
        cos, sin = (np.sign(v) * np.abs(v) ** (2 / power) * radius for v in (np.cos(angle), np.sin(angle)))
        turn = np.radians(tilt + self.draw(-8, 8))
        across, along = wide * cos, high * sin
        return centre + np.outer(across * np.cos(turn) - along * np.sin(turn), self.right) + np.outer(
            across * np.sin(turn) + along * np.cos(turn), self.down
        )  # fmt: skip

    def ribbon(self, spine: Doubles, widths: Doubles) -> Doubles:
        """The outline of a band with uneven edges along ``spine``, (N, 2), of ``widths``, (N,)."""
        along = np.gradient(spine, axis=0)
        normal = np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        length = float(np.hypot(*self.right))
        half = [0.5 * length * widths * (1 + self.wave(len(spine), 0.15)) for _ in range(2)]
        return np.concatenate([spine + half[0][:, None] * normal, (spine - half[1][:, None] * normal)[::-1]])

    def wave(self, count: int, strength: float) -> Doubles:
        """A smooth random curve, (count,), with a standard deviation of about ``strength``."""
        way = np.linspace(0, 1, count)
        waves = [self.rng.normal(0, 1 / n) * np.sin(np.pi * n * way + self.draw(0, 2 * np.pi)) for n in (1, 2, 3, 5)]
        return np.asarray(strength * np.sum(waves, axis=0))


def sketch(name: str, points: Points | None, shape: Shape, seed: int) -> Bools:
    """The hole ``name``, one of NAMES, bool (H, W). Raises MaskError for landmarks that are missing or not finite."""
    face = _Face(sound_points(name, points), seed)
    return _SKETCHES[name](face, shape) > 127


def _one_eye(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    centre = face.at(face.eyes[face.side], face.draw(-0.04, 0.06), face.draw(-0.1, 0.05))
    return filled(shape, face.ellipse(centre, face.draw(0.29, 0.4), face.draw(0.2, 0.3)))


def _glasses_band(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    centre = face.at(np.mean(face.eyes, axis=0), 0, face.draw(-0.04, 0.06))
    return filled(shape, face.ellipse(centre, face.draw(0.85, 1.05), face.draw(0.22, 0.32), power=face.draw(3, 5)))


def _mouth(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    lips = face.points[48:60]
    centre = face.at((lips.min(axis=0) + lips.max(axis=0)) / 2, 0, face.draw(-0.03, 0.05))
    wide, high = (np.ptp((lips - centre) @ axis) / (2 * axis @ axis) for axis in (face.right, face.down))
    return filled(shape, face.ellipse(centre, wide + face.draw(0.08, 0.2), high + face.draw(0.08, 0.16)))


def _nose(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    bridge, tip = face.points[28], face.points[33]
    high = float(np.hypot(*(tip - bridge)) / np.hypot(*face.down)) / 2
    centre = face.at((bridge + tip) / 2, 0, face.draw(0.0, 0.08))
    return filled(shape, face.ellipse(centre, face.draw(0.26, 0.36), high + face.draw(0.1, 0.18)))


def _hair_lock(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    """One to three strands from the parting across an eye, thinning out on the cheek."""
    eye, layer = face.eyes[face.side], np.zeros(shape, np.uint8)
    root = face.at(eye, face.draw(-0.7, 0.1), face.draw(-1.5, -1.1))
    over = face.at(eye, face.draw(-0.12, 0.12), face.draw(-0.08, 0.08))
    end = face.at(eye, face.draw(0.1, 0.4), face.draw(0.5, 1.0))
    way = np.linspace(0, 1, 60)[:, None]
    for _ in range(face.rng.integers(1, 4)):
        start, middle, tip = (face.at(at, face.draw(-0.09, 0.09), face.draw(-0.06, 0.06)) for at in (root, over, end))
        bend = 2 * middle - (start + tip) / 2  # so that the curve passes through ``middle``
        spine = (1 - way) ** 2 * start + 2 * way * (1 - way) * bend + way**2 * tip
        widths = face.draw(0.22, 0.4) * np.sqrt(np.minimum(1, 12 * way[:, 0])) * (1 - way[:, 0]) ** 0.6 + 0.05
        layer = np.maximum(layer, filled(shape, face.ribbon(spine, widths)))
    return layer


def _hand(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    """Four fingers across the mouth, and the back of the hand below a cheek."""
    mouth = face.points[48:60].mean(axis=0)
    knuckles = face.at(mouth, face.draw(0.5, 0.65), face.draw(0.15, 0.35))
    back = face.at(knuckles, face.draw(0.2, 0.3), face.draw(0.2, 0.3))
    layer = filled(shape, face.ellipse(back, face.draw(0.34, 0.44), face.draw(0.4, 0.5)))
    thick, slope, spread = face.draw(0.17, 0.22), face.draw(-0.1, 0.35), face.draw(0.0, 0.08)
    for number in range(4):
        start = face.at(knuckles, face.draw(-0.03, 0.03), (number - 1.6) * thick * 0.95)
        length = face.draw(0.85, 1.0) - 0.08 * abs(number - 1.3)
        tip = face.at(start, -length, -slope * length + (number - 1.5) * spread)
        layer = np.maximum(layer, strokes(shape, [np.array([start, tip])], thick * float(np.hypot(*face.right))))
    return layer


def _cheek(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    corner, jaw = face.points[(48, 54)[face.side]], face.points[(3, 13)[face.side]]
    centre = (face.eyes[face.side] + corner + jaw) / 3 + face.draw(-0.06, 0.06) * face.right
    return filled(shape, face.ellipse(centre, face.draw(0.22, 0.36), face.draw(0.2, 0.34), tilt=face.draw(-25, 25)))


def _eye_scratch(face: _Face, shape: Shape) -> NDArray[np.uint8]:
    """One or two uneven lines from the brow across the eye to the cheek."""
    layer, way = np.zeros(shape, np.uint8), np.linspace(0, 1, 40)
    for _ in range(face.rng.integers(1, 3)):
        middle = face.at(face.eyes[face.side], face.draw(-0.12, 0.12), face.draw(-0.05, 0.05))
        slope, high, low = face.draw(-0.6, 0.6), face.draw(0.4, 0.9), face.draw(0.4, 0.9)
        start, end = face.at(middle, -slope * high, -high), face.at(middle, slope * low, low)
        spine = start + np.outer(way, end - start) + np.outer(face.wave(len(way), 0.02), face.right)
        layer = np.maximum(layer, filled(shape, face.ribbon(spine, np.full(len(way), face.draw(0.03, 0.09)))))
    return layer


ABOUT = {
    "one-eye": "one eye, a rough ellipse",
    "glasses-band": "band over both eyes, as over glasses",
    "mouth": "mouth, a rough ellipse",
    "nose": "nose, a rough ellipse",
    "hair-lock": "lock of hair over an eye",
    "hand": "hand over the mouth",
    "cheek": "one cheek, a rough ellipse",
    "eye-scratch": "scratch across an eye",
}
NAMES = tuple(ABOUT)
_SKETCHES: dict[str, Callable[[_Face, Shape], NDArray[np.uint8]]] = dict(
    zip(NAMES, (_one_eye, _glasses_band, _mouth, _nose, _hair_lock, _hand, _cheek, _eye_scratch), strict=True)
)
