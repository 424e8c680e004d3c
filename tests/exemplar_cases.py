"""Hard cases for exemplars, drawn by code: a face with something over it, in other light, with another expression.

Each function takes a picture, uint8 (H, W, 3) RGB, and the face's 68 points in pixels, float (68, 2) in dlib's order,
and returns an ``Altered``. Shapes are drawn in face coordinates (see ``at``), so they fit a face of any size, position
and roll. Everything is deterministic. ``REFERENCES`` and ``PHOTOS`` list the cases by their use: as a reference photo,
or as the photo that is filled from the face's other half. ``HOLES`` are the holes to try them with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.mask import worn_occluders
from faceinp.nets.points import MIRROR

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # left and right as seen in the picture
_FRACTION = 4  # bits after the point in what OpenCV draws


@dataclass(frozen=True, eq=False)
class Altered:
    """An altered copy. pixels: uint8 (H, W, 3). points: float (68, 2), where the face's points are in it. covered: bool
    (H, W), where it does not show the face as it was: an occluder, shut lids, an opened mouth.
    """

    pixels: Pixels
    points: Floats
    covered: Bools


@dataclass(frozen=True)
class Case:
    """One hard picture: how it is made, and the hole (of HOLES) that it could spoil. hides: what it covers must not be
    used.
    """

    alter: Callable[[Pixels, Floats], Altered]
    hole: str
    hides: bool = False


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


def detail(pixels: Pixels, where: Bools) -> float:
    """How much detail there is: the mean absolute Laplacian, in grey levels."""
    return float(np.abs(cv2.Laplacian(pixels.astype(np.float64), cv2.CV_64F))[where].mean())


# --- something over the face ------------------------------------------------------------------------------------------


def sunglasses(pixels: Pixels, points: Floats) -> Altered:
    """Dark lenses over both eyes."""
    drawn, covered = worn_occluders.wear_glasses(pixels, points, lenses="dark", seed=3)
    return Altered(drawn, points, covered)


def eye_patch(pixels: Pixels, points: Floats) -> Altered:
    """A black patch over the left eye, with its strap across the forehead."""
    strap = _stroke(pixels.shape, at(points, (-1.15, -0.05), (-0.5, -0.2), (1.05, -0.75)), 0.05 * unit(points))
    patch = _polygon(pixels.shape, at(points, *_ellipse((-0.5, 0.03), 0.36, 0.3)))
    shade = 0.7 + 0.6 * _depth(patch)
    return _occluded(pixels, points, [(strap, (30, 27, 26)), (patch, np.array((34, 31, 30)) * shade[..., None])])


def hand_over_mouth(pixels: Pixels, points: Floats) -> Altered:
    """Four fingers before mouth and chin, coming from the right."""
    ends = ((-0.5, 0.86), (-0.66, 1.06), (-0.6, 1.26), (-0.35, 1.44))
    fingers = [((1.25, 0.9 + 0.26 * n), end) for n, end in enumerate(ends)]
    return _hand(pixels, points, [(1.0, 0.78), (1.5, 0.7), (3, 1.2), (3, 2.2), (1.5, 1.95), (0.95, 1.75)], fingers)


def hand_on_cheek(pixels: Pixels, points: Floats) -> Altered:
    """The right cheek rests in a hand whose fingers reach the temple."""
    ends = ((1.2, 0.1), (0.98, -0.12), (0.74, -0.02), (0.52, 0.3))
    fingers = [((1.25 - 0.24 * n, 1.45), end) for n, end in enumerate(ends)]
    return _hand(pixels, points, [(0.42, 1.3), (0.9, 1.15), (1.42, 1.35), (1.3, 2.6), (0.7, 2.6)], fingers)


def microphone(pixels: Pixels, points: Floats) -> Altered:
    """A foam ball before mouth and chin, on a handle."""
    size = unit(points)
    handle = _stroke(pixels.shape, at(points, (0.2, 1.4), (0.55, 2.9)), 0.34 * size)
    ball = _polygon(pixels.shape, at(points, *_ellipse((0.18, 1.32), 0.46, 0.5)))
    x, y = in_face(points, pixels.shape)
    light = np.clip(1 - np.hypot(x + 0.02, y - 1.12) / 0.9, 0, 1)
    foam = 28 + 70 * light + 8 * _noise(pixels.shape, 0.03 * size, seed=1)
    return _occluded(pixels, points, [(handle, (44, 44, 48)), (ball, np.stack([foam] * 3, axis=-1))])


def lock_of_hair(pixels: Pixels, points: Floats) -> Altered:
    """A lock of hair from the parting over the left eye down to the cheek."""
    strands = []
    for share, end in np.random.default_rng(0).uniform(-1, 1, (260, 2)):
        top = (-0.05 + 0.2 * share, -1.15)
        strands.append(
            [top, (-0.42 + 0.24 * share, -0.45), (-0.66 + 0.2 * share, 0.3), (-0.52 + 0.05 * share, 0.85 + 0.2 * end)]
        )
    return _hair(pixels, points, strands)


def fringe(pixels: Pixels, points: Floats) -> Altered:
    """An asymmetric haircut: hair over the left half of the forehead, the brow and most of the eye."""
    strands = []
    for share, end in np.random.default_rng(1).uniform((0, -1), (1, 1), (700, 2)):
        low = 0.3 - 0.5 * share**2 + 0.07 * end
        strands.append(
            [(0.3 * share, -1.2), (-0.75 + share, -0.9), (-1.1 + 1.1 * share, low - 0.5), (-1.15 + 1.05 * share, low)]
        )
    return _hair(pixels, points, strands)


# --- another expression -----------------------------------------------------------------------------------------------


def closed_eyes(pixels: Pixels, points: Floats) -> Altered:
    """Both lids shut: the skin between brow and lashes is stretched down to the lower lid, where the lashes lie."""
    x, y = in_face(points, pixels.shape)
    moves, lashes, covered = np.zeros_like(x), np.zeros_like(x), np.zeros(x.shape, bool)
    for middle in (-0.5, 0.5):
        across = np.clip(1 - ((x - middle) / 0.27) ** 2, 0, 1)  # 0 at the corners of the eye, 1 in its middle
        crease, lid, low = -0.2, 0.02 - 0.115 * across, 0.02 + 0.075 * across
        stretched = (y - crease) * (lid - crease) / (low - crease) + crease - y
        moves += np.where((y > crease) & (y < low), stretched, 0) * (across > 0)
        lashes = np.maximum(lashes, np.exp(-(((y - low) / 0.022) ** 2)) * np.minimum(1, 3 * across))
        covered |= (y > lid - 0.03) & (y < low + 0.03) & (across > 0)
    shut = _moved(pixels, points, np.zeros_like(moves), moves)
    lids = points.copy()
    lids[[37, 38, 43, 44]] = points[[41, 40, 47, 46]]  # the upper ones on the lower ones
    return Altered(_over(shut, 0.8 * lashes, np.array([58, 40, 32])), lids, covered)


def open_mouth(pixels: Pixels, points: Floats, drop: float = 0.42) -> Altered:
    """The jaw dropped by ``drop`` distances between the eyes: a dark opening below the teeth, a longer chin."""
    x, y = in_face(points, pixels.shape)
    face = _to_face(points)
    corners, lip, chin = face[[48, 54]], face[65:68, 1].mean(), face[8, 1]
    middle, level = corners.mean(axis=0)
    half = (corners[1, 0] - corners[0, 0]) / 2
    parted = np.clip(1 - ((x - middle) / half) ** 2, 0, 1) ** 0.7  # 0 at the corners of the mouth, 1 in its middle
    split = level + (lip - level) * parted  # the upper edge of the lower lip
    opening = (y > split) & (y < split + drop * parted)
    # How far the jaw fell at each pixel: as far as the lip near the lip, wider at the chin, less and less on the neck.
    below, wide = np.clip((y - split) / (chin + drop - split), 0, 1), np.exp(-(((x - middle) / 1.1) ** 4))
    fall = drop * (parted * (1 - below) + wide * below) * (y > split) * np.clip(chin + drop + 1 - y, 0, 1)
    opened = _moved(pixels, points, np.zeros_like(fall), -fall)
    depth = np.clip((y - split) / np.maximum(drop * parted, 1e-6), 0, 1)[..., None]
    tongue = np.clip(1 - ((x - middle) / (0.7 * half))[..., None] ** 2 - ((depth - 1) / 0.4) ** 2, 0, 1)
    cavity = np.array([60, 22, 22]) - depth * [34, 10, 8]
    cavity = cavity + (np.array([150, 72, 74]) - cavity) * tongue
    alpha = _soften(opening, 0.012 * unit(points))
    jaw = [*range(4, 13), *range(55, 60), 65, 66, 67]
    face[jaw, 1] += drop * np.interp(np.abs(face[jaw, 0] - middle), [0, 1.1], [1, 0.2])
    return Altered(_over(opened, alpha, cavity), at(points, *face), alpha > 0.1)


def gaze_aside(pixels: Pixels, points: Floats, share: float = 0.2) -> Altered:
    """Both irises moved to the right by ``share`` of the eye's width; the whites stretch and shrink beside them."""
    x, y = in_face(points, pixels.shape)
    moves, covered = np.zeros_like(x), np.zeros(x.shape, bool)
    for eye in (LEFT_EYE, RIGHT_EYE):
        middle, level = _to_face(points)[eye].mean(axis=0)
        now = _to_face(points, iris(pixels, points, eye)[None])[0, 0]
        half, radius = 0.26, 0.13  # of the eye's width, of its iris
        left, right, then = middle - 1.4 * half, middle + 1.4 * half, now + 2 * half * share
        source = np.interp(x, [left, then - radius, then + radius, right], [left, now - radius, now + radius, right])
        moves += (source - x) * np.clip(1.6 - np.abs(y - level) / 0.11, 0, 1) * ((x > left) & (x < right))
        covered |= np.hypot(x - middle, 2 * (y - level)) < half
    return Altered(_moved(pixels, points, moves, np.zeros_like(moves)), points, covered)


