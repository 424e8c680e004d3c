"""Glasses and sunglasses as they are drawn on training pictures: rims, bridge, arms, lenses, shine, reflections.

The frame is a curved plane before the eyes that turns with the head. Clear lenses belong to the face (class 0).
"""

from collections.abc import Callable

import cv2
import numpy as np

from faceinp.train.drawn_occluders.layers import (
    Array,
    Face,
    Line,
    Pixels,
    coverage,
    curve,
    filled,
    fixed,
    noise,
    strokes,
)

GLASSES = 1
FINER = 3  # rims are a pixel or two wide: they are drawn this much finer
_BLACKS = ((18, 17, 17), (30, 28, 30), (24, 26, 34), (52, 34, 24))
_METALS = ((196, 170, 110), (150, 150, 156), (92, 92, 98), (200, 200, 205), (120, 84, 60), (40, 40, 44))
_COLOURS = (
    (130, 24, 30),
    (30, 50, 120),
    (226, 222, 214),
    (190, 150, 110),
    (214, 170, 160),
    (70, 110, 80),
    (90, 40, 90),
)


def glasses(face: Face) -> None:
    """Draw a pair of glasses of any form on the face: a third dark, a tenth tinted, else clear."""
    rng = face.rng
    dark = rng.random() < 0.35
    rims, thick = _rims(face, dark)
    project = _projection(face)
    outer = [project(rim) for rim in rims]
    style = rng.choice(["full", "half", "rimless", "brow"], p=(0.65, 0.17, 0.11, 0.07))
    lenses = [filled(face.side, rim, 2) for rim in outer]
    frame = np.zeros((face.side * FINER,) * 2, np.uint8)
    for rim, line in zip(rims, outer, strict=True):
        _rim(frame, rim, line, thick, style, project)
    solid = _bridge_and_arms(face, frame, rims, thick, project)
    alpha = coverage(np.maximum(frame, solid), face.side)
    lens = np.clip(lenses[0] + lenses[1], 0, 1)
    if not dark and rng.random() < 0.6:
        _refract(face, lenses, outer)
    if rng.random() < 0.8:
        face.cast(alpha, rng.uniform(0.05, 0.45))
    if _lay_lenses(face, lens, dark):
        face.classes[lens > 0.4] = GLASSES
    clear = rng.uniform(0.35, 0.8) if rng.random() < (0.6 if style == "rimless" else 0.12) else 1.0
    broad = cv2.blur(alpha, (3, 3))
    face.lay(alpha * np.float32(clear), _material(face, alpha, thick), GLASSES, label=np.maximum(alpha, 2 * broad))


def _rims(face: Face, dark: bool) -> tuple[list[Line], float]:
    """Two outlines of lenses, (96, 2) in distances of the eyes from their middle, and how thick the rim is."""
    rng = face.rng
    wide, high = rng.uniform(0.33, 0.48), rng.uniform(0.48, 0.98)
    if dark or rng.random() < 0.15:
        wide, high = rng.uniform(0.38, 0.56), rng.uniform(0.65, 1.0)
    high *= wide
    half = rng.uniform(0.09, 0.17) if wide < 0.48 else rng.uniform(0.05, 0.1)
    power = rng.choice([2.0, 2.5, 3.5, 6.0])
    taper, lift, droop = rng.uniform(0, 0.18), rng.choice([0, 0, rng.uniform(0, 0.3)]), 0.0
    if rng.random() < 0.2:  # aviator
        power, taper, lift, droop, high = 2.4, rng.uniform(0.15, 0.3), 0.0, rng.uniform(0.1, 0.3), 0.85 * wide
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    cos, sin = (np.sign(v) * np.abs(v) ** (2 / power) for v in (np.cos(turn), np.sin(turn)))
    x = wide * cos * (1 - taper * sin) + taper * 0.3 * wide * np.maximum(sin, 0)  # outwards, narrower below
    raised = lift * wide * np.maximum(cos, 0) ** 2 * (sin < 0.3)
    y = high * sin * (1 + droop * np.where(sin > 0, -0.8 * cos, 0)) - raised
    fall = rng.uniform(-0.06, 0.18) if rng.random() < 0.9 else rng.uniform(0.15, 0.4)
    rims = [np.stack([sign * (x + wide + half), y + fall], axis=1) for sign in (-1, 1)]
    thick = rng.uniform((0.012, 0.035, 0.08), (0.035, 0.1, 0.16))  # thin, broad, heavy
    return rims, float(rng.choice(thick, p=(0.57, 0.34, 0.09)))


