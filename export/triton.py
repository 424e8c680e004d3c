"""Writes a model repository for the Triton Inference Server: ``faceinp export triton DIR``.

``DIR/NAME/config.pbtxt`` and ``DIR/NAME/1/model.onnx`` for each graph, or ``1/model.plan`` for a TensorRT engine. The
server batches waiting requests and runs several instances. If tritonclient is installed, its schema checks each
configuration.
"""

import argparse
import importlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceinp.errors import EngineError, FaceinpError, MissingPackageError
from faceinp.models import sidecar
from faceinp.photo import staging

from . import graphs, shell
from . import onnx as onnx_export
from .graphs import GRAPHS, Graph, Port
from .shell import natural, say

KINDS = {"auto": "KIND_AUTO", "gpu": "KIND_GPU", "cpu": "KIND_CPU"}
DELAY = 5000  # microseconds that a request waits for others to form a batch
TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32"}
SCHEMA = "tritonclient.grpc.model_config_pb2"
CONFIGURATION = "config.pbtxt"
MODELS = {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}
FILES = {CONFIGURATION, "1", *(f"1/{model}" for model in MODELS.values())}  # that this command writes for a model


def write(
    folder: Path,
    names: Sequence[str] = ("detector", "photo"),
    *,
    source: Path = onnx_export.OUT,
    precision: str = "fp32",
    instances: int = 1,
    kind: str = "auto",
    engines: bool = False,
) -> list[Path]:
    """Write the graphs called ``names`` into the model repository ``folder``, and return their configurations.

    source: the folder of exported files; missing ones are exported. instances: of each model, on each device. kind:
    auto (GPUs if there are any), gpu or cpu. engines: use the TensorRT engines in ``source`` instead of ONNX files.
    Raises FaceinpError for an unknown graph, a configuration that the schema refuses, or a model's folder with other
    files in it; EngineError if an engine is missing.
    """
    if instances < 1:
        raise FaceinpError(f"--instances must be at least 1, got {instances}.")
    if engines and kind == "cpu":
        raise EngineError("TensorRT engines need a GPU. Omit --engines, or --kind cpu.")
    folder = folder.resolve()
    if folder.is_dir() and folder.stat().st_dev != folder.parent.stat().st_dev:
        raise FaceinpError(f"{folder} is a mount point, so files cannot be prepared beside it. Use a folder in it.")
    names = tuple(dict.fromkeys(names))
    for name in names:
        graphs.build(name)  # refuse unknown names before the work
        _check_folder(folder / name)
    # Beside the repository, because a server that watches it takes every folder in it for a model.
    with staging.folder(folder.parent) as scratch:
        for name in names:
            network, about = _network(name, source, precision, engines)
            text = configuration(name, about, instances, KINDS[kind])
            if has_schema():
                check(text)
            backend = "tensorrt" if engines else "onnxruntime"
            model = scratch / name / "1" / MODELS[backend]
            model.parent.mkdir(parents=True)
            shutil.copyfile(network, model)
            (scratch / name / CONFIGURATION).write_text(text)
        folder.mkdir(exist_ok=True)
        for name in names:
            _replace(scratch / name, folder / name)
    return [folder / name / CONFIGURATION for name in names]


def _check_folder(model: Path) -> None:
    """Raise FaceinpError if a model's folder has other files, which would be lost."""
    others = {path.relative_to(model).as_posix() for path in model.rglob("*")} - FILES
    if others:
        raise FaceinpError(f"{model} also contains {', '.join(sorted(others)[:3])}. Move it, or use another folder.")


def _replace(new: Path, target: Path) -> None:
    """Replace a model's folder ``target``, if it exists, by the folder ``new``.

    The folder is moved as a whole, so a server never reads a part of a model, or a model with another configuration.
    Between the two moves it finds no model of that name. If the process dies there, the former model is in the
    temporary folder beside the repository.
    """
    former = new.with_name(f"{new.name}.former")
    try:
        if target.exists():
            target.replace(former)
        new.replace(target)
    except BaseException:
        if former.exists() and not target.exists():
            former.replace(target)
        raise


def _network(name: str, source: Path, precision: str, engines: bool) -> tuple[Path, dict[str, Any]]:
    """The file to serve, and its sidecar."""
    if engines:
        return _engine(name, source, precision)
    if precision not in (supported := GRAPHS[name].precisions):
        say(f"note: {name} does not support {precision}; using {supported[-1]}")
        precision = supported[-1]
    file = onnx_export.ensure_exported(name, source, precision=precision)
    return file, sidecar.read(file)


def _engine(name: str, source: Path, precision: str) -> tuple[Path, dict[str, Any]]:
    """The TensorRT engine of a graph in ``source``, and its sidecar. Raises EngineError."""
    stem = onnx_export.file_name(name, precision).removesuffix(".onnx")
    files = sorted(source.glob(f"{stem}.*.tensorrt.engine"))
    build = f"Build it with `faceinp export trt {name} --backend tensorrt --precision {precision}` on the server's GPU"
    if not files:
        rtx = "; Triton cannot run those of tensorrt-rtx" if any(source.glob(f"{stem}.*.engine")) else ""
        raise EngineError(f"{source} has no TensorRT engine of {name} in {precision}{rtx}. {build}.")
    if len(files) > 1:
        several = " and ".join(file.name for file in files)
        raise EngineError(f"{source} has several engines of {name}: {several}. Keep the one for the server's GPU.")
    about = sidecar.read(files[0])
    if about["profiles"][0][0] != 1:
        raise EngineError(
            f"{files[0]} does not support single pictures, which a server needs. {build}, and --batch 1-16."
        )
    return files[0], about


