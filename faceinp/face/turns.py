"""The face detector at any turn, and how plausible each turn of a face is.

MTCNN (``cascade``) knows upright faces and is sure of them in heads that are upside down, too: it takes a mouth for
eyes. Its last network tells them apart when it is asked again and again, with the head turned by small angles: a real
face is still a face, and its five points turn along; those of a misread head jump.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Pixels
from faceinp.face import cascade, faces

Floats = NDArray[np.float64]

# Of the detector's three stages, lower than its own (0.6, 0.7, 0.7), for faces with a closed hole: plausibility sorts
# out what is no face.
_THRESHOLDS = (0.6, 0.6, 0.4)
ROLLS = np.arange(-180, 180, 15)  # degrees clockwise by which a head is turned, as it is tried
# Squares that the last stage looks at, for each roll: shift along and across, in sides of the square, and scale.
_SQUARES = ((0.0, 0.95), (0.05, 1.1), (-0.05, 1.1))
# Plausibility of a roll: the mean log odds of a face at the rolls up to 30 degrees from it, less so many times the
# scatter of its points there, in sides of the square. On 320 tilted and damaged copies of 40 photos no real face had a
# misread one above it by more than detection.MIN_MARGIN.
_NEIGHBOURS, _SCATTER = 2, 60.0
_LOG_ODDS = 6.9  # of one answer, at most: above, the network is as sure of what is no face
_INPUT = 48  # pixels, side of what the last stage takes
_PATCH, _REACH = 96, 1.8  # pixels, and sides of the square: the part of a picture that all its squares lie in


class Proposal(NamedTuple):
    """What the detector takes for a face. box: left, top, right, bottom. points: (5, 2), as in ``Face``; both in pixels
    of the picture as it lies. confidence: 0 to 1. turn: degrees clockwise by which the picture was turned for it.
    """

    box: Floats
    points: Floats
    confidence: float
    turn: int

    @property
    def centre(self) -> Floats:
        return (self.box[:2] + self.box[2:]) / 2

    @property
    def side(self) -> float:
        return float(max(self.box[2:] - self.box[:2]))


class TurnProfile(NamedTuple):
    """plausibility: (R,), of a face turned by each of ``ROLLS``. points: (R, 5, 2), its five points, in pixels of the
    picture. confidence: (R,), 0 to 1, the mean of the detector's.
    """

    plausibility: Floats
    points: Floats
    confidence: Floats


def propose(pixels: Pixels, smallest: int, turn: int = 0) -> list[Proposal]:
    """What looks like an upright face once the picture is turned clockwise by ``turn`` degrees: 0, 90, 180 or 270.

    pixels: uint8 (H, W, 3) RGB. smallest: width of a face in pixels, at least. Safe to call from several threads.
    """
    if min(pixels.shape[:2]) < smallest:
        return []
    boxes, confidences, points = cascade.find(np.rot90(pixels, -turn // 90), smallest, _THRESHOLDS)
    found = []
    for box, confidence, five in zip(boxes, confidences, points, strict=True):
        corners = _turn_back(np.reshape(box, (2, 2)), turn, pixels.shape)
        corners = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        if (corners[:2] < corners[2:]).all():
            found.append(Proposal(corners, _turn_back(five, turn, pixels.shape), float(confidence), turn))
    return found


def turn_profiles(pixels: Pixels, proposals: list[Proposal]) -> list[TurnProfile]:
    """How plausible each turn of the heads at these proposals is, the turn they were found at being no matter.

    pixels: uint8 (H, W, 3) RGB, that of the proposals. Safe to call from several threads.
    """
    if not proposals:
        return []
    nothing = np.zeros(pixels.shape[:2], np.bool_)
    unit = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
    local = np.stack([unit * scale + shift for shift, scale in _SQUARES])  # (J, 4, 2), in sides
    angles = np.radians(ROLLS)
    turns = np.stack([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    squares = (local[None] @ turns[:, None]).reshape(-1, 4, 2)
    inputs = []
    for proposal in proposals:
        around = proposal.centre + unit * _REACH * proposal.side
        patch = faces.align(pixels, nothing, around, _PATCH).pixels
        for corners in (squares / _REACH + 0.5) * _PATCH:
            across, down = (corners[3] - corners[0]) / _INPUT, (corners[1] - corners[0]) / _INPUT
            matrix = np.column_stack([across, down, corners[0] + (across + down) / 2 - 0.5])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            inputs.append(cv2.warpAffine(patch, matrix, (_INPUT, _INPUT), flags=flags, borderMode=cv2.BORDER_REPLICATE))
    sure, marks = (values.astype(np.float64) for values in cascade.judge(np.stack(inputs)))
    shape = len(proposals), len(ROLLS), len(_SQUARES)
    sure = sure.reshape(shape)
    axes = np.stack([squares[:, 3] - squares[:, 0], squares[:, 1] - squares[:, 0]], axis=1)
    points = (squares[None, :, :1] + marks.reshape(len(proposals), -1, 5, 2) @ axes[None]).reshape(*shape, 5, 2)
    return [_profile(p, s, five) for p, s, five in zip(proposals, sure, points, strict=True)]


def _profile(proposal: Proposal, sure: Floats, points: Floats) -> TurnProfile:
    """sure: (R, J), points: (R, J, 5, 2) in sides of the proposal's square, from its centre."""
    odds = np.log(sure + 1e-9) - np.log1p(1e-9 - sure)
    near = (np.arange(len(ROLLS))[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)) % len(ROLLS)
    mean_odds = np.clip(odds, -_LOG_ODDS, _LOG_ODDS)[near].mean(axis=(1, 2))
    around = points[near].reshape(len(ROLLS), -1, 5, 2)
    middle = np.median(around, axis=1)
    scatter = np.sqrt(((around - middle[:, None]) ** 2).sum(axis=3).mean(axis=(1, 2)))
    confidence = sure[near].mean(axis=(1, 2))
    return TurnProfile(mean_odds - _SCATTER * scatter, proposal.centre + middle * proposal.side, confidence)


def _turn_back(points: NDArray[Any], turn: int, shape: tuple[int, ...]) -> Floats:
    """Points of a picture that was turned clockwise by ``turn`` degrees, in pixels of the picture as it lies."""
    x, y = np.asarray(points, np.float64).T
    height, width = shape[:2]
    back = {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}
    return np.stack(back[turn], axis=1)
