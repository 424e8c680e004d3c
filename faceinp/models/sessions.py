"""Opens exported files on a runtime: onnxruntime, OpenVINO or TensorRT.

The chosen provider runs the network, or an error says why it cannot: it is never replaced silently.
"""

import ctypes
import importlib
import importlib.util
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import EngineError, require
from faceinp.models import input_limits, json_values, onnx_metadata, sidecar, system

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
TENSORRT = {"tensorrt": "tensorrt", "tensorrt_rtx": "tensorrt-rtx"}  # import name -> extra
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}  # our name -> OpenVINO's; it supports fp16 on GPUs only
MAX_THREADS = 1024
Inputs = dict[str, NDArray[Any]]


class Session(Protocol):
    """An open file.

    runtime: for example "onnxruntime 1.31.1 cpu fp32". about: the exporter's metadata, empty for a third-party file.
    inputs: the names of the inputs. batch: the fixed batch size; 0: any.
    """

    runtime: str
    about: dict[str, Any]
    inputs: tuple[str, ...]
    batch: int

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs in the file's order, for inputs by name. Raises EngineError if it does not accept them."""


def run_in_batches(session: Session, inputs: Inputs, most: int = 0) -> NDArray[Any]:
    """The first output for inputs of any number of pictures, cut into batches of at most ``most`` pictures.

    most: 0 means as many as the file accepts. Raises EngineError as ``Session.run``.
    """
    count = len(next(iter(inputs.values())))
    step = session.batch or input_limits.at_once(session.about, most or count)
    parts = ({name: value[i : i + step] for name, value in inputs.items()} for i in range(0, count, step))
    return np.concatenate([session.run(part)[0] for part in parts])


class OnnxFile:
    """An ONNX file, or its bytes, on onnxruntime.

    provider: a key of ``PROVIDERS`` or onnxruntime's own name. threads: CPU threads; 0: ``system.threads()``.
    Raises EngineError if onnxruntime cannot run it with that provider, WeightsError for invalid metadata,
    MissingPackageError.
    """

    def __init__(self, file: Path | bytes, provider: str = "cpu", threads: int = 0) -> None:
        onnxruntime = imported("onnxruntime", "")
        full_name = PROVIDERS.get(provider, provider)
        available = onnxruntime.get_available_providers()
        if full_name not in available:
            raise EngineError(
                f"onnxruntime {onnxruntime.__version__} has no provider {full_name} here, only "
                f"{', '.join(available)}. Choose one of these, or install an onnxruntime with that provider (for "
                "NVIDIA: pip install 'faceinp[gpu]', then `faceinp doctor`)."
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # fatal only: errors are raised
        options.intra_op_num_threads = checked_threads(threads) or system.threads()
        options.enable_mem_pattern = False  # it keeps memory for each shape and is not measurably faster
        # Otherwise the session's threads spin after each run and occupy the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        try:
            model = file if isinstance(file, bytes) else str(file)
            self.session = onnxruntime.InferenceSession(model, options, providers=[full_name])
        except Exception as error:  # onnxruntime's errors have no common base class
            raise EngineError(
                f"onnxruntime cannot run {onnx_metadata.label(file)} with {full_name} ({_first_line(error)}). Download "
                "or export it again."
            ) from error
        self.session.disable_fallback()
        ports = self.session.get_inputs()
        self.inputs = tuple(port.name for port in ports)
        first = ports[0].shape if ports else []
        self.batch = first[0] if first and isinstance(first[0], int) else 0
        self.about = onnx_metadata.read(self.session.get_modelmeta().custom_metadata_map, file)
        used = f"{_provider_in_use(self.session, full_name)} {self.about.get('precision', '')}".strip()
        self.runtime = f"onnxruntime {onnxruntime.__version__} {used}"

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        input_limits.check(self.about, inputs)
        arrays = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        try:
            outputs: list[NDArray[Any]] = self.session.run(None, arrays)
        except Exception as error:  # as above
            shapes = ", ".join(f"{name} {value.dtype} {value.shape}" for name, value in arrays.items())
            raise EngineError(
                f"The file does not accept {shapes} ({_first_line(error)}). Pass the inputs that it expects."
            ) from error
        return outputs


class OpenvinoFile:
    """An ONNX file on OpenVINO and the CPU.

    precision: fp32, or bf16 if the CPU supports it; empty: the faster of both, which ``runtime`` names. threads: as for
    ``OnnxFile``. Raises EngineError if OpenVINO cannot run it, WeightsError and MissingPackageError as ``OnnxFile``.
    """

    def __init__(self, file: Path, precision: str = "", threads: int = 0) -> None:
        openvino = imported("openvino", "openvino")
        if precision and precision not in PRECISIONS:
            raise EngineError(f"OpenVINO supports {' or '.join(PRECISIONS)}, not {precision!r}.")
        self.core = openvino.Core()
        threads = checked_threads(threads) or system.threads()
        self.settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if precision:
            self.settings["INFERENCE_PRECISION_HINT"] = PRECISIONS[precision]
        try:
            self.model = self.core.read_model(file)
            compiled = self.core.compile_model(self.model, "CPU", self.settings)
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot run {file} ({_first_line(error)}). Download or export it again."
            ) from error
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        used = next((ours for ours, theirs in PRECISIONS.items() if theirs == used), used)
        if precision and used != precision:
            raise EngineError(f"This CPU does not support {precision}. Choose {used}, or no precision.")
        self.inputs = tuple(port.any_name for port in self.model.inputs)
        first = self.model.inputs[0].partial_shape
        self.batch = first[0].get_length() if len(first) and first[0].is_static else 0
        self.requests: dict[tuple[tuple[int, ...], ...], Any] = {}
        self.lock = Lock()  # a request serves one thread at a time
        entries = dict(self.model.get_rt_info().items()).get("framework", {})
        self.about = onnx_metadata.read({key: value.astype(str) for key, value in entries.items()}, file)
        self.runtime = f"openvino {openvino.__version__.partition('-')[0]} cpu {used}"

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        input_limits.check(self.about, inputs)
        shapes = tuple(value.shape for value in inputs.values())
        with self.lock:
            if shapes not in self.requests:  # compiled for one shape, it is faster than for dynamic shapes
                model = self.model.clone()
                model.reshape({name: value.shape for name, value in inputs.items()})
                self.requests[shapes] = self.core.compile_model(model, "CPU", self.settings).create_infer_request()
            outputs = self.requests[shapes].infer(inputs)
            return [outputs[port].copy() for port in self.requests[shapes].model_outputs]


