"""How much a filled face is still the same person: what a judge says of a fill, with the floor beside it."""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp import faces
from faceinp import identity as judges
from faceinp import photo as photos
from faceinp.errors import NoFaceError
from faceinp.identity import Judge, Verdict
from faceinp.pipeline import Result


@dataclass(frozen=True)
class Likeness:
    """What one judge says of one fill: a likeness score, not evidence of identity.

    original: the fill against the photo it was made from, which is worth little where the photo itself is damaged in
    the hole. floor: that photo with a blank hole against itself, so what the known pixels alone are worth: a fill
    below it took likeness away. second, second_floor: the same against another photo of the person; None without one.
    """

    original: Verdict
    floor: Verdict
    second: Verdict | None = None
    second_floor: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """The one to rank fills by: against the second photo where there is one."""
        return self.second or self.original


def judge_fill(result: Result, judge: Judge | str | PathLike[str] = "auto", *, second: Any = None) -> Likeness:
    """Judge whether a filled face is still the person it was.

    judge: a Judge, or a name as in ``load_judge``. second: another photo of the person, as ``photo.read`` takes it;
    its largest face counts, or all of it where no face is found and it is square.
    Raises PhotoError, NoFaceError, EngineError, and WeightsError where there is no judge, or it is not calibrated.
    """
    judge = judge if isinstance(judge, Judge) else judges.load(judge)
    crops = [_crop(picture, result.mask, result.crop.quad) for picture in (result.image, result.photo.pixels)]
    blank = crops[1].pixels.copy()
    blank[crops[1].hole] = 128
    pictures = [crops[0].pixels, crops[1].pixels, blank]
    if second is not None:
        pictures.append(_face(photos.read(second).pixels))
    vectors = judge.embed(np.stack([_floats(picture) for picture in pictures]))
    filled, original, floor = vectors[:3]
    return Likeness(
        judge.same_person(filled, original),
        judge.same_person(floor, original),
        judge.same_person(filled, vectors[3]) if second is not None else None,
        judge.same_person(floor, vectors[3]) if second is not None else None,
    )


def _crop(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], quad: NDArray[np.float64]) -> faces.Crop:
    return faces.align(pixels, hole, quad, judges.SIDE)


def _face(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The aligned crop of the largest face."""
    nothing = np.zeros(pixels.shape[:2], np.bool_)
    if found := faces.find_faces(pixels):
        return _crop(pixels, nothing, faces.quad(found[0])).pixels
    if pixels.shape[0] == pixels.shape[1]:
        return faces.whole(pixels, nothing, judges.SIDE).pixels
    raise NoFaceError("No face was found in the second photo. Give one that shows it larger or less turned.")


def _floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
