"""A hole filled from what engines drew of faces and, elsewhere, from its surroundings, without an edge between them.

Beside the faces, texture is continued by patches (``patches.py``). Where that would take too long, narrow parts of the
hole, such as scratches on a large photo, close smoothly, and wide ones are filled on a smaller copy. What engines drew
counts as known there, so that lines go on from one into the other; along the border of a face crop the two cross-fade,
and their gradients are joined in one solve (``layers.py``). No patch comes from a face.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend import blending as blend
from faceinp.blend import patches
from faceinp.blend.layers import Layer, mix
from faceinp.exemplars import ENGINE, SURROUNDINGS
from faceinp.face import faces
from faceinp.photo.grain import Grain

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Window = tuple[slice, slice]

# Of a crop's side: so far from where the hole goes on beyond the crop an engine's picture has faded in fully. There its
# hair, clothes and background are softer than what patches make, and a short fade would show as a line.
FADE = 0.12
# What PatchMatch may take: hole pixels, of 25 microseconds each; a pixel that is searched costs a 40th of that.
BUDGET, SEARCHED = 100_000, 1 / 40
NARROW = 0.004  # of the photo's long side: the half width of what closes smoothly where the budget does not reach
MARGIN = 24  # pixels at least around a part of the hole in which patches are looked for, else half the part's side
FEWEST = 0.5  # sources of patches for each hole pixel; fewer repeat themselves visibly
TRACE = 1e-3  # weights below this are rounding errors
SMOOTH_SIDE = 1024  # of the copy that Telea fills: its cost grows with the hole, and what it makes is smooth anyway
# The face in an FFHQ crop, as shares of its side: centre and half axes of an ellipse from hairline to chin, wider than
# ``faces.outline``, as nothing of a face may be copied.
FACE_CENTRE, FACE_AXES = (0.5, 0.56), (0.31, 0.4)

NO_LIBRARY = (
    "PatchMatch is not installed with its compiled part, so the surroundings were continued smoothly, without texture. "
    + patches.INSTALL
)
NO_SOURCES = "Too little is known around the hole to continue its texture: it was filled smoothly there."


class Drawn(NamedTuple):
    """What an engine drew of a face. picture: float32 (S, S, 3) in [0, 1]. quad: (4, 2), the crop's corners in photo
    pixels, as ``faces.quad`` returns them."""

    picture: Floats
    quad: NDArray[np.float64]


class Filled(NamedTuple):
    """image: uint8 (H, W, 3), known pixels to the bit. sources: uint8 (H, W), 0 known, 1 engine, 3 surroundings; where
    both have a part, the larger. notes: fallbacks, a sentence each."""

    image: Pixels
    sources: Pixels
    notes: tuple[str, ...]


def fill(
    pixels: Pixels,
    hole: Hole,
    drawn: Sequence[Drawn] = (),
    *,
    avoid: Hole | None = None,
    grain: Grain | None = None,
    seed: int = 0,
    blending: Callable[..., Pixels] = blend.poisson,
    match_edge: Callable[[Pixels, Hole, Window], Pixels] | None = None,
) -> Filled:
    """Fill a hole from pictures of faces, where there are any, and from its surroundings.

    pixels: uint8 (H, W, 3). hole: bool (H, W), not empty. drawn: of each face that an engine completed; where crops
    overlap, that face leads whose crop reaches further around. avoid: bool (H, W), of which nothing is copied: faces;
    None takes ``face_areas`` of the quads. grain: added to all but what is copied, which has its own. seed: of patches
    and grain. blending: ``blend.poisson`` or ``blend.composite``. match_edge: gives the known
    pixels of a window of the photo, with its hole, as the blend should see them; they leave as they are.
    """
    window = blend.around(hole)
    part = hole[window]
    layers = _engine_layers(drawn, hole, window)
    rest = np.ones(part.shape, np.float32)
    for layer in layers:
        rest[layer.window] -= layer.weights
    rest[rest < TRACE] = 0
    grainless = part
    notes: list[str] = []
    if (part & (rest > 0)).any():
        avoid = face_areas([one.quad for one in drawn], hole.shape) if avoid is None else avoid
        known = pixels.copy()
        for layer in layers:
            done = (layer.weights >= 1) & part[layer.window]
            known[window][layer.window][done] = np.rint(255 * layer.picture[done])
        missing = np.zeros_like(hole)
        missing[window] = part & (rest > 0)
        picture, copied, fine, notes = _continue(known, missing, avoid, window, seed)
        pieces = copied if copied.any() else None
        layers.append(Layer(picture, rest, np.s_[0 : part.shape[0], 0 : part.shape[1]], pieces))
        grainless = part & ~(fine & (rest >= 0.5))
    frame, steps = mix(layers, part)
    if grain is not None:
        grain.add(frame, grainless, seed)
    image = pixels.copy()
    known = pixels[window] if match_edge is None else match_edge(pixels[window], part, window)
    image[window][part] = blending(known, frame, part, steps)[part]
    sources = np.zeros(hole.shape, np.uint8)
    sources[window][part] = np.where(rest[part] > 0.5, SURROUNDINGS, ENGINE)
    return Filled(image, sources, tuple(notes))


def face_areas(quads: Sequence[NDArray[np.floating]], shape: tuple[int, ...]) -> Hole:
    """Where faces are in a photo of ``shape`` (H, W, ...): bool (H, W), True in the ellipse of the face of each crop.

    quads: (4, 2), as ``faces.quad`` returns them. Hair, neck and background of the crops stay outside.
    """
    areas = np.zeros(shape[:2], np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(areas, np.rint(faces.ellipse(quad, FACE_CENTRE, FACE_AXES)).astype(np.int32), 1)
    return areas > 0


# ---- what engines drew ----


def _engine_layers(drawn: Sequence[Drawn], hole: Hole, window: Window) -> list[Layer]:
    """The pictures at the photo's resolution. Weights sum to 1; they fade to 0 where the hole goes on beyond all."""
    part, top, left = hole[window], window[0].start, window[1].start
    pasted = []
    total, beyond = np.zeros(part.shape, np.float32), part.copy()
    for picture, quad in drawn:
        frame, inside, (rows, columns) = faces.paste(picture, quad, hole.shape, hole)
        if inside.any():
            here = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            depth = np.where(inside, _depth(quad, rows, columns), np.float32(0))
            pasted.append((frame, depth, here, faces.side(quad)))
            beyond[here] &= ~inside
    layers = []
    for frame, depth, here, side in pasted:
        weights = (depth > 0).astype(np.float32)
        for _, other, region, _ in pasted:
            if other is not depth:
                # Crops that overlap cross-fade where both reach equally far around; at its border each is out already.
                mine, its = _common(here, region)
                lead = np.clip((depth[mine] - other[its]) / FADE + 0.5, 0, 1) * np.clip(2 * depth[mine] / FADE, 0, 1)
                weights[mine] *= np.maximum(lead, np.float32(1e-6))
        total[here] += weights
        layers.append((Layer(frame, weights, here), side))
    for layer, side in layers:
        layer.weights[...] /= np.maximum(total[layer.window], np.float32(1e-30))
        layer.weights[...] *= _fade(beyond, layer.window, FADE * side)
    return [layer for layer, _ in layers]


