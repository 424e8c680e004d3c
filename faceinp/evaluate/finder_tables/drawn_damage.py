"""Damage drawn on photos, to measure damage finders: no training run uses these shapes.

Lines are walks of a drifting heading and chords displaced at their midpoints (Fournier, Fussell and Carpenter 1982),
cracks the edges of Voronoi cells and L-systems (Prusinkiewicz and Lindenmayer 1990), areas the contours of noise summed
over octaves (Perlin 1985) and clusters grown at random (Eden 1961).
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Voronoi

from faceinp.evaluate.finder_tables import damage_shapes as shapes
from faceinp.evaluate.finder_tables.damage_shapes import Floats, Random, Size
from faceinp.photo.arrays import direction

VISIBLE_ALPHA, VISIBLE_STEP = 0.3, 10.0  # opacity and grey levels above which damage is visible
DRAWN_ALPHA = 0.04  # opacity above which a pixel counts as drawn on


@dataclass(frozen=True, eq=False)
class DamagedPhoto:
    """pixels: uint8 (H, W, 3). damage: bool (H, W), visible damage, which must be found. drawn: bool (H, W), all pixels
    that were drawn on: ``damage`` and what is too faint to be visible.
    """

    pixels: NDArray[np.uint8]
    damage: NDArray[np.bool_]
    drawn: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layer:
    """alpha: float32 (H, W) in [0, 1]. colour: float32, (H, W, 3) or (3,), 0 to 255. shade: float32 (H, W), a factor on
    the photo below, such as beside a fold; it does not count as damage.
    """

    alpha: Floats
    colour: Floats
    shade: Floats | None = None


def draw(photo: NDArray[np.uint8], kind: str, rng: Random) -> DamagedPhoto:
    """Make ``photo``, uint8 (H, W, 3), look like the scan of an old print with damage of a ``kind``, a key of KINDS.

    Lengths scale with the photo: they are given for a longer side of 768 pixels.
    """
    old = _tone(photo.astype(np.float32), rng)
    old += rng.normal(0, rng.choice([0, 0, 2, 5]), old.shape[:2]).astype(np.float32)[..., None]  # film grain
    layer = KINDS[kind](old.shape[:2], rng)
    base = old if layer.shade is None else old * layer.shade[..., None]
    alpha = layer.alpha[..., None]
    damaged = np.clip(base, 0, 255) * (1 - alpha) + layer.colour * alpha
    step = np.abs(damaged - base).max(axis=2)
    damage = (layer.alpha > VISIBLE_ALPHA) & (step > VISIBLE_STEP)
    return DamagedPhoto(_scan(damaged, rng), damage, layer.alpha > DRAWN_ALPHA)


def _tone(photo: Floats, rng: Random) -> Floats:
    """Unchanged, grey, or monochrome in a warm tone; often faded."""
    tone = rng.integers(4)
    grey = cv2.cvtColor(photo / 255, cv2.COLOR_RGB2GRAY)[..., None] * 255
    if tone == 1:
        photo = np.repeat(grey, 3, axis=2)
    elif tone > 1:
        yellow = rng.uniform(0.1, 0.4)
        warm = np.array([1.0, 1 - rng.uniform(0.3, 0.5) * yellow, 1 - yellow], np.float32)
        photo = grey ** np.float32(rng.uniform(0.9, 1.05)) * warm
    black, white = rng.choice([0, 0, 25, 50]), rng.choice([255, 255, 235, 210])
    return (black + photo * (white - black) / 255).astype(np.float32)


def _scan(photo: Floats, rng: Random) -> NDArray[np.uint8]:
    """The scanner's blur and noise, and JPEG compression."""
    blur = rng.choice([0, 0.5, 0.8])
    blurred = cv2.GaussianBlur(photo, (0, 0), blur) if blur else photo
    noisy = blurred + rng.normal(0, rng.choice([0, 1, 2]), photo.shape)
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def _colour(size: Size, rng: Random, light: float = 0.75) -> Floats:
    """(H, W, 3): bare paper with its fibres, or, with probability 1 - ``light``, something dark."""
    is_light = rng.random() < light
    level = rng.uniform(215, 252) if is_light else rng.uniform(8, 60)
    tint = np.array([1, rng.uniform(0.95, 1.0), rng.uniform(0.82, 1.0)], np.float32)
    paper = level + rng.uniform(0, 6) * shapes.noise(size, 12, 3, rng)
    return np.clip(paper[..., None] * tint, 0, 255).astype(np.float32)


