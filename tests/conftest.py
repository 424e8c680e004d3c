"""What several tests need: tiers, a cache of their own, files of small networks, a judge, and the served page."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import ROOT, Server, serving
from tiers import (  # noqa: F401 - hooks of pytest
    pytest_collection_modifyitems,
    pytest_ignore_collect,
    pytest_runtest_call,
    pytest_runtest_protocol,
    pytest_sessionstart,
)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """What a case is called where pytest would number it: arrays by their shape, others by what they hold."""
    if hasattr(val, "shape") and hasattr(val, "dtype") and not isinstance(val, type):
        return f"{argname} {val.dtype} {'x'.join(map(str, val.shape))}"
    if isinstance(val, dict) and not _is_plain(val):
        return f"{argname} {' '.join(map(str, val))}"[:60]
    if not isinstance(val, tuple | list | dict) or not _is_plain(val):
        return None
    text = repr(val)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_plain(val: object) -> bool:
    """Whether its repr is short, and the same in every process: of sets the order is not."""
    if isinstance(val, dict):
        return all(_is_plain(part) for pair in val.items() for part in pair)
    if isinstance(val, tuple | list):
        return all(map(_is_plain, val))
    return isinstance(val, str | int | float | None)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What engines make at first use does not stay in the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEINP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def finders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finders of damage and occluders know saturated colours."""
    from finder_files import find_by_colour

    find_by_colour(tmp_path_factory.mktemp("finders"), monkeypatch)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with ``in``: seven photos in folders, one of them damaged, and ``masks``, one of which is missing."""
    from batch_files import put_album

    put_album(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of small networks."""
    from export_files import put_all

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
    """``exported(name, precision, size)``: the ONNX file of a small network, of 128 pixels a side."""
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    from export_files import SIDE
    from faceinp.export import onnx
    from filelock import FileLock

    parallel = "PYTEST_XDIST_WORKER" in os.environ  # then the folder above is that of all workers
    folder = tmp_path_factory.getbasetemp().parent / "exported" if parallel else tmp_path_factory.mktemp("exported")
    folder.mkdir(exist_ok=True)

    def get(name: str, precision: str = "fp32", size: int = SIDE) -> Path:
        record = folder / f"{name} {precision} {size}"
        with FileLock(folder / "lock"), pytest.MonkeyPatch.context() as patch:
            if not record.is_file():
                patch.setenv("FACEINP_WEIGHTS", str(small_folder))
                record.write_text(str(onnx.export(name, folder / str(size), precision=precision, size=size)))
        return Path(record.read_text())

    return get


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network drawn by code: what it is given, area-averaged to 4 x 4, as a vector."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    pool = helper.make_node("AveragePool", ["face"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28])
    flat = helper.make_node("Flatten", ["pooled"], ["vector"])
    inputs = [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 112, 112])]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 48])]
    graph = helper.make_graph([pool, flat], "pooling", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    file = tmp_path_factory.mktemp("onnx") / "pooling.onnx"
    onnx.save(model, file)
    return file


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """(N, 3, 112, 112) -> its means over squares of 16 pixels as a map (N, 3, 7, 7), and 16 sums of those."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((147, 16)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["face"], ["map"], kernel_shape=[16, 16], strides=[16, 16]),
            helper.make_node("Flatten", ["map"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
        ],
        "teacher",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 16])],
        [numpy_helper.from_array(weights, "weights")],
    )
    file = tmp_path_factory.mktemp("teacher") / "teacher.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


@pytest.fixture(scope="session")
def judge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights: an untrained embedding network and a calibration that fits it."""
    import torch
    from judge_files import calibrated
    from safetensors.torch import save_file

    from faceinp.nets.embedding import Embedding

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    network = Embedding((16, 24), (1, 1), 32, 16)
    config = {"widths": [16, 24], "depths": [1, 1], "features": 32, "embedding": 16}
    tensors = {f"embedding/{name}": value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / "embedding.safetensors", {"network": "embedding", "config": json.dumps(config)})
    calibrated(folder / "embedding.safetensors").write(folder / "embedding.json")
    return folder


@pytest.fixture
def judge_weights(judge_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That folder holds the package's weights, the cache is empty, and there is nothing to be fetched."""
    monkeypatch.setenv("FACEINP_WEIGHTS", str(judge_folder))
    monkeypatch.setenv("FACEINP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FACEINP_WEIGHTS_URL", (tmp_path / "nowhere").as_uri())


@pytest.fixture
def judge(judge_weights: None) -> Any:
    """The bundled judge of that folder."""
    import faceinp

    return faceinp.load_judge("bundled")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``python -m demo`` with every engine that runs here."""
    pytest.importorskip("gradio", reason="the extra 'demo' is not installed")
    with serving(tmp_path_factory.mktemp("server"), FACEINP_WEIGHTS=str(ROOT / "weights")) as served:
        yield served
