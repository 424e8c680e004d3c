"""Who is it: judges that compare faces, with a probability that is calibrated.

>>> from faceinp import identity
>>> judge = identity.load("auto")          # or "facenet", "bundled", "dlib", the path of an ONNX file
>>> vectors = judge.embed(crops)           # crops as the engines see them -> unit vectors
>>> print(judge.same_person(vectors[0], vectors[1]))

What they say is a likeness score, not evidence of identity.
"""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError
from faceinp.face import detection, faces
from faceinp.identity.calibration import RATES, Calibration
from faceinp.identity.judges import CAVEAT, LINEAGE, Distance, Judge, Verdict, check_independent
from faceinp.identity.networks import JUDGES, load
from faceinp.photo import photos

__all__ = [
    "CAVEAT",
    "JUDGES",
    "LINEAGE",
    "RATES",
    "Calibration",
    "Distance",
    "Judge",
    "Verdict",
    "check_independent",
    "compare",
    "crops_alike",
    "load",
]

SIDE = 256  # of the crops that photos are compared by: finer than any judge looks


def compare(
    first: Any,
    second: Any,
    judge: Judge | str | PathLike[str] = "auto",
    *,
    aligned: bool = False,
    false_match_rate: float = 0.01,
) -> Verdict:
    """Whether the largest faces of two photos show one person; the notes say how many faces each photo has.

    first, second: as ``photo.read`` takes them. judge: a Judge, or a name as in ``load``. aligned: the photos are
    square, aligned crops already. false_match_rate: as in ``Judge.same_person``.
    Raises PhotoError, NoFaceError, and what ``load`` and ``Judge.same_person`` raise.
    """
    (first_crop, first_note), (second_crop, second_note) = (
        _crop(source, which, aligned) for source, which in ((first, "first"), (second, "second"))
    )
    judge = judge if isinstance(judge, Judge) else load(judge)
    a, b = judge.embed(np.stack([first_crop, second_crop]))
    verdict = judge.same_person(a, b, false_match_rate=false_match_rate)
    return replace(verdict, notes=(*verdict.notes, *filter(None, (first_note, second_note))))


def crops_alike(
    truth: NDArray[np.uint8], other: NDArray[np.uint8], *, aligned: bool = False
) -> NDArray[np.float32] | None:
    """The largest face of a photo, cut out of it and of another version of it alike, for a judge to ``embed``.

    truth, other: uint8 (H, W, 3) of one size. aligned: they are square, aligned crops already. Returns (2, 3, SIDE,
    SIDE) in [0, 1]; None where no face was found. Raises PhotoError where ``aligned`` pictures are not square.
    """
    if aligned:
        quad = faces.whole_quad(truth.shape)
    elif found := detection.find_large_faces(truth):
        quad = faces.quad(found[0])
    else:
        return None
    no_hole = np.zeros(truth.shape[:2], bool)
    crops = np.stack([faces.align(each, no_hole, quad, SIDE).pixels for each in (truth, other)])
    return crops.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)


def _crop(source: Any, which: str, aligned: bool) -> tuple[NDArray[np.float32], str]:
    """The crop of a photo's largest face, (3, SIDE, SIDE) in [0, 1], and a sentence on the faces of the photo."""
    pixels = photos.read(source).pixels
    no_hole = np.zeros(pixels.shape[:2], bool)
    if aligned:
        crop, note = faces.whole(pixels, no_hole, SIDE), ""
    else:
        try:
            found = detection.find_faces(pixels)
        except NoFaceError as error:
            raise NoFaceError(f"The {which} photo: {error}") from error
        if not found:
            raise NoFaceError(
                f"No face was found in the {which} photo. Give one that shows it larger or less turned, or use "
                "--aligned (aligned=True) if both photos are nothing but aligned faces."
            )
        crop = faces.align(pixels, no_hole, faces.quad(found[0]), SIDE)
        note = _faces_note(which, found)
    return crop.pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255), note


def _faces_note(which: str, found: Sequence[faces.Face]) -> str:
    x, y, w, h = found[0].box
    count = "1 face was" if len(found) == 1 else f"{len(found)} faces were"
    chosen = "It" if len(found) == 1 else "The largest, which"
    turned = f", turned by {abs(found[0].roll):.0f} degrees" if found[0].turn else ""
    sentence = f"{chosen} is {w:.0f} x {h:.0f} px around ({x + w / 2:.0f}, {y + h / 2:.0f}){turned}"
    return f"{count} found in the {which} photo. {sentence}{'.' if len(found) == 1 else ', was compared.'}"