def iris(pixels: Pixels, points: Floats, eye: slice) -> NDArray[np.float64]:
    """The middle of an eye's iris, x and y in pixels: the centre of what is darkest in the opening."""
    x, y = in_face(points, pixels.shape)
    middle, level = _to_face(points)[eye].mean(axis=0)
    opening = ((x - middle) / 0.22) ** 2 + ((y - level) / 0.09) ** 2 < 1
    grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (0, 0), 0.03 * unit(points)).astype(np.float64)
    dark = np.where(opening, np.clip(np.quantile(grey[opening], 0.3) - grey, 0, None), 0)
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]] + 0.5
    return np.array([(columns * dark).sum(), (rows * dark).sum()]) / max(dark.sum(), 1e-9)


def turned(pixels: Pixels, points: Floats, degrees: float = 35) -> Altered:
    """The head turned to the right of the picture, as a relief: what is nearer moves further and hides what is not."""
    x, y = in_face(points, pixels.shape)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))

    def seen_at(x: Floats, y: Floats) -> Floats:
        head = 1.3 * np.sqrt(np.clip(1 - (x / 1.75) ** 2 - ((y - 0.35) / 2.6) ** 2, 0, None))
        depth = head + 0.28 * np.exp(-((x / 0.22) ** 2) - ((y - 0.62) / 0.35) ** 2)  # the nose
        return x + (sine * depth - (1 - cosine) * x) * np.clip(depth, 0, 1)

    fine, source = np.linspace(x.min() - 1, x.max() + 1, 8 * x.shape[1]), np.empty_like(x)
    for row, level in enumerate(y.mean(axis=1)):
        # Of several that are seen at one spot the leftmost is in front: it came the longest way.
        source[row] = np.interp(x[row], np.maximum.accumulate(seen_at(fine, np.full_like(fine, level))), fine)
    face = _to_face(points)
    face[:, 0] = seen_at(face[:, 0], face[:, 1])
    return _toned(_moved(pixels, points, source - x, np.zeros_like(x)), at(points, *face))


