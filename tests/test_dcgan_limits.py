"""Limits of the first paper's losses, measured on few pairs."""

import io
import json
import tarfile
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
pytest.importorskip("webdataset", reason="the extra 'train' is not installed")

from faceinp.engines import search  # noqa: E402
from faceinp.errors import DataError  # noqa: E402
from faceinp.formulas import losses  # noqa: E402
from faceinp.models import weights  # noqa: E402
from faceinp.train import limits  # noqa: E402
from faceinp.train.datasets.data import is_held_back  # noqa: E402


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn pictures that are held back."""
    path = tmp_path_factory.mktemp("shards") / "drawn-train-00.tar"
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for key in islice((f"{n:05d}" for n in count() if is_held_back(f"{n:05d}")), 4):
            encoded = io.BytesIO()
            pixels = rng.integers(0, 255, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(encoded, "webp", lossless=True)
            for suffix, content in (("webp", encoded.getvalue()), ("json", b"{}")):
                entry = tarfile.TarInfo(f"{key}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return path


def measured(shard: Path, folder: Path, **options: Any) -> dict[str, Any]:
    out = folder / "own" / "limits.json"
    found = limits.measure(limits.LimitsRun((str(shard),), out=str(out), pictures=4, samples=12, **options))
    assert search.load_limits(out) == found and out.with_suffix(".png").is_file()
    about: dict[str, Any] = json.loads(out.read_text())
    return about


def test_limits_are_three_deviations_around_the_mean(shard: Path, tmp_path: Path) -> None:
    shipped = {file: file.stat().st_mtime_ns for file in weights.folder().iterdir()}
    about = measured(shard, tmp_path)
    for name in ("ssim", "l1"):
        mean, deviation = about[name]["mean"], about[name]["deviation"]
        low, high = (about["limits"][f"{name}_{end}"] for end in ("min", "max"))
        assert (low, high) == (pytest.approx(mean - 3 * deviation), pytest.approx(mean + 3 * deviation))
    assert about.keys() == {"limits", "ssim", "l1", "pictures", "samples", "seed"}  # as the shipped file's
    assert {file: file.stat().st_mtime_ns for file in weights.folder().iterdir()} == shipped
    assert Path(limits.LimitsRun().out).parts[0] == "runs"


def test_each_reading_is_measured_as_it_says(shard: Path, tmp_path: Path) -> None:
    prior = search.Prior.load()
    samples = prior.generator(prior.latents(12, 0))
    plain = measured(shard, tmp_path)
    everything = measured(shard, tmp_path, pairs="all")
    windowed = measured(shard, tmp_path, window="11")
    masked = measured(shard, tmp_path, mask="random-20")
    assert everything["pairs"] == "all" and windowed["window"] == "11" and masked["mask"] == "random-20"
    _, held_back = limits.data.load((str(shard),), 64).split()
    pictures = held_back.pictures.float() / 255
    pairs = [(picture[None], sample[None]) for picture in pictures for sample in samples]
    assert everything["l1"]["mean"] == pytest.approx(np.mean([float(losses.l1_distance(*pair)) for pair in pairs]))
    assert everything["ssim"]["mean"] == pytest.approx(np.mean([float(losses.ssim(*pair)) for pair in pairs]), abs=1e-5)
    assert windowed["l1"] == plain["l1"] and windowed["ssim"] != plain["ssim"]
    assert masked["l1"]["mean"] == pytest.approx(0.8 * plain["l1"]["mean"], rel=0.03)
    assert masked["ssim"]["mean"] > plain["ssim"]["mean"]  # both pictures are black in the hole


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pairs": "some"}, "Choose one, all"),
        ({"window": "9"}, "Choose whole, 11, 8"),
        ({"mask": "7"}, "Unknown mask '7'"),
        ({"mask": "hat"}, "Unknown mask 'hat'"),
        ({"samples": 2, "pictures": 4}, "Raise --samples"),
        ({"pictures": 5}, "Give more shards"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(shard: Path, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        limits.measure(limits.LimitsRun((str(shard),), out=str(tmp_path / "x.json"), **options))
