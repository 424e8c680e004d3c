"""Folders of drawn pictures, and the command that compares two of them."""

import csv
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from faceinp.cli.main import main

SIDE = 64


def drawn(seed: int, side: int = SIDE) -> np.ndarray:
    """A picture of soft blobs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def hole_of(side: int = SIDE) -> np.ndarray:
    hole = np.zeros((side, side), np.uint8)
    hole[side // 4 : side // 2, side // 4 : side // 2] = 255
    return hole


def filled(picture: np.ndarray) -> np.ndarray:
    return cv2.inpaint(picture, hole_of(len(picture)), 3, cv2.INPAINT_TELEA)


def put(folder: Path, name: str, picture: np.ndarray) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file)
    return file


def evaluate(*words: object, skip: str = "lpips,inception,lite,identity") -> int:
    return main(["evaluate", "folders", *map(str, words), "--skip", skip])


def table(out: Path) -> list[dict[str, str]]:
    with (out / "pictures.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
