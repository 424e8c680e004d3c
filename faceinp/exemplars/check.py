"""Check whether a reference photo shows the person whose face has the hole.

The bundled judge compares the photo, its hole blanked, with the complete reference. How far two photos of one person
are apart depends on what the hole hides, and holes have any shape. So the cost of the hole is measured on the
reference, where nothing is missing: the distance between its embeddings with and without the same hole. The distance
below which 99 % of true pairs lie is a linear function of that cost, from a scratch to the whole face
(``docs/measurements/reference-check.md``). ``faceinp evaluate reference-check --calibrate`` measures it.
"""

import json
import threading
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceinp import identity
from faceinp.errors import WeightsError
from faceinp.models import json_values, weights
from faceinp.photo.arrays import Bools, Floats

Outcome = Literal["match", "doubtful", "unknown", "refused"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

REFUSED_TRUE_PAIRS = 0.01
FALSE_MATCH_RATE = 0.01
MAX_FALSE_MATCH_RATE = 0.8  # of ``refuse_above``; a limit that accepts more strangers does not separate people

_BLANK_SIGMA = 1 / 64  # of the side: how far the known pixels extend into a blanked hole
_BLANK_GREY = 0.02  # weight of mid-grey against them: it dominates from about three sigmas on

_lock = threading.Lock()


@dataclass(frozen=True)
class Verdict:
    """The result of the check for one reference.

    distance: Euclidean, 0 to 2, between its face and the known part of the photo's face. refuse_above: 99 % of true
    pairs lie below it, with a hole of the same cost. doubt_above: 99 % of strangers lie above it. outcome: "match" up
    to ``doubt_above``, "doubtful" up to ``refuse_above``, "refused" above it; "unknown" where too little of the face is
    visible to refuse anybody.
    """

    distance: float
    refuse_above: float
    doubt_above: float
    outcome: Outcome

    def problem(self, number: int) -> str:
        """Why the reference is refused; empty if it is not. number: of the reference, counted from 0."""
        if self.outcome != "refused":
            return ""
        return (
            f"Reference photo {number + 1} does not look like the same person (distance {self.distance:.2f}; "
            f"{100 * (1 - REFUSED_TRUE_PAIRS):.0f}% of true pairs lie below {self.refuse_above:.2f}). "
            "To use it anyway, pass reference_check=False (--no-reference-check)."
        )

    def note(self, number: int) -> str:
        """A note on a reference that is not refused; empty for a match. number: of the reference, counted from 0."""
        if self.outcome == "doubtful":
            return (
                f"Reference photo {number + 1} could not be confirmed as the same person "
                f"(distance {self.distance:.2f}; "
                f"{100 * (1 - FALSE_MATCH_RATE):.0f}% of strangers lie above {self.doubt_above:.2f})."
            )
        if self.outcome == "unknown":
            return f"Too little of the face is visible to check whether reference photo {number + 1} shows the person."
        return ""


@dataclass(frozen=True)
class Limits:
    """The calibration of the check for one judge.

    fingerprint: sha256 of the judge's weights. base, slope: ``refuse_above`` is base + slope * cost of the hole.
    doubt_above: as in ``Verdict``. blind_above: the distance below which a share MAX_FALSE_MATCH_RATE of strangers
    lies. data, people, pictures, pairs, holes: what the calibration was measured on, and how many.
    """

    fingerprint: str
    base: float
    slope: float
    doubt_above: float
    blind_above: float
    data: str
    people: int
    pictures: int
    pairs: int
    holes: int

    def verdict(self, distance: float, cost: float) -> Verdict:
        """The verdict for a distance between photo and reference, and a cost of the hole; both Euclidean, 0 to 2."""
        outcome = OUTCOMES[int(self.outcomes(distance, cost))]
        return Verdict(distance, self.base + self.slope * cost, self.doubt_above, outcome)

    def outcomes(self, distances: ArrayLike, costs: ArrayLike) -> NDArray[np.intp]:
        """Indices in OUTCOMES for many pairs; ``distances`` and ``costs`` are broadcast."""
        near, refuse_above = np.asarray(distances), self.base + self.slope * np.asarray(costs)
        conditions = [near <= self.doubt_above, refuse_above > self.blind_above, near <= refuse_above]
        return np.select(
            conditions, [OUTCOMES.index(name) for name in ("match", "unknown", "doubtful")], OUTCOMES.index("refused")
        )

    def write(self, file: str | Path) -> None:
        Path(file).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, file: str | Path) -> "Limits":
        """Read what ``write`` wrote. Raises WeightsError for another file."""
        try:
            content = json_values.read_object(Path(file))
            values: dict[str, Any] = {key: json_values.text(content, key) for key in ("fingerprint", "data")}
            for key in ("base", "slope", "doubt_above", "blind_above"):
                values[key] = json_values.number(content, key, -1e9, 1e9)
            for key in ("people", "pictures", "pairs", "holes"):
                values[key] = json_values.whole(content, key, 0, 10**15)
            return cls(**values)
        except (OSError, ValueError) as error:
            raise WeightsError(
                f"{file} is not a calibration of the reference check ({error}). Run `faceinp evaluate reference-check "
                "--calibrate` for one."
            ) from error


