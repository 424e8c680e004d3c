"""The landmark predictor: what it looks at, that training moves points with their faces, from shards to the table."""

import copy
import io
import json
import tarfile
from pathlib import Path

import drawn_shards
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from faceinp.cli.main import main
from faceinp.errors import DataError, WeightsError
from faceinp.evaluate import landmarks as evaluate
from faceinp.models import networks, weights
from faceinp.nets.efficientnet import fold
from faceinp.nets.landmarks import Landmarks, LiteLandmarks
from faceinp.nets.points import MIRROR
from faceinp.train import checkpoints, journal, landmarks, pack
from faceinp.train.datasets import data

pytest.importorskip("webdataset")


FACE = drawn_shards.FACE


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 drawn faces of 128 x 128, turned, scaled and moved; the last one has no points."""
    return drawn_shards.write(tmp_path_factory.mktemp("shards") / "drawn-train-00.tar")


def config(shard: Path, out: Path, **changes: int | float | bool | str) -> landmarks.LandmarksRun:
    settings = {"steps": 4, "batch": 8, "precision": "fp32", "threads": 1, "preview_every": 1000, "pretrained": False}
    settings |= changes
    return landmarks.LandmarksRun(data=(str(shard),), out=str(out), **settings)


@pytest.fixture(params=[Landmarks, LiteLandmarks])
def network(request: pytest.FixtureRequest) -> Landmarks | LiteLandmarks:
    torch.manual_seed(0)
    return request.param(128).eval()


@torch.no_grad()
def test_both_sides_are_one_network(network: Landmarks | LiteLandmarks) -> None:
    small, hole = torch.rand(2, 3, 128, 128), torch.rand(2, 1, 128, 128) < 0.3
    large = type(network)(256).eval()
    large.load_state_dict(network.state_dict())
    points = network(small, hole)
    assert points.shape == (2, 68, 2)
    assert torch.allclose(
        large(
            small.repeat_interleave(2, 2).repeat_interleave(2, 3), hole.repeat_interleave(2, 2).repeat_interleave(2, 3)
        ),
        points,
        atol=1e-5,
    )


@torch.no_grad()
def test_what_lies_under_the_hole_is_not_looked_at_but_where_it_is_counts(network: Landmarks | LiteLandmarks) -> None:
    picture, hole = torch.rand(1, 3, 128, 128), torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    hole[..., 40:80, 30:90] = True
    other = torch.where(hole, torch.rand_like(picture), picture)
    assert torch.equal(network(picture, hole), network(other, hole))
    assert torch.equal(network(picture, hole.float()), network(picture, hole))
    grey = torch.where(hole, 0.5, picture)
    assert not torch.allclose(network(grey, hole), network(grey, torch.zeros_like(hole)), atol=1e-6)


@torch.no_grad()
def test_an_untrained_network_answers_the_mean_face(network: Landmarks | LiteLandmarks) -> None:
    mean = torch.from_numpy(FACE).float()
    network.start_from(mean)
    assert torch.allclose(network(torch.rand(2, 3, 128, 128), torch.zeros(2, 1, 128, 128)), mean, atol=0.03)


def test_a_mirrored_face_has_its_points_where_the_mirror_shows_them() -> None:
    assert sorted(MIRROR) == list(range(68))
    assert FACE[list(MIRROR)] == pytest.approx(FACE * (-1, 1) + (1, 0), abs=1e-9)  # the average face is symmetric


def test_points_move_with_their_faces() -> None:
    points = torch.from_numpy(FACE).float().repeat(16, 1, 1)
    pictures = torch.zeros(16, 3, 128, 128)
    for channel, number in enumerate((36, 45, 30)):  # a red spot at one eye, a green one at the other, blue at the nose
        x, y = (points[0, number] * 128).long().tolist()
        pictures[:, channel, y - 2 : y + 3, x - 2 : x + 3] = 1
    moved, places = landmarks.move(pictures, points, np.random.default_rng(3))
    grid = (torch.arange(128) + 0.5) / 128
    mass = moved.sum(dim=(2, 3))
    found = torch.stack([(moved.sum(2) * grid).sum(-1) / mass, (moved.sum(3) * grid).sum(-1) / mass], dim=-1)
    mirrored = places[:, 36, 0] > found[:, 0, 0] + 0.1
    mirrored |= places[:, 36, 0] < found[:, 0, 0] - 0.1
    assert 2 < mirrored.sum() < 14
    eyes = torch.where(mirrored[:, None, None], places[:, [45, 36]], places[:, [36, 45]])
    assert (eyes - found[:, :2]).abs().max() < 0.01
    assert (places[:, 30] - found[:, 2]).abs().max() < 0.01
    assert (places[:, 36, 0] < places[:, 45, 0]).all()  # "left" is as seen, in a mirror too


def test_the_error_is_in_distances_between_the_outer_eye_corners() -> None:
    points = FACE[None]
    between = points[0, 45, 0] - points[0, 36, 0]
    shifted = points + np.array([0.1 * between, 0])
    assert evaluate.errors(shifted, points) == pytest.approx(0.1)
    assert landmarks.error(torch.from_numpy(shifted), torch.from_numpy(points)).item() == pytest.approx(0.1)
    assert evaluate.errors(shifted, points, centres=True) == pytest.approx(
        0.1 * between / (FACE[42:48, 0].mean() - FACE[36:42, 0].mean())
    )


def test_training_learns(shard: Path, tmp_path: Path) -> None:
    landmarks.train(config(shard, tmp_path, steps=40, log_every=5, preview_every=20, rate=4e-3))
    lines = [json.loads(line) for line in (tmp_path / journal.LOG).read_text().splitlines()]
    errors = [line["error"] for line in lines if "error" in line]
    assert errors[-1] < 0.7 * errors[0]  # of other faces at each step
    first, last = [line for line in lines if {"held_back", "held_back_masked"} <= line.keys()]
    assert last["held_back"] < first["held_back"]


def test_training_goes_on_after_a_stop(shard: Path, tmp_path: Path) -> None:
    settings = {"rate": 4e-3}
    landmarks.train(config(shard, tmp_path / "whole", **settings))
    landmarks.train(config(shard, tmp_path / "parts", **settings, minutes=1e-9))
    assert weights.read_tensors(tmp_path / "parts" / checkpoints.CHECKPOINT)[0]["step"] == "1"
    landmarks.train(config(shard, tmp_path / "parts", **settings, resume=True))
    _, whole = weights.read_tensors(tmp_path / "whole" / checkpoints.CHECKPOINT)
    _, parts = weights.read_tensors(tmp_path / "parts" / checkpoints.CHECKPOINT)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_holes_come_from_masks(shard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[:8, :20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    folders = [tmp_path / name for name in ("drawn", "masked")]
    for folder, masks in zip(folders, ("", str(tmp_path / "mask.png")), strict=True):
        landmarks.train(config(shard, folder, steps=1, masks=masks, masks_share=1.0))
    assert "1 mask of mask.png: white is the hole, 16% of a mask on average." in capsys.readouterr().out
    drawn, masked = (weights.read_tensors(folder / checkpoints.CHECKPOINT)[1] for folder in folders)
    assert any(not torch.equal(drawn[name], masked[name]) for name in drawn)


def test_faces_without_points_are_not_trained_on(shard: Path, tmp_path: Path) -> None:
    landmarks.train(config(shard, tmp_path / "run", steps=1, batch=64, average=0.0))
    _, tensors = weights.read_tensors(tmp_path / "run" / checkpoints.CHECKPOINT)
    assert all(value.isfinite().all() for value in tensors.values())
    pointless = tmp_path / "pointless.tar"
    with tarfile.open(shard) as source, tarfile.open(pointless, "w") as tar:
        for member in source.getmembers()[-2:]:
            tar.addfile(member, source.extractfile(member))
    for refuses in (
        lambda: landmarks.train(config(pointless, tmp_path / "none")),
        lambda: evaluate.run(str(pointless), tmp_path / "none", weights=_packed(tmp_path)),
    ):
        with pytest.raises(DataError, match="68 points"):
            refuses()


def _packed(folder: Path) -> Path:
    """Packed weights of a network that answers the drawn face to everything."""
    network = Landmarks()
    torch.nn.init.zeros_(network.points.weight)
    network.points.bias.data.copy_(torch.from_numpy(FACE).flatten())
    state = {f"landmarks/{name}": value for name, value in network.state_dict().items()}
    save_file(state, folder / "landmarks.safetensors", {"network": "landmarks", "config": "{}"})
    return folder / "landmarks.safetensors"


def test_a_run_is_packed_and_measured(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    landmarks.train(config(shard, tmp_path / "run", steps=3, preview_every=1, rate=100.0))  # soon worse, not better
    out = tmp_path / "weights" / "landmarks.safetensors"
    assert main(["weights", "pack", str(tmp_path / "run"), "-o", str(out)]) == 0
    metadata, best = weights.read_tensors(tmp_path / "run" / checkpoints.BEST)
    about, packed = weights.read_tensors(out)
    assert about["steps"] == metadata["step"] != "3"
    average = weights.with_prefix(best, "landmarks.average/")
    assert {name.removeprefix("landmarks/").removesuffix(weights.SCALE) for name in packed} == average.keys()
    floats = weights.to_fp32(packed)
    for name, value in average.items():
        # Weights are kept in 8 bits with a scale for each output channel, all else in fp16.
        close = value.abs().flatten(1).amax(1).max().item() / 127 if value.ndim > 1 else 1e-2
        assert torch.allclose(floats[f"landmarks/{name}"].to(value), value, atol=close, rtol=1e-3)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(out.parent))
    weights.verify("landmarks")
    capsys.readouterr()
    assert main(["evaluate", "landmarks", "--data", str(shard), "-o", str(tmp_path / "table"), "--pictures", "6"]) == 0
    table = (tmp_path / "table" / "landmarks.md").read_text()
    assert capsys.readouterr().out.strip() == table.strip()
    rows = [json.loads(line) for line in (tmp_path / "table" / "landmarks.jsonl").read_text().splitlines()]
    whole, *hidden = evaluate.HIDDEN_PARTS
    assert [row["hidden"] for row in rows] == [whole, evaluate.MOST_TURNED, *hidden]
    assert rows[0]["pictures"] == 6 and rows[0]["people"] == 6 and rows[1]["pictures"] == 1


def test_the_table_is_that_of_the_points(shard: Path, tmp_path: Path) -> None:
    rows = evaluate.run(str(shard), tmp_path, weights=_packed(tmp_path), say=lambda line: None)
    faces = data.load(str(shard), 128).subset(range(59))  # the last face has no points
    expected = landmarks.error(torch.from_numpy(FACE).float().expand(59, 68, 2), faces.points)
    for row in rows:  # that network is blind: whatever is hidden, the error is the same
        if row.hidden == evaluate.MOST_TURNED:
            turned = landmarks.turn(faces.points).argsort(descending=True)[:6]
            assert row.pictures == 6 and row.error.mean == pytest.approx(expected[turned].mean().item(), rel=1e-4)
            continue
        assert row.error.mean == pytest.approx(expected.mean().item(), rel=1e-4)
        assert row.error.low < row.error.mean < row.error.high
        assert row.failed == pytest.approx((expected > 0.1).float().mean().item())


def test_the_predictor_sees_the_hole_that_the_table_names() -> None:
    nothing, left, right, eye, eyes, mouth, lower = (
        evaluate._hole(name, FACE) for name in evaluate.HIDDEN_PARTS.values()
    )
    pixel = (FACE * 256).astype(int)
    assert sum(eye[pixel[n, 1], pixel[n, 0]] for n in (37, 44)) == 1
    assert all(eyes[pixel[n, 1], pixel[n, 0]] for n in (37, 44)) and not eyes[pixel[57, 1], pixel[57, 0]]
    assert all(part[pixel[57, 1], pixel[57, 0]] for part in (mouth, lower)) and not mouth[pixel[30, 1], pixel[30, 0]]
    assert not nothing.any() and not (left & right).any()
    assert left[150, 90] and right[150, 166] and not left[20, 90]  # cheeks, as seen; the forehead is no part of a hull


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    save_file({"generator/x": torch.zeros(1)}, tmp_path / "dcgan.safetensors", {"network": "dcgan"})
    with pytest.raises(WeightsError, match="network 'landmarks'"):
        networks.load("landmarks", tmp_path / "dcgan.safetensors")


def test_runs_of_unknown_networks_are_not_packed(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / checkpoints.CHECKPOINT, {"task": "else", "step": "1", "config": "{}"})
    with pytest.raises(DataError, match=r"'else'.*landmarks"):
        pack.pack(tmp_path, tmp_path / "out.safetensors")


@pytest.mark.slow
@torch.no_grad()
def test_the_graph_can_be_exported_for_any_number_of_faces(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LiteLandmarks(128).eval()
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    example = torch.rand(2, 3, 128, 128), torch.rand(2, 1, 128, 128)
    count = torch.export.Dim("count", min=1, max=64)
    program = torch.onnx.export(network, example, dynamic_shapes=({0: count}, {0: count}), dynamo=True, verbose=False)
    program.save(str(tmp_path / "landmarks.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "landmarks.onnx", providers=["CPUExecutionProvider"])
    pictures, holes = torch.rand(5, 3, 128, 128), (torch.rand(5, 1, 128, 128) < 0.3).float()
    inputs = {given.name: value.numpy() for given, value in zip(session.get_inputs(), (pictures, holes), strict=True)}
    assert np.allclose(session.run(None, inputs)[0], network(pictures, holes).numpy(), atol=1e-4)


@torch.no_grad()
def test_folding_the_norms_changes_no_point_and_a_packed_network_is_folded() -> None:
    torch.manual_seed(0)
    network = LiteLandmarks(128)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    network.eval()
    inputs = torch.rand(2, 3, 128, 128), (torch.rand(2, 1, 128, 128) < 0.2).float()
    expected, ready = network.estimate(*inputs), copy.deepcopy(network)
    fold(ready)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in ready.modules())
    for got, wanted in zip(ready.estimate(*inputs), expected, strict=True):
        assert torch.allclose(got, wanted, atol=1e-4)
    assert ready.estimate(*inputs)[1].shape == (2, 68) and (ready.estimate(*inputs)[1] > 0).all()


def test_only_the_later_stages_are_trained() -> None:
    network = LiteLandmarks(128).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    points, spread = network(torch.rand(4, 3, 128, 128), torch.zeros(4, 1, 128, 128))
    (points.mean() + spread.mean()).backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(("trunk.conv_stem", "trunk.bn0", "trunk.blocks.0.")) for name in changed)
    assert {"trunk.blocks.11.project_conv.weight", "mask.bias", "points.bias", "spread.weight"} <= changed


def test_imagenet_features_are_taken_over_but_for_a_shift() -> None:
    """Padding by half of the kernel sees what TensorFlow's padding sees of a picture moved by a pixel a stride."""
    from faceinp.nets.efficientnet import EfficientNetLite

    torch.manual_seed(0)
    whole = EfficientNetLite().eval()
    network = LiteLandmarks(128)
    network.start_from_imagenet(whole.state_dict())
    network.eval()
    picture = torch.rand(1, 3, 128, 128)
    moved = torch.zeros_like(picture)
    moved[..., 3:, 3:] = picture[..., :-3, :-3]  # strides 2 and 4 before the second stage: 1 + 2 pixels
    with torch.no_grad():
        own = network.trunk.stages(picture)[1][..., 3:-3, 3:-3]
        expected = whole.stages(moved)[1][..., 3:-3, 3:-3]
    assert torch.allclose(own, expected, atol=1e-4)


