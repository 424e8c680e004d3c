"""L-BFGS (Liu and Nocedal 1989) on many small problems at once."""

from collections.abc import Callable

import torch
from torch import Tensor

MEMORY = 20  # pairs of a step and the change of the gradient
FIRST_LENGTH = 0.2  # of a step without any pair
MAX_LENGTH = 2.0  # of a step
ARMIJO = 1e-4  # share of the linear descent that a step must reach
SHRINKING = 0.4  # factor of the length of a step that fails
MIN_SHRINKING = 1e-3  # below, the pairs are discarded


class LBFGS:
    """N independent problems of D unknowns, each with its own pairs and step length.

    Evaluate all problems at ``trial`` (N, D) and pass values (N,) and gradients (N, D) to ``update``. ``at`` (N, D) is
    the current point of each. project: maps (N, D) to the nearest allowed points.
    """

    def __init__(self, start: Tensor, project: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        self.project = project
        self.at = self.trial = project(start.detach())
        count = len(start)
        self.value = start.new_full((count,), torch.inf)
        self.gradient, self.direction = torch.zeros_like(self.at), torch.zeros_like(self.at)
        self.length, self.scale = start.new_ones(count), start.new_zeros(count)
        self.steps, self.changes = (start.new_zeros(MEMORY, *start.shape) for _ in range(2))
        self.weights = start.new_zeros(MEMORY, count)  # 1 / (step . change), 0 for a pair that is not used

    def update(self, value: Tensor, gradient: Tensor) -> None:
        """Accept ``trial`` or shorten the step, for each problem, and choose the next ``trial``."""
        step, change = self.trial - self.at, gradient - self.gradient
        better = value <= self.value + ARMIJO * _dot(self.gradient, step)
        curvature, squares = _dot(step, change), _dot(change, change)
        useful = better & (curvature > 1e-10 * squares)
        self.steps = torch.cat([self.steps[1:], step[None]])
        self.changes = torch.cat([self.changes[1:], change[None]])
        self.weights = torch.cat([self.weights[1:], torch.where(useful, 1 / curvature, 0)[None]])
        self.scale = torch.where(useful, curvature / squares, self.scale)
        self.at = torch.where(better[:, None], self.trial, self.at)
        self.gradient = torch.where(better[:, None], gradient, self.gradient)
        self.value = torch.where(better, value, self.value)
        self.length = torch.where(better, 1.0, SHRINKING * self.length)
        stuck = self.length < MIN_SHRINKING
        self.weights[:, stuck], self.scale[stuck], self.length[stuck] = 0, 0, 1
        self.direction = torch.where((better | stuck)[:, None], self._downhill(), self.direction)
        self.trial = self.project(self.at + self.length[:, None] * self.direction)

    def add_linear(self, slope: Tensor) -> None:
        """Add ``slope`` . x to the function from now on. slope: (N, D)."""
        self.value = self.value + _dot(slope, self.at)
        self.gradient = self.gradient + slope

    def _downhill(self) -> Tensor:
        """Minus the inverse Hessian, estimated from the pairs, times the gradient (two-loop recursion)."""
        q, shares = self.gradient, []
        pairs = list(zip(self.weights, self.steps, self.changes, strict=True))
        for weight, step, change in reversed(pairs):
            shares.append(weight * _dot(step, q))
            q = q - shares[-1][:, None] * change
        first = FIRST_LENGTH / self.gradient.norm(dim=1).clamp_min(1e-12)
        q = q * torch.where(self.scale > 0, self.scale, first)[:, None]
        for (weight, step, change), share in zip(pairs, reversed(shares), strict=True):
            q = q + (share - weight * _dot(change, q))[:, None] * step
        return -q * (MAX_LENGTH / q.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=1)
