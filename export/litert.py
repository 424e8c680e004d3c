"""LiteRT files of the networks, for apps on phones: ``faceinp export litert restorer``.

A file takes one picture of one size. Inputs and outputs have the names that the ONNX file has. Like that, it is run
against torch before it gets its name.
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

from faceinp.common import staging
from faceinp.errors import FaceinpError
from faceinp.models import sidecar
from faceinp.models.input_limits import Axis, Limits

from . import cases, conversion, graphs, onnx, parity
from .graphs import GRAPHS, Built
from .shell import main as run_command
from .shell import progress, say

if TYPE_CHECKING:
    from litert_torch.model import LiteRTModel

SUFFIX = ".tflite"
NAMES = tuple(graph.name for graph in GRAPHS.values() if not graph.assembled)


def export(name: str, out: Path = onnx.OUT, *, size: int = 0) -> Path:
    """Write the graph called ``name`` to ``out`` for LiteRT, in fp32, with its sidecar, and return the file.

    size: side of the picture that it takes; 0 is the graph's own. Raises ParityError when the file does not do what
    torch does, FaceinpError for what cannot be made, WeightsError.
    """
    started = time.perf_counter()
    if name in GRAPHS and name not in NAMES:
        raise FaceinpError(f"{name} takes photos of every size, a LiteRT file of one. Choose of: {', '.join(NAMES)}.")
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
                **onnx.facts(built, "fp32"),
                "limits": _limits(built).as_json(),
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
    """What runs ``file`` here, on the processor."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=torch.get_num_threads())
    signature = interpreter.get_signature_runner()

    def run(given: cases.Inputs) -> Sequence[NDArray[Any]]:
        answered = signature(**given)
        return [answered[port.name] for port in built.graph.outputs]

    return run


class _Named(nn.Module):
    """The graph's module with inputs and outputs by name: so they are called in the file."""

    def __init__(self, built: Built) -> None:
        super().__init__()
        self.module = built.module
        self.inputs = [port.name for port in built.graph.inputs]
        self.outputs = [port.name for port in built.graph.outputs]

    def forward(self, **given: Tensor) -> dict[str, Tensor]:
        answered = self.module(*(given[name] for name in self.inputs))
        return dict(zip(self.outputs, answered if isinstance(answered, tuple) else (answered,), strict=True))


def _converted(built: Built) -> "LiteRTModel":
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    import litert_torch

    ((height, width),) = built.graph.sides(built.size)
    example = {name: torch.from_numpy(value) for name, value in cases.inputs(built, 0, height, width).items()}
    program = torch.export.export(_Named(built).eval(), (), example)
    # The converter knows subtraction without a factor only.
    module = program.run_decompositions({torch.ops.aten.sub.Tensor: _less}).module()
    module.training = False  # it was exported in eval mode; an exported module forbids eval()
    return litert_torch.convert(module, sample_kwargs=example)


def _less(x: Tensor, y: Tensor | float, *, alpha: float = 1) -> Tensor:
    return x + y * -alpha


def _limits(built: Built) -> Limits:
    known = conversion.limits(built, (1, 1))
    side = Axis(built.size, built.size)
    return Limits(known.inputs, {name: axis if name == "batch" else side for name, axis in known.axes.items()})


def _run(args: argparse.Namespace) -> None:
    file = export(args.name, args.out, size=args.size)
    about = sidecar.read(file)
    if not about["trained"]:
        say(f"note: {file.name} holds an untrained network: its weights are not here")
    worst = max(error["max"] for error in about["errors"])
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {worst:.1e} from torch at most, {about['seconds']} s")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="faceinp export litert", description="Write networks as LiteRT files.")
    parser.add_argument("name", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--size", type=int, default=0, help="side of the picture (default: 256)")
    parser.add_argument("-o", "--out", type=Path, default=onnx.OUT, metavar="DIR", help=f"default: {onnx.OUT}")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
