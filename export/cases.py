"""Seeded test inputs for the comparison of exported graphs with torch, easy and difficult ones, each a batch of one."""

from importlib import resources
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from faceinp.mask import presets
from faceinp.nets.completion import landmark_map

from . import modules
from .graphs import Built

Inputs = dict[str, NDArray[Any]]

# The picture and the hole of each case.
CASES = (
    ("noise", "one pixel"),
    ("gradient", "all but the border"),
    ("noise", "left half"),
    ("gradient", "lower half"),
    ("noise", "noise"),
    ("black", "left half"),
    ("white", "lower half"),
)


def inputs(built: Built, case: int, height: int, width: int) -> Inputs:  # noqa: PLR0911 - one return for each graph
    """The inputs of the graph ``built``, a batch of one, for case number ``case``, which is also the seed."""
    rng = np.random.default_rng(case)
    kind, hole_kind = CASES[case]
    if built.graph.name == "dcgan":
        scale = {"black": 0.0, "white": 3.0}.get(kind, 1.0)
        return {"z": (scale * rng.standard_normal((1, 100))).astype(np.float32)}
    picture, hole = _picture(kind, height, width, rng), _hole(hole_kind, height, width, rng)
    image, mask = np.round(255 * picture).astype(np.uint8)[None], 255 * hole.astype(np.uint8)[None]
    points = (presets.average_points(1) + rng.normal(0, 0.03, (68, 2))).astype(np.float32)[None]
    floats = picture.transpose(2, 0, 1).astype(np.float32)[None]
    match built.graph.name:
        case "photo":
            return {"image": image, "mask": mask, "points": _five_points(case, height, width)}
        case "detector":
            if case % 2:  # a face, of another size in each case
                face = np.asarray(
                    Image.open(str(resources.files("faceinp.demo") / "images" / "generated.png")).convert("RGB")
                )
                side = min(height, width) * (case + 2) // len(CASES)
                image[0, :side, :side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
                mask[0, : side // 2, : side // 2] = 255 * (case == 3)  # one of its eyes
            return {"image": image, "mask": mask}
        case "restorer":
            landmarks = points if case % 2 else np.full_like(points, modules.PREDICTED)
            return {"image": image, "mask": mask, "landmarks": landmarks}
        case "completion":
            square = landmark_map(torch.from_numpy(points), max(height, width)).numpy()
            holes = hole.astype(np.float32)[None, None]
            return {"picture": floats, "mask": holes, "landmark_map": square[..., :height, :width]}
        case "landmarks":
            return {"picture": floats, "mask": hole.astype(np.float32)[None, None]}
    return {built.graph.inputs[0].name: floats}


def _five_points(case: int, height: int, width: int) -> NDArray[np.float32]:
    """Five points (1, 5, 2) in pixels of a face larger than the photo, or smaller, and turned."""
    five = presets.average_points(1)[[[36, 39], [42, 45], [30, 30], [48, 48], [54, 54]]].mean(axis=1)
    side, angle = min(height, width) * (1.3, 0.9, 0.5)[case % 3], 0.2 * (case - 2)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points: NDArray[np.float64] = (five - 0.5) @ rotation * side + (width / 2, height / 2)
    return points.astype(np.float32)[None]


def _picture(kind: str, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    if kind == "noise":
        return rng.random((height, width, 3))
    if kind == "gradient":
        down, right = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
        return np.stack([down, right, (down + right) / 2], axis=-1)
    return np.full((height, width, 3), 1.0 if kind == "white" else 0.0)


def _hole(kind: str, height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    hole = np.zeros((height, width), np.bool_)
    match kind:
        case "one pixel":
            hole[height // 2, width // 3] = True
        case "all but the border":
            hole[1:-1, 1:-1] = True
        case "left half":
            hole[:, : width // 2] = True
        case "lower half":
            hole[height // 2 :] = True
        case "noise":
            hole = rng.random((height, width)) < 0.5
    return hole
