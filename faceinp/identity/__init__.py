"""Who is it: judges that compare faces, with a probability that is calibrated.

>>> from faceinp import identity
>>> judge = identity.load("auto")          # or "facenet", "bundled", "dlib", the path of an ONNX file
>>> vectors = judge.embed(crops)           # crops as the engines see them -> unit vectors
>>> print(judge.same_person(vectors[0], vectors[1]))

What they say is a likeness score, not evidence of identity.
"""

from os import PathLike
from typing import Any

import numpy as np

from faceinp import faces, photo
from faceinp.errors import NoFaceError
from faceinp.identity.calibration import RATES, Calibration
from faceinp.identity.judges import CAVEAT, KIN, Distance, Judge, Verdict, independent
from faceinp.identity.networks import JUDGES, load

__all__ = [
    "CAVEAT",
    "JUDGES",
    "KIN",
    "RATES",
    "Calibration",
    "Distance",
    "Judge",
    "Verdict",
    "compare",
    "independent",
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
    """Whether the largest faces of two photos show one person.

    first, second: as ``photo.read`` takes them. judge: a Judge, or a name as in ``load``. aligned: the photos are
    square, aligned crops already. false_match_rate: as in ``Judge.same_person``.
    Raises PhotoError, NoFaceError, and what ``load`` and ``Judge.same_person`` raise.
    """
    crops = np.stack([_crop(first, "first", aligned), _crop(second, "second", aligned)])
    judge = judge if isinstance(judge, Judge) else load(judge)
    a, b = judge.embed(crops)
    return judge.same_person(a, b, false_match_rate=false_match_rate)


def _crop(source: Any, place: str, aligned: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
    pixels = photo.read(source).pixels
    nothing = np.zeros(pixels.shape[:2], bool)
    if aligned:
        crop = faces.whole(pixels, nothing, SIDE)
    else:
        found = faces.find_faces(pixels)
        if not found:
            raise NoFaceError(
                f"No face was found in the {place} photo. Give one that shows it larger or less turned, or use "
                "--aligned (aligned=True) if both photos are nothing but aligned faces."
            )
        crop = faces.align(pixels, nothing, faces.quad(found[0]), SIDE)
    return crop.pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
