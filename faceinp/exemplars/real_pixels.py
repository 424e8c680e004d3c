"""Real pixels for every face of a fill: from its other half, or from those reference photos that show this person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.blend.surroundings import Filled
from faceinp.errors import MaskError, PhotoError
from faceinp.exemplars import ENGINE, Reference, Step, nearest_face, photo_digest, read_reference, unused_reference
from faceinp.exemplars.exemplar import crop_of
from faceinp.face import faces, landmark_predictor
from faceinp.face.targets import Target, Targets
from faceinp.mask import presets

Floats = NDArray[np.float32]
Predictor = Callable[[Floats, NDArray[np.bool_]], Floats]


@dataclass(frozen=True, eq=False)
class RealPixels:
    """image: uint8 (H, W, 3). codes: uint8 (H, W), as in ``Result.sources`` where real pixels are, 0 elsewhere.
    references: what became of each. notes: sentences on references that belong to no face.
    """

    image: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    references: tuple[Reference, ...] = ()
    notes: tuple[str, ...] = ()


def use_real_pixels(
    pixels: NDArray[np.uint8],
    filled: Filled,
    hole: NDArray[np.bool_],
    targets: Targets,
    references: Sequence[Any],
    step: Step,
    predict: Predictor,
) -> RealPixels:
    """Put real pixels into the filled photo, one face after the other, and what is to be said of it into their notes.

    pixels: uint8 (H, W, 3), the photo; filled: the same, filled. hole: bool (H, W). references: as ``photo.read`` takes
    them; what is no photo has a problem. predict: as for ``Step``. Raises MaskError for a face that is hidden whole and
    that no reference shows.
    """
    image, codes = filled.image, np.zeros(hole.shape, np.uint8)
    if not targets.faces:
        unused = tuple(_unused(photo, number) for number, photo in enumerate(references))
        return RealPixels(image, codes, unused, tuple(reference.problem for reference in unused))
    if not step.symmetry and not references:
        return RealPixels(image, codes)
    points = [_points(target, pixels, hole, predict) for target in targets.faces]
    belongs = [0] * len(references)
    if len(targets.faces) > 1 and references:
        crops = [
            crop_of(image, hole, target.crop.quad, local) for target, local in zip(targets.faces, points, strict=True)
        ]
        belongs = [nearest_face(photo, number, crops) for number, photo in enumerate(references)]
    outcomes: dict[int, Reference] = {}
    whole = int(np.count_nonzero(hole))
    for index, target in enumerate(targets.faces):
        theirs = {number: photo for number, photo in enumerate(references) if belongs[number] == index}
        own = targets.owner == index + 1
        # Where surroundings were continued into the crop, they stay.
        part = own if target.hidden else own & (filled.sources == ENGINE)
        if not part.any():
            outcomes |= {number: _unused(photo, number) for number, photo in theirs.items()}
            target.notes += [outcomes[number].problem for number in theirs]
            continue
        outcome = step(image, own, part, whole, target.crop.quad, points[index], theirs, predict, target.tone)
        if target.hidden and not outcome.codes.any():
            raise MaskError(f"The mask covers the entire face, and no reference photo fits. {' '.join(outcome.notes)}")
        image, codes = outcome.image, np.maximum(codes, outcome.codes)
        target.notes += outcome.notes
        outcomes |= outcome.references
    return RealPixels(image, codes, tuple(outcomes[number] for number in range(len(references))))


def _unused(reference: Any, number: int) -> Reference:
    """What becomes of a reference where no face is filled."""
    try:
        digest = photo_digest(read_reference(reference, number))
    except PhotoError:
        digest = b""
    return Reference(digest, 0.0, problem=unused_reference(number, "no face is filled"))


def _points(target: Target, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], predict: Predictor) -> Floats:
    """The landmarks of a face, float32 (68, 2), in shares of its crop's side."""
    quad = target.crop.quad
    if target.landmarks is not None:
        return faces.to_crop(target.landmarks, quad)
    if target.hidden:  # from its five points, or its box
        five = None if target.location is None else target.location.points
        return presets.average_points(1, None if five is None else faces.to_crop(five, quad)).astype(np.float32)
    crop = faces.align(pixels, hole, quad, landmark_predictor.SIZE)
    picture = crop.pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return predict(picture[None], crop.hole[None, None])[0]
