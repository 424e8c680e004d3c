"""Filled photos as files, with everything the fill does not touch kept as it came.

Known pixels, transparency, the colour profile, grey as grey, 16 bits as 16 bits: to the bit in PNG, WebP and TIFF.
"""

import io
import os
import secrets
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from faceinp.errors import PhotoError
from faceinp.photo import Photo

SUFFIXES = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff"}

# IPTC's term for a picture of which a part was made by a trained network. It is written for every engine: a label too
# many misleads nobody.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:faceinp="urn:faceinp:1" Iptc4xmpExt:DigitalSourceType={source} xmp:CreatorTool={tool}
 faceinp:engine={engine} faceinp:runtime={runtime} faceinp:seed="{seed}" faceinp:version={version}
 faceinp:references="{references}"/></rdf:RDF>
</x:xmpmeta><?xpacket end="r"?>"""
_STRIPE = 1 << 22  # bytes handled at a time where a whole copy would cost too much memory


@dataclass(frozen=True)
class Provenance:
    """What a file says of how its picture came about.

    references: how many reference photos it was filled from; which ones is not written, as their names may be names of
    people.
    """

    engine: str
    runtime: str
    seed: int
    version: str
    references: int = 0

    @property
    def text(self) -> dict[str, str]:
        """Keywords and texts, for PNG."""
        return {
            "Software": f"faceinp {self.version}",
            "Comment": "A part of this picture was filled in by a program: it does not show what was there.",
            "faceinp:engine": self.engine,
            "faceinp:runtime": self.runtime,
            "faceinp:seed": str(self.seed),
            "faceinp:version": self.version,
            "faceinp:references": str(self.references),
        }

    @property
    def xmp(self) -> bytes:
        """An XMP packet (ISO 16684-1) with IPTC's digital source type."""
        return _XMP.format(
            source=quoteattr(_SOURCE_TYPE),
            tool=quoteattr(f"faceinp {self.version}"),
            engine=quoteattr(self.engine),
            runtime=quoteattr(self.runtime),
            seed=self.seed,
            version=quoteattr(self.version),
            references=self.references,
        ).encode()


def encode(
    photo: Photo,
    pixels: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    format: str,
    provenance: Provenance | None = None,
) -> bytes:
    """The filled photo as the bytes of a file.

    pixels: uint8 (H, W, 3), the result; only what lies in the hole is taken from it, everything else from ``photo``.
    hole: bool (H, W), True = hole. format: "png", "webp" (lossless), "jpeg" (quality 95) or "tiff"; PNG and TIFF keep
    16 bits, where hole pixels are the 8-bit value times 257. provenance: written into the file, as XMP and, in PNG, as
    text. Raises PhotoError.
    """
    kind = SUFFIXES.get(f".{format.lower().removeprefix('.')}")
    if kind is None:
        raise PhotoError(f"There is no output format {format!r}. Choose one of: png, webp, jpeg, tiff.")
    if pixels.dtype != np.uint8 or pixels.shape != photo.pixels.shape:
        raise PhotoError(f"The result must be uint8 {photo.pixels.shape}; it is {pixels.dtype} {pixels.shape}.")
    if hole.dtype != np.bool_ or hole.shape != photo.pixels.shape[:2]:
        raise PhotoError(f"The hole must be bool {photo.pixels.shape[:2]}; it is {hole.dtype} {hole.shape}.")
    deep = photo.deep is not None and kind in ("png", "tiff")
    with_alpha = photo.alpha is not None and kind != "jpeg"
    if photo.alpha is not None and not with_alpha and photo.alpha.min() < 255:
        raise PhotoError("A JPEG cannot hold the photo's transparency. Write PNG, WebP or TIFF instead.")
    picture = _select(photo, pixels, hole, deep=deep, with_alpha=with_alpha)
    try:
        if kind == "png":
            return _png(picture, photo.icc, provenance)
        xmp = provenance.xmp if provenance else None
        return _tiff(picture, photo.icc, xmp) if kind == "tiff" else _lossy_family(picture, kind, photo.icc, xmp)
    except (OSError, ValueError, struct.error) as error:
        size = f"{photo.width} x {photo.height}"
        raise PhotoError(f"A picture of {size} cannot be written as {kind} ({error}). Write PNG.") from error