def test_the_most_turned_faces_are_found() -> None:
    points = torch.from_numpy(FACE).float().repeat(3, 1, 1)
    points[1, :, 0] = points[1, :, 0] + 0.1 * (1 - ((points[1, :, 0] - 0.5) / 0.5) ** 2)  # the middle moves to a side
    points[2, :, 0] = points[2, :, 0] - 0.05 * (1 - ((points[2, :, 0] - 0.5) / 0.5) ** 2)
    turned = landmarks.turn(points)
    assert turned[0] < 0.01 < turned[2] < turned[1]


def test_a_run_sees_damage_and_objects_before_the_face(shard: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "damage.tar", "w") as tar:
        mask = np.zeros((40, 40), np.uint8)
        mask[18:22] = 255
        encoded = io.BytesIO()
        Image.fromarray(mask).save(encoded, "png")
        entry = tarfile.TarInfo("scratch.png")
        entry.size = len(encoded.getvalue())
        tar.addfile(entry, io.BytesIO(encoded.getvalue()))
    settings = {"occluded": 1.0, "damaged": 1.0, "damage": str(tmp_path / "damage.tar")}
    run = config(shard, tmp_path / "run", **settings)
    faces = data.load(str(shard), 128).subset(range(59))
    task = landmarks.LandmarksTask(run, faces, faces)
    pictures = torch.full((8, 3, 128, 128), 0.5)
    seen = task._disturbed(pictures.clone(), faces.points[:8], np.random.default_rng(0), (0, 0, 0))
    changed = (seen - pictures).abs().amax(dim=1).flatten(1) > 0.1
    assert (changed.float().mean(1) > 0.02).all()
    with pytest.raises(DataError, match="cannot be read as a tar"):
        landmarks.LandmarksTask(config(shard, tmp_path / "x", damage=str(shard) + "x"), faces, faces)
    with pytest.raises(DataError, match="holds no PNG"):
        landmarks.LandmarksTask(config(shard, tmp_path / "x", damage=str(shard)), faces, faces)
