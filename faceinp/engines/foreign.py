"""Other people's inpainting networks: ``load_engine("onnx:FILE")`` on any ONNX file that a small sidecar describes.

``FILE.onnx.json`` beside it says, for example for a network of 512 x 512 that wants [-1, 1] and 0 in the hole:

    {
      "about": "Somebody's network, trained on faces",
      "size": 512,
      "picture": {"name": "image", "range": [-1, 1]},
      "mask": {"name": "mask", "hole": 0, "known": 1},
      "result": {"name": "output", "range": [0, 255]}
    }

Pictures and masks are (N, 3, S, S) and (N, 1, S, S), RGB; ``"channels": "BGR"`` and ``"layout": "NHWC"`` under picture
or result, ``"layout"`` under mask, say otherwise. ``"largest"`` allows sides up to it, padded to multiples of
``"multiple_of"``; without it the side is always ``size``. ``"taught_by"`` lists judges of identity that were in its
loss. The hole is grey when the network sees it. Types are read from the file: float32, float16, or uint8, whose range
is within [0, 255].
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.common import json_values
from faceinp.engines.base import Batch, Engine, Needs
from faceinp.errors import EngineError, WeightsError
from faceinp.models import sidecar as sidecars
from faceinp.models import weights
from faceinp.models.sessions import OnnxFile

KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
PREFIX = "onnx:"  # of an engine's name, before the file's path
LAYOUTS = ("NCHW", "NHWC")
CHANNELS = ("RGB", "BGR")
LARGEST = 8192  # pixels, side of a crop
BOUND = 65504.0  # of colours: float16 holds no more


@dataclass(frozen=True)
class Port:
    """An input or output. low, high: what black and white are, or known and hole of a mask."""

    name: str
    low: float
    high: float
    layout: str
    channels: str

    def given(self, values: NDArray[np.float32], kind: Any) -> NDArray[Any]:
        """(N, C, S, S) in [0, 1] as the network wants it."""
        values = self.low + values * np.float32(self.high - self.low)
        values = values[:, ::-1] if self.channels == "BGR" else values
        values = values.transpose(0, 2, 3, 1) if self.layout == "NHWC" else values
        return (np.rint(values) if kind is np.uint8 else values).astype(kind)

    def taken(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """What the network gave as (N, C, S, S) in [0, 1]."""
        values = values.transpose(0, 3, 1, 2) if self.layout == "NHWC" else values
        values = values[:, ::-1] if self.channels == "BGR" else values
        return (values.astype(np.float32) - self.low) / (self.high - self.low)


class ForeignOnnx(Engine):
    """An ONNX file and its sidecar, of which the module's docstring tells.

    sidecar: where it is (default: FILE.onnx.json). provider, threads: as of ``runtimes.Runtime``.
    Raises WeightsError for a file or a sidecar that cannot be used, EngineError for a provider that does not run.
    """

    about = "Somebody else's ONNX file"
    needs = Needs(("onnxruntime",))
    batch_size = 1  # many files take no more

    def __init__(self, file: str | Path, *, sidecar: str | Path = "", provider: str = "cpu", threads: int = 0) -> None:
        file = Path(file)
        weights.check_file(file)
        place = Path(sidecar) if sidecar else sidecars.path(file)
        told = sidecars.section(sidecars.load(file, place), "engine")
        try:
            size = json_values.whole(told, "size", 1, LARGEST)
            largest = json_values.whole(told, "largest", size, LARGEST, size)
            self.multiple = json_values.whole(told, "multiple_of", 1, LARGEST, 1)
            self.taught_by = json_values.texts(told, "taught_by", ())
            self.picture, self.mask, self.result = (_port(told, key) for key in ("picture", "mask", "result"))
        except ValueError as error:
            raise WeightsError(
                f"{file} needs a sidecar {place} that says size, picture, mask and result ({error}). "
                "The docstring of faceinp.engines.foreign shows one."
            ) from error
        self.session = OnnxFile(file, provider, threads)
        self.kinds = {port.name: _kind(port.type, port.name) for port in self.session.session.get_inputs()}
        self.outputs = [port.name for port in self.session.session.get_outputs()]
        if sorted((self.picture.name, self.mask.name)) != sorted(self.kinds) or self.result.name not in self.outputs:
            raise WeightsError(f"{file} takes {sorted(self.kinds)} and gives {self.outputs}. Name these in {place}.")
        for port in (self.picture, self.mask):
            if self.kinds[port.name] is np.uint8 and not all(0 <= value <= 255 for value in (port.low, port.high)):
                raise WeightsError(
                    f"The input {port.name} of {file} takes whole numbers from 0 to 255, not {port.low:g} to "
                    f"{port.high:g}. Correct {place}."
                )
        self.name, self.size, self.largest = f"{PREFIX}{file.name}", size, largest
        self.runtime = self.session.runtime

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        side = batch.crops.shape[-1]
        more = -side % self.multiple
        crop, hole = (
            np.pad(array, ((0, 0), (0, 0), (0, more), (0, more)), "edge")
            for array in (batch.crops, batch.masks.astype(np.float32))
        )
        answers = self.session.run(
            {
                self.picture.name: self.picture.given(crop, self.kinds[self.picture.name]),
                self.mask.name: self.mask.given(hole, self.kinds[self.mask.name]),
            }
        )
        answer = answers[self.outputs.index(self.result.name)]
        if answer.ndim != 4 or answer.dtype.kind not in "fiu":
            raise EngineError(f"{self.name} returned {answer.dtype} {answer.shape}, no pictures. Correct its sidecar.")
        answer = self.result.taken(answer)
        if answer.shape != crop.shape:
            raise EngineError(f"{self.name} returned {answer.shape} for {crop.shape}. Correct its sidecar.")
        if not np.isfinite(answer).all():
            raise EngineError(f"{self.name} returned values that are no numbers. Correct the ranges in its sidecar.")
        return answer[:, :, :side, :side]


def _port(told: dict[str, Any], key: str) -> Port:
    """What a sidecar says of its picture, mask or result."""
    port = json_values.section(told, key)
    try:
        if key == "mask":
            low, high = (json_values.number(port, end, -BOUND, BOUND) for end in ("known", "hole"))
        else:
            low, high = json_values.numbers(port, "range", 2, -BOUND, BOUND)
        if np.float32(low) == np.float32(high):
            raise ValueError(f"{low:g} and {high:g} cannot be told apart")
        name = json_values.text(port, "name")
        layout = json_values.text(port, "layout", "NCHW", among=LAYOUTS)
        return Port(name, low, high, layout, json_values.text(port, "channels", "RGB", among=CHANNELS))
    except ValueError as error:
        raise ValueError(f"{error}, in {key!r}") from error


def _kind(name: str, port: str) -> Any:
    if name not in KINDS:
        raise WeightsError(f"Its input {port} is a {name}; those known are {', '.join(KINDS)}. Export it with one.")
    return KINDS[name]