def aged(pixels: Pixels, points: Floats) -> Altered:
    """Some thirty years older: folds beside the mouth, bags under the eyes, crow's feet, paler skin, grey hair."""
    size, folds = unit(points), np.zeros(pixels.shape[:2])
    lines = [
        ((-0.3, 0.6), (-0.5, 0.72), (-0.68, 0.95), (-0.64, 1.4)),
        ((-0.78, 0.2), (-0.66, 0.3), (-0.42, 0.32), (-0.24, 0.2)),
        ((-0.1, -0.32), (-0.08, -0.24), (-0.09, -0.18), (-0.11, -0.12)),
        *(((-0.8, 0.05 * n), (-0.86, 0.06 * n), (-0.94, 0.1 * n), (-1.0, 0.17 * n)) for n in (-1, 0, 1)),
    ]
    for line in lines:
        for side in (-1, 1):
            path = at(points, *((side * x, y) for x, y in _curve(line)))
            folds = np.maximum(folds, _soften(_stroke(pixels.shape, path, 0.03 * size), 0.02 * size))
    ridge = np.roll(folds, round(0.04 * size), axis=0)  # below a fold the skin catches the light
    grey = pixels.mean(axis=2, keepdims=True)
    hair = 1 - _soften(_polygon(pixels.shape, _outline(points)), 0.1 * size)[..., None]
    older = pixels + (grey * 1.05 + 22 - pixels) * (0.2 + 0.6 * hair)
    older = older * (1 - 0.3 * folds + 0.08 * ridge)[..., None] + 3 * _noise(pixels.shape, 0.05 * size, 2)[..., None]
    return _toned(older, points)


