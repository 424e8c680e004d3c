"""Things that people hold before their faces, as they are drawn on training pictures: all of them are class 5."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import direction
from faceinp.train.drawn_occluders.cloth import OTHER, pattern
from faceinp.train.drawn_occluders.layers import Array, Face, Line, Placement, curve, filled, lit, noise, strokes


def thing(face: Face) -> None:
    """Draw one thing: microphone, cup, phone, flower, ice cream, paper, stick, balloon, or a shape that is none."""
    things = (microphone, microphone, cup, phone, flower, ice_cream, paper, stick, shape)
    things[face.rng.integers(len(things))](face)


def _turned(face: Face, x: float, y: float, lean: float) -> Placement:
    """From a thing's own coordinates, y down its length, in distances of the eyes, to pixels."""
    origin, a, b = face.at(x, y), np.cos(lean), np.sin(lean)
    across, down = a * face.across + b * face.down, a * face.down - b * face.across

    def to_picture(points: Any) -> Line:
        x, y = np.asarray(points, np.float64).T
        return np.asarray(origin + face.gap * (np.outer(x, across) + np.outer(y, down)))

    return to_picture


def _oval(x: float, y: float, wide: float, high: float) -> NDArray[np.float64]:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([x + wide * np.cos(turn), y + high * np.sin(turn)], axis=1)


def _round(face: Face, alpha: Array, depth: float = 1.0) -> Array:
    """Shading of a shape that bulges from its edge inwards."""
    inside = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    reach = max(1.0, float(inside.max()))
    height = reach * np.sqrt(np.clip(1 - (1 - inside / reach) ** 2, 0, 1)) * depth
    return lit(cv2.GaussianBlur(height, (0, 0), 1.2), face.light, 0.9)


def _colour(face: Face) -> NDArray[np.float64]:
    rng = face.rng
    return rng.uniform(5, 250, 3) if rng.random() < 0.6 else rng.choice([15, 40, 130, 235]) + rng.normal(0, 4, 3)


def microphone(face: Face) -> None:
    """A microphone's head, of mesh or foam, before mouth or chin, and its handle."""
    rng, side = face.rng, face.side
    to_picture = _turned(face, rng.uniform(-0.9, 0.9), rng.uniform(0.9, 2.0), rng.normal(0, 0.7))
    wide, high = rng.uniform(0.16, 0.5), rng.uniform(1.0, 1.5)
    upper, lower = 0.62 * wide, 0.45 * wide
    stem = filled(side, to_picture([(-upper, 0.6 * wide), (upper, 0.6 * wide), (lower, 5.0), (-lower, 5.0)]), 2)
    colour = face.textured((28, 28, 30) if rng.random() < 0.7 else _colour(face))
    face.lay(stem, colour * _round(face, stem), OTHER, shadow=0.3)
    head = filled(side, to_picture(_oval(0, 0, wide, wide * high)), 2)
    foam = rng.random() < 0.4
    colour = np.array((26, 26, 28) if rng.random() < 0.6 else _colour(face) if foam else (120, 122, 126), np.float32)
    grain = cv2.GaussianBlur(rng.random((side, side), np.float32), (0, 0), 0.8) * 1.2 + 0.4
    grid = np.arange(side) * 2 * np.pi / max(2.5, 0.05 * face.gap * rng.uniform(0.8, 2))
    mesh = 1 + 0.3 * np.sin(grid[None] + grid[:, None]) * np.sin(grid[None] - grid[:, None])
    face.lay(
        head, colour * (grain if foam else mesh)[..., None] * _round(face, head), OTHER, shadow=rng.uniform(0.2, 0.6)
    )
    if rng.random() < 0.5:
        ends = to_picture([(-0.8 * wide, wide * high * 0.75), (0.8 * wide, wide * high * 0.75)])
        ring = strokes(side, [ends], 0.1 * face.gap)
        face.lay(ring, np.array((170, 170, 175)), OTHER)
    if rng.random() < 0.2:  # a station's cube
        cube = filled(side, to_picture([(-0.5, 0.6), (0.5, 0.6), (0.5, 1.5), (-0.5, 1.5)]), 2)
        face.lay(cube, pattern(face, face.textured(_colour(face)), *_grid(face)), OTHER, shadow=0.2)


