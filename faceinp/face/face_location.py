"""Find the face that the user means: any face under the mask, one of several by number, one in a box or at five points.

A face given by its points may be turned, upside down, or partly outside the photo: the detector does not run.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceinp.deprecation import warn
from faceinp.errors import NoFaceError
from faceinp.face import detection, faces
from faceinp.face.faces import Box, Face, Hole, common_area
from faceinp.face.heads import Turn
from faceinp.photo.arrays import Pixels

P = ParamSpec("P")
R = TypeVar("R")

POINTS_HELP = "Specify left eye, right eye, nose, left and right mouth corner, in pixels, as seen on an upright face"
# The search for small faces is left out where large ones contain enough of the hole.
MIN_SHARE_IN_BOX = 0.5  # of the hole, in the box of one large face
MIN_SHARE_IN_CROPS = 0.9  # of the hole, in the crops of all large faces
MAX_SIDES = 8  # side of a face in long sides of the photo; the crop of a larger one would need too much memory
MIN_SIDE = 8  # pixels of a face's box
MAX_RATIO = 4  # of the sides of a box
MIN_INSIDE = 0.1  # share of a box that lies within the photo
MIN_IOU = 0.2  # of a detected face and a box that are the same face
_DEPRECATED = ("aligned", "box", "points")  # keywords that became FaceLocation


@dataclass(frozen=True, eq=False)
class FaceLocation:
    """Which face of a photo is meant, and where it is.

    Make one with ``aligned``, ``number``, ``box``, ``points`` or ``of``. Without a FaceLocation, all faces under the
    mask are meant.
    """

    kind: Literal["aligned", "number", "box", "points", "face"]
    value: Any = None

    def __post_init__(self) -> None:
        valid = {
            "aligned": self.value is None,
            "number": isinstance(self.value, int),
            "box": isinstance(self.value, tuple),
            "points": isinstance(self.value, np.ndarray),
            "face": isinstance(self.value, Face),
        }
        if not valid.get(self.kind):
            raise NoFaceError(
                f"FaceLocation({self.kind!r:.80}, ...) is not valid. Make one with FaceLocation.aligned(), "
                ".number(2), .box(x, y, width, height), .points(five) or .of(face)."
            )

    @classmethod
    def aligned(cls) -> "FaceLocation":
        """The photo is a square face crop, aligned like FFHQ's (Karras et al. 2019, appendix A)."""
        return cls("aligned")

    @classmethod
    def number(cls, number: int) -> "FaceLocation":
        """A face of ``find_faces``, counted from 1, the largest. Raises NoFaceError below 1."""
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise NoFaceError(f"The number of a face must be 1 (the largest) or more, got {number!r:.80}.")
        return cls("number", int(number))

    @classmethod
    def box(cls, x: float, y: float, width: float, height: float) -> "FaceLocation":
        """The face in a box, best from brows to chin; the box may extend beyond the photo.

        x, y: the box's upper left corner. width, height: 8 or more, neither more than 4 times the other. All in photo
        pixels. Raises NoFaceError for other values.
        """
        return cls("box", _box((x, y, width, height)))

    @classmethod
    def points(cls, points: Any) -> "FaceLocation":
        """The face at five points; it may be turned, upside down or partly outside the photo.

        points: (5, 2), x and y in photo pixels: left eye, right eye, nose, left and right mouth corner, as seen on an
        upright face. Raises NoFaceError for another shape and for values that are not finite.
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
            ((kind, content),) = value.items()
            if kind == "aligned" and content is True:
                return cls.aligned()
            if kind == "number":
                return cls.number(content)
            if kind == "box":
                return cls("box", _box(content))
            if kind == "points":
                return cls.points(content)
        raise NoFaceError(
            f"{value!r:.80} is not a face location. Write one of "
            '{"aligned": true}, {"number": 2}, {"box": [x, y, width, height]}, {"points": [[x, y], ...]}.'
        )


class Located(NamedTuple):
    """faces: the faces to fill, the least hidden first; empty where the mask touches none. detected: all faces that the
    detector reported.
    """

    faces: tuple[Face, ...]
    detected: tuple[Face, ...] = ()


def as_location(face: Any) -> FaceLocation | None:
    """The argument ``face`` of ``fill`` as a location. Raises NoFaceError unless it is a FaceLocation, Face or None."""
    if face is None or isinstance(face, FaceLocation):
        return face
    if isinstance(face, Face):
        return FaceLocation.of(face)
    raise NoFaceError(f"face must be a FaceLocation or a Face of find_faces, got {face!r:.80}.")


def location_as_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: aligned=True, box=, points= and a number as face= become face=FaceLocation..., with a
    DeprecationWarning. Where points= is 68 landmarks, it becomes landmarks=.

    The signature stays that of ``function``, so that a type checker reports each of these keywords.
    """

    @functools.wraps(function)
    def accepting(*args: Any, **keywords: Any) -> Any:
        deprecated: dict[str, Any] = {name: keywords.pop(name) for name in _DEPRECATED if name in keywords}
        if isinstance(keywords.get("face"), int):
            deprecated["face"] = keywords.pop("face")
        deprecated = {name: value for name, value in deprecated.items() if value is not None and value is not False}
        if np.shape(deprecated.get("points", ())) == (68, 2):
            keywords["landmarks"] = deprecated.pop("points")
            warn("points= is deprecated for 68 points. Write landmarks=.")
        specified = [*deprecated, *(["face"] if keywords.get("face") is not None else [])]
        if len(specified) > 1:
            raise NoFaceError(f"Specify the face only once: got {' and '.join(specified)}.")
        for name, value in deprecated.items():
            keywords["face"], replacement = _from_deprecated(name, value)
            warn(f"{name}= is deprecated. Write face=FaceLocation.{replacement}.")
        return function(*args, **keywords)

    return accepting