# --- another camera, print or light -----------------------------------------------------------------------------------


def blurred(pixels: Pixels, points: Floats, share: float = 0.08) -> Altered:
    """Out of focus: a Gaussian of ``share`` distances between the eyes."""
    return _toned(cv2.GaussianBlur(pixels, (0, 0), share * unit(points)), points)


def tiny(pixels: Pixels, points: Floats, side: int = 48) -> Altered:
    """Shrunk until the face's crop, some four times as wide as the eyes are apart, has ``side`` pixels."""
    scale = side / (4 * unit(points))
    size = [max(1, round(length * scale)) for length in pixels.shape[1::-1]]
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _toned(small, points * np.array(size) / pixels.shape[1::-1])


def compressed(pixels: Pixels, points: Floats, quality: int = 8) -> Altered:
    """As a JPEG of low quality: blocks and rings."""
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _toned(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1], points)


def grey(pixels: Pixels, points: Floats) -> Altered:
    """Black and white."""
    return _toned(np.dstack([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)] * 3), points)


def sepia(pixels: Pixels, points: Floats) -> Altered:
    """An old brown print: faded, too."""
    tone = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] / 255
    return _toned((0.12 + 0.8 * tone) ** np.array([0.75, 1.0, 1.4]) * 255, points)


def gamma(pixels: Pixels, points: Floats, exponent: float = 2.0) -> Altered:
    """Darker than it was, or, with an exponent under 1, lighter."""
    return _toned(255 * (pixels / 255) ** exponent, points)


def tinted(pixels: Pixels, points: Floats, gains: tuple[float, float, float]) -> Altered:
    """Light of another colour: each channel times a gain."""
    return _toned(pixels * np.array(gains), points)


