"""Engines without training: each extends the known pixels of the picture by a rule.

They are the papers' baselines. They return known pixels unchanged, process pictures one by one (so the batch has no
influence), and are deterministic.
"""

from abc import abstractmethod

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend import patches
from faceinp.engines.base import Batch, Engine, Needs, register
from faceinp.engines.variation import least_variation
from faceinp.errors import EngineError
from faceinp.photo.arrays import to_picture, to_pixels

RADIUS = 3  # pixels of the neighbourhood that OpenCV's methods use


class Classical(Engine):
    """Runs ``paint`` on each picture and keeps the known pixels."""

    size = 256
    largest = 1024
    completes_faces = False
    batch_size = 1

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        (crop,), ((hole,),) = batch.crops, batch.masks
        return np.where(hole, self.paint(crop, hole, batch.seed), crop)[None] if hole.any() else batch.crops

    @abstractmethod
    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        """Fill a crop, (3, S, S) in [0, 1], grey under ``hole``, bool (S, S). Only its hole pixels are used."""


@register
class Telea(Classical):
    """Telea 2004, *An image inpainting technique based on the fast marching method*; OpenCV, 8 bits a channel."""

    name = "telea"
    about = "Telea's fast marching (OpenCV): extends colours from the edge inwards"
    runtime = f"opencv {cv2.__version__} cpu"
    method = cv2.INPAINT_TELEA

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        return to_picture(cv2.inpaint(to_pixels(crop), hole.astype(np.uint8), RADIUS, self.method))


@register
class NavierStokes(Telea):
    """Bertalmio, Bertozzi and Sapiro 2001, *Navier-Stokes, fluid dynamics, and image and video inpainting*; OpenCV."""

    name = "navier-stokes"
    about = "Navier-Stokes (OpenCV): extends lines of equal brightness into the hole"
    method = cv2.INPAINT_NS


@register
class Biharmonic(Classical):
    """Solves the biharmonic equation in the hole (Chui and Mhaskar 2010); scikit-image, double precision."""

    name = "biharmonic"
    about = "biharmonic equation (scikit-image): the smoothest surface through the edge"
    largest = 512  # the sparse solve grows faster than the hole
    runtime = "scikit-image cpu float64"
    needs = Needs(("skimage",), "classical")

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        from skimage.restoration import inpaint_biharmonic

        return inpaint_biharmonic(crop.astype(np.float64), hole, channel_axis=0)


@register
class TotalVariation(Classical):
    """The fill of least total variation; see ``variation.least_variation``."""

    name = "tv"
    about = "total variation: the flattest fill with the shortest edges, solved to 0.5 % of the optimum"
    largest = 512
    runtime = "scipy cpu float32"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        start = np.where(hole, Telea().paint(crop, hole, seed), crop)
        return least_variation(start, hole)


@register
class PatchMatch(Classical):
    """``patches.fill`` within the crop: Barnes et al. 2009 in the scheme of Wexler et al. 2007, by PyPatchMatch."""

    name = "patchmatch"
    about = "PatchMatch (PyPatchMatch): copies 7 x 7 patches of the same picture"
    runtime = "pypatchmatch cpu"
    copies = True

    def __init__(self) -> None:
        if hindrance := self.hindrance():
            raise EngineError(hindrance)

    @classmethod
    def hindrance(cls) -> str:
        ready = patches.library() is not None
        return "" if ready else f"PyPatchMatch is missing, or has no compiled part. {patches.INSTALL}"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        return to_picture(patches.fill(to_pixels(crop), hole, seed))


@register
class Mirror(Classical):
    """Pixels of the flipped crop; where these are hidden, too, Telea's fill."""

    name = "mirror"
    about = "the face's other half, flipped; Telea where both sides are hidden"
    runtime = f"opencv {cv2.__version__} cpu"
    copies = True

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        hidden_twice = hole & hole[:, ::-1]
        mirrored = np.where(hole, crop[:, :, ::-1], crop)
        if not hidden_twice.any():
            return mirrored
        # From the crop's own pixels: a mirrored neighbour may have another skin tone.
        return np.where(hidden_twice, Telea().paint(crop, hole, seed), mirrored)
