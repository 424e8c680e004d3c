"""The ONNX models of ``photo`` and ``detector``, which are assembled from operators and exported networks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from onnxscript import ir

from . import conversion, detector_graph, half_precision, modules, photo_graph
from .assembly import Value, assemble, to_proto
from .graphs import Built
from .references import Photo

if TYPE_CHECKING:
    import onnx


def model(built: Built, precision: str, opset: int) -> "onnx.ModelProto":
    """The model of an assembled graph, without metadata. precision: fp32, or fp16 for the networks of ``photo``."""
    module, inputs, outputs = built.module, built.graph.inputs, built.graph.outputs
    write: Callable[..., Sequence[Value]] = detector_graph.find
    parts: tuple[Any, ...] = (_membrane(1, opset),)
    if isinstance(module, Photo):
        write, parts = photo_graph.fill, (_drawing(built, module, precision, opset), _membrane(2, opset), module.size)
    graph = assemble(built.graph.name, inputs, outputs, opset, lambda op, *values: write(op, *values, *parts))
    return to_proto(graph)


def _drawing(built: Built, module: Photo, precision: str, opset: int) -> ir.Model:
    side = module.size
    example = (torch.rand(1, 3, side, side), torch.zeros(1, 1, side, side), torch.ones(1, 1, side, side))
    program = conversion.program(module.drawing, example, opset)
    if precision == "fp32":
        return program.model
    return ir.from_proto(half_precision.to_fp16(program.model_proto, replace(built, module=module.drawing)))


def _membrane(count: int, opset: int) -> ir.Model:
    multiple = modules.Membrane.MULTIPLE
    most = max(2 * modules.SEARCHED, modules.LARGEST_MAP) // multiple + 1
    sides = {axis: multiple * torch.export.Dim(f"side_{axis}", min=1, max=most) for axis in (2, 3)}
    example = torch.rand(count, 4, 2 * multiple, 3 * multiple)
    return conversion.program(modules.Membrane(), (example,), opset, (sides,)).model
