"""The papers' recipes from the shell, on drawn faces and the smallest networks; snapshots, and TensorBoard."""

import importlib.util
import json
import tomllib
from pathlib import Path

import drawn_shards
import pytest
import torch
from safetensors.torch import save_file

import faceinp
from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.models import weights
from faceinp.nets.features import TorchvisionFeatures
from faceinp.train import journal, pack, settings

pytest.importorskip("webdataset")


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_shards.write(tmp_path_factory.mktemp("shards") / "drawn-train-00.tar", 60, 64)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under torchvision's names of VGG-19's layers."""
    torch.manual_seed(0)
    state = {name: value.half() for name, value in TorchvisionFeatures("vgg19", (34,)).state_dict().items()}
    save_file(state, file := tmp_path_factory.mktemp("features") / "vgg19.safetensors")
    return file


@pytest.fixture(scope="module")
def facenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FaceNet of random weights."""
    from facenet_pytorch import InceptionResnetV1

    torch.manual_seed(0)
    save_file(InceptionResnetV1().state_dict(), file := tmp_path_factory.mktemp("judges") / "facenet.safetensors")
    return file


COMPLETION = {"side": 32, "width": 8, "patch_width": 4, "batch": 2}
SMALLEST = {"dcgan": {"width": 8, "batch": 4}, "landmarks": {"batch": 2}, "completion": COMPLETION}


@pytest.mark.parametrize(
    ("training", "recipe"),
    [(training, recipe) for training in SMALLEST for recipe in settings.recipes(training)],
)
def test_a_recipe_runs_from_the_shell(
    training: str,
    recipe: str,
    shard: Path,
    vgg: Path,
    facenet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, smallest = tmp_path / "run", SMALLEST[training] | {"steps": 2, "threads": 1}
    if training == "completion":
        smallest |= {"features": str(vgg), "judge_file": str(facenet)}
    flags = [word for name, value in smallest.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert main(["train", training, "--data", str(shard), "--out", str(out), "--recipe", recipe, *flags]) == 0
    said = capsys.readouterr().err
    assert f"recipe {recipe}: " in said and "open: " in said
    (overridden,) = [line for line in said.splitlines() if line.startswith("differs: not as in the recipe: ")]
    assert "--batch" in overridden and "--out" not in overridden and "--steps 2" in overridden
    kept = tomllib.loads((out / settings.FILE).read_text())["settings"]
    printed = tomllib.loads((settings.RECIPES / f"{recipe}.toml").read_text())[training]
    values = {name: value for name, value in printed.items() if name not in (settings.OPEN, settings.DIFFERS)}
    assert kept == kept | values | smallest
    terms = json.loads((out / journal.LOG).read_text().splitlines()[0])
    expected = {
        "lafin": {"hole", "perceptual", "style", "variation", "discriminator_adversarial"},
        "zou-landmark-identity": {"squared", "perceptual", "identity", "discriminator_adversarial"},
    }
    assert training != "completion" or expected[recipe] <= {name for name, value in terms.items() if value > 0}
    file = pack.pack(out, tmp_path / "packed.safetensors", **({"batches": 1} if training == "dcgan" else {}))
    if training == "landmarks":
        assert weights.read_packed(file)[0] == {"network": "mobilenetv2"}
    if training == "completion":
        assert weights.read_packed(file)[0]["taught_by"] == (["facenet"] if "identity" in recipe else [])


def run(shard: Path, out: Path, **settings: object) -> list[str]:
    given = {"steps": 6, "batch": 4, "width": 8, "threads": 1, "precision": "fp32", "log-every": 2, **settings}
    flags = [word for name, value in given.items() for word in (f"--{name}", *([str(value)] if value != "" else []))]
    return ["--data", str(shard), "--out", str(out), *flags]


def test_snapshots_stay_and_are_packed_by_their_step(
    shard: Path, tmp_path: Path, small_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = run(shard, tmp_path / "run", side=32, predicted=0, adversarial=0.1, **{"patch-width": 4, "keep-every": 2})
    assert main(["train", "completion", *flags]) == 0
    at = {}
    for step in (2, 4):
        file = tmp_path / f"{step}.safetensors"
        assert main(["weights", "pack", str(tmp_path / "run"), "--at", str(step), "-o", str(file)]) == 0
        metadata, at[step] = weights.read_tensors(file)
        assert metadata["steps"] == str(step) and any(name.startswith("discriminator/") for name in at[step])
        assert faceinp.load_engine("landmark", {"file": file}).guided
    assert any(not torch.equal(value, at[4][name]) for name, value in at[2].items())
    assert main(["weights", "pack", str(tmp_path / "run"), "--at", "3", "-o", str(tmp_path / "x")]) != 0
    assert "no snapshot of step 3. Available: 2, 4, 6" in capsys.readouterr().err
    with pytest.raises(DataError, match="--keep-every"):
        pack.pack(tmp_path, tmp_path / "x", at=2)


def test_the_end_of_a_run_is_packed_by_its_step(shard: Path, tmp_path: Path) -> None:
    for name, more in (("kept", {"keep-every": 2}), ("plain", {})):
        assert main(["train", "dcgan", *run(shard, tmp_path / name, **{"steps": 3, **more})]) == 0
        file = pack.pack(tmp_path / name, tmp_path / f"{name}.safetensors", at=3, batches=1)
        assert weights.read_tensors(file)[0]["steps"] == "3"
    assert sorted(file.stem for file in (tmp_path / "kept" / "kept").iterdir()) == ["0000002", "0000003"]
    with pytest.raises(DataError, match=r"no snapshot of step 1\. Available: 2, 3"):
        pack.pack(tmp_path / "kept", tmp_path / "x", at=1)


def test_tensorboard_gets_the_log_and_the_previews(shard: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert main(["train", "dcgan", *run(shard, tmp_path, tensorboard="", **{"preview-every": 3})]) == 0
    events = EventAccumulator(str(tmp_path / journal.BOARD))
    events.Reload()
    lines = [json.loads(line) for line in (tmp_path / journal.LOG).read_text().splitlines()]
    seen = [(event.step, event.value) for event in events.Scalars("generator")]
    assert seen == [(line["step"], pytest.approx(line["generator"])) for line in lines]
    assert [event.step for event in events.Images("preview")] == [3, 6]


def test_without_tensorboard_a_sentence_names_it(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["train", "dcgan", *run(shard, tmp_path, tensorboard="")]) != 0
    assert "faceinp[tensorboard]" in capsys.readouterr().err
