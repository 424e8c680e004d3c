"""Simulated worn occluders, protective masks and glasses: as holes, and drawn on a picture.

Their shape follows the 68 landmarks of the iBUG scheme, numbered from 0, in pixels of the picture. The seed chooses
cut, straps, lenses and colour unless an argument does; the same seed gives the same shape as a hole and as a drawing.
"""

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError
from faceinp.photo.arrays import Bools, Pixels

Straps = Literal["ears", "head", "none"]
Lenses = Literal["clear", "dark"]
Colour = tuple[int, int, int]
Points = NDArray[np.floating[Any]]
Shape = tuple[int, int]

CLOTH_COLOURS: tuple[Colour, ...] = ((158, 196, 219), (236, 236, 232), (38, 38, 42), (160, 205, 186), (232, 190, 196))
FRAME_COLOURS: tuple[Colour, ...] = ((24, 22, 22), (92, 58, 36), (150, 150, 156), (120, 24, 30))
_DARK_LENS: Colour = (22, 24, 26)

_FRACTION_BITS = 4  # of the fixed-point coordinates in OpenCV's drawing functions


def protective_mask(points: Points | None, shape: Shape, *, seed: int = 0, straps: Straps | None = None) -> Bools:
    """The hole of a protective mask and its straps, bool (H, W). The seed chooses the cut and, if None, the straps."""
    return _cover([alpha for alpha, _ in _cloth(sound_points("protective-mask", points), shape, seed, straps, None)])


def wear_protective_mask(
    pixels: Pixels, points: Points, *, seed: int = 0, colour: Colour | None = None
) -> tuple[Pixels, Bools]:
    """The picture, uint8 (H, W, 3), with a protective mask drawn on, and the hole ``protective_mask``, which covers it.

    colour: RGB; None: the seed chooses from CLOTH_COLOURS. Pixels outside of the hole do not change.
    """
    points = sound_points("protective-mask", points)
    shape = pixels.shape[0], pixels.shape[1]
    layers = _cloth(points, shape, seed, None, colour)
    hole = _cover([alpha for alpha, _ in layers])
    depth = cv2.distanceTransform((layers[-1][0] > 127).astype(np.uint8), cv2.DIST_L2, 5)
    shade = (
        0.72 + 0.28 * np.clip(depth / (0.16 * shape[1]), 0, 1)[..., None]
    )  # darker towards the edge, as the cloth is curved
    rows = np.arange(shape[0])[:, None, None] + 0.5
    for pleat in np.linspace(points[29, 1], points[8, 1], 5)[1:-1]:
        shade = shade * (1 - 0.12 * np.exp(-(((rows - pleat) / (0.006 * shape[1])) ** 2)))
    return _painted(pixels, layers, shade), hole


def glasses(points: Points | None, shape: Shape, *, seed: int = 0, lenses: Lenses | None = None) -> Bools:
    """The hole of a pair of glasses, bool (H, W); with clear lenses its frame alone. lenses: None: the seed chooses."""
    return _cover([alpha for alpha, _ in _pair(sound_points("glasses", points), shape, seed, lenses)])


def wear_glasses(
    pixels: Pixels, points: Points, *, seed: int = 0, lenses: Lenses | None = None
) -> tuple[Pixels, Bools]:
    """The picture, uint8 (H, W, 3), with glasses drawn on, and the hole ``glasses``, which covers them.

    Pixels outside of the hole do not change.
    """
    layers = _pair(sound_points("glasses", points), (pixels.shape[0], pixels.shape[1]), seed, lenses)
    return _painted(pixels, layers), _cover([alpha for alpha, _ in layers])


def sound_points(name: str, points: Points | None) -> NDArray[np.float64]:
    """The landmarks for the preset ``name``, float64 (68, 2). Raises MaskError where they are missing or not finite."""
    if points is None:
        raise MaskError(
            f"The preset {name} needs the face's 68 landmarks. Pass points=, for example those of average_points."
        )
    checked = np.asarray(points, np.float64)
    if checked.shape != (68, 2) or not np.isfinite(checked).all():
        raise MaskError(f"The preset {name} needs 68 finite landmarks, (68, 2), got {checked.shape}. Find them again.")
    return checked


