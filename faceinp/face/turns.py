"""Run the face detector at any turn of the picture, and score how plausible each turn of a head is.

MTCNN (``cascade``) was trained on upright faces. It also reports upright faces, with high confidence, in heads that are
upside down, where it mistakes the mouth for eyes. Its last network tells the two apart when the head is turned by
small angles: the points of a true detection turn with the head, those of a false one jump.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.face import cascade, faces
from faceinp.photo.arrays import Doubles, Pixels

# Of the detector's three networks. Lower than the published 0.6, 0.7, 0.7, since faces may have a filled hole; the
# plausibility rejects false detections.
_THRESHOLDS = (0.6, 0.6, 0.4)
ROLLS = np.arange(-180, 180, 15)  # degrees clockwise, the turns of a head that are scored
# The squares that the last network gets for each roll: shift along both axes, in sides of the square, and scale.
_SQUARES = ((0.0, 0.95), (0.05, 1.1), (-0.05, 1.1))
# The plausibility of a roll is the mean log odds of a face at the rolls up to _NEIGHBOURS from it, minus
# _SCATTER_WEIGHT times the scatter of the points there, in sides of the square. On 320 tilted and damaged copies of 40
# photos no false turn exceeded the true one by more than heads.MIN_MARGIN.
_NEIGHBOURS = 2
_SCATTER_WEIGHT = 60.0
_MAX_LOG_ODDS = 6.9  # of one output: above, the network is as confident of false detections
_INPUT_SIDE = 48  # pixels, of the last network
# The patch of the picture that contains all squares of a head.
_PATCH_SIDE = 96  # pixels
_PATCH_SCALE = 1.8  # its side in sides of the square
_UNIT_SQUARE = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])


class Detection(NamedTuple):
    """A face that the detector reports.

    box: left, top, right, bottom. points: (5, 2), as in ``Face``. Both are in pixels of the picture before it is
    turned. confidence: 0 to 1. turn: degrees clockwise by which the picture was turned.
    """

    box: Doubles
    points: Doubles
    confidence: float
    turn: int

    @property
    def centre(self) -> Doubles:
        return (self.box[:2] + self.box[2:]) / 2

    @property
    def side(self) -> float:
        return float(max(self.box[2:] - self.box[:2]))


class TurnProfile(NamedTuple):
    """Scores of one head at each of the R ``ROLLS``.

    plausibility: (R,). points: (R, 5, 2), in pixels of the picture. confidence: (R,), the detector's mean, 0 to 1.
    """

    plausibility: Doubles
    points: Doubles
    confidence: Doubles


def detect(pixels: Pixels, smallest: int, turn: int = 0) -> list[Detection]:
    """Detect upright faces in the picture turned clockwise by ``turn`` degrees: 0, 90, 180 or 270.

    pixels: uint8 (H, W, 3) RGB. smallest: least width of a face in pixels. Safe to call from several threads.
    """
    if min(pixels.shape[:2]) < smallest:
        return []
    boxes, confidences, points = cascade.find(np.rot90(pixels, -turn // 90), smallest, _THRESHOLDS)
    detections = []
    for box, confidence, five in zip(boxes, confidences, points, strict=True):
        corners = _turn_back(np.reshape(box, (2, 2)), turn, pixels.shape)
        corners = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        if (corners[:2] < corners[2:]).all():
            detections.append(Detection(corners, _turn_back(five, turn, pixels.shape), float(confidence), turn))
    return detections


def turn_profiles(pixels: Pixels, detections: list[Detection]) -> list[TurnProfile]:
    """Score every turn of the head at each detection, whatever turn it was detected at.

    pixels: uint8 (H, W, 3) RGB, the picture of the detections. Safe to call from several threads.
    """
    if not detections:
        return []
    squares = _turned_squares()
    inputs = np.concatenate([_inputs(pixels, detection, squares) for detection in detections])
    probabilities, marks = (values.astype(np.float64) for values in cascade.classify(inputs))
    shape = len(detections), len(ROLLS), len(_SQUARES)
    axes = np.stack([squares[:, 3] - squares[:, 0], squares[:, 1] - squares[:, 0]], axis=1)
    points = (squares[None, :, :1] + marks.reshape(len(detections), -1, 5, 2) @ axes[None]).reshape(*shape, 5, 2)
    return [_profile(*values) for values in zip(detections, probabilities.reshape(shape), points, strict=True)]


def _turned_squares() -> Doubles:
    """The corners of _SQUARES at all ROLLS, in sides of a detection's square from its centre: (R * J, 4, 2)."""
    local = np.stack([_UNIT_SQUARE * scale + shift for shift, scale in _SQUARES])  # (J, 4, 2)
    angles = np.radians(ROLLS)
    rotations = np.stack([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    return (local[None] @ rotations[:, None]).reshape(-1, 4, 2)


def _inputs(pixels: Pixels, detection: Detection, squares: Doubles) -> Pixels:
    """The head of a detection cut out at each of the turned squares, (R * J, 48, 48, 3)."""
    around = detection.centre + _UNIT_SQUARE * _PATCH_SCALE * detection.side
    patch = faces.align(pixels, np.zeros(pixels.shape[:2], np.bool_), around, _PATCH_SIDE).pixels
    size, flags = (_INPUT_SIDE, _INPUT_SIDE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    inputs = []
    for corners in (squares / _PATCH_SCALE + 0.5) * _PATCH_SIDE:
        matrix = faces.from_crop(corners, _INPUT_SIDE)
        inputs.append(cv2.warpAffine(patch, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))
    return np.asarray(np.stack(inputs), np.uint8)


def _profile(detection: Detection, probabilities: Doubles, points: Doubles) -> TurnProfile:
    """probabilities: (R, J). points: (R, J, 5, 2), in sides of the detection's square, from its centre."""
    odds = np.log(probabilities + 1e-9) - np.log1p(1e-9 - probabilities)
    near = (np.arange(len(ROLLS))[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)) % len(ROLLS)
    mean_odds = np.clip(odds, -_MAX_LOG_ODDS, _MAX_LOG_ODDS)[near].mean(axis=(1, 2))
    nearby = points[near].reshape(len(ROLLS), -1, 5, 2)
    median = np.median(nearby, axis=1)
    scatter = np.sqrt(((nearby - median[:, None]) ** 2).sum(axis=3).mean(axis=(1, 2)))
    confidence = probabilities[near].mean(axis=(1, 2))
    return TurnProfile(mean_odds - _SCATTER_WEIGHT * scatter, detection.centre + median * detection.side, confidence)


def _turn_back(points: NDArray[Any], turn: int, shape: tuple[int, ...]) -> Doubles:
    """Points of a picture that was turned clockwise by ``turn`` degrees, in pixels of the picture before that.

    shape: the picture's (H, W, ...) before it was turned.
    """
    x, y = np.asarray(points, np.float64).T
    height, width = shape[:2]
    back = {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}
    return np.stack(back[turn], axis=1)
