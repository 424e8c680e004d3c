"""Exports the three networks of the face detector as ONNX files: ``faceinp export mtcnn weights``.

MTCNN (Zhang et al. 2016) with the weights in facenet-pytorch's wheel. The inputs are RGB, 0 to 255, channels last. The
preprocessing of the training is folded into the weights: the scaling to [-1, 1] into the first layer, the order of
columns into the dense layer; and the softmax over "no face" and "face" is the sigmoid of their difference.
``weights/mtcnn.md`` describes inputs and outputs.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.errors import MissingPackageError
from faceinp.models import weights
from faceinp.models.sessions import OnnxFile
from faceinp.photo import staging

from . import shell
from .parity import ParityError

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]

OPSET = 13  # onnxruntime 1.7 of 2021 reads it
IR_VERSION = 7
MEAN, SCALE = 127.5, 128.0  # the networks were trained on (picture - 127.5) / 128
TOLERANCE = 1e-5  # of probabilities, and of offsets and points in sides of the square
TEST_SIZES = {"pnet": (67, 50), "rnet": (24, 24), "onet": (48, 48)}  # rows and columns of the test pictures
TEST_PICTURES = 64


@dataclass(frozen=True)
class Network:
    """The structure of a network, with the names of layers in facenet-pytorch's file.

    layers: those followed by a PReLU, in order. pooling: layer -> kernel size of the max pooling of stride 2 after it.
    outputs: name -> layer. side: of the input; 0: any.
    """

    layers: tuple[str, ...]
    pooling: dict[str, int]
    outputs: dict[str, str]
    side: int = field(default=0)


NETWORKS = {
    "pnet": Network(
        ("conv1", "conv2", "conv3"),
        {"conv1": 2},
        {"probability": "conv4_1", "offsets": "conv4_2"},
    ),
    "rnet": Network(
        ("conv1", "conv2", "conv3", "dense4"),
        {"conv1": 3, "conv2": 3},
        {"probability": "dense5_1", "offsets": "dense5_2"},
        side=24,
    ),
    "onet": Network(
        ("conv1", "conv2", "conv3", "conv4", "dense5"),
        {"conv1": 3, "conv2": 3, "conv3": 2},
        {"probability": "dense6_1", "offsets": "dense6_2", "points": "dense6_3"},
        side=48,
    ),
}


def export(name: str, out: Path) -> Path:
    """Write the network called ``name``, a key of ``NETWORKS``, to ``out``, record its checksum and return the file.

    Raises MissingPackageError without facenet-pytorch, ParityError if the file does not compute the same as
    facenet-pytorch's network; such a file is deleted.
    """
    import onnx

    model = graph(name, read(name))
    onnx.checker.check_model(model, full_check=True)
    file = out / f"mtcnn-{name}.onnx"
    with staging.folder(out) as scratch:
        part = scratch / file.name
        part.write_bytes(model.SerializeToString(deterministic=True))
        if (error := difference(name, part)) > TOLERANCE:
            raise ParityError(
                f"{file.name} does not compute the same as facenet-pytorch's network: the error is {error:.2g} "
                f"(allowed: {TOLERANCE}). Try another version of onnxruntime or torch."
            )
        part.replace(file)
    weights.record(file)
    return file


def read(name: str) -> dict[str, Array]:
    """The weights of a network in facenet-pytorch's wheel. Raises MissingPackageError."""
    package = importlib.util.find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise MissingPackageError("facenet-pytorch", "torch")
    # The file is a pickle: the restricted loader loads tensors only and runs no code.
    tensors = torch.load(Path(package.origin).parent / "data" / f"{name}.pt", map_location="cpu", weights_only=True)
    return {key: value.double().numpy() for key, value in tensors.items()}


def graph(name: str, tensors: dict[str, Array]) -> "onnx.ModelProto":
    """A network as an ONNX model. tensors: its weights under facenet-pytorch's names."""
    writer = _Writer(tensors)
    _write_outputs(writer, NETWORKS[name], _write_layers(writer, NETWORKS[name]))
    return _model(name, writer)


class _Writer:
    """Appends nodes and constants of a graph. Each node has the name of its output."""

    def __init__(self, tensors: dict[str, Array]) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(
        self, kind: str, output: str, inputs: Sequence[str], arrays: dict[str, Array] | None = None, **attributes: Any
    ) -> str:
        """Append a node with the inputs ``inputs`` and then ``arrays``, by their suffix, and return its output."""
        from onnx import helper, numpy_helper

        names = list(inputs)
        for key, array in (arrays or {}).items():
            values = np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else array.dtype)
            self.constants.append(numpy_helper.from_array(values, f"{output}.{key}"))
            names.append(f"{output}.{key}")
        self.nodes.append(helper.make_node(kind, names, [output], name=output, **attributes))
        return output

    def linear(self, output: str, value: str, weight: Array, bias: Array) -> str:
        """Append a convolution or a dense layer."""
        kind, attributes = ("Conv", {}) if weight.ndim == 4 else ("Gemm", {"transB": 1})
        return self.add(kind, output, [value], {"weight": weight, "bias": bias}, **attributes)


