"""The landmark-guided network, its losses, its training and the engine on it, with small untrained networks."""

import json

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn import functional

import faceinp
from faceinp import faces, losses, presets, weights
from faceinp.errors import DataError, EngineError, WeightsError
from faceinp.nets import completion
from faceinp.nets.embedding import Embedding
from faceinp.nets.landmarks import MIRROR, Landmarks
from faceinp.nets.patchgan import PatchDiscriminator
from faceinp.train import data, loop, pack
from faceinp.train.colours import recolour
from faceinp.train.completion import CompletionRun, CompletionTask, drawn, looked_at

WIDTHS = {"small": 8, "coarse-to-fine": 8, "large": 4}


@pytest.fixture
def points():
    return torch.from_numpy(np.random.default_rng(0).uniform(0.2, 0.8, (3, 68, 2)).astype(np.float32))


@pytest.fixture
def some_faces(points):
    rng = np.random.default_rng(1)
    pictures = torch.from_numpy(rng.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8))
    return data.Faces(pictures, points.repeat(4, 1, 1), (None,) * 12, tuple(f"face{n}" for n in range(12)))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of weights: untrained, but not silent, networks."""
    torch.manual_seed(0)
    generator, predictor = completion.Small(8), Landmarks()
    config = {"network": "small", "width": 8, "landmarks": True}
    tensors = {f"generator/{k}": v.half() for k, v in generator.state_dict().items()}
    save_file(tensors, tmp_path / "completion.safetensors", {"config": json.dumps(config)})
    tensors = {f"landmarks/{k}": v.clone() for k, v in predictor.state_dict().items()}
    save_file(tensors, tmp_path / "landmarks.safetensors", {"config": "{}"})
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    return tmp_path


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
    orders = {}
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d) and not name.endswith(("stem", "guess")):
            module.register_forward_pre_hook(
                lambda _, given, name=name: orders.update(
                    {name: given[0].is_contiguous(memory_format=torch.channels_last)}
                )
            )
    with torch.no_grad():
        network(torch.rand(3, 3, 64, 64), torch.ones(3, 1, 64, 64), completion.landmark_map(points, 64))
    assert orders
    assert not [name for name, kept in orders.items() if not kept]


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
    logits, features = network(picture, torch.zeros(1, 1, 160, 160))
    logits[0, 0, 9, 9].backward()
    rows = torch.nonzero(picture.grad.abs().sum(dim=(0, 1, 3))).flatten()
    assert rows.max() - rows.min() + 1 == 70
    assert len(features) == 4


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


def test_mirrored_faces_keep_their_points_on_the_face(some_faces):
    """Each picture is dark but for the left outer eye corner, which is where its point says, mirrored or not."""
    pictures = torch.zeros_like(some_faces.pictures)
    for picture, (x, y) in zip(pictures, (some_faces.points[:, 36] * 32).long().tolist(), strict=True):
        picture[:, y, x] = 255
    marked = data.Faces(pictures, some_faces.points, some_faces.identities, some_faces.keys)
    shown, points = drawn(marked, 64, (0, 1, 2), torch.device("cpu"))
    corner, other = (points[:, n] * 32 for n in (36, MIRROR[36]))
    hits = 0
    for picture, a, b in zip(shown, corner, other, strict=True):
        y, x = np.argwhere(picture[0].numpy() > 0)[0]
        hits += int(
            ((torch.tensor([x, y]) + 0.5 - a).abs().max() < 1) + ((torch.tensor([x, y]) + 0.5 - b).abs().max() < 1)
        )
    assert hits >= 64


def test_a_share_of_the_faces_is_seen_in_other_light(some_faces):
    """Recoloured as a whole: what had one colour has one after it, in the hole as around it."""

    def of(share, seed=(0, 1, 2)):
        return drawn(some_faces, 64, seed, torch.device("cpu"), share)

    (plain, points), (changed, same_points) = of(0.0), of(0.5)
    other = (changed != plain).flatten(1).any(dim=1)
    assert 16 < other.sum() < 48
    assert torch.equal(points, same_points)
    assert changed.min() >= 0 and changed.max() <= 1
    assert (of(1.0)[0].mean(dim=(2, 3)) - plain.mean(dim=(2, 3))).abs().amax(dim=1).median() > 0.05

    striped = torch.rand(8, 3, 1, 2).repeat(1, 1, 32, 16)
    seen = recolour(striped, np.random.default_rng(0))
    assert torch.equal(seen, seen[..., :1, :2].repeat(1, 1, 32, 16))
    assert len(torch.unique(seen[:, :, 0, 0], dim=0)) == 8


def test_a_run_learns_is_packed_and_fills(tmp_path, some_faces, shipped):
    config = CompletionRun(
        data=("-",), out=str(tmp_path / "run"), steps=12, batch=4, side=32, width=8, patch_width=4, predicted=0,
        look=24, adversarial=0.01, matching=1.0, variation=0.01, checkerboard=1.0, precision="fp32", preview_every=12,
        rate=3e-3,
    )  # fmt: skip
    checkpoint = loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
    lines = [json.loads(line) for line in (tmp_path / "run" / loop.LOG).read_text().splitlines()]
    assert {"loss", "hole", "adversarial", "matching", "variation", "checkerboard", "discriminator"} <= set(lines[0])
    assert lines[-1]["held_back"] > 0
    assert checkpoint.is_file() and (tmp_path / "run" / loop.BEST).is_file()
    assert list((tmp_path / "run" / "previews").iterdir())
    file = pack.pack(tmp_path / "run", tmp_path / "packed.safetensors")
    engine = faceinp.load_engine("landmark", file=file)
    assert engine.taught_by == ()
    crops, masks = np.full((2, 3, 256, 256), 0.5, np.float32), np.zeros((2, 1, 256, 256), bool)
    masks[:, :, 100:150, 100:150] = True
    assert engine.fill(crops, masks).shape == crops.shape
    task = CompletionTask(config, some_faces, some_faces)
    loop.load_networks(task, str(file))  # --init takes what was packed, discriminator and all


def test_two_runs_are_packed_as_one_network(tmp_path, some_faces, shipped):
    def ran(name, **settings):
        config = CompletionRun(
            out=str(tmp_path / name), steps=2, batch=4, side=32, patch_width=4, predicted=0, precision="fp32",
            **{"width": 8, **settings},
        )  # fmt: skip
        loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
        return tmp_path / name

    coarse = pack.pack(ran("a", seed=1), tmp_path / "coarse.safetensors")
    both = pack.pack(ran("b"), tmp_path / "both.safetensors", coarse=coarse)
    config, tensors = weights.packed(both)
    assert config["network"] == "coarse-to-fine"
    half = weights.under(weights.packed(coarse)[1], "generator/")
    assert all(torch.equal(tensors[f"generator/coarse.{name}"], value) for name, value in half.items())
    again = pack.pack(ran("c", network="coarse-to-fine", init=str(both)), tmp_path / "again.safetensors", coarse=coarse)
    assert set(weights.packed(again)[1]) == set(tensors)
    with pytest.raises(DataError, match="do not make one network"):
        pack.pack(ran("d", width=16), tmp_path / "d.safetensors", coarse=coarse)


def test_a_judge_in_a_loss_is_remembered_by_what_starts_from_there(tmp_path, some_faces, shipped):
    torch.manual_seed(0)
    tensors = {f"embedding/{name}": value for name, value in Embedding().state_dict().items()}
    save_file(tensors, shipped / "embedding.safetensors", {"config": "{}"})
    init = ""
    for name, identity in (("first", 0.1), ("second", 0.0)):
        config = CompletionRun(
            out=str(tmp_path / name), steps=1, batch=4, side=32, width=8, patch_width=4, predicted=0,
            precision="fp32", identity=identity, init=init,
        )  # fmt: skip
        loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
        init = str(pack.pack(tmp_path / name, tmp_path / f"{name}.safetensors"))
        assert weights.packed(init)[0]["taught_by"] == ["bundled"]


def test_the_discriminator_looks_at_the_hole_and_its_surroundings():
    hole = torch.zeros(5, 1, 32, 32)
    hole[0, :, 3:5, 28:30] = 1  # near a corner
    hole[1, :, 14:18, 14:18] = 1
    hole[2, :, ::7, ::5] = 1
    hole[3] = 1  # and the last has none
    places = torch.arange(32.0 * 32).view(1, 1, 32, 32).expand(5, -1, -1, -1)
    seen = looked_at(hole, 16, (0, 1, 2))
    for part, cut in zip(seen(hole)[:4], seen(places)[:4], strict=True):
        assert part.any()
        assert (cut[0, 0, 1:] - cut[0, 0, :-1] == 1).all() and (cut[0, 1:, 0] - cut[0, :-1, 0] == 32).all()
    assert torch.equal(seen(places), looked_at(hole, 16, (0, 1, 2))(places))
    assert torch.equal(looked_at(hole, 32, (0, 1, 3))(places), places)


def test_a_judge_in_a_loss_is_told_by_the_engine(tmp_path, some_faces, shipped):
    torch.manual_seed(0)
    tensors = {f"embedding/{name}": value for name, value in Embedding().state_dict().items()}
    save_file(tensors, shipped / "embedding.safetensors", {"config": "{}"})
    config = CompletionRun(
        out=str(tmp_path / "run"), steps=2, batch=4, side=32, width=8, patch_width=4, predicted=0, identity=0.1,
        traits=0.1, precision="fp32", log_every=1,
    )  # fmt: skip
    loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
    first = json.loads((tmp_path / "run" / loop.LOG).read_text().splitlines()[0])
    assert first["identity"] > 0 and first["traits"] > 0
    engine = faceinp.load_engine("landmark", file=pack.pack(tmp_path / "run", tmp_path / "packed.safetensors"))
    assert engine.taught_by == ("bundled",)


def test_a_weight_of_0_leaves_its_network_out(some_faces):
    task = CompletionTask(CompletionRun(side=32, width=8, patch_width=4, batch=4, predicted=0), some_faces, some_faces)
    terms = task.step(0, 0, loop.Context(_accelerator(), "fp32"))
    assert set(terms) == {"loss", "hole"}


def _accelerator():
    from accelerate import Accelerator

    return Accelerator(cpu=True)


# ---- the engine ----


def test_alone_and_in_a_batch_are_the_same(shipped):
    engine = faceinp.load_engine("landmark")
    rng = np.random.default_rng(0)
    crops = rng.random((9, 3, 256, 256), dtype=np.float32)
    masks = rng.random((9, 1, 256, 256)) < 0.3
    seen = []
    together = engine.fill(crops, masks, progress=lambda done, total, preview=None: seen.append((done, total)))
    assert np.abs(together[8] - engine.fill(crops[8:], masks[8:])[0]).max() < 1e-4
    assert seen == [(0, 9), (8, 9), (9, 9)]


def test_landmarks_lead_the_result_and_are_reported(shipped):
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    mask = np.zeros((300, 300), bool)
    mask[120:200, 100:220] = True
    first = faceinp.fill(photo, mask, engine="landmark", aligned=True, blending="composite")
    assert first.landmarks.shape == (68, 2)
    again = faceinp.fill(photo, mask, engine="landmark", aligned=True, blending="composite", landmarks=first.landmarks)
    assert np.abs(again.landmarks - first.landmarks).max() < 0.01
    assert np.abs(again.image.astype(int) - first.image).max() <= 1
    points = np.random.default_rng(1).uniform(100, 200, (68, 2))
    moved = faceinp.fill(photo, mask, engine="landmark", aligned=True, blending="composite", landmarks=points)
    assert (moved.image != first.image).any()
    assert np.abs(moved.landmarks - points).max() < 0.01
    assert moved.changed_pixels == 0


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((68, 2), np.nan), np.zeros((1, 68, 2))])
def test_landmarks_that_are_none_get_a_clear_error(shipped, landmarks):
    photo, mask = np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), bool)
    mask[100:150, 100:150] = True
    with pytest.raises(EngineError, match="68 points"):
        faceinp.fill(photo, mask, engine="landmark", aligned=True, landmarks=landmarks)
    with pytest.raises(EngineError, match="not led by landmarks"):
        faceinp.fill(photo, mask, engine="telea", aligned=True, landmarks=np.zeros((68, 2)))


def test_weights_of_another_network_are_refused(shipped):
    with pytest.raises(WeightsError, match="no completion network"):
        faceinp.load_engine("landmark", file=weights.path("landmarks"))


def test_points_go_to_the_crop_and_back():
    quad = np.array([[10.0, 20], [5, 120], [105, 125], [110, 25]])
    points = np.random.default_rng(0).uniform(0, 1, (68, 2))
    assert np.abs(faces.to_crop(faces.to_photo(points, quad), quad) - points).max() < 1e-5
    assert np.abs(faces.to_photo(np.array([[0, 0], [0, 1], [1, 1], [1, 0]]), quad) - quad).max() < 1e-4
