"""Fill a hole from generated faces and, outside them, from its surroundings, without an edge between the two.

Outside the faces, texture is continued by patches (``patches``). If that takes too long, narrow parts of the hole, such
as scratches on a large photo, are filled smoothly, and wide parts on a smaller copy. The generated faces count as known
there, so that lines continue from one into the other. At the border of a face crop both are cross-faded, and one blend
joins their gradients (``layers``). No patch is copied from a face.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend import blending as blend
from faceinp.blend import patches
from faceinp.blend.layers import Layer, mix
from faceinp.exemplars.sources import ENGINE, SURROUNDINGS
from faceinp.face import faces
from faceinp.photo.arrays import Bools, Floats, Pixels, Window, bounding_window, resize
from faceinp.photo.grain import Grain

# Width of the cross-fade between a generated face and the hole beyond its crop, as a share of the crop's side. Hair,
# clothes and background are softer in the generated picture than in patches, so a short fade would show as a line.
FADE = 0.12
# The cost of PatchMatch, in hole pixels, of 25 microseconds each.
MAX_COST = 100_000
SEARCHED_PIXEL_COST = 1 / 40
NARROW = 0.004  # half width of parts that are filled smoothly above MAX_COST, as a share of the photo's long side
MIN_MARGIN = 24  # pixels around a part of the hole in which patches are searched; else half the part's side
MIN_SOURCES = 0.5  # patches for each hole pixel; fewer repeat visibly
MIN_WEIGHT = 1e-3  # smaller weights are rounding errors
SMOOTH_SIDE = 1024  # of the copy that Telea fills: its cost grows with the hole, and its result is smooth
# The ellipse of a face in an FFHQ crop, from hairline to chin, as shares of its side. It is wider than
# ``faces.outline``, so that nothing of a face is copied.
FACE_CENTRE = (0.5, 0.56)
FACE_HALF_AXES = (0.31, 0.4)

NO_LIBRARY = (
    "PatchMatch is not installed with its compiled part, so the surroundings were filled smoothly, without texture. "
    + patches.INSTALL
)
NO_SOURCES = "Too little is known around the hole to continue its texture, so it was filled smoothly there."


class GeneratedFace(NamedTuple):
    """The engine's picture of a face.

    picture: float32 (S, S, 3) in [0, 1]. quad: (4, 2), the crop's corners in photo pixels, as ``faces.quad`` returns
    them.
    """

    picture: Floats
    quad: NDArray[np.float64]


class FilledPhoto(NamedTuple):
    """A filled photo.

    image: uint8 (H, W, 3), known pixels unchanged bit for bit. sources: uint8 (H, W), 0 known, 1 engine, 3
    surroundings; the one with the larger weight where both are mixed. notes: fallbacks, a sentence each.
    """

    image: Pixels
    sources: Pixels
    notes: tuple[str, ...]


def fill(
    pixels: Pixels,
    hole: Bools,
    generated: Sequence[GeneratedFace] = (),
    *,
    avoid: Bools | None = None,
    grain: Grain | None = None,
    seed: int = 0,
    blending: Callable[..., Pixels] = blend.poisson,
    match_edge: Callable[[Pixels, Bools, Window], Pixels] | None = None,
) -> FilledPhoto:
    """Fill a hole from generated faces and from its surroundings.

    pixels: uint8 (H, W, 3). hole: bool (H, W), True = hole, not empty. generated: the faces that an engine completed;
    where crops overlap, the one in which a pixel lies farther inside has the larger weight. avoid: bool (H, W), True
    where no patch may be copied from; None: ``face_areas`` of the quads. grain: added except to copied patches, which
    have their own. seed: of patches and grain. blending: ``blend.poisson`` or ``blend.composite``. match_edge: from
    (pixels, hole, window), the known pixels of a window that the blend uses as boundary values; they are not changed in
    the result.
    """
    window = bounding_window(hole, margin=1)
    part = hole[window]
    layers = _face_layers(generated, hole, window)
    rest = np.ones(part.shape, np.float32)
    for layer in layers:
        rest[layer.window] -= layer.weights
    rest[rest < MIN_WEIGHT] = 0
    grainless = part
    notes: list[str] = []
    if (part & (rest > 0)).any():
        avoid = face_areas([one.quad for one in generated], hole.shape) if avoid is None else avoid
        missing = np.zeros_like(hole)
        missing[window] = part & (rest > 0)
        picture, copied, full_size, notes = _continue(
            _with_faces(pixels, layers, hole, window), missing, avoid, window, seed
        )
        pieces = copied if copied.any() else None
        layers.append(Layer(picture, rest, np.s_[0 : part.shape[0], 0 : part.shape[1]], pieces))
        grainless = part & ~(full_size & (rest >= 0.5))
    frame, steps = mix(layers, part)
    if grain is not None:
        grain.add(frame, grainless, seed)
    image = pixels.copy()
    known = pixels[window] if match_edge is None else match_edge(pixels[window], part, window)
    image[window][part] = blending(known, frame, part, steps)[part]
    sources = np.zeros(hole.shape, np.uint8)
    sources[window][part] = np.where(rest[part] > 0.5, SURROUNDINGS, ENGINE)
    return FilledPhoto(image, sources, tuple(notes))


def face_areas(quads: Sequence[NDArray[np.floating]], shape: tuple[int, ...]) -> Bools:
    """An ellipse from hairline to chin for each face: bool (H, W), True inside.

    quads: (4, 2), as ``faces.quad`` returns them. shape: (H, W, ...) of the photo.
    """
    areas = np.zeros(shape[:2], np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(areas, np.rint(faces.ellipse(quad, FACE_CENTRE, FACE_HALF_AXES)).astype(np.int32), 1)
    return areas > 0


# ---- generated faces ----


class _PastedFace(NamedTuple):
    """A generated face at the photo's resolution.

    frame: float32 (h, w, 3). depth: float32 (h, w), as ``_depth``, 0 outside the crop. window: in the hole's window.
    side: the crop's, in photo pixels.
    """

    frame: Floats
    depth: Floats
    window: Window
    side: float


def _face_layers(generated: Sequence[GeneratedFace], hole: Bools, window: Window) -> list[Layer]:
    """The generated faces as layers. Weights sum to 1 and fade to 0 towards the hole outside all crops."""
    part, top, left = hole[window], window[0].start, window[1].start
    pasted: list[_PastedFace] = []
    total, outside = np.zeros(part.shape, np.float32), part.copy()
    for picture, quad in generated:
        frame, inside, (rows, columns) = faces.paste(picture, quad, hole.shape, hole)
        if inside.any():
            own = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            depth = np.where(inside, _depth(quad, rows, columns), np.float32(0))
            pasted.append(_PastedFace(frame, depth, own, faces.side(quad)))
            outside[own] &= ~inside
    layers = [Layer(face.frame, _overlap_weights(face, pasted), face.window) for face in pasted]
    for layer in layers:
        total[layer.window] += layer.weights
    for layer, face in zip(layers, pasted, strict=True):
        layer.weights[...] /= np.maximum(total[layer.window], np.float32(1e-30))
        layer.weights[...] *= _fade(outside, layer.window, FADE * face.side)
    return layers


def _overlap_weights(face: _PastedFace, pasted: Sequence[_PastedFace]) -> Floats:
    """1 in the crop, cross-faded with other crops where a pixel lies equally far inside both: float32 (h, w)."""
    depth = face.depth
    weights = (depth > 0).astype(np.float32)
    for other in pasted:
        if other is not face:
            own, its = _intersect(face.window, other.window)
            lead = np.clip((depth[own] - other.depth[its]) / FADE + 0.5, 0, 1)
            lead = lead * np.clip(2 * depth[own] / FADE, 0, 1)  # 0 at the crop's own border
            weights[own] *= np.maximum(lead, np.float32(1e-6))
    return weights


def _with_faces(pixels: Pixels, layers: Sequence[Layer], hole: Bools, window: Window) -> Pixels:
    """The photo with the generated faces in the hole where their weight is 1."""
    known, part = pixels.copy(), hole[window]
    for layer in layers:
        done = (layer.weights >= 1) & part[layer.window]
        known[window][layer.window][done] = np.rint(255 * layer.picture[done])
    return known


def _depth(quad: NDArray[np.float64], rows: slice, columns: slice) -> Floats:
    """The distance of pixels to the border of a crop, in sides: 0 at the border, 0.5 in the centre; float32 (h, w)."""
    y, x = (np.arange(at.start, at.stop) + 0.5 for at in (rows, columns))
    axes = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]]))
    depth = np.full((len(y), len(x)), 0.5, np.float32)
    for k in (0, 1):
        along = ((x - quad[0, 0]) * axes[0, k])[None, :] + ((y - quad[0, 1]) * axes[1, k])[:, None]
        np.minimum(depth, np.minimum(along, 1 - along), out=depth, casting="same_kind")
    return np.maximum(depth, np.float32(1e-6))


def _intersect(one: Window, other: Window) -> tuple[Window, Window]:
    """The intersection of two windows, relative to the first and relative to the second."""
    in_one, in_other = [], []
    for a, b in zip(one, other, strict=True):
        start = max(a.start, b.start)
        stop = max(start, min(a.stop, b.stop))
        in_one.append(slice(start - a.start, stop - a.start))
        in_other.append(slice(start - b.start, stop - b.start))
    return (in_one[0], in_one[1]), (in_other[0], in_other[1])


def _fade(outside: Bools, window: Window, width: float) -> Floats | np.float32:
    """The distance of each pixel of the window to the hole ``outside`` all crops, in ``width``, at most 1."""
    border = int(np.ceil(width))
    near = tuple(slice(max(0, at.start - border), at.stop + border) for at in window)
    if not outside[near].any():
        return np.float32(1)
    distance = cv2.distanceTransform((~outside[near]).astype(np.uint8), cv2.DIST_L2, 3)
    inner = tuple(slice(at.start - n.start, at.stop - n.start) for at, n in zip(window, near, strict=True))
    return np.clip(np.asarray(distance[inner], np.float32) / np.float32(width), 0, 1)


# ---- surroundings ----


def _continue(
    pixels: Pixels, missing: Bools, avoid: Bools, window: Window, seed: int
) -> tuple[Floats, Bools, Bools, list[str]]:
    """Continue known pixels into the missing ones, for a window of the photo.

    pixels: uint8 (H, W, 3). missing: bool (H, W). avoid: bool (H, W), as for ``fill``. Returns the window's frame,
    float32 (h, w, 3) in [0, 1]; bool (h, w), pixels from patches; bool (h, w), pixels from patches at the photo's own
    resolution; notes.
    """
    frame = _smooth(pixels[window], missing[window])
    copied, full_size = np.zeros_like(missing[window]), np.zeros_like(missing[window])
    if patches.library() is None:
        return frame, copied, full_size, [NO_LIBRARY]
    notes = []
    wide, parts, scale = _plan(missing)
    everywhere = np.s_[0 : missing.shape[0], 0 : missing.shape[1]]
    for part in parts:
        area = next((area for area in (part, everywhere) if _has_sources(missing[area], wide[area], avoid[area])), None)
        if area is None:
            notes = [NO_SOURCES]
            continue
        filled = _fill_with_patches(pixels[area], missing[area], avoid[area], scale, seed)
        in_window, in_area = _intersect(window, area)
        # Known pixels beside the hole, too: guidance is a difference of two pixels of one picture.
        selected = cv2.dilate(wide[area].astype(np.uint8), np.ones((3, 3), np.uint8))[in_area] > 0
        selected &= (wide | ~missing)[area][in_area]
        frame[in_window][selected] = filled[in_area][selected].astype(np.float32) / np.float32(255)
        copied[in_window] |= selected
        if scale == 1:
            full_size[in_window] |= selected
    return frame, copied, full_size, notes


def _plan(missing: Bools) -> tuple[Bools, list[Window], float]:
    """(what to fill by patches, bool (H, W); the windows to search; the scale of the copy), within MAX_COST."""
    if np.count_nonzero(missing) < MAX_COST:
        parts = _parts(missing)
        if _scale(missing, parts) == 1:
            return missing, parts, 1.0
    wide = _wide(missing, NARROW * max(missing.shape))
    parts = _parts(wide)
    return wide, parts, _scale(wide, parts)


def _has_sources(missing: Bools, wide: Bools, avoid: Bools) -> bool:
    """Whether there are enough known pixels to fill ``wide`` with patches; bool (H, W) all three."""
    return bool(np.count_nonzero(~(missing | avoid)) >= MIN_SOURCES * np.count_nonzero(wide))


def _fill_with_patches(pixels: Pixels, missing: Bools, avoid: Bools, scale: float, seed: int) -> Pixels:
    """``patches.fill`` on a copy of ``scale`` times the size."""
    if scale == 1:
        return patches.fill(pixels, missing, seed, avoid)
    height, width = missing.shape
    small, covered = _shrink(pixels, missing, scale)
    filled = patches.fill(small, covered, seed, faces.shrink_hole(avoid, covered.shape))
    return np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _parts(missing: Bools) -> list[Window]:
    """Windows of the missing pixels in which to search for patches: one for each separate part, or one for all."""
    if not missing.any():
        return []
    near = cv2.dilate(missing.astype(np.uint8), np.ones((MIN_MARGIN, MIN_MARGIN), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(near)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:].tolist()])
    whole = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    windows = [_widened(box, missing.shape) for box in boxes.tolist()]
    one = _widened(whole, missing.shape)
    return windows if sum(map(_area, windows)) < _area(one) else [one]


def _widened(box: Sequence[int], shape: tuple[int, ...]) -> Window:
    left, top, right, bottom = box
    margin = max(MIN_MARGIN, right - left, bottom - top) // 2
    return (
        slice(max(0, top - margin), min(shape[0], bottom + margin)),
        slice(max(0, left - margin), min(shape[1], right + margin)),
    )


def _area(window: Window) -> int:
    return (window[0].stop - window[0].start) * (window[1].stop - window[1].start)


def _scale(missing: Bools, parts: Sequence[Window]) -> float:
    """The largest scale of a copy whose cost is within MAX_COST, at most 1."""
    cost = np.count_nonzero(missing) + SEARCHED_PIXEL_COST * sum(map(_area, parts))
    return min(1.0, (MAX_COST / cost) ** 0.5) if cost else 1.0


def _wide(missing: Bools, radius: float) -> Bools:
    """The missing pixels without narrow parts, bool (H, W): a morphological opening, with its corners restored."""
    square = np.ones((2 * round(radius) + 1,) * 2, np.uint8)
    wide = cv2.morphologyEx(missing.astype(np.uint8), cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE)
    return missing & (cv2.dilate(wide, square) > 0)


def _smooth(pixels: Pixels, missing: Bools) -> Floats:
    """Telea's fill of ``missing``, float32 (H, W, 3) in [0, 1], on a copy of at most SMOOTH_SIDE pixels."""
    height, width = missing.shape
    small, covered = _shrink(pixels, missing, min(1.0, SMOOTH_SIDE / max(height, width)))
    filled = cv2.inpaint(small, covered.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(np.asarray(filled, np.float32) / np.float32(255), (width, height)))


def _shrink(pixels: Pixels, missing: Bools, scale: float) -> tuple[Pixels, Bools]:
    """Both at ``scale`` times the size; a pixel that overlaps a missing one is missing."""
    height, width = missing.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = resize(pixels, *size)
    return small, faces.shrink_hole(missing, small.shape)
