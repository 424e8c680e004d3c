"""Decide the turn and the five points of each head in a picture.

Detections of one head at several turns are grouped; ``turns.turn_profiles`` scores each turn, and the most plausible
one is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from faceinp.common.arrays import Pixels
from faceinp.errors import NoFaceError
from faceinp.face import faces, turns
from faceinp.face.faces import Box, Face
from faceinp.face.turns import ROLLS, Detection, TurnProfile

Turn = Literal["auto", 0, 90, 180, 270]
Group = list[tuple[Detection, TurnProfile]]  # the detections of one head, the most plausible first

# On 93 pictures without a face, at four turns, only parts of faces were more plausible than -2.2.
MIN_PLAUSIBILITY = -2.0  # of a face
MIN_PLAUSIBILITY_DAMAGED = -3.0  # of a face with a filled hole, which hides features
MIN_MARGIN = 1.5  # lead of the most plausible turn over the next; below, the turn is uncertain
_MIN_TURN_DIFFERENCE = 60  # degrees between two alternative turns of a head
_MAX_TILT = 20  # degrees; the detector's points of a face that is tilted less are used unchanged
# A tilted head is detected again in an upright crop.
_UPRIGHT_SIDE = 160  # pixels, of that crop
_UPRIGHT_SCALE = 1.3  # side of that crop over the side of the face's FFHQ crop
_UPRIGHT_SMALLEST = 40  # pixels, least width of a face in it
_MAX_POINT_SHIFT = 0.15  # of its side, between the expected and the detected points
_MAX_CENTRE_DISTANCE = 0.5  # of the larger of two boxes' sides, between detections of one head


@dataclass(frozen=True)
class Head:
    """A face in one copy of the photo. rival: the same face at another turn that is nearly as plausible, or None."""

    face: Face
    plausibility: float
    rival: Face | None = None


def check_turn(turn: Any) -> None:
    """Raise NoFaceError unless ``turn`` is one of ``Turn``."""
    if not isinstance(turn, int | str) or isinstance(turn, bool) or turn not in get_args(Turn):
        raise NoFaceError(f"turn must be 0, 90, 180, 270 or 'auto' (degrees clockwise), got {turn!r:.80}.")


def search(copy: Pixels, at_turns: Iterable[int], allowed: Turn, smallest: int) -> list[Head]:
    """The heads in a copy of the photo, in its pixels.

    at_turns: degrees clockwise at which the detector runs. allowed: turn of the photo, as ``find_faces`` takes it.
    smallest: least width of a face in pixels.
    """
    detections = [one for turn in at_turns for one in turns.detect(copy, smallest, turn)]
    profiles = turns.turn_profiles(copy, detections)
    groups: list[Group] = []
    for pair in sorted(zip(detections, profiles, strict=True), key=lambda pair: -float(pair[1].plausibility.max())):
        group = next((group for group in groups if _one_head(group[0][0], pair[0])), None)
        if group is None:
            groups.append([pair])
        else:
            group.append(pair)
    return [head for group in groups if (head := _resolve(copy, group, allowed)) is not None]


def _one_head(a: Detection, b: Detection) -> bool:
    return float(np.hypot(*(a.centre - b.centre))) < _MAX_CENTRE_DISTANCE * max(a.side, b.side)


def _resolve(copy: Pixels, group: Group, allowed: Turn) -> Head | None:
    """The face at the most plausible turn of a head; None where no turn is plausible."""
    plausibility = np.max([profile.plausibility for _, profile in group], axis=0)
    if allowed != "auto":  # a head is tilted by less than 60 degrees against the turn of the photo
        plausibility = np.where(_angle_between(ROLLS, -allowed) < _MIN_TURN_DIFFERENCE, plausibility, -np.inf)
    best = int(plausibility.argmax())
    if plausibility[best] < MIN_PLAUSIBILITY_DAMAGED:
        return None
    others = np.where(_angle_between(ROLLS, float(ROLLS[best])) > _MIN_TURN_DIFFERENCE, plausibility, -np.inf)
    second = int(others.argmax())
    face = _face_at(copy, group, best)
    rival = _face_at(copy, group, second) if others[second] > plausibility[best] - MIN_MARGIN else None
    return Head(face, float(plausibility[best]), rival)


def _face_at(copy: Pixels, group: Group, roll: int) -> Face:
    """The face of a head at the turn ``ROLLS[roll]``, from a detection in which it is upright where there is one."""
    profile = max((profile for _, profile in group), key=lambda profile: float(profile.plausibility[roll]))
    guess = _face(profile.points[roll], None, float(profile.confidence[roll]))
    for detection in sorted((detection for detection, _ in group), key=lambda detection: -detection.confidence):
        if (detection.box[:2] < 0).any() or (detection.box[2:] > copy.shape[1::-1]).any():
            continue  # the detector stretches a face that the border cuts off, so its points are wrong
        face = _face(detection.points, _box(detection.box), detection.confidence)
        if max(_angle_between(face.roll, -detection.turn), _angle_between(face.roll, guess.roll)) < _MAX_TILT:
            return face
    return _detect_upright(copy, guess) or guess


def _detect_upright(copy: Pixels, guess: Face) -> Face | None:
    """Detect the face again in a crop that is turned so that it is upright; None where it is not detected there."""
    quad = faces.quad(guess)
    around = quad.mean(axis=0) + _UPRIGHT_SCALE * (quad - quad.mean(axis=0))
    picture = faces.align(copy, np.zeros(copy.shape[:2], np.bool_), around, _UPRIGHT_SIDE).pixels
    expected = faces.to_crop(_points(guess), around)
    scale, best, least = faces.side(around), None, _MAX_POINT_SHIFT
    for detection in turns.detect(picture, _UPRIGHT_SMALLEST):
        shift = np.hypot(*(detection.points / _UPRIGHT_SIDE - expected).mean(axis=0))
        if shift < least:
            best, least = detection, float(shift)
    if best is None:
        return None
    corners = best.box.reshape(2, 2) / _UPRIGHT_SIDE
    face = _face(faces.to_photo(best.points / _UPRIGHT_SIDE, around), None, best.confidence)
    x, y = faces.to_photo(corners.mean(axis=0, keepdims=True), around)[0].tolist()
    w, h = ((corners[1] - corners[0]) * scale).tolist()
    w, h = (h, w) if face.turn in (90, 270) else (w, h)
    return replace(face, box=(x - w / 2, y - h / 2, w, h))


def _face(points: NDArray[np.floating], box: Box | None, confidence: float) -> Face:
    """The face with these points. box: None: that of an average face."""
    five = np.asarray(points, np.float32)
    return Face(faces.average_box(five) if box is None else box, five, confidence, faces.yaw(five))


def _points(face: Face) -> NDArray[np.floating]:
    return faces.average_five(face.box) if face.points is None else face.points


def _box(corners: NDArray[np.float64]) -> Box:
    left, top, right, bottom = corners.tolist()
    return left, top, right - left, bottom - top


def _angle_between(a: NDArray[np.floating] | NDArray[np.integer] | float, b: float) -> NDArray[np.float64]:
    """Degrees between two turns, 0 to 180."""
    return np.abs((np.asarray(a, np.float64) - b + 180) % 360 - 180)
