"""Filled photos as files, with everything the fill does not touch kept as it came.

Known pixels and their transparency, the colour profile, grey as grey, 16 bits as 16 bits: to the bit in PNG, WebP and
TIFF. What the file says of its photo goes along, as far as the format can hold it; ``losses`` says what it cannot.
"""

import os
import secrets
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import PhotoError
from faceinp.photo import encoding, xmp
from faceinp.photo.encoding import Contents, stripes
from faceinp.photo.photos import Photo
from faceinp.photo.provenance import Provenance

__all__ = ["SUFFIXES", "Provenance", "encode", "losses", "output_format", "write", "write_file"]

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
    """The filled photo as the bytes of a file.

    pixels: uint8 (H, W, 3), the result; only what lies in the hole is taken from it, and is opaque; everything else
    is ``photo``'s. hole: bool (H, W), True = hole. format: "png", "webp" (lossless), "jpeg" (quality 95) or "tiff"; PNG
    and TIFF keep 16 bits, where hole pixels are the 8-bit value times 257, and TIFF keeps the other pages. provenance:
    written into the file, as XMP beside the photo's own and, in PNG, as text. Raises PhotoError.
    """
    kind = _kind(format)
    if pixels.dtype != np.uint8 or pixels.shape != photo.pixels.shape:
        raise PhotoError(f"The result must be uint8 {photo.pixels.shape}; it is {pixels.dtype} {pixels.shape}.")
    if hole.dtype != np.bool_ or hole.shape != photo.pixels.shape[:2]:
        raise PhotoError(f"The hole must be bool {photo.pixels.shape[:2]}; it is {hole.dtype} {hole.shape}.")
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
    """What of the photo's file ``format`` cannot hold, a sentence each; ``encode`` leaves it out. Raises PhotoError."""
    kind, metadata = _kind(format), photo.metadata
    name, lost = _NAMES[kind], []
    if photo.others is not None and kind != "tiff":
        others = photo.others.count - 1
        pages = f"other {others} pages" if others > 1 else "other page"
        lost.append(f"{name} holds one picture: the {pages} of the file are not in it. Write TIFF to keep them.")
    if photo.deep is not None and kind not in _DEEP:
        lost.append(f"{name} holds 8 bits a colour: the photo's 16 became 8. Write PNG or TIFF to keep them.")
    if _profile_is_lost(photo, kind):
        lost.append(f"{name} holds no grey pictures: the photo's grey colour profile is not in it.")
    if kind == "jpeg" and not encoding.fits_jpeg(metadata.exif):
        lost.append("The photo's EXIF is larger than a JPEG can hold and is not in it. Write PNG, WebP or TIFF.")
    if metadata.iptc and (kind == "webp" or (kind == "jpeg" and not encoding.fits_jpeg(metadata.iptc))):
        lost.append(f"{name} cannot hold the photo's IPTC record (IIM), which is not in it. Write TIFF to keep it.")
    words = [word for word, text in metadata.texts if kind != "jpeg" or not encoding.is_comment(word, text)]
    if words and kind != "png":
        lost.append(f"{name} cannot hold the photo's texts ({', '.join(words)[:80]}). Write PNG to keep them.")
    return tuple(lost)


def write(
    path: str | os.PathLike[str],
    photo: Photo,
    pixels: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    provenance: Provenance | None = None,
) -> tuple[str, ...]:
    """Write the filled photo to ``path``; the suffix chooses the format. Arguments as for ``encode``.

    Returns what the format cannot hold, see ``losses``. Either the whole file is there afterwards, or what was there
    before is untouched. Raises PhotoError.
    """
    kind = output_format(path)
    write_file(path, encode(photo, pixels, hole, kind, provenance))
    return losses(photo, kind)


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all. Raises PhotoError."""
    target = Path(os.path.realpath(path))  # a link keeps pointing at the file it names
    temporary = target.with_name(f".faceinp-{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or error
        raise PhotoError(f"{path} cannot be written ({reason}). Choose another place, or make room.") from error
    finally:
        temporary.unlink(missing_ok=True)


def output_format(path: str | os.PathLike[str]) -> str:
    """The format ``write`` would use for ``path``; worth asking before long work. Raises PhotoError as it would."""
    where = Path(path)
    if where.suffix.lower() not in SUFFIXES:
        raise PhotoError(f"{where} has no known suffix. Use one of: {', '.join(SUFFIXES)}.")
    folder = Path(os.path.realpath(where)).parent
    if not folder.is_dir():
        raise PhotoError(f"There is no folder {folder} to write {where.name} to. Make it first.")
    if where.is_dir():
        raise PhotoError(f"{where} is a folder. Give the path of a file.")
    return SUFFIXES[where.suffix.lower()]


def _select(
    photo: Photo, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], *, deep: bool, with_alpha: bool
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(H, W) grey or (H, W, 2 to 4): the photo as it is stored, with ``pixels``, opaque, in the hole."""
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
        # A boolean index costs seconds at 50 megapixels; this, a tenth of one.
        picture[rows] = cv2.copyTo(np.ascontiguousarray(new), hole[rows].astype(np.uint8), picture[rows])
    return picture


def _kind(format: str) -> str:
    kind = SUFFIXES.get(f".{format.lower().removeprefix('.')}")
    if kind is None:
        raise PhotoError(f"There is no output format {format!r}. Choose one of: png, webp, jpeg, tiff.")
    return kind


def _profile_is_lost(photo: Photo, kind: str) -> bool:
    """A WebP has three colours, and no profile of a single one describes them."""
    return kind == "webp" and photo.icc is not None and photo.icc[16:20] == b"GRAY"
