"""How far two answers are apart, and where an exported graph leaves torch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.models import sessions

from . import cases, conversion
from .cases import Inputs
from .graphs import Built

if TYPE_CHECKING:
    import onnx


def distance(ours: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Largest and mean absolute difference; not finite, or another shape, counts as infinitely far."""
    if ours.shape != truth.shape or not np.isfinite(ours).all():
        return float("inf"), float("inf")
    apart = np.abs(ours.astype(np.float64) - truth)
    if not apart.size:
        return 0.0, 0.0
    if truth.dtype == np.uint8:
        return max(0.0, apart.max() - 1) / 255, float(apart.mean()) / 255
    return float(apart.max()), float(apart.mean())


def first_difference(
    built: Built, model: "onnx.ModelProto", program: "torch.onnx.ONNXProgram", tolerance: float
) -> tuple[str, float]:
    """Where ``model`` leaves torch: the first layer past ``tolerance``, and its error, relative to its largest value.

    Both are asked for every value in between that has one name in both; when none is past it, the furthest is named.
    """
    height, width = built.graph.sides(built.size)[0]
    given = cases.inputs(built, 0, height, width)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    given = {name: np.repeat(value, batch or 1, axis=0) for name, value in given.items()}
    truth = _Recorder(program, given).values
    nodes = {name: node for node in model.graph.node for name in node.output if name in truth}
    furthest = ("", 0.0)
    session = sessions.OnnxFile(_open(model, list(nodes)).SerializeToString())
    for (name, node), ours in zip(nodes.items(), session.run(given), strict=True):
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
        super().__init__(program.exported_program.module())  # type: ignore[union-attr]  # traced() always keeps it
        self.values: dict[str, NDArray[Any]] = {}
        with torch.no_grad():
            self.run(*(torch.from_numpy(value) for value in given.values()))

    def run_node(self, n: torch.fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and n.op == "call_function" and value.is_floating_point():
            self.values[n.name] = value.numpy().copy()
        return value
