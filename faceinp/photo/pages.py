"""Pages of a TIFF: one is filled, and the others are copied into the result's TIFF without decoding them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from faceinp.errors import PhotoError
from faceinp.photo.tiff import SUBIFDS, Builder, Directory, Order, Tiff

_SUBTYPE = 254
_PREVIEW = 1  # the bit of the subtype that marks a reduced copy of another page
_DNG = 50706


@dataclass(frozen=True)
class OtherPages:
    """The other pages of the photo's TIFF. data: the file. before, after: offsets of their directories."""

    data: bytes = field(repr=False)
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many pages the file has, including the photo's."""
        return len(self.before) + 1 + len(self.after)

    @property
    def order(self) -> Order:
        return Tiff(self.data).order

    def copied(self, builder: Builder, page: Directory) -> list[Directory]:
        """The directories of all pages, copied into ``builder``, with ``page`` for the photo's own."""
        tiff = Tiff(self.data)
        directories = [builder.copy(tiff, tiff.directory(offset)[0]) for offset in (*self.before, *self.after)]
        return [*directories[: len(self.before)], page, *directories[len(self.before) :]]


@dataclass(frozen=True)
class Page:
    """The chosen page. extracted: it as a single-page TIFF; None for the first page. entries: its own, of ``tiff``."""

    extracted: bytes | None
    tiff: Tiff
    entries: Directory
    others: OtherPages | None
    notes: tuple[str, ...]


def choose(file: BinaryIO, number: int, name: str) -> Page:
    """The page with this number, counted from 1; reduced copies of pages do not count.

    Raises PhotoError for a page that does not exist and for a camera's raw file, ValueError for a damaged TIFF and for
    a BigTIFF.
    """
    tiff = Tiff(file)
    offsets = tiff.pages()
    directories = [tiff.directory(offset)[0] for offset in offsets]
    if not directories:
        raise ValueError("it has no pages")
    whole = [at for at, entries in enumerate(directories) if not _is_preview(tiff, entries)]
    if _DNG in directories[0] or (SUBIFDS in directories[0] and 0 not in whole):
        raise PhotoError(f"{name} is a camera's raw file. Develop it to TIFF or JPEG first.")
    whole = whole or [0]
    if not 1 <= number <= len(whole):
        pages = f"{len(whole)} page{'s' * (len(whole) > 1)}"
        raise PhotoError(f"{name} has {pages}, so there is no page {number}. Choose 1 to {len(whole)}.")
    chosen = whole[number - 1]
    before, lost = _copyable(tiff, offsets, directories, whole[: number - 1])
    after, more = _copyable(tiff, offsets, directories, whole[number:])
    notes = []
    if len(whole) > 1:
        notes.append(f"Page {number} of {len(whole)} is filled. Choose another one with --page (page= of read_photo).")
    if lost or more:
        notes.append(f"{lost + more} pages of the file cannot be copied and are not kept.")
    others = OtherPages(tiff.read(0, tiff.size), before, after) if before or after else None
    extracted = None
    if chosen:
        builder = Builder(tiff.order)
        extracted = builder.finish([builder.copy(tiff, directories[chosen])])
    return Page(extracted, tiff, directories[chosen], others, tuple(notes))


def _is_preview(tiff: Tiff, entries: Directory) -> bool:
    return any(value & _PREVIEW for value in tiff.numbers(entries.get(_SUBTYPE))[:1])


def _copyable(
    tiff: Tiff, offsets: Sequence[int], directories: Sequence[Directory], chosen: Sequence[int]
) -> tuple[tuple[int, ...], int]:
    """Offsets of pages that can be copied, and how many cannot."""

    def copyable() -> Iterator[int]:
        for at in chosen:
            try:
                builder.copy(tiff, directories[at])
            except ValueError:
                continue
            yield offsets[at]

    builder = Builder(tiff.order)
    kept = tuple(copyable())
    return kept, len(chosen) - len(kept)
