"""Training of the network that finds what hides a face: aligned faces with objects drawn before them, and real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.train import loop
from faceinp.train.datasets import data, stored
from faceinp.train.drawn_occluders import drawing
from faceinp.train.segmentation import UNKNOWN, Example, SegmentationRun, SegmentationTask
from faceinp.train.settings import option

OTHERS = 4  # faces from which objects take skin and texture
TURN, SCALE, SHIFT = 0.15, 0.12, 0.06  # how far faces are moved: radians, factor, share of the side


@dataclass(frozen=True)
class FindOccludersRun(SegmentationRun):
    """Settings of the network that finds occluders; see ``segmentation.SegmentationRun`` for the rest."""

    labels: str = option(
        "",
        "tar of the classes of real faces, KEY.png: grey, 0 to 5, 255 where nobody knows; a face of which "
        "nothing is known is left out",
    )
    real: float = option(0.3, "share of the pictures that are real ones with --labels", least=0, most=1)


def train(config: FindOccludersRun) -> None:
    """Raises DataError when there are too few faces with 68 points."""
    labels = read_labels(config.labels) if config.labels else {}
    training, held_back = data.load_for_training(config.data, config.side, config.decode)
    plain = [n for n, key in enumerate(training.keys) if key not in labels]
    plain_held = [n for n, key in enumerate(held_back.keys) if key not in labels]
    labelled = [n for n, key in enumerate(training.keys) if key in labels and (labels[key] != UNKNOWN).any()]

    def face(faces: data.Faces, number: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(faces.pictures[number].permute(1, 2, 0).numpy())

    def draw(rng: np.random.Generator, held: bool) -> Example:
        faces = held_back if held else training
        if not held and labelled and rng.random() < config.real:
            number = labelled[rng.integers(len(labelled))]
            known = labels[faces.keys[number]]
            classes = np.asarray(cv2.resize(known, (config.side,) * 2, interpolation=cv2.INTER_NEAREST), np.uint8)
            return moved(Example(drawing.photographed(face(faces, number), rng), classes), rng)
        number = plain_held[rng.integers(len(plain_held))] if held else plain[rng.integers(len(plain))]
        others = np.stack([face(faces, int(n)) for n in rng.integers(len(faces), size=OTHERS)])
        picture, classes = drawing.draw(face(faces, number), faces.points[number].numpy(), rng, others)
        return moved(Example(drawing.photographed(picture, rng), classes), rng)

    loop.train(SegmentationTask("occluders", config, draw), config)


def read_labels(path: str | Path) -> Mapping[str, NDArray[np.uint8]]:
    """The classes of real faces by their key in the shards. Raises DataError when there is no such tar."""
    return {Path(name).stem: classes for name, classes in stored.grey_pictures(path, "classes")}


def moved(example: Example, rng: np.random.Generator) -> Example:
    """Mirrored or not, and turned, scaled and shifted a little, the classes alike."""
    side = len(example.picture)
    turn, scale = rng.uniform(-TURN, TURN), np.exp(rng.uniform(-SCALE, SCALE))
    matrix = np.asarray(cv2.getRotationMatrix2D((side / 2, side / 2), np.degrees(turn), scale), np.float64)
    matrix[:, 2] += rng.uniform(-SHIFT, SHIFT, 2) * side
    picture = cv2.warpAffine(
        example.picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    classes = cv2.warpAffine(example.classes, matrix, (side, side), flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    mirror = slice(None, None, -1 if rng.random() < 0.5 else 1)
    return Example(np.ascontiguousarray(picture[:, mirror]), np.ascontiguousarray(classes[:, mirror]))
