"""Encodes pixels and metadata as PNG, TIFF, WebP and JPEG files, each by its specification."""

import hashlib
import io
import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from faceinp.photo import exif, xmp
from faceinp.photo.metadata import EXTENSION, IPTC, XMP, Metadata, to_raw_profile, to_resources
from faceinp.photo.pages import OtherPages
from faceinp.photo.tiff import Builder, Directory, Entry, Tiff

MAX_SEGMENT_BYTES = 65_533  # of a JPEG
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION_PIECE_BYTES = 65_400
_ICC, _SUBTYPE, _ONE_OF_PAGES = 34675, 254, 2
_BYTE, _UNDEFINED = 1, 7
_STRIPE_BYTES = 1 << 22  # processed at a time, to save memory


@dataclass(frozen=True, eq=False)
class Contents:
    """The content of a file.

    picture: uint8 or uint16, (H, W) or (H, W, 2 to 4). icc: the colour profile, or None. metadata: the photo's, with
    the provenance in its XMP and texts. others: further pages, for TIFF.
    """

    picture: NDArray[Any]
    icc: bytes | None
    metadata: Metadata
    others: OtherPages | None


def webp(contents: Contents) -> bytes:
    """Lossless WebP (WebP container specification, extended file format). Only EXIF holds its resolution."""
    metadata, buffer = contents.metadata, io.BytesIO()
    block = metadata.exif
    if metadata.dpi and (not block or exif.resolution(block) != metadata.dpi):
        block = exif.with_resolution(block, metadata.dpi)
    # exact keeps the colours under transparent pixels, which are known pixels. Quality 0 is the least effort: lossless
    # files differ in size only.
    options = {"lossless": True, "exact": True, "method": 0, "quality": 0}
    image = Image.fromarray(contents.picture)
    image.save(buffer, "WEBP", icc_profile=contents.icc, exif=block, xmp=metadata.xmp, **options)
    return buffer.getvalue()


def jpeg(contents: Contents) -> bytes:
    """JPEG of quality 95, with EXIF, XMP (its specification, part 3, section 1.1.3), and IPTC as Photoshop resource."""
    metadata, buffer = contents.metadata, io.BytesIO()
    comments = [text.encode() for keyword, text in metadata.texts if is_comment(keyword, text)]
    options: dict[str, Any] = {"comment": comments[0]} if comments else {}
    if metadata.dpi:
        options["dpi"] = tuple(min(max(round(value), 1), 65_535) for value in metadata.dpi)
    image = Image.fromarray(contents.picture)
    image.save(buffer, "JPEG", quality=95, subsampling=0, icc_profile=contents.icc, **options)
    segments = [_segment(0xE1, b"Exif\0\0" + metadata.exif)] if metadata.exif and fits_jpeg(metadata.exif) else []
    segments += _xmp_segments(metadata.xmp)
    if metadata.iptc and fits_jpeg(metadata.iptc):
        segments.append(_segment(0xED, b"Photoshop 3.0\0" + to_resources(metadata.iptc)))
    data = buffer.getvalue()
    after = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2  # the JFIF segment comes first
    return b"".join([data[:after], *segments, data[after:]])


def fits_jpeg(block: bytes) -> bool:
    """Whether a block of EXIF or IPTC is small enough for a JPEG."""
    return len(block) + 32 <= MAX_SEGMENT_BYTES


def is_comment(keyword: str, text: str) -> bool:
    """Whether a JPEG can hold a text as its comment."""
    return keyword == "Comment" and 0 < len(text.encode()) <= MAX_SEGMENT_BYTES


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _xmp_segments(packet: bytes) -> list[bytes]:
    """The packet in one segment; a longer one as extended XMP: a short packet with its digest, then its pieces."""
    if not packet or len(_XMP_SEGMENT) + len(packet) <= MAX_SEGMENT_BYTES:
        return [_segment(0xE1, _XMP_SEGMENT + packet)] if packet else []
    digest = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    short = xmp.with_description(b"", {"xmpNote:HasExtendedXMP": digest})
    segments = [_segment(0xE1, _XMP_SEGMENT + short)]
    for offset in range(0, len(packet), _EXTENSION_PIECE_BYTES):
        head = EXTENSION + digest.encode() + struct.pack(">II", len(packet), offset)
        segments.append(_segment(0xE1, head + packet[offset : offset + _EXTENSION_PIECE_BYTES]))
    return segments


