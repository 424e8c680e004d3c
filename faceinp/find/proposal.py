"""The result of a finder: a mask, the confidence of each pixel, and its kind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import FaceinpError, MaskError, NothingFoundError
from faceinp.face import detection
from faceinp.face.faces import Face
from faceinp.mask.masks import Mask
from faceinp.photo.photos import Photo

# The confidence above which a pixel is marked, at sensitivities of 0 and of 1.
MAX_THRESHOLD = 0.95
MIN_THRESHOLD = 0.05

MIN_SHOWN_SHARE = 0.0001  # of the photo; texts leave out kinds that cover less
SENSITIVITY_STEPS = 20  # in which the lowest sensitivity that finds something is searched
MIN_HIDDEN_SHARE = 0.6  # of a face's oval; above, a note says that the face is covered


def _nothing() -> NDArray[np.uint8]:
    return np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class Proposal:
    """A proposed mask.

    mask: bool (H, W), True = proposed hole, dilated by what blending needs. confidence: float32 (H, W) in [0, 1], not
    dilated. kind: uint8 (H, W), 0 outside the mask, else 1 + index in ``KINDS``. notes: sentences for the user, with
    every fallback. subject: what was to be found, as part of a sentence. sensitivity: that of the mask; None where
    ``at`` did not make it.

    For ``at``: likely, uint8 (H, W), the most likely kind of each pixel, 0 where none can be marked. reach: radius in
    pixels by which the mask is dilated. lasting: notes that hold at any sensitivity. faces: those that a note counts.
    """

    mask: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    kind: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    subject: str = ""
    sensitivity: float | None = field(default=None, kw_only=True)
    likely: NDArray[np.uint8] = field(default_factory=_nothing, kw_only=True, repr=False)
    reach: int = field(default=0, kw_only=True, repr=False)
    lasting: tuple[str, ...] = field(default=(), kw_only=True, repr=False)
    faces: tuple[Face, ...] = field(default=(), kw_only=True, repr=False)

    KINDS: ClassVar[tuple[str, ...]] = ()
    SEED_ODDS: ClassVar[float] = 1.0  # odds of the best pixel of a connected part over those of the threshold

    @classmethod
    def unmarked(cls, confidence: NDArray[np.float32], likely: NDArray[np.uint8], **more: Any) -> Self:
        """A proposal that marks nothing until ``at`` is called."""
        nothing = np.zeros(likely.shape, np.uint8)
        return cls(nothing > 0, confidence, nothing, likely=likely, **more)

    def at(self, sensitivity: float, faces: Sequence[Face] | None = None) -> Self:
        """The same proposal at another sensitivity. It is fast, since the network does not run again.

        faces: of the photo, if more are known. A note counts those that the mask covers. Raises FaceinpError for a
        sensitivity out of range, and for a proposal that no finder returned.
        """
        if self.likely.shape != self.confidence.shape:
            raise FaceinpError(
                "The sensitivity of this proposal cannot be changed, since no finder returned it. Call find_damage or "
                "find_occluders."
            )
        proposal = self._at(check_sensitivity(sensitivity))
        about_faces = covered_faces(proposal.mask, self.faces if faces is None else faces)
        return replace(proposal, notes=(*self.lasting, *proposal._warnings(), *about_faces))

    def _at(self, sensitivity: float) -> Self:
        """As ``at``, without its checks and new notes."""
        low = threshold(sensitivity)
        marked = (self.confidence > low) & (self.likely > 0)
        if self.SEED_ODDS > 1:
            odds = self.SEED_ODDS * low / (1 - low)
            high = 1 - 1 / (1 + odds)  # rounded, too, it is monotonic in the odds, unlike odds / (1 + odds)
            marked = with_seeds(marked, self.confidence > high)
        kind = dilate_kinds(np.where(marked, self.likely, np.uint8(0)), self.reach)
        kind[self.likely == 0] = 0
        return replace(self, mask=kind > 0, kind=kind, sensitivity=sensitivity)

    def _warnings(self) -> Iterable[str]:
        """Notes on the mask, for subclasses to add."""
        return ()

    @property
    def share(self) -> float:
        """The share of the photo that the mask covers, in [0, 1]."""
        return float(np.count_nonzero(self.mask) / self.mask.size)

    @property
    def main_shares(self) -> dict[str, float]:
        """``shares`` without kinds that cover less than MIN_SHOWN_SHARE, but at least the largest."""
        shares = self.shares
        least = min(MIN_SHOWN_SHARE, max(shares.values(), default=0))
        return {name: share for name, share in shares.items() if share >= least}

    @property
    def shares(self) -> dict[str, float]:
        """The share of the photo that each kind covers, without kinds that were not found."""
        counts = np.bincount(self.kind.ravel(), minlength=1 + len(self.KINDS))[1:]
        return {name: float(count / self.kind.size) for name, count in zip(self.KINDS, counts, strict=True) if count}

    def as_mask(self) -> Mask:
        """The mask as ``fill`` takes it.

        Raises NothingFoundError, whose message ends with the notes, and MaskError where the mask covers everything.
        """
        if not self.mask.any():
            nothing = f"Found no {self.subject} in the photo.", self._advice_to_raise(), *self.notes
            raise NothingFoundError(" ".join(nothing))
        if self.mask.all():
            advice = "Paint" if self.sensitivity == 0 else "Lower --sensitivity (sensitivity=), or paint"
            raise MaskError(f"The entire photo was marked as {self.subject}. {advice} a mask.")
        kinds = ", ".join(f"{name} {percent(share)}" for name, share in self.main_shares.items())
        return Mask(self.mask, f"{self.subject} on {percent(self.share)} of the photo: {kinds}", self.notes)

    def lowest_sensitivity(self) -> float | None:
        """The lowest sensitivity, in steps of .05, above this proposal's that marks something, where this one marks
        nothing; None where all mark next to nothing.
        """
        low, high = int(SENSITIVITY_STEPS * (self.sensitivity or 0)), SENSITIVITY_STEPS
        if self.likely.shape != self.confidence.shape or self._at(1).share < MIN_SHOWN_SHARE:
            return None
        while high - low > 1:  # a higher sensitivity marks at least as much
            middle = (low + high) // 2
            low, high = (low, middle) if self._at(middle / SENSITIVITY_STEPS).mask.any() else (middle, high)
        return high / SENSITIVITY_STEPS

    def _advice_to_raise(self) -> str:
        """What to do where nothing is marked."""
        if self.sensitivity == 1 or self.likely.shape != self.confidence.shape:
            return "Paint a mask."
        if (lowest := self.lowest_sensitivity()) is None:
            return "Nothing is found at any sensitivity. Paint a mask."
        return f"Something is found from --sensitivity {lowest:g} (sensitivity={lowest:g}). Raise it, or paint a mask."


def threshold(sensitivity: float) -> float:
    """The confidence above which a pixel is marked: 1/2 at a sensitivity of 1/2."""
    return MAX_THRESHOLD + (MIN_THRESHOLD - MAX_THRESHOLD) * sensitivity


def check_sensitivity(sensitivity: float) -> float:
    """``sensitivity`` as a float. Raises FaceinpError unless it is a number in [0, 1]."""
    number = isinstance(sensitivity, int | float | np.integer | np.floating) and not isinstance(sensitivity, bool)
    if not number or not 0 <= sensitivity <= 1:
        raise FaceinpError(f"sensitivity must be a number from 0 to 1, got {sensitivity!r:.80}.")
    return float(sensitivity)


def dilate_kinds(kind: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """The kinds, uint8 (H, W), 0 for none, dilated by ``reach`` pixels, since a soft edge would bleed into a fill."""
    return np.where(kind > 0, kind, cv2.dilate(kind, disc(reach))).astype(np.uint8, copy=False)


def with_seeds(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected parts of ``mask``, bool (H, W), that contain a seed: hysteresis (Canny 1986)."""
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, np.bool_)
    kept[parts[seeds & mask]] = True
    return kept[parts] & mask