def _from_deprecated(name: str, value: Any) -> tuple[FaceLocation, str]:
    """The location that a deprecated keyword means, and how it is written now."""
    if name == "aligned":
        return FaceLocation.aligned(), "aligned()"
    if name == "face":
        return FaceLocation.number(value), f"number({value})"
    if name == "box":
        return FaceLocation.from_json({"box": value}), "box(x, y, width, height)"
    return FaceLocation.points(value), "points(...)"


def locate(pixels: Pixels, hole: Hole | None, location: FaceLocation | None, turn: Turn = "auto") -> Located:
    """Find the faces to fill in a photo that is not aligned.

    pixels: uint8 (H, W, 3). hole: bool (H, W), True = hole; without ``location``, the faces under it are meant, and the
    largest face where it is None. turn: as for ``find_faces``. Raises NoFaceError where no face fits ``location`` or
    ``turn``, and where the turn is uncertain.
    """
    if location is None:
        return _locate_under(pixels, hole, turn)
    if location.kind == "number":
        return _locate_numbered(pixels, hole, location.value, turn)
    if location.kind == "points":
        return Located((face_from_points(pixels, location.value),))
    if location.kind == "box":
        return Located((face_from_box(pixels, location.value, hole, turn),))
    _check_inside(_box(location.value.box), pixels)
    return Located((location.value,))


def _locate_under(pixels: Pixels, hole: Hole | None, turn: Turn) -> Located:
    """The faces under the hole, or the largest face; small ones are searched only where large ones do not suffice."""
    detected = detection.find_large_faces(pixels, hole, turn)
    if not detected or (hole is not None and not _contain(detected, hole)):
        detected = detection.find_faces(pixels, hole, turn)
    return Located(detected[:1] if hole is None else detection.faces_under(detected, hole), detected)


def _contain(large_faces: Sequence[Face], hole: Hole) -> bool:
    """Whether large faces contain enough of the hole that no small face is meant."""
    largest = max(detection.share_within(face.box, hole) for face in large_faces)
    return largest >= MIN_SHARE_IN_BOX and detection.share_in_crops(large_faces, hole) >= MIN_SHARE_IN_CROPS


def _locate_numbered(pixels: Pixels, hole: Hole | None, number: int, turn: Turn) -> Located:
    """Face ``number`` first, then the other faces under the hole."""
    detected = detection.find_faces(pixels, hole, turn)
    if hole is None:
        return Located((numbered(detected, number),), detected)
    # The user counted the faces without a mask. With it the box of the same face overlaps that one.
    without_mask = detection.find_faces(pixels, None, turn)
    chosen = numbered(without_mask if number <= len(without_mask) else detected, number)
    nearest = max(detected, key=lambda face: _intersection_over_union(face.box, chosen.box), default=chosen)
    chosen = nearest if _intersection_over_union(nearest.box, chosen.box) > MIN_IOU else chosen
    others = (face for face in detection.faces_under(detected, hole) if face is not chosen)
    return Located((chosen, *others), detected)


def numbered(detected: Sequence[Face], number: int) -> Face:
    """Face ``number``, counted from 1, the largest. Raises NoFaceError where there are fewer faces."""
    if number <= len(detected):
        return detected[number - 1]
    if not detected:
        raise no_face()
    count, choice = (
        ("1 face", "1") if len(detected) == 1 else (f"{len(detected)} faces", f"1 (the largest) to {len(detected)}")
    )
    raise NoFaceError(f"The photo has {count}, so there is no face {number}. Choose {choice}.")


