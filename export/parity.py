"""Compares an exported file with torch: ``faceinp export parity FILE``.

Every file is compared with torch in fp32 on seeded cases (``export/cases.py``), one at a time and in batches of three,
at two sizes if its sides are dynamic. A file whose error exceeds the tolerance of its precision is refused.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sessions, sidecar, weights

from . import cases, conversion, graphs, shell
from .cases import CASES, Inputs
from .graphs import Built

if TYPE_CHECKING:
    import onnx

Runner = Callable[[Inputs], Sequence[NDArray[Any]]]

BATCHES = (1, 3)


class ParityError(FaceinpError):
    """The error of a file against torch exceeds its tolerance."""


@dataclass(frozen=True)
class Tolerance:
    """The largest allowed errors, in units of the output (pictures in [0, 1]). largest: None means any."""

    mean: float
    largest: float | None

    def allows(self, error: "Error") -> bool:
        return error.changed == 0 and error.mean <= self.mean and (self.largest is None or error.max <= self.largest)


# Precision -> tolerance, which ``Port.slack`` multiplies.
TOLERANCES = {"fp32": Tolerance(1e-4, 1e-4), "fp16": Tolerance(2e-3, 2e-2), "int8": Tolerance(1e-2, None)}


@dataclass(frozen=True)
class Error:
    """The absolute error of one output against torch, over all cases at one batch size and picture size.

    max, mean: as of ``distance``. changed: the number of known pixels that differ from the input, for graphs
    that composite; it must be 0.
    """

    output: str
    batch: int
    height: int
    width: int
    max: float
    mean: float
    changed: int


def distance(ours: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """The largest and the mean absolute difference; infinite for another shape and for values that are not finite.

    Of uint8 arrays it is in shares of 255, and the largest is reduced by the one level that rounding may take.
    """
    if ours.shape != truth.shape or not np.isfinite(ours).all():
        return float("inf"), float("inf")
    differences = np.abs(ours.astype(np.float64) - truth)
    if not differences.size:
        return 0.0, 0.0
    if truth.dtype == np.uint8:
        return max(0.0, differences.max() - 1) / 255, float(differences.mean()) / 255
    return float(differences.max()), float(differences.mean())


def measure(built: Built, run: Runner, batches: Sequence[int] = BATCHES) -> Iterator[Error]:
    """The errors of ``run``, which maps inputs by name to outputs in order, against torch."""
    for height, width in built.graph.sides(built.size):
        singles = [cases.inputs(built, case, height, width) for case in range(len(CASES))]
        for batch in batches:
            worst = [(0.0, 0.0, 0)] * len(built.graph.outputs)
            starts = range(0, len(singles), batch)
            for start in starts:
                chosen = [singles[(start + n) % len(singles)] for n in range(batch)]
                inputs = {name: np.concatenate([case[name] for case in chosen]) for name in chosen[0]}
                for index, (ours, truth) in enumerate(zip(run(inputs), reference(built, inputs), strict=True)):
                    (most, mean, changed), (largest, average) = worst[index], distance(ours, truth)
                    changed += _changed(inputs, ours) if ours.dtype == np.uint8 else 0
                    worst[index] = max(most, largest), mean + average / len(starts), changed
            for port, (largest, mean, changed) in zip(built.graph.outputs, worst, strict=True):
                yield Error(port.name, batch, height, width, largest, mean, changed)


@torch.no_grad()
def reference(built: Built, inputs: Inputs) -> list[NDArray[Any]]:
    """The outputs of the graph in order, from torch in fp32."""
    outputs = built.module(*(torch.from_numpy(inputs[port.name]) for port in built.graph.inputs))
    return [value.numpy() for value in (outputs if isinstance(outputs, tuple) else (outputs,))]


def tolerances(outputs: Sequence[graphs.Port], precision: str) -> dict[str, Tolerance]:
    """Name of the output -> tolerance."""
    mean, largest = TOLERANCES[precision].mean, TOLERANCES[precision].largest
    return {
        port.name: Tolerance(port.slack * mean, None if largest is None else port.slack * largest) for port in outputs
    }


def noted(errors: Sequence[Error], tolerances: Mapping[str, Tolerance]) -> dict[str, Any]:
    """The entries of a sidecar about the comparison."""
    return {
        "tolerance": {name: asdict(allowed) for name, allowed in tolerances.items()},
        "errors": [asdict(error) for error in errors],
    }


def refuse(
    name: str,
    errors: Sequence[Error],
    tolerances: Mapping[str, Tolerance],
    explain: Callable[[], str] = str,
) -> None:
    """Raise ParityError if any of ``errors`` exceeds its tolerance. explain: returns a sentence for the message."""
    too_large = [error for error in errors if not tolerances[error.output].allows(error)]
    if not too_large:
        return
    worst = max(too_large, key=lambda error: (error.changed, error.max))
    allowed = tolerances[worst.output]
    raise ParityError(
        f"{name} does not compute the same as torch: the error of {worst.output} is {worst.max:.2g} at most and "
        f"{worst.mean:.2g} on average (allowed: {allowed.largest or 'any'}, {allowed.mean}), known pixels changed: "
        f"{worst.changed}. {explain()}Try another --precision or --opset."
    )


def first_layer(built: Built, model: "onnx.ModelProto", program: "torch.onnx.ONNXProgram", precision: str) -> str:
    """A sentence on the first layer of ``model`` that differs from torch."""
    allowed = TOLERANCES[precision]
    layer, error = first_difference(built, model, program, allowed.largest or allowed.mean)
    return f"The first layer that differs is {layer}, by {error:.2g} of its largest value. "


def first_difference(
    built: Built, model: "onnx.ModelProto", program: "torch.onnx.ONNXProgram", tolerance: float
) -> tuple[str, float]:
    """The first layer whose error against torch exceeds ``tolerance``, and its error relative to its largest value.

    All values are compared that have the same name in ``model`` and ``program``. If no error exceeds the tolerance, the
    result is the layer with the largest error.
    """
    height, width = built.graph.sides(built.size)[0]
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    inputs = {name: value.repeat(batch, axis=0) for name, value in cases.inputs(built, 0, height, width).items()}
    truth = _Recorder(program, inputs).values
    nodes = {name: node for node in model.graph.node for name in node.output if name in truth}
    largest = ("", 0.0)
    session = sessions.OnnxFile(_with_outputs(model, list(nodes)).SerializeToString())
    for (name, node), ours in zip(nodes.items(), session.run(inputs), strict=True):
        if ours.shape != truth[name].shape or ours.dtype.kind != "f" or not ours.size:
            continue
        error = distance(ours, truth[name])[0] / max(float(np.abs(truth[name]).max()), 1e-6)
        label = f"{conversion.layer(node) or name} ({node.op_type})"
        if error > tolerance:
            return label, error
        largest = max(largest, (label, error), key=lambda pair: pair[1])
    return largest


def _with_outputs(model: "onnx.ModelProto", names: Sequence[str]) -> "onnx.ModelProto":
    """A copy of ``model`` whose outputs are the values called ``names``."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return copy


