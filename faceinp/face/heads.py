"""One head of a picture: which way it is turned, and its five points.

The detector's proposals say where heads are; ``mtcnn.turn_profiles`` says which of its turns is plausible.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import NoFaceError
from faceinp.face import faces
from faceinp.face import turns as mtcnn
from faceinp.face.faces import Box, Face, Pixels
from faceinp.face.turns import ROLLS, Proposal, TurnProfile

Turn = Literal["auto", 0, 90, 180, 270]

# The least plausibility (``mtcnn``) of a face: anywhere; where a hole was closed, which hides a part of what makes a
# face plausible. On 93 pictures without a face, at four turns, nothing but a part of a face reached -2.2. And how far
# the plausibility of a head's turn must be ahead of the next: less, and the turn is in doubt.
MIN_PLAUSIBILITY, MIN_DAMAGED, MIN_MARGIN = -2.0, -3.0, 1.5
_OTHER_TURN = 60  # degrees between two turns of a head, at least; nearer ones are one turn, seen twice
_STRAIGHT = 20  # degrees: what the detector says of a face tilted by less is taken as it is
# A tilted head is put upright in a picture of so many pixels, of its crop and a margin, in sides of the crop.
_UPRIGHT_SIZE, _UPRIGHT_SHARE, _UPRIGHT_FACE = 160, 1.3, 40
_SAME_FACE = 0.15  # of that picture's side, at most between the points expected and those seen
_ONE_HEAD = 0.5  # of the larger of two faces' sides: their centres are nearer, or they are two heads


@dataclass(frozen=True)
class Head:
    """A face as one copy of the photo shows it. rival: another turn of it that is nearly as plausible, or None."""

    face: Face
    plausibility: float
    rival: Face | None = None


def check_turn(turn: Any) -> None:
    """Raise NoFaceError unless ``turn`` is one of ``Turn``."""
    if not isinstance(turn, int | str) or isinstance(turn, bool) or turn not in get_args(Turn):
        raise NoFaceError(f"turn must be 0, 90, 180, 270 or 'auto' (degrees clockwise), got {turn!r:.80}.")


def search(copy: Pixels, turns: Iterable[int], allowed: Turn, smallest: int) -> list[Head]:
    """The heads of a copy of the photo, in its pixels. turns: the turns at which the copy is looked at."""
    proposals = [one for turn in turns for one in mtcnn.propose(copy, smallest, turn)]
    profiles = mtcnn.turn_profiles(copy, proposals)
    heads: list[list[tuple[Proposal, TurnProfile]]] = []
    for pair in sorted(zip(proposals, profiles, strict=True), key=lambda pair: -float(pair[1].plausibility.max())):
        same = (head for head in heads if _one_head(head[0][0], pair[0]))
        head = next(same, None)
        if head is None:
            heads.append([pair])
        else:
            head.append(pair)
    return [resolved for head in heads if (resolved := _resolve(copy, head, allowed)) is not None]


def _one_head(a: Proposal, b: Proposal) -> bool:
    return float(np.hypot(*(a.centre - b.centre))) < _ONE_HEAD * max(a.side, b.side)


def _resolve(copy: Pixels, head: list[tuple[Proposal, TurnProfile]], allowed: Turn) -> Head | None:
    """The most plausible turn of a head, as a face; None when no turn is plausible."""
    plausibility = np.max([profile.plausibility for _, profile in head], axis=0)
    if allowed != "auto":  # the photo is turned by so much, and a head is tilted by less than 60 degrees in it
        plausibility = np.where(_angle_between(ROLLS, -allowed) < _OTHER_TURN, plausibility, -np.inf)
    best = int(plausibility.argmax())
    if plausibility[best] < MIN_DAMAGED:
        return None
    others = np.where(_angle_between(ROLLS, float(ROLLS[best])) > _OTHER_TURN, plausibility, -np.inf)
    second = int(others.argmax())
    face = _straightened(copy, head, best)
    rival = _straightened(copy, head, second) if others[second] > plausibility[best] - MIN_MARGIN else None
    return Head(face, float(plausibility[best]), rival)


def _straightened(copy: Pixels, head: list[tuple[Proposal, TurnProfile]], roll: int) -> Face:
    """The face of a head at the turn number ``roll``: as the detector sees it upright."""
    profile = max((profile for _, profile in head), key=lambda profile: float(profile.plausibility[roll]))
    guess = _face(profile.points[roll], None, float(profile.confidence[roll]))
    for proposal in sorted((proposal for proposal, _ in head), key=lambda proposal: -proposal.confidence):
        if (proposal.box[:2] < 0).any() or (proposal.box[2:] > copy.shape[1::-1]).any():
            continue  # the detector stretches what is cut off by the border, and its points lie wrong
        face = _face(proposal.points, _box(proposal.box), proposal.confidence)
        if _angle_between(face.roll, -proposal.turn) < _STRAIGHT and _angle_between(face.roll, guess.roll) < _STRAIGHT:
            return face
    return _seen_upright(copy, guess) or guess


def _seen_upright(copy: Pixels, guess: Face) -> Face | None:
    """The face once more, as the detector sees it in a picture that is turned so that it stands upright."""
    quad = faces.quad(guess)
    around = quad.mean(axis=0) + _UPRIGHT_SHARE * (quad - quad.mean(axis=0))
    picture = faces.align(copy, np.zeros(copy.shape[:2], np.bool_), around, _UPRIGHT_SIZE).pixels
    expected = faces.to_crop(_points(guess), around)
    scale, best, least = faces.side(around), None, _SAME_FACE
    for proposal in mtcnn.propose(picture, _UPRIGHT_FACE):
        shift = np.hypot(*(proposal.points / _UPRIGHT_SIZE - expected).mean(axis=0))
        if shift < least:
            best, least = proposal, float(shift)
    if best is None:
        return None
    corners = best.box.reshape(2, 2) / _UPRIGHT_SIZE
    face = _face(faces.to_photo(best.points / _UPRIGHT_SIZE, around), None, best.confidence)
    x, y = faces.to_photo(corners.mean(axis=0, keepdims=True), around)[0].tolist()
    w, h = ((corners[1] - corners[0]) * scale).tolist()
    w, h = (h, w) if face.turn in (90, 270) else (w, h)
    return replace(face, box=(x - w / 2, y - h / 2, w, h))


def _face(points: NDArray[np.floating], box: Box | None, confidence: float) -> Face:
    """box: None, where the points say all."""
    five = np.asarray(points, np.float32)
    return Face(faces.typical_box(five) if box is None else box, five, confidence, faces.yaw(five))


def _points(face: Face) -> NDArray[np.floating]:
    return faces.typical_points(face.box) if face.points is None else face.points


def _box(corners: NDArray[np.float64]) -> Box:
    left, top, right, bottom = corners.tolist()
    return left, top, right - left, bottom - top


def _angle_between(a: NDArray[np.floating] | NDArray[np.integer] | float, b: float) -> NDArray[np.float64]:
    """Degrees between two turns, 0 to 180."""
    return np.abs((np.asarray(a, np.float64) - b + 180) % 360 - 180)
