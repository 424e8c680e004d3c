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
loss. The hole is grey when the network sees it. Types are read from the file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Batch, Engine, Needs
from faceinp.engines.sessions import OnnxFile
from faceinp.errors import EngineError, WeightsError

KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
PREFIX = "onnx:"  # of an engine's name, before the file's path
LAYOUTS = ("NCHW", "NHWC")
CHANNELS = ("RGB", "BGR")


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

    sidecar: where it is (default: FILE.json). provider, threads: as of ``landmark-onnx``.
    Raises WeightsError for a file or a sidecar that cannot be used, EngineError for a provider that does not run.
    """

    about = "Somebody else's ONNX file"
    needs = Needs(("onnxruntime",))
    batch_size = 1  # many files take no more

    def __init__(self, file: str | Path, *, sidecar: str | Path = "", provider: str = "cpu", threads: int = 0) -> None:
        file = Path(file)
        if not file.is_file():
            raise WeightsError(f"There is no file {file}. Check the path after {PREFIX!r}.")
        place = Path(sidecar) if sidecar else file.with_name(f"{file.name}.json")
        try:
            told = json.loads(place.read_text())
            size, largest = int(told["size"]), int(told.get("largest", told["size"]))
            self.taught_by = tuple(map(str, told.get("taught_by", ())))
            self.multiple = int(told.get("multiple_of", 1))
            self.picture, self.result = (_port(told[key], *told[key]["range"]) for key in ("picture", "result"))
            self.mask = _port(told["mask"], told["mask"]["known"], told["mask"]["hole"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{file} needs a sidecar {place} that says size, picture, mask and result ({error!r}). "
                "The docstring of faceinp.engines.foreign shows one."
            ) from error
        self.session = OnnxFile(file, provider, threads)
        self.kinds = {port.name: _kind(port.type, port.name) for port in self.session.session.get_inputs()}
        self.outputs = [port.name for port in self.session.session.get_outputs()]
        if {self.picture.name, self.mask.name} != set(self.kinds) or self.result.name not in self.outputs:
            raise WeightsError(f"{file} takes {sorted(self.kinds)} and gives {self.outputs}. Name these in {place}.")
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
        answer = self.result.taken(answers[self.outputs.index(self.result.name)])
        if answer.shape != crop.shape:
            raise EngineError(f"{self.name} returned {answer.shape} for {crop.shape}. Correct its sidecar.")
        return answer[:, :, :side, :side]


def _port(told: dict[str, Any], low: float, high: float) -> Port:
    layout, channels = told.get("layout", "NCHW"), told.get("channels", "RGB")
    if layout not in LAYOUTS or channels not in CHANNELS or float(low) == float(high):
        raise ValueError(f"{layout}, {channels} or {low} to {high} of {told['name']} is not known")
    return Port(str(told["name"]), float(low), float(high), layout, channels)


def _kind(name: str, port: str) -> Any:
    if name not in KINDS:
        raise WeightsError(f"Its input {port} is a {name}; those known are {', '.join(KINDS)}. Export it with one.")
    return KINDS[name]
