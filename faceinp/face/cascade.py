"""Upright faces of a picture, by the cascade MTCNN (Zhang et al. 2016, arXiv 1604.02878), on onnxruntime.

Three small networks, each of which looks closer at what the one before lets pass:

1. ``mtcnn-pnet`` slides over copies of the picture at many scales; each of its cells sees 12 x 12 pixels of a copy.
2. ``mtcnn-rnet`` sees each candidate averaged to 24 x 24 pixels.
3. ``mtcnn-onet`` sees those that are left at 48 x 48 pixels, and adds five points.

After each, boxes that overlap a more probable one are suppressed, and the others are moved by the offsets that the
network gives for their sides. Pixels are averaged and boxes rounded as in facenet-pytorch, so the same faces come out.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Floats, Pixels
from faceinp.models import weights
from faceinp.models.sessions import OnnxFile

Sums = NDArray[np.int32]  # a picture's integral, (H + 1, W + 1, 3)
Indices = NDArray[np.int64]
Bins = tuple[Indices, Indices]  # the first pixel of each, and the first one behind it

FACTOR = 0.709  # from one scale to the next: half of the area
CELL, STRIDE = 12, 2  # pixels of a copy: what a cell of the first network sees, and from one cell to the next
# Largest intersection over union with a more probable box: at one scale, across scales and later; and of the faces that
# come out the largest share of the smaller box, so that no face lies in another one.
WITHIN_SCALE, ACROSS_SCALES, OF_SMALLER = 0.5, 0.7, 0.7
# What a network takes in one run: what stays in a processor's cache is done in half of the time.
_STRIP, _SQUARES = 16_000, {24: 16, 48: 4}  # pixels of a copy; squares, by their side
_NETWORKS = {24: "mtcnn-rnet", 48: "mtcnn-onet"}


class Found(NamedTuple):
    """N faces, the largest box first. boxes: (N, 4), left, top, right, bottom. points: (N, 5, 2), x and y of the eyes,
    the nose and the corners of the mouth, left before right; both in pixels. probabilities: (N,), 0 to 1.
    """

    boxes: Floats
    probabilities: Floats
    points: Floats


def find(pixels: Pixels, smallest: float, thresholds: tuple[float, float, float]) -> Found:
    """The upright faces of a picture that are at least about ``smallest`` pixels wide.

    pixels: uint8 (H, W, 3) RGB. thresholds: probability from which on each network lets a face pass, 0 to 1. Safe to
    call from several threads.
    """
    sums = np.asarray(cv2.integral(np.ascontiguousarray(pixels)), np.int32)
    boxes = _square(_candidates(sums, smallest, thresholds[0]))

    boxes, probabilities, offsets = _judged(sums, boxes, 24, thresholds[1])
    kept = _suppress(boxes, probabilities, ACROSS_SCALES)
    boxes = _square(_moved(boxes[kept], offsets[kept]))

    boxes, probabilities, offsets, points = _judged(sums, boxes, 48, thresholds[2])
    points = points * (boxes[:, None, 2:] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1
    return surest(Found(_moved(boxes, offsets), probabilities, points))


def surest(found: Found) -> Found:
    """Without faces of which more than OF_SMALLER lies in a more probable one, or the other way round."""
    kept = _suppress_inner(found.boxes, found.probabilities, OF_SMALLER)
    kept = kept[np.argsort(-_areas(found.boxes[kept]), kind="stable")]
    return Found(found.boxes[kept], found.probabilities[kept], found.points[kept])


def judge(squares: NDArray[Any]) -> tuple[Floats, Floats]:
    """Of squares, (N, 48, 48, 3) RGB from 0 to 255: the probability that each is a face, (N,), and its five points,
    (N, 5, 2), in sides of the square. The last network's word. Safe to call from several threads.
    """
    count = _SQUARES[48]
    probabilities, _, points = _run(48, (squares[i : i + count] for i in range(0, len(squares), count)))
    return probabilities, points


# ---- the first network ----


def _candidates(sums: Sums, smallest: float, threshold: float) -> Floats:
    """Boxes (N, 4) that the first network takes for faces at any scale."""
    found = [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))]
    scale = CELL / smallest
    shortest = (min(sums.shape[:2]) - 1) * scale
    while shortest >= CELL:
        boxes, probabilities, offsets = map(np.concatenate, zip(*_cells(sums, scale, threshold), strict=True))
        kept = _suppress(boxes, probabilities, WITHIN_SCALE)
        found.append((boxes[kept], probabilities[kept], offsets[kept]))
        scale, shortest = scale * FACTOR, shortest * FACTOR
    boxes, probabilities, offsets = map(np.concatenate, zip(*found, strict=True))
    kept = _suppress(boxes, probabilities, ACROSS_SCALES)
    return _moved(boxes[kept], offsets[kept], further=0)


def _cells(sums: Sums, scale: float, threshold: float) -> Iterator[tuple[Floats, Floats, Floats]]:
    """The cells of one scale that see a face, strip by strip: boxes (N, 4), probabilities (N,), offsets (N, 4)."""
    (first, behind), columns = (_bins(side - 1, int((side - 1) * scale + 1)) for side in sums.shape[:2])
    overlap = CELL - STRIDE
    step = max(_STRIP // len(columns[0]) // STRIDE, overlap) * STRIDE
    for top in range(0, len(first) - overlap, step):  # strips overlap, so that each cell sees all of its pixels
        strip = slice(top, top + step + overlap)
        image = _averages(sums, (first[strip], behind[strip]), columns)
        probabilities, offsets = _network("mtcnn-pnet").run({"image": image[None]})
        y, x = np.nonzero(probabilities[0] >= threshold)
        corners = np.stack([x * STRIDE, y * STRIDE + top], axis=1).astype(np.float32) + 1
        boxes = np.floor(np.concatenate([corners, corners + (CELL - 1)], axis=1) / np.float32(scale))
        yield boxes, probabilities[0, y, x], offsets[0, y, x]


# ---- the others ----


def _judged(sums: Sums, boxes: Floats, side: int, threshold: float) -> list[Floats]:
    """What the network for squares of that side lets pass: boxes (N, 4), and what it says of them."""
    starts = np.maximum(boxes[:, :2].astype(np.int64) - 1, 0)
    ends = np.minimum(boxes[:, 2:].astype(np.int64), (sums.shape[1] - 1, sums.shape[0] - 1))
    inside = (starts < ends).all(axis=1)
    boxes, starts, ends, count = boxes[inside], starts[inside], ends[inside], _SQUARES[side]
    parts = (slice(i, i + count) for i in range(0, len(boxes), count))
    answers = _run(side, (_squares(sums, starts[part], ends[part], side) for part in parts))
    sure = answers[0] > threshold
    return [values[sure] for values in (boxes, *answers)]


def _run(side: int, batches: Iterable[NDArray[Any]]) -> list[Floats]:
    """Probabilities (N,), offsets (N, 4) and, of the last network, points (N, 5, 2)."""
    network = _network(_NETWORKS[side])
    answers = [network.run({"image": batch.astype(np.float32, copy=False)}) for batch in batches]
    if not answers:
        return [np.zeros((0, *shape), np.float32) for shape in ((), (4,), (5, 2))[: side // 24 + 1]]
    return [np.concatenate(values) for values in zip(*answers, strict=True)]


@cache
def _network(name: str) -> OnnxFile:
    with weights.reporting_damage(name):
        return OnnxFile(weights.path(name), threads=1)  # so small that threads mostly wait for each other


# ---- pixels ----


def _bins(length: int, parts: int) -> Bins:
    """A length of pixels in parts; two share the pixel that the line between them cuts."""
    number = np.arange(parts)
    return number * length // parts, -(-(number + 1) * length // parts)


def _averages(sums: Sums, rows: Bins, columns: Bins) -> Floats:
    """The mean colour of each bin, (rows, columns, 3).

    Sums of large pictures overflow; their differences, which are the sums of the bins, are right all the same.
    """
    bands = sums[rows[1]] - sums[rows[0]]
    total = bands.take(columns[1], axis=1) - bands.take(columns[0], axis=1)
    areas = np.outer(rows[1] - rows[0], columns[1] - columns[0])
    return np.asarray(total.astype(np.float32) / areas[..., None].astype(np.float32))


def _squares(sums: Sums, starts: Indices, ends: Indices, side: int) -> Floats:
    """Parts of the picture, each averaged to a square: (N, side, side, 3). starts, ends: (N, 2), x and y."""
    number, lengths = np.arange(side), (ends - starts)[..., None]
    first = starts[..., None] + number * lengths // side  # (N, 2, side)
    behind = starts[..., None] - (-(number + 1) * lengths // side)
    left, right, top, bottom = first[:, 0, None], behind[:, 0, None], first[:, 1, :, None], behind[:, 1, :, None]
    areas = (right - left) * (bottom - top)
    flat, top, bottom = sums.reshape(-1, 3), top * sums.shape[1], bottom * sums.shape[1]
    total = flat.take(bottom + right, axis=0) - flat.take(bottom + left, axis=0)
    total += flat.take(top + left, axis=0) - flat.take(top + right, axis=0)
    return np.asarray(total.astype(np.float32) / areas[..., None].astype(np.float32))


# ---- boxes ----


def _moved(boxes: Floats, offsets: Floats, further: int = 1) -> Floats:
    """Boxes whose sides are moved by shares of their width and height, with ``further`` pixels added to these."""
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2] + np.float32(further), 2)


def _square(boxes: Floats) -> Floats:
    """Squares with the middles of the boxes, and their longer sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides / 2 - longest / 2
    return np.concatenate([corners, corners + longest], axis=1)


def _areas(boxes: Floats, further: int = 0) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2] + further).prod(axis=1))


def _suppress(boxes: Floats, probabilities: Floats, most: float) -> Indices:
    """Which boxes stay, the most probable first: of no two is the intersection over union more than ``most``."""
    sized = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(sized.tolist(), probabilities.tolist(), 0, most), np.int64)


def _suppress_inner(boxes: Floats, probabilities: Floats, most: float) -> Indices:
    """As ``_suppress``, by the share of the smaller box that lies in the other."""
    order, areas, kept = np.argsort(-probabilities, kind="stable"), _areas(boxes, 1), []
    while len(order):
        kept.append(best := order[0])
        starts = np.maximum(boxes[best, :2], boxes[order, :2])
        ends = np.minimum(boxes[best, 2:], boxes[order, 2:])
        common = np.maximum(ends - starts + 1, 0).prod(axis=1)
        order = order[common <= most * np.minimum(areas[best], areas[order])]
    return np.array(kept, np.int64)
