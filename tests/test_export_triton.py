"""The Triton model repository holds what was exported, and its configurations are what the published schema wants."""

import dataclasses
import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export_files import SIDE

pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

import faceinp.export.onnx as onnx_export
from faceinp.export import graphs, triton

from faceinp.errors import EngineError, FaceinpError
from faceinp.models import sidecar

pytestmark = pytest.mark.usefixtures("small_weights")


@pytest.fixture(scope="module")
def schema() -> type:
    pytest.importorskip("tritonclient", reason="the extra 'triton' is not installed")
    module = pytest.importorskip(triton.SCHEMA, reason="the extra 'triton' is not installed", exc_type=ImportError)
    return module.ModelConfig


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_a_configuration_says_what_the_graph_takes(name: str, schema: type) -> None:
    from google.protobuf import text_format

    text = triton.configuration(name, {"size": 256, "batch": [1, 16]}, 2, "KIND_GPU")
    triton.check(text)
    read = text_format.Parse(text, schema())
    alone = graphs.GRAPHS[name].assembled
    assert read.name == name and read.backend == "onnxruntime" and read.max_batch_size == (0 if alone else 16)
    assert alone or read.dynamic_batching.max_queue_delay_microseconds == triton.DELAY
    assert [(group.kind, group.count) for group in read.instance_group] == [(1, 2)]  # 1 is KIND_GPU
    graph = graphs.GRAPHS[name]
    for told, ports in ((read.input, graph.inputs), (read.output, graph.outputs)):
        assert [port.name for port in told] == [port.name for port in ports]
        assert [len(port.dims) for port in told] == [
            len(port.shape) - (not alone) for port in ports
        ]  # the batch is Triton's
    warm = {key: list(value.dims) for key, value in read.model_warmup[0].inputs.items()}
    assert warm.keys() == {port.name for port in graph.inputs} and all(-1 not in dims for dims in warm.values())
    if name == "restorer":
        assert list(read.input[0].dims) == [-1, -1, 3] and warm["image"] == [256, 256, 3]


def test_a_configuration_of_an_engine_says_what_that_takes(schema: type) -> None:
    from google.protobuf import text_format

    engine = {"backend": "tensorrt", "version": "10.9.0.34", "capability": ["8.9"], "size": 256}
    text = triton.configuration("restorer", engine | {"profiles": [[1, 1], [2, 4]]}, 1, "KIND_AUTO")
    triton.check(text)
    read = text_format.Parse(text, schema())
    assert read.backend == "tensorrt" and read.max_batch_size == 4
    assert list(read.instance_group[0].profile) == ["0", "1"]  # a server takes the first alone where none is named
    assert list(read.input[0].dims) == [256, 256, 3] and list(read.output[0].dims) == [256, 256, 3]
    assert "# Only for TensorRT 10.9.0.34 and GPUs of compute capability 8.9." in text


