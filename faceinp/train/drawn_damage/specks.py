"""Small damage: dust, dense grit, emulsion spots, foxing, pinholes. All are SPOT."""

import cv2
import numpy as np

from faceinp.photo.arrays import direction
from faceinp.train.drawn_damage.canvas import SPOT, Canvas, Floats, floats


def dust(canvas: Canvas, amount: float) -> None:
    """Specks of dust, everywhere or in clusters, of irregular shape, from less than a pixel to a few."""
    rng, side = canvas.rng, canvas.side
    count = 1 + rng.poisson(canvas.log_uniform(1, 10 + 160 * amount))
    if rng.random() < 0.5:
        positions = rng.uniform(0, side, (count, 2))
    else:
        centres = rng.uniform(0, side, (int(rng.integers(1, 4)), 2))
        chosen = centres[rng.integers(len(centres), size=count)]
        positions = chosen + rng.normal(0, side * rng.uniform(0.03, 0.2), (count, 2))
    size, long = canvas.scale * rng.uniform(0.8, 1.8), rng.choice([0.6, 0.6, 2.0])
    paths = []
    for position in positions:
        steps = rng.normal(0, size * long * np.exp(rng.normal(-0.3, 0.5)), (int(rng.integers(1, 4)), 2))
        points = position + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])
        width = np.clip(size * np.exp(rng.normal(0, 0.45)), 0.6, 6)
        paths.append((points.astype(np.float32), width))
    colour = canvas.light_or_dark(0.65)
    canvas.lay(SPOT, canvas.strokes(paths), colour, canvas.opacity(0.6, 1.1, 12, 0.25), reach=5)


def grit(canvas: Canvas, amount: float) -> None:
    """Dense fine spots where the emulsion is worn: noise above a threshold that changes over the picture."""
    rng = canvas.rng
    fine = canvas.noise(rng.uniform(1.2, 3.5) * canvas.scale, 2, 0.6)
    dense = canvas.noise(canvas.side * rng.uniform(0.15, 0.5), 2)
    threshold = rng.uniform(2.6, 3.4) - 0.9 * amount - rng.uniform(0.5, 1.1) * np.maximum(dense, -1.5)
    cover = np.clip((fine - threshold) * 3, 0, 1).astype(np.float32)
    canvas.lay(SPOT, cover, canvas.light_or_dark(0.65), rng.uniform(0.5, 1.0), reach=5)


def spots(canvas: Canvas, amount: float) -> None:
    """Emulsion spots: round, dark or light, with soft or sharp edges, some with a ring."""
    rng = canvas.rng
    rough, soft, colour = rng.uniform(0.05, 0.6), rng.uniform(0.0, 0.35), canvas.light_or_dark(0.5)
    alike = rng.random() < 0.6
    for _ in range(1 + rng.poisson(8 * amount)):
        radius = canvas.scale * canvas.log_uniform(1.5, 9)
        disc = _disc(canvas, canvas.point(), radius, rough)
        cover = cv2.GaussianBlur(disc, (0, 0), radius * soft + 0.3)
        if rng.random() < 0.25:
            cover = np.clip(cover * (1.6 - cover) * 1.5, 0, 1)
        canvas.lay(SPOT, cover, colour if alike else canvas.light_or_dark(0.5), rng.uniform(0.45, 1.0), reach=7)


def foxing(canvas: Canvas, amount: float) -> None:
    """Clusters of brown spots with soft edges, through which the picture shows."""
    rng = canvas.rng
    brown = np.array([rng.uniform(110, 175), rng.uniform(75, 120), rng.uniform(25, 70)], np.float32)
    centre, spread = canvas.point(), canvas.side * rng.uniform(0.1, 0.5)
    cover: Floats = np.zeros((canvas.side, canvas.side), np.float32)
    for position in centre + rng.normal(0, spread, (2 + rng.poisson(10 * amount), 2)):
        radius = canvas.scale * canvas.log_uniform(1.2, 8)
        disc = _disc(canvas, position.astype(np.float32), radius, 0.25)
        cover = np.maximum(cover, rng.uniform(0.6, 1) * disc)
    cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.6, 1.6))
    if rng.random() < 0.7:  # blotched
        cover = np.clip(cover * (1 + 0.5 * canvas.noise(4 * canvas.scale, 3, 0.7)), 0, 1)
    canvas.lay(SPOT, cover, brown, np.clip(rng.uniform(0.4, 0.9) + 0.15 * canvas.noise(4, 2), 0, 1), reach=7)


def pinholes(canvas: Canvas, amount: float) -> None:
    """Round holes of pins or insects: dark inside, with a lit rim."""
    rng = canvas.rng
    for _ in range(1 + rng.poisson(5 * amount)):
        centre, radius = canvas.point(), canvas.scale * rng.uniform(1.2, 5)
        canvas.lay(SPOT, _disc(canvas, centre, radius * 1.4, 0.1), canvas.paper, 0.8, reach=7)
        canvas.lay(SPOT, _disc(canvas, centre + 0.3, radius, 0.1), floats([20, 18, 15]), 0.95, reach=7)


def _disc(canvas: Canvas, centre: Floats, radius: float, rough: float) -> Floats:
    """(S, S): a round shape whose radius changes around it by ``rough``."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    waves = sum(canvas.rng.normal(0, rough / k) * np.cos(k * angles + canvas.rng.uniform(0, 7)) for k in (2, 3, 5))
    radii = radius * np.clip(1 + waves, 0.3, 2)
    return canvas.filled(centre + radii[:, None] * direction(angles))