def known_distances(crop: Floats, hole: Bools, others: Floats) -> Floats:
    """The bundled judge's distances between the known part of ``crop`` and each of ``others``: (N,), Euclidean, 0 to 2.

    crop: (3, S, S) in [0, 1], an aligned face. hole: bool (S, S), True = hole; pixels under it are ignored.
    others: (N, 3, S, S), aligned faces. Raises WeightsError where the judge's weights are missing.
    """
    known, *vectors = bundled_judge().embed(np.concatenate([blank(crop[None], hole), others]))
    return np.linalg.norm(np.reshape(vectors, (-1, len(known))) - known, axis=1)


def verdicts(crop: Floats, hole: Bools, others: Floats) -> tuple[Verdict, ...]:
    """Check each of ``others``; arguments as for ``known_distances``.

    Raises WeightsError where the judge's weights or the calibration are missing, or do not match.
    """
    judge, limits = bundled_judge(), read_limits()
    if limits.fingerprint != judge.fingerprint:
        raise WeightsError(
            f"{weights.path('reference-check')} was calibrated with another judge (checksum mismatch). "
            "Run `faceinp evaluate reference-check --calibrate` for a new one."
        )
    blanked = blank(np.concatenate([crop[None], others]), hole)
    vectors = judge.embed(np.concatenate([others, blanked]))
    whole, known, without = np.split(vectors, [len(others), len(others) + 1])
    distances, costs = (np.linalg.norm(whole - part, axis=1).tolist() for part in (known, without))
    return tuple(map(limits.verdict, distances, costs))


def blank(pictures: Floats, hole: Bools) -> Floats:
    """Blank the pixels of ``pictures`` (N, 3, S, S) in [0, 1] under ``hole``, bool (S, S).

    They become the mean of the known pixels, weighted by a Gaussian around each pixel, that fades into mid-grey: a
    scratch is closed, the inside of a wide hole is grey. Of grey, mean colours, Telea's inpainting, an average face and
    the face's mirror image, this changes embeddings the least.
    """
    known = (~hole).astype(np.float32)
    sigma = _BLANK_SIGMA * len(hole)
    reach = cv2.GaussianBlur(known, (0, 0), sigma) + np.float32(_BLANK_GREY)
    blanked = pictures.copy()
    for channels in blanked.reshape(-1, *hole.shape):
        spread = cv2.GaussianBlur(channels * known, (0, 0), sigma) + np.float32(_BLANK_GREY / 2)
        channels[hole] = (spread / reach)[hole]
    return blanked


def bundled_judge() -> identity.Judge:
    """The judge of the check, loaded once. Safe to call from several threads; raises WeightsError."""
    with _lock:
        return _load_judge(weights.path("embedding"))


def read_limits() -> Limits:
    """The calibration that comes with the weights. Raises WeightsError where it is missing."""
    return Limits.read(weights.path("reference-check"))


@cache
def _load_judge(file: Path) -> identity.Judge:
    return identity.load("bundled")
