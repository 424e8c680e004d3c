"""Real TensorRT engines of small networks: built without a GPU, described, kept while they fit."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export_files import SIDE

pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

from faceinp.export import trt
from faceinp.export.onnx import export

from faceinp.errors import EngineError, WeightsError
from faceinp.models import sessions, sidecar

pytestmark = pytest.mark.usefixtures("small_weights")
no_gpu = pytest.mark.skipif(sessions.nvidia_gpus() > 0, reason="there is a GPU: what lacks one cannot be tried")
gpu = pytest.mark.skipif(not sessions.nvidia_gpus(), reason="running a TensorRT engine needs an NVIDIA GPU")


def built(exported: Callable[..., Path], folder: Path, name: str, **options: Any) -> Path:
    """An engine in half precision, made of the small network's file."""
    pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    source = exported(name, "fp16")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEINP_WEIGHTS", str(folder))
        return trt.build(name, source.parent, backend="tensorrt-rtx", size=SIDE, **options)


@pytest.fixture(scope="module")
def engine(exported: Callable[..., Path], small_folder: Path) -> Path:
    return built(exported, small_folder, "completion", capability=("8.6", "8.9"), batch=(1, 4))


def test_an_engine_is_built_without_a_gpu_and_says_what_it_is(engine: Path) -> None:
    about = sidecar.read(engine)
    assert engine.name == "completion.fp16.sm86-sm89.tensorrt-rtx.engine" and engine.stat().st_size > 100_000
    assert about["limits"]["axes"] == {"batch": {"least": 1, "most": 4, "multiple": 1}}
    assert about["limits"]["inputs"]["mask"] == {"type": "float32", "shape": ["batch", 1, SIDE, SIDE]}
    assert about["backend"] == "tensorrt-rtx" and about["capability"] == ["8.6", "8.9"]
    assert about["profiles"] == [[1, 1], [2, 4]]
    assert about["licence"] == "research use only" and about["trained"] is True
    convolutions = [precision for _, kind, precision in about["layers"] if kind == "CONVOLUTION"]
    assert len(convolutions) > 50 and set(convolutions) == {"HALF"}
    norms = [precision for _, kind, precision in about["layers"] if kind in ("NORMALIZATION", "SOFTMAX")]
    assert norms and set(norms) == {"FLOAT"}


@pytest.mark.slow
def test_the_restorer_is_an_engine_too(exported: Callable[..., Path], small_folder: Path) -> None:
    about = sidecar.read(built(exported, small_folder, "restorer", capability=("8.9",), batch=(1,)))
    assert about["inputs"]["image"].startswith("uint8") and about["profiles"] == [[1, 1]]
    convolutions = [precision for name, kind, precision in about["layers"] if kind == "CONVOLUTION"]
    assert convolutions.count("HALF") > 50  # the generator's; the predictor stays in fp32


def test_an_engine_is_kept_while_it_fits_and_built_again_when_not(
    exported: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    export("dcgan", tmp_path)
    options = {"backend": "tensorrt-rtx", "precision": "fp32", "batch": (1, 2)}
    file = trt.build("dcgan", tmp_path, capability=("8.9",), **options)
    made = file.stat().st_mtime_ns
    assert trt.build("dcgan", tmp_path, capability=("8.9",), **options).stat().st_mtime_ns == made
    capsys.readouterr()
    other = trt.build("dcgan", tmp_path, capability=("8.6",), **options)
    assert other.name == "dcgan.sm86.tensorrt-rtx.engine" and file.name == "dcgan.sm89.tensorrt-rtx.engine"
    assert "building dcgan.sm86.tensorrt-rtx.engine of dcgan.onnx, 2 profiles: done, " in capsys.readouterr().err
    assert file.stat().st_mtime_ns == made  # an engine for one GPU leaves that for another alone
    file, made = other, other.stat().st_mtime_ns
    export("dcgan", tmp_path, opset=21)
    assert trt.build("dcgan", tmp_path, capability=("8.6",), **options).stat().st_mtime_ns > made
    assert "again: onnx_sha256 was " in capsys.readouterr().err
    made, about = file.stat().st_mtime_ns, sidecar.read(file)
    sidecar.write(file, {key: value for key, value in about.items() if key != "sha256"} | {"version": "0.9"})
    assert trt.build("dcgan", tmp_path, capability=("8.6",), **options).stat().st_mtime_ns > made
    assert f"again: version was 0.9, is {about['version']}" in capsys.readouterr().err
    made = file.stat().st_mtime_ns
    file.write_bytes(file.read_bytes()[:-1])
    assert trt.build("dcgan", tmp_path, capability=("8.6",), **options).stat().st_mtime_ns > made
    assert "again: " in capsys.readouterr().err and sidecar.read(file)["capability"] == ["8.6"]


def test_what_tensorrt_does_not_take_is_said(tmp_path: Path) -> None:
    rtx = pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    onnx = pytest.importorskip("onnx")
    port = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "ab"]
    node = onnx.helper.make_node("Nonesuch", ["a"], ["b"], domain="elsewhere")
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("elsewhere", 1)]
    file = tmp_path / "odd.onnx"
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "odd", port[:1], port[1:]), opset_imports=opsets), file
    )
    with pytest.raises(EngineError, match=r"cannot read odd.onnx.*Nonesuch"):
        trt._compile(rtx, file, ("8.9",), [(1, 1)], tmp_path / trt.TIMING_CACHE)