class TensorrtFile:
    """A TensorRT engine on the first GPU. Raises EngineError if it was built by another version or for another GPU."""

    def __init__(self, file: Path) -> None:
        name = tensorrt_package()
        trt = imported(name, TENSORRT[name])
        import torch

        self.torch, self.about = torch, sidecar.read(file)
        if reason := mismatch(self.about, name):
            raise EngineError(f"{file} cannot run here: {reason}. Build it again with `faceinp export trt`.")
        engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(file.read_bytes())
        if engine is None:
            raise EngineError(f"TensorRT {trt.__version__} cannot load {file}. Build it with `faceinp export trt`.")
        self.engine, self.context = engine, engine.create_execution_context()
        ports = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        self.outputs = [port for port in ports if engine.get_tensor_mode(port) == trt.TensorIOMode.OUTPUT]
        self.inputs = tuple(port for port in ports if port not in self.outputs)
        self.kinds = {port: getattr(torch, np.dtype(trt.nptype(engine.get_tensor_dtype(port))).name) for port in ports}
        self.profiles, self.batch = self.about["profiles"], 0
        self.runtime = f"{TENSORRT[name]} {trt.__version__} cuda {self.about['precision']}"

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        input_limits.check(self.about, inputs)
        stream = self.torch.cuda.current_stream()
        tensors = {
            name: self.torch.from_numpy(np.ascontiguousarray(value)).to("cuda", self.kinds[name])
            for name, value in inputs.items()
        }
        outputs = self.launch(tensors)
        stream.synchronize()
        return [outputs[name].cpu().numpy() for name in self.outputs]

    def launch(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """As ``run``, on GPU tensors: enqueues the work on the current stream without waiting for it."""
        stream = self.torch.cuda.current_stream()
        batch = len(next(iter(tensors.values())))
        profile = next((n for n, (least, most) in enumerate(self.profiles) if least <= batch <= most), None)
        if profile is None:
            raise EngineError(
                f"The engine has the batches {self.profiles}, not {batch}. Build it with --batch {batch}."
            )
        self.context.set_optimization_profile_async(profile, stream.cuda_stream)
        for name, tensor in tensors.items():
            if not self.context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"The engine does not accept {name} of shape {tuple(tensor.shape)}. See its sidecar.")
            self.context.set_tensor_address(name, tensor.data_ptr())
        outputs = {
            name: self.torch.empty(tuple(self.context.get_tensor_shape(name)), dtype=self.kinds[name], device="cuda")
            for name in self.outputs
        }
        for name, tensor in outputs.items():
            self.context.set_tensor_address(name, tensor.data_ptr())
        if not self.context.execute_async_v3(stream.cuda_stream):
            raise EngineError("TensorRT could not run the engine. Build it again with `faceinp export trt`.")
        return outputs


