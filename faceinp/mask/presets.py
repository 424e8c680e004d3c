"""Presets: holes by name, on an aligned crop. They are the papers' masks, and holes for users without a mask.

Holes are bool arrays, True = hole; ``photo_presets`` puts them on photos. Presets of the face follow the 68 landmarks
of the iBUG scheme (Sagonas et al. 2013), numbered from 0, in pixels of the crop. Left and right are as seen in the
picture. All randomness depends on the seed.
"""

import re
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError
from faceinp.face import faces
from faceinp.mask import sketches, worn_occluders
from faceinp.mask.masks import LARGEST_SHARE
from faceinp.mask.worn_occluders import Points, Shape
from faceinp.photo.arrays import Bools

Side = Literal["left", "right", "top", "bottom"]

GROWTH = 0.05  # of the crop's side: how far the hull of the landmarks is dilated
AREAS = range(0, 60, 10)  # per cent, the lower ends of the six bins of irregular strokes

# The twelve standard masks of the second paper, in its order: of the picture, then of the face.
_SIDES: dict[str, tuple[Side, ...]] = {
    "left": ("left",),
    "right": ("right",),
    "lower-left": ("left", "bottom"),
    "upper-left": ("left", "top"),
    "lower-right": ("right", "bottom"),
    "upper-right": ("right", "top"),
}
STANDARD = {f"{area}-{name}": sides for area in ("picture", "face") for name, sides in _SIDES.items()}
ALIASES = {str(number): name for number, name in enumerate(STANDARD, 1)}  # the paper's numbers


def _about_standard(name: str) -> str:
    area, _, part = name.partition("-")
    return f"{part.replace('-', ' ')} {'half' if len(STANDARD[name]) == 1 else 'quarter'} of the {area}"


ABOUT = {
    **{name: _about_standard(name) for name in STANDARD},
    "centre": "square in the middle, a quarter of the picture",
    "eyes": "face above the middle of the nose's bridge",
    "lower-face": "face below the middle of the nose's bridge",
    "glasses": "glasses, clear or dark",
    "protective-mask": "protective mask with its straps",
    **sketches.ABOUT,
    "scratches": "long, thin scratches of an old photo",
    "blocks": "one to six rectangles",
    **{f"irregular-{low}-{low + 10}": f"brush strokes over {low} to {low + 10} % of the picture" for low in AREAS},
    **{f"random-{share}": f"{share} % of all pixels" for share in (20, 40, 60, 80)},
}
NAMES = tuple(ABOUT)
OF_FACES = (  # these need the face's landmarks
    *(name for name in (*STANDARD, *ALIASES) if ALIASES.get(name, name).startswith("face-")),
    *("eyes", "lower-face", "glasses", "protective-mask"),
    *sketches.NAMES,
)

_RANDOM = r"random-([1-9]\d?)"
# The 68 landmarks of an average face in an aligned crop, as shares of its side: medians of 7,307 faces, made symmetric.
# Jaw, brows, nose, eyes, mouth; the right half is the left one's mirror image.
_JAW = (
    (0.226, 0.479),
    (0.230, 0.551),
    (0.239, 0.623),
    (0.251, 0.696),
    (0.274, 0.764),
    (0.315, 0.824),
    (0.369, 0.876),
    (0.431, 0.917),
)
_BROW = ((0.272, 0.422), (0.309, 0.395), (0.357, 0.388), (0.405, 0.396), (0.451, 0.415))
_NOSE = ((0.5, 0.470), (0.5, 0.520), (0.5, 0.569), (0.5, 0.619))
_NOSTRIL = ((0.447, 0.648), (0.473, 0.658))
_EYE = ((0.328, 0.475), (0.359, 0.457), (0.395, 0.459), (0.427, 0.483), (0.392, 0.488), (0.356, 0.488))
_LIP = ((0.390, 0.736), (0.429, 0.718), (0.470, 0.710))


def list_presets() -> dict[str, str]:
    """Name and one-line description of every preset; the papers' numbers are further names of the first twelve."""
    return dict(ABOUT)


def is_name(name: str) -> bool:
    """Whether ``name`` is a preset for ``make``."""
    return name in ABOUT or name in ALIASES or re.fullmatch(_RANDOM, name) is not None


def check_name(name: str) -> None:
    """Raise MaskError unless ``name`` is a preset for ``make``."""
    if not is_name(name):
        raise MaskError(f"Unknown preset {name!r}. Choose one of: {', '.join(NAMES)}.")


def describe(name: str) -> str:
    """One line on what the preset covers."""
    return ABOUT.get(ALIASES.get(name, name), "random pixels")