class _Recorder(torch.fx.Interpreter):
    """Runs the exported program in torch and records every value by name."""

    def __init__(self, program: "torch.onnx.ONNXProgram", inputs: Inputs) -> None:
        super().__init__(program.exported_program.module())  # type: ignore[union-attr]  # trace() always keeps it
        self.values: dict[str, NDArray[Any]] = {}
        with torch.no_grad():
            self.run(*(torch.from_numpy(value) for value in inputs.values()))

    def run_node(self, n: torch.fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and n.op == "call_function" and value.is_floating_point():
            self.values[n.name] = value.numpy().copy()
        return value


def check(file: Path) -> list[Error]:
    """The errors of an ONNX, LiteRT or TensorRT file against torch with the package's weights.

    Raises WeightsError if it was exported from other weights, EngineError if it does not run here, ParityError if an
    error exceeds its tolerance.
    """
    about = sidecar.read(file)
    if about["name"] not in graphs.GRAPHS:
        raise WeightsError(f"{file} is not an export of faceinp. Run `faceinp export onnx` to make one.")
    built = graphs.build(about["name"], int(about["size"]))
    if about["weights"] != built.hashes:
        raise WeightsError(f"{file} was exported from other weights than those in {weights.folder()}. Export it again.")
    run: Runner
    explain: Callable[[], str] = str
    if "backend" in about:
        built, run = at_one_size(built), sessions.TensorrtFile(file).run
        sizes = batches((about["profiles"][0][0], about["profiles"][-1][-1]))
    elif file.suffix == ".tflite":
        from . import litert

        built, run, sizes = at_one_size(built), litert.runner(file, built), (1,)
    else:
        run, sizes = sessions.OnnxFile(file, threads=torch.get_num_threads()).run, batches(about["batch"])
        if not built.graph.assembled:
            explain = partial(_first_layer_of, built, file, about["precision"])
    errors = list(measure(built, run, sizes))
    refuse(file.name, errors, tolerances(built.graph.outputs, about["precision"]), explain)
    return errors


def _first_layer_of(built: Built, file: Path, precision: str) -> str:
    """As ``first_layer``, of an ONNX file."""
    import onnx

    return first_layer(built, onnx.load(file), conversion.trace(built), precision)


def at_one_size(built: Built) -> Built:
    """``built`` for files that accept pictures of ``built.size`` only."""
    return replace(built, graph=replace(built.graph, fixed=True))


def batches(limits: Sequence[int]) -> tuple[int, ...]:
    """The batch sizes to test for a file that accepts ``limits[0]`` to ``limits[-1]``."""
    return tuple(size for size in BATCHES if limits[0] <= size <= limits[-1]) or (limits[0],)


def _changed(inputs: Inputs, result: NDArray[np.uint8]) -> int:
    """The number of known pixels that differ from the input."""
    known = inputs["mask"] == 0
    return int((result[known] != inputs["image"][known]).any(axis=-1).sum())


# ---- the command ----


def table(errors: Sequence[Error]) -> str:
    """The errors as lines of text."""
    lines = [f"{'output':14}{'batch':>6}{'size':>12}{'max':>11}{'mean':>11}{'changed':>9}"]
    for error in errors:
        size = f"{error.height} x {error.width}" if error.height else "-"
        lines.append(
            f"{error.output:14}{error.batch:6d}{size:>12}{error.max:11.2e}{error.mean:11.2e}{error.changed:9d}"
        )
    return "\n".join(lines)


def _run(args: argparse.Namespace) -> None:
    errors = check(args.file)
    print(table(errors))
    print(f"{args.file}: within the tolerance of torch")


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("parity", "Compare an exported file with torch.")
    parser.add_argument("file", type=Path, metavar="FILE", help="a file of `faceinp export onnx`, `trt` or `litert`")
    parser.add_argument("--against", choices=("torch",), default="torch", help="the reference (default: torch)")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