def checked_threads(threads: Any) -> int:
    """``threads`` as an int; 0: all. Raises EngineError for anything but 0 to MAX_THREADS."""
    try:
        return json_values.whole({"threads": threads}, "threads", 0, MAX_THREADS)
    except ValueError as error:
        raise EngineError(f"The option {error}. Omit it to use all cores.") from error


def _first_line(error: Exception) -> str:
    """The first line of a runtime's error; its stack trace follows it."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _provider_in_use(session: Any, provider: str) -> str:
    """The key in PROVIDERS of an onnxruntime session's provider, and how many nodes run on another one.

    onnxruntime also lists providers whose libraries are missing, and runs nodes that one does not support on the CPU.
    Raises EngineError if no node runs on the provider.
    """
    nodes = [
        subgraph.ep_name for subgraph in session.get_provider_graph_assignment_info() for _ in subgraph.get_nodes()
    ]
    count = nodes.count(provider)
    if not count:
        raise EngineError(f"{provider} is listed but does not run here. Install its libraries, or choose another one.")
    name = next((name for name, full_name in PROVIDERS.items() if full_name == provider), provider)
    return name if count == len(nodes) else f"{name} ({len(nodes) - count} of {len(nodes)} nodes elsewhere)"


def tensorrt_package() -> str:
    """The import name of the installed TensorRT; "tensorrt" if none is installed."""
    return next((name for name in TENSORRT if importlib.util.find_spec(name)), "tensorrt")


def mismatch(about: dict[str, Any], package: str) -> str:
    """Why an engine with the sidecar ``about`` does not run here, or an empty text. Needs a GPU."""
    installed = importlib.import_module(package).__version__
    backend = TENSORRT[package]
    if about.get("backend") != backend or about.get("version") != installed:
        builder = f"{about.get('backend', 'an unknown backend')} {about.get('version', 'of unknown version')}"
        return f"it was built by {builder}, but {backend} {installed} is installed"
    try:
        built_for, capability = json_values.texts(about, "capability"), compute_capability()
    except ValueError as error:
        return f"its sidecar has no compute capability ({error})"
    if capability not in built_for:
        return f"it was built for compute capability {', '.join(built_for)}, but this GPU has {capability}"
    return ""


def nvidia_gpus() -> int:
    """The number of NVIDIA GPUs, from the driver: does not import torch."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver, count = ctypes.CDLL(library), ctypes.c_int()
            if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
                return count.value
        except OSError:
            continue
    return 0


def compute_capability() -> str:
    """The compute capability of the first GPU, such as "8.9". Raises EngineError if torch finds no GPU."""
    import torch

    if not torch.cuda.is_available():
        raise EngineError("torch finds no NVIDIA GPU. Install torch's CUDA build and the GPU's driver.")
    return "{}.{}".format(*torch.cuda.get_device_capability())


def imported(name: str, extra: str = "") -> Any:
    """Import the package ``name``, which ``extra`` of faceinp installs. Raises MissingPackageError, EngineError."""
    require(name, extra)
    try:
        return importlib.import_module(name)
    except ImportError as error:  # for example, one of its libraries is missing
        raise EngineError(f"The package {name} cannot be imported ({error}). Install it again.") from error
