"""What a person should know of the sources of a fill, a plain sentence each."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.exemplar import SIZE, Crop
from faceinp.exemplars.gaze import EYES
from faceinp.exemplars.match import HIDDEN
from faceinp.exemplars.references import Prepared
from faceinp.exemplars.sources import SYMMETRY, Reference

SIDES = ("left", "right")  # of the eyes, as seen in the picture
TRIFLE = 0.005  # a share of the hole that is not worth a sentence


def of_symmetry(target: Crop, codes: NDArray[np.uint8], problem: str, share: float) -> str:
    """A sentence on the other half of the face, or nothing.

    target: the photo's face. codes: uint8 (SIZE, SIZE), the sources on its crop. problem: why the other half was left
    aside, a clause. share: the part of the hole that comes from it.
    """
    if not share:
        return f"The other half of the face was not used: {problem}." if problem and problem != HIDDEN else ""
    for side, eye in enumerate(EYES):
        x, y = np.clip((target.points[eye] * SIZE).astype(int), 0, SIZE - 1).T
        if (codes[y, x] == SYMMETRY).sum() > len(x) / 2:
            return f"The {SIDES[side]} eye is the {SIDES[1 - side]} one, mirrored."
    return f"{_percent(share)} of the hole comes from the other half of the face, mirrored." if share > TRIFLE else ""


def of_references(prepared: Mapping[int, Prepared], used: Mapping[int, Reference]) -> list[str]:
    """Of each reference, by its number, counted from 0: its share of the hole, or why nothing was taken from it, and
    what else a person should know.
    """
    said = []
    for number, reference in used.items():
        took = f"{_percent(reference.share)} of the hole comes from reference photo {number + 1}."
        said += [took if reference.share else reference.problem, prepared[number].note]
    return said


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "Less than 1 %"
