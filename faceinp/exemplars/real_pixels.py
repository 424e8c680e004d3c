"""Put real pixels into every face of a fill: from its other half, or from the reference photos of this person."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.blend.surroundings import FilledPhoto
from faceinp.errors import MaskError, PhotoError
from faceinp.exemplars import references as references_
from faceinp.exemplars.exemplar import cut_face
from faceinp.exemplars.references import Predictor
from faceinp.exemplars.sources import ENGINE, Reference, photo_digest
from faceinp.exemplars.step import RealPixels, Step
from faceinp.face import faces, landmark_predictor
from faceinp.face.targets import Target, Targets
from faceinp.mask import presets
from faceinp.photo.arrays import Floats


def use_real_pixels(
    pixels: NDArray[np.uint8],
    filled: FilledPhoto,
    hole: NDArray[np.bool_],
    targets: Targets,
    references: Sequence[Any],
    step: Step,
    predict: Predictor,
) -> RealPixels:
    """Put real pixels into the filled photo, one face after the other, and add notes to the faces.

    pixels: uint8 (H, W, 3), the photo. filled: the photo, filled. hole: bool (H, W). references: as ``photos.read``
    takes them; a file that is not a photo gets a report with a problem. predict: as for ``Step``. Raises MaskError
    where the mask covers a face entirely and no reference shows it.
    """
    image, codes = filled.image, np.zeros(hole.shape, np.uint8)
    if not targets.faces:
        unused = {number: _unused(photo, number) for number, photo in enumerate(references)}
        return RealPixels(image, codes, unused, [reference.problem for reference in unused.values()])
    if not step.symmetry and not references:
        return RealPixels(image, codes, {})
    landmarks = [_landmarks(target, pixels, hole, predict) for target in targets.faces]
    face_indices = [0] * len(references)  # of the face that each reference shows
    if len(targets.faces) > 1 and references:
        aligned = [
            cut_face(image, hole, target.crop.quad, local)
            for target, local in zip(targets.faces, landmarks, strict=True)
        ]
        face_indices = [references_.nearest_face(photo, number, aligned) for number, photo in enumerate(references)]
    reports: dict[int, Reference] = {}
    hole_size = int(np.count_nonzero(hole))
    for index, target in enumerate(targets.faces):
        photos = {number: photo for number, photo in enumerate(references) if face_indices[number] == index}
        own = targets.owner == index + 1
        # Pixels of the crop that were continued from the surroundings stay.
        part = own if target.hidden else own & (filled.sources == ENGINE)
        if not part.any():
            reports |= {number: _unused(photo, number) for number, photo in photos.items()}
            target.notes += [reports[number].problem for number in photos]
            continue
        result = step(image, own, part, hole_size, target.crop.quad, landmarks[index], photos, predict, target.tone)
        if target.hidden and not result.codes.any():
            raise MaskError(f"The mask covers the entire face, and no reference photo fits. {' '.join(result.notes)}")
        image, codes = result.image, np.maximum(codes, result.codes)
        target.notes += result.notes
        reports |= result.references
    return RealPixels(image, codes, reports)


def _unused(reference: Any, number: int) -> Reference:
    """The report on a reference where no face is filled."""
    try:
        digest = photo_digest(references_.read(reference, number))
    except PhotoError:
        digest = b""
    return Reference(digest, problem=references_.unused(number, "no face is filled"))


def _landmarks(target: Target, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], predict: Predictor) -> Floats:
    """The landmarks of a face, float32 (68, 2), as shares of its crop's side."""
    quad = target.crop.quad
    if target.landmarks is not None:
        return faces.to_crop(target.landmarks, quad)
    if target.hidden:  # those of an average face at its five points
        five = None if target.location is None else target.location.points
        return presets.average_points(1, None if five is None else faces.to_crop(five, quad)).astype(np.float32)
    crop = faces.align(pixels, hole, quad, landmark_predictor.SIZE)
    return predict(crop.planes[None], crop.hole[None, None])[0]