def _scratches(size: Size, rng: Random) -> Layer:
    canvas, scale = shapes.Canvas(size, rng), shapes.scale_of(size)
    for _ in range(rng.integers(2, 9)):
        path = shapes.walk(size, int(rng.uniform(60, 600) * scale), rng.choice([0.0005, 0.003, 0.01]) / scale, rng)
        width, opacity = rng.uniform(1.5, 3.5) * scale, rng.uniform(0.55, 1)
        tracks = rng.choice([1, 1, 1, 2, 3])  # a rough edge leaves several scratches
        normal = (path[-1] - path[0])[::-1] * (1, -1) / max(np.linalg.norm(path[-1] - path[0]), 1)
        for track in range(tracks):
            moved = path + normal * track * rng.uniform(4, 9) * scale
            canvas.line(moved, shapes.varied_widths(path, width, rng), opacity, rng.choice([0, 0.2, 0.4]))
    return Layer(canvas.alpha, _colour(size, rng))


def _hairlines(size: Size, rng: Random) -> Layer:
    canvas, scale = shapes.Canvas(size, rng), shapes.scale_of(size)
    for _ in range(rng.integers(2, 9)):
        path = shapes.walk(size, int(rng.uniform(50, 400) * scale), rng.choice([0.001, 0.01, 0.04]) / scale, rng)
        widths = shapes.varied_widths(path, rng.uniform(0.7, 1.2), rng)
        canvas.line(path, widths, rng.uniform(0.5, 1), rng.choice([0, 0, 0.15]))
    return Layer(canvas.alpha, _colour(size, rng, light=0.6))


def _cracks(size: Size, rng: Random) -> Layer:
    canvas, scale = shapes.Canvas(size, rng), shapes.scale_of(size)
    (_craquelure if rng.random() < 0.6 else _branches)(canvas, scale, rng)
    return Layer(canvas.alpha * rng.uniform(0.7, 1), _colour(size, rng, light=0.7))


def _craquelure(canvas: shapes.Canvas, scale: float, rng: Random) -> None:
    """Some of the edges of Voronoi cells, in a part of the photo."""
    size = canvas.size
    side = rng.uniform(35, 110) * scale
    count = int(np.prod([extent / side + 2 for extent in size]))
    cells = Voronoi(rng.uniform(-side, np.array(size[::-1]) + side, (count, 2)))
    region = shapes.strongest(size, rng.uniform(0.2, 0.7), 300 * scale, 2, rng)
    keep, width = rng.uniform(0.5, 1), 0.8 * scale
    for pair in cells.ridge_vertices:
        if -1 in pair or rng.random() > keep:
            continue
        start, end = cells.vertices[pair]
        x, y = np.clip((start + end) / 2, 0, np.array(size[::-1]) - 1).astype(int)
        if region[y, x] and np.linalg.norm(start - end) < 5 * side:
            edge = shapes.displaced(start, end, 0.08, rng)
            canvas.line(edge, shapes.varied_widths(edge, rng.uniform(1, 2.5) * width, rng), 1.0, 0.08)


def _branches(canvas: shapes.Canvas, scale: float, rng: Random) -> None:
    """An L-system such as F -> F[+F]F[-F]F with random angles and lengths, from the border inwards."""
    rule = str(rng.choice(["F[+F]F[-F]F", "FF-[-F+F]+[+F-F]", "F[+F]FF", "F-F[+F]"]))
    program, turn = "F", rng.uniform(0.3, 0.9)
    for _ in range(3):
        program = program.replace("F", rule)
    extent = np.array(canvas.size[::-1], float)
    for _ in range(rng.integers(1, 4)):
        at, length = rng.uniform(0, 1, 2) * extent, rng.uniform(9, 22) * scale
        heading = float(np.arctan2(*(extent / 2 - at)[::-1])) + rng.normal(0, 0.5)
        width, stack = rng.uniform(1.2, 2.6) * scale, []
        for letter in program[:700]:
            if letter == "F":
                step = length * rng.uniform(0.5, 1.4)
                end = at + step * direction(heading)
                path = shapes.displaced(at, end, 0.12, rng)
                canvas.line(path, shapes.varied_widths(path, width, rng))
                at, heading = end, heading + rng.normal(0, 0.12)
            elif letter == "[":
                stack.append((at, heading, width))
                width *= 0.75
            elif letter == "]":
                at, heading, width = stack.pop()
            else:
                heading += (turn if letter == "+" else -turn) * rng.uniform(0.6, 1.4)


