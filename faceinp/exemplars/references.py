"""Reference photos: read other photos of the person, find and align the face, check it, and make an exemplar."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError, PhotoError, WeightsError
from faceinp.exemplars import check
from faceinp.exemplars.exemplar import SIZE, AlignedFace, Exemplar, from_crop
from faceinp.exemplars.sources import MAX_REFERENCES, REFERENCE, Reference, photo_digest
from faceinp.face import detection, faces
from faceinp.photo import photos, tone
from faceinp.photo.arrays import Floats
from faceinp.photo.photos import Photo, PhotoSource

# From crops, float32 (N, 3, SIZE, SIZE) in [0, 1], and holes, bool (N, 1, SIZE, SIZE), to landmarks (N, 68, 2), as
# shares of the side.
Predictor = Callable[[Floats, NDArray[np.bool_]], Floats]


def prepare(
    source: PhotoSource, number: int, target: AlignedFace, predict: Predictor, *, checked: bool
) -> tuple[Reference, Exemplar | None]:
    """Read and check a reference photo, and make an exemplar from it.

    source: of several faces in it the one nearest to the target is used. number: of the reference, counted from 0.
    predict: predicts landmarks. checked: whether a judge may refuse the reference. Returns the report on it so far,
    whose digest is empty for a file that is not a photo, and the exemplar, None where there is a problem.
    """
    try:
        photo = read(source, number)
    except PhotoError as error:
        return Reference(b"", problem=str(error)), None
    digest = photo_digest(photo)
    try:
        crops = _crops(photo)
    except NoFaceError:
        reason = "it is not clear which way up its face is. Turn it upright"
        return Reference(digest, problem=unused(number, reason)), None
    if not crops:
        reason = "no face was found in it. Use one that shows the face larger"
        return Reference(digest, problem=unused(number, reason)), None
    pictures = np.stack([crop.planes for crop in crops])
    best, distance, note = 0, None, ""
    try:
        if checked:
            verdicts = check.verdicts(target.planes, ~target.known, pictures)
            best = min(range(len(verdicts)), key=lambda n: verdicts[n].distance)
            distance, note = verdicts[best].distance, verdicts[best].note(number)
            if problem := verdicts[best].problem(number):
                return Reference(digest, 0.0, distance, problem, refused=True), None
        elif len(pictures) > 1:
            best = int(check.known_distances(target.planes, ~target.known, pictures).argmin())
    except WeightsError as error:
        note = f"Reference photo {number + 1} was not checked: {error}"
    crop = crops[best]
    landmarks = predict(pictures[best : best + 1], crop.hole[None, None])[0]
    monochrome = photo.grey or tone.estimate_tone(crop.pixels, crop.hole) is not None
    face = from_crop(crop, photo.transparent.shape, landmarks)
    exemplar = Exemplar(photo.pixels, crop.quad, face, REFERENCE + number, monochrome)
    return Reference(digest, 0.0, distance, note=note), exemplar


def nearest_face(source: PhotoSource, number: int, candidates: Sequence[AlignedFace]) -> int:
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


def listed(references: Iterable[PhotoSource] | None) -> tuple[PhotoSource, ...]:
    """The references as a tuple, empty for None. Raises PhotoError unless they are a list of at most MAX_REFERENCES."""
    sources = photos.several(references, "references")
    if len(sources) > MAX_REFERENCES:
        raise PhotoError(f"At most {MAX_REFERENCES} reference photos are used; got {len(sources)}. Keep the best.")
    return sources


def read(source: PhotoSource, number: int) -> Photo:
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
