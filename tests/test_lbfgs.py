"""L-BFGS on problems whose minimum is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.engines.lbfgs import LBFGS


def quadratics(seed: int, count: int, unknowns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Hessians (N, D, D) with eigenvalues between 0.1 and 30, and minima (N, D)."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(count, unknowns, unknowns)))[0]
    hessians = axes * np.exp(rng.uniform(np.log(0.1), np.log(30), (count, 1, unknowns))) @ axes.transpose(0, 2, 1)
    return torch.from_numpy(hessians), torch.from_numpy(rng.normal(size=(count, unknowns)))


def tell_quadratic(
    descent: LBFGS, hessians: torch.Tensor, minima: torch.Tensor, slope: torch.Tensor | float = 0.0
) -> None:
    away = descent.trial - minima
    gradient = (hessians @ away[:, :, None])[:, :, 0]
    descent.update((away * gradient).sum(dim=1) / 2 + (slope * descent.trial).sum(dim=1), gradient + slope)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 4), unknowns=st.integers(1, 8))
def test_it_finds_the_minimum_of_every_quadratic_and_never_climbs(seed, count, unknowns):
    hessians, minima = quadratics(seed, count, unknowns)
    descent = LBFGS(torch.zeros_like(minima))
    for _ in range(100):
        before = descent.value
        tell_quadratic(descent, hessians, minima)
        assert (descent.value <= before).all()
    assert torch.allclose(descent.at, minima, atol=1e-4)


def test_a_problem_is_solved_alike_alone_and_among_others():
    hessians, minima = quadratics(1, 5, 6)
    together, alone = LBFGS(torch.zeros_like(minima)), LBFGS(torch.zeros_like(minima[2:3]))
    for _ in range(25):
        tell_quadratic(together, hessians, minima)
        tell_quadratic(alone, hessians[2:3], minima[2:3])
        assert torch.allclose(together.at[2], alone.at[0], atol=1e-9)


def test_it_follows_a_curved_valley():
    """Rosenbrock's function, from the usual start."""
    descent = LBFGS(torch.tensor([[-1.2, 1.0]], dtype=torch.float64))
    for _ in range(80):
        x = descent.trial.clone().requires_grad_()
        value = 100 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (1 - x[:, 0]) ** 2
        descent.update(value.detach(), torch.autograd.grad(value.sum(), x)[0])
    assert torch.allclose(descent.at, torch.ones(1, 2, dtype=torch.float64), atol=1e-4)


def test_it_stays_within_reach():
    minima = quadratics(2, 3, 4)[1]
    minima = 3 * minima / minima.norm(dim=1, keepdim=True)
    unit = LBFGS(torch.zeros_like(minima), lambda x: x / x.norm(dim=1, keepdim=True).clamp_min(1))
    for _ in range(60):
        assert (unit.trial.norm(dim=1) <= 1 + 1e-9).all()
        tell_quadratic(unit, torch.eye(4, dtype=torch.float64).expand(3, 4, 4), minima)
    assert torch.allclose(unit.at, minima / 3, atol=1e-4)  # the nearest point of the ball


def test_a_slope_moves_the_minimum():
    hessians, minima = quadratics(3, 2, 5)
    slope = torch.full_like(minima, 0.5)
    descent = LBFGS(torch.zeros_like(minima))
    for step in range(160):
        if step == 40:
            descent.add_linear(slope)
        tell_quadratic(descent, hessians, minima, slope * (step >= 40))
    moved = minima - torch.linalg.solve(hessians, slope)
    assert torch.allclose(descent.at, moved, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_nothing_slopes_it_stands_still(value):
    descent = LBFGS(torch.ones(2, 3))
    for _ in range(5):
        descent.update(torch.full((2,), value), torch.zeros(2, 3))
    assert torch.equal(descent.at, torch.ones(2, 3))
    assert torch.equal(descent.trial, torch.ones(2, 3))
