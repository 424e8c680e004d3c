"""The table of engines on masks, on drawn faces, with a judge that sees colours."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from faceinp import identity, metrics, presets
from faceinp.errors import DataError, EngineError
from faceinp.evaluate import frechet, masks
from faceinp.identity import calibration
from faceinp.nets.squeezenet import SqueezeNet
from faceinp.train.data import load as data_of

PEOPLE, PICTURES = 3, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six plain pictures of three people, each person of one colour, with a little noise; points of an average face."""
    where = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    with tarfile.open(where / "drawn-val-00.tar", "w") as tar:
        for number in range(PICTURES):
            colour = np.array([60 + 60 * (number % PEOPLE), 200 - 60 * (number % PEOPLE), 120])
            pixels = (colour + rng.normal(0, 3, (256, 256, 3))).clip(0, 255).astype(np.uint8)
            encoded = io.BytesIO()
            Image.fromarray(pixels).save(encoded, "WEBP", lossless=True)
            points = presets.average_points(256).tolist()
            about = {"points": points, "size": 256, "identity": number % PEOPLE, "source": "drawn", "native": 256}
            for ending, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{number:03}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return where


class Colours(identity.Judge):
    """A face's vector is its mean colour, seen from grey."""

    about = "mean colours"

    def __init__(self, tmp_path):
        file = tmp_path / "colours.bin"
        file.write_bytes(b"none")
        super().__init__("colours", (16, 16), (0.0, 0.0, 1.0, 1.0), file, [])
        near, far = np.linspace(0, 0.2, 100), np.linspace(0.3, 1.5, 1000)
        self.calibration = calibration.fit("colours", self.fingerprint, near, far, data="drawn", people=3, pictures=6)

    def _embed(self, faces):
        return faces.mean(dim=(2, 3)) - 0.5


def test_rows_say_how_near_the_picture_and_the_person(folder, tmp_path):
    said = []
    rows = masks.run(
        str(folder / "*.tar"), tmp_path / "out", ["telea", "mirror"], ["7", "centre"], [Colours(tmp_path)], 5,
        say=said.append, seed=1,
    )  # fmt: skip
    assert [(row.engine, row.mask) for row in rows[1:]] == [
        ("telea", "7"), ("telea", "centre"), ("mirror", "7"), ("mirror", "centre"),
    ]  # fmt: skip
    untouched, first = rows[0], rows[1]
    assert untouched.engine == "untouched" and untouched.other["colours"].mean == 1.0
    assert first.psnr.mean > 35  # plain colours are easy
    assert first.same["colours"].mean == 1.0 and first.other["colours"].mean == 1.0
    assert 0.1 < first.hidden < 0.3
    table = (tmp_path / "out" / "masks.md").read_text()
    assert "25.08" in table and "| untouched |" in table  # the paper's figure for mask 7
    assert len((tmp_path / "out" / "masks.jsonl").read_text().splitlines()) == 4
    assert Image.open(tmp_path / "out" / "telea.png").size == (5 * 128, 2 * 128)
    assert said[-1] == table


def test_the_frechet_distance_is_to_the_pictures_that_are_not_measured(folder, tmp_path):
    torch.manual_seed(0)
    save_file(SqueezeNet().state_dict(), tmp_path / "features.safetensors")
    data, out, features = str(folder / "*.tar"), tmp_path / "out", tmp_path / "features.safetensors"
    rows = masks.run(data, out, ["telea"], ["random-60", "centre"], (), 3, features, lambda _: None)
    faces = data_of(data, masks.SIZE).pictures[np.random.default_rng(0).permutation(PICTURES)]
    seen = frechet.features(faces, frechet.load_squeezenet(features))
    assert rows[0].frechet == pytest.approx(metrics.frechet_distance(seen[:3], seen[3:]))
    assert rows[1].frechet != rows[0].frechet != rows[2].frechet
    assert "Frechet distance" in (out / "masks.md").read_text()
    with pytest.raises(DataError, match="lower --pictures"):
        masks.run(data, out, ["telea"], ["centre"], (), 6, features, lambda _: None)


def test_a_judge_that_taught_the_engine_is_refused(folder, tmp_path, monkeypatch):
    from faceinp.engines import classical

    judge = Colours(tmp_path)
    monkeypatch.setattr(classical.Telea, "taught_by", ("colours",), raising=False)
    with pytest.raises(EngineError, match="kin of colours"):
        masks.run(str(folder / "*.tar"), tmp_path / "out", ["telea"], ["centre"], [judge], 2, say=lambda _: None)
