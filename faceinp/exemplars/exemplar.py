"""Exemplars: pictures that show what the hole hides, with their landmarks in the order of the photo's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.sources import SYMMETRY
from faceinp.exemplars.warp import centres
from faceinp.face import faces
from faceinp.nets.points import MIRROR
from faceinp.photo.arrays import Bools, Floats, Pixels

SIZE = 256  # side of the crops on which faces are compared


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """An aligned face with its landmarks.

    pixels: float32 (SIZE, SIZE, 3) in [0, 1], filled under a hole. known: bool (SIZE, SIZE), False in the hole and
    beyond the photo's border. points: float32 (68, 2), landmarks as shares of the side, in dlib's order.
    """

    pixels: Floats
    known: Bools
    points: Floats

    def knows(self, points: Floats) -> Bools:
        """Whether each of ``points`` (K, 2), shares of the side, lies on a known pixel: (K,)."""
        x, y = np.clip((points * SIZE).astype(int), 0, SIZE - 1).T
        inside = ((points >= 0) & (points < 1)).all(axis=1)
        return np.asarray(self.known[y, x] & inside, np.bool_)

    @property
    def planes(self) -> Floats:
        """The pixels as networks take them: float32 (3, SIZE, SIZE)."""
        return np.ascontiguousarray(self.pixels.transpose(2, 0, 1))


@dataclass(frozen=True, eq=False)
class Exemplar:
    """A picture that shows what the hole hides.

    pixels: uint8 (H, W, 3), a whole photo. quad: (4, 2), corners of the face's crop, as ``faces.quad`` returns them.
    crop: that crop; its points correspond to the landmarks *of the photo's face*. code: of its pixels in
    ``Result.sources``. monochrome: whether it is black and white or sepia.
    """

    pixels: Pixels
    quad: NDArray[np.float64]
    crop: AlignedFace
    code: int
    monochrome: bool = False


def cut_face(pixels: Pixels, hole: Bools, quad: NDArray[np.float64], points: Floats) -> AlignedFace:
    """The face at ``quad``. pixels: uint8 (H, W, 3). hole: bool (H, W). points: (68, 2), shares of the crop's side."""
    return from_crop(faces.align(pixels, hole, quad, SIZE), hole.shape, points)


def from_crop(crop: faces.Crop, shape: tuple[int, ...], points: Floats) -> AlignedFace:
    """A crop of SIZE pixels a side with landmarks. shape: (H, W) of its photo. points: (68, 2), shares of the side."""
    on_photo = faces.to_photo(centres(SIZE).reshape(-1, 2), crop.quad)
    inside = ((on_photo >= 0) & (on_photo < shape[1::-1])).all(axis=1).reshape(SIZE, SIZE)
    return AlignedFace(crop.pixels.astype(np.float32) / np.float32(255), inside & ~crop.hole, points)


def other_half(pixels: Pixels, quad: NDArray[np.float64], face: AlignedFace) -> Exemplar:
    """The face as an exemplar for itself: each landmark is that of the other half. pixels: the photo, filled."""
    return Exemplar(pixels, quad, AlignedFace(face.pixels, face.known, face.points[list(MIRROR)]), SYMMETRY)
