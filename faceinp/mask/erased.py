"""Photos that contain their own mask: their transparent part, such as an erased one, is the hole."""

import filecmp
import os

import numpy as np

from faceinp.errors import MaskError
from faceinp.mask import masks
from faceinp.mask.mask_pictures import Polarity
from faceinp.mask.masks import Mask, MaskSource
from faceinp.photo.photos import Photo, PhotoSource


def mask_from_alpha(photo: Photo) -> tuple[Photo, Mask]:
    """The photo without its transparency, and the mask of where it is at least half transparent.

    The result is opaque, including an eraser's soft edge, which would otherwise stay as a rim around the fill. Raises
    MaskError where nothing, or everything, is transparent.
    """
    hole = photo.transparent
    if not hole.any():
        raise MaskError("No part of the photo is transparent. Erase the area to fill, or use a mask or a preset.")
    if hole.all():
        raise MaskError("The entire photo is transparent. Leave a part of it opaque, or use a mask or a preset.")
    return photo.opaque, Mask(hole, "read from the photo's transparency")


def read_mask(
    mask: MaskSource, photo: Photo, photo_source: PhotoSource, *, hole: Polarity = "auto", grow: int = 0
) -> tuple[Photo, Mask]:
    """The photo to fill, and its mask: ``mask_from_alpha`` where ``mask`` is the photo itself, else ``masks.read``.

    mask, photo, hole, grow: as for ``masks.read``. photo_source: the source of ``photo``. Raises MaskError.
    """
    if is_own_mask(photo_source, mask):
        photo, from_alpha = mask_from_alpha(photo)
        return photo, from_alpha.grown(grow)
    return photo, masks.read(mask, photo, hole=hole, grow=grow)


def is_own_mask(photo: PhotoSource, mask: MaskSource) -> bool:
    """Whether two sources are the same picture: the same object, file, bytes or pixels.

    An erased copy beside the whole photo is a different case: ``mask_pictures`` compares its pixels.
    """
    if photo is mask:
        return not isinstance(mask, Mask)
    if isinstance(photo, str | os.PathLike) and isinstance(mask, str | os.PathLike):
        try:
            return filecmp.cmp(photo, mask, shallow=False)
        except (OSError, ValueError):  # reading them raises a better error
            return False
    if isinstance(photo, np.ndarray) and isinstance(mask, np.ndarray):
        return photo.ndim == 3 and photo.dtype == mask.dtype and np.array_equal(photo, mask)
    return isinstance(photo, bytes | bytearray) and isinstance(mask, bytes | bytearray) and photo == mask
