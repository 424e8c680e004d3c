"""Engines that learn nothing: each continues the known pixels of the one picture by a rule.

They are the papers' baselines. All of them return the known pixels as they came and generate the hole only, take
one picture after the other (a batch gives what each picture alone would), and are deterministic.
"""

import threading
from abc import abstractmethod
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Engine, Needs, Progress, register
from faceinp.errors import EngineError

RADIUS = 3  # pixels that OpenCV's methods look at around each hole pixel
PATCH_RADIUS = 3  # PatchMatch compares patches of 7 x 7, as Barnes et al. do


class Classical(Engine):
    """Runs ``paint`` on one picture after the other and keeps the known pixels."""

    size: ClassVar[int] = 256
    largest: ClassVar[int] = 1024

    def _fill(
        self, crops: NDArray[np.float32], masks: NDArray[np.bool_], seed: int, progress: Progress
    ) -> NDArray[np.float32]:
        filled = crops.copy()
        for n, (crop, (hole,)) in enumerate(zip(crops, masks, strict=True)):
            if hole.any():
                filled[n] = np.where(hole, self.paint(crop, hole, seed), crop)
            progress(n + 1, len(crops), filled[0])
        return filled

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

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        from skimage.restoration import inpaint_biharmonic

        return inpaint_biharmonic(crop.astype(np.float64), hole, channel_axis=0)


@register
class TotalVariation(Classical):
    """The fill of least total variation; see ``least_variation``."""

    name = "tv"
    about = "total variation: the flattest fill with the shortest edges, solved to 0.2 % of the optimum"
    largest = 512
    runtime = "scipy cpu float64"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        start = np.where(hole, Telea().paint(crop, hole, seed), crop)
        return least_variation(start, hole)


@register
class PatchMatch(Classical):
    """Barnes, Shechtman, Finkelstein and Goldman 2009, *PatchMatch*, in the hole-filling scheme of Wexler, Shechtman
    and Irani 2007 (coarse to fine; each pixel votes with the patches most like its surroundings); PyPatchMatch.
    """

    name = "patchmatch"
    about = "PatchMatch (PyPatchMatch): copies 7 x 7 patches of the same picture"
    needs = Needs(packages=("patchmatch",), extra="classical")
    runtime = "pypatchmatch cpu"

    # The library keeps one seed for the whole process.
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        import patchmatch

        if not patchmatch.patchmatch_available:
            raise EngineError(
                "PyPatchMatch is installed without its compiled part. Run: pip install --force-reinstall PyPatchMatch"
            )
        self._library: Any = patchmatch

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        with self._lock:
            self._library.set_random_seed(seed)
            return _planes(self._library.inpaint(_pixels(crop), hole, patch_size=PATCH_RADIUS))


@register
class Mirror(Classical):
    """The face's other half: the flipped crop wherever that is known; Telea fills what is hidden on both sides."""

    name = "mirror"
    about = "the face's other half, flipped; Telea where both sides are hidden"
    runtime = f"opencv {cv2.__version__} cpu"

    def paint(self, crop: NDArray[np.float32], hole: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
        hidden_twice = hole & hole[:, ::-1]
        mirrored = np.where(hole, crop[:, :, ::-1], crop)
        if not hidden_twice.any():
            return mirrored
        # From the crop's own pixels: a mirrored neighbour may be another skin tone, a known one never is.
        return np.where(hidden_twice, Telea().paint(crop, hole, seed), mirrored)


# ---- total variation ----


def least_variation(
    start: NDArray[np.float32], hole: NDArray[np.bool_], *, tolerance: float = 2e-3, most: int = 5000
) -> NDArray[np.float64]:
    """The picture of least total variation among those that equal ``start`` on the known pixels.

        minimise  TV(u) = sum over pixels of |grad u|,  |.| over both directions and all channels,
        with u = start outside the hole

    (Chambolle and Pock 2011, section 6.2, inpainting; the channels are coupled so that their edges coincide.)
    The variable d = grad u is split off and the augmented Lagrangian is minimised over u (a Poisson equation in the
    hole, factorised once), over d (shrinkage) and raised in the multiplier p in turn: ADMM (Boyd et al. 2011, sections
    3.1 and 3.4.3), over-relaxed. It stops when the gap between TV(u) and the dual value of p,

        - sum over known of start * div p - sum over hole of max(lowest * div p, highest * div p),

    which no picture's TV is below, is at most ``tolerance`` times the TV of the cells that touch the hole
    (``lowest``, ``highest``: a channel's extremes among the known pixels; a minimiser lies between them).

    start: float (3, H, W) in [0, 1]; its hole is the initial guess. hole: bool (H, W). Returns float64 (3, H, W).
    Raises EngineError when ``most`` iterations do not reach the tolerance.
    """
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    # One pixel around the hole: nothing farther away enters a sum that the hole can change.
    window = (slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2))
    filled = start.astype(np.float64)
    filled[:, *window] = _least_variation(filled[:, *window], hole[window], tolerance, most)
    return filled


