"""Put real pixels of the person into one face of a fill."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars import notes, references
from faceinp.exemplars.exemplar import SIZE, cut_face
from faceinp.exemplars.references import Predictor, Prepared
from faceinp.exemplars.sources import MAX_REFERENCES, REFERENCE, SYMMETRY, Reference
from faceinp.exemplars.transfer import apply
from faceinp.exemplars.warp import centres
from faceinp.face import faces
from faceinp.photo.arrays import Floats
from faceinp.photo.tone import Tone


@dataclass(frozen=True, eq=False)
class StepResult:
    """The photo after the step.

    image: uint8 (H, W, 3). codes: uint8 (H, W), as in ``Result.sources`` where pixels are real, 0 elsewhere.
    references: reports by number; their shares refer to the photo's entire hole. notes: sentences for the user.
    """

    image: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    references: dict[int, Reference]
    notes: list[str]


@dataclass(frozen=True)
class Step:
    """Settings of the step: the arguments of ``pipeline.fill`` with these names.

    face_generated: whether the engine completes faces, so that an exemplar must resemble the generated face.
    """

    symmetry: bool
    reference_check: bool
    face_generated: bool = True

    def __call__(
        self,
        image: NDArray[np.uint8],
        hole: NDArray[np.bool_],
        part: NDArray[np.bool_],
        hole_size: int,
        quad: NDArray[np.float64],
        landmarks: Floats,
        photos: Mapping[int, Any],
        predict: Predictor,
        tone: Tone | None,
    ) -> StepResult:
        """Put real pixels into one face.

        image: uint8 (H, W, 3), the filled photo. hole: bool (H, W), the part of the hole that belongs to the face.
        part: bool (H, W), the part of ``hole`` where real pixels are allowed. hole_size: pixels of the photo's entire
        hole, to which shares refer. quad: (4, 2), corners of the face's crop. landmarks: float32 (68, 2), as shares of
        the crop's side. photos: the references by number, counted from 0, as ``photos.read`` takes them; a file that is
        not a photo gets a report with a problem. predict: predicts landmarks of references. tone: of a monochrome
        photo, else None.
        """
        target = cut_face(image, hole, quad, landmarks)
        prepared = {
            number: references.prepare(photo, number, target, predict, checked=self.reference_check)
            for number, photo in photos.items()
        }
        exemplars = [one.exemplar for one in prepared.values() if one.exemplar is not None]
        image, codes, problems = apply(
            image,
            part,
            quad,
            target,
            symmetry=self.symmetry,
            references=exemplars,
            tone=tone,
            face_generated=self.face_generated,
        )
        counts = np.bincount(codes[part], minlength=REFERENCE + MAX_REFERENCES)
        shares = (counts / hole_size).tolist()
        better = "the other half of the face fits better" if shares[SYMMETRY] else "another one fits better"
        reports = {
            number: _report(number, one, shares[REFERENCE + number], problems, better)
            for number, one in prepared.items()
        }
        sentences = notes.of_references(prepared, reports)
        if self.symmetry:
            on_crop = _codes_on_crop(codes, quad)
            sentences.insert(0, notes.of_symmetry(target, on_crop, problems.get(SYMMETRY, ""), shares[SYMMETRY]))
        return StepResult(image, codes, reports, [sentence for sentence in sentences if sentence])


def _report(number: int, prepared: Prepared, share: float, problems: dict[int, str], better: str) -> Reference:
    """The report on a reference. problems: by code. better: the reason where the reference had no other problem."""
    problem = prepared.problem
    if not share and not problem:
        problem = references.unused(number, problems.get(REFERENCE + number) or better)
    return Reference(prepared.digest, share, prepared.distance, problem, prepared.refused, prepared.note)


def _codes_on_crop(codes: NDArray[np.uint8], quad: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The codes at the pixels of the face's crop: uint8 (SIZE, SIZE); 0 beyond the photo."""
    x, y = np.floor(faces.to_photo(centres(SIZE).reshape(-1, 2), quad)).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < codes.shape[1]) & (y < codes.shape[0])
    on_crop = np.zeros(len(x), np.uint8)
    on_crop[inside] = codes[y[inside], x[inside]]
    return on_crop.reshape(SIZE, SIZE)
