"""Example photos for the page: one in the public domain, variants of it, and a generated face."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import faceinp

SCRATCHED, GLASSES, HIDDEN_EYE, GROUP = "Scratches", "Glasses", "A hidden eye", "Two people"
ALIGNED = "An aligned face"
NAMES = (SCRATCHED, GLASSES, HIDDEN_EYE, GROUP, ALIGNED)
GENERATED_FACE = Path(__file__).parent / "generated.png"  # the 28th face that `tools/make_pictures.py` draws
SEPIA = np.array([1.0, 0.87, 0.69], np.float32)  # of red, green and blue in an old print
EYES = ((205, 102), (247, 104))  # x, y on the portrait
PATCH = (206, 101), (24, 17)  # centre and half axes of the ellipse that hides an eye
Picture = NDArray[np.uint8]
Map = NDArray[np.bool_]


def make(name: str) -> Picture:
    """The example called ``name``, uint8 (H, W, 3)."""
    import skimage.data

    if name == ALIGNED:
        face = faceinp.read_photo(GENERATED_FACE).pixels
        return np.asarray(cv2.resize(face, (256, 256), interpolation=cv2.INTER_CUBIC), np.uint8)
    portrait = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call] # Eileen Collins, NASA, public domain
    if name == SCRATCHED:
        return _aged(portrait)
    if name == GLASSES:
        return _with_glasses(portrait)
    if name == HIDDEN_EYE:
        return np.where(_patch()[..., None], np.array((46, 42, 40), np.uint8), portrait)
    other = cv2.resize(portrait[:320, 60:380][:, ::-1], (240, 240), interpolation=cv2.INTER_AREA)
    both = np.full((320, 580, 3), 235, np.uint8)
    both[:, :320] = portrait[:320, 60:380]
    both[80:, 340:] = other
    return both


def hole(name: str) -> Map | None:
    """The hole painted on the example called ``name`` when it is loaded, bool (H, W), or None."""
    if name == HIDDEN_EYE:
        return cv2.dilate(_patch().astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return _scratches(4) if name == SCRATCHED else None


def _with_glasses(portrait: Picture) -> Picture:
    """Clear glasses with a thick dark frame."""
    picture, dark, sub = np.ascontiguousarray(portrait), (28, 24, 26), 4  # bits of a pixel's fraction
    (left, left_y), (right, right_y) = EYES
    for x, y in EYES:
        cv2.ellipse(picture, (x << sub, (y + 2) << sub), (17 << sub, 14 << sub), 3, 0, 360, dark, 4, cv2.LINE_AA, sub)
    bridge = (left + 17, left_y), (right - 17, right_y)
    for start, end in (bridge, ((left - 17, left_y - 1), (183, 94)), ((right + 17, right_y - 1), (270, 97))):
        cv2.line(picture, start, end, dark, 3, cv2.LINE_AA)
    return picture


def _patch() -> Map:
    """The ellipse that hides one eye of the portrait."""
    patch = np.zeros((512, 512), np.uint8)
    cv2.ellipse(patch, PATCH[0], PATCH[1], 4, 0, 360, 1, -1)
    return patch > 0


def _aged(portrait: Picture) -> Picture:
    """The head of a portrait as an old, scratched print."""
    head = cv2.resize(portrait[:256, 94:350], (512, 512), interpolation=cv2.INTER_CUBIC)
    print_ = (40 + 0.8 * cv2.cvtColor(head, cv2.COLOR_RGB2GRAY).astype(np.float32))[..., None] * SEPIA
    print_[_scratches(1)] = (236, 230, 216)
    return np.asarray(print_.clip(0, 255), np.uint8)


def _scratches(more: int) -> Map:
    """Three scratches and a few spots on 512 x 512 pixels, always the same. more: added width in pixels."""
    canvas, rng = np.zeros((512, 512), np.uint8), np.random.default_rng(5)
    for start, end, width in (((120, 0), (330, 512), 4), ((400, 40), (170, 420), 3), ((60, 250), (470, 215), 3)):
        path = np.linspace(start, end, 24) + rng.normal(0, 3.0, (24, 2))
        cv2.polylines(canvas, [path.round().astype(np.int32)], False, 255, width + more)
    for x, y in rng.integers(120, 400, (6, 2)).tolist():
        cv2.circle(canvas, (x, y), 3 + more, 255, -1)
    return canvas > 0
