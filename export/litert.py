"""Exports LiteRT files of the networks, for phones: ``faceinp export litert restorer``.

A file accepts one picture of one size. Inputs and outputs have the same names as in the ONNX file. Like that, it is
compared with torch before it is moved to its path.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceinp.errors import FaceinpError
from faceinp.models import sidecar
from faceinp.models.input_limits import Axis, Limits
from faceinp.photo import staging

from . import cases, conversion, graphs, onnx, parity, shell
from .graphs import GRAPHS, Built
from .shell import progress

if TYPE_CHECKING:
    from litert_torch.model import LiteRTModel

SUFFIX = ".tflite"
NAMES = tuple(graph.name for graph in GRAPHS.values() if not graph.assembled)


def export(name: str, out: Path = onnx.OUT, *, size: int = 0) -> Path:
    """Write the graph called ``name`` to ``out`` as a LiteRT file in fp32 with its sidecar, and return the file.

    size: side of the picture; 0: the graph's default. Raises ParityError if it does not compute the same as torch,
    FaceinpError for an unknown graph or size, WeightsError.
    """
    started = time.perf_counter()
    if name in GRAPHS and name not in NAMES:
        raise FaceinpError(
            f"{name} needs photos of any size, which LiteRT does not support. Choose {', '.join(NAMES)}."
        )
    built = parity.at_one_size(graphs.build(name, size))
    tolerances = parity.tolerances(built.graph.outputs, "fp32")
    with staging.folder(out) as scratch:
        part = scratch / f"{name}{SUFFIX}"
        with progress(f"converting {name}"):
            _converted(built).export(str(part))
        errors = list(parity.measure(built, runner(part, built), (1,)))
        parity.refuse(part.name, errors, tolerances)
        sidecar.write(
            part,
            {
                **onnx.facts(built, "fp32", _limits(built)),
                "size": built.size,
                "batch": [1, 1],
                "versions": sidecar.versions("torch", "litert-torch", "litert-converter", "ai-edge-litert", "numpy"),
                **parity.noted(errors, tolerances),
                "seconds": round(time.perf_counter() - started, 1),
            },
        )
        file = out / part.name
        sidecar.move(part, file)
    return file


def runner(file: Path, built: Built) -> parity.Runner:
    """A function that runs ``file`` on the CPU."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=torch.get_num_threads())
    signature = interpreter.get_signature_runner()

    def run(inputs: cases.Inputs) -> Sequence[NDArray[Any]]:
        outputs = signature(**inputs)
        return [outputs[port.name] for port in built.graph.outputs]

    return run


class _Named(nn.Module):
    """The graph's module with inputs and outputs by name, which become the names in the file."""

    def __init__(self, built: Built) -> None:
        super().__init__()
        self.module = built.module
        self.inputs = [port.name for port in built.graph.inputs]
        self.outputs = [port.name for port in built.graph.outputs]

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        outputs = self.module(*(inputs[name] for name in self.inputs))
        return dict(zip(self.outputs, outputs if isinstance(outputs, tuple) else (outputs,), strict=True))


def _converted(built: Built) -> "LiteRTModel":
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    import litert_torch

    ((height, width),) = built.graph.sides(built.size)
    example = {name: torch.from_numpy(value) for name, value in cases.inputs(built, 0, height, width).items()}
    program = torch.export.export(_Named(built).eval(), (), example)
    # litert_torch does not support the factor alpha of subtraction.
    module = program.run_decompositions({torch.ops.aten.sub.Tensor: _subtract}).module()
    module.training = False  # it was exported in eval mode, and an exported module has no eval()
    return litert_torch.convert(module, sample_kwargs=example)


def _subtract(x: Tensor, y: Tensor | float, *, alpha: float = 1) -> Tensor:
    return x + y * -alpha


def _limits(built: Built) -> Limits:
    """The limits of a file for one picture of one size."""
    limits = conversion.limits(built, (1, 1))
    side = Axis(built.size, built.size)
    return Limits(limits.inputs, {name: axis if name == "batch" else side for name, axis in limits.axes.items()})


def _run(args: argparse.Namespace) -> None:
    file = export(args.name, args.out, size=args.size)
    shell.report(file, sidecar.read(file))


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("litert", "Write networks as LiteRT files.")
    parser.add_argument("name", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--size", type=int, default=0, help="side of the picture (default: 256)")
    parser.add_argument("-o", "--out", type=Path, default=onnx.OUT, metavar="DIR", help=f"default: {onnx.OUT}")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
