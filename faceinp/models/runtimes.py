"""Which runtime computes the package's networks, and the files that it opens.

On onnxruntime and OpenVINO a network is ``NAME.onnx`` beside its weights: a graph whose numbers lie in
``NAME.safetensors``, so that torch and they read the same bytes. ``faceinp export core`` makes these graphs. TensorRT
builds its engines at first use, for the GPU that is here, and keeps them in the cache.
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
from faceinp.models import sidecar, weights
from faceinp.models.sessions import (
    TENSORRT,
    OnnxFile,
    OpenvinoFile,
    Session,
    TensorrtFile,
    checked_threads,
    compute_capability,
    imported,
    mismatch,
    nvidia_gpus,
    reads,
    tensorrt_package,
)

NAMES = ("onnxruntime", "openvino", "tensorrt", "torch")
PRECISIONS = {"onnxruntime": ("fp32",), "openvino": ("fp32", "bf16"), "tensorrt": ("fp16", "fp32"), "torch": ("fp32",)}
THREADED = ("onnxruntime", "openvino")
BATCH = 8  # pictures that an engine of TensorRT takes at once
_opening = Lock()  # a network is opened once, whoever else waits for it


@dataclass(frozen=True)
class Runtime:
    """What is wanted of a runtime.

    name: one of NAMES; empty: the fastest that is ready here and computes in fp32, on a GPU where it can. provider: of
    onnxruntime, a key of ``sessions.PROVIDERS`` or a name of onnxruntime's. precision: one of PRECISIONS; empty: the
    runtime's own choice (OpenVINO: bf16 where the processor has it; TensorRT: fp16). threads: of the processor; 0: all,
    or what ``machine.take_threads`` left; of THREADED alone.
    """

    name: str = ""
    provider: str = ""
    precision: str = ""
    threads: int = 0

    def __post_init__(self) -> None:
        checked_threads(self.threads)
        if self.name and self.name not in NAMES:
            raise EngineError(f"There is no runtime {self.name!r}. Choose one of {', '.join(NAMES)}, or none.")
        if self.provider and self.name not in ("", "onnxruntime"):
            raise EngineError(f"Only onnxruntime has providers. Leave provider out, or runtime={self.name!r}.")
        if self.name and self.precision and self.precision not in PRECISIONS[self.name]:
            offered = " or ".join(PRECISIONS[self.name])
            raise EngineError(
                f"{self.name} computes in {offered}, not in {self.precision!r}. Choose another precision."
            )


def open_network(name: str, runtime: Runtime = Runtime(), file: str | Path = "") -> Session:
    """The network called ``name``, a key of ``networks.INPUTS``, open on a runtime.

    file: packed weights (.safetensors), an exported graph (.onnx) or an engine of TensorRT (.engine); empty: the
    package's weights. Raises EngineError when that runtime cannot run here, WeightsError for a file that is missing or
    of another network, MissingPackageError.
    """
    if file:
        weights.check_file(Path(file))
    chosen = runtime.name or ("onnxruntime" if runtime.provider else _fastest(name, file))
    if runtime.precision and runtime.precision not in PRECISIONS[chosen]:
        raise EngineError(
            f"{chosen}, which was chosen here, computes in {' or '.join(PRECISIONS[chosen])}, not in "
            f"{runtime.precision!r}. Name a runtime, too."
        )
    if runtime.threads and chosen not in THREADED:
        raise EngineError(
            f"Only {' and '.join(THREADED)} take threads, not {chosen}. Leave threads out, or choose another runtime."
        )
    if reason := missing(chosen):
        raise reason
    with nullcontext() if file else weights.naming_damage(name):
        session = _opened(chosen, name, runtime, file)
    if session.about.get("name") != name:
        raise WeightsError(f"{file or name} does not contain the network {name!r}. Give a file of that network.")
    if chosen in ("onnxruntime", "openvino") and Path(file).suffix != ".onnx":
        _check_that_it_reads(session, Path(file) if file else weights.path(name), name)
    return session


def shared(name: str) -> Session:
    """The package's network called ``name`` on the fastest runtime, opened once for all who ask. Raises as
    ``open_network``. Safe to call from several threads.
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
            return TensorrtFile(Path(file) if file else _built(name, runtime.precision or "fp16"))
        case "openvino":
            return OpenvinoFile(_as_it_lies(_graph(name, file)), runtime.precision, runtime.threads)
    provider = runtime.provider or ("cuda" if not runtime.name and _cuda_provider() else "cpu")
    return OnnxFile(_graph(name, file), provider, runtime.threads)


def missing(name: str) -> EngineError | MissingPackageError | None:
    """Why the runtime called ``name`` cannot run here; None when it can. Imports nothing heavy."""
    if name == "tensorrt":
        package = tensorrt_package()
        for needed, extra in ((package, TENSORRT[package]), ("torch", "torch")):
            if importlib.util.find_spec(needed) is None:
                return MissingPackageError(needed, extra)
        if not nvidia_gpus():
            return EngineError("TensorRT runs on NVIDIA GPUs, and there is none here. Choose another runtime.")
        return None
    if importlib.util.find_spec(name) is None:
        return MissingPackageError(name, "" if name == "onnxruntime" else name)
    return None


