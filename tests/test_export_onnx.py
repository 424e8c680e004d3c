"""Exported files are the networks they say they are; one that is not is not left behind."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from export_files import SIDE, put

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

from faceinp.export import cases, conversion, graphs, parity  # noqa: E402
from faceinp.export.onnx import main  # noqa: E402

from faceinp.errors import WeightsError  # noqa: E402
from faceinp.models import sidecar  # noqa: E402
from faceinp.nets import completion  # noqa: E402

pytestmark = pytest.mark.usefixtures("small_weights")
Exported = Callable[..., Path]


def run(file: Path, inputs: cases.Inputs) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, "fp32") for name in graphs.GRAPHS),
        ("dcgan", "fp16"),
        *(pytest.param(name, "fp16", marks=pytest.mark.slow) for name in ("photo", "restorer", "embedding")),
    ],
)
def test_a_file_is_the_network(name: str, precision: str, exported: Exported) -> None:
    file = exported(name, precision)
    about = sidecar.read(file)
    built = graphs.build(name, SIDE)
    tolerances = parity.tolerances(built.graph.outputs, precision)
    assert len(about["errors"]) >= 2
    assert {error["batch"] for error in about["errors"]} == ({1} if built.graph.assembled else {1, 3})
    for error in about["errors"]:
        allowed = tolerances[error["output"]]
        assert error["mean"] <= allowed.mean and error["max"] <= allowed.largest and error["changed"] == 0
    height, width = built.graph.sides(built.size)[-1]
    case = cases.inputs(built, 4, height, width)  # against torch once more, apart from the gate's own arithmetic
    answers = zip(built.graph.outputs, run(file, case), parity.reference(built, case), strict=True)
    for port, ours, truth in answers:
        grey = truth.dtype == np.uint8
        assert ours.shape == truth.shape
        assert np.abs(ours.astype(float) - truth).max(initial=0) <= (1 if grey else tolerances[port.name].largest)


def test_one_restorer_serves_any_size_and_number_of_pictures(exported: Exported) -> None:
    rng = np.random.default_rng(0)
    for count, height, width in ((1, 64, 64), (2, 300, 217), (5, 33, 50)):
        image = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
        mask = (rng.random((count, height, width)) < 0.3).astype(np.uint8)
        unknown = np.full((count, 68, 2), -1, np.float32)
        result, points, face = run(exported("restorer"), {"image": image, "mask": mask, "landmarks": unknown})
        assert result.shape == image.shape and points.shape == (count, 68, 2) and face.shape == (count,)
        assert np.array_equal(result[mask == 0], image[mask == 0])
        assert not np.array_equal(result, image)


@pytest.mark.slow
def test_in_half_precision_the_generator_is_halved_and_norms_and_landmarks_are_not(exported: Exported) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(exported("restorer", "fp16")))
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    of: dict[tuple[str, str], set[int]] = {}
    for node in model.graph.node:
        if node.output[0] in kinds:
            network = conversion.layer(node).partition(".")[0]
            of.setdefault((node.op_type, network), set()).add(kinds[node.output[0]])
    half, single = {onnx.TensorProto.FLOAT16}, {onnx.TensorProto.FLOAT}
    assert of["Conv", "generator"] == half and of["Conv", "predictor"] == single
    assert of["Sqrt", "generator"] == of["Softmax", "generator"] == of["ReduceMean", "generator"] == single
    assert exported("restorer", "fp16").stat().st_size < exported("restorer").stat().st_size


def test_the_file_itself_says_what_it_is(exported: Exported, small_folder: Path) -> None:
    from faceinp.models import weights

    file = exported("restorer")
    model = onnx.load(file)
    about = {entry.key.removeprefix(conversion.METADATA): entry.value for entry in model.metadata_props}
    assert about["name"] == "restorer" and about["licence"] == "research use only" and about["trained"] == "true"
    assert "not 0 in the hole" in json.loads(about["inputs"])["mask"]
    hashes = {name: weights.sha256(small_folder / name) for name in json.loads(about["weights"])}
    assert json.loads(about["weights"]) == hashes == sidecar.read(file)["weights"]
    assert [port.name for port in model.graph.input] == ["image", "mask", "landmarks"]
    assert str(Path(graphs.__file__).parent.parent).encode() not in file.read_bytes()  # where it was made stays there


def test_a_file_that_is_another_network_is_refused_and_the_layer_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = conversion.finish

    def damaged(program, built):
        model = finished(program, built)
        inside = (node for node in model.graph.node if conversion.layer(node).startswith("network.network.stages.8"))
        target = next(node for node in inside if node.op_type == "Conv")
        weight = next(tensor for tensor in model.graph.initializer if tensor.name == target.input[1])
        values = onnx.numpy_helper.to_array(weight) * 1.5
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        return model

    monkeypatch.setattr(conversion, "finish", damaged)
    assert main(["embedding", "--size", str(SIDE), "-o", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "does not compute the same as torch" in said and "network.network.stages.8" in said
    assert not list(tmp_path.iterdir())


def test_batches_are_those_asked_for(tmp_path: Path) -> None:
    assert main(["dcgan", "--batch", "2", "-o", str(tmp_path)]) == 0
    model = onnx.load(tmp_path / "dcgan.onnx")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    assert {error["batch"] for error in sidecar.read(tmp_path / "dcgan.onnx")["errors"]} == {2}


@pytest.mark.parametrize("opset", ["16", "30"])
def test_an_opset_that_cannot_be_had_is_refused_before_the_work(
    opset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conversion, "trace", lambda *args, **options: pytest.fail("the work was begun"))
    assert main(["dcgan", "--opset", opset, "-o", str(tmp_path / "new")]) == 1
    assert f"The opset must be 18 to 23, got {opset}." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conversion, "trace", lambda *args, **options: pytest.fail("the work was begun"))
    (tmp_path / "file").touch()
    assert main(["dcgan", "-o", str(tmp_path / "file")]) == 1
    assert "Cannot write to" in capsys.readouterr().err


def test_a_full_disk_is_a_sentence_and_leaves_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource", reason="this system sets no largest file")
    (tmp_path / "dcgan.onnx").write_bytes(b"earlier")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert main(["dcgan", "-o", str(tmp_path)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "is full" in capsys.readouterr().err
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


@pytest.mark.parametrize(
    "opset", [pytest.param(n, marks=[pytest.mark.slow] * (18 < n < 23)) for n in sorted(conversion.RUNTIMES)]
)
def test_a_file_has_the_lowest_ir_version_and_says_which_onnxruntime_runs_it(opset: int, tmp_path: Path) -> None:
    assert main(["dcgan", "--batch", "2", "--opset", str(opset), "-o", str(tmp_path)]) == 0
    file = tmp_path / "dcgan.onnx"
    model, about = onnx.load(file), sidecar.read(file)
    assert model.ir_version == {18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}[opset] == about["ir_version"]
    assert {entry.version for entry in model.opset_import if not entry.domain} == {opset}
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(said["faceinp.runtime"]) == about["runtime"] == {"onnxruntime": conversion.RUNTIMES[opset]}


@pytest.mark.slow
def test_a_network_of_the_shipped_kind_is_halved_but_for_norms_and_softmax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coarse to fine: two networks in one, both of which must be so."""
    config = {"network": "coarse-to-fine", "width": 8, "landmarks": True, "taught_by": ["bundled"]}
    put(tmp_path, "completion", "generator", completion.CoarseToFine(8), config)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    assert main(["completion", "--size", str(SIDE), "--precision", "fp16", "-o", str(tmp_path)]) == 0
    file = tmp_path / "completion.fp16.onnx"
    assert sidecar.read(file)["taught_by"] == ["bundled"]
    model = onnx.shape_inference.infer_shapes(onnx.load(file))
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    for part in ("generator.coarse", "generator.fine"):
        of = {
            (node.op_type, kinds[node.output[0]])
            for node in model.graph.node
            if node.output[0] in kinds and conversion.layer(node).startswith(part)
        }
        half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
        for operation, kind in (("Conv", half), ("Softmax", single), ("ReduceMean", single)):
            assert {made for name, made in of if name == operation} == {kind}


