"""Join what was generated with what is known: select, clone seamlessly (Perez et al. 2003), or take detail from guides.

Poisson image editing, equation (7), with the generated picture g as guidance and f* = the photo around the hole:
for every hole pixel p, over its neighbours q among the four that lie in the picture,

    sum_q (f_p - f_q) = sum_q (g_p - g_q)        f_q = f*_q where q is known

Neighbours beyond the picture's border are left out of both sums, which is the natural (Neumann) boundary there.
With the correction c = f - g the right side vanishes: c is harmonic in the hole and equals f* - g around it.

Where g is laid together from several pictures, some differences g_p - g_q are of two pictures and mean nothing.
``layers.mix`` says what to take off them (``Steps``).

Detail comes from guides by screened Poisson blending (Bhat et al. 2008, *Fourier analysis of the 2D screened Poisson
equation for gradient domain problems*): of a filled picture f and guides e_k with weights w_k in [0, 1], the sum of
f and the change d that minimises

    sum_k w_k |grad (f + d) - grad e_k|^2 + (1 - sum_k w_k) |grad d|^2 + s d^2        d = 0 where the photo is known

Structure smaller than 1 / sqrt(s) pixels is the guides', larger structure stays; without weights nothing changes.

Either system is solved by conjugate gradients, all channels at once, preconditioned with one multigrid V-cycle
(Briggs, Henson, McCormick 2000, chapters 3 and 8). General algebraic multigrid (pyamg) needs several times as long:
it spends it on finding coarse grids, which pixels have by nature.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError

Floats = NDArray[np.float32]

# Greatest error of a solution, in units of a [0, 1] picture, as the preconditioner estimates it: 1/400 grey level.
TOLERANCE = 1e-5
MAX_ITERATIONS = 200
# At this many unknowns a dense factorisation costs less than another level.
_COARSEST = 100
# Beyond this many hole pixels the channels are solved one after the other: a third of the vectors' memory.
_ALL_CHANNELS = 2_000_000
_KNOWN, _OUTSIDE = -1, -2


class Steps(NamedTuple):
    """Pairs of neighbouring pixels whose difference in a frame is no gradient, or not all of it.

    low, high: (n,), the pixels' numbers in reading order. excess: float32 (n, 3), what of frame[high] - frame[low] is
    left out.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    excess: Floats


def composite(
    pixels: NDArray[np.uint8], frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps] = ()
) -> NDArray[np.uint8]:
    """The photo with its hole taken from ``frame``, rounded; known pixels are the photo's, to the bit.

    pixels: uint8 (H, W, 3). frame: float32 (H, W, 3) in [0, 1]. hole: bool (H, W). steps: as for ``poisson``; they
    stay, since only gradients can leave them out. Returns uint8 (H, W, 3). Raises MaskError when the shapes differ.
    """
    _check(pixels, frame, hole)
    joined = pixels.copy()
    joined[hole] = _round(frame[hole])
    return joined


def poisson(
    pixels: NDArray[np.uint8], frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps] = ()
) -> NDArray[np.uint8]:
    """The photo with its hole cloned seamlessly from ``frame``: the frame's gradients, the photo's edge.

    As ``composite``. steps: what is left out of the frame's gradients, see ``layers.mix``. A picture without any known
    pixel gets the frame itself. The arrays' border counts as the picture's border: when cutting a region out of a
    photo, leave one pixel around the hole.
    """
    _check(pixels, frame, hole)
    joined = pixels.copy()
    joined[hole] = _round(frame[hole] + _correction(pixels, frame, hole, steps))
    return joined


def solve(pixels: Floats, frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps] = ()) -> Floats:
    """``poisson`` before rounding and clipping: float32 (H, W, 3), within 1e-4 of the exact solution in the hole.

    pixels, frame: float32 (H, W, 3) in [0, 1]. hole: bool (H, W). steps: as for ``poisson``. Warns (RuntimeWarning)
    should it not converge.
    """
    _check(pixels, frame, hole)
    joined = pixels.astype(np.float32)
    joined[hole] = frame[hole] + _correction(pixels, frame, hole, steps)
    return joined


def around(hole: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The hole's bounding box and one more pixel on every side: all that blending looks at. hole: bool (H, W)."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return (
        slice(max(0, rows[0] - 1), min(hole.shape[0], rows[-1] + 2)),
        slice(max(0, columns[0] - 1), min(hole.shape[1], columns[-1] + 2)),
    )


