"""Small networks for the tests of the exporters, and their exported files: each is made once for all tests."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceinp import presets
from faceinp.nets import completion, dcgan, embedding, landmarks

SIDE = 128  # of the pictures; the least that the landmark predictor takes


def put(folder: Path, name: str, prefix: str, network: nn.Module, config: dict[str, object]) -> None:
    """Write ``network`` as packed weights."""
    tensors = {
        f"{prefix}/{key}": value.half() if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }
    save_file(tensors, folder / f"{name}.safetensors", {"config": json.dumps(config)})


def put_all(folder: Path) -> None:
    torch.manual_seed(0)
    put(folder, "completion", "generator", completion.Small(8), {"network": "small", "width": 8, "landmarks": True})
    predictor = landmarks.Landmarks()
    predictor.start_from(torch.from_numpy(presets.average_points(1)).float())
    put(folder, "landmarks", "landmarks", predictor, {})
    put(folder, "dcgan", "generator", dcgan.Generator(100, 8), {"latent": 100, "width": 8})
    small = {"widths": (8, 8, 8), "depths": (1, 1, 1), "features": 16}
    put(folder, "embedding", "embedding", embedding.Embedding(**small), small)


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    put_all(folder)
    return folder


@pytest.fixture
def small_weights(small_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small networks are the package's weights."""
    monkeypatch.setenv("FACEINP_WEIGHTS", str(small_folder))
    return small_folder


@pytest.fixture(scope="session")
def exported(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``exported(name, precision, size)``: the ONNX file of a small network."""
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    from export import onnx

    folder, made = tmp_path_factory.mktemp("exported"), {}

    def get(name: str, precision: str = "fp32", size: int = SIDE) -> Path:
        if (name, precision, size) not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FACEINP_WEIGHTS", str(small_folder))
                made[name, precision, size] = onnx.export(name, folder / str(size), precision=precision, size=size)
        return made[name, precision, size]

    return get
