"""Where the face is: detected, one of several by its number, in a box, or at its five points, as the user says.

A face that the user marks by its points may be turned, upside down, or partly out of the photo: nothing is detected.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceinp.common.deprecation import warn
from faceinp.errors import NoFaceError
from faceinp.face import detection, faces
from faceinp.face.faces import Box, Face, Hole, Pixels, common_area
from faceinp.face.heads import Turn

P = ParamSpec("P")
R = TypeVar("R")

POINTS_HELP = (
    "Give left eye, right eye, nose, left and right corner of the mouth, in pixels, as seen on an upright face"
)
# Shares of a hole, within the box of a large face and within the crops of all large ones, from which on small faces
# need not be looked for.
MIN_HOLE_SHARE, MIN_SHARE_NEAR = 0.5, 0.9
MAX_SIDES = 8  # of the photo's long side: a face that is larger is a mistake, and its crop would take all memory
# What is no face at all: nothing could be known of it, so nobody could be told from it.
MIN_SIDE = 8  # pixels of a face's box
MAX_RATIO = 4  # of the sides of a box
MIN_INSIDE = 0.1  # of a box, within the photo
MIN_IOU = 0.2  # of a detected face and a box, at least


@dataclass(frozen=True, eq=False)
class FaceLocation:
    """Where the face of a photo is. Make one with ``aligned``, ``number``, ``box``, ``points`` or ``of``; without one
    the faces under the mask are meant.
    """

    kind: Literal["aligned", "number", "box", "points", "face"]
    value: Any = None

    def __post_init__(self) -> None:
        sound = {
            "aligned": self.value is None,
            "number": isinstance(self.value, int),
            "box": isinstance(self.value, tuple),
            "points": isinstance(self.value, np.ndarray),
            "face": isinstance(self.value, Face),
        }
        if not sound.get(self.kind):
            raise NoFaceError(
                f"There is no face location {self.kind!r:.80} of that. Make one with FaceLocation.aligned(), "
                ".number(2), .box(x, y, width, height), .points(five) or .of(face)."
            )

    @classmethod
    def aligned(cls) -> "FaceLocation":
        """The photo is a square face crop already, aligned as FFHQ's are (Karras et al. 2019, appendix A)."""
        return cls("aligned")

    @classmethod
    def number(cls, number: int) -> "FaceLocation":
        """One of ``find_faces``, counted from 1, the largest. Raises NoFaceError below 1."""
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise NoFaceError(f"A face's number is 1 (the largest) or more, got {number!r:.80}. Count from 1.")
        return cls("number", int(number))

    @classmethod
    def box(cls, x: float, y: float, width: float, height: float) -> "FaceLocation":
        """The face inside a box, best from brows to chin, in photo pixels; it may reach out of the photo.

        x, y: the box's upper left corner. width, height: 8 or more, neither more than 4 times the other. Raises
        NoFaceError for what is no such box.
        """
        return cls("box", _box((x, y, width, height)))

    @classmethod
    def points(cls, points: Any) -> "FaceLocation":
        """A face that may be turned, upside down or partly out of the photo.

        points: (5, 2), x and y in photo pixels: left eye, right eye, nose, left and right mouth corner, as seen on an
        upright face. Raises NoFaceError for what is not five finite pairs.
        """
        return cls("points", _five(points))

    @classmethod
    def of(cls, face: Face) -> "FaceLocation":
        """A face that ``find_faces`` returned."""
        return cls("face", face)

    @classmethod
    def from_json(cls, value: Any) -> "FaceLocation":
        """From one of {"aligned": true}, {"number": 2}, {"box": [x, y, width, height]}, {"points": [[x, y], ...]}.

        Raises NoFaceError for anything else.
        """
        if isinstance(value, dict) and len(value) == 1:
            ((kind, stated),) = value.items()
            if kind == "aligned" and stated is True:
                return cls.aligned()
            if kind == "number":
                return cls.number(stated)
            if kind == "box":
                return cls("box", _box(stated))
            if kind == "points":
                return cls.points(stated)
        raise NoFaceError(
            f"A face's location is not {value!r:.80}. Write one of "
            '{"aligned": true}, {"number": 2}, {"box": [x, y, width, height]}, {"points": [[x, y], ...]}.'
        )


class Located(NamedTuple):
    """faces: those to fill, the least hidden first; none where the mask touches none. found: all that were detected on
    the way.
    """

    faces: tuple[Face, ...]
    found: tuple[Face, ...] = ()


def as_location(face: Any) -> FaceLocation | None:
    """What ``fill`` takes as ``face``: a FaceLocation, a Face, or None. Raises NoFaceError for anything else."""
    if face is None or isinstance(face, FaceLocation):
        return face
    if isinstance(face, Face):
        return FaceLocation.of(face)
    raise NoFaceError(f"face must be a FaceLocation or a Face of find_faces, got {face!r:.80}.")


