"""Shards of drawn faces with their 68 points."""

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.mask import presets

FACE = presets.average_points(1)


def drawn_face(points: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """points: (68, 2), shares of the side."""
    picture = np.full((side, side, 3), 90, np.uint8)
    pixels = np.round(points * side).astype(np.int32)
    cv2.fillPoly(picture, [cv2.convexHull(pixels)], (220, 180, 150))
    for part, colour in ((range(36, 42), (20, 20, 60)), (range(42, 48), (20, 20, 60)), (range(48, 60), (180, 40, 40))):
        cv2.fillPoly(picture, [pixels[list(part)]], colour)
    return picture


def write(path: Path, count: int = 60, side: int = 128) -> Path:
    """A shard of ``count`` faces, turned, scaled and moved; the last one has no points."""
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for n in range(count):
            turn, scale = rng.uniform(-0.2, 0.2), rng.uniform(0.8, 1.05)
            matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            points = (FACE - 0.55) @ matrix.T + 0.55 + rng.uniform(-0.08, 0.08, 2)
            encoded = io.BytesIO()
            Image.fromarray(drawn_face(points, side)).save(encoded, "webp", lossless=True)
            about = {
                "points": (points * side).tolist() if n < count - 1 else None,
                "size": side,
                "identity": n,
                "source": "drawn",
            }
            for suffix, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{n:05d}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return path
