"""What a fill returns: the filled photo, each face that was filled, where each pixel comes from, and the notes."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from faceinp import __version__
from faceinp.exemplars import Reference
from faceinp.face.faces import Crop, Face
from faceinp.photo import saving
from faceinp.photo.photos import Photo


@dataclass(frozen=True, eq=False)
class FilledFace:
    """One face of a filled photo.

    location: where it is; None for a photo that was aligned already. crop: what the engine was given. generated:
    float32 (S, S, 3) in [0, 1], what it made, before blending. landmarks: float32 (68, 2), x and y in photo pixels,
    that led the engine; None for engines that use none. notes: what concerns this face alone.
    """

    location: Face | None
    crop: Crop
    generated: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Result:
    """A filled photo and how it came about.

    image: uint8 (H, W, 3), the photo's own size; known pixels are the photo's, to the bit. mask: bool (H, W), True =
    hole. faces: each face under the mask, in the order in which they were filled, the least hidden first; none where
    the mask touches no face and was filled from its surroundings. timings: seconds by step. notes: whatever a person
    should know, every fallback among it, those of the faces too. changed_pixels: known pixels that differ from the
    photo's (0, always). sources: uint8 (H, W), where each pixel comes from: 0 known, 1 drawn by the engine, 2 the
    face's other half, 3 continued from the surroundings, 10 + i reference i. references: what became of each reference
    photo, in the order given.
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
        """The part of the hole that comes from each source, by its code in ``sources``; parts sum to 1."""
        counts = np.bincount(self.sources[self.mask])
        return {int(code): float(counts[code] / counts.sum()) for code in np.flatnonzero(counts)}

    def save(self, path: str | PathLike[str]) -> tuple[str, ...]:
        """Write the picture in the format of ``path``'s suffix, with all that the photo's file says and holds.

        That is alpha (opaque in the hole), ICC profile, depth, EXIF, XMP, resolution, IPTC, texts, and other pages.
        Returns what the format cannot hold of it, a sentence each. The file says what made it: engine, seed, version
        and the number of reference photos, as XMP and, in PNG, as text.
        """
        return saving.write(path, self.photo, self.image, self.mask, self._provenance)

    def encode(self, format: str) -> bytes:
        """What ``save`` would write, as bytes; formats as for ``saving.encode``."""
        return saving.encode(self.photo, self.image, self.mask, format, self._provenance)

    def losses(self, format: str) -> tuple[str, ...]:
        """What of the photo's file ``format`` cannot hold, a sentence each: what ``save`` returns."""
        return saving.losses(self.photo, format)

    @property
    def alpha(self) -> NDArray[np.uint8] | None:
        """uint8 (H, W), the photo's transparency with the hole opaque, as it is saved; None where it has none."""
        return None if self.photo.alpha is None else np.where(self.mask, np.uint8(255), self.photo.alpha)

    @property
    def _provenance(self) -> saving.Provenance:
        used = sum(reference.share > 0 for reference in self.references)
        return saving.Provenance(self.engine, self.runtime, self.seed, __version__, used)
