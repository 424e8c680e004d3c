"""The result of a fill: the filled photo, each filled face, the source of each pixel, and the notes."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from faceinp import __version__
from faceinp.exemplars.sources import Reference
from faceinp.face.faces import Crop, Face
from faceinp.photo import saving
from faceinp.photo.photos import Photo


@dataclass(frozen=True, eq=False)
class FilledFace:
    """One face of a filled photo.

    location: None for a photo that is an aligned crop. crop: the engine's input. generated: float32 (S, S, 3) in
    [0, 1], the engine's output before blending. landmarks: float32 (68, 2), x and y in photo pixels, that guided the
    engine; None for engines without landmarks. notes: those about this face only.
    """

    location: Face | None
    crop: Crop
    generated: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Result:
    """A filled photo, and how it was filled.

    image: uint8 (H, W, 3), of the photo's size; known pixels are bit-exact. mask: bool (H, W), True = hole. photo: as
    it was read. faces: each face under the mask, in the order in which they were filled, the least hidden first; empty
    where the mask touches no face and was filled from its surroundings. engine, runtime: their names. timings: seconds
    by step. notes: how the mask was read, every fallback, and more, a sentence each, including those of the faces.
    known_pixels: their number. changed_pixels: the number of known pixels that differ from the photo's, always 0.
    sources: uint8 (H, W), the source of each pixel: 0 known, 1 the engine, 2 the face's other half, 3 the surroundings,
    10 + i reference i. references: how each reference photo was used, in the order of the call.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    photo: Photo
    faces: tuple[FilledFace, ...]
    engine: str
    runtime: str
    seed: int
    timings: dict[str, float]
    notes: tuple[str, ...]
    known_pixels: int
    changed_pixels: int
    sources: NDArray[np.uint8]
    references: tuple[Reference, ...] = ()

    @property
    def crop(self) -> Crop | None:
        """The first face's; None where none was filled."""
        return self.faces[0].crop if self.faces else None

    @property
    def generated(self) -> NDArray[np.float32] | None:
        """The first face's; None where none was filled."""
        return self.faces[0].generated if self.faces else None

    @property
    def landmarks(self) -> NDArray[np.float32] | None:
        """The first face's; None where none was filled, or the engine uses none."""
        return self.faces[0].landmarks if self.faces else None

    @property
    def face(self) -> Face | None:
        """The first face's location; None where none was filled, or the photo was aligned already."""
        return self.faces[0].location if self.faces else None

    @property
    def shares(self) -> dict[int, float]:
        """The share of the hole from each source, by its code in ``sources``; the shares sum to 1."""
        counts = np.bincount(self.sources[self.mask])
        return {int(code): float(counts[code] / counts.sum()) for code in np.flatnonzero(counts)}

    def save(self, path: str | PathLike[str]) -> tuple[str, ...]:
        """Write the picture in the format of ``path``'s suffix, with everything else in the photo's file.

        That is alpha (opaque in the hole), ICC profile, depth, EXIF, XMP, resolution, IPTC, texts, and other pages.
        Returns ``losses``: what the format cannot hold. Engine, seed, version and the number of reference photos are
        written as XMP and, in PNG, as text.
        """
        return saving.write(path, self.photo, self.image, self.mask, self._provenance)

    def encode(self, format: str) -> bytes:
        """The file that ``save`` would write, as bytes. format: "png", "webp", "jpeg" or "tiff"."""
        return saving.encode(self.photo, self.image, self.mask, format, self._provenance)

    def losses(self, format: str) -> tuple[str, ...]:
        """What ``format`` cannot hold of the photo's file, a sentence each."""
        return saving.losses(self.photo, format)

    @property
    def alpha(self) -> NDArray[np.uint8] | None:
        """uint8 (H, W), the photo's transparency with an opaque hole, as ``save`` writes it; None where it has none."""
        return None if self.photo.alpha is None else np.where(self.mask, np.uint8(255), self.photo.alpha)

    @property
    def _provenance(self) -> saving.Provenance:
        used = sum(reference.share > 0 for reference in self.references)
        return saving.Provenance(self.engine, self.runtime, self.seed, __version__, used)
