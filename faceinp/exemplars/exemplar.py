"""Exemplars: pictures that hold what the hole hides, each with its landmarks where the photo's are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Bools, Floats, Pixels
from faceinp.exemplars.sources import SYMMETRY
from faceinp.exemplars.warp import centres
from faceinp.face import faces
from faceinp.nets.points import MIRROR

SIZE = 256  # side of the crops on which faces are compared


@dataclass(frozen=True, eq=False)
class Crop:
    """A face as it is compared.

    pixels: float32 (SIZE, SIZE, 3) in [0, 1], the photo's hole filled already. known: bool (SIZE, SIZE), False in the
    hole and beyond the photo's border. points: float32 (68, 2), landmarks in shares of the side, in dlib's order.
    """

    pixels: Floats
    known: Bools
    points: Floats

    def knows(self, points: Floats) -> Bools:
        """Which of ``points`` (K, 2), in shares of the side, lie on known pixels: (K,)."""
        x, y = np.clip((points * SIZE).astype(int), 0, SIZE - 1).T
        inside = ((points >= 0) & (points < 1)).all(axis=1)
        return np.asarray(self.known[y, x] & inside, np.bool_)


@dataclass(frozen=True, eq=False)
class Exemplar:
    """A picture that holds what the hole hides.

    pixels: uint8 (H, W, 3), a whole photo. quad: (4, 2), the face's crop there, as ``faces.quad`` has it. crop: that
    crop; its points are where each landmark *of the photo's face* lies. code: its pixels' in ``Result.sources``.
    monochrome: it is black and white or sepia, and knows no colours.
    """

    pixels: Pixels
    quad: NDArray[np.float64]
    crop: Crop
    code: int
    monochrome: bool = False


def crop_of(pixels: Pixels, hole: Bools, quad: NDArray[np.float64], points: Floats) -> Crop:
    """pixels: uint8 (H, W, 3). hole: bool (H, W). points: (68, 2), shares of the crop's side."""
    return as_crop(faces.align(pixels, hole, quad, SIZE), hole.shape, points)


def as_crop(cut: faces.Crop, shape: tuple[int, ...], points: Floats) -> Crop:
    """cut: of SIZE pixels a side, out of a photo of this shape (H, W). points: (68, 2), shares of the side."""
    on_photo = faces.to_photo(centres(SIZE).reshape(-1, 2), cut.quad)
    inside = ((on_photo >= 0) & (on_photo < shape[1::-1])).all(axis=1).reshape(SIZE, SIZE)
    return Crop(cut.pixels.astype(np.float32) / np.float32(255), inside & ~cut.hole, points)


def other_half(pixels: Pixels, quad: NDArray[np.float64], crop: Crop) -> Exemplar:
    """The face itself, its hole filled already, each of its landmarks where its mirror partner is."""
    return Exemplar(pixels, quad, Crop(crop.pixels, crop.known, crop.points[list(MIRROR)]), SYMMETRY)
