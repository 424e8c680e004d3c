"""Real damage as training material: masks from a tar of grey pictures that the user has."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError
from faceinp.train.datasets import stored
from faceinp.train.drawn_damage.canvas import SCRATCH, SPOT, Canvas

KINDS = {  # by the start of a file's name
    **dict.fromkeys(("scratches", "hair", "lint"), SCRATCH),
    **dict.fromkeys(("dirt", "dots", "spots", "sprinkles", "smut"), SPOT),
}


class Overlay(NamedTuple):
    """alpha: uint8 (h, w), 255 where damage hides all. kind: its class, SCRATCH or SPOT."""

    alpha: NDArray[np.uint8]
    kind: int


def load(path: str) -> list[Overlay]:
    """The masks in the tar ``path`` whose names begin with one of KINDS and a hyphen, cropped to the damage.

    Raises DataError when there is no such tar or it holds no such picture.
    """
    overlays = []
    for name, alpha in stored.grey_pictures(path, "damage masks"):
        kind = KINDS.get(name.rsplit("/", 1)[-1].split("-")[0])
        x, y, width, height = cv2.boundingRect(np.where(alpha > 8, alpha, 0).astype(np.uint8))
        if kind and width:
            overlays.append(Overlay(alpha[y : y + height, x : x + width].copy(), kind))
    if not overlays:
        raise DataError(f"{path} holds no PNG of a known kind. Name the pictures {', '.join(KINDS)}, - and a number.")
    return overlays


def lay(canvas: Canvas, overlays: Sequence[Overlay], amount: float) -> None:
    """Lay one to three real masks on the canvas: turned, mirrored, at a random size, of a random colour."""
    rng, side = canvas.rng, canvas.side
    for _ in range(1 + rng.poisson(0.8 * amount)):
        alpha, kind = overlays[int(rng.integers(len(overlays)))]
        size = side * canvas.log_uniform(0.15, 1.5) / max(alpha.shape)
        turn = cv2.getRotationMatrix2D((alpha.shape[1] / 2, alpha.shape[0] / 2), rng.uniform(0, 360), size)
        if rng.random() < 0.5:
            turn[:, 0] *= -1
            turn[:, 2] += 2 * turn[:, 0] * -alpha.shape[1] / 2
        turn[:, 2] += canvas.point(0.05) - (alpha.shape[1] / 2, alpha.shape[0] / 2)
        source = cv2.GaussianBlur(alpha, (0, 0), 0.35 / size) if size < 0.7 else alpha
        cover = cv2.warpAffine(source, turn, (side, side), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        if size < 0.7:  # thin things stay visible when made smaller
            cover = np.clip(cover * 1.5, 0, 1)
        canvas.lay(kind, cover, canvas.light_or_dark(0.6), canvas.opacity(0.6, 1.1, 40, 0.15))
