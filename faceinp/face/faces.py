"""The geometry of one face: its alignment, yaw, oval and crop, and how a crop is pasted back into the photo.

The alignment is FFHQ's (Karras et al. 2019, appendix A); the networks were trained on crops aligned in the same way.

Coordinates are continuous: pixel i covers [i, i + 1), so a picture's corners are (0, 0) and (width, height).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import PhotoError
from faceinp.photo.arrays import Pixels, Window, bounding_window, to_picture

Hole = NDArray[np.bool_]
Box = tuple[float, float, float, float]  # x, y, width, height, in pixels

LARGE_YAW = 45.0  # degrees; the engines were trained on faces that are nearly all turned less than this

# The five points of an average face in a detected box, as shares of its width and height; and its width over its
# height: medians of 300 pictures of wild-train and hq-train, made symmetric.
_AVERAGE_POINTS = ((0.263, 0.398), (0.737, 0.398), (0.5, 0.61), (0.286, 0.754), (0.714, 0.754))
_AVERAGE_ASPECT = 0.735
# MTCNN puts the eyes higher and further apart than the means of dlib's six points, by which the training crops were
# aligned: medians of the same pictures, in distances between the eyes.
EYES_DOWN = 0.026
EYES_INWARD = 0.010
# The oval of a face in its crop, as shares of the side.
_OVAL_CENTRE = (0.5, 0.54)
_OVAL_HALF_AXES = (0.23, 0.31)
_NOSE_DEPTH = 0.4  # of the nose's tip before the plane of eyes and mouth corners, in distances between the eyes


@dataclass(frozen=True)
class Face:
    """One face of a photo, at any turn.

    box: x, y, width, height in photo pixels. points: float32 (5, 2), x and y in photo pixels: left eye, right eye,
    nose, left and right mouth corner as seen on an upright face; None where only the box is known.
    confidence: the detector's, 0 to 1; 0 for a face that the user specified. yaw: estimate in degrees; positive where
    the upright face looks to the right of the picture.
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
    """An aligned face.

    pixels: uint8 (S, S, 3) RGB. hole: bool (S, S), True = hole. quad: float64 (4, 2), the crop's corners in photo
    pixels, as the function ``quad`` returns them.
    """

    pixels: Pixels
    hole: Hole
    quad: NDArray[np.float64]

    @property
    def size(self) -> int:
        return self.hole.shape[0]

    @property
    def planes(self) -> NDArray[np.float32]:
        """The pixels as networks take them: float32 (3, S, S) in [0, 1]."""
        return to_picture(self.pixels)


def quad(face: Face) -> NDArray[np.float64]:
    """Corners of the face's FFHQ crop in photo pixels: top left, bottom left, bottom right, top right; (4, 2)."""
    points = np.asarray(average_five(face.box) if face.points is None else face.points, np.float64)
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
    return ellipse(quad(face), _OVAL_CENTRE, _OVAL_HALF_AXES)


def ellipse(
    quad: NDArray[np.floating[Any]], centre: tuple[float, float], axes: tuple[float, float]
) -> NDArray[np.float64]:
    """An ellipse in the crop at ``quad``, in photo pixels: 64 points (x, y), clockwise; (64, 2).

    centre: x and y, axes: half axes across and down; both as shares of the crop's side.
    """
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    points = np.array(centre) + np.array(axes) * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray(to_photo(points, quad), np.float64)


def average_five(box: Box) -> NDArray[np.float32]:
    """The five points of an average upright face in a box with the centre and area of ``box``; (5, 2)."""
    x, y, w, h = box
    height = np.sqrt(w * h / _AVERAGE_ASPECT)
    points = [x + w / 2, y + h / 2] + (np.array(_AVERAGE_POINTS) - 0.5) * [height * _AVERAGE_ASPECT, height]
    return points.astype(np.float32)


def average_box(points: NDArray[np.float32]) -> Box:
    """The box that the detector would give an upright face with these points, (5, 2): x, y, width, height."""
    average = np.array(_AVERAGE_POINTS) * [_AVERAGE_ASPECT, 1]
    eyes, mouth, middle = points[:2].mean(axis=0), points[3:].mean(axis=0), points[[0, 1, 3, 4]].mean(axis=0)
    gap, drop = average[1, 0] - average[0, 0], average[3, 1] - average[0, 1]
    height = float(max(np.hypot(*(points[1] - points[0])) / gap, np.hypot(*(mouth - eyes)) / drop))
    x, y = (middle - height * average[[0, 1, 3, 4]].mean(axis=0)).tolist()
    return x, y, height * _AVERAGE_ASPECT, height


