"""A face of a photo: cut it out the way the networks know it, and put the result back.

The alignment is that of FFHQ (Karras et al. 2019, appendix A), which every crop for training has, too.
``detection`` finds faces.

Coordinates are continuous: pixel i covers [i, i + 1), so a picture's corners are (0, 0) and (width, height).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import PhotoError

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Box = tuple[float, float, float, float]  # x, y, width, height, in pixels

# Yaw in degrees beyond which crops of this kind, nearly all of them frontal, tell an engine little.
TURNED_TOO_FAR = 45.0

# Where the five points lie in a detected box (shares of its width and height), and its width / height: medians of
# 300 pictures of wild-train and hq-train, made symmetric.
_TYPICAL = ((0.263, 0.398), (0.737, 0.398), (0.5, 0.61), (0.286, 0.754), (0.714, 0.754))
_ASPECT = 0.735
# MTCNN sees eyes higher and further apart than the means of dlib's six points, with which the crops for training
# were aligned: medians of the same pictures, in shares of the distance between the eyes.
EYES_DOWN, EYES_INWARD = 0.026, 0.010
# A face's oval in its crop, in shares of the side: its centre, and its half axes.
_OVAL_CENTRE, _OVAL = (0.5, 0.54), (0.23, 0.31)
# How far the nose stands out of the plane of eyes and mouth corners, in distances between the eyes.
_NOSE = 0.4


@dataclass(frozen=True)
class Face:
    """One face of a photo, which may lie on its side or upside down in it.

    box: x, y, width, height in photo pixels. points: float32 (5, 2), x and y in photo pixels: left eye, right eye,
    nose, left and right mouth corner as seen on an upright face; None when only the box is known.
    confidence: 0 to 1 (0: nobody but the user says so). yaw: degrees, an estimate; positive to the right of the
    picture once the face stands upright.
    """

    box: Box
    points: NDArray[np.float32] | None
    confidence: float
    yaw: float

    @property
    def roll(self) -> float:
        """Degrees by which the head is turned clockwise from upright, more than -180 to 180."""
        x, y = (quad(self)[3] - quad(self)[0]).tolist()
        return float(np.degrees(np.arctan2(y, x)))

    @property
    def turn(self) -> int:
        """0, 90, 180 or 270: degrees clockwise by which the photo must be turned for this face to stand upright."""
        return -90 * round(self.roll / 90) % 360


@dataclass(frozen=True)
class Crop:
    """What an engine gets to see. pixels: uint8 (S, S, 3) RGB. hole: bool (S, S). quad: as ``quad`` returns it."""

    pixels: Pixels
    hole: Hole
    quad: NDArray[np.float64]

    @property
    def size(self) -> int:
        return self.hole.shape[0]


def quad(face: Face) -> NDArray[np.float64]:
    """Corners of the face's FFHQ crop in photo pixels: top left, bottom left, bottom right, top right; (4, 2)."""
    points = np.asarray(typical_points(face.box) if face.points is None else face.points, np.float64)
    left, right = points[0], points[1]
    across = right - left
    left, right = left + EYES_INWARD * across, right - EYES_INWARD * across
    eyes = (left + right) / 2 + EYES_DOWN * _quarter_turn(across)
    across, down = right - left, (points[3] + points[4]) / 2 - eyes
    x = across - _quarter_turn(down)
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) / max(float(np.hypot(*x)), 1e-9)
    y, centre = _quarter_turn(x), eyes + 0.1 * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def outline(face: Face) -> NDArray[np.float64]:
    """The oval of a face, brows to chin, in photo pixels: 64 points (x, y), clockwise; (64, 2)."""
    return ellipse(quad(face), _OVAL_CENTRE, _OVAL)


def ellipse(
    quad: NDArray[np.floating[Any]], centre: tuple[float, float], axes: tuple[float, float]
) -> NDArray[np.float64]:
    """An ellipse of the crop that ``quad`` cuts out, in photo pixels: 64 points (x, y), clockwise; (64, 2).

    centre, axes: x and y of its centre, and its half axes, in shares of the crop's side.
    """
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    points = np.array(centre) + np.array(axes) * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray(to_photo(points, quad), np.float64)


