"""TIFF directories, read and copied without decoding pixels (TIFF 6.0, section 2). EXIF blocks consist of them, too.

A directory is a list of entries: a tag, the type and count of its values, and the values or their offset. Copying a
directory copies its values, strips, tiles and subdirectories, and updates their offsets.
"""

import contextlib
import io
import struct
from collections.abc import Sequence
from typing import BinaryIO, Literal, NamedTuple

STRIPS = ((273, 279), (324, 325))  # tags of the offsets and the byte counts of strips, and of tiles
PREVIEW = (513, 514)  # likewise of EXIF's thumbnail
EXIF = 34665
GPS = 34853
INTEROP = 40965
SUBIFDS = 330
MAX_PAGES = 10_000

Order = Literal["<", ">"]  # of bytes, as ``struct`` spells it

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of each type
_SHORT = 3
_LONG = 4
_SUBDIRECTORIES = (EXIF, GPS, INTEROP, SUBIFDS)
_MAX_DEPTH = 4  # of subdirectories
_OLD_JPEG = 6  # a compression with tables at further offsets


class Entry(NamedTuple):
    """kind: TIFF's number of the values' type. length: their count. value: their bytes, in the file's byte order."""

    kind: int
    length: int
    value: bytes


Directory = dict[int, Entry]


class Tiff:
    """A TIFF file or an EXIF block, as bytes or an open file. All methods raise ValueError for a damaged one."""

    def __init__(self, source: bytes | BinaryIO) -> None:
        self._file = io.BytesIO(source) if isinstance(source, bytes) else source
        self.size = self._file.seek(0, io.SEEK_END)
        orders: dict[bytes, Order] = {b"II*\0": "<", b"MM\0*": ">"}
        magic = self.read(0, 4)
        if magic not in orders:
            raise ValueError("no TIFF header")
        self.order: Order = orders[magic]

    def read(self, offset: int, size: int) -> bytes:
        if offset + size > self.size:
            raise ValueError("an offset points past its end")
        self._file.seek(offset)
        return self._file.read(size)

    def unpack(self, codes: str, offset: int) -> tuple[int, ...]:
        codes = self.order + codes
        return struct.unpack(codes, self.read(offset, struct.calcsize(codes)))

    def directory(self, offset: int) -> tuple[Directory, int]:
        """The directory at ``offset``, and the offset of the next one, or 0. Skips entries of unknown types."""
        (count,) = self.unpack("H", offset)
        rows, remaining = self.read(offset + 2, 12 * count), self.size
        entries: Directory = {}
        for tag, kind, length, value in struct.iter_unpack(f"{self.order}HHI4s", rows):
            size = length * _SIZES.get(kind, 0)
            remaining -= size
            if remaining < 0:  # overlapping values could be more than memory holds
                raise ValueError("a directory has more values than its size allows")
            if size:
                start = struct.unpack(f"{self.order}I", value)[0]
                data = value[:size] if size <= len(value) else self.read(start, size)
                entries.setdefault(tag, Entry(kind, length, data))
        return entries, self.unpack("I", offset + 2 + 12 * count)[0]

    def pages(self) -> list[int]:
        """Offsets of the directories in the main chain."""
        offsets: dict[int, None] = {}
        (offset,) = self.unpack("I", 4)
        while offset:
            if offset in offsets or len(offsets) >= MAX_PAGES:
                raise ValueError("its directories form a cycle")
            offsets[offset] = None
            (count,) = self.unpack("H", offset)
            (offset,) = self.unpack("I", offset + 2 + 12 * count)
        return list(offsets)

    def numbers(self, entry: Entry | None) -> tuple[int, ...]:
        """The whole numbers of an entry; none for an entry of another type, and for None."""
        code = {1: "B", 3: "H", 4: "I", 13: "I"}.get(entry.kind) if entry else None
        return struct.unpack(f"{self.order}{entry.length}{code}", entry.value) if entry and code else ()


class Builder:
    """Builds a TIFF file.

    order: "<" or ">", the byte order. block: an EXIF block of that order, which the file begins with, so that all its
    offsets, including those in maker notes, stay valid.
    """

    def __init__(self, order: Order, block: bytes = b"") -> None:
        self.order = order
        self._parts: list[bytes | memoryview] = [block[8:]]
        self._length, self._copied = 8 + len(self._parts[0]), 0

    def append(self, value: bytes | memoryview) -> int:
        """Append ``value`` on a word boundary, as TIFF requires; returns its offset."""
        if self._length % 2:
            self._parts.append(b"\0")
            self._length += 1
        self._parts.append(value)
        self._length += len(value)
        return self._length - len(value)

    def copy(self, source: Tiff, entries: Directory, depth: int = 0) -> Directory:
        """``entries`` of ``source``, which has the same byte order, with all data they point to copied into this file.

        Damaged subdirectories are left out.
        """
        self._copied += sum(12 + len(entry.value) for entry in entries.values())
        if depth > _MAX_DEPTH:
            raise ValueError("its directories are nested too deeply")
        if _OLD_JPEG in source.numbers(entries.get(259)):
            raise ValueError("it has old-style JPEG compression")
        copied = dict(entries)
        for where, length in (*STRIPS, PREVIEW):
            offsets, lengths = source.numbers(entries.get(where)), source.numbers(entries.get(length))
            if len(offsets) != len(lengths):
                raise ValueError("its strips have no matching byte counts")
            self._copied += sum(lengths)
            if self._copied > 2 * source.size:  # overlapping parts could be more than memory holds
                raise ValueError("its directories overlap")
            if offsets:
                copied[where] = self.longs(
                    [self.append(source.read(*part)) for part in zip(offsets, lengths, strict=True)]
                )
        for tag in _SUBDIRECTORIES:
            if offsets := source.numbers(entries.get(tag)):
                del copied[tag]
                with contextlib.suppress(ValueError):  # the page can be read without them
                    inner = [self.copy(source, source.directory(offset)[0], depth + 1) for offset in offsets]
                    copied[tag] = self.longs([self.append(self._packed(one) + bytes(4)) for one in inner])
        return copied

    def shorts(self, values: Sequence[int]) -> Entry:
        return Entry(_SHORT, len(values), struct.pack(f"{self.order}{len(values)}H", *values))

    def longs(self, values: Sequence[int]) -> Entry:
        return Entry(_LONG, len(values), struct.pack(f"{self.order}{len(values)}I", *values))

    def finish(self, pages: Sequence[Directory]) -> bytes:
        """The file with ``pages`` as its main chain. Raises struct.error where it would be larger than 4 GB."""
        packed = [self._packed(entries) for entries in pages]
        self.append(b"")
        first = offset = self._length
        for number, one in enumerate(packed):
            offset += len(one) + 4
            self._parts.append(one + struct.pack(f"{self.order}I", offset if number + 1 < len(packed) else 0))
        magic = b"II*\0" if self.order == "<" else b"MM\0*"
        return b"".join([magic + struct.pack(f"{self.order}I", first), *self._parts])

    def _packed(self, entries: Directory) -> bytes:
        rows = [struct.pack(f"{self.order}H", len(entries))]
        for tag, (kind, count, value) in sorted(entries.items()):
            inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{self.order}I", self.append(value))
            rows.append(struct.pack(f"{self.order}HHI", tag, kind, count) + inline)
        return b"".join(rows)
