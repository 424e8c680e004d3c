"""Whether an exported file is still the same network: ``python -m export.parity FILE``.

Every export is run against torch in fp32 on the cases below, each alone and three at once, at two sizes where the
graph takes several. A file that is further away than its precision may be is not offered.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from export import conversion, graphs, sidecar
from export.graphs import Built
from export.shell import main as run_command
from faceinp import presets, weights
from faceinp.errors import FaceinpError, WeightsError

if TYPE_CHECKING:
    import onnx

Inputs = dict[str, NDArray[Any]]
Runner = Callable[[Inputs], Sequence[NDArray[Any]]]

BATCHES = (1, 3)
# What a case's picture is, and what is hidden of it.
CASES = (
    ("noise", "one pixel"),
    ("gradient", "all but the border"),
    ("noise", "left half"),
    ("gradient", "lower half"),
    ("noise", "noise"),
    ("black", "left half"),
    ("white", "lower half"),
)


class ParityError(FaceinpError):
    """A file is further from torch than its precision allows."""


@dataclass(frozen=True)
class Tolerance:
    """Largest error allowed, outputs in their own units (pictures in [0, 1]); largest: None where only means count."""

    mean: float
    largest: float | None

    def allows(self, error: "Error") -> bool:
        return error.changed == 0 and error.mean <= self.mean and (self.largest is None or error.max <= self.largest)


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


def inputs(built: Built, case: int, height: int, width: int) -> Inputs:
    """Case number ``case`` for ``built``, seeded by that number: arrays with a batch of one."""
    rng = np.random.default_rng(case)
    kind, hidden = CASES[case]
    if built.graph.name == "dcgan":
        scale = {"black": 0.0, "white": 3.0}.get(kind, 1.0)
        return {"z": np.float32(scale * rng.standard_normal((1, *built.graph.inputs[0].shape[1:])))}
    picture, hole = _picture(kind, height, width, rng), _hole(hidden, height, width, rng)
    points = np.float32(presets.average_points(1) + rng.normal(0, 0.03, (68, 2)))[None]
    floats = np.float32(picture.transpose(2, 0, 1))[None]
    match built.graph.name:
        case "restorer":
            own = points if case % 2 else np.full_like(points, graphs.PREDICTED)
            whole = np.round(255 * picture).astype(np.uint8)[None]
            return {"image": whole, "mask": 255 * hole.astype(np.uint8)[None], "landmarks": own}
        case "completion":
            square = graphs.completion.landmark_map(torch.from_numpy(points), max(height, width)).numpy()
            holes = hole.astype(np.float32)[None, None]
            return {"picture": floats, "mask": holes, "landmark_map": square[..., :height, :width]}
        case "landmarks":
            return {"picture": floats, "mask": hole.astype(np.float32)[None, None]}
    return {"picture": floats}


def measure(built: Built, run: Runner, batches: Sequence[int] = BATCHES) -> Iterator[Error]:
    """Errors of ``run``, which answers named inputs with the graph's outputs in their order, against torch."""
    for height, width in built.graph.sides(built.size):
        cases = [inputs(built, case, height, width) for case in range(len(CASES))]
        for batch in batches:
            worst = [(0.0, 0.0, 0)] * len(built.graph.outputs)
            starts = range(0, len(CASES), batch)
            for start in starts:
                chosen = [cases[(start + n) % len(cases)] for n in range(batch)]
                given = {name: np.concatenate([case[name] for case in chosen]) for name in chosen[0]}
                for at, (ours, truth) in enumerate(zip(run(given), reference(built, given), strict=True)):
                    largest, mean = distance(ours, truth)
                    changed = _changed(given, ours) if ours.dtype == np.uint8 else 0
                    worst[at] = (
                        max(worst[at][0], largest),
                        worst[at][1] + mean / len(starts),
                        worst[at][2] + changed,
                    )
            for port, (largest, mean, changed) in zip(built.graph.outputs, worst, strict=True):
                yield Error(port.name, batch, height, width, largest, mean, changed)


@torch.no_grad()
def reference(built: Built, given: Inputs) -> list[NDArray[Any]]:
    answered = built.module(*(torch.from_numpy(given[port.name]) for port in built.graph.inputs))
    return [value.numpy() for value in (answered if isinstance(answered, tuple) else (answered,))]


def distance(ours: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Largest and mean absolute difference; not finite, or another shape, counts as infinitely far."""
    if ours.shape != truth.shape or not np.isfinite(ours).all():
        return float("inf"), float("inf")
    apart = np.abs(ours.astype(np.float64) - truth)
    if truth.dtype == np.uint8:
        return max(0.0, apart.max() - 1) / 255, float(apart.mean()) / 255
    return float(apart.max()), float(apart.mean())


def onnx_runner(model: "Path | onnx.ModelProto") -> Runner:
    """A function that runs the file, or the model in memory, with onnxruntime on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]

    def run(given: Inputs) -> Sequence[NDArray[Any]]:
        answered: Sequence[NDArray[Any]] = session.run(None, {name: given[name] for name in names})
        return answered

    return run


def gate(errors: Sequence[Error], precision: str) -> list[Error]:
    """Those of ``errors`` that are past the tolerance of ``precision``."""
    return [error for error in errors if not TOLERANCES[precision].allows(error)]


