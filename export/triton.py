"""A model repository for the Triton Inference Server: ``faceinp export triton DIR``.

``DIR/NAME/config.pbtxt`` and ``DIR/NAME/1/model.onnx`` for each graph, or ``1/model.plan``, a TensorRT engine. The
server batches requests that wait, and runs as many instances as it is told: the way past one machine. Where
tritonclient is installed, each configuration is read with the schema that it brings.
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

from faceinp.common import staging
from faceinp.errors import EngineError, FaceinpError, MissingPackageError
from faceinp.models import sidecar

from . import graphs
from . import onnx as onnx_export
from .graphs import GRAPHS, Graph, Port
from .shell import main as run_command
from .shell import natural, say

KINDS = {"auto": "KIND_AUTO", "gpu": "KIND_GPU", "cpu": "KIND_CPU"}
DELAY = 5000  # microseconds that a request may wait for others
TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32"}
SCHEMA = "tritonclient.grpc.model_config_pb2"
CONFIGURATION, MODELS = "config.pbtxt", {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}
WRITTEN = {CONFIGURATION, "1", *(f"1/{model}" for model in MODELS.values())}  # of a model, by this command


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
    """Write the graphs called ``names`` into the model repository ``folder``; returns their configurations.

    source: where exported files lie, or are made. instances: of each model, on each device. kind: auto (GPUs where
    there are any), gpu or cpu. engines: take TensorRT engines that lie in ``source``, in place of ONNX files.
    Raises FaceinpError for an unknown graph, a configuration that the schema refuses, or a folder of a model that holds
    more than this writes; EngineError where there is no engine.
    """
    if instances < 1:
        raise FaceinpError(f"A model runs in one instance at least, not in {instances}. Give another --instances.")
    if engines and kind == "cpu":
        raise EngineError("TensorRT engines run on GPUs. Leave --engines out, or --kind cpu.")
    folder = folder.resolve()
    if folder.is_dir() and folder.stat().st_dev != folder.parent.stat().st_dev:
        raise FaceinpError(f"{folder} is a disk of its own, on which nothing lies beside it. Give a folder in it.")
    names = tuple(dict.fromkeys(names))
    for name in names:
        graphs.build(name)  # an unknown one is told before the work
        _check_place(folder / name)
    # Beside the repository: a server that watches it takes every folder in it for a model.
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
            _exchange(scratch / name, folder / name)
    return [folder / name / CONFIGURATION for name in names]


def _check_place(model: Path) -> None:
    """Raise FaceinpError where a model's folder holds what this command does not write, and so would lose."""
    others = {path.relative_to(model).as_posix() for path in model.rglob("*")} - WRITTEN
    if others:
        raise FaceinpError(f"{model} also holds {', '.join(sorted(others)[:3])}. Move it away, or give another folder.")


def _exchange(made: Path, place: Path) -> None:
    """Move a model's folder to its place, in that of an earlier one.

    The folder moves whole, so no server reads half a network, or one under the configuration of another. One that looks
    between the two moves finds no model of that name, and the new one when it looks again. When the process dies there,
    the earlier one still lies in the temporary folder beside the repository.
    """
    earlier = made.with_name(f"{made.name}.earlier")
    try:
        if place.exists():
            place.replace(earlier)
        made.replace(place)
    except BaseException:
        if earlier.exists() and not place.exists():
            earlier.replace(place)
        raise


def _network(name: str, source: Path, precision: str, engines: bool) -> tuple[Path, dict[str, Any]]:
    """The file to serve, and its sidecar."""
    if not engines:
        if precision not in (offered := GRAPHS[name].precisions):
            say(f"note: {name} is not offered in {precision}, and taken in {offered[-1]}")
            precision = offered[-1]
        file = onnx_export.at_hand(name, source, precision=precision)
        return file, sidecar.read(file)
    stem = onnx_export.file_name(name, precision).removesuffix(".onnx")
    found = sorted(source.glob(f"{stem}.*.tensorrt.engine"))
    build = f"Build it with `faceinp export trt {name} --backend tensorrt --precision {precision}` on the server's GPU"
    if not found:
        rtx = "; those of tensorrt-rtx are none that Triton runs" if any(source.glob(f"{stem}.*.engine")) else ""
        raise EngineError(f"{source} holds no TensorRT engine of {name} in {precision}{rtx}. {build}.")
    if len(found) > 1:
        several = " and ".join(file.name for file in found)
        raise EngineError(f"{source} holds several engines of {name}: {several}. Keep that of the server's GPU there.")
    about = sidecar.read(found[0])
    if about["profiles"][0][0] != 1:
        raise EngineError(f"{found[0]} takes no single picture, which a server gives, too. {build}, and --batch 1-16.")
    return found[0], about


