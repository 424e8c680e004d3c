"""What looks like an occluder and is face: shadows, make-up, wrinkles, dark eyes, hats, shine. All of it is class 0."""

import cv2
import numpy as np

from faceinp.train.drawn_occluders.layers import Array, Face, filled, lit, noise, strokes


def shade(face: Face) -> None:
    """A cast shadow with a straight, curved or speckled edge, of a hat, a window or leaves."""
    rng, side = face.rng, face.side
    kind = rng.choice(["half", "bar", "leaves", "brim"])
    dark: Array
    if kind == "leaves":
        dark = np.clip((noise(side, int(rng.integers(4, 12)), rng) - rng.uniform(0.35, 0.6)) * 8, 0, 1)
    elif kind == "bar":
        lean = rng.uniform(-1, 1)
        heights = rng.uniform(-0.8, 2) + np.arange(rng.integers(1, 4)) * rng.uniform(0.3, 0.8)
        lines = [[face.at(-3, y - 3 * lean), face.at(3, y + 3 * lean)] for y in heights]
        dark = strokes(side, lines, face.gap * rng.uniform(0.05, 0.3), 1)
    elif kind == "brim":
        y = rng.uniform(-0.5, 0.6)
        edge = face.line((-2.5, y + rng.normal(0, 0.2)), (0, y + rng.uniform(0, 0.5)), (2.5, y))
        dark = filled(side, np.vstack([edge, face.at(4, -5), face.at(-4, -5)]))
    else:
        x = rng.uniform(-0.8, 0.8)
        edge = face.line((x, -3), (x + rng.normal(0, 0.3), 0), (x + rng.normal(0, 0.3), 1), (x, 4))
        far = rng.choice([-5, 5])
        dark = filled(side, np.vstack([edge, face.at(far, 4), face.at(far, -3)]))
    dark = cv2.GaussianBlur(dark.astype(np.float32), (0, 0), face.gap * rng.choice([0.02, 0.06, 0.2]))[..., None]
    face.picture *= 1 - dark * rng.uniform(0.25, 0.75) * np.array([0.95, 1, 1], np.float32)


def make_up(face: Face) -> None:
    """Eye shadow, kohl, lipstick, rouge, face paint."""
    rng, side, points = face.rng, face.side, face.points
    if rng.random() < 0.6:
        tint = np.array(
            rng.choice([(30, 24, 24), (70, 40, 50), (60, 80, 140), (140, 80, 40), (50, 90, 80)]), np.float32
        )
        zone: Array = np.zeros((side, side), np.float32)
        for eye in (points[36:42], points[42:48]):
            middle = eye.mean(axis=0) - rng.uniform(0, 0.06) * face.down * face.gap
            zone = np.maximum(zone, filled(side, middle + (eye - middle) * rng.uniform((1.1, 1.3), (1.6, 3.0))))
        zone = cv2.GaussianBlur(zone, (0, 0), face.gap * rng.uniform(0.02, 0.08))
        lids = np.maximum(filled(side, points[36:42]), filled(side, points[42:48]))
        zone = (zone * (1 - lids) * rng.uniform(0.3, 0.85))[..., None]
        face.picture += zone * (tint * face.matched - face.picture)
    if rng.random() < 0.6:
        tint = np.array(rng.choice([(160, 20, 40), (110, 20, 50), (200, 90, 100), (60, 20, 30)]), np.float32)
        lips = filled(side, points[48:60]) - filled(side, points[60:68])
        lips = cv2.GaussianBlur(np.clip(lips, 0, 1), (0, 0), 0.8)[..., None] * rng.uniform(0.3, 0.8)
        face.picture += lips * (tint * face.matched * (face.picture.mean(axis=2, keepdims=True) / 130) - face.picture)


