"""The face detector's three networks as ONNX files: ``faceinp export mtcnn weights``.

MTCNN (Zhang et al. 2016), with the weights that lie in facenet-pytorch's wheel. The graphs take pictures as programs
have them: RGB, 0 to 255, channels last. What the networks were trained on instead is folded into their weights: the
scaling to [-1, 1] into the first layer, the order of the columns into the dense one, and the softmax over "no face" and
"face" is the sigmoid of their difference. ``weights/mtcnn.md`` says what comes in and out.
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

from faceinp.common import staging
from faceinp.errors import MissingPackageError
from faceinp.models import weights
from faceinp.models.sessions import OnnxFile

from .parity import ParityError
from .shell import main as run_command

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]

OPSET, IR_VERSION = 13, 7  # what onnxruntime 1.7, of 2021, reads
MEAN, SCALE = 127.5, 128.0  # the networks were trained on (picture - 127.5) / 128
TOLERANCE = 1e-5  # of probabilities, and of offsets and points in sides of the square
SEEN = {"pnet": (67, 50), "rnet": (24, 24), "onet": (48, 48)}  # rows and columns of what parity is checked on


@dataclass(frozen=True)
class Network:
    """layers: names of those with a PReLU behind them, in facenet-pytorch's file. pooling: layer -> side of the windows
    whose largest value is kept, two pixels apart. outputs: name -> layer. side: of the pictures it takes, 0: any.
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

    Raises MissingPackageError without facenet-pytorch, ParityError when the file does not compute what its network
    does; such a file is not left behind.
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
                f"{file.name} is not the same network as facenet-pytorch's: it differs by {error:.2g} (allowed: "
                f"{TOLERANCE}). Try another version of onnxruntime or torch."
            )
        part.replace(file)
    weights.record(file)
    return file


def read(name: str) -> dict[str, Array]:
    """The weights of a network in facenet-pytorch's wheel."""
    package = importlib.util.find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise MissingPackageError("facenet-pytorch", "torch")
    # The file is a pickle; torch's restricted loader makes nothing but tensors and runs none of its code.
    tensors = torch.load(Path(package.origin).parent / "data" / f"{name}.pt", map_location="cpu", weights_only=True)
    return {key: value.double().numpy() for key, value in tensors.items()}


