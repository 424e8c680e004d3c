"""Photos to try the page on: public domain, drawn from it, or thought up by our own generator."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

# Name on the page: whether it is an aligned face already.
NAMES = {"Portrait": False, "Two faces": False, "Generated face": True}
GENERATED = Path(__file__).parent / "generated.png"  # the 28th face that `docs/make_pictures.py` draws


def make(name: str) -> NDArray[np.uint8]:
    """The example called ``name``, uint8 (H, W, 3)."""
    import skimage.data

    if name == "Generated face":
        face = faceinp.read_photo(GENERATED).pixels
        return np.asarray(cv2.resize(face, (256, 256), interpolation=cv2.INTER_CUBIC), np.uint8)
    portrait = np.asarray(skimage.data.astronaut(), np.uint8)  # Eileen Collins, NASA, public domain
    if name == "Portrait":
        return portrait
    other = cv2.resize(portrait[:320, 60:380][:, ::-1], (240, 240), interpolation=cv2.INTER_AREA)
    both = np.full((320, 580, 3), 235, np.uint8)
    both[:, :320] = portrait[:320, 60:380]
    both[80:, 340:] = other
    return both
