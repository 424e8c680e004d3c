"""Find the damage of a photo (scratches, dust, tears, stains) by a network that runs at two scales."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Floats, Pixels
from faceinp.errors import FaceinpError, NoFaceError, PhotoError
from faceinp.face import detection
from faceinp.face.faces import Face
from faceinp.find import network
from faceinp.find.baseline import classical
from faceinp.find.proposal import Proposal, check_sensitivity
from faceinp.models import weights
from faceinp.photo import photos

MIN_SIDE = 64  # pixels of a photo
INCLUDES = ("stamps",)
LARGE_DAMAGE = slice(3, 5)  # the classes of tears and stains
STAMP = 5  # the class of stamps
MAX_SMALL_PHOTO = 2_000_000  # pixels, up to which the soft edge of damage is one pixel wide; above, two
MIN_SHARE_HIDING_FACES = 0.01  # of the photo; less damage hides no face
MAX_USUAL_SHARE = 0.2  # of the photo; above, a note warns
Kinds = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Damage(Proposal):
    """The damage of a photo.

    Kinds: 1 scratch (with cracks, folds, hairs), 2 spot (dust, lint), 3 tear (with missing paper or emulsion), 4 stain,
    5 stamp (with handwriting and other ink; only if it was included).
    """

    subject: str = "damage"

    KINDS: ClassVar[tuple[str, ...]] = ("scratch", "spot", "tear", "stain", "stamp")
    SEED_ODDS: ClassVar[float] = 40.0

    def _warnings(self) -> Iterator[str]:
        if self.share > MAX_USUAL_SHARE:
            advice = "Lower the sensitivity, or mask" if self.sensitivity else "Mask"
            yield (
                f"{self.share:.0%} of the photo is marked as damaged, so most of a fill would be invented. {advice} "
                "only what matters most."
            )


def find_damage(photo: Any, *, sensitivity: float = 0.5, include: Collection[str] = ()) -> Damage:
    """Find the damage of ``photo``, as a proposal.

    photo: as for ``photos.read``. sensitivity: from 0 (only certain damage) to 1 (all possible damage). include: names
    of further kinds: "stamps" for stamps and ink. Raises PhotoError, FaceinpError for unknown settings, and
    WeightsError for damaged weights.
    """
    sensitivity, include = check_sensitivity(sensitivity), check_include(include)
    pixels = photos.read(photo).pixels
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise PhotoError(
            f"The photo is {pixels.shape[1]} x {pixels.shape[0]} pixels, too small to find damage in. Use one of "
            f"{MIN_SIDE} x {MIN_SIDE} or more."
        )
    lasting = []
    if problem := weights.missing("damage"):
        lasting.append(f"Classical filters, which find less damage, were used instead of the network: {problem}")
        confidence, kind = classical(pixels)
    else:
        confidence, kind = _by_network(pixels, stamps="stamps" in include)
    nothing = np.zeros(kind.shape, np.uint8)
    damage = Damage(
        nothing > 0,
        confidence,
        nothing,
        likely=np.maximum(kind, 1),
        reach=1 if confidence.size <= MAX_SMALL_PHOTO else 2,
        lasting=tuple(lasting),
    ).at(sensitivity)
    if damage.share < MIN_SHARE_HIDING_FACES:
        return damage
    return replace(damage, faces=_large_faces(pixels, damage.mask)).at(sensitivity)


def check_include(include: Collection[str]) -> tuple[str, ...]:
    """``include`` as a tuple of names. Raises FaceinpError for unknown names."""
    if not isinstance(include, list | tuple | set | frozenset):  # the elements of a string would be letters
        raise FaceinpError(f'include must be a list of names, such as ["stamps"], got {include!r:.80}.')
    if unknown := [name for name in include if not isinstance(name, str) or name not in INCLUDES]:
        raise FaceinpError(f"Unknown name {unknown[0]!r:.80} in include. Available: {', '.join(INCLUDES)}.")
    return tuple(include)


def _by_network(pixels: Pixels, *, stamps: bool) -> tuple[Floats, Kinds]:
    """Confidence and kind of each pixel.

    The network runs at full size and, for tears and stains, at half size: large ones need more context, while a scratch
    of two pixels is lost there.
    """
    finder = network.load("damage")
    height, width = pixels.shape[:2]
    size = max(1, width // 2), max(1, height // 2)
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    coarse = np.zeros((LARGE_DAMAGE.stop - LARGE_DAMAGE.start, *small.shape[:2]), np.float16)
    for window, probabilities in network.run_tiled(finder, small):
        coarse[(slice(None), *window)] = probabilities[LARGE_DAMAGE]
    confidence, kind = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    for window, probabilities in network.run_tiled(finder, pixels):
        enlarged = _enlarged(coarse, *window, (height, width))
        probabilities[LARGE_DAMAGE] = np.maximum(probabilities[LARGE_DAMAGE], enlarged)
        damage = probabilities[1 : STAMP + 1] if stamps else probabilities[1:STAMP]
        confidence[window] = np.minimum(damage.sum(axis=0), 1)
        kind[window] = 1 + damage.argmax(axis=0)
    return confidence, kind


def _enlarged(coarse: NDArray[np.float16], rows: slice, columns: slice, size: tuple[int, int]) -> Floats:
    """The coarse probabilities (C, h, w) of a window of the photo, at its full size. size: (H, W) of the photo."""
    down, across = (small / large for small, large in zip(coarse.shape[1:], size, strict=True))
    shape = rows.stop - rows.start, columns.stop - columns.start
    matrix = np.array(
        [[across, 0, (columns.start + 0.5) * across - 0.5], [0, down, (rows.start + 0.5) * down - 0.5]], np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    top, left = (max(0, int(v * s) - 2) for v, s in ((rows.start, down), (columns.start, across)))
    part = coarse[:, top : int(rows.stop * down) + 3, left : int(columns.stop * across) + 3].astype(np.float32)
    matrix[:, 2] -= left, top
    return np.stack(
        [cv2.warpAffine(one, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE) for one in part]
    )


def _large_faces(pixels: Pixels, mask: NDArray[np.bool_]) -> tuple[Face, ...]:
    """The large faces of a damaged photo; none where a turn is uncertain."""
    try:
        return detection.find_large_faces(pixels, None if mask.all() else mask)
    except NoFaceError:
        return ()
