"""Masks as small pictures, so that a table's columns show what they hide."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.mask import presets
from faceinp.mask.mask_files import MaskFiles

FOLDER = "masks"  # beside the text that shows them
SIDE, DRAWN = 48, 192  # pixels, as shown and as drawn
PAPER, LINE, HOLE = 255, 150, 40  # grey levels
# The lines of a face through its 68 points; True: the last one meets the first.
_LINES = (
    *((range(17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 36), False)),
    *((range(36, 42), True), (range(42, 48), True), (range(48, 60), True)),
)


def write(folder: Path, masks: Iterable[str], files: Mapping[str, MaskFiles] | None = None) -> None:
    """NAME.png in ``folder`` of each of the ``masks``: presets, and those of ``files``."""
    for mask in dict.fromkeys(filter(None, masks)):
        if presets.is_name(mask) or mask in (files or {}):
            folder.mkdir(parents=True, exist_ok=True)
            points = presets.average_points(DRAWN)
            shape = (DRAWN, DRAWN)
            drawn = files[mask].draw(0, DRAWN) if files and mask in files else presets.make(mask, shape, points=points)
            Image.fromarray(draw(drawn)).save(folder / _file(mask), optimize=True)


def draw(hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """``hole``, bool (DRAWN, DRAWN), over an average face: grey levels, uint8 (SIDE, SIDE)."""
    picture = np.full(hole.shape, PAPER, np.uint8)
    points = np.rint(presets.average_points(DRAWN)).astype(np.int32)
    for numbers, closed in _LINES:
        cv2.polylines(picture, [points[list(numbers)]], closed, LINE, 3, cv2.LINE_AA)
    picture[hole] = HOLE
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def with_name(mask: str, folder: Path | None) -> str:
    """In Markdown: the thumbnail, where ``folder`` has it in its FOLDER, and the name."""
    if folder is None or not (folder / FOLDER / _file(mask)).is_file():
        return mask
    return f"![]({FOLDER}/{_file(mask)}) {mask}"


def _file(mask: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', mask).strip('-')}.png"
