"""What is exported: the restorer is the whole pipeline of an aligned crop, and the list says what the modules do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from export_files import SIDE
from faceinp.export import cases, graphs, modules, parity

from faceinp import identity
from faceinp.errors import FaceinpError, WeightsError
from faceinp.nets.completion import landmark_map

pytestmark = pytest.mark.usefixtures("small_weights")


def given(height: int, width: int, count: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8))
    mask = torch.zeros(count, height, width, dtype=torch.uint8)
    mask[:, height // 4 : height // 2, width // 4 : width // 2] = 1  # any number but 0 is hole
    return image, mask, torch.full((count, 68, 2), modules.PREDICTED)


@torch.no_grad()
def test_the_restorer_is_the_networks_one_after_the_other() -> None:
    restorer = graphs.build("restorer", SIDE).module
    image, mask, unknown = given(SIDE, SIDE)
    picture, hole = image.permute(0, 3, 1, 2) / 255, mask[:, None].float()
    points = restorer.predictor(picture, hole)
    generated = restorer.generator(picture, hole, landmark_map(points, SIDE))
    composite = torch.where(hole > 0, (255 * generated).round(), image.permute(0, 3, 1, 2)).to(torch.uint8)
    result, led_by, _ = restorer(image, mask, unknown)
    assert torch.allclose(led_by, points, atol=1e-5)
    assert (result.permute(0, 3, 1, 2).int() - composite.int()).abs().max() <= 1
    assert (result != image).any()


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(SIDE, SIDE), (40, 33), (200, 171)])
def test_known_pixels_leave_the_restorer_as_they_came(height: int, width: int) -> None:
    image, mask, unknown = given(height, width)
    result, *_ = graphs.build("restorer", SIDE).module(image, mask, unknown)
    assert result.shape == image.shape and result.dtype == torch.uint8
    assert torch.equal(result[mask == 0], image[mask == 0])
    assert (result[mask > 0] != image[mask > 0]).float().mean() > 0.9


@torch.no_grad()
def test_what_lies_under_the_hole_does_not_leak_at_any_size() -> None:
    restorer = graphs.build("restorer", SIDE).module
    image, mask, unknown = given(200, 171)
    other = torch.where(mask[..., None] > 0, 255 - image, image)
    results = [restorer(picture, mask, unknown)[0] for picture in (image, other)]
    assert torch.equal(*results)


@torch.no_grad()
def test_landmarks_lead_the_restorer_and_those_left_out_are_predicted() -> None:
    restorer = graphs.build("restorer", SIDE).module
    image, mask, unknown = given(SIDE, SIDE, 1)
    result, predicted, face = restorer(image, mask, unknown)
    moved = predicted + 0.1
    assert torch.equal(restorer(image, mask, moved)[1], moved)
    assert torch.equal(restorer(image, mask, moved)[2], face)  # of what it predicts, whoever leads
    assert not torch.equal(restorer(image, mask, moved)[0], result)
    some = unknown.clone()
    some[:, 30] = 0.25
    points = restorer(image, mask, some)[1]
    assert torch.equal(points[:, 30], some[:, 30]) and torch.equal(points[:, :30], predicted[:, :30])


@torch.no_grad()
def test_the_exported_embedding_is_the_bundled_judge() -> None:
    faces = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    vectors = graphs.build("embedding", SIDE).module(faces)
    assert torch.allclose(vectors, identity.load("bundled").embed(faces), atol=1e-5)


def test_spreading_is_exact_at_one_size_and_keeps_means_at_others() -> None:
    assert torch.equal(modules.spread(7, 7), torch.eye(7))
    for side, count in ((256, 128), (100, 256), (57, 128)):
        weights = modules.spread(side, count)
        assert weights.shape == (count, side)
        assert torch.allclose(weights.sum(dim=1), torch.ones(count))
        ramp = weights @ ((torch.arange(side) + 0.5) / side)
        inner = slice(count // 10, -count // 10)
        assert torch.allclose(ramp[inner], ((torch.arange(count) + 0.5) / count)[inner], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_every_graph_takes_and_gives_what_the_list_says(name: str) -> None:
    built = graphs.build(name, SIDE)
    assert built.trained and all(built.hashes.values()) and built.graph.licence
    for height, width in built.graph.sides(built.size):
        sides = {"batch": 1, "height": height, "width": width, "side": built.size}  # how many faces is its own affair
        case = cases.inputs(built, 0, height, width)
        answered = dict(zip(built.graph.outputs, parity.reference(built, case), strict=True))
        for port, value in (*((port, case[port.name]) for port in built.graph.inputs), *answered.items()):
            assert len(value.shape) == len(port.shape)
            assert all(sides.get(name, side) == side for name, side in zip(port.shape, value.shape, strict=True))
            assert value.dtype == np.dtype(port.dtype)


def test_untrained_networks_are_called_that_and_are_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    first, second = graphs.build("embedding"), graphs.build("embedding")
    assert not first.trained and first.hashes == {"embedding.safetensors": ""}
    assert all(torch.equal(a, b) for a, b in zip(first.module.parameters(), second.module.parameters(), strict=True))


@torch.no_grad()
def test_a_generator_trained_without_landmarks_gets_none() -> None:
    built = graphs.build("completion", SIDE)
    case = {name: torch.from_numpy(value) for name, value in cases.inputs(built, 2, SIDE, SIDE).items()}
    unguided = modules.Completion(modules.Unguided(built.module.generator), SIDE)
    empty = {**case, "landmark_map": torch.zeros_like(case["landmark_map"])}
    assert torch.equal(unguided(**case), built.module(**empty))
    assert not torch.equal(unguided(**case), built.module(**case))


def test_what_cannot_be_built_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_folder: Path) -> None:
    with pytest.raises(FaceinpError, match=r"Unknown graph 'upscaler'.*restorer"):
        graphs.build("upscaler")
    with pytest.raises(FaceinpError, match=r"--size of \w+ must be a multiple of 128, got 200"):
        graphs.build("restorer", 200)
    (tmp_path / "landmarks.safetensors").write_bytes((small_folder / "dcgan.safetensors").read_bytes())
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"does not contain the network .landmarks."):
        graphs.build("landmarks")