def _folds(size: Size, rng: Random) -> Layer:
    """Lines from border to border, white where the emulsion broke, lighter or darker on either side."""
    canvas, scale, shade = shapes.Canvas(size, rng), shapes.scale_of(size), np.ones(size, np.float32)
    extent = np.array(size[::-1], float)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for _ in range(rng.integers(1, 4)):
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.03)
        along = direction(angle)
        middle = extent * rng.uniform(0.15, 0.85, 2)
        path = shapes.displaced(middle - along * extent.sum(), middle + along * extent.sum(), 0.004, rng)
        width = rng.uniform(1.2, 3.5) * scale
        canvas.line(path, shapes.varied_widths(path, width, rng), 1.0, rng.choice([0, 0.1, 0.3]))
        across = (columns - middle[0]) * -along[1] + (rows - middle[1]) * along[0]
        shade *= 1 + rng.uniform(-0.2, 0.2) * np.sign(across) * np.exp(-np.abs(across) / (rng.uniform(4, 25) * scale))
    alpha = canvas.alpha
    flakes = cv2.dilate(alpha, np.ones((3, 3)), iterations=max(1, round(2 * scale)))
    # The emulsion breaks off beside the fold.
    flaked = shapes.strongest(size, rng.uniform(0.05, 0.3), 14 * scale, 3, rng)
    return Layer(np.where(flaked, flakes, alpha), _colour(size, rng, light=0.9), shade)


