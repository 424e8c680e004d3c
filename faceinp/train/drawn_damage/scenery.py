"""Things of a scene that look like damage: each is drawn into the picture as a lens would show it."""

import cv2
import numpy as np

from faceinp.photo.arrays import direction
from faceinp.train.drawn_damage.canvas import THIRDS, Canvas, Floats, Path, curve, floats, moved, pixels
from faceinp.train.drawn_damage.stamps import turned, word


def wires(canvas: Canvas) -> None:
    """Wires, cords and ropes: long, of one width, often side by side, lit from one side."""
    rng, side = canvas.rng, canvas.side
    angle, start = rng.uniform(0, np.pi), canvas.point()
    sag, width = rng.choice([0, 0.1, 0.5, 1.5]) * rng.normal(), canvas.log_uniform(0.8, 7)
    gap, paths = rng.uniform(2, 25) * width, []
    for k in range(int(rng.choice([1, 1, 2, 3, 5]))):
        shift = k * gap * np.array([-np.sin(angle), np.cos(angle)])
        line = curve(np.random.default_rng(7), start * 0, angle, 2.4 * side, sag, 2)
        line = line - line[len(line) // 2] + start + shift
        paths.append((line.astype(np.float32), width))
    colour = _scene_colour(canvas, 0.25)
    cover = canvas.strokes(paths)
    if width > 2:  # round: shaded across
        lit = moved(cover, *rng.uniform(-0.4, 0.4, 2) * width)
        shading = rng.uniform(20, 70) * (2 * cv2.GaussianBlur(lit, (0, 0), width / 3) - 1)
        colour = np.clip(colour + shading[..., None], 0, 255)
        if width > 3 and rng.random() < 0.5:  # a rope's twist
            y, x = pixels(side)
            colour = colour + 25 * np.sin((x * np.cos(angle + 0.7) + y * np.sin(angle + 0.7)) * 2 / width)[..., None]
    _blend(canvas, cover, colour)


def hair(canvas: Canvas) -> None:
    """Strands of hair, thin and in bundles, that part at their tips; or single stray ones."""
    rng, side = canvas.rng, canvas.side
    start, angle, bend = canvas.point(0.1), rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.6)
    stray, seed = rng.random() < 0.4, int(rng.integers(1 << 30))
    length, spread = side * rng.uniform(0.2, 0.9), side * rng.uniform(0.01, 0.3 if stray else 0.08)
    for colour in (_scene_colour(canvas, 0.4), _scene_colour(canvas, 0.6)):
        paths: list[Path] = []
        for _ in range(int(rng.integers(1, 4) if stray else rng.integers(10, 45))):
            same = np.random.default_rng(seed)  # the strands of a bundle bend alike
            root = start + rng.normal(0, spread, 2)
            path = curve(same, root.astype(np.float32), angle + rng.normal(0, 0.08), length * rng.uniform(0.5, 1), bend)
            paths.append((path, np.linspace(rng.uniform(0.5, 1.2), 0.4, len(path)).astype(np.float32)))
        _blend(canvas, canvas.strokes(paths), colour, rng.uniform(0.4, 0.95))


def lashes(canvas: Canvas) -> None:
    """A fan of short bent dark lines along an arc."""
    rng = canvas.rng
    centre, radius = canvas.point(), canvas.side * rng.uniform(0.03, 0.12)
    paths = []
    for angle in np.linspace(-2.6, -0.5, int(rng.integers(8, 30))) + rng.normal(0, 0.04):
        root = centre + radius * np.array([np.cos(angle), 0.5 * np.sin(angle)])
        path = curve(rng, root.astype(np.float32), angle + rng.normal(0, 0.2), radius * rng.uniform(0.2, 0.6), 0.5, 2)
        paths.append((path, np.linspace(rng.uniform(0.8, 1.8), 0.4, len(path)).astype(np.float32)))
    _blend(canvas, canvas.strokes(paths), floats(rng.uniform(5, 50)), rng.uniform(0.6, 1))


