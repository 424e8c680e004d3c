"""Notes on the sources of a fill: sentences for the user."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.exemplar import SIZE, AlignedFace
from faceinp.exemplars.gaze import EYES
from faceinp.exemplars.match import HIDDEN
from faceinp.exemplars.references import Prepared
from faceinp.exemplars.sources import SYMMETRY, Reference

SIDES = ("left", "right")  # of the eyes, as seen in the picture
MIN_SHARE = 0.005  # of the hole; a smaller part gets no note


def of_symmetry(target: AlignedFace, codes: NDArray[np.uint8], problem: str, share: float) -> str:
    """A note on the other half of the face; may be empty.

    target: the photo's face. codes: uint8 (SIZE, SIZE), the sources on its crop. problem: why the other half was not
    used, a clause. share: the part of the hole that comes from it, 0 to 1.
    """
    if not share:
        return f"The other half of the face was not used: {problem}." if problem and problem != HIDDEN else ""
    for side, eye in enumerate(EYES):
        x, y = np.clip((target.points[eye] * SIZE).astype(int), 0, SIZE - 1).T
        if (codes[y, x] == SYMMETRY).sum() > len(x) / 2:
            return f"The {SIDES[side]} eye is the {SIDES[1 - side]} one, mirrored."
    if share <= MIN_SHARE:
        return ""
    return f"{_percent(share)} of the hole comes from the other half of the face, mirrored."


def of_references(prepared: Mapping[int, Prepared], references: Mapping[int, Reference]) -> list[str]:
    """Notes on each reference: its share of the hole, or why it was not used. Both mappings go by number, from 0."""
    notes = []
    for number, reference in references.items():
        used = f"{_percent(reference.share)} of the hole comes from reference photo {number + 1}."
        notes += [used if reference.share else reference.problem, prepared[number].note]
    return notes


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "Less than 1%"
