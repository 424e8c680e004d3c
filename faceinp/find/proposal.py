"""What a finder returns: a mask, how sure it is of each pixel, and what lies there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import FaceinpError, MaskError, NothingFoundError
from faceinp.face import detection
from faceinp.face.faces import Face
from faceinp.mask.masks import Mask

CERTAIN, POSSIBLE = 0.95, 0.05  # confidences past which a sensitivity of 0, and of 1, marks a pixel

HIDES_FACE = 0.6  # share of a face's oval


def _nothing() -> NDArray[np.uint8]:
    return np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class Proposal:
    """mask: bool (H, W), True where something was found, grown by what blending needs. confidence: float32 (H, W) in
    [0, 1]. kind: uint8 (H, W), 0 off the mask, else 1 + the number of the kind in ``KINDS``. notes: what a person
    should know of it, every fallback among it. subject: what was looked for, in a sentence. sensitivity: at which it
    is marked; None where ``at`` did not mark it.

    What ``at`` needs: likely, uint8 (H, W), the kind that each pixel has where it is marked, 0 where nothing was looked
    for. reach: pixels by which the mask is grown. lasting: those of the notes that hold at any sensitivity. faces:
    those that a note speaks of.
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
    SEED_ODDS: ClassVar[float] = 1.0  # by how much surer a connected part must be somewhere than it must be elsewhere

    def at(self, sensitivity: float, faces: Sequence[Face] | None = None) -> Self:
        """The same proposal at another sensitivity, at once: the network does not look again.

        faces: those of the photo, where more are known. A note says how many of them the mask hides. Raises
        FaceinpError for a sensitivity that there is not, and for a proposal that no finder made.
        """
        if self.likely.shape != self.confidence.shape:
            raise FaceinpError("Only what a finder returned can be marked anew. Call find_damage or find_occluders.")
        sensitivity = check_sensitivity(sensitivity)
        least = threshold(sensitivity)
        found = (self.confidence > least) & (self.likely > 0)
        if self.SEED_ODDS > 1:
            odds = self.SEED_ODDS * least / (1 - least)
            surest = 1 - 1 / (1 + odds)  # unlike odds / (1 + odds), it falls with the odds however it is rounded
            found = with_seeds(found, self.confidence > surest)
        kind = grown(np.where(found, self.likely, np.uint8(0)), self.reach)
        marked = replace(self, mask=kind > 0, kind=kind, sensitivity=sensitivity)
        about_faces = hidden(marked.mask, self.faces if faces is None else faces)
        return replace(marked, notes=(*self.lasting, *marked._warnings(), *about_faces))

    def _warnings(self) -> Iterable[str]:
        """Notes on what is marked; a kind of proposal adds its own."""
        return ()

    @property
    def share(self) -> float:
        """The part of the photo that is marked, in [0, 1]."""
        return float(np.count_nonzero(self.mask) / self.mask.size)

    @property
    def shares(self) -> dict[str, float]:
        """The part of the photo that each kind marks, of the kinds that were found."""
        counts = np.bincount(self.kind.ravel(), minlength=1 + len(self.KINDS))[1:]
        return {name: float(count / self.kind.size) for name, count in zip(self.KINDS, counts, strict=True) if count}

    def as_mask(self) -> Mask:
        """The mask as ``fill`` takes it.

        Raises NothingFoundError, whose message ends with the notes, and MaskError where everything is marked.
        """
        if not self.mask.any():
            nothing = f"Found no {self.subject} in the photo.", self._advice("Raise", 1), *self.notes
            raise NothingFoundError(" ".join(nothing))
        if self.mask.all():
            raise MaskError(f"All of the photo looks like {self.subject}. {self._advice('Lower', 0)}")
        kinds = ", ".join(f"{name} {_percent(share)}" for name, share in self.shares.items())
        return Mask(self.mask, f"{self.subject} on {_percent(self.share)} of the photo: {kinds}", self.notes)

    def _advice(self, change: str, end: float) -> str:
        """What to do about the mask. end: the sensitivity from which there is no other to change it to."""
        if self.sensitivity == end:
            return "Paint a mask."
        return f"{change} --sensitivity (sensitivity=), or paint a mask."


def threshold(sensitivity: float) -> float:
    """The confidence past which a pixel may be marked: 1/2 at a sensitivity of 1/2."""
    return CERTAIN + (POSSIBLE - CERTAIN) * sensitivity


def check_sensitivity(sensitivity: float) -> float:
    """Raises FaceinpError unless it is a number in [0, 1]."""
    number = isinstance(sensitivity, int | float | np.integer | np.floating) and not isinstance(sensitivity, bool)
    if not number or not 0 <= sensitivity <= 1:
        raise FaceinpError(f"sensitivity must be a number from 0 to 1, got {sensitivity!r:.80}.")
    return float(sensitivity)


def grown(kind: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """The kinds, uint8 (H, W), 0 where nothing was found, grown by ``reach`` pixels: a soft edge that stays would bleed
    into a fill.
    """
    return np.where(kind > 0, kind, cv2.dilate(kind, disc(reach))).astype(np.uint8, copy=False)


def with_seeds(found: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected parts of ``found``, bool (H, W), that hold a seed: hysteresis (Canny 1986)."""
    count, parts = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, np.bool_)
    kept[parts[seeds & found]] = True
    return kept[parts] & found


def disc(radius: int) -> NDArray[np.uint8]:
    """uint8 (2 radius + 1, 2 radius + 1), by which a map is dilated."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def hidden(mask: NDArray[np.bool_], faces: Sequence[Face]) -> list[str]:
    """A sentence where the mask covers most of a face."""
    count = sum(detection.hidden_share(face, mask) >= HIDES_FACE for face in faces)
    if not count:
        return []
    whose = "a face" if count == 1 else f"{count} faces"
    return [f"The proposal covers most of {whose}; what is filled there is invented. Check it before you fill."]


def _percent(share: float) -> str:
    """Two digits, however little of a large photo a hair covers."""
    return f"{100 * share:.2g}%" if share < 0.1 else f"{share:.0%}"
