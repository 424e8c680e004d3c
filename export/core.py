"""Graphs of the package's own networks, as it opens them without torch: ``faceinp export core all``.

``NAME.onnx`` is put beside ``NAME.safetensors`` and holds no weights: its initialisers lie in that file (ONNX calls it
external data: a name, an offset, a length), in the 16 or 8 bits they are stored in, and the graph's first nodes make
fp32 of them, which a runtime does once, when it opens the graph. So torch and every other runtime read the same bytes.
``faceinp export onnx`` writes files for others, which need nothing beside them.
"""

import argparse
import collections
import dataclasses
import json
import shutil
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from faceinp import __version__
from faceinp.common import staging
from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sessions, weights
from faceinp.nets import embedding

from . import conversion, graphs, modules, parity
from .graphs import GRAPHS, Built, Graph, Port
from .shell import main as run_command

if TYPE_CHECKING:
    import onnx

SMALL = 64  # bytes; constants up to it are the graph's own
TYPES = {"F32": "FLOAT", "F16": "FLOAT16", "I8": "INT8", "I64": "INT64"}  # safetensors' names -> ONNX's


class Faces(nn.Module):
    """The bundled judge, from the part of a crop that it looks at: the judge cuts it out itself."""

    def __init__(self, network: embedding.Embedding, size: int) -> None:
        super().__init__()
        self.network = embedding.Mirrored(network)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.network(faces)
        return vectors


