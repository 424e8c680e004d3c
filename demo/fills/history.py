"""The sources of all pixels after several fills of one photo."""

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
    """All fills of one photo.

    photo, turns: the photo as it was loaded, and the quarter turns clockwise since then. files: the reference photos,
    in the order of their codes. packed: ``sources`` as PNG. doubtful: reference photos that may show another person.
    """

    photo: Any
    turns: int
    files: tuple[Path, ...]
    packed: bytes
    doubtful: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, result: faceinp.Result, photo: Any, turns: int, references: tuple[Path, ...]) -> "History":
        """The history of a first fill."""
        return cls(photo, turns, references, pictures.packed(result.sources), _doubtful(result, references))

    def add(self, result: faceinp.Result, references: tuple[Path, ...]) -> "History":
        """With one more fill, of the photo after the earlier ones."""
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
        """Without all fills in ``hole``, bool (H, W)."""
        return replace(self, packed=pictures.packed(np.where(hole, np.uint8(0), self.sources)))

    def turned(self) -> "History":
        """Turned clockwise by another quarter."""
        return replace(self, turns=self.turns + 1, packed=pictures.packed(np.rot90(self.sources, -1)))

    @property
    def sources(self) -> Codes:
        """Codes as in ``faceinp.Result.sources``, uint8 (H, W); 0 where no fill has changed the photo."""
        return pictures.unpacked(self.packed)

    @cached_property
    def shares(self) -> dict[int, float]:
        """The share of each source in the filled area, by its code."""
        codes, counts = np.unique(self.sources, return_counts=True)
        filled = max(1, int(counts[codes > 0].sum()))
        return {int(code): float(count / filled) for code, count in zip(codes, counts, strict=True) if code}

    def before(self) -> faceinp.Photo:
        """The photo before all fills, turned as it is now."""
        return pictures.turned(faceinp.read_photo(self.photo), self.turns)


def _doubtful(result: faceinp.Result, references: tuple[Path, ...]) -> frozenset[Path]:
    return frozenset(file for file, use in zip(references, result.references, strict=True) if use.note)