def write(
    path: str | os.PathLike[str],
    photo: Photo,
    pixels: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    provenance: Provenance | None = None,
) -> None:
    """Write the filled photo to ``path``; the suffix chooses the format. Arguments as for ``encode``.

    Either the whole file is there afterwards, or what was there before is untouched. Raises PhotoError.
    """
    kind = output_format(path)
    data = encode(photo, pixels, hole, kind, provenance)
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
    """(H, W) grey or (H, W, 2 to 4): the photo as it is stored, with ``pixels`` in the hole; alpha is the photo's."""
    picture: NDArray[Any]
    if deep and photo.deep is not None:
        picture = photo.deep.copy()
    else:
        colours = photo.pixels[..., :1] if photo.grey else photo.pixels
        extra = photo.alpha[..., None] if with_alpha and photo.alpha is not None else photo.pixels[..., :0]
        picture = np.concatenate([colours, extra], axis=2)
        picture = picture[..., 0] if picture.shape[2] == 1 else picture
    for rows in _stripes(pixels):
        if not hole[rows].any():
            continue
        new: NDArray[Any] = cv2.cvtColor(pixels[rows], cv2.COLOR_RGB2GRAY) if photo.grey else pixels[rows]
        if deep:
            new = new.astype(np.uint16) * np.uint16(257)
        if picture.ndim == 3 and picture.shape[2] in (2, 4):
            new = np.dstack([new, picture[rows][..., -1]])
        # A boolean index costs seconds at 50 megapixels; this, a tenth of one.
        picture[rows] = cv2.copyTo(np.ascontiguousarray(new), hole[rows].astype(np.uint8), picture[rows])
    return picture


def _stripes(array: NDArray[Any]) -> Iterator[slice]:
    step = max(1, _STRIPE // (array[0].size * array.itemsize))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _lossy_family(picture: NDArray[Any], kind: str, icc: bytes | None, xmp: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    packet = {"xmp": xmp} if xmp else {}
    if kind == "jpeg":
        image.save(buffer, "JPEG", quality=95, subsampling=0, icc_profile=icc, **packet)
    else:
        # exact: colours under transparent pixels are known pixels, too. Here quality is effort, which only costs time.
        image.save(buffer, "WEBP", lossless=True, exact=True, method=0, quality=0, icc_profile=icc, **packet)
    return buffer.getvalue()


def _tiff(picture: NDArray[Any], icc: bytes | None, xmp: bytes | None) -> bytes:
    import tifffile

    channels = 1 if picture.ndim == 2 else picture.shape[2]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        picture,
        photometric="rgb" if channels >= 3 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        iccprofile=icc,
        metadata=None,
        software=False,
        extratags=[(700, "B", len(xmp), xmp, True)] if xmp else (),
    )
    return buffer.getvalue()


def _png(picture: NDArray[Any], icc: bytes | None, provenance: Provenance | None) -> bytes:
    """PNG of uint8 or uint16, (H, W) or (H, W, 2 to 4). W3C PNG specification, third edition, sections 5, 9, 10, 11.

    Neither Pillow nor OpenCV writes 16-bit grey with alpha, nor every profile; and stripes packed on threads by ISA-L
    take a fraction of their time on a large photo, at a smaller size than Pillow's fastest.
    """
    height, width = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    step = channels * picture.itemsize

    def pack(rows: slice) -> tuple[bytes, memoryview]:
        stripe = picture[rows]
        raw = (stripe.astype(">u2") if stripe.itemsize == 2 else np.ascontiguousarray(stripe)).view(np.uint8)
        raw = raw.reshape(len(stripe), width * step)
        filtered = np.empty((len(raw), width * step + 1), np.uint8)
        filtered[:, 0] = 1
        filtered[:, 1 : step + 1] = raw[:, :step]
        np.subtract(raw[:, step:], raw[:, :-step], out=filtered[:, step + 1 :])
        packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
        end = isal_zlib.Z_FINISH if rows.stop >= height else isal_zlib.Z_FULL_FLUSH
        return packer.compress(filtered.data) + packer.flush(end), filtered.data

    depth, colour = 8 * picture.itemsize, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    if icc:
        parts.append(_chunk(b"iCCP", b"ICC Profile\0\0" + isal_zlib.compress(icc)))
    if provenance:
        texts = [*provenance.text.items(), ("XML:com.adobe.xmp", provenance.xmp.decode())]
        parts += [_chunk(b"iTXt", word.encode("latin-1") + b"\0\0\0\0\0" + text.encode()) for word, text in texts]
    checksum = 1
    parts.append(_chunk(b"IDAT", b"\x78\x01"))
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        for packed, filtered in threads.map(pack, _stripes(picture)):
            checksum = isal_zlib.adler32(filtered, checksum)
            parts.append(_chunk(b"IDAT", packed))
    parts += [_chunk(b"IDAT", struct.pack(">I", checksum)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(data, isal_zlib.crc32(kind)))
