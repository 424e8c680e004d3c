"""The models of the graphs that are put together, ``photo`` and ``detector``."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from onnxscript import ir

from . import conversion, detector, modules, photo
from .assembly import Op, Value, assemble, settled
from .graphs import Built
from .references import Photo

if TYPE_CHECKING:
    import onnx


def model(built: Built, precision: str, opset: int) -> "onnx.ModelProto":
    """The model of an assembled graph, undescribed. precision: fp32, or fp16 for the networks of ``photo``."""
    module, inputs, outputs = built.module, built.graph.inputs, built.graph.outputs
    if isinstance(module, Photo):
        drawing, membrane = _drawing(built, module, precision, opset), _membrane(2, opset)

        def write(op: Op, *given: Value) -> Sequence[Value]:
            image, mask, points = given
            return photo.fill(op, image, mask, points, drawing, membrane, module.size)

    else:
        membrane = _membrane(1, opset)

        def write(op: Op, *given: Value) -> Sequence[Value]:
            image, mask = given
            return detector.find(op, image, mask, membrane)

    return settled(assemble(built.graph.name, inputs, outputs, opset, write))


def _drawing(built: Built, module: Photo, precision: str, opset: int) -> ir.Model:
    side = module.size
    example = (torch.rand(1, 3, side, side), torch.zeros(1, 1, side, side), torch.ones(1, 1, side, side))
    program = conversion.program(module.drawing, example, opset)
    if precision == "fp32":
        return program.model
    return ir.from_proto(conversion.halved(program.model_proto, replace(built, module=module.drawing)))


def _membrane(count: int, opset: int) -> ir.Model:
    multiple = modules.Membrane.MULTIPLE
    most = max(2 * modules.SEARCHED, modules.LARGEST_MAP) // multiple + 1
    sides = {axis: multiple * torch.export.Dim(f"side_{axis}", min=1, max=most) for axis in (2, 3)}
    example = torch.rand(count, 4, 2 * multiple, 3 * multiple)
    return conversion.program(modules.Membrane(), (example,), opset, (sides,)).model