def tiff(contents: Contents) -> bytes:
    """Uncompressed TIFF 6.0. The EXIF block comes first, at its own offsets; its entries join the TIFF's directory."""
    metadata, others, picture = contents.metadata, contents.others, contents.picture
    order = Tiff(metadata.exif).order if metadata.exif else others.order if others else "<"
    builder = Builder(order, metadata.exif)
    page = _stored(picture, builder)
    page |= exif.descriptive(exif.main_entries(metadata.exif))
    blocks = {_ICC: contents.icc, XMP: metadata.xmp, IPTC: metadata.iptc}
    page |= {
        tag: Entry(_BYTE if tag == XMP else _UNDEFINED, len(value), value) for tag, value in blocks.items() if value
    }
    if metadata.dpi:
        page |= exif.resolution_entries(metadata.dpi, order)
    if others is None:
        return builder.finish([page])
    page[_SUBTYPE] = builder.longs([_ONE_OF_PAGES])
    return builder.finish(others.copied(builder, page))


def _stored(picture: NDArray[Any], builder: Builder) -> Directory:
    """Append the pixels to ``builder``, a strip for each stripe; returns the entries that describe them."""
    height, width = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    strips = [picture[rows] for rows in stripes(picture)]
    data = [
        np.ascontiguousarray(strip, strip.dtype.newbyteorder(builder.order)).reshape(-1).view(np.uint8).data
        for strip in strips
    ]
    page = {
        256: builder.longs([width]),
        257: builder.longs([height]),
        258: builder.shorts([8 * picture.itemsize] * channels),
        259: builder.shorts([1]),  # not compressed
        262: builder.shorts([2 if channels >= 3 else 1]),  # RGB, or grey whose 0 is black
        273: builder.longs([builder.append(strip) for strip in data]),
        277: builder.shorts([channels]),
        278: builder.longs([len(strips[0])]),
        279: builder.longs([len(strip) for strip in data]),
        284: builder.shorts([1]),
    }
    return page | ({338: builder.shorts([2])} if channels in (2, 4) else {})  # unassociated alpha


def png(contents: Contents) -> bytes:
    """PNG (W3C PNG specification, third edition, sections 5, 9, 10 and 11).

    Neither Pillow nor OpenCV writes 16-bit grey with alpha, or every colour profile. On a large photo, stripes that
    ISA-L compresses in threads take a fraction of their time, and less space than Pillow's fastest setting.
    """
    picture, metadata = contents.picture, contents.metadata
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
    if contents.icc:
        parts.append(_chunk(b"iCCP", b"ICC Profile\0\0" + isal_zlib.compress(contents.icc)))
    if metadata.dpi:
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in metadata.dpi), 1)))
    if metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.exif))
    texts = [(keyword.encode("latin-1", "replace"), text.encode()) for keyword, text in metadata.texts]
    texts += [(b"XML:com.adobe.xmp", metadata.xmp)] if metadata.xmp else []
    texts += [(b"Raw profile type iptc", to_raw_profile(metadata.iptc).encode())] if metadata.iptc else []
    parts += [_chunk(b"iTXt", keyword + b"\0\0\0\0\0" + text) for keyword, text in texts]
    checksum = 1
    parts.append(_chunk(b"IDAT", b"\x78\x01"))
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        for packed, filtered in threads.map(pack, stripes(picture)):
            checksum = isal_zlib.adler32(filtered, checksum)
            parts.append(_chunk(b"IDAT", packed))
    parts += [_chunk(b"IDAT", struct.pack(">I", checksum)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(data, isal_zlib.crc32(kind)))


def stripes(array: NDArray[Any]) -> Iterator[slice]:
    """Slices of consecutive rows, each of about ``_STRIPE_BYTES``."""
    step = max(1, _STRIPE_BYTES // (array[0].size * array.itemsize))
    return (slice(start, start + step) for start in range(0, len(array), step))
