"""Photos, read from files, bytes, Pillow pictures or arrays. ``saving.py`` writes them.

EXIF's orientation is applied when a photo is read and then dropped, so that no viewer applies it again.
"""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.errors import PhotoError
from faceinp.photo import decoding, formats
from faceinp.photo.decoding import Decoded
from faceinp.photo.metadata import EMPTY, Metadata
from faceinp.photo.pages import OtherPages

OPAQUE_ALPHA = 128  # and more; below it a pixel counts as transparent


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo.

    pixels: uint8 (H, W, 3), RGB. alpha: uint8 (H, W) or None. grey: whether the file is grey; it is then written as
    grey. icc: the colour profile, or None. deep: the 16-bit original, uint16 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4):
    grey, grey and alpha, RGB, RGBA; None for 8-bit photos. source_format: "PNG", "JPEG", ..., or "array". orientation:
    EXIF's number for how the file stores the pixels, 1 being upright; ``pixels`` are always upright. metadata: EXIF,
    XMP and others. others: the other pages of its TIFF, or None. notes: what was repaired when the file was read, and
    what is not kept.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    grey: bool = False
    icc: bytes | None = None
    deep: NDArray[np.uint16] | None = None
    source_format: str = "array"
    orientation: int = 1
    metadata: Metadata = EMPTY
    others: OtherPages | None = None
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def transparent(self) -> NDArray[np.bool_]:
        """bool (H, W): where the photo is at least half transparent."""
        return np.zeros(self.pixels.shape[:2], np.bool_) if self.alpha is None else self.alpha < OPAQUE_ALPHA

    @property
    def opaque(self) -> "Photo":
        """This photo without its transparency; its colours stay as they are."""
        deep = self.deep
        if deep is not None and self.alpha is not None:
            deep = deep[..., 0] if self.grey else deep[..., :3]
        return replace(self, alpha=None, deep=deep)


# What is read as a photo: a path, a file's bytes, an open binary file, a Pillow picture, an array, or a Photo.
PhotoSource = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[np.uint8] | Photo
)


def read(source: PhotoSource, *, page: int = 1) -> Photo:
    """Read a photo.

    source: a path, bytes, a binary file object, a Pillow picture, a uint8 array (H, W, 3), (H, W, 4) or (H, W) in
    RGB order, or a Photo, which is returned unchanged. page: of a TIFF file, counted from 1; the other pages are copied
    into the result where that is a TIFF. Raises PhotoError for anything but one complete picture of at most
    ``formats.MAX_PIXELS`` pixels; the size is checked in the header, before decoding.
    """
    if isinstance(source, Photo):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _photo(decoding.from_picture(source, "The picture"))
    if isinstance(source, bytes | bytearray | memoryview):
        return _photo(decoding.decode(io.BytesIO(source), "The picture", page))
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source), page)
    if hasattr(source, "read"):
        return _from_file_object(source, page)
    raise PhotoError(
        f"A photo cannot be read from {type(source).__name__}. Pass a path, bytes, a Pillow picture or a uint8 array."
    )


def several(sources: Iterable[PhotoSource] | None, name: str) -> tuple[PhotoSource, ...]:
    """Check a list of photos, each as ``read`` takes it; None is an empty list. name: of the argument, for the error.

    Raises PhotoError for a single photo, whose characters, bytes or rows would be read as photos.
    """
    if sources is None:
        return ()
    if isinstance(sources, str | bytes | bytearray | os.PathLike | Image.Image | np.ndarray | Photo):
        raise PhotoError(f"{name} takes a list of photos. Pass a single photo as a list, too: {name}=[photo].")
    return tuple(sources)


def _from_array(array: NDArray[Any]) -> Photo:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise PhotoError(
            f"The array is {array.dtype} {array.shape}. Convert it to uint8 (H, W, 3), (H, W, 4) or (H, W), RGB."
        )
    formats.check_size(array.shape[1], array.shape[0], "The array")
    return _photo(Decoded(array, grey=array.ndim == 2))


def _from_path(path: Path, page: int) -> Photo:
    try:
        if path.is_dir():
            raise PhotoError(f"{path} is a folder. Give the path of one picture.")
        if not path.exists():
            raise PhotoError(f"There is no file {path}. Check the path.")
        if not path.is_file():
            raise PhotoError(f"{path} is not a regular file. Give the path of a picture.")
        with path.open("rb") as file:
            return _photo(decoding.decode(file, str(path), page))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(f"{str(path)[:200]!r} cannot be read ({reason}). Check path and permissions.") from error


def _from_file_object(source: Any, page: int) -> Photo:
    try:
        if hasattr(source, "seek"):
            source.seek(0)
        data = source.read()
    except (OSError, ValueError) as error:
        raise PhotoError(f"The file object cannot be read ({error}). Open it again.") from error
    if not isinstance(data, bytes):
        raise PhotoError("The file object returns text, not bytes. Open it in binary mode.")
    return _photo(decoding.decode(io.BytesIO(data), "The picture", page))


def _photo(decoded: Decoded) -> Photo:
    array = decoded.array
    deep = np.ascontiguousarray(array) if array.dtype == np.uint16 else None
    if deep is not None:
        array = np.empty(deep.shape, np.uint8)
        np.right_shift(deep, 8, out=array, casting="unsafe")
    channels = 1 if array.ndim == 2 else array.shape[2]
    alpha = np.ascontiguousarray(array[..., -1]) if channels in (2, 4) else None
    if decoded.grey:
        pixels = cv2.cvtColor(np.ascontiguousarray(array if array.ndim == 2 else array[..., 0]), cv2.COLOR_GRAY2RGB)
    else:
        pixels = np.ascontiguousarray(array[..., :3])
    about = {field.name: getattr(decoded, field.name) for field in fields(Decoded) if field.name != "array"}
    return Photo(pixels.astype(np.uint8, copy=False), alpha, deep=deep, **about)