def transfer_detail(
    image: NDArray[np.uint8], hole: NDArray[np.bool_], guides: Sequence[tuple[Floats, Floats]], screening: Floats
) -> NDArray[np.uint8]:
    """A filled picture with the fine structure of its hole taken from guides, as far as their weights say.

    image: uint8 (H, W, 3), filled already. hole: bool (H, W). guides: pairs of a picture, float32 (H, W, 3) in [0, 1],
    and its weights, float32 (H, W) in [0, 1], whose sum over all guides is at most 1; both count one pixel beyond the
    hole, too. screening: float32 (H, W), 0 or more, per square pixel: where it is 0, the guides lead at all sizes.
    Returns uint8 (H, W, 3); known pixels are the image's, to the bit. Raises MaskError when shapes differ.
    """
    for guide, weights in guides:
        _check(image, guide, hole)
        if weights.shape != hole.shape or screening.shape != hole.shape:
            raise MaskError(f"Weights {weights.shape}, screening {screening.shape} and hole {hole.shape} do not match.")
    joined = image.copy()
    if not guides or not hole.any() or hole.all():
        return joined
    filled = image.astype(np.float32) / np.float32(255)
    divergence = np.zeros_like(filled)
    for guide, weights in guides:
        difference = guide - filled
        for axis in (0, 1):
            low, high = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
            flow = (weights[low] + weights[high])[..., None] / 2 * (difference[high] - difference[low])
            divergence[high] += flow
            divergence[low] -= flow
    grid = _number(hole)[0]
    grid.matrix.setdiag(grid.matrix.diagonal() + screening[hole])
    joined[hole] = _round(filled[hole] + _solve(grid, divergence[hole]))
    return joined


def _correction(
    pixels: NDArray[np.uint8] | Floats, frame: Floats, hole: NDArray[np.bool_], steps: Sequence[Steps]
) -> Floats:
    """What the hole's pixels, in reading order, need beyond ``frame``: float32 (n, 3)."""
    count = int(np.count_nonzero(hole))
    if count in (0, hole.size):  # only a hole that is the whole picture has no known pixel to hold it
        return np.zeros((count, pixels.shape[2]), np.float32)
    grid, edges = _number(hole)
    right_side = np.zeros((count, pixels.shape[2]), np.float32)
    scale = np.float32(1 / 255 if pixels.dtype == np.uint8 else 1)
    for unknowns, y, x in edges:
        right_side[unknowns] += pixels[y, x] * scale - frame[y, x]
    if any(len(step.low) for step in steps):
        numbered = np.flatnonzero(hole)
        for low, high, excess in steps:  # no pixel comes twice in either
            for pixel, sign in ((low, 1), (high, -1)):
                unknown = hole.ravel()[pixel]
                right_side[np.searchsorted(numbered, pixel[unknown])] += sign * excess[unknown]
    return _solve(grid, right_side)


def _solve(grid: "_Grid", right_side: Floats) -> Floats:
    """The solution for every column of ``right_side`` (n, 3), which is used up."""
    if len(right_side) <= _ALL_CHANNELS:
        return _conjugate_gradients(grid, right_side)
    for channel in range(right_side.shape[1]):
        right_side[:, channel : channel + 1] = _conjugate_gradients(grid, right_side[:, channel : channel + 1].copy())
    return right_side


def _number(hole: NDArray[np.bool_]) -> tuple["_Grid", list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]:
    """The finest grid, whose matrix is the left side of the equation, and its edge: for each of the four directions,
    which unknowns have a known neighbour there, and where that lies (y, x).
    """
    from scipy.sparse import csr_array

    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    # The hole's bounding box with one pixel around it: numbers of unknowns, _KNOWN, or _OUTSIDE of the picture.
    number = np.full((bottom - top + 2, right - left + 2), _OUTSIDE, np.int32)
    height, width = hole.shape
    number[int(top == 0) : height - top + 1, int(left == 0) : width - left + 1] = _KNOWN
    part = hole[top:bottom, left:right]
    count = int(np.count_nonzero(part))
    number[1:-1, 1:-1][part] = np.arange(count, dtype=np.int32)

    stride = number.shape[1]
    at = np.flatnonzero(number.ravel() >= 0)
    steps = (-stride, -1, 0, 1, stride)  # ascending, so that a row's columns are sorted
    around = np.empty((count, 5), np.int32)
    edges = []
    for k, step in enumerate(steps):
        around[:, k] = number.ravel()[at + step]
        edge = np.flatnonzero(around[:, k] == _KNOWN)
        y, x = np.divmod(at[edge] + step, stride)
        edges.append((edge, y + (top - 1), x + (left - 1)))

    unknown = around >= 0
    values = np.full((count, 5), -1, np.float32)
    values[:, 2] = np.count_nonzero(around != _OUTSIDE, axis=1) - 1
    matrix = csr_array((values[unknown], around[unknown], _row_starts(unknown)), shape=(count, count))
    y, x = np.divmod(at, stride)
    return _Grid(matrix, (y - 1).astype(np.int32), (x - 1).astype(np.int32), part.shape), edges


