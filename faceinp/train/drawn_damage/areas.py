"""Damage that takes away or covers an area: flakes, patches of bare paper, tears, missing borders, stains, tape."""

import cv2
import numpy as np

from faceinp.photo.arrays import direction
from faceinp.train.drawn_damage.canvas import STAIN, TEAR, Canvas, Floats, floats, jagged, moved, noise, pixels, varied


def flakes(canvas: Canvas, amount: float) -> None:
    """Emulsion that flaked off: many patches with edges like coasts, from tiny to a third of the picture."""
    rng, side = canvas.rng, canvas.side
    field = canvas.noise(side * canvas.log_uniform(0.06, 0.35), 6, rng.uniform(0.5, 0.78))
    if rng.random() < 0.7:  # in one part of the picture
        field -= _distance(canvas, canvas.point(0.1)) / (side * rng.uniform(0.1, 0.35))
    share = canvas.log_uniform(0.002, 0.02 + 0.3 * amount)
    _paper_area(canvas, _above(field, share))


def patches(canvas: Canvas, amount: float) -> None:
    """One to four patches where the print's upper layer was pulled off, with the paper's fibres to be seen."""
    rng = canvas.rng
    for _ in range(1 + rng.poisson(1.2 * amount)):
        radius = canvas.side * canvas.log_uniform(0.03, 0.1 + 0.15 * amount)
        stretched = _distance(canvas, canvas.point(), rng.uniform(0.5, 1), rng.uniform(0, np.pi)) / radius
        field = 1 - stretched + rng.uniform(0.15, 0.4) * noise(rng, canvas.side, radius, 5, rng.uniform(0.4, 0.6))
        _paper_area(canvas, np.clip(field * radius * 0.6 + 0.5, 0, 1))