def wrinkles(canvas: Canvas) -> None:
    """Creases of skin or cloth: soft dark lines with a light side, nearly parallel."""
    rng, side = canvas.rng, canvas.side
    centre, angle = canvas.point(), rng.uniform(0, np.pi)
    gap, length, bend = side * rng.uniform(0.02, 0.07), side * rng.uniform(0.08, 0.5), rng.uniform(0, 0.8)
    seed, paths = int(rng.integers(1 << 30)), []
    for k in range(int(rng.integers(1, 6))):
        shift = k * gap * np.array([-np.sin(angle), np.cos(angle)]) + rng.normal(0, 2, 2)
        path = curve(np.random.default_rng(seed), (centre + shift).astype(np.float32), angle, length, bend, 3)
        taper = np.sin(np.linspace(0.1, np.pi - 0.1, len(path))).astype(np.float32)
        paths.append((path, rng.uniform(1, 3) * taper))
    cover = cv2.GaussianBlur(canvas.strokes(paths), (0, 0), rng.uniform(0.7, 2.2))
    offset = rng.uniform(1, 3) * np.array([-np.sin(angle), np.cos(angle)])
    canvas.shade(rng.uniform(15, 70) * (rng.uniform(0.2, 0.8) * moved(cover, *offset) - cover))


def text(canvas: Canvas) -> None:
    """Letters in the scene, on a sign or a cap, or as a caption."""
    rng = canvas.rng
    centre, turn = canvas.point(), rng.choice([0.0, rng.normal(0, 0.3)])
    if rng.random() < 0.4:
        plate = _box(canvas, centre, turn, canvas.side * rng.uniform(0.15, 0.5), canvas.side * rng.uniform(0.04, 0.12))
        _blend(canvas, plate, _scene_colour(canvas))
    cover = turned(canvas, word(rng), rng.uniform(0.3, 1.8), int(rng.integers(1, 5)), centre, turn)
    _blend(canvas, cover, _scene_colour(canvas), rng.uniform(0.6, 1))


def grass(canvas: Canvas) -> None:
    """Blades and straws: many tapered lines that grow from one side."""
    rng, side = canvas.rng, canvas.side
    base, angle, spread = canvas.point(0.1), rng.choice([-np.pi / 2, rng.uniform(0, 7)]), rng.uniform(0.1, 0.6)
    along = np.array([-np.sin(angle), np.cos(angle)])
    for _ in range(3):
        paths = []
        for _ in range(int(rng.integers(8, 40))):
            root = base + along * rng.uniform(-0.4, 0.4) * side
            heading, length = angle + rng.normal(0, spread), side * rng.uniform(0.08, 0.4)
            path = curve(rng, root.astype(np.float32), heading, length, 0.5, 2)
            paths.append((path, np.linspace(rng.uniform(1, 3.5), 0.4, len(path)).astype(np.float32)))
        _blend(canvas, canvas.strokes(paths), _scene_colour(canvas, 0.5), 0.9)


