"""Masks: what a user painted, as a bool array whose True is the hole.

Half of the field says white is the hole, half says black is. Here a bool array and a layer with transparency speak for
themselves, colours on a plain background too, and of two bare tones the guess is stated in ``Mask.about``, or asked
for where both readings are plausible. ``mask_pictures`` reads pictures; here masks meet their photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError
from faceinp.face import detection
from faceinp.face.faces import Box
from faceinp.mask import mask_pictures
from faceinp.mask.mask_pictures import ADVICE, Polarity, Reading
from faceinp.photo.decoding import upright
from faceinp.photo.photos import Photo

Bools = NDArray[np.bool_]

LARGEST_SHARE = 0.6  # past this a warning: either the polarity is wrong, or little is left to go by
SAME_SHAPE = 0.02  # relative difference of two proportions that are one, but for rounding
MISSES, HITS = 0.05, 0.25  # parts of a hole that lie on faces: of one that misses them, and of one meant for them


@dataclass(frozen=True, eq=False)
class Mask:
    """hole: bool (H, W), True = hole, of the photo's size.

    about: how it was read, one clause; empty where nothing had to be decided. warnings: sentences. alternative: the
    same mask turned as the photo's file stores its pixels, where EXIF turned the photo and the mask's shape does not
    tell whether it was drawn on the stored pixels or on the upright ones; ``by_faces`` chooses.
    """

    hole: Bools
    about: str
    warnings: tuple[str, ...] = ()
    alternative: "Mask | None" = None

    @property
    def share(self) -> float:
        """The hole's part of the picture, in (0, 1)."""
        return float(self.hole.mean())

    def grown(self, pixels: int) -> "Mask":
        """With its hole larger by so many pixels in every direction. Raises MaskError below 0, and where nothing of the
        photo is left.
        """
        if pixels < 0:
            raise MaskError(f"grow must be 0 or more pixels, got {pixels}.")
        if not pixels:
            return self
        hole, about = _grown(self.hole, pixels), ", ".join(filter(None, (self.about, f"grown by {pixels} px")))
        if hole.all():
            raise MaskError(f"Grown by {pixels} pixels the hole covers the whole photo. Grow it by less.")
        return replace(self, hole=hole, about=about, alternative=self.alternative and self.alternative.grown(pixels))

    def by_faces(self, boxes: Sequence[Box]) -> "Mask":
        """The mask, or its ``alternative`` where that is the one drawn for these faces.

        boxes: (x, y, width, height) of faces in photo pixels. The alternative is chosen where the mask as read
        misses all of them and the alternative does not.
        """
        if self.alternative is None:
            return self
        both = (self, self.alternative)
        as_read, turned = (sum(detection.share_within(box, one.hole) for box in boxes) for one in both)
        return self.alternative if as_read < MISSES and turned >= HITS else replace(self, alternative=None)


def read(source: Any, photo: Photo, *, hole: Polarity = "auto", grow: int = 0) -> Mask:
    """Read the mask that goes with ``photo``.

    source: a path, bytes, a Pillow picture, a bool array (H, W) (True = hole), a uint8 array (H, W), (H, W, 3) or
    (H, W, 4), or a Mask. hole: which tone is the hole, the lighter ("white") or the darker ("black"); "auto"
    guesses the one that touches less of the border and is the smaller one. Bool arrays, layers with transparency
    and what `faceinp find` wrote need no guess; with the first two ``hole`` is ignored. Strokes of every strength
    count. A hole whose edge is soft is grown by one pixel, and every hole by ``grow`` more, in pixels of the photo.
    A mask of another size is scaled to the photo's. One that was drawn on the stored pixels of a photo which EXIF
    turns is turned alike, see ``Mask.alternative``. Raises MaskError for what cannot be read, holds no hole or
    nothing else, is a photo rather than a mask, or may be read either way.
    """
    if hole not in get_args(Polarity):
        raise MaskError(f"hole={hole!r} is unknown. Choose auto, white or black.")
    size = (photo.height, photo.width)
    if isinstance(source, Mask):
        if source.hole.shape == size:
            return source.grown(grow)
        read_ = Reading(source.hole, (source.about,) if source.about else (), source.warnings)
    elif isinstance(source, np.ndarray) and source.dtype == np.bool_:
        read_ = Reading(_from_bool(source))
    else:
        read_ = mask_pictures.read(source, photo, hole)
    as_upright, as_stored = _fits(read_, photo)
    masks = [_fitted(read_, size).grown(grow)] if as_upright else []
    if as_stored:
        hole_ = np.ascontiguousarray(upright(read_.hole, photo.orientation))
        about = (*read_.about, "turned upright as the photo was")
        masks.append(_fitted(read_._replace(hole=hole_, about=about), size).grown(grow))
    return replace(masks[0], alternative=masks[1]) if len(masks) > 1 else masks[0]