def _write_layers(writer: _Writer, network: Network) -> str:
    """Append all layers but the outputs, and return their result."""
    tensors = writer.tensors
    value, channels = writer.add("Transpose", "planes", ["image"], perm=[0, 3, 1, 2]), 3
    for number, key in enumerate(network.layers, start=1):
        weight, bias, slope = tensors[f"{key}.weight"], tensors[f"{key}.bias"], tensors[f"prelu{number}.weight"]
        if number == 1:
            weight, bias = weight / SCALE, bias - weight.sum(axis=(1, 2, 3)) * MEAN / SCALE
        if weight.ndim == 2:
            value, weight = writer.add("Flatten", "flat", [value]), _by_channels(weight, channels)
        value, channels = writer.linear(key, value, weight, bias), len(bias)
        # PReLU in two parts, twice as fast as the operator: max(x, slope * x) for slopes up to 1, then min for larger
        # ones. The second part is monotonic, so it can follow the pooling, where it has fewer values.
        slope = slope.reshape(-1, *[1] * (weight.ndim - 2))
        times = writer.add("Mul", f"{key}.times", [value], {"slope": np.minimum(slope, 1)})
        value = writer.add("Max", f"{key}.rectified", [value, times])
        if side := network.pooling.get(key):
            pooling: dict[str, Any] = {"kernel_shape": [side] * 2, "strides": [2, 2], "ceil_mode": 1}
            value = writer.add("MaxPool", f"{key}.pooled", [value], **pooling)
        if (slope > 1).any():
            times = writer.add("Mul", f"{key}.times_steep", [value], {"slope": np.maximum(slope, 1)})
            value = writer.add("Min", f"{key}.rectified_steep", [value, times])
    return value


def _write_outputs(writer: _Writer, network: Network, value: str) -> None:
    """Append the outputs, from the result of the other layers."""
    for output, key in network.outputs.items():
        weight, bias = writer.tensors[f"{key}.weight"], writer.tensors[f"{key}.bias"]
        if output == "probability":
            odds = writer.linear(key, value, weight[1:] - weight[:1], bias[1:] - bias[:1])
            probability = writer.add("Sigmoid", f"{key}.sigmoid", [odds])
            writer.add("Squeeze", output, [probability], {"axes": np.array([1])})
        elif output == "points":  # five x, then five y: pairs of x and y are easier to use
            pairs = np.arange(10).reshape(2, 5).T.ravel()
            flat = writer.linear(key, value, weight[pairs], bias[pairs])
            writer.add("Reshape", output, [flat], {"shape": np.array([-1, 5, 2])})
        elif weight.ndim == 4:
            writer.add("Transpose", output, [writer.linear(key, value, weight, bias)], perm=[0, 2, 3, 1])
        else:
            writer.linear(output, value, weight, bias)


def _model(name: str, writer: _Writer) -> "onnx.ModelProto":
    from onnx import TensorProto, helper

    network = NETWORKS[name]
    cells = [] if network.side else ["rows", "columns"]
    shapes: dict[str, list[str | int]] = {
        "probability": ["batch", *cells],
        "offsets": ["batch", *cells, 4],
        "points": ["batch", 5, 2],
    }
    image: list[str | int] = ["batch", network.side or "height", network.side or "width", 3]
    graph = helper.make_graph(
        writer.nodes,
        f"mtcnn-{name}",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, shapes[key]) for key in network.outputs],
        writer.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "faceinp"
    model.doc_string = "A network of the face detector MTCNN, with the weights of facenet-pytorch (MIT)."
    return model


def difference(name: str, file: Path) -> float:
    """The largest error of a file against facenet-pytorch's network, on seeded noise and uniform grey."""
    from facenet_pytorch.models import mtcnn as theirs

    network = {"pnet": theirs.PNet, "rnet": theirs.RNet, "onet": theirs.ONet}[name](pretrained=False).eval()
    network.load_state_dict({key: torch.from_numpy(value).float() for key, value in read(name).items()})
    images = np.random.default_rng(0).integers(0, 256, (TEST_PICTURES, *TEST_SIZES[name], 3)).astype(np.float32)
    images[0] = 127
    with torch.no_grad():
        offsets, *points, odds = network((torch.from_numpy(images).permute(0, 3, 1, 2) - MEAN) / SCALE)
    expected = [odds[:, 1].numpy(), offsets.movedim(1, -1).numpy()]
    expected += [five.reshape(-1, 2, 5).mT.numpy() for five in points]
    ours = OnnxFile(file, threads=1).run({"image": images})
    return max(float(np.abs(one - other).max()) for one, other in zip(ours, expected, strict=True))


def _by_channels(weight: Array, channels: int) -> Array:
    """Dense weights with columns in the order channels, rows, columns, as ONNX flattens; it was the reverse."""
    side = round((weight.shape[1] / channels) ** 0.5)
    return weight.reshape(len(weight), side, side, channels).transpose(0, 3, 2, 1).reshape(len(weight), -1)


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    for name in NETWORKS:
        print(export(name, args.out))


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("mtcnn", "Write the face detector's networks as ONNX.")
    parser.add_argument("out", type=Path, metavar="FOLDER", help="the output folder, for example weights")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
