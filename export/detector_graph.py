"""The graph ``detector``: detects the upright faces of a photo, in one file.

The cascade MTCNN (Zhang et al. 2016, arXiv 1604.02878) of ``faceinp.face.cascade``, operator by operator around the
three networks in ``weights/``, so that programs in any language can use it. First the photo is reduced by averaging.
It is searched with its hole filled smoothly, because damage shifts detections, and as it is, because an occluder may
still show where the face is. Of two detections of a face, the more probable one counts.
"""

from collections.abc import Sequence

import numpy as np
from onnxscript import ir

from faceinp.face import cascade
from faceinp.models import weights

from . import modules
from .assembly import (
    FLOAT,
    INT32,
    INT64,
    UINT8,
    Op,
    Value,
    columns,
    either,
    fixed,
    hidden,
    inlined,
    multiples,
    ones,
    repeated,
)
from .modules import SEARCHED, SMALLEST, THRESHOLDS

MAX_BOXES = 1 << 30  # of a suppression


def find(op: Op, image: Value, mask: Value, membrane: ir.Model) -> Sequence[Value]:
    """Boxes (F, 4), probabilities (F,) and points (F, 5, 2) of a photo's faces, the largest first."""
    hole = op.Cast(hidden(op, image, mask), to=UINT8)
    closed, plain, block = _reduced(op, image, hole, membrane)
    count = op.Add(op.Cast(op.ReduceMax(hole, [0, 1, 2], keepdims=0), to=INT64), 1)  # of searches: 1 without a hole

    def search(op: Op, number: Value, *faces: Value) -> Sequence[Value]:
        first = op.Equal(number, fixed(op, 0, np.int64))
        picture = either(op, first, lambda op: op.Identity(closed), lambda op: op.Identity(plain))
        return _outermost(op, *(op.Concat(*both, axis=0) for both in zip(faces, _upright(op, picture), strict=True)))

    nothing = [fixed(op, np.zeros(shape)) for shape in ((0, 4), (0,), (0, 5, 2))]
    boxes, probabilities, points = repeated(op, count, nothing, search)
    corners, ends = columns(op, op.Mul(boxes, block))
    return op.Concat(corners, op.Sub(ends, corners), axis=1), probabilities, op.Mul(points, block)


def _upright(op: Op, picture: Value) -> Sequence[Value]:
    """The upright faces of a picture float32 (h, w, 3) as ``cascade.find``: corners of boxes, probabilities, points."""
    sums = op.CumSum(op.CumSum(op.Cast(op.Round(picture), to=INT32), fixed(op, 0, np.int64)), fixed(op, 1, np.int64))
    sums = op.Pad(sums, fixed(op, [1, 1, 0, 0, 0, 0], np.int64))  # (h + 1, w + 1, 3)
    size = op.Sub(op.Slice(op.Shape(sums), [0], [2]), 1)

    boxes = _square(op, _candidates(op, sums, size))
    boxes, probabilities, offsets = _refined(op, sums, size, boxes, 24, THRESHOLDS[1])
    kept = _suppressed(op, boxes, probabilities, cascade.MAX_IOU_ACROSS_SCALES)
    boxes = _square(op, _moved(op, op.Gather(boxes, kept), op.Gather(offsets, kept), 1.0))

    boxes, probabilities, offsets, points = _refined(op, sums, size, boxes, 48, THRESHOLDS[2])
    corners, ends = columns(op, boxes)
    sides = op.Unsqueeze(op.Add(op.Sub(ends, corners), 1.0), [1])
    points = op.Sub(op.Add(op.Mul(points, sides), op.Unsqueeze(corners, [1])), 1.0)
    return _outermost(op, _moved(op, boxes, offsets, 1.0), probabilities, points)


