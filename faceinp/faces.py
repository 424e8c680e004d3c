"""Find faces, cut them out the way the networks know them, and put the result back.

Finding: MTCNN (Zhang et al. 2016), by way of facenet-pytorch, whose wheel holds the weights (plain state dicts,
which torch >= 2.6 loads without running any pickled code).
Cutting: the alignment of FFHQ (Karras et al. 2019, appendix A), which every crop for training has, too.

Coordinates are continuous: pixel i covers [i, i + 1), so a picture's corners are (0, 0) and (width, height).
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError, PhotoError

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]

# Yaw in degrees beyond which crops of this kind, nearly all of them frontal, tell an engine little.
TURNED_TOO_FAR = 45.0

# Long sides, in pixels, of the copies that are searched: of any photo, of a tiny one, of one whose hole is closed.
_WORKING, _LEAST, _CLOSED = 1280, 256, 640
_SMALLEST_FACE = 20
# Large faces are looked for on a smaller copy and from this width on: most of the time goes into what is tiny.
_QUICK, _LARGE_FACE = 640, 40
_CONFIDENT = 0.9
# Where the five points lie in a detected box (shares of its width and height), and its width / height: medians of
# 300 pictures of wild-train and hq-train, made symmetric.
_TYPICAL = ((0.263, 0.398), (0.737, 0.398), (0.5, 0.61), (0.286, 0.754), (0.714, 0.754))
_ASPECT = 0.735
# MTCNN sees eyes higher and further apart than the means of dlib's six points, with which the crops for training
# were aligned: medians of the same pictures, in shares of the distance between the eyes.
_EYES_DOWN, _EYES_INWARD = 0.026, 0.010
# How far the nose stands out of the plane of eyes and mouth corners, in distances between the eyes.
_NOSE = 0.4

_lock = threading.Lock()


@dataclass(frozen=True)
class Face:
    """One face of a photo.

    box: x, y, width, height in photo pixels. points: float32 (5, 2), x and y in photo pixels: left eye, right eye,
    nose, left and right mouth corner as seen in the picture; None when only the box is known.
    confidence: 0 to 1 (0: nobody but the user says so). yaw: degrees, an estimate; positive to the picture's right.
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float32] | None
    confidence: float
    yaw: float


@dataclass(frozen=True)
class Crop:
    """What an engine gets to see. pixels: uint8 (S, S, 3) RGB. hole: bool (S, S). quad: as ``quad`` returns it."""

    pixels: Pixels
    hole: Hole
    quad: NDArray[np.float64]

    @property
    def size(self) -> int:
        return self.hole.shape[0]


