"""The distance of two outputs, and the first layer of an exported graph that differs from torch."""

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
