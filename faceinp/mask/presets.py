"""Holes made by name: the papers' masks, for measuring and for whoever has no mask at hand.

They are made on an aligned crop, as bool arrays whose True is the hole; ``on_photo`` brings one onto a photo. Those of
the face come from the 68 points of the iBUG scheme (Sagonas et al. 2013), counted from 0, in pixels of the picture.
Left and right are as seen in the picture. Everything random comes from the seed.
"""

import re
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import MaskError
from faceinp.face import faces
from faceinp.face.face_location import FaceLocation, as_location, locate, location_as_keywords, no_face
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.mask import sketches, worn_occluders
from faceinp.mask.masks import LARGEST_SHARE, Mask
from faceinp.photo.photos import Photo

Side = Literal["left", "right", "top", "bottom"]
Bools = NDArray[np.bool_]
Points = NDArray[np.floating[Any]]
Shape = tuple[int, int]

GROWTH = 0.05  # of the crop's side: how far the hull of the points is dilated
QUARTERS: tuple[tuple[Side, Side], ...] = (("left", "bottom"), ("left", "top"), ("right", "bottom"), ("right", "top"))
AREAS = range(0, 60, 10)  # per cent, the lower ends of the six bins of irregular strokes

ABOUT = {
    "1": "left half of the picture",
    "2": "right half of the picture",
    **{str(n): f"{down} {across} quarter of the picture" for n, (across, down) in enumerate(QUARTERS, 3)},
    "7": "left half of the face",
    "8": "right half of the face",
    **{str(n): f"{down} {across} quarter of the face" for n, (across, down) in enumerate(QUARTERS, 9)},
    "centre": "square in the middle, a quarter of the picture",
    "eyes": "face above the middle of the nose's bridge",
    "lower-face": "face below the middle of the nose's bridge",
    "glasses": "glasses, clear or dark",
    "protective-mask": "protective mask with its straps",
    **sketches.ABOUT,
    "scratches": "scratches of an old photo, long and thin",
    "blocks": "one to six blocks",
    **{f"irregular-{low}-{low + 10}": f"strokes over {low} to {low + 10} % of the picture" for low in AREAS},
    **{f"random-{share}": f"{share} % of all pixels" for share in (20, 40, 60, 80)},
}
NAMES = tuple(ABOUT)
OF_FACES = (  # these need the points
    *map(str, range(7, 13)),
    *("eyes", "lower-face", "glasses", "protective-mask"),
    *sketches.NAMES,
)

_RANDOM = r"random-([1-9]\d?)"
_WORKING = 1024  # pixels, the largest side at which a preset for a photo is made
# The 68 points of an average face in an aligned crop, shares of its side: medians of 7,307 faces, made symmetric.
# Jaw, brows, nose, eyes, mouth; right halves are the left ones' mirror images.
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


def listed() -> dict[str, str]:
    """Every preset's name, and one line of what it covers."""
    return dict(ABOUT)


def is_name(name: str) -> bool:
    """Whether ``make`` takes it."""
    return name in ABOUT or re.fullmatch(_RANDOM, name) is not None


def check_name(name: str) -> None:
    """Raise MaskError unless ``name`` is a preset's, as ``make`` takes it."""
    if not is_name(name):
        raise MaskError(f"There is no preset {name!r}. Choose one of: {', '.join(NAMES)}.")