def _fastest(name: str, file: str | Path) -> str:
    """The runtime for a network that is opened for a photo or many, all in fp32: what computes on a GPU, else
    onnxruntime, which opens a network in a quarter of the time that OpenVINO compiles it in and computes about as fast
    (docs/export.md), else what is left.
    """
    suffix = Path(file).suffix
    if suffix == ".engine":
        return "tensorrt"
    ready = [runtime for runtime in NAMES if missing(runtime) is None]
    graph = _beside(name, file).is_file()
    if suffix != ".onnx" and "torch" in ready and nvidia_gpus() and not (graph and _cuda_provider()):
        import torch

        if torch.cuda.is_available():
            return "torch"
    on_graphs = [runtime for runtime in ("onnxruntime", "openvino") if runtime in ready and graph]
    if on_graphs:
        return on_graphs[0]
    if "torch" in ready and suffix != ".onnx":
        return "torch"
    if not graph:
        raise _no_graph(name, file)
    raise MissingPackageError("onnxruntime", "")


def _cuda_provider() -> bool:
    """Whether an NVIDIA GPU and an onnxruntime for it are here."""
    if not nvidia_gpus() or importlib.util.find_spec("onnxruntime") is None:
        return False
    return "CUDAExecutionProvider" in imported("onnxruntime").get_available_providers()


def _graph(name: str, file: str | Path) -> Path:
    """The ONNX file of a network: the one given, or the graph beside its weights."""
    graph = _beside(name, file)
    if not graph.is_file():
        raise _no_graph(name, file)
    return graph


def _beside(name: str, file: str | Path) -> Path:
    """Where the graph of packed weights lies; ``file`` itself where it is an exported one."""
    if file and Path(file).suffix not in (".safetensors", ".onnx"):
        raise WeightsError(
            f"{file} is neither packed weights (.safetensors) nor an exported graph (.onnx). Give one of these."
        )
    return (Path(file) if file else weights.path(name)).with_suffix(".onnx")


def _no_graph(name: str, file: str | Path) -> WeightsError:
    packed = Path(file) if file else weights.path(name)
    return WeightsError(
        f"{packed.with_suffix('.onnx').name}, the graph for runtimes other than torch, does not lie beside {packed}. "
        f"{_make(name, packed)}; with 'faceinp[torch]' none is needed."
    )


def _make(name: str, packed: Path) -> str:
    return f"`faceinp export core {name} {packed}` makes it (pip install 'faceinp[export]')"


def _check_that_it_reads(session: Session, packed: Path, name: str) -> None:
    """Raise WeightsError for a graph that does not read ``packed``, or reads it as it was before it was exchanged."""
    if reads(session.about) != {packed.name: weights.sha256(packed)}:
        raise WeightsError(
            f"{packed.with_suffix('.onnx')} is not of the weights in {packed.name} beside it. {_make(name, packed)} "
            "anew; or take both from one release."
        )


def _as_it_lies(graph: Path) -> Path:
    """For OpenVINO, which follows a link to the graph and then looks for the weights there, and only there."""
    resolved = graph.resolve()
    return resolved if resolved.with_suffix(".safetensors").is_file() else graph


def _built(name: str, precision: str) -> Path:
    """The TensorRT engine of the network ``name`` in the cache, built for this GPU where none there suits it."""
    package = tensorrt_package()
    stem = name if precision == "fp32" else f"{name}.{precision}"
    folder = _engines_of(name)
    file = folder / engine_name(stem, TENSORRT[package], [compute_capability()])
    try:
        about = sidecar.read(file)
        source = weights.sha256(folder / f"{stem}.onnx")
        wanted = {"name": name, "precision": precision, "onnx_sha256": source}
        current = about | wanted == about and not mismatch(about, package)
    except (OSError, WeightsError):
        current = False
    if not current:
        options = ("--precision", precision, "--batch", f"1,{BATCH}", "-o", str(folder))
        _call_exporter("trt", name, "--backend", TENSORRT[package], *options)
    return file


def engine_name(stem: str, backend: str, capability: Sequence[str]) -> str:
    """The file of the engine made of ``stem``.onnx. backend: a value of TENSORRT. capability: such as "8.9"."""
    built_for = "-".join("sm" + one.replace(".", "") for one in capability)
    return f"{stem}.{built_for}.{backend}.engine"


def _engines_of(name: str) -> Path:
    """The cache's folder of engines made of the weights ``name``, of this version."""
    return weights.cache() / f"export-{faceinp.__version__}-{weights.sha256(weights.path(name))[:16]}"


def _call_exporter(exporter: str, *arguments: str) -> None:
    """Run an exporter in a process of its own: engines know nothing of exporters, and its memory is given back."""
    command = [sys.executable, "-P", "-m", "faceinp", "export", exporter, *arguments]
    paths = (str(Path(faceinp.__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}  # this very package, not another
    said = ""  # the latest line: the exporter's error, where it fails
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        for line in running.stderr or ():  # as it comes, for it takes minutes
            sys.stderr.write(said)
            said = line
    if running.returncode:
        problem = said.strip() or f"exit code {running.returncode}"
        raise EngineError(f"{problem} (`{' '.join(command[3:])}` was run to make what the engine needs.)")
    sys.stderr.write(said)
