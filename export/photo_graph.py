"""The graph ``photo``: fills a whole photo from its mask and the five points of a face, in one file.

The steps before and after the networks are written operator by operator, because their shapes depend on the photo; the
networks are exported by torch (``modules.Drawing``, ``modules.Membrane``). It is the pipeline of ``faceinp.fill`` with
the engine ``landmark``, for one face, without tone, grain and real pixels, and with a blend that fits into a graph:

1. The crop of the face (``faces.quad``) is sampled at the networks' side, with averaging where it is reduced.
2. The networks predict the landmarks and generate the face.
3. For each hole pixel the generated face is sampled at its position in the crop (bicubic, as ``faces.paste``).
4. The difference of the photo and the face along the hole's rim is interpolated into the hole by push-pull, and added
   with a weight that falls to 0 over ``modules.REACH`` of the crop: there is no step at the seam, and the face is
   unchanged further inside. Where the hole continues outside the crop, the photo's rim is interpolated instead.
5. The hole's pixels are written into a copy of the photo. No other pixel changes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnxscript import ir

from faceinp.face import faces

from . import modules
from .assembly import BOOL, FLOAT, INT64, UINT8, Op, Value, columns, either, fixed, hidden, inlined, multiples, ones
from .modules import FADING, LARGEST_MAP, RIM

MAX_SAMPLED = 4.0  # a stronger reduction starts with the means of whole blocks


def fill(
    op: Op, image: Value, mask: Value, points: Value, drawing: ir.Model, membrane: ir.Model, size: int
) -> Sequence[Value]:
    """The outputs of the graph.

    drawing, membrane: ``modules.Drawing`` and ``modules.Membrane``, exported. size: the side S of the crop.
    """
    mask = hidden(op, image, mask)
    corner, across = quad(op, points)
    inputs = crop(op, image, mask, corner, across, size)
    drawn, landmarks, face = inlined(op, drawing, "drawing", *inputs)
    result = paste(op, image, mask, corner, across, drawn, size, membrane)
    along, down = columns(op, op.Squeeze(landmarks, [0]))
    landmarks = op.Add(op.Add(op.Mul(along, across), op.Mul(down, _turned(op, across))), corner)
    return result, op.Unsqueeze(landmarks, [0]), face


def quad(op: Op, points: Value) -> tuple[Value, Value]:
    """``faces.quad`` of points (1, 5, 2): the crop's top left corner and the vector of its upper side, float32 (1, 2)
    each, in pixels.
    """
    left, right, _, *mouth = op.Split(op.Reshape(points, [5, 2]), num_outputs=5, axis=0, _outputs=5)
    across = op.Sub(right, left)
    inward = op.Mul(across, faces.EYES_INWARD)
    left, right = op.Add(left, inward), op.Sub(right, inward)
    down = op.Mul(_turned(op, across), faces.EYES_DOWN)
    eyes = op.Add(op.Mul(op.Add(left, right), 0.5), down)
    across = op.Sub(right, left)
    down = op.Sub(op.Mul(op.Add(*mouth), 0.5), eyes)
    x = op.Sub(across, _turned(op, down))
    half = op.Max(op.Mul(_length(op, across), 2.0), op.Mul(_length(op, down), 1.8))
    x = op.Mul(x, op.Div(half, op.Max(_length(op, x), 1e-9)))
    corner = op.Sub(op.Add(eyes, op.Mul(down, 0.1)), op.Add(x, _turned(op, x)))
    return corner, op.Mul(x, 2.0)


def crop(op: Op, image: Value, mask: Value, corner: Value, across: Value, size: int) -> tuple[Value, Value, Value]:
    """The inputs of ``modules.Drawing`` from an image uint8 (1, H, W, 3) and its mask, bool (1, H, W).

    picture: float32 (1, 3, S, S) in [0, 1]; outside the photo it is mirrored. hole: float32 (1, 1, S, S), 1 where any
    hole pixel contributes. inside: float32 (1, 1, S, S), 1 inside the photo.
    """
    down, scale = _turned(op, across), op.Div(_length(op, across), float(size))
    limits = op.Cast(op.Gather(op.Shape(mask), [2, 1]), to=FLOAT)  # width, height
    start, end = _crop_window(op, corner, across, limits)

    # As ``faces.align``: first the means of whole blocks, then the mean of several samples for each pixel.
    wide = op.Greater(scale, MAX_SAMPLED)
    block = op.Reshape(op.Where(wide, op.Floor(op.Mul(scale, 0.5)), 1.0), [1])
    block = op.Min(block, op.ReduceMin(op.Sub(end, start), [0]))
    cells = op.Floor(op.Div(op.Sub(end, start), block))  # columns, rows
    window = [_flipped(op, edge) for edge in (start, op.Add(start, op.Mul(cells, block)))]
    part, hole = (op.Slice(values, *window, [1, 2]) for values in (image, mask))
    width, height = op.Split(op.Cast(cells, to=INT64), num_outputs=2, axis=0, _outputs=2)
    step = op.Cast(block, to=INT64)
    shape = op.Concat(height, step, width, step, axis=0)
    part = op.Reshape(op.Cast(part, to=FLOAT), op.Concat(shape, [3], axis=0))
    part = op.Transpose(op.ReduceMean(part, [1, 3], keepdims=0), perm=[2, 0, 1])
    hole = op.Unsqueeze(op.ReduceMax(op.Reshape(ones(op, hole), shape), [1, 3], keepdims=0), [0])
    part, hole = (op.Unsqueeze(values, [0]) for values in (part, hole))  # (1, 3 or 1, height, width)
    last = op.Max(op.Sub(cells, 1.0), 1.0)
    count = op.Max(op.Ceil(op.Sub(op.Div(op.Reshape(scale, [1]), block), 1e-6)), 1.0)

    def centres(op: Op, side: Value) -> Value:
        """The pixel centres of a crop of that side, in pixels of the photo: (side, side, 2), x and y."""
        share = op.Div(op.Add(op.Range(0.0, op.Squeeze(side, [0]), 1.0), 0.5), side)
        along = op.Mul(op.Reshape(across, [1, 1, 2]), op.Reshape(share, [1, -1, 1]))
        return op.Add(op.Add(along, op.Mul(op.Reshape(down, [1, 1, 2]), op.Reshape(share, [-1, 1, 1]))), corner)

    def sampled(op: Op, side: Value, mode: str, hole: Value) -> Value:
        """Colours and hole of a crop of that side: (1, 4, side, side)."""
        at = op.Sub(op.Div(op.Sub(centres(op, side), start), block), 0.5)
        grid = op.Unsqueeze(op.Sub(op.Div(op.Mul(at, 2.0), last), 1.0), [0])
        options = {"padding_mode": "reflection", "align_corners": 1}
        colours = op.GridSample(part, grid, mode=_mode(op, mode), **options)
        return op.Concat(colours, op.GridSample(hole, grid, mode=_mode(op, "bilinear"), **options), axis=1)

    def enlarged(op: Op) -> Value:
        # Cubic interpolation of the colours reaches one pixel further than linear interpolation of the hole.
        return sampled(op, fixed(op, [size]), "bicubic", op.MaxPool(hole, kernel_shape=[3, 3], pads=[1] * 4))

    def averaged(op: Op) -> Value:
        values = sampled(op, op.Mul(count, float(size)), "bilinear", hole)
        each = op.Cast(count, to=INT64)
        values = op.Reshape(values, op.Concat([1, 4, size], each, [size], each, axis=0))
        return op.ReduceMean(values, [3, 5], keepdims=0)

    values = either(op, op.Less(op.Squeeze(count, [0]), 1.5), enlarged, averaged)
    colours, crop_hole = op.Split(values, [3, 1], axis=1, _outputs=2)
    picture = op.Div(op.Clip(op.Round(colours), 0.0, 255.0), 255.0)
    inside = op.ReduceMin(ones(op, _within(op, centres(op, fixed(op, [size])), limits)), [2], keepdims=0)
    return picture, ones(op, op.Greater(crop_hole, 0.0)), op.Reshape(inside, [1, 1, size, size])


def _crop_window(op: Op, corner: Value, across: Value, limits: Value) -> tuple[Value, Value]:
    """The part of the photo that a crop needs: its start and end, (x, y) each. limits: the photo's size."""
    down = _turned(op, across)
    corners = op.Concat(
        corner, op.Add(corner, across), op.Add(corner, down), op.Add(op.Add(corner, across), down), axis=0
    )
    low, high = op.ReduceMin(corners, [0], keepdims=0), op.ReduceMax(corners, [0], keepdims=0)
    # The window includes the pixels that are mirrored, and 4 more for the interpolation.
    margin = op.Add(op.Max(op.ReduceMax(op.Concat(op.Neg(low), op.Sub(high, limits), axis=0), [0]), 0.0), 4.0)
    start = op.Max(op.Min(op.Floor(op.Sub(low, margin)), op.Sub(limits, 1.0)), 0.0)
    return start, op.Min(op.Max(op.Ceil(op.Add(high, margin)), op.Add(start, 1.0)), limits)