def typical_points(box: Box) -> NDArray[np.float32]:
    """Five points of an upright face in a box of the detector's shape with this box's centre and area; (5, 2)."""
    x, y, w, h = box
    height = np.sqrt(w * h / _ASPECT)
    points = [x + w / 2, y + h / 2] + (np.array(_TYPICAL) - 0.5) * [height * _ASPECT, height]
    return points.astype(np.float32)


def typical_box(points: NDArray[np.float32]) -> Box:
    """The box that the detector would put about an upright face with these points, (5, 2): x, y, width, height."""
    typical = np.array(_TYPICAL) * [_ASPECT, 1]
    eyes, mouth, middle = points[:2].mean(axis=0), points[3:].mean(axis=0), points[[0, 1, 3, 4]].mean(axis=0)
    gap, drop = typical[1, 0] - typical[0, 0], typical[3, 1] - typical[0, 1]
    height = float(max(np.hypot(*(points[1] - points[0])) / gap, np.hypot(*(mouth - eyes)) / drop))
    x, y = (middle - height * typical[[0, 1, 3, 4]].mean(axis=0)).tolist()
    return x, y, height * _ASPECT, height


def yaw(points: NDArray[np.float32]) -> float:
    """Degrees, from how far the nose has left the middle of eyes and mouth corners, along the line of the eyes.

    points: (5, 2), as in ``Face``.
    """
    across = points[1] - points[0]
    offset = (points[2] - points[[0, 1, 3, 4]].mean(axis=0)) @ across / max(float(across @ across), 1e-9)
    return float(np.degrees(np.arctan(offset / _NOSE)))


def common_area(a: Box, b: Box) -> float:
    """The area that two boxes have in common, in square pixels."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def align(pixels: Pixels, hole: Hole, quad: NDArray[np.floating[Any]], size: int) -> Crop:
    """Cut a square out of a photo: one affine warp, averaging over areas where it shrinks.

    pixels: uint8 (H, W, 3). hole: bool (H, W). quad: (4, 2), as ``quad`` returns it. size: the crop's side S.
    Beyond its borders the photo is mirrored. A crop pixel that any hole pixel has a part in is a hole.
    A quad that is exactly the whole photo at its own size is a copy, to the bit.
    """
    corners = np.asarray(quad, np.float64)
    if hole.shape == (size, size) and np.array_equal(corners, _corners(size)):
        return Crop(pixels.copy(), hole.copy(), corners)
    return Crop(_cut(pixels, corners, size), _cut(hole, corners, size) > 0, corners)


def whole(pixels: Pixels, hole: Hole, size: int) -> Crop:
    """The crop of a photo that is an aligned square already: all of it. Raises PhotoError when it is not square."""
    return align(pixels, hole, whole_quad(hole.shape), size)


def whole_quad(shape: tuple[int, ...], turn: int = 0) -> NDArray[np.float64]:
    """The corners, as ``quad`` returns them, of a photo (H, W, ...) that is an aligned square already.

    turn: by how many degrees clockwise it must be turned to stand upright. Raises PhotoError when it is not square.
    """
    height, width = shape[:2]
    if height != width:
        raise PhotoError(
            f"An aligned photo is square; this one is {width} x {height}. Crop it, or drop --aligned "
            "(FaceLocation.aligned)."
        )
    return np.roll(_corners(width), -turn // 90, axis=0)


def side(quad: NDArray[np.floating[Any]]) -> float:
    """The side of the square that ``quad`` cuts out of the photo, in its pixels."""
    return float(np.hypot(*(quad[3] - quad[0])))


def to_crop(points: NDArray[np.floating[Any]], quad: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Photo pixels (K, 2) -> shares of the side of the crop that ``quad`` cuts out, (K, 2)."""
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]])
    return np.asarray((points - quad[0]) @ np.linalg.inv(axes), np.float32)


