"""Hands as they are drawn on training pictures: fingers as lit tubes with creases and nails, in real skin's texture."""

from itertools import pairwise

import cv2
import numpy as np

from faceinp.photo.arrays import direction
from faceinp.train.drawn_occluders.layers import Array, Face, Line, Pixels, Placement, curve, filled, fixed, lit, noise

HAND = 3
# of a right hand's back, wrist at the origin, fingers upwards, in widths of the palm: base, length, radius
_FINGERS = (
    ((-0.39, -1.0), 0.8, 0.125),
    ((-0.13, -1.08), 0.92, 0.13),
    ((0.13, -1.04), 0.86, 0.125),
    ((0.37, -0.92), 0.68, 0.105),
)
_PALM = np.array(  # x and y, from the wrist and back to it
    [(-0.3, -0.44, -0.52, -0.13, 0.13, 0.46, 0.45, 0.3, -0.3), (0.1, -0.4, -0.95, -1.2, -1.17, -0.95, -0.4, 0.1, 0.1)]
).T
_SEGMENTS = (0.0, 0.46, 0.76, 1.0)


def hand(face: Face, position: tuple[float, float] | None = None) -> None:
    """Draw a hand that comes from any side and lies on the face, or points at it."""
    rng, side = face.rng, face.side
    unit = face.width * rng.uniform(0.38, 0.66)
    x, y = position or (rng.uniform(-0.9, 0.9), rng.uniform(-0.4, 1.6))
    target = face.at(x, y)
    toward = rng.normal(np.pi / 2, 0.8) if rng.random() < 0.85 else rng.uniform(0, 2 * np.pi)  # where the wrist lies
    wrist_way = direction(toward)
    wrist = target + wrist_way * unit * rng.uniform(0.6, 1.9)
    up, mirror = -wrist_way, rng.choice([-1.0, 1.0])
    side_way = mirror * np.array([-up[1], up[0]])

    def place_of(point: Line) -> Line:
        return np.asarray(wrist + unit * (np.outer(point[:, 0], side_way) - np.outer(point[:, 1], up)))

    palm_side = rng.random() < 0.35
    height, number = np.full((side, side), -1e3, np.float32), np.zeros((side, side), np.uint8)
    arm = np.array([[0, 0], [rng.normal(0, 0.4), 4.0]])
    _tube(height, number, place_of(arm), np.array([0.36, 0.5]) * unit, -0.1 * unit, 1, 0.6)
    thick = rng.uniform(0.85, 1.2)
    _palm(face, height, number, place_of, unit)
    pose = rng.choice(["spread", "together", "fist", "point", "two"], p=(0.25, 0.35, 0.15, 0.12, 0.13))
    spread = {"spread": rng.uniform(0.1, 0.25), "two": rng.uniform(0.08, 0.2)}.get(pose, rng.uniform(-0.03, 0.06))
    lean, tips = rng.normal(0, 0.15), list[tuple[Line, Line, bool, int]]()
    for n, (base, length, radius) in enumerate(_FINGERS):
        folded = pose == "fist" or (pose == "point" and n > 0) or (pose == "two" and n > 1)
        reach = length * (rng.uniform(0.28, 0.42) if folded else rng.uniform(0.75, 1.05))
        angle = lean + spread * (n - 1.5) + rng.normal(0, 0.04)
        bend = rng.normal(0, 0.12) * (1 + (n - 1.5) * 0.2)
        joints = _joints(np.array(base), reach, angle, bend)
        radii = np.array([1.05, 1.0, 0.93, 0.78]) * radius * thick * (1.15 if folded else 1) * unit
        line = place_of(joints)
        _tube(height, number, line, radii, (0.14 if folded else 0.06) * unit, n + 2, 0.8)
        tips.append((line, radii, folded, n + 2))
    if rng.random() < 0.8:
        angle = rng.uniform(-1.1, -0.2)
        joints = _joints(np.array([-0.38, -0.35]), rng.uniform(0.5, 0.85), angle, rng.normal(0.15, 0.15))
        radii = np.array([0.2, 0.16, 0.145, 0.11]) * thick * unit
        line = place_of(joints)
        _tube(height, number, line, radii, rng.uniform(-0.02, 0.14) * unit, 6, 1.0)
        tips.append((line, radii, False, 6))
    solid = height > -500
    alpha = cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 0.6)
    colour = face.flesh() * rng.uniform(0.9, 1.1)
    colour *= (0.96 + 0.08 * noise(side, 6, rng))[..., None]
    _details(face, colour, tips, number, palm_side, unit)
    floor = np.where(solid, height, height[solid].min() if solid.any() else 0).astype(np.float32)
    shade = lit(cv2.GaussianBlur(floor, (0, 0), 0.8 + 0.012 * unit), face.light, rng.uniform(0.4, 0.9))
    shade = np.clip(shade, 0.35, 1.3) ** rng.uniform(0.5, 1.0)
    warm = np.array([1.0, 1.12, 1.18], np.float32)  # the shaded parts of flesh are redder
    matched = face.matched
    face.matched = np.sqrt(face.exposure) if rng.random() < 0.3 else np.ones((1, 1, 1), np.float32)
    face.lay(alpha, np.clip(colour * shade**warm, 0, 255), HAND, shadow=rng.uniform(0.15, 0.6))
    face.matched = matched