def _depth(quad: NDArray[np.float64], rows: slice, columns: slice) -> Floats:
    """How far pixels of a part of the photo lie within a crop: 0 at its border, 0.5 in its middle; float32 (h, w)."""
    y, x = (np.arange(at.start, at.stop) + 0.5 for at in (rows, columns))
    axes = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]]))
    depth = np.full((len(y), len(x)), 0.5, np.float32)
    for k in (0, 1):
        along = ((x - quad[0, 0]) * axes[0, k])[None, :] + ((y - quad[0, 1]) * axes[1, k])[:, None]
        np.minimum(depth, np.minimum(along, 1 - along), out=depth, casting="same_kind")
    return np.maximum(depth, np.float32(1e-6))


def _common(one: Window, other: Window) -> tuple[Window, Window]:
    """What two windows have in common, as part of the one and as part of the other."""
    mine, its = [], []
    for a, b in zip(one, other, strict=True):
        start = max(a.start, b.start)
        stop = max(start, min(a.stop, b.stop))
        mine.append(slice(start - a.start, stop - a.start))
        its.append(slice(start - b.start, stop - b.start))
    return (mine[0], mine[1]), (its[0], its[1])


def _fade(beyond: Hole, window: Window, reach: float) -> Floats | np.float32:
    """0 to 1: how far each pixel of the window is from the hole ``beyond`` all crops, bool (H, W), up to ``reach``."""
    border = int(np.ceil(reach))
    near = tuple(slice(max(0, at.start - border), at.stop + border) for at in window)
    if not beyond[near].any():
        return np.float32(1)
    distance = cv2.distanceTransform((~beyond[near]).astype(np.uint8), cv2.DIST_L2, 3)
    inner = tuple(slice(at.start - n.start, at.stop - n.start) for at, n in zip(window, near, strict=True))
    return np.clip(np.asarray(distance[inner], np.float32) / np.float32(reach), 0, 1)


# ---- surroundings ----


