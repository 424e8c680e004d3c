"""Blend a frame with the known pixels: composite, Poisson (Perez et al. 2003), or transfer of detail from guides.

Poisson image editing, equation (7), with the frame g as guidance and f* = the photo around the hole: for every hole
pixel p, over those of its four neighbours q that lie in the picture,

    sum_q (f_p - f_q) = sum_q (g_p - g_q)        f_q = f*_q where q is known

Neighbours beyond the picture's border are left out of both sums, which is the natural (Neumann) boundary there.
With the correction c = f - g the right side vanishes: c is harmonic in the hole and equals f* - g around it.

If g consists of several pictures, some differences g_p - g_q are between two pictures and not gradients. ``layers.mix``
returns what to subtract from them (``Steps``).

Detail is transferred by screened Poisson blending (Bhat et al. 2008, *Fourier analysis of the 2D screened Poisson
equation for gradient domain problems*): for a filled picture f and guides e_k with weights w_k in [0, 1], the result is
f + d with the change d that minimises

    sum_k w_k |grad (f + d) - grad e_k|^2 + (1 - sum_k w_k) |grad d|^2 + s d^2        d = 0 where the photo is known

Structure smaller than 1 / sqrt(s) pixels comes from the guides, larger structure stays; with all weights 0 nothing
changes.

Both systems are solved by conjugate gradients, all channels at once, preconditioned with one multigrid V-cycle
(Briggs, Henson, McCormick 2000, chapters 3 and 8). Algebraic multigrid (pyamg) takes several times as long, because it
has to find coarse grids, which are obvious for pixels.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError
from faceinp.photo.arrays import Floats, bounding_window

TOLERANCE = 1e-5  # greatest error of a solution, estimated by the preconditioner; pictures are in [0, 1]
MAX_ITERATIONS = 200
_MAX_DENSE_UNKNOWNS = 100  # up to which a dense factorisation costs less than another level
_MAX_JOINT_UNKNOWNS = 2_000_000  # above, channels are solved one by one, with a third of the memory
_KNOWN, _OUTSIDE = -1, -2  # indices of pixels that are not unknowns
# Neighbouring pixels along each axis: the lower and the higher one.
NEIGHBOURS = ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:]))


class Steps(NamedTuple):
    """Pairs of neighbouring pixels whose difference in a frame is, entirely or in part, a step between two pictures.

    low, high: (n,), indices of the pixels in reading order. excess: float32 (n, 3), the part of
    frame[high] - frame[low] that is not a gradient.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    excess: Floats


def composite(
    pixels: NDArray[np.uint8], frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps] = ()
) -> NDArray[np.uint8]:
    """The photo with the hole's pixels from ``frame``, rounded; known pixels are the photo's, bit for bit.

    pixels: uint8 (H, W, 3). frame: float32 (H, W, 3) in [0, 1]. hole: bool (H, W), True = hole. steps: ignored; the
    parameter exists so that ``composite`` can replace ``poisson``. Returns uint8 (H, W, 3). Raises MaskError when the
    shapes differ.
    """
    _check(pixels, frame, hole)
    joined = pixels.copy()
    joined[hole] = _round(frame[hole])
    return joined


def poisson(
    pixels: NDArray[np.uint8], frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps] = ()
) -> NDArray[np.uint8]:
    """The photo with the hole blended from ``frame`` without a seam: the frame's gradients, the photo's values around.

    As ``composite``. steps: subtracted from the frame's gradients, see ``layers.mix``. Without any known pixel, the
    result is the frame. The arrays' border counts as the picture's border, so a region cut out of a photo must include
    one pixel around the hole.
    """
    _check(pixels, frame, hole)
    joined = pixels.copy()
    joined[hole] = _round(frame[hole] + _correction(pixels, frame, hole, steps))
    return joined


def solve(pixels: Floats, frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps] = ()) -> Floats:
    """``poisson`` before rounding and clipping: float32 (H, W, 3), within 1e-4 of the exact solution in the hole.

    pixels, frame: float32 (H, W, 3) in [0, 1]. hole: bool (H, W). steps: as for ``poisson``. Warns (RuntimeWarning) if
    it does not converge.
    """
    _check(pixels, frame, hole)
    joined = pixels.astype(np.float32)
    joined[hole] = frame[hole] + _correction(pixels, frame, hole, steps)
    return joined


