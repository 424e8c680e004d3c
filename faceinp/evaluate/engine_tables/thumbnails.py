"""Small pictures of masks for the heads of tables."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.mask import presets
from faceinp.mask.mask_files import MaskFiles

FOLDER = "masks"  # beside the page
SIDE, DRAWING_SIDE = 48, 192  # pixels of the thumbnail, and of the drawing that is shrunk to it
PAPER, LINE, HOLE = 255, 150, 40  # grey levels
# Lines through the 68 points of a face; True: closed.
_LINES = (
    *((range(17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 36), False)),
    *((range(36, 42), True), (range(42, 48), True), (range(48, 60), True)),
)


def write(folder: Path, masks: Iterable[str], files: Mapping[str, MaskFiles] | None = None) -> None:
    """Write NAME.png into ``folder`` for each of the ``masks`` that is a preset or one of ``files``."""
    shape, points = (DRAWING_SIDE, DRAWING_SIDE), presets.average_points(DRAWING_SIDE)
    for mask in dict.fromkeys(filter(None, masks)):
        if files and mask in files:
            hole = files[mask].draw(0, DRAWING_SIDE)
        elif presets.is_name(mask):
            hole = presets.make(mask, shape, points=points)
        else:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(hole)).save(folder / _file(mask), optimize=True)


def draw(hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A hole, bool (DRAWING_SIDE, DRAWING_SIDE), over an average face: grey levels, uint8 (SIDE, SIDE)."""
    picture = np.full(hole.shape, PAPER, np.uint8)
    points = np.rint(presets.average_points(DRAWING_SIDE)).astype(np.int32)
    for numbers, closed in _LINES:
        cv2.polylines(picture, [points[list(numbers)]], closed, LINE, 3, cv2.LINE_AA)
    picture[hole] = HOLE
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def with_name(mask: str, folder: Path | None) -> str:
    """The name in Markdown, after its thumbnail where ``folder`` has one in its FOLDER."""
    if folder is None or not (folder / FOLDER / _file(mask)).is_file():
        return mask
    return f"![]({FOLDER}/{_file(mask)}) {mask}"


def _file(mask: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', mask).strip('-')}.png"
