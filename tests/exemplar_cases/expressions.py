"""A face with another expression, gaze, pose or age."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .drawing import (
    LEFT_EYE,
    RIGHT_EYE,
    Altered,
    Floats,
    Pixels,
    at,
    curve,
    in_face,
    noise,
    outline,
    over,
    polygon,
    soften,
    stroke,
    to_face,
    toned,
    unit,
    warped,
)


def closed_eyes(pixels: Pixels, points: Floats) -> Altered:
    """Both lids shut: the skin between brow and lashes is stretched down to the lower lid, where the lashes lie."""
    x, y = in_face(points, pixels.shape)
    moves, lashes, covered = np.zeros_like(x), np.zeros_like(x), np.zeros(x.shape, bool)
    for middle in (-0.5, 0.5):
        across = np.clip(1 - ((x - middle) / 0.27) ** 2, 0, 1)  # 0 at the corners of the eye, 1 in its middle
        crease, lid, low = -0.2, 0.02 - 0.115 * across, 0.02 + 0.075 * across
        stretched = (y - crease) * (lid - crease) / (low - crease) + crease - y
        moves += np.where((y > crease) & (y < low), stretched, 0) * (across > 0)
        lashes = np.maximum(lashes, np.exp(-(((y - low) / 0.022) ** 2)) * np.minimum(1, 3 * across))
        covered |= (y > lid - 0.03) & (y < low + 0.03) & (across > 0)
    shut = warped(pixels, points, np.zeros_like(moves), moves)
    lids = points.copy()
    lids[[37, 38, 43, 44]] = points[[41, 40, 47, 46]]  # the upper ones on the lower ones
    return Altered(over(shut, 0.8 * lashes, np.array([58, 40, 32])), lids, covered)


def open_mouth(pixels: Pixels, points: Floats, drop: float = 0.42) -> Altered:
    """The jaw dropped by ``drop`` distances between the eyes: a dark opening below the teeth, a longer chin."""
    x, y = in_face(points, pixels.shape)
    face = to_face(points)
    corners, lip, chin = face[[48, 54]], face[65:68, 1].mean(), face[8, 1]
    middle, level = corners.mean(axis=0)
    half = (corners[1, 0] - corners[0, 0]) / 2
    parted = np.clip(1 - ((x - middle) / half) ** 2, 0, 1) ** 0.7  # 0 at the corners of the mouth, 1 in its middle
    split = level + (lip - level) * parted  # the upper edge of the lower lip
    opening = (y > split) & (y < split + drop * parted)
    # How far the jaw fell at each pixel: as far as the lip near the lip, wider at the chin, less and less on the neck.
    below, wide = np.clip((y - split) / (chin + drop - split), 0, 1), np.exp(-(((x - middle) / 1.1) ** 4))
    fall = drop * (parted * (1 - below) + wide * below) * (y > split) * np.clip(chin + drop + 1 - y, 0, 1)
    opened = warped(pixels, points, np.zeros_like(fall), -fall)
    depth = np.clip((y - split) / np.maximum(drop * parted, 1e-6), 0, 1)[..., None]
    tongue = np.clip(1 - ((x - middle) / (0.7 * half))[..., None] ** 2 - ((depth - 1) / 0.4) ** 2, 0, 1)
    cavity = np.array([60, 22, 22]) - depth * [34, 10, 8]
    cavity = cavity + (np.array([150, 72, 74]) - cavity) * tongue
    alpha = soften(opening, 0.012 * unit(points))
    jaw = [*range(4, 13), *range(55, 60), 65, 66, 67]
    face[jaw, 1] += drop * np.interp(np.abs(face[jaw, 0] - middle), [0, 1.1], [1, 0.2])
    return Altered(over(opened, alpha, cavity), at(points, *face), alpha > 0.1)


def gaze_aside(pixels: Pixels, points: Floats, share: float = 0.2) -> Altered:
    """Both irises moved to the right by ``share`` of the eye's width; the whites stretch and shrink beside them."""
    x, y = in_face(points, pixels.shape)
    moves, covered = np.zeros_like(x), np.zeros(x.shape, bool)
    for eye in (LEFT_EYE, RIGHT_EYE):
        middle, level = to_face(points)[eye].mean(axis=0)
        now = to_face(points, iris(pixels, points, eye)[None])[0, 0]
        half, radius = 0.26, 0.13  # of the eye's width, of its iris
        left, right, then = middle - 1.4 * half, middle + 1.4 * half, now + 2 * half * share
        source = np.interp(x, [left, then - radius, then + radius, right], [left, now - radius, now + radius, right])
        moves += (source - x) * np.clip(1.6 - np.abs(y - level) / 0.11, 0, 1) * ((x > left) & (x < right))
        covered |= np.hypot(x - middle, 2 * (y - level)) < half
    return Altered(warped(pixels, points, moves, np.zeros_like(moves)), points, covered)