def to_photo(points: NDArray[np.floating[Any]], quad: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Shares of a crop's side (K, 2) -> photo pixels (K, 2)."""
    return np.asarray(quad[0] + points @ np.stack([quad[3] - quad[0], quad[1] - quad[0]]), np.float32)


def paste(
    generated: NDArray[Any], quad: NDArray[np.floating[Any]], shape: tuple[int, ...], hole: Hole | None = None
) -> tuple[NDArray[np.float32], Hole, tuple[slice, slice]]:
    """Warp a filled crop back to where it came from, at the photo's own resolution.

    generated: (S, S, 3), uint8 or float32 in [0, 1]. quad: the crop's. shape: the photo's (H, W, ...).
    hole: bool (H, W); with it, the region is only the hole's surroundings with one more pixel on every side, which
    is all that blending needs. Returns (frame, inside, region): float32 (h, w, 3) in [0, 1]; bool (h, w), True where
    the crop covers the photo; slices of the photo that both stand for (empty when they do not meet).
    """
    corners = np.asarray(quad, np.float64)
    picture = np.asarray(generated, np.float32) / np.float32(255 if generated.dtype == np.uint8 else 1)
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    if hole is not None:
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        if rows.size:
            low = np.maximum(low, (columns[0] - 1, rows[0] - 1))
            high = np.minimum(high, (columns[-1] + 2, rows[-1] + 2))
    left, top = (int(v) for v in np.clip(low, 0, (shape[1], shape[0])))
    right, bottom = (int(v) for v in np.clip(high, (left, top), (shape[1], shape[0])))
    region = np.s_[top:bottom, left:right]
    size = right - left, bottom - top
    if 0 in size:
        return np.zeros((size[1], size[0], 3), np.float32), np.zeros((size[1], size[0]), bool), region

    native = max(1, round(side(corners)))
    if native < len(picture):  # average before it gets smaller, or fine structure turns into false structure
        picture = np.asarray(cv2.resize(picture, (native, native), interpolation=cv2.INTER_AREA))
    to_crop = cv2.invertAffineTransform(_from_crop(corners - (left, top), len(picture)))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(picture, to_crop, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    frame = np.clip(np.asarray(warped, np.float32), 0, 1)
    inside = np.ones(frame.shape[:2], bool)
    for a, b, c in np.asarray(to_crop):
        along = (a * np.arange(size[0]) + c + 0.5)[None, :] + (b * np.arange(size[1]))[:, None]
        inside &= (along >= 0) & (along <= len(picture))
    return frame, inside, region


def _cut(picture: NDArray[Any], quad: NDArray[np.float64], size: int) -> NDArray[Any]:
    """Warp ``quad`` of a picture, uint8 (H, W, 3), or of a mask, bool (H, W), to ``size``; a mask comes as float32."""
    limits = np.array([picture.shape[1], picture.shape[0]])
    low, high = quad.min(axis=0), quad.max(axis=0)
    # What is mirrored must be in the part that is looked at; 4 pixels are the reach of the interpolation.
    margin = 4 + max(0.0, *-low, *(high - limits))
    start = np.clip(np.floor(low - margin), 0, limits - 1).astype(int)
    end = np.clip(np.ceil(high + margin), start + 1, limits).astype(int)
    part, quad = picture[start[1] : end[1], start[0] : end[0]], quad - start
    if part.dtype == bool:
        part = part.astype(np.float32)
    scale = side(quad) / size
    if scale > 4:  # most of the way by whole areas: cheap, and the rest needs few samples
        small = np.ceil((end - start) / int(scale / 2)).astype(int)
        part = cv2.resize(part, small.tolist(), interpolation=cv2.INTER_AREA)
        quad = quad * (small / (end - start))
        scale = side(quad) / size
    # Several samples a pixel, a source pixel apart at most, then their mean.
    fine = max(1, int(np.ceil(scale - 1e-6)))
    interpolation = cv2.INTER_LINEAR if picture.dtype == bool or fine > 1 else cv2.INTER_CUBIC
    if picture.dtype == bool and fine == 1:  # cubic interpolation of the picture reaches one pixel further
        part = cv2.dilate(part, np.ones((3, 3), np.uint8))
    matrix, flags = _from_crop(quad, size * fine), interpolation | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(part, matrix, (size * fine,) * 2, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA) if fine > 1 else warped


def _from_crop(quad: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Affine map (2, 3) of a crop's pixel numbers to the photo's: both half a pixel from continuous coordinates."""
    across, down = (quad[3] - quad[0]) / size, (quad[1] - quad[0]) / size
    return np.column_stack([across, down, quad[0] + (across + down) / 2 - 0.5])


def _corners(side: int) -> NDArray[np.float64]:
    return np.array([[0, 0], [0, side], [side, side], [side, 0]], np.float64)


def _quarter_turn(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned by 90 degrees so that right becomes down, in a picture whose y grows downwards."""
    return np.array([-vector[1], vector[0]])
