"""Writes filled photos; everything outside of the hole stays as in the original file.

Known pixels and their transparency, the colour profile, grey as grey, 16 bits as 16 bits: bit-exact in PNG, WebP and
TIFF. Metadata is kept as far as the format can hold it; ``losses`` lists what it cannot.
"""

import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import PhotoError
from faceinp.photo import encoding, staging, xmp
from faceinp.photo.encoding import Contents, stripes
from faceinp.photo.photos import Photo
from faceinp.photo.provenance import Provenance

SUFFIXES = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff"}
_NAMES = {"png": "PNG", "webp": "WebP", "jpeg": "JPEG", "tiff": "TIFF"}
_WRITERS = {"png": encoding.png, "webp": encoding.webp, "jpeg": encoding.jpeg, "tiff": encoding.tiff}
_DEEP = ("png", "tiff")  # formats that hold 16 bits


def encode(
    photo: Photo,
    pixels: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    format: str,
    provenance: Provenance | None = None,
) -> bytes:
    """Encode the filled photo.

    pixels: uint8 (H, W, 3), the result; only its hole is used, opaque; everything else comes from ``photo``. hole: bool
    (H, W), True = hole. format: "png", "webp" (lossless), "jpeg" (quality 95) or "tiff"; PNG and TIFF keep 16 bits,
    where hole pixels are the 8-bit value times 257, and TIFF keeps the other pages. provenance: written into the file,
    as XMP beside the photo's own and, in PNG, as text. Raises PhotoError.
    """
    kind = _kind(format)
    if pixels.dtype != np.uint8 or pixels.shape != photo.pixels.shape:
        raise PhotoError(f"The result must be uint8 {photo.pixels.shape}, got {pixels.dtype} {pixels.shape}.")
    if hole.dtype != np.bool_ or hole.shape != photo.pixels.shape[:2]:
        raise PhotoError(f"The hole must be bool {photo.pixels.shape[:2]}, got {hole.dtype} {hole.shape}.")
    with_alpha = photo.alpha is not None and kind != "jpeg"
    if photo.alpha is not None and not with_alpha and bool(((photo.alpha < 255) & ~hole).any()):
        raise PhotoError("A JPEG cannot hold the photo's transparency. Write PNG, WebP or TIFF instead.")
    picture = _select(photo, pixels, hole, deep=photo.deep is not None and kind in _DEEP, with_alpha=with_alpha)
    metadata, properties = photo.metadata, provenance.properties if provenance else {}
    if provenance:
        texts = (*metadata.texts, *provenance.text.items()) if kind == "png" else metadata.texts
        metadata = replace(metadata, xmp=xmp.with_description(metadata.xmp, properties), texts=texts)
    icc = None if _profile_is_lost(photo, kind) else photo.icc
    try:
        return _WRITERS[kind](Contents(picture, icc, metadata, photo.others))
    except (OSError, ValueError, struct.error) as error:
        size = f"{photo.width} x {photo.height}"
        raise PhotoError(f"A picture of {size} cannot be written as {kind} ({error}). Write PNG.") from error


def losses(photo: Photo, format: str) -> tuple[str, ...]:
    """What ``format`` cannot hold of the photo's file and ``encode`` leaves out, a sentence each. Raises PhotoError."""
    kind, metadata = _kind(format), photo.metadata
    name, lost = _NAMES[kind], []
    if photo.others is not None and kind != "tiff":
        others = photo.others.count - 1
        pages = f"other {others} pages were" if others > 1 else "other page was"
        lost.append(f"{name} holds one picture, so the file's {pages} lost. Write TIFF to keep all pages.")
    if photo.deep is not None and kind not in _DEEP:
        lost.append(f"{name} holds 8 bits per channel, so the photo's 16 became 8. Write PNG or TIFF to keep them.")
    if _profile_is_lost(photo, kind):
        lost.append(f"{name} has no grey pictures, so the photo's grey colour profile was lost.")
    if kind == "jpeg" and not encoding.fits_jpeg(metadata.exif):
        lost.append("The photo's EXIF is too large for a JPEG and was lost. Write PNG, WebP or TIFF to keep it.")
    if metadata.iptc and (kind == "webp" or (kind == "jpeg" and not encoding.fits_jpeg(metadata.iptc))):
        lost.append(f"{name} cannot hold the photo's IPTC record (IIM), which was lost. Write TIFF to keep it.")
    keywords = [key for key, text in metadata.texts if kind != "jpeg" or not encoding.is_comment(key, text)]
    if keywords and kind != "png":
        lost.append(f"{name} cannot hold the photo's texts ({', '.join(keywords)[:80]}). Write PNG to keep them.")
    return tuple(lost)


