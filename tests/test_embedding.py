"""The bundled judge's network and its training, with a teacher of a few weights."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn import functional

from faceinp.errors import DataError, WeightsError
from faceinp.models import weights
from faceinp.nets import embedding
from faceinp.train import checkpoints, journal, loop, pack
from faceinp.train import embedding as training
from faceinp.train.datasets import data

EYES, MOUTH = (36, 48), (48, 68)


@pytest.fixture(scope="module")
def faces():
    """Twelve pictures of noise, four people, with 68 points somewhere near where a face has them."""
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(0, 256, (12, 3, training.STORED, training.STORED), dtype=np.uint8))
    points = rng.uniform(0.3, 0.7, (12, 68, 2)).astype(np.float32)
    points[:, 36:42] = (0.378, 0.474)
    points[:, 42:48] = (0.622, 0.474)
    points[:, 30] = (0.5, 0.614)
    points[:, 48], points[:, 54] = (0.389, 0.732), (0.611, 0.732)
    people = tuple(str(n // 3) for n in range(12))
    return data.Faces(pictures, torch.from_numpy(points), people, tuple(f"face{n}" for n in range(12)))


def config(tmp_path, teacher, **changed):
    given = {"data": ("-",), "out": str(tmp_path), "steps": 4, "batch": 8, "precision": "fp32", "preview_every": 4}
    return training.EmbeddingRun(**(given | {"teacher": str(teacher), "teacher_map": "map"} | changed))


def test_vectors_have_length_one_and_a_batch_changes_nothing():
    torch.manual_seed(0)
    network = embedding.Embedding().eval()
    pictures = torch.rand(4, 3, 112, 112)
    with torch.no_grad():
        together, alone = network(pictures), network(pictures[2:3])
    assert torch.allclose(together.norm(dim=1), torch.ones(4), atol=1e-5)
    assert (together[2] - alone[0]).abs().max() < 1e-5
    assert sum(p.numel() for p in network.parameters()) < 1.1e6


@settings(deadline=None, max_examples=30)
@given(st.integers(20, 90), st.integers(8, 60), st.floats(-0.3, 0.4), st.floats(0.6, 1.3))
def test_resampling_keeps_slopes_straight_and_plain_colours_plain(side, count, start, end):
    ramp = ((torch.arange(side) + 0.5) / side).expand(1, 1, side, side)
    out = embedding.resample(ramp, (start, start, end, end), (count, count))
    places = start + (torch.arange(count) + 0.5) * (end - start) / count
    margin = max((end - start) / count, 1 / side)  # nearer to a border the repeated pixels count
    inside = (places > margin) & (places < 1 - margin)
    assert torch.allclose(out[0, 0, 0][inside], places[inside], atol=0.25 / side)
    plain = embedding.resample(torch.full((1, 3, side, side), 0.7), (start, start, end, end), (count, count))
    assert torch.allclose(plain, torch.tensor(0.7), atol=1e-5)


def test_training_and_judging_cut_the_same_face(faces):
    pictures = functional.avg_pool2d(torch.rand(2, 3, 320, 320), 8)  # smooth: the two kernels differ on noise
    pictures = functional.interpolate(pictures, size=training.STORED, mode="bilinear")
    cut = training.cut(pictures, None)
    assert (cut - embedding.resample(pictures, embedding.BOX, (112, 112))).abs().max() < 0.02


def test_the_box_is_where_the_points_of_a_face_meet_the_template(faces):
    left, top, right, bottom = embedding.BOX
    five = np.array([[0.3779, 0.4743], [0.622, 0.4746], [0.4976, 0.6142], [0.3894, 0.7322], [0.6111, 0.7322]])
    placed = (five - (left, top)) / (right - left, bottom - top) * 112
    assert np.abs(placed - training.TEMPLATE).max() < 2.1


def test_arcface_is_cross_entropy_with_a_larger_angle():
    cosines = torch.tensor([[0.8, 0.1, -0.2], [-0.999, 0.3, 0.0]])
    people = torch.tensor([0, 0])
    expected = cosines.clone()
    expected[0, 0] = math.cos(math.acos(0.8) + 0.3)
    expected[1, 0] = -0.999 - 0.3 * math.sin(0.3)
    loss = training.arcface(cosines, people, margin=0.3, scale=10)
    assert torch.allclose(loss, functional.cross_entropy(10 * expected, people), atol=1e-4)
    assert torch.allclose(
        training.arcface(cosines, people, 0.0, 10), functional.cross_entropy(10 * cosines, people), atol=1e-4
    )
    assert training.arcface(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), 0.3, 10) == 0


def test_spoilt_faces_stay_pictures_and_depend_on_the_seed_alone():
    pictures = torch.rand(16, 3, 112, 112)
    one, other = (training.spoil(pictures.clone(), np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert 0 <= one.min() <= one.max() <= 1
    assert not torch.equal(one, training.spoil(pictures.clone(), np.random.default_rng(4)))


def test_the_teacher_sees_faces_turned_to_its_template_and_their_mirror_images(tmp_path, faces, teacher):
    run = config(tmp_path, teacher)
    lessons = training.ask_teacher(run, faces, tmp_path / "kept.safetensors", say=lambda _: None)
    assert lessons.embeddings.shape == (12, 16)
    assert torch.allclose(lessons.embeddings.norm(dim=1), torch.ones(12), atol=1e-3)
    assert abs(float(lessons.maps.float().mean())) < 0.1 and abs(float(lessons.maps.float().std()) - 1) < 0.2
    mirrored = data.Faces(
        faces.pictures.flip(-1), (faces.points * torch.tensor([-1.0, 1]) + torch.tensor([1.0, 0]))[:, _MIRRORED],
        faces.identities, faces.keys,
    )  # fmt: skip
    of_mirrored = training.ask_teacher(run, mirrored, tmp_path / "mirrored.safetensors", say=lambda _: None)
    assert ((lessons.embeddings * of_mirrored.embeddings).sum(dim=1) > 0.97).all()
    assert 0 < len(lessons.damaged) < 12
    with pytest.raises(DataError, match="other faces"):
        training.ask_teacher(run, faces.subset([0, 1]), tmp_path / "kept.safetensors")


_MIRRORED = list(range(68))
_MIRRORED[36:42], _MIRRORED[42:48] = range(42, 48), range(36, 42)
_MIRRORED[48], _MIRRORED[54] = 54, 48


def test_damage_is_where_eyes_or_nose_and_mouth_or_the_middle_are(faces):
    spoilt = training._damage(faces.pictures, faces.points, np.random.default_rng(0))
    changed = (spoilt != faces.pictures).any(dim=1)
    assert changed.flatten(1).any(dim=1).all()
    assert not changed[:, :10].any() and not changed[:, -10:].any()


def test_no_teacher_gets_a_clear_error(tmp_path, faces):
    with pytest.raises(DataError, match="--teacher"):
        training.ask_teacher(config(tmp_path, tmp_path / "none.onnx"), faces, tmp_path / "kept.safetensors")


def test_a_run_learns_from_the_teacher(tmp_path, faces, teacher):
    run = config(tmp_path / "run", teacher)
    lessons = training.ask_teacher(run, faces, tmp_path / "kept.safetensors", say=lambda _: None)
    task = training.EmbeddingTask(run, faces, lessons)
    loop.train(task, run, say=lambda _: None)
    lines = [json.loads(line) for line in (tmp_path / "run" / journal.LOG).read_text().splitlines()]
    assert {"distillation", "imitation", "recognition"} <= set(lines[-1])
    assert lines[-1]["distillation"] < 1.05
    assert list((tmp_path / "run" / "previews").iterdir())

    packed, said = pack.pack(tmp_path / "run", tmp_path / "packed" / "embedding.safetensors"), []
    again = training.EmbeddingTask(run, faces, lessons)
    checkpoints.load_networks(again, str(packed), said.append)  # without the people's directions
    assert len(said) == 1 and "'people'" in said[0]
    shipped = weights.read_tensors(packed)[1]["embedding/last.weight"].float()
    assert torch.equal(again.networks["embedding"].last.weight, shipped)
    save_file({"people/directions": torch.zeros(4, 16)}, tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="'embedding'"):
        checkpoints.load_networks(again, str(tmp_path / "none.safetensors"))


def test_a_face_and_its_mirror_image_are_one_to_the_judge():
    torch.manual_seed(0)
    network = embedding.Mirrored(embedding.Embedding().eval())
    faces = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        assert torch.allclose(network(faces), network(faces.flip(-1)), atol=1e-5)
        assert torch.allclose(network(faces).norm(dim=1), torch.ones(2), atol=1e-5)