def cup(face: Face) -> None:
    """A cup, a glass or a can held to the mouth."""
    rng, side = face.rng, face.side
    to_picture = _turned(face, rng.normal(0, 0.3), rng.uniform(0.7, 1.5), rng.normal(0, 0.5))
    top, low, high, ring = rng.uniform(0.35, 0.75), rng.uniform(0.7, 1.0), rng.uniform(0.8, 1.6), rng.uniform(0.1, 0.3)
    turn = np.linspace(0, np.pi, 20)
    lower = np.stack([top * low * np.cos(turn), high + 0.2 * ring * np.sin(turn)], axis=1)
    body = filled(side, to_picture(np.vstack([_oval(0, 0, top, ring * top)[20:], [[top, 0]], lower])), 2)
    body = np.maximum(body, filled(side, to_picture(_oval(0, 0, top, ring * top)), 2))
    base = face.textured(_colour(face))
    if rng.random() < 0.5:
        base = pattern(face, base, *_grid(face))
    clear = 1.0 if rng.random() < 0.8 else rng.uniform(0.5, 0.8)
    face.lay(body * np.float32(clear), base * _round(face, body), OTHER, shadow=rng.uniform(0.1, 0.5), label=body)
    rim = strokes(side, [to_picture(_oval(0, 0, top, ring * top))], 0.03 * face.gap)
    face.lay(rim, np.minimum(_colour(face) + 80, 255), OTHER)


def phone(face: Face) -> None:
    """A telephone or a camera before an eye or the mouth."""
    rng, side = face.rng, face.side
    x, y, lean = rng.uniform(-1, 1), rng.uniform(-0.1, 1.4), rng.normal(0, 0.5) + rng.choice([0, np.pi / 2])
    to_picture = _turned(face, x, y, lean)
    wide, high = rng.uniform(0.5, 0.75), rng.uniform(1.0, 1.5)
    turn = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    cos, sin = (np.sign(v) * np.abs(v) ** 0.18 for v in (np.cos(turn), np.sin(turn)))
    outline = to_picture(np.stack([wide * cos, high * sin], axis=1))
    body = filled(side, outline, 2)
    base = face.textured(_colour(face) if rng.random() < 0.6 else (20, 20, 24))
    face.lay(body, base * (0.8 + 0.4 * noise(side, 2, rng))[..., None], OTHER, shadow=rng.uniform(0.1, 0.5))
    face.lay(strokes(side, [outline], 0.04 * face.gap), _colour(face), OTHER)
    for n in range(int(rng.integers(0, 4))):
        lens = filled(side, to_picture(_oval(-0.5 * wide, -0.75 * high + 0.22 * n, 0.09, 0.09)), 2)
        face.lay(lens, np.array((12, 12, 16)), OTHER)


def flower(face: Face) -> None:
    """Flowers: petals about a centre, leaves behind."""
    rng, side = face.rng, face.side
    x, y = rng.uniform(-1, 1), rng.uniform(0.3, 2.0)
    tint = rng.uniform(60, 255, 3)
    for _ in range(int(rng.integers(1, 5))):
        to_picture = _turned(face, x + rng.normal(0, 0.3), y + rng.normal(0, 0.3), rng.uniform(0, 6))
        size, petals = rng.uniform(0.2, 0.55), int(rng.integers(5, 10))
        for n in range(petals):
            turn = 2 * np.pi * n / petals
            leaf = _oval(0.55 * size, 0, 0.5 * size, 0.9 * size * np.sin(np.pi / petals))
            a, b = np.cos(turn), np.sin(turn)
            alpha = filled(side, to_picture(leaf @ np.array([[a, b], [-b, a]])))
            colour = tint * rng.uniform(0.75, 1.1) * _round(face, alpha, 0.6)
            face.lay(alpha, colour, OTHER, shadow=0 if n else 0.15)
        heart = filled(side, to_picture(_oval(0, 0, 0.2 * size, 0.2 * size)))
        face.lay(heart, face.textured(rng.choice([(220, 180, 40), (90, 60, 30), (240, 230, 200)]), 0.2), OTHER)