def _continue(
    pixels: Pixels, missing: Hole, avoid: Hole, window: Window, seed: int
) -> tuple[Floats, Hole, Hole, list[str]]:
    """Known pixels continued into what is missing, for a window of the photo.

    pixels: uint8 (H, W, 3); missing, avoid: bool (H, W). Returns the window's frame, float32 (h, w, 3) in [0, 1]; which
    of its pixels are of patches; which of these are of the photo's own resolution; notes.
    """
    frame = _smooth(pixels[window], missing[window])
    copied, fine = np.zeros_like(missing[window]), np.zeros_like(missing[window])
    if patches.library() is None:
        return frame, copied, fine, [NO_LIBRARY]
    notes = []
    wide, parts, scale = missing, [], 0.0
    if np.count_nonzero(wide) < BUDGET:
        parts = _parts(wide)
        scale = _scale(wide, parts)
    if scale < 1:
        wide = _wide(missing, NARROW * max(missing.shape))
        parts = _parts(wide)
        scale = _scale(wide, parts)
    everywhere = np.s_[0 : missing.shape[0], 0 : missing.shape[1]]
    for part in parts:
        area = next((area for area in (part, everywhere) if _has_sources(missing[area], wide[area], avoid[area])), None)
        if area is None:
            notes = [NO_SOURCES]
            continue
        filled = _patched(pixels[area], missing[area], avoid[area], scale, seed)
        mine, its = _common(window, area)
        # Known pixels beside the hole as well: guidance is a difference of two pixels of one picture.
        selected = cv2.dilate(wide[area].astype(np.uint8), np.ones((3, 3), np.uint8))[its] > 0
        selected &= (wide | ~missing)[area][its]
        frame[mine][selected] = filled[its][selected].astype(np.float32) / np.float32(255)
        copied[mine] |= selected
        if scale == 1:
            fine[mine] |= selected
    return frame, copied, fine, notes


def _has_sources(missing: Hole, wide: Hole, avoid: Hole) -> bool:
    """Whether enough is known to fill what is ``wide`` with patches; bool (H, W) all three."""
    return bool(np.count_nonzero(~(missing | avoid)) >= FEWEST * np.count_nonzero(wide))


def _patched(pixels: Pixels, missing: Hole, avoid: Hole, scale: float, seed: int) -> Pixels:
    """``patches.fill``, on a copy of ``scale`` times the size."""
    if scale == 1:
        return patches.fill(pixels, missing, seed, avoid)
    height, width = missing.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small, covered = _shrink(pixels, missing, size)
    near = cv2.resize(avoid.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = patches.fill(small, covered, seed, near)
    return np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _parts(missing: Hole) -> list[Window]:
    """Windows of what is missing in which to look for patches: of each part that lies alone, or one for all."""
    if not missing.any():
        return []
    near = cv2.dilate(missing.astype(np.uint8), np.ones((MARGIN, MARGIN), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(near)
    boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:].tolist()]
    all_of_them = np.array(boxes)
    whole = [*all_of_them[:, :2].min(axis=0).tolist(), *all_of_them[:, 2:].max(axis=0).tolist()]
    windows = [_widened(box, missing.shape) for box in boxes]
    one = _widened(whole, missing.shape)
    return windows if sum(map(_area, windows)) < _area(one) else [one]


def _widened(box: Sequence[int], shape: tuple[int, ...]) -> Window:
    left, top, right, bottom = box
    margin = max(MARGIN, right - left, bottom - top) // 2
    return (
        slice(max(0, top - margin), min(shape[0], bottom + margin)),
        slice(max(0, left - margin), min(shape[1], right + margin)),
    )


def _area(window: Window) -> int:
    return (window[0].stop - window[0].start) * (window[1].stop - window[1].start)


def _scale(missing: Hole, parts: Sequence[Window]) -> float:
    """Of the copy on which the budget suffices, at most 1."""
    work = np.count_nonzero(missing) + SEARCHED * sum(map(_area, parts))
    return min(1.0, (BUDGET / work) ** 0.5) if work else 1.0


def _wide(missing: Hole, radius: float) -> Hole:
    """What is missing without its narrow parts, bool (H, W): a morphological opening, and corners as far again."""
    square = np.ones((2 * round(radius) + 1,) * 2, np.uint8)
    wide = cv2.morphologyEx(missing.astype(np.uint8), cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE)
    return missing & (cv2.dilate(wide, square) > 0)


def _smooth(pixels: Pixels, missing: Hole) -> Floats:
    """Telea's fill of ``missing``, float32 (H, W, 3) in [0, 1], made on a copy of at most SMOOTH_SIDE pixels."""
    height, width = missing.shape
    scale = min(1.0, SMOOTH_SIDE / max(height, width))
    small, covered = _shrink(pixels, missing, (max(1, round(width * scale)), max(1, round(height * scale))))
    filled = cv2.inpaint(small, covered.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(np.asarray(filled, np.float32) / np.float32(255), (width, height)))


def _shrink(pixels: Pixels, missing: Hole, size: tuple[int, int]) -> tuple[Pixels, Hole]:
    """Both at ``size`` (width, height); what has any part in something missing is missing."""
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    covered = cv2.resize(missing.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return small, np.asarray(covered) > 0
