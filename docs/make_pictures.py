"""Make the pictures of README and docs: python docs/make_pictures.py

Only the NASA portrait of scikit-image (public domain) and faces of the generator itself are shown.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

import faceinp
from faceinp.engines import search
from faceinp.train import loop

PICTURES = Path(__file__).parent / "pictures"


def fill() -> None:
    """The portrait, a scratch over it, and two fills, side by side."""
    photo = skimage.data.astronaut()
    scratch = np.zeros(photo.shape[:2], np.uint8)
    points = np.array([(150, 60), (196, 96), (226, 108), (262, 142), (300, 150)], np.int32)
    cv2.polylines(scratch, [points], False, 255, 13, cv2.LINE_AA)
    hole = scratch > 127
    scratched = photo.copy()
    scratched[hole] = (236, 230, 220)
    shown = [photo, scratched]
    shown += [faceinp.fill(scratched, hole, engine=name).image for name in ("structural", "telea")]
    window = np.s_[0:260, 90:350]
    Image.fromarray(np.concatenate([picture[window] for picture in shown], axis=1)).save(PICTURES / "fill.png")


def samples() -> None:
    """64 faces of the shipped generator."""
    prior = search.Prior.load()
    pixels = loop.grid(prior.generator(prior.latents(64, seed=0))).permute(1, 2, 0).numpy()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(PICTURES / "samples.png")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    fill()
    samples()
