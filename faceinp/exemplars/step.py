"""Put real pixels of the person into one face of a fill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars import references
from faceinp.exemplars.exemplar import AlignedFace, cut_face
from faceinp.exemplars.gaze import EYES
from faceinp.exemplars.match import HIDDEN
from faceinp.exemplars.references import Predictor
from faceinp.exemplars.sources import MAX_REFERENCES, REFERENCE, SYMMETRY, Reference
from faceinp.exemplars.transfer import apply
from faceinp.face import faces
from faceinp.photo.arrays import Floats
from faceinp.photo.tone import Tone

SIDES = ("left", "right")  # of the eyes, as seen in the picture
MIN_SHARE = 0.005  # of the hole; a smaller part gets no note


@dataclass(frozen=True, eq=False)
class RealPixels:
    """A filled photo with real pixels.

    image: uint8 (H, W, 3). codes: uint8 (H, W), as in ``Result.sources`` where pixels are real, 0 elsewhere.
    references: reports by number; their shares refer to the photo's entire hole. notes: sentences for the user.
    """

    image: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    references: Mapping[int, Reference]
    notes: Sequence[str] = ()


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
    ) -> RealPixels:
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
        exemplars = [exemplar for _, exemplar in prepared.values() if exemplar is not None]
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
            number: _report(number, report, shares[REFERENCE + number], problems, better)
            for number, (report, _) in prepared.items()
        }
        sentences = []
        if self.symmetry:
            sentences.append(_symmetry_note(target, codes, quad, problems.get(SYMMETRY, ""), shares[SYMMETRY]))
        for number, report in reports.items():
            used = f"{_percent(report.share)} of the hole comes from reference photo {number + 1}."
            sentences += [used if report.share else report.problem, report.note]
        return RealPixels(image, codes, reports, [sentence for sentence in sentences if sentence])


def _report(number: int, report: Reference, share: float, problems: dict[int, str], better: str) -> Reference:
    """The report on a reference. problems: by code. better: the reason where the reference had no other problem."""
    problem = report.problem
    if not share and not problem:
        problem = references.unused(number, problems.get(REFERENCE + number) or better)
    return replace(report, share=share, problem=problem)


def _symmetry_note(
    target: AlignedFace, codes: NDArray[np.uint8], quad: NDArray[np.float64], problem: str, share: float
) -> str:
    """A note on the other half of the face; may be empty.

    target: the photo's face. codes: uint8 (H, W). quad: (4, 2), corners of the face's crop. problem: why the other half
    was not used, a clause. share: the part of the hole that comes from it, 0 to 1.
    """
    if not share:
        return f"The other half of the face was not used: {problem}." if problem and problem != HIDDEN else ""
    for side, eye in enumerate(EYES):
        x, y = np.floor(faces.to_photo(target.points[eye], quad)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < codes.shape[1]) & (y < codes.shape[0])
        if (codes[y[inside], x[inside]] == SYMMETRY).sum() > len(x) / 2:
            return f"The {SIDES[side]} eye is the {SIDES[1 - side]} one, mirrored."
    if share <= MIN_SHARE:
        return ""
    return f"{_percent(share)} of the hole comes from the other half of the face, mirrored."


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "Less than 1%"
