"""int8: static quantisation of an exported network, calibrated on training pictures.

The convolutions of the generator are quantised between QuantizeLinear and DequantizeLinear; the rest stays in fp32. If
that costs too much PSNR on held-back pictures, each layer is quantised alone to measure its effect, and the worst
layers stay in fp32, as few as the limit allows.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from faceinp.errors import DataError
from faceinp.models import sessions
from faceinp.train.datasets.data import Faces

from . import conversion, cost
from .cases import Inputs
from .cost import MASKS, Cost
from .graphs import Built
from .shell import say

if TYPE_CHECKING:
    import onnx

LOADED = 1024  # pictures of the shards; the held-back ones measure the cost
CALIBRATION = 32  # pictures that calibrate the ranges of values
PROBES = 2  # pictures that measure the effect of one layer
FP32_SHARES = (0.0, 0.1, 0.2, 0.35, 0.5)  # shares of the layers in fp32, tried in order
NETWORK = "generator"


def quantise(
    model: "onnx.ModelProto", built: Built, calibrate: Sequence[str]
) -> tuple["onnx.ModelProto", list[str], Cost]:
    """``model`` in int8, the layers that stay in fp32, and the cost on held-back pictures of the shards ``calibrate``.

    Raises ParityError if the cost is too high even with half of the layers in fp32, DataError if the shards have too
    few faces.
    """
    training, held_back = cost.load(list(calibrate), built.size, LOADED).split()
    if len(training) < CALIBRATION or not len(held_back):
        raise DataError(f"int8 needs {CALIBRATION} training pictures and held-back ones. Add --calibrate shards.")
    layers = [node.name for node in model.graph.node if node.op_type == "Conv" and _inside(node)]
    with tempfile.TemporaryDirectory() as folder:
        quantiser = _Quantiser(model, Path(folder), _inputs(built, training, CALIBRATION))
        worst: list[str] = []
        for share in FP32_SHARES:
            if share and not worst:
                worst = quantiser.worst_first(layers, list(_inputs(built, training, PROBES)))
            in_fp32 = worst[: round(share * len(layers))]
            small = quantiser.quantise([layer for layer in layers if layer not in in_fp32])
            loss = cost.measure(built, quantiser.open(small).run, held_back)
            say(f"int8 with {len(in_fp32)} of {len(layers)} layers in fp32 costs {loss.decibels:.2f} dB")
            if loss.decibels <= cost.LIMITS["int8"]:
                break
        cost.refuse(f"{built.graph.name}.int8", loss, "int8")
    names = {node.name: conversion.layer(node) or node.name for node in model.graph.node}
    return small, [names[layer] for layer in in_fp32], loss


class _Quantiser:
    """Quantises some layers of a model. The ranges of its values are calibrated once, on ``inputs``."""

    def __init__(self, model: "onnx.ModelProto", folder: Path, inputs: Iterator[Inputs]) -> None:
        import onnx
        from onnxruntime import quantization

        class Reader(quantization.CalibrationDataReader):
            def get_next(self) -> Inputs | None:
                return next(inputs, None)

        self.folder, source = folder, folder / "fp32.onnx"
        self.model = onnx.shape_inference.infer_shapes(model)
        onnx.save(self.model, source)
        calibrator = quantization.create_calibrator(
            source, ["Conv"], augmented_model_path=str(folder / "ranges.onnx"), extra_options={"symmetric": False}
        )
        calibrator.collect_data(Reader())
        self.ranges = calibrator.compute_data()

    def quantise(self, layers: Sequence[str]) -> "onnx.ModelProto":
        """The model with ``layers`` in int8: weights for each channel, activations unsigned."""
        import onnx
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        model: onnx.ModelProto = onnx.ModelProto()
        model.CopyFrom(self.model)
        if not layers:
            return model
        quantiser = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=self.ranges,
            nodes_to_quantize=list(layers),
            nodes_to_exclude=[],
            op_types_to_quantize=["Conv"],
            extra_options={},
        )
        quantiser.quantize_model()
        quantiser.model.topological_sort()
        small: onnx.ModelProto = quantiser.model.model
        return small

    def open(self, model: "onnx.ModelProto") -> sessions.OnnxFile:
        """Save and open a model."""
        import onnx

        file = self.folder / "quantised.onnx"
        onnx.save(model, file)
        return sessions.OnnxFile(file, threads=torch.get_num_threads())

    def worst_first(self, layers: Sequence[str], probes: Sequence[Inputs]) -> list[str]:
        """``layers`` sorted by the change of the result if only that layer is quantised, the largest first."""

        def results(quantised_layers: Sequence[str]) -> list[Any]:
            session = self.open(self.quantise(quantised_layers))
            return [session.run(probe)[0].astype(np.float64) for probe in probes]

        fp32 = results([])
        change = {
            layer: float(np.mean([np.abs(a - b).mean() for a, b in zip(results([layer]), fp32, strict=True)]))
            for layer in layers
        }
        return sorted(layers, key=lambda layer: -change[layer])


def _inputs(built: Built, faces: Faces, count: int) -> Iterator[Inputs]:
    for number in range(count):
        yield cost.fill_inputs(built, faces, number, MASKS[number % len(MASKS)])[1]


def _inside(node: "onnx.NodeProto") -> bool:
    return conversion.layer(node).split(".")[0] == NETWORK
