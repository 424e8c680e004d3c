"""How natural each engine's fills look, measured on other people's faces with a similar hole.

No known score of a single picture separates a good fill from one without eyes. A score of many pictures does (KID of
the filled area: ``naturalness.json`` holds the table of docs/measurements/sketched.md).
"""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

MEASURED: dict[str, dict[str, float]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
SEEDS = range(6)  # of each preset, so that holes on either side of the face occur
SIDE = 256
LEAST_OVERLAP = 0.2  # intersection over union
NEAR = 0.1 * SIDE  # pixels between centres: separates a large hole over one eye from a band over both


def hole_like(result: faceinp.Result) -> str:
    """The preset in the table that is most similar to the hole; empty if none is similar."""
    if len(result.faces) != 1:
        return ""
    crop_hole = result.faces[0].crop.hole.astype(np.uint8)
    hole = cv2.resize(crop_hole, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
    if not hole.any():
        return ""
    centre, ranked = _centre(hole), []
    for name in MEASURED:
        for preset_hole, preset_centre in _holes(name):
            overlap = np.count_nonzero(hole & preset_hole) / np.count_nonzero(hole | preset_hole)
            distance = np.hypot(*(centre - preset_centre))
            ranked.append((overlap * np.exp(-((distance / NEAR) ** 2)), name, overlap))
    _, name, overlap = max(ranked)
    return name if overlap >= LEAST_OVERLAP else ""


def measured(hole: str, engine: str, mirrored: bool) -> float | None:
    """KID to real faces for holes like the preset ``hole``, smaller is better; None if it was not measured.

    mirrored: whether the fill uses pixels of the face's other half.
    """
    network = "landmark" if engine.startswith("landmark-") else engine  # all its runtimes give the same picture
    return MEASURED.get(hole, {}).get(f"{network}+symmetry" if mirrored else network)


@cache
def _holes(name: str) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Holes of a preset on an average face, and their centres."""
    face = faceinp.Photo(np.zeros((SIDE, SIDE, 3), np.uint8))
    holes = [faceinp.make_preset(name, face, face=faceinp.FaceLocation.aligned(), seed=seed).hole for seed in SEEDS]
    return [(hole, _centre(hole)) for hole in holes]


def _centre(hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean row and column of a hole, (2,)."""
    return np.asarray(np.argwhere(hole).mean(axis=0))
