"""Photos to try the page on: public domain, drawn from it, or thought up by our own generator."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

SCRATCHED = "Scratched photo"
# Name on the page: whether it is an aligned face already.
NAMES = {SCRATCHED: False, "Portrait": False, "Two faces": False, "Generated face": True}
GENERATED = Path(__file__).parent / "generated.png"  # the 28th face that `docs/make_pictures.py` draws
SEPIA = np.array([1.0, 0.87, 0.69], np.float32)  # of red, green and blue in an old print


def make(name: str) -> NDArray[np.uint8]:
    """The example called ``name``, uint8 (H, W, 3)."""
    import skimage.data

    if name == "Generated face":
        face = faceinp.read_photo(GENERATED).pixels
        return np.asarray(cv2.resize(face, (256, 256), interpolation=cv2.INTER_CUBIC), np.uint8)
    portrait = np.asarray(skimage.data.astronaut(), np.uint8)  # Eileen Collins, NASA, public domain
    if name == "Portrait":
        return portrait
    if name == SCRATCHED:
        return _aged(portrait)
    other = cv2.resize(portrait[:320, 60:380][:, ::-1], (240, 240), interpolation=cv2.INTER_AREA)
    both = np.full((320, 580, 3), 235, np.uint8)
    both[:, :320] = portrait[:320, 60:380]
    both[80:, 340:] = other
    return both


def hole(name: str) -> NDArray[np.bool_] | None:
    """What is marked on the example called ``name`` when it is loaded, (H, W); None for nothing."""
    return _scratches(4) if name == SCRATCHED else None


def _aged(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The head of a portrait as an old print that somebody scratched."""
    head = cv2.resize(portrait[:256, 94:350], (512, 512), interpolation=cv2.INTER_CUBIC)
    print_ = (40 + 0.8 * cv2.cvtColor(head, cv2.COLOR_RGB2GRAY).astype(np.float32))[..., None] * SEPIA
    print_[_scratches(1)] = (236, 230, 216)
    return np.asarray(print_.clip(0, 255), np.uint8)


def _scratches(more: int) -> NDArray[np.bool_]:
    """Three scratches and a few spots on 512 x 512 pixels, the same each time; ``more``: pixels wider."""
    canvas, rng = np.zeros((512, 512), np.uint8), np.random.default_rng(5)
    for start, end, width in (((120, 0), (330, 512), 4), ((400, 40), (170, 420), 3), ((60, 250), (470, 215), 3)):
        way = np.linspace(start, end, 24) + rng.normal(0, 3.0, (24, 2))
        cv2.polylines(canvas, [way.round().astype(np.int32)], False, 255, width + more)
    for x, y in rng.integers(120, 400, (6, 2)).tolist():
        cv2.circle(canvas, (x, y), 3 + more, 255, -1)
    return canvas > 0
