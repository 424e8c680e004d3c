"""Find damage by classical filters: oriented lines, top-hats, blank areas at the border.

They replace the network where it is missing, and are compared with it in the tables. Lines follow Kokaram 1998, *Motion
picture restoration* (a line differs from both of its sides), averaged along eight directions; spots are top-hats
(Serra 1982). Each response is compared with its mean around, so that hair and grass do not count as damage.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import Floats

SCRATCH, SPOT, TEAR = 1, 2, 3  # kinds of ``find_damage``
SCALES = (1, 2, 4)  # for lines of about 1 to 3, 3 to 6 and 6 to 12 pixels, and spots of up to 7, 14 and 28
DIRECTIONS = 8
LINE_LENGTH = 17  # pixels along which a line is averaged
LINE_OFFSET = 3  # pixels from the middle of a line to its sides
SPOT_SIDE = 9  # pixels
MIN_RESPONSE = 14.0  # grey levels, for a confidence of one half in a flat area
WINDOW = 65  # pixels, side of the window for the mean response
# Response over the mean response, for a confidence of one half.
LINE_RATIO = 6.5
SPOT_RATIO = 11.0
MIN_LINE_EXTENT = 32  # pixels; averaging along lines turns a spot into a shorter star
MAX_BLANK_DISTANCE = 6  # grey levels of a blank area from white or black
MIN_BLANK_CONTRAST = 50  # grey levels between a blank area and its surroundings
# Area of a blank area, as a share of the photo.
MAX_BLANK_SHARE = 0.06
MIN_BLANK_SHARE = 0.0004


def classical(pixels: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.uint8]]:
    """Find damage in a photo by classical filters.

    pixels: uint8 (H, W, 3), RGB. Returns (confidence, kind): float32 (H, W) in [0, 1], above one half where a pixel is
    probably damaged; uint8 (H, W), 0 none, 1 scratch, 2 spot, 3 tear. Stains are not found.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = grey.shape
    confidence, kind = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    for scale in SCALES:
        size = (width // scale, height // scale)
        if min(size) < 2 * LINE_LENGTH:
            break
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for name, small_map in ((SCRATCH, _lines(small)), (SPOT, _spots(small))):
            at_scale = cv2.resize(small_map, (width, height), interpolation=cv2.INTER_LINEAR)
            kind[at_scale > confidence] = name
            confidence = np.maximum(confidence, at_scale)
    blank = _blank(grey)
    confidence[blank], kind[blank] = 1, TEAR
    return confidence, kind


def _lines(grey: Floats) -> Floats:
    """Confidence of long thin lines, lighter or darker than both of their sides: (H, W) in [0, 1]."""
    strongest = np.zeros_like(grey)
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.8)
    for direction in range(DIRECTIONS):
        angle = np.pi * direction / DIRECTIONS
        along = np.array([np.cos(angle), np.sin(angle)])
        across = LINE_OFFSET * np.array([-along[1], along[0]])
        mean = np.asarray(cv2.filter2D(smooth, -1, _line_kernel(along), borderType=cv2.BORDER_REFLECT), np.float32)
        one, other = _shifted(mean, across), _shifted(mean, -across)
        lighter, darker = mean - np.maximum(one, other), np.minimum(one, other) - mean
        strongest = np.maximum(strongest, np.maximum(lighter, darker))
    return _long_lines(_confidence(strongest, LINE_RATIO))


def _line_kernel(along: NDArray[np.float64]) -> Floats:
    """A kernel, (LINE_LENGTH, LINE_LENGTH), that averages along a direction."""
    kernel, half = np.zeros((LINE_LENGTH, LINE_LENGTH), np.float32), LINE_LENGTH // 2
    start, end = (tuple(np.rint(256 * half * (1 + sign * along)).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1, 1, cv2.LINE_AA, 8)
    return kernel / kernel.sum()


def _shifted(grey: Floats, by: NDArray[np.float64]) -> Floats:
    """``grey`` sampled ``by`` (x, y) pixels farther on; the border is replicated."""
    (x, y), (height, width) = LINE_OFFSET + np.rint(by).astype(int), grey.shape
    return np.pad(grey, LINE_OFFSET, mode="edge")[y : y + height, x : x + width]


def _spots(grey: Floats) -> Floats:
    """Confidence of small areas that are lighter or darker than their surroundings: (H, W) in [0, 1]."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SPOT_SIDE, SPOT_SIDE))
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.6)
    hats = [cv2.morphologyEx(smooth, shape, disc) for shape in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)]
    return _confidence(np.maximum(*hats), SPOT_RATIO)


def _confidence(response: Floats, ratio: float) -> Floats:
    """One half where a response is ``ratio`` times the mean around it, 1 at twice as much."""
    mean = cv2.blur(response, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    return np.clip(response / (2 * np.maximum(ratio * mean, MIN_RESPONSE)), 0, 1)


def _long_lines(confidence: Floats) -> Floats:
    """``confidence`` in connected lines that are long enough and exceed one half somewhere, else 0."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((confidence > 0.3).astype(np.uint8), connectivity=8)
    extent = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    slim = stats[:, cv2.CC_STAT_AREA] < extent**2 / 3
    confident = np.zeros(len(stats), bool)
    confident[np.unique(labels[confidence > 0.5])] = True
    keep = (extent >= MIN_LINE_EXTENT) & slim & confident
    keep[0] = False
    return np.where(keep[labels], confidence, 0).astype(np.float32)


def _blank(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """White or black areas that touch the border and have sharp edges, such as missing corners: bool (H, W)."""
    blank = np.zeros(grey.shape, bool)
    for level in (0, 255):
        distance = np.abs(grey.astype(np.int16) - level)
        close = (distance <= MAX_BLANK_DISTANCE).astype(np.uint8)
        area = cv2.morphologyEx(close, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(area, connectivity=4)
        for label in np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])):
            if label and MIN_BLANK_SHARE <= stats[label, cv2.CC_STAT_AREA] / grey.size <= MAX_BLANK_SHARE:
                piece = labels == label
                near, far = (cv2.dilate(piece.astype(np.uint8), np.ones((side, side))) for side in (5, 11))
                if np.median(distance[far > near]) > MIN_BLANK_CONTRAST:
                    blank |= piece
    return blank
