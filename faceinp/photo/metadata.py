"""A photo's metadata, as it is kept: EXIF, XMP, resolution, IPTC and texts.

Damaged metadata is dropped when the photo is read, with a note, and never makes a photo unreadable.
"""

import math
import struct
from dataclasses import dataclass, replace
from typing import Any

from faceinp.photo import exif, xmp
from faceinp.photo.exif import Resolution
from faceinp.photo.provenance import is_ours
from faceinp.photo.tiff import Directory, Tiff

IPTC, XMP = 33723, 700  # tags
IPTC_RESOURCE = 0x0404  # the number of the Photoshop resource in a JPEG
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_NO_TEXTS = ("XML:com.adobe.xmp", "Raw profile type ")
_PART_LOST = "Part of the photo's EXIF is damaged; the rest is kept."
_SRGB_GAMMA = 0.45455  # as a PNG stores it
_LARGEST_DPI = 100_000


@dataclass(frozen=True)
class Metadata:
    """exif: an EXIF block from its TIFF header on, without orientation and thumbnail. xmp: a packet, UTF-8, without
    these and without an earlier fill's provenance. dpi: pixels per inch, across and down. iptc: IPTC-IIM records.
    texts: (keyword, text), a PNG's texts and a JPEG's comment. Empty or None: the file has none.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: Resolution | None = None
    iptc: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()


EMPTY = Metadata()


def from_picture(image: Any, turned: bool) -> tuple[Metadata, list[str]]:
    """The metadata of a loaded Pillow picture, and notes on what is lost. turned: width and height are swapped."""
    info = image.info
    block = info.get("exif") or _raw_profile(info, "exif") or _raw_profile(info, "APP1")
    if image.format == "TIFF":
        block = _of_tiff(image)
    metadata, notes = from_parts(
        block=(block or b"").removeprefix(b"Exif\0\0"),
        packet=info.get("xmp") or info.get("XML:com.adobe.xmp") or _raw_profile(info, "xmp"),
        turned=turned,
        more=_extension(getattr(image, "applist", ())),
    )
    # Pillow reports 72 for a JPEG whose EXIF has no resolution.
    dpi = info.get("dpi") if image.format != "JPEG" or info.get("jfif_unit") in (1, 2) else None
    texts = [("Comment", info["comment"].decode("latin-1"))] if isinstance(info.get("comment"), bytes) else []
    texts += [pair for pair in getattr(image, "text", {}).items() if not pair[0].startswith(_NO_TEXTS)]
    if "srgb" not in info and not info.get("icc_profile") and abs(info.get("gamma", _SRGB_GAMMA) - _SRGB_GAMMA) > 0.001:
        notes.append("The PNG's gamma is not kept, so colours may look different. Convert it to sRGB first.")
    photoshop = info.get("photoshop")
    iptc = photoshop.get(IPTC_RESOURCE, b"") if isinstance(photoshop, dict) else b""
    return replace(
        metadata,
        dpi=_checked(dpi and tuple(dpi)[:: -1 if turned else 1]) or metadata.dpi,
        iptc=iptc or _from_resources(_raw_profile(info, "iptc")),
        texts=tuple((str(keyword), str(text)) for keyword, text in texts if not is_ours(str(keyword), str(text))),
    ), notes


def from_page(tiff: Tiff, entries: Directory, turned: bool) -> tuple[Metadata, list[str]]:
    """The metadata of a TIFF's page, whose directory is ``entries``; otherwise like ``from_picture``."""
    try:
        block, notes = exif.from_page(tiff, entries), [] if exif.is_whole(tiff, entries) else [_PART_LOST]
    except ValueError:
        block, notes = b"", [_lost("EXIF")]
    packet, iptc = (entries[tag].value if tag in entries else b"" for tag in (XMP, IPTC))
    metadata, more = from_parts(block, packet, turned)
    dpi = exif.resolution_of(tiff, entries)
    return replace(metadata, dpi=_checked(dpi and dpi[:: -1 if turned else 1]), iptc=iptc), notes + more