def twigs(canvas: Canvas) -> None:
    """Branches against the light: they fork, get thinner evenly, and have hardly any jags."""
    rng, paths = canvas.rng, []

    def grow(start: Floats, angle: float, length: float, width: float, depth: int) -> None:
        path = curve(rng, start, angle, length, 0.35, 3)
        paths.append((path, np.linspace(width, width * 0.6, len(path)).astype(np.float32)))
        for _ in range(int(rng.integers(2, 4)) if depth else 0):
            root = path[rng.integers(len(path) // 2, len(path))]
            grow(root, angle + rng.normal(0, 0.6), length * rng.uniform(0.4, 0.8), max(width * 0.6, 0.5), depth - 1)

    start, angle = canvas.border_point()
    grow(start, angle + rng.normal(0, 0.5), canvas.side * rng.uniform(0.2, 0.6), rng.uniform(1, 7), 3)
    _blend(canvas, canvas.strokes(paths), _scene_colour(canvas, 0.2), rng.uniform(0.7, 1))


def fabric(canvas: Canvas) -> None:
    """Striped, checked or woven cloth over a part of the scene."""
    rng = canvas.rng
    pitch, angle = canvas.log_uniform(3, 30), rng.uniform(0, np.pi)
    y, x = pixels(canvas.side)
    bend = rng.uniform(0, 2.5) * canvas.noise(90, 2)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    sharp, thin = rng.uniform(1, 6), rng.uniform(-0.9, 0.9)
    phase = 2 * np.pi / pitch
    pattern = np.clip(sharp * (np.sin(phase * (c * x + s * y) + bend) - thin), -1, 1)
    if rng.random() < 0.4:
        crossing = np.clip(sharp * (np.sin(phase * (c * y - s * x) + bend) - thin), -1, 1)
        pattern = np.maximum(pattern, crossing) if rng.random() < 0.5 else pattern * crossing
    _blend(canvas, _region(canvas) * (0.5 + 0.5 * pattern), _scene_colour(canvas), rng.uniform(0.3, 0.95))


def knit(canvas: Canvas) -> None:
    """Knitted wool: rows of short slanted stitches."""
    rng, pitch = canvas.rng, canvas.rng.uniform(4, 12)
    y, x = pixels(canvas.side)
    bend = rng.uniform(0, 1.5) * canvas.noise(90, 2)
    zigzag = np.abs(np.mod(x / pitch + bend / 6, 1) - 0.5) * 2
    stitches = np.sin(2 * np.pi * (y / pitch + 0.6 * zigzag) + bend) * np.sqrt(np.sin(np.pi * zigzag).clip(0, 1))
    canvas.shade(_region(canvas) * rng.uniform(10, 50) * stitches)


def bars(canvas: Canvas) -> None:
    """Window bars, fences, blinds: straight bars of one width at equal distances, crossed or not."""
    rng, side = canvas.rng, canvas.side
    angle, width, paths = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.08), rng.uniform(0.8, 8), []
    for heading in (angle, angle + np.pi / 2)[: int(rng.integers(1, 3))]:
        along = direction(heading)
        across, gap = np.array([-along[1], along[0]]), width * rng.uniform(2.5, 20)
        for k in np.arange(-side, 2 * side, gap):
            middle = side / 2 + across * (k - side / 2)
            paths.append((floats([middle - 1.5 * side * along, middle + 1.5 * side * along]), width))
    region = _region(canvas) if rng.random() < 0.7 else 1.0
    _blend(canvas, (canvas.strokes(paths) * region).astype(np.float32), _scene_colour(canvas), rng.uniform(0.6, 1))


def edges(canvas: Canvas) -> None:
    """Collars, cuffs, paper and table edges: plain shapes with straight or bent edges, white ones above all."""
    rng, side = canvas.rng, canvas.side
    for _ in range(int(rng.integers(1, 3))):
        centre, size = canvas.point(), side * rng.uniform(0.04, 0.3)
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 6))))
        cover = canvas.filled(centre + size * rng.uniform(0.4, 1, (len(angles), 1)) * direction(angles))
        shading = rng.uniform(2, 14) * canvas.noise(size + 8, 1)[..., None]
        colour = floats(rng.uniform(200, 250)) if rng.random() < 0.5 else _scene_colour(canvas)
        _blend(canvas, cover, np.clip(colour + shading, 0, 255))


def buttons(canvas: Canvas) -> None:
    """A row of buttons or beads: equal discs with a lit and a shaded side, at equal distances."""
    rng = canvas.rng
    radius, angle = rng.uniform(1.2, 9), rng.uniform(0, np.pi)
    step = radius * rng.uniform(2.1, 9) * direction(angle)
    centre, colour = canvas.point(), _scene_colour(canvas)
    for _ in range(int(rng.integers(1, 9))):
        _ball(canvas, centre, radius, colour, rng.uniform(20, 60))
        centre = centre + step


def jewels(canvas: Canvas) -> None:
    """A necklace or a chain: pearls or links along a curve, each with a point of light."""
    rng = canvas.rng
    radius = rng.uniform(0.9, 4.5)
    path = curve(rng, canvas.point(), rng.uniform(0, 7), canvas.side * rng.uniform(0.15, 0.6), 1.2, 3)
    colour, glint = _scene_colour(canvas, 0.7), rng.uniform(40, 140)
    every = max(round(radius * rng.uniform(2, 3) / 3), 1)
    for point in path[::every]:
        _ball(canvas, point, radius, colour, glint)


def glints(canvas: Canvas) -> None:
    """Catchlights, sequins and drops: small bright points with the lens's blur, where the scene is brightest nearby."""
    rng, side = canvas.rng, canvas.side
    centre, spread = canvas.point(), side * rng.uniform(0.03, 0.3)
    cover: Floats = np.zeros((side, side), np.float32)
    for _ in range(int(rng.choice([1, 2, 2, 6, 40]))):
        candidates = np.clip(centre + rng.normal(0, spread, (8, 2)), 0, side - 1)
        x, y = candidates.astype(int).T
        _dot(cover, candidates[int(canvas.picture[y, x].sum(axis=1).argmax())], rng.uniform(0.5, 1.8), 1.0)
    _blend(canvas, cover, floats(rng.uniform(225, 255)), rng.uniform(0.4, 1), soft=rng.uniform(0.6, 1.4))