def transfer_detail(
    image: NDArray[np.uint8], hole: NDArray[np.bool_], guides: Sequence[tuple[Floats, Floats]], screening: Floats
) -> NDArray[np.uint8]:
    """Replace the fine structure in a filled hole by that of guides, according to their weights.

    image: uint8 (H, W, 3), a filled photo. hole: bool (H, W). guides: pairs of a picture, float32 (H, W, 3) in [0, 1],
    and its weights, float32 (H, W) in [0, 1], whose sum over all guides is at most 1; both must also be valid one pixel
    around the hole. screening: float32 (H, W), 0 or more, per square pixel; where it is 0, structure of any size comes
    from the guides. Returns uint8 (H, W, 3); known pixels are the image's, bit for bit. Raises MaskError when shapes
    differ.
    """
    for guide, weights in guides:
        _check(image, guide, hole)
        if weights.shape != hole.shape or screening.shape != hole.shape:
            raise MaskError(
                f"Weights {weights.shape}, screening {screening.shape} and hole {hole.shape} must have the same shape."
            )
    joined = image.copy()
    if not guides or not hole.any() or hole.all():
        return joined
    filled = image.astype(np.float32) / np.float32(255)
    divergence = np.zeros_like(filled)
    for guide, weights in guides:
        difference = guide - filled
        for low, high in NEIGHBOURS:
            flow = (weights[low] + weights[high])[..., None] / 2 * (difference[high] - difference[low])
            divergence[high] += flow
            divergence[low] -= flow
    grid = _build_grid(hole)[0]
    grid.matrix.setdiag(grid.matrix.diagonal() + screening[hole])
    joined[hole] = _round(filled[hole] + _solve(grid, divergence[hole]))
    return joined


def _correction(
    pixels: NDArray[np.uint8] | Floats, frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps]
) -> Floats:
    """The correction c of the hole's pixels, in reading order: float32 (n, 3)."""
    count = int(np.count_nonzero(hole))
    if count in (0, hole.size):  # without any known pixel there is no boundary value
        return np.zeros((count, pixels.shape[2]), np.float32)
    grid, boundary = _build_grid(hole)
    right_side = np.zeros((count, pixels.shape[2]), np.float32)
    scale = np.float32(1 / 255 if pixels.dtype == np.uint8 else 1)
    for unknowns, y, x in boundary:
        right_side[unknowns] += pixels[y, x] * scale - frame[y, x]
    if any(len(step.low) for step in steps):
        indices = np.flatnonzero(hole)
        for low, high, excess in steps:  # no pixel occurs twice in either
            for pixel, sign in ((low, 1), (high, -1)):
                unknown = hole.ravel()[pixel]
                right_side[np.searchsorted(indices, pixel[unknown])] += sign * excess[unknown]
    return _solve(grid, right_side)


def _solve(grid: "_Grid", right_side: Floats) -> Floats:
    """The solution for every column of ``right_side`` (n, 3), which is overwritten."""
    if len(right_side) <= _MAX_JOINT_UNKNOWNS:
        return _conjugate_gradients(grid, right_side)
    for channel in range(right_side.shape[1]):
        right_side[:, channel : channel + 1] = _conjugate_gradients(grid, right_side[:, channel : channel + 1].copy())
    return right_side


def _build_grid(hole: NDArray[np.bool_]) -> tuple["_Grid", list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]:
    """The finest grid, whose matrix is the left side of the equation, and its boundary.

    The boundary lists, for each direction, the unknowns that have a known neighbour there, and its position (y, x).
    """
    from scipy.sparse import csr_array

    rows, columns = bounding_window(hole)
    top, left = rows.start, columns.start
    # The hole's bounding box with one pixel around it: indices of unknowns, _KNOWN, or _OUTSIDE the picture.
    index = np.full((rows.stop - top + 2, columns.stop - left + 2), _OUTSIDE, np.int32)
    height, width = hole.shape
    index[int(top == 0) : height - top + 1, int(left == 0) : width - left + 1] = _KNOWN
    part = hole[rows, columns]
    count = int(np.count_nonzero(part))
    index[1:-1, 1:-1][part] = np.arange(count, dtype=np.int32)

    stride = index.shape[1]
    at = np.flatnonzero(index.ravel() >= 0)
    neighbours = np.empty((count, 5), np.int32)
    boundary = []
    for k, step in enumerate((-stride, -1, 0, 1, stride)):  # ascending, so that a row's columns are sorted
        neighbours[:, k] = index.ravel()[at + step]
        unknowns = np.flatnonzero(neighbours[:, k] == _KNOWN)
        y, x = np.divmod(at[unknowns] + step, stride)
        boundary.append((unknowns, y + (top - 1), x + (left - 1)))

    unknown = neighbours >= 0
    values = np.full((count, 5), -1, np.float32)
    values[:, 2] = np.count_nonzero(neighbours != _OUTSIDE, axis=1) - 1
    matrix = csr_array((values[unknown], neighbours[unknown], _row_starts(unknown)), shape=(count, count))
    y, x = np.divmod(at, stride)
    return _Grid(matrix, (y - 1).astype(np.int32), (x - 1).astype(np.int32), part.shape), boundary


