"""Find the damage of a photo (scratches, dust, tears, stains) by a network that runs on an image pyramid."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import FaceinpError, NoFaceError, PhotoError
from faceinp.face import detection
from faceinp.face.faces import Face
from faceinp.find import network
from faceinp.find.baseline import classical
from faceinp.find.network import iterate_tiles
from faceinp.find.proposal import Proposal, check_sensitivity, hide_transparent, percent, with_seeds
from faceinp.models import weights
from faceinp.photo import photos
from faceinp.photo.arrays import Bools, Floats, Pixels, bounding_window, resize
from faceinp.photo.photos import PhotoSource

MIN_SIDE = 64  # pixels of a photo
INCLUDES = ("stamps",)
LARGE_DAMAGE = slice(2, 4)  # tears and stains among the kinds
STAMP = 5  # the number of kinds with stamps, which are the last
MIN_LEVEL_SIDE = 350  # pixels, long side of the coarsest level
MIN_COARSE_SHARE = 0.025  # of a coarse level, marked as scratches and spots, without which it is left out
MIN_COARSE_GAIN = 2.0  # of that share over the highest of finer levels; a line covers more of a coarse level
MAX_SMALL_PHOTO = 2_000_000  # pixels, up to which the soft edge of damage is at least one pixel wide; above, two
MAX_EDGE = 2  # times that width: the widest soft edge
EDGE_CONTRAST = 1.3  # of an edge's mean gradient over that of its surroundings
SURROUNDINGS = slice(8, 13)  # times that width: their distance from what is marked
MIN_SHARE_HIDING_FACES = 0.01  # of the photo; less damage hides no face
MIN_BLOT_SHARE = 0.002  # of the photo, of a tear or stain that a note mentions if it is alone
MIN_BLOT_PART = 0.95  # of all that is marked
MAX_USUAL_SHARE = 0.2  # of the photo; above, a note warns
SMALLEST_NORMAL = np.finfo(np.float16).smallest_normal  # 6e-5
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
        if self._is_one_blot():
            yield (
                f"All that is marked is one {next(iter(self.main_shares))} of {percent(self.share)} of the photo. "
                "Check that it is no part of the picture."
            )

    def _is_one_blot(self) -> bool:
        """Whether all that is marked is one large tear or stain: in sound photos, that is often a background."""
        if self.share < MIN_BLOT_SHARE or list(self.main_shares) not in (["tear"], ["stain"]):
            return False
        stats = cv2.connectedComponentsWithStats(self.mask.astype(np.uint8), connectivity=8)[2]
        return bool(stats[1:, cv2.CC_STAT_AREA].max() >= MIN_BLOT_PART * np.count_nonzero(self.mask))


def find_damage(photo: PhotoSource, *, sensitivity: float = 0.5, include: Collection[str] = ()) -> Damage:
    """Find the damage of ``photo``, as a proposal.

    photo: as for ``photos.read``. sensitivity: from 0 (only certain damage) to 1 (all possible damage). include: names
    of further kinds: "stamps" for stamps and ink. Raises PhotoError, FaceinpError for unknown settings, and
    WeightsError for damaged weights.
    """
    sensitivity, include = check_sensitivity(sensitivity), check_include(include)
    opened = photos.read(photo)
    pixels = opened.pixels
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise PhotoError(
            f"The photo is {pixels.shape[1]} x {pixels.shape[0]} pixels, too small to find damage in. Use one of "
            f"{MIN_SIDE} x {MIN_SIDE} or more."
        )
    lasting, scale = [], 1
    if problem := weights.missing("damage"):
        lasting.append(f"Classical filters, which find less damage, were used instead of the network: {problem}")
        confidence, kind = classical(pixels)
    else:
        confidence, kind, scale = _by_network(pixels, stamps="stamps" in include)
    likely = np.maximum(kind, 1)
    lasting += hide_transparent(confidence, likely, opened)
    damage = Damage.unmarked(confidence, likely, lasting=tuple(lasting))
    least = max(scale, 1 if confidence.size <= MAX_SMALL_PHOTO else 2)  # coarse levels are that much less exact
    damage = replace(damage, reach=_edge_width(pixels, damage.at(0.5).mask, least)).at(sensitivity)
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


def _edge_width(pixels: Pixels, mask: Bools, least: int) -> int:
    """The width in pixels, at least ``least``, of the soft edge of what the network marked.

    Along damage, gradients are larger than in its surroundings: by its shadow, by blur, and by JPEG. The width is where
    their mean, over all pixels equally far from the mask, falls to that of the surroundings.
    """
    if not mask.any():
        return least
    farthest = SURROUNDINGS.stop * least
    window = bounding_window(mask, margin=farthest)
    grey = cv2.cvtColor(pixels[window], cv2.COLOR_RGB2GRAY)
    gradient = np.hypot(cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1))
    distance = cv2.distanceTransform((~mask[window]).astype(np.uint8), cv2.DIST_L2, 5)
    near = distance < farthest
    rings = np.ceil(distance[near]).astype(np.intp)  # 0 is the mask itself
    sums, counts = (np.bincount(rings, of, farthest + 1) for of in (gradient[near], None))
    means = sums / np.maximum(counts, 1)
    edge = means[1 : MAX_EDGE * least + 1] > EDGE_CONTRAST * means[SURROUNDINGS.start * least : farthest].mean()
    return max(least, len(edge) if edge.all() else int(edge.argmin()))


def _by_network(pixels: Pixels, *, stamps: bool) -> tuple[Floats, Kinds, int]:
    """Confidence and kind of each pixel, and the scale of the coarsest level that decides: 1, 2, 4, ...

    The network runs on an image pyramid: it knows scratches of about two pixels, and a fine scan shows them wider. The
    maximum of the levels decides, but a coarse level takes part only as far as ``_depth`` says. Tears and stains need
    more context: for them, one level more takes part.
    """
    finder = network.load("damage")
    count = STAMP if stamps else STAMP - 1
    levels = [_probabilities(finder, level, count) for level in _pyramid(pixels)]
    depth = _depth(levels)
    height, width = pixels.shape[:2]
    confidence, kind = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    for window in iterate_tiles(height, width):
        damage = levels[0][(slice(None), *window)].astype(np.float32)
        for number, level in enumerate(levels[1 : depth + 2], 1):
            classes = slice(None) if number <= depth else LARGE_DAMAGE
            damage[classes] = np.maximum(damage[classes], _enlarged(level[classes], *window, (height, width)))
        confidence[window] = np.minimum(damage.sum(axis=0), 1)
        kind[window] = 1 + damage.argmax(axis=0)
    return confidence, kind, 2**depth


def _pyramid(pixels: Pixels) -> Iterator[Pixels]:
    """The photo and its halvings, down to a long side of about MIN_LEVEL_SIDE; at least one halving."""
    yield pixels
    while True:
        height, width = pixels.shape[:2]
        pixels = resize(pixels, max(1, width // 2), max(1, height // 2))
        yield pixels
        if max(pixels.shape) < 2 * MIN_LEVEL_SIDE:
            return


def _probabilities(finder: network.Network, pixels: Pixels, count: int) -> NDArray[np.float16]:
    """The probabilities of the first ``count`` kinds of damage: (count, H, W)."""
    probabilities = np.zeros((count, *pixels.shape[:2]), np.float16)
    for window, scores in network.run_tiled(finder, pixels):
        wanted = scores[1 : 1 + count]
        wanted[wanted < SMALLEST_NORMAL] = 0  # NumPy takes 25 times as long to convert subnormal numbers
        probabilities[(slice(None), *window)] = wanted
    return probabilities


def _depth(levels: Sequence[NDArray[np.float16]]) -> int:
    """The number of the coarsest level that decides on all kinds; 0 is the photo's own size.

    A level that marks many more scratches and spots than all finer ones shows that the photo's damage is wider than the
    network knows. One that marks few is left out: in sound photos, coarse levels mark thin things of the scene.
    """
    depth, most = 0, 0.0
    for number, level in enumerate(levels):
        if number and max(level.shape[1:]) < MIN_LEVEL_SIDE:
            break
        share = _small_damage_share(level)
        if number and share >= max(MIN_COARSE_SHARE, MIN_COARSE_GAIN * most):
            depth = number
        most = max(most, share)
    return depth


def _small_damage_share(level: NDArray[np.float16]) -> float:
    """The share of a level that is marked as scratch or spot at a sensitivity of one half."""
    confidence = np.minimum(level.sum(axis=0, dtype=np.float32), 1)
    small = level[: LARGE_DAMAGE.start].max(axis=0) >= level[LARGE_DAMAGE.start :].max(axis=0)
    marked = with_seeds(confidence > 0.5, confidence > Damage.SEED_ODDS / (1 + Damage.SEED_ODDS))
    return float((marked & small).mean())


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
