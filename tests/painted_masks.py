"""Masks as people paint them."""

import io

import cv2
import numpy as np
from PIL import Image

from faceinp.photo import photos

SIDE = 256
PHOTO = photos.read(np.zeros((SIDE, SIDE, 3), np.uint8))


def painted(*, antialiased: bool = False) -> np.ndarray:
    """uint8 (SIDE, SIDE): a blob and two strokes, 255 where painted."""
    line = cv2.LINE_AA if antialiased else cv2.LINE_8
    layer = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(layer, (100, 120), 40, 255, -1, line)
    cv2.line(layer, (150, 60), (220, 90), 255, 11, line)
    cv2.line(layer, (160, 200), (230, 190), 255, 7, line)
    return layer


LAYER = painted()
HOLE = LAYER > 0


def saved(array: np.ndarray, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format, **options)
    return buffer.getvalue()


def strokes(layer: np.ndarray, paint: tuple, background: tuple) -> np.ndarray:
    """RGB: ``paint`` mixed over ``background`` as ``layer`` says."""
    share = layer[..., None] / 255
    return np.round(share * np.array(paint) + (1 - share) * np.array(background)).astype(np.uint8)


def grown(hole: np.ndarray, pixels: int = 1) -> np.ndarray:
    return cv2.dilate(hole.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()