def disc(radius: int) -> NDArray[np.uint8]:
    """The structuring element of a dilation by ``radius`` pixels: uint8 (2 radius + 1, 2 radius + 1)."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def covered_faces(mask: NDArray[np.bool_], faces: Sequence[Face]) -> list[str]:
    """A note if the mask covers most of a face."""
    count = sum(detection.hidden_share(face, mask) >= MIN_HIDDEN_SHARE for face in faces)
    if not count:
        return []
    which = "a face" if count == 1 else f"{count} faces"
    return [f"The proposal covers most of {which}; the fill there would be invented. Check it before you fill."]


def hide_transparent(confidence: NDArray[np.float32], likely: NDArray[np.uint8], photo: Photo) -> tuple[str, ...]:
    """Clear both maps, in place, where ``photo`` is fully transparent. Returns a note if anything was cleared there."""
    if photo.alpha is None:
        return ()
    transparent = photo.alpha == 0
    cleared = bool((confidence[transparent] > MIN_THRESHOLD).any())
    confidence[transparent], likely[transparent] = 0, 0
    return ("Transparent parts of the photo are left out of the proposal.",) if cleared else ()


def percent(share: float) -> str:
    """Two significant digits below 10 %: a hair covers little of a large photo."""
    return f"{100 * share:.2g}%" if share < 0.1 else f"{share:.0%}"
