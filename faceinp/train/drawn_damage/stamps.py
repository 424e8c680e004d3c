"""What people put on prints on purpose: handwriting, ink strokes, stamps, printed numbers and dates. All are STAMP."""

import cv2
import numpy as np

from faceinp.photo.arrays import direction
from faceinp.train.drawn_damage.canvas import STAMP, Canvas, Floats, curve, floats, varied, wander

_FONTS = (
    *(cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX),
    *(cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX),
)
_INKS = ((25, 30, 110), (30, 60, 160), (95, 30, 120), (170, 25, 35), (20, 20, 25), (40, 40, 40), (20, 90, 60))


def text(canvas: Canvas, amount: float) -> None:
    """A printed or stamped number, date or word, turned, with uneven ink."""
    rng = canvas.rng
    cover = turned(canvas, word(rng), rng.uniform(0.4, 1.8) * canvas.scale, int(rng.integers(1, 4)), canvas.point())
    canvas.lay(STAMP, cover, _ink(canvas), _worn(canvas), reach=5)


def handwriting(canvas: Canvas, amount: float) -> None:
    """A line of joined loops, as of a pen, leaning to the right."""
    rng = canvas.rng
    start, angle = canvas.point(), rng.normal(0, 0.3)
    height = canvas.scale * rng.uniform(5, 18)
    paths = []
    for _ in range(int(rng.integers(1, 4))):
        count = int(rng.integers(30, 140))
        phase = np.cumsum(rng.uniform(0.25, 0.6) * np.exp(0.3 * wander(rng, count, count // 8)))
        x = 0.28 * height * phase / 2 + 0.22 * height * np.cos(phase)
        y = 0.4 * height * np.sin(phase) * (0.8 + 0.6 * wander(rng, count, count // 7))
        x = x - 0.4 * y
        c, s = np.cos(angle), np.sin(angle)
        points = start + np.stack([c * x - s * y, s * x + c * y], 1)
        widths = np.clip(varied(rng, count, canvas.scale * rng.uniform(0.8, 2)), 0.6, 5)
        paths.append((points.astype(np.float32), widths))
        start = points[-1] + height * np.array([c, s]) * 0.8
    canvas.lay(STAMP, canvas.strokes(paths), _ink(canvas), canvas.opacity(0.6, 1.0, 20, 0.15))


def ink_strokes(canvas: Canvas, amount: float) -> None:
    """Lines, crosses and curves drawn with a pen."""
    rng = canvas.rng
    paths = []
    for _ in range(int(rng.integers(1, 5))):
        length = canvas.side * rng.uniform(0.08, 0.6)
        points = curve(rng, canvas.point(), rng.uniform(0, 7), length, rng.uniform(0, 1.2), 5)
        width = canvas.scale * rng.uniform(1, 4)
        paths.append((points, np.clip(varied(rng, len(points), width, 0.15), 0.8, 7)))
    canvas.lay(STAMP, canvas.strokes(paths), _ink(canvas), canvas.opacity(0.6, 1.0, 30, 0.12))


def round_stamp(canvas: Canvas, amount: float) -> None:
    """A round or oval stamp: rings, a word in the middle, ticks around it, ink that did not take everywhere."""
    rng = canvas.rng
    centre, radius = canvas.point(), canvas.side * rng.uniform(0.1, 0.25)
    angles = np.linspace(0, 2 * np.pi, 60)
    oval = direction(angles) * (1, rng.uniform(0.7, 1))
    turn = rng.normal(0, 0.4)
    oval = oval @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    width = np.full(60, canvas.scale * rng.uniform(1, 2.5), np.float32)
    paths = [((centre + r * radius * oval).astype(np.float32), width) for r in (1, rng.uniform(0.6, 0.92))]
    for k in range(0, 58, int(rng.integers(2, 5))):
        ends = np.stack([0.7 * oval[k], 0.86 * oval[k + int(rng.integers(2))]])
        paths.append(((centre + radius * ends).astype(np.float32), width[:2]))
    cover = np.maximum(canvas.strokes(paths), turned(canvas, word(rng), radius / 45, 2, centre, turn))
    canvas.lay(STAMP, cover, _ink(canvas), _worn(canvas))


def _ink(canvas: Canvas) -> Floats:
    """(S, S, 3): the picture with ink over it: dark inks let little through; some pens are white."""
    rng = canvas.rng
    if rng.random() < 0.1:
        return floats(rng.uniform(215, 255, 3))
    ink = np.clip(np.array(_INKS[rng.integers(len(_INKS))]) + rng.normal(0, 12, 3), 0, 255)
    return (ink + 0.25 * canvas.picture * ink / 255).clip(0, 255).astype(np.float32)


def _worn(canvas: Canvas) -> Floats:
    rng = canvas.rng
    ink = rng.uniform(0.5, 1.1) + 0.15 * canvas.noise(3, 2) + rng.uniform(0, 0.3) * canvas.noise(30, 2)
    return np.clip(ink, 0, 1).astype(np.float32)


def word(rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return "".join(rng.choice(list("0123456789"), int(rng.integers(2, 8))))
    if rng.random() < 0.4:
        return f"{rng.integers(1, 32)}.{rng.integers(1, 13)}.{rng.integers(1890, 2000)}"
    return "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVWaeimnorstu "), int(rng.integers(2, 10))))


def turned(canvas: Canvas, word: str, size: float, thickness: int, centre: Floats, turn: float | None = None) -> Floats:
    """(S, S) in [0, 1]: a word in one of OpenCV's fonts around ``centre``, drawn at twice the size."""
    rng = canvas.rng
    font = _FONTS[rng.integers(len(_FONTS))]
    (width, height), _ = cv2.getTextSize(word, font, 2 * size, thickness)
    plate = np.zeros((height * 2 + 20, width + 20), np.uint8)
    cv2.putText(plate, word, (10, 10 + int(height * 1.4)), font, 2 * size, 255, thickness, cv2.LINE_AA)
    angle = float(np.degrees(turn)) if turn is not None else float(rng.choice([0, 0, 90, rng.uniform(0, 360)]))
    matrix: Floats = cv2.getRotationMatrix2D((plate.shape[1] / 2, plate.shape[0] / 2), -angle, 0.5)
    matrix[:, 2] += np.asarray(centre) - (plate.shape[1] / 2, plate.shape[0] / 2)
    return cv2.warpAffine(plate, matrix, (canvas.side, canvas.side), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