def paste(
    op: Op, image: Value, mask: Value, corner: Value, across: Value, drawing: Value, size: int, membrane: ir.Model
) -> Value:
    """The photo with its hole filled from a drawing (1, 5, S, S) of ``modules.Drawing``: uint8 (1, H, W, 3).

    membrane: ``modules.Membrane``, exported.
    """
    limits, start, end, part, flags = _window(op, image, mask)
    hole, rim = _hole_and_rim(op, flags)
    side = _length(op, across)
    axes = op.Div(op.Concat(across, _turned(op, across), axis=0), op.Mul(side, side))
    drawing = _shrunk(op, drawing, side, size)

    def drawn_at(pixels: Value) -> tuple[Value, Value]:
        """The drawing's channels at pixels of the window, (N, 5), and whether they are in the crop, (N, 1)."""
        centres = op.Add(op.Cast(op.Add(pixels, start), to=FLOAT), 0.5)
        from_corner = op.Sub(op.Gather(centres, [1, 0], axis=1), corner)
        at = op.MatMul(from_corner, op.Transpose(axes, perm=[1, 0]))  # in shares of the crop's side
        grid = op.Unsqueeze(op.Sub(op.Mul(at, 2.0), 1.0), [0, 1])
        values = op.Clip(_sampled(op, drawing, grid, "bicubic"), 0.0, 1.0)
        return values, op.ReduceMin(ones(op, _within(op, at, 1.0)), [1])

    photo = op.Div(op.Cast(op.GatherND(op.Squeeze(part, [0]), rim), to=FLOAT), 255.0)
    drawn, inside = drawn_at(rim)
    drawn = op.Slice(drawn, [0], [3], [1])
    at_rim = op.Concat(op.Mul(op.Sub(photo, drawn), inside), inside, photo, _ones_like(op, inside), axis=1)
    drawn, inside = drawn_at(hole)
    face, closeness, share = op.Split(drawn, [3, 1, 1], axis=1, _outputs=3)
    share = op.Mul(share, inside)
    # Where the face fades out, it is also a boundary value of the fill outside the crop.
    fades = op.And(op.Greater(share, FADING[0]), op.Less(share, FADING[1]))
    band = op.Squeeze(op.NonZero(op.Squeeze(fades, [1])), [0])
    none = op.Expand(0.0, op.Concat(op.Shape(band), [4], axis=0))
    at_band = op.Concat(none, op.Gather(face, band), _ones_like(op, op.Gather(share, band)), axis=1)
    known = [(rim, at_rim), (op.Gather(hole, band), at_band)]
    correction, outside = _interpolated(op, op.Sub(end, start), known, hole, membrane)
    face = op.Add(face, op.Mul(correction, closeness))
    value = op.Add(op.Mul(face, share), op.Mul(outside, op.Sub(1.0, share)))
    value = op.Cast(op.Round(op.Clip(op.Mul(value, 255.0), 0.0, 255.0)), to=UINT8)
    rows, across_rows = columns(op, op.Add(hole, start))
    indices = op.Add(op.Mul(rows, op.Slice(limits, [1], [2])), across_rows)
    return op.Reshape(op.ScatterND(op.Reshape(image, [-1, 3]), indices, value), op.Shape(image))


