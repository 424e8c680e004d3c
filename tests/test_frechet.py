"""The Frechet distance of generated faces, from files to the table, with small untrained networks."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage.data import astronaut

from faceinp.errors import DataError, WeightsError
from faceinp.evaluate import frechet
from faceinp.formulas import metrics
from faceinp.models import networks, pretrained
from faceinp.nets.dcgan import Generator
from faceinp.nets.squeezenet import SqueezeNet

pytest.importorskip("webdataset")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of 16 cuts of one portrait, an untrained SqueezeNet in fp16 and a packed generator."""
    folder = tmp_path_factory.mktemp("frechet")
    with tarfile.open(folder / "faces.tar", "w") as shard:
        for number in range(16):
            encoded = io.BytesIO()
            Image.fromarray(astronaut()[number * 3 :, 100 + 2 * number :][:200, :200]).save(encoded, "png")
            entry = tarfile.TarInfo(f"{number:03}.png")
            entry.size = len(encoded.getvalue())
            shard.addfile(entry, io.BytesIO(encoded.getvalue()))
            about = tarfile.TarInfo(f"{number:03}.json")
            about.size = 2
            shard.addfile(about, io.BytesIO(b"{}"))
    torch.manual_seed(0)
    save_file(
        {name: value.half() for name, value in SqueezeNet().state_dict().items()}, folder / "squeezenet.safetensors"
    )
    generator = {f"generator/{name}": value for name, value in Generator(8, 4).state_dict().items()}
    config = {"network": "dcgan", "config": json.dumps({"latent": 8, "width": 4})}
    save_file(generator, folder / "dcgan.safetensors", config)
    return folder


def measure(folder: Path, out: Path, **options: int) -> frechet.Distances:
    return frechet.run(
        str(folder / "faces.tar"),
        folder / "squeezenet.safetensors",
        out,
        generator=folder / "dcgan.safetensors",
        side=64,
        say=lambda line: None,
        **options,
    )


def test_noise_is_farther_from_photographs_than_photographs_are(folder: Path, tmp_path: Path) -> None:
    row = measure(folder, tmp_path / "new", samples=5000)
    assert row.pictures == 8  # half of what there is
    assert row.samples > 2 * row.floor > 0
    written = json.loads((tmp_path / "new" / "frechet.json").read_text())
    assert [written[name] for name in ("samples", "floor")] == pytest.approx([row.samples, row.floor], rel=1e-5)
    assert written["pictures"] == 8 and written["seed"] == 0 and written["machine"]
    table = (tmp_path / "new" / "frechet.md").read_text()
    assert f"| 8 samples of dcgan.safetensors | {row.samples:.2f} |" in table and f"| {row.floor:.2f} |" in table
    again = measure(folder, tmp_path, samples=5000)
    assert (again.samples, again.floor) == (row.samples, row.floor)
    assert measure(folder, tmp_path, samples=5000, seed=1).samples != row.samples
    assert measure(folder, tmp_path, samples=4).pictures == 4


def test_features_are_the_last_fires_average(folder: Path) -> None:
    """Batches and both forms of a picture give what one picture alone gives."""
    network = pretrained.squeezenet(folder / "squeezenet.safetensors")
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (frechet.BATCH + 1, 3, 64, 64), np.uint8))
    seen = frechet.features(pictures, network, 64)
    assert seen.shape == (frechet.BATCH + 1, 512)
    with torch.no_grad():
        last = network.features(pictures[-1:] / 255)
    assert last.shape == (1, 512, 3, 3)
    assert np.allclose(seen[-1], last.mean(dim=(2, 3))[0].numpy(), rtol=1e-4, atol=1e-6)
    assert np.allclose(seen[-1:], frechet.features(pictures[-1:].float() / 255, network, 64), rtol=1e-4, atol=1e-6)
    assert metrics.frechet_distance(seen, seen) == pytest.approx(0, abs=1e-6)


def test_wrong_files_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for wrong in (tmp_path / "none.safetensors", tmp_path / "broken.safetensors", folder / "dcgan.safetensors"):
        with pytest.raises(WeightsError, match=wrong.name):
            pretrained.squeezenet(wrong)
    with pytest.raises(WeightsError, match="does not contain the network 'dcgan'"):
        networks.load("dcgan", folder / "squeezenet.safetensors")
    with pytest.raises(DataError):
        measure(folder, tmp_path, samples=1)