def _reduced(op: Op, image: Value, mask: Value, membrane: ir.Model) -> tuple[Value, Value, Value]:
    """The photo reduced by the means of whole blocks, with its hole filled and as it is, float32 (h, w, 3) from 0 to
    255, and the side () of a block.
    """
    size = op.Slice(op.Shape(mask), [1], [3])
    block = op.Div(op.ReduceMax(size, [0]), SEARCHED)  # int64 (1,)
    block = op.Max(op.Min(block, op.ReduceMin(size, [0])), 1)
    sides = op.Div(size, block)
    height, width = op.Split(sides, num_outputs=2, axis=0, _outputs=2)
    used = op.Mul(sides, block)
    image, mask = (op.Slice(values, [0, 0], used, [1, 2]) for values in (image, mask))
    shape = op.Concat(height, block, width, block, [-1], axis=0)
    known = op.Sub(1.0, ones(op, op.Reshape(mask, shape)))
    counts = op.ReduceSum(known, [1, 3], keepdims=0)
    blocks = op.Cast(op.Reshape(image, shape), to=FLOAT)
    plain = op.ReduceMean(blocks, [1, 3], keepdims=0)
    colours = op.ReduceSum(op.Mul(blocks, known), [1, 3], keepdims=0)

    def closed(op: Op) -> Value:
        values = op.Transpose(op.Unsqueeze(op.Concat(colours, counts, axis=2), [0]), perm=[0, 3, 1, 2])
        more = op.Sub(multiples(op, sides, modules.Membrane.MULTIPLE), sides)
        padded = op.Pad(values, op.Concat([0, 0, 0, 0, 0, 0], more, axis=0))
        (filled,) = inlined(op, membrane, "membrane", padded)
        return op.Slice(op.Transpose(op.Squeeze(filled, [0]), perm=[1, 2, 0]), [0, 0], sides, [0, 1])

    # A block that is partly known has the mean of its known pixels.
    whole = op.Greater(op.ReduceMin(op.Reshape(counts, [-1]), [0], keepdims=0), 0.0)
    picture = either(op, whole, lambda op: op.Div(colours, counts), closed)
    return picture, plain, op.Cast(op.Squeeze(block, [0]), to=FLOAT)


def _candidates(op: Op, sums: Value, size: Value) -> Value:
    """Boxes (N, 4) that the first network accepts at any scale."""
    network = _network("mtcnn-pnet")
    shortest = op.Cast(op.ReduceMin(size, [0], keepdims=0), to=FLOAT)
    first = cascade.CELL / SMALLEST
    scales = op.Div(op.Log(op.Div(op.Mul(shortest, first), float(cascade.CELL))), -np.log(cascade.FACTOR).item())
    count = op.Cast(op.Add(op.Floor(scales), 1.0), to=INT64)

    def at_scale(op: Op, number: Value, scale: Value, *faces: Value) -> Sequence[Value]:
        parts = op.Cast(op.Add(op.Mul(op.Cast(size, to=FLOAT), scale), 1.0), to=INT64)
        bins = []
        for axis in (0, 1):
            length, many = (op.Gather(values, fixed(op, axis, np.int64)) for values in (size, parts))
            numbers = op.Range(fixed(op, 0, np.int64), many, fixed(op, 1, np.int64))
            bins.append(_bins(op, numbers, length, many))
        (tops, bottoms), (lefts, rights) = bins
        bands = op.Sub(op.Gather(sums, bottoms), op.Gather(sums, tops))
        total = op.Sub(op.Gather(bands, rights, axis=1), op.Gather(bands, lefts, axis=1))
        areas = op.Mul(op.Unsqueeze(op.Sub(bottoms, tops), [1]), op.Unsqueeze(op.Sub(rights, lefts), [0]))
        copy = op.Div(op.Cast(total, to=FLOAT), op.Cast(op.Unsqueeze(areas, [2]), to=FLOAT))
        probability, offsets = inlined(op, network, "mtcnn-pnet", op.Unsqueeze(copy, [0]))
        cells = op.NonZero(op.GreaterOrEqual(op.Squeeze(probability, [0]), THRESHOLDS[0]))
        cells = op.Transpose(cells, perm=[1, 0])  # rows, columns
        corners = op.Add(op.Mul(op.Cast(op.Gather(cells, [1, 0], axis=1), to=FLOAT), float(cascade.STRIDE)), 1.0)
        boxes = op.Concat(corners, op.Add(corners, float(cascade.CELL - 1)), axis=1)
        boxes = op.Floor(op.Div(boxes, scale))
        sure = op.GatherND(op.Squeeze(probability, [0]), cells)
        moves = op.GatherND(op.Squeeze(offsets, [0]), cells)
        kept = _suppressed(op, boxes, sure, cascade.MAX_IOU_WITHIN_SCALE)
        new = (op.Gather(values, kept) for values in (boxes, sure, moves))
        joined = [op.Concat(one, other, axis=0) for one, other in zip(faces, new, strict=True)]
        return [op.Mul(scale, cascade.FACTOR), *joined]

    nothing = [fixed(op, np.zeros(shape)) for shape in ((0, 4), (0,), (0, 4))]
    _, boxes, sure, moves = repeated(op, count, [fixed(op, first), *nothing], at_scale)
    kept = _suppressed(op, boxes, sure, cascade.MAX_IOU_ACROSS_SCALES)
    return _moved(op, op.Gather(boxes, kept), op.Gather(moves, kept), 0.0)