def _fits(mask: Reading, photo: Photo) -> tuple[bool, bool]:
    """Whether the mask may have been drawn on the upright pixels, and whether on those that the photo's file stores."""
    size, shape = (photo.height, photo.width), mask.hole.shape
    if photo.orientation not in range(2, 9) or mask.orientation != 1:
        return True, False
    stored = size[::-1] if photo.orientation >= 5 else size
    if stored != size and shape in (stored, size):
        return shape == size, shape == stored
    if not _same_shape(shape, stored):
        return True, False
    return _same_shape(shape, size), True


def _fitted(mask: Reading, size: tuple[int, int]) -> Mask:
    """The mask at the photo's size, (H, W). A soft one is grown by a pixel, its own or the photo's, the larger one."""
    hole, about, warnings = mask.hole, list(mask.about), list(mask.warnings)
    shrinks = max(hole.shape) > max(size)
    if mask.soft and not shrinks:
        hole = _grown(hole, 1)
    if hole.shape != size:
        about.append(f"scaled from {hole.shape[1]} x {hole.shape[0]} to {size[1]} x {size[0]}")
        if not _same_shape(hole.shape, size):
            warnings.append("The mask's proportions are not the photo's, so it was stretched; see that it still fits.")
        hole = _scaled(hole, size)
    if mask.soft and shrinks:
        hole = _grown(hole, 1)
    if mask.soft:
        about.append("grown by 1 px, as its edge is soft")
    as_read = f" ({', '.join(about)})" if about else ""
    if not hole.any():
        raise MaskError(f"The mask marks no hole{as_read}. {ADVICE}")
    if hole.all():
        raise MaskError(
            f"The mask marks everything as hole{as_read}. Leave something of the photo, or use "
            "--mask-hole (mask_hole=)."
        )
    if (share := float(hole.mean())) > LARGEST_SHARE:
        warnings.append(f"The hole covers {share:.0%} of the photo.")
    return Mask(hole, ", ".join(about), tuple(warnings))


def _same_shape(one: tuple[int, ...], other: tuple[int, int]) -> bool:
    """Whether two sizes, (H, W), have the same proportions."""
    low, high = sorted((one[1] * other[0], one[0] * other[1]))
    return high / low - 1 <= SAME_SHAPE


def _grown(hole: Bools, pixels: int) -> Bools:
    """With all pixels whose centre is at most ``pixels`` + 1/2 from that of one of the hole's."""
    if not hole.any():
        return hole
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= pixels + 0.5)


def _from_bool(array: NDArray[Any]) -> Bools:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size:
        raise MaskError(f"A bool mask has the shape (H, W); this one has {array.shape}. Give one value a pixel.")
    return np.ascontiguousarray(array)


def _scaled(hole: Bools, size: tuple[int, int]) -> Bools:
    """To (H, W); enlarged as it is, or made smaller: then a pixel at least half covered is hole."""
    shrinks = size[0] < hole.shape[0] or size[1] < hole.shape[1]
    values = hole.astype(np.uint8) * np.uint8(255)
    resized = cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT)
    return resized >= 128