def _palm(face: Face, height: Array, number: Pixels, place_of: Placement, unit: float) -> None:
    """Raise ``height`` to the palm or the back of the hand, with knuckles and tendons."""
    rng, side = face.rng, face.side
    alpha = filled(side, place_of(curve(_PALM, 60)))
    inside = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / (0.34 * unit)
    dome = 0.2 * unit * np.sqrt(np.clip(1 - (1 - np.clip(inside, 0, 1)) ** 2, 0, 1))
    bumps = np.zeros((side, side), np.uint8)
    for base, _, _ in _FINGERS:
        knuckle, root = fixed(place_of(np.array([base, (0.35 * base[0], 0.0)])))
        cv2.line(bumps, knuckle, root, 90, max(1, int(0.05 * unit)), cv2.LINE_AA, 4)
        cv2.circle(bumps, knuckle, max(1, int(0.08 * unit * 16)), 255, -1, cv2.LINE_AA, 4)
    raised = cv2.GaussianBlur(bumps, (0, 0), max(0.8, 0.06 * unit)).astype(np.float32) / 255
    here = np.where(alpha > 0.5, dome + raised * unit * rng.uniform(-0.04, 0.09), -1e3)
    number[here > height] = 1
    np.maximum(height, here, out=height)


def _joints(base: Line, reach: float, angle: float, bend: float) -> Line:
    """(4, 2): a finger's joints, ``angle`` from straight up, bent sideways a little more at each."""
    points = [base]
    for start, end in pairwise(_SEGMENTS):
        step = reach * (end - start)
        points.append(points[-1] + step * np.array([np.sin(angle), -np.cos(angle)]))
        angle += bend * 0.5
    return np.array(points)


def _tube(height: Array, number: Pixels, line: Line, radii: Line, lift: float, name: int, flat: float) -> None:
    """Raise ``height`` to a tube of changing radius along ``line`` (N, 2), and write its number where it is on top."""
    side = height.shape[0]
    low = np.floor(np.clip((line - radii[:, None]).min(axis=0) - 1, 0, side)).astype(int)
    high = np.ceil(np.clip((line + radii[:, None]).max(axis=0) + 1, 0, side)).astype(int)
    if (high <= low).any():
        return
    window = slice(low[1], high[1]), slice(low[0], high[0])
    x = np.arange(low[0], high[0], dtype=np.float32)[None] + 0.5
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None] + 0.5
    top, names = height[window], number[window]
    for a, b, ra, rb in zip(line[:-1], line[1:], radii[:-1], radii[1:], strict=True):
        step = b - a
        t = np.clip(((x - a[0]) * step[0] + (y - a[1]) * step[1]) / max(float(step @ step), 1e-6), 0, 1)
        far = (x - a[0] - t * step[0]) ** 2 + (y - a[1] - t * step[1]) ** 2
        radius = ra + t * (rb - ra)
        here = np.where(far < radius**2, flat * np.sqrt(np.maximum(radius**2 - far, 0)) + lift, -1e3)
        names[here > top] = name
        np.maximum(top, here, out=top)