def iris(pixels: Pixels, points: Floats, eye: slice) -> NDArray[np.float64]:
    """The middle of an eye's iris, x and y in pixels: the centre of what is darkest in the opening."""
    x, y = in_face(points, pixels.shape)
    middle, level = to_face(points)[eye].mean(axis=0)
    opening = ((x - middle) / 0.22) ** 2 + ((y - level) / 0.09) ** 2 < 1
    grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (0, 0), 0.03 * unit(points)).astype(np.float64)
    dark = np.where(opening, np.clip(np.quantile(grey[opening], 0.3) - grey, 0, None), 0)
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]] + 0.5
    return np.array([(columns * dark).sum(), (rows * dark).sum()]) / max(dark.sum(), 1e-9)


def turned(pixels: Pixels, points: Floats, degrees: float = 35) -> Altered:
    """The head turned to the right of the picture, as a relief: what is nearer moves further and hides what is not."""
    x, y = in_face(points, pixels.shape)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))

    def seen_at(x: Floats, y: Floats) -> Floats:
        head = 1.3 * np.sqrt(np.clip(1 - (x / 1.75) ** 2 - ((y - 0.35) / 2.6) ** 2, 0, None))
        depth = head + 0.28 * np.exp(-((x / 0.22) ** 2) - ((y - 0.62) / 0.35) ** 2)  # the nose
        return x + (sine * depth - (1 - cosine) * x) * np.clip(depth, 0, 1)

    fine, source = np.linspace(x.min() - 1, x.max() + 1, 8 * x.shape[1]), np.empty_like(x)
    for row, level in enumerate(y.mean(axis=1)):
        # Of several that are seen at one spot the leftmost is in front: it came the longest way.
        source[row] = np.interp(x[row], np.maximum.accumulate(seen_at(fine, np.full_like(fine, level))), fine)
    face = to_face(points)
    face[:, 0] = seen_at(face[:, 0], face[:, 1])
    return toned(warped(pixels, points, source - x, np.zeros_like(x)), at(points, *face))


def aged(pixels: Pixels, points: Floats) -> Altered:
    """Some thirty years older: folds beside the mouth, bags under the eyes, crow's feet, paler skin, grey hair."""
    size, folds = unit(points), np.zeros(pixels.shape[:2])
    lines = [
        ((-0.3, 0.6), (-0.5, 0.72), (-0.68, 0.95), (-0.64, 1.4)),
        ((-0.78, 0.2), (-0.66, 0.3), (-0.42, 0.32), (-0.24, 0.2)),
        ((-0.1, -0.32), (-0.08, -0.24), (-0.09, -0.18), (-0.11, -0.12)),
        *(((-0.8, 0.05 * n), (-0.86, 0.06 * n), (-0.94, 0.1 * n), (-1.0, 0.17 * n)) for n in (-1, 0, 1)),
    ]
    for line in lines:
        for side in (-1, 1):
            path = at(points, *((side * x, y) for x, y in curve(line)))
            folds = np.maximum(folds, soften(stroke(pixels.shape, path, 0.03 * size), 0.02 * size))
    ridge = np.roll(folds, round(0.04 * size), axis=0)  # below a fold the skin catches the light
    grey = pixels.mean(axis=2, keepdims=True)
    hair = 1 - soften(polygon(pixels.shape, outline(points)), 0.1 * size)[..., None]
    older = pixels + (grey * 1.05 + 22 - pixels) * (0.2 + 0.6 * hair)
    older = older * (1 - 0.3 * folds + 0.08 * ridge)[..., None] + 3 * noise(pixels.shape, 0.05 * size, 2)[..., None]
    return toned(older, points)
