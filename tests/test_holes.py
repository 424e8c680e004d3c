"""Holes for training: of every kind, never all or nothing, and the same for the same seed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.mask import presets
from faceinp.train.holes import drawing, paper_holes, shapes, sketched_holes
from faceinp.train.holes.paper_holes import Shape

COUNT, SIDE = 32, 64
FACE = torch.from_numpy(presets.average_points(1)).float()


def faces(count: int = COUNT) -> torch.Tensor:
    """float (count, 68, 2): average faces, each shaken and moved a little."""
    generator = torch.Generator().manual_seed(0)
    moved = 0.1 * (torch.rand(count, 1, 2, generator=generator) - 0.5)
    return FACE + moved + 0.01 * torch.randn(count, 68, 2, generator=generator)


def only(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Let all holes be of this kind, and none cover another or be cut."""
    monkeypatch.setitem(drawing.CHOICES, "all", {kind: 1})
    for name in ("UNION_SHARE", "HALVED_SHARE", "WOBBLE"):
        monkeypatch.setattr(drawing, name, 0)


def only_parts(monkeypatch: pytest.MonkeyPatch, *wanted: Shape) -> None:
    """Let holes be of these shapes and nothing else, neither grown at random nor moved."""
    only(monkeypatch, "parts")
    monkeypatch.setattr(paper_holes, "SHIFT", 0)
    monkeypatch.setattr(paper_holes, "GROWTH", (presets.GROWTH, presets.GROWTH))
    monkeypatch.setattr(paper_holes, "SHAPES", wanted)


def damage_masks(side: int) -> torch.Tensor:
    """uint8 (2, side, side): a horizontal scratch and a spot."""
    masks = torch.zeros(2, side, side, dtype=torch.uint8)
    masks[0, side // 2, side // 8 : -side // 8] = 255
    masks[1, side // 3 : side // 2, side // 3 : side // 2] = 255
    return masks


@given(st.sampled_from([32, 64, 96, 128]), st.integers(1, 20), st.integers(0, 2**31), st.integers(0, 2**31))
@settings(deadline=None, max_examples=15)
def test_a_hole_leaves_some_and_takes_some(side: int, count: int, seed: int, step: int) -> None:
    points = faces(count)
    points[::3] = torch.nan
    damage = damage_masks(side) if seed % 2 else None
    hole = drawing.draw(points, side, seed=(seed, step, 0), damage=damage)
    assert hole.shape == (count, 1, side, side) and hole.dtype == torch.bool
    covered = hole.float().mean((1, 2, 3))
    assert (covered >= drawing.SMALLEST).all() and (covered <= drawing.LARGEST).all()
    assert torch.equal(hole, drawing.draw(points, side, seed=(seed, step, 0), damage=damage))


def test_other_seeds_and_other_steps_give_other_holes() -> None:
    drawn = [drawing.draw(faces(), SIDE, seed=seed) for seed in ((0, 0), (0, 1), (1, 0))]
    for one in range(3):
        for other in range(one):
            assert (drawn[one] == drawn[other]).flatten(1).all(1).float().mean() < 0.1


def test_a_face_that_fills_or_leaves_the_picture_is_no_trouble() -> None:
    for points in (faces() * 4 - 1.5, faces() + 3, faces().double(), torch.zeros(COUNT, 68, 2)):
        covered = drawing.draw(points, SIDE, seed=(1,)).float().mean((1, 2, 3))
        assert (covered >= drawing.SMALLEST).all() and (covered <= drawing.LARGEST).all()


def test_a_third_of_the_holes_are_the_papers() -> None:
    assert sum(drawing.SHARES.values()) == pytest.approx(1)
    assert sum(drawing.SHARES[name] for name in drawing.PAPERS) == pytest.approx(1 / 3, abs=0.01)
    assert drawing.SHARES["stroke"] >= drawing.SHARES["strokes"], "half of the strokes start on the face"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("1", Shape(1, (), -1)),
        ("5", Shape(1, (), 1, 1)),
        ("7", Shape(1, tuple(range(68)), -1)),
        ("9", Shape(1, tuple(range(68)), -1, 1)),
        ("12", Shape(1, tuple(range(68)), 1, -1)),
        ("eyes", Shape(1, tuple(range(68)), 0, -1, (27, 28, 29, 30))),
    ],
)
def test_parts_are_the_presets(monkeypatch: pytest.MonkeyPatch, name: str, shape: Shape) -> None:
    assert any((s.points, s.across, s.down, s.row) == (shape.points, shape.across, shape.down, shape.row)
               for s in paper_holes.SHAPES)  # fmt: skip
    only_parts(monkeypatch, shape)
    points = faces()
    drawn = drawing.draw(points, SIDE, seed=(0,))[:, 0].numpy()
    for hole, face in zip(drawn, points.numpy(), strict=True):
        wanted = presets.make(name, (SIDE, SIDE), points=face.astype(np.float64) * SIDE)
        assert (hole ^ wanted).mean() < 0.004


