"""fp16: converts the networks of an ONNX model to half precision.

Inputs, outputs, norms, softmax and everything outside the networks stay in fp32. onnxruntime's converter fails here: it
writes a name twice if several nodes that stay in fp32 read the same value.
"""

from typing import TYPE_CHECKING

import numpy as np

from faceinp.nets.completion import ThinParts

from .conversion import layer
from .graphs import Built
from .modules import ExactNorm

if TYPE_CHECKING:
    import onnx

# Sums over many values and exponentials overflow or lose too much precision in fp16; the others create typed values.
FP32_OPERATORS = (
    "InstanceNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "Softmax",
    "ReduceL2",
    "ReduceMean",
    "ReduceSum",
    "Cast",
    "Constant",
    "ConstantOfShape",
    "Range",
)
FP32_MODULES = (ExactNorm, ThinParts)


def to_fp16(model: "onnx.ModelProto", built: Built) -> "onnx.ModelProto":
    """A copy of ``model``, the graph ``built``, with its networks in fp16."""
    converter = _Converter(model, built)
    for node in model.graph.node:
        converter.add(node)
    converter.restore_outputs()
    converter.drop_unused()
    return converter.converted


class _Converter:
    """Copies nodes one by one into ``converted``, in fp32 or fp16, with casts between them."""

    def __init__(self, model: "onnx.ModelProto", built: Built) -> None:
        import onnx

        self.float, self.half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
        self.fp32_layers = {name for name, module in built.module.named_modules() if isinstance(module, FP32_MODULES)}
        self.networks = {name for name, _ in built.module.named_children()}
        if "generator" in self.networks:  # half a pixel's error of landmarks costs more than the predictor's time
            self.networks -= {"predictor"}
        graph = onnx.shape_inference.infer_shapes(model).graph
        typed = (*graph.input, *graph.output, *graph.value_info)
        self.floats = {value.name for value in typed if value.type.tensor_type.elem_type == self.float}
        self.constants = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == self.float}
        self.halves: set[str] = set()  # values in fp16
        self.casts: dict[tuple[str, int], str] = {}  # (value, type) -> the name of the value in that type
        self.converted = onnx.ModelProto()
        self.converted.CopyFrom(model)
        del self.converted.graph.node[:], self.converted.graph.value_info[:]

    def add(self, node: "onnx.NodeProto") -> None:
        """Append a copy of ``node``."""
        import onnx

        is_half = self._is_half(node)
        kind = self.half if is_half else self.float
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        data = 1 if node.op_type == "Resize" else len(node.input)  # Resize's other inputs are sizes, which stay fp32
        copy.input[:] = [self._as_type(name, kind) for name in node.input[:data]] + list(node.input[data:])
        self.converted.graph.node.append(copy)
        if is_half:
            self.halves.update(name for name in node.output if name in self.floats)

    def restore_outputs(self) -> None:
        """Cast the outputs of the graph that are in fp16 back to fp32, under their own names."""
        nodes = self.converted.graph.node
        for output in self.converted.graph.output:
            if output.name not in self.halves:
                continue
            last = next(node for node in reversed(nodes) if output.name in node.output)
            inner = f"{output.name}.half"
            last.output[:] = [inner if name == output.name else name for name in last.output]
            for node in nodes:
                node.input[:] = [inner if name == output.name else name for name in node.input]
            self._cast(inner, self.float, output.name)

    def drop_unused(self) -> None:
        """Remove the fp32 constants that only fp16 nodes read."""
        graph = self.converted.graph
        used = {name for node in graph.node for name in node.input}
        kept = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)

    def _is_half(self, node: "onnx.NodeProto") -> bool:
        name = layer(node)
        if node.op_type in FP32_OPERATORS or name in self.fp32_layers:
            return False
        return name.split(".")[0] in self.networks and any(output in self.floats for output in node.output)

    def _as_type(self, name: str, kind: int) -> str:
        """The name of the value ``name`` in the float type ``kind``, after a cast if necessary."""
        from onnx import numpy_helper

        current = self.half if name in self.halves else self.float
        if current == kind or name not in self.floats | self.constants.keys():
            return name
        if (name, kind) not in self.casts:
            cast = f"{name}.{'half' if kind == self.half else 'float'}"
            self.casts[name, kind] = cast
            if name in self.constants:
                values = numpy_helper.to_array(self.constants[name]).astype(np.float16)
                self.converted.graph.initializer.append(numpy_helper.from_array(values, cast))
            else:
                self._cast(name, kind, cast)
        return self.casts[name, kind]

    def _cast(self, name: str, kind: int, result: str) -> None:
        from onnx import helper

        self.converted.graph.node.append(helper.make_node("Cast", [name], [result], name=f"cast_{result}", to=kind))
