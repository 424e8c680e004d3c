"""Measures the loss of PSNR by a lower precision: ``faceinp export cost FILE --data SHARDS``.

The cost is the composite PSNR of torch in fp32 minus that of the file, on real faces with holes of several kinds. A
file that costs more than the limit of its precision is refused.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.errors import FaceinpError
from faceinp.formulas import metrics
from faceinp.mask import presets
from faceinp.models import sessions, sidecar
from faceinp.nets.completion import landmark_map
from faceinp.photo.arrays import to_pixels
from faceinp.train.datasets import data as shards
from faceinp.train.datasets.data import Faces

from . import graphs, modules, parity, shell
from .cases import Inputs
from .graphs import Built
from .parity import ParityError, Runner
from .shell import natural

LIMITS = {"fp32": 0.1, "fp16": 0.1, "int8": 0.3}  # dB
MASKS = ("1", "9", "centre", "lower-face")
MEASURED = ("completion", "restorer")  # graphs that fill


@dataclass(frozen=True)
class Cost:
    """Mean composite PSNR in dB of torch and of the file, over ``fills`` pairs of picture and hole."""

    torch: float
    file: float
    fills: int

    @property
    def decibels(self) -> float:
        """The loss of the file; negative if it is better than torch."""
        return self.torch - self.file


def measure(built: Built, run: Runner, faces: Faces, masks: Sequence[str] = MASKS) -> Cost:
    """The cost of ``run``, which runs an exported file of the graph ``built``. faces: with 68 landmarks each.

    Raises FaceinpError for a graph that does not fill.
    """
    if built.graph.name not in MEASURED:
        raise FaceinpError(f"{built.graph.name} does not fill holes. Measure {' or '.join(MEASURED)}.")
    truth, ours = list[float](), list[float]()
    for number in range(len(faces)):
        photo = faces.pictures[number].permute(1, 2, 0).numpy()
        for mask in masks:
            hole, inputs = fill_inputs(built, faces, number, mask)
            for values, output in ((truth, parity.reference(built, inputs)[0]), (ours, run(inputs)[0])):
                values.append(metrics.psnr(photo, _composite(photo, hole, output)))
    return Cost(float(np.mean(truth)), float(np.mean(ours)), len(truth))


def fill_inputs(built: Built, faces: Faces, number: int, mask: str) -> tuple[NDArray[np.bool_], Inputs]:
    """The hole (H, W) of the preset ``mask`` on face number ``number``, and the graph's inputs for it."""
    picture, points = faces.pictures[number], faces.points[number]
    hole = presets.make(mask, (faces.size, faces.size), points=points.numpy() * faces.size, seed=number)
    if built.graph.name == "restorer":
        unknown = np.full((1, 68, 2), modules.PREDICTED, np.float32)
        image = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())[None]
        return hole, {"image": image, "mask": hole[None].astype(np.uint8), "landmarks": unknown}
    drawn = landmark_map(points[None], faces.size).numpy()
    crop = np.where(hole, np.float32(0.5), picture.numpy().astype(np.float32) / 255)[None]
    return hole, {"picture": crop, "mask": hole[None, None].astype(np.float32), "landmark_map": drawn}


def load(data: str | Sequence[str], size: int, pictures: int) -> Faces:
    """The first ``pictures`` faces of shards, those with 68 landmarks, at ``size`` pixels a side."""
    return shards.load(data, size, limit=pictures).with_points()


def refuse(name: str, cost: Cost, precision: str) -> None:
    """Raise ParityError if the cost exceeds the limit of ``precision``."""
    if cost.decibels > LIMITS[precision]:
        raise ParityError(
            f"{name} costs {cost.decibels:.2f} dB of composite PSNR ({cost.torch:.2f} dB in torch), more than the "
            f"limit of {LIMITS[precision]} dB for {precision}. Use another --precision."
        )


def _composite(photo: NDArray[np.uint8], hole: NDArray[np.bool_], output: NDArray[np.generic]) -> NDArray[np.uint8]:
    """The fill in the photo. output: of the graph; a uint8 output is composited already."""
    if output.dtype == np.uint8:
        return np.asarray(output[0], np.uint8)
    return np.where(hole[..., None], to_pixels(output[0]), photo)


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    about = sidecar.read(args.file)
    built = graphs.build(about["name"], int(about["size"]))
    file = sessions.OnnxFile(args.file, threads=torch.get_num_threads())
    cost = measure(built, file.run, load(args.data, built.size, args.pictures))
    print(
        f"{args.file}: {cost.file:.3f} dB, torch fp32 {cost.torch:.3f} dB, costs {cost.decibels:.3f} dB "
        f"(composite PSNR, {cost.fills} fills)"
    )
    refuse(args.file.name, cost, about["precision"])


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("cost", "Measure the loss of PSNR of an exported file.")
    parser.add_argument("file", type=Path, metavar="FILE", help="completion or restorer of `faceinp export onnx`")
    parser.add_argument("--data", nargs="+", required=True, help="shards: paths or globs of WebDataset tars")
    parser.add_argument("--pictures", type=natural, default=100, help="how many (default: 100)")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