def location_as_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: aligned=True, box=, points= and a number as face= become face=FaceLocation..., with a
    DeprecationWarning. 68 points of a function that takes ``landmarks`` become these.

    The signature stays that of ``function``, so that a type checker reports each of these keywords.
    """

    @functools.wraps(function)
    def accepting(*args: Any, **keywords: Any) -> Any:
        former: dict[str, Any] = {name: keywords.pop(name) for name in ("aligned", "box", "points") if name in keywords}
        if isinstance(keywords.get("face"), int):
            former["face"] = keywords.pop("face")
        former = {name: value for name, value in former.items() if value is not None and value is not False}
        if np.shape(former.get("points", ())) == (68, 2):
            keywords["landmarks"] = former.pop("points")
            warn("points= is deprecated for 68 points. Write landmarks=.")
        stated = [*former, *(["face"] if keywords.get("face") is not None else [])]
        if len(stated) > 1:
            raise NoFaceError(f"Specify the face only once: got {' and '.join(stated)}.")
        for name, value in former.items():
            if name == "aligned":
                keywords["face"], better = FaceLocation.aligned(), "aligned()"
            elif name == "face":
                keywords["face"], better = FaceLocation.number(value), f"number({value})"
            elif name == "box":
                keywords["face"], better = FaceLocation.from_json({"box": value}), "box(x, y, width, height)"
            else:
                keywords["face"], better = FaceLocation.points(value), "points(...)"
            warn(f"{name}= is deprecated. Write face=FaceLocation.{better}.")
        return function(*args, **keywords)

    return accepting


def locate(pixels: Pixels, hole: Hole | None, location: FaceLocation | None, turn: Turn = "auto") -> Located:
    """The faces to fill of a photo that is not aligned.

    pixels: uint8 (H, W, 3). hole: bool (H, W), which chooses where ``location`` does not; None: the largest face.
    Raises NoFaceError where ``location`` or ``turn`` fits nothing, and where the turn is uncertain.
    """
    if location is not None and location.kind != "number":
        if location.kind == "points":
            return Located((face_from_points(pixels, location.value),))
        if location.kind == "box":
            return Located((face_from_box(pixels, location.value, hole, turn),))
        _check_inside(_box(location.value.box), pixels)
        return Located((location.value,))
    if location is None:  # nobody counts them: where a large face is plainly meant, small ones need not be found
        found = detection.find_large_faces(pixels, hole, turn)
        if found and (hole is None or _plain(found, hole)):
            return _chosen(found, hole)
    found = detection.find_faces(pixels, hole, turn)
    if location is None:
        return _chosen(found, hole)
    if hole is None:
        return Located((numbered(found, location.value),), found)
    # Faces are numbered as they are without a mask; of these and with it, the same face is the one in the same place.
    plain = detection.find_faces(pixels, None, turn)
    chosen = numbered(plain if location.value <= len(plain) else found, location.value)
    nearest = max(found, key=lambda face: _intersection_over_union(face.box, chosen.box), default=chosen)
    chosen = nearest if _intersection_over_union(nearest.box, chosen.box) > MIN_IOU else chosen
    others = (face for face in detection.faces_under(found, hole) if face is not chosen)
    return Located((chosen, *others), found)


def _plain(found: Sequence[Face], hole: Hole) -> bool:
    """Whether these large faces are plainly the ones meant."""
    largest = max(detection.share_within(face.box, hole) for face in found)
    return largest >= MIN_HOLE_SHARE and detection.share_near(found, hole) >= MIN_SHARE_NEAR


def _chosen(found: Sequence[Face], hole: Hole | None) -> Located:
    chosen = tuple(found[:1]) if hole is None else detection.faces_under(found, hole)
    return Located(chosen, tuple(found))


def numbered(found: Sequence[Face], number: int) -> Face:
    """Face ``number`` of those found, counted from 1. Raises NoFaceError where there are not so many."""
    if number <= len(found):
        return found[number - 1]
    if not found:
        raise no_face()
    there_are = "There is 1 face" if len(found) == 1 else f"There are {len(found)} faces"
    raise NoFaceError(f"{there_are} in the photo, no face {number}. Choose 1 (the largest) to {len(found)}.")


def no_face() -> NoFaceError:
    """The error where a face is needed and none was found."""
    return NoFaceError(
        "No face was found in the photo. Specify where it is with --box X,Y,W,H (face=FaceLocation.box in Python) or "
        "with its five --points (FaceLocation.points); use --turn (turn=) if the photo lies on its side or upside "
        "down, and --aligned (FaceLocation.aligned) if it is nothing but an aligned face."
    )


def face_from_box(pixels: Pixels, box: Box, hole: Hole | None = None, turn: Turn = "auto") -> Face:
    """The face in a box that the user drew around it (brows to chin is best).

    pixels, hole, turn: as in ``detection.find_faces``. box: x, y, width, height in photo pixels; it may reach out of
    the photo. Where no face is found in the box, one of average proportions is assumed (confidence 0, yaw 0), turned as
    ``turn`` says. Raises NoFaceError when the box lies outside of the photo.
    """
    height, width = pixels.shape[:2]
    x, y, w, h = box
    if max(w, h) > MAX_SIDES * max(width, height):
        raise NoFaceError(
            f"The box is {w:g} x {h:g} pixels, far larger than the photo of {width} x {height}. Draw it around the "
            "face."
        )
    _check_inside(box, pixels)
    top, left = int(max(0, y - h / 2)), int(max(0, x - w / 2))
    around = np.s_[top : int(np.ceil(y + h * 1.5)), left : int(np.ceil(x + w * 1.5))]
    local = (x - left, y - top, w, h)
    found = detection.find_faces(pixels[around], None if hole is None else hole[around], turn)
    likely = [(share, face) for face in found if (share := _intersection_over_union(face.box, local)) > MIN_IOU]
    if not likely:
        return _assumed(box, 0 if turn == "auto" else turn)
    best = max(likely, key=lambda pair: pair[0])[1]
    points = None if best.points is None else best.points + np.array([left, top], np.float32)
    return replace(best, box=(best.box[0] + left, best.box[1] + top, *best.box[2:]), points=points)


def face_from_points(pixels: Pixels, five: NDArray[np.float32]) -> Face:
    """The face whose five points the user gave: nothing is detected, so any turn and any part of a face will do.

    pixels: uint8 (H, W, 3). five: (5, 2), x and y in photo pixels, in the order of ``Face.points``; they may lie out
    of the photo. The confidence is 0, the box a guess. Raises NoFaceError for what cannot be a face of this photo.
    """
    height, width = pixels.shape[:2]
    across, down = five[1] - five[0], five[3:].mean(axis=0) - five[:2].mean(axis=0)
    if across[0] * down[1] - across[1] * down[0] < 1:  # the eyes' line, turned clockwise, must point to the mouth
        raise NoFaceError(
            f"These points do not form a face: left and right are swapped, or the points are collinear. {POINTS_HELP}."
        )
    face = Face(faces.typical_box(five), five, 0.0, faces.yaw(five))
    if min(face.box[2:]) < MIN_SIDE:
        raise NoFaceError(f"The points make a face of less than {MIN_SIDE} pixels. {POINTS_HELP}.")
    low, high = faces.quad(face).min(axis=0), faces.quad(face).max(axis=0)
    if faces.side(faces.quad(face)) > MAX_SIDES * max(width, height):
        raise NoFaceError(f"The points make a face far larger than the photo of {width} x {height}. {POINTS_HELP}.")
    if (high <= 0).any() or (low >= (width, height)).any():
        raise NoFaceError(f"The points lie outside of the photo, which is {width} x {height} pixels. {POINTS_HELP}.")
    return face


def _assumed(box: Box, turn: int) -> Face:
    """An average face in the box, which stands upright once the photo is turned by ``turn`` degrees clockwise."""
    x, y, w, h = box
    centre = np.array([x + w / 2, y + h / 2])
    upright = (x, y, w, h) if turn % 180 == 0 else (centre[0] - h / 2, centre[1] - w / 2, h, w)
    angle = -np.radians(turn)  # back from upright to how the photo lies
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (faces.typical_points(upright) - centre) @ rotation.T + centre
    return Face(box, points.astype(np.float32), 0.0, 0.0)


def _check_inside(box: Box, pixels: Pixels) -> None:
    """Raise NoFaceError where hardly any of a face's box lies within the photo."""
    height, width = pixels.shape[:2]
    x, y, w, h = box
    if common_area(box, (0, 0, width, height)) < MIN_INSIDE * w * h:
        raise NoFaceError(
            f"The box {x:g},{y:g},{w:g},{h:g} marks next to nothing of the photo, which is {width} x {height} pixels. "
            "Give left, top, width, height in pixels of the photo."
        )


