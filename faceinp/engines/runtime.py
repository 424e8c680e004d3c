"""The landmark-guided engine on exported files: ``landmark-onnx`` (onnxruntime) and ``landmark-tensorrt``.

Files come from ``python -m export.onnx`` and ``export.trt``; where there are none they are made at first use, by a
process of their own, and kept in the cache. What is asked for runs, or an error says why it cannot: no provider is
exchanged for another one silently.
"""

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceinp import weights
from faceinp.engines.base import GuidedEngine, Needs, Progress, register
from faceinp.errors import EngineError, WeightsError

BATCH = 8  # crops that go through the network at once
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
TENSORRT = {"tensorrt": "tensorrt", "tensorrt_rtx": "tensorrt-rtx"}  # import name -> extra
Inputs = dict[str, NDArray[Any]]


class Exported(GuidedEngine):
    """What both engines share: two files, one that predicts landmarks and one that completes."""

    size = 256
    largest = 256
    completion: "OnnxFile | TensorrtFile"
    predictor: "OnnxFile | TensorrtFile"

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        points = [
            self.predictor.run({"picture": crops[part], "mask": masks[part].astype(np.float32)})[0]
            for part in _parts(len(crops))
        ]
        return np.concatenate(points) if points else np.zeros((0, 68, 2), np.float32)

    def _complete(
        self, crops: NDArray[np.float32], masks: NDArray[np.bool_], points: NDArray[np.float32], progress: Progress
    ) -> NDArray[np.float32]:
        import torch

        from faceinp.nets.completion import landmark_map

        filled = np.empty_like(crops)
        for part in _parts(len(crops)):
            progress(part.start, len(crops))
            maps = landmark_map(torch.from_numpy(np.ascontiguousarray(points[part])), self.size).numpy()
            given = {"picture": crops[part], "mask": masks[part].astype(np.float32), "landmark_map": maps}
            filled[part] = self.completion.run(given)[0]
        progress(len(crops), len(crops))
        return filled


@register
class LandmarkOnnx(Exported):
    """file, predictor: exported completion and landmarks; empty: those of the weights' folder, or made at first use.

    provider: what computes: one of ``PROVIDERS``, or a name of onnxruntime's. threads: of the processor, 0 for all.
    """

    name = "landmark-onnx"
    about = "The landmark-guided network as ONNX files, on onnxruntime."
    needs = Needs(("onnxruntime", "torch"), "export", ("completion", "landmarks"))

    def __init__(
        self, *, file: str | Path = "", predictor: str | Path = "", provider: str = "cpu", threads: int = 0
    ) -> None:
        self.completion = OnnxFile(_exported("completion", file), provider, threads)
        self.predictor = OnnxFile(_exported("landmarks", predictor), provider, threads)
        self.runtime = self.completion.runtime


