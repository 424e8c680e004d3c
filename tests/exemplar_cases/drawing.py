"""Drawing on a face in its own coordinates, which fit a face of any size, position and roll: see ``at``.

A picture is uint8 (H, W, 3) RGB; a face's points are float (68, 2), in pixels, in dlib's order.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.nets.points import MIRROR

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # left and right as seen in the picture
FRACTION = 4  # bits after the point in what OpenCV draws


@dataclass(frozen=True, eq=False)
class Altered:
    """An altered copy. pixels: uint8 (H, W, 3). points: float (68, 2), where the face's points are in it. covered: bool
    (H, W), where it does not show the face as it was: an occluder, shut lids, an opened mouth.
    """

    pixels: Pixels
    points: Floats
    covered: Bools


def at(points: Floats, *spots: tuple[float, float]) -> NDArray[np.float64]:
    """Face coordinates -> pixels, (N, 2): (0, 0) between the eyes, (1, 0) to the right by the distance between them."""
    left, right = points[LEFT_EYE].mean(axis=0), points[RIGHT_EYE].mean(axis=0)
    across = np.asarray(right - left, np.float64)
    down = np.array([-across[1], across[0]])
    return (left + right) / 2 + np.array(spots, np.float64) @ np.stack([across, down])


def unit(points: Floats) -> float:
    """The distance between the eyes, in pixels."""
    return float(np.hypot(*(points[RIGHT_EYE].mean(axis=0) - points[LEFT_EYE].mean(axis=0))))


def in_face(points: Floats, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The inverse of ``at`` for every pixel: x and y in face coordinates, each (H, W)."""
    origin, right = at(points, (0, 0), (1, 0))
    across = (right - origin) / np.sum((right - origin) ** 2)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    x, y = x - origin[0], y - origin[1]
    return x * across[0] + y * across[1], y * across[0] - x * across[1]


def to_face(points: Floats, spots: Floats | None = None) -> NDArray[np.float64]:
    """Pixels -> face coordinates: of ``spots`` (N, 2), or of the points themselves."""
    origin, right = at(points, (0, 0), (1, 0))
    across = (right - origin) / np.sum((right - origin) ** 2)
    offset = (points if spots is None else spots) - origin
    return np.stack([offset @ across, offset @ np.array([-across[1], across[0]])], axis=1)


def warped(pixels: Pixels, points: Floats, dx: Floats, dy: Floats) -> Pixels:
    """Each pixel from dx, dy further, (H, W) in face coordinates."""
    origin, right, down = at(points, (0, 0), (1, 0), (0, 1))
    across, down = right - origin, down - origin
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    maps = np.stack([x + dx * across[0] + dy * down[0], y + dx * across[1] + dy * down[1]]).astype(np.float32)
    return np.asarray(cv2.remap(pixels, maps[0], maps[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def mirror_points(points: Floats, width: int) -> Floats:
    return points[list(MIRROR)] * (-1, 1) + (width, 0)


def sampled(pixels: Pixels, spots: Floats, radius: float) -> NDArray[np.float64]:
    """Colours around spots, (N, 3), those that lie in the picture."""
    soft = cv2.GaussianBlur(pixels, (0, 0), max(0.5, radius))
    columns, rows = (np.clip(spots[:, n].astype(int), 0, pixels.shape[1 - n] - 1) for n in (0, 1))
    return soft[rows, columns].astype(np.float64)


def outline(points: Floats) -> NDArray[np.float64]:
    """Jaw and forehead, (N, 2) in pixels."""
    face = to_face(points)
    return np.concatenate([points[:17], at(points, (face[16, 0], -0.4), (0.6, -0.8), (-0.6, -0.8), (face[0, 0], -0.4))])


# --- shapes, each a layer (H, W) in [0, 1] ----------------------------------------------------------------------------


def polygon(shape: tuple[int, ...], outline: Any) -> NDArray[np.float64]:
    layer = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(layer, [fixed(outline)], 255, cv2.LINE_AA, FRACTION)
    return layer / 255


def ellipse(middle: tuple[float, float], across: float, down: float) -> list[tuple[float, float]]:
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return [(middle[0] + across * np.cos(t), middle[1] + down * np.sin(t)) for t in turn]


def stroke(shape: tuple[int, ...], line: Any, width: float) -> NDArray[np.float64]:
    layer = np.zeros(shape[:2], np.uint8)
    cv2.polylines(layer, [fixed(line)], False, 255, max(1, round(width)), cv2.LINE_AA, FRACTION)
    return layer / 255


def curve(spots: Any) -> list[tuple[float, float]]:
    """A Bezier curve of the third degree with these four controls, as 24 spots."""
    t = np.linspace(0, 1, 24)[:, None]
    a, b, c, d = (np.array(spot) for spot in spots)
    curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return [(float(x), float(y)) for x, y in curve]


def fixed(points: Any) -> NDArray[np.int32]:
    return np.rint((np.asarray(points) - 0.5) * 2**FRACTION).astype(np.int32)


FRACTION = 4  # bits after the point in what OpenCV draws


def depth(layer: Floats, most: float | None = None) -> NDArray[np.float64]:
    """How far inside of a layer, 0 at its edge to 1 at its deepest, or at ``most`` pixels."""
    depth = cv2.distanceTransform((layer > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    return np.clip(depth / (most or max(float(depth.max()), 1)), 0, 1).astype(np.float64)


def soften(layer: Floats, sigma: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(np.asarray(layer, np.float64), (0, 0), max(0.3, sigma)))


def noise(shape: tuple[int, ...], sigma: float, seed: int) -> NDArray[np.float64]:
    """Smooth noise of mean 0 and standard deviation 1, (H, W)."""
    noise = soften(np.random.default_rng(seed).normal(size=shape[:2]), sigma)
    return (noise - noise.mean()) / noise.std()


# --- layers over a picture --------------------------------------------------------------------------------------------


def over(pixels: Pixels, alpha: Floats, colour: Any) -> Pixels:
    return as_bytes(pixels + alpha[..., None] * (colour - pixels.astype(np.float64)))


def occluded(pixels: Pixels, points: Floats, layers: list[tuple[Floats, Any]]) -> Altered:
    """Layers, coverage (H, W) in [0, 1] and colour, one over the other."""
    picture, cover = pixels.astype(np.float64), np.zeros(pixels.shape[:2])
    for alpha, colour in layers:
        picture = picture + alpha[..., None] * (colour - picture)
        cover = np.maximum(cover, alpha)
    return Altered(as_bytes(picture), points, cover > 0.4)


def toned(pixels: Any, points: Floats) -> Altered:
    """All of the face is seen, only otherwise."""
    return Altered(as_bytes(pixels), points, np.zeros(pixels.shape[:2], bool))


def as_bytes(picture: Any) -> Pixels:
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