def moles(canvas: Canvas) -> None:
    """Freckles and moles: soft brown points that darken the skin."""
    rng = canvas.rng
    cover: Floats = np.zeros((canvas.side, canvas.side), np.float32)
    centre, spread = canvas.point(), canvas.side * rng.uniform(0.05, 0.25)
    for point in centre + rng.normal(0, spread, (int(rng.choice([1, 2, 4, 30, 80])), 2)):
        _dot(cover, point, np.exp(rng.normal(0.2, 0.4)), rng.uniform(0.4, 1))
    cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.8, 2))
    brown = np.array([rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.5), rng.uniform(0.15, 0.45)], np.float32)
    _blend(canvas, cover, canvas.picture * brown, rng.uniform(0.3, 0.8), soft=0)


def rims(canvas: Canvas) -> None:
    """Light or shadow along the scene's own edges, thin and soft: lit contours, wet lips, shiny metal."""
    rng = canvas.rng
    grey = cv2.GaussianBlur(canvas.picture @ THIRDS, (0, 0), rng.uniform(0.6, 2))
    edge = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    edge = np.clip(edge / rng.uniform(25, 70) - 0.3, 0, 1) * _region(canvas)
    canvas.shade(rng.choice([-1, 1, 1]) * rng.uniform(30, 120) * cv2.GaussianBlur(edge, (0, 0), 0.6))


def stitches(canvas: Canvas) -> None:
    """Seams: equal short stitches at equal distances along one or two smooth lines."""
    rng, paths = canvas.rng, []
    line = curve(rng, canvas.point(), rng.uniform(0, 7), canvas.side * rng.uniform(0.3, 1.2), 0.3, 3)
    every, width = int(rng.integers(2, 5)), rng.uniform(0.8, 2)
    for row in range(int(rng.integers(1, 3))):
        shifted = line + row * rng.uniform(4, 9)
        paths += [(shifted[k : k + 2], width) for k in range(0, len(line) - 1, every)]
    _blend(canvas, canvas.strokes(paths), _scene_colour(canvas, 0.7), rng.uniform(0.5, 1))


def rain(canvas: Canvas) -> None:
    """Rain or snow over all of the scene: streaks of one direction and length, or soft discs out of focus."""
    rng, side = canvas.rng, canvas.side
    angle, length = np.pi / 2 + rng.normal(0, 0.2), rng.choice([0.1, 1]) * rng.uniform(5, 30)
    step, width = direction(angle) * length, rng.uniform(0.8, 5 if length < 4 else 1.5)
    starts = rng.uniform(-20, side, (int(rng.integers(60, 180)), 2))
    paths = [(floats([start, start + step]), width) for start in starts]
    _blend(canvas, canvas.strokes(paths), floats(rng.uniform(190, 250)), rng.uniform(0.2, 0.7), rng.uniform(0.8, 2.5))


def bokeh(canvas: Canvas) -> None:
    """Lights out of focus: large see-through discs with a brighter rim."""
    rng = canvas.rng
    radius, tint = canvas.side * rng.uniform(0.02, 0.08), rng.uniform(150, 255, 3)
    for _ in range(int(rng.integers(2, 12))):
        centre = canvas.point()
        cover = np.zeros((canvas.side, canvas.side), np.float32)
        _dot(cover, centre, radius, 1.0)
        _dot(cover, centre, radius * 0.85, rng.uniform(0.6, 0.9))
        _blend(canvas, cover, floats(tint), rng.uniform(0.2, 0.7), rng.uniform(0.8, 2))


def frame(canvas: Canvas) -> None:
    """The plain border of a print, a film's edge or an oval mount: straight or round, of one colour."""
    rng, side = canvas.rng, canvas.side
    y, x = pixels(side)
    width = side * canvas.log_uniform(0.01, 0.2)
    sides = [x, side - 1 - x, y, side - 1 - y]
    chosen = rng.choice(4, int(rng.integers(1, 5)), replace=False)
    inside = np.minimum.reduce([sides[k] for k in chosen]) - width
    if rng.random() < 0.2:
        cx, cy = side * rng.uniform(0.2, 0.8, 2)
        inside = side * rng.uniform(0.4, 0.8) - np.hypot(x - cx, (y - cy) * rng.uniform(0.7, 1.2))
    colour = floats(rng.choice([rng.uniform(0, 30), rng.uniform(215, 255), rng.uniform(30, 215)]))
    _blend(canvas, np.clip(0.5 - inside, 0, 1), np.full(3, colour, np.float32), soft=rng.choice([0.3, 0.8]))
    if rng.random() < 0.4:  # a thin line inside of the border
        line = np.clip(1.2 - np.abs(inside - rng.uniform(1, 9)), 0, 1)
        _blend(canvas, line, _scene_colour(canvas), rng.uniform(0.3, 1), soft=0.5)


