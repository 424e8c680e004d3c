"""Training of the landmark-guided network: what it is shown, a run from start to engine, and what is remembered."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import faceinp
from faceinp.errors import DataError, WeightsError
from faceinp.models import weights
from faceinp.nets.points import MIRROR
from faceinp.train import checkpoints, journal, loop, opponents, pack
from faceinp.train.augmentation import views
from faceinp.train.augmentation.colours import recolour
from faceinp.train.completion import CompletionRun, CompletionTask
from faceinp.train.datasets import data


@pytest.fixture
def some_faces():
    rng = np.random.default_rng(1)
    pictures = torch.from_numpy(rng.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8))
    points = torch.from_numpy(np.random.default_rng(0).uniform(0.2, 0.8, (3, 68, 2)).astype(np.float32))
    return data.Faces(pictures, points.repeat(4, 1, 1), (None,) * 12, tuple(f"face{n}" for n in range(12)))


def test_mirrored_faces_keep_their_points_on_the_face(some_faces):
    """Each picture is dark but for the left outer eye corner, which is where its point says, mirrored or not."""
    pictures = torch.zeros_like(some_faces.pictures)
    for picture, (x, y) in zip(pictures, (some_faces.points[:, 36] * 32).long().tolist(), strict=True):
        picture[:, y, x] = 255
    marked = data.Faces(pictures, some_faces.points, some_faces.identities, some_faces.keys)
    shown, points = views.drawn(marked, 64, (0, 1, 2), torch.device("cpu"))
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
        return views.drawn(some_faces, 64, seed, torch.device("cpu"), share)

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


def test_a_run_learns_is_packed_and_fills(tmp_path, some_faces, small_weights):
    config = CompletionRun(
        data=("-",), out=str(tmp_path / "run"), steps=12, batch=4, side=32, width=8, patch_width=4, predicted=0,
        look=24, adversarial=0.01, matching=1.0, variation=0.01, checkerboard=1.0, precision="fp32", preview_every=12,
        rate=3e-3,
    )  # fmt: skip
    checkpoint = loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
    lines = [json.loads(line) for line in (tmp_path / "run" / journal.LOG).read_text().splitlines()]
    patch = {"discriminator", "discriminator_adversarial", "discriminator_matching"}
    assert {"loss", "hole", "variation", "checkerboard"} | patch <= set(lines[0])
    assert lines[-1]["held_back"] > 0
    assert checkpoint.is_file() and (tmp_path / "run" / checkpoints.BEST).is_file()
    assert list((tmp_path / "run" / "previews").iterdir())
    file = pack.pack(tmp_path / "run", tmp_path / "packed.safetensors")
    engine = faceinp.load_engine("landmark", {"file": file})
    assert engine.taught_by == ()
    crops, masks = np.full((2, 3, 256, 256), 0.5, np.float32), np.zeros((2, 1, 256, 256), bool)
    masks[:, :, 100:150, 100:150] = True
    assert engine.fill(crops, masks).shape == crops.shape
    task = CompletionTask(config, some_faces, some_faces)
    checkpoints.load_networks(task, str(file))  # --init takes what was packed, discriminator and all


def test_a_run_draws_its_holes_from_masks_and_remembers_them(tmp_path, some_faces):
    mask = np.zeros((32, 32), np.uint8)
    mask[:8, :20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    config = CompletionRun(
        out=str(tmp_path / "run"), steps=1, batch=4, side=32, width=8, predicted=0, precision="fp32",
        masks=str(tmp_path / "mask.png"), mask_hole="black", masks_share=1,
    )  # fmt: skip
    task = CompletionTask(config, some_faces, some_faces)
    assert (task.draw((0, 0, 0), torch.device("cpu"))["hole"].sum((1, 2, 3)) == 32 * 32 - 160).all()
    checkpoint = loop.train(task, config, say=lambda _: None)
    kept = json.loads(weights.read_tensors(checkpoint)[0]["config"])
    assert (kept["masks"], kept["mask_hole"], kept["masks_share"]) == (str(tmp_path / "mask.png"), "black", 1)


def test_two_runs_are_packed_as_one_network(tmp_path, some_faces, small_weights):
    def ran(name, **settings):
        config = CompletionRun(
            out=str(tmp_path / name), steps=2, batch=4, side=32, patch_width=4, predicted=0, precision="fp32",
            **{"width": 8, **settings},
        )  # fmt: skip
        loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
        return tmp_path / name

    coarse = pack.pack(ran("a", seed=1), tmp_path / "coarse.safetensors")
    both = pack.pack(ran("b"), tmp_path / "both.safetensors", coarse=coarse)
    config, tensors = weights.read_packed(both)
    assert config["network"] == "coarse-to-fine"
    half = weights.with_prefix(weights.read_packed(coarse)[1], "generator/")
    assert all(torch.equal(tensors[f"generator/coarse.{name}"], value) for name, value in half.items())
    again = pack.pack(ran("c", network="coarse-to-fine", init=str(both)), tmp_path / "again.safetensors", coarse=coarse)
    assert set(weights.read_packed(again)[1]) == set(tensors)
    with pytest.raises(DataError, match="do not form one network"):
        pack.pack(ran("d", width=16), tmp_path / "d.safetensors", coarse=coarse)


def test_a_discriminator_of_another_size_starts_anew_and_another_generator_is_refused(tmp_path, some_faces):
    def task(**settings):
        config = CompletionRun(
            out=str(tmp_path / "run"), steps=1, batch=2, side=32, predicted=0, precision="fp32",
            adversarial=0.01, **{"width": 8, "patch_width": 4, **settings},
        )  # fmt: skip
        return CompletionTask(config, some_faces, some_faces)

    first = task()
    loop.train(first, first.config, say=lambda _: None)
    file, said = str(pack.pack(tmp_path / "run", tmp_path / "packed.safetensors")), []
    for again, anew in ((task(seed=1), False), (task(seed=1, patch_width=8), True)):
        said.clear()
        checkpoints.load_networks(again, file, said.append)
        assert bool(said) == anew and all("'discriminator'" in line and "starts anew" in line for line in said)
        state = weights.with_prefix(weights.read_packed(file)[1], "generator/")
        assert all(torch.equal(value, state[name]) for name, value in again.networks["generator"].state_dict().items())
    with pytest.raises(WeightsError, match="no 'generator' of this kind and size"):
        checkpoints.load_networks(task(width=16), file, said.append)


def test_a_judge_in_a_loss_is_remembered_by_what_starts_from_there(tmp_path, some_faces, small_weights):
    init = ""
    for name, identity in (("first", 0.1), ("second", 0.0)):
        config = CompletionRun(
            out=str(tmp_path / name), steps=1, batch=4, side=32, width=8, patch_width=4, predicted=0,
            precision="fp32", identity=identity, init=init,
        )  # fmt: skip
        loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
        init = str(pack.pack(tmp_path / name, tmp_path / f"{name}.safetensors"))
        assert weights.read_packed(init)[0]["taught_by"] == ["bundled"]


def test_the_discriminator_looks_at_the_hole_and_its_surroundings():
    hole = torch.zeros(5, 1, 32, 32)
    hole[0, :, 3:5, 28:30] = 1  # near a corner
    hole[1, :, 14:18, 14:18] = 1
    hole[2, :, ::7, ::5] = 1
    hole[3] = 1  # and the last has none
    places = torch.arange(32.0 * 32).view(1, 1, 32, 32).expand(5, -1, -1, -1)

    def looked_at(side, seed):
        at = opponents.squares(hole, side, np.random.default_rng(seed))
        return lambda x: opponents.cut(x, *at)

    seen = looked_at(16, 0)
    for part, cut in zip(seen(hole)[:4], seen(places)[:4], strict=True):
        assert part.any()
        assert (cut[0, 0, 1:] - cut[0, 0, :-1] == 1).all() and (cut[0, 1:, 0] - cut[0, :-1, 0] == 32).all()
    assert torch.equal(seen(places), looked_at(16, 0)(places))
    assert torch.equal(looked_at(32, 1)(places), places)


def test_a_judge_in_a_loss_is_told_by_the_engine(tmp_path, some_faces, small_weights):
    config = CompletionRun(
        out=str(tmp_path / "run"), steps=2, batch=4, side=32, width=8, patch_width=4, predicted=0, identity=0.1,
        traits=0.1, precision="fp32", log_every=1,
    )  # fmt: skip
    loop.train(CompletionTask(config, some_faces, some_faces), config, say=lambda _: None)
    first = json.loads((tmp_path / "run" / journal.LOG).read_text().splitlines()[0])
    assert first["identity"] > 0 and first["traits"] > 0
    engine = faceinp.load_engine("landmark", {"file": pack.pack(tmp_path / "run", tmp_path / "packed.safetensors")})
    assert engine.taught_by == ("bundled",)


def test_an_onnx_file_is_a_judge_in_a_loss_and_is_told_by_its_name(tmp_path, some_faces, small_weights, onnx_file):
    pytest.importorskip("onnx2torch")
    judge = shutil.copy(onnx_file, tmp_path)
    about = {"size": [112, 112], "box": [0, 0, 1, 1], "mean": [0] * 3, "std": [1] * 3, "scale": 1}
    Path(judge).with_suffix(".onnx.json").write_text(json.dumps(about))
    config = CompletionRun(
        out=str(tmp_path / "run"), steps=60, batch=4, side=32, width=8, patch_width=4, predicted=0, precision="fp32",
        hole=0, identity=1, judge=judge, blur=2, rate=4e-3, disturbed=0, dropped=0,
    )  # fmt: skip
    plain = replace(some_faces, pictures=some_faces.pictures[..., :1, :1].expand(-1, -1, 32, 32))
    task = CompletionTask(config, plain, plain)
    before = task.validate(task.networks)["held_back"]
    loop.train(task, config, say=lambda _: None)
    assert task.validate(task.networks)["held_back"] < 0.97 * before
    file = pack.pack(tmp_path / "run", tmp_path / "packed.safetensors")
    assert faceinp.load_engine("landmark", {"file": file}).taught_by == ("pooling",)


def test_what_a_judge_sees_is_mirrored_and_blurred_as_its_target_is():
    picture = torch.rand(2, 3, 32, 32)
    mirrored, spread = [], []
    for step in range(8):
        rng = np.random.default_rng(step)
        shown = torch.tensor([rng.random() < 0.5]), torch.tensor([rng.uniform(0.01, 2)])
        seen, target = views.disturbed((picture, picture), 2, *shown)
        assert torch.equal(seen, target)
        assert seen.mean().item() == pytest.approx(picture.mean().item(), abs=0.02)
        mirrored.append((seen - picture).abs().mean() > (seen - picture.flip(-1)).abs().mean())
        spread.append(seen.std() / picture.std())
        (sharp,) = views.disturbed([picture], 0, *shown)
        assert torch.equal(sharp, picture.flip(-1) if mirrored[-1] else picture)
    assert 0 < sum(mirrored) < 8
    assert max(spread) <= 1 and min(spread) < 0.4


@pytest.mark.parametrize("judge", ("auto", "dlib"))
def test_a_judge_that_cannot_be_in_a_loss_is_refused(judge, some_faces):
    with pytest.raises(DataError, match="bundled, facenet or an ONNX file"):
        CompletionTask(CompletionRun(side=32, predicted=0, identity=0.1, judge=judge), some_faces, some_faces)


def test_a_weight_of_0_leaves_its_network_out(some_faces):
    task = CompletionTask(CompletionRun(side=32, width=8, patch_width=4, batch=4, predicted=0), some_faces, some_faces)
    terms = task.step(0, 0, loop.Context(_accelerator(), "fp32"))
    assert set(terms) == {"loss", "hole"}


def _accelerator():
    from accelerate import Accelerator

    return Accelerator(cpu=True)
