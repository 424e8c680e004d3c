"""Photos that are their own mask: what was erased from them, so that it is transparent, is the hole."""

import filecmp
import os
from typing import Any

import numpy as np

from faceinp.errors import MaskError
from faceinp.mask import masks
from faceinp.mask.masks import Mask, Polarity
from faceinp.photo.photos import Photo


def mask_from_alpha(photo: Photo) -> tuple[Photo, Mask]:
    """The photo without its transparency, and the mask of what was transparent by half or more.

    Filled, it is that no longer; nor is an eraser's soft edge, which would stay as a rim around the fill. Raises
    MaskError where nothing, or everything, is transparent.
    """
    hole = photo.transparent
    if not hole.any():
        raise MaskError("Nothing of the photo is transparent. Erase what is to be filled, or give a mask or a preset.")
    if hole.all():
        raise MaskError("All of the photo is transparent. Leave something of it, or give a mask or a preset.")
    return photo.opaque, Mask(hole, "read from the photo's transparency")


def read_mask(
    mask: Any, photo: Photo, photo_source: Any, *, hole: Polarity = "auto", grow: int = 0
) -> tuple[Photo, Mask]:
    """The photo as it is filled, and its mask: ``mask_from_alpha`` where it is its own mask, else ``masks.read``.

    mask, photo, hole, grow: as for ``masks.read``. photo_source: what ``photo`` was read from. Raises MaskError.
    """
    if is_own_mask(photo_source, mask):
        photo, from_alpha = mask_from_alpha(photo)
        return photo, from_alpha.grown(grow)
    return photo, masks.read(mask, photo, hole=hole, grow=grow)


def is_own_mask(photo: Any, mask: Any) -> bool:
    """Whether ``mask`` is the same picture as ``photo``, unread: the same object, file, bytes or pixels.

    An erased copy of a photo that is whole is another matter: ``mask_pictures`` compares its pixels.
    """
    if photo is mask:
        return not isinstance(mask, Mask)
    if isinstance(photo, str | os.PathLike) and isinstance(mask, str | os.PathLike):
        try:
            return filecmp.cmp(photo, mask, shallow=False)
        except (OSError, ValueError):  # whoever reads them says better what is wrong
            return False
    if isinstance(photo, np.ndarray) and isinstance(mask, np.ndarray):
        return photo.ndim == 3 and photo.dtype == mask.dtype and np.array_equal(photo, mask)
    return isinstance(photo, bytes | bytearray) and isinstance(mask, bytes | bytearray) and photo == mask
