"""Judges: they tell whether two faces show the same person. A likeness score, not evidence of identity.

``judges`` is the base class and the lineage of each judge, ``networks`` the judges that exist, ``calibration`` the
thresholds and the probability of a judge's distances, and ``fill_score`` judges a filled face against other photos.

>>> from faceinp import identity
>>> judge = identity.load("auto")  # or "facenet", "bundled", "dlib", the path of an ONNX file
>>> vectors = judge.embed(crops)  # aligned crops (N, 3, S, S) in [0, 1] -> unit vectors (N, D)
>>> print(judge.same_person(vectors[0], vectors[1]))
"""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError
from faceinp.face import detection, faces
from faceinp.identity.calibration import RATES
from faceinp.identity.judges import CAVEAT, Judge, Verdict, check_independent
from faceinp.identity.networks import load
from faceinp.photo import photos
from faceinp.photo.arrays import to_picture

__all__ = ["CAVEAT", "RATES", "Judge", "Verdict", "check_independent", "compare", "crops_alike", "load"]

SIDE = 256  # pixels, side of the crops that are compared: larger than the input of any judge


def compare(
    first: photos.PhotoSource,
    second: photos.PhotoSource,
    judge: Judge | str | PathLike[str] = "auto",
    *,
    aligned: bool = False,
    false_match_rate: float = 0.01,
) -> Verdict:
    """Whether the largest faces of two photos show the same person. The notes say how many faces each photo has.

    first, second: photos as for ``photos.read``. judge: a Judge, or a name as for ``load``. aligned: both photos are
    square aligned crops. false_match_rate: as for ``Judge.same_person``.
    Raises PhotoError, NoFaceError, and the errors of ``load`` and ``Judge.same_person``.
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
    """The same crop of two versions of a photo, around the largest face of the first, for ``Judge.embed``.

    truth, other: uint8 (H, W, 3) of one size. aligned: they are square aligned crops. Returns float32 (2, 3, SIDE,
    SIDE) in [0, 1], or None if no face is found. Raises PhotoError if ``aligned`` pictures are not square.
    """
    if aligned:
        quad = faces.whole_quad(truth.shape)
    elif detected := detection.find_large_faces(truth):
        quad = faces.quad(detected[0])
    else:
        return None
    no_hole = np.zeros(truth.shape[:2], bool)
    return to_picture(np.stack([faces.align(each, no_hole, quad, SIDE).pixels for each in (truth, other)]))


def _crop(source: Any, which: str, aligned: bool) -> tuple[NDArray[np.float32], str]:
    """The crop of a photo's largest face, (3, SIDE, SIDE) in [0, 1], and a note on the photo's faces.

    which: "first" or "second", for messages.
    """
    pixels = photos.read(source).pixels
    no_hole = np.zeros(pixels.shape[:2], bool)
    if aligned:
        return to_picture(faces.whole(pixels, no_hole, SIDE).pixels), ""
    try:
        detected = detection.find_faces(pixels)
    except NoFaceError as error:
        raise NoFaceError(f"The {which} photo: {error}") from error
    if not detected:
        raise NoFaceError(
            f"No face was found in the {which} photo. Use a photo that shows it larger or more frontal, or "
            "--aligned (aligned=True) if both photos are aligned faces."
        )
    crop = faces.align(pixels, no_hole, faces.quad(detected[0]), SIDE)
    return to_picture(crop.pixels), _faces_note(which, detected)


def _faces_note(which: str, detected: Sequence[faces.Face]) -> str:
    x, y, w, h = detected[0].box
    where = f"{w:.0f} x {h:.0f} px at ({x + w / 2:.0f}, {y + h / 2:.0f})"
    if detected[0].turn:
        where += f", turned by {abs(detected[0].roll):.0f} degrees"
    if len(detected) == 1:
        return f"The {which} photo shows 1 face: {where}."
    return f"The {which} photo shows {len(detected)} faces. The largest was compared: {where}."
