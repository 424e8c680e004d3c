"""A model repository for the Triton Inference Server: ``faceinp export triton DIR``.

``DIR/NAME/config.pbtxt`` and ``DIR/NAME/1/model.onnx`` for each graph. The server batches requests that wait, and runs
as many instances as it is told: the way past one machine. Where tritonclient is installed, each configuration is read
with the schema that it brings.
"""

import argparse
import importlib
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from faceinp import sidecar
from faceinp.errors import FaceinpError, MissingPackageError

from . import graphs
from . import onnx as onnx_export
from .graphs import GRAPHS, Port
from .shell import main as run_command
from .shell import say

KINDS = {"auto": "KIND_AUTO", "gpu": "KIND_GPU", "cpu": "KIND_CPU"}
DELAY = 5000  # microseconds that a request may wait for others
TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32"}
SCHEMA = "tritonclient.grpc.model_config_pb2"


def write(
    folder: Path,
    names: Sequence[str] = ("restorer",),
    *,
    source: Path = onnx_export.OUT,
    precision: str = "fp32",
    instances: int = 1,
    kind: str = "auto",
) -> list[Path]:
    """Write the graphs called ``names`` into the model repository ``folder``; returns their configurations.

    source: where exported files lie, or are made. instances: of each model, on each device. kind: auto (GPUs where
    there are any), gpu or cpu. Raises FaceinpError for an unknown graph, or a configuration that the schema refuses.
    """
    if instances < 1:
        raise FaceinpError(f"A model runs in one instance at least, not in {instances}. Give another --instances.")
    configurations = []
    for name in names:
        file = onnx_export.at_hand(name, source, precision=precision)
        about = sidecar.read(file)
        model = folder / name / "1" / "model.onnx"
        model.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, model)
        placed = folder / name / "config.pbtxt"
        placed.write_text(configuration(name, about["size"], about["batch"][-1], instances, KINDS[kind]))
        configurations.append(placed)
    return configurations


def configuration(name: str, size: int, most: int, instances: int, kind: str) -> str:
    """The text of ``config.pbtxt``: a ModelConfig message in protobuf's text format.

    size: side of the pictures. most: pictures that go through at once. The first request finds the model warm.
    """
    graph = GRAPHS[name]
    warm = "".join(
        f'\n    inputs {{ key: "{port.name}" value: {{ data_type: {TYPES[port.dtype]} '
        f"dims: {_dims(port, size, dynamic=False)} zero_data: true }} }}"
        for port in graph.inputs
    )
    return f"""# {graph.about}.
name: "{name}"
backend: "onnxruntime"
max_batch_size: {most}
{_ports("input", graph.inputs, size)}
{_ports("output", graph.outputs, size)}
dynamic_batching {{ max_queue_delay_microseconds: {DELAY} }}
instance_group [ {{ kind: {kind} count: {instances} }} ]
model_warmup [
  {{
    name: "one picture"
    batch_size: 1{warm}
  }}
]
"""


def check(text: str) -> None:
    """Read a configuration with the published schema.

    Raises MissingPackageError where that is not installed, FaceinpError where it refuses the text.
    """
    if importlib.util.find_spec("tritonclient") is None or importlib.util.find_spec("grpc") is None:
        raise MissingPackageError("tritonclient", "triton")
    from google.protobuf import text_format

    schema = importlib.import_module(SCHEMA)
    try:
        text_format.Parse(text, schema.ModelConfig())
    except text_format.ParseError as error:
        raise FaceinpError(f"Triton's schema refuses the configuration ({error}). Use another tritonclient.") from error


def _ports(kind: str, ports: tuple[Port, ...], size: int) -> str:
    lines = [f'  {{ name: "{port.name}" data_type: {TYPES[port.dtype]} dims: {_dims(port, size)} }}' for port in ports]
    return f"{kind} [\n" + ",\n".join(lines) + "\n]"


def _dims(port: Port, size: int, *, dynamic: bool = True) -> str:
    """A shape without its batch; -1 is any, where the graph takes any."""
    sides = [size if isinstance(side, str) and (side == "side" or not dynamic) else side for side in port.shape[1:]]
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
    )
    for file in placed:
        try:
            check(file.read_text())
            print(f"{file}: as the schema wants it")
        except MissingPackageError as error:
            print(f"{file}: written")
            say(f"note: {file} was not checked against the schema: {error}")
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
        default=("restorer",),
        metavar="A,B",
        help=f"of {', '.join(GRAPHS)}; or all (default: restorer)",
    )
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="default: fp32")
    parser.add_argument("--instances", type=int, default=1, help="of each model, on each device (default: 1)")
    parser.add_argument("--kind", choices=tuple(KINDS), default="auto", help="what they run on (default: auto)")
    parser.add_argument("--source", type=Path, default=onnx_export.OUT, metavar="DIR", help="exported files")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
