"""The codes of ``Result.sources``, which say where each pixel comes from; and the report on a reference photo."""

from dataclasses import dataclass

import cv2
import numpy as np

from faceinp.photo.photos import Photo

KNOWN, ENGINE, SYMMETRY, SURROUNDINGS = 0, 1, 2, 3
REFERENCE = 10  # reference i, counted from 0, has the code REFERENCE + i
MAX_REFERENCES = 8
_GRID_SIDE = 16  # of a digest: 256 bits
_MAX_DIFFERENT_BITS = 32  # of two digests of one photo


@dataclass(frozen=True)
class Reference:
    """The report on one reference photo of a fill.

    digest: its ``photo_digest``, which identifies it; the photo itself is not kept. share: the part of the hole that
    comes from it, 0 to 1. distance: the judge's distance (Euclidean, 0 to 2) between its face and the known part of the
    photo's face; None where the judge did not run. problem: why it was not used, one or two sentences; empty where it
    was used. refused: whether the judge is the reason, so that ``reference_check=False`` would use it. note: a sentence
    for the user, such as that the same person could not be confirmed; may be empty.
    """

    digest: bytes
    share: float = 0.0
    distance: float | None = None
    problem: str = ""
    refused: bool = False
    note: str = ""


def photo_digest(photo: Photo) -> bytes:
    """A difference hash (Krawetz 2013), 32 bytes, that hardly changes when a photo is resized or saved again.

    Each bit of a 16 x 16 grid says whether a cell is brighter than the one to its right.
    """
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_GRID_SIDE + 1, _GRID_SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes()


def same_photo(first: bytes, second: bytes) -> bool:
    """Whether two ``photo_digest`` belong to one photo. For two different photos half of the bits differ."""
    return int.bit_count(int.from_bytes(first) ^ int.from_bytes(second)) <= _MAX_DIFFERENT_BITS
