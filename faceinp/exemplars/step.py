"""The step of the pipeline that puts real pixels of the person where the engine invented some."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Floats
from faceinp.exemplars import notes, references
from faceinp.exemplars.exemplar import SIZE, crop_of
from faceinp.exemplars.references import Predictor, Prepared
from faceinp.exemplars.sources import MAX_REFERENCES, REFERENCE, SYMMETRY, Reference
from faceinp.exemplars.transfer import apply
from faceinp.exemplars.warp import centres
from faceinp.face import faces
from faceinp.photo.tone import Tone


@dataclass(frozen=True, eq=False)
class Outcome:
    """image: uint8 (H, W, 3). codes: uint8 (H, W), as in ``Result.sources`` where real pixels are, 0 elsewhere.
    references: what became of each, by its number; shares are of the whole photo's hole. notes: sentences for people.
    """

    image: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    references: dict[int, Reference]
    notes: list[str]


@dataclass(frozen=True)
class Step:
    """How real pixels are used: ``pipeline.fill``'s arguments of these names, symmetry settled."""

    symmetry: bool
    reference_check: bool
    drawn: bool = True  # whether the engine completes faces, so that an exemplar should look like what it drew

    def __call__(
        self,
        image: NDArray[np.uint8],
        hole: NDArray[np.bool_],
        part: NDArray[np.bool_],
        whole: int,
        quad: NDArray[np.float64],
        points: Floats,
        photos: Mapping[int, Any],
        predict: Predictor,
        tone: Tone | None,
    ) -> Outcome:
        """image: uint8 (H, W, 3), the photo with its hole filled. hole: bool (H, W), the face's. part: bool (H, W), the
        part of it where real pixels may go. whole: pixels of the photo's hole, of which shares are taken. quad: (4, 2),
        of the face's crop. points: float32 (68, 2), its landmarks in shares of the side. photos: the references by
        their numbers, counted from 0, as ``photo.read`` takes them; what is no photo has a problem. predict: finds
        landmarks on theirs. tone: the photo's, if it is monochrome.
        """
        target = crop_of(image, hole, quad, points)
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
            drawn=self.drawn,
        )
        counts = np.bincount(codes[part], minlength=REFERENCE + MAX_REFERENCES)
        shares = (counts / whole).tolist()
        better = "the other half of the face fits better" if shares[SYMMETRY] else "another one fits better"
        used = {
            number: _reference(number, one, shares[REFERENCE + number], problems, better)
            for number, one in prepared.items()
        }
        said = notes.of_references(prepared, used)
        if self.symmetry:
            on_crop = _nearest(codes, quad)
            said = [notes.of_symmetry(target, on_crop, problems.get(SYMMETRY, ""), shares[SYMMETRY]), *said]
        return Outcome(image, codes, used, [sentence for sentence in said if sentence])


def _reference(number: int, prepared: Prepared, share: float, problems: dict[int, str], better: str) -> Reference:
    problem = prepared.problem
    if not share and not problem:
        problem = references.unused(number, problems.get(REFERENCE + number) or better)
    return Reference(prepared.digest, share, prepared.distance, problem, prepared.refused, prepared.note)


def _nearest(codes: NDArray[np.uint8], quad: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The codes at the pixels of the face's crop: uint8 (SIZE, SIZE); 0 beyond the photo."""
    x, y = np.floor(faces.to_photo(centres(SIZE).reshape(-1, 2), quad)).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < codes.shape[1]) & (y < codes.shape[0])
    found = np.zeros(len(x), np.uint8)
    found[inside] = codes[y[inside], x[inside]]
    return found.reshape(SIZE, SIZE)