def test_a_graph_without_batches_is_served_without_them(schema: type, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.protobuf import text_format

    boxes = graphs.Port("boxes", "float32", ("faces", 4), "x, y, width, height")
    image = graphs.Port("image", "uint8", (1, "height", "width", 3), "RGB")
    graph = dataclasses.replace(graphs.GRAPHS["restorer"], inputs=(image,), outputs=(boxes,))
    monkeypatch.setitem(graphs.GRAPHS, "detector", graph)
    read = text_format.Parse(triton.configuration("detector", {"size": 256, "batch": [1, 1]}, 1, "KIND_CPU"), schema())
    assert read.max_batch_size == 0 and not read.HasField("dynamic_batching")
    assert list(read.input[0].dims) == [1, -1, -1, 3] and list(read.output[0].dims) == [-1, 4]
    assert read.model_warmup[0].batch_size == 0 and list(read.model_warmup[0].inputs["image"].dims) == [1, 256, 256, 3]


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
    assert ": valid" in said.out or "pip install 'faceinp[triton]'" in said.err
    with pytest.raises(SystemExit):
        triton.main([str(tmp_path), "--instances", "0"])
    with pytest.raises(FaceinpError, match="--instances must be at least 1"):
        triton.write(tmp_path, instances=0)
    assert triton.main([str(tmp_path), "--graphs", "upscaler"]) == 1
    assert "Unknown graph 'upscaler'" in capsys.readouterr().err


def repository(exported: Callable[..., Path], folder: Path, **options: Any) -> list[Path]:
    return triton.write(folder, ("dcgan", "dcgan"), source=exported("dcgan", size=0).parent, **options)


def test_a_model_is_exchanged_whole_and_a_failure_leaves_the_earlier_one(
    exported: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    seen: list[set[str]] = []
    moved = Path.replace

    def watched(path: Path, target: Path) -> Path:
        if models.is_dir():  # what a server that polls would see
            seen.append({file.relative_to(models).as_posix() for file in models.rglob("*")})
        return moved(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    (placed,) = repository(exported, models, instances=1)  # though it is named twice
    repository(exported, models, instances=2)
    whole = {"dcgan", "dcgan/config.pbtxt", "dcgan/1", "dcgan/1/model.onnx"}
    assert all(files in (set(), whole) for files in seen) and "count: 2" in placed.read_text()

    def stopped(path: Path, target: Path) -> Path:
        if path.name == "dcgan" and path.parent != models:
            raise KeyboardInterrupt
        return moved(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        repository(exported, models, instances=3)
    assert "count: 2" in placed.read_text() and list(tmp_path.iterdir()) == [models]
    monkeypatch.setattr(Path, "replace", moved)

    def full(path: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(triton.shutil, "copyfile", full)
    with pytest.raises(FaceinpError, match="is full"):
        repository(exported, models, instances=3)
    assert "count: 2" in placed.read_text() and list(tmp_path.iterdir()) == [models]


def test_what_somebody_else_put_into_a_model_is_not_lost(exported: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "dcgan" / "2").mkdir(parents=True)
    with pytest.raises(FaceinpError, match=r"dcgan also contains 2\. Move it"):
        repository(exported, tmp_path)


def test_engines_are_served_where_there_are_any(exported: Callable[..., Path], tmp_path: Path) -> None:
    source = exported("dcgan", size=0)
    assert triton.main([str(tmp_path), "--engines", "--kind", "cpu"]) == EngineError.exit_code
    files, models = tmp_path / "files", tmp_path / "models"
    files.mkdir()
    options: dict[str, Any] = {"source": files, "engines": True}
    with pytest.raises(EngineError, match=r"no TensorRT engine of dcgan in fp32\. Build it with `faceinp"):
        triton.write(models, ("dcgan",), **options)
    (files / "dcgan.sm89.tensorrt-rtx.engine").touch()
    with pytest.raises(EngineError, match="Triton cannot run those of tensorrt-rtx"):
        triton.write(models, ("dcgan",), **options)
    engine = files / "dcgan.sm89.tensorrt.engine"
    engine.write_bytes(b"an engine")
    about = {key: value for key, value in sidecar.read(source).items() if key not in ("file", "sha256", "batch")}
    about |= {"backend": "tensorrt", "version": "10.9.0.34", "capability": ["8.9"], "onnx_sha256": "", "layers": []}
    sidecar.write(engine, about | {"profiles": [[2, 4]]})
    with pytest.raises(EngineError, match="does not support single pictures"):
        triton.write(models, ("dcgan",), **options)
    sidecar.write(engine, about | {"profiles": [[1, 4]]})
    triton.write(models, ("dcgan",), **options)
    assert (models / "dcgan" / "1" / "model.plan").read_bytes() == b"an engine"
    assert 'backend: "tensorrt"' in (models / "dcgan" / "config.pbtxt").read_text()
    (files / "dcgan.sm90.tensorrt.engine").touch()
    with pytest.raises(EngineError, match=r"several engines of dcgan: .*sm89.* and .*sm90"):
        triton.write(models, ("dcgan",), **options)
    repository(exported, models)
    assert {file.name for file in (models / "dcgan" / "1").iterdir()} == {"model.onnx"}


def test_an_exported_file_that_fits_is_taken_and_another_is_not(
    exported: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exported("landmarks")
    for made in (file, sidecar.path(file)):
        shutil.copy2(made, tmp_path)
    before = (tmp_path / file.name).stat().st_mtime_ns
    assert onnx_export.ensure_exported("landmarks", tmp_path, size=SIDE).stat().st_mtime_ns == before
    assert onnx_export.ensure_exported("landmarks", tmp_path, size=2 * SIDE).stat().st_mtime_ns > before
    assert "again: its weights, size or batch differ" in capsys.readouterr().err