def _window(op: Op, image: Value, mask: Value) -> tuple[Value, Value, Value, Value, Value]:
    """The window around the hole and its rim; the whole photo if there is no hole.

    Returns the photo's size, the window's start and end, (y, x) each, and image and mask (uint8) in the window.
    """
    limits = op.Slice(op.Shape(mask), [1], [3])
    flags = op.Cast(mask, to=UINT8)
    edges = []
    for axis in (2, 1):
        line = op.Cast(op.Reshape(op.ReduceMax(flags, [0, axis]), [-1]), to=FLOAT)
        backwards = op.Slice(line, [-1], [-(1 << 31)], [0], [-1])
        edges.append((op.ArgMax(line, axis=0), op.Sub(op.Shape(line), op.ArgMax(backwards, axis=0))))
    start = op.Max(op.Sub(op.Concat(edges[0][0], edges[1][0], axis=0), RIM), 0)
    end = op.Min(op.Add(op.Concat(edges[0][1], edges[1][1], axis=0), RIM), limits)
    part, flags = (op.Slice(values, start, end, [1, 2]) for values in (image, flags))
    return limits, start, end, part, flags


def _hole_and_rim(op: Op, flags: Value) -> list[Value]:
    """The pixels (y, x) of the hole and of its rim, int64 (N, 2) each, of a mask uint8 (1, H, W)."""
    near = op.MaxPool(op.Unsqueeze(flags, [1]), kernel_shape=[2 * RIM + 1] * 2, pads=[RIM] * 4)
    hole = op.Cast(op.Squeeze(flags, [0]), to=BOOL)
    rim = op.And(op.Cast(op.Squeeze(near, [0, 1]), to=BOOL), op.Not(hole))
    return [op.Transpose(op.NonZero(pixels), perm=[1, 0]) for pixels in (hole, rim)]


