"""Builds TensorRT engines of the networks: ``faceinp export trt completion``.

With ``tensorrt`` for the installed GPU, or with ``tensorrt_rtx`` for any GPU, even without one. Networks are strongly
typed: each layer has the types of the ONNX file. An engine belongs to one version, GPU and ONNX file, which its sidecar
names; an outdated engine is built again.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from faceinp.errors import EngineError, MissingPackageError, WeightsError
from faceinp.models import input_limits, runtimes, sessions, sidecar, weights
from faceinp.models.input_limits import Axis, Input, Limits
from faceinp.photo import staging

from . import graphs, parity, shell
from . import onnx as onnx_export
from .graphs import GRAPHS
from .parity import Error
from .shell import batches, progress, say

BACKENDS = {extra: package for package, extra in sessions.TENSORRT.items()}
CURRENT = "current"
PRECISIONS = ("fp32", "fp16")  # int8 files have unsigned activations for CPUs, but TensorRT needs signed ones
WORKSPACE = 4 << 30  # bytes of temporary memory of a layer
TIMING_CACHE = "tensorrt.timing"


class Layer(NamedTuple):
    """One layer of a strongly typed network. precision: the types of its outputs."""

    name: str
    kind: str
    precision: str


def build(
    name: str,
    out: Path = onnx_export.OUT,
    *,
    backend: str = "",
    capability: Sequence[str] = (CURRENT,),
    precision: str = "fp16",
    batch: tuple[int, ...] = (1, 4, 16),
    size: int = 0,
) -> Path:
    """Build the graph called ``name`` as a TensorRT engine in ``out`` with its sidecar, and return the file.

    backend: tensorrt or tensorrt-rtx; empty: the installed one. capability: compute capabilities such as "8.9", or
    "current" for the installed GPU; only tensorrt-rtx supports others. batch: the largest batches of the profiles, each
    fastest at that size. size: side of the pictures. An existing engine that is not outdated is kept.
    Raises MissingPackageError, EngineError if this machine or TensorRT cannot build it, ParityError, WeightsError.
    """
    package = _package(backend)
    trt = importlib.import_module(package)
    capabilities = _capability(trt, capability)
    if graphs.build(name, size).graph.assembled:  # refused before the work, which takes minutes
        raise EngineError(
            f"The shapes in {name} depend on the photo, which TensorRT does not support. Build one of the networks, or "
            "run the ONNX file with onnxruntime on CUDA."
        )
    with staging.folder(out) as scratch:
        source = onnx_export.ensure_exported(name, out, precision=precision, size=size, batch=batch)
        started, profiles = time.perf_counter(), _profiles(batch)
        expected = {
            "backend": sessions.TENSORRT[package],
            "version": trt.__version__,
            "capability": list(capabilities),
            "onnx_sha256": weights.sha256(source),
            "profiles": [list(profile) for profile in profiles],
        }
        file = out / runtimes.engine_name(source.stem, sessions.TENSORRT[package], capabilities)
        if not (reason := _outdated(file, expected)):
            return file
        if file.exists():
            say(f"Building {file.name} again: {reason}")
        part = scratch / file.name
        with progress(f"building {file.name} of {source.name}, {len(profiles)} profiles"):
            plan, layers = _compile(trt, source, capabilities, profiles, out / TIMING_CACHE)
        part.write_bytes(plan)
        about = _about(sidecar.read(source), expected, profiles, layers)
        about["seconds"] = round(time.perf_counter() - started, 1)
        sidecar.write(part, about)
        if errors := _compare(part):
            sidecar.write(part, about | {"errors": [dataclasses.asdict(error) for error in errors]})
        sidecar.move(part, file)
    return file


def _about(
    source: dict[str, Any], expected: dict[str, Any], profiles: list[tuple[int, int]], layers: list[Layer]
) -> dict[str, Any]:
    """The sidecar of an engine. source: the sidecar of its ONNX file. expected: as of ``_outdated``."""
    same = ("name", "about", "licence", "trained", "taught_by", "precision", "size", "weights", "inputs", "outputs")
    return {
        **{key: source[key] for key in same},
        **expected,
        "limits": _limits(source, profiles).as_json(),
        "versions": {expected["backend"]: expected["version"], **sidecar.versions()},
        "layers": layers,
        "tolerance": source["tolerance"],
        "errors": None,
    }


def _package(backend: str) -> str:
    package = BACKENDS[backend] if backend else sessions.tensorrt_package()
    if importlib.util.find_spec(package) is None:
        raise MissingPackageError(package, sessions.TENSORRT[package])
    return package


def _capability(trt: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Compute capabilities as numbers, each once, in ascending order; "current" becomes that of the installed GPU."""
    chosen = {name.strip() for name in names} - {""}
    if not chosen:
        raise EngineError("--capability is empty. Use for example --capability 8.9, or omit it.")
    if chosen != {CURRENT} and trt.__name__ != BACKENDS["tensorrt-rtx"]:
        raise EngineError("tensorrt builds for the installed GPU only. Omit --capability, or use tensorrt-rtx.")
    if CURRENT in chosen:
        if not sessions.nvidia_gpus():
            raise EngineError(
                "No NVIDIA GPU was found. Choose a compute capability, for example --capability 8.9, with "
                "--backend tensorrt-rtx."
            )
        chosen = chosen - {CURRENT} | {sessions.compute_capability()}
    if trt.__name__ == BACKENDS["tensorrt-rtx"]:
        for name in sorted(chosen):
            _member(trt, name)
    return tuple(sorted(chosen, key=lambda name: [int(number) for number in name.split(".")]))


