"""Exported files, each open on a runtime: onnxruntime, OpenVINO or TensorRT.

What is asked for runs, or an error says why it cannot: no provider is exchanged for another one silently.
"""

import ctypes
import importlib
import importlib.util
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceinp.common import json_values, system
from faceinp.errors import EngineError, MissingPackageError, WeightsError
from faceinp.models import input_limits, sidecar

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
TENSORRT = {"tensorrt": "tensorrt", "tensorrt_rtx": "tensorrt-rtx"}  # import name -> extra
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}  # ours -> OpenVINO's; fp16 it computes on GPUs only
MOST_THREADS = 1024
Inputs = dict[str, NDArray[Any]]


class Session(Protocol):
    """An open file.

    runtime: what computes, for example "onnxruntime 1.31.1 cpu fp32". about: what the exporter noted in the file or
    beside it, empty for somebody else's. inputs: the names of what it takes. batch: how many pictures it takes at once;
    0: any number.
    """

    runtime: str
    about: dict[str, Any]
    inputs: tuple[str, ...]
    batch: int

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        """The file's outputs, in their order, for inputs by name. Raises EngineError when they do not suit it."""


def run_in_batches(session: Session, inputs: Inputs, most: int = 0) -> NDArray[Any]:
    """The first output of an open file for one picture or more, as many at once as it takes, and no more than ``most``;
    0: all. Raises EngineError as ``Session.run`` does.
    """
    count = len(next(iter(inputs.values())))
    step = session.batch or input_limits.at_once(session.about, most or count)
    parts = ({name: value[at : at + step] for name, value in inputs.items()} for at in range(0, count, step))
    return np.concatenate([session.run(part)[0] for part in parts])


class OnnxFile:
    """An ONNX file, or its bytes, on one provider: a key of ``PROVIDERS`` or a name of onnxruntime's. threads: of the
    processor; 0: as many as ``machine.threads`` says.

    Raises EngineError when onnxruntime cannot run it there, WeightsError for a file whose metadata are odd,
    MissingPackageError.
    """

    def __init__(self, file: Path | bytes, provider: str = "cpu", threads: int = 0) -> None:
        onnxruntime = imported("onnxruntime", "")
        wanted = PROVIDERS.get(provider, provider)
        there = onnxruntime.get_available_providers()
        if wanted not in there:
            raise EngineError(
                f"onnxruntime {onnxruntime.__version__} has no {wanted} here; it has {', '.join(there)}. Choose one of "
                "these as provider, or install the onnxruntime that has it (for NVIDIA: pip install 'faceinp[gpu]', "
                "then `faceinp doctor`)."
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised
        options.intra_op_num_threads = checked_threads(threads) or system.threads()
        options.enable_mem_pattern = False  # a pattern keeps memory for each shape, and saves no time that shows
        # A session's threads go on spinning after each run, and take the cores from whatever runs next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        try:
            model = file if isinstance(file, bytes) else str(file)
            self.session = onnxruntime.InferenceSession(model, options, providers=[wanted])
        except Exception as error:  # onnxruntime's errors have no common base of their own
            called = "the model" if isinstance(file, bytes) else file
            raise EngineError(
                f"onnxruntime cannot run {called} with {wanted} ({_first_line(error)}). Fetch or export it again."
            ) from error
        self.session.disable_fallback()
        ports = self.session.get_inputs()
        self.inputs = tuple(port.name for port in ports)
        first = ports[0].shape if ports else []
        self.batch = first[0] if first and isinstance(first[0], int) else 0
        self.about = _ours(self.session.get_modelmeta().custom_metadata_map, file)
        runs = f"{_placed(self.session, wanted)} {self.about.get('precision', '')}".strip()
        self.runtime = f"onnxruntime {onnxruntime.__version__} {runs}"

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        input_limits.check(self.about, inputs)
        given = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        try:
            answered: list[NDArray[Any]] = self.session.run(None, given)
        except Exception as error:  # as above
            shapes = ", ".join(f"{name} {value.dtype} {value.shape}" for name, value in given.items())
            raise EngineError(
                f"The file does not take {shapes} ({_first_line(error)}). Give it what it was made for."
            ) from error
        return answered


class OpenvinoFile:
    """An ONNX file on OpenVINO and the processor. precision: fp32, or bf16 where the processor has it; empty: the
    fastest it has, which ``runtime`` names. threads: as of ``OnnxFile``.

    Raises EngineError when OpenVINO cannot run it so, WeightsError as ``OnnxFile`` does, MissingPackageError.
    """

    def __init__(self, file: Path, precision: str = "", threads: int = 0) -> None:
        openvino = imported("openvino", "openvino")
        if precision and precision not in PRECISIONS:
            raise EngineError(f"OpenVINO computes in {' or '.join(PRECISIONS)}, not in {precision!r}.")
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
                f"OpenVINO cannot run {file} ({_first_line(error)}). Fetch or export it again."
            ) from error
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        used = next((ours for ours, theirs in PRECISIONS.items() if theirs == used), used)
        if precision and used != precision:
            raise EngineError(f"This processor has no {precision}: OpenVINO would take {used}. Choose that, or none.")
        self.inputs = tuple(port.any_name for port in self.model.inputs)
        first = self.model.inputs[0].partial_shape
        self.batch = first[0].get_length() if len(first) and first[0].is_static else 0
        self.requests: dict[tuple[tuple[int, ...], ...], Any] = {}
        self.lock = Lock()  # a request serves one thread at a time
        kept = dict(self.model.get_rt_info().items()).get("framework", {})
        self.about = _ours({key: value.astype(str) for key, value in kept.items()}, file)
        self.runtime = f"openvino {openvino.__version__.partition('-')[0]} cpu {used}"

    def run(self, inputs: Inputs) -> list[NDArray[Any]]:
        input_limits.check(self.about, inputs)
        shapes = tuple(value.shape for value in inputs.values())
        with self.lock:
            if shapes not in self.requests:  # compiled for one shape it is faster than for any
                model = self.model.clone()
                model.reshape({name: value.shape for name, value in inputs.items()})
                self.requests[shapes] = self.core.compile_model(model, "CPU", self.settings).create_infer_request()
            answers = self.requests[shapes].infer(inputs)
            return [answers[port].copy() for port in self.requests[shapes].model_outputs]