def graph(name: str, tensors: dict[str, Array]) -> "onnx.ModelProto":
    """A network as an ONNX model. tensors: its weights under facenet-pytorch's names."""
    from onnx import TensorProto, helper, numpy_helper

    network, nodes, constants = NETWORKS[name], [], []

    def add(kind: str, output: str, inputs: Sequence[str], arrays: dict[str, Array] | None = None, **more: Any) -> str:
        """A node that takes ``inputs`` and then ``arrays``; its output, which is also its name."""
        for key, array in (arrays or {}).items():
            kept = np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else array.dtype)
            constants.append(numpy_helper.from_array(kept, f"{output}.{key}"))
        keys = [f"{output}.{key}" for key in arrays or {}]
        nodes.append(helper.make_node(kind, [*inputs, *keys], [output], name=output, **more))
        return output

    def linear(output: str, value: str, weight: Array, bias: Array) -> str:
        kind, more = ("Conv", {}) if weight.ndim == 4 else ("Gemm", {"transB": 1})
        return add(kind, output, [value], {"weight": weight, "bias": bias}, **more)

    value, channels = add("Transpose", "planes", ["image"], perm=[0, 3, 1, 2]), 3
    for number, key in enumerate(network.layers, start=1):
        weight, bias, slope = tensors[f"{key}.weight"], tensors[f"{key}.bias"], tensors[f"prelu{number}.weight"]
        if number == 1:
            weight, bias = weight / SCALE, bias - weight.sum(axis=(1, 2, 3)) * MEAN / SCALE
        if weight.ndim == 2:
            value, weight = add("Flatten", "flat", [value]), _by_channels(weight, channels)
        value, channels = linear(key, value, weight, bias), len(bias)
        # PReLU in two parts, twice as fast as the operator: the larger of x and slope * x, which is all of it where the
        # slope is 1 at most; for steeper ones the smaller of both. That never falls, so it may come after the pooling.
        slope = slope.reshape(-1, *[1] * (weight.ndim - 2))
        times = add("Mul", f"{key}.times", [value], {"slope": np.minimum(slope, 1)})
        value = add("Max", f"{key}.rectified", [value, times])
        if side := network.pooling.get(key):
            value = add("MaxPool", f"{key}.pooled", [value], kernel_shape=[side] * 2, strides=[2, 2], ceil_mode=1)
        if (slope > 1).any():
            times = add("Mul", f"{key}.times_steep", [value], {"slope": np.maximum(slope, 1)})
            value = add("Min", f"{key}.rectified_steep", [value, times])

    for output, key in network.outputs.items():
        weight, bias = tensors[f"{key}.weight"], tensors[f"{key}.bias"]
        if output == "probability":
            odds = linear(key, value, weight[1:] - weight[:1], bias[1:] - bias[:1])
            add("Squeeze", output, [add("Sigmoid", f"{key}.sigmoid", [odds])], {"axes": np.array([1])})
        elif output == "points":  # it gives five x, then five y: pairs are easier to use
            pairs = np.arange(10).reshape(2, 5).T.ravel()
            add("Reshape", output, [linear(key, value, weight[pairs], bias[pairs])], {"shape": np.array([-1, 5, 2])})
        elif weight.ndim == 4:
            add("Transpose", output, [linear(key, value, weight, bias)], perm=[0, 2, 3, 1])
        else:
            linear(output, value, weight, bias)

    cells = [] if network.side else ["rows", "columns"]
    shapes: dict[str, list[str | int]] = {
        "probability": ["batch", *cells],
        "offsets": ["batch", *cells, 4],
        "points": ["batch", 5, 2],
    }
    image: list[str | int] = ["batch", network.side or "height", network.side or "width", 3]
    made = helper.make_graph(
        nodes,
        f"mtcnn-{name}",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, shapes[key]) for key in network.outputs],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "faceinp"
    model.doc_string = "A network of the face detector MTCNN, with the weights of facenet-pytorch (MIT)."
    return model


def difference(name: str, file: Path) -> float:
    """How far a file's outputs lie from those of facenet-pytorch's network, at most, on seeded noise and plain grey."""
    from facenet_pytorch.models import mtcnn as theirs

    network = {"pnet": theirs.PNet, "rnet": theirs.RNet, "onet": theirs.ONet}[name](pretrained=False).eval()
    network.load_state_dict({key: torch.from_numpy(value).float() for key, value in read(name).items()})
    images = np.random.default_rng(0).integers(0, 256, (64, *SEEN[name], 3)).astype(np.float32)
    images[0] = 127
    with torch.no_grad():
        offsets, *points, odds = network((torch.from_numpy(images).permute(0, 3, 1, 2) - MEAN) / SCALE)
    wanted = [odds[:, 1].numpy(), offsets.movedim(1, -1).numpy()]
    wanted += [five.reshape(-1, 2, 5).mT.numpy() for five in points]
    ours = OnnxFile(file, threads=1).run({"image": images})
    return max(float(np.abs(one - other).max()) for one, other in zip(ours, wanted, strict=True))


def _by_channels(weight: Array, channels: int) -> Array:
    """Weights for columns, rows, channels as weights for channels, rows, columns, which is how ONNX flattens."""
    side = round((weight.shape[1] / channels) ** 0.5)
    return weight.reshape(len(weight), side, side, channels).transpose(0, 3, 2, 1).reshape(len(weight), -1)


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    for name in NETWORKS:
        print(export(name, args.out))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="faceinp export mtcnn", description="Write the face detector's networks as ONNX."
    )
    parser.add_argument("out", type=Path, metavar="FOLDER", help="where to: weights, for the package's own")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