def _refined(op: Op, sums: Value, size: Value, boxes: Value, side: int, threshold: float) -> Sequence[Value]:
    """The boxes (N, 4) that the network for squares of ``side`` accepts, and its outputs for them."""
    whole = op.Cast(boxes, to=INT64)
    starts, ends = columns(op, whole)
    starts = op.Max(op.Sub(starts, 1), 0)
    ends = op.Min(ends, op.Gather(size, [1, 0]))
    visible = op.ReduceMin(op.Cast(op.Less(starts, ends), to=INT32), [1], keepdims=0)
    visible = op.Squeeze(op.NonZero(visible), [0])
    boxes, starts, ends = (op.Gather(values, visible) for values in (boxes, starts, ends))

    lengths = op.Unsqueeze(op.Sub(ends, starts), [2])
    first, end = (
        op.Add(op.Unsqueeze(starts, [2]), edge)
        for edge in _bins(op, fixed(op, np.arange(side), np.int64), lengths, fixed(op, side, np.int64))
    )  # (N, 2, side)
    (left, top), (right, bottom) = (columns(op, edge) for edge in (first, end))
    top, bottom = (op.Transpose(edge, perm=[0, 2, 1]) for edge in (top, bottom))
    areas = op.Cast(op.Mul(op.Sub(right, left), op.Sub(bottom, top)), to=FLOAT)
    stride, flat = op.Add(op.Slice(size, [1], [2]), 1), op.Reshape(sums, [-1, 3])
    top, bottom = op.Mul(top, stride), op.Mul(bottom, stride)
    outer = op.Sub(op.Gather(flat, op.Add(bottom, right)), op.Gather(flat, op.Add(bottom, left)))
    inner = op.Sub(op.Gather(flat, op.Add(top, left)), op.Gather(flat, op.Add(top, right)))
    squares = op.Div(op.Cast(op.Add(outer, inner), to=FLOAT), op.Unsqueeze(areas, [3]))
    name = {24: "mtcnn-rnet", 48: "mtcnn-onet"}[side]
    outputs = inlined(op, _network(name), name, squares)
    accepted = op.Squeeze(op.NonZero(op.Greater(outputs[0], threshold)), [0])
    return [op.Gather(values, accepted) for values in (boxes, *outputs)]


def _network(name: str) -> ir.Model:
    return ir.load(weights.path(name))


