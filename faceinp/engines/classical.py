"""Engines that learn nothing: each continues the known pixels of the one picture by a rule.

They are the papers' baselines. All of them return the known pixels as they came and generate the hole only, take
one picture after the other (a batch gives what each picture alone would), and are deterministic.
"""

from abc import abstractmethod
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend import patches
from faceinp.engines.base import Batch, Engine, Needs, register
from faceinp.engines.variation import least_variation
from faceinp.errors import EngineError

RADIUS = 3  # pixels that OpenCV's methods look at around each hole pixel


class Classical(Engine):
    """Runs ``paint`` on one picture after the other and keeps the known pixels."""

    size = 256
    largest = 1024
    completes_faces = False
    batch_size = 1

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        (crop,), ((hole,),) = batch.crops, batch.masks
        return np.where(hole, self.paint(crop, hole, batch.seed), crop)[None] if hole.any() else batch.crops

    @abstractmethod
    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        """A picture (3, S, S) in [0, 1] whose pixels under ``hole`` (S, S) are used; the crop is grey there."""


@register
class Telea(Classical):
    """Telea 2004, *An image inpainting technique based on the fast marching method*; OpenCV, 8 bits a channel."""

    name = "telea"
    about = "Telea's fast marching (OpenCV): continues colours from the rim inwards"
    runtime = f"opencv {cv2.__version__} cpu"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        return _planes(cv2.inpaint(_pixels(crop), hole.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA))


@register
class NavierStokes(Classical):
    """Bertalmio, Bertozzi and Sapiro 2001, *Navier-Stokes, fluid dynamics, and image and video inpainting*; OpenCV."""

    name = "navier-stokes"
    about = "Navier-Stokes (OpenCV): continues lines of equal brightness into the hole"
    runtime = f"opencv {cv2.__version__} cpu"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        return _planes(cv2.inpaint(_pixels(crop), hole.astype(np.uint8), RADIUS, cv2.INPAINT_NS))


@register
class Biharmonic(Classical):
    """Solves the biharmonic equation in the hole (Chui and Mhaskar 2010); scikit-image, double precision."""

    name = "biharmonic"
    about = "biharmonic equation (scikit-image): the smoothest surface through the rim"
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
    """``patches.fill`` on the crop alone: Barnes et al. 2009 in the scheme of Wexler et al. 2007, by PyPatchMatch."""

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
        return "" if ready else f"PyPatchMatch is missing, or installed without its compiled part. {patches.INSTALL}"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        return _planes(patches.fill(_pixels(crop), hole, seed))


@register
class Mirror(Classical):
    """The face's other half: the flipped crop wherever that is known; Telea fills what is hidden on both sides."""

    name = "mirror"
    about = "the face's other half, flipped; Telea where both sides are hidden"
    runtime = f"opencv {cv2.__version__} cpu"
    copies = True

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        hidden_twice = hole & hole[:, ::-1]
        mirrored = np.where(hole, crop[:, :, ::-1], crop)
        if not hidden_twice.any():
            return mirrored
        # From the crop's own pixels: a mirrored neighbour may be another skin tone, a known one never is.
        return np.where(hidden_twice, Telea().paint(crop, hole, seed), mirrored)


# ---- forms ----


def _pixels(crop: NDArray[np.float32]) -> NDArray[np.uint8]:
    """float (3, S, S) in [0, 1] -> uint8 (S, S, 3)."""
    return np.ascontiguousarray(np.rint(crop * 255).astype(np.uint8).transpose(1, 2, 0))


def _planes(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """uint8 (S, S, 3) -> float32 (3, S, S) in [0, 1]."""
    return pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
