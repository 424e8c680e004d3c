"""Training what finds damage and occluders, on a few pictures: from photos to packed weights that the library uses."""

import io
import json
import tarfile

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image

import faceinp
from faceinp.errors import DataError
from faceinp.mask import presets
from faceinp.models import weights
from faceinp.train import find_damage, find_occluders, pack, segmentation
from faceinp.train.datasets import backgrounds, data


def named(held: bool, suffix: str = ".png") -> str:
    """The name of a picture that is held back from training, or is not."""
    return next(name for n in range(10_000) if data.is_held_back(name := f"photo{n}{suffix}") == held)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos in a folder, one of them held back."""
    folder = tmp_path_factory.mktemp("photos")
    for held, pixels in ((False, skimage.data.astronaut()), (True, skimage.data.chelsea())):
        Image.fromarray(pixels).save(folder / named(held))
    return str(folder / "*.png")


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Four aligned faces of 64 x 64, one of them held back, with the points of an average face."""
    path = tmp_path_factory.mktemp("shards") / "drawn-train-00.tar"
    face = cv2.resize(skimage.data.astronaut()[0:200, 130:330], (64, 64), interpolation=cv2.INTER_AREA)
    keys = [*(f"photo{n}" for n in range(3)), named(True, "")]
    with tarfile.open(path, "w") as tar:
        for key in keys:
            encoded = io.BytesIO()
            Image.fromarray(face).save(encoded, "webp", lossless=True)
            about = {"points": presets.average_points(64).tolist(), "size": 64, "identity": None, "source": "drawn"}
            for suffix, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{key}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return str(path)


SETTINGS = {
    "steps": 2,
    "batch": 2,
    "side": 64,
    "precision": "fp32",
    "threads": 1,
    "examples": 16,
    "pretrained": False,
    "log_every": 1,
}


def test_what_finds_damage_is_trained_packed_and_used(photos, tmp_path, monkeypatch):
    find_damage.train(find_damage.FindDamageRun(photos=(photos,), out=str(tmp_path / "run"), **SETTINGS))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[0].keys() >= {"cross_entropy", "dice"}
    assert 0 <= lines[-1]["miss"] <= 1
    packed = pack.pack(tmp_path / "run", tmp_path / "damage.safetensors")
    assert packed.stat().st_size < 6e6
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    found = faceinp.find_damage(skimage.data.astronaut())
    assert found.confidence.shape == (512, 512)
    assert not any("filters" in note for note in found.notes)


def test_what_finds_occluders_is_trained_packed_and_used(shard, tmp_path, monkeypatch):
    find_occluders.train(find_occluders.FindOccludersRun(data=(shard,), out=str(tmp_path / "run"), **SETTINGS))
    pack.pack(tmp_path / "run", tmp_path / "occluders.safetensors")
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    (found,) = faceinp.find_occluders(skimage.data.astronaut())
    assert found.face is not None
    assert found.confidence.max() > 0
    assert not found.confidence[300:].any()  # nothing is said of what lies off the face's crop


def test_a_killed_run_draws_the_same_pictures_again(photos, tmp_path):
    run = find_damage.FindDamageRun(photos=(photos,), out=str(tmp_path / "whole"), **SETTINGS)
    find_damage.train(run)
    for steps, resume in ((1, False), (2, True)):
        parts = {**SETTINGS, "steps": steps}
        find_damage.train(
            find_damage.FindDamageRun(photos=(photos,), out=str(tmp_path / "parts"), resume=resume, **parts)
        )
    whole, parts = (weights.read_tensors(tmp_path / name / "checkpoint.safetensors")[1] for name in ("whole", "parts"))
    assert all(np.array_equal(whole[name].numpy(), parts[name].numpy()) for name in whole)


def test_labels_of_real_faces_are_moved_with_their_pictures():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:40, 20:40] = 255
    classes = np.where(picture[..., 0] > 0, 3, 0).astype(np.uint8)
    for seed in range(8):
        moved = find_occluders.moved(segmentation.Example(picture, classes), np.random.default_rng(seed))
        known = moved.classes != segmentation.UNKNOWN
        bright = cv2.erode((moved.picture[..., 0] > 250).astype(np.uint8), np.ones((3, 3))) > 0
        assert bright.any()
        assert (moved.classes[bright & known] == 3).all()


def test_backgrounds_of_any_size_give_parts_of_one_size(tmp_path):
    for held in (False, True):
        Image.fromarray(np.full((40, 900, 3), 90, np.uint8)).save(tmp_path / named(held))
    training, held_back = backgrounds.load((), (str(tmp_path / "*.png"),), 10)
    for part in (training, held_back):
        drawn = part.draw(64, np.random.default_rng(0))
        assert drawn.shape == (64, 64, 3)
        assert (abs(drawn.astype(int) - 90) <= 1).all()


def test_too_few_pictures_are_refused(tmp_path):
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / named(False))
    with pytest.raises(DataError, match="Too few pictures"):
        backgrounds.load((), (str(tmp_path / "*.png"),), 10)
