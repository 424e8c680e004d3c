"""Damage by classical filters: oriented lines, top-hats, blank areas at the border.

Used where the network cannot run, and compared with it in the tables. Lines follow Kokaram 1998, *Motion picture
restoration* (a line differs from both of its sides), averaged along eight directions; spots are top-hats (Serra 1982).
Each response is compared with how strong it is around, so that hair and grass do not count as damage.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Floats

SCRATCH, SPOT, TEAR = 1, 2, 3  # kinds of ``find_damage``
SCALES = (1, 2, 4)  # lines of some 1 to 3, 3 to 6 and 6 to 12 pixels, spots of up to 7, 14 and 28
DIRECTIONS = 8
LENGTH = 17  # pixels along which a line is averaged
SIDES = 3  # pixels from a line's middle to its sides
SPOT_SIDE = 9
FLOOR = 14.0  # grey levels that a response must have for a confidence of one half, however flat the photo
SURROUNDINGS = 65  # side of the window in which responses are compared
LINE_RATIO, SPOT_RATIO = 6.5, 11.0  # times the mean response around, at which the confidence is one half
SHORTEST_LINE = 32  # pixels, longer than the star that a spot makes of the averages
BLANK = 6  # grey levels from white or black
EDGE = 50  # grey levels between a blank area and what lies beside it
LARGEST_BLANK, SMALLEST_BLANK = 0.06, 0.0004  # shares of the photo


def classical(pixels: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.uint8]]:
    """What classical filters take for damage in a photo.

    pixels: uint8 (H, W, 3), RGB. Returns the confidence, float32 (H, W) in [0, 1], above one half where a pixel is
    probably damaged, and the kind, uint8 (H, W): 0 none, 1 scratch, 2 spot, 3 tear. Stains are not found.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = grey.shape
    confidence, kind = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    for scale in SCALES:
        size = (width // scale, height // scale)
        if min(size) < 2 * LENGTH:
            break
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for found, map_of_scale in ((SCRATCH, _lines(small)), (SPOT, _spots(small))):
            response = cv2.resize(map_of_scale, (width, height), interpolation=cv2.INTER_LINEAR)
            kind[response > confidence] = found
            confidence = np.maximum(confidence, response)
    blank = _blank(grey)
    confidence[blank], kind[blank] = 1, TEAR
    return confidence, kind


def _lines(grey: Floats) -> Floats:
    """(H, W) in [0, 1]: thin lines, lighter or darker than both of their sides, and long."""
    strongest = np.zeros_like(grey)
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.8)
    for direction in range(DIRECTIONS):
        angle = np.pi * direction / DIRECTIONS
        along = np.array([np.cos(angle), np.sin(angle)])
        across = SIDES * np.array([-along[1], along[0]])
        mean = np.asarray(cv2.filter2D(smooth, -1, _segment(along), borderType=cv2.BORDER_REFLECT), np.float32)
        one, other = _moved(mean, across), _moved(mean, -across)
        lighter, darker = mean - np.maximum(one, other), np.minimum(one, other) - mean
        strongest = np.maximum(strongest, np.maximum(lighter, darker))
    return _long(_compared(strongest, LINE_RATIO))


def _segment(along: NDArray[np.float64]) -> Floats:
    """A kernel, (LENGTH, LENGTH), that averages along a direction."""
    kernel = np.zeros((LENGTH, LENGTH), np.float32)
    start, end = (tuple(np.rint(256 * (LENGTH // 2) * (1 + sign * along)).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1, 1, cv2.LINE_AA, 8)
    return kernel / kernel.sum()


def _moved(grey: Floats, by: NDArray[np.float64]) -> Floats:
    """``grey`` as it is ``by``, x and y, farther on; the border goes on beyond it."""
    (x, y), (height, width) = np.rint(by).astype(int), grey.shape
    padded = np.pad(grey, SIDES, mode="edge")
    return padded[SIDES + y : SIDES + y + height, SIDES + x : SIDES + x + width]


def _spots(grey: Floats) -> Floats:
    """(H, W) in [0, 1]: small areas lighter or darker than all around."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SPOT_SIDE, SPOT_SIDE))
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.6)
    hats = [cv2.morphologyEx(smooth, shape, disc) for shape in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)]
    return _compared(np.maximum(*hats), SPOT_RATIO)


def _compared(response: Floats, ratio: float) -> Floats:
    """One half where a response is ``ratio`` times as strong as around, 1 at twice as much."""
    around = cv2.blur(response, (SURROUNDINGS, SURROUNDINGS), borderType=cv2.BORDER_REFLECT)
    return np.clip(response / (2 * np.maximum(ratio * around, FLOOR)), 0, 1)


def _long(confidence: Floats) -> Floats:
    """``confidence`` where it belongs to a connected line that is sure somewhere and long enough."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((confidence > 0.3).astype(np.uint8), connectivity=8)
    extent = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    slim = stats[:, cv2.CC_STAT_AREA] < extent**2 / 3
    sure = np.zeros(len(stats), bool)
    sure[np.unique(labels[confidence > 0.5])] = True
    keep = (extent >= SHORTEST_LINE) & slim & sure
    keep[0] = False
    return np.where(keep[labels], confidence, 0).astype(np.float32)


def _blank(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool (H, W): white or black areas that reach the border and end sharply: missing corners, tears."""
    blank = np.zeros(grey.shape, bool)
    for level in (0, 255):
        distance = np.abs(grey.astype(np.int16) - level)
        area = cv2.morphologyEx((distance <= BLANK).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(area, connectivity=4)
        for label in np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])):
            if label and SMALLEST_BLANK <= stats[label, cv2.CC_STAT_AREA] / grey.size <= LARGEST_BLANK:
                piece = labels == label
                near, far = (cv2.dilate(piece.astype(np.uint8), np.ones((side, side))) for side in (5, 11))
                if np.median(distance[far > near]) > EDGE:
                    blank |= piece
    return blank