def test_without_points_the_parts_are_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    only_parts(monkeypatch, Shape(1, tuple(range(68)), -1, 1))
    drawn = drawing.draw(torch.full((2, 68, 2), torch.nan), SIDE, seed=(0,))
    assert drawn[:, 0, SIDE // 2 :, : SIDE // 2].all() and drawn.float().mean() == 0.25


def test_splits_are_shaken(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = paper_holes.SHIFT
    only_parts(monkeypatch, Shape(1, (), -1))
    monkeypatch.setattr(paper_holes, "SHIFT", shift)
    covered = drawing.draw(faces(), 128, seed=(0,)).float().mean((1, 2, 3))
    assert len(covered.unique()) > 5 and (covered - 0.5).abs().max() <= shift + 0.01


def test_strokes_are_of_many_sizes_and_unbroken(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "strokes")
    drawn = drawing.draw(faces(96), 128, seed=(0,))
    covered = drawn.float().mean((1, 2, 3))
    assert covered.min() < 0.1 and covered.max() > 0.35
    fine = drawing.draw(faces(96), 256, seed=(0,))  # the same strokes, twice as fine
    assert (torch.nn.functional.avg_pool2d(fine.float(), 2).round() != drawn.float()).float().mean() < 0.01
    kernel = torch.ones(1, 1, 3, 3)  # a brush is wider than three pixels: no pixel stands alone
    alone = (torch.nn.functional.conv2d(drawn.float(), kernel, padding=1) <= 2) & drawn
    assert not alone.any()


@pytest.mark.parametrize("name", [name for name in drawing.KINDS if name not in (*drawing.PAPERS, drawing.DAMAGE)])
def test_a_sketch_is_drawn_alike_at_every_size_and_where_the_face_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    only(monkeypatch, name)
    near, far = 0.5 * faces() + 0.2, 0.5 * faces() + 0.4
    small, large = (drawing.draw(near, side, seed=(4,)).float() for side in (128, 256))
    difference = (torch.nn.functional.avg_pool2d(large, 2).round() != small).float().mean()
    assert difference < 0.2 * small.mean(), "thin lines differ at their edges"
    if name in ("scratch", "tear"):  # those are the photo's, not the face's
        return
    ticks = shapes.centres(256, near)
    middles = []
    for points in (near, far):
        hole = drawing.draw(points, 256, seed=(4,)).float()[:, 0]
        total = hole.sum((1, 2))
        middles.append(torch.stack([(hole.sum(1) @ ticks) / total, (hole.sum(2) @ ticks) / total], 1))
    moved = (middles[1] - middles[0]).median(0).values
    expected = (far - near).mean((0, 1))
    assert (moved - expected).abs().max() < 0.1, "it goes with its face"


@pytest.mark.parametrize(
    ("name", "points", "share"),
    [
        ("glasses", (*range(36, 48),), 0.4),
        ("protective mask", (33, 51, 57, 62, 66), 0.95),
        ("stroke", tuple(range(68)), 0.03),
    ],
)
def test_what_is_worn_hides_what_it_hides(
    monkeypatch: pytest.MonkeyPatch, name: str, points: tuple[int, ...], share: float
) -> None:
    only(monkeypatch, name)
    face = faces()
    hole = drawing.draw(face, SIDE, seed=(2,))[:, 0]
    pixel = (face[:, list(points)] * SIDE).long().clamp(0, SIDE - 1)
    hidden = hole[torch.arange(COUNT)[:, None], pixel[..., 1], pixel[..., 0]]
    assert hidden.float().mean() > share
    if name == "glasses":
        mouth = (face[:, 66] * SIDE).long()
        assert not hole[torch.arange(COUNT), mouth[:, 1], mouth[:, 0]].any()


def test_a_feature_is_hidden_whole_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "feature")
    monkeypatch.setattr(sketched_holes, "FEATURES", ((1.0, tuple(range(36, 42))),))
    face = faces()
    hole = drawing.draw(face, 128, seed=(0,))[:, 0]
    pixel = (face * 128).long()
    hidden = hole[torch.arange(COUNT)[:, None], pixel[..., 1], pixel[..., 0]]
    assert hidden[:, 36:42].float().mean() > 0.95 and not hidden[:, 42:48].any() and not hidden[:, 48:68].any()


def test_a_cut_sketch_is_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "oval")
    whole = drawing.draw(faces(), SIDE, seed=(0,))
    monkeypatch.setattr(drawing, "HALVED_SHARE", 1)
    part = drawing.draw(faces(), SIDE, seed=(0,))
    assert not (part & ~whole).any()
    kept = part.float().sum((1, 2, 3)) / whole.float().sum((1, 2, 3))
    assert kept.median().item() == pytest.approx(0.5, abs=0.15)