def _projection(face: Face) -> Callable[..., Line]:
    """From the frame's plane, (N, 2) in distances of the eyes, to pixels: it is curved, before the eyes, and turns."""
    wrap, ahead, yaw = face.rng.uniform(0.0, 0.16), face.rng.uniform(0.05, 0.2), face.yaw
    tilt = face.rng.normal(0, 0.03)
    moved = face.rng.normal(0, 0.03, 2)

    def project(points: Line, back: float = 0.0) -> Line:
        x, y = points[:, 0], points[:, 1]
        z = ahead - wrap * x * x - back
        flat = x * np.cos(yaw) + z * np.sin(yaw)
        scale = (1 + 0.12 * (z * np.cos(yaw) - x * np.sin(yaw))) / np.cos(yaw)  # nearer is larger
        flat, y = flat * scale + moved[0], y * scale * np.cos(yaw) ** 0.8 + moved[1]
        middle = (face.eyes[0] + face.eyes[1]) / 2
        flat, y = flat - tilt * y, y + tilt * flat
        return np.asarray(middle + face.gap * (np.outer(flat, face.across) + np.outer(y, face.down)))

    return project


def _rim(frame: Pixels, rim: Line, line: Line, thick: float, style: str, project: Callable[..., Line]) -> None:
    """Draw one rim: what lies between the lens's outline and a smaller one."""
    centre = rim.mean(axis=0)
    high = np.ptp(rim[:, 1]) / 2
    above = np.clip((centre[1] - rim[:, 1]) / high, -1, 1)  # 1 at the top
    width = {
        "full": thick * (1 + 0.25 * above),
        "half": thick * np.clip(0.5 + 2 * above, 0.0, 1),
        "rimless": np.full(len(rim), 0.012),
        "brow": np.where(above > 0.1, thick * 1.6, min(0.025, thick)),
    }[style]
    width = np.convolve(np.pad(width, 3, mode="wrap"), np.ones(7) / 7, "valid")
    inwards = (centre - rim) / np.linalg.norm(centre - rim, axis=1, keepdims=True)
    inner = project(rim + width[:, None] * inwards)
    cv2.fillPoly(frame, [fixed(line, FINER), fixed(inner[::-1], FINER)], 255, cv2.LINE_AA, 4)


def _bridge_and_arms(face: Face, frame: Pixels, rims: list[Line], thick: float, project: Callable[..., Line]) -> Pixels:
    """The bridge, one bar or two, and arms that run from the rims' upper outer ends to the ears."""
    rng, layer = face.rng, np.zeros_like(frame)
    unit = face.gap * FINER
    top = float(rims[0][:, 1].min())
    fall = float(np.ptp(rims[0][:, 1]))
    heights = [top + fall * rng.uniform(0.12, 0.4)]
    if rng.random() < 0.2:
        heights.append(top + fall * 0.03)
    for height in heights:
        left, right = (rim[np.argmin(np.abs(rim[:, 1] - height) + 2 * np.abs(rim[:, 0]))] for rim in rims)
        bow = rng.uniform(-0.08, 0.02)
        line = project(curve([left, np.array([0, left[1] + bow]), right]), -0.02)
        _wire(layer, line, max(thick, 0.022) * 0.9 * unit)
    hinge = rng.uniform(0.1, 0.45) if rng.random() < 0.8 else 0.6
    stout = max(1, round(unit * max(0.022, thick * rng.uniform(0.4, 1.0))))
    for rim, ear, sign in ((rims[0], 0, -1), (rims[1], 16, 1)):
        height = top + fall * hinge
        outermost = rim[np.argmin(np.abs(rim[:, 1] - height) - 2 * sign * rim[:, 0])]
        start = project(outermost[None])[0]
        corner = project(outermost[None] + np.array([[sign * 0.03, 0.0]]), 0.05)[0]
        end = face.points[ear] - face.down * face.gap * rng.uniform(0.0, 0.16)
        outside = sign * float((end - start) @ face.across) / face.gap
        if outside < 0.04:
            continue  # turned away: the head hides it
        whole = rng.uniform(0.45, 1.05)  # hair hides the rest
        line = np.array([start, corner, corner + whole * (end - corner)])
        _wire(layer, line, stout)
        if rng.random() < 0.5:  # where the arm is hinged
            _wire(layer, line[:2], stout + round(unit * 0.02))
    if thick < 0.05 and rng.random() < 0.7:
        _nose_pads(face, layer, rims, project)
    return layer