def lit_from_one_side(pixels: Pixels, points: Floats, darkest: float = 0.3) -> Altered:
    """Light from the left: the right half of the face lies in shadow."""
    x, y = in_face(points, pixels.shape)
    lit = 1 / (1 + np.exp((x - 0.1 + 0.12 * np.sin(3 * y)) / 0.16))
    return _toned(pixels * (darkest + (1.1 - darkest) * lit)[..., None], points)


# --- the same picture elsewhere ---------------------------------------------------------------------------------------


def same(pixels: Pixels, points: Floats) -> Altered:
    """The picture itself."""
    return _toned(pixels.copy(), points)


def moved(
    pixels: Pixels, points: Floats, shift: tuple[float, float] = (0, 0), degrees: float = 0, scale: float = 1
) -> Altered:
    """On a plain canvas a half larger, moved by ``shift`` (shares of the width), turned and scaled about the middle."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    matrix[:, 2] += np.array([width, height]) / 4 + np.array(shift) * width
    size = width + width // 2, height + height // 2
    canvas = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderValue=pixels[0].mean(axis=0).tolist())
    return _toned(np.asarray(canvas), (points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5)


def symmetric(pixels: Pixels, points: Floats) -> Altered:
    """A perfectly symmetric face of the same size: the left half, set upright in the middle, and its mirror image."""
    height, width = pixels.shape[:2]
    eyes, chin = at(points, (0, 0), (0, 1))
    sine, cosine = (chin - eyes) / np.hypot(*(chin - eyes))
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    offset = np.array([width / 2, eyes[1]]) - matrix @ eyes
    affine = np.column_stack([matrix, offset + matrix @ (0.5, 0.5) - 0.5])  # of pixel numbers, not coordinates
    joined = np.asarray(
        cv2.warpAffine(pixels, affine, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    )
    joined[:, width - width // 2 :] = joined[:, width // 2 - 1 :: -1]
    upright = points @ matrix.T + offset
    return _toned(joined, (upright + _mirrored(upright, width)) / 2)


def mirrored(pixels: Pixels, points: Floats) -> Altered:
    """The mirror image with its points, left and right exchanged."""
    return _toned(pixels[:, ::-1], _mirrored(points, pixels.shape[1]))


def somebody_else(pixels: Pixels, points: Floats, seed: int = 9) -> Altered:
    """Another person, made up by the bundled DCGAN, on a canvas of the picture's size; the points are not theirs."""
    from faceinp.engines import search

    prior = search.Prior.load()
    face = prior.generator(prior.latents(1, seed=seed)).detach().permute(0, 2, 3, 1).numpy()[0] * 255
    return _toned(cv2.resize(face, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC), points)


# --- holes ------------------------------------------------------------------------------------------------------------


def hole(name: str, points: Floats, shape: tuple[int, ...]) -> Bools:
    """One of HOLES on a picture of this shape: bool (H, W), True = hole."""
    return _polygon(shape, at(points, *HOLES[name](_to_face(points)))) > 0.5


def _ellipse(middle: tuple[float, float], across: float, down: float) -> list[tuple[float, float]]:
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return [(middle[0] + across * np.cos(t), middle[1] + down * np.sin(t)) for t in turn]


def _around(face: Floats, rows: Any, across: float, down: float) -> list[tuple[float, float]]:
    """An ellipse about the box of some points, wider and higher than it by so much on each side."""
    low, high = face[rows].min(axis=0), face[rows].max(axis=0)
    x, y = (low + high) / 2
    return _ellipse((x, y), (high[0] - low[0]) / 2 + across, (high[1] - low[1]) / 2 + down)


