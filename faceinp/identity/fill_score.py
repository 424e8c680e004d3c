"""Identity scores of a filled face: a judge compares it with the original photo and with other photos of the person.

Beside each score is a floor, the score of the same photo with a blank hole: what the known pixels alone are worth.
"""

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
from faceinp.photo.arrays import to_picture
from faceinp.photo.photos import Photo
from faceinp.result import Result

BLANK = 128  # grey level of a blank hole


@dataclass(frozen=True)
class Comparison:
    """A fill compared with one other photo of the person.

    filled: the verdict on the fill; floor: the verdict on the photo with a blank hole. Both are None if the photo was
    left out. left_out: why it was left out, one sentence, or empty.
    """

    filled: Verdict | None = None
    floor: Verdict | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Likeness:
    """One judge's verdicts on one fill: a likeness score, not evidence of identity.

    original: the fill against the original photo; it means little if the photo itself is damaged in the hole. floor:
    the original photo with a blank hole against itself; a fill with a lower score looks less like the person than its
    known pixels alone. others: the comparison with each of the other photos, in the caller's order; a photo whose
    pixels are in the fill is left out, because its score would be too high.
    """

    original: Verdict
    floor: Verdict
    others: tuple[Comparison, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict for ranking fills: the median over other photos (the lower middle of two), else ``original``."""
        compared = [other.filled for other in self.others if other.filled is not None]
        ranked = sorted(compared, key=lambda verdict: verdict.distance.euclidean)
        return ranked[(len(ranked) - 1) // 2] if ranked else self.original

    @property
    def note(self) -> str:
        """Which other photos were left out and why; empty if all were compared."""
        reasons = [other.left_out for other in self.others if other.left_out]
        if reasons and len(reasons) == len(self.others):
            reasons.append("No independent photo is left to compare with.")
        return " ".join(reasons)

    @property
    def second(self) -> Verdict | None:
        """Deprecated, use ``others``: the verdict on the first photo that was compared, or None."""
        return next((other.filled for other in self.others if other.filled is not None), None)

    @property
    def second_floor(self) -> Verdict | None:
        """Deprecated, use ``others``: the floor of ``second``."""
        return next((other.floor for other in self.others if other.floor is not None), None)


def judge_fill(
    result: Result,
    judge: Judge | str | PathLike[str] = "auto",
    *,
    face: int = 1,
    others: Sequence[photos.PhotoSource] = (),
    second: photos.PhotoSource | None = None,
) -> Likeness:
    """Judge whether a filled face still shows the same person.

    judge: a Judge, or a name as for ``load_judge``. face: the number of the face in ``result.faces``, from 1. others:
    other photos of the person, as for ``read_photo``. The largest face of each is compared, or the whole photo if it is
    square and no face is found. A reference photo that was used to fill is recognised by its pixels and left out,
    and so is a photo without a face.
    second: deprecated, the former name of ``others`` for one photo.
    Raises PhotoError, NoFaceError if that face was not filled, EngineError, and WeightsError if the judge is missing or
    not calibrated.
    """
    others = photos.several(others, "others")
    if second is not None:
        warnings.warn("judge_fill(second=...) is now others=[...].", DeprecationWarning, stacklevel=2)
        others = (*others, second)
    if not 1 <= face <= len(result.faces):
        count = len(result.faces)
        raise NoFaceError(
            f"Face {face} cannot be judged: {count} were filled. Choose 1 to {count}."
            if count
            else "No face was filled, so none can be judged."
        )
    judge = judge if isinstance(judge, Judge) else judges.load(judge)
    filled_crop, original_crop = (
        faces.align(pixels, result.mask, result.faces[face - 1].crop.quad, judges.SIDE)
        for pixels in (result.image, result.photo.pixels)
    )
    blank = original_crop.pixels.copy()
    blank[original_crop.hole] = BLANK
    excluded = {reference.digest for reference in result.references if reference.share > 0}
    crops_or_reasons = [
        _crop_or_reason(photos.read(other), number, excluded, photo_digest(result.photo))
        for number, other in enumerate(others, 1)
    ]
    crops = [crop for crop in crops_or_reasons if not isinstance(crop, str)]
    pictures = [filled_crop.pixels, original_crop.pixels, blank, *crops]
    filled, original, floor, *vectors = judge.embed(to_picture(np.stack(pictures)))
    compared = iter([Comparison(judge.same_person(filled, one), judge.same_person(floor, one)) for one in vectors])
    return Likeness(
        judge.same_person(filled, original),
        judge.same_person(floor, original),
        tuple(Comparison(left_out=one) if isinstance(one, str) else next(compared) for one in crops_or_reasons),
    )


def _crop_or_reason(photo: Photo, number: int, excluded: set[bytes], filled: bytes) -> NDArray[np.uint8] | str:
    """The aligned crop of a photo's largest face, or one sentence on why the photo is left out.

    number: the photo's number among the others, from 1. excluded: digests of the references whose pixels are in the
    fill. filled: the digest of the photo that was filled.
    """
    digest = photo_digest(photo)
    if same_photo(digest, filled):
        return f"Other photo {number} is the photo that was filled, so it is not scored."
    if any(same_photo(digest, one) for one in excluded):
        return f"Other photo {number} was used to fill, so it is not scored."
    pixels, no_hole = photo.pixels, np.zeros(photo.pixels.shape[:2], np.bool_)
    try:
        detected = detection.find_faces(pixels)
    except NoFaceError as error:
        return f"Other photo {number}: {error}"
    if detected:
        return faces.align(pixels, no_hole, faces.quad(detected[0]), judges.SIDE).pixels
    if photo.height == photo.width:
        return faces.whole(pixels, no_hole, judges.SIDE).pixels
    return f"No face was found in other photo {number}. Choose one that shows it larger or more frontal."
