"""Reference photos: read other photos of the person, find and align the face, check it, and make an exemplar."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError, PhotoError, WeightsError
from faceinp.exemplars import check
from faceinp.exemplars.exemplar import SIZE, AlignedFace, Exemplar, from_crop
from faceinp.exemplars.sources import MAX_REFERENCES, REFERENCE, photo_digest
from faceinp.face import detection, faces
from faceinp.photo import photos, tone
from faceinp.photo.arrays import Floats
from faceinp.photo.photos import Photo

# From crops, float32 (N, 3, SIZE, SIZE) in [0, 1], and holes, bool (N, 1, SIZE, SIZE), to landmarks (N, 68, 2), as
# shares of the side.
Predictor = Callable[[Floats, NDArray[np.bool_]], Floats]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A reference photo after reading and checking.

    digest, distance, problem, refused: as in ``sources.Reference``; the digest of a file that is not a photo is empty.
    exemplar: None where there is a problem. note: a sentence for the user; may be empty.
    """

    digest: bytes
    exemplar: Exemplar | None = None
    distance: float | None = None
    problem: str = ""
    refused: bool = False
    note: str = ""


def prepare(source: Any, number: int, target: AlignedFace, predict: Predictor, *, checked: bool) -> Prepared:
    """Make an exemplar from a reference photo.

    source: as ``photos.read`` takes it; of several faces in it the one nearest to the target is used. number: of the
    reference, counted from 0. predict: predicts landmarks. checked: whether a judge may refuse the reference.
    """
    try:
        photo = read(source, number)
    except PhotoError as error:
        return Prepared(b"", problem=str(error))
    digest = photo_digest(photo)
    try:
        crops = _crops(photo)
    except NoFaceError:
        return Prepared(digest, problem=unused(number, "it is not clear which way up its face is. Turn it upright"))
    if not crops:
        return Prepared(digest, problem=unused(number, "no face was found in it. Use one that shows the face larger"))
    pictures = np.stack([crop.planes for crop in crops])
    best, distance, note = 0, None, ""
    try:
        if checked:
            verdicts = check.verdicts(target.planes, ~target.known, pictures)
            best = min(range(len(verdicts)), key=lambda n: verdicts[n].distance)
            distance, note = verdicts[best].distance, verdicts[best].note(number)
            if problem := verdicts[best].problem(number):
                return Prepared(digest, None, distance, problem, refused=True)
        elif len(pictures) > 1:
            best = int(check.known_distances(target.planes, ~target.known, pictures).argmin())
    except WeightsError as error:
        note = f"Reference photo {number + 1} was not checked: {error}"
    crop = crops[best]
    landmarks = predict(pictures[best : best + 1], crop.hole[None, None])[0]
    monochrome = photo.grey or tone.estimate_tone(crop.pixels, crop.hole) is not None
    face = from_crop(crop, photo.transparent.shape, landmarks)
    exemplar = Exemplar(photo.pixels, crop.quad, face, REFERENCE + number, monochrome)
    return Prepared(digest, exemplar, distance, note=note)


def nearest_face(source: Any, number: int, candidates: Sequence[AlignedFace]) -> int:
    """The index of the face in ``candidates`` that the judge finds nearest to the reference.

    source, number: as for ``prepare``. It is 0 where the judge or a face in the reference is missing, or the turn of
    that face is uncertain.
    """
    try:
        crops = _crops(read(source, number))
    except (PhotoError, NoFaceError):  # ``prepare`` reports it
        return 0
    if not crops:
        return 0
    pictures = np.stack([crop.planes for crop in crops])
    try:
        distances = [check.known_distances(face.planes, ~face.known, pictures).min() for face in candidates]
    except WeightsError:  # ``prepare`` reports it
        return 0
    return int(np.argmin(distances))


def listed(references: Any) -> tuple[Any, ...]:
    """The references as a tuple, empty for None. Raises PhotoError unless they are a list of at most MAX_REFERENCES."""
    references = photos.several(references, "references")
    if len(references) > MAX_REFERENCES:
        raise PhotoError(f"At most {MAX_REFERENCES} reference photos are used; got {len(references)}. Keep the best.")
    return references


def read(source: Any, number: int) -> Photo:
    """As ``photos.read``. number: of the reference, counted from 0, for the error."""
    try:
        return photos.read(source)
    except PhotoError as error:
        raise PhotoError(f"Reference photo {number + 1}: {error}") from error


def unused(number: int, reason: str) -> str:
    """The sentence on a reference that was not used."""
    return f"Reference photo {number + 1} was not used: {reason}."


def _crops(photo: Photo) -> list[faces.Crop]:
    """The crops of a photo's faces, largest first. A square photo without a face counts as an aligned crop.

    Raises NoFaceError where the turn of its only face is uncertain.
    """
    detected = detection.find_large_faces(photo.pixels) or detection.find_faces(photo.pixels)
    quads = [faces.quad(face) for face in detected]
    if not quads and photo.width == photo.height:
        quads = [faces.whole_quad(photo.pixels.shape)]
    return [faces.align(photo.pixels, photo.transparent, quad, SIZE) for quad in quads]
