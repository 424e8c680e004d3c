"""Masks of photos, bool arrays whose True is the hole.

Half of the field draws the hole white, half black. A bool array, a layer with transparency, and coloured strokes on a
plain background are unambiguous. Of two tones one is guessed, which ``Mask.about`` states, or an error asks for it
where both are plausible. ``mask_pictures`` reads the pictures; this module fits masks to their photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError
from faceinp.face import detection
from faceinp.face.faces import Box
from faceinp.mask import mask_pictures
from faceinp.mask.mask_pictures import ADVICE, Polarity, Reading
from faceinp.photo.arrays import Bools
from faceinp.photo.decoding import upright
from faceinp.photo.photos import Photo, PhotoSource

LARGEST_SHARE = 0.6  # of the photo; a larger hole gets a warning, as its polarity may be wrong
MAX_RATIO_DIFFERENCE = 0.02  # relative, between aspect ratios that differ by rounding only
MISSES_FACES = 0.05  # a hole that covers a smaller share of the faces misses them
HITS_FACES = 0.25  # a hole that covers a larger share was drawn for them


@dataclass(frozen=True, eq=False)
class Mask:
    """A photo's mask. hole: bool (H, W), True = hole, of the photo's size.

    about: how it was read, one clause; empty where nothing had to be decided. warnings: sentences. alternative: for a
    photo that EXIF rotates, the same mask rotated likewise, where its shape does not show whether it was drawn on the
    stored or on the upright pixels; ``by_faces`` chooses.
    """

    hole: Bools
    about: str
    warnings: tuple[str, ...] = ()
    alternative: "Mask | None" = None

    @property
    def share(self) -> float:
        """The hole's share of the picture, in (0, 1)."""
        return float(self.hole.mean())

    def grown(self, pixels: int) -> "Mask":
        """The mask with its hole dilated by ``pixels``. Raises MaskError below 0, and where no known pixel is left."""
        if pixels < 0:
            raise MaskError(f"grow must be >= 0 pixels, got {pixels}.")
        if not pixels:
            return self
        hole, about = _grown(self.hole, pixels), ", ".join(filter(None, (self.about, f"grown by {pixels} px")))
        if hole.all():
            raise MaskError(f"Grown by {pixels} pixels, the hole covers the entire photo. Grow it by less.")
        return replace(self, hole=hole, about=about, alternative=self.alternative and self.alternative.grown(pixels))

    def by_faces(self, boxes: Sequence[Box]) -> "Mask":
        """The mask, or its ``alternative`` where that one covers faces and the mask as read misses all of them.

        boxes: (x, y, width, height) of faces in photo pixels.
        """
        if self.alternative is None:
            return self
        both = (self, self.alternative)
        as_read, turned = (sum(detection.share_within(box, one.hole) for box in boxes) for one in both)
        return self.alternative if as_read < MISSES_FACES and turned >= HITS_FACES else replace(self, alternative=None)


MaskSource = PhotoSource | NDArray[np.bool_] | Mask  # what is read as a mask


def read(source: MaskSource, photo: Photo, *, hole: Polarity = "auto", grow: int = 0) -> Mask:
    """Read the mask of ``photo``.

    source: a path, bytes, a Pillow picture, a bool array (H, W) (True = hole), a uint8 array (H, W), (H, W, 3) or
    (H, W, 4), or a Mask. hole: the tone of the hole, the lighter ("white") or the darker ("black"); "auto" guesses the
    smaller one, which touches less of the border. Bool arrays, layers with transparency and files of `faceinp find`
    need no guess; the first two ignore ``hole``. grow: pixels of the photo by which the hole is dilated; one with a
    soft edge is dilated by a further pixel. Strokes of every strength count.

    A mask of another size is scaled to the photo's. A mask that was drawn on the stored pixels of a photo that EXIF
    rotates is rotated as well, see ``Mask.alternative``. Raises MaskError for a mask that cannot be read, marks nothing
    or everything, looks like a photo, or is ambiguous.
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
        read_ = mask_pictures.read(cast(PhotoSource, source), photo, hole)
    as_upright, as_stored = _fits(read_, photo)
    masks = [_fitted(read_, size).grown(grow)] if as_upright else []
    if as_stored:
        hole_ = np.ascontiguousarray(upright(read_.hole, photo.orientation))
        about = (*read_.about, "rotated upright like the photo")
        masks.append(_fitted(read_._replace(hole=hole_, about=about), size).grown(grow))
    return replace(masks[0], alternative=masks[1]) if len(masks) > 1 else masks[0]


def _fits(mask: Reading, photo: Photo) -> tuple[bool, bool]:
    """Whether the mask may have been drawn on the photo's upright pixels, and whether on the stored ones."""
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
    """The mask at the photo's ``size``, (H, W). A soft one is dilated by one pixel, the larger of the two kinds."""
    hole, about, warnings = mask.hole, list(mask.about), list(mask.warnings)
    shrinks = max(hole.shape) > max(size)
    if mask.soft and not shrinks:
        hole = _grown(hole, 1)
    if hole.shape != size:
        about.append(f"scaled from {hole.shape[1]} x {hole.shape[0]} to {size[1]} x {size[0]}")
        if not _same_shape(hole.shape, size):
            warnings.append("The mask's proportions differ from the photo's, so it was stretched. Check that it fits.")
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
            f"The mask marks everything as hole{as_read}. Leave a part of the photo unmarked, or use "
            "--mask-hole (mask_hole=)."
        )
    if (share := float(hole.mean())) > LARGEST_SHARE:
        warnings.append(f"The hole covers {share:.0%} of the photo.")
    return Mask(hole, ", ".join(about), tuple(warnings))


def _same_shape(one: tuple[int, ...], other: tuple[int, int]) -> bool:
    """Whether two sizes, (H, W), have the same proportions."""
    low, high = sorted((one[1] * other[0], one[0] * other[1]))
    return high / low - 1 <= MAX_RATIO_DIFFERENCE


def _grown(hole: Bools, pixels: int) -> Bools:
    """The hole and all pixels whose centre is at most ``pixels`` + 1/2 from the centre of one of its pixels."""
    if not hole.any():
        return hole
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= pixels + 0.5)


def _from_bool(array: NDArray[Any]) -> Bools:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size:
        raise MaskError(f"A bool mask must have the shape (H, W), got {array.shape}. Pass one value per pixel.")
    return np.ascontiguousarray(array)


def _scaled(hole: Bools, size: tuple[int, int]) -> Bools:
    """The hole resized to (H, W): enlarged by the nearest pixel; reduced, a pixel is hole where half of it was."""
    shrinks = size[0] < hole.shape[0] or size[1] < hole.shape[1]
    values = hole.astype(np.uint8) * np.uint8(255)
    resized = cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT)
    return resized >= 128
