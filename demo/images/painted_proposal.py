"""A proposed mask in the editor: painted at a sensitivity, and corrected with brush and eraser.

The proposal has a colour of its own, so that it differs from strokes of the brush in what the editor sends back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

from . import pictures
from .editor import Original, covered, enlarged, layers, read_editor, working_size

# Colours of the proposal and of the visitor's earlier strokes; the brush has a third one. The last bits of blue hold a
# version, since the editor may still show an earlier one.
PROPOSAL_COLOUR = (56, 97, 216)
STROKE_COLOUR = (228, 72, 72)
VERSIONS = 8
_AROUND = np.ones((3, 3), np.uint8)
Map = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PaintedProposal:
    """A proposal and its corrections.

    name: what was searched for, as in ``faceinp.Find``. sensitivity: the one that is painted. proposal: without its
    maps; ``packed`` keeps confidence and likely as PNG. version: of the paint. Maps of the copy in the editor, (h, w):
    cover: the share of each pixel that is proposed, 0 to 255. own: the visitor's strokes. erased: what the visitor
    erased from the proposal.
    """

    name: str
    original: Original
    proposal: faceinp.Proposal
    packed: tuple[bytes, bytes]
    cover: NDArray[np.uint8]
    own: Map
    erased: Map
    version: int = 0
    sensitivity: float = 0.0

    @classmethod
    def of(
        cls, name: str, found: faceinp.Proposal, original: Original, earlier: "PaintedProposal | None" = None
    ) -> "PaintedProposal":
        """A proposal of which nothing is painted yet. earlier: the proposal that it replaces."""
        size = working_size(original.height, original.width)
        empty: Map = np.zeros(size, np.bool_)
        no_maps: dict[str, Any] = dict.fromkeys(("mask", "kind", "confidence", "likely"), empty[:0, :0])
        packed = pictures.packed(np.rint(255 * found.confidence).astype(np.uint8)), pictures.packed(found.likely)
        version = earlier.version + 1 if earlier else 0
        return cls(name, original, replace(found, **no_maps), packed, empty.astype(np.uint8), empty, empty, version)

    def at(self, sensitivity: float, faces: Sequence[faceinp.Face] = ()) -> "tuple[PaintedProposal, faceinp.Proposal]":
        """Painted at this sensitivity, and the proposal at it, whose notes mention ``faces``."""
        found = self._whole().at(sensitivity, faces)
        size = self.cover.shape[1], self.cover.shape[0]
        part = cv2.resize(found.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        cover: NDArray[np.uint8] = np.ceil(part * 255).astype(np.uint8)
        return replace(self, cover=cover, version=self.version + 1, sensitivity=sensitivity), found

    def corrected(self, value: Mapping[str, Any] | None) -> "PaintedProposal":
        """With the corrections in the editor's value. If the editor shows an older version, erasures are unknown."""
        strokes, found, fresh = self._read(value)
        if not fresh:
            return replace(self, own=self.own | strokes)
        erased = (self.erased & ~strokes) | ((self.cover > 0) & ~strokes & ~found)
        return replace(self, own=strokes, erased=erased)

    def layer(self) -> NDArray[np.uint8]:
        """The paint, uint8 RGBA (h, w, 4)."""
        layer = np.zeros((*self.cover.shape, 4), np.uint8)
        for where, colour in zip(((self.cover > 0) & ~self.erased, self.own), self._paints, strict=True):
            layer[where] = (*colour, 255)
        return layer

    def hole(self, value: Mapping[str, Any] | None) -> Map:
        """The hole, bool (H, W). If the photo is larger than its copy, the proposal keeps its full resolution; next to
        a stroke, all paint of the copy counts.
        """
        strokes, found, fresh = self._read(value)
        size = self.original.height, self.original.width
        if not fresh or self.cover.shape == size:
            return read_editor(value, self.original)[1]
        exact = self._whole().at(self.sensitivity).mask
        left = cv2.resize(found.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return enlarged(self._strokes(strokes, found) * np.uint8(255), *size) | (exact & left)

    def share(self, value: Mapping[str, Any] | None) -> float:
        """The share of the photo that is painted over, 0 to 1."""
        strokes, found, _ = self._read(value)
        strokes = self._strokes(strokes, found)
        return float(np.where(strokes, 255, np.where(found, self.cover, 0)).mean() / 255)

    @property
    def _paints(self) -> list[tuple[int, int, int]]:
        return [(red, green, blue + self.version % VERSIONS) for red, green, blue in (PROPOSAL_COLOUR, STROKE_COLOUR)]

    def _whole(self) -> faceinp.Proposal:
        confidence, likely = map(pictures.unpacked, self.packed)
        return replace(self.proposal, confidence=(confidence / 255).astype(np.float32), likely=likely)

    @staticmethod
    def _strokes(strokes: Map, found: Map) -> Map:
        """Strokes with the paint next to them, so that no gap is left between a stroke and a hairline under it."""
        return np.asarray(strokes | (found & (cv2.dilate(strokes.astype(np.uint8), _AROUND) > 0)))

    def _read(self, value: Mapping[str, Any] | None) -> tuple[Map, Map, bool]:
        """The visitor's strokes and the rest of the proposal, each (h, w), and whether the paint is of this version."""
        strokes, found, fresh = np.zeros_like(self.own), np.zeros_like(self.own), False
        for layer in layers(value):
            painted = covered(layer, *strokes.shape)
            if layer.shape[:2] != strokes.shape:
                strokes |= painted
                continue
            ours = painted & (layer[..., 2] > layer[..., 0])  # more blue than red
            found, strokes = found | ours, strokes | (painted & ~ours)
            colours = layer[painted][:, :3]
            fresh |= any((colours == paint).all(axis=1).any() for paint in self._paints)
        return strokes, found, fresh


def read_hole(value: Mapping[str, Any] | None, original: Original, proposal: PaintedProposal | None) -> Map:
    """The hole painted in the editor, bool (H, W). Raises MaskError as ``read_editor`` does."""
    return proposal.hole(value) if proposal is not None else read_editor(value, original)[1]