def find_faces(pixels: Pixels, hole: Hole | None = None) -> tuple[Face, ...]:
    """The faces of a photo, largest first; none is an answer, too.

    pixels: uint8 (H, W, 3) RGB. hole: bool (H, W); when no face is found at the hole, the photo is searched again
    with the hole closed by Telea's inpainting, for a face that the hole hides. Safe to call from several threads.
    Photos are searched at 1280 pixels, so faces under a 64th of the long side are missed. Raises PhotoError.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise PhotoError(f"Faces are looked for in uint8 (H, W, 3) RGB pixels, not in {pixels.dtype} {pixels.shape}.")
    found = _search(_working(pixels, _WORKING), pixels.shape, _SMALLEST_FACE)
    if hole is not None and hole.any() and not any(overlap(face.box, hole) for face in found):
        copy = _working(pixels, _CLOSED)
        closed = np.asarray(cv2.inpaint(copy, _shrunk(hole, copy.shape), 3, cv2.INPAINT_TELEA), np.uint8)
        found += [face for face in _search(closed, pixels.shape, _SMALLEST_FACE) if overlap(face.box, hole)]
    return _by_size(found)


def find_large_faces(pixels: Pixels) -> tuple[Face, ...]:
    """The faces that are wider than about a 16th of the photo's long side, largest first: a fourth of the time.

    pixels: uint8 (H, W, 3) RGB. Safe to call from several threads.
    """
    return _by_size(_search(_working(pixels, _QUICK), pixels.shape, _LARGE_FACE))


def choose(faces: Sequence[Face], hole: Hole | None = None, index: int | None = None) -> Face:
    """The face to fill: number ``index``, else the one that the hole covers best, else the first (largest).

    hole: bool (H, W). index: 1 is the first of ``faces``. Raises NoFaceError when there is none, or not so many.
    """
    if not faces:
        raise NoFaceError(
            "No face was found in the photo. Say where it is with --box X,Y,W,H (box= in Python), or with its five "
            "--points (points=) if it is turned or partly out of the photo; use --aligned (aligned=True) if the photo "
            "is nothing but an aligned face."
        )
    if index is not None:
        if not 1 <= index <= len(faces):
            there_are = "There is 1 face" if len(faces) == 1 else f"There are {len(faces)} faces"
            raise NoFaceError(f"{there_are} in the photo, no face {index}. Choose 1 (the largest) to {len(faces)}.")
        return faces[index - 1]
    if hole is None:
        return faces[0]
    # By box, and where the hole meets no box (hair, a neck) by crop; max keeps the first of equals.
    return max(faces, key=lambda face: (overlap(face.box, hole), overlap(_bounds(quad(face)), hole)))


def quad(face: Face) -> NDArray[np.float64]:
    """Corners of the face's FFHQ crop in photo pixels: top left, bottom left, bottom right, top right; (4, 2)."""
    points = np.asarray(typical_points(face.box) if face.points is None else face.points, np.float64)
    left, right = points[0], points[1]
    across = right - left
    left, right = left + _EYES_INWARD * across, right - _EYES_INWARD * across
    eyes = (left + right) / 2 + _EYES_DOWN * _quarter_turn(across)
    across, down = right - left, (points[3] + points[4]) / 2 - eyes
    x = across - _quarter_turn(down)
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) / max(float(np.hypot(*x)), 1e-9)
    y, centre = _quarter_turn(x), eyes + 0.1 * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def typical_points(box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Five points of an upright face in a box of the detector's shape with this box's centre and area; (5, 2)."""
    x, y, w, h = box
    height = np.sqrt(w * h / _ASPECT)
    points = [x + w / 2, y + h / 2] + (np.array(_TYPICAL) - 0.5) * [height * _ASPECT, height]
    return points.astype(np.float32)


def typical_box(points: NDArray[np.float32]) -> tuple[float, float, float, float]:
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


def overlap(box: tuple[float, float, float, float], hole: Hole) -> float:
    """Dice coefficient of a box and a hole: 0 where they do not meet, 1 where they are the same."""
    common = _in_common(box, hole)
    return 2 * common / (box[2] * box[3] + np.count_nonzero(hole)) if common else 0.0


def share_within(box: tuple[float, float, float, float], hole: Hole) -> float:
    """How much of a hole lies in a box, 0 to 1; the hole is not empty."""
    return _in_common(box, hole) / int(np.count_nonzero(hole))


def _in_common(box: tuple[float, float, float, float], hole: Hole) -> int:
    x, y, w, h = box
    top, left = max(0, int(y)), max(0, int(x))
    return int(np.count_nonzero(hole[top : max(top, int(np.ceil(y + h))), left : max(left, int(np.ceil(x + w)))]))


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
    height, width = hole.shape
    if height != width:
        raise PhotoError(
            f"An aligned photo is square; this one is {width} x {height}. Crop it, or drop --aligned (aligned=)."
        )
    return align(pixels, hole, _corners(width), size)


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


@cache
def _detector() -> Any:
    import torch
    from facenet_pytorch import MTCNN

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return MTCNN(keep_all=True, device=device).eval()


def _by_size(found: list[Face]) -> tuple[Face, ...]:
    return tuple(sorted(found, key=lambda face: -face.box[2] * face.box[3]))


def _search(copy: Pixels, shape: tuple[int, ...], smallest: int) -> list[Face]:
    """Faces of a working copy, ``smallest`` pixels wide there or more, in pixels of the photo, which has this shape."""
    if min(copy.shape[:2]) < smallest:
        return []
    import torch

    with _lock:  # one network for everybody, made once and busy with one picture at a time
        detector, threads = _detector(), torch.get_num_threads()
        detector.min_face_size = smallest
        torch.set_num_threads(1)  # its pieces are so small that threads mostly wait for each other
        try:
            boxes, confidences, points = detector.detect(copy, landmarks=True)
        finally:
            torch.set_num_threads(threads)
    if boxes is None:
        return []
    full = np.array([shape[1], shape[0]], np.float64)
    scale = full / (copy.shape[1], copy.shape[0])
    found = []
    for corners, confidence, five in zip(boxes, confidences, points, strict=True):
        start, end = np.clip(np.reshape(corners, (2, 2)) * scale, 0, full)
        if confidence < _CONFIDENT or (end <= start).any():
            continue
        placed = np.asarray(five * scale, np.float32)
        (x, y), (w, h) = start.tolist(), (end - start).tolist()
        found.append(Face((x, y, w, h), placed, float(confidence), yaw(placed)))
    return found


def _working(pixels: Pixels, longest: int) -> Pixels:
    """A copy to search: the long side at most ``longest`` pixels, and at least some."""
    height, width = pixels.shape[:2]
    scale = np.clip(1, _LEAST / max(height, width), longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def _shrunk(hole: Hole, shape: tuple[int, ...]) -> Pixels:
    """The hole at a working copy's size, not a pixel less: uint8 (H, W), 255 = hole."""
    part = cv2.resize(hole.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.where(np.asarray(part) > 0, np.uint8(255), np.uint8(0))


def _bounds(quad: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
    return left, top, right - left, bottom - top


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
