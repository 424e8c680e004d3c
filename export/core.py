"""Exports the graphs that the package opens without torch: ``faceinp export core all``.

``NAME.onnx`` is written beside ``NAME.safetensors`` and has no weights. Its initialisers are in that file, as ONNX's
external data (name, offset, length), in their stored 16 or 8 bits. The first nodes of the graph convert them to fp32,
which a runtime does once, when it opens the graph. So torch and all other runtimes read the same bytes.
``faceinp export onnx`` writes complete files instead.
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
from numpy.typing import NDArray

from faceinp import __version__
from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sessions, weights
from faceinp.nets import embedding
from faceinp.photo import staging

from . import conversion, graphs, modules, parity, shell
from .graphs import GRAPHS, Built, Graph, Port

if TYPE_CHECKING:
    import onnx

SMALL = 64  # bytes: constants up to this size are stored in the graph
TYPES = {"F32": "FLOAT", "F16": "FLOAT16", "I8": "INT8", "I64": "INT64"}  # safetensors' names -> ONNX's


def _fixed(graph: Graph) -> Graph:
    """The graph for one picture of its default side: onnxruntime opens it five times faster than with dynamic axes."""
    sizes = {"batch": 1, "height": graph.side, "width": graph.side}

    def fixed(ports: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(
            dataclasses.replace(
                port, shape=tuple(sizes.get(side, side) if isinstance(side, str) else side for side in port.shape)
            )
            for port in ports
        )

    return dataclasses.replace(graph, fixed=True, inputs=fixed(graph.inputs), outputs=fixed(graph.outputs))


_FACE = Port(
    "faces", "float32", ("batch", 3, embedding.SIZE, embedding.SIZE), "RGB in [0, 1], as the judge cuts it out"
)
CORE = {
    "completion": _fixed(GRAPHS["completion"]),
    "landmarks": GRAPHS["landmarks"],
    "embedding": dataclasses.replace(
        GRAPHS["embedding"], inputs=(_FACE,), side=embedding.SIZE, multiple=1, wrapper=modules.Faces
    ),
    "damage": GRAPHS["damage"],
    "occluders": GRAPHS["occluders"],
}


class Stored(NamedTuple):
    """A tensor in a safetensors file. offset: from the start of the file, in bytes. length: in bytes."""

    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int


def export(name: str, file: Path | None = None) -> Path:
    """Write the graph of the network called ``name``, a key of CORE, beside its weights, and return the graph.

    file: packed weights (.safetensors); None: the package's. Raises FaceinpError for an unknown name or another file
    type, ParityError if it does not compute the same as torch, WeightsError.
    """
    if name not in CORE:
        raise FaceinpError(f"Unknown core graph {name!r}. Choose one of {', '.join(CORE)}, or all.")
    file = file or weights.path(name)
    if file.suffix != ".safetensors":
        raise FaceinpError(f"Packed weights end in .safetensors, but {file} does not. Use another file, or rename it.")
    graph = CORE[name]
    # Not folded, because folded weights are in no file.
    network, digest, teachers = graphs.network(name, graph.side, file, folded=False)
    module = graph.wrapper(modules.exact(network), graph.side).eval().requires_grad_(False)
    built = Built(graph, module, graph.side, True, {file.name: digest}, tuple(sorted(teachers)))
    batch = (1, 1) if name == "completion" else (1, 16)
    model = _model(built, file, batch)
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
    _write(model, built, batch, file, graph_file)
    weights.record(graph_file)
    return graph_file


def _model(built: Built, file: Path, batch: tuple[int, int]) -> "onnx.ModelProto":
    """The model of ``built`` that reads its weights from ``file``."""
    program = conversion.trace(built, batch=batch, optimised=built.graph.name == "completion")
    model = conversion.finish(program.model_proto, built)
    for node in model.graph.node:
        del node.metadata_props[:]  # only useful for further conversion, and half of the file
    fold_norms(model)
    read_from(model, file)
    return model


def _write(model: "onnx.ModelProto", built: Built, batch: tuple[int, int], file: Path, graph_file: Path) -> None:
    """Write the model, compare it with torch and move it to ``graph_file``. Raises ParityError."""
    import onnx

    with staging.folder(file.parent) as scratch:
        part = scratch / graph_file.name
        shutil.copyfile(file, part.with_name(file.name))  # external data must be in the folder of the graph
        onnx.save(model, part)
        onnx.checker.check_model(str(part))
        run = sessions.OnnxFile(part, threads=torch.get_num_threads()).run
        tolerances = parity.tolerances(built.graph.outputs, "fp32")
        parity.refuse(graph_file.name, list(parity.measure(built, run, parity.batches(batch))), tolerances)
        part.replace(graph_file)
    graph_file.chmod(0o644)


def fold_norms(model: "onnx.ModelProto") -> None:
    """Fold each batch norm into the convolution before it, by nodes that compute the new weights from constants.

    A runtime evaluates them once, when it opens the graph. onnxruntime itself folds batch norms only if the weights are
    initialisers.
    """
    producers = {name: node for node in model.graph.node for name in node.output}
    readers = collections.Counter(name for node in model.graph.node for name in node.input)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:  # a constant in the type of another value: all are fp32
        if node.op_type == "CastLike" and producers[node.input[0]].op_type == "Constant":
            node.op_type = "Identity"
            del node.input[1:]
    weight_nodes: dict[str, list[onnx.NodeProto]] = {}  # output of a convolution -> the nodes of its new weights
    folded: dict[str, str] = {}  # output of a convolution -> output of its norm
    for norm in [node for node in model.graph.node if node.op_type == "BatchNormalization"]:
        convolution = producers[norm.input[0]]
        if convolution.op_type != "Conv" or readers[norm.input[0]] != 1:
            continue
        own_bias = [name for name in convolution.input[2:] if not _is_zero(name, producers)]
        weight = convolution.input[1]
        weight_nodes[norm.input[0]] = _folded_weights(model, norm, weight, shapes[weight], own_bias)
        name = norm.output[0]
        convolution.input[:] = [convolution.input[0], f"{name}.weight", f"{name}.bias"]
        folded[norm.input[0]] = name
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "BatchNormalization" or node.input[0] not in folded:
            nodes += [*weight_nodes.get(node.output[0], ()), node]
            node.output[:] = [folded.get(name, name) for name in node.output]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)


def _folded_weights(
    model: "onnx.ModelProto", norm: "onnx.NodeProto", weight: str, shape: tuple[int, ...], own_bias: list[str]
) -> list["onnx.NodeProto"]:
    """The nodes that compute weight and bias of a convolution with its norm. own_bias: of the convolution, or empty.

    weight' = weight * gain / deviation, bias' = shift - (mean - bias) * gain / deviation.
    """
    from onnx import helper, numpy_helper

    gain, shift, mean, variance = norm.input[1:]
    name = norm.output[0]
    epsilon = next(attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
    kernel = (shape[0], *(1 for _ in shape[1:]))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(epsilon).reshape(1), f"{name}.epsilon"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(kernel, np.int64), f"{name}.shape"))
    steps = (
        *((("Sub", [mean, *own_bias], "off"),) if own_bias else ()),
        ("Add", [variance, f"{name}.epsilon"], "variance"),
        ("Sqrt", [f"{name}.variance"], "deviation"),
        ("Div", [gain, f"{name}.deviation"], "factor"),
        ("Reshape", [f"{name}.factor", f"{name}.shape"], "factors"),
        ("Mul", [weight, f"{name}.factors"], "weight"),
        ("Mul", [f"{name}.off" if own_bias else mean, f"{name}.factor"], "moved"),
        ("Sub", [shift, f"{name}.moved"], "bias"),
    )
    return [helper.make_node(operator, inputs, [f"{name}.{result}"]) for operator, inputs, result in steps]


def _is_zero(name: str, producers: dict[str, "onnx.NodeProto"]) -> bool:
    """Whether a value is the constant 0 that the exporter writes as the bias of a convolution without bias."""
    from onnx import numpy_helper

    node = producers.get(name)
    while node is not None and node.op_type in ("Expand", "Identity"):
        node = producers.get(node.input[0])
    return node is not None and node.op_type == "Constant" and not numpy_helper.to_array(node.attribute[0].t).any()


def read_from(model: "onnx.ModelProto", file: Path) -> None:
    """Replace each initialiser of ``model`` by a reference to the same tensor in ``file``, packed weights.

    Raises WeightsError if the file does not have one.
    """
    from onnx import numpy_helper

    references = _References(file)
    nodes = list(model.graph.node)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.nbytes <= SMALL:
            references.initialisers.append(tensor)
        elif key := references.key(values):
            references.add(key, tensor.name, values.shape)
        elif (values == values.flat[0]).all():
            references.nodes += _uniform(tensor, values)
        else:
            raise WeightsError(
                f"{file} has no tensor with the values of {tensor.name} {values.shape}. Report it with the file."
            )
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(references.initialisers)
    model.graph.node.extend([*references.nodes, *nodes])


class _References:
    """Initialisers that refer to the tensors of a safetensors file, and the nodes that convert them to fp32."""

    def __init__(self, file: Path) -> None:
        self.file, self.stored = file, _stored(file)
        _, tensors = weights.read_tensors(file)
        self.keys = {value.numpy().tobytes(): key for key, value in weights.to_fp32(tensors).items()}
        self.initialisers: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []

    def key(self, values: NDArray[Any]) -> str:
        """The name of the tensor with these values in fp32; empty if there is none."""
        return self.keys.get(values.tobytes(), "")

    def add(self, key: str, name: str, shape: Sequence[int]) -> None:
        """Add the value ``name`` in fp32, of the tensor ``key``."""
        from onnx import helper

        if key + weights.SCALE in self.stored:
            scale = self.stored[key + weights.SCALE].shape
            whole = self._cast(key, f"{name}.stored", shape, f"{name}.whole")
            factor = self._cast(key + weights.SCALE, f"{name}.scale", scale, f"{name}.factor")
            self.nodes.append(helper.make_node("Mul", [whole, factor], [name]))
        elif self.stored[key].kind == "F16":
            self._cast(key, f"{name}.stored", shape, name)
        else:
            self._initialiser(key, name, shape)

    def _cast(self, key: str, name: str, shape: Sequence[int], result: str) -> str:
        from onnx import TensorProto, helper

        self._initialiser(key, name, shape)
        self.nodes.append(helper.make_node("Cast", [name], [result], to=TensorProto.FLOAT))
        return result

    def _initialiser(self, key: str, name: str, shape: Sequence[int]) -> None:
        from onnx import TensorProto

        stored = self.stored[key]
        tensor = TensorProto(name=name, data_type=TensorProto.DataType.Value(TYPES[stored.kind]), dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for entry, value in (("location", self.file.name), ("offset", stored.offset), ("length", stored.length)):
            tensor.external_data.add(key=entry, value=str(value))
        self.initialisers.append(tensor)


def _uniform(tensor: "onnx.TensorProto", values: Any) -> list["onnx.NodeProto"]:
    """Nodes for a constant with the same number everywhere: only its shape is stored."""
    from onnx import helper, numpy_helper

    shape = numpy_helper.from_array(torch.tensor(values.shape).numpy(), f"{tensor.name}.shape")
    value = numpy_helper.from_array(values.reshape(-1)[:1])
    return [
        helper.make_node("Constant", [], [shape.name], value=shape),
        helper.make_node("ConstantOfShape", [shape.name], [tensor.name], value=value),
    ]


def _stored(file: Path) -> dict[str, Stored]:
    """The position of each tensor in a safetensors file: 8 bytes with the header's length, the header, the data."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    return {
        name: Stored(one["dtype"], tuple(one["shape"]), 8 + length + start, end - start)
        for name, one in header.items()
        for start, end in [one["data_offsets"]]
    }


def _run(args: argparse.Namespace) -> None:
    if args.name == "all" and args.file:
        raise FaceinpError("A file contains one network. Use its name instead of all.")
    for name in CORE if args.name == "all" else [args.name]:
        graph = export(name, args.file)
        print(f"{graph}: {graph.stat().st_size / 1e3:.0f} kB, reads {graph.with_suffix('.safetensors').name}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("core", "Write the graphs that the package opens without torch.")
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(CORE)}, or all")
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="packed weights (default: the package's)")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