HOLES: dict[str, Callable[[Floats], list[tuple[float, float]]]] = {  # outlines in face coordinates
    "left eye": lambda face: _around(face, LEFT_EYE, 0.17, 0.22),
    "right eye": lambda face: _around(face, RIGHT_EYE, 0.17, 0.22),
    "both eyes": lambda face: _around(face, slice(36, 48), 0.25, 0.3),
    "glasses band": lambda face: [(-1.0, -0.3), (1.0, -0.3), (1.0, 0.32), (-1.0, 0.32)],
    "mouth": lambda face: _around(face, slice(48, 68), 0.15, 0.15),
    "nose": lambda face: _around(face, slice(27, 36), 0.15, 0.1),
    "lower face": lambda face: [*((x * 1.02, y) for x, y in face[2:15]), (0.3, 0.45), (-0.3, 0.45)],
    "centre": lambda face: [(-1, -0.45), (1, -0.45), (1, 1.55), (-1, 1.55)],
    "lock of hair": lambda face: [(-0.35, -1), (0, -1), (-0.3, -0.2), (-0.4, 0.8), (-0.65, 0.8), (-0.7, -0.1)],
    "left cheek": lambda face: _ellipse((-0.72, 0.75), 0.3, 0.4),
    "right cheek": lambda face: _ellipse((0.72, 0.75), 0.3, 0.4),
}


# --- the cases --------------------------------------------------------------------------------------------------------

REFERENCES = {  # other photos of the same person, but for the last
    "same": Case(same, "left eye"),
    "moved": Case(partial(moved, shift=(0.08, -0.05)), "mouth"),
    "turned in the plane": Case(partial(moved, degrees=12), "left eye"),
    "scaled": Case(partial(moved, scale=1.4), "nose"),
    "sunglasses": Case(sunglasses, "both eyes", hides=True),
    "eye patch": Case(eye_patch, "left eye", hides=True),
    "hand over the mouth": Case(hand_over_mouth, "mouth", hides=True),
    "hand on a cheek": Case(hand_on_cheek, "right cheek", hides=True),
    "microphone": Case(microphone, "lower face", hides=True),
    "lock of hair": Case(lock_of_hair, "left eye", hides=True),
    "fringe on one side": Case(fringe, "glasses band", hides=True),
    "closed eyes": Case(closed_eyes, "both eyes", hides=True),
    "open mouth": Case(open_mouth, "lower face"),
    "gaze aside": Case(gaze_aside, "both eyes"),
    "head turned": Case(turned, "left eye"),
    "head turned far": Case(partial(turned, degrees=60), "right eye"),
    "aged": Case(aged, "centre"),
    "slightly blurred": Case(partial(blurred, share=0.04), "left eye"),
    "blurred": Case(partial(blurred, share=0.12), "both eyes"),
    "72 pixels": Case(partial(tiny, side=72), "left eye"),
    "32 pixels": Case(partial(tiny, side=32), "both eyes"),
    "JPEG artefacts": Case(compressed, "left eye"),
    "grey": Case(grey, "mouth"),
    "sepia": Case(sepia, "mouth"),
    "dark": Case(partial(gamma, exponent=2.0), "centre"),
    "light": Case(partial(gamma, exponent=0.5), "left eye"),
    "warm light": Case(partial(tinted, gains=(1.15, 1.0, 0.7)), "lower face"),
    "teal cast": Case(partial(tinted, gains=(0.6, 1.0, 1.05)), "both eyes"),
    "lit from one side": Case(lit_from_one_side, "centre"),
    "somebody else": Case(somebody_else, "centre"),
}
PHOTOS = {  # to be filled from the face's other half
    "as it is, left": Case(same, "left eye"),
    "as it is, right": Case(same, "right eye"),
    "as it is, cheek": Case(same, "right cheek"),
    "eye patch": Case(eye_patch, "right eye", hides=True),
    "fringe on one side": Case(fringe, "right eye", hides=True),
    "lock of hair": Case(lock_of_hair, "right eye", hides=True),
    "hand on a cheek": Case(hand_on_cheek, "left cheek", hides=True),
    "lit from one side, lit": Case(lit_from_one_side, "left eye"),
    "lit from one side, dark": Case(lit_from_one_side, "right eye"),
    "gaze to the right": Case(gaze_aside, "left eye"),
    "gaze to the left": Case(partial(gaze_aside, share=-0.2), "right eye"),
    "head turned, near": Case(turned, "left eye"),
    "head turned, far": Case(turned, "right eye"),
    "head turned far, near": Case(partial(turned, degrees=60), "left eye"),
    "head turned far, far": Case(partial(turned, degrees=60), "right eye"),
}


