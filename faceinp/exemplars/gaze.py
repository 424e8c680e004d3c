"""Where an eye looks: the iris between the corners of the opening, and the shift that makes a mirrored eye look along.

Lids are each other's mirror image, irises are not: a mirrored eye that looked left looks right, and the face squints.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.exemplar import SIZE, Crop
from faceinp.exemplars.warp import Map, centres

Floats = NDArray[np.float32]

EYES = (slice(36, 42), slice(42, 48))  # the eye on the left of the picture, the one on the right
WIDTH, HEIGHT = 48, 32  # of the patch in which an iris is looked for: the corners lie at its left and right border
RADII = (0.19, 0.22)  # of an iris, in widths of the opening
CLEAR = 0.12  # contrast of an iris to the rest of the opening, from which on its place is believed
OPEN, ACROSS = 0.15, 0.55  # contrast of an open eye's iris; how steep a closed one is across, over down
TEMPORAL = 0.055  # widths by which irises lie nearer to the outer corner when nobody looks aside; mean of 330 faces
STRAIGHT = 0.06  # widths aside up to which a gaze is taken to be straight: irises are found no better
ASIDE = 0.4  # widths by which an iris is moved at most; beyond, the eye is left to the engine
EDGE = 0.22  # widths from the middle to which an iris is moved at most
WHITE = 0.06  # widths of white beside an iris that can be widened where it moves away


def as_it_is() -> tuple[Floats, Floats]:
    """``along`` for pictures that are no mirror image."""
    return np.zeros((SIZE, SIZE, 2), np.float32), np.ones((SIZE, SIZE), np.float32)


def along(target: Crop, source: Crop, found: Map) -> tuple[Floats, Floats]:
    """For a target with one hidden eye that is filled with the mirror image of the other.

    Returns what to take away from the target's coordinates before ``found``, float32 (SIZE, SIZE, 2) in shares of the
    side, so that the eye looks where the other one looks; and 0 where that cannot be, 1 elsewhere, (SIZE, SIZE).
    """
    shift, sure = as_it_is()
    red = np.ascontiguousarray(target.pixels[..., 0])
    for eye, other in (EYES, EYES[::-1]):
        if target.knows(target.points[eye]).sum() > 3 or not target.knows(target.points[other]).all():
            continue
        place, contrast = iris(red, target.points[other] * SIZE)
        aside = place - (-TEMPORAL if other == EYES[0] else TEMPORAL)
        if contrast < CLEAR or abs(aside) < STRAIGHT:
            continue
        corners = _inverse(found, source.points[eye][[0, 3]])
        across = corners[1] - corners[0]
        u, v = _coordinates(corners)
        level = np.clip((0.5 - np.abs(v)) / 0.15, 0, 1)
        mirrored, radius = -place, RADII[0]
        wanted = float(np.clip(mirrored + 2 * aside, -EDGE, EDGE))
        if 0.5 - abs(mirrored) - radius < WHITE or abs(2 * aside) > ASIDE:  # too little white to widen, or too far
            sure *= 1 - level * np.clip((0.65 - np.abs(u)) / 0.1, 0, 1)
            continue
        knots = [-0.5, wanted - radius, wanted + radius, 0.5]
        taken = np.interp(u, knots, [-0.5, mirrored - radius, mirrored + radius, 0.5])
        opening = level * (np.abs(u) < 0.5)
        shift += ((u - taken) * opening)[..., None] * across
    return shift.astype(np.float32), sure.astype(np.float32)


def iris(channel: Floats, eye: Floats) -> tuple[float, float]:
    """The darkest disc of an eye's opening.

    channel: float32 (S, S) in [0, 1]; red, in which irises of all colours are dark beside skin and white. eye: (6, 2),
    the opening's landmarks in pixels. Returns where it is along the line from the left to the right corner, 0 in the
    middle, in widths of the opening; and how much darker it is than the rest.
    """
    patch, to_patch = _patch(channel, eye)
    outline = eye @ to_patch[:, :2].T + to_patch[:, 2]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    inside = mask.astype(np.float32)
    total, count = float((patch * inside).sum()), float(inside.sum())
    middle = np.abs((np.arange(WIDTH) + 0.5) / WIDTH - 0.5) < 0.3
    best, place = 0.0, 0.0
    for radius in RADII:
        reach = int(np.ceil(radius * WIDTH))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = (x**2 + y**2 <= (radius * WIDTH) ** 2).astype(np.float32)
        sums, counts = (cv2.filter2D(a, -1, disc, borderType=cv2.BORDER_CONSTANT) for a in (patch * inside, inside))
        contrast = (total - sums) / np.maximum(count - counts, 1) - sums / np.maximum(counts, 1)
        allowed = (counts > 0.45 * disc.sum()) & (count - counts > 0.2 * count) & middle
        contrast = np.where(allowed, contrast, 0)
        at = np.unravel_index(contrast.argmax(), contrast.shape)
        if contrast[at] > best:
            best, place = float(contrast[at]), float((at[1] + 0.5) / WIDTH - 0.5)
    return place, best


def is_closed(grey: Floats, eye: Floats) -> bool:
    """Whether an eye shows no iris and its lines run along the lids.

    grey: float32 (S, S) in [0, 1]. eye: as for ``iris``.
    """
    if iris(grey, eye)[1] >= OPEN:
        return False
    down, across = np.gradient(cv2.GaussianBlur(_patch(grey, eye)[0], (0, 0), 1))
    rows, columns = np.s_[HEIGHT // 5 : -HEIGHT // 5], np.s_[WIDTH // 5 : -WIDTH // 5]
    return bool(np.abs(across[rows, columns]).mean() < ACROSS * np.abs(down[rows, columns]).mean())


def _patch(channel: Floats, eye: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """An eye cut out level, (HEIGHT, WIDTH), its corners in the middle of both borders; and the map to it, (2, 3)."""
    across = eye[3] - eye[0]
    down = np.array([-across[1], across[0]])
    to_picture = np.column_stack([across / WIDTH, down / WIDTH, eye[0] - down * (HEIGHT / WIDTH / 2)])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(channel, to_picture, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(patch, np.float32), np.asarray(cv2.invertAffineTransform(to_picture), np.float64)


def _inverse(found: Map, points: Floats) -> Floats:
    """Where the map takes its values ``points`` (K, 2) from, to a pixel: (K, 2)."""
    grid = found.grid(SIZE)
    nearest = [int(((grid - point) ** 2).sum(axis=-1).argmin()) for point in points]
    return np.array([((n % SIZE + 0.5) / SIZE, (n // SIZE + 0.5) / SIZE) for n in nearest], np.float32)


def _coordinates(corners: Floats) -> tuple[Floats, Floats]:
    """Of each pixel, along an eye from corner to corner, -.5 to .5, and across it, in its widths: (SIZE, SIZE) each."""
    across = corners[1] - corners[0]
    length = max(float(across @ across), 1e-9)
    away = centres(SIZE) - corners.mean(axis=0)
    return away @ across / length, (away @ np.array([-across[1], across[0]])) / length