def configuration(name: str, about: dict[str, Any], instances: int, kind: str) -> str:
    """The text of ``config.pbtxt``: a ModelConfig message in protobuf's text format.

    about: the sidecar of the ONNX file or of the TensorRT engine. The first request finds the model warm.
    """
    graph, size = GRAPHS[name], about["size"]
    engine = "backend" in about
    most = about["profiles"][-1][-1] if engine else about["batch"][-1]
    batched = _batched(graph)
    made_for, profiles = "", ""
    if engine:
        capability = ", ".join(about["capability"])
        made_for = f"\n# For TensorRT {about['version']} and GPUs of compute capability {capability}, and no others."
        profiles = f" profile: {json.dumps([str(number) for number in range(len(about['profiles']))])}"
    warm = "".join(
        f'\n    inputs {{ key: "{port.name}" value: {{ data_type: {TYPES[port.dtype]} '
        f"dims: {_dims(port, size, batched, dynamic=False)} zero_data: true }} }}"
        for port in graph.inputs
    )
    waiting = f"dynamic_batching {{ max_queue_delay_microseconds: {DELAY} }}\n" if batched else ""
    return f"""# {graph.about}.{made_for}
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
    return importlib.util.find_spec("tritonclient") is not None and importlib.util.find_spec("grpc") is not None


def check(text: str) -> None:
    """Read a configuration with the published schema.

    Raises MissingPackageError where that is not installed, FaceinpError where it refuses the text.
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
    """Whether everything that goes in or comes out begins with the number of pictures, so that requests are joined."""
    return all(port.shape[:1] == ("batch",) for port in (*graph.inputs, *graph.outputs))


def _ports(kind: str, ports: tuple[Port, ...], size: int, batched: bool, dynamic: bool) -> str:
    shapes = [_dims(port, size, batched, dynamic=dynamic) for port in ports]
    lines = [
        f'  {{ name: "{port.name}" data_type: {TYPES[port.dtype]} dims: {shape} }}'
        for port, shape in zip(ports, shapes, strict=True)
    ]
    return f"{kind} [\n" + ",\n".join(lines) + "\n]"


def _dims(port: Port, size: int, batched: bool, *, dynamic: bool) -> str:
    """A shape, without its batch where that is Triton's; -1 is any, where the file takes any."""
    shape = port.shape[1:] if batched else port.shape
    sides = [size if isinstance(side, str) and (side == "side" or not dynamic) else side for side in shape]
    return "[ " + ", ".join("-1" if isinstance(side, str) else str(side) for side in sides) + " ]"


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    names = tuple(GRAPHS) if args.graphs == ("all",) else args.graphs
    placed = write(
        args.folder,
        names,
        source=args.source,
        precision=args.precision,
        instances=args.instances,
        kind=args.kind,
        engines=args.engines,
    )
    for file in placed:
        print(f"{file}: {'as the schema wants it' if has_schema() else 'written'}")
    if not has_schema():
        say(f"note: not checked against Triton's schema: {MissingPackageError('tritonclient', 'triton')}")
    untrained = [name for name in names if not graphs.build(name).trained]
    if untrained:
        say(f"note: {', '.join(untrained)}: an untrained network, its weights are not here")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="faceinp export triton", description="Write a model repository for the Triton Inference Server."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the model repository")
    parser.add_argument(
        "--graphs",
        type=lambda text: tuple(text.split(",")),
        default=("detector", "photo"),
        metavar="A,B",
        help=f"of {', '.join(GRAPHS)}; or all (default: detector,photo)",
    )
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="default: fp32")
    parser.add_argument("--engines", action="store_true", help="serve the TensorRT engines among the exported files")
    parser.add_argument("--instances", type=natural, default=1, help="of each model, on each device (default: 1)")
    parser.add_argument("--kind", choices=tuple(KINDS), default="auto", help="what they run on (default: auto)")
    parser.add_argument("--source", type=Path, default=onnx_export.OUT, metavar="DIR", help="exported files")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