class TensorrtFile:
    """A TensorRT engine on the first GPU. Raises EngineError when it was made by another version or for another GPU."""

    def __init__(self, file: Path) -> None:
        name = tensorrt_package()
        trt = imported(name, TENSORRT[name])
        import torch

        self.torch, self.about = torch, sidecar.read(file)
        if reason := mismatch(self.about, name):
            raise EngineError(f"{file} cannot run here: {reason}. Build it again with `faceinp export trt`.")
        engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(file.read_bytes())
        if engine is None:
            raise EngineError(f"TensorRT {trt.__version__} does not take {file}. Build it with `faceinp export trt`.")
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
        given = {
            name: self.torch.from_numpy(np.ascontiguousarray(value)).to("cuda", self.kinds[name])
            for name, value in inputs.items()
        }
        answers = self.launch(given)
        stream.synchronize()
        return [answers[name].cpu().numpy() for name in self.outputs]

    def launch(self, given: dict[str, Any]) -> dict[str, Any]:
        """As ``run``, on tensors of the GPU: enqueues the work on the current stream and does not wait for it."""
        stream = self.torch.cuda.current_stream()
        batch = len(next(iter(given.values())))
        number = next((n for n, (least, most) in enumerate(self.profiles) if least <= batch <= most), None)
        if number is None:
            raise EngineError(f"The engine takes {self.profiles} pictures at once, not {batch}. Build it with --batch.")
        self.context.set_optimization_profile_async(number, stream.cuda_stream)
        for name, tensor in given.items():
            if not self.context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"The engine does not take {name} of shape {tuple(tensor.shape)}. See its sidecar.")
            self.context.set_tensor_address(name, tensor.data_ptr())
        answers = {
            name: self.torch.empty(tuple(self.context.get_tensor_shape(name)), dtype=self.kinds[name], device="cuda")
            for name in self.outputs
        }
        for name, tensor in answers.items():
            self.context.set_tensor_address(name, tensor.data_ptr())
        if not self.context.execute_async_v3(stream.cuda_stream):
            raise EngineError("TensorRT could not run the engine. Build it again with `faceinp export trt`.")
        return answers