def _limits(about: dict[str, Any], profiles: list[tuple[int, int]]) -> Limits:
    """The limits of an engine, for pictures of one size. about: the sidecar of its ONNX file."""
    limits = input_limits.from_json(about["limits"])
    inputs = {
        name: Input(one.type, tuple(about["size"] if side in ("height", "width") else side for side in one.shape))
        for name, one in limits.inputs.items()
    }
    return Limits(inputs, {"batch": Axis(profiles[0][0], profiles[-1][1])})


def _profiles(batch: tuple[int, ...]) -> list[tuple[int, int]]:
    """The batches of each profile, without gaps: (1, 4, 16) -> 1, 2 to 4, 5 to 16."""
    return [(before + 1, size) for before, size in zip((batch[0] - 1, *batch), batch, strict=False)]


def _outdated(file: Path, expected: dict[str, Any]) -> str:
    """Why the engine ``file`` must be built again; empty if its sidecar has the ``expected`` values."""
    try:
        about = sidecar.read(file)
    except WeightsError as error:
        return str(error)
    return "; ".join(
        f"{key} was {about.get(key)}, is {value}" for key, value in expected.items() if about.get(key) != value
    )


def _compile(
    trt: Any, source: Path, capability: tuple[str, ...], profiles: list[tuple[int, int]], timing: Path
) -> tuple[bytes, list[Layer]]:
    """The engine's bytes and its layers. timing: the file of the timing cache, which this build extends."""
    logger = _logger(trt)
    builder = trt.Builder(logger)
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # the default in later versions
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(source)):
        errors = [parser.get_error(number) for number in range(parser.num_errors)]
        reasons = "; ".join(f"{error.node_operator()} ({error.node_name()}): {error.desc()}" for error in errors)
        raise EngineError(
            f"TensorRT {trt.__version__} cannot read {source.name}: {reasons}. Export it with another --opset, or "
            "install a newer TensorRT."
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.clear_flag(trt.BuilderFlag.TF32)  # otherwise fp32 would be TF32
    size = sidecar.read(source)["size"]
    for least, most in profiles:
        if config.add_optimization_profile(_profile(builder, network, least, most, size)) < 0:
            problems = "; ".join(logger.problems)
            raise EngineError(
                f"{source.name} does not support batches of {least} to {most} ({problems}). Try another --batch."
            )
    for_rtx = trt.__name__ == BACKENDS["tensorrt-rtx"]
    cache = None if for_rtx else _timing_cache(config, timing)  # tensorrt-rtx does not time layers
    if for_rtx:
        config.num_compute_capabilities = len(capability)
        for number, name in enumerate(capability):
            config.set_compute_capability(_member(trt, name), number)
    layers = [_layer(network.get_layer(number)) for number in range(network.num_layers)]
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        problems = "; ".join(logger.problems) or "without a reason"
        raise EngineError(
            f"TensorRT {trt.__version__} cannot build {source.name}: {problems}. Try another --precision."
        )
    if cache is not None:
        staging.write(timing, bytes(config.get_timing_cache().serialize()))
    return bytes(plan), layers


def _profile(builder: Any, network: Any, least: int, most: int, size: int) -> Any:
    profile = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        value = network.get_input(number)
        sides = [size if side == -1 else side for side in tuple(value.shape)[1:]]
        profile.set_shape(value.name, (least, *sides), (most, *sides), (most, *sides))
    return profile


def _timing_cache(config: Any, file: Path) -> Any:
    cache = config.create_timing_cache(file.read_bytes() if file.is_file() else b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _member(trt: Any, capability: str) -> Any:
    """The member of ``trt.ComputeCapability`` of a capability such as "8.9". Raises EngineError if it has none."""
    members = trt.ComputeCapability.__members__
    names = {f"{name[2:-1]}.{name[-1]}": name for name in members if name.startswith("SM")}
    if capability not in names:
        supported = ", ".join(sorted(names, key=lambda one: int(names[one][2:])))
        raise EngineError(
            f"tensorrt-rtx {trt.__version__} does not support --capability {capability!r}. Choose from {supported}."
        )
    return members[names[capability]]


def _layer(layer: Any) -> Layer:
    kinds = {layer.get_output(number).dtype.name for number in range(layer.num_outputs)}
    return Layer(layer.name, layer.type.name, ", ".join(sorted(kinds)))


def _logger(trt: Any) -> Any:
    """A logger that keeps TensorRT's errors for the message instead of printing them."""

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.problems: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.problems.append(msg)

    return Logger()


def _compare(part: Path) -> list[Error]:
    """The errors of the engine against torch; empty if its GPU is not installed. Raises ParityError."""
    about = sidecar.read(part)
    if not sessions.nvidia_gpus() or sessions.mismatch(about, BACKENDS[about["backend"]]):
        say(f"note: {part.name} was built but not tested, because its GPU is not installed")
        return []
    with progress(f"comparing {part.name} with torch"):
        return parity.check(part)


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    file = build(
        args.name,
        args.out,
        backend=args.backend,
        capability=args.capability.split(","),
        precision=args.precision,
        batch=args.batch,
        size=args.size,
    )
    about = sidecar.read(file)
    shell.note_untrained(*([] if about["trained"] else [file.name]))
    counts = {kind: sum(layer[2] == kind for layer in about["layers"]) for kind in {x[2] for x in about["layers"]}}
    shown = ", ".join(f"{count} in {kind.lower()}" for kind, count in sorted(counts.items(), key=lambda x: -x[1]))
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB for {', '.join(about['capability'])}; layers: {shown}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("trt", "Build networks as TensorRT engines.")
    parser.add_argument("name", metavar="NAME", help=", ".join(GRAPHS))
    parser.add_argument("--backend", choices=tuple(BACKENDS), default="", help="default: the installed one")
    parser.add_argument("--capability", default=CURRENT, help="such as 8.6,8.9,12.0 (default: the installed GPU)")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp16", help="default: fp16")
    parser.add_argument(
        "--batch", type=batches, default=(1, 4, 16), help="largest batches of the profiles (default: 1,4,16)"
    )
    parser.add_argument("--size", type=int, default=0, help="side of the pictures (default: 256)")
    parser.add_argument("-o", "--out", type=Path, default=onnx_export.OUT, metavar="DIR")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
