"""The training loop on tiny shards: what it writes, and that nothing is lost when it is killed."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.strategies import floats, sampled_from
from PIL import Image

from faceinp.errors import DataError, WeightsError
from faceinp.models import weights
from faceinp.nets.dcgan import Generator
from faceinp.train import checkpoints, dcgan, journal, loop, pack
from faceinp.train.datasets import data


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """40 drawn faces of 32 x 32, two of each person."""
    path = tmp_path_factory.mktemp("shards") / "drawn-train-00.tar"
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for n in range(40):
            pixels = np.full((32, 32, 3), rng.integers(0, 255, 3), np.uint8)
            pixels[8:24, 10:22] = rng.integers(0, 255, 3)
            encoded = io.BytesIO()
            Image.fromarray(pixels).save(encoded, "webp", lossless=True)
            about = {"points": [[n, 1]] * 68, "size": 32, "identity": n // 2, "source": "drawn", "native": 32}
            for suffix, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{n:05d}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return path


def config(shard, out, **changes):
    settings = {"steps": 6, "batch": 4, "width": 8, "precision": "fp32", "threads": 1, "save_every": 2}
    return dcgan.DcganRun(data=(str(shard),), out=str(out), **{**settings, **changes})


def test_a_run_leaves_checkpoint_log_curves_and_previews(shard, tmp_path):
    dcgan.train(config(shard, tmp_path / "run", log_every=2, preview_every=3))
    metadata, tensors = weights.read_tensors(tmp_path / "run" / checkpoints.CHECKPOINT)
    assert metadata["step"] == "6"
    assert json.loads(metadata["config"])["width"] == 8
    assert any(name.startswith("generator.average/") for name in tensors)
    lines = [json.loads(line) for line in (tmp_path / "run" / journal.LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert {"generator", "discriminator", "pictures_per_second"} <= lines[0].keys()
    assert Image.open(tmp_path / "run" / "previews" / "0000006.png").size == (512, 512)
    assert (tmp_path / "run" / "curves.png").stat().st_size > 1000


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(shard, tmp_path):
    dcgan.train(config(shard, tmp_path / "whole"))
    dcgan.train(config(shard, tmp_path / "parts", steps=4))
    dcgan.train(config(shard, tmp_path / "parts", resume=True))
    _, whole = weights.read_tensors(tmp_path / "whole" / checkpoints.CHECKPOINT)
    _, parts = weights.read_tensors(tmp_path / "parts" / checkpoints.CHECKPOINT)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_run_is_not_written_over_by_accident(shard, tmp_path):
    dcgan.train(config(shard, tmp_path, steps=1))
    with pytest.raises(DataError, match="--resume"):
        dcgan.train(config(shard, tmp_path))


@pytest.mark.slow
def test_kill_9_loses_only_the_steps_since_the_last_checkpoint(shard, tmp_path):
    script = (
        "from faceinp.train import dcgan\n"
        f"dcgan.train(dcgan.DcganRun(data=({str(shard)!r},), out={str(tmp_path)!r}, steps=100000, batch=2, width=8,"
        " precision='fp32', threads=1, save_every=1, log_every=1000, preview_every=100000, resume=True))\n"
    )
    checkpoint, steps = tmp_path / checkpoints.CHECKPOINT, []
    for _ in range(3):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"})
        deadline = time.monotonic() + 120
        while not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
            assert process.poll() is None, "the training ended by itself"
            assert time.monotonic() < deadline, "no checkpoint in two minutes"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)  # at a moment nobody chose: often in the middle of a write
        process.wait()
        metadata, _ = weights.read_tensors(checkpoint)
        steps.append(int(metadata["step"]))
    assert steps == sorted(set(steps)), "every run went on from the one before"


def test_shipped_weights_are_a_start_for_a_new_run(shard, tmp_path):
    dcgan.train(config(shard, tmp_path / "first", steps=2))
    packed = pack.pack(tmp_path / "first", tmp_path / "weights" / "dcgan.safetensors", batches=1)
    task = dcgan.DcganTask(config(shard, ""), data.load(str(shard), 64))
    checkpoints.load_networks(task, str(packed))
    _, shipped = weights.read_tensors(packed)
    for name, value in task.networks["generator"].state_dict().items():
        assert torch.equal(value.float(), shipped[f"generator/{name}"].float())
    dcgan.train(config(shard, tmp_path / "second", steps=1, init=str(packed)))


def test_packed_weights_are_half_precision_with_statistics_of_their_own(shard, tmp_path):
    dcgan.train(config(shard, tmp_path / "run", steps=2))
    packed = pack.pack(tmp_path / "run", tmp_path / "weights" / "dcgan.safetensors", batches=4)
    metadata, tensors = weights.read_tensors(packed)
    assert {value.dtype for value in tensors.values() if value.is_floating_point()} == {torch.float16}
    generator = Generator(**json.loads(metadata["config"]))
    generator.load_state_dict(weights.under(tensors, "generator/"))
    first = generator.layers[0](dcgan.latents(512, 100, 9)[:, :, None, None])
    assert torch.allclose(first.var(dim=(0, 2, 3)), generator.layers[1].running_var, rtol=0.2)


@given(
    values=arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=6), elements=floats(-1e3, 1e3, width=32)),
    size=sampled_from((1e-4, 1.0)),
)
def test_eight_bits_are_off_by_half_a_step_of_the_channel_at_most(values, size):
    layer = torch.from_numpy(values * np.float32(size))
    kept = weights.in_eight_bits({"weight": layer, "bias": layer[:, 0].flatten(), "steps": torch.tensor(7)})
    types = {"weight": torch.int8, "weight:scale": torch.float16, "bias": torch.float32, "steps": torch.int64}
    assert {name: value.dtype for name, value in kept.items()} == types
    read = weights.floats(kept)
    assert read.keys() == {"weight", "bias", "steps"} and read["weight"].shape == layer.shape
    largest = layer.abs().flatten(1).amax(1)
    error = (read["weight"] - layer).abs().flatten(1).amax(1)
    assert (error <= 0.51 * largest / 127 + 2**-15).all()
    assert torch.equal(weights.in_eight_bits(read)["weight"], kept["weight"]), "once rounded, it stays"


def test_packing_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"checkpoint\.safetensors"):
        pack.pack(tmp_path, tmp_path / "out.safetensors")


def test_damaged_weights_are_named(tmp_path):
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00notjson!")
    with pytest.raises(WeightsError, match=r"broken\.safetensors"):
        weights.read_tensors(file)


def test_the_held_back_slice_keeps_persons_whole_and_depends_on_names_alone(shard):
    faces = data.load(str(shard), 32)
    train, held = faces.split()
    assert len(train) + len(held) == 40
    assert not set(train.identities) & set(held.identities)
    shares = np.mean([data.is_held_back(f"person {n}") for n in range(20_000)])
    assert shares == pytest.approx(data.HELD_BACK_SHARE, abs=0.005)


def test_loaded_faces_are_the_shards(shard):
    faces = data.load(str(shard), 64, limit=5)
    assert faces.pictures.shape == (5, 3, 64, 64)
    assert faces.pictures.dtype == torch.uint8
    assert faces.keys[3] == "00003"
    assert torch.allclose(faces.points[3], torch.tensor([[3 / 32, 1 / 32]] * 68))
    with pytest.raises(DataError, match="No shard matches"):
        data.load(str(shard) + ".nowhere", 64)


def test_a_folder_stands_for_its_shards_where_all_are_for_one_purpose(tmp_path):
    for name in ("b-train-1.tar", "b-train-0.tar", "notes.txt"):
        (tmp_path / name).touch()
    assert data.shard_urls(str(tmp_path)) == [str(tmp_path / f"b-train-{n}.tar") for n in (0, 1)]
    (tmp_path / "b-val-0.tar").touch()
    with pytest.raises(DataError, match=r"to train on and shards to measure on"):
        data.shard_urls([str(tmp_path)])


def test_of_a_few_names_one_is_held_back():
    few = [name for name in map(str, range(20)) if not data.is_held_back(name)]
    assert data.held_back([*few, *few]) == 2 * data.held_back(few) and sum(data.held_back(few)) == 1
    many = [str(n) for n in range(2000)]
    assert data.held_back(many) == [data.is_held_back(name) for name in many]
    assert data.held_back(["1", "1"]) == [False, False], "or nothing would be left to train on"


def test_batches_come_from_seed_step_and_rank_alone(shard):
    faces = data.load(str(shard), 32)
    a = faces.batch(8, seed=1, step=5)
    assert torch.equal(a, faces.batch(8, seed=1, step=5))
    assert not torch.equal(a, faces.batch(8, seed=1, step=6))
    assert not torch.equal(a, faces.batch(8, seed=1, step=5, rank=1))


def test_auto_precision_leaves_the_networks_as_they_were(shard, tmp_path):
    said = []
    faces = data.load(str(shard), 64)
    settings = config(shard, tmp_path / "auto", steps=2, precision="auto")
    loop.train(dcgan.DcganTask(settings, faces), settings, said.append)
    assert "fp32" in said[0] and "bf16" in said[0]
    chosen = "bf16" if ", bf16," in said[1] else "fp32"
    settings = config(shard, tmp_path / "told", steps=2, precision=chosen)
    loop.train(dcgan.DcganTask(settings, faces), settings, said.append)
    _, auto = weights.read_tensors(tmp_path / "auto" / checkpoints.CHECKPOINT)
    _, told = weights.read_tensors(tmp_path / "told" / checkpoints.CHECKPOINT)
    assert all(torch.equal(auto[name], told[name]) for name in auto)


def test_sources_are_drawn_by_the_square_root_of_their_size():
    pictures = torch.zeros(1000, 3, 1, 1, dtype=torch.uint8)
    sources = ("large",) * 900 + ("small",) * 100
    keys = tuple(map(str, range(1000)))
    faces = data.Faces(pictures, torch.zeros(1000, 68, 2), (None,) * 1000, keys, sources)
    chosen = faces.choose(20_000, np.random.default_rng(0))
    assert chosen.min() == 0 and chosen.max() == 999
    assert (chosen >= 900).float().mean().item() == pytest.approx(1 / (1 + 3), abs=0.02)
    part = faces.subset(range(890, 1000))
    assert part.sources == sources[890:]
    assert (part.choose(20_000, np.random.default_rng(0)) < 10).float().mean().item() == pytest.approx(0.24, abs=0.02)
    unknown = data.Faces(pictures, torch.zeros(1000, 68, 2), (None,) * 1000, keys)
    assert (unknown.choose(20_000, np.random.default_rng(0)) >= 900).float().mean().item() == pytest.approx(
        0.1, abs=0.01
    )


def test_loaded_faces_know_their_sources(shard):
    assert set(data.load(str(shard), 32).sources) == {"drawn"}


def test_a_run_can_end_by_time_over_all_its_parts(shard, tmp_path, monkeypatch):
    clock = iter(np.arange(0.0, 1e6, 10.0))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    faces = data.load(str(shard), 64)
    said = []

    class Task(dcgan.DcganTask):
        def step(self, step, rank, context):
            said.append(context.progress)
            return super().step(step, rank, context)

    settings = config(shard, tmp_path / "timed", steps=10_000, schedule_minutes=10, minutes=2)
    loop.train(Task(settings, faces), settings, lambda _: None)
    assert 0 < said[-1] < 0.5, "stopped after two of ten minutes"
    before = said[-1]
    resumed = replace(settings, resume=True, minutes=0)
    loop.train(Task(resumed, faces), resumed, lambda _: None)
    assert said == sorted(said) and before < said[-1], "goes on where it was"
    assert said[-1] > 0.9
    assert int(weights.read_tensors(tmp_path / "timed" / checkpoints.CHECKPOINT)[0]["step"]) < 1000