def from_parts(block: bytes, packet: Any, turned: bool, more: bytes = b"") -> tuple[Metadata, list[str]]:
    """The metadata in blocks, each of which may be empty or damaged, and notes on what is lost.

    block: EXIF from its TIFF header on. packet: XMP, str or bytes. turned: see ``from_picture``. more: extended XMP.
    """
    notes, dpi = [], None
    try:
        if block:
            block = exif.cleaned(block, turned)
            dpi = _checked(exif.resolution(block))
            notes += [] if exif.is_whole(Tiff(block), exif.main_entries(block)) else [_PART_LOST]
    except ValueError:
        block = b""
        notes.append(_lost("EXIF"))
    data = packet.encode() if isinstance(packet, str) else bytes(packet or b"")
    kept = b""
    try:
        if data.strip(b"\0 \r\n\t"):
            read = xmp.Packet(data)
            if more:
                try:
                    read = xmp.joined(read, more)
                except ValueError:
                    notes.append(_lost("extended XMP"))
            kept = xmp.Packet(read.data).data
            if read.pictures:
                notes.append("A picture or depth map in the photo's XMP is not kept: it shows the unfilled photo.")
    except ValueError:
        notes.append(_lost("XMP"))
    return Metadata(block, kept, dpi), notes


def _of_tiff(image: Any) -> bytes:
    """The EXIF block that Pillow makes from a TIFF's tags."""
    try:
        block = image.getexif().tobytes().removeprefix(b"Exif\0\0")
        return exif.from_page(Tiff(block), exif.main_entries(block))
    except Exception:  # Pillow raises errors of every kind on damaged tags
        return b""


def _lost(what: str) -> str:
    return f"The photo's {what} is damaged and is not kept."


def _checked(dpi: Any) -> Resolution | None:
    """The resolution, or None where it is missing or implausible."""
    try:
        across, down = (float(value) for value in dpi or ())
    except (TypeError, ValueError):
        return None
    return (across, down) if all(math.isfinite(v) and 0 < v < _LARGEST_DPI for v in (across, down)) else None


def _raw_profile(info: dict[str, Any], kind: str) -> bytes:
    """A block that ImageMagick wrote as a PNG's text: a line break, its name, its length, and hexadecimal digits."""
    text = info.get(f"Raw profile type {kind}")
    try:
        return bytes.fromhex("".join(str(text).split("\n")[3:])) if text else b""
    except ValueError:
        return b""


def _from_resources(data: bytes) -> bytes:
    """The IPTC records in Photoshop resources: a signature, a number, a padded name, a length, and the data."""
    rest = data.partition(b"8BIM" + IPTC_RESOURCE.to_bytes(2, "big"))[2]
    if not rest:
        return b""
    start = (rest[0] + 2) // 2 * 2
    size = int.from_bytes(rest[start : start + 4], "big")
    return rest[start + 4 : start + 4 + size]


def to_resources(iptc: bytes) -> bytes:
    """IPTC records as a Photoshop resource."""
    head = b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc))
    return head + iptc + bytes(len(iptc) % 2)


def to_raw_profile(data: bytes) -> str:
    """IPTC records as a PNG's text "Raw profile type iptc", ImageMagick's convention."""
    digits = to_resources(data).hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", "iptc", f"{len(digits) // 2:8}", *lines, ""])


def _extension(segments: Any) -> bytes:
    """The extended XMP in a JPEG's segments (XMP specification, part 3, section 1.1.3.1).

    A segment: the namespace, 32 digits that identify the packet, the packet's length, an offset, and a piece. Empty
    where there is none; b"<", which no parser accepts, where it is incomplete.
    """
    pieces: dict[bytes, dict[int, bytes]] = {}
    lengths: dict[bytes, int] = {}
    for kind, data in segments:
        if kind == "APP1" and data.startswith(EXTENSION) and len(data) > len(EXTENSION) + 40:
            head = data[len(EXTENSION) :]
            lengths[head[:32]] = int.from_bytes(head[32:36], "big")
            pieces.setdefault(head[:32], {})[int.from_bytes(head[36:40], "big")] = head[40:]
    for digest, parts in pieces.items():
        whole = b"".join(parts[offset] for offset in sorted(parts))
        if len(whole) == lengths[digest]:
            return whole
    return b"<" if pieces else b""