@dataclass
class _Grid:
    """One level of the multigrid: unknowns at pixels (y, x) of a picture with ``shape``, and their matrix."""

    matrix: "csr_array"  # type: ignore[name-defined]  # noqa: F821
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    shape: tuple[int, int]

    @cached_property
    def jacobi(self) -> Floats:
        """4/5 of the inverse diagonal: the best damping for a five-point Laplacian."""
        return (np.float32(0.8) / self.matrix.diagonal())[:, None]

    @cached_property
    def factor(self) -> tuple[NDArray[np.float64], bool] | None:
        """Cholesky factor of a small matrix; None for a large one."""
        from scipy.linalg import cho_factor

        small = self.matrix.shape[0] <= _MAX_DENSE_UNKNOWNS
        return cho_factor(self.matrix.toarray().astype(np.float64)) if small else None

    @cached_property
    def coarser(self) -> "tuple[csr_array, csr_array, _Grid] | None":  # type: ignore[name-defined]  # noqa: F821
        """(prolongation, restriction, grid of the unknowns in even rows and columns); None without such unknowns.

        Bilinear prolongation, its transpose, and the Galerkin product as the coarse matrix. A coarse pixel outside the
        hole is known: its correction is zero, and it drops out. Lines of one pixel may leave no coarse unknown; such
        systems are well conditioned and need no coarser grid.
        """
        from scipy.sparse import csr_array

        even = (self.y % 2 == 0) & (self.x % 2 == 0)
        count = int(np.count_nonzero(even))
        if count == 0:
            return None
        y, x = self.y[even] // 2, self.x[even] // 2
        height, width = (self.shape[0] + 1) // 2, (self.shape[1] + 1) // 2
        index = np.full((height, width), _KNOWN, np.int32)
        index[y, x] = np.arange(count, dtype=np.int32)
        above, before = self.y // 2, self.x // 2
        # Beyond the last coarse row or column, its inner neighbour gets the entire weight.
        below, after = np.minimum((self.y + 1) // 2, height - 1), np.minimum((self.x + 1) // 2, width - 1)
        corners = np.stack([index[v, u] for v in (above, below) for u in (before, after)], axis=1)
        unknown = corners >= 0
        weights = np.full(np.count_nonzero(unknown), 0.25, np.float32)
        prolong = csr_array((weights, corners[unknown], _row_starts(unknown)), shape=(len(self.y), count))
        prolong.sum_duplicates()
        restrict = prolong.T.tocsr()
        return prolong, restrict, _Grid(restrict @ (self.matrix @ prolong), y, x, (height, width))

    def v_cycle(self, residual: Floats) -> Floats:
        """Approximate solution of ``matrix @ result = residual``; symmetric and positive, as CG requires."""
        from scipy.linalg import cho_solve

        if self.factor is not None:
            return cho_solve(self.factor, residual).astype(np.float32)
        result = self.jacobi * residual
        if self.coarser is not None:
            prolong, restrict, grid = self.coarser
            result += prolong @ grid.v_cycle(restrict @ (residual - self.matrix @ result))
        result += self.jacobi * (residual - self.matrix @ result)
        return result


def _conjugate_gradients(grid: _Grid, right_side: Floats) -> Floats:
    """Solve for all columns of ``right_side`` at once; it is overwritten."""
    solution, residual = np.zeros_like(right_side), right_side
    estimate = grid.v_cycle(residual)  # approximates the remaining error
    direction, energy = estimate.copy(), _dot(residual, estimate)
    for _ in range(MAX_ITERATIONS):
        if np.abs(estimate).max() < TOLERANCE:
            return solution
        image = grid.matrix @ direction
        step = _ratio(energy, _dot(direction, image))
        solution += step * direction
        residual -= step * image
        estimate = grid.v_cycle(residual)
        before, energy = energy, _dot(residual, estimate)
        direction *= _ratio(energy, before)
        direction += estimate
    error = np.abs(estimate).max()
    warnings.warn(f"The blend is accurate only to {error:.1e}; check for a seam.", RuntimeWarning, stacklevel=4)
    return solution


def _dot(a: Floats, b: Floats) -> NDArray[np.float64]:
    return np.einsum("nc,nc->c", a, b, dtype=np.float64)


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> Floats:
    """a / b; 0 where b is 0, since that channel is solved."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0).astype(np.float32)


def _row_starts(present: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))]).astype(np.int32)


def _round(values: Floats) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _check(pixels: NDArray[np.uint8] | Floats, frame: Floats, hole: NDArray[np.bool_]) -> None:
    if pixels.shape != frame.shape or pixels.shape[:2] != hole.shape or hole.dtype != np.bool_:
        raise MaskError(
            "Photo, frame and hole must be (H, W, 3), (H, W, 3) and bool (H, W), got "
            f"{pixels.shape}, {frame.shape}, {hole.dtype} {hole.shape}."
        )
