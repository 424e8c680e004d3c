"""How a training starts, goes on and ends where something is wrong or small: settings, memory, processes, disks."""

import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError

from faceinp.cli.main import main
from faceinp.errors import DataError, WeightsError
from faceinp.mask import presets
from faceinp.models import weights
from faceinp.train import checkpoints, completion, dcgan, journal, loop
from faceinp.train.datasets import data, stored

pytest.importorskip("webdataset")

SIDE = 48


def write(path: Path, count: int, side: int = SIDE, **changes: object) -> Path:
    """A shard of drawn faces with points."""
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            encoded = io.BytesIO()
            pixels = np.full((side, side, 3), rng.integers(0, 255, 3), np.uint8)
            pixels[side // 3 :, side // 4 : side // 2] = rng.integers(0, 255, 3)
            Image.fromarray(pixels).save(encoded, "webp", lossless=True)
            points = presets.average_points(side).tolist()
            about = {"points": points, "size": side, "identity": number // 2, "source": "drawn"} | changes
            # As some tools write them: the JSON first.
            for suffix, content in (("json", json.dumps(about).encode()), ("webp", encoded.getvalue())):
                entry = tarfile.TarInfo(f"a.folder/{number:06d}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("shards") / "drawn-train-00.tar", 30)


def config(shard: Path, out: Path, **changes: object) -> dcgan.DcganRun:
    settings = {"steps": 4, "batch": 4, "width": 8, "precision": "fp32", "threads": 1, "save_every": 2} | changes
    return dcgan.DcganRun(data=(str(shard),), out=str(out), **settings)  # type: ignore[arg-type]


# ---- pictures that memory does not hold ----


@pytest.mark.parametrize("size", [SIDE, 32, 64])
def test_pictures_decoded_when_drawn_are_those_decoded_at_the_start(shard: Path, size: int) -> None:
    kept, drawn = (data.load(str(shard), size, decode=when) for when in ("start", "use"))
    assert isinstance(drawn.pictures, stored.Stored) and drawn.pictures.shape == kept.pictures.shape
    assert (drawn.keys, drawn.identities, drawn.sources) == (kept.keys, kept.identities, kept.sources)
    assert torch.equal(drawn.points, kept.points)
    chosen = torch.tensor([7, 0, 7, 29])
    for index in (chosen, chosen.tolist(), slice(3, 9), 5, slice(0, 0), torch.arange(30) > 20):
        assert torch.equal(drawn.pictures[index], kept.pictures[index])
    for mine, theirs in zip(drawn.split(), kept.split(), strict=True):
        assert isinstance(mine.pictures, stored.Stored) and torch.equal(mine.pictures[:], theirs.pictures)
    batch = {"size": 5, "seed": 1, "step": 2}
    assert torch.equal(drawn.batch(**batch), kept.batch(**batch))


def test_shards_whose_json_says_no_size_have_their_points_wherever_pictures_lie(tmp_path: Path) -> None:
    points = presets.average_points(SIDE).tolist()
    path = write(tmp_path / "a.tar", 3, points=points)
    with tarfile.open(path) as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        for member in old:
            content = old.extractfile(member).read()  # type: ignore[union-attr]
            if member.name.endswith("json"):
                content = json.dumps({"points": json.loads(content)["points"]}).encode()
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    kept, drawn = (data.load(str(tmp_path / "b.tar"), 32, decode=when) for when in ("start", "use"))
    assert torch.equal(drawn.points, kept.points)


def test_compressed_shards_are_read_at_the_start(shard: Path, tmp_path: Path) -> None:
    packed = tmp_path / "faces.tar.gz"
    packed.write_bytes(gzip.compress(shard.read_bytes()))
    assert torch.equal(data.load(str(packed), 32, decode="auto").pictures, data.load(str(shard), 32).pictures)


def test_a_step_is_the_same_wherever_pictures_lie(shard: Path, tmp_path: Path) -> None:
    given = {
        "steps": 1,
        "batch": 2,
        "width": 8,
        "side": 64,
        "precision": "fp32",
        "threads": 1,
        "network": "small",
        "predicted": 0.0,
    }
    for when in ("start", "use"):
        out = tmp_path / when
        completion.train(completion.CompletionRun(data=(str(shard),), out=str(out), decode=when, **given))  # type: ignore[arg-type]
    first, second = (weights.read_tensors(tmp_path / when / checkpoints.CHECKPOINT)[1] for when in ("start", "use"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_memory_decides_and_processes_count(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = 30 * 3 * 64 * 64
    monkeypatch.setattr(stored, "free_memory", lambda: 2 * decoded)
    assert isinstance(data.load(str(shard), 64, decode="auto").pictures, torch.Tensor)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert isinstance(data.load(str(shard), 64, decode="auto").pictures, stored.Stored)
    assert isinstance(data.load(str(shard), 64, decode="start").pictures, torch.Tensor)


def test_a_limit_of_the_process_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 20, resource.RLIM_INFINITY))
    assert stored.free_memory() == 1 << 20


@pytest.mark.process
@pytest.mark.slow
def test_more_than_memory_holds_is_trained_on(tmp_path: Path) -> None:
    """2,500 pictures, 1.9 GB decoded at 512, in a process that may have 1.5 GB."""
    write(tmp_path / "drawn-train-00.tar", 2500, side=64)
    code = (
        "import resource, sys\n"
        "from faceinp.train import completion\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1500 << 20, 1500 << 20))\n"
        "given = dict(steps=1, batch=1, width=8, side=512, precision='fp32', threads=1, network='small')\n"
        "given |= dict(predicted=0.0, data=(sys.argv[1],), out=sys.argv[2], decode=sys.argv[3])\n"
        "completion.train(completion.CompletionRun(**given))\n"
    )
    for when, works in (("auto", True), ("start", False)):
        command = [sys.executable, "-c", code, str(tmp_path / "drawn-train-00.tar"), str(tmp_path / when), when]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (tmp_path / when / checkpoints.CHECKPOINT).exists() == works, done.stderr[-2000:]


def test_shards_elsewhere_and_compressed_ones_are_named(tmp_path: Path, shard: Path) -> None:
    with pytest.raises(DataError, match="is no local file"):
        data.load("pipe:cat nothing", 32, decode="use")
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        tar.add(shard)
    with pytest.raises(DataError, match="uncompressed tar"):
        data.load(str(tmp_path / "a.tar"), 32, decode="use")


# ---- going on with a run ----


def test_other_settings_are_named_and_other_networks_refused(shard: Path, tmp_path: Path) -> None:
    begun = config(shard, tmp_path / "run")
    dcgan.train(begun)
    with pytest.raises(
        WeightsError, match=r"begun with --width 8 \(now 16\)\. Give its settings \(--config .*settings"
    ):
        dcgan.train(replace(begun, resume=True, width=16))
    said: list[str] = []
    faces, _ = data.load(str(shard), 64).split()
    on = replace(begun, resume=True, steps=6, rate=begun.rate / 2, minutes=5.0, log_every=1)
    loop.train(dcgan.DcganTask(on, faces), on, said.append)
    told = f"note: going on with other settings; the run was begun with --steps 4 (now 6), --rate {begun.rate} (now"
    assert any(line.startswith(told) for line in said) and not any("minutes" in line for line in said)
    said.clear()
    loop.train(dcgan.DcganTask(on, faces), replace(on, steps=6), said.append)
    assert not any("note" in line for line in said)


def test_a_checkpoint_that_is_gone_or_damaged_is_named(
    shard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = config(shard, tmp_path, steps=1)
    dcgan.train(begun)
    file = tmp_path / checkpoints.CHECKPOINT
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is damaged and cannot be resumed"):
        dcgan.train(replace(begun, resume=True))
    file.unlink()
    assert "note:" not in capsys.readouterr().out
    dcgan.train(replace(begun, resume=True))
    assert f"{tmp_path} holds no {file.name} to resume: the run begins at step 0" in capsys.readouterr().out


def test_a_file_is_no_folder(shard: Path, tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(DataError, match="cannot be made a folder"):
        dcgan.train(config(shard, tmp_path / "run"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left")])
def test_a_full_disk_is_a_sentence_and_what_was_saved_stays(
    error: Exception, shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = config(shard, tmp_path, steps=2)
    dcgan.train(begun)
    before = (tmp_path / checkpoints.CHECKPOINT).read_bytes()

    def full(tensors: object, path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(DataError, match=r"No space left.*free some space, then --resume"):
        dcgan.train(replace(begun, steps=4, resume=True))
    assert (tmp_path / checkpoints.CHECKPOINT).read_bytes() == before and not list(tmp_path.glob(".faceinp-*"))


# ---- several processes ----


TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node=2")
ACCELERATE = ("accelerate.commands.launch", "--cpu", "--num_processes=1")


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "told"), [(TORCHRUN, "2 processes"), (ACCELERATE, "cpu, fp32, batch 4")])
def test_launchers_without_a_gpu_train_one_network(
    launcher: tuple[str, ...], told: str, shard: Path, tmp_path: Path
) -> None:
    arguments = ["--data", str(shard), "--out", str(tmp_path), "--steps", "2", "--batch", "4", "--width", "8"]
    command = [sys.executable, "-m", *launcher, "-m", "faceinp", "train", "dcgan", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--precision", "fp32", "--threads", "1", "--log-every", "1"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("dcgan: step 0 of 2") == 1 and told in done.stdout
    assert [json.loads(line)["step"] for line in (tmp_path / journal.LOG).read_text().splitlines()] == [1, 2]


# ---- the judge's teacher ----


def test_a_teacher_without_its_map_is_told_which_there_are(
    shard: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "embedding", "--data", str(shard), "--out", str(tmp_path / "run"), "--steps", "1"]
    assert main([*command, "--teacher", str(teacher)]) == DataError.exit_code
    assert "Name the map to imitate with --teacher-map" in capsys.readouterr().err
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    assert main([*command, "--teacher", str(tmp_path / "no.onnx")]) == DataError.exit_code
    assert "cannot be read as an ONNX file" in capsys.readouterr().err