def _ours(metadata: dict[str, str], file: Path | bytes) -> dict[str, Any]:
    """What our exporter wrote into the metadata of an ONNX file: ``taught_by``, ``guided``, ``limits`` as values, all
    else as text. Raises WeightsError for what no exporter writes, and where a file that the graph reads is missing.
    """
    about: dict[str, Any] = {
        key.removeprefix("faceinp."): value for key, value in metadata.items() if key.startswith("faceinp.")
    }
    called = "The model" if isinstance(file, bytes) else str(file)
    try:
        for key in ("name", "precision"):
            json_values.text(about, key, "")
        if "taught_by" in about:
            about["taught_by"] = list(json_values.texts(_parsed(about, "taught_by"), "taught_by"))
        if "guided" in about:
            about["guided"] = json_values.flag(_parsed(about, "guided"), "guided")
        if "limits" in about:
            about |= _parsed(about, "limits")
            input_limits.from_json(json_values.section(about, "limits"))
        needed = [file.with_name(name) for name in reads(about)] if isinstance(file, Path) else []
    except ValueError as error:
        raise WeightsError(f"{called} says what no exporter writes: {error}. Export or fetch it again.") from error
    for numbers in needed:
        if not numbers.is_file():
            raise WeightsError(
                f"{called} reads its numbers from {numbers}, which is missing. Take both from one release."
            )
    return about


def reads(about: dict[str, Any]) -> dict[str, str]:
    """The files beside an ONNX file that it reads its numbers from, by name, and their sha256; of a ``Session.about``.

    Raises ValueError for anything else than names without folders, which an open session has none of.
    """
    if "reads" not in about:
        return {}
    hashes = json_values.section(_parsed(about, "reads"), "reads")
    for name in hashes:
        json_values.text(hashes, name)
        if name != Path(name).name or name == ".." or "\\" in name:
            raise ValueError(f"'reads' must name files without folders, got {name!r}")
    return hashes


def _parsed(about: dict[str, Any], key: str) -> dict[str, Any]:
    """One value that is stored as JSON, under its key."""
    try:
        return {key: json_values.parse(about[key])}
    except ValueError as error:
        raise ValueError(f"{key!r} is no JSON ({error})") from error


def checked_threads(threads: Any) -> int:
    """How many are asked for; 0: all. Raises EngineError for what is no number of threads."""
    try:
        return json_values.whole({"threads": threads}, "threads", 0, MOST_THREADS)
    except ValueError as error:
        raise EngineError(f"The option {error}. Leave it out for all cores.") from error


def _first_line(error: Exception) -> str:
    """The runtime's own words without the lines of its source that follow them."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _placed(session: Any, wanted: str) -> str:
    """Where the nodes of an onnxruntime session really run, as ``PROVIDERS`` calls it.

    onnxruntime lists providers whose libraries are not there, and gives nodes that one cannot run to the processor.
    Raises EngineError when none runs where it was wanted.
    """
    nodes = [
        subgraph.ep_name for subgraph in session.get_provider_graph_assignment_info() for _ in subgraph.get_nodes()
    ]
    there = nodes.count(wanted)
    if not there:
        raise EngineError(f"{wanted} is listed, but runs nothing here. Install what it needs, or choose another.")
    name = next((name for name, full in PROVIDERS.items() if full == wanted), wanted)
    return name if there == len(nodes) else f"{name} ({len(nodes) - there} of {len(nodes)} nodes elsewhere)"


def tensorrt_package() -> str:
    """The import name of the TensorRT that is installed; of the usual one where none is."""
    return next((name for name in TENSORRT if importlib.util.find_spec(name)), "tensorrt")


def mismatch(about: dict[str, Any], package: str) -> str:
    """Why an engine with the sidecar ``about`` does not run here; empty when it does. Needs a GPU to ask."""
    here = importlib.import_module(package).__version__
    backend = TENSORRT[package]
    if about.get("backend") != backend or about.get("version") != here:
        made = f"{about.get('backend', 'something')} {about.get('version', 'of unknown version')}"
        return f"it was built by {made}, and {backend} {here} is installed"
    try:
        built_for, capability = json_values.texts(about, "capability"), compute_capability()
    except ValueError as error:
        return f"its sidecar does not say what it was built for ({error})"
    if capability not in built_for:
        return f"it was built for compute capability {', '.join(built_for)}, and this GPU has {capability}"
    return ""


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


def compute_capability() -> str:
    """Of the first GPU, such as "8.9". Raises EngineError where torch sees none."""
    import torch

    if not torch.cuda.is_available():
        raise EngineError("torch sees no NVIDIA GPU here. Install torch's CUDA build and the GPU's driver.")
    return "{}.{}".format(*torch.cuda.get_device_capability())


def imported(name: str, extra: str = "") -> Any:
    """The package called ``name``. Raises MissingPackageError, with the extra that brings it, and EngineError."""
    if importlib.util.find_spec(name) is None:
        raise MissingPackageError(name, extra)
    try:
        return importlib.import_module(name)
    except ImportError as error:  # one of its libraries is missing, say
        raise EngineError(f"The package {name} is installed and does not load ({error}). Install it again.") from error
