"""Whether an exported file is still the same network: ``faceinp export parity FILE``.

Every export is run against torch in fp32 on seeded cases (``export/cases.py``), each alone and three at once, at two
sizes where the graph takes several. A file that is further away than its precision may be is not offered.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sessions, sidecar, weights

from . import cases, conversion, divergence, graphs
from .cases import CASES, Inputs
from .divergence import distance
from .graphs import Built
from .shell import main as run_command

if TYPE_CHECKING:
    import onnx

Runner = Callable[[Inputs], Sequence[NDArray[Any]]]

BATCHES = (1, 3)


class ParityError(FaceinpError):
    """A file is further from torch than its precision allows."""


@dataclass(frozen=True)
class Tolerance:
    """Largest error allowed, outputs in their own units (pictures in [0, 1]); largest: None where only means count."""

    mean: float
    largest: float | None

    def allows(self, error: "Error") -> bool:
        return error.changed == 0 and error.mean <= self.mean and (self.largest is None or error.max <= self.largest)


# By precision; of an output ``Port.slack`` times as much.
TOLERANCES = {"fp32": Tolerance(1e-4, 1e-4), "fp16": Tolerance(2e-3, 2e-2), "int8": Tolerance(1e-2, None)}


@dataclass(frozen=True)
class Error:
    """One output's absolute error against torch over the cases of one batch size and picture size.

    max, mean: of pictures of 8 bits in shares of 255, max beyond the one grey level that rounding may take.
    changed: known pixels that are not the input's (of graphs that composite; must be 0).
    """

    output: str
    batch: int
    height: int
    width: int
    max: float
    mean: float
    changed: int


def measure(built: Built, run: Runner, batches: Sequence[int] = BATCHES) -> Iterator[Error]:
    """Errors of ``run``, which answers named inputs with the graph's outputs in their order, against torch."""
    for height, width in built.graph.sides(built.size):
        alone = [cases.inputs(built, case, height, width) for case in range(len(CASES))]
        for batch in batches:
            worst = [(0.0, 0.0, 0)] * len(built.graph.outputs)
            starts = range(0, len(alone), batch)
            for start in starts:
                chosen = [alone[(start + n) % len(alone)] for n in range(batch)]
                given = {name: np.concatenate([case[name] for case in chosen]) for name in chosen[0]}
                for at, (ours, truth) in enumerate(zip(run(given), reference(built, given), strict=True)):
                    (most, mean, changed), (largest, average) = worst[at], distance(ours, truth)
                    changed += _changed(given, ours) if ours.dtype == np.uint8 else 0
                    worst[at] = max(most, largest), mean + average / len(starts), changed
            for port, (largest, mean, changed) in zip(built.graph.outputs, worst, strict=True):
                yield Error(port.name, batch, height, width, largest, mean, changed)


@torch.no_grad()
def reference(built: Built, given: Inputs) -> list[NDArray[Any]]:
    """The graph's outputs, in their order, from torch in fp32."""
    answered = built.module(*(torch.from_numpy(given[port.name]) for port in built.graph.inputs))
    return [value.numpy() for value in (answered if isinstance(answered, tuple) else (answered,))]


def tolerances(outputs: Sequence[graphs.Port], precision: str) -> dict[str, Tolerance]:
    """By the name of the output."""
    mean, largest = TOLERANCES[precision].mean, TOLERANCES[precision].largest
    return {
        port.name: Tolerance(port.slack * mean, None if largest is None else port.slack * largest) for port in outputs
    }


def noted(errors: Sequence[Error], tolerances: Mapping[str, Tolerance]) -> dict[str, Any]:
    """What a sidecar says of the comparison."""
    return {
        "tolerance": {name: asdict(allowed) for name, allowed in tolerances.items()},
        "errors": [asdict(error) for error in errors],
    }


def refuse(
    name: str,
    errors: Sequence[Error],
    tolerances: Mapping[str, Tolerance],
    where: Callable[[], str] = lambda: "",
) -> None:
    """Raise ParityError when any of ``errors`` is past the tolerance; ``where()`` is asked only then."""
    too_far = [error for error in errors if not tolerances[error.output].allows(error)]
    if not too_far:
        return
    worst = max(too_far, key=lambda error: (error.changed, error.max))
    allowed = tolerances[worst.output]
    raise ParityError(
        f"{name} is not the same network as in torch: {worst.output} differs by {worst.max:.2g} at most and "
        f"{worst.mean:.2g} on average (allowed: {allowed.largest or 'any'}, {allowed.mean}), known pixels changed: "
        f"{worst.changed}. {where()}Try another --precision or --opset."
    )


def first_layer(built: Built, model: "onnx.ModelProto", program: "torch.onnx.ONNXProgram", precision: str) -> str:
    """A sentence that names the first layer of ``model`` that differs from torch."""
    allowed = TOLERANCES[precision]
    layer, error = divergence.first_difference(built, model, program, allowed.largest or allowed.mean)
    return f"The first layer that differs is {layer}, by {error:.2g} of its largest value. "


def check(file: Path) -> list[Error]:
    """Errors of an ONNX or LiteRT file, or of an engine for this GPU, against torch with the weights that lie here.

    Raises WeightsError when it was made from other weights, EngineError when it does not run here, ParityError when
    it is too far away.
    """
    about = sidecar.read(file)
    if about.get("name") not in graphs.GRAPHS:
        raise WeightsError(f"{file} is no export of faceinp. `faceinp export onnx` makes them.")
    built = graphs.build(about["name"], int(about["size"]))
    if about["weights"] != built.hashes:
        raise WeightsError(f"{file} was made from other weights than those in {weights.folder()}. Export it again.")
    if "backend" in about:
        most = about["profiles"][-1][-1]
        errors = list(
            measure(at_one_size(built), sessions.TensorrtFile(file).run, batches((about["profiles"][0][0], most)))
        )
        refuse(file.name, errors, tolerances(built.graph.outputs, about["precision"]))
        return errors
    if file.suffix == ".tflite":
        from . import litert

        errors = list(measure(at_one_size(built), litert.runner(file, built), (1,)))
        refuse(file.name, errors, tolerances(built.graph.outputs, about["precision"]))
        return errors
    errors = list(measure(built, sessions.OnnxFile(file, threads=torch.get_num_threads()).run, batches(about["batch"])))

    def where() -> str:
        import onnx

        if built.graph.assembled:
            return ""
        return first_layer(built, onnx.load(file), conversion.traced(built), about["precision"])

    refuse(file.name, errors, tolerances(built.graph.outputs, about["precision"]), where)
    return errors


def at_one_size(built: Built) -> Built:
    """For files that take pictures of ``built.size`` alone, whatever the graph takes."""
    return replace(built, graph=replace(built.graph, fixed=True))


def batches(wanted: Sequence[int]) -> tuple[int, ...]:
    """Batch sizes to compare at, of a graph that takes ``wanted[0]`` to ``wanted[-1]``."""
    return tuple(size for size in BATCHES if wanted[0] <= size <= wanted[-1]) or (wanted[0],)


def _changed(given: Inputs, result: NDArray[np.uint8]) -> int:
    known = given["mask"] == 0
    return int((result[known] != given["image"][known]).any(axis=-1).sum())


# ---- the command ----


def table(errors: Sequence[Error]) -> str:
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
    print(f"{args.file}: the same network as in torch, within its tolerance")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="faceinp export parity", description="Compare an exported file with torch.")
    parser.add_argument("file", type=Path, metavar="FILE", help="what `faceinp export onnx`, `trt` or `litert` wrote")
    parser.add_argument("--against", choices=("torch",), default="torch", help="what it is compared with")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
