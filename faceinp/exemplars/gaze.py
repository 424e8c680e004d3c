"""Correct the gaze of a mirrored eye: find the iris between the corners of the eye, and shift it.

The lids of two eyes are mirror images, the irises are not: when the face looks left, a mirrored eye looks right.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.exemplar import SIZE, AlignedFace
from faceinp.exemplars.warp import Map, centres
from faceinp.photo.arrays import Floats

EYES = (slice(36, 42), slice(42, 48))  # the eye on the left of the picture, the one on the right
WIDTH, HEIGHT = 48, 32  # of the patch in which an iris is searched: the corners lie at its left and right border
# Lengths below are in widths of the eye, from corner to corner.
IRIS_RADII = (0.19, 0.22)
MIN_CONTRAST = 0.12  # of an iris to the rest of the eye; below, its position is uncertain
MIN_CONTRAST_OPEN = 0.15  # of the iris of an open eye
MAX_SLOPE_RATIO_CLOSED = 0.55  # mean horizontal over mean vertical gradient of a closed eye
OUTWARD_OFFSET = 0.055  # of irises towards the outer corner when a person looks straight; mean of 330 faces
MIN_GAZE = 0.06  # offset of an iris; below, the gaze counts as straight, since irises are located no better
MAX_SHIFT = 0.4  # of an iris; beyond, the eye is left to the engine
MAX_OFFSET = 0.22  # of a shifted iris from the centre
MIN_WHITE = 0.06  # of white beside an iris, to be widened where the iris moves away


def no_shift() -> tuple[Floats, Floats]:
    """The result of ``correct`` where the gaze needs no correction."""
    return np.zeros((SIZE, SIZE, 2), np.float32), np.ones((SIZE, SIZE), np.float32)


def correct(target: AlignedFace, source: AlignedFace, mapping: Map) -> tuple[Floats, Floats]:
    """The shift that gives a mirrored eye the gaze of the other eye.

    target: the face, with one hidden eye. source: its other half. mapping: from target to source. Returns (shift,
    confidence): float32 (SIZE, SIZE, 2), shares of the side to subtract from the target's coordinates before
    ``mapping``; float32 (SIZE, SIZE), 0 where the iris cannot be shifted, 1 elsewhere.
    """
    shift, confidence = no_shift()
    red = np.ascontiguousarray(target.pixels[..., 0])
    for eye, other in (EYES, EYES[::-1]):
        if target.knows(target.points[eye]).sum() > 3 or not target.knows(target.points[other]).all():
            continue
        offset, contrast = iris(red, target.points[other] * SIZE)
        aside = offset - (-OUTWARD_OFFSET if other == EYES[0] else OUTWARD_OFFSET)
        if contrast < MIN_CONTRAST or abs(aside) < MIN_GAZE:
            continue
        corners = _inverse(mapping, source.points[eye][[0, 3]])
        across = corners[1] - corners[0]
        u, v = _coordinates(corners)
        level = np.clip((0.5 - np.abs(v)) / 0.15, 0, 1)
        mirrored, radius = -offset, IRIS_RADII[0]
        wanted = float(np.clip(mirrored + 2 * aside, -MAX_OFFSET, MAX_OFFSET))
        if 0.5 - abs(mirrored) - radius < MIN_WHITE or abs(2 * aside) > MAX_SHIFT:
            confidence *= 1 - level * np.clip((0.65 - np.abs(u)) / 0.1, 0, 1)
            continue
        knots = [-0.5, wanted - radius, wanted + radius, 0.5]
        sampled = np.interp(u, knots, [-0.5, mirrored - radius, mirrored + radius, 0.5])
        within = level * (np.abs(u) < 0.5)
        shift += ((u - sampled) * within)[..., None] * across
    return shift.astype(np.float32), confidence.astype(np.float32)


def iris(channel: Floats, eye: Floats) -> tuple[float, float]:
    """Locate the iris, the darkest disc in an eye.

    channel: float32 (S, S) in [0, 1]; red, in which irises of all colours are darker than skin and white. eye: (6, 2),
    its landmarks in pixels. Returns (offset, contrast): the position along the line from the left to the right corner,
    0 in the middle, in widths of the eye; how much darker the disc is than the rest of the eye.
    """
    patch, to_patch = _patch(channel, eye)
    outline = eye @ to_patch[:, :2].T + to_patch[:, 2]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    inside = mask.astype(np.float32)
    total, count = float((patch * inside).sum()), float(inside.sum())
    middle = np.abs((np.arange(WIDTH) + 0.5) / WIDTH - 0.5) < 0.3
    best, offset = 0.0, 0.0
    for radius in IRIS_RADII:
        reach = int(np.ceil(radius * WIDTH))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = (x**2 + y**2 <= (radius * WIDTH) ** 2).astype(np.float32)
        sums, counts = (cv2.filter2D(a, -1, disc, borderType=cv2.BORDER_CONSTANT) for a in (patch * inside, inside))
        contrast = (total - sums) / np.maximum(count - counts, 1) - sums / np.maximum(counts, 1)
        allowed = (counts > 0.45 * disc.sum()) & (count - counts > 0.2 * count) & middle
        contrast = np.where(allowed, contrast, 0)
        at = np.unravel_index(contrast.argmax(), contrast.shape)
        if contrast[at] > best:
            best, offset = float(contrast[at]), float((at[1] + 0.5) / WIDTH - 0.5)
    return offset, best


def is_closed(grey: Floats, eye: Floats) -> bool:
    """Whether an eye shows no iris and mostly horizontal lines, which are the lids.

    grey: float32 (S, S) in [0, 1]. eye: as for ``iris``.
    """
    if iris(grey, eye)[1] >= MIN_CONTRAST_OPEN:
        return False
    down, across = np.gradient(cv2.GaussianBlur(_patch(grey, eye)[0], (0, 0), 1))
    rows, columns = np.s_[HEIGHT // 5 : -HEIGHT // 5], np.s_[WIDTH // 5 : -WIDTH // 5]
    slopes = np.abs(across[rows, columns]).mean(), np.abs(down[rows, columns]).mean()
    return bool(slopes[0] < MAX_SLOPE_RATIO_CLOSED * slopes[1])


def _patch(channel: Floats, eye: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """A level cut of an eye, (HEIGHT, WIDTH), with corners in the middle of both borders; and the map to it, (2, 3)."""
    across = eye[3] - eye[0]
    down = np.array([-across[1], across[0]])
    to_picture = np.column_stack([across / WIDTH, down / WIDTH, eye[0] - down * (HEIGHT / WIDTH / 2)])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(channel, to_picture, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(patch, np.float32), np.asarray(cv2.invertAffineTransform(to_picture), np.float64)


def _inverse(mapping: Map, points: Floats) -> Floats:
    """The coordinates that ``mapping`` maps to ``points`` (K, 2), to a pixel: (K, 2)."""
    grid = mapping.grid(SIZE)
    nearest = [int(((grid - point) ** 2).sum(axis=-1).argmin()) for point in points]
    return np.array([((n % SIZE + 0.5) / SIZE, (n // SIZE + 0.5) / SIZE) for n in nearest], np.float32)


def _coordinates(corners: Floats) -> tuple[Floats, Floats]:
    """Coordinates of each pixel along an eye, -.5 to .5 from corner to corner, and across it: (SIZE, SIZE) each."""
    across = corners[1] - corners[0]
    length = max(float(across @ across), 1e-9)
    offsets = centres(SIZE) - corners.mean(axis=0)
    return offsets @ across / length, (offsets @ np.array([-across[1], across[0]])) / length
