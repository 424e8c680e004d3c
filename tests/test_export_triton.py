"""The Triton model repository holds what was exported, and its configurations are what the published schema wants."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from export_files import SIDE

pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

import faceinp.export.onnx as onnx_export
from faceinp.export import graphs, triton

from faceinp import sidecar
from faceinp.errors import FaceinpError

pytestmark = pytest.mark.usefixtures("small_weights")


@pytest.fixture(scope="module")
def schema() -> type:
    pytest.importorskip("tritonclient", reason="the extra 'triton' is not installed")
    module = pytest.importorskip(triton.SCHEMA, reason="the extra 'triton' is not installed", exc_type=ImportError)
    return module.ModelConfig


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_a_configuration_says_what_the_graph_takes(name: str, schema: type) -> None:
    from google.protobuf import text_format

    text = triton.configuration(name, 256, 16, 2, "KIND_GPU")
    triton.check(text)
    read = text_format.Parse(text, schema())
    assert read.name == name and read.backend == "onnxruntime" and read.max_batch_size == 16
    assert read.dynamic_batching.max_queue_delay_microseconds == triton.DELAY
    assert [(group.kind, group.count) for group in read.instance_group] == [(1, 2)]  # 1 is KIND_GPU
    graph = graphs.GRAPHS[name]
    for told, ports in ((read.input, graph.inputs), (read.output, graph.outputs)):
        assert [port.name for port in told] == [port.name for port in ports]
        assert [len(port.dims) for port in told] == [len(port.shape) - 1 for port in ports]  # the batch is Triton's
    warm = {key: list(value.dims) for key, value in read.model_warmup[0].inputs.items()}
    assert warm.keys() == {port.name for port in graph.inputs} and all(-1 not in dims for dims in warm.values())
    if name == "restorer":
        assert list(read.input[0].dims) == [-1, -1, 3] and warm["image"] == [256, 256, 3]


def test_the_schema_refuses_what_it_does_not_know(schema: type) -> None:
    with pytest.raises(FaceinpError, match="refuses the configuration"):
        triton.check('name: "x" instances: 3')


def test_a_repository_holds_the_exported_file(
    exported: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = exported("dcgan", size=0)
    command = [str(tmp_path), "--graphs", "dcgan", "--source", str(source.parent), "--instances", "2", "--kind", "cpu"]
    assert triton.main(command) == 0
    assert (tmp_path / "dcgan" / "1" / "model.onnx").read_bytes() == source.read_bytes()
    text = (tmp_path / "dcgan" / "config.pbtxt").read_text()
    assert 'name: "dcgan"' in text and "kind: KIND_CPU count: 2" in text and "max_batch_size: 16" in text
    said = capsys.readouterr()
    assert "as the schema wants it" in said.out or "pip install 'faceinp[triton]'" in said.err
    assert triton.main([str(tmp_path), "--instances", "0"]) == 1
    assert triton.main([str(tmp_path), "--graphs", "upscaler"]) == 1
    assert "no graph 'upscaler'" in capsys.readouterr().err


def test_an_exported_file_that_fits_is_taken_and_another_is_not(
    exported: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exported("landmarks")
    for made in (file, sidecar.path(file)):
        shutil.copy2(made, tmp_path)
    before = (tmp_path / file.name).stat().st_mtime_ns
    assert onnx_export.at_hand("landmarks", tmp_path, size=SIDE).stat().st_mtime_ns == before
    assert onnx_export.at_hand("landmarks", tmp_path, size=2 * SIDE).stat().st_mtime_ns > before
    assert "is exported again: its weights, size or batch are others" in capsys.readouterr().err