def _bins(op: Op, number: Value, length: Value, parts: Value) -> tuple[Value, Value]:
    """``cascade._bins``: the first pixel of each part of a length, and the end of the part (exclusive)."""
    first = op.Div(op.Mul(number, length), parts)
    end = op.Div(op.Sub(op.Add(op.Mul(op.Add(number, 1), length), parts), 1), parts)
    return first, end


def _moved(op: Op, boxes: Value, offsets: Value, extent: float) -> Value:
    """Boxes moved by offsets in shares of their sides. extent: what is added to the sides, 1 for inclusive corners."""
    corners, ends = columns(op, boxes)
    sides = op.Add(op.Sub(ends, corners), extent)
    return op.Add(boxes, op.Mul(offsets, op.Concat(sides, sides, axis=1)))


def _square(op: Op, boxes: Value) -> Value:
    """Squares with the centres and the longer sides of the boxes."""
    corners, ends = columns(op, boxes)
    sides = op.Sub(ends, corners)
    longest = op.ReduceMax(sides, [1])
    corners = op.Sub(op.Add(corners, op.Mul(sides, 0.5)), op.Mul(longest, 0.5))
    return op.Concat(corners, op.Add(corners, longest), axis=1)


def _suppressed(op: Op, boxes: Value, probabilities: Value, most: float) -> Value:
    """Non-maximum suppression: the indices of the boxes to keep, most probable first. most: the largest IoU of two."""
    scores = op.Unsqueeze(probabilities, [0, 1])
    chosen = op.NonMaxSuppression(op.Unsqueeze(boxes, [0]), scores, fixed(op, [MAX_BOXES], np.int64), fixed(op, [most]))
    return op.Squeeze(op.Slice(chosen, [2], [3], [1]), [1])


def _outermost(op: Op, boxes: Value, probabilities: Value, points: Value) -> Sequence[Value]:
    """Suppression of faces, the largest first: a face is dropped if a more probable one overlaps it by more than
    ``cascade.MAX_NESTED_SHARE`` of the smaller of both.
    """
    faces = boxes, probabilities, points
    count = op.Shape(probabilities)
    _, order = op.TopK(probabilities, count, _outputs=2)
    boxes = op.Gather(boxes, order)
    corners, ends = columns(op, boxes)

    def product(sides: Value) -> Value:
        across, down = op.Split(sides, num_outputs=2, axis=-1, _outputs=2)
        return op.Squeeze(op.Mul(across, down), [-1])

    areas = product(op.Add(op.Sub(ends, corners), 1.0))
    starts = op.Max(op.Unsqueeze(corners, [1]), op.Unsqueeze(corners, [0]))
    stops = op.Min(op.Unsqueeze(ends, [1]), op.Unsqueeze(ends, [0]))
    common = product(op.Max(op.Add(op.Sub(stops, starts), 1.0), 0.0))  # (N, N)
    smaller = op.Min(op.Unsqueeze(areas, [1]), op.Unsqueeze(areas, [0]))
    same = op.Greater(common, op.Mul(smaller, cascade.MAX_NESTED_SHARE))
    numbers = op.Range(fixed(op, 0, np.int64), op.Squeeze(count, [0]), fixed(op, 1, np.int64))

    def step(op: Op, number: Value, kept: Value) -> Sequence[Value]:
        covered = op.And(op.Gather(same, number), op.Greater(numbers, number))
        return [op.And(kept, op.Not(op.And(covered, op.Gather(kept, number))))]

    (kept,) = repeated(op, op.Squeeze(count, [0]), [op.Expand(fixed(op, True, np.bool_), count)], step)
    kept = op.Squeeze(op.NonZero(kept), [0])
    sizes = op.Gather(areas, kept)
    _, largest = op.TopK(sizes, op.Shape(sizes), _outputs=2)
    chosen = op.Gather(op.Gather(order, kept), largest)
    return [op.Gather(values, chosen) for values in faces]
