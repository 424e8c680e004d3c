"""Drawn faces, a judge that sees colours, features, and an engine that counts."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn import PICTURES, SIDE, shard
from numpy.typing import NDArray

from faceinp.engines import base
from faceinp.engines.base import Batch, Engine
from faceinp.evaluate import naturalness
from faceinp.evaluate.engine_tables import sheets, tables, variants
from faceinp.identity import calibration
from faceinp.models import weights
from faceinp.nets import efficientnet


@pytest.fixture(autouse=True)
def _small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures, windows and sheets, and few draws; tests that start processes measure as users do."""
    if request.node.get_closest_marker("process"):
        return
    for name, table in tables.TABLES.items():
        monkeypatch.setitem(tables.TABLES, name, dataclasses.replace(table, size=min(table.size, SIDE)))
    monkeypatch.setattr(efficientnet, "SIDE", 64)
    monkeypatch.setattr(naturalness, "DRAWS", 100)
    monkeypatch.setattr(sheets, "SIDE", 32)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six faces of three people with their points; three of nobody knows whom, without."""
    folder = tmp_path_factory.mktemp("shards")
    shard(folder / "celeba-val-00.tar", PICTURES, people=True, points=True)
    shard(folder / "asian-val-00.tar", 3, people=False, points=False)
    (folder / "celeba-train-00.tar").write_bytes(b"not to be read")
    return folder


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file that tells people by their mean colour, seen from grey; calibrated."""
    import onnx
    from onnx import TensorProto, helper

    file = tmp_path_factory.mktemp("judge") / "colours.onnx"
    nodes = [helper.make_node("AveragePool", ["face"], ["mean"], kernel_shape=[16, 16])]
    nodes += [helper.make_node("Flatten", ["mean"], ["vector"])]
    inputs = [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "colours", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    sidecar = {"size": [16, 16], "box": [0, 0, 1, 1], "mean": [0.5] * 3, "std": [1] * 3, "scale": 1}
    file.with_suffix(".json").write_text(json.dumps(sidecar))
    near, far = np.linspace(0, 0.2, 100), np.linspace(0.3, 1.5, 1000)
    sure = calibration.fit("colours", weights.sha256(file), near, far, data="drawn", people=3, pictures=6)
    sure.write(file.with_suffix(".calibration.json"))
    return file


@pytest.fixture
def counted() -> Iterator[list[int]]:
    """An engine that fills with grey, and how many pictures it was given at each call."""
    calls: list[int] = []

    class Grey(Engine):
        name, about, size, largest = "grey", "grey", 256, 1024

        def _generate(self, batch: Batch) -> NDArray[np.floating]:
            calls.append(len(batch.crops))
            return batch.crops

    base.register(Grey)
    yield calls
    base.registry.pop("grey")
    variants.described.cache_clear()
