"""From the torch module of a graph to an ONNX model with metadata."""

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from faceinp import __version__
from faceinp.errors import FaceinpError
from faceinp.models.input_limits import Axis, Input, Limits

from .graphs import Built, Graph, Port

if TYPE_CHECKING:
    import onnx

OPSET = 20
# Supported opset -> the first onnxruntime that reads it, its operators and its IR version.
RUNTIMES = {18: "1.14", 19: "1.16", 20: "1.17", 21: "1.18", 22: "1.21", 23: "1.23"}
SCOPES = "pkg.torch.onnx.name_scopes"  # metadata key of the torch module that a node comes from
METADATA = "faceinp."


def trace(
    built: Built, *, opset: int = OPSET, batch: tuple[int, int] = (1, 16), optimised: bool = True
) -> "torch.onnx.ONNXProgram":
    """``built`` as an ONNX program with dynamic axes: batches from ``batch[0]`` to ``batch[1]``, sides as in the graph.

    optimised: fold constants, and batch norms into convolutions; otherwise each parameter is an initialiser.
    Raises FaceinpError for an unsupported opset.
    """
    check_opset(opset)
    axes = {name: _dimension(name, axis) for name, axis in dynamic_axes(built.graph, batch).items()}
    shapes = [
        {axis: axes[name] for axis, name in enumerate(port.shape) if isinstance(name, str) and name in axes}
        for port in built.graph.inputs
    ]
    # The example has different lengths, and more than one picture, for dynamic axes: torch takes equal lengths and a
    # length of 1 for constraints.
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
    """A module as an ONNX program.

    example: inputs. shapes: for each input, axis -> ``torch.export.Dim``. names: of inputs and outputs. optimised: as
    for ``trace``. Raises FaceinpError if the installed torch cannot write the opset.
    """
    inputs, outputs = names or (None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that axes share a name, which is intended
        for exporter in ("torch.onnx", "onnxscript"):
            logging.getLogger(exporter).setLevel(logging.ERROR)
        exported = torch.onnx.export(
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
    if exported is None:  # for the type checker: it never is with dynamo=True
        raise FaceinpError("torch.onnx.export returned nothing. Try another version of torch.")
    if (written := exported.model.opset_imports[""]) != opset:  # torch only warns if it cannot convert
        raise FaceinpError(
            f"The installed torch and onnxscript write opset {written}, not {opset}. Use --opset {written}, or install "
            "newer versions."
        )
    return exported


def check_opset(opset: int) -> None:
    """Raise FaceinpError unless ``opset`` is one of RUNTIMES."""
    if opset not in RUNTIMES:
        raise FaceinpError(f"The opset must be {min(RUNTIMES)} to {max(RUNTIMES)}, got {opset}.")


def dynamic_axes(graph: Graph, batch: tuple[int, int]) -> dict[str, Axis]:
    """The dynamic axes of a file of ``graph`` and their lengths. batch: the smallest and the largest."""
    axes = {"batch": Axis(*batch)} if batch[0] != batch[1] else {}
    steps = graph.steps
    sides = Axis(max(2, 16 // steps) * steps, graph.longest // steps * steps, steps)
    return axes | {"height": sides, "width": sides}


def limits(built: Built, batch: tuple[int, int]) -> Limits:
    """The inputs that a file of ``built`` accepts. batch: as for ``trace``."""
    axes = {"batch": Axis(*batch), **dynamic_axes(built.graph, batch)}
    inputs = {port.name: Input(port.dtype, _sized(port, built.size).shape) for port in built.graph.inputs}
    used = {side for one in inputs.values() for side in one.shape}
    return Limits(inputs, {name: axis for name, axis in axes.items() if name in used})


def finish(model: "onnx.ModelProto", built: Built) -> "onnx.ModelProto":
    """The model with its description, in the lowest IR version, and without paths of this machine's source files.

    It is changed in place.
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
    """The lowest IR version for the model's opset; local functions need 8.

    torch writes the newest one, which older runtimes refuse although they support all operators.
    """
    from onnx import helper

    lowest: int = helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
    return max(lowest, 8) if model.functions else lowest


def describe(model: "onnx.ModelProto", about: dict[str, Any]) -> None:
    """Write ``about`` into the model's metadata: text unchanged, other values as JSON."""
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA + key, value if isinstance(value, str) else json.dumps(value)


def layer(node: "onnx.NodeProto") -> str:
    """The torch module that a node comes from, such as "generator.encoders.0.0.branch.1"; empty if unknown."""
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            names = [name.strip("' ") for name in entry.value.strip("[]").split(",")]
            return names[-2] if len(names) > 1 else ""
    return ""


def _sized(port: Port, size: int) -> Port:
    """The port with ``size`` as the length of "side"."""
    return replace(port, shape=tuple(size if name == "side" else name for name in port.shape))


def _dimension(name: str, axis: Axis) -> Any:
    steps = axis.multiple
    dimension = torch.export.Dim(name, min=axis.least // steps, max=axis.most // steps)
    return dimension if steps == 1 else steps * dimension


def _example(port: Port, sides: dict[str, int]) -> Tensor:
    shape = [sides[name] if isinstance(name, str) else name for name in port.shape]
    return torch.zeros(shape, dtype=getattr(torch, port.dtype))
