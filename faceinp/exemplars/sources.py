"""Where each pixel of a result comes from: the codes of ``Result.sources``, and what a result says of a reference."""

from dataclasses import dataclass

import cv2
import numpy as np

from faceinp.photo.photos import Photo

KNOWN, ENGINE, SYMMETRY, SURROUNDINGS = 0, 1, 2, 3
REFERENCE = 10  # reference i, counted from 0, has the code REFERENCE + i
MAX_REFERENCES = 8
_SIDE, _ALIKE = 16, 32  # of a digest's grid; bits that may differ


@dataclass(frozen=True)
class Reference:
    """One reference photo of a fill.

    digest: ``photo_digest`` of it, by which it is recognised; the photo itself is not kept. share: the part of the hole
    that comes from it, 0 to 1. distance: the judge's distance (Euclidean, 0 to 2) between this face and the known part
    of the photo's face; None where it was not judged. problem: why nothing was taken from it, one or two sentences;
    empty where something was. refused: whether the judge is the reason, so that ``reference_check=False`` would use it.
    note: what else a person should know, such as that it could not be confirmed, or not be told, whether it shows the
    same person; empty for nothing.
    """

    digest: bytes
    share: float
    distance: float | None = None
    problem: str = ""
    refused: bool = False
    note: str = ""


def photo_digest(photo: Photo) -> bytes:
    """By which a photo is recognised, though it was saved again or resized: a difference hash (Krawetz 2013), 32 bytes.

    A bit for each of 16 x 16 places: whether it is brighter than the one to its right.
    """
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes()


def same_photo(first: bytes, second: bytes) -> bool:
    """Whether two ``photo_digest`` are of one photo. Of two photos half of the bits differ."""
    return int.bit_count(int.from_bytes(first) ^ int.from_bytes(second)) <= _ALIKE