def worn(canvas: Canvas, amount: float) -> None:
    """Emulsion that was rubbed off: streaks of bare paper, half transparent, densest in the middle of the area."""
    rng, side = canvas.rng, canvas.side
    stretch = float(rng.choice([1 / 6, 1 / 3, 1, 3, 6]))
    cell = canvas.scale * rng.uniform(4, 14) / min(stretch, 1)
    field = noise(rng, side, cell, 4, rng.uniform(0.6, 0.85), stretch)
    if rng.random() < 0.5:  # in any direction
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0, 180), 1)
        field = cv2.warpAffine(field, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    away = _distance(canvas, canvas.point(0.1), rng.uniform(0.4, 1), rng.uniform(0, np.pi))
    field -= away / (side * rng.uniform(0.06, 0.12 + 0.2 * amount))
    cover = _above(field, float(canvas.log_uniform(0.004, 0.02 + 0.15 * amount)))
    colour = canvas.light_or_dark(0.85) + rng.uniform(2, 14) * canvas.noise(3, 2)[..., None]
    canvas.lay(TEAR, cover, np.clip(colour, 0, 255), canvas.opacity(0.4, 0.95, 12, 0.25), reach=7)


def tear(canvas: Canvas, amount: float) -> None:
    """A tear from the border inwards: white torn paper, wide at the border, and sometimes the gap in its middle."""
    rng = canvas.rng
    for _ in range(1 + rng.poisson(0.4 * amount)):
        start, angle = canvas.border_point()
        angle += rng.normal(0, 0.5)
        length = canvas.side * rng.uniform(0.1, 0.4 + 0.6 * amount)
        outside = start - 8 * floats(direction(angle))
        line = jagged(rng, outside, start + length * floats(direction(angle)), rng.uniform(0.04, 0.14), 4)
        taper = np.linspace(1, 0.12, len(line)).astype(np.float32)
        width = canvas.scale * canvas.log_uniform(2.5, 14)
        paper = canvas.strokes([(line, np.maximum(varied(rng, len(line), width, 0.3) * taper, 0.8))])
        _paper_area(canvas, _roughened(canvas, paper))
        if rng.random() < 0.5:
            thin = varied(rng, len(line), width * rng.uniform(0.15, 0.5)) * taper
            canvas.lay(TEAR, canvas.strokes([(line, np.maximum(thin, 0.5))]), _behind(canvas), reach=7)


def missing(canvas: Canvas, amount: float) -> None:
    """A corner or a piece of the border that is gone: what lies behind the print, and a strip of torn paper."""
    rng, side = canvas.rng, canvas.side
    for _ in range(1 + (rng.random() < 0.3 * amount)):
        cut = rng.random() < 0.6
        if cut:
            corner = rng.integers(0, 2, 2) * side
            inward = np.where(corner > 0, -1, 1)
            depth = side * canvas.log_uniform(0.05, 0.2 + 0.35 * amount)
            a = corner + inward * (depth * rng.uniform(0.4, 1.6), -10)
            b = corner + inward * (-10, depth * rng.uniform(0.4, 1.6))
            away = corner - 40 * inward
        else:
            start, angle = canvas.border_point()
            along, inside = floats(direction(angle + np.pi / 2)), floats(direction(angle))
            depth = side * rng.uniform(0.02, 0.05 + 0.25 * amount)
            half = side * canvas.log_uniform(0.08, 0.8)
            a, b = start - half * along + rng.uniform(-0.5, 1) * depth * inside, start + half * along
            b, away = b + rng.uniform(-0.5, 1) * depth * inside, start - 60 * inside
        line = jagged(rng, floats(a), floats(b), rng.choice([0.01 if cut else 0.06, 0.06, 0.1, 0.16]), 4)
        beyond = away - (a + b) / 2
        gone = canvas.filled(np.concatenate([line, floats([b + beyond, a + beyond])]))
        if rng.random() < 0.75:
            strip = np.clip(varied(rng, len(line), 2 * canvas.scale * rng.uniform(1, 7), 0.6), 1, 30)
            torn = np.maximum(_roughened(canvas, canvas.strokes([(line, strip)])), gone)
            _paper_area(canvas, torn)
        elif rng.random() < 0.5:  # a shadow on what lies behind, or the print's dark edge
            canvas.shade(-rng.uniform(20, 60) * np.clip(cv2.GaussianBlur(gone, (0, 0), 2) - gone, 0, 1))
        canvas.lay(TEAR, gone, _behind(canvas), reach=9)


def stains(canvas: Canvas, amount: float) -> None:
    """Discoloured areas, partly see-through, with a darker rim."""
    rng = canvas.rng
    for _ in range(1 + rng.poisson(0.8 * amount)):
        radius = canvas.side * canvas.log_uniform(0.04, 0.12 + 0.2 * amount)
        field = 1 - _distance(canvas, canvas.point(0.1), rng.uniform(0.5, 1), rng.uniform(0, np.pi)) / radius
        field += rng.uniform(0.1, 0.5) * noise(rng, canvas.side, radius, 4, 0.5)
        edge = radius * canvas.log_uniform(0.08, 0.6)  # sharp to soft, in 1 / pixels
        cover = np.clip(field * edge + 0.5, 0, 1)
        tint = _tint(canvas)
        density = rng.uniform(0.35, 0.95) * np.clip(1 + 0.2 * noise(rng, canvas.side, radius / 2, 4, 0.6), 0, 1.2)
        if rng.random() < 0.6:
            rim = np.exp(-((field * radius / rng.uniform(2, 6) - 0.5) ** 2)) * cover
            density = density * (1 + rng.uniform(0.3, 1) * rim)
        canvas.lay(STAIN, cover, tint, np.clip(density, 0, 1).astype(np.float32), reach=15, least=1.4)


def watermarks(canvas: Canvas, amount: float) -> None:
    """The mark of dried water: a thin dark tide line around an area that is hardly changed."""
    rng = canvas.rng
    for _ in range(1 + rng.poisson(0.5 * amount)):
        radius = canvas.side * rng.uniform(0.08, 0.2 + 0.4 * amount)
        field = (1 - _distance(canvas, canvas.point(0.3), rng.uniform(0.5, 1), rng.uniform(0, np.pi)) / radius) * radius
        field += radius * rng.uniform(0.08, 0.25) * noise(rng, canvas.side, radius, 4, 0.45)
        canvas.shade(rng.uniform(-12, 12) * np.clip(field / 10 + 0.5, 0, 1))
        width = canvas.scale * rng.uniform(1, 4)
        line = np.exp(-np.maximum(field / width, -field / 0.6)).astype(np.float32)
        opacity = canvas.opacity(0.35, 0.8, 50, 0.2)
        canvas.lay(STAIN, line, _tint(canvas), opacity, reach=7)


def ring(canvas: Canvas, amount: float) -> None:
    """The round mark of a cup or a bottle."""
    rng = canvas.rng
    radius = canvas.side * rng.uniform(0.12, 0.25 + 0.2 * amount)
    away = _distance(canvas, canvas.point(0.1), rng.uniform(0.9, 1), rng.uniform(0, np.pi)) - radius
    away += canvas.noise(20, 3)
    line = np.exp(-((away / (canvas.scale * rng.uniform(1.5, 5))) ** 2)).astype(np.float32)
    canvas.lay(STAIN, line, _tint(canvas), canvas.opacity(0.5, 0.9, 40, 0.25), reach=9)


def tape(canvas: Canvas, amount: float) -> None:
    """A strip of old adhesive tape: yellow or milky, partly see-through, with sharp long and torn short edges."""
    rng, side = canvas.rng, canvas.side
    angle, centre = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.1), canvas.point()
    half, wide = side * rng.uniform(0.1, 0.7), side * rng.uniform(0.03, 0.08 + 0.06 * amount)
    along, across = _frame(canvas, centre, angle)
    ends = half + 2.5 * canvas.noise(4, 3)
    cover = np.clip(ends - np.abs(along) + 0.5, 0, 1) * np.clip(wide - np.abs(across) + 0.5, 0, 1)
    streaks = noise(rng, side, 5, 3, 0.7, stretch=6)
    tint = np.clip(_tint(canvas) + rng.uniform(0, 9) * streaks[..., None] + rng.uniform(0, 60), 0, 255)
    if rng.random() < 0.5:  # bubbles beneath it
        tint += 20 * np.clip(canvas.noise(10, 3) - 1, 0, 1)[..., None]
    edge = np.clip(1 - np.abs(wide - np.abs(across)) / 1.2, 0, 1) * (np.abs(along) < ends)
    opacity = np.clip(rng.uniform(0.3, 0.9) + 0.3 * edge, 0, 1).astype(np.float32)
    canvas.lay(STAIN, cover.astype(np.float32), np.clip(tint, 0, 255).astype(np.float32), opacity, reach=25)


