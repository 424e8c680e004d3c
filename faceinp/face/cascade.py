"""Detect the upright faces of a picture with MTCNN (Zhang et al. 2016, arXiv 1604.02878) on onnxruntime.

Three small networks follow one another; each rejects candidates of the one before:

1. ``mtcnn-pnet`` slides over copies of the picture at many scales; each cell covers 12 x 12 pixels of a copy.
2. ``mtcnn-rnet`` gets each candidate averaged to 24 x 24 pixels.
3. ``mtcnn-onet`` gets the remaining candidates at 48 x 48 pixels and adds five points.

After each network, boxes that overlap a more probable one are suppressed, and the network's offsets are added to the
others. Pixels are averaged and boxes rounded as in facenet-pytorch, so the results are the same.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.models import weights
from faceinp.models.sessions import OnnxFile
from faceinp.photo.arrays import Floats, Pixels

Sums = NDArray[np.int32]  # a picture's integral, (H + 1, W + 1, 3)
Indices = NDArray[np.int64]
Bins = tuple[Indices, Indices]  # start and end of each bin, in pixels

FACTOR = 0.709  # ratio of one scale to the one before: half the area
CELL = 12  # side of a cell of the first network, in pixels of a copy
STRIDE = 2  # distance between two cells, in pixels of a copy
# Boxes with a larger intersection over union with a more probable box are suppressed.
MAX_IOU_WITHIN_SCALE = 0.5
MAX_IOU_ACROSS_SCALES = 0.7
MAX_NESTED_SHARE = 0.7  # of the smaller of two faces: where more of it lies in the other one, one of them is dropped
# Batches this small stay in the processor's cache and take half the time.
_STRIP_PIXELS = 16_000  # pixels of a copy that the first network gets at once
_BATCH_SIZES = {24: 16, 48: 4}  # squares that a later network gets at once, by their side
_NETWORKS = {24: "mtcnn-rnet", 48: "mtcnn-onet"}  # by the side of their squares


class Detections(NamedTuple):
    """N faces, the largest box first.

    boxes: (N, 4), left, top, right, bottom, in pixels. probabilities: (N,), 0 to 1. points: (N, 5, 2), x and y of left
    eye, right eye, nose, left and right mouth corner, in pixels.
    """

    boxes: Floats
    probabilities: Floats
    points: Floats


def find(pixels: Pixels, smallest: float, thresholds: tuple[float, float, float]) -> Detections:
    """Detect the upright faces of a picture.

    pixels: uint8 (H, W, 3) RGB. smallest: least width of a face, in pixels, about. thresholds: least probability of a
    face for each of the three networks, 0 to 1. Safe to call from several threads.
    """
    sums = np.asarray(cv2.integral(np.ascontiguousarray(pixels)), np.int32)
    boxes = _square(_candidates(sums, smallest, thresholds[0]))

    boxes, probabilities, offsets = _classified(sums, boxes, 24, thresholds[1])
    kept = _suppress(boxes, probabilities, MAX_IOU_ACROSS_SCALES)
    boxes = _square(_add_offsets(boxes[kept], offsets[kept]))

    boxes, probabilities, offsets, points = _classified(sums, boxes, 48, thresholds[2])
    points = points * (boxes[:, None, 2:] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1
    return drop_nested(Detections(_add_offsets(boxes, offsets), probabilities, points))


def drop_nested(detections: Detections) -> Detections:
    """Keep the more probable of two faces where one contains more than MAX_NESTED_SHARE of the smaller one."""
    kept = _suppress_nested(detections.boxes, detections.probabilities, MAX_NESTED_SHARE)
    kept = kept[np.argsort(-_areas(detections.boxes[kept]), kind="stable")]
    return Detections(detections.boxes[kept], detections.probabilities[kept], detections.points[kept])


def classify(squares: NDArray[Any]) -> tuple[Floats, Floats]:
    """Run the last network on squares.

    squares: (N, 48, 48, 3) RGB from 0 to 255. Returns the probability of a face, (N,), and the five points, (N, 5, 2),
    as shares of the square's side. Safe to call from several threads.
    """
    count = _BATCH_SIZES[48]
    probabilities, _, points = _run(48, (squares[i : i + count] for i in range(0, len(squares), count)))
    return probabilities, points


# ---- the first network ----


def _candidates(sums: Sums, smallest: float, threshold: float) -> Floats:
    """Boxes (N, 4) in which the first network sees a face, at any scale."""
    candidates = [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))]
    scale = CELL / smallest
    shortest = (min(sums.shape[:2]) - 1) * scale
    while shortest >= CELL:
        boxes, probabilities, offsets = map(np.concatenate, zip(*_cells(sums, scale, threshold), strict=True))
        kept = _suppress(boxes, probabilities, MAX_IOU_WITHIN_SCALE)
        candidates.append((boxes[kept], probabilities[kept], offsets[kept]))
        scale, shortest = scale * FACTOR, shortest * FACTOR
    boxes, probabilities, offsets = map(np.concatenate, zip(*candidates, strict=True))
    kept = _suppress(boxes, probabilities, MAX_IOU_ACROSS_SCALES)
    return _add_offsets(boxes[kept], offsets[kept], extra=0)


def _cells(sums: Sums, scale: float, threshold: float) -> Iterator[tuple[Floats, Floats, Floats]]:
    """The cells of one scale that contain a face, strip by strip: boxes (N, 4), probabilities (N,), offsets (N, 4)."""
    (starts, ends), columns = (_bins(side - 1, int((side - 1) * scale + 1)) for side in sums.shape[:2])
    overlap = CELL - STRIDE
    step = max(_STRIP_PIXELS // len(columns[0]) // STRIDE, overlap) * STRIDE
    for top in range(0, len(starts) - overlap, step):  # strips overlap, so that each cell gets all of its pixels
        strip = slice(top, top + step + overlap)
        image = _averages(sums, (starts[strip], ends[strip]), columns)
        probabilities, offsets = _network("mtcnn-pnet").run({"image": image[None]})
        y, x = np.nonzero(probabilities[0] >= threshold)
        corners = np.stack([x * STRIDE, y * STRIDE + top], axis=1).astype(np.float32) + 1
        boxes = np.floor(np.concatenate([corners, corners + (CELL - 1)], axis=1) / np.float32(scale))
        yield boxes, probabilities[0, y, x], offsets[0, y, x]


# ---- the second and third network ----


def _classified(sums: Sums, boxes: Floats, side: int, threshold: float) -> list[Floats]:
    """The boxes (N, 4) in which the network for squares of that side sees a face, and its outputs for them."""
    starts = np.maximum(boxes[:, :2].astype(np.int64) - 1, 0)
    ends = np.minimum(boxes[:, 2:].astype(np.int64), (sums.shape[1] - 1, sums.shape[0] - 1))
    inside = (starts < ends).all(axis=1)
    boxes, starts, ends, count = boxes[inside], starts[inside], ends[inside], _BATCH_SIZES[side]
    parts = (slice(i, i + count) for i in range(0, len(boxes), count))
    outputs = _run(side, (_squares(sums, starts[part], ends[part], side) for part in parts))
    accepted = outputs[0] > threshold
    return [values[accepted] for values in (boxes, *outputs)]


def _run(side: int, batches: Iterable[NDArray[Any]]) -> list[Floats]:
    """Probabilities (N,), offsets (N, 4) and, from the last network, points (N, 5, 2)."""
    network = _network(_NETWORKS[side])
    outputs = [network.run({"image": batch.astype(np.float32, copy=False)}) for batch in batches]
    if not outputs:
        return [np.zeros((0, *shape), np.float32) for shape in ((), (4,), (5, 2))[: side // 24 + 1]]
    return [np.concatenate(values) for values in zip(*outputs, strict=True)]


@cache
def _network(name: str) -> OnnxFile:
    with weights.reporting_damage(name):
        return OnnxFile(weights.path(name), threads=1)  # so small that several threads mostly wait for each other


# ---- pixels ----


def _bins(length: int, parts: int) -> Bins:
    """Divide a length of pixels into bins; two neighbours share the pixel that their border cuts."""
    number = np.arange(parts)
    return number * length // parts, -(-(number + 1) * length // parts)


def _averages(sums: Sums, rows: Bins, columns: Bins) -> Floats:
    """The mean colour of each bin, (rows, columns, 3).

    Sums of large pictures overflow; their differences, the sums of the bins, are still right.
    """
    bands = sums[rows[1]] - sums[rows[0]]
    total = bands.take(columns[1], axis=1) - bands.take(columns[0], axis=1)
    areas = np.outer(rows[1] - rows[0], columns[1] - columns[0])
    return np.asarray(total.astype(np.float32) / areas[..., None].astype(np.float32))


def _squares(sums: Sums, starts: Indices, ends: Indices, side: int) -> Floats:
    """Rectangles of the picture, each averaged to a square: (N, side, side, 3). starts, ends: (N, 2), x and y."""
    number, lengths = np.arange(side), (ends - starts)[..., None]
    low = starts[..., None] + number * lengths // side  # (N, 2, side)
    high = starts[..., None] - (-(number + 1) * lengths // side)
    left, right, top, bottom = low[:, 0, None], high[:, 0, None], low[:, 1, :, None], high[:, 1, :, None]
    areas = (right - left) * (bottom - top)
    flat, top, bottom = sums.reshape(-1, 3), top * sums.shape[1], bottom * sums.shape[1]
    total = flat.take(bottom + right, axis=0) - flat.take(bottom + left, axis=0)
    total += flat.take(top + left, axis=0) - flat.take(top + right, axis=0)
    return np.asarray(total.astype(np.float32) / areas[..., None].astype(np.float32))


# ---- boxes ----


def _add_offsets(boxes: Floats, offsets: Floats, extra: int = 1) -> Floats:
    """Move the sides of boxes by ``offsets``, shares of width and height. extra: pixels added to width and height."""
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2] + np.float32(extra), 2)


def _square(boxes: Floats) -> Floats:
    """Squares with the centres and the longer sides of the boxes."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + sides / 2 - longest / 2
    return np.concatenate([corners, corners + longest], axis=1)


def _areas(boxes: Floats, extra: int = 0) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2] + extra).prod(axis=1))


def _suppress(boxes: Floats, probabilities: Floats, max_iou: float) -> Indices:
    """Indices of the boxes that stay, the most probable first; no two have a larger intersection over union."""
    sized = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(sized.tolist(), probabilities.tolist(), 0, max_iou), np.int64)


def _suppress_nested(boxes: Floats, probabilities: Floats, max_share: float) -> Indices:
    """As ``_suppress``, by the share of the smaller box that lies in the other."""
    order, areas, kept = np.argsort(-probabilities, kind="stable"), _areas(boxes, 1), []
    while len(order):
        kept.append(best := order[0])
        starts = np.maximum(boxes[best, :2], boxes[order, :2])
        ends = np.minimum(boxes[best, 2:], boxes[order, 2:])
        common = np.maximum(ends - starts + 1, 0).prod(axis=1)
        order = order[common <= max_share * np.minimum(areas[best], areas[order])]
    return np.array(kept, np.int64)
