"""Upright faces of a picture, by the cascade MTCNN (Zhang et al. 2016, arXiv 1604.02878), on onnxruntime.

Three small networks, each of which looks closer at what the one before let pass:

1. ``mtcnn-pnet`` slides over the picture at many scales. Each of its cells sees 12 x 12 pixels of a scaled picture.
2. ``mtcnn-rnet`` looks at a square of 24 x 24 pixels around each candidate.
3. ``mtcnn-onet`` looks at a square of 48 x 48 pixels, and adds five points.

After each, candidates that overlap a likelier one are suppressed, and boxes are moved by what the network says.
Averages are exact and boxes are rounded as facenet-pytorch does it: the same faces come out, to a hundredth of a pixel.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp import weights
from faceinp.engines.sessions import OnnxFile

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Bins = tuple[Indices, Indices]  # first pixel of each bin, and the first one behind it

FACTOR = 0.709  # from one scale to the next: about the half of the area
CELL, STRIDE = 12, 2  # pixels of a scaled picture: what a cell of the first network sees, and the step to the next
OVERLAP = CELL - STRIDE  # rows that two strips share, so that no cell is cut
WITHIN_SCALE, ACROSS, OF_SMALLER = 0.5, 0.7, 0.7  # share of the area in common from which on a box is suppressed
# What a network looks at in one run: as much as a processor's cache holds, which halves the time.
_STRIP, _SQUARES = 60_000, {24: 16, 48: 4}  # pixels; squares, by their side


class Found(NamedTuple):
    """N faces, the largest box first. boxes: (N, 4), left, top, right, bottom. points: (N, 5, 2), x and y of the eyes,
    the nose and the corners of the mouth, each from left to right; both in pixels. confidences: (N,), 0 to 1.
    """

    boxes: Floats
    confidences: Floats
    points: Floats


class Answers(NamedTuple):
    """What a network says of N squares. faces: (N,), probability that it is one. moves: (N, 4), by how much the sides
    of its box lie off, left, top, right, bottom. points: (N, 5, 2), of the last network only; both in sides of the square.
    """

    faces: Floats
    moves: Floats
    points: Floats


def find(pixels: Pixels, smallest: float, thresholds: tuple[float, float, float]) -> Found:
    """The upright faces of a picture that are at least about ``smallest`` pixels wide.

    pixels: uint8 (H, W, 3) RGB. thresholds: least probability of a face that each network lets pass, 0 to 1. Safe to
    call from several threads.
    """
    sums = cv2.integral(np.ascontiguousarray(pixels))
    boxes = _square(_candidates(sums, smallest, thresholds[0]))

    boxes, answers = _looked_at(sums, boxes, 24, thresholds[1])
    kept = _suppress(boxes, answers.faces, ACROSS)
    boxes = _square(_moved(boxes[kept], answers.moves[kept]))

    boxes, (faces, moves, points) = _looked_at(sums, boxes, 48, thresholds[2])
    sides = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    points = boxes[:, None, :2] + points * sides - 1
    boxes = _moved(boxes, moves)
    kept = _suppress_smaller(boxes, faces, OF_SMALLER)
    kept = kept[np.argsort(-_areas(boxes[kept]), kind="stable")]
    return Found(boxes[kept], faces[kept], points[kept])


def look(squares: NDArray[Any]) -> Answers:
    """What the last network says of squares. squares: (N, 48, 48, 3) RGB, 0 to 255, of any type."""
    return _run(squares.shape[1], [squares[i : i + _SQUARES[48]] for i in range(0, len(squares), _SQUARES[48])])


# ---- the first network ----


def _candidates(sums: NDArray[np.int32], smallest: float, threshold: float) -> Floats:
    """Boxes (N, 4) that the first network takes for faces, at all scales, moved by what it says of them."""
    shortest, scale = min(sums.shape[:2]) - 1, CELL / smallest
    boxes, faces, moves = [], [], []
    shortest = shortest * scale
    while shortest >= CELL:
        found = [np.concatenate(parts) for parts in zip(*_cells(sums, scale, threshold), strict=True)]
        kept = _suppress(found[0], found[1], WITHIN_SCALE)
        for values, new in zip((boxes, faces, moves), found, strict=True):
            values.append(new[kept])
        scale, shortest = scale * FACTOR, shortest * FACTOR
    if not boxes:
        return np.zeros((0, 4), np.float32)
    box, move = np.concatenate(boxes), np.concatenate(moves)
    kept = _suppress(box, np.concatenate(faces), ACROSS)
    return _moved(box[kept], move[kept], 0)


def _cells(sums: NDArray[np.int32], scale: float, threshold: float) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Boxes, probabilities and moves of the cells at one scale that are faces, strip by strip."""
    height, width = (int((side - 1) * scale + 1) for side in sums.shape[:2])
    rows, columns = _bins(sums.shape[0] - 1, height), _bins(sums.shape[1] - 1, width)
    step = max(_STRIP // width // STRIDE, OVERLAP) * STRIDE
    for top in range(0, height - OVERLAP, step):
        part = slice(top, top + step + OVERLAP)
        face, move = _network("pnet").run({"image": _averages(sums, (rows[0][part], rows[1][part]), columns)[None]})
        y, x = np.nonzero(face[0] >= threshold)
        corner = np.stack([x * STRIDE, y * STRIDE + top], axis=1).astype(np.float32) + 1
        corners = np.concatenate([corner, corner + (CELL - 1)], axis=1)
        yield np.floor(corners / np.float32(scale)), face[0, y, x], move[0, y, x]


# ---- pixels ----


def _bins(length: int, parts: int) -> Bins:
    """A length of pixels in so many parts; neighbours share the pixel that the line between them cuts."""
    number = np.arange(parts)
    return number * length // parts, -(-(number + 1) * length // parts)


def _averages(sums: NDArray[np.int32], rows: Bins, columns: Bins) -> Floats:
    """The mean colour of each bin, (rows, columns, 3). sums: the picture's integral, (H + 1, W + 1, 3). Its numbers
    may overflow: those of a bin, which are their differences, are right all the same.
    """
    bands = sums[rows[1]] - sums[rows[0]]
    total = bands.take(columns[1], axis=1) - bands.take(columns[0], axis=1)
    areas = np.outer(rows[1] - rows[0], columns[1] - columns[0])
    return total.astype(np.float32) / areas[..., None].astype(np.float32)


def _looked_at(sums: NDArray[np.int32], boxes: Floats, side: int, threshold: float) -> tuple[Floats, Answers]:
    """The boxes that the network for squares of that side takes for faces, and what it says of them."""
    starts = np.maximum(boxes[:, :2].astype(np.int64) - 1, 0)
    ends = np.minimum(boxes[:, 2:].astype(np.int64), (sums.shape[1] - 1, sums.shape[0] - 1))
    inside = (starts < ends).all(axis=1)
    boxes, starts, ends = boxes[inside], starts[inside], ends[inside]
    count = _SQUARES[side]
    parts = (_squares(sums, starts[i : i + count], ends[i : i + count], side) for i in range(0, len(boxes), count))
    answers = _run(side, parts)
    sure = answers.faces > threshold
    return boxes[sure], Answers(*(values[sure] for values in answers))


def _squares(sums: NDArray[np.int32], starts: Indices, ends: Indices, side: int) -> Floats:
    """Parts of the picture, each averaged to a square: (N, side, side, 3). starts, ends: (N, 2), x and y."""
    number, lengths = np.arange(side), (ends - starts)[..., None]
    first = starts[..., None] + number * lengths // side  # (N, 2, side)
    last = starts[..., None] - (-(number + 1) * lengths // side)
    flat, across = sums.reshape(-1, 3), sums.shape[1]
    left, right, top, bottom = first[:, 0, None], last[:, 0, None], first[:, 1, :, None], last[:, 1, :, None]
    top, bottom, areas = top * across, bottom * across, (bottom - top) * (right - left)
    total = flat.take(bottom + right, axis=0) - flat.take(bottom + left, axis=0)
    total += flat.take(top + left, axis=0) - flat.take(top + right, axis=0)
    return total.astype(np.float32) / areas[..., None].astype(np.float32)


# ---- networks ----


@cache
def _network(name: str) -> OnnxFile:
    return OnnxFile(weights.path(f"mtcnn-{name}"), threads=1)


def _run(side: int, parts: Any) -> Answers:
    network = _network({24: "rnet", 48: "onet"}[side])
    answers = [network.run({"image": part.astype(np.float32, copy=False)}) for part in parts]
    if not answers:
        return Answers(np.zeros(0, np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32))
    faces, moves, *points = (np.concatenate(values) for values in zip(*answers, strict=True))
    return Answers(faces, moves, points[0] if points else np.zeros((len(faces), 0, 2), np.float32))


# ---- boxes ----


def _moved(boxes: Floats, moves: Floats, more: int = 1) -> Floats:
    """Boxes moved by shares of their width and height; ``more``: pixels that are added to those."""
    sides = boxes[:, 2:] - boxes[:, :2] + np.float32(more)
    return boxes + moves * np.tile(sides, 2)


def _square(boxes: Floats) -> Floats:
    """The squares around the same middles whose sides are the longer ones of the boxes."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides / 2 - longest / 2
    return np.concatenate([corners, corners + longest], axis=1)


def _areas(boxes: Floats, more: int = 0) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2] + more).prod(axis=1), np.float32)


def _suppress(boxes: Floats, scores: Floats, most: float) -> Indices:
    """Which boxes stay, the likeliest first, when none may have more than a share ``most`` of the area that both cover
    in common with a likelier one.
    """
    places = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(places.tolist(), scores.tolist(), 0.0, most), np.int64).reshape(-1)


def _suppress_smaller(boxes: Floats, scores: Floats, most: float) -> Indices:
    """As ``_suppress``, but of the area of the smaller one: a box within another one goes, too."""
    order, kept = np.argsort(-scores, kind="stable"), []
    areas = _areas(boxes, 1)
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        starts = np.maximum(boxes[best, :2], boxes[order, :2])
        ends = np.minimum(boxes[best, 2:], boxes[order, 2:])
        common = np.maximum(ends - starts + 1, 0).prod(axis=1)
        order = order[common <= most * np.minimum(areas[best], areas[order])]
    return np.asarray(kept, np.int64)
