"""What age, film and scanners do to the whole of a picture; nothing moves, so the classes of its pixels stay right.

A print is faded, toned and grainy before it is damaged; the scanner blurs, sharpens and compresses what it sees with
the damage on it. ``age_print`` is the first, ``scan`` the second.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.train.drawn_damage.canvas import THIRDS, Floats, noise, normals, pixels

Picture = NDArray[np.uint8]

_TONES = (
    (1.0, 0.86, 0.66),
    (1.0, 0.92, 0.8),
    (0.98, 0.95, 0.82),
    (0.92, 1.0, 0.9),
    (1.0, 0.8, 0.92),
    (0.88, 0.93, 1.0),
)


def age_print(picture: Picture, rng: np.random.Generator) -> Picture:
    """Grey, sepia or another tone, fading, vignette, uneven exposure and grain, each with some probability; a third of
    the pictures stay as colourful and clear as they are. picture: RGB, uint8 (S, S, 3); so is the result.
    """
    if rng.random() < 0.12:
        return picture.copy()
    image: Floats = picture.astype(np.float32)
    if rng.random() < 0.15:  # a soft lens
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6))
    kind = rng.random()
    if kind < 0.55:  # monochrome; half of these in a tone
        weights = rng.dirichlet([2, 5, 2]).astype(np.float32)  # of red, green and blue; old films hardly see red
        image = np.repeat((image @ weights)[..., None], 3, axis=2)
        if rng.random() < 0.6:
            image = _toned(image, rng)
    elif kind < 0.75:  # faded dyes
        image = image * rng.uniform(0.75, 1.05, 3).astype(np.float32) + rng.uniform(0, 30, 3).astype(np.float32)
        grey = (image @ THIRDS)[..., None]
        image = grey + rng.uniform(0.3, 1.1) * (image - grey)
    image = _exposed(image, rng)
    if rng.random() < 0.3:
        image += rng.uniform(3, 16) * noise(rng, len(image), len(image) * rng.uniform(0.2, 0.8), 2)[..., None]
    if rng.random() < 0.2:
        strength = rng.uniform(0.1, 0.6)
        y, x = (v / len(image) - rng.uniform(0.2, 0.8) for v in pixels(len(image)))  # from a point near the middle
        image *= 1 - strength * ((x * x + y * y) * 2)[..., None]
    if rng.random() < 0.06:
        image = _halftone(image, rng)
    if rng.random() < 0.6:
        image += _grain(image, rng)
    return _to_bytes(image)


def scan(picture: Picture, rng: np.random.Generator) -> Picture:
    """A scanner's blur or sharpening, its noise, a smaller copy made larger again, JPEG: each with some probability.

    picture: RGB, uint8 (S, S, 3); so is the result.
    """
    image: NDArray[Any] = picture
    if rng.random() < 0.55:
        sigma = rng.choice([rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.4)], p=[0.8, 0.2])
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < 0.12:  # stored small and made larger
        side, small = len(image), round(len(image) * rng.uniform(0.55, 0.95))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.25:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 2))
        strength = rng.uniform(0.2, 1.2)
        image = cv2.addWeighted(image, 1 + strength, soft, -strength, 0)
    if rng.random() < 0.3:
        image = _to_bytes(image + rng.uniform(0.7, 4) * normals(rng, *image.shape))
    if rng.random() < 0.65:
        quality = int(rng.choice([rng.integers(75, 97), rng.integers(45, 75)], p=[0.75, 0.25]))
        # Only whole blocks of 16 pixels: the picture begins anywhere on the grid of blocks.
        top, left = (int(v) for v in rng.integers(0, 16, 2))
        framed = cv2.copyMakeBorder(image, top, 0, left, 0, cv2.BORDER_REFLECT_101)
        framed = cv2.cvtColor(framed, cv2.COLOR_RGB2BGR)
        coded = cv2.imencode(".jpg", framed, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[top:, left:, ::-1]
    return np.ascontiguousarray(image)


def _toned(image: Floats, rng: np.random.Generator) -> Floats:
    tone = np.array(_TONES[rng.integers(len(_TONES))]) + rng.normal(0, 0.03, 3)
    strength = rng.uniform(0.3, 1.3)
    return (255 * (image / 255) ** (1 + strength * (1 - tone) * 1.6)).astype(np.float32)


def _exposed(image: Floats, rng: np.random.Generator) -> Floats:
    """Another gamma, lifted blacks and lowered whites."""
    image = 255 * np.clip(image / 255, 0, 1) ** np.float32(np.exp(rng.normal(-0.1, 0.22)))
    if rng.random() < 0.5:
        black, white = rng.choice([0, 1]) * rng.uniform(0, 90), 255 - rng.choice([0, 1]) * rng.uniform(0, 70)
        image = black + image * np.float32((white - black) / 255)
    else:
        image = (image - 128) * np.float32(rng.uniform(0.9, 1.35)) + np.float32(128 + rng.normal(0, 12))
    return image.astype(np.float32)


def _grain(image: Floats, rng: np.random.Generator) -> Floats:
    """(S, S, 3): film grain, strongest in the middle greys, of one or of three layers."""
    side, size = len(image), rng.uniform(0.4, 1.3)
    layers = 1 if rng.random() < 0.7 else 3
    grain = normals(rng, side, side, layers)
    if size > 0.5:
        grain = cv2.GaussianBlur(grain, (0, 0), size).reshape(side, side, layers)
    strength = np.exp(rng.uniform(np.log(1.5), np.log(14))) / (grain.std() + 1e-6)
    middle = 0.6 + 0.4 * (1 - np.abs((image @ THIRDS)[..., None] / 127.5 - 1))
    return (strength * middle * grain).astype(np.float32)


def _halftone(image: Floats, rng: np.random.Generator) -> Floats:
    """A printed picture: dots on a turned grid, larger where it is darker, seen a little out of focus."""
    side, pitch, angle = len(image), rng.uniform(2.2, 5), rng.uniform(0, np.pi / 2)
    y, x = (v * float(2 * np.pi / pitch) for v in pixels(side))
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    screen = (np.cos(c * x + s * y) + np.cos(c * y - s * x))[..., None] * 64
    dots = np.clip((image - 128 + screen) * 3 + 128, 0, 255)
    return cv2.GaussianBlur(dots + rng.uniform(0.2, 0.7) * (image - dots), (0, 0), rng.uniform(0.5, 1.0))


def _to_bytes(image: Floats) -> Picture:
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