def no_face() -> NoFaceError:
    """The error where a face is needed and none was found."""
    return NoFaceError(
        "No face was found in the photo. Specify where it is with --box X,Y,W,H (face=FaceLocation.box in Python) or "
        "with its five --points (FaceLocation.points). If the photo is sideways or upside down, use --turn (turn=). If "
        "it is an aligned face crop, use --aligned (FaceLocation.aligned)."
    )


def face_from_box(pixels: Pixels, box: Box, hole: Hole | None = None, turn: Turn = "auto") -> Face:
    """The face in a box that the user drew around it (brows to chin is best).

    pixels, hole, turn: as for ``detection.find_faces``. box: x, y, width, height in photo pixels; it may extend beyond
    the photo. Where no face is found in the box, an average one is assumed (confidence 0, yaw 0), at the turn ``turn``.
    Raises NoFaceError where the box lies outside the photo.
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
    detected = detection.find_faces(pixels[around], None if hole is None else hole[around], turn)
    matches = [(iou, face) for face in detected if (iou := _intersection_over_union(face.box, local)) > MIN_IOU]
    if not matches:
        return _average_face(box, 0 if turn == "auto" else turn)
    best = max(matches, key=lambda pair: pair[0])[1]
    points = None if best.points is None else best.points + np.array([left, top], np.float32)
    return replace(best, box=(best.box[0] + left, best.box[1] + top, *best.box[2:]), points=points)


def face_from_points(pixels: Pixels, five: NDArray[np.float32]) -> Face:
    """The face at five points from the user. The detector does not run, so it may be at any turn and partly visible.

    pixels: uint8 (H, W, 3). five: (5, 2), x and y in photo pixels, in the order of ``Face.points``; they may lie
    outside the photo. The confidence is 0, the box that of an average face. Raises NoFaceError where the points are not
    those of a face in this photo.
    """
    height, width = pixels.shape[:2]
    across, down = five[1] - five[0], five[3:].mean(axis=0) - five[:2].mean(axis=0)
    if across[0] * down[1] - across[1] * down[0] < 1:  # the line of the eyes, turned clockwise, points to the mouth
        raise NoFaceError(
            f"These points do not form a face: left and right are swapped, or the points are collinear. {POINTS_HELP}."
        )
    face = Face(faces.average_box(five), five, 0.0, faces.yaw(five))
    if min(face.box[2:]) < MIN_SIDE:
        raise NoFaceError(f"The face at these points is smaller than {MIN_SIDE} pixels. {POINTS_HELP}.")
    low, high = faces.quad(face).min(axis=0), faces.quad(face).max(axis=0)
    if faces.side(faces.quad(face)) > MAX_SIDES * max(width, height):
        raise NoFaceError(
            f"The face at these points is far larger than the photo of {width} x {height} pixels. {POINTS_HELP}."
        )
    if (high <= 0).any() or (low >= (width, height)).any():
        raise NoFaceError(f"The points lie outside the photo, which is {width} x {height} pixels. {POINTS_HELP}.")
    return face


def _average_face(box: Box, turn: int) -> Face:
    """An average face in the box that is upright once the photo is turned by ``turn`` degrees clockwise."""
    x, y, w, h = box
    centre = np.array([x + w / 2, y + h / 2])
    upright = (x, y, w, h) if turn % 180 == 0 else (centre[0] - h / 2, centre[1] - w / 2, h, w)
    angle = -np.radians(turn)  # from upright back to the photo
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (faces.average_five(upright) - centre) @ rotation.T + centre
    return Face(box, points.astype(np.float32), 0.0, 0.0)


def _check_inside(box: Box, pixels: Pixels) -> None:
    """Raise NoFaceError where less than MIN_INSIDE of a face's box lies within the photo."""
    height, width = pixels.shape[:2]
    x, y, w, h = box
    if common_area(box, (0, 0, width, height)) < MIN_INSIDE * w * h:
        raise NoFaceError(
            f"The box {x:g},{y:g},{w:g},{h:g} lies outside the photo, or nearly, which is {width} x {height} pixels. "
            "Specify left, top, width, height in pixels of the photo."
        )


def _box(box: Any) -> Box:
    """The box as four floats. Raises NoFaceError for other values, and for a box that is too small, flat or narrow."""
    try:
        values = np.asarray(box, np.float64)
    except (TypeError, ValueError) as error:
        raise NoFaceError(
            f"A box must be four numbers, x, y, width, height in pixels of the photo ({error})."
        ) from error
    if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] < MIN_SIDE).any():
        raise NoFaceError(
            "A box must be four numbers, x, y, width, height in pixels of the photo, width and height at least "
            f"{MIN_SIDE}; got {box}."
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
        raise NoFaceError(f"The points of the face must be five finite pairs, got {five.shape}. {POINTS_HELP}.")
    return five


def _intersection_over_union(a: Box, b: Box) -> float:
    common = common_area(a, b)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