def five_points(landmarks: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """The points of ``Face`` from 68 landmarks in dlib's order: (68, 2) -> (5, 2)."""
    return np.stack([landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0), *landmarks[[30, 48, 54]]])


def pose(points: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Estimate yaw and pitch in degrees, from the nose's distance to the centre of eyes and mouth corners.

    points: (5, 2), as in ``Face``. The pitch is relative: that of a level face is not 0.
    """
    across = points[1] - points[0]
    offset, squared = points[2] - points[[0, 1, 3, 4]].mean(axis=0), max(float(across @ across), 1e-9)
    yaw, pitch = (np.arctan(offset @ axis / squared / _NOSE_DEPTH) for axis in (across, _quarter_turn(across)))
    return float(np.degrees(yaw)), float(np.degrees(pitch))


def yaw(points: NDArray[np.floating[Any]]) -> float:
    """Estimate the yaw in degrees, positive to the right of the picture. points: (5, 2), as in ``Face``."""
    return pose(points)[0]


def common_area(a: Box, b: Box) -> float:
    """The area of the intersection of two boxes, in square pixels."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def align(pixels: Pixels, hole: Hole, quad: NDArray[np.floating[Any]], size: int) -> Crop:
    """Cut an aligned square out of a photo by one affine warp, averaging over areas where it shrinks.

    pixels: uint8 (H, W, 3). hole: bool (H, W), True = hole. quad: (4, 2), as ``quad`` returns it. size: the crop's
    side S. Beyond its borders the photo is mirrored. A crop pixel that overlaps a hole pixel is hole.
    A quad that is exactly the whole photo at its own size gives an exact copy.
    """
    corners = np.asarray(quad, np.float64)
    if hole.shape == (size, size) and np.array_equal(corners, _corners(size)):
        return Crop(pixels.copy(), hole.copy(), corners)
    return Crop(_cut(pixels, corners, size), _cut(hole, corners, size) > 0, corners)


def shrink_hole(hole: Hole, shape: tuple[int, ...]) -> Hole:
    """A hole, bool (H, W), resized to ``shape`` (h, w, ...); a pixel that overlaps a hole pixel is hole."""
    share = cv2.resize(hole.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(share) > 0


def whole(pixels: Pixels, hole: Hole, size: int) -> Crop:
    """The crop of a photo that is an aligned face: all of it, at ``size`` pixels. Raises PhotoError unless square."""
    return align(pixels, hole, whole_quad(hole.shape), size)


def whole_quad(shape: tuple[int, ...], turn: int = 0) -> NDArray[np.float64]:
    """The corners, as ``quad`` returns them, of a photo (H, W, ...) that is an aligned face.

    turn: degrees clockwise by which the photo must be turned to stand upright. Raises PhotoError unless it is square.
    """
    height, width = shape[:2]
    if height != width:
        raise PhotoError(
            f"An aligned photo must be square, got {width} x {height}. Crop it, or leave out --aligned "
            "(FaceLocation.aligned)."
        )
    return np.roll(_corners(width), -turn // 90, axis=0)


def side(quad: NDArray[np.floating[Any]]) -> float:
    """The side of the square ``quad`` (4, 2), in photo pixels."""
    return float(np.hypot(*(quad[3] - quad[0])))


def to_crop(points: NDArray[np.floating[Any]], quad: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Photo pixels (K, 2) -> shares of the side of the crop at ``quad``, (K, 2)."""
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]])
    return np.asarray((points - quad[0]) @ np.linalg.inv(axes), np.float32)


def to_photo(points: NDArray[np.floating[Any]], quad: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Shares of a crop's side (K, 2) -> photo pixels (K, 2)."""
    return np.asarray(quad[0] + points @ np.stack([quad[3] - quad[0], quad[1] - quad[0]]), np.float32)


def paste(
    generated: NDArray[Any], quad: NDArray[np.floating[Any]], shape: tuple[int, ...], hole: Hole | None = None
) -> tuple[NDArray[np.float32], Hole, Window]:
    """Warp a filled crop back to its position in the photo, at the photo's own resolution.

    generated: (S, S, 3), uint8 or float32 in [0, 1]. quad: the crop's corners. shape: the photo's (H, W, ...).
    hole: bool (H, W); with it, the region is limited to the hole's bounding box and one pixel around it, which is all
    that blending needs. Returns (frame, inside, region): float32 (h, w, 3) in [0, 1]; bool (h, w), True where
    the crop covers the photo; rows and columns of the photo, empty where the crop lies outside of it.
    """
    corners = np.asarray(quad, np.float64)
    picture = np.asarray(generated, np.float32) / np.float32(255 if generated.dtype == np.uint8 else 1)
    region = _region(corners, shape, hole)
    left, top = region[1].start, region[0].start
    size = region[1].stop - left, region[0].stop - top
    if 0 in size:
        return np.zeros((size[1], size[0], 3), np.float32), np.zeros((size[1], size[0]), bool), region

    native = max(1, round(side(corners)))
    if native < len(picture):  # average before shrinking, against aliasing
        picture = np.asarray(cv2.resize(picture, (native, native), interpolation=cv2.INTER_AREA))
    to_crop = cv2.invertAffineTransform(from_crop(corners - (left, top), len(picture)))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(picture, to_crop, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    frame = np.clip(np.asarray(warped, np.float32), 0, 1)
    inside = np.ones(frame.shape[:2], bool)
    for a, b, c in np.asarray(to_crop):
        along = (a * np.arange(size[0]) + c + 0.5)[None, :] + (b * np.arange(size[1]))[:, None]
        inside &= (along >= 0) & (along <= len(picture))
    return frame, inside, region


def _region(corners: NDArray[np.float64], shape: tuple[int, ...], hole: Hole | None) -> Window:
    """The bounding box of a crop's corners within a photo, and within the hole's surroundings where there is a hole."""
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    if hole is not None and hole.any():
        rows, columns = bounding_window(hole, margin=1)
        low = np.maximum(low, (columns.start, rows.start))
        high = np.minimum(high, (columns.stop, rows.stop))
    left, top = (int(v) for v in np.clip(low, 0, (shape[1], shape[0])))
    right, bottom = (int(v) for v in np.clip(high, (left, top), (shape[1], shape[0])))
    return np.s_[top:bottom, left:right]


def _cut(picture: NDArray[Any], quad: NDArray[np.float64], size: int) -> NDArray[Any]:
    """Warp ``quad`` of a picture, uint8 (H, W, 3), or of a mask, bool (H, W), to ``size``; of a mask, float32."""
    limits = np.array([picture.shape[1], picture.shape[0]])
    low, high = quad.min(axis=0), quad.max(axis=0)
    # The part must contain what is mirrored beyond the border; interpolation needs 4 more pixels.
    margin = 4 + max(0.0, *-low, *(high - limits))
    start = np.clip(np.floor(low - margin), 0, limits - 1).astype(int)
    end = np.clip(np.ceil(high + margin), start + 1, limits).astype(int)
    part, quad = picture[start[1] : end[1], start[0] : end[0]], quad - start
    if part.dtype == bool:
        part = part.astype(np.float32)
    scale = side(quad) / size
    if scale > 4:  # shrink by whole areas first: it is cheap, and the warp then needs few samples
        small = np.ceil((end - start) / int(scale / 2)).astype(int)
        part = cv2.resize(part, small.tolist(), interpolation=cv2.INTER_AREA)
        quad = quad * (small / (end - start))
        scale = side(quad) / size
    # Several samples for each pixel, at most one source pixel apart, then their mean.
    fine = max(1, int(np.ceil(scale - 1e-6)))
    interpolation = cv2.INTER_LINEAR if picture.dtype == bool or fine > 1 else cv2.INTER_CUBIC
    if picture.dtype == bool and fine == 1:  # the picture's cubic interpolation extends one pixel further
        part = cv2.dilate(part, np.ones((3, 3), np.uint8))
    matrix, flags = from_crop(quad, size * fine), interpolation | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(part, matrix, (size * fine,) * 2, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA) if fine > 1 else warped


def from_crop(quad: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Affine map (2, 3) from pixel indices of a crop to the photo's; indices are coordinates less half a pixel."""
    across, down = (quad[3] - quad[0]) / size, (quad[1] - quad[0]) / size
    return np.column_stack([across, down, quad[0] + (across + down) / 2 - 0.5])


def _corners(side: int) -> NDArray[np.float64]:
    return np.array([[0, 0], [0, side], [side, side], [side, 0]], np.float64)


def _quarter_turn(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """A vector turned by 90 degrees, right to down; y grows downwards."""
    return np.array([-vector[1], vector[0]])