class OnnxFile:
    """An ONNX file on one provider. Raises EngineError when onnxruntime cannot run it there."""

    def __init__(self, file: Path, provider: str = "cpu", threads: int = 0) -> None:
        import onnxruntime

        wanted = PROVIDERS.get(provider, provider)
        there = onnxruntime.get_available_providers()
        if wanted not in there:
            raise EngineError(
                f"onnxruntime {onnxruntime.__version__} has no {wanted} here; it has {', '.join(there)}. Choose one of "
                "these as provider, or install the onnxruntime that has it (for NVIDIA: pip install 'faceinp[gpu]')."
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(str(file), options, providers=[wanted])
        except Exception as error:  # onnxruntime's errors have no common base of their own
            raise EngineError(f"onnxruntime cannot run {file} with {wanted} ({error}). Export it again.") from error
        runs = self.session.get_providers()[0]
        if runs != wanted:  # it lists providers whose libraries are not there, and takes the processor instead
            raise EngineError(f"{wanted} is listed, but does not run here: {runs} would. Install what it needs.")
        self.session.disable_fallback()
        short = next((name for name, full in PROVIDERS.items() if full == runs), runs)
        precision = self.session.get_modelmeta().custom_metadata_map.get("faceinp.precision", "")
        self.runtime = f"onnxruntime {onnxruntime.__version__} {short} {precision}".strip()

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        """The file's outputs, in their order."""
        given = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        answered: list[NDArray[Any]] = self.session.run(None, given)
        return answered


def tensorrt_package() -> str:
    """The import name of the TensorRT that is installed; of the usual one where none is."""
    return next((name for name in TENSORRT if importlib.util.find_spec(name)), "tensorrt")


@register
class LandmarkTensorrt(Exported):
    """file, predictor: engines of ``python -m export.trt``; empty: those in the cache, or built there for this GPU.

    precision: of those that are built, fp16 or fp32.
    """

    name = "landmark-tensorrt"
    about = "The landmark-guided network as TensorRT engines, for NVIDIA GPUs."
    needs = Needs((tensorrt_package(), "torch"), TENSORRT[tensorrt_package()], ("completion", "landmarks"))

    def __init__(self, *, file: str | Path = "", predictor: str | Path = "", precision: str = "fp16") -> None:
        if hindrance := self.hindrance():
            raise EngineError(hindrance)
        self.completion = TensorrtFile(_built("completion", file, precision))
        self.predictor = TensorrtFile(_built("landmarks", predictor, precision))
        self.runtime = self.completion.runtime

    @classmethod
    def hindrance(cls) -> str:
        if not nvidia_gpus():
            return "TensorRT runs on NVIDIA GPUs, and there is none here. Use landmark-onnx, or landmark."
        return ""


class TensorrtFile:
    """A TensorRT engine on the first GPU. Raises EngineError when it was made by another version or for another GPU."""

    runs: ClassVar[str] = "cuda"

    def __init__(self, file: Path) -> None:
        import torch

        package = tensorrt_package()
        trt = importlib.import_module(package)
        self.torch, about = torch, read_sidecar(file)
        if reason := mismatch(about, package):
            raise EngineError(f"{file} cannot run here: {reason}. Build it again with `python -m export.trt`.")
        engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(file.read_bytes())
        if engine is None:
            raise EngineError(f"TensorRT {trt.__version__} does not take {file}. Build it with `python -m export.trt`.")
        self.engine, self.context = engine, engine.create_execution_context()
        self.outputs = [
            name
            for name in map(engine.get_tensor_name, range(engine.num_io_tensors))
            if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT
        ]
        self.profiles = about["profiles"]
        self.kinds = {name: getattr(torch, np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name) for name in self}
        self.runtime = f"{TENSORRT[package]} {trt.__version__} cuda {about['precision']}"

    def __iter__(self) -> Any:
        return map(self.engine.get_tensor_name, range(self.engine.num_io_tensors))

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        """The engine's outputs, in their order."""
        torch, stream = self.torch, self.torch.cuda.current_stream()
        given = {
            name: torch.from_numpy(np.ascontiguousarray(value)).to(self.runs, self.kinds[name])
            for name, value in inputs.items()
        }
        batch = len(next(iter(inputs.values())))
        number = next((n for n, (least, most) in enumerate(self.profiles) if least <= batch <= most), None)
        if number is None:
            raise EngineError(f"The engine takes {self.profiles} pictures at once, not {batch}. Build it with --batch.")
        self.context.set_optimization_profile_async(number, stream.cuda_stream)
        for name, tensor in given.items():
            self.context.set_input_shape(name, tuple(tensor.shape))
            self.context.set_tensor_address(name, tensor.data_ptr())
        answers = {
            name: torch.empty(tuple(self.context.get_tensor_shape(name)), dtype=self.kinds[name], device=self.runs)
            for name in self.outputs
        }
        for name, tensor in answers.items():
            self.context.set_tensor_address(name, tensor.data_ptr())
        if not self.context.execute_async_v3(stream.cuda_stream):
            raise EngineError("TensorRT could not run the engine. Build it again with `python -m export.trt`.")
        stream.synchronize()
        return [answers[name].cpu().numpy() for name in self.outputs]


def mismatch(about: dict[str, Any], package: str) -> str:
    """Why an engine with the sidecar ``about`` does not run here; empty when it does."""
    here = importlib.import_module(package).__version__
    backend = TENSORRT[package]
    if about["backend"] != backend or about["versions"].get(backend) != here:
        made = f"{about['backend']} {about['versions'].get(about['backend'], 'of unknown version')}"
        return f"it was built by {made}, and {backend} {here} is installed"
    import torch

    capability = "{}.{}".format(*torch.cuda.get_device_capability())
    if capability not in about["capability"]:
        return f"it was built for compute capability {', '.join(about['capability'])}, and this GPU has {capability}"
    return ""


def read_sidecar(file: Path) -> dict[str, Any]:
    """``FILE.json`` beside an exported file; raises WeightsError when it is missing, or speaks of another file."""
    place = file.with_name(f"{file.name}.json")
    try:
        about: dict[str, Any] = json.loads(place.read_text())
        digest = weights.sha256(file)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} and its sidecar {place.name} cannot be read ({error}). Export it again.") from error
    if about.get("sha256") != digest:
        raise WeightsError(f"{place} speaks of another {file.name}: its checksum differs. Export it again.")
    return about


def nvidia_gpus() -> int:
    """How many NVIDIA GPUs the driver shows; asked without importing torch."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver, count = ctypes.CDLL(library), ctypes.c_int()
            if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
                return count.value
        except OSError:
            continue
    return 0


def _exported(name: str, given: str | Path) -> Path:
    """The ONNX file of the graph ``name``: the one given, the weights' folder's, or one made of those weights."""
    if given:
        if not Path(given).is_file():
            raise EngineError(f"There is no file {given}. `python -m export.onnx {name}` makes one.")
        return Path(given)
    shipped = weights.folder() / f"{name}.onnx"
    if shipped.is_file():
        return shipped
    # The folder's name is that of the weights: other weights make other files.
    made = weights.cache() / f"export-{weights.sha256(weights.path(name))[:16]}" / f"{name}.onnx"
    if not made.is_file():
        _call_exporter("export.onnx", name, "-o", str(made.parent))
    return made


def _built(name: str, given: str | Path, precision: str) -> Path:
    """The TensorRT engine of the graph ``name``: the one given, or one that suits this machine."""
    if given:
        return Path(given)
    package = tensorrt_package()
    folder = weights.cache() / f"export-{weights.sha256(weights.path(name))[:16]}"
    stem = name if precision == "fp32" else f"{name}.{precision}"
    file = folder / f"{stem}.{TENSORRT[package]}.engine"
    try:
        current = not mismatch(read_sidecar(file), package)
    except WeightsError:
        current = False
    if not current:
        options = ("--precision", precision, "--batch", f"1,{BATCH}", "-o", str(folder))
        _call_exporter("export.trt", name, "--backend", TENSORRT[package], *options)
    return file


def _call_exporter(module: str, *arguments: str) -> None:
    """Run an exporter in a process of its own: engines know nothing of exporters, and its memory is given back."""
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise EngineError(f"{lines[-1]} (`python {' '.join(command[2:])}` was run to make what the engine needs.)")


def _parts(count: int) -> Sequence[slice]:
    return [slice(at, min(at + BATCH, count)) for at in range(0, count, BATCH)]
