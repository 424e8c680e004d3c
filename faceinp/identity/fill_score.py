"""How much a filled face is still the same person: what a judge says of a fill, with the floor beside it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from faceinp import identity as judges
from faceinp.errors import NoFaceError
from faceinp.exemplars.sources import photo_digest, same_photo
from faceinp.face import detection, faces
from faceinp.identity import Judge, Verdict
from faceinp.photo import photos
from faceinp.photo.photos import Photo
from faceinp.result import Result


@dataclass(frozen=True)
class Comparison:
    """A fill compared with one other photo of the person.

    filled, floor: as ``Likeness.original`` and ``Likeness.floor``, against this photo; None where it was left out.
    left_out: why it was, one sentence; empty where it was compared.
    """

    filled: Verdict | None = None
    floor: Verdict | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Likeness:
    """What one judge says of one fill: a likeness score, not evidence of identity.

    original: the fill against the photo it was made from, which is worth little where the photo itself is damaged in
    the hole. floor: that photo with a blank hole against itself, so what the known pixels alone are worth: a fill
    below it took likeness away. others: the same against each of the other photos, in the order given; one whose
    pixels are in the fill is left out, since it would praise itself.
    """

    original: Verdict
    floor: Verdict
    others: tuple[Comparison, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The one to rank fills by: the median of those against other photos (the lower of two), else ``original``."""
        compared = [other.filled for other in self.others if other.filled is not None]
        ranked = sorted(compared, key=lambda verdict: verdict.distance.euclidean)
        return ranked[(len(ranked) - 1) // 2] if ranked else self.original

    @property
    def note(self) -> str:
        """Which other photos were left out and why; empty where none was."""
        reasons = [other.left_out for other in self.others if other.left_out]
        if reasons and len(reasons) == len(self.others):
            reasons.append("No independent photo is left to compare with.")
        return " ".join(reasons)

    @property
    def second(self) -> Verdict | None:
        """The verdict against the first of ``others`` that was compared; None without one. Use ``others``."""
        return next((other.filled for other in self.others if other.filled is not None), None)

    @property
    def second_floor(self) -> Verdict | None:
        """The floor beside ``second``. Use ``others``."""
        return next((other.floor for other in self.others if other.floor is not None), None)


def judge_fill(
    result: Result,
    judge: Judge | str | PathLike[str] = "auto",
    *,
    face: int = 1,
    others: Sequence[photos.PhotoSource] = (),
    second: photos.PhotoSource | None = None,
) -> Likeness:
    """Judge whether a filled face is still the person it was.

    judge: a Judge, or a name as in ``load_judge``. face: which of ``result.faces``, counted from 1. others: other
    photos of the person, as ``photo.read`` takes them; the largest face of each counts, or all of it where no face is
    found and it is square. References may be among them: one that was used to fill is recognised by its pixels and left
    out, and so is a photo without a face.
    second: the former name of ``others``, for one photo.
    Raises PhotoError, NoFaceError where no such face was filled, EngineError, and WeightsError where there is no judge,
    or it is not calibrated.
    """
    others = photos.several(others, "others")
    if second is not None:
        warnings.warn("judge_fill(second=...) is now others=[...].", DeprecationWarning, stacklevel=2)
        others = (*others, second)
    if not 1 <= face <= len(result.faces):
        count = len(result.faces)
        raise NoFaceError(
            f"There is no filled face {face} to judge: {count} were filled. Choose 1 to {count}."
            if count
            else "No face was filled, so there is no likeness to judge."
        )
    judge = judge if isinstance(judge, Judge) else judges.load(judge)
    crops = [
        _crop(picture, result.mask, result.faces[face - 1].crop.quad) for picture in (result.image, result.photo.pixels)
    ]
    blank = crops[1].pixels.copy()
    blank[crops[1].hole] = 128
    used = {reference.digest for reference in result.references if reference.share > 0}
    itself = photo_digest(result.photo)
    faces_or_reasons = [
        _face_or_reason(photos.read(other), number, used, itself) for number, other in enumerate(others, 1)
    ]
    compared = [face for face in faces_or_reasons if not isinstance(face, str)]
    pictures = [crops[0].pixels, crops[1].pixels, blank, *compared]
    filled, original, floor, *vectors = judge.embed(np.stack([_floats(picture) for picture in pictures]))
    remaining = iter(vectors)

    def compare(face_or_reason: NDArray[np.uint8] | str) -> Comparison:
        if isinstance(face_or_reason, str):
            return Comparison(left_out=face_or_reason)
        vector = next(remaining)
        return Comparison(judge.same_person(filled, vector), judge.same_person(floor, vector))

    return Likeness(
        judge.same_person(filled, original),
        judge.same_person(floor, original),
        tuple(compare(face_or_reason) for face_or_reason in faces_or_reasons),
    )


def _crop(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], quad: NDArray[np.float64]) -> faces.Crop:
    return faces.align(pixels, hole, quad, judges.SIDE)


def _face_or_reason(photo: Photo, number: int, used: set[bytes], itself: bytes) -> NDArray[np.uint8] | str:
    """The aligned crop of a photo's largest face, or one sentence on why the photo is left out.

    number: of the photo among the others, from 1. used: digests of the references whose pixels are in the fill. itself:
    that of the photo that was filled.
    """
    digest = photo_digest(photo)
    if same_photo(digest, itself):
        return f"Other photo {number} is the photo that was filled, so no score is given against it."
    if any(same_photo(digest, one) for one in used):
        return f"Other photo {number} was used to fill, so no score is given against it."
    pixels, nothing = photo.pixels, np.zeros(photo.pixels.shape[:2], np.bool_)
    try:
        found = detection.find_faces(pixels)
    except NoFaceError as error:
        return f"Other photo {number}: {error}"
    if found:
        return _crop(pixels, nothing, faces.quad(found[0])).pixels
    if photo.height == photo.width:
        return faces.whole(pixels, nothing, judges.SIDE).pixels
    return f"No face was found in other photo {number}. Choose one that shows it larger or less turned."


def _floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
