"""A proposal on a visitor's photo: what was found, how much of it is shown, and how brush and eraser corrected it.

What was found is painted in a colour of its own, so that what the editor sends back tells it from strokes of the brush.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

from . import pictures
from .editor import Original, covered, enlarged, read_editor, working_size

# Paint of what was found, and of what the visitor had painted before. The last bits of their blue say which version it
# is, since an editor may still hold an earlier one; the brush's own paint is neither.
FOUND, OWN = (56, 97, 216), (228, 72, 72)
VERSIONS = 8
_AROUND = np.ones((3, 3), np.uint8)
Map = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Proposed:
    """name: what was looked for, as in ``faceinp.Find``. sensitivity: at which it is shown.

    found: the proposal without its maps; those that it takes to mark it anew are kept in ``packed``, as PNG. Maps of
    the copy that is painted on, (h, w): cover, the part of each pixel that is marked, 0 to 255; own, what the visitor
    painted; erased, what of the proposal the visitor erased. version: of the paint.
    """

    name: str
    original: Original
    found: faceinp.Proposal
    packed: tuple[bytes, bytes]
    cover: NDArray[np.uint8]
    own: Map
    erased: Map
    version: int = 0
    sensitivity: float = 0.0

    @classmethod
    def of(
        cls, name: str, found: faceinp.Proposal, original: Original, earlier: "Proposed | None" = None
    ) -> "Proposed":
        """Nothing of ``found`` is shown yet, and nothing is painted. earlier: the proposal that this one replaces."""
        size = working_size(original.height, original.width)
        none: Map = np.zeros(size, np.bool_)
        nothing: dict[str, Any] = dict.fromkeys(("mask", "kind", "confidence", "likely"), none[:0, :0])
        packed = pictures.packed(np.rint(255 * found.confidence).astype(np.uint8)), pictures.packed(found.likely)
        version = earlier.version + 1 if earlier else 0
        return cls(name, original, replace(found, **nothing), packed, none.astype(np.uint8), none, none, version)

    def at(self, sensitivity: float, faces: Sequence[faceinp.Face] = ()) -> "tuple[Proposed, faceinp.Proposal]":
        """Shown at this sensitivity, and the proposal itself; its notes speak of ``faces``."""
        found = self._whole().at(sensitivity, faces)
        size = self.cover.shape[1], self.cover.shape[0]
        part = cv2.resize(found.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        cover: NDArray[np.uint8] = np.ceil(part * 255).astype(np.uint8)
        return replace(self, cover=cover, version=self.version + 1, sensitivity=sensitivity), found

    def corrected(self, value: Mapping[str, Any] | None) -> "Proposed":
        """With what brush and eraser changed, as the editor's value shows it. What an editor erased that does not hold
        this paint yet is not known.
        """
        strokes, found, fresh = self._read(value)
        if not fresh:
            return replace(self, own=self.own | strokes)
        erased = (self.erased & ~strokes) | ((self.cover > 0) & ~strokes & ~found)
        return replace(self, own=strokes, erased=erased)

    def layer(self) -> NDArray[np.uint8]:
        """What is to be painted, uint8 (h, w, 4)."""
        layer = np.zeros((*self.cover.shape, 4), np.uint8)
        for where, colour in zip(((self.cover > 0) & ~self.erased, self.own), self._paints, strict=True):
            layer[where] = (*colour, 255)
        return layer

    def hole(self, value: Mapping[str, Any] | None) -> Map:
        """What is painted, bool (H, W). On a photo that is larger than its copy, what was found is marked as finely as
        it was found; next to a stroke, all that is painted is meant.
        """
        strokes, found, fresh = self._read(value)
        size = self.original.height, self.original.width
        if not fresh or self.cover.shape == size:
            return read_editor(value, self.original)[1]
        exact = self._whole().at(self.sensitivity).mask
        left = cv2.resize(found.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return enlarged(self._strokes(strokes, found) * np.uint8(255), *size) | (exact & left)

    def share(self, value: Mapping[str, Any] | None) -> float:
        """The part of the photo that is painted over, 0 to 1."""
        strokes, found, _ = self._read(value)
        strokes = self._strokes(strokes, found)
        return float(np.where(strokes, 255, np.where(found, self.cover, 0)).mean() / 255)

    @property
    def _paints(self) -> list[tuple[int, int, int]]:
        return [(red, green, blue + self.version % VERSIONS) for red, green, blue in (FOUND, OWN)]

    def _whole(self) -> faceinp.Proposal:
        confidence, likely = map(pictures.unpacked, self.packed)
        return replace(self.found, confidence=(confidence / 255).astype(np.float32), likely=likely)

    @staticmethod
    def _strokes(strokes: Map, found: Map) -> Map:
        """Strokes and the paint next to them: between a stroke and a hairline under it nothing is left out."""
        return np.asarray(strokes | (found & (cv2.dilate(strokes.astype(np.uint8), _AROUND) > 0)))

    def _read(self, value: Mapping[str, Any] | None) -> tuple[Map, Map, bool]:
        """The visitor's strokes and what is left of the proposal, each (h, w), and whether it is of this version."""
        strokes, found, fresh = np.zeros_like(self.own), np.zeros_like(self.own), False
        for layer in (value or {}).get("layers") or []:
            if layer is None:
                continue
            painted = covered(np.asarray(layer), *strokes.shape)
            if layer.shape[:2] != strokes.shape:
                strokes |= painted
                continue
            ours = painted & (layer[..., 2] > layer[..., 0])  # more blue than red
            found, strokes = found | ours, strokes | (painted & ~ours)
            colours = layer[painted][:, :3]
            fresh |= any((colours == paint).all(axis=1).any() for paint in self._paints)
        return strokes, found, fresh


def read_hole(value: Mapping[str, Any] | None, original: Original, proposed: Proposed | None) -> Map:
    """What is painted in the editor, bool (H, W); raises MaskError as ``read_editor`` does."""
    return proposed.hole(value) if proposed is not None else read_editor(value, original)[1]
