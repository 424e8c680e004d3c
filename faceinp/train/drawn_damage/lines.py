"""Thin damage: scratches, hairlines, cracks, nets of cracks, folds, scuffs, hairs and scribbles. All are SCRATCH."""

from collections.abc import Sequence

import cv2
import numpy as np

from faceinp.photo.arrays import direction
from faceinp.train.drawn_damage.canvas import (
    SCRATCH,
    Canvas,
    Floats,
    Path,
    Random,
    curve,
    floats,
    jagged,
    moved,
    varied,
)


def scratches(canvas: Canvas, amount: float) -> None:
    """Light or dark scratches of changing width and opacity, often parallel."""
    rng, side = canvas.rng, canvas.side
    parallel, angle = rng.random() < 0.4, rng.uniform(0, np.pi)
    paths = []
    for _ in range(1 + rng.poisson(6 * amount)):
        direction = angle + rng.normal(0, 0.05) if parallel else rng.uniform(0, 2 * np.pi)
        length = side * canvas.log_uniform(0.06, 1.4)
        points = curve(rng, canvas.point(0.1), direction, length, rng.choice([0.02, 0.1, 0.4]))
        width = np.clip(canvas.scale * np.exp(rng.normal(0.3, 0.55)), 0.7, 8)
        widths = varied(rng, len(points), width)
        if rng.random() < 0.6:
            widths *= np.sin(np.linspace(0.25, np.pi - 0.1, len(points))).astype(np.float32) ** 0.5
        paths.append((points, np.clip(widths, 0.5, 8)))
    _lay(canvas, paths, canvas.opacity(0.45, 1.1, 24, rng.uniform(0.1, 0.5)))


