"""Parts of a face, from its landmarks: its extent, its features, its expression."""

import cv2
import numpy as np

from faceinp.exemplars import gaze
from faceinp.exemplars.exemplar import SIZE, AlignedFace
from faceinp.exemplars.fields import blurred, grey, mean, ramp
from faceinp.exemplars.warp import centres
from faceinp.mask import presets
from faceinp.photo.arrays import Floats

HULL_MARGIN = 0.04  # of a face beyond the hull of its landmarks
FADE_WIDTH = 0.05  # of its soft edge
FOREHEAD_HEIGHT = 0.12  # above the brows
MOUTH = slice(48, 60)
INNER_LIPS = slice(60, 68)
# Both eyes with their brows, the nose, the mouth: landmarks, and the scale of their hull.
PARTS = (
    ([*range(17, 22), *range(36, 42)], 1.3),
    ([*range(22, 27), *range(42, 48)], 1.3),
    (slice(29, 36), 1.2),
    (MOUTH, 1.3),
)
# Mean confidence of a part: above the first it is kept, below the second it is left out.
KEEP_PART = 0.6
DROP_PART = 0.3
# Greatest difference between two mouths' openings, in widths of the mouth.
MAX_OPENING_DIFFERENCE = 0.2
MAX_OPENING_DIFFERENCE_PREDICTED = 0.35  # where the landmarks of the mouth were predicted under the hole


def extent(points: Floats) -> Floats:
    """1 on the face with its forehead, fading to 0 outside: (SIZE, SIZE). points: (68, 2)."""
    up = points[27] - points[8]
    forehead = points[17:27] + up / max(float(np.hypot(*up)), 1e-6) * FOREHEAD_HEIGHT
    inner = presets.hull(np.concatenate([points, forehead]) * SIZE, (SIZE, SIZE), HULL_MARGIN)
    distance = cv2.distanceTransform((~inner).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(ramp(distance, 0.0, FADE_WIDTH * SIZE), np.float32)


def whole_crop() -> Floats:
    """1 in the middle of a crop, fading to 0 towards its border: (SIZE, SIZE)."""
    from_border = 0.5 - np.abs(centres(SIZE) - 0.5).max(axis=-1)
    return np.asarray(ramp(from_border, 3 * FADE_WIDTH, FADE_WIDTH), np.float32)


def part(points: Floats, scale: float) -> Floats:
    """1 on the hull of ``points`` (K, 2), scaled about its centre, with a soft edge: (SIZE, SIZE)."""
    centre = points.mean(axis=0)
    mask = presets.hull((centre + scale * (points - centre)) * SIZE, (SIZE, SIZE), 0.02)
    return blurred(mask.astype(np.float32), 0.008)


def by_part(confidence: Floats, target: AlignedFace) -> Floats:
    """Keep or drop each feature (eye, nose, mouth) as a whole: the confidence, (SIZE, SIZE) in [0, 1], after that."""
    decided = confidence.astype(np.float32)
    for points, scale in PARTS:
        on_part = part(target.points[points], scale)
        hidden = on_part * ~target.known
        if hidden.any():
            decided *= 1 - on_part * np.float32(1 - ramp(mean(confidence, hidden), KEEP_PART, DROP_PART))
    return decided


def expression(target: AlignedFace, source: AlignedFace, exact: Floats) -> Floats:
    """0 on eyes that are closed in the source and on a mouth that it opens more or less, 1 elsewhere: (SIZE, SIZE).

    exact: (SIZE, SIZE), 1 where both pictures are the same around the hole; a predicted mouth is no evidence there.
    """
    weight, brightness = np.ones((SIZE, SIZE), np.float32), grey(source.pixels)
    for eye in gaze.EYES:
        if gaze.is_closed(brightness, source.points[eye] * SIZE):
            weight *= 1 - part(target.points[eye], 1.6)
    visible = target.knows(target.points[MOUTH]).sum() > 2
    tolerance = MAX_OPENING_DIFFERENCE if visible else MAX_OPENING_DIFFERENCE_PREDICTED
    if abs(opening(source.points[INNER_LIPS]) - opening(target.points[INNER_LIPS])) > tolerance:
        weight *= 1 - part(target.points[MOUTH], 1.3) * (1 - exact)
    return weight


def opening(lips: Floats) -> float:
    """Height of a mouth's opening over its width. lips: (8, 2), landmarks 60 to 67."""
    return float(np.hypot(*(lips[2] - lips[6])) / max(float(np.hypot(*(lips[4] - lips[0]))), 1e-6))
