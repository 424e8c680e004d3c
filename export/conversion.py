"""From a graph's module to an ONNX model, and from that to fewer bits."""

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from faceinp import __version__
from faceinp.errors import FaceinpError
from faceinp.models.input_limits import Axis, Input, Limits
from faceinp.nets.completion import ThinParts

from .graphs import Built, Graph, Port
from .modules import ExactNorm

if TYPE_CHECKING:
    import onnx

OPSET = 20
# The opsets that can be had, and the first onnxruntime that reads each: its operators, and the IR version it comes in.
RUNTIMES = {18: "1.14", 19: "1.16", 20: "1.17", 21: "1.18", 22: "1.21", 23: "1.23"}
SCOPES = "pkg.torch.onnx.name_scopes"  # the exporter notes here which module a node came from
# Sums over many values and exponentials overflow or lose too much in fp16; the rest of these make values, typed.
KEPT_IN_FP32 = (
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
METADATA = "faceinp."


def traced(
    built: Built, *, opset: int = OPSET, batch: tuple[int, int] = (1, 16), optimised: bool = True
) -> "torch.onnx.ONNXProgram":
    """``built`` as an ONNX program: batches from ``batch[0]`` to ``batch[1]``, heights and widths as the graph says.

    optimised: constants are folded, and batch norms into convolutions; else each parameter is an initialiser.
    """
    check_opset(opset)
    axes = {name: _dimension(name, axis) for name, axis in dynamic_axes(built.graph, batch).items()}
    shapes = [
        {at: axes[name] for at, name in enumerate(port.shape) if isinstance(name, str) and name in axes}
        for port in built.graph.inputs
    ]
    # Where one side is dynamic the example has another height than width, and more than one picture: equal or single
    # numbers would be taken for a rule.
    height, width = built.graph.sides(built.size)[-1]
    example = tuple(
        _example(port, {"batch": max(2, batch[0]) if axes.get("batch") else batch[0], "height": height, "width": width})
        for port in (_sized(port, built.size) for port in built.graph.inputs)
    )
    names = [port.name for port in built.graph.inputs], [port.name for port in built.graph.outputs]
    return program(built.module, example, opset, tuple(shapes), names, optimised=optimised)


def program(
    module: nn.Module,
    example: tuple[Tensor, ...],
    opset: int,
    shapes: tuple[dict[int, Any], ...] | None = None,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    *,
    optimised: bool = True,
) -> "torch.onnx.ONNXProgram":
    """A module as an ONNX program. shapes: of each input, which axes may have which lengths. names: of inputs and
    outputs. optimised: as for ``traced``.
    """
    inputs, outputs = names or (None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about axes with one name, which is what we mean
        for exporter in ("torch.onnx", "onnxscript"):
            logging.getLogger(exporter).setLevel(logging.ERROR)
        made = torch.onnx.export(
            module,
            example,
            dynamic_shapes=shapes,
            input_names=inputs,
            output_names=outputs,
            opset_version=opset,
            dynamo=True,
            verbose=False,
            optimize=optimised,
        )
    if made is None:  # its type says it may; with dynamo=True it does not
        raise FaceinpError("torch.onnx.export gave nothing. Try another version of torch.")
    if (written := made.model.opset_imports[""]) != opset:  # it only warns where it cannot convert
        raise FaceinpError(
            f"The torch and onnxscript that are installed write opset {written} here, not {opset}. "
            f"Give --opset {written}, or install newer ones."
        )
    return made


def check_opset(opset: int) -> None:
    """Raise FaceinpError for an opset that cannot be had."""
    if opset not in RUNTIMES:
        raise FaceinpError(
            f"Files are written in opset {min(RUNTIMES)} to {max(RUNTIMES)}, not in {opset}. Choose one of these."
        )


def dynamic_axes(graph: Graph, batch: tuple[int, int]) -> dict[str, Axis]:
    """The axes that may have several lengths in a file of ``graph``."""
    axes = {"batch": Axis(*batch)} if batch[0] != batch[1] else {}
    steps = graph.steps
    sides = Axis(max(2, 16 // steps) * steps, graph.longest // steps * steps, steps)
    return axes | {"height": sides, "width": sides}


def limits(built: Built, batch: tuple[int, int]) -> Limits:
    """What a file of ``built`` takes that ``traced`` made for such batches."""
    known = {"batch": Axis(*batch), **dynamic_axes(built.graph, batch)}
    inputs = {port.name: Input(port.dtype, _sized(port, built.size).shape) for port in built.graph.inputs}
    used = {side for one in inputs.values() for side in one.shape}
    return Limits(inputs, {name: axis for name, axis in known.items() if name in used})


def lowest_runtime(model: "onnx.ModelProto") -> str:
    """The first onnxruntime that runs ``model``."""
    (opset,) = (entry.version for entry in model.opset_import if not entry.domain)
    return RUNTIMES[opset]


def finished(model: "onnx.ModelProto", built: Built) -> "onnx.ModelProto":
    """The model with its description in it, in the lowest IR version that its opset allows, and without the
    places of this machine's source files.
    """
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if entry.key == SCOPES]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.name = built.graph.name
    model.producer_name, model.producer_version = "faceinp", __version__
    model.doc_string = f"{built.graph.about}."
    model.ir_version = lowest_ir(model)
    return model


def lowest_ir(model: "onnx.ModelProto") -> int:
    """The lowest IR version that the model's opset allows; functions of its own want 8.

    Exporters write their newest, and a runtime refuses a file for that number alone.
    """
    from onnx import helper

    lowest: int = helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
    return max(lowest, 8) if model.functions else lowest


def describe(model: "onnx.ModelProto", about: dict[str, Any]) -> None:
    """Write ``about`` into the model's metadata: texts as they are, all else as JSON."""
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA + key, value if isinstance(value, str) else json.dumps(value)


def halved(model: "onnx.ModelProto", built: Built) -> "onnx.ModelProto":
    """The networks of ``model`` in fp16. Inputs and outputs, norms, softmax and all around the networks stay fp32.

    onnxruntime's converter does not do it: where several nodes that are kept read one value, it makes that name twice.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    exact_ones = {n for n, module in built.module.named_modules() if isinstance(module, ExactNorm | ThinParts)}
    # Where landmarks lead a generator, half a pixel's error of theirs costs more than the predictor's few operations.
    networks = {name for name, _ in built.module.named_children()}
    networks -= {"predictor"} if "generator" in networks else set()
    graph = onnx.shape_inference.infer_shapes(model).graph
    typed = (*graph.input, *graph.output, *graph.value_info)
    floats = {value.name for value in typed if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    halves: set[str] = set()  # values that are fp16 now
    made: dict[tuple[str, int], str] = {}  # a value and the type it was also wanted in -> its name in that type
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    del converted.graph.node[:], converted.graph.value_info[:]

    def cast(name: str, kind: int, result: str) -> str:
        converted.graph.node.append(helper.make_node("Cast", [name], [result], name=f"cast_{result}", to=kind))
        return result

    def taken(name: str, kind: int) -> str:
        """The name under which a node that computes in ``kind`` finds the value ``name``."""
        have = TensorProto.FLOAT16 if name in halves else TensorProto.FLOAT
        if have == kind or name not in floats | constants.keys():
            return name
        if (name, kind) not in made:
            made[name, kind] = f"{name}.{'half' if kind == TensorProto.FLOAT16 else 'float'}"
            if name in constants:
                values = numpy_helper.to_array(constants[name]).astype(np.float16)
                converted.graph.initializer.append(numpy_helper.from_array(values, made[name, kind]))
            else:
                cast(name, kind, made[name, kind])
        return made[name, kind]

    for node in model.graph.node:
        exact = node.op_type in KEPT_IN_FP32 or layer(node) in exact_ones
        half = layer(node).split(".")[0] in networks and not exact and any(name in floats for name in node.output)
        kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        placed = onnx.NodeProto()
        placed.CopyFrom(node)
        data = 1 if node.op_type == "Resize" else len(node.input)  # the others say how large it becomes, in fp32
        placed.input[:] = [taken(name, kind) for name in node.input[:data]] + list(node.input[data:])
        converted.graph.node.append(placed)
        halves.update(name for name in node.output if half and name in floats)
    for output in converted.graph.output:
        if output.name in halves:  # outputs keep their names and types
            last = next(node for node in reversed(converted.graph.node) if output.name in node.output)
            inner = f"{output.name}.half"
            last.output[:] = [inner if name == output.name else name for name in last.output]
            for node in converted.graph.node:
                node.input[:] = [inner if name == output.name else name for name in node.input]
            cast(inner, TensorProto.FLOAT, output.name)
    used = {name for node in converted.graph.node for name in node.input}
    kept = [tensor for tensor in converted.graph.initializer if tensor.name in used]
    del converted.graph.initializer[:]
    converted.graph.initializer.extend(kept)
    return converted


def layer(node: "onnx.NodeProto") -> str:
    """The module that a node came from, such as "generator.encoders.0.0.branch.1"; empty when it is unknown."""
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            names = [name.strip("' ") for name in entry.value.strip("[]").split(",")]
            return names[-2] if len(names) > 1 else ""
    return ""


def _sized(port: Port, size: int) -> Port:
    return replace(port, shape=tuple(size if name == "side" else name for name in port.shape))


def _dimension(name: str, axis: Axis) -> Any:
    steps = axis.multiple
    dimension = torch.export.Dim(name, min=axis.least // steps, max=axis.most // steps)
    return dimension if steps == 1 else steps * dimension


def _example(port: Port, sides: dict[str, int]) -> Tensor:
    shape = [sides[name] if isinstance(name, str) else name for name in port.shape]
    return torch.zeros(shape, dtype=getattr(torch, port.dtype))