def _interpolated(
    op: Op, shape: Value, known: Sequence[tuple[Value, Value]], hole: Value, membrane: ir.Model
) -> Sequence[Value]:
    """Two fields of three channels at the hole's pixels, (N, 3) each, interpolated by the membrane.

    shape: of the window, (height, width). known: pixels (M, 2) and their values (M, 8): three channels and the number
    of values, of each field.
    """
    shape = op.Cast(shape, to=FLOAT)
    cell = op.Max(op.Div(op.ReduceMax(shape, [0]), float(LARGEST_MAP)), 1.0)  # pixels
    sides = multiples(op, op.Cast(op.Ceil(op.Div(shape, cell)), to=INT64), modules.Membrane.MULTIPLE)
    height, width = op.Split(sides, num_outputs=2, axis=0, _outputs=2)

    def on_map(pixels: Value) -> Value:
        return op.Div(op.Add(op.Cast(pixels, to=FLOAT), 0.5), cell)

    def indices(pixels: Value) -> Value:
        row, column = columns(op, op.Cast(on_map(pixels), to=INT64))
        return op.Add(op.Mul(row, width), column)

    cells = op.Expand(0.0, op.Concat(op.Mul(height, width), [8], axis=0))
    for pixels, values in known:
        cells = op.ScatterND(cells, indices(pixels), values, reduction="add")
    cells = op.Transpose(cells, perm=[1, 0])
    (filled,) = inlined(op, membrane, "membrane", op.Reshape(cells, op.Concat([2, 4], height, width, axis=0)))
    filled = op.Reshape(filled, op.Concat([1, 6], height, width, axis=0))
    grid = op.Sub(op.Mul(op.Div(on_map(hole), op.Cast(sides, to=FLOAT)), 2.0), 1.0)
    grid = op.Unsqueeze(op.Gather(grid, [1, 0], axis=1), [0, 1])
    return columns(op, _sampled(op, filled, grid, "bilinear"))


# ---- parts ----


def _turned(op: Op, vector: Value) -> Value:
    """A vector (x, y), float32 (1, 2), turned by 90 degrees from right to down (y points down)."""
    x, y = columns(op, vector)
    return op.Concat(op.Neg(y), x, axis=1)


def _length(op: Op, vector: Value) -> Value:
    """The length of a vector (1, 2): (1, 1)."""
    return op.Sqrt(op.ReduceSum(op.Mul(vector, vector), [1]))


def _ones_like(op: Op, values: Value) -> Value:
    """Ones in the shape of ``values``."""
    return op.Expand(1.0, op.Shape(values))


def _within(op: Op, coordinates: Value, size: Any) -> Value:
    """Which coordinates are from 0 to ``size``: bool."""
    return op.And(op.GreaterOrEqual(coordinates, 0.0), op.LessOrEqual(coordinates, size))


def _flipped(op: Op, vector: Value) -> Value:
    """(x, y) float -> (y, x) int64."""
    return op.Cast(op.Gather(vector, [1, 0]), to=INT64)


def _sampled(op: Op, planes: Value, grid: Value, mode: str) -> Value:
    """Planes (1, C, h, w) at N coordinates: (N, C)."""
    values = op.GridSample(planes, grid, mode=_mode(op, mode), padding_mode="border", align_corners=0)
    return op.Transpose(op.Squeeze(values, [0, 2]), perm=[1, 0])


def _mode(op: Op, name: str) -> str:
    """The name of a mode: opset 20 renamed "bilinear" and "bicubic" to "linear" and "cubic"."""
    return name.removeprefix("bi") if op.builder.graph.opset_imports[""] >= 20 else name


def _shrunk(op: Op, planes: Value, side: Value, size: int) -> Value:
    """Planes (1, C, S, S) reduced by averaging to ``side`` if that is less than S, else unchanged."""

    def smaller(op: Op) -> Value:
        count = op.Max(op.Round(op.Reshape(side, [1])), 1.0)
        step = op.Div(float(size), count)
        starts = op.Unsqueeze(op.Mul(op.Range(0.0, op.Squeeze(count, [0]), 1.0), step), [1])
        first, last = fixed(op, np.arange(size)), fixed(op, np.arange(1, size + 1))
        common = op.Sub(op.Min(op.Add(starts, step), last), op.Max(starts, first))
        shares = op.Div(op.Max(common, 0.0), step)  # (count, S): the share of each pixel in each output pixel
        return op.MatMul(op.MatMul(shares, planes), op.Transpose(shares, perm=[1, 0]))

    return either(op, op.Less(op.Squeeze(side, [0, 1]), float(size)), smaller, lambda op: op.Identity(planes))
