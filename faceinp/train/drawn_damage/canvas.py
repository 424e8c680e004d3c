"""The canvas on which damage is drawn: layers are blended into the picture, and what is visible of each is labelled."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import direction

Floats = NDArray[Any]  # float32: OpenCV's annotations are no narrower
Random = np.random.Generator
Path = tuple[Floats, Floats | float]  # points (n, 2) as x, y in pixels, and their widths (n,) or one for all

CLEAN, SCRATCH, SPOT, TEAR, STAIN, STAMP = range(6)
UNKNOWN = 255  # barely visible: neither right nor wrong to find
FAINT = 0.6  # share of the contrast that counts as visible from which a layer is barely visible
VISIBLE = 8.0  # grey levels that a layer must change its surroundings by
BUSY = 0.25  # and this much more for each grey level of standard deviation around it: texture hides damage
FINE = 4  # strokes are drawn at this multiple of the picture's size
THIRDS = np.full(3, 1 / 3, np.float32)
COVERED = 0.3  # share of a pixel that a layer must cover to label it


class Canvas:
    """A picture while damage is drawn on it.

    picture: float32 (S, S, 3), 0 to 255. classes: uint8 (S, S), CLEAN to STAMP or
    UNKNOWN. paper: (3,), the colour under the emulsion. scale: the
    size of the damage's details, as a factor: tiles come from scans of any resolution.
    """

    def __init__(self, picture: NDArray[np.uint8], rng: Random) -> None:
        self.rng = rng
        self.side = picture.shape[0]
        self.picture: Floats = picture.astype(np.float32)
        self.classes = np.zeros(picture.shape[:2], np.uint8)
        grey = self.picture @ THIRDS
        spread = cv2.blur(grey * grey, (9, 9)) - cv2.blur(grey, (9, 9)) ** 2
        self.needed = VISIBLE + BUSY * np.sqrt(np.maximum(spread, 0))
        self.paper = _paper(self.picture, rng)
        self.scale = float(self.log_uniform(0.6, 1.7))

    def lay(
        self,
        kind: int,
        cover: Floats,
        colour: Floats,
        opacity: Floats | float = 1.0,
        *,
        reach: int = 5,
        least: float = 1.0,
    ) -> None:
        """Blend a layer in, label as ``kind`` what is visible of it, and as UNKNOWN what barely is.

        cover: (S, S) in [0, 1], the layer's shape. colour: (3,) or (S, S, 3), 0 to 255. opacity: in [0, 1], a number or
        (S, S). reach: side of the square, in pixels, over which contrast is averaged: small for thin things. least:
        factor on the contrast that counts as visible.
        """
        x, y, width, height = cv2.boundingRect((cover > 0.01).astype(np.uint8))
        if not width:
            return
        low_y, low_x = max(y - reach, 0), max(x - reach, 0)
        part = np.s_[low_y : y + height + reach, low_x : x + width + reach]
        below, shape = self.picture[part], cover[part]
        alpha = shape * (opacity[part] if isinstance(opacity, np.ndarray) else opacity)
        change = alpha[..., None] * ((colour[part] if colour.ndim == 3 else colour) - below)
        self.picture[part] = below + change
        strength = np.abs(change) @ THIRDS
        contrast = cv2.blur(strength, (reach, reach)) / (cv2.blur(shape, (reach, reach)) + 1e-3)
        visible = contrast * cv2.dilate(shape, np.ones((3, 3), np.uint8)) / (least * self.needed[part])
        classes, covered = self.classes[part], shape > COVERED
        classes[covered & (visible > FAINT) & (classes == CLEAN)] = UNKNOWN
        classes[covered & (visible > 1)] = kind

    def shade(self, amount: Floats) -> None:
        """Lighten or darken by ``amount``, (S, S) in grey levels, without a label."""
        self.picture = self.picture + amount[..., None]

    def strokes(self, paths: Sequence[Path]) -> Floats:
        """(S, S) in [0, 1]: the share of each pixel that these strokes cover."""
        return cover_of(paths, self.side)

    def filled(self, corners: Any) -> Floats:
        """(S, S) in [0, 1]: the share of each pixel that a polygon (n, 2) covers."""
        cover = np.zeros((self.side, self.side), np.uint8)
        cv2.fillPoly(cover, [np.rint(np.asarray(corners) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return cover.astype(np.float32) / 255

    def log_uniform(self, low: float, high: float, size: int | None = None) -> Any:
        """Random numbers from ``low`` to ``high`` whose logarithms are uniform."""
        return np.exp(self.rng.uniform(np.log(low), np.log(high), size))

    def noise(self, cell: float, octaves: int = 1, gain: float = 0.5, stretch: float = 1.0) -> Floats:
        """(S, S), mean 0 and deviation 1: see ``noise``."""
        return noise(self.rng, self.side, cell, octaves, gain, stretch)

    def opacity(self, low: float, high: float, cell: float, contrast: float = 0.4) -> Floats:
        """(S, S) in [0, 1]: an opacity around ``low`` to ``high`` that changes over ``cell`` pixels."""
        level = self.rng.uniform(low, high)
        return np.clip(level + contrast * self.noise(cell, 2), 0, 1).astype(np.float32)

    def point(self, margin: float = 0.0) -> Floats:
        """A point (2,) of the picture, or up to ``margin`` sides outside of it."""
        return self.rng.uniform(-margin * self.side, (1 + margin) * self.side, 2).astype(np.float32)

    def border_point(self) -> tuple[Floats, float]:
        """A point (2,) on the picture's border, and the angle from there towards the inside."""
        at, edge = self.rng.uniform(0, self.side), int(self.rng.integers(4))
        point = [(at, 0), (self.side, at), (at, self.side), (0, at)][edge]
        return np.array(point, np.float32), edge * np.pi / 2 + np.pi / 2

    def light_or_dark(self, light: float = 0.7) -> Floats:
        """(3,): the paper's colour with a probability of ``light``, else nearly black."""
        if self.rng.random() < light:
            return np.clip(self.paper + self.rng.normal(0, 8), 0, 255).astype(np.float32)
        return np.clip(self.rng.uniform(0, 70) + self.rng.normal(0, 6, 3), 0, 255).astype(np.float32)

    def result(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture, uint8 (S, S, 3), and the classes, uint8 (S, S)."""
        return np.clip(self.picture + 0.5, 0, 255).astype(np.uint8), self.classes


def _paper(picture: Floats, rng: Random) -> Floats:
    """White, cream or grey paper, or one in the tone of the picture's own highlights."""
    if rng.random() < 0.4:
        sample = picture[::4, ::4].reshape(-1, 3)
        bright = sample[np.argsort(sample.sum(1))[-len(sample) // 20 :]].mean(0)
        paper = bright + rng.uniform(0.2, 1) * (255 - bright)
    else:
        cream = rng.choice([0.0, 0.0, 1.0]) * rng.uniform(0.3, 1) * np.array([0, 8, 34])
        paper = rng.choice([rng.uniform(225, 255), rng.uniform(170, 225)]) - cream + rng.normal(0, 3, 3)
    return np.clip(paper, 0, 255).astype(np.float32)


def cover_of(paths: Sequence[Path], side: int) -> Floats:
    """(S, S) in [0, 1]: the share of each pixel of a square picture that strokes of changing width cover."""
    fine = np.zeros((side * FINE, side * FINE), np.uint8)
    for points, width in paths:
        corners = np.clip(np.rint(points * FINE), -30000, 30000).astype(np.int32)
        widths = np.broadcast_to(np.asarray(width, np.float32), len(points))
        thickness = np.maximum(np.rint(widths * FINE), 1).astype(int)
        starts = np.flatnonzero(np.diff(thickness[:-1], prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(corners) - 1], strict=True):
            cv2.polylines(fine, [corners[start : end + 1]], False, 255, int(thickness[start]))
    half = cv2.resize(fine, (2 * side, 2 * side), interpolation=cv2.INTER_AREA)  # halving twice is far faster
    return cv2.resize(half, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)


def noise(rng: Random, side: int, cell: float, octaves: int = 1, gain: float = 0.5, stretch: float = 1.0) -> Floats:
    """(S, S), mean 0 and deviation 1: smooth noise whose bumps are ``cell`` pixels wide, with ``octaves`` of finer
    noise, each ``gain`` times as strong as the one before. stretch: how many times longer bumps are than wide.
    """
    total: Floats = np.zeros((1, 1), np.float32)
    for octave in range(octaves):
        sizes = [max(cell * s / 2**octave, 1.0) for s in (1.0, stretch)]
        rows, columns = (int(side / size) + 3 for size in sizes)
        finer = float(gain**octave) * normals(rng, rows, columns)
        total = finer + cv2.resize(total, (columns, rows), interpolation=cv2.INTER_CUBIC) if octave else finer
    if max(sizes) > 1:
        total = cv2.resize(total, (int(columns * sizes[1]), int(rows * sizes[0])), interpolation=cv2.INTER_CUBIC)
    top, left = (int(rng.integers(length - side + 1)) for length in total.shape)
    total = total[top : top + side, left : left + side]
    mean, deviation = (float(v[0, 0]) for v in cv2.meanStdDev(total))
    return (total - mean) * (1 / (deviation + 1e-6))


def floats(values: Any) -> Floats:
    """Numbers as a float32 array."""
    return np.asarray(values, np.float32)


def normals(rng: Random, *shape: int) -> Floats:
    """Nearly normal numbers, each a sum of four random bytes: five times as fast as exact ones."""
    count = int(np.prod(shape))
    first, *rest = np.frombuffer(rng.bytes(4 * count), np.uint8).reshape(4, count)
    total = first.astype(np.float32)
    for part in rest:
        total += part
    total -= 4 * 127.5
    total *= 1 / 147.8  # the deviation of the sum
    return total.reshape(shape)


@cache
def pixels(side: int) -> tuple[Floats, Floats]:
    """(S, S) twice, never to be changed: each pixel's y and x."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    return y, x


def wander(rng: Random, count: int, knots: int) -> Floats:
    """(count,): smooth random numbers of deviation about 1, through ``knots`` independent ones."""
    values = rng.standard_normal(max(knots, 2))
    return np.interp(np.linspace(0, len(values) - 1, count), np.arange(len(values)), values).astype(np.float32)


def jagged(rng: Random, start: Floats, end: Floats, rough: float, step: float = 3.0) -> Floats:
    """(n, 2): a broken line from start to end: kinks at all lengths from the line's own down to ``step`` pixels, across
    it and along it, whose size is about ``rough`` of their length.
    """
    along = (end - start).astype(np.float32)
    length = float(np.hypot(*along))
    count = int(np.clip(length / step, 2, 500))
    offset = np.zeros((count, 2), np.float32)
    share = np.linspace(0, 1, count, dtype=np.float32)
    for kinks in 2 ** np.arange(1, max(int(np.log2(count)), 1) + 1):
        # Kinks sit anywhere: a regular raster of them would be learnt.
        at = np.sort(rng.uniform(0, 1, kinks))
        size = rng.normal(0, rough * length / kinks, (2, kinks)) * rng.exponential(1, kinks) ** 0.5
        for axis, strength in enumerate((0.4, 1.0)):
            offset[:, axis] += np.interp(share, at, strength * size[axis])
    offset -= offset[:1] * (1 - share[:, None]) + offset[-1:] * share[:, None]
    across = np.array([-along[1], along[0]], np.float32)
    unit = np.stack([along, across]) / max(length, 1e-6)
    return (start + share[:, None] * along + offset @ unit).astype(np.float32)


def curve(rng: Random, start: Floats, angle: float, length: float, bend: float, knots: int = 4) -> Floats:
    """(n, 2): a smooth curve of ``length`` pixels whose direction changes by about ``bend`` radians at each knot."""
    count = max(int(length / 3), 3)
    heading = angle + bend * np.cumsum(wander(rng, count, knots)) * knots / count
    steps = direction(heading) * (length / count)
    return np.concatenate([start[None], start + np.cumsum(steps, 0)]).astype(np.float32)


def varied(rng: Random, count: int, width: float, change: float = 0.35) -> Floats:
    """(count,): widths around ``width`` that change along a stroke by a factor of about exp(``change``)."""
    return (width * np.exp(change * wander(rng, count, max(count // 6, 3)))).astype(np.float32)


def moved(cover: Floats, right: float, down: float) -> Floats:
    """(S, S): ``cover`` moved by fractions of pixels."""
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(cover, matrix, cover.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
