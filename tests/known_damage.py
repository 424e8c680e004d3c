"""A portrait with twelve scratches, and a finder that knows them, in the place of the network that finds damage.

``python tests/known_damage.py`` serves the page with that finder.
"""

import sys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import skimage.data

import faceinp
from faceinp.find import propose

SIDE, SURE, DOUBT = 512, 0.99, 0.95
Map = np.ndarray


def scratches() -> Map:
    """Twelve scratches on 512 x 512 pixels: bool (12, 512, 512), each of its own."""
    rng, drawn = np.random.default_rng(12), np.zeros((12, SIDE, SIDE), np.uint8)
    for number, one in enumerate(drawn):
        start = np.array([60 + number % 4 * 120, 70 + number // 4 * 150])  # far from one another
        way = np.linspace(start, start + rng.integers(-45, 46, 2), 6) + rng.normal(0, 1.5, (6, 2))
        cv2.polylines(one, [way.round().astype(np.int32)], False, 1, 1 + number % 3)
    return drawn > 0


def scratched() -> Map:
    """The portrait with the scratches, light and dark ones, uint8 (512, 512, 3)."""
    portrait = skimage.data.astronaut()
    for number, one in enumerate(scratches()):
        portrait[one] = (238, 236, 228) if number % 2 else (18, 16, 16)
    return portrait


def doubtful() -> Map:
    """What might be damage and is none: found at more than the usual sensitivity. bool (512, 512)."""
    spots = np.zeros((SIDE, SIDE), np.uint8)
    for x in (40, 250, 470):
        cv2.circle(spots, (x, 480), 6, 1, -1)
    return spots > 0


def find_damage(photo: Any, *, sensitivity: float = 0.5, include: Sequence[str] = ()) -> faceinp.Damage:
    """As ``faceinp.find_damage`` would, for the portrait in any size; stamps are what is doubtful, where included."""
    size = faceinp.read_photo(photo).pixels.shape[1::-1]
    sure = np.where(scratches().any(axis=0), SURE, np.where(doubtful(), SURE if include else DOUBT, 0))
    confidence = cv2.resize(sure.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    likely = np.ones(confidence.shape, np.uint8)
    likely[len(likely) * 460 // SIDE :] = 2  # what is doubtful lies below
    none = np.zeros(likely.shape, np.uint8)
    seen = faceinp.Damage(none > 0, confidence, none, likely=likely, reach=1)
    return seen.at(sensitivity)


def install() -> None:
    """From now on proposals of damage come from here."""
    sys.modules[propose.__module__].find_damage = find_damage  # type: ignore[attr-defined]


if __name__ == "__main__":
    from faceinp.demo.__main__ import main

    install()
    main()
