"""Protective masks, scarves and veils as they are drawn on training pictures: folds, prints, straps, shading."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.train.drawn_occluders.layers import Array, Face, curve, filled, lit, noise, strokes

PROTECTIVE_MASK, OTHER = 2, 5
_SURGICAL = (
    (152, 196, 222),
    (170, 208, 228),
    (120, 176, 214),
    (236, 238, 238),
    (160, 205, 186),
    (232, 190, 196),
    (34, 34, 38),
)
_PLAIN = ((236, 236, 232), (226, 228, 232), (40, 40, 44))
_CLOTHS = ((30, 30, 34), (52, 60, 84), (120, 30, 36), (200, 196, 186), (90, 100, 90), (226, 226, 226), (150, 120, 160))


def protective_mask(face: Face) -> None:
    """Draw a protective mask: surgical, cup-shaped (N95), folded or of cloth, on the nose or below, with straps."""
    rng, side = face.rng, face.side
    kind = rng.choice(["surgical", "cup", "folded", "cloth"], p=(0.48, 0.14, 0.13, 0.25))
    outline, top = _outline(face, kind)
    alpha = filled(side, outline, 2)
    _straps(face, outline, kind)
    u, v = _inside(face, top)
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    reach = 0.3 * face.width
    bulge = {"cup": 1.1, "folded": 0.8}.get(kind, 0.55) * rng.uniform(0.8, 1.2)
    height = np.sqrt(np.clip(1 - (1 - np.clip(depth / reach, 0, 1)) ** 2, 0, 1)) * reach * bulge
    wrinkles = cv2.GaussianBlur(np.abs(noise(side, 9, rng, 14) - 0.5), (0, 0), 1.0) * rng.uniform(0, 0.05) * face.gap
    height = height + wrinkles.astype(np.float32)
    if kind == "surgical":
        count, sag = rng.integers(2, 5), rng.uniform(-0.05, 0.2)
        steps = (v + sag * u * u) * (count + 1)
        saw = np.clip(steps - np.floor(steps), 0, 1) * np.clip(4 * steps, 0, 1) * np.clip(4 * (count + 1 - steps), 0, 1)
        height = height + saw.astype(np.float32) * rng.uniform(0.01, 0.045) * face.gap
    elif kind == "folded" or (kind == "cup" and rng.random() < 0.4) or (kind == "cloth" and rng.random() < 0.5):
        height = height + np.exp(-np.abs(u) / 0.05).astype(np.float32) * rng.uniform(0.02, 0.07) * face.gap  # a seam
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 0.8)
    colour = _print(face, kind, u, v) * lit(height, face.light, rng.uniform(0.6, 1.1))
    border = np.clip(1 - depth / (rng.uniform(0.02, 0.06) * face.gap), 0, 1)[..., None] * rng.uniform(-0.3, 0.2)
    colour = colour * (1 + border) * (1 + 0.02 * rng.standard_normal((side, side, 1), np.float32))
    face.lay(alpha, np.clip(colour, 0, 262), PROTECTIVE_MASK, shadow=rng.uniform(0.1, 0.55))
    if kind in ("cup", "folded") and rng.random() < 0.35:
        _valve(face, u, v)


def _outline(face: Face, kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The cloth's edge, (N, 2), and the point where its middle begins."""
    rng, points = face.rng, face.points
    high = rng.uniform(-0.2, 1.4) if rng.random() < 0.85 else rng.uniform(2.0, 4.5)
    along = points[28:34]
    n = min(int(max(high, 0)), 4)
    nose = along[n] + (high - n) * (along[n + 1] - along[n])
    first = int(rng.integers(1, 4)) if kind != "cup" else 3
    out = rng.uniform(0.0, 0.12)
    middle = points[33]
    jaw = middle + (1 + out) * (points[first : 17 - first] - middle)
    jaw[len(jaw) // 2 - 2 : len(jaw) // 2 + 3] += face.down * face.gap * rng.uniform(0, 0.12)
    right, down = face.right, face.down * face.gap
    peak = rng.uniform(0.0, 0.08)
    bridge = [
        nose + x * right + (y + peak * (abs(x) > 0.1)) * down
        for x, y in ((-0.17, 0.1), (-0.07, 0.0), (0.07, 0.0), (0.17, 0.1))
    ]
    low = rng.uniform(-0.05, 0.2)
    cheeks = [(jaw[end] + bridge[near]) / 2 + low * down for end, near in ((0, 0), (-1, -1))]
    upper = curve([jaw[0], cheeks[0], *bridge, cheeks[1], jaw[-1]], 40)
    return np.vstack([upper, curve(jaw[::-1], 40)]), nose


def _inside(face: Face, top: NDArray[np.float64]) -> tuple[Array, Array]:
    """float32 (S, S) each: -1 to 1 across the cloth, 0 at the nose's line; 0 to 1 from its top to the chin."""
    points, grid = face.points, np.arange(face.side) + 0.5
    axis = points[8] - top
    length = max(float(np.hypot(*axis)), 1.0)
    axis = axis / length
    x, y = grid[None] - top[0], grid[:, None] - top[1]
    v = (x * axis[0] + y * axis[1]) / length
    beside = x * axis[1] - y * axis[0]
    u = beside / (0.5 * face.width) - 0.3 * np.sin(face.yaw) * np.clip(1 - (2 * v - 1) ** 2, 0, 1)
    return np.asarray(u, np.float32), np.asarray(v, np.float32)


def _straps(face: Face, outline: NDArray[np.float64], kind: str) -> None:
    """Draw the straps to the ears or round the head."""
    rng, points = face.rng, face.points
    shares = (0.35, 0.6, 0.05) if kind in ("cup", "folded") else (0.7, 0.2, 0.1)
    style = rng.choice(["ears", "head", "none"], p=shares)
    if style == "none":
        return
    lines = []
    right, down = face.right, face.down * face.gap
    sides = ((outline[0], outline[70], points[0], -1), (outline[39], outline[49], points[16], 1))
    for upper, jaw, temple, sign in sides:
        end, lower = upper, jaw if kind != "cup" else (jaw + upper) / 2
        ear = temple + 0.05 * sign * right
        if style == "ears":
            lines.append(curve([end, (end + ear) / 2 - 0.03 * down, ear - 0.1 * down]))
            lines.append(curve([lower, (lower + ear) / 2 + 0.04 * sign * right, ear + 0.2 * down]))
        else:
            lines.append(np.array([end, end + 0.5 * sign * right - rng.uniform(0.1, 0.6) * down]))
            lines.append(np.array([lower, lower + 0.4 * sign * right - rng.uniform(-0.1, 0.3) * down]))
    width = face.gap * rng.uniform(0.025, 0.07)
    alpha = strokes(face.side, lines, width)
    pale = (235, 235, 230) if rng.random() < 0.7 else (40, 40, 44)
    label = np.maximum(alpha, 2 * cv2.blur(alpha, (3, 3)))
    face.lay(alpha, np.array(pale) * rng.uniform(0.7, 1.05), PROTECTIVE_MASK, shadow=rng.uniform(0, 0.3), label=label)


def _valve(face: Face, u: Array, v: Array) -> None:
    rng = face.rng
    centre, size = (rng.choice([0.0, 0.3, -0.3]), rng.uniform(0.4, 0.6)), rng.uniform(0.12, 0.2)
    far = np.hypot(u - centre[0], (v - centre[1]) * 1.2)
    alpha = np.clip((size - far) * 20, 0, 1)
    rings = 0.85 + 0.15 * np.cos(far / size * rng.uniform(6, 14))
    colour = rng.choice([(225, 225, 225), (130, 134, 140), (70, 110, 170)])
    face.lay(alpha, rings[..., None] * colour, PROTECTIVE_MASK, shadow=0.3)


def _print(face: Face, kind: str, u: Array, v: Array) -> Array:
    """float32 (S, S, 3): the cloth's colour: plain, stripes, dots, checks or a picture."""
    rng = face.rng
    table = {"surgical": _SURGICAL, "cloth": _CLOTHS}.get(kind, _PLAIN)
    base = face.textured(np.clip(np.array(table[rng.integers(len(table))]) + rng.normal(0, 8, 3), 5, 250), 0.02)
    if rng.random() < (0.6 if kind == "cloth" else 0.07):
        base = pattern(face, base, u * 2, v * 2)
    return base


def pattern(face: Face, base: Array, u: Array, v: Array) -> Array:
    """A printed cloth: ``base`` with stripes, dots, checks, camouflage or parts of another picture."""
    rng, side = face.rng, face.side
    size = rng.uniform(3, 14)
    second = np.array(rng.integers(0, 256, 3), np.float32)
    a, b = np.sin(2 * np.pi * (u + 0.2 * u**3) * size / 2), np.sin(2 * np.pi * v * size / 2)
    kind = rng.choice(["stripes", "dots", "checks", "camouflage", "picture"])
    if kind == "picture":
        other = cv2.resize(face.other(), None, fx=(s := rng.uniform(0.3, 1)), fy=s)
        tiles = int(np.ceil(side / other.shape[0]))
        return np.asarray(np.tile(other, (tiles, tiles, 1))[:side, :side], np.float32)
    share = {
        "stripes": np.clip(3 * (a if rng.random() < 0.5 else b) + 0.5, 0, 1),
        "dots": np.clip(6 * (a * b - 0.4), 0, 1),
        "checks": 0.5 * (np.clip(4 * a + 0.5, 0, 1) + np.clip(4 * b + 0.5, 0, 1)),
        "camouflage": np.clip(9 * (noise(side, 14, rng) - 0.5), 0, 1),
    }[str(kind)][..., None]
    return np.asarray(base + share * (second - base), np.float32)


def scarf(face: Face) -> None:
    """Draw a scarf, a veil's band or a collar pulled up, over the lower face: class 5."""
    rng, side = face.rng, face.side
    rise = rng.uniform(0.5, 1.5)
    left, right, *inner = rise + rng.normal(0, (0.2, 0.2, 0.1, 0.12, 0.1))
    heights = (left, *inner, right)
    edge = face.line(*zip((-2.2, -0.8, 0, 0.8, 2.2), heights, strict=True), count=40)
    outline = np.vstack([edge, face.at(3, 5), face.at(-3, 5)])
    u, v = _inside(face, face.at(0, rise))
    folds = noise(side, 4, rng, int(rng.integers(8, 22)))
    columns, rows = np.meshgrid(*[np.arange(side, dtype=np.float32)] * 2)
    rows += np.asarray(0.15 * side * (noise(side, 3, rng) - 0.5), np.float32)
    folds = cv2.remap(folds, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    height = folds * face.gap * rng.uniform(0.1, 0.5)
    base = face.textured(rng.integers(10, 245, 3), 0.06)
    if rng.random() < 0.5:
        base = pattern(face, base, u * 2, v * 2 + 0.3 * folds)
    knit = 1 + 0.12 * np.sin(v * rng.uniform(60, 160))[..., None] * np.cos(u * 80)[..., None] * (rng.random() < 0.4)
    face.lay(filled(side, outline, 2), base * lit(height, face.light) * knit, OTHER, shadow=rng.uniform(0.2, 0.6))
