"""Networks on every runtime give what torch gives, say what computes, and read the same weights."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import faceinp
from faceinp.errors import EngineError, MissingPackageError, WeightsError
from faceinp.models import networks, runtimes, sessions, weights
from faceinp.models.runtimes import Runtime, open_network

SHIPPED = Path(__file__).parent.parent / "weights"
ODD_THREADS = ("abc", "2", 1.5, -1, 99_999_999_999, True, None, float("nan"))
SHAPES = {
    "completion": {"picture": (1, 3, 256, 256), "mask": (1, 1, 256, 256), "landmark_map": (1, 5, 256, 256)},
    "landmarks": {"picture": (3, 3, 256, 256), "mask": (3, 1, 256, 256)},
    "embedding": {"faces": (3, 3, 112, 112)},
    "damage": {"picture": (1, 3, 96, 160)},
    "occluders": {"picture": (2, 3, 160, 96)},
}


@pytest.fixture
def files(exported: Callable[..., Path]) -> dict[str, Path]:
    return {"file": exported("completion"), "predictor": exported("landmarks", size=256)}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with the shipped predictor and its graph."""
    for name in ("landmarks.safetensors", "landmarks.onnx"):
        shutil.copy(SHIPPED / name, tmp_path)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    return tmp_path


def crops(count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    masks = np.zeros((count, 1, 256, 256), np.bool_)
    masks[..., 80:150, 60:180] = True
    return rng.random((count, 3, 256, 256), dtype=np.float32), masks


# ---- the shipped graphs ----


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", SHAPES)
def test_shipped_graphs_give_what_torch_gives(name: str, runtime: str) -> None:
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    rng = np.random.default_rng(0)
    given = {key: rng.random(shape, dtype=np.float32) for key, shape in SHAPES[name].items()}
    if "mask" in given:
        given["mask"] = (given["mask"] < 0.3).astype(np.float32)
    session = open_network(name, Runtime(runtime, precision="fp32"))
    assert session.runtime.startswith(runtime) and session.runtime.endswith("cpu fp32")
    (ours,), (truth,) = session.run(given), networks.TorchNetwork(name).run(given)
    assert ours.shape == truth.shape and np.abs(ours - truth).max() < 1e-4


@pytest.mark.parametrize("name", SHAPES)
def test_a_graph_holds_no_weights_of_its_own(name: str) -> None:
    file = SHIPPED / f"{name}.onnx"
    assert file.stat().st_size < min(500_000, (SHIPPED / f"{name}.safetensors").stat().st_size)
    weights.verify_file(file)


def test_a_graph_of_other_weights_is_refused(copied: Path) -> None:
    file = copied / "landmarks.safetensors"
    numbers = bytearray(file.read_bytes())
    numbers[-100] ^= 1
    file.write_bytes(numbers)
    with pytest.raises(WeightsError, match=r"onnx does not match the weights in landmarks\.safetensors"):
        open_network("landmarks")
    file.unlink()
    with pytest.raises(WeightsError, match=r"landmarks\.safetensors does not exist"):
        open_network("landmarks")


@pytest.mark.parametrize("graph", ["landmarks.onnx", "exported"])
def test_a_graph_that_reads_another_file_is_refused(
    graph: str, copied: Path, exported: Callable[..., Path], small_folder: Path
) -> None:
    own = copied / "own.safetensors"
    shutil.copy(small_folder / "landmarks.safetensors", own)
    shutil.copy(copied / graph if "." in graph else exported("landmarks", size=256), own.with_suffix(".onnx"))
    with pytest.raises(WeightsError, match=r"does not match the weights in own\.safetensors.*export core landmarks"):
        open_network("landmarks", file=own)


@pytest.mark.parametrize("name", ["landmarks.png", "landmarks.engine"])
def test_files_that_are_no_networks_are_named(name: str, copied: Path) -> None:
    (copied / name).write_bytes(b"something")
    with pytest.raises(WeightsError, match=r"neither packed weights .* nor an exported graph"):
        open_network("landmarks", Runtime("onnxruntime"), copied / name)


def test_openvino_finds_weights_behind_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links to files, and, as in the cache of a model hub, links to files of other names."""
    pytest.importorskip("openvino", reason="openvino is not installed")
    for folder, name in (("plain", "{}"), ("blobs", "blob-{}")):
        kept, linked = tmp_path / folder, tmp_path / f"linked-{folder}"
        kept.mkdir()
        linked.mkdir()
        for file in ("landmarks.safetensors", "landmarks.onnx"):
            shutil.copy(SHIPPED / file, kept / name.format(file))
            (linked / file).symlink_to(kept / name.format(file))
        monkeypatch.setenv("FACEINP_WEIGHTS", str(linked))
        assert open_network("landmarks", Runtime("onnxruntime")).runtime.startswith("onnxruntime")
        if folder == "plain":
            assert open_network("landmarks", Runtime("openvino")).runtime.startswith("openvino")


@pytest.mark.parametrize("damaged", ["landmarks.onnx", "landmarks.safetensors"])
def test_a_damaged_file_of_ours_is_told_as_that(damaged: str, copied: Path) -> None:
    shutil.copy(SHIPPED / weights.CHECKSUMS, copied)
    (copied / damaged).write_bytes(b"nothing")
    with pytest.raises(
        WeightsError, match=rf"{damaged} is damaged.*Download it again.*faceinp weights verify"
    ) as raised:
        open_network("landmarks", Runtime("onnxruntime"))
    assert "\n" not in str(raised.value)
    file = copied / "landmarks.onnx"
    file.write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"cannot run .*landmarks\.onnx") as other:  # somebody's own: no word of ours
        open_network("landmarks", Runtime("onnxruntime"), file)
    assert "\n" not in str(other.value)


def test_a_network_is_opened_once_by_however_many_ask(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def slowly(name: str, file: Path) -> str:
        opened.append(name)
        time.sleep(0.05)
        return name

    monkeypatch.setattr(runtimes, "open_network", slowly)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(runtimes.shared, ["landmarks"] * 4)) == ["landmarks"] * 4
    assert opened == ["landmarks"]


def test_weights_without_a_graph_run_on_torch_and_nothing_else(copied: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    (copied / "landmarks.onnx").unlink()
    assert open_network("landmarks").runtime.startswith("torch")
    with pytest.raises(WeightsError, match=r"landmarks\.onnx.*faceinp export core landmarks.*faceinp\[torch\]"):
        open_network("landmarks", Runtime("onnxruntime"))


def test_a_graph_is_made_for_other_weights(small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    from faceinp.export import core

    shutil.copy(small_folder / "embedding.safetensors", tmp_path)
    file = core.export("embedding", tmp_path / "embedding.safetensors")  # compared with torch in there
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    session = open_network("embedding", Runtime("onnxruntime"))
    assert session.about["name"] == "embedding" and file == tmp_path / "embedding.onnx"
    weights.verify_file(file)
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted(
        ["embedding.safetensors", "embedding.onnx", weights.CHECKSUMS]
    )


# ---- the engine ----


def test_the_engine_runs_without_torch_where_nothing_is_said() -> None:
    engine = faceinp.load_engine("landmark")
    assert engine.runtime.startswith("onnxruntime") and engine.guided
    assert engine.taught_by == tuple(weights.read_packed(weights.path("completion"))[0]["taught_by"])
    together = engine.fill(*crops(2))
    assert np.abs(together[1:] - engine.fill(*(part[1:] for part in crops(2)))).max() < 1e-6


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_exported_files_give_what_torch_gives(runtime: str, files: dict[str, Path], small_weights: Path) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    engine = faceinp.load_engine("landmark", {"runtime": runtime, "precision": "fp32", "threads": 1} | files)
    truth = faceinp.load_engine("landmark", {"runtime": "torch"})
    assert engine.runtime.startswith(runtime) and engine.runtime.endswith("cpu fp32")
    assert engine.taught_by == truth.taught_by == () and truth.runtime == "torch cpu fp32"
    pictures, masks = crops()
    assert np.abs(engine.predict_landmarks(pictures, masks) - truth.predict_landmarks(pictures, masks)).max() < 1e-4
    assert np.abs(engine.fill(pictures, masks) - truth.fill(pictures, masks)).max() < 1e-3
    moved = truth.predict_landmarks(pictures, masks) + 0.1
    led = engine.fill(pictures, masks, landmarks=moved)
    assert np.abs(led - truth.fill(pictures, masks, landmarks=moved)).max() < 1e-3


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_earlier_names_are_the_engine_on_that_runtime(name: str, files: dict[str, Path]) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    earlier = {"onnxruntime": "landmark-onnx", "openvino": "landmark-openvino"}[name]
    engine = faceinp.load_engine(earlier, files)
    assert engine.name == "landmark" and engine.runtime.startswith(name)
    assert earlier not in {status.name for status in faceinp.list_engines()}


def test_openvino_says_in_which_precision_it_computes(files: dict[str, Path]) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    chosen = faceinp.load_engine("landmark", files | {"runtime": "openvino"})
    plain = faceinp.load_engine("landmark", files | {"runtime": "openvino", "precision": "fp32"})
    assert chosen.runtime.split()[-1] in ("fp32", "bf16")
    apart = np.abs(chosen.fill(*crops()) - plain.fill(*crops())).max()
    assert (apart == 0) == (chosen.runtime == plain.runtime) and apart < 2e-2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runtime": "caffe"}, "Unknown runtime 'caffe'. Choose one of onnxruntime, openvino, tensorrt, torch"),
        ({"runtime": "openvino", "precision": "int3"}, "supports fp32 or bf16, not 'int3'"),
        ({"precision": "bf16"}, "onnxruntime, the default runtime here, supports fp32, not 'bf16'"),
        ({"runtime": "torch", "provider": "cpu"}, "Only onnxruntime has providers"),
        ({"provider": "fpga"}, "has no provider fpga here, only .*CPUExecutionProvider"),
        *(({"threads": threads}, "'threads' must be a whole number from 0 to 1024") for threads in ODD_THREADS),
        ({"threads": 2, "runtime": "torch"}, "Only onnxruntime and openvino have the option threads, not torch"),
        ({"threads": 2, "runtime": "tensorrt"}, "Only onnxruntime and openvino have the option threads, not tensorrt"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, str], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        faceinp.load_engine("landmark", options)


def test_another_file_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match="does not contain the network 'completion'"):
        faceinp.load_engine("landmark", files | {"file": files["predictor"]})
    with pytest.raises(WeightsError, match="no file nowhere"):
        faceinp.load_engine("landmark", {"file": "nowhere.onnx"})
    with pytest.raises(WeightsError, match=r"\.\. is a folder"):
        faceinp.load_engine("landmark", {"file": ".."})


def test_a_runtime_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    for name, line in (
        ("torch", r"faceinp\[torch\]"),
        ("openvino", r"faceinp\[openvino\]"),
        ("onnxruntime", "faceinp$"),
    ):
        with pytest.raises(MissingPackageError, match=f"package {name} is not installed. Run: pip install '?{line}"):
            open_network("landmarks", Runtime(name))


# ---- TensorRT ----


@pytest.mark.gpu
@pytest.mark.skipif(not sessions.nvidia_gpus(), reason="running a TensorRT engine needs an NVIDIA GPU")
def test_tensorrt_gives_what_torch_gives() -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    pytest.importorskip(sessions.tensorrt_package(), reason="the extra 'tensorrt' is not installed")
    engine = faceinp.load_engine("landmark", {"runtime": "tensorrt"})
    truth = faceinp.load_engine("landmark", {"runtime": "torch"})
    assert engine.runtime.startswith("tensorrt") and engine.runtime.endswith("cuda fp16")
    assert np.abs(engine.fill(*crops()) - truth.fill(*crops())).max() < 2e-2


def test_what_the_exporter_says_comes_through_and_its_error_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    monkeypatch.setattr(runtimes.sys, "executable", str(python))
    python.write_text("#!/bin/sh\necho building >&2\necho done >&2\n")
    python.chmod(0o755)
    runtimes._call_exporter("trt", "landmarks")
    assert capsys.readouterr().err == "building\ndone\n"
    python.write_text("#!/bin/sh\necho building >&2\necho no room >&2\nexit 1\n")
    with pytest.raises(EngineError, match=r"^no room \(The engine needs the output of `faceinp export trt landmarks`"):
        runtimes._call_exporter("trt", "landmarks")
    assert capsys.readouterr().err == "building\n"


@pytest.mark.skipif(sessions.nvidia_gpus() > 0, reason="there is a GPU")
def test_without_a_gpu_tensorrt_says_so() -> None:
    pytest.importorskip(sessions.tensorrt_package(), reason="the extra 'tensorrt' is not installed")
    with pytest.raises(EngineError, match="needs an NVIDIA GPU, and none was found"):
        faceinp.load_engine("landmark-tensorrt")
