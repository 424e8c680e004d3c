"""The value of the editor as a photo and its hole, and a hole as a painted layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp import MaskError

MIN_ALPHA = 127  # a pixel with more is hole: a stroke ends in the middle of its soft edge
ASPECT_TOLERANCE = 0.01  # the sides of the editor's copy are rounded to whole pixels
WORKING_SIDE = 1024  # pixels of the copy in the editor, which sends all of it after every stroke
STROKE = (229, 72, 77)  # colour of the brush


@dataclass(frozen=True)
class Original:
    """An uploaded photo.

    height, width: in pixels, of the picture as it is shown. turns: quarter turns clockwise by the visitor.
    """

    path: Path
    height: int
    width: int
    turns: int = 0


def working_size(height: int, width: int, side: int = WORKING_SIDE) -> tuple[int, int]:
    """Height and width of a copy of the photo with no side longer than ``side``; by default the editor's copy."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def layer_of(hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A hole, bool (H, W), as a painted layer, uint8 RGBA (h, w, 4), at the size of the editor's copy."""
    size = working_size(*hole.shape)
    layer = np.zeros((*size, 4), np.uint8)
    layer[enlarged(hole * np.uint8(255), *size)] = (*STROKE, 255)
    return layer


def layers(value: Mapping[str, Any] | None) -> list[NDArray[Any]]:
    """The painted layers in the editor's value."""
    return [np.asarray(layer) for layer in (value or {}).get("layers") or [] if layer is not None]


def share_hidden(value: Mapping[str, Any] | None) -> float:
    """The share of the picture that is painted over, 0 to 1."""
    covered = [layer[..., 3] > MIN_ALPHA for layer in layers(value) if layer.ndim == 3 and layer.shape[2] == 4]
    same = [part for part in covered if part.shape == covered[0].shape]
    return float(np.logical_or.reduce(same).mean()) if same else 0.0


def read_editor(value: Mapping[str, Any] | None, original: Original) -> tuple[Path, NDArray[np.bool_]]:
    """Turn the value of ``gr.ImageEditor(type="numpy")`` into (photo, hole).

    value: {"background", "layers", "composite"}, each picture uint8 RGBA (h, w, 4) at the canvas's size, or None. Only
    the alpha of the layers is used. original: the photo of which the editor shows a copy.

    Returns the uploaded file and the union of all layers, bool (H, W) at the photo's size, True = hole.
    Raises MaskError if a layer is not RGBA or has another shape than the photo.
    """
    hole = np.zeros((original.height, original.width), np.bool_)
    for layer in layers(value):
        hole |= covered(layer, *hole.shape)
    return original.path, hole


def covered(layer: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """Where a layer, uint8 RGBA (h, w, 4), is painted: bool (height, width). Raises MaskError like ``read_editor``."""
    if layer.ndim != 3 or layer.shape[2] != 4:
        raise MaskError(f"A painted layer must be RGBA, got shape {layer.shape}. Load the photo again.")
    alpha = np.ascontiguousarray(layer[..., 3])
    if not alpha.any():  # an empty layer may have any size
        return np.zeros((height, width), np.bool_)
    wide = alpha.shape[1] * height / (alpha.shape[0] * width)
    if abs(wide - 1) > ASPECT_TOLERANCE + 1 / min(alpha.shape):
        raise MaskError("The painted layer and the photo differ in shape. Load the photo again and do not crop it.")
    return enlarged(alpha, height, width)


def enlarged(alpha: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """A hole at another size: bool (height, width). alpha: uint8 (h, w)."""
    if alpha.shape != (height, width):
        shrinks = alpha.shape[0] > height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=interpolation), np.uint8)
    return alpha > MIN_ALPHA
