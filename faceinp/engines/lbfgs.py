"""L-BFGS (Liu and Nocedal 1989) on many small problems at once."""

from collections.abc import Callable

import torch
from torch import Tensor

MEMORY = 20  # pairs of a step and the gradient's change by it
FIRST, LONGEST = 0.2, 2.0  # lengths of a step without any such pair, and at most
ENOUGH = 1e-4  # share of the descent foretold by the slope that a step must reach (Armijo)
SHORTER, SHORTEST = 0.4, 1e-3  # a step that fails is shortened; one as short as that forgets its pairs


class LBFGS:
    """N problems of D unknowns, each with its own pairs and step length: what one finds does not depend on the others.

    Evaluate all at ``trial`` (N, D) and ``tell`` values (N,) and gradients (N, D); ``at`` (N, D) is where each one is.
    reach: takes (N, D) to the nearest points allowed.
    """

    def __init__(self, start: Tensor, reach: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        self.reach = reach
        self.at = self.trial = reach(start.detach())
        count = len(start)
        self.value = start.new_full((count,), torch.inf)
        self.gradient, self.direction = torch.zeros_like(self.at), torch.zeros_like(self.at)
        self.length, self.scale = start.new_ones(count), start.new_zeros(count)
        self.steps, self.changes = (start.new_zeros(MEMORY, *start.shape) for _ in range(2))
        self.weights = start.new_zeros(MEMORY, count)  # 1 / (step . change), 0 where a pair is of no use

    def tell(self, value: Tensor, gradient: Tensor) -> None:
        """Move to ``trial`` where that is good enough, shorten the step where it is not, and choose the next."""
        step, change = self.trial - self.at, gradient - self.gradient
        better = value <= self.value + ENOUGH * _dot(self.gradient, step)
        curvature, squares = _dot(step, change), _dot(change, change)
        useful = better & (curvature > 1e-10 * squares)
        self.steps = torch.cat([self.steps[1:], step[None]])
        self.changes = torch.cat([self.changes[1:], change[None]])
        self.weights = torch.cat([self.weights[1:], torch.where(useful, 1 / curvature, 0)[None]])
        self.scale = torch.where(useful, curvature / squares, self.scale)
        self.at = torch.where(better[:, None], self.trial, self.at)
        self.gradient = torch.where(better[:, None], gradient, self.gradient)
        self.value = torch.where(better, value, self.value)
        self.length = torch.where(better, 1.0, SHORTER * self.length)
        stuck = self.length < SHORTEST
        self.weights[:, stuck], self.scale[stuck], self.length[stuck] = 0, 0, 1
        self.direction = torch.where((better | stuck)[:, None], self._downhill(), self.direction)
        self.trial = self.reach(self.at + self.length[:, None] * self.direction)

    def tilt(self, slope: Tensor) -> None:
        """From here on the function is larger by ``slope`` (N, D) . x."""
        self.value = self.value + _dot(slope, self.at)
        self.gradient = self.gradient + slope

    def _downhill(self) -> Tensor:
        """Minus the inverse Hessian, as the pairs tell it, times the gradient (the two-loop recursion)."""
        q, shares = self.gradient, []
        pairs = list(zip(self.weights, self.steps, self.changes, strict=True))
        for weight, step, change in reversed(pairs):
            shares.append(weight * _dot(step, q))
            q = q - shares[-1][:, None] * change
        without = FIRST / self.gradient.norm(dim=1).clamp_min(1e-12)
        q = q * torch.where(self.scale > 0, self.scale, without)[:, None]
        for (weight, step, change), share in zip(pairs, reversed(shares), strict=True):
            q = q + (share - weight * _dot(change, q))[:, None] * step
        return -q * (LONGEST / q.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=1)
