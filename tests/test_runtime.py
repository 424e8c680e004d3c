"""The landmark-guided engine on exported files gives what torch gives, and says what computes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import faceinp
from faceinp import weights
from faceinp.engines import runtime, sessions
from faceinp.errors import EngineError, WeightsError

pytestmark = pytest.mark.usefixtures("small_weights")


@pytest.fixture
def files(exported: Callable[..., Path]) -> dict[str, Path]:
    return {"file": exported("completion"), "predictor": exported("landmarks", size=256)}


def crops() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    masks = np.zeros((3, 1, 256, 256), np.bool_)
    masks[..., 80:150, 60:180] = True
    return rng.random((3, 3, 256, 256), dtype=np.float32), masks


@pytest.mark.parametrize("name", ["landmark-onnx", "landmark-openvino"])
def test_exported_files_give_what_torch_gives(name: str, files: dict[str, Path]) -> None:
    package = {"landmark-onnx": "onnxruntime", "landmark-openvino": "openvino"}[name]
    pytest.importorskip(package, reason=f"{package} is not installed")
    options = {"precision": "fp32"} if name == "landmark-openvino" else {}
    engine, truth = faceinp.load_engine(name, {"threads": 1} | files | options), faceinp.load_engine("landmark")
    assert engine.runtime.startswith(package) and engine.runtime.endswith("cpu fp32")
    assert engine.taught_by == truth.taught_by == ()
    pictures, masks = crops()
    assert np.abs(engine.predict_landmarks(pictures, masks) - truth.predict_landmarks(pictures, masks)).max() < 1e-4
    assert np.abs(engine.fill(pictures, masks) - truth.fill(pictures, masks)).max() < 1e-3
    moved = truth.predict_landmarks(pictures, masks) + 0.1
    led = engine.fill(pictures, masks, landmarks=moved)
    assert np.abs(led - truth.fill(pictures, masks, landmarks=moved)).max() < 1e-3


def test_openvino_says_in_which_precision_it_computes(files: dict[str, Path]) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    chosen = faceinp.load_engine("landmark-openvino", files)
    plain = faceinp.load_engine("landmark-openvino", files | {"precision": "fp32"})
    assert chosen.runtime.split()[-1] in ("fp32", "bf16")
    apart = np.abs(chosen.fill(*crops()) - plain.fill(*crops())).max()
    assert (apart == 0) == (chosen.runtime == plain.runtime) and apart < 2e-2
    with pytest.raises(EngineError, match="in fp32 or bf16, not in 'int3'"):
        faceinp.load_engine("landmark-openvino", files | {"precision": "int3"})


def test_a_provider_that_is_not_there_is_not_replaced(files: dict[str, Path]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    absent = next(
        name for name, full in sessions.PROVIDERS.items() if full not in onnxruntime.get_available_providers()
    )
    with pytest.raises(EngineError, match=r"has no \w+ExecutionProvider here; it has .*CPUExecutionProvider"):
        faceinp.load_engine("landmark-onnx", files | {"provider": absent})


def test_another_file_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(EngineError, match=r"Expected an exported 'completion' graph\. `faceinp export"):
        faceinp.load_engine("landmark-onnx", files | {"file": files["predictor"]})
    with pytest.raises(EngineError, match="no file nowhere"):
        faceinp.load_engine("landmark-onnx", {"file": "nowhere.onnx"})


def test_files_that_are_not_there_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    monkeypatch.setenv("FACEINP_CACHE", str(tmp_path))
    made = runtime._exported("landmarks", "")
    assert made.is_relative_to(tmp_path) and sessions.read_sidecar(made)["name"] == "landmarks"
    os.utime(made, (0, 0))
    assert runtime._exported("landmarks", "").stat().st_mtime == 0


def test_the_exporter_s_word_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_weights: Path) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    broken = tmp_path / "weights"
    broken.mkdir()
    (broken / "landmarks.safetensors").write_bytes((small_weights / "dcgan.safetensors").read_bytes())
    monkeypatch.setenv("FACEINP_WEIGHTS", str(broken))
    monkeypatch.setenv("FACEINP_CACHE", str(tmp_path))
    with pytest.raises(EngineError, match=r"does not hold landmarks.*export onnx landmarks"):
        runtime._exported("landmarks", "")


@pytest.mark.gpu
@pytest.mark.skipif(not sessions.nvidia_gpus(), reason="running a TensorRT engine needs an NVIDIA GPU")
def test_tensorrt_gives_what_torch_gives() -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    pytest.importorskip(sessions.tensorrt_package(), reason="the extra 'tensorrt' is not installed")
    engine, truth = faceinp.load_engine("landmark-tensorrt"), faceinp.load_engine("landmark")
    assert engine.runtime.startswith("tensorrt") and engine.runtime.endswith("cuda fp16")
    assert np.abs(engine.fill(*crops()) - truth.fill(*crops())).max() < 2e-2


@pytest.mark.skipif(sessions.nvidia_gpus() > 0, reason="there is a GPU: the engine would be built")
def test_an_engine_of_another_onnx_file_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rtx = pytest.importorskip("tensorrt_rtx", reason="the extra 'tensorrt-rtx' is not installed")
    monkeypatch.setenv("FACEINP_CACHE", str(tmp_path))
    monkeypatch.setattr(sessions, "compute_capability", lambda: "8.9")
    folder = runtime._made_of("landmarks")
    folder.mkdir()
    source, engine = folder / "landmarks.fp16.onnx", folder / "landmarks.fp16.tensorrt-rtx.engine"
    for file in (source, engine):
        file.write_bytes(file.name.encode())
    about = {"backend": "tensorrt-rtx", "version": rtx.__version__, "capability": ["8.9"]}
    sums = {"sha256": weights.sha256(engine), "onnx_sha256": weights.sha256(source)}
    (folder / f"{engine.name}.json").write_text(json.dumps(about | sums))
    assert runtime._built("landmarks", "", "fp16") == engine
    source.write_bytes(b"another")
    with pytest.raises(EngineError, match=r"no GPU here to build for.*export\.trt landmarks"):
        runtime._built("landmarks", "", "fp16")


@pytest.mark.skipif(sessions.nvidia_gpus() > 0, reason="there is a GPU")
def test_without_a_gpu_tensorrt_says_what_to_use() -> None:
    assert "landmark-onnx" in runtime.LandmarkTensorrt.hindrance()
    status = next(status for status in faceinp.list_engines() if status.name == "landmark-tensorrt")
    assert not status.ready


def test_a_sidecar_of_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.engine").write_bytes(b"one")
    with pytest.raises(WeightsError, match="cannot be read"):
        sessions.read_sidecar(tmp_path / "a.engine")
    (tmp_path / "a.engine.json").write_text(json.dumps({"sha256": "0"}))
    with pytest.raises(WeightsError, match="its checksum differs"):
        sessions.read_sidecar(tmp_path / "a.engine")