def _paper_area(canvas: Canvas, cover: Floats) -> None:
    """Bare paper where ``cover`` (S, S) is 1: fibres, a relief, and the shadow of the emulsion's edge."""
    rng = canvas.rng
    cover = cover.astype(np.float32)
    if rng.random() < 0.6:
        right, down = rng.uniform(-1.5, 1.5, 2)
        canvas.shade(-rng.uniform(15, 80) * np.clip(moved(cover, right, down) - cover, 0, 1))
    relief = canvas.noise(rng.uniform(2, 7) * canvas.scale, 3, 0.7, float(rng.choice([1, 1, 3])))
    relief = relief - moved(relief, *rng.choice([-1, 1], 2))
    texture = rng.choice([2, 8, 16]) * rng.uniform(0.5, 1.2) * relief + rng.uniform(0, 10) * canvas.noise(40, 2)
    if rng.random() < 0.5:
        depth = cv2.GaussianBlur(cover, (0, 0), 3)
        texture += rng.uniform(-40, 25) * (1 - depth)
    paper = canvas.paper + rng.normal(0, 5)
    if rng.random() < 0.12:
        paper = canvas.light_or_dark(0.0) + rng.uniform(0, 60)
    colour = np.clip(paper + texture[..., None], 0, 255).astype(np.float32)
    opacity = 1.0 if rng.random() < 0.7 else canvas.opacity(0.75, 1.1, 20, 0.2)
    canvas.lay(TEAR, cover, colour, opacity, reach=11)


def _roughened(canvas: Canvas, cover: Floats) -> Floats:
    """A shape with an edge as rough as torn paper's."""
    soft = cv2.GaussianBlur(cover, (0, 0), 1.2 * canvas.scale)
    rough = 0.7 * soft * (1 - soft) * canvas.noise(5 * canvas.scale, 3, 0.7)  # nothing far from the edge
    return np.clip((soft - 0.5 + rough) * 4 + 0.5, 0, 1)


def _behind(canvas: Canvas) -> Floats:
    """What the scanner saw where the print is missing: white, black, grey or a coloured sheet; (3,) or (S, S, 3)."""
    rng = canvas.rng
    colour = rng.choice([rng.uniform(235, 255), rng.uniform(0, 30), rng.uniform(30, 235)]) + rng.normal(0, 4, 3)
    if rng.random() < 0.15:
        colour = rng.uniform(20, 235, 3)
    if rng.random() < 0.5:
        return np.clip(colour, 0, 255).astype(np.float32)
    return np.clip(colour + (rng.uniform(1, 5) * canvas.noise(30, 5, 0.8))[..., None], 0, 255).astype(np.float32)


def _tint(canvas: Canvas) -> Floats:
    """(S, S, 3): the picture seen through a brown, yellow, grey, blue or bleaching liquid."""
    rng = canvas.rng
    through = rng.uniform(0.1, 0.75)
    brown, yellow, dark, grey, blue = (150, 105, 55), (190, 150, 70), (95, 75, 60), (70, 70, 75), (70, 80, 120)
    colours = [brown, yellow, dark, grey, blue, (225, 215, 190), (240, 240, 240)]
    chosen = rng.choice(colours, p=[0.3, 0.2, 0.1, 0.08, 0.04, 0.18, 0.1]) + rng.normal(0, 14, 3)
    multiplied = canvas.picture * np.clip(chosen, 0, 255) / 255
    tint = through * multiplied + (1 - through) * chosen if chosen.mean() < 190 else 0.3 * canvas.picture + 0.7 * chosen
    return np.clip(tint, 0, 255).astype(np.float32)


def _above(field: Floats, share: float) -> Floats:
    """(S, S) in [0, 1]: the ``share`` of the area where ``field`` is highest, with edges about a pixel wide."""
    sample = np.sort(field[::3, ::3], axis=None)
    threshold = sample[int((1 - share) * (len(sample) - 1))]
    steep = 1.2 / (np.abs(np.diff(field[::5], axis=1)).mean() + 1e-6)
    return np.clip((field - threshold) * steep + 0.5, 0, 1)


def _frame(canvas: Canvas, centre: Floats, angle: float) -> tuple[Floats, Floats]:
    """(S, S) twice: each pixel's distance from ``centre`` along ``angle`` and across it."""
    y, x = pixels(canvas.side)
    x, y = x - centre[0], y - centre[1]
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _distance(canvas: Canvas, centre: Floats, flat: float = 1.0, angle: float = 0.0) -> Floats:
    """(S, S): the distance from ``centre``, in ellipses whose short axis is ``flat`` of the long one."""
    along, across = _frame(canvas, centre, angle)
    return np.sqrt(along**2 + (across / flat) ** 2)
