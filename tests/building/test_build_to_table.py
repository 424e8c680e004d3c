"""From a stranger's eight photos to a step of every training, and to a table: by the commands that the pages tell."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.models import weights
from faceinp.train import checkpoints
from faceinp.train.datasets import data

pytest.importorskip("webdataset", reason="the extra 'train' is not installed")

STEP = ("--steps", "1", "--batch", "2", "--precision", "fp32", "--threads", "1")
TRAININGS = {  # of those whose --data are face shards, all that make a network
    "dcgan": ("--width", "8"),
    "landmarks": ("--no-pretrained",),
    "completion": ("--width", "8"),
    "damage": ("--side", "64", "--examples", "2", "--no-pretrained"),
    "occluders": ("--side", "64", "--examples", "2", "--no-pretrained"),
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photos of one face, turned, nearer and farther, darker and brighter, through ``faceinp data build``."""
    photos, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("out") / "shards"
    rng = np.random.default_rng(0)
    for number in range(8):
        matrix = cv2.getRotationMatrix2D((226, 130), rng.uniform(-15, 15), rng.uniform(0.8, 1.1))
        matrix[:, 2] += (-98, 0)
        photo = cv2.warpAffine(pictures.astronaut(), matrix, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
        bright = np.clip(photo * rng.uniform(0.7, 1.2), 0, 255).astype(np.uint8)
        Image.fromarray(bright).save(photos / f"IMG_{number:04d}.jpg", quality=95)
    assert main(["data", "build", str(photos), str(out), "--size", "128"]) == 0
    return out


def test_each_face_has_points_and_one_is_held_back(shards: Path) -> None:
    faces = data.load(str(shards), 64).with_points()
    assert len(faces) == 8
    training, held_back = faces.split()
    assert (len(training), len(held_back)) == (7, 1)
    assert not any(map(data.is_held_back, faces.keys)), "none by chance, so that this is about the one that is chosen"


@pytest.mark.parametrize("name", TRAININGS)
def test_a_network_is_trained(name: str, shards: Path, tmp_path: Path) -> None:
    assert main(["train", name, "--data", str(shards), "--out", str(tmp_path), *STEP, *TRAININGS[name]]) == 0
    assert weights.read_tensors(tmp_path / checkpoints.CHECKPOINT)[0]["step"] == "1"
    assert list((tmp_path / "previews").iterdir())


def test_the_judge_is_trained(shards: Path, teacher: Path, tmp_path: Path) -> None:
    taught = ["--teacher", str(teacher), "--teacher-map", "map"]
    assert main(["train", "embedding", "--data", str(shards), "--out", str(tmp_path), *STEP, *taught]) == 0
    assert weights.read_tensors(tmp_path / checkpoints.CHECKPOINT)[0]["step"] == "1"


def test_a_table_is_made(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--engines", "telea", "--masks", "eyes", "--pictures", "2", "--judges", "none"]
    assert main(["evaluate", "masks", "--data", str(shards), "-o", str(tmp_path), *few]) == 0
    cells = [json.loads(line) for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    assert any("telea" in str(cell) and "composite_psnr" in str(cell) for cell in cells)
    assert "telea" in (tmp_path / "report.md").read_text()


def test_the_predictor_is_not_compared_with_itself(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "landmarks", "--data", str(shards), "-o", str(tmp_path)]) == DataError.exit_code
    assert "The shipped predictor itself" in capsys.readouterr().err
