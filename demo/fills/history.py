"""What several fills of one photo, one after the other, made of it: where each pixel comes from, all in all."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import faceinp

from ..images import pictures

Codes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class History:
    """photo, turns: the photo as it was loaded, and the quarter turns clockwise that it was turned by since. files: the
    reference photos, by their codes. doubtful: those of them of which it is not sure that they show the same person.
    sources: codes of ``faceinp.Result.sources``, uint8 (H, W), 0 where no fill has changed the photo; kept as PNG.
    """

    photo: Any
    turns: int
    files: tuple[Path, ...]
    packed: bytes
    doubtful: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, result: faceinp.Result, photo: Any, turns: int, references: tuple[Path, ...]) -> "History":
        """Of a first fill."""
        return cls(photo, turns, references, pictures.packed(result.sources), _doubtful(result, references))

    def add(self, result: faceinp.Result, references: tuple[Path, ...]) -> "History":
        """With one more fill, of the photo as this history left it."""
        files, sources = references, result.sources.copy()
        before = self.sources
        for code in np.unique(before[before > 0]).tolist():
            now = code
            if code >= pictures.REFERENCE:
                file = self.files[code - pictures.REFERENCE]
                files = files if file in files else (*files, file)
                now = pictures.REFERENCE + files.index(file)
            sources[(before == code) & (result.sources == 0)] = now
        doubtful = self.doubtful | _doubtful(result, references)
        return replace(self, files=files, packed=pictures.packed(sources), doubtful=doubtful)

    def without(self, hole: NDArray[np.bool_]) -> "History":
        """As if nothing in ``hole``, bool (H, W), had ever been filled."""
        return replace(self, packed=pictures.packed(np.where(hole, np.uint8(0), self.sources)))

    def turned(self) -> "History":
        """A quarter turn clockwise further."""
        return replace(self, turns=self.turns + 1, packed=pictures.packed(np.rot90(self.sources, -1)))

    @property
    def sources(self) -> Codes:
        return pictures.unpacked(self.packed)

    @cached_property
    def shares(self) -> dict[int, float]:
        """The part of all that was filled that comes from each source."""
        codes, counts = np.unique(self.sources, return_counts=True)
        filled = max(1, int(counts[codes > 0].sum()))
        return {int(code): float(count / filled) for code, count in zip(codes, counts, strict=True) if code}

    def before(self) -> faceinp.Photo:
        """The photo as it was loaded, turned as it is now."""
        return pictures.turned(faceinp.read_photo(self.photo), self.turns)


def _doubtful(result: faceinp.Result, references: tuple[Path, ...]) -> frozenset[Path]:
    return frozenset(file for file, one in zip(references, result.references, strict=True) if one.note)
