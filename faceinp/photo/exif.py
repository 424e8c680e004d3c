"""EXIF blocks (EXIF 2.32, section 4): cleaning, and conversion from and to TIFF directories.

A block is edited in place and nothing in it moves: maker notes contain offsets in undocumented formats.
"""

import struct
from fractions import Fraction

from faceinp.photo.tiff import EXIF, GPS, PREVIEW, STRIPS, Builder, Directory, Entry, Tiff

Resolution = tuple[float, float]  # pixels per inch, across and down

_ORIENTATION, _ACROSS, _DOWN, _UNIT = 274, 282, 283, 296
_RATIONAL, _SHORT, _INCH, _CM = 5, 3, 2, 3
# Pictures of the unfilled photo: Windows' thumbnail, Photoshop's resources and layers, other sizes.
_PICTURES = {0x501B, 34377, 37724, 330}
_DROPPED = _PICTURES | {_ORIENTATION}
# Tags below 700 say how pixels are stored (TIFF 6.0), except these.
_DESCRIPTIVE = {269, 270, 271, 272, 285, 297, 305, 306, 315, 316}
_ELSEWHERE = {700, 33723, 34675} | _DROPPED  # XMP, IPTC and the colour profile are handled separately
_SWAPPED_BY_TURN = ((256, 257), (_ACROSS, _DOWN), (40962, 40963), (41486, 41487))  # (of the width, of the height)


def cleaned(block: bytes, turned: bool) -> bytes:
    """The EXIF block without orientation and thumbnail: the photo is upright now, and will be filled.

    block: from its TIFF header on. turned: width and height were swapped. Raises ValueError for a damaged block.
    """
    tiff, data = Tiff(block), bytearray(block)
    (first,) = tiff.unpack("I", 4)
    entries, following = tiff.directory(first)
    _blank_preview(tiff, data, following)
    _edit(tiff, data, first, turned)
    if turned and is_whole(tiff, entries):
        for offset in tiff.numbers(entries.get(EXIF)):
            _edit(tiff, data, offset, turned)
    return bytes(data)


def is_whole(tiff: Tiff, entries: Directory) -> bool:
    """Whether the EXIF and GPS directories that ``entries`` point to can be read."""
    try:
        for tag in (EXIF, GPS):
            for offset in tiff.numbers(entries.get(tag)):
                tiff.directory(offset)
    except ValueError:
        return False
    return True


def orientation(block: bytes) -> int:
    """EXIF's orientation number; 1, upright, where the block has none."""
    return (*Tiff(block).numbers(main_entries(block).get(_ORIENTATION))[:1], 1)[0]


def resolution(block: bytes) -> Resolution | None:
    """The block's resolution; None where it has none, or one in neither inches nor centimetres."""
    return resolution_of(Tiff(block), main_entries(block))


def resolution_of(tiff: Tiff, entries: Directory) -> Resolution | None:
    """The same of a TIFF's entries."""
    scale = {_INCH: 1.0, _CM: 2.54}.get(*tiff.numbers(entries.get(_UNIT))[:1] or (_INCH,))
    values = [_ratio(tiff, entries.get(tag)) for tag in (_ACROSS, _DOWN)]
    return (values[0] * scale, values[1] * scale) if scale and all(values) else None


def with_resolution(block: bytes, dpi: Resolution) -> bytes:
    """The block with the resolution ``dpi``; a new block where ``block`` is empty."""
    builder = Builder(Tiff(block).order if block else "<", block)
    return builder.finish([main_entries(block) | resolution_entries(dpi, builder.order)])


def resolution_entries(dpi: Resolution, order: str) -> Directory:
    def ratio(value: float) -> Entry:
        exact = Fraction(value).limit_denominator(10_000)
        return Entry(_RATIONAL, 1, struct.pack(f"{order}II", exact.numerator, exact.denominator))

    unit = Entry(_SHORT, 1, struct.pack(f"{order}H", _INCH))
    return {_ACROSS: ratio(dpi[0]), _DOWN: ratio(dpi[1]), _UNIT: unit}


def main_entries(block: bytes) -> Directory:
    """The entries of the block's first directory; none for an empty block. Their offsets count from its start."""
    if not block:
        return {}
    tiff = Tiff(block)
    return tiff.directory(tiff.unpack("I", 4)[0])[0]


def descriptive(entries: Directory) -> Directory:
    """Those of a TIFF's entries that describe the photo, not how its pixels are stored."""
    return {
        tag: entry for tag, entry in entries.items() if (tag >= 700 or tag in _DESCRIPTIVE) and tag not in _ELSEWHERE
    }


def from_page(tiff: Tiff, entries: Directory) -> bytes:
    """An EXIF block of a TIFF page's descriptive entries; empty where it has none."""
    builder, wanted = Builder(tiff.order), descriptive(entries)
    return builder.finish([builder.copy(tiff, wanted)]) if wanted else b""


def _edit(tiff: Tiff, data: bytearray, offset: int, turned: bool) -> None:
    """Remove the dropped tags from the directory at ``offset`` of ``data``; where ``turned``, swap width and height."""
    (count,) = tiff.unpack("H", offset)
    rows = {}
    for start in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, length, at = tiff.unpack("HHII", start)
        if tag not in _DROPPED:
            rows[tag] = bytes(data[start + 2 : start + 12])
        elif length > 4 and kind in (1, 7):
            data[at : at + length] = bytes(len(data[at : at + length]))
    for across, down in _SWAPPED_BY_TURN if turned else ():
        if across in rows and down in rows:
            rows[across], rows[down] = rows[down], rows[across]
    packed = b"".join(struct.pack(f"{tiff.order}H", tag) + row for tag, row in rows.items())
    end = offset + 2 + 12 * count + 4  # without a next directory, which is the thumbnail's
    data[offset:end] = (struct.pack(f"{tiff.order}H", len(rows)) + packed).ljust(end - offset, b"\0")


def _blank_preview(tiff: Tiff, data: bytearray, offset: int) -> None:
    """Overwrite the thumbnail whose directory is at ``offset`` with zeros; cut it off where nothing follows it."""
    try:
        entries, _ = tiff.directory(offset) if offset else ({}, 0)
    except ValueError:  # some cameras write garbage there
        return
    for where, length in (*STRIPS, PREVIEW):
        offsets, lengths = tiff.numbers(entries.get(where)), tiff.numbers(entries.get(length))
        for start, size in zip(offsets, lengths, strict=False):
            end = min(start + size, len(data))
            if start >= 8:
                data[start:end] = bytes(max(0, end - start)) if end < len(data) else b""


def _ratio(tiff: Tiff, entry: Entry | None) -> float:
    if entry is None or entry.kind != _RATIONAL or not entry.length:
        return 0.0
    top, bottom = struct.unpack(f"{tiff.order}II", entry.value[:8])
    return top / bottom if bottom else 0.0
