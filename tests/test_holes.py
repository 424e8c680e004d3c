"""Holes for training: of every kind, never all or nothing, and the same for the same seed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp import presets
from faceinp.train import holes

COUNT, SIDE = 48, 64
FACE = torch.from_numpy(presets.average_points(1)).float()


def faces(count: int = COUNT) -> torch.Tensor:
    """float (count, 68, 2): average faces, each shaken and moved a little."""
    generator = torch.Generator().manual_seed(0)
    moved = 0.1 * (torch.rand(count, 1, 2, generator=generator) - 0.5)
    return FACE + moved + 0.01 * torch.randn(count, 68, 2, generator=generator)


def only(monkeypatch: pytest.MonkeyPatch, *shapes: holes.Shape) -> None:
    """Let holes be of these shapes and nothing else, neither grown at random nor moved."""
    for name in ("STROKES_SHARE", "BLOCKS_SHARE", "CENTRE_SHARE", "UNION_SHARE", "SHIFT"):
        monkeypatch.setattr(holes, name, 0)
    monkeypatch.setattr(holes, "GROWTH", (presets.GROWTH, presets.GROWTH))
    monkeypatch.setattr(holes, "SHAPES", shapes)


@given(st.sampled_from([32, 64, 96, 128]), st.integers(1, 20), st.integers(0, 2**31), st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_a_hole_leaves_some_and_takes_some(side: int, count: int, seed: int, step: int) -> None:
    points = faces(count)
    points[::3] = torch.nan
    hole = holes.draw(points, side, seed=(seed, step, 0))
    assert hole.shape == (count, 1, side, side) and hole.dtype == torch.bool
    shares = hole.float().mean((1, 2, 3))
    assert (shares >= holes.SMALLEST).all() and (shares <= holes.LARGEST).all()
    assert torch.equal(hole, holes.draw(points, side, seed=(seed, step, 0)))


def test_other_seeds_and_other_steps_give_other_holes() -> None:
    drawn = [holes.draw(faces(), SIDE, seed=seed) for seed in ((0, 0), (0, 1), (1, 0))]
    for one in range(3):
        for other in range(one):
            assert (drawn[one] == drawn[other]).flatten(1).all(1).float().mean() < 0.1


def test_a_face_that_fills_or_leaves_the_picture_is_no_trouble() -> None:
    for points in (faces() * 4 - 1.5, faces() + 3, faces().double(), torch.zeros(COUNT, 68, 2)):
        shares = holes.draw(points, SIDE, seed=(1,)).float().mean((1, 2, 3))
        assert (shares >= holes.SMALLEST).all() and (shares <= holes.LARGEST).all()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("1", holes.Shape(1, (), -1)),
        ("5", holes.Shape(1, (), 1, 1)),
        ("7", holes.Shape(1, tuple(range(68)), -1)),
        ("9", holes.Shape(1, tuple(range(68)), -1, 1)),
        ("12", holes.Shape(1, tuple(range(68)), 1, -1)),
        ("eyes", holes.Shape(1, tuple(range(68)), 0, -1, (27, 28, 29, 30))),
    ],
)
def test_shapes_are_the_presets(monkeypatch: pytest.MonkeyPatch, name: str, shape: holes.Shape) -> None:
    assert any((s.points, s.across, s.down, s.row) == (shape.points, shape.across, shape.down, shape.row)
               for s in holes.SHAPES)  # fmt: skip
    only(monkeypatch, shape)
    points = faces()
    drawn = holes.draw(points, SIDE, seed=(0,))[:, 0].numpy()
    for hole, face in zip(drawn, points.numpy(), strict=True):
        wanted = presets.make(name, (SIDE, SIDE), points=face.astype(np.float64) * SIDE)
        assert (hole ^ wanted).mean() < 0.004


def test_without_points_the_shapes_are_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, holes.Shape(1, tuple(range(68)), -1, 1))
    drawn = holes.draw(torch.full((2, 68, 2), torch.nan), SIDE, seed=(0,))
    assert drawn[:, 0, SIDE // 2 :, : SIDE // 2].all() and drawn.float().mean() == 0.25


def test_splits_are_shaken(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = holes.SHIFT
    only(monkeypatch, holes.Shape(1, (), -1))
    monkeypatch.setattr(holes, "SHIFT", shift)
    shares = holes.draw(faces(), 128, seed=(0,)).float().mean((1, 2, 3))
    assert len(shares.unique()) > 5 and (shares - 0.5).abs().max() <= shift + 0.01


def test_strokes_are_of_many_sizes_and_unbroken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "SHAPES", ())
    for name in ("BLOCKS_SHARE", "CENTRE_SHARE", "UNION_SHARE"):
        monkeypatch.setattr(holes, name, 0)
    drawn = holes.draw(faces(), 128, seed=(0,))
    shares = drawn.float().mean((1, 2, 3))
    assert shares.min() < 0.1 and shares.max() > 0.35
    fine = holes.draw(faces(), 256, seed=(0,))  # the same strokes, twice as fine
    assert (torch.nn.functional.avg_pool2d(fine.float(), 2).round() != drawn.float()).float().mean() < 0.01
    kernel = torch.ones(1, 1, 3, 3)  # a brush is wider than three pixels: no pixel stands alone
    alone = (torch.nn.functional.conv2d(drawn.float(), kernel, padding=1) <= 2) & drawn
    assert not alone.any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_holes_are_drawn_where_the_points_are() -> None:
    drawn = holes.draw(faces().cuda(), SIDE, seed=(0,))
    assert drawn.is_cuda
    assert (drawn.cpu() != holes.draw(faces(), SIDE, seed=(0,))).float().mean() < 0.001
