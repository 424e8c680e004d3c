"""``faceinp doctor``: lists what is installed, and runs it to see whether it works."""

import base64
import importlib
import importlib.util
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import faceinp
from faceinp.engines import loading
from faceinp.errors import EngineError, FaceinpError
from faceinp.models import catalogue, sessions, weights

PACKAGES = (
    *("numpy", "opencv-python-headless", "scikit-image", "torch", "torchvision", "gradio", "onnx"),
    *("openvino", "tensorrt", "tensorrt-rtx"),
)
# Distributions of the same import package: if two are installed, one has overwritten files of the other.
ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
# An ONNX file of 117 bytes: one convolution of ones, 1 x 1, from x float32 (1, 3, 8, 8) to y (1, 1, 8, 8).
TINY = base64.b64decode(
    "CAg6awoPCgF4CgF3EgF5IgRDb252EgFnKhsIAQgDCAEIARABQgF3SgwAAIA/AACAPwAAgD9aGwoBeBIWChQIARIQCgIIAQoCCAMKAggICgII"
    "CGIbCgF5EhYKFAgBEhAKAggBCgIIAQoCCAgKAggIQgQKABAN"
)
REMOTE = ("AzureExecutionProvider",)  # part of every onnxruntime; it calls a server, so it is not used
REPEATS = 3  # of the timing


@dataclass(frozen=True)
class Finding:
    """A line of the report. works: False for something that is installed but does not work; None if it is missing."""

    subject: str
    works: bool | None
    about: str


def examine() -> Iterator[Finding]:
    """The findings about this machine, as they are made."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("faceinp", True, faceinp.__version__)
    for package, number in _versions(PACKAGES).items():
        yield Finding(package, True, number)
    yield from _onnxruntimes()
    yield from _runtimes()
    yield from (_weights(name) for name in catalogue.CATALOGUE)
    yield _timing()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _onnxruntimes() -> Iterator[Finding]:
    installed = _versions(ONNXRUNTIMES)
    for package, number in installed.items():
        yield Finding(package, True, number)
    if len(installed) > 1:
        kept = next(name for name in reversed(installed) if name != "onnxruntime")
        others = " ".join(name for name in installed if name != kept)
        yield Finding(
            " and ".join(installed),
            False,
            f"they install the same Python package and overwrite each other. Run: pip uninstall -y {others} && "
            f"pip install --force-reinstall --no-deps {kept}",
        )


def _runtimes() -> Iterator[Finding]:
    gpus = sessions.nvidia_gpus()
    yield Finding("NVIDIA GPUs", True if gpus else None, f"{gpus} according to the driver")
    if importlib.util.find_spec("torch"):
        yield _try("torch on cpu", partial(_torch, "cpu"))
        if gpus:
            yield _try("torch on cuda", partial(_torch, "cuda"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiny.onnx"
        file.write_bytes(TINY)
        if importlib.util.find_spec("onnxruntime"):
            try:
                providers = sessions.imported("onnxruntime").get_available_providers()
            except EngineError as error:
                yield Finding("onnxruntime", False, str(error))
                providers = []
            for provider in providers:
                if provider not in REMOTE:
                    yield _try(f"onnxruntime, {provider}", partial(_session, sessions.OnnxFile, file, provider))
        if importlib.util.find_spec("openvino"):
            yield _try("openvino on cpu", partial(_session, sessions.OpenvinoFile, file))
    for package in filter(importlib.util.find_spec, sessions.TENSORRT):
        yield _try(package, partial(_tensorrt, package, gpus))


def _try(subject: str, run: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, run())
    except Exception as error:  # runtimes raise errors of every kind
        return Finding(subject, False, f"does not work: {error}")


def _torch(device: str) -> str:
    import torch

    answer = torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8, device=device), torch.ones(1, 3, 1, 1, device=device))
    _check(answer.cpu().numpy())
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    return f"ran, {name}"


def _session(kind: type[sessions.OnnxFile | sessions.OpenvinoFile], *arguments: Any) -> str:
    session = kind(*arguments)
    _check(session.run({"x": np.ones((1, 3, 8, 8), np.float32)})[0])
    return f"ran: {session.runtime}"


def _tensorrt(package: str, gpus: int) -> str:
    trt = importlib.import_module(package)
    if trt.Builder(trt.Logger(trt.Logger.ERROR)) is None:
        raise EngineError("it cannot create a builder. It needs an NVIDIA GPU and its driver.")
    return "builds engines" if gpus else "builds engines, but there is no GPU to run them"


def _check(answer: np.ndarray) -> None:
    if not np.allclose(answer, 3):
        raise EngineError(f"it ran, but the result is wrong: {answer.flat[0]} instead of 3")


def _weights(name: str) -> Finding:
    if reason := weights.missing(name):
        return Finding(f"weights {name}", None, reason)
    try:
        weights.verify(name)
    except FaceinpError as error:
        return Finding(f"weights {name}", False, str(error))
    return Finding(f"weights {name}", True, f"as recorded, sha256 {weights.sha256(weights.path(name))[:16]}")


def _timing() -> Finding:
    """Time one crop with the best engine that is ready."""
    name = next(status.name for status in loading.list_engines() if status.ready)

    def run() -> str:
        engine = loading.load_engine(name)
        crops = np.full((1, 3, engine.size, engine.size), 0.5, np.float32)
        masks = np.zeros((1, 1, engine.size, engine.size), np.bool_)
        masks[..., engine.size // 3 : engine.size // 2, engine.size // 3 : engine.size // 2] = True
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            engine.fill(crops, masks)
            seconds.append(time.perf_counter() - started)
        return f"{min(seconds):.3f} s per crop of {engine.size} x {engine.size}, on {engine.runtime}"

    return _try(f"engine {name}", run)