# --- how they are drawn -----------------------------------------------------------------------------------------------


def _to_face(points: Floats, spots: Floats | None = None) -> NDArray[np.float64]:
    """Pixels -> face coordinates: of ``spots`` (N, 2), or of the points themselves."""
    origin, right = at(points, (0, 0), (1, 0))
    across = (right - origin) / np.sum((right - origin) ** 2)
    offset = (points if spots is None else spots) - origin
    return np.stack([offset @ across, offset @ np.array([-across[1], across[0]])], axis=1)


def _moved(pixels: Pixels, points: Floats, dx: Floats, dy: Floats) -> Pixels:
    """Each pixel from dx, dy further, (H, W) in face coordinates."""
    origin, right, down = at(points, (0, 0), (1, 0), (0, 1))
    across, down = right - origin, down - origin
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    maps = np.stack([x + dx * across[0] + dy * down[0], y + dx * across[1] + dy * down[1]]).astype(np.float32)
    return np.asarray(cv2.remap(pixels, maps[0], maps[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _mirrored(points: Floats, width: int) -> Floats:
    return points[list(MIRROR)] * (-1, 1) + (width, 0)


def _hand(pixels: Pixels, points: Floats, palm: list[tuple[float, float]], fingers: list[Any]) -> Altered:
    """Fingers, from the knuckle to the tip, and a palm over their ends, in the colour of the face's own skin."""
    size = unit(points)
    skin = np.median(_sampled(pixels, at(points, (-0.6, 0.75), (0.6, 0.75), (0, 0.3)), 0.12 * size), axis=0)
    parts = [_finger(pixels.shape, points, *finger) for finger in fingers]
    parts.append(_soften(_polygon(pixels.shape, at(points, *palm)), 0.04 * size))
    grain = 1 + 0.02 * _noise(pixels.shape, 0.03 * size, seed=3)
    layers: list[tuple[Floats, Any]] = []
    for part in parts:
        shade = (0.66 + 0.36 * _depth(part, 0.12 * size) ** 0.7) * grain
        layers += [(0.35 * _soften(part, 0.04 * size), skin * 0.4)]  # its shadow
        layers += [(part, skin * np.array([0.98, 0.93, 0.9]) * shade[..., None])]
    return _occluded(pixels, points, layers)


def _finger(shape: tuple[int, ...], points: Floats, knuckle: Any, tip: Any) -> NDArray[np.float64]:
    """A finger that gets thinner towards its tip, (H, W) in [0, 1]."""
    steps = np.linspace(0, 1, 16)[:, None]
    line = at(points, *(np.array(knuckle) * (1 - steps) + np.array(tip) * steps))
    widths = (0.29 - 0.08 * steps[:, 0]) * unit(points)
    return np.max([_stroke(shape, line[n : n + 2], widths[n]) for n in range(15)], axis=0)


def _hair(pixels: Pixels, points: Floats, strands: list[Any]) -> Altered:
    """Strands along Bezier curves of four spots, in the colours of the hair above the forehead; the last on top."""
    rng, size = np.random.default_rng(0), unit(points)
    colours = _sampled(pixels, at(points, *((x, -1.15) for x in np.linspace(-0.7, 0.7, 9))), 0.05 * size)
    picture, cover = pixels.copy(), np.zeros(pixels.shape[:2], np.uint8)
    for number, strand in enumerate(strands):
        path = _fixed(at(points, *_curve(strand)) + rng.normal(0, 0.012 * size, 2))
        lit = (0.45 + 0.6 * number / len(strands)) * rng.uniform(0.8, 1.25)  # what lies underneath is in shadow
        colour = np.clip(colours[rng.integers(len(colours))] * lit, 0, 255).tolist()
        width = max(1, round(rng.uniform(0.012, 0.03) * size))
        cv2.polylines(picture, [path], False, colour, width, cv2.LINE_AA, _FRACTION)
        cv2.polylines(cover, [path], False, 255, width + 1, cv2.LINE_AA, _FRACTION)
    return Altered(picture, points, cover > 127)


def _curve(spots: Any) -> list[tuple[float, float]]:
    """A Bezier curve of the third degree with these four controls, as 24 spots."""
    t = np.linspace(0, 1, 24)[:, None]
    a, b, c, d = (np.array(spot) for spot in spots)
    curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return [(float(x), float(y)) for x, y in curve]


def _occluded(pixels: Pixels, points: Floats, layers: list[tuple[Floats, Any]]) -> Altered:
    """Layers, coverage (H, W) in [0, 1] and colour, one over the other."""
    picture, cover = pixels.astype(np.float64), np.zeros(pixels.shape[:2])
    for alpha, colour in layers:
        picture = picture + alpha[..., None] * (colour - picture)
        cover = np.maximum(cover, alpha)
    return Altered(_bytes(picture), points, cover > 0.4)


def _toned(pixels: Any, points: Floats) -> Altered:
    """All of the face is seen, only otherwise."""
    return Altered(_bytes(pixels), points, np.zeros(pixels.shape[:2], bool))


def _outline(points: Floats) -> NDArray[np.float64]:
    """Jaw and forehead, (N, 2) in pixels."""
    face = _to_face(points)
    return np.concatenate([points[:17], at(points, (face[16, 0], -0.4), (0.6, -0.8), (-0.6, -0.8), (face[0, 0], -0.4))])


def _sampled(pixels: Pixels, spots: Floats, radius: float) -> NDArray[np.float64]:
    """Colours around spots, (N, 3), those that lie in the picture."""
    soft = cv2.GaussianBlur(pixels, (0, 0), max(0.5, radius))
    columns, rows = (np.clip(spots[:, n].astype(int), 0, pixels.shape[1 - n] - 1) for n in (0, 1))
    return soft[rows, columns].astype(np.float64)


def _polygon(shape: tuple[int, ...], outline: Any) -> NDArray[np.float64]:
    layer = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(layer, [_fixed(outline)], 255, cv2.LINE_AA, _FRACTION)
    return layer / 255


def _stroke(shape: tuple[int, ...], line: Any, width: float) -> NDArray[np.float64]:
    layer = np.zeros(shape[:2], np.uint8)
    cv2.polylines(layer, [_fixed(line)], False, 255, max(1, round(width)), cv2.LINE_AA, _FRACTION)
    return layer / 255


def _fixed(points: Any) -> NDArray[np.int32]:
    return np.rint((np.asarray(points) - 0.5) * 2**_FRACTION).astype(np.int32)


def _depth(layer: Floats, most: float | None = None) -> NDArray[np.float64]:
    """How far inside of a layer, 0 at its edge to 1 at its deepest, or at ``most`` pixels."""
    depth = cv2.distanceTransform((layer > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    return np.clip(depth / (most or max(float(depth.max()), 1)), 0, 1).astype(np.float64)


def _soften(layer: Floats, sigma: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(np.asarray(layer, np.float64), (0, 0), max(0.3, sigma)))


def _over(pixels: Pixels, alpha: Floats, colour: Any) -> Pixels:
    return _bytes(pixels + alpha[..., None] * (colour - pixels.astype(np.float64)))


def _noise(shape: tuple[int, ...], sigma: float, seed: int) -> NDArray[np.float64]:
    """Smooth noise of mean 0 and standard deviation 1, (H, W)."""
    noise = _soften(np.random.default_rng(seed).normal(size=shape[:2]), sigma)
    return (noise - noise.mean()) / noise.std()


def _bytes(picture: Any) -> Pixels:
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