def sockets(face: Face) -> None:
    """Dark rings, deep sockets, swollen lids."""
    rng, side = face.rng, face.side
    zone: Array = np.zeros((side, side), np.float32)
    for eye in (face.points[36:42], face.points[42:48]):
        middle = eye.mean(axis=0) + rng.uniform(-0.1, 0.1) * face.down * face.gap
        zone = np.maximum(zone, filled(side, middle + (eye - middle) * np.array([1.5, rng.uniform(2, 4)])))
    zone = cv2.GaussianBlur(zone, (0, 0), face.gap * rng.uniform(0.06, 0.14))[..., None]
    face.picture *= 1 - zone * rng.uniform(0.2, 0.65) * np.array([0.85, 1, 0.95], np.float32)


def wrinkles(face: Face) -> None:
    """Lines of the forehead, beside the nose, below the eyes."""
    rng = face.rng
    lines = []
    for y in rng.uniform(-1.1, -0.6, int(rng.integers(0, 4))):
        lines.append(face.line((-0.6, y), (0, y + rng.normal(0, 0.05)), (0.6, y)))
    for sign in (-1, 1):
        x = sign * rng.uniform(0.25, 0.4)
        lines.append(face.line((x, 0.6), (x * 1.6, 0.95), (x * 1.7, 1.3)))
        for _ in range(int(rng.integers(0, 3))):
            y = rng.uniform(0.1, 0.3)
            lines.append(face.line((sign * 0.2, y), (sign * 0.5, y + 0.08), (sign * 0.8, y - 0.05)))
    fine = strokes(face.side, lines, face.gap * rng.uniform(0.015, 0.04))
    deep = cv2.GaussianBlur(fine, (0, 0), rng.uniform(0.6, 1.6))
    face.picture *= 1 - deep[..., None] * rng.uniform(0.2, 0.6) * np.array([0.85, 1, 1], np.float32)


def hat(face: Face) -> None:
    """A cap or a cloth over the forehead that ends above the eyes, with its shadow."""
    rng, side = face.rng, face.side
    y = rng.uniform(-1.3, -0.6)
    bow = rng.uniform(-0.3, 0.15)
    side_bow, end = y + 0.3 * bow, y + 0.2
    edge = face.line((-1.7, end), (-0.8, side_bow), (0, y + bow), (0.8, side_bow), (1.7, end))
    alpha = filled(side, np.vstack([edge, face.at(2.2, -4), face.at(-2.2, -4)]), 2)
    band = rng.uniform(0.1, 0.35) * face.gap
    tall = np.clip(cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / band, 0, 1)
    height = 0.4 * face.gap * np.sqrt(tall) + face.gap * rng.uniform(0, 0.5) * noise(side, 4, rng)
    base = face.textured(rng.uniform(10, 240, 3), rng.uniform(0.01, 0.08))
    if rng.random() < 0.3:
        base = base * (1 + rng.uniform(0.05, 0.3) * np.sin(np.arange(side) * rng.uniform(0.3, 2))[:, None, None])
    base = base * lit(cv2.GaussianBlur(height, (0, 0), 0.06 * face.gap + 0.8), face.light, 0.7)
    face.lay(alpha, base, 0, shadow=rng.uniform(0.2, 0.7))


def shine(face: Face) -> None:
    """Bright spots where skin reflects a lamp, tears, water."""
    rng = face.rng
    spots = np.zeros((face.side,) * 2, np.float32)
    for _ in range(int(rng.integers(1, 6))):
        x, y = rng.choice([(0, 0.5), (-0.6, 0.6), (0.6, 0.6), (0, -0.8), (0, 1.6)]) + rng.normal(0, 0.12, 2)
        turn = np.linspace(0, 2 * np.pi, 20)
        oval = np.stack([rng.uniform(0.03, 0.2) * np.cos(turn), rng.uniform(0.03, 0.2) * np.sin(turn)], axis=1)
        spots = np.maximum(spots, filled(face.side, face.at(x, y) + face.gap * oval))
    glow = cv2.GaussianBlur(spots, (0, 0), face.gap * rng.uniform(0.02, 0.1))[..., None] * rng.uniform(0.15, 0.7)
    face.picture += glow * (np.array([255, 250, 245], np.float32) - face.picture)
