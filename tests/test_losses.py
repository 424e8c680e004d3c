"""The first paper's formulas, each against an independent way to compute it, and the second's by what they see."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.formulas import losses

LIMITS = losses.Limits(ssim_min=0.1, ssim_max=0.8, l1_min=700.0, l1_max=4900.0)


def pictures(seed: int, count: int = 2, size: int = 64) -> torch.Tensor:
    """Smooth noise: something with structure at several scales."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((count, 3, 8, 8), dtype=np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)
    return (0.8 * smooth + 0.2 * torch.from_numpy(rng.random((count, 3, size, size), dtype=np.float32))).float()


def test_ssim_is_formula_4_over_the_whole_picture():
    a, b = pictures(0), pictures(1)
    weights = pictures(2)[:, :1] + 0.1
    for n, channel in np.ndindex(2, 3):
        x, y = a[n, channel].double().numpy().ravel(), b[n, channel].double().numpy().ravel()
        w = weights[n, 0].double().numpy().ravel()
        (xx, xy), (_, yy) = np.cov(x, y, aweights=w, ddof=0)
        mx, my = np.average(x, weights=w), np.average(y, weights=w)
        by_hand = (2 * mx * my + 1e-4) * (2 * xy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (xx + yy + 9e-4))
        one = losses.ssim(a[n : n + 1, channel : channel + 1], b[n : n + 1, channel : channel + 1], weights[n : n + 1])
        assert float(one) == pytest.approx(by_hand, abs=1e-5)


def test_ssim_of_known_pixels_does_not_see_the_hole():
    target, generated = pictures(2), pictures(3)
    known = torch.ones(2, 1, 64, 64)
    known[:, :, 20:44, 10:50] = 0
    elsewhere = torch.where(known.bool(), generated, 1 - generated)
    assert torch.equal(losses.ssim(target, generated, known), losses.ssim(target, elsewhere, known))
    assert not torch.equal(losses.ssim(target, generated), losses.ssim(target, elsewhere))