def test_outlines_wobble(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "box")
    straight = drawing.draw(faces(), 128, seed=(0,))
    monkeypatch.setattr(drawing, "WOBBLE", 0.012)
    uneven = drawing.draw(faces(), 128, seed=(0,))
    changed = (straight ^ uneven).float().sum((1, 2, 3)) / straight.float().sum((1, 2, 3))
    assert 0.005 < changed.median() < 0.4


def test_real_damage_is_drawn_where_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "damage")
    masks = damage_masks(128)
    hole = drawing.draw(faces(), 128, seed=(0,), damage=masks)
    areas = hole.float().sum((1, 2, 3))
    margin = torch.nn.functional.max_pool2d((masks > 0).float()[:, None], 3, 1, 1).sum((1, 2, 3))
    distance = (areas[:, None] - margin).abs().amin(1)  # at the picture's edge the margin is cut
    assert (distance <= 4).all() and areas.min() < 1.1 * margin.min() and areas.max() > 0.9 * margin.max()
    assert len({tuple(one.flatten().tolist()) for one in hole}) > 12, "turned and moved"
    assert not torch.equal(hole, drawing.draw(faces(), 128, seed=(0,)))


@given(st.integers(0, 2**31), st.floats(0.004, 0.2))
@settings(deadline=None, max_examples=30)
def test_a_capsule_is_all_within_its_radius(seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = (torch.from_numpy(rng.uniform(0.1, 0.9, (1, 1, 2))).float() for _ in range(2))
    drawn = shapes.capsules(a, b, torch.full((1, 1), radius), 160, 160)[0]
    ticks = (torch.arange(160) + 0.5) / 160
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    pixel = torch.stack([x, y], -1)
    along = ((pixel - a[0, 0]) @ (b - a)[0, 0] / ((b - a) ** 2).sum()).clamp(0, 1)
    distance = (pixel - a[0, 0] - along[..., None] * (b - a)[0, 0]).norm(dim=-1)
    assert drawn[distance < radius - 1e-3].all() and not drawn[distance > radius + 1e-3].any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_holes_are_drawn_where_the_points_are() -> None:
    drawn = drawing.draw(faces().cuda(), SIDE, seed=(0,), damage=damage_masks(SIDE).cuda())
    assert drawn.is_cuda
    assert (drawn.cpu() != drawing.draw(faces(), SIDE, seed=(0,), damage=damage_masks(SIDE))).float().mean() < 0.001
