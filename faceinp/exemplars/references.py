"""Reference photos: other photos of the person, found and aligned as a photo is, checked, and made exemplars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError, PhotoError, WeightsError
from faceinp.exemplars import check
from faceinp.exemplars.exemplar import SIZE, Crop, Exemplar, as_crop
from faceinp.exemplars.sources import MAX_REFERENCES, REFERENCE, photo_digest
from faceinp.face import detection, faces
from faceinp.photo import photos, tone
from faceinp.photo.photos import Photo

Floats = NDArray[np.float32]
# Pictures, float32 (N, 3, SIZE, SIZE) in [0, 1], and holes, bool (N, 1, SIZE, SIZE) -> landmarks (N, 68, 2), in shares
# of the side.
Predictor = Callable[[Floats, NDArray[np.bool_]], Floats]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A reference photo that was read and checked.

    digest, distance, problem, refused: as in ``sources.Reference``; of what is no photo the digest is empty. exemplar:
    None where there is a problem. note: what else is to be said of it, a sentence or nothing.
    """

    digest: bytes
    exemplar: Exemplar | None = None
    distance: float | None = None
    problem: str = ""
    refused: bool = False
    note: str = ""


def prepare(source: Any, number: int, target: Crop, predict: Predictor, *, checked: bool) -> Prepared:
    """Make an exemplar of a reference photo.

    source: as ``photo.read`` takes it; of several faces on it the one most like the target counts. number: of the
    reference, counted from 0. checked: whether a judge may refuse it.
    """
    try:
        photo = read(source, number)
    except PhotoError as error:
        return Prepared(b"", problem=str(error))
    digest = photo_digest(photo)
    try:
        quads = _quads(photo)
    except NoFaceError:
        return Prepared(digest, problem=unused(number, "it is not clear which way up its face is. Turn it upright"))
    if not quads:
        return Prepared(digest, problem=unused(number, "no face was found in it. Give one that shows the face larger"))
    missing = photo.transparent
    cuts = [faces.align(photo.pixels, missing, quad, SIZE) for quad in quads]
    pictures = np.stack([_picture(cut.pixels.astype(np.float32) / np.float32(255)) for cut in cuts])
    photo_face, hole = _picture(target.pixels), ~target.known
    best, distance, note = 0, None, ""
    try:
        if checked:
            verdicts = check.verdicts(photo_face, hole, pictures)
            best = min(range(len(verdicts)), key=lambda n: verdicts[n].distance)
            distance, note = verdicts[best].distance, verdicts[best].note(number)
            if problem := verdicts[best].problem(number):
                return Prepared(digest, None, distance, problem, refused=True)
        elif len(pictures) > 1:
            best = int(check.known_distances(photo_face, hole, pictures).argmin())
    except WeightsError as error:
        note = f"Reference photo {number + 1} was not checked: {error}"
    points = predict(pictures[best : best + 1], cuts[best].hole[None, None])[0]
    crop = as_crop(cuts[best], missing.shape, points)
    monochrome = photo.grey or tone.estimate_tone(cuts[best].pixels, cuts[best].hole) is not None
    exemplar = Exemplar(photo.pixels, quads[best], crop, REFERENCE + number, monochrome)
    return Prepared(digest, exemplar, distance, note=note)


def nearest_face(source: Any, number: int, crops: Sequence[Crop]) -> int:
    """Which of several faces of a photo a reference shows: the index of the one that the judge finds nearest.

    source, number: as for ``prepare``. crops: the faces. Without a judge, or a face in the reference whose turn is
    clear, the first.
    """
    try:
        photo = read(source, number)
        quads = _quads(photo)
    except (PhotoError, NoFaceError):  # ``prepare`` says so
        return 0
    pictures = [
        _picture(faces.align(photo.pixels, photo.transparent, quad, SIZE).pixels.astype(np.float32) / np.float32(255))
        for quad in quads
    ]
    if not pictures:
        return 0
    try:
        distances = [
            check.known_distances(_picture(crop.pixels), ~crop.known, np.stack(pictures)).min() for crop in crops
        ]
    except WeightsError:  # ``prepare`` says that nothing was checked
        return 0
    return int(np.argmin(distances))


def listed(given: Any) -> tuple[Any, ...]:
    """The references, each as ``photo.read`` takes it; none where None was given. Raises PhotoError for no list."""
    photos_given = photos.several(given, "references")
    if len(photos_given) > MAX_REFERENCES:
        raise PhotoError(f"At most {MAX_REFERENCES} reference photos are used; got {len(photos_given)}. Keep the best.")
    return photos_given


def read(source: Any, number: int) -> Photo:
    """As ``photo.read``; number: of the reference, counted from 0, for the error."""
    try:
        return photos.read(source)
    except PhotoError as error:
        raise PhotoError(f"Reference photo {number + 1}: {error}") from error


def unused(number: int, reason: str) -> str:
    """The sentence on a reference that nothing was taken from."""
    return f"Reference photo {number + 1} was not used: {reason}."


def _quads(photo: Photo) -> list[NDArray[np.float64]]:
    """The crops of its faces, largest first; all of a square photo without one, which is taken for an aligned crop.

    Raises NoFaceError where its only face may be turned in two ways.
    """
    found = detection.find_large_faces(photo.pixels) or detection.find_faces(photo.pixels)
    if found:
        return [faces.quad(face) for face in found]
    if photo.width == photo.height:
        return [faces.whole(photo.pixels, np.zeros((photo.height, photo.width), np.bool_), SIZE).quad]
    return []


def _picture(pixels: Floats) -> Floats:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
