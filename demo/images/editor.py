"""What a person painted in the editor, as a photo and its hole; and a hole as something painted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp import MaskError

# A pixel that a stroke covers by half or more is hole: where a stroke's soft edge looks like it ends.
COVERED = 127
# The editor's copy of a photo is whole pixels: of 1600, one more or less is a shift of its shape that is no change.
SHAPE_SLACK = 0.01
WORKING_SIDE = 1024  # pixels, of the copy painted on: the editor sends it whole after every stroke, the photo never
STROKE = (229, 72, 77)


@dataclass(frozen=True)
class Original:
    """A photo as it was uploaded.

    height, width: in pixels, of the upright picture as it is shown. turns: quarter turns clockwise that the visitor
    turned it by.
    """

    path: Path
    height: int
    width: int
    turns: int = 0


def working_size(height: int, width: int, side: int = WORKING_SIDE) -> tuple[int, int]:
    """Height and width of the copy painted on, or of another one whose longer side has ``side`` pixels at most."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def layer_of(hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A hole of a photo as a painted layer, uint8 (h, w, 4), at the size of the copy painted on."""
    size = working_size(*hole.shape)
    if hole.shape != size:
        shrinks = hole.shape[0] > size[0]
        scaled = cv2.resize(
            hole.astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
        )
        hole = np.asarray(scaled) > COVERED
    layer = np.zeros((*size, 4), np.uint8)
    layer[hole] = (*STROKE, 255)
    return layer


def share_hidden(value: Mapping[str, Any] | None) -> float:
    """The part of the picture that is painted over, 0 to 1."""
    layers = [np.asarray(layer) for layer in (value or {}).get("layers") or [] if layer is not None]
    covered = [layer[..., 3] > COVERED for layer in layers if layer.ndim == 3 and layer.shape[2] == 4]
    same = [part for part in covered if part.shape == covered[0].shape]
    return float(np.logical_or.reduce(same).mean()) if same else 0.0


def read_editor(value: Mapping[str, Any] | None, original: Original) -> tuple[Path, NDArray[np.bool_]]:
    """Turn the value of ``gr.ImageEditor(type="numpy")`` into (photo, hole).

    value: {"background", "layers", "composite"}, each picture uint8 (h, w, 4) RGBA at the canvas's size, or None. What
    is painted lies in the layers' alpha; the pictures' colours are never looked at. original: the photo of which the
    editor shows a copy.

    Returns the uploaded file and bool (H, W), True = hole, at the photo's size: the union of all layers, all False
    where nothing is painted.
    Raises MaskError when a layer is no RGBA picture or has another shape than the photo.
    """
    hole = np.zeros((original.height, original.width), np.bool_)
    for layer in (value or {}).get("layers") or []:
        if layer is not None:
            hole |= covered(np.asarray(layer), *hole.shape)
    return original.path, hole


def covered(layer: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """bool (height, width): where a layer, uint8 (h, w, 4), is painted. Raises MaskError as ``read_editor`` does."""
    if layer.ndim != 3 or layer.shape[2] != 4:
        raise MaskError(f"A painted layer must be RGBA, got shape {layer.shape}. Load the photo again.")
    alpha = np.ascontiguousarray(layer[..., 3])
    if not alpha.any():  # an empty layer may have any size
        return np.zeros((height, width), np.bool_)
    wide = alpha.shape[1] * height / (alpha.shape[0] * width)
    if abs(wide - 1) > SHAPE_SLACK + 1 / min(alpha.shape):
        raise MaskError("The painted layer and the photo differ in shape. Load the photo again and do not crop it.")
    return enlarged(alpha, height, width)


def enlarged(alpha: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """bool (height, width): where a picture is painted by half or more. alpha: uint8 (h, w), of its copy."""
    if alpha.shape != (height, width):
        shrinks = alpha.shape[0] > height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=interpolation), np.uint8)
    return alpha > COVERED