def ice_cream(face: Face) -> None:
    """Ice cream in a cone, a lollipop, an apple: round food before the mouth."""
    rng, side = face.rng, face.side
    to_picture = _turned(face, rng.normal(0, 0.35), rng.uniform(0.9, 1.5), rng.normal(0, 0.4))
    size = rng.uniform(0.25, 0.5)
    if rng.random() < 0.6:
        cone = filled(side, to_picture([(-size, 0), (size, 0), (0.1, 3.5 * size), (-0.1, 3.5 * size)]), 2)
        u, v = _grid(face)
        waffle = 1 - 0.25 * ((np.sin((u + v) * 18) > 0.8) | (np.sin((u - v) * 18) > 0.8))
        face.lay(cone, np.array((200, 150, 90)) * waffle[..., None] * _round(face, cone), OTHER, shadow=0.2)
    else:
        face.lay(strokes(side, [to_picture([(0, 0), (0, 4.0)])], 0.08 * face.gap), (230, 220, 200), OTHER)
    ball = _oval(0, -0.3 * size, size * 1.05, size * rng.uniform(0.9, 1.3))
    ball += 0.04 * size * rng.standard_normal(ball.shape)
    alpha = filled(side, to_picture(curve(np.vstack([ball, ball[:1]]), 90)), 2)
    colour = face.textured(rng.uniform(70, 250, 3), 0.05) * _round(face, alpha)
    face.lay(alpha, colour, OTHER, shadow=rng.uniform(0.1, 0.4))


def paper(face: Face) -> None:
    """A sheet, a book or a sign before part of the face."""
    rng, side = face.rng, face.side
    to_picture = _turned(face, rng.uniform(-1.2, 1.2), rng.uniform(1.2, 2.4), rng.normal(0, 0.3))
    wide, high = rng.uniform(0.7, 2.0), rng.uniform(0.7, 1.6)
    alpha = filled(side, to_picture([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]), 2)
    base = face.textured((235, 232, 224) if rng.random() < 0.4 else _colour(face))
    if rng.random() < 0.7:
        base = pattern(face, base, *_grid(face))
    face.lay(alpha, base * (0.85 + 0.3 * noise(side, 2, rng))[..., None], OTHER, shadow=rng.uniform(0.1, 0.5))


def stick(face: Face) -> None:
    """A pen, a cigarette, a straw, a flute, a toothbrush: something long before the mouth."""
    rng = face.rng
    start = face.at(rng.uniform(-0.5, 0.5), rng.uniform(0.7, 1.5))
    turn, long = rng.uniform(0, 2 * np.pi), face.gap * rng.uniform(0.8, 4)
    line = np.array([start, start + long * direction(turn)])
    alpha = strokes(face.side, [line], face.gap * rng.uniform(0.05, 0.2))
    face.lay(alpha, face.textured(_colour(face)) * _round(face, alpha), OTHER, shadow=rng.uniform(0.1, 0.5))


def shape(face: Face) -> None:
    """A lump of any outline with any texture."""
    rng, side = face.rng, face.side
    to_picture = _turned(face, rng.uniform(-1.0, 1.0), rng.uniform(-0.2, 1.8), rng.uniform(0, 6))
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    knots = np.stack([np.cos(turn), np.sin(turn) * rng.uniform(0.4, 1)], axis=1)
    knots *= rng.uniform(0.3, 1.1) * rng.uniform(0.6, 1.3, (9, 1))
    alpha = filled(side, to_picture(curve(np.vstack([knots, knots[:1]]), 70)), 2)
    base = face.textured(_colour(face), 0.08)
    if rng.random() < 0.6:
        base = pattern(face, base, *_grid(face))
    face.lay(alpha, base * _round(face, alpha, rng.uniform(0.3, 1)), OTHER, shadow=rng.uniform(0.1, 0.5))


def _grid(face: Face) -> tuple[Array, Array]:
    turn, grid = face.rng.uniform(0, np.pi), (np.arange(face.side, dtype=np.float32) - face.side / 2) / face.gap
    a, b = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return a * grid[None] + b * grid[:, None], a * grid[:, None] - b * grid[None]
