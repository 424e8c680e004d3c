"""The landmark-guided network and its discriminator, small and untrained."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from faceinp.mask import presets
from faceinp.nets import completion
from faceinp.nets.patchgan import PatchDiscriminator

WIDTHS = {"small": 8, "coarse-to-fine": 8, "large": 4}


@pytest.fixture
def points():
    return torch.from_numpy(np.random.default_rng(0).uniform(0.2, 0.8, (3, 68, 2)).astype(np.float32))


@pytest.mark.parametrize("name", sorted(completion.NETWORKS))
def test_any_side_that_is_a_multiple_of_32(name, points):
    network = completion.NETWORKS[name](WIDTHS[name]).eval()
    for side in (32, 64):
        pictures, masks = torch.rand(3, 3, side, side), (torch.rand(3, 1, side, side) < 0.3).float()
        with torch.no_grad():
            filled = network(pictures, masks, completion.landmark_map(points, side))
        assert filled.shape == pictures.shape
        assert 0 <= filled.min() <= filled.max() <= 1


@given(st.integers(0, 2**31), st.sampled_from((32, 64)), st.sampled_from((0.001, 0.1, 0.5, 0.9, 0.999)))
@example(5311581, 64, 0.999)
@settings(deadline=None, max_examples=40)
def test_thin_parts_are_filled_from_what_is_known_alone(seed, side, share):
    drawing = torch.Generator().manual_seed(seed)
    pictures, drawn, under = (torch.rand(2, 3, side, side, generator=drawing) for _ in range(3))
    masks = (torch.rand(2, 1, side, side, generator=drawing) < share).float()
    thin = completion.ThinParts()
    filled = thin(drawn, pictures, masks)
    assert filled.isfinite().all()
    assert torch.equal(filled, thin(drawn, torch.where(masks > 0, under, pictures), masks))
    plain = torch.full_like(pictures, 0.7)
    torch.testing.assert_close(thin(plain, plain, masks), plain, atol=2e-3, rtol=0)


def test_a_scratch_is_filled_better_than_by_telea_and_a_wide_hole_as_it_was_drawn():
    face = skimage.data.astronaut()[:256, 96:352]
    scratches, square = (presets.make(name, (256, 256), seed=1) for name in ("scratches", "centre"))
    telea = cv2.inpaint(face, scratches.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    pictures, drawn = (torch.from_numpy(pixels / 255).float().permute(2, 0, 1)[None] for pixels in (face, telea))
    filled = completion.ThinParts()(drawn, pictures, torch.from_numpy(scratches)[None, None].float())
    ours, theirs = (((x - pictures)[0, :, scratches] ** 2).mean() for x in (filled, drawn))
    assert ours < 0.8 * theirs
    wide = completion.ThinParts()(0 * drawn, pictures, torch.from_numpy(square)[None, None].float())
    assert wide[0, :, 70:186, 70:186].abs().max() < 0.02


@pytest.mark.parametrize("name", sorted(completion.NETWORKS))
def test_what_lies_under_the_hole_is_not_looked_at(name, points):
    network = completion.NETWORKS[name](WIDTHS[name]).eval()
    pictures, masks = torch.rand(3, 3, 32, 32), (torch.rand(3, 1, 32, 32) < 0.5).float()
    maps = completion.landmark_map(points, 32)
    other = torch.where(masks > 0, torch.rand_like(pictures), pictures)
    with torch.no_grad():
        assert torch.allclose(network(pictures, masks, maps), network(other, masks, maps), atol=1e-6)


@pytest.mark.parametrize("kind", (completion.Small, completion.CoarseToFine))
def test_no_convolution_has_to_reorder_what_the_one_before_it_made(kind, points):
    network = kind(8).eval().to(memory_format=torch.channels_last)
    kept = []
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d) and not name.endswith(("stem", "guess")):
            module.register_forward_pre_hook(
                lambda _, given: kept.append(given[0].is_contiguous(memory_format=torch.channels_last))
            )
    with torch.no_grad():
        network(torch.rand(3, 3, 64, 64), torch.ones(3, 1, 64, 64), completion.landmark_map(points, 64))
    assert kept and all(kept)


@pytest.mark.parametrize("kind", sorted(completion.NETWORKS))
def test_every_weight_learns(kind, points):
    network = completion.NETWORKS[kind](WIDTHS[kind])
    for name, parameter in network.named_parameters():
        if name.endswith(("short", "long")):
            torch.nn.init.constant_(parameter, 0.1)  # they begin at 0, which hides what lies before them
    pictures, masks = torch.rand(3, 3, 32, 32), (torch.rand(3, 1, 32, 32) < 0.5).float()
    network(pictures, masks, completion.landmark_map(points, 32)).square().mean().backward()
    # A bias before an instance norm, and a key's bias before a softmax, change nothing.
    learning = {n: p for n, p in network.named_parameters() if p.requires_grad}
    silent = {n for n, p in learning.items() if p.grad is None or not p.grad.abs().max() > 0}
    assert not {n for n in silent if not n.endswith("bias")}


def test_two_networks_start_from_one_and_the_fine_one_goes_by_the_coarse_ones_guess(points):
    torch.manual_seed(0)
    one, both = completion.Small(8), completion.CoarseToFine(8)
    both.load_state_dict(one.state_dict())
    pictures, masks, maps = torch.rand(3, 3, 64, 64), torch.zeros(3, 1, 64, 64), completion.landmark_map(points, 64)
    masks[..., 20:50, 10:41] = 1
    both(pictures, masks, maps).sum().backward()
    assert all(p.grad is None for p in both.coarse.parameters())
    with torch.no_grad():
        halves = (functional.interpolate(x, scale_factor=0.5, mode="area") for x in (pictures, maps))
        half, half_maps = halves
        guess = both.coarse(half, functional.max_pool2d(masks, 2), half_maps)
        assert torch.allclose(both(pictures, masks, maps), both.fine(pictures, masks, maps, guess), atol=1e-6)
        # Of the guess, what is known anyway is not looked at.
        elsewhere = torch.where(functional.max_pool2d(masks, 2) > 0, guess, torch.rand_like(guess))
        known = functional.avg_pool2d(1 - masks, 2) == 1
        other = torch.where(known, elsewhere, guess)
        assert torch.allclose(
            both.fine(pictures, masks, maps, other), both.fine(pictures, masks, maps, guess), atol=1e-6
        )
        assert not torch.allclose(
            both.fine(pictures, masks, maps, 1 - guess), both.fine(pictures, masks, maps, guess), atol=1e-3
        )


def test_landmark_maps_show_points_where_they_are(points):
    maps = completion.landmark_map(points, 64)
    assert maps.shape == (3, 5, 64, 64)
    assert maps.max() <= 1
    x, y = (points[0, 30] * 64).long().tolist()
    assert maps[0, 2, y, x] > 0.4  # the nose's tip is drawn with the nose
    alone = completion.landmark_map(torch.where(torch.arange(68)[None, :, None] == 30, points, torch.nan), 64)
    assert alone[0, 2, y, x] > 0.4
    assert alone[:, [0, 1, 3, 4]].max() == 0


def test_the_discriminator_sees_patches_of_70_pixels():
    network = PatchDiscriminator(4).eval()
    picture = torch.rand(1, 3, 160, 160, requires_grad=True)
    (logits,), features = network(picture, torch.zeros(1, 1, 160, 160))
    logits[0, 0, 9, 9].backward()
    rows = torch.nonzero(picture.grad.abs().sum(dim=(0, 1, 3))).flatten()
    assert rows.max() - rows.min() + 1 == 70
    assert len(features) == 4


@pytest.mark.parametrize("name", completion.NETWORKS)
def test_a_network_can_be_left_to_draw_thin_parts_itself(name: str) -> None:
    torch.manual_seed(0)
    network, pictures = completion.NETWORKS[name](8).eval(), torch.rand(1, 3, 64, 64)
    masks, maps = torch.zeros(1, 1, 64, 64), torch.zeros(1, 5, 64, 64)
    masks[..., 30:32] = 1
    state = list(network.state_dict())
    with torch.no_grad():
        before = network(pictures, masks, maps)
        completion.remove_thin_parts(network)
        assert not torch.equal(network(pictures, masks, maps), before)
    assert list(network.state_dict()) == state