def strokes(canvas: Canvas, amount: float) -> None:
    """Hard strokes of one even colour and an even width, straight or bent, some in parallel tracks or broken off."""
    rng, side = canvas.rng, canvas.side
    paths: list[Path] = []
    for _ in range(1 + rng.poisson(7 * amount)):
        length, angle = side * canvas.log_uniform(0.04, 1.2), rng.uniform(0, 2 * np.pi)
        points = curve(rng, canvas.point(0.05), angle, length, rng.choice([0.0, 0.05, 0.3, 1.0]))
        width = np.clip(canvas.scale * np.exp(rng.normal(0.5, 0.5)), 0.8, 8)
        across, spacing = floats([-np.sin(angle), np.cos(angle)]), width * rng.uniform(1.8, 5)
        whole = 1.0 if rng.random() < 0.7 else rng.uniform(0.5, 0.9)
        for track in range(rng.choice([1, 1, 1, 1, 2, 3])):
            for part in np.array_split(points + track * spacing * across, max(1, len(points) // 8)):
                if len(part) > 1 and rng.random() < whole:
                    paths.append((part, width))
    cover = canvas.strokes(paths)
    if rng.random() < 0.3:
        cover = (cover > 0.5).astype(np.float32)
    colour = canvas.light_or_dark(0.6)
    canvas.lay(SCRATCH, cover, colour, 1.0 if rng.random() < 0.5 else rng.uniform(0.5, 1))


def hairlines(canvas: Canvas, amount: float) -> None:
    """Lines of 1 to 2 pixels, long and nearly straight or slightly bent."""
    rng = canvas.rng
    angle, spread = rng.uniform(0, np.pi), rng.choice([0.03, 0.3, 3.0])
    paths = []
    for _ in range(1 + rng.poisson(8 * amount)):
        length = canvas.side * rng.uniform(0.15, 1.5)
        points = curve(rng, canvas.point(0.2), angle + rng.normal(0, spread), length, rng.choice([0.0, 0.05, 0.3]))
        paths.append((points, rng.uniform(0.7, 1.8)))
    _lay(canvas, paths, canvas.opacity(0.4, 1.0, 40, rng.uniform(0.05, 0.35)))


def scuffs(canvas: Canvas, amount: float) -> None:
    """A worn area: many short fine scratches, mostly in one direction, and abraded grain between them."""
    rng = canvas.rng
    centre, spread, angle = canvas.point(), canvas.side * rng.uniform(0.05, 0.3), rng.uniform(0, np.pi)
    paths = []
    for _ in range(int(15 + 150 * amount * rng.random())):
        start = (centre + rng.normal(0, spread, 2)).astype(np.float32)
        direction = angle + rng.normal(0, 0.25) + (np.pi / 2 if rng.random() < 0.15 else 0)
        points = jagged(rng, start, _ahead(start, direction, rng.exponential(14) * canvas.scale + 3), 0.03, 6)
        paths.append((points, rng.uniform(0.5, 1.6)))
    _lay(canvas, paths, canvas.opacity(0.4, 0.9, 6, 0.35))


def cracks(canvas: Canvas, amount: float) -> None:
    """Jagged cracks through the emulsion that branch."""
    rng = canvas.rng
    paths: list[Path] = []
    for _ in range(1 + rng.poisson(1.5 * amount)):
        start, angle = canvas.border_point()
        if rng.random() < 0.4:
            start, angle = canvas.point(), rng.uniform(0, 2 * np.pi)
        length = canvas.side * canvas.log_uniform(0.15, 1.3)
        width = np.clip(canvas.scale * np.exp(rng.normal(0.4, 0.5)), 0.7, 6)
        _branch(paths, rng, start, angle + rng.normal(0, 0.5), length, width, rng.uniform(0.05, 0.22), 3)
    _crack(canvas, paths)


def net(canvas: Canvas, amount: float) -> None:
    """A net of cracks, as in brittle emulsion: a field that splits again and again, each new crack ending at older
    ones (Bohn, Pauchard and Couder 2005). Some cracks stay closed.
    """
    rng, side = canvas.rng, canvas.side
    half = side * rng.uniform(0.15, 0.7) * np.exp(rng.normal(0, 0.3, 2))
    corners = canvas.point() + half * rng.uniform(0.7, 1.3, (4, 2)) * ((-1, -1), (1, -1), (1, 1), (-1, 1))
    smallest = side * canvas.log_uniform(0.05, 0.25) * (1.3 - 0.6 * amount)
    kept, width, rough = rng.uniform(0.45, 0.95), canvas.scale * rng.uniform(0.7, 2.2), rng.uniform(0.08, 0.3)
    paths: list[Path] = []
    cells = [corners.astype(np.float32)]
    for cell_number in range(60):
        if not cells:
            break
        cell = cells.pop(0)
        lengths = np.hypot(*(np.roll(cell, -1, 0) - cell).T)
        if lengths.max() < smallest * rng.uniform(0.7, 1.5):
            continue
        first = int(lengths.argmax())
        other = (first + len(cell) // 2 + (len(cell) > 3) * int(rng.integers(-1, 1))) % len(cell)  # about opposite
        low, high = min(first, other), max(first, other)
        ends = [cell[k] + rng.uniform(0.25, 0.75) * (cell[(k + 1) % len(cell)] - cell[k]) for k in (low, high)]
        cells.append(np.concatenate([cell[: low + 1], ends, cell[high + 1 :]]).astype(np.float32))
        cells.append(np.concatenate([ends[:1], cell[low + 1 : high + 1], ends[1:]]).astype(np.float32))
        if rng.random() < kept:
            points = jagged(rng, floats(ends[0]), floats(ends[1]), rough, 2)
            thick = width * 0.95**cell_number * np.exp(rng.normal(0, 0.3))
            paths.extend(_ragged(rng, points, np.full(len(points), max(thick, 0.6), np.float32)))
    _crack(canvas, paths)


def crazing(canvas: Canvas, amount: float) -> None:
    """A thicket of short fine cracks, as where a print was bent often."""
    rng = canvas.rng
    paths: list[Path] = []
    centre, angle = canvas.point(), rng.uniform(0, np.pi)
    spread = canvas.side * canvas.log_uniform(0.04, 0.25, 2)
    width, length = canvas.scale * rng.uniform(0.7, 1.4), canvas.scale * rng.uniform(5, 25)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for _ in range(int(5 + 50 * amount * rng.random())):
        start = floats(centre + (rng.normal(0, 1, 2) * spread) @ turn)
        _branch(paths, rng, start, angle + rng.normal(0, 0.8), rng.exponential(length) + 3, width, 0.2, 2)
    _crack(canvas, paths)


def fold(canvas: Canvas, amount: float) -> None:
    """Folds across the picture: a lit and a shaded side, bare paper along the crest, and tiny cracks across it."""
    rng, side = canvas.rng, canvas.side
    for _ in range(1 + rng.poisson(0.5 * amount)):
        middle = canvas.point(-0.05)
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.06)
        ends = [_ahead(middle, a, 1.5 * side) for a in (angle, angle + np.pi)]
        line = jagged(rng, ends[0], ends[1], rng.choice([0.002, 0.01, 0.03]), 2)
        if rng.random() < 0.25:  # one that ends within the picture
            line = line[int(len(line) * rng.uniform(0.3, 0.6)) :]
        width = canvas.scale * canvas.log_uniform(0.8, 3)
        across = np.array([-np.sin(angle), np.cos(angle)], np.float32) * rng.choice([-1, 1])
        lit, shaded = rng.uniform(10, 90), rng.uniform(5, 70)
        profile = canvas.strokes([(line, width)])
        if rng.random() < 0.7:
            offset = across * width * rng.uniform(0.7, 1.3)
            dark = moved(profile, *(float(v) for v in offset))
            canvas.lay(SCRATCH, dark, np.maximum(canvas.picture - shaded, 0), canvas.opacity(0.6, 1, 40, 0.2))
            canvas.lay(SCRATCH, profile, np.minimum(canvas.picture + lit, 255), canvas.opacity(0.6, 1, 40, 0.2))
        if rng.random() < 0.6:  # the paper bulges beside the fold
            wide = cv2.GaussianBlur(canvas.strokes([(line, 6)]), (0, 0), rng.uniform(3, 8))
            canvas.shade(rng.uniform(5, 25) * (moved(wide, *(6 * across)) - moved(wide, *(-6 * across))))
        bare = _ragged(rng, line, varied(rng, len(line), width * rng.uniform(0.8, 1.8), 0.35))
        for _ in range(int(rng.poisson(rng.choice([0, 10, 50]) * (0.3 + amount)))):
            root = line[rng.integers(len(line))] + rng.normal(0, rng.choice([0.5, 4]), 2)
            turn = angle + np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.6)
            _branch(bare, rng, floats(root), turn, 2 + rng.exponential(7), rng.uniform(0.7, 1.8), 0.2, 1)
        _crack(canvas, bare, canvas.opacity(0.1, 1.0, rng.uniform(10, 50), rng.uniform(0.2, 0.7)))
        if width > 1.5 and rng.random() < 0.5:  # the paper is split within
            split = canvas.strokes([(line + floats(rng.normal(0, 0.4, 2)), varied(rng, len(line), 0.35 * width))])
            canvas.lay(SCRATCH, split, canvas.paper * np.float32(rng.uniform(0.3, 0.8)), canvas.opacity(0.3, 0.9, 20))


def creases(canvas: Canvas, amount: float) -> None:
    """Folds that have not broken: a ridge of the paper, sharp at its crest, lit on one side and shaded on the other."""
    rng, side = canvas.rng, canvas.side
    for _ in range(1 + rng.poisson(amount)):
        middle, angle = canvas.point(-0.05), rng.uniform(0, np.pi)
        ends = [_ahead(middle, a, 1.5 * side) for a in (angle, angle + np.pi)]
        line = jagged(rng, ends[0], ends[1], rng.choice([0.002, 0.01, 0.04]), 2)
        beyond = line[::-1] + 4 * side * floats([-np.sin(angle), np.cos(angle)])
        crest, left = np.full((side, side), 255, np.uint8), np.zeros((side, side), np.uint8)
        cv2.polylines(crest, [np.rint(line).astype(np.int32)], False, 0, 1)
        cv2.fillPoly(left, [np.rint(np.concatenate([line, beyond])).astype(np.int32)], 1)
        distance = cv2.distanceTransform(crest, cv2.DIST_L2, 5)
        strength = np.clip(1 + 0.4 * canvas.noise(rng.uniform(20, 120), 2), 0, 1.5)
        if rng.random() < 0.4:  # it fades out within the picture
            along = np.mgrid[:side, :side][::-1] - middle[:, None, None]
            run = (along[0] * np.cos(angle) + along[1] * np.sin(angle)) / (side * rng.uniform(0.05, 0.3))
            strength *= np.clip(0.5 + run, 0, 1)
        light = rng.choice([-1, 1])
        for half, sign in ((left, light), (1 - left, -light)):
            ridge = np.exp(-distance / (canvas.scale * canvas.log_uniform(1, 6))) * half * strength
            change = sign * rng.choice([0, rng.uniform(12, 70)], p=[0.15, 0.85])
            colour = np.clip(canvas.picture + np.float32(change), 0, 255)
            canvas.lay(SCRATCH, np.minimum(ridge, 1).astype(np.float32), colour, reach=7)


def hairs(canvas: Canvas, amount: float) -> None:
    """Hairs and lint that lay on the glass: curled, of constant width, sharp."""
    rng = canvas.rng
    paths = []
    for _ in range(1 + rng.poisson(3 * amount)):
        length = canvas.scale * canvas.log_uniform(8, 160)
        points = curve(rng, canvas.point(), rng.uniform(0, 7), length, rng.uniform(0.2, 2.5), int(rng.integers(3, 8)))
        paths.append((points, np.clip(canvas.scale * rng.uniform(0.8, 2.2), 0.8, 3)))
    _lay(canvas, paths, rng.uniform(0.55, 1.0), light=0.5)


def scribble(canvas: Canvas, amount: float) -> None:
    """A hard point or chalk drawn over the print in loops."""
    rng = canvas.rng
    points = curve(rng, canvas.point(), rng.uniform(0, 7), canvas.side * rng.uniform(0.5, 1 + 3 * amount), 1.5, 9)
    widths = np.clip(varied(rng, len(points), canvas.scale * rng.uniform(1, 3.5)), 0.8, 8)
    _lay(canvas, [(points, widths)], canvas.opacity(0.5, 1.0, 7, 0.35), light=0.85)


def star(canvas: Canvas, amount: float) -> None:
    """Cracks that run out from one point, as where something hard pressed on the print."""
    rng = canvas.rng
    paths: list[Path] = []
    centre, width = canvas.point(), canvas.scale * rng.uniform(0.8, 2.5)
    for angle in np.cumsum(rng.uniform(0.4, 1.4, 12)):
        if angle < 2 * np.pi:
            length = canvas.side * rng.uniform(0.06, 0.2 + 0.5 * amount)
            _branch(paths, rng, centre, angle, length, width, 0.08, 1)
    _crack(canvas, paths)


def arcs(canvas: Canvas, amount: float) -> None:
    """Scratches along circles, as from something turned on the print."""
    rng = canvas.rng
    paths: list[Path] = []
    centre = canvas.point(0.5)
    for _ in range(2 + rng.poisson(4 * amount)):
        radius, start = canvas.side * rng.uniform(0.1, 0.9), rng.uniform(0, 7)
        angles = np.linspace(start, start + rng.uniform(0.3, 2), 40)
        points = centre + radius * direction(angles)
        paths.append((points.astype(np.float32), np.clip(varied(rng, 40, canvas.scale * rng.uniform(0.8, 2)), 0.7, 6)))
    _lay(canvas, paths, canvas.opacity(0.5, 1.0, 24, 0.25))


def _lay(canvas: Canvas, paths: Sequence[Path], opacity: Floats | float, light: float = 0.8) -> None:
    """Strokes of one colour, sometimes soft, sometimes changing the picture by a number of grey levels only."""
    cover = _softened(canvas, canvas.strokes(paths))
    colour = canvas.light_or_dark(light)
    if canvas.rng.random() < 0.3:  # the emulsion is thinner or thicker there: the picture shows through
        step = canvas.rng.uniform(25, 110) * (1 if colour.mean() > 100 else -1)
        colour = np.clip(canvas.picture + step, 0, 255)
    canvas.lay(SCRATCH, cover, colour, opacity)


def _crack(canvas: Canvas, paths: list[Path], opacity: Floats | float | None = None) -> None:
    """Bare paper in cracks, with the shadow or the lit edge of the lifted emulsion along them."""
    rng = canvas.rng
    cover = _softened(canvas, canvas.strokes(paths))
    if rng.random() < 0.6:
        right, down = rng.uniform(-1.3, 1.3, 2)
        edge = np.clip(moved(cover, right, down) - cover, 0, 1)
        canvas.shade(rng.choice([-1, -1, 1]) * rng.uniform(15, 70) * edge)
    if opacity is None and rng.random() < 0.2:  # a crease: the emulsion is bent and not yet broken
        colour = canvas.picture + rng.uniform(15, 60)
    else:
        colour = canvas.light_or_dark(0.93) + rng.uniform(0, 14) * canvas.noise(2)[..., None]
    if opacity is None:
        opacity = canvas.opacity(0.6, 1.2, 30, rng.uniform(0.05, 0.5))
    canvas.lay(SCRATCH, cover, np.clip(colour, 0, 255).astype(np.float32), opacity)


def _softened(canvas: Canvas, cover: Floats) -> Floats:
    sigma = canvas.rng.uniform(0, 0.7 if canvas.rng.random() < 0.85 else 1.4)
    return cv2.GaussianBlur(cover, (0, 0), sigma) if sigma > 0.25 else cover


def _ragged(rng: Random, points: Floats, widths: Floats) -> list[Path]:
    """A line through emulsion: its width changes from point to point, and chips broke off along it."""
    rough = rng.uniform(0.1, 0.6)
    # Moved sideways as much as they change: changed widths alone would look like beads.
    uneven = np.clip(rng.normal(0, rough, (3, len(points))), -0.9, 0.7)
    grown = np.clip(varied(rng, len(points), 1.0, 0.3) * widths * np.exp(uneven[0]), 0.5, 9).astype(np.float32)
    paths = [((points + 0.5 * widths[:, None] * uneven[1:].T).astype(np.float32), grown)]
    for index in rng.integers(len(points), size=rng.poisson(len(points) * rng.choice([0, 0, 0.02, 0.08]))):
        corners = points[index] + rng.normal(0, 0.6 * widths[index] + 0.5, (int(rng.integers(5, 10)), 2))
        chip = np.concatenate([corners, corners[:1]]).astype(np.float32)  # angular: filled by thin strokes
        paths.append((chip, min(0.6 * widths[index] + 0.4, 1.6)))
    return paths


def _branch(
    paths: list[Path], rng: Random, start: Floats, angle: float, length: float, width: float, rough: float, depth: int
) -> None:
    """Append a crack and its branches, each thinner and shorter."""
    points = jagged(rng, start, _ahead(start, angle, length), rough, rng.uniform(1.5, 3))
    taper = np.linspace(1, rng.uniform(0.3, 0.9), len(points)).astype(np.float32)
    paths.extend(_ragged(rng, points, width * taper))
    for _ in range(int(rng.poisson(length / 45)) if depth else 0):
        turn = rng.choice([-1, 1]) * rng.uniform(0.35, 1.4)
        root = points[rng.integers(len(points))]
        thin = max(width * rng.uniform(0.4, 0.9), 0.6)
        _branch(paths, rng, root, angle + turn, length * rng.uniform(0.1, 0.5), thin, rough, depth - 1)


def _ahead(start: Floats, angle: float, length: float) -> Floats:
    return (start + length * direction(angle)).astype(np.float32)