def _spots(size: Size, rng: Random) -> Layer:
    """Merging drops, or clusters grown pixel by pixel, such as mould."""
    scale, alpha = shapes.scale_of(size), np.zeros(size, np.float32)
    grown = rng.random() < 0.4
    for _ in range(rng.integers(4, 30)):
        radius = rng.uniform(2.5, 10) * scale
        half = int(2.5 * radius) + 2
        patch = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
        if grown:
            patch[half, half] = 1
            for _ in range(int(radius)):
                edge = cv2.dilate(patch, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
                patch = np.where(rng.random(patch.shape) < 0.55, edge, patch)
        else:
            grid = np.mgrid[-half : half + 1, -half : half + 1]
            for _ in range(rng.integers(2, 5)):
                centre = rng.normal(0, radius / 2, (2, 1, 1))
                patch += np.exp(-((grid - centre) ** 2).sum(axis=0) / (0.5 * radius) ** 2).astype(np.float32)
            patch = np.clip((patch - 0.5) * 4 + 0.5, 0, 1)
        _put(alpha, np.asarray(cv2.GaussianBlur(patch, (0, 0), 0.6), np.float32), rng)
    return Layer(alpha * rng.uniform(0.7, 1), _colour(size, rng, light=0.55))


def _put(alpha: Floats, patch: Floats, rng: Random) -> None:
    half = len(patch) // 2
    row, column = (int(rng.integers(0, side)) for side in alpha.shape)
    padded = np.pad(alpha, half)
    window = padded[row : row + len(patch), column : column + len(patch)]
    np.maximum(window, patch, out=window)
    alpha[:] = padded[half : half + alpha.shape[0], half : half + alpha.shape[1]]


def _dust(size: Size, rng: Random) -> Layer:
    """Specks and short fibres, in clusters (a Thomas process)."""
    canvas, scale = shapes.Canvas(size, rng), shapes.scale_of(size)
    for parent in rng.uniform(0, 1, (rng.integers(4, 14), 2)) * size[::-1]:
        for at in rng.normal(parent, rng.uniform(20, 120) * scale, (rng.integers(4, 24), 2)):
            if rng.random() < 0.25:
                fibre = shapes.walk(size, int(rng.uniform(5, 16) * scale), 0.1 / scale, rng)
                canvas.line(fibre - fibre[0] + at, rng.uniform(0.8, 1.3) * scale)
            else:
                corners = rng.normal(0, 1, (5, 2)) * rng.uniform(0.7, 1.8) * scale + at
                canvas.area(cv2.convexHull(corners.astype(np.float32))[:, 0].astype(float))
    return Layer(np.clip(canvas.alpha * rng.uniform(0.8, 1.3), 0, 1), _colour(size, rng))


def _tears(size: Size, rng: Random) -> Layer:
    """Missing corners and wedges torn from the border, with a rim of white fibre."""
    scale, extent = shapes.scale_of(size), np.array(size[::-1], float)
    core, rim = shapes.Canvas(size, rng), shapes.Canvas(size, rng)
    for _ in range(rng.integers(1, 4)):
        corner = rng.integers(0, 2, 2) * extent
        inwards = np.where(corner > 0, -1, 1)
        if rng.random() < 0.5:
            reach = rng.uniform(0.06, 0.28, 2) * extent.min()
            ends = corner + inwards * np.diag(reach)
            outline = shapes.displaced(ends[0], ends[1], 0.09, rng)
            piece = np.concatenate([outline, [corner]])
        else:
            axis = int(rng.integers(2))
            mouth = corner.copy()
            mouth[axis] = rng.uniform(0.1, 0.9) * extent[axis]
            tip = mouth + rng.normal(0, 0.07, 2) * extent
            tip[1 - axis] = mouth[1 - axis] + inwards[1 - axis] * rng.uniform(0.08, 0.4) * extent[1 - axis]
            gape = np.zeros(2)
            gape[axis] = rng.uniform(3, 30) * scale
            sides = shapes.displaced(mouth - gape, tip, 0.07, rng), shapes.displaced(tip, mouth + gape, 0.07, rng)
            outline = piece = np.concatenate(sides)
        core.area(piece)
        rim.line(outline, shapes.varied_widths(outline, rng.uniform(2, 7) * scale, rng))
    fibre = _colour(size, rng, light=1.0)
    return Layer(np.maximum(core.alpha, rim.alpha), fibre + core.alpha[..., None] * (_colour(size, rng, 0.6) - fibre))


def _flakes(size: Size, rng: Random) -> Layer:
    """Patches where the emulsion came off: contours of noise, in a part of the photo."""
    scale = shapes.scale_of(size)
    where = shapes.noise(size, rng.uniform(150, 400) * scale, 2, rng)
    noise = shapes.noise(size, rng.uniform(18, 70) * scale, 4, rng) + 1.5 * where
    level = np.quantile(noise, 1 - rng.uniform(0.01, 0.1))
    alpha = np.clip((noise - level) * 6 + 0.5, 0, 1)
    return Layer(cv2.GaussianBlur(alpha, (0, 0), 0.6), _colour(size, rng, light=0.85))


def _stains(size: Size, rng: Random) -> Layer:
    """Dried liquid with a darker rim, or tape across the photo; both are mostly opaque."""
    scale, alpha = shapes.scale_of(size), np.zeros(size, np.float32)
    rows, columns = np.mgrid[: size[0], : size[1]]
    middle, radius = rng.uniform(0.1, 0.9, 2) * size, rng.uniform(30, 110) * scale
    if rng.random() < 0.6:
        distance = np.hypot(rows - middle[0], columns - middle[1]) / radius
        distance = distance + 0.18 * shapes.noise(size, 1.2 * radius, 3, rng)
        rim = np.exp(-(((distance - 0.95) / 0.06) ** 2))
        opacity = 0.6 + 0.12 * shapes.noise(size, radius, 3, rng)
        alpha = np.clip((1 - distance) * 12 + 0.5, 0, 1) * opacity + 0.25 * rim
    else:
        angle, length = rng.uniform(0, np.pi), rng.uniform(100, 500) * scale
        along = (columns - middle[1]) * np.cos(angle) + (rows - middle[0]) * np.sin(angle)
        across = -(columns - middle[1]) * np.sin(angle) + (rows - middle[0]) * np.cos(angle)
        teeth = 3 * scale * np.abs(((across / (5 * scale)) % 1) - 0.5)
        inside = (np.abs(along) < length / 2 + teeth) & (np.abs(across) < rng.uniform(14, 36) * scale)
        alpha = inside * (0.68 + 0.08 * shapes.noise(size, 40 * scale, 3, rng))
    tint = rng.choice([(150, 105, 55), (205, 170, 100), (90, 60, 35), (225, 205, 150)])
    return Layer(np.clip(alpha, 0, 0.95).astype(np.float32), np.asarray(tint, np.float32))


KINDS: dict[str, Callable[[Size, Random], Layer]] = {
    "scratches": _scratches,
    "hairlines": _hairlines,
    "cracks": _cracks,
    "folds": _folds,
    "spots": _spots,
    "dust": _dust,
    "tears and missing corners": _tears,
    "flaked patches": _flakes,
    "stains": _stains,
}
