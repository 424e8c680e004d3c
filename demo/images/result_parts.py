"""The parts of the filled area, one of which can be filled again: found, drawn with numbers, and clicked.

A part is a connected area; strokes close to each other are one part. All very small areas, such as dust, are one part.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from . import pictures

# Lengths are in parts of the longer side of the filled area.
MAX_PARTS = 9  # the smallest areas beyond this are one part
MERGE_DISTANCE = 0.005  # areas less than twice as far apart are one part
SMALL = 0.02  # several areas up to this length are one part
MARGIN = 0.15  # shown around the filled area
Labels = NDArray[np.uint8]
Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of the filled area, found on a small copy of ``window``.

    window: rows and columns of the photo with the filled area and a margin. numbers: uint8 (h, w), the number of the
    part of each pixel of the copy, from 1; 0 where nothing was filled. count: of parts. small: whether the last part
    holds all very small areas. codes: for each part its sources, as in ``faceinp.Result.sources``, the largest first.
    """

    window: Window
    numbers: Labels
    count: int
    small: bool
    codes: tuple[tuple[int, ...], ...]

    def on_photo(self, number: int, sources: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """One part, bool (H, W). sources: those of ``find``."""
        around = sources[self.window]
        part = (self.numbers == number).astype(np.uint8)
        hole = np.zeros(sources.shape, np.bool_)
        hole[self.window] = (cv2.resize(part, around.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0) & (around > 0)
        return hole

    def on_face(self, number: int) -> bool:
        """Whether a part touches a face that was filled."""
        return self.codes[number - 1] != (pictures.SURROUNDINGS,)


@dataclass(frozen=True, eq=False)
class PartsView:
    """Parts on a picture, uint8 (h, w, 3), of ``parts.window``. numbers: those of ``parts`` at that size."""

    parts: Parts
    picture: pictures.Pixels
    numbers: Labels

    def draw(self, chosen: int) -> pictures.Pixels:
        """The picture with outlined and numbered parts; the chosen one is red."""
        drawn = self.picture.copy()
        for number in range(1, self.parts.count + 1):
            colour = pictures.RED if number == chosen else pictures.TEAL
            outlines, _ = cv2.findContours(
                (self.numbers == number).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            for ink, width in ((pictures.WHITE, 4), (colour, 2)):
                cv2.drawContours(drawn, outlines, -1, ink, width, cv2.LINE_AA)
            if outlines:
                _write_number(drawn, number, max(outlines, key=len), colour)
        return drawn

    def at(self, x: float, y: float) -> int:
        """The number of the part nearest to the point (x, y) of the picture."""
        rows, columns = np.nonzero(self.numbers)
        nearest = int(((rows - y) ** 2 + (columns - x) ** 2).argmin())
        return int(self.numbers[rows[nearest], columns[nearest]])


def window(sources: NDArray[np.uint8]) -> Window:
    """Rows and columns of the filled area with a margin. sources: as in ``find``."""
    left, top, *size = cv2.boundingRect((sources > 0).astype(np.uint8))
    margin = round(MARGIN * max(size)) + 8
    return np.s_[max(0, top - margin) : top + size[1] + margin, max(0, left - margin) : left + size[0] + margin]


def find(sources: NDArray[np.uint8]) -> Parts:
    """The parts of the filled area, numbered from left to right.

    sources: uint8 (H, W), codes of ``faceinp.Result.sources``; not 0 everywhere.
    """
    bounds = window(sources)
    around = sources[bounds]
    copy = pictures.shrunk((around > 0).astype(np.uint8) * 255, pictures.FACE_SIDE) > 0
    side = max(cv2.boundingRect(copy.astype(np.uint8))[2:])
    reach = 2 * max(1, round(MERGE_DISTANCE * side)) + 1
    joined = cv2.dilate(copy.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    _, pieces, boxes, centres = cv2.connectedComponentsWithStats(joined, connectivity=8)
    lengths = boxes[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) - (reach - 1)
    numbers = np.zeros(len(boxes), np.uint8)  # of the part that each piece belongs to
    large = np.flatnonzero(lengths > SMALL * side)
    if len(lengths) <= MAX_PARTS and len(large) >= len(lengths) - 1:
        large = np.arange(len(lengths))
    else:
        large = large[np.argsort(-lengths[large], kind="stable")][: MAX_PARTS - 1]
    large = large[np.argsort(centres[1:, 0][large], kind="stable")]
    small = len(large) < len(lengths)
    numbers[1:] = len(large) + 1
    numbers[1 + large] = np.arange(1, len(large) + 1)
    part_numbers, count = numbers[pieces] * copy, len(large) + small
    return Parts(bounds, part_numbers, count, small, _codes(around, part_numbers, count))


def view(parts: Parts, picture: pictures.Pixels) -> PartsView:
    """Parts on a picture of their window, uint8 (h, w, 3), at least as large as ``parts.numbers``."""
    numbers = cv2.resize(parts.numbers, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return PartsView(parts, picture, np.asarray(numbers, np.uint8))


def _codes(sources: NDArray[np.uint8], numbers: Labels, count: int) -> tuple[tuple[int, ...], ...]:
    """The sources of each part, the largest first. numbers: as in ``Parts``, of a copy of ``sources``."""
    large = cv2.resize(numbers, sources.shape[::-1], interpolation=cv2.INTER_NEAREST)
    pairs = [large, np.ascontiguousarray(sources)]
    counts = cv2.calcHist(pairs, [0, 1], None, [count + 1, 256], (0, count + 1, 0, 256))[1:, 1:]
    return tuple(tuple((1 + np.argsort(-row, kind="stable")[: np.count_nonzero(row)]).tolist()) for row in counts)


def _write_number(
    picture: pictures.Pixels, number: int, outline: NDArray[np.int32], colour: tuple[int, int, int]
) -> None:
    """Draw a number on a disc at the upper left end of an outline."""
    left, top = min(outline[:, 0].tolist(), key=sum)
    x, y = max(left - 8, 14), max(top - 8, 14)
    cv2.circle(picture, (x, y), 13, colour, -1, cv2.LINE_AA)
    cv2.circle(picture, (x, y), 13, pictures.WHITE, 1, cv2.LINE_AA)
    cv2.putText(picture, str(number), (x - 5, y + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, pictures.WHITE, 2, cv2.LINE_AA)
