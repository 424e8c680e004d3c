"""Hair as it is drawn on training pictures: locks of many strands across the face; beards and brows, which are face."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.train.drawn_occluders.layers import UNJUDGED, Array, Face, filled, fixed, noise

HAIR = 4
_HAIRS = (
    (22, 18, 17),
    (44, 30, 22),
    (84, 56, 36),
    (128, 90, 54),
    (176, 138, 88),
    (212, 184, 138),
    (128, 52, 26),
    (150, 150, 150),
    (215, 212, 206),
    (150, 30, 60),
    (60, 80, 150),
)


def hair(face: Face) -> None:
    """Draw one to four locks, or single strands blown about, across eyes, nose or mouth.

    Hair is an occluder where it lies over the inner face; the same lock over brow, jaw or background is UNJUDGED.
    """
    rng = face.rng
    colour = _colour(face)
    cover = np.zeros((face.side,) * 2, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        path, width = _path(face), face.gap * rng.choice([0.03, 0.12, 0.3, 0.6]) * rng.uniform(0.7, 1.4)
        cover = np.maximum(cover, _lock(face, colour, path, width))
    thick = cv2.blur(cover, (3, 3))
    face.classes[(thick > 0.15) & (face.classes == 0)] = UNJUDGED
    face.classes[(thick > 0.4) & _inner(face)] = HAIR


def fringe(face: Face) -> None:
    """Draw a fringe over the forehead that ends above the eyes, or hair beside the face: class 0."""
    rng, colour = face.rng, _colour(face)
    ends = rng.uniform(-0.75, -0.35)
    for _ in range(int(rng.integers(2, 6))):
        x = rng.uniform(-1.2, 1.2)
        path = face.line((x * 0.6 + rng.normal(0, 0.2), -1.9), (x * 0.9, -1.1), (x, ends + rng.normal(0, 0.06)))
        _lock(face, colour, path, face.gap * rng.uniform(0.1, 0.4))


def _path(face: Face) -> NDArray[np.float64]:
    """(24, 2): where a lock runs: down from the hairline, or blown in from a side."""
    rng = face.rng
    x = rng.uniform(-1.1, 1.1)
    if rng.random() < 0.85:
        y = [-1.9, -0.9, rng.uniform(-0.1, 0.4), rng.uniform(0.8, 1.6), rng.uniform(1.5, 3.2)]
        drift = np.cumsum(rng.normal(0, 0.22, 5)) + rng.normal(0, 0.18) * np.arange(5)
        knots = [(x + d, h) for d, h in zip(drift, y, strict=True)]
    else:
        sign = rng.choice([-1, 1])
        heights = rng.uniform(-0.8, 1.6) + np.cumsum(rng.normal(0, 0.2, 5))
        knots = [(sign * (2.4 - n * 0.7), h) for n, h in enumerate(heights)]
    return face.line(*knots[: int(rng.integers(3, 6))])


def _inner(face: Face) -> NDArray[np.bool_]:
    """bool (S, S): the face from the upper lids down, a little inside of the jaw."""
    points, middle = face.points, face.points[33]
    jaw, lids = middle + 0.92 * (points[0:17] - middle), points[[36, 37, 38, 27, 43, 44, 45]]
    return filled(face.side, np.vstack([jaw, (lids - 0.1 * face.down * face.gap)[::-1]])) > 0.5


def _colour(face: Face) -> Array:
    """float32 (3,): of hair, mostly what is above the forehead."""
    rng = face.rng
    table = np.array(_HAIRS[rng.integers(len(_HAIRS))], np.float32)
    x, y = np.clip(face.at(rng.uniform(-0.5, 0.5), -1.7), 2, face.side - 3).astype(int)
    own = face.picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0) * 1.05
    return np.asarray(own if rng.random() < 0.6 and own.mean() < 190 else table * rng.normal(1, 0.1), np.float32)


def _lock(face: Face, colour: Array, path: NDArray[np.float64], width: float) -> Array:
    """Draw a lock of strands along ``path`` (N, 2); float32 (S, S): how much it hides."""
    rng, side = face.rng, face.side
    count = int(np.clip(width * rng.uniform(1.5, 3.5), 2, 130))
    t = np.linspace(0, 1, len(path))
    way = np.gradient(path, axis=0)
    across = np.stack([-way[:, 1], way[:, 0]], axis=1) / np.maximum(np.hypot(*way.T), 1e-6)[:, None]
    offsets = np.sort(rng.normal(0, 0.35, count)) if rng.random() < 0.7 else rng.uniform(-0.5, 0.5, count)
    taper = 1 - rng.uniform(0.2, 0.9) * t ** rng.uniform(1, 3)
    fan = 1 + rng.uniform(0, 1.2) * t if rng.random() < 0.3 else 1
    curl = rng.choice([0, 0, rng.uniform(0, 0.35)]) * face.gap * 0.3
    waves = curl * np.sin(t * rng.uniform(8, 30) + rng.uniform(0, 6))
    stray = np.cumsum(rng.normal(0, 0.03 * width + 0.15, (count, len(t))), axis=1)
    beside = offsets[:, None] * width * taper * fan + waves * rng.uniform(0.6, 1.2, (count, 1)) + stray
    lines = path[None] + beside[..., None] * across[None]
    tone = np.interp(offsets + rng.normal(0, 0.08, count), np.linspace(-0.6, 0.6, 9), rng.uniform(0.6, 1.3, 9))
    tone = tone * rng.normal(1, 0.12, count)
    hide = np.zeros((side, side), np.uint8)
    paint = np.broadcast_to(np.clip(colour * 0.75, 0, 255), (side, side, 3)).astype(np.uint8).copy()
    order = rng.permutation(count)
    finest = max(1, round(side / 256 * rng.uniform(0.6, 1.5)))
    for n, whole in zip(order, fixed(lines[order]), strict=True):
        line = whole[: int(len(whole) * rng.uniform(0.6, 1.01)) + 2]
        shade = tuple(float(v) for v in np.clip(colour * tone[n], 3, 252))
        cv2.polylines(paint, [line], False, shade, finest, cv2.LINE_AA, 4)
        cv2.polylines(hide, [line], False, 255, finest, cv2.LINE_AA, 4)
    alpha = hide.astype(np.float32) / 255
    if count > 6:
        mass = cv2.GaussianBlur(alpha, (0, 0), 0.8)
        alpha = np.clip(np.maximum(alpha, 1.25 * mass - 0.12), 0, 1)
    else:
        alpha = alpha * np.float32(rng.uniform(0.5, 1))
    gloss = 1 + (noise(side, 3, rng, 9) - 0.5) * rng.uniform(0, 0.9)
    colours = paint.astype(np.float32) * gloss[..., None] + 40 * np.clip(gloss - 1.1, 0, 1)[..., None]
    if rng.random() < 0.6:
        face.cast(alpha, rng.uniform(0.1, 0.5))
    face.picture += alpha[..., None] * (colours * face.matched - face.picture)
    return np.asarray(alpha, np.float32)


def beard(face: Face) -> None:
    """Draw a moustache, a beard or stubble of short hairs: class 0."""
    rng, points = face.rng, face.points
    right, down = face.right, face.down * face.gap
    parts = rng.choice(["moustache", "beard", "stubble", "goatee"], p=(0.3, 0.3, 0.2, 0.2))
    lip = [points[48] - 0.05 * right, points[31] + 0.08 * down, points[35] + 0.08 * down, points[54] + 0.05 * right]
    zone = filled(face.side, [*lip, *points[[53, 51, 49]]])
    if parts in ("beard", "stubble"):
        middle = points[51]
        jaw = middle + 1.04 * (points[2:15] - middle)
        upper = [
            points[14] - 0.1 * right,
            points[54] + 0.25 * right - 0.1 * down,
            points[35] + 0.1 * down,
            points[31] + 0.1 * down,
            points[48] - 0.25 * right - 0.1 * down,
            points[2] + 0.1 * right,
        ]
        zone = filled(face.side, np.vstack([jaw, upper]))
    elif parts == "goatee":
        below = [points[10] - 0.1 * right, points[8] + 0.05 * down, points[6] + 0.1 * right]
        chin = [points[48], points[57] + 0.08 * down, points[54], *below]
        zone = np.maximum(zone * (rng.random() < 0.6), filled(face.side, chin))
    lips = cv2.GaussianBlur(filled(face.side, points[48:60]), (0, 0), 1.0)
    zone = cv2.GaussianBlur(zone, (0, 0), face.gap * rng.uniform(0.03, 0.09)) * (1 - lips)
    strong = rng.uniform(0.25, 0.6) if parts == "stubble" else rng.uniform(0.5, 1.0)
    _short_hairs(face, zone, strong, 0.03 if parts == "stubble" else rng.uniform(0.05, 0.16))


def brows(face: Face) -> None:
    """Draw strong brows: class 0."""
    zone = np.zeros((face.side,) * 2, np.float32)
    thick = face.rng.uniform(0.06, 0.16)
    for start in (17, 22):
        line = face.points[start : start + 5]
        zone = np.maximum(zone, filled(face.side, np.vstack([line, (line + thick * face.down * face.gap)[::-1]])))
    _short_hairs(face, cv2.GaussianBlur(zone, (0, 0), 1.2), face.rng.uniform(0.4, 0.9), 0.08)


def _short_hairs(face: Face, zone: Array, strength: float, length: float) -> None:
    """Lay short dark hairs where ``zone`` is, by filtering noise along the direction in which they grow."""
    rng, side = face.rng, face.side
    grains = rng.random((side, side), np.float32)
    size = max(3, round(length * face.gap) | 1)
    kernel = np.zeros((size, size), np.float32)
    lean = rng.uniform(-0.5, 0.5) * size / 2
    cv2.line(kernel, (round(size / 2 - lean), 0), (round(size / 2 + lean), size - 1), 1, 1)
    hairs = cv2.filter2D(grains, -1, kernel / max(kernel.sum(), 1))
    hairs = np.clip(0.55 + (hairs - 0.5) * np.sqrt(size) * 1.4, 0, 1)
    colour = np.minimum(_colour(face), face.skin * 0.75)
    alpha = np.clip(zone * strength * (0.45 + 0.8 * hairs), 0, 0.97)[..., None]
    face.picture += alpha * (colour * (0.7 + 0.6 * hairs[..., None]) * face.matched - face.picture)