def _cloth(
    points: NDArray[np.float64], shape: Shape, seed: int, straps: Straps | None, colour: Colour | None
) -> list[tuple[Pixels, Colour]]:
    """Layers of straps and cloth: coverage, uint8 (H, W), and colour."""
    rng = np.random.default_rng(seed)
    height, out, wide = rng.uniform(0, 1.2), rng.uniform(0.02, 0.12), rng.uniform(0.018, 0.03)
    kind = straps or get_args(Straps)[rng.choice(3, p=(0.6, 0.3, 0.1))]
    if kind not in get_args(Straps):
        raise MaskError(f"Unknown straps {kind!r}. Choose one of: {', '.join(get_args(Straps))}.")
    chosen = colour or CLOTH_COLOURS[rng.integers(len(CLOTH_COLOURS))]
    nose = points[28] + height * (points[29] - points[28])
    right, down = points[45] - points[36], points[8] - points[27]
    jaw = points[33] + (1 + out) * (points[2:15] - points[33])
    bridge = [
        nose - 0.14 * right + 0.05 * down,
        nose - 0.05 * right,
        nose + 0.05 * right,
        nose + 0.14 * right + 0.05 * down,
    ]
    cheeks = [(jaw[n] + 2 * bridge[m]) / 3 + 0.06 * down for n, m in ((0, 0), (-1, -1))]
    outline = np.array([jaw[0], cheeks[0], *bridge, cheeks[1], *jaw[::-1]])
    lines: list[NDArray[np.float64]] = []
    for ear, top, low, sign in ((points[0], jaw[0], jaw[3], -1), (points[16], jaw[-1], jaw[-4], 1)):
        if kind == "ears":
            lines += [np.array([end, ear + 0.03 * sign * right]) for end in (top, low)]
        elif kind == "head":
            lines += [
                np.array([top, top + 0.35 * sign * right - 0.35 * down]),
                np.array([low, low + 0.3 * sign * right - 0.05 * down]),
            ]
    width = wide * shape[1]
    return [(strokes(shape, lines, width), _lighter(chosen)), (filled(shape, outline), chosen)]


def _pair(points: NDArray[np.float64], shape: Shape, seed: int, lenses: Lenses | None) -> list[tuple[Pixels, Colour]]:
    """Layers of dark lenses and frame: coverage, uint8 (H, W), and colour."""
    rng = np.random.default_rng(seed)
    wide, high, power, thick = rng.uniform((0.33, 0.24, 2, 0.035), (0.43, 0.36, 5, 0.09))
    kind = lenses or get_args(Lenses)[rng.integers(2)]
    if kind not in get_args(Lenses):
        raise MaskError(f"Unknown lenses {kind!r}. Choose one of: {', '.join(get_args(Lenses))}.")
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    right = eyes[1] - eyes[0]
    down = np.array([-right[1], right[0]])
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    cos, sin = (np.sign(v) * np.abs(v) ** (2 / power) for v in (np.cos(turn), np.sin(turn)))  # a superellipse
    rims = [eye + 0.06 * down + np.outer(wide * cos, right) + np.outer(high * sin, down) for eye in eyes]
    frame = [np.vstack([rim, rim[:1]]) for rim in rims]
    inner = 0.5 - (0.5 - wide) * np.array([1, 0, -1])
    frame.append(eyes[0] + np.outer(inner, right) + np.outer((0.0, -0.05, 0.0), down))
    frame += [
        np.array([eye + sign * wide * right, points[ear]])
        for eye, sign, ear in zip(eyes, (-1, 1), (0, 16), strict=True)
    ]
    colour = FRAME_COLOURS[rng.integers(len(FRAME_COLOURS))]
    dark = [(np.maximum(*(filled(shape, rim) for rim in rims)), _DARK_LENS)] if kind == "dark" else []
    return [*dark, (strokes(shape, frame, thick * float(np.hypot(*right))), colour)]


def filled(shape: Shape, outline: NDArray[np.float64]) -> Pixels:
    """How much of each pixel the polygon ``outline``, (N, 2), covers: uint8 (H, W)."""
    layer = np.zeros(shape, np.uint8)
    cv2.fillPoly(layer, [_fixed(outline)], 255, cv2.LINE_AA, _FRACTION_BITS)
    return layer


def strokes(shape: Shape, lines: Any, width: float) -> Pixels:
    """How much of each pixel a round brush along ``lines``, each (N, 2), covers: uint8 (H, W). width: in pixels."""
    layer = np.zeros(shape, np.uint8)
    cv2.polylines(
        layer, [_fixed(line) for line in lines], False, 255, max(1, round(width)), cv2.LINE_AA, _FRACTION_BITS
    )
    return layer


def _fixed(points: Any) -> NDArray[np.int32]:
    """Coordinates for OpenCV's drawing functions: fixed-point pixel numbers."""
    return np.rint((np.asarray(points) - 0.5) * 2**_FRACTION_BITS).astype(np.int32)


def _lighter(colour: Colour) -> Colour:
    red, green, blue = ((value + 255) // 2 for value in colour)
    return red, green, blue


def _cover(layers: list[Pixels]) -> Bools:
    """All pixels that a layer touches, and a margin of 1 % of the width, bool (H, W)."""
    reach = 2 * max(1, round(0.01 * layers[0].shape[1])) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(np.maximum.reduce(layers), disc)) > 0


def _painted(pixels: Pixels, layers: list[tuple[Pixels, Colour]], shade: Any = 1.0) -> Pixels:
    picture = pixels.astype(np.float64)
    for alpha, colour in layers:
        share = alpha[..., None] / 255
        picture = (1 - share) * picture + share * shade * np.array(colour)
    return np.rint(picture).astype(np.uint8)