def test_untrained_networks_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    assert main(["dcgan", "-o", str(tmp_path)]) == 0
    assert "untrained" in capsys.readouterr().err
    assert sidecar.read(tmp_path / "dcgan.onnx")["trained"] is False
    model = onnx.load(tmp_path / "dcgan.onnx")
    assert ("faceinp.trained", "false") in {(entry.key, entry.value) for entry in model.metadata_props}


def test_parity_is_checked_again_on_request(
    exported: Exported,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = exported("landmarks")
    assert parity.main([str(file)]) == 0
    assert "within the tolerance of torch" in capsys.readouterr().out
    (tmp_path / file.name).write_bytes(file.read_bytes() + b"\0")
    sidecar.path(tmp_path / file.name).write_text(sidecar.path(file).read_text())
    assert parity.main([str(tmp_path / file.name)]) == WeightsError.exit_code
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    assert parity.main([str(file)]) == WeightsError.exit_code
    assert "other weights" in capsys.readouterr().err


def test_a_file_that_drifted_is_found_and_its_layer_named(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, file = exported("dcgan"), tmp_path / "dcgan.onnx"
    model = onnx.load(source)
    layer = [node for node in model.graph.node if node.op_type == "ConvTranspose"][2]
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == layer.input[1])
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 1.5, weight.name))
    onnx.save(model, file)
    sidecar.write(file, {key: value for key, value in sidecar.read(source).items() if key not in ("file", "sha256")})
    assert parity.main([str(file), "--against", "torch"]) == 1
    assert f"The first layer that differs is {conversion.layer(layer)}" in capsys.readouterr().err


def test_errors_count_as_they_should() -> None:
    grey = np.full((1, 4, 4, 3), 100, np.uint8)
    assert parity.distance(grey + 1, grey) == (0.0, pytest.approx(1 / 255))  # rounding may take one level
    assert parity.distance(grey + 3, grey) == pytest.approx((2 / 255, 3 / 255))
    assert parity.distance(np.float32([np.nan]), np.float32([0])) == (float("inf"), float("inf"))
    changed = parity.Error("result", 1, 4, 4, 0.0, 0.0, changed=1)
    with pytest.raises(parity.ParityError, match=r"known pixels changed: 1\..*Try another"):
        parity.refuse("a file", [changed], {"result": parity.TOLERANCES["int8"]})


def test_int8_wants_pictures_to_calibrate_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dcgan", "--precision", "int8", "-o", str(tmp_path)]) == 1
    assert "--calibrate SHARDS" in capsys.readouterr().err


@pytest.mark.process
def test_a_missing_extra_is_answered_with_its_pip_line(tmp_path: Path) -> None:
    code = "import sys; sys.modules['onnx'] = None; from faceinp.export.onnx import main; sys.exit(main(['dcgan']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 5 and "pip install 'faceinp[export]'" in done.stderr