def _details(
    face: Face,
    colour: Array,
    tips: list[tuple[Line, Line, bool, int]],
    number: Pixels,
    palm_side: bool,
    unit: float,
) -> None:
    """Creases at the joints, redder tips and knuckles, nails, and a dark line where two fingers touch."""
    rng, side = face.rng, face.side
    creases, red, nails = (np.zeros((side, side), np.uint8) for _ in range(3))
    for line, radii, folded, name in tips:
        way = (line[3] - line[2]) / max(float(np.hypot(*(line[3] - line[2]))), 1e-6)
        for n in (1, 2):
            across = np.array([-way[1], way[0]]) * radii[n] * 0.75
            for offset in np.linspace(-0.18, 0.18, int(rng.integers(1, 4))):
                centre = line[n] + way * offset * radii[n] * 2
                bowed = curve(np.array([centre - across, centre + way * radii[n] * 0.12, centre + across]), 8)
                cv2.polylines(creases, [fixed(bowed)], False, int(rng.integers(90, 255)), 1, cv2.LINE_AA, 4)
        for n in (1, 3):
            cv2.circle(red, tuple(int(v) for v in np.clip(line[n], -500, 2 * side)), max(1, int(radii[n])), 255, -1)
        if palm_side or folded:
            continue
        centre = line[3] + way * radii[3] * rng.uniform(0.0, 0.2)
        turn = float(np.degrees(np.arctan2(way[1], way[0])))
        size = max(1, int(radii[3] * 0.85 * 16)), max(1, int(radii[3] * 0.6 * 16))
        where = tuple(int(v * 16) for v in np.clip(centre, -500, 2 * side))
        cv2.ellipse(nails, where, size, turn, 0, 360, name, -1, cv2.LINE_8, 4)
    if nails.any():
        alpha = cv2.GaussianBlur(((nails == number) & (nails > 0)).astype(np.float32), (0, 0), 0.6)
        if rng.random() < 0.3:
            paint = np.array(rng.choice([(150, 20, 40), (40, 40, 60), (240, 235, 235), (200, 120, 140)]), np.float32)
            alpha *= 0.95
        else:
            paint = np.clip(face.skin * np.array([1.08, 1.0, 1.02], np.float32) + 12, 0, 255)
            alpha *= 0.7
        colour += alpha[..., None] * (paint - colour)
        spot = cv2.GaussianBlur(alpha, (0, 0), max(0.5, 0.03 * unit)) ** 3 * alpha
        colour += np.float32(120 * rng.uniform(0.1, 0.6)) * spot[..., None]
    dark = cv2.GaussianBlur(creases, (0, 0), max(0.4, 0.008 * unit)).astype(np.float32) / 255 * rng.uniform(0.1, 0.45)
    touch = ((cv2.dilate(number, np.ones((3, 3))) != number) & (number > 0)).astype(np.float32)
    touch = cv2.GaussianBlur(touch, (0, 0), max(0.6, 0.02 * unit)) * np.float32(rng.uniform(0.4, 0.9))
    dark = np.clip(np.maximum(dark, touch), 0, 0.7).astype(np.float32)
    flush = cv2.GaussianBlur(red, (0, 0), max(0.5, 0.07 * unit)).astype(np.float32) / 255
    flush *= np.float32(rng.uniform(0, 1.3))
    for channel, (darker, redder) in enumerate(((0.78, 0.04), (1, -0.08), (1, -0.08))):
        colour[..., channel] *= (1 - np.float32(darker) * dark) * (1 + np.float32(redder) * flush)
