"""The landmark-guided engine on exported files: ``landmark-onnx``, ``landmark-openvino``, ``landmark-tensorrt``.

Files come from ``faceinp export onnx`` and ``trt``; where there are none they are made at first use, by a
process of their own, and kept in the cache.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import faceinp
from faceinp import weights
from faceinp.engines.base import Batch, Engine, Needs, register
from faceinp.engines.sessions import (
    TENSORRT,
    OnnxFile,
    OpenvinoFile,
    Session,
    TensorrtFile,
    mismatch,
    nvidia_gpus,
    read_sidecar,
    tensorrt_package,
)
from faceinp.errors import EngineError, WeightsError

WEIGHTS = ("completion", "landmarks")


class Exported(Engine):
    """What these engines share: two open files, one that completes and one that predicts landmarks."""

    size = 256
    largest = 256
    guided = True

    def __init__(self, completion: Session, predictor: Session) -> None:
        self.completion, self.predictor = completion, predictor
        for session, wanted in ((completion, "completion"), (predictor, "landmarks")):
            if session.about.get("name") != wanted:
                raise EngineError(f"Expected an exported {wanted!r} graph. `faceinp export onnx {wanted}` makes one.")
        self.runtime = completion.runtime
        taught_by = completion.about.get("taught_by", [])
        self.taught_by = tuple(json.loads(taught_by) if isinstance(taught_by, str) else taught_by)

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        (points,) = self.predictor.run({"picture": crops, "mask": masks.astype(np.float32)})
        return points

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        import torch

        from faceinp.nets.completion import landmark_map

        values = {
            "picture": batch.crops,
            "mask": batch.masks.astype(np.float32),
            "landmark_map": landmark_map(torch.from_numpy(batch.landmarks), self.size).numpy(),
            "exemplar": batch.exemplar.pictures,
            "exemplar_confidence": batch.exemplar.confidence,
        }
        inputs = {name: value for name, value in values.items() if name in self.completion.inputs}
        (filled,) = self.completion.run(inputs)
        return filled


@register
class LandmarkOnnx(Exported):
    """file, predictor: exported completion and landmarks; empty: those of the weights' folder, or made at first use.

    provider: what computes: a key of ``sessions.PROVIDERS``, or a name of onnxruntime's. threads: of the processor, 0
    for all.
    """

    name = "landmark-onnx"
    about = "The landmark-guided network as ONNX files, on onnxruntime."
    needs = Needs(("onnxruntime", "torch"), "export", WEIGHTS)

    def __init__(
        self, *, file: str | Path = "", predictor: str | Path = "", provider: str = "cpu", threads: int = 0
    ) -> None:
        completion = OnnxFile(_exported("completion", file), provider, threads)
        super().__init__(completion, OnnxFile(_exported("landmarks", predictor), provider, threads))


@register
class LandmarkOpenvino(Exported):
    """file, predictor: as of ``landmark-onnx``. precision: fp32 or bf16; empty: the faster. threads: 0 for all."""

    name = "landmark-openvino"
    about = "The landmark-guided network as ONNX files, on OpenVINO: the fastest on processors."
    needs = Needs(("openvino", "torch"), "openvino", WEIGHTS)

    def __init__(
        self, *, file: str | Path = "", predictor: str | Path = "", precision: str = "", threads: int = 0
    ) -> None:
        completion = OpenvinoFile(_exported("completion", file), precision, threads)
        super().__init__(completion, OpenvinoFile(_exported("landmarks", predictor), precision, threads))


@register
class LandmarkTensorrt(Exported):
    """file, predictor: engines of ``faceinp export trt``; empty: those in the cache, or built there for this GPU.

    precision: of those that are built, fp16 or fp32.
    """

    name = "landmark-tensorrt"
    about = "The landmark-guided network as TensorRT engines, for NVIDIA GPUs."
    needs = Needs((tensorrt_package(), "torch"), TENSORRT[tensorrt_package()], WEIGHTS)

    def __init__(self, *, file: str | Path = "", predictor: str | Path = "", precision: str = "fp16") -> None:
        if hindrance := self.hindrance():
            raise EngineError(hindrance)
        completion = TensorrtFile(_built("completion", file, precision))
        super().__init__(completion, TensorrtFile(_built("landmarks", predictor, precision)))

    @classmethod
    def hindrance(cls) -> str:
        if not nvidia_gpus():
            return "TensorRT runs on NVIDIA GPUs, and there is none here. Use landmark-onnx, or landmark."
        return ""


def _exported(name: str, given: str | Path) -> Path:
    """The ONNX file of the graph ``name``: the one given, the weights' folder's, or one made of those weights."""
    if given:
        if not Path(given).is_file():
            raise EngineError(f"There is no file {given}. `faceinp export onnx {name}` makes one.")
        return Path(given)
    shipped = weights.folder() / f"{name}.onnx"
    if shipped.is_file():
        return shipped
    made = _made_of(name) / f"{name}.onnx"
    if not made.is_file():
        _call_exporter("onnx", name, "-o", str(made.parent))
    return made


def _built(name: str, given: str | Path, precision: str) -> Path:
    """The TensorRT engine of the graph ``name``: the one given, or one that suits this machine."""
    if given:
        return Path(given)
    package = tensorrt_package()
    stem = name if precision == "fp32" else f"{name}.{precision}"
    file = _made_of(name) / f"{stem}.{TENSORRT[package]}.engine"
    try:
        about = read_sidecar(file)
        source = weights.sha256(file.with_name(f"{stem}.onnx"))
        current = about["onnx_sha256"] == source and not mismatch(about, package)
    except (OSError, WeightsError):
        current = False
    if not current:
        options = ("--precision", precision, "--batch", f"1,{Exported.batch_size}", "-o", str(file.parent))
        _call_exporter("trt", name, "--backend", TENSORRT[package], *options)
    return file


def _made_of(name: str) -> Path:
    """The cache's folder of files made of the weights ``name``: other weights, and other versions, make other files."""
    return weights.cache() / f"export-{faceinp.__version__}-{weights.sha256(weights.path(name))[:16]}"


def _call_exporter(exporter: str, *arguments: str) -> None:
    """Run an exporter in a process of its own: engines know nothing of exporters, and its memory is given back."""
    command = [sys.executable, "-P", "-m", "faceinp", "export", exporter, *arguments]
    paths = (str(Path(faceinp.__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}  # this very package, not another
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise EngineError(f"{lines[-1]} (`{' '.join(command[3:])}` was run to make what the engine needs.)")
    sys.stderr.write(done.stderr)  # such as why an engine was built again