def make(name: str, shape: Shape, *, points: Points | None = None, seed: int = 0) -> Bools:  # noqa: PLR0911 - one return for each preset
    """The preset ``name`` as a hole, bool (H, W).

    name: one of NAMES or ALIASES, or "random-N" for any per cent N from 1 to 99. points: the landmarks, (68, 2), for
    OF_FACES, whose ``shape`` must be square. Raises MaskError for an unknown name and for landmarks that are missing or
    not finite.
    """
    check_name(name)
    if share := re.fullmatch(_RANDOM, name):
        return random_pixels(shape, int(share[1]) / 100, seed)
    if name == "centre":
        return centre(shape)
    if name == "scratches":
        return scratches(shape, seed)
    if name == "blocks":
        return blocks(shape, seed)
    if name.startswith("irregular-"):
        return irregular(shape, int(name.split("-")[1]), seed)
    if name in OF_FACES:
        points = worn_occluders.sound_points(name, points)
        if shape[0] != shape[1]:
            raise MaskError(f"The preset {name} needs a square crop, got {shape}. Use on_photo for a photo.")
    if name in sketches.NAMES:
        return sketches.sketch(name, points, shape, seed)
    if name == "glasses":
        return worn_occluders.glasses(points, shape, seed=seed)
    if name == "protective-mask":
        return worn_occluders.protective_mask(points, shape, seed=seed)
    if name in ("eyes", "lower-face"):
        above = _rows(shape) < worn_occluders.sound_points(name, points)[27:31, 1].mean()
        return hull(worn_occluders.sound_points(name, points), shape) & (above if name == "eyes" else ~above)
    return _standard(ALIASES.get(name, name), points, shape)


def _standard(name: str, points: Points | None, shape: Shape) -> Bools:
    """One of STANDARD; see ``docs/papers.md``.

    The face is ``hull``, split at the mean x of points 27 to 30 (the nose's bridge) and the mean y of points 36, 39,
    42, 45 (corners of the eyes) and 30 (the nose's tip).
    """
    if name.startswith("picture-"):
        return np.asarray(np.logical_and.reduce([half(shape, side) for side in STANDARD[name]]))
    points = worn_occluders.sound_points(name, points)
    left = _columns(shape) < points[27:31, 0].mean()
    top = _rows(shape) < points[[30, 36, 39, 42, 45], 1].mean()
    sides: dict[Side, Bools] = {"left": left, "right": ~left, "top": top, "bottom": ~top}
    hole = hull(points, shape)
    for side in STANDARD[name]:
        hole &= sides[side]
    return hole


def hull(points: Points, shape: Shape, growth: float = GROWTH) -> Bools:
    """The convex hull of ``points``, (N, 2), dilated by a disc of radius ``growth`` times the width: bool (H, W).

    The dilated hull is the intersection of all half-planes x cos a + y sin a <= h(a) + radius, where h(a) is the
    maximum over the points. The half-planes of the hull's own edges are included, so only the round corners are
    approximated, to a 40,000th of the radius.
    """
    radius = growth * shape[1]
    corners = cv2.convexHull(np.asarray(points, np.float32))[:, 0].astype(np.float64)
    edges = np.roll(corners, -1, axis=0) - corners
    angles = np.concatenate(
        [np.arange(720) * np.pi / 360, *(np.arctan2(s * edges[:, 0], -s * edges[:, 1]) for s in (1, -1))]
    )
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    room = (corners @ np.hstack([cos, sin]).T).max(axis=0)[:, None] + radius - sin * _rows(shape)[:, 0]
    level = np.abs(cos[:, 0]) < 1e-9
    bound = room / np.where(level[:, None], 1, cos)
    right = bound[(cos[:, 0] > 0) & ~level].min(axis=0)[:, None]
    left = bound[(cos[:, 0] < 0) & ~level].max(axis=0)[:, None]
    x = _columns(shape)
    return (x >= left) & (x <= right) & (room[level] >= 0).all(axis=0)[:, None]


