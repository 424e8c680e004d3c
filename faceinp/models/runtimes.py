"""Opens a network of the package on a runtime: onnxruntime, OpenVINO, TensorRT or torch.

On onnxruntime and OpenVINO a network is the graph ``NAME.onnx`` beside its weights ``NAME.safetensors``, which it reads
its numbers from, so all runtimes read the same bytes. ``faceinp export core`` writes these graphs. TensorRT engines are
built at first use for the installed GPU and kept in the cache.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

import faceinp
from faceinp.errors import EngineError, MissingPackageError, WeightsError
from faceinp.models import onnx_metadata, sessions, sidecar, weights
from faceinp.models.sessions import TENSORRT, Session

NAMES = ("onnxruntime", "openvino", "tensorrt", "torch")
PRECISIONS = {"onnxruntime": ("fp32",), "openvino": ("fp32", "bf16"), "tensorrt": ("fp16", "fp32"), "torch": ("fp32",)}
THREADED = ("onnxruntime", "openvino")
BATCH = 8  # the largest batch of a TensorRT engine
_opening = Lock()  # so that two threads do not open the same network


@dataclass(frozen=True)
class Runtime:
    """The choice of a runtime.

    name: one of NAMES; empty: the fastest installed one in fp32, on a GPU if possible. provider: for onnxruntime, a key
    of ``sessions.PROVIDERS`` or onnxruntime's own name. precision: one of PRECISIONS; empty: the runtime's default
    (OpenVINO: bf16 if the CPU supports it; TensorRT: fp16). threads: CPU threads, for THREADED only; 0: all, or what
    ``system.take_threads`` left.
    """

    name: str = ""
    provider: str = ""
    precision: str = ""
    threads: int = 0

    def __post_init__(self) -> None:
        sessions.checked_threads(self.threads)
        if self.name and self.name not in NAMES:
            raise EngineError(f"Unknown runtime {self.name!r}. Choose one of {', '.join(NAMES)}, or none.")
        if self.provider and self.name not in ("", "onnxruntime"):
            raise EngineError(f"Only onnxruntime has providers. Omit provider, or runtime={self.name!r}.")
        if self.name and self.precision and self.precision not in PRECISIONS[self.name]:
            offered = " or ".join(PRECISIONS[self.name])
            raise EngineError(f"{self.name} supports {offered}, not {self.precision!r}. Choose another precision.")


def open_network(name: str, runtime: Runtime = Runtime(), file: str | Path = "") -> Session:
    """Open the network called ``name``, a key of ``networks.INPUTS``, on a runtime.

    file: packed weights (.safetensors), an exported graph (.onnx) or a TensorRT engine (.engine); empty: the package's
    weights. Raises EngineError if the runtime cannot run here, MissingPackageError if it is not installed, WeightsError
    if the file is missing or contains another network.
    """
    if file:
        weights.check_file(Path(file))
    chosen = runtime.name or ("onnxruntime" if runtime.provider else _fastest(name, file))
    if runtime.precision and runtime.precision not in PRECISIONS[chosen]:
        raise EngineError(
            f"{chosen}, the default runtime here, supports {' or '.join(PRECISIONS[chosen])}, not "
            f"{runtime.precision!r}. Choose a runtime, too."
        )
    if runtime.threads and chosen not in THREADED:
        raise EngineError(
            f"Only {' and '.join(THREADED)} have the option threads, not {chosen}. Omit it, or choose another runtime."
        )
    if reason := missing(chosen):
        raise reason
    with nullcontext() if file else weights.reporting_damage(name):
        session = _opened(chosen, name, runtime, file)
    if session.about.get("name") != name:
        raise WeightsError(f"{file or name} does not contain the network {name!r}. Use a file of that network.")
    if chosen in ("onnxruntime", "openvino") and Path(file).suffix != ".onnx":
        _check_weights_of(session, Path(file) if file else weights.path(name), name)
    return session


def shared(name: str) -> Session:
    """The package's network called ``name`` on the fastest runtime; it is opened once and then shared.

    Thread-safe. Raises as ``open_network``.
    """
    with _opening:
        return _shared(name, weights.path(name))


@cache
def _shared(name: str, file: Path) -> Session:
    return open_network(name, file=file)


def _opened(chosen: str, name: str, runtime: Runtime, file: str | Path) -> Session:
    match chosen:
        case "torch":
            from faceinp.models.networks import TorchNetwork

            return TorchNetwork(name, file)
        case "tensorrt":
            return sessions.TensorrtFile(Path(file) if file else _built(name, runtime.precision or "fp16"))
        case "openvino":
            return sessions.OpenvinoFile(_without_link(_graph(name, file)), runtime.precision, runtime.threads)
    provider = runtime.provider or ("cuda" if not runtime.name and _cuda_provider() else "cpu")
    return sessions.OnnxFile(_graph(name, file), provider, runtime.threads)


def missing(name: str) -> EngineError | MissingPackageError | None:
    """Why the runtime called ``name`` cannot run here, or None. Imports nothing heavy."""
    if name == "tensorrt":
        package = sessions.tensorrt_package()
        for needed, extra in ((package, TENSORRT[package]), ("torch", "torch")):
            if importlib.util.find_spec(needed) is None:
                return MissingPackageError(needed, extra)
        if not sessions.nvidia_gpus():
            return EngineError("TensorRT needs an NVIDIA GPU, and none was found. Choose another runtime.")
        return None
    if importlib.util.find_spec(name) is None:
        return MissingPackageError(name, "" if name == "onnxruntime" else name)
    return None


def _fastest(name: str, file: str | Path) -> str:
    """The fastest installed runtime in fp32: one on a GPU, else onnxruntime, else OpenVINO, else torch.

    onnxruntime opens a network in a quarter of OpenVINO's time and is about as fast (docs/export.md).
    """
    suffix = Path(file).suffix
    if suffix == ".engine":
        return "tensorrt"
    installed = [runtime for runtime in NAMES if missing(runtime) is None]
    has_graph = _graph_path(name, file).is_file()
    if suffix != ".onnx" and "torch" in installed and sessions.nvidia_gpus() and not (has_graph and _cuda_provider()):
        import torch

        if torch.cuda.is_available():
            return "torch"
    for runtime in ("onnxruntime", "openvino"):
        if has_graph and runtime in installed:
            return runtime
    if "torch" in installed and suffix != ".onnx":
        return "torch"
    if not has_graph:
        raise _no_graph(name, file)
    raise MissingPackageError("onnxruntime", "")


def _cuda_provider() -> bool:
    """Whether an NVIDIA GPU exists and an onnxruntime for it is installed."""
    if not sessions.nvidia_gpus() or importlib.util.find_spec("onnxruntime") is None:
        return False
    return "CUDAExecutionProvider" in sessions.imported("onnxruntime").get_available_providers()


def _graph(name: str, file: str | Path) -> Path:
    """The ONNX file of a network. Raises WeightsError if it does not exist."""
    graph = _graph_path(name, file)
    if not graph.is_file():
        raise _no_graph(name, file)
    return graph


def _graph_path(name: str, file: str | Path) -> Path:
    """The path of the graph beside packed weights, or ``file`` itself if it is an exported graph."""
    if file and Path(file).suffix not in (".safetensors", ".onnx"):
        raise WeightsError(
            f"{file} is neither packed weights (.safetensors) nor an exported graph (.onnx). Use one of these."
        )
    return (Path(file) if file else weights.path(name)).with_suffix(".onnx")


def _no_graph(name: str, file: str | Path) -> WeightsError:
    packed = Path(file) if file else weights.path(name)
    return WeightsError(
        f"{packed.with_suffix('.onnx').name}, the graph for runtimes other than torch, is missing beside {packed}. "
        f"{_export_command(name, packed)}, or install 'faceinp[torch]', which does not need it."
    )


def _export_command(name: str, packed: Path) -> str:
    return f"Run `faceinp export core {name} {packed}` (pip install 'faceinp[export]')"


def _check_weights_of(session: Session, packed: Path, name: str) -> None:
    """Raise WeightsError for a graph that was exported for other weights than ``packed``."""
    if onnx_metadata.external_files(session.about) != {packed.name: weights.sha256(packed)}:
        raise WeightsError(
            f"{packed.with_suffix('.onnx')} does not match the weights in {packed.name}. "
            f"{_export_command(name, packed)}, or take both from the same release."
        )


def _without_link(graph: Path) -> Path:
    """The target of a link to the graph if the weights are beside it: OpenVINO looks for weights there only."""
    resolved = graph.resolve()
    return resolved if resolved.with_suffix(".safetensors").is_file() else graph


def _built(name: str, precision: str) -> Path:
    """The TensorRT engine of the network ``name`` for this GPU in the cache, built if missing or outdated."""
    package = sessions.tensorrt_package()
    stem = name if precision == "fp32" else f"{name}.{precision}"
    folder = _engine_cache(name)
    file = folder / engine_name(stem, TENSORRT[package], [sessions.compute_capability()])
    try:
        about = sidecar.read(file)
        expected = {"name": name, "precision": precision, "onnx_sha256": weights.sha256(folder / f"{stem}.onnx")}
        current = about | expected == about and not sessions.mismatch(about, package)
    except (OSError, WeightsError):
        current = False
    if not current:
        options = ("--precision", precision, "--batch", f"1,{BATCH}", "-o", str(folder))
        _call_exporter("trt", name, "--backend", TENSORRT[package], *options)
    return file


def engine_name(stem: str, backend: str, capability: Sequence[str]) -> str:
    """The file name of the engine of ``stem``.onnx. backend: a value of TENSORRT. capability: such as "8.9"."""
    gpus = "-".join("sm" + one.replace(".", "") for one in capability)
    return f"{stem}.{gpus}.{backend}.engine"


def _engine_cache(name: str) -> Path:
    """The folder in the cache for engines of the weights ``name`` and of this version."""
    return weights.cache() / f"export-{faceinp.__version__}-{weights.sha256(weights.path(name))[:16]}"


def _call_exporter(exporter: str, *arguments: str) -> None:
    """Run an exporter in its own process: this package does not import exporters, and the process frees its memory.

    Raises EngineError with the exporter's last line if it fails.
    """
    command = [sys.executable, "-P", "-m", "faceinp", "export", exporter, *arguments]
    paths = (str(Path(faceinp.__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}  # this package, not another one
    last_line = ""  # the error message if the exporter fails
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        for line in process.stderr or ():  # printed line by line, because building takes minutes
            sys.stderr.write(last_line)
            last_line = line
    if process.returncode:
        problem = last_line.strip() or f"exit code {process.returncode}"
        raise EngineError(f"{problem} (The engine needs the output of `{' '.join(command[3:])}`.)")
    sys.stderr.write(last_line)
