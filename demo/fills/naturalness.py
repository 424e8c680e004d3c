"""How natural each engine's fills look on other people's faces, for holes like the one at hand.

No score of a single picture was found that tells a good fill from one without eyes; that of many tells engines apart
(KID of the filled place: docs/measurements/sketched.md, whose table ``naturalness.json`` is taken from).
"""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

MEASURED: dict[str, dict[str, float]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
SEEDS = range(6)  # of each preset: on either side of the face
SIDE = 256
LEAST_OVERLAP = 0.2  # intersection over union
NEAR = 0.1 * SIDE  # of centres: what hides one eye generously is no band over both


def hole_like(result: faceinp.Result) -> str:
    """The preset of the table that the hole on the face is most like; empty where it is like none of them."""
    if len(result.faces) != 1:
        return ""
    seen = result.faces[0].crop.hole.astype(np.uint8)
    hole = cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
    if not hole.any():
        return ""
    middle, ranked = _middle(hole), []
    for name in MEASURED:
        for one, its_middle in _holes(name):
            overlap, apart = _overlap(hole, one), np.hypot(*(middle - its_middle))
            ranked.append((overlap * np.exp(-((apart / NEAR) ** 2)), name, overlap))
    _, name, overlap = max(ranked)
    return name if overlap >= LEAST_OVERLAP else ""


def measured(hole: str, engine: str, mirrored: bool) -> float | None:
    """The distance for holes like ``hole``, 0 being untouched faces and smaller better; None where nobody measured it.

    mirrored: whether pixels of the face's other half were used.
    """
    network = "landmark" if engine.startswith("landmark-") else engine  # its runtimes draw the same
    return MEASURED.get(hole, {}).get(f"{network}+symmetry" if mirrored else network)


@cache
def _holes(name: str) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """The preset on an average face, and its middle."""
    face = faceinp.Photo(np.zeros((SIDE, SIDE, 3), np.uint8))
    holes = [faceinp.make_preset(name, face, face=faceinp.FaceLocation.aligned(), seed=seed).hole for seed in SEEDS]
    return [(hole, _middle(hole)) for hole in holes]


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def _middle(hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean row and column of a hole, (2,)."""
    return np.asarray(np.argwhere(hole).mean(axis=0))