def defocus(canvas: Canvas) -> None:
    """All, or one side, out of focus or moved: a scene without any sharp detail."""
    rng = canvas.rng
    soft = cv2.GaussianBlur(canvas.picture, (0, 0), canvas.scale * canvas.log_uniform(1.5, 10))
    if rng.random() < 0.3:
        length = int(rng.integers(5, 40))
        soft = cv2.blur(soft, (length, 1) if rng.random() < 0.5 else (1, length))
    y, x = pixels(canvas.side)
    angle, edge = rng.uniform(0, 2 * np.pi), rng.uniform(-1.2, 0.6) * canvas.side / 2
    away = (x - canvas.side / 2) * float(np.cos(angle)) + (y - canvas.side / 2) * float(np.sin(angle))
    share = np.clip((away - edge) / rng.uniform(10, 80), 0, 1)[..., None]
    canvas.picture = canvas.picture + share * (soft - canvas.picture)


def _blend(canvas: Canvas, cover: Floats, colour: Floats, opacity: float = 1.0, soft: float | None = None) -> None:
    """Blend in what the lens saw: as soft as its focus, in the light of what it covers."""
    sigma = canvas.rng.uniform(0.45, 1.3) if soft is None else soft
    if sigma > 0.25:
        cover = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), sigma)
    canvas.picture = canvas.picture + opacity * cover[..., None] * (colour - canvas.picture)


def _scene_colour(canvas: Canvas, light: float = 0.4) -> Floats:
    """(3,): a colour of the picture, made darker, or lighter with a probability of ``light``."""
    rng = canvas.rng
    colour = canvas.picture[tuple(rng.integers(0, canvas.side, 2))]
    target, share = (250, rng.uniform(0.2, 1)) if rng.random() < light else (0, rng.uniform(0.2, 0.9))
    colour = colour + share * (target - colour)
    return np.clip(colour + rng.normal(0, 6, 3), 0, 255).astype(np.float32)


def _region(canvas: Canvas) -> Floats:
    """(S, S) in [0, 1]: a large part of the picture with a smooth border, or all of it."""
    if canvas.rng.random() < 0.25:
        return np.ones((canvas.side, canvas.side), np.float32)
    field = canvas.noise(canvas.side * canvas.rng.uniform(0.5, 1.2))
    return np.clip((field - canvas.rng.uniform(-0.8, 0.6)) * 25, 0, 1)


def _box(canvas: Canvas, centre: Floats, turn: float, half: float, high: float) -> Floats:
    corners = cv2.boxPoints(((float(centre[0]), float(centre[1])), (2 * half, 2 * high), float(np.degrees(turn))))
    return canvas.filled(corners)


def _dot(cover: Floats, centre: Floats, radius: float, value: float) -> None:
    cv2.circle(cover, [int(v) for v in np.rint(centre * 16)], int(16 * radius), value, -1, cv2.LINE_8, 4)


def _ball(canvas: Canvas, centre: Floats, radius: float, colour: Floats, glint: float) -> None:
    """A disc shaded as a ball is, with its point of light to the upper left."""
    low = np.maximum(np.floor(centre - radius - 3), 0).astype(int)
    high = np.minimum(np.ceil(centre + radius + 4), canvas.side).astype(int)
    if (high - low < 2).any():
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    x, y = (x - centre[0]) / radius, (y - centre[1]) / radius
    away = np.hypot(x, y)
    cover = np.clip((1 - away) * radius + 0.5, 0, 1)
    light = glint * (np.exp(-4 * ((x + 0.35) ** 2 + (y + 0.35) ** 2)) - 0.4 * away)
    part = canvas.picture[low[1] : high[1], low[0] : high[0]]
    part += (cv2.GaussianBlur(cover, (0, 0), 0.7)[..., None]) * (colour + light[..., None] - part)
