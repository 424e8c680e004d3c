"""A face's 68 landmarks moved to other expressions and poses: blendshapes, each with one end at -1 and one at +1.

A control at value v moves each landmark by |v| times its offset at the end of v's sign; the offsets of several controls
add up. Offsets are defined in the face's own frame: origin between the eyes, one unit from eye to eye, x across and y
down the face. So they rotate, scale and move with the face. Landmarks are in the order of iBUG's 68 (Sagonas et al.
2013); left and right are as seen in the picture.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EYES = (range(36, 42), range(42, 48))
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))  # upper and lower
LIPS = ((61, 67, 50, 58), (62, 66, 51, 57), (63, 65, 52, 56))  # inner edges, upper and lower, and the outer ones
# The share of a movement for each landmark.
UPPER_LIP = {49: 0.5, 50: 1.0, 51: 1.0, 52: 1.0, 53: 0.5, 61: 1.0, 62: 1.0, 63: 1.0}
LOWER_LIP = {59: 0.6, 58: 0.9, 57: 1.0, 56: 0.9, 55: 0.6, 67: 0.9, 66: 1.0, 65: 0.9}
CHIN = {4: 0.2, 5: 0.5, 6: 0.8, 7: 0.95, 8: 1.0, 9: 0.95, 10: 0.8, 11: 0.5, 12: 0.2}
LEFT_CORNER = {48: 1.0, 60: 0.9, 49: 0.5, 59: 0.5, 67: 0.2, 61: 0.2, 50: 0.15, 58: 0.15}
RIGHT_CORNER = {54: 1.0, 64: 0.9, 53: 0.5, 55: 0.5, 65: 0.2, 63: 0.2, 52: 0.15, 56: 0.15}
OPEN, RAISED, DROPPED = 0.2, 0.04, 0.14  # movement of lower lip, upper lip and chin as the mouth opens
MEET = 0.3  # where closed lips meet, in parts of the gap from the upper lip
OUT, UP, IN, DOWN = 0.1, 0.13, 0.05, 0.11  # movement of the mouth's corners in a smile, and in its opposite
WIDENED, LOWERED = 0.14, 0.04  # movement of upper and lower lid as eyes open, in widths of the eye
SHUT = 0.6  # share of the eye's opening that closes
ANGLE = np.radians(15)
# Depth of each landmark towards the viewer, 0 at the eyes: coarse, and the same for every face.
_JAW = (-0.25, -0.25, -0.22, -0.18, -0.12, -0.02, 0.1, 0.2, 0.25)
_BROW = (-0.1, 0.05, 0.13, 0.17, 0.18)
DEPTH = np.array(
    [
        *(*_JAW, *_JAW[-2::-1], *_BROW, *_BROW[::-1]),
        *(0.2, 0.36, 0.5, 0.62, 0.33, 0.42, 0.48, 0.42, 0.33),
        *(-0.08, 0.02, 0.02, 0.0, 0.0, 0.0, 0.0, 0.02, 0.02, -0.08, 0.0, 0.0),
        *(0.16, 0.29, 0.37, 0.39, 0.37, 0.29, 0.16, 0.27, 0.34, 0.36, 0.34, 0.27),
        *(0.17, 0.34, 0.37, 0.34, 0.17, 0.33, 0.35, 0.33),
    ]
)


def blendshapes(points: NDArray[np.floating]) -> dict[str, Floats]:
    """The offsets of a face's landmarks at both ends of each control.

    points: (68, 2), x and y in pixels. Returns for each name of ``CONTROLS`` float64 (2, 68, 2), pixels: the offsets at
    -1 and at +1. All zeros if both eyes are at one point.
    """
    points = np.asarray(points, np.float64)
    left, right = (points[list(eye)].mean(axis=0) for eye in EYES)
    across = right - left  # its length is the unit
    unit = np.hypot(*across)
    if not unit > 0:
        return {name: np.zeros((2, 68, 2)) for name in CONTROLS}
    axes = np.array([across, (-across[1], across[0])]) / unit
    face = (points - (left + right) / 2) @ axes.T / unit
    return {name: np.stack([end(face) for end in ends]) @ axes * unit for name, ends in CONTROLS.items()}


def _open(face: Floats) -> Floats:
    return _along(LOWER_LIP, 0, OPEN) + _along(UPPER_LIP, 0, -RAISED) + _along(CHIN, 0, DROPPED)


def _close(face: Floats) -> Floats:
    """The lips' inner edges meet; their outer edges go with them."""
    gap = max(0.0, float((face[[67, 66, 65], 1] - face[[61, 62, 63], 1]).max()))
    offsets = _along(CHIN, 0, -gap * (1 - MEET) * DROPPED / OPEN)
    for upper, lower, beyond_upper, beyond_lower in LIPS:
        own = max(0.0, face[lower, 1] - face[upper, 1])
        offsets[[upper, beyond_upper], 1] += own * MEET
        offsets[[lower, beyond_lower], 1] -= own * (1 - MEET)
    for point, neighbour in ((49, 50), (53, 52), (59, 58), (55, 56)):
        offsets[point] += offsets[neighbour] / 2
    return offsets


def _corners(out: float, up: float) -> Floats:
    return _along(LEFT_CORNER, -out, -up) + _along(RIGHT_CORNER, out, -up)


def _widen(face: Floats) -> Floats:
    offsets = np.zeros((68, 2))
    for upper, lower, eye in _lids(face):
        offsets[upper, 1], offsets[lower, 1] = -WIDENED * eye, LOWERED * eye
    return offsets


def _shut(face: Floats) -> Floats:
    """The upper lid moves most."""
    offsets = np.zeros((68, 2))
    for upper, lower, _ in _lids(face):
        opening = SHUT * max(0.0, face[lower, 1] - face[upper, 1])
        offsets[upper, 1], offsets[lower, 1] = 0.8 * opening, -0.2 * opening
    return offsets


def _lids(face: Floats) -> list[tuple[int, int, float]]:
    """Upper and lower point of each pair, and the width of their eye."""
    widths = [float(np.hypot(*(face[eye[3]] - face[eye[0]]))) for eye in EYES]
    return [(upper, lower, widths[upper > 41]) for upper, lower in LIDS]


def _turn(face: Floats, angle: float) -> Floats:
    """A rotation about a vertical axis at the eyes' depth, in orthographic projection."""
    across = face[:, 0] * (np.cos(angle) - 1) + DEPTH * np.sin(angle)
    return np.column_stack([across, np.zeros(68)])


def _along(shares: Mapping[int, float], across: float, down: float) -> Floats:
    """Offsets (68, 2): ``across`` and ``down`` times each landmark's share."""
    offsets = np.zeros((68, 2))
    for point, share in shares.items():
        offsets[point] = share * across, share * down
    return offsets


CONTROLS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "mouth": (_close, _open),
    "smile": (lambda face: _corners(-IN, -DOWN), lambda face: _corners(OUT, UP)),
    "lids": (_shut, _widen),
    "turn": (lambda face: _turn(face, -ANGLE), lambda face: _turn(face, ANGLE)),
}
