"""What lies where on a face: its extent, its turn, and the parts that are taken whole or not at all."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars import gaze
from faceinp.exemplars.exemplar import SIZE, Crop
from faceinp.exemplars.fields import blurred, grey, mean, ramp
from faceinp.exemplars.warp import centres
from faceinp.face import faces
from faceinp.mask import presets

Floats = NDArray[np.float32]

HULL, EDGE, FOREHEAD = 0.04, 0.05, 0.12  # a face beyond its landmarks, its fading edge, its height above the brows
MOUTH, INNER_LIPS = slice(48, 60), slice(60, 68)
# Both eyes with their brows, the nose, the mouth: landmarks, and how far each reaches beyond them.
PARTS = (
    ([*range(17, 22), *range(36, 42)], 1.3),
    ([*range(22, 27), *range(42, 48)], 1.3),
    (slice(29, 36), 1.2),
    (MOUTH, 1.3),
)
WHOLE, NOTHING = 0.6, 0.3  # mean confidence from which a part is taken as it is, and under which not at all
GAPING, GAPING_GUESSED = 0.2, 0.35  # widths by which a mouth's opening may differ from one that is seen, or guessed


def extent(points: Floats) -> Floats:
    """1 on the face, fading to 0 a little beyond its landmarks and forehead. points: (68, 2). Returns (SIZE, SIZE)."""
    up = points[27] - points[8]
    forehead = points[17:27] + up / max(float(np.hypot(*up)), 1e-6) * FOREHEAD
    inner = presets.hull(np.concatenate([points, forehead]) * SIZE, (SIZE, SIZE), HULL)
    distance = cv2.distanceTransform((~inner).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(ramp(distance, 0.0, EDGE * SIZE), np.float32)


def whole_crop() -> Floats:
    """1 in the middle of a crop, fading towards its border: (SIZE, SIZE)."""
    from_border = 0.5 - np.abs(centres(SIZE) - 0.5).max(axis=-1)
    return np.asarray(ramp(from_border, 3 * EDGE, EDGE), np.float32)


def yaw(points: Floats) -> float:
    """Degrees, from 68 points (68, 2); of a mirror image as of the face."""
    five = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
    return faces.yaw(five)


def part(points: Floats, growth: float) -> Floats:
    """1 on the hull of ``points``, grown about its middle, with a soft edge: (SIZE, SIZE)."""
    middle = points.mean(axis=0)
    mask = presets.hull((middle + growth * (points - middle)) * SIZE, (SIZE, SIZE), 0.02)
    return blurred(mask.astype(np.float32), 0.008)


def by_part(confidence: Floats, target: Crop) -> Floats:
    """An eye, a nose or a mouth is taken whole or not at all: (SIZE, SIZE) in [0, 1]."""
    decided = confidence.astype(np.float32)
    for points, growth in PARTS:
        here = part(target.points[points], growth)
        hidden = here * ~target.known
        if hidden.any():
            decided *= 1 - here * np.float32(1 - ramp(mean(confidence, hidden), WHOLE, NOTHING))
    return decided


def expression(target: Crop, source: Crop, exact: Floats) -> Floats:
    """0 on eyes that the exemplar has closed and on a mouth that it has open otherwise, 1 elsewhere: (SIZE, SIZE).

    exact: (SIZE, SIZE), 1 where both pictures are the same around the hole: there a guessed mouth proves nothing.
    """
    weight, brightness = np.ones((SIZE, SIZE), np.float32), grey(source.pixels)
    for eye in gaze.EYES:
        if gaze.is_closed(brightness, source.points[eye] * SIZE):
            weight *= 1 - part(target.points[eye], 1.6)
    tolerance = GAPING if target.knows(target.points[MOUTH]).sum() > 2 else GAPING_GUESSED
    if abs(gap(source.points[INNER_LIPS]) - gap(target.points[INNER_LIPS])) > tolerance:
        weight *= 1 - part(target.points[MOUTH], 1.3) * (1 - exact)
    return weight


def gap(lips: Floats) -> float:
    """Height of a mouth's opening over its width. lips: (8, 2), the inner points."""
    return float(np.hypot(*(lips[2] - lips[6])) / max(float(np.hypot(*(lips[4] - lips[0]))), 1e-6))