@pytest.mark.parametrize(
    ("capability", "said"),
    [
        ("5.2", "does not support --capability '5.2'. Choose from 7.5, "),
        ("8.9,x", "does not support --capability 'x'. Choose from 7.5, "),
        (" , ", "--capability is empty. Use for example --capability 8.9"),
    ],
)
def test_a_capability_that_is_not_known_is_refused_before_the_work(
    capability: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    monkeypatch.setattr(trt.onnx_export, "ensure_exported", lambda *args, **options: pytest.fail("the work was begun"))
    command = ["dcgan", "--precision", "fp32", "--backend", "tensorrt-rtx", "-o", str(tmp_path / "new")]
    assert trt.main([*command, "--capability", capability]) == EngineError.exit_code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    assert trt.main([*command[:-1], str(tmp_path / "file"), "--capability", "8.9"]) == 1
    assert "Cannot write to" in capsys.readouterr().err


def test_capabilities_are_stripped_sorted_and_taken_once() -> None:
    rtx = pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    assert trt._capability(rtx, ["12.0", " 8.9", "8.9", ""]) == ("8.9", "12.0")
    assert trt._capability(rtx, ("12.1", " 8.6", "8.6 ")) == ("8.6", "12.1")


def test_an_engine_that_is_another_network_or_finds_no_room_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    resource = pytest.importorskip("resource", reason="this system sets no largest file")
    kept = export("dcgan", tmp_path)
    command = ["dcgan", "--precision", "fp32", "--backend", "tensorrt-rtx", "--batch", "1", "--capability", "8.9"]

    def refused(part: Path) -> None:
        assert part.parent != tmp_path and sidecar.read(part)["capability"] == ["8.9"]
        raise trt.parity.ParityError("another network")

    with monkeypatch.context() as patch:
        patch.setattr(trt, "_compare", refused)
        assert trt.main([*command, "-o", str(tmp_path)]) == 1
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert trt.main([*command, "-o", str(tmp_path)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "is full" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == sorted([kept, sidecar.path(kept)])


@no_gpu
def test_without_a_gpu_the_current_one_cannot_be_built_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    assert trt.main(["dcgan", "-o", str(tmp_path)]) == EngineError.exit_code
    assert "--capability 8.9" in capsys.readouterr().err


def test_a_missing_tensorrt_is_answered_with_its_pip_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr(trt.importlib.util, "find_spec", lambda name: None)
    assert trt.main(["dcgan", "--backend", "tensorrt"]) == EngineError.exit_code
    assert "pip install 'faceinp[tensorrt]'" in capsys.readouterr().err


def test_an_engine_of_another_version_or_gpu_is_refused(engine: Path) -> None:
    about = sidecar.read(engine)
    here = f"but tensorrt-rtx {about['version']} is installed"
    assert sessions.mismatch(about | {"version": "0.9"}, "tensorrt_rtx") == f"it was built by tensorrt-rtx 0.9, {here}"
    assert sessions.mismatch(about | {"backend": "tensorrt"}, "tensorrt_rtx").startswith("it was built by tensorrt ")
    sidecar.path(engine).rename(engine.with_suffix(".away"))
    try:
        with pytest.raises(WeightsError, match="sidecar"):
            sidecar.read(engine)
    finally:
        engine.with_suffix(".away").rename(sidecar.path(engine))


@gpu
@pytest.mark.gpu
def test_an_engine_of_this_gpu_is_the_network(exported: Callable[..., Path]) -> None:
    source = exported("restorer", "fp16")
    file = trt.build("restorer", source.parent, size=SIDE)
    assert sidecar.read(file)["errors"]