def _alone(graph: Graph) -> Graph:
    """The graph for one picture of its own side: onnxruntime opens it in a fifth of the time that it takes over one
    whose sides it does not know.
    """
    sizes = {"batch": 1, "height": graph.side, "width": graph.side}

    def settled(ports: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(
            dataclasses.replace(
                port, shape=tuple(sizes.get(side, side) if isinstance(side, str) else side for side in port.shape)
            )
            for port in ports
        )

    return dataclasses.replace(graph, fixed=True, inputs=settled(graph.inputs), outputs=settled(graph.outputs))


_FACE = Port(
    "faces", "float32", ("batch", 3, embedding.SIZE, embedding.SIZE), "RGB in [0, 1], as the judge cuts it out"
)
CORE = {
    "completion": _alone(GRAPHS["completion"]),
    "landmarks": GRAPHS["landmarks"],
    "embedding": dataclasses.replace(
        GRAPHS["embedding"], inputs=(_FACE,), side=embedding.SIZE, multiple=1, wrapper=Faces
    ),
    "damage": GRAPHS["damage"],
    "occluders": GRAPHS["occluders"],
}


class Stored(NamedTuple):
    """Where a tensor lies in a safetensors file: bytes from its start, and how many."""

    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int


def export(name: str, file: Path | None = None) -> Path:
    """Write the graph of the network called ``name``, a key of CORE, beside its weights, and return the graph.

    file: packed weights (.safetensors); None: the package's. Raises ParityError when it does not do what torch does,
    WeightsError.
    """
    import onnx

    if name not in CORE:
        raise FaceinpError(f"There is no core graph {name!r}. Choose one of: {', '.join(CORE)}, or all.")
    file = file or weights.path(name)
    if file.suffix != ".safetensors":
        raise FaceinpError(f"Packed weights end in .safetensors, and {file} does not. Give another, or rename it.")
    graph = CORE[name]
    # As stored: folded numbers lie in no file.
    network, digest, teachers = graphs.network(name, graph.side, file, folded=False)
    module = graph.wrapper(modules.exact(network), graph.side).eval().requires_grad_(False)
    built = Built(graph, module, graph.side, True, {file.name: digest}, tuple(sorted(teachers)))
    batch = (1, 1) if name == "completion" else (1, 16)
    program = conversion.traced(built, batch=batch, optimised=name == "completion")
    model = conversion.finished(program.model_proto, built)
    for node in model.graph.node:
        del node.metadata_props[:]  # of interest to those who convert it further, and half of the file
    fold_norms(model)
    read_from(model, file)
    about: dict[str, Any] = {
        "name": name,
        "version": __version__,
        "licence": graph.licence,
        "precision": "fp32",
        "taught_by": list(built.taught_by),
        "reads": built.hashes,
    }
    if name == "completion":
        about["guided"] = not isinstance(network, modules.Unguided)
    conversion.describe(model, about)
    graph_file = file.with_suffix(".onnx")
    with staging.folder(file.parent) as scratch:
        part = scratch / graph_file.name
        shutil.copyfile(file, part.with_name(file.name))  # a graph reads nothing outside of its own folder
        onnx.save(model, part)
        onnx.checker.check_model(str(part))
        run = sessions.OnnxFile(part, threads=torch.get_num_threads()).run
        allowed = parity.tolerances(graph.outputs, "fp32")
        parity.refuse(graph_file.name, list(parity.measure(built, run, parity.batches(batch))), allowed)
        part.replace(graph_file)
    graph_file.chmod(0o644)
    weights.record(graph_file)
    return graph_file


def fold_norms(model: "onnx.ModelProto") -> None:
    """Take each batch norm of ``model`` into the convolution before it, by nodes that compute the weights: what they
    read is constant, so that a runtime computes them once, when it opens the graph. onnxruntime does so by itself only
    with weights that are initialisers.
    """
    from onnx import helper, numpy_helper

    made_by = {name: node for node in model.graph.node for name in node.output}
    readers = collections.Counter(name for node in model.graph.node for name in node.input)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:  # a constant in the type of some value: all are fp32
        if node.op_type == "CastLike" and made_by[node.input[0]].op_type == "Constant":
            node.op_type = "Identity"
            del node.input[1:]
    weights_of: dict[str, list[onnx.NodeProto]] = {}  # a convolution's output -> the nodes of its weights
    folded: dict[str, str] = {}  # the same -> its norm's output
    for norm in [node for node in model.graph.node if node.op_type == "BatchNormalization"]:
        before, (gain, shift, mean, variance) = norm.input[0], norm.input[1:]
        convolution = made_by[before]
        if convolution.op_type != "Conv" or readers[before] != 1:
            continue
        weight, name = convolution.input[1], norm.output[0]
        epsilon = next(attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
        small, shape = f"{name}.epsilon", f"{name}.shape"
        model.graph.initializer.append(numpy_helper.from_array(np.float32(epsilon).reshape(1), small))
        kernel = (shapes[weight][0], *(1 for _ in shapes[weight][1:]))
        model.graph.initializer.append(numpy_helper.from_array(np.array(kernel, np.int64), shape))
        own_bias = [name for name in convolution.input[2:] if not _zero(name, made_by)]
        for operator, given, result in (
            *((("Sub", [mean, *own_bias], "off"),) if own_bias else ()),
            ("Add", [variance, small], "variance"),
            ("Sqrt", [f"{name}.variance"], "deviation"),
            ("Div", [gain, f"{name}.deviation"], "factor"),
            ("Reshape", [f"{name}.factor", shape], "factors"),
            ("Mul", [weight, f"{name}.factors"], "weight"),
            ("Mul", [f"{name}.off" if own_bias else mean, f"{name}.factor"], "moved"),
            ("Sub", [shift, f"{name}.moved"], "bias"),
        ):
            made = helper.make_node(operator, given, [f"{name}.{result}"])
            weights_of.setdefault(before, []).append(made)
        convolution.input[:] = [convolution.input[0], f"{name}.weight", f"{name}.bias"]
        folded[before] = name
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "BatchNormalization" or node.input[0] not in folded:
            nodes += [*weights_of.get(node.output[0], ()), node]
            node.output[:] = [folded.get(name, name) for name in node.output]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)


def _zero(name: str, made_by: dict[str, "onnx.NodeProto"]) -> bool:
    """Whether a value is the zeros that the exporter writes for the bias of a convolution that has none."""
    from onnx import numpy_helper

    node = made_by.get(name)
    while node is not None and node.op_type in ("Expand", "Identity"):
        node = made_by.get(node.input[0])
    return node is not None and node.op_type == "Constant" and not numpy_helper.to_array(node.attribute[0].t).any()


def read_from(model: "onnx.ModelProto", file: Path) -> None:
    """Exchange every initialiser of ``model`` that ``file``, a safetensors file of packed weights, holds for the place
    where it lies there. Raises WeightsError when the file does not hold one.
    """
    from onnx import TensorProto, helper, numpy_helper

    places, (_, stored) = _places(file), weights.read_tensors(file)
    named = {value.numpy().tobytes(): key for key, value in weights.floats(stored).items()}
    initialisers, nodes = [], []

    def placed(key: str, name: str, shape: Sequence[int]) -> str:
        place = places[key]
        tensor = TensorProto(name=name, data_type=TensorProto.DataType.Value(TYPES[place.kind]), dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for entry, value in (("location", file.name), ("offset", place.offset), ("length", place.length)):
            tensor.external_data.add(key=entry, value=str(value))
        initialisers.append(tensor)
        return name

    def floats(key: str, name: str, shape: Sequence[int], result: str) -> str:
        nodes.append(helper.make_node("Cast", [placed(key, name, shape)], [result], to=TensorProto.FLOAT))
        return result

    for tensor in model.graph.initializer:
        values, name = numpy_helper.to_array(tensor), tensor.name
        key = named.get(values.tobytes())
        if values.nbytes <= SMALL:
            initialisers.append(tensor)
        elif key is None and (values == values.flat[0]).all():
            nodes += _uniform(tensor, values)
        elif key is None:
            raise WeightsError(f"{file} holds no tensor like {name} {values.shape}. Report it, with the file.")
        elif key + weights.SCALE in places:
            scale = places[key + weights.SCALE].shape
            whole = floats(key, f"{name}.stored", values.shape, f"{name}.whole")
            factor = floats(key + weights.SCALE, f"{name}.scale", scale, f"{name}.factor")
            nodes.append(helper.make_node("Mul", [whole, factor], [name]))
        elif places[key].kind == "F16":
            floats(key, f"{name}.stored", values.shape, name)
        else:
            placed(key, name, values.shape)
    body = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(initialisers)
    model.graph.node.extend([*nodes, *body])


def _uniform(tensor: "onnx.TensorProto", values: Any) -> list["onnx.NodeProto"]:
    """A constant whose numbers are all the same, by its shape."""
    from onnx import helper, numpy_helper

    shape = numpy_helper.from_array(torch.tensor(values.shape).numpy(), f"{tensor.name}.shape")
    value = numpy_helper.from_array(values.reshape(-1)[:1])
    return [
        helper.make_node("Constant", [], [shape.name], value=shape),
        helper.make_node("ConstantOfShape", [shape.name], [tensor.name], value=value),
    ]


def _places(file: Path) -> dict[str, Stored]:
    """Where each tensor of a safetensors file lies: eight bytes with the list's length, the list, the numbers."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        listed = json.loads(stream.read(length))
    listed.pop("__metadata__", None)
    return {
        name: Stored(one["dtype"], tuple(one["shape"]), 8 + length + start, end - start)
        for name, one in listed.items()
        for start, end in [one["data_offsets"]]
    }


def _run(args: argparse.Namespace) -> None:
    if args.name == "all" and args.file:
        raise FaceinpError("A file holds one network. Name that, in place of all.")
    for name in CORE if args.name == "all" else [args.name]:
        graph = export(name, args.file)
        print(f"{graph}: {graph.stat().st_size / 1e3:.0f} kB, reads {graph.with_suffix('.safetensors').name}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="faceinp export core", description="Write the graphs that the package opens without torch."
    )
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(CORE)}, or all")
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="packed weights (default: the package's)")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
