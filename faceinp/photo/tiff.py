"""TIFF directories, read and copied without decoding a pixel (TIFF 6.0, section 2). EXIF is made of them as well.

A directory is a list of entries: a tag's number, the kind and count of its values, and the values, or where in the file
they lie. Copying one means copying its values, strips, tiles and subdirectories, and writing down where they lie now.
"""

import contextlib
import io
import struct
from collections.abc import Sequence
from typing import BinaryIO, Literal, NamedTuple

STRIPS = ((273, 279), (324, 325))  # where strips or tiles lie, and how many bytes each has
PREVIEW = (513, 514)  # likewise of EXIF's thumbnail
EXIF, GPS, INTEROP, SUBIFDS = 34665, 34853, 40965, 330
MOST_PAGES = 10_000

Order = Literal["<", ">"]  # of bytes, as ``struct`` spells it

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG = 3, 4
_SUBDIRECTORIES = (EXIF, GPS, INTEROP, SUBIFDS)
_DEEPEST = 4
_OLD_JPEG = 6  # a compression whose tables lie at offsets of their own


class Entry(NamedTuple):
    """kind: TIFF's number of the values' type. length: how many. value: their bytes, in the file's byte order."""

    kind: int
    length: int
    value: bytes


Directory = dict[int, Entry]


class Tiff:
    """A TIFF file or an EXIF block, as bytes or an open file. Raises ValueError, everywhere, for what is damaged."""

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
            raise ValueError("something reaches out of the file")
        self._file.seek(offset)
        return self._file.read(size)

    def unpack(self, codes: str, offset: int) -> tuple[int, ...]:
        codes = self.order + codes
        return struct.unpack(codes, self.read(offset, struct.calcsize(codes)))

    def directory(self, offset: int) -> tuple[Directory, int]:
        """The directory at ``offset``, and where the next one is, or 0. Entries of unknown kinds are left out."""
        (count,) = self.unpack("H", offset)
        rows, room = self.read(offset + 2, 12 * count), self.size
        entries: Directory = {}
        for tag, kind, length, value in struct.iter_unpack(f"{self.order}HHI4s", rows):
            size = length * _SIZES.get(kind, 0)
            room -= size
            if room < 0:  # values that overlap could be more than memory holds
                raise ValueError("a directory claims more than the file has")
            if size:
                start = struct.unpack(f"{self.order}I", value)[0]
                data = value[:size] if size <= len(value) else self.read(start, size)
                entries.setdefault(tag, Entry(kind, length, data))
        return entries, self.unpack("I", offset + 2 + 12 * count)[0]

    def pages(self) -> list[int]:
        """Where the directories of the main chain are."""
        offsets: dict[int, None] = {}
        (offset,) = self.unpack("I", 4)
        while offset:
            if offset in offsets or len(offsets) >= MOST_PAGES:
                raise ValueError("its directories form a circle")
            offsets[offset] = None
            (count,) = self.unpack("H", offset)
            (offset,) = self.unpack("I", offset + 2 + 12 * count)
        return list(offsets)

    def numbers(self, entry: Entry | None) -> tuple[int, ...]:
        """Whole numbers of an entry; none of another kind, or of none."""
        code = {1: "B", 3: "H", 4: "I", 13: "I"}.get(entry.kind) if entry else None
        return struct.unpack(f"{self.order}{entry.length}{code}", entry.value) if entry and code else ()


class Builder:
    """A TIFF file in the making.

    order: "<" or ">", the byte order. block: an EXIF block to begin with, of that order; it stays where it is, so that
    offsets in it, makers' own among them, go on being true.
    """

    def __init__(self, order: Order, block: bytes = b"") -> None:
        self.order = order
        self._parts: list[bytes | memoryview] = [block[8:]]
        self._length, self._copied = 8 + len(self._parts[0]), 0

    def append(self, value: bytes | memoryview) -> int:
        """Add ``value`` on a word boundary, as TIFF wants it; returns where it lies."""
        if self._length % 2:
            self._parts.append(b"\0")
            self._length += 1
        self._parts.append(value)
        self._length += len(value)
        return self._length - len(value)

    def copy(self, source: Tiff, entries: Directory, depth: int = 0) -> Directory:
        """``entries`` of ``source``, which has the same byte order, with all they point to copied into this file.

        Subdirectories that are damaged are left out.
        """
        self._copied += sum(12 + len(entry.value) for entry in entries.values())
        if depth > _DEEPEST:
            raise ValueError("its directories lie in one another too deeply")
        if _OLD_JPEG in source.numbers(entries.get(259)):
            raise ValueError("it is compressed by a JPEG of the old kind")
        copied = dict(entries)
        for where, length in (*STRIPS, PREVIEW):
            offsets, lengths = source.numbers(entries.get(where)), source.numbers(entries.get(length))
            if len(offsets) != len(lengths):
                raise ValueError("its strips do not match")
            self._copied += sum(lengths)
            if self._copied > 2 * source.size:  # parts that overlap could be more than memory holds
                raise ValueError("its directories point to one another")
            if offsets:
                copied[where] = self.longs(
                    [self.append(source.read(*part)) for part in zip(offsets, lengths, strict=True)]
                )
        for tag in _SUBDIRECTORIES:
            if offsets := source.numbers(entries.get(tag)):
                del copied[tag]
                with contextlib.suppress(ValueError):  # a page does not depend on them
                    inner = [self.copy(source, source.directory(offset)[0], depth + 1) for offset in offsets]
                    copied[tag] = self.longs([self._put(one) for one in inner])
        return copied

    def shorts(self, values: Sequence[int]) -> Entry:
        return Entry(_SHORT, len(values), struct.pack(f"{self.order}{len(values)}H", *values))

    def longs(self, values: Sequence[int]) -> Entry:
        return Entry(_LONG, len(values), struct.pack(f"{self.order}{len(values)}I", *values))

    def finish(self, pages: Sequence[Directory]) -> bytes:
        """The file whose main chain is ``pages``. Raises struct.error where it would be larger than 4 GB."""
        packed = [self._packed(entries) for entries in pages]
        self.append(b"")
        first = offset = self._length
        for number, one in enumerate(packed):
            offset += len(one) + 4
            self._parts.append(one + struct.pack(f"{self.order}I", offset if number + 1 < len(packed) else 0))
        magic = b"II*\0" if self.order == "<" else b"MM\0*"
        return b"".join([magic + struct.pack(f"{self.order}I", first), *self._parts])

    def _put(self, entries: Directory) -> int:
        return self.append(self._packed(entries) + bytes(4))

    def _packed(self, entries: Directory) -> bytes:
        rows = [struct.pack(f"{self.order}H", len(entries))]
        for tag, (kind, count, value) in sorted(entries.items()):
            inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{self.order}I", self.append(value))
            rows.append(struct.pack(f"{self.order}HHI", tag, kind, count) + inline)
        return b"".join(rows)
