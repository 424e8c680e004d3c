"""Builds ONNX graphs operator by operator, with exported networks inside: helpers for ``photo`` and ``detector``.

onnxscript's builder writes the operators: ``op.Add(a, b)`` appends a node and returns its output.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxscript import GraphBuilder, ir

if TYPE_CHECKING:
    import onnx

    from .graphs import Port

Op = Any  # onnxscript's OpBuilder: a method for each operator
Value = ir.Value
BOOL, FLOAT, INT32, INT64, UINT8 = (getattr(ir.DataType, name) for name in ("BOOL", "FLOAT", "INT32", "INT64", "UINT8"))


def assemble(
    name: str, inputs: Sequence["Port"], outputs: Sequence["Port"], opset: int, write: Callable[..., Sequence[Value]]
) -> ir.Model:
    """The model whose operators ``write(op, *inputs)`` appends; it returns the outputs in order."""
    graph = ir.Graph([], [], nodes=[], opset_imports={"": opset}, name=name)
    builder = GraphBuilder(graph)
    values = [builder.input(port.name, _type(port), list(port.shape)) for port in inputs]
    for port, value in zip(outputs, write(builder.op, *values), strict=True):
        value.shape, value.type = ir.Shape(port.shape), ir.TensorType(_type(port))
        builder.add_output(value, port.name)
    return ir.Model(graph, ir_version=10)


def _type(port: "Port") -> ir.DataType:
    return ir.DataType.from_numpy(np.dtype(port.dtype))


def inlined(op: Op, model: "ir.Model", name: str, *inputs: Value) -> Sequence[Value]:
    """Append the nodes of another model and return its outputs for ``inputs``. The model is empty afterwards.

    name: a prefix for the names of its nodes and values.
    """
    graph, part = op.builder.graph, model.graph
    for value, parameter in zip(inputs, part.inputs, strict=True):
        ir.convenience.replace_all_uses_with(parameter, value)
    for old, constant in list(part.initializers.items()):
        del part.initializers[old]
        constant.name = f"{name}.{old}"
        op.builder.root.graph.register_initializer(constant)
    outputs, nodes = list(part.outputs), list(part)
    part.outputs.clear()
    part.remove(nodes)
    for node in nodes:
        node.name = f"{name}.{node.name}"
        for value in node.outputs:
            value.name = f"{name}.{value.name}"
        graph.append(node)
    return outputs


def fixed(op: Op, numbers: Any, kind: Any = np.float32) -> Value:
    """A constant."""
    return op.Constant(value=ir.tensor(np.asarray(numbers, kind)))


def either(op: Op, condition: Value, then: Callable[[Op], Value], otherwise: Callable[[Op], Value]) -> Value:
    """A float value of one of two branches; only that branch is computed."""
    branches = {
        name: op.builder.subgraph(branch, [], [ir.val("value", FLOAT, None)], name=name)
        for name, branch in (("then_branch", then), ("else_branch", otherwise))
    }
    return op.If(condition, **branches)


def repeated(op: Op, count: Value, begin: Sequence[Value], step: Callable[..., Sequence[Value]]) -> Sequence[Value]:
    """A loop of ``values = step(op, number, *values)``, starting with ``begin``. count: of iterations, int64 ()."""
    state = [ir.val(f"state_{n}", value.dtype, None) for n, value in enumerate(begin)]
    inputs = [ir.val("number", INT64, []), ir.val("condition", BOOL, []), *state]
    new_state = [ir.val(f"new_state_{n}", value.dtype, None) for n, value in enumerate(begin)]

    def body(op: Op, number: Value, condition: Value, *values: Value) -> Sequence[Value]:
        return [op.Identity(condition), *step(op, number, *values)]

    subgraph = op.builder.subgraph(body, inputs, [ir.val("new_condition", BOOL, []), *new_state], name="body")
    outputs = op.Loop(count, fixed(op, True, np.bool_), *begin, body=subgraph, _outputs=len(begin))
    return [outputs] if len(begin) == 1 else outputs


def ones(op: Op, flags: Value) -> Value:
    """1.0 where flags are not 0 or False, else 0.0."""
    return op.Cast(op.Cast(flags, to=BOOL), to=FLOAT)


def hidden(op: Op, image: Value, mask: Value) -> Value:
    """The hole, bool (1, H, W). The node fails if the mask does not have the image's size, which no runtime checks."""
    size = op.Slice(op.Shape(image), [0], [3])
    return op.And(op.Cast(mask, to=BOOL), op.Expand(fixed(op, True, np.bool_), size))


def columns(op: Op, values: Value) -> Sequence[Value]:
    """(N, 2 k) -> two values (N, k)."""
    return op.Split(values, num_outputs=2, axis=1, _outputs=2)


def multiples(op: Op, sides: Value, of: int) -> Value:
    """int64 values rounded up to multiples of ``of``."""
    return op.Mul(op.Div(op.Add(sides, of - 1), of), of)


def to_proto(model: ir.Model) -> "onnx.ModelProto":
    """The model as protobuf, with unique names of values and without the builder's metadata of nodes.

    Inner shapes are removed, because the builder gives the same name to different sizes.
    """
    outputs = set(map(id, model.graph.outputs))
    for number, node in enumerate(ir.traversal.RecursiveGraphIterator(model.graph)):
        node.name = f"{node.op_type}_{number}"
        graphs = [one.as_graph() for one in node.attributes.values() if one.type == ir.AttributeType.GRAPH]
        inputs = [value for graph in graphs for value in graph.inputs]
        for index, value in enumerate([*inputs, *node.outputs]):
            if id(value) not in outputs:
                value.name = f"{node.name}.{index}"
                value.shape = value.shape if index < len(inputs) else None
        for key in [key for key in node.metadata_props if not key.startswith("pkg.torch")]:
            del node.metadata_props[key]
    return ir.to_proto(model)
