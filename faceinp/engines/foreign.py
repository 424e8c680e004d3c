"""Other people's inpainting networks: ``load_engine("onnx:FILE")`` runs any ONNX file with a sidecar.

The sidecar ``FILE.onnx.json`` is, for example for a network of 512 x 512 with a range of [-1, 1] and masks that are 0
in the hole:

    {
      "about": "Somebody's network, trained on faces",
      "size": 512,
      "picture": {"name": "image", "range": [-1, 1]},
      "mask": {"name": "mask", "hole": 0, "known": 1},
      "result": {"name": "output", "range": [0, 255]}
    }

Pictures and masks are (N, 3, S, S) and (N, 1, S, S), RGB. ``"channels": "BGR"`` (of picture and result) and
``"layout": "NHWC"`` (of all three) change that. ``"largest"`` allows sides up to it, padded to multiples of
``"multiple_of"``; without it the side is always ``size``. ``"taught_by"`` lists judges of identity that the network was
trained with as a loss. The hole is grey in the network's input. Types are read from the file: float32, float16, or
uint8, whose range is within [0, 255].
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Batch, Engine, Needs
from faceinp.errors import EngineError, WeightsError
from faceinp.models import json_values, weights
from faceinp.models import sidecar as sidecars
from faceinp.models.sessions import OnnxFile

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
PREFIX = "onnx:"  # of an engine's name, before the file's path
LAYOUTS = ("NCHW", "NHWC")
CHANNELS = ("RGB", "BGR")
MAX_SIDE = 8192  # pixels, of a crop
MAX_COLOUR = 65504.0  # the largest float16


@dataclass(frozen=True)
class Port:
    """An input or output.

    low, high: the values of black and white, or of known and hole in a mask. layout: one of LAYOUTS. channels: one of
    CHANNELS.
    """

    name: str
    low: float
    high: float
    layout: str
    channels: str

    def encode(self, values: NDArray[np.float32], dtype: Any) -> NDArray[Any]:
        """The network's input for (N, C, S, S) in [0, 1]."""
        values = self.low + values * np.float32(self.high - self.low)
        values = values[:, ::-1] if self.channels == "BGR" else values
        values = values.transpose(0, 2, 3, 1) if self.layout == "NHWC" else values
        return (np.rint(values) if dtype is np.uint8 else values).astype(dtype)

    def decode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """The network's output as (N, C, S, S) in [0, 1]."""
        values = values.transpose(0, 3, 1, 2) if self.layout == "NHWC" else values
        values = values[:, ::-1] if self.channels == "BGR" else values
        return (values.astype(np.float32) - self.low) / (self.high - self.low)


class ForeignOnnx(Engine):
    """An ONNX file with a sidecar, as the module's docstring describes.

    sidecar: its path (default: FILE.onnx.json). provider, threads: as for ``runtimes.Runtime``.
    Raises WeightsError for an invalid file or sidecar, EngineError for a provider that does not run.
    """

    about = "Somebody else's ONNX file"
    needs = Needs(("onnxruntime",))
    batch_size = 1  # many files have a fixed batch size of 1

    def __init__(self, file: str | Path, *, sidecar: str | Path = "", provider: str = "cpu", threads: int = 0) -> None:
        file = Path(file)
        weights.check_file(file)
        sidecar_path = Path(sidecar) if sidecar else sidecars.path(file)
        metadata = sidecars.section(sidecars.load(file, sidecar_path), "engine")
        try:
            size = json_values.whole(metadata, "size", 1, MAX_SIDE)
            largest = json_values.whole(metadata, "largest", size, MAX_SIDE, size)
            self.multiple = json_values.whole(metadata, "multiple_of", 1, MAX_SIDE, 1)
            self.taught_by = json_values.texts(metadata, "taught_by", ())
            self.picture, self.mask, self.result = (_port(metadata, key) for key in ("picture", "mask", "result"))
        except ValueError as error:
            raise WeightsError(
                f"The sidecar {sidecar_path} of {file} must specify size, picture, mask and result ({error}). "
                "The docstring of faceinp.engines.foreign shows one."
            ) from error
        self.session = OnnxFile(file, provider, threads)
        self.dtypes = {port.name: _dtype(port.type, port.name) for port in self.session.session.get_inputs()}
        self.outputs = [port.name for port in self.session.session.get_outputs()]
        self._check_ports(file, sidecar_path)
        self.name, self.size, self.largest = f"{PREFIX}{file.name}", size, largest
        self.runtime = self.session.runtime

    def _check_ports(self, file: Path, sidecar_path: Path) -> None:
        """Raise WeightsError unless the inputs and outputs of file and sidecar agree."""
        if sorted((self.picture.name, self.mask.name)) != sorted(self.dtypes) or self.result.name not in self.outputs:
            raise WeightsError(
                f"The inputs of {file} are {sorted(self.dtypes)} and its outputs {self.outputs}. Use these names in "
                f"{sidecar_path}."
            )
        for port in (self.picture, self.mask):
            if self.dtypes[port.name] is np.uint8 and not all(0 <= value <= 255 for value in (port.low, port.high)):
                raise WeightsError(
                    f"The input {port.name} of {file} takes whole numbers from 0 to 255, not {port.low:g} to "
                    f"{port.high:g}. Correct {sidecar_path}."
                )

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        side = batch.crops.shape[-1]
        padding = -side % self.multiple
        crop, hole = (
            np.pad(array, ((0, 0), (0, 0), (0, padding), (0, padding)), "edge")
            for array in (batch.crops, batch.masks.astype(np.float32))
        )
        outputs = self.session.run(
            {
                port.name: port.encode(values, self.dtypes[port.name])
                for port, values in ((self.picture, crop), (self.mask, hole))
            }
        )
        output = outputs[self.outputs.index(self.result.name)]
        if output.ndim != 4 or output.dtype.kind not in "fiu":
            raise EngineError(
                f"{self.name} returned {output.dtype} {output.shape}, which are not pictures. Correct its sidecar."
            )
        output = self.result.decode(output)
        if output.shape != crop.shape:
            raise EngineError(f"{self.name} returned {output.shape} for {crop.shape}. Correct its sidecar.")
        if not np.isfinite(output).all():
            raise EngineError(f"{self.name} returned values that are not finite. Correct the ranges in its sidecar.")
        return output[:, :, :side, :side]


def _port(metadata: dict[str, Any], key: str) -> Port:
    """The picture, mask or result of a sidecar. Raises ValueError for invalid values."""
    port = json_values.section(metadata, key)
    try:
        if key == "mask":
            low, high = (json_values.number(port, end, -MAX_COLOUR, MAX_COLOUR) for end in ("known", "hole"))
        else:
            low, high = json_values.numbers(port, "range", 2, -MAX_COLOUR, MAX_COLOUR)
        if np.float32(low) == np.float32(high):
            raise ValueError(f"{low:g} and {high:g} are equal in float32")
        name = json_values.text(port, "name")
        layout = json_values.text(port, "layout", "NCHW", among=LAYOUTS)
        return Port(name, low, high, layout, json_values.text(port, "channels", "RGB", among=CHANNELS))
    except ValueError as error:
        raise ValueError(f"{error}, in {key!r}") from error


def _dtype(name: str, port: str) -> Any:
    if name not in DTYPES:
        raise WeightsError(
            f"The input {port} has the type {name}. Export the file with one of these: {', '.join(DTYPES)}."
        )
    return DTYPES[name]