def centre(shape: Shape) -> Bools:
    """The middle half of the height by the middle half of the width, a quarter of the picture: bool (H, W)."""
    height, width = shape
    hole = np.zeros(shape, np.bool_)
    hole[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = True
    return hole


def half(shape: Shape, side: Side) -> Bools:
    """The half of the picture on ``side``: bool (H, W). The middle row or column of an odd size is not part of it."""
    height, width = shape[0] // 2, shape[1] // 2
    hole = np.zeros(shape, np.bool_)
    parts = {"left": hole[:, :width], "right": hole[:, shape[1] - width :], "top": hole[:height]}
    parts["bottom"] = hole[shape[0] - height :]
    if side not in parts:
        raise MaskError(f"Unknown side {side!r}. Choose one of: {', '.join(parts)}.")
    parts[side][:] = True
    return hole


def random_pixels(shape: Shape, share: float, seed: int) -> Bools:
    """Exactly round(share * H * W) random pixels: bool (H, W). share: in [0, 1]."""
    if not 0 <= share <= 1:
        raise MaskError(f"share must be in [0, 1], got {share}.")
    count = shape[0] * shape[1]
    hole = np.zeros(count, np.bool_)
    hole[np.random.default_rng(seed).choice(count, round(share * count), replace=False)] = True
    return hole.reshape(shape)


def scratches(shape: Shape, seed: int) -> Bools:
    """Four to nine wandering lines, each .4 to 2.4 % of the shorter side wide (1 to 6 pixels of 256): bool (H, W)."""
    rng, side = np.random.default_rng(seed), min(shape)
    hole = np.zeros(shape, np.uint8)
    for _ in range(rng.integers(4, 10)):
        line, angle = [rng.uniform(0, 1, 2) * (shape[1], shape[0])], rng.uniform(0, 2 * np.pi)
        width = max(1, round(side * 0.004 * 6 ** rng.uniform()))
        for _ in range(rng.integers(4, 13)):
            angle += rng.normal(0, 0.3)
            line.append(line[-1] + 0.08 * side * np.array([np.cos(angle), np.sin(angle)]))
        cv2.polylines(hole, [np.array(line).astype(np.int32)], False, 1, width)
    return hole > 0


def blocks(shape: Shape, seed: int) -> Bools:
    """One to six rectangles, a tenth to four tenths of each side, LARGEST_SHARE at most together: bool (H, W)."""
    rng = np.random.default_rng(seed)
    hole = np.zeros(shape, np.bool_)
    for _ in range(rng.integers(1, 7)):
        size = np.ceil(rng.uniform(0.1, 0.4, 2) * shape).astype(int)
        top, left = (int(v) for v in rng.integers(0, np.array(shape) - size + 1))
        more = hole.copy()
        more[top : top + size[0], left : left + size[1]] = True
        if more.mean() <= LARGEST_SHARE:
            hole = more
    return hole


def irregular(shape: Shape, low: int, seed: int) -> Bools:
    """Strokes of a round brush over more than ``low`` and at most ``low`` + 10 per cent of the picture: bool (H, W).

    low: 0, 10, ... 50, the bins of the partial-convolution paper (Liu et al. 2018). The last stroke ends at the share
    that was drawn uniformly from the bin. Raises MaskError when no whole number of pixels lies in the bin.
    """
    if low not in AREAS:
        raise MaskError(f"Unknown bin of strokes, from {low} %. Choose one of: {', '.join(map(str, AREAS))}.")
    count = shape[0] * shape[1]
    least, most = count * low // 100 + 1, count * (low + 10) // 100
    if least > most:
        raise MaskError(f"{shape[1]} x {shape[0]} pixels are too few for {low} to {low + 10} %. Use a larger picture.")
    rng = np.random.default_rng(seed)
    missing = int(rng.integers(least, most + 1))
    hole = np.zeros(shape, np.bool_)
    while missing:
        at, angle = rng.uniform(0, 1, 2) * (shape[1], shape[0]), rng.uniform(0, 2 * np.pi)
        brush = max(1, round(rng.uniform(0.03, 0.12) * min(shape)))
        for length in rng.uniform(0.05, 0.3, 5) * min(shape):
            angle += rng.uniform(-1.2, 1.2)
            end = at + length * np.array([np.cos(angle), np.sin(angle)])
            stroke = np.zeros(shape, np.uint8)
            cv2.line(stroke, at.astype(int).tolist(), end.astype(int).tolist(), 1, brush)
            new = np.argwhere((stroke > 0) & ~hole)
            if len(new) > missing:
                new = new[np.argsort(((new - at[::-1]) ** 2).sum(axis=1), kind="stable")[:missing]]
            hole[tuple(new.T)] = True
            missing, at = missing - len(new), end
    return hole


def average_points(size: int, five: Points | None = None) -> NDArray[np.float64]:
    """The 68 landmarks of an average face in an aligned crop of ``size`` pixels, (68, 2).

    five: (5, 2), eyes, nose and mouth corners in the order of ``Face.points``, in pixels of the crop; the average is
    fitted to them by an affine map (least squares).
    """
    inner = [(0.408, 0.739), (0.470, 0.735)]
    lower = [(0.428, 0.775), (0.468, 0.793)]
    points = np.array(
        [
            *_JAW, (0.5, 0.929), *((1 - x, y) for x, y in reversed(_JAW)),
            *_BROW, *((1 - x, y) for x, y in reversed(_BROW)),
            *_NOSE, *_NOSTRIL, (0.5, 0.667), *((1 - x, y) for x, y in reversed(_NOSTRIL)),
            *_EYE, *((1 - _EYE[i][0], _EYE[i][1]) for i in (3, 2, 1, 0, 5, 4)),
            *_LIP, (0.5, 0.717), *((1 - x, y) for x, y in reversed(_LIP)),
            *((1 - x, y) for x, y in lower), (0.5, 0.796), *reversed(lower),
            *inner, (0.5, 0.738), *((1 - x, y) for x, y in reversed(inner)),
            (0.531, 0.755), (0.5, 0.759), (0.469, 0.755),
        ]
    ) * size  # fmt: skip
    if five is None:
        return points
    known = faces.five_points(points)
    fitted, *_ = np.linalg.lstsq(np.column_stack([known, np.ones(5)]), np.asarray(five, np.float64), rcond=None)
    return np.column_stack([points, np.ones(68)]) @ fitted


def _rows(shape: Shape) -> NDArray[np.float64]:
    return np.arange(shape[0], dtype=np.float64)[:, None] + 0.5


def _columns(shape: Shape) -> NDArray[np.float64]:
    return np.arange(shape[1], dtype=np.float64)[None, :] + 0.5