def _box(box: Any) -> Box:
    """Raises NoFaceError for what is not four finite numbers, or a box that holds no face."""
    try:
        values = np.asarray(box, np.float64)
    except (TypeError, ValueError) as error:
        raise NoFaceError(f"A box is four numbers, x, y, width, height in pixels of the photo ({error}).") from error
    if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] < MIN_SIDE).any():
        raise NoFaceError(
            "A box is four numbers, x, y, width, height in pixels of the photo, width and height "
            f"{MIN_SIDE} or more; got {box}."
        )
    x, y, w, h = values.tolist()
    if max(w, h) > MAX_RATIO * min(w, h):
        shape = "flat" if w > h else "narrow"
        raise NoFaceError(f"A box of {w:g} x {h:g} pixels is too {shape} for a face. Draw it from brows to chin.")
    return x, y, w, h


def _five(points: Any) -> NDArray[np.float32]:
    try:
        five = np.asarray(points, np.float32)
    except (TypeError, ValueError) as error:
        raise NoFaceError(f"The points of the face are not numbers ({error}). {POINTS_HELP}.") from error
    if five.shape != (5, 2) or not np.isfinite(five).all():
        raise NoFaceError(f"The points of the face are not five finite pairs, but {five.shape}. {POINTS_HELP}.")
    return five


def _intersection_over_union(a: Box, b: Box) -> float:
    common = common_area(a, b)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