def first_difference(
    built: Built, model: "onnx.ModelProto", program: "torch.onnx.ONNXProgram", precision: str
) -> tuple[str, float]:
    """Where ``model`` leaves torch: the first layer past the tolerance, relative to its largest value, and its error.

    Both are asked for every value in between that has one name in both; when none is past it, the furthest is named.
    """
    height, width = built.graph.sides(built.size)[0]
    given = inputs(built, 0, height, width)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    given = {name: np.repeat(value, batch or 1, axis=0) for name, value in given.items()}
    truth = _Recorder(program, given).values
    nodes = {name: node for node in model.graph.node for name in node.output if name in truth}
    tolerance = TOLERANCES[precision].largest or TOLERANCES[precision].mean
    furthest = ("", 0.0)
    for (name, node), ours in zip(nodes.items(), onnx_runner(_open(model, list(nodes)))(given), strict=False):
        if ours.shape != truth[name].shape or ours.dtype.kind != "f" or not ours.size:
            continue
        error = distance(ours, truth[name])[0] / max(float(np.abs(truth[name]).max()), 1e-6)
        label = f"{conversion.layer(node) or name} ({node.op_type})"
        if error > tolerance:
            return label, error
        furthest = max(furthest, (label, error), key=lambda pair: pair[1])
    return furthest


def _open(model: "onnx.ModelProto", names: Sequence[str]) -> "onnx.ModelProto":
    """A copy of ``model`` whose outputs are the values called ``names``."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return copy


class _Recorder(torch.fx.Interpreter):
    """Runs the exported program in torch and keeps every value under its name."""

    def __init__(self, program: "torch.onnx.ONNXProgram", given: Inputs) -> None:
        exported = program.exported_program
        assert exported is not None
        super().__init__(exported.module())
        self.values: dict[str, NDArray[Any]] = {}
        with torch.no_grad():
            self.run(*(torch.from_numpy(value) for value in given.values()))

    def run_node(self, n: torch.fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and n.op == "call_function" and value.is_floating_point():
            self.values[n.name] = value.numpy().copy()
        return value


def _picture(kind: str, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    if kind == "noise":
        return rng.random((height, width, 3))
    if kind == "gradient":
        down, right = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
        return np.stack([down, right, (down + right) / 2], axis=-1)
    return np.full((height, width, 3), 1.0 if kind == "white" else 0.0)


def _hole(kind: str, height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    hole = np.zeros((height, width), np.bool_)
    match kind:
        case "one pixel":
            hole[height // 2, width // 3] = True
        case "all but the border":
            hole[1:-1, 1:-1] = True
        case "left half":
            hole[:, : width // 2] = True
        case "lower half":
            hole[height // 2 :] = True
        case "noise":
            hole = rng.random((height, width)) < 0.5
    return hole


def _changed(given: Inputs, result: NDArray[np.uint8]) -> int:
    known = given["mask"] == 0
    return int((result[known] != given["image"][known]).any(axis=-1).sum())


# ---- the command ----


def check(file: Path) -> list[Error]:
    """Errors of an exported ONNX file against torch with the weights that lie here.

    Raises WeightsError when it was made from other weights, ParityError when it is too far away.
    """
    _, about = conversion.of_file(file)
    noted = sidecar.read(file)
    built = graphs.build(about["name"], int(noted["size"]))
    if noted["weights"] != built.hashes:
        raise WeightsError(f"{file} was made from other weights than those in {weights.folder()}. Export it again.")
    errors = list(measure(built, onnx_runner(file), batches(noted["batch"])))
    refuse(file.name, built, errors, file, about["precision"])
    return errors


def batches(wanted: Sequence[int]) -> tuple[int, ...]:
    """Batch sizes to compare at, of a graph that takes ``wanted[0]`` to ``wanted[-1]``."""
    return tuple(size for size in BATCHES if wanted[0] <= size <= wanted[-1]) or (wanted[0],)


def refuse(
    name: str,
    built: Built,
    errors: Sequence[Error],
    model: "Path | onnx.ModelProto",
    precision: str,
    program: "torch.onnx.ONNXProgram | None" = None,
) -> None:
    """Raise ParityError, with the first layer that differs, when any of ``errors`` is past the tolerance."""
    too_far = gate(errors, precision)
    if not too_far:
        return
    import onnx

    worst = max(too_far, key=lambda error: (error.changed, error.max))
    loaded = onnx.load(model) if isinstance(model, Path) else model
    layer, error = first_difference(built, loaded, program or conversion.traced(built), precision)
    allowed = TOLERANCES[precision]
    raise ParityError(
        f"{name} is not the same network as in torch: {worst.output} differs by {worst.max:.2g} at most and "
        f"{worst.mean:.2g} on average (allowed: {allowed.largest or 'any'}, {allowed.mean}), known pixels changed: "
        f"{worst.changed}. The first layer that differs is {layer}, by {error:.2g} of its largest value. Try another "
        "--precision or --opset."
    )


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
    parser = argparse.ArgumentParser(prog="export.parity", description="Compare an exported ONNX file with torch.")
    parser.add_argument("file", type=Path, metavar="FILE", help="what `python -m export.onnx` wrote")
    parser.add_argument("--against", choices=("torch",), default="torch", help="what it is compared with")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
