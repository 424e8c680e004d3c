"""Graphs that are put together operator by operator, with exported networks among them: ``photo`` and ``detector``.

onnxscript's builder writes the operators: ``op.Add(a, b)`` appends a node and answers its value. What several of these
graphs need stands here.
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
    """The model whose operators ``write(op, *inputs)`` appends, which answers the outputs in their order."""
    graph = ir.Graph([], [], nodes=[], opset_imports={"": opset}, name=name)
    builder = GraphBuilder(graph)
    given = [builder.input(port.name, _type(port), list(port.shape)) for port in inputs]
    for port, value in zip(outputs, write(builder.op, *given), strict=True):
        value.shape, value.type = ir.Shape(port.shape), ir.TensorType(_type(port))
        builder.add_output(value, port.name)
    return ir.Model(graph, ir_version=10)


def _type(port: "Port") -> ir.DataType:
    return ir.DataType.from_numpy(np.dtype(port.dtype))


def inlined(op: Op, model: "ir.Model", name: str, *given: Value) -> Sequence[Value]:
    """The outputs of another model's graph, whose nodes are appended here, for these inputs. The model is used up."""
    graph, part = op.builder.graph, model.graph
    for value, wanted in zip(given, part.inputs, strict=True):
        ir.convenience.replace_all_uses_with(wanted, value)
    for old, constant in list(part.initializers.items()):
        del part.initializers[old]
        constant.name = f"{name}.{old}"
        op.builder.root.graph.register_initializer(constant)
    answers, nodes = list(part.outputs), list(part)
    part.outputs.clear()
    part.remove(nodes)
    for node in nodes:
        node.name = f"{name}.{node.name}"
        for value in node.outputs:
            value.name = f"{name}.{value.name}"
        graph.append(node)
    return answers


def fixed(op: Op, numbers: Any, kind: Any = np.float32) -> Value:
    """Numbers that are the same for every photo."""
    return op.Constant(value=ir.tensor(np.asarray(numbers, kind)))


def either(op: Op, condition: Value, then: Callable[[Op], Value], otherwise: Callable[[Op], Value]) -> Value:
    """One of two floats that are computed only when they are wanted."""
    branches = {
        name: op.builder.subgraph(branch, [], [ir.val("value", FLOAT, None)], name=name)
        for name, branch in (("then_branch", then), ("else_branch", otherwise))
    }
    return op.If(condition, **branches)


def repeated(op: Op, count: Value, begin: Sequence[Value], step: Callable[..., Sequence[Value]]) -> Sequence[Value]:
    """``values = step(op, number, *values)`` so many times, from ``begin`` on; count: int64 ()."""
    kept = [ir.val(f"kept_{number}", value.dtype, None) for number, value in enumerate(begin)]
    given = [ir.val("number", INT64, []), ir.val("on", BOOL, []), *kept]
    made = [ir.val("goes_on", BOOL, []), *(ir.val(f"made_{n}", value.dtype, None) for n, value in enumerate(begin))]

    def body(op: Op, number: Value, on: Value, *values: Value) -> Sequence[Value]:
        return [op.Identity(on), *step(op, number, *values)]

    subgraph = op.builder.subgraph(body, given, made, name="body")
    answers = op.Loop(count, fixed(op, True, np.bool_), *begin, body=subgraph, _outputs=len(begin))
    return [answers] if len(begin) == 1 else answers


def ones(op: Op, flags: Value) -> Value:
    """1.0 where flags are other than 0 or False, else 0.0."""
    return op.Cast(op.Cast(flags, to=BOOL), to=FLOAT)


def hidden(op: Op, image: Value, mask: Value) -> Value:
    """Which pixels are hole, bool (1, H, W). It fails where the mask is not of the image's size, which a runtime would
    not notice: it only knows how many axes each has.
    """
    size = op.Slice(op.Shape(image), [0], [3])
    return op.And(op.Cast(mask, to=BOOL), op.Expand(fixed(op, True, np.bool_), size))


def columns(op: Op, values: Value, count: int) -> Sequence[Value]:
    """(N, count) -> so many times (N, 1)."""
    return op.Split(values, num_outputs=count, axis=1, _outputs=count)


def multiples(op: Op, sides: Value, of: int) -> Value:
    """Whole numbers rounded up to multiples: int64."""
    return op.Mul(op.Div(op.Add(sides, of - 1), of), of)


def settled(model: ir.Model) -> "onnx.ModelProto":
    """The model as a message, with a name of its own for each value, and without what the builder notes of each node.

    Shapes inside are left to the runtime: those that the builder infers give one name to sizes that differ.
    """
    answers = set(map(id, model.graph.outputs))
    for number, node in enumerate(ir.traversal.RecursiveGraphIterator(model.graph)):
        node.name = f"{node.op_type}_{number}"
        graphs = [one.as_graph() for one in node.attributes.values() if one.type == ir.AttributeType.GRAPH]
        given = [value for graph in graphs for value in graph.inputs]
        for place, value in enumerate([*given, *node.outputs]):
            if id(value) not in answers:
                value.name = f"{node.name}.{place}"
                value.shape = value.shape if place < len(given) else None
        for key in [key for key in node.metadata_props if not key.startswith("pkg.torch")]:
            del node.metadata_props[key]
    return ir.to_proto(model)