@given(seed=st.integers(0, 1000), share=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_ssim_is_symmetric_one_for_the_same_picture_and_less_for_another(seed, share):
    a, b = pictures(seed, 1), pictures(seed + 1, 1)
    known = torch.from_numpy((np.random.default_rng(seed).random((1, 1, 64, 64)) >= share).astype(np.float32))
    weights = losses.patch_weights(known) * known
    assert float(losses.ssim(a, a, weights)) == pytest.approx(1.0, abs=1e-4)
    assert float(losses.ssim(a, b, weights)) == pytest.approx(float(losses.ssim(b, a, weights)), abs=1e-6)
    assert float(losses.ssim(a, b, weights)) < 0.99


@pytest.mark.parametrize(("ssim", "expected"), [(0.05, 1.0), (0.1, 1.0), (0.45, 0.5), (0.8, 0.0), (0.9, 0.0)])
def test_structural_loss_is_formula_5(ssim, expected):
    assert float(losses.structural(torch.tensor(ssim), LIMITS)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("l1", "expected"), [(0.0, 0.0), (700.0, 0.0), (2800.0, 0.5), (4900.0, 1.0), (9000.0, 1.0)])
def test_context_loss_is_formula_6(l1, expected):
    assert float(losses.context(torch.tensor(l1), LIMITS)) == pytest.approx(expected, abs=1e-6)


def test_without_the_cut_the_lines_go_on_and_keep_their_slope():
    beyond = torch.tensor([0.95], requires_grad=True)
    losses.structural(beyond, LIMITS, cut=True).sum().backward()
    assert beyond.grad.item() == 0
    beyond.grad = None
    losses.structural(beyond, LIMITS, cut=False).sum().backward()
    assert beyond.grad.item() == pytest.approx(-1 / 0.7)
    assert float(losses.context(torch.tensor(0.0), LIMITS, cut=False)) == pytest.approx(-700 / 4200)


def test_patch_weights_are_formula_7():
    known = torch.ones(1, 1, 32, 32)
    known[0, 0, 10:14, 10:14] = 0
    weights = losses.patch_weights(known)
    by_hand = torch.ones(32, 32)
    for y in range(32):
        for x in range(32):
            patch = (1 - known[0, 0])[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
            by_hand[y, x] = 1 + 2 * patch.sum() / 49
    assert torch.allclose(weights[0, 0], by_hand)
    assert weights[0, 0, 25, 25] == 1


def test_realism_stays_finite_for_a_certain_discriminator():
    logits = torch.tensor([-200.0, 0.0, 200.0], requires_grad=True)
    loss = losses.realism(logits)
    assert torch.allclose(loss, torch.tensor([0.0, -0.6931472, -200.0]), atol=1e-6)
    loss.sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_losses_of_equal_pictures_are_nothing_and_of_different_ones_something():
    torch.manual_seed(0)
    pictures, hole = torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    hole[:, :, 2:5, 2:5] = 1
    other = pictures + 0.25 * hole
    assert losses.reconstruction(pictures, pictures, hole).tolist() == [0, 0]
    assert torch.allclose(losses.squared(other, pictures, hole), torch.tensor(0.25**2))
    assert torch.allclose(losses.reconstruction(other, pictures, hole), torch.tensor(0.25))
    elsewhere = pictures + (1 - hole)
    assert losses.reconstruction(elsewhere, pictures, hole).tolist() == [0, 0]
    for loss in (losses.perceptual, losses.style, losses.matching):
        assert loss([pictures], [pictures]) == 0
        assert loss([other], [pictures]) > 0
    assert losses.variation(torch.ones_like(pictures), hole) == 0
    assert losses.variation(pictures, hole) > 0


def test_the_checkerboard_loss_sees_what_repeats_and_little_else():
    pictures, hole = torch.rand(2, 3, 128, 128), torch.ones(2, 1, 128, 128)
    grid = 0.1 * torch.sign(torch.randn(8, 8)).repeat(16, 16)
    slope = torch.linspace(-1, 1, 128).expand(128, 128)
    noise = 0.1 * torch.sign(torch.randn(128, 128))

    def of(error, hole=hole):
        return float(losses.checkerboard(pictures + error * hole, pictures, hole))

    assert of(0 * grid) == 0
    assert of(grid) > 0.005  # of .01, its square
    assert of(noise) < of(grid) / 8
    assert of(slope) < of(grid) / 8
    assert of(grid, 0 * hole) == 0
    half = hole.clone()
    half[..., :64] = 0
    assert of(grid, half) == pytest.approx(of(grid), rel=0.5)  # counted by what the hole covers


def test_the_colour_loss_sees_wide_areas_and_no_detail():
    pictures, hole = torch.rand(2, 3, 128, 128), torch.ones(2, 1, 128, 128)
    hole[..., :40] = 0

    def of(error):
        return float(losses.colour(pictures + error, pictures, hole))

    assert of(torch.zeros(128, 128)) == 0
    assert of(torch.full((128, 128), 0.1)) == pytest.approx(0.01, rel=1e-3)
    assert of(0.1 * torch.sign(torch.randn(128, 128))) < 0.0005
    assert of(0.1 * (1 - hole)) == 0  # known pixels count for nothing
    assert float(losses.colour(pictures + 0.1, pictures, 0 * hole)) == 0


@pytest.mark.parametrize("window", ["11", "8"])
def test_ssim_of_windows_is_scikit_images(window):
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    a, b = pictures(0, 1), pictures(1, 1)
    kernel = losses.WINDOWS[window]
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-6)
    if window == "11":
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        x, y = a[0].numpy().astype(np.float64), b[0].numpy().astype(np.float64)
        _, similar = metrics.structural_similarity(x, y, data_range=1.0, channel_axis=0, full=True, **options)
        expected = similar[:, 5:-5, 5:-5].mean()
        assert float(losses.ssim(a, b, window=window)) == pytest.approx(expected, abs=1e-4)
    assert float(losses.ssim(a, a, window=window)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("window", ["11", "8"])
def test_ssim_of_windows_does_not_see_the_hole(window):
    target, generated = pictures(2), pictures(3)
    known = torch.ones(2, 1, 64, 64)
    known[:, :, 20:44, 10:50] = 0
    elsewhere = torch.where(known.bool(), generated, 1 - generated)
    seen = losses.ssim(target, generated, known, window)
    assert torch.allclose(seen, losses.ssim(target, elsewhere, known, window), atol=1e-6)
    assert not torch.allclose(losses.ssim(target, generated, None, window), seen)


def test_landmark_distance_is_in_eye_distances():
    targets = torch.rand(2, 68, 2)
    targets[:, 36], targets[:, 45] = torch.tensor([0.2, 0.4]), torch.tensor([0.7, 0.4])
    moved = targets + torch.tensor([0.03, 0.04])
    assert losses.landmark_distance(moved, targets).tolist() == pytest.approx([0.1, 0.1], abs=1e-4)