def write(
    path: str | os.PathLike[str],
    photo: Photo,
    pixels: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    provenance: Provenance | None = None,
) -> tuple[str, ...]:
    """Write the filled photo to ``path``, in the format of its suffix. The other arguments are those of ``encode``.

    Returns ``losses``. On an error an earlier file at ``path`` stays as it was. Raises PhotoError.
    """
    kind = output_format(path)
    write_file(path, encode(photo, pixels, hole, kind, provenance))
    return losses(photo, kind)


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` atomically. Raises PhotoError."""
    try:
        staging.write_atomically(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise PhotoError(f"{path} cannot be written ({reason}). Choose another folder, or free disk space.") from error


def output_format(path: str | os.PathLike[str]) -> str:
    """The format ``write`` would use for ``path``. Raises the PhotoError that it would raise, before long work."""
    file = Path(path)
    if not file.name or file.is_dir():
        raise PhotoError(f"{str(path)!r} is a folder. Give the path of a file.")
    if file.suffix.lower() not in SUFFIXES:
        raise PhotoError(f"{file} has an unsupported suffix. Use one of: {', '.join(SUFFIXES)}.")
    folder = Path(os.path.realpath(file)).parent
    if not folder.is_dir():
        raise PhotoError(f"There is no folder {folder} to write {file.name} to. Create it first.")
    return SUFFIXES[file.suffix.lower()]


def _select(
    photo: Photo, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], *, deep: bool, with_alpha: bool
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The photo as its file stores it, (H, W) or (H, W, 2 to 4), with ``pixels``, opaque, in the hole."""
    picture: NDArray[Any]
    if deep and photo.deep is not None:
        picture = photo.deep.copy()
    else:
        colours = photo.pixels[..., :1] if photo.grey else photo.pixels
        extra = photo.alpha[..., None] if with_alpha and photo.alpha is not None else photo.pixels[..., :0]
        picture = np.concatenate([colours, extra], axis=2)
        picture = picture[..., 0] if picture.shape[2] == 1 else picture
    for rows in stripes(pixels):
        if not hole[rows].any():
            continue
        new: NDArray[Any] = cv2.cvtColor(pixels[rows], cv2.COLOR_RGB2GRAY) if photo.grey else pixels[rows]
        if deep:
            new = new.astype(np.uint16) * np.uint16(257)
        if picture.ndim == 3 and picture.shape[2] in (2, 4):
            new = np.dstack([new, np.full(new.shape[:2], np.iinfo(picture.dtype).max, picture.dtype)])
        # A boolean index takes seconds at 50 megapixels, copyTo a tenth of one.
        picture[rows] = cv2.copyTo(np.ascontiguousarray(new), hole[rows].astype(np.uint8), picture[rows])
    return picture


def _kind(format: str) -> str:
    kind = SUFFIXES.get(f".{format.lower().removeprefix('.')}")
    if kind is None:
        raise PhotoError(f"Unknown output format {format!r}. Choose one of: png, webp, jpeg, tiff.")
    return kind


def _profile_is_lost(photo: Photo, kind: str) -> bool:
    """Whether the profile is of grey, which a WebP, always in colour, cannot use."""
    return kind == "webp" and photo.icc is not None and photo.icc[16:20] == b"GRAY"
