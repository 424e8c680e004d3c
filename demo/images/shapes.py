"""Ready-made shapes: their labels, and one picture of all of them for their buttons.

``python -m faceinp.demo.images.shapes`` draws the picture, on a generated face.
"""

from pathlib import Path

import numpy as np

import faceinp

from . import pictures
from .examples import GENERATED_FACE

LABELS = {
    "one-eye": "One eye",
    "glasses-band": "Both eyes",
    "mouth": "Mouth",
    "nose": "Nose",
    "cheek": "Cheek",
    "glasses": "Glasses",
    "protective-mask": "Face mask",
    "hair-lock": "Hair",
    "hand": "Hand",
    "eye-scratch": "Scratch",
    "lower-face": "Lower half",
    "eyes": "Upper half",
}
SHEET = Path(__file__).parent / "shapes.png"  # the shapes side by side, in the order of LABELS
SIDE = 72  # pixels of one shape


def draw() -> pictures.Pixels:
    """The face with each of the masks, side by side: uint8 (SIDE, n * SIDE, 3)."""
    photo = faceinp.read_photo(GENERATED_FACE)
    holes = [faceinp.make_preset(name, photo, face=faceinp.FaceLocation.aligned(), seed=1).hole for name in LABELS]
    return np.hstack([pictures.tint(pictures.sized(photo.pixels, SIDE), hole, pictures.RED) for hole in holes])


if __name__ == "__main__":
    pictures.save(draw(), SHEET)
