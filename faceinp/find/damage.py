"""Damage of a photo: scratches, dust, tears, stains. A network looks at the photo at two scales."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import FaceinpError, NoFaceError, PhotoError
from faceinp.face import detection
from faceinp.face.faces import Face
from faceinp.find import network
from faceinp.find.baseline import classical
from faceinp.find.proposal import Proposal, check_sensitivity
from faceinp.models import weights
from faceinp.photo import photos

SMALLEST = 64  # pixels: nothing is recognised on less
INCLUDES = ("stamps",)
LARGE = slice(3, 5)  # the classes of tears and stains
STAMP = 5
SMALL_PHOTO = 2_000_000  # pixels: up to so many the edge of damage is one pixel soft, beyond it two
LARGE_SHARE = 0.01  # of the photo: damage of less hides no face
ALL_OVER = 0.2  # share of the photo
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Kinds = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Damage(Proposal):
    """Kinds: 1 scratch (cracks, folds, hairs, too), 2 spot (dust, lint), 3 tear (missing paper or emulsion, too),
    4 stain, 5 stamp (handwriting and other ink, too; only where that was included).
    """

    subject: str = "damage"

    KINDS: ClassVar[tuple[str, ...]] = ("scratch", "spot", "tear", "stain", "stamp")
    SEED_ODDS: ClassVar[float] = 40.0

    def _warnings(self) -> Iterator[str]:
        if self.share > ALL_OVER:
            advice = "Lower the sensitivity, or mask" if self.sensitivity else "Mask"
            yield (
                f"{self.share:.0%} of the photo is marked as damaged, so most of a fill would be invented. {advice} "
                "only what matters most."
            )


def find_damage(photo: Any, *, sensitivity: float = 0.5, include: Collection[str] = ()) -> Damage:
    """The damage of ``photo``, as a proposal.

    photo: as for ``photo.read``. sensitivity: from 0 (what is certain) to 1 (what might be damage). include: names of
    what is else left alone: "stamps", which are stamps and ink.
    Raises PhotoError, FaceinpError for settings that there are not, and WeightsError for damaged weights.
    """
    sensitivity, include = check_sensitivity(sensitivity), check_include(include)
    pixels = photos.read(photo).pixels
    if min(pixels.shape[:2]) < SMALLEST:
        raise PhotoError(
            f"The photo is {pixels.shape[1]} x {pixels.shape[0]} pixels, too small to find damage in. Use one of "
            f"{SMALLEST} x {SMALLEST} or more."
        )
    lasting = []
    if problem := weights.missing("damage"):
        lasting.append(f"Simple filters looked for damage, which find less: {problem}")
        confidence, kind = classical(pixels)
    else:
        confidence, kind = _by_network(pixels, stamps="stamps" in include)
    nothing = np.zeros(kind.shape, np.uint8)
    damage = Damage(
        nothing > 0,
        confidence,
        nothing,
        likely=np.maximum(kind, 1),
        reach=1 if confidence.size <= SMALL_PHOTO else 2,
        lasting=tuple(lasting),
    ).at(sensitivity)
    if damage.share < LARGE_SHARE:
        return damage
    return replace(damage, faces=_large_faces(pixels, damage.mask)).at(sensitivity)


def check_include(include: Collection[str]) -> tuple[str, ...]:
    """The names to include. Raises FaceinpError for what there is not."""
    if not isinstance(include, list | tuple | set | frozenset):  # a string's elements are letters
        raise FaceinpError(f'include must be a list of names, such as ["stamps"], got {include!r:.80}.')
    if unknown := [name for name in include if not isinstance(name, str) or name not in INCLUDES]:
        raise FaceinpError(f"There is no {unknown[0]!r:.80} to include. Choose among: {', '.join(INCLUDES)}.")
    return tuple(include)


def _by_network(pixels: Pixels, *, stamps: bool) -> tuple[Floats, Kinds]:
    """Confidence and kind of each pixel.

    The photo is seen as it is, and at half of its size for the sake of tears and stains: large ones are recognised from
    afar, while a scratch of two pixels is not to be seen any more.
    """
    finder = network.load("damage")
    height, width = pixels.shape[:2]
    size = max(1, width // 2), max(1, height // 2)
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    coarse = np.zeros((LARGE.stop - LARGE.start, *small.shape[:2]), np.float16)

    def take_coarse(window: tuple[slice, slice], found: Floats) -> None:
        coarse[(slice(None), *window)] = found[LARGE]

    network.see(finder, small, take_coarse)
    confidence, kind = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)

    def take(window: tuple[slice, slice], found: Floats) -> None:
        rows, columns = window
        found[LARGE] = np.maximum(found[LARGE], _enlarged(coarse, rows, columns, (height, width)))
        damage = found[1 : STAMP + 1] if stamps else found[1:STAMP]
        confidence[window] = np.minimum(damage.sum(axis=0), 1)
        kind[window] = 1 + damage.argmax(axis=0)

    network.see(finder, pixels, take)
    return confidence, kind


def _enlarged(coarse: NDArray[np.float16], rows: slice, columns: slice, size: tuple[int, int]) -> Floats:
    """The coarse probabilities of a window of the photo, at its size."""
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
    """Those that are found however much of them the mask covers; none where their turn is in doubt."""
    try:
        return detection.find_large_faces(pixels, None if mask.all() else mask)
    except NoFaceError:
        return ()