STEP = 4.0  # the augmented Lagrangian's weight: 3 to 5 took the least time on faces of 64 to 256 pixels
RELAXATION = 1.8
CHECK_EVERY = 10


def _least_variation(
    u: NDArray[np.float64], hole: NDArray[np.bool_], tolerance: float, most: int
) -> NDArray[np.float64]:
    solve = _poisson_solver(hole)
    known = np.where(hole, 0.0, u)
    known_slope = _gradient(known)
    u = u.copy()
    slope = _gradient(u)  # d
    multiplier = np.zeros_like(slope)  # p / STEP
    gap = np.inf
    for iteration in range(1, most + 1):
        u[:, hole] = solve(-_divergence(slope - multiplier - known_slope)[:, hole])
        raised = RELAXATION * _gradient(u) + (1 - RELAXATION) * slope + multiplier
        multiplier = raised / np.maximum(1, STEP * _length(raised))
        slope = raised - multiplier
        if iteration % CHECK_EVERY == 0:
            gap, energy = duality_gap(u, hole, STEP * multiplier)
            if gap <= tolerance * energy:
                return u
    raise EngineError(
        f"Total variation came only to {gap:.2g} of its optimum in {most} iterations. Raise `tolerance` or use `telea`."
    )


def duality_gap(u: NDArray[np.float64], hole: NDArray[np.bool_], p: NDArray[np.float64]) -> tuple[float, float]:
    """(an upper bound of how far u is from the least energy, u's energy): TV over the cells that touch the hole.

    p: (2, 3, H, W), of length at most 1 at each pixel.
    """
    cells = hole.copy()  # a cell is a pixel with its neighbours below and to the right
    cells[:-1] |= hole[1:]
    cells[:, :-1] |= hole[:, 1:]
    energy = float(_length(_gradient(u))[cells].sum())
    flow = _divergence(p * cells)
    known = u[:, ~hole]
    lowest, highest = known.min(axis=1, keepdims=True), known.max(axis=1, keepdims=True)
    inside = flow[:, hole]
    dual = -(known * flow[:, ~hole]).sum() - np.maximum(lowest * inside, highest * inside).sum()
    return energy - float(dual), energy


def _poisson_solver(hole: NDArray[np.bool_]) -> Any:
    """A function that takes b (3, n) to x with grad^T grad x = b on the hole's n pixels, x = 0 around it."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    number = np.full(hole.shape, -1)
    number[hole] = np.arange(hole.sum())
    neighbours = np.zeros(hole.shape)
    neighbours[:-1] += 1
    neighbours[1:] += 1
    neighbours[:, :-1] += 1
    neighbours[:, 1:] += 1
    pairs = np.concatenate(
        [
            np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1),
            np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1),
        ]
    )
    pairs = pairs[(pairs >= 0).all(axis=1)]
    shape = (int(hole.sum()),) * 2
    links = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
    matrix = (sparse.diags_array(neighbours[hole]) - links - links.T).tocsc()
    # Symmetric and positive definite: no pivoting, which keeps the factors sparse.
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return lambda b: factors.solve(np.ascontiguousarray(b.T)).T


def _gradient(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Forward differences (2, 3, H, W), down and right; 0 past the last row and column."""
    slope = np.zeros((2, *u.shape))
    np.subtract(u[:, 1:], u[:, :-1], out=slope[0, :, :-1])
    np.subtract(u[:, :, 1:], u[:, :, :-1], out=slope[1, :, :, :-1])
    return slope


def _divergence(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The negative adjoint of ``_gradient``."""
    flow = np.zeros(p.shape[1:])
    flow[:, :-1] += p[0, :, :-1]
    flow[:, 1:] -= p[0, :, :-1]
    flow[:, :, :-1] += p[1, :, :, :-1]
    flow[:, :, 1:] -= p[1, :, :, :-1]
    return flow


def _length(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over directions and channels: (H, W)."""
    return np.sqrt(np.einsum("dchw,dchw->hw", p, p))


# ---- forms ----


def _pixels(crop: NDArray[np.float32]) -> NDArray[np.uint8]:
    """float (3, S, S) in [0, 1] -> uint8 (S, S, 3)."""
    return np.ascontiguousarray(np.rint(crop * 255).astype(np.uint8).transpose(1, 2, 0))


def _planes(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """uint8 (S, S, 3) -> float32 (3, S, S) in [0, 1]."""
    return pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
