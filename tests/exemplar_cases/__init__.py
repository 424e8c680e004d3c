"""Hard cases for exemplars, drawn by code: a face with something over it, in other light, with another expression.

Each function takes a picture, uint8 (H, W, 3) RGB, and the face's 68 points in pixels, float (68, 2) in dlib's order,
and returns an ``Altered``. Everything is deterministic. ``REFERENCES`` and ``PHOTOS`` list the cases by their use: as a
reference photo, or as the photo that is filled from the face's other half. ``HOLES`` are the holes to try them with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from .drawing import LEFT_EYE, RIGHT_EYE, Altered, Bools, Floats, Pixels, at, ellipse, polygon, to_face
from .expressions import aged, closed_eyes, gaze_aside, open_mouth, turned
from .occluders import eye_patch, fringe, hand_on_cheek, hand_over_mouth, lock_of_hair, microphone, sunglasses
from .prints import blurred, compressed, gamma, grey, lit_from_one_side, moved, same, sepia, somebody_else, tinted, tiny


@dataclass(frozen=True)
class Case:
    """One hard picture: how it is made, and the hole (of HOLES) that it could spoil. hides: what it covers must not be
    used.
    """

    alter: Callable[[Pixels, Floats], Altered]
    hole: str
    hides: bool = False


def detail(pixels: Pixels, where: Bools) -> float:
    """How much detail there is: the mean absolute Laplacian, in grey levels."""
    return float(np.abs(cv2.Laplacian(pixels.astype(np.float64), cv2.CV_64F))[where].mean())


# --- holes ------------------------------------------------------------------------------------------------------------


def hole(name: str, points: Floats, shape: tuple[int, ...]) -> Bools:
    """One of HOLES on a picture of this shape: bool (H, W), True = hole."""
    return polygon(shape, at(points, *HOLES[name](to_face(points)))) > 0.5


def _around(face: Floats, rows: Any, across: float, down: float) -> list[tuple[float, float]]:
    """An ellipse about the box of some points, wider and higher than it by so much on each side."""
    low, high = face[rows].min(axis=0), face[rows].max(axis=0)
    x, y = (low + high) / 2
    return ellipse((x, y), (high[0] - low[0]) / 2 + across, (high[1] - low[1]) / 2 + down)


HOLES: dict[str, Callable[[Floats], list[tuple[float, float]]]] = {  # outlines in face coordinates
    "left eye": lambda face: _around(face, LEFT_EYE, 0.17, 0.22),
    "right eye": lambda face: _around(face, RIGHT_EYE, 0.17, 0.22),
    "both eyes": lambda face: _around(face, slice(36, 48), 0.25, 0.3),
    "glasses band": lambda face: [(-1.0, -0.3), (1.0, -0.3), (1.0, 0.32), (-1.0, 0.32)],
    "mouth": lambda face: _around(face, slice(48, 68), 0.15, 0.15),
    "nose": lambda face: _around(face, slice(27, 36), 0.15, 0.1),
    "lower face": lambda face: [*((x * 1.02, y) for x, y in face[2:15]), (0.3, 0.45), (-0.3, 0.45)],
    "centre": lambda face: [(-1, -0.45), (1, -0.45), (1, 1.55), (-1, 1.55)],
    "lock of hair": lambda face: [(-0.35, -1), (0, -1), (-0.3, -0.2), (-0.4, 0.8), (-0.65, 0.8), (-0.7, -0.1)],
    "left cheek": lambda face: ellipse((-0.72, 0.75), 0.3, 0.4),
    "right cheek": lambda face: ellipse((0.72, 0.75), 0.3, 0.4),
}


# --- the cases --------------------------------------------------------------------------------------------------------

REFERENCES = {  # other photos of the same person, but for the last
    "same": Case(same, "left eye"),
    "moved": Case(partial(moved, shift=(0.08, -0.05)), "mouth"),
    "turned in the plane": Case(partial(moved, degrees=12), "left eye"),
    "scaled": Case(partial(moved, scale=1.4), "nose"),
    "sunglasses": Case(sunglasses, "both eyes", hides=True),
    "eye patch": Case(eye_patch, "left eye", hides=True),
    "hand over the mouth": Case(hand_over_mouth, "mouth", hides=True),
    "hand on a cheek": Case(hand_on_cheek, "right cheek", hides=True),
    "microphone": Case(microphone, "lower face", hides=True),
    "lock of hair": Case(lock_of_hair, "left eye", hides=True),
    "fringe on one side": Case(fringe, "glasses band", hides=True),
    "closed eyes": Case(closed_eyes, "both eyes", hides=True),
    "open mouth": Case(open_mouth, "lower face"),
    "gaze aside": Case(gaze_aside, "both eyes"),
    "head turned": Case(turned, "left eye"),
    "head turned far": Case(partial(turned, degrees=60), "right eye"),
    "aged": Case(aged, "centre"),
    "slightly blurred": Case(partial(blurred, share=0.04), "left eye"),
    "blurred": Case(partial(blurred, share=0.12), "both eyes"),
    "72 pixels": Case(partial(tiny, side=72), "left eye"),
    "32 pixels": Case(partial(tiny, side=32), "both eyes"),
    "JPEG artefacts": Case(compressed, "left eye"),
    "grey": Case(grey, "mouth"),
    "sepia": Case(sepia, "mouth"),
    "dark": Case(partial(gamma, exponent=2.0), "centre"),
    "light": Case(partial(gamma, exponent=0.5), "left eye"),
    "warm light": Case(partial(tinted, gains=(1.15, 1.0, 0.7)), "lower face"),
    "teal cast": Case(partial(tinted, gains=(0.6, 1.0, 1.05)), "both eyes"),
    "lit from one side": Case(lit_from_one_side, "centre"),
    "somebody else": Case(somebody_else, "centre"),
}
PHOTOS = {  # to be filled from the face's other half
    "as it is, left": Case(same, "left eye"),
    "as it is, right": Case(same, "right eye"),
    "as it is, cheek": Case(same, "right cheek"),
    "eye patch": Case(eye_patch, "right eye", hides=True),
    "fringe on one side": Case(fringe, "right eye", hides=True),
    "lock of hair": Case(lock_of_hair, "right eye", hides=True),
    "hand on a cheek": Case(hand_on_cheek, "left cheek", hides=True),
    "lit from one side, lit": Case(lit_from_one_side, "left eye"),
    "lit from one side, dark": Case(lit_from_one_side, "right eye"),
    "gaze to the right": Case(gaze_aside, "left eye"),
    "gaze to the left": Case(partial(gaze_aside, share=-0.2), "right eye"),
    "head turned, near": Case(turned, "left eye"),
    "head turned, far": Case(turned, "right eye"),
    "head turned far, near": Case(partial(turned, degrees=60), "left eye"),
    "head turned far, far": Case(partial(turned, degrees=60), "right eye"),
}