def make(name: str, shape: Shape, *, points: Points | None = None, seed: int = 0) -> Bools:
    """The preset ``name``, bool (H, W).

    name: one of NAMES, or "random-N" for any per cent N from 1 to 99. points: (68, 2), for those OF_FACES, whose
    ``shape`` must be square. Raises MaskError for an unknown name and for points that are missing or not sound.
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
            raise MaskError(f"The preset {name} is made on a square crop, not on {shape}. Use on_photo for a photo.")
    if name in sketches.NAMES:
        return sketches.sketch(name, points, shape, seed)
    if name == "glasses":
        return worn_occluders.glasses(points, shape, seed=seed)
    if name == "protective-mask":
        return worn_occluders.protective_mask(points, shape, seed=seed)
    if name in ("eyes", "lower-face"):
        above = _rows(shape) < worn_occluders.sound_points(name, points)[27:31, 1].mean()
        return hull(worn_occluders.sound_points(name, points), shape) & (above if name == "eyes" else ~above)
    return _standard(int(name), points, shape)


def standard(number: int, points: Points | None, size: int) -> Bools:
    """One of the twelve standard masks of the second paper, bool (size, size); see ``docs/papers.md``.

    1, 2: left and right half. 3 to 6: quarters, lower left, upper left, lower right, upper right. 7, 8 and 9 to 12:
    the same of the face, which is ``hull``, split at the mean x of points 27 to 30 (the nose's bridge) and the mean y
    of points 36, 39, 42, 45 (corners of the eyes) and 30 (the nose's tip). points: (68, 2), only for 7 to 12.
    """
    if not 1 <= number <= 12:
        raise MaskError(f"There is no standard mask {number}. Choose 1 to 12.")
    return _standard(number, points, (size, size))


def _standard(number: int, points: Points | None, shape: Shape) -> Bools:
    if number <= 2:
        return half(shape, "left" if number == 1 else "right")
    if number <= 6:
        across, down = QUARTERS[number - 3]
        return half(shape, across) & half(shape, down)
    points = worn_occluders.sound_points(str(number), points)
    left = _columns(shape) < points[27:31, 0].mean()
    top = _rows(shape) < points[[30, 36, 39, 42, 45], 1].mean()
    sides = {"left": left, "right": ~left, "top": top, "bottom": ~top}
    if number <= 8:
        return hull(points, shape) & sides["left" if number == 7 else "right"]
    across, down = QUARTERS[number - 9]
    return hull(points, shape) & sides[across] & sides[down]


def hull(points: Points, shape: Shape, growth: float = GROWTH) -> Bools:
    """bool (H, W): the convex hull of ``points`` (N, 2), dilated by a disc whose radius is ``growth`` of the width.

    The dilated hull is the intersection of all half-planes x cos a + y sin a <= h(a) + radius, h(a) the greatest value
    of any point. Those of the hull's own edges are among the ones used, so only the round corners are approximated,
    to a 40,000th of the radius.
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
    """bool (H, W): the middle half of the height by the middle half of the width, a quarter of the picture."""
    height, width = shape
    hole = np.zeros(shape, np.bool_)
    hole[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = True
    return hole


def half(shape: Shape, side: Side) -> Bools:
    """bool (H, W): the half on that side as one sees the picture; the middle row or column of an odd size is known."""
    height, width = shape[0] // 2, shape[1] // 2
    hole = np.zeros(shape, np.bool_)
    if side not in get_args(Side):
        raise MaskError(f"There is no side {side!r}. Choose one of: {', '.join(get_args(Side))}.")
    if side == "left":
        hole[:, :width] = True
    elif side == "right":
        hole[:, shape[1] - width :] = True
    elif side == "top":
        hole[:height] = True
    else:
        hole[shape[0] - height :] = True
    return hole


def random_pixels(shape: Shape, share: float, seed: int) -> Bools:
    """bool (H, W) with exactly round(share * H * W) pixels of hole, strewn evenly; share in [0, 1]."""
    if not 0 <= share <= 1:
        raise MaskError(f"The share {share} is not in [0, 1]. Give a part of the picture, such as 0.5.")
    count = shape[0] * shape[1]
    hole = np.zeros(count, np.bool_)
    hole[np.random.default_rng(seed).choice(count, round(share * count), replace=False)] = True
    return hole.reshape(shape)


def scratches(shape: Shape, seed: int) -> Bools:
    """bool (H, W): four to nine lines that wander, each .4 to 2.4 % of the shorter side wide (1 to 6 pixels of 256)."""
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
    """bool (H, W): one to six blocks, a tenth to four tenths of each side; together at most LARGEST_SHARE."""
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
    """bool (H, W): strokes of a round brush over more than ``low`` and at most ``low`` + 10 per cent of the picture.

    low: 0, 10, ... 50, the bins of the partial-convolution paper (Liu et al. 2018). The last stroke ends where the
    share, drawn evenly from the bin, is reached. Raises MaskError when no whole number of pixels lies in the bin.
    """
    if low not in AREAS:
        raise MaskError(f"There is no bin of strokes from {low} %. Choose one of: {', '.join(map(str, AREAS))}.")
    count = shape[0] * shape[1]
    least, most = count * low // 100 + 1, count * (low + 10) // 100
    if least > most:
        raise MaskError(f"{shape[1]} x {shape[0]} pixels are too few for {low} to {low + 10} %. Take a larger picture.")
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
    """The 68 points of an average face in an aligned crop of ``size`` pixels, (68, 2).

    five: (5, 2), eyes, nose and mouth corners as ``Face.points`` has them, in pixels of the crop; with them the
    average is moved, turned and stretched to fit (an affine map, by least squares).
    """

    def both(left: tuple[tuple[float, float], ...], order: list[int]) -> list[tuple[float, float]]:
        return [*left, *((1 - left[i][0], left[i][1]) for i in order)]

    outer, inner = both(_LIP, []), [(0.408, 0.739), (0.470, 0.735)]
    lower = [(0.428, 0.775), (0.468, 0.793)]
    points = np.array(
        [
            *_JAW, (0.5, 0.929), *((1 - x, y) for x, y in reversed(_JAW)),
            *_BROW, *((1 - x, y) for x, y in reversed(_BROW)),
            *_NOSE, *_NOSTRIL, (0.5, 0.667), *((1 - x, y) for x, y in reversed(_NOSTRIL)),
            *both(_EYE, [3, 2, 1, 0, 5, 4]),
            *outer, (0.5, 0.717), *((1 - x, y) for x, y in reversed(_LIP)),
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


def on_photo(name: str, quad: Points, shape: tuple[int, ...], points: Points | None = None, seed: int = 0) -> Bools:
    """The preset ``name`` of the crop at ``quad``, on the photo: bool (H, W), nothing outside of the crop.

    quad: (4, 2), as ``faces.quad`` returns it. shape: the photo's (H, W, ...). points: (68, 2) in pixels of the photo.
    The preset is made at the crop's own size there, 1024 pixels at most; each photo pixel takes its nearest value.
    """
    corners = np.asarray(quad, np.float64)
    size = int(np.clip(round(faces.side(corners)), 1, _WORKING))
    across, down = (corners[3] - corners[0]) / size, (corners[1] - corners[0]) / size
    to_photo = np.column_stack([across, down, corners[0]])
    to_crop = cv2.invertAffineTransform(to_photo)
    local = None if points is None else np.asarray(points, np.float64) @ to_crop[:, :2].T + to_crop[:, 2]
    hole = make(name, (size, size), points=local, seed=seed).astype(np.uint8)
    to_photo[:, 2] += (across + down) / 2 - 0.5  # pixel numbers: half a pixel less than coordinates
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(hole, cv2.invertAffineTransform(to_photo), (shape[1], shape[0]), flags=flags)
    return np.asarray(warped) > 0


@location_as_keywords
def for_photo(
    name: str,
    photo: Photo,
    *,
    face: FaceLocation | Face | None = None,
    turn: Turn = "auto",
    landmarks: Any = None,
    seed: int = 0,
) -> Mask:
    """The preset ``name`` on a face of ``photo``, as ``fill`` takes it; without ``face``, on the largest.

    face, turn: as for ``fill``. landmarks: the face's 68 in pixels of the photo, in dlib's order, (68, 2). Without
    them, those of an average face are fitted to the face's five points, and the mask's ``about`` says so. Raises
    MaskError, NoFaceError, or PhotoError for an aligned photo that is not square.
    """
    check_turn(turn)
    location, five = as_location(face), None
    about = f"the preset {name}: {ABOUT.get(name, 'random pixels')}"
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(photo.pixels.shape, 0 if turn == "auto" else turn)
    else:
        located, found = locate(photo.pixels, None, location, turn)
        if not located:
            raise no_face()
        quad, five = faces.quad(located[0]), located[0].points
        if len(found) > 1 and location is None:
            about += f", on the largest of {len(found)} faces"
    if landmarks is None and name in OF_FACES:
        corners = np.column_stack([quad[3] - quad[0], quad[1] - quad[0]])  # of a crop one pixel wide
        local = None if five is None else (five - quad[0]) @ np.linalg.inv(corners).T
        landmarks = average_points(1, local) @ corners.T + quad[0]
        about += ", placed by an average face"
    return Mask(on_photo(name, quad, (photo.height, photo.width), landmarks, seed), about)


def _rows(shape: Shape) -> NDArray[np.float64]:
    return np.arange(shape[0], dtype=np.float64)[:, None] + 0.5


def _columns(shape: Shape) -> NDArray[np.float64]:
    return np.arange(shape[1], dtype=np.float64)[None, :] + 0.5
