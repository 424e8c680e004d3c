"""Where the face is: found, one of several by its number, in a box, or by its five points, as the user says.

Given by hand, a face may be turned, upside down, or partly out of the photo: nothing needs to be found then.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faceinp import faces
from faceinp.errors import NoFaceError
from faceinp.faces import Face, Hole, Pixels

Box = tuple[float, float, float, float]

_FIVE = "Give left eye, right eye, nose, left and right corner of the mouth, in pixels, as seen on an upright face"
_PLAIN = 0.5  # share of a hole within the box of a large face, from which on that face is the one meant
_ALIKE = 0.2  # share that a found face and a box have in common, of both together, at least


@dataclass(frozen=True, eq=False)
class Place:
    """Where the face is; of the four one at most, else it is looked for.

    aligned: the photo is a square face crop. face: number of the face, 1 being the largest, or one that was found
    before. box: x, y, width, height around it, in photo pixels. points: (5, 2), its points as in ``Face``, in photo
    pixels; anything NumPy takes.
    """

    aligned: bool = False
    face: int | Face | None = None
    box: Box | None = None
    points: Any = None

    def __post_init__(self) -> None:
        given = [name for name, value in vars(self).items() if value is not None and value is not False]
        if len(given) > 1:
            raise NoFaceError(f"Where the face is was said more than once: {', '.join(given)}. Leave one of them.")


def locate(pixels: Pixels, hole: Hole | None, place: Place) -> tuple[Face, tuple[Face, ...]]:
    """The face of a photo that is not aligned, and those that were found on the way; none where it was given by hand.

    pixels: uint8 (H, W, 3). hole: bool (H, W), which chooses where nothing else does; None: the largest face.
    Raises NoFaceError when there is none, or what was given is none.
    """
    if place.points is not None:
        return face_from_points(pixels, place.points), ()
    if place.box is not None:
        return face_from_box(pixels, place.box, hole), ()
    if isinstance(place.face, Face):
        return place.face, ()
    if place.face is None:  # nobody counts them: where a large face is plainly meant, small ones need not be found
        found = faces.find_large_faces(pixels)
        if any(hole is None or faces.share_within(face.box, hole) >= _PLAIN for face in found):
            return faces.choose(found, hole), found
    found = faces.find_faces(pixels, hole)
    return faces.choose(found, hole, place.face), found


def face_from_box(pixels: Pixels, box: Box, hole: Hole | None = None) -> Face:
    """The face in a box that the user drew around it (brows to chin is best).

    pixels, hole: as in ``faces.find_faces``. box: x, y, width, height in photo pixels; it may reach out of the photo.
    Where no face is found in the box, an upright one of average proportions is assumed (confidence 0, yaw 0).
    Raises NoFaceError when the box is empty or outside of the photo.
    """
    height, width = pixels.shape[:2]
    values = np.asarray(box, np.float64)
    if values.shape != (4,):
        raise NoFaceError(f"A box is four numbers, x, y, width, height in pixels of the photo; these are {box}.")
    x, y, w, h = values.tolist()
    sound = bool(np.isfinite(values).all()) and w >= 1 and h >= 1
    if not sound or x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise NoFaceError(
            f"The box {x:g},{y:g},{w:g},{h:g} marks no part of the photo, which is {width} x {height} pixels. "
            "Give left, top, width, height in pixels of the photo."
        )
    top, left = int(max(0, y - h / 2)), int(max(0, x - w / 2))
    around = np.s_[top : int(np.ceil(y + h * 1.5)), left : int(np.ceil(x + w * 1.5))]
    local = (x - left, y - top, w, h)
    found = faces.find_faces(pixels[around], None if hole is None else hole[around])
    likely = [(share, face) for face in found if (share := _intersection_over_union(face.box, local)) > _ALIKE]
    if not likely:
        return Face((x, y, w, h), faces.typical_points((x, y, w, h)), 0.0, 0.0)
    best = max(likely, key=lambda pair: pair[0])[1]
    points = None if best.points is None else best.points + np.array([left, top], np.float32)
    return replace(best, box=(best.box[0] + left, best.box[1] + top, *best.box[2:]), points=points)


def face_from_points(pixels: Pixels, points: Any) -> Face:
    """The face whose five points the user gave: nothing is looked for, so any turn and any part of a face will do.

    pixels: uint8 (H, W, 3). points: (5, 2), x and y in photo pixels, in the order of ``Face.points``; they may lie out
    of the photo. The confidence is 0, the box a guess. Raises NoFaceError for what cannot be a face of this photo.
    """
    height, width = pixels.shape[:2]
    try:
        five = np.asarray(points, np.float32)
    except (TypeError, ValueError) as error:
        raise NoFaceError(f"The points of the face are no numbers ({error}). {_FIVE}.") from error
    if five.shape != (5, 2) or not np.isfinite(five).all():
        raise NoFaceError(f"The points of the face are not five finite pairs, but {five.shape}. {_FIVE}.")
    across, down = five[1] - five[0], five[3:].mean(axis=0) - five[:2].mean(axis=0)
    if across[0] * down[1] - across[1] * down[0] < 1:  # the eyes' line, turned clockwise, must point to the mouth
        raise NoFaceError(f"The points make no face: its left and right are exchanged, or they are on a line. {_FIVE}.")
    face = Face(faces.typical_box(five), five, 0.0, faces.yaw(five))
    low, high = faces.quad(face).min(axis=0), faces.quad(face).max(axis=0)
    if (high <= 0).any() or (low >= (width, height)).any():
        raise NoFaceError(f"The points lie outside of the photo, which is {width} x {height} pixels. {_FIVE}.")
    return face


def _intersection_over_union(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