@dataclass
class _Grid:
    """One level of the multigrid: unknowns at pixels (y, x) of a picture with ``shape``, and their matrix."""

    matrix: "csr_array"  # type: ignore[name-defined]  # noqa: F821
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    shape: tuple[int, int]

    @cached_property
    def jacobi(self) -> Floats:
        """4/5 of the inverse diagonal: the damping that smooths a five-point Laplacian best."""
        return (np.float32(0.8) / self.matrix.diagonal())[:, None]

    @cached_property
    def factor(self) -> tuple[NDArray[np.float64], bool] | None:
        """Cholesky factor of a small matrix."""
        from scipy.linalg import cho_factor

        small = self.matrix.shape[0] <= _COARSEST
        return cho_factor(self.matrix.toarray().astype(np.float64)) if small else None

    @cached_property
    def coarser(self) -> "tuple[csr_array, csr_array, _Grid] | None":  # type: ignore[name-defined]  # noqa: F821
        """(prolongation, restriction, grid of the unknowns in even rows and columns); None where none are left.

        Bilinear prolongation, its transpose, and the Galerkin product as the coarse matrix. A coarse pixel that is
        not a hole is known: its correction is zero, and it drops out. Where every other pixel is known anyway
        (one-pixel lines) nothing is left, and nothing is needed: such systems are well conditioned.
        """
        from scipy.sparse import csr_array

        even = (self.y % 2 == 0) & (self.x % 2 == 0)
        count = int(np.count_nonzero(even))
        if count == 0:
            return None
        y, x = self.y[even] // 2, self.x[even] // 2
        height, width = (self.shape[0] + 1) // 2, (self.shape[1] + 1) // 2
        number = np.full((height, width), _KNOWN, np.int32)
        number[y, x] = np.arange(count, dtype=np.int32)
        above, before = self.y // 2, self.x // 2
        # Past the last coarse row or column there is the border: its inner neighbour takes the whole weight.
        below, after = np.minimum((self.y + 1) // 2, height - 1), np.minimum((self.x + 1) // 2, width - 1)
        corners = np.stack([number[v, u] for v in (above, below) for u in (before, after)], axis=1)
        unknown = corners >= 0
        weights = np.full(np.count_nonzero(unknown), 0.25, np.float32)
        prolong = csr_array((weights, corners[unknown], _row_starts(unknown)), shape=(len(self.y), count))
        prolong.sum_duplicates()
        restrict = prolong.T.tocsr()
        return prolong, restrict, _Grid(restrict @ (self.matrix @ prolong), y, x, (height, width))

    def v_cycle(self, residual: Floats) -> Floats:
        """Approximate solution of ``matrix @ result = residual``; symmetric and positive, as CG needs it."""
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
    """Solve for every column of ``right_side`` (which is used up) side by side."""
    solution, residual = np.zeros_like(right_side), right_side
    estimate = grid.v_cycle(residual)  # about the error that is left
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
    warnings.warn(f"The blend is accurate to {error:.1e} only; look at its edge.", RuntimeWarning, stacklevel=4)
    return solution


def _dot(a: Floats, b: Floats) -> NDArray[np.float64]:
    return np.einsum("nc,nc->c", a, b, dtype=np.float64)


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> Floats:
    """a / b; 0 where b is: that channel is solved already."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0).astype(np.float32)


def _row_starts(present: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))]).astype(np.int32)


def _round(values: Floats) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _check(pixels: NDArray[np.uint8] | Floats, frame: Floats, hole: NDArray[np.bool_]) -> None:
    if pixels.shape != frame.shape or pixels.shape[:2] != hole.shape or hole.dtype != np.bool_:
        raise MaskError(
            f"Photo, frame and hole do not match: {pixels.shape}, {frame.shape}, {hole.dtype} {hole.shape}. "
            "Pass (H, W, 3), (H, W, 3) and bool (H, W)."
        )