def configuration(name: str, about: dict[str, Any], instances: int, kind: str) -> str:
    """The text of ``config.pbtxt``, a ModelConfig message in protobuf's text format, with a warm-up.

    about: the sidecar of the ONNX file or TensorRT engine. kind: a value of KINDS.
    """
    graph, size = GRAPHS[name], about["size"]
    engine = "backend" in about
    most = about["profiles"][-1][-1] if engine else about["batch"][-1]
    batched = _batched(graph)
    requirement, profiles = "", ""
    if engine:
        capability = ", ".join(about["capability"])
        requirement = f"\n# Only for TensorRT {about['version']} and GPUs of compute capability {capability}."
        profiles = f" profile: {json.dumps([str(number) for number in range(len(about['profiles']))])}"
    warm = "".join(
        f'\n    inputs {{ key: "{port.name}" value: {{ data_type: {TYPES[port.dtype]} '
        f"dims: {_dims(port, size, batched, dynamic=False)} zero_data: true }} }}"
        for port in graph.inputs
    )
    waiting = f"dynamic_batching {{ max_queue_delay_microseconds: {DELAY} }}\n" if batched else ""
    return f"""# {graph.about}.{requirement}
name: "{name}"
backend: "{"tensorrt" if engine else "onnxruntime"}"
max_batch_size: {most if batched else 0}
{_ports("input", graph.inputs, size, batched, not engine)}
{_ports("output", graph.outputs, size, batched, not engine)}
{waiting}instance_group [ {{ kind: {kind} count: {instances}{profiles} }} ]
model_warmup [
  {{
    name: "one picture"
    batch_size: {int(batched)}{warm}
  }}
]
"""


def has_schema() -> bool:
    """Whether Triton's schema is installed."""
    return importlib.util.find_spec("tritonclient") is not None and importlib.util.find_spec("grpc") is not None


def check(text: str) -> None:
    """Check a configuration with Triton's schema.

    Raises MissingPackageError without tritonclient, FaceinpError if the schema refuses it.
    """
    if not has_schema():
        raise MissingPackageError("tritonclient", "triton")
    from google.protobuf import text_format

    schema = importlib.import_module(SCHEMA)
    try:
        text_format.Parse(text, schema.ModelConfig())
    except text_format.ParseError as error:
        raise FaceinpError(f"Triton's schema refuses the configuration ({error}). Use another tritonclient.") from error


def _batched(graph: Graph) -> bool:
    """Whether the first axis of all inputs and outputs is the batch, so that Triton can join requests."""
    return all(port.shape[:1] == ("batch",) for port in (*graph.inputs, *graph.outputs))


def _ports(kind: str, ports: tuple[Port, ...], size: int, batched: bool, dynamic: bool) -> str:
    shapes = [_dims(port, size, batched, dynamic=dynamic) for port in ports]
    lines = [
        f'  {{ name: "{port.name}" data_type: {TYPES[port.dtype]} dims: {shape} }}'
        for port, shape in zip(ports, shapes, strict=True)
    ]
    return f"{kind} [\n" + ",\n".join(lines) + "\n]"


def _dims(port: Port, size: int, batched: bool, *, dynamic: bool) -> str:
    """A shape, without the batch if Triton adds it. dynamic: -1 for dynamic axes, otherwise ``size``."""
    shape = port.shape[1:] if batched else port.shape
    sides = [size if isinstance(side, str) and (side == "side" or not dynamic) else side for side in shape]
    return "[ " + ", ".join("-1" if isinstance(side, str) else str(side) for side in sides) + " ]"


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    names = tuple(GRAPHS) if args.graphs == ("all",) else args.graphs
    files = write(
        args.folder,
        names,
        source=args.source,
        precision=args.precision,
        instances=args.instances,
        kind=args.kind,
        engines=args.engines,
    )
    for file in files:
        print(f"{file}: {'valid' if has_schema() else 'written'}")
    if not has_schema():
        say(f"note: not checked against Triton's schema: {MissingPackageError('tritonclient', 'triton')}")
    shell.note_untrained(*(name for name in names if not graphs.build(name).trained))


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("triton", "Write a model repository for the Triton Inference Server.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the model repository")
    parser.add_argument(
        "--graphs",
        type=lambda text: tuple(text.split(",")),
        default=("detector", "photo"),
        metavar="A,B",
        help=f"of {', '.join(GRAPHS)}; or all (default: detector,photo)",
    )
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="default: fp32")
    parser.add_argument("--engines", action="store_true", help="serve TensorRT engines instead of ONNX files")
    parser.add_argument("--instances", type=natural, default=1, help="of each model, on each device (default: 1)")
    parser.add_argument("--kind", choices=tuple(KINDS), default="auto", help="device (default: auto)")
    parser.add_argument("--source", type=Path, default=onnx_export.OUT, metavar="DIR", help="exported files")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
