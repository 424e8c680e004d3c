"""int8: static quantisation of an exported network, calibrated on training pictures.

Convolutions of the generator compute in 8 bits between QuantizeLinear and DequantizeLinear; all else stays in fp32.
Where that costs too many decibels, on pictures held back from every training, each layer is quantised alone, to see
what it does to the result, and the worst are left out, no more of them than the limit asks for.
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

LOADED = 1024  # pictures of the shards, of which the held-back ones measure
CALIBRATION = 32  # pictures that tell the ranges
PROBES = 2  # pictures on which each layer alone is judged
LEFT_OUT = (0.0, 0.1, 0.2, 0.35, 0.5)  # shares of the layers that are tried
NETWORK = "generator"


def quantised(
    model: "onnx.ModelProto", built: Built, calibrate: Sequence[str]
) -> tuple["onnx.ModelProto", list[str], Cost]:
    """``model`` in int8, the layers left in fp32, and what it costs on held-back pictures of the shards ``calibrate``.

    Raises ParityError when it costs too much even with half of the layers left out, DataError where the shards hold too
    few faces.
    """
    seen, held_back = cost.load(list(calibrate), built.size, LOADED).split()
    if len(seen) < CALIBRATION or not len(held_back):
        raise DataError(f"int8 needs {CALIBRATION} training pictures and held-back ones. Give more --calibrate shards.")
    layers = [node.name for node in model.graph.node if node.op_type == "Conv" and _inside(node)]
    with tempfile.TemporaryDirectory() as folder:
        quantiser = _Quantiser(model, Path(folder), _inputs(built, seen, CALIBRATION))
        worst: list[str] = []
        for share in LEFT_OUT:
            if share and not worst:
                worst = quantiser.worst_first(layers, list(_inputs(built, seen, PROBES)))
            left_out = worst[: round(share * len(layers))]
            small = quantiser.quantise([layer for layer in layers if layer not in left_out])
            paid = cost.measure(built, quantiser.open(small).run, held_back)
            say(f"int8 with {len(left_out)} of {len(layers)} layers left out costs {paid.decibels:.2f} dB")
            if paid.decibels <= cost.LIMITS["int8"]:
                break
        cost.refuse(f"{built.graph.name}.int8", paid, "int8")
    named = {node.name: conversion.layer(node) or node.name for node in model.graph.node}
    return small, [named[layer] for layer in left_out], paid


class _Quantiser:
    """Quantises chosen layers of one model; the ranges of its values are measured once."""

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
        """The model with ``layers`` in int8: weights by channel, activations as unsigned."""
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
        import onnx

        file = self.folder / "tried.onnx"
        onnx.save(model, file)
        return sessions.OnnxFile(file, threads=torch.get_num_threads())

    def worst_first(self, layers: Sequence[str], probes: Sequence[Inputs]) -> list[str]:
        """``layers`` by how far the result moves when that one alone is quantised, the worst first."""

        def results(chosen: Sequence[str]) -> list[Any]:
            session = self.open(self.quantise(chosen))
            return [session.run(probe)[0].astype(np.float64) for probe in probes]

        plain = results([])
        harm = {
            layer: float(np.mean([np.abs(a - b).mean() for a, b in zip(results([layer]), plain, strict=True)]))
            for layer in layers
        }
        return sorted(layers, key=lambda layer: -harm[layer])


def _inputs(built: Built, faces: Faces, count: int) -> Iterator[Inputs]:
    for number in range(count):
        yield cost.fill_inputs(built, faces, number, MASKS[number % len(MASKS)])[1]


def _inside(node: "onnx.NodeProto") -> bool:
    return conversion.layer(node).split(".")[0] == NETWORK