def _nose_pads(face: Face, layer: Pixels, rims: list[Line], project: Callable[..., Line]) -> None:
    """Pads on the nose, and the wires that hold them."""
    rng, unit = face.rng, face.gap * FINER
    x, y, long = rng.uniform(0.08, 0.15), rims[0][:, 1].mean() + rng.uniform(-0.02, 0.08), rng.uniform(0.03, 0.06)
    for sign in (-1, 1):
        rim = rims[(sign + 1) // 2]
        near = rim[np.argmin(np.abs(rim[:, 1] - y + 0.04) + 2 * np.abs(rim[:, 0]))]
        pad = np.array([[sign * (x - 0.015), y - long], [sign * (x + 0.015), y + long]])
        wire = project(np.vstack([near, (near + pad.mean(axis=0)) / 2 - [0, 0.02], pad.mean(axis=0)]))
        _wire(layer, wire, 0.012 * unit)
        _wire(layer, project(pad, 0.03), 0.028 * unit, 200)


def _wire(layer: Pixels, line: Line, width: float, value: int = 255) -> None:
    cv2.polylines(layer, [fixed(line, FINER)], False, value, max(1, round(width)), cv2.LINE_AA, 4)


def _refract(face: Face, lenses: list[Array], outlines: list[Line]) -> None:
    """What is seen through lenses looks smaller or larger."""
    scale = face.rng.uniform(0.92, 1.06)
    for lens, outline in zip(lenses, outlines, strict=True):
        move = cv2.getRotationMatrix2D(tuple(float(v) for v in outline.mean(axis=0)), 0, scale)
        reflected = cv2.warpAffine(face.picture, move, (face.side, face.side), borderMode=cv2.BORDER_REPLICATE)
        face.picture += lens[..., None] * (reflected - face.picture)


def _lay_lenses(face: Face, lens: Array, dark: bool) -> bool:
    """Lay what the lenses add to the picture; whether they hide the eyes (dark, tinted, reflecting)."""
    rng = face.rng
    down = _along(face)
    if dark:
        colour = np.array([(20, 20, 22), (38, 27, 20), (28, 36, 30), (24, 28, 44)][rng.integers(4)], np.float32)
        top = rng.uniform(0.8, 0.99)
        low = top if rng.random() < 0.5 else rng.uniform(0.45, top)
    elif rng.random() < 0.1:  # coloured
        colour = np.array(rng.choice([(170, 90, 30), (150, 60, 90), (60, 90, 160), (190, 150, 40)]), np.float32)
        top, low = rng.uniform(0.5, 0.85), rng.uniform(0.4, 0.85)
    else:
        colour = np.array([200, 210, 205], np.float32)
        top = low = rng.uniform(0.0, 0.09)
    alpha = lens * np.float32(top + 0) + lens * (low - top) * np.clip(down + 0.5, 0, 1)
    face.picture += alpha[..., None] * (colour * face.matched - face.picture)
    gloss = _reflections(face, lens, dark)
    hidden = float((gloss * lens).sum() / max(1.0, float(lens.sum())))
    return bool(low > 0.3 or hidden > 0.22)


def _reflections(face: Face, lens: Array, dark: bool) -> Array:
    """Lay windows, sky, lamps or a scene on the lenses; float32 (S, S): how much of what lies below they hide."""
    rng, side = face.rng, face.side
    shares = (0.25, 0.2, 0.2, 0.2, 0.15) if dark else (0.45, 0.09, 0.16, 0.2, 0.1)
    kind = rng.choice(["none", "scene", "window", "streak", "sky"], p=shares)
    strength = rng.uniform(0.15, 0.6) if dark or rng.random() < 0.4 else rng.uniform(0.04, 0.25)
    light = np.array(rng.choice([(255, 255, 255), (225, 238, 255), (255, 240, 215), (190, 235, 205)]), np.float32)
    gloss: Array = np.zeros((side, side), np.float32)
    colour: Array = np.broadcast_to(light, (side, side, 3))
    if kind == "scene":  # what stands opposite, seen in a convex mirror
        scene: Array = cv2.GaussianBlur(face.other()[::-1, ::-1], (0, 0), 2).astype(np.float32)
        scene = cv2.resize(scene, (max(2, round(face.gap)),) * 2, interpolation=cv2.INTER_AREA)
        tiles = int(np.ceil(side / scene.shape[0]))
        colour = np.tile(scene, (tiles, tiles, 1))[:side, :side] * rng.uniform(0.6, 1.3)
        gloss = np.full((side, side), strength * 1.1, np.float32)
    elif kind == "sky":
        clear = np.clip(0.6 - 1.6 * _along(face) + 0.15 * noise(side, 5, rng), 0, 1)
        gloss = clear.astype(np.float32) * strength * 1.3
    elif kind in ("window", "streak"):
        offset, size = rng.uniform(-0.2, 0.2, 2), rng.uniform(0.06, 0.28, 2)
        lean = rng.uniform(-0.6, 0.6)
        for eye in (-0.5, 0.5):
            x, y = eye + offset[0], offset[1]
            if kind == "window":
                panes = rng.integers(1, 3)
                for n in range(panes):
                    left = x + (n - panes / 2) * size[0] * 1.15
                    box = [(left, y - size[1]), (left + size[0], y - size[1])]
                    box += [(px + lean * 0.1, py + 2 * size[1]) for px, py in box[::-1]]
                    gloss = np.maximum(gloss, filled(side, [face.at(*b) for b in box]))
            else:
                ends = face.at(x - lean * 0.4, y - 0.5), face.at(x + lean * 0.4, y + 0.5)
                gloss = np.maximum(gloss, strokes(side, [ends], max(1.0, size[0] * face.gap), 1))
        gloss = cv2.GaussianBlur(gloss, (0, 0), rng.uniform(0.5, 2.5)) * strength * 1.4
    gloss = np.clip(gloss, 0, 1) * lens
    face.picture += gloss[..., None] * (colour * np.sqrt(face.matched) - face.picture)
    return np.asarray(gloss, np.float32)


def _along(face: Face) -> Array:
    """float32 (S, S): how far below the middle of the eyes, in distances of the eyes."""
    direction = face.down / face.gap
    origin = float((face.eyes[0] + face.eyes[1]) @ direction) / 2
    grid = np.arange(face.side) + 0.5
    return np.asarray(grid[None] * direction[0] + grid[:, None] * direction[1] - origin, np.float32)


def _material(face: Face, alpha: Array, thick: float) -> Array:
    """float32 (S, S, 3): plastic, tortoiseshell or metal, lit at its edges and shining in places."""
    rng, side = face.rng, face.side
    shares = (0.28, 0.58, 0.1, 0.04) if thick < 0.045 else (0.5, 0.08, 0.18, 0.24)
    kind = rng.choice(["black", "metal", "colour", "tortoise"], p=shares)
    if kind == "tortoise":
        spots = np.clip(3 * (noise(side, side // 6, rng) - 0.45), 0, 1)[..., None]
        colour = (1 - spots) * np.array([44, 26, 18]) + spots * np.array([150, 92, 44])
    else:
        table = {"black": _BLACKS, "metal": _METALS, "colour": _COLOURS}[kind]
        colour = np.broadcast_to(np.array(table[rng.integers(len(table))], np.float32), (side, side, 3))
        if kind == "metal":  # it mirrors what is around: bright and dark in turn, or like the skin
            colour = colour + rng.choice([0, 0, 0.6]) * (face.skin * rng.uniform(0.5, 1.0) - colour)
            colour = colour * (1 + rng.uniform(0.2, 1.6) * (noise(side, 18, rng) - 0.5))[..., None]
    edge = np.roll(alpha, 1, axis=0) - np.roll(alpha, -1, axis=0)  # the upper edges catch the light
    shine = np.clip(noise(side, 14, rng) - 0.55, 0, 1) * rng.choice([0, 1, 3 if kind == "metal" else 1.6])
    gleam = -edge * rng.uniform(0.05, 0.3) + shine * rng.uniform(0.2, 0.9)
    return np.asarray(np.clip(colour + 255 * gleam[..., None], 4, 255) / np.sqrt(face.matched), np.float32)
