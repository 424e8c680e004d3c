"""Presets on photos: a preset of the crop around a face, put on the photo."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceinp.face import faces
from faceinp.face.face_location import FaceLocation, as_location, locate, location_as_keywords, no_face
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.mask import presets
from faceinp.mask.masks import Mask
from faceinp.photo.arrays import Bools
from faceinp.photo.photos import Photo

Points = NDArray[np.floating[Any]]

MAX_SIDE = 1024  # pixels, at which a preset for a photo is made


def on_photo(name: str, quad: Points, shape: tuple[int, ...], points: Points | None = None, seed: int = 0) -> Bools:
    """The preset ``name`` of the crop at ``quad``, on the photo: bool (H, W), False outside of the crop.

    quad: (4, 2), see ``faces.quad``. shape: the photo's (H, W, ...). points: the landmarks, (68, 2), in pixels of the
    photo. The preset is made at the crop's size in the photo, at most 1024 pixels; each photo pixel takes the nearest
    value.
    """
    corners = np.asarray(quad, np.float64)
    size = int(np.clip(round(faces.side(corners)), 1, MAX_SIDE))
    across, down = (corners[3] - corners[0]) / size, (corners[1] - corners[0]) / size
    to_photo = np.column_stack([across, down, corners[0]])
    to_crop = cv2.invertAffineTransform(to_photo)
    local = None if points is None else np.asarray(points, np.float64) @ to_crop[:, :2].T + to_crop[:, 2]
    hole = presets.make(name, (size, size), points=local, seed=seed).astype(np.uint8)
    to_photo[:, 2] += (across + down) / 2 - 0.5  # pixel numbers: half a pixel less than coordinates
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(hole, cv2.invertAffineTransform(to_photo), (shape[1], shape[0]), flags=flags)
    return np.asarray(warped) > 0


@location_as_keywords
def make_preset(
    name: str,
    photo: Photo,
    *,
    face: FaceLocation | Face | None = None,
    turn: Turn = "auto",
    landmarks: ArrayLike | None = None,
    seed: int = 0,
) -> Mask:
    """The preset ``name`` on a face of ``photo``, as a mask for ``fill``; without ``face``, on the largest face.

    face, turn: as for ``fill``. landmarks: the face's, (68, 2), in pixels of the photo, in dlib's order. Without them
    those of an average face are fitted to the face's five points, which the mask's ``about`` mentions. Raises
    MaskError, NoFaceError, or PhotoError for an aligned photo that is not square.
    """
    check_turn(turn)
    location, five = as_location(face), None
    presets.check_name(name)
    about = f"the preset {name}: {presets.describe(name)}"
    if location is not None and location.kind == "aligned":
        quad = faces.whole_quad(photo.pixels.shape, 0 if turn == "auto" else turn)
    else:
        located, detected = locate(photo.pixels, None, location, turn)
        if not located:
            raise no_face()
        quad, five = faces.quad(located[0]), located[0].points
        if len(detected) > 1 and location is None:
            about += f", on the largest of {len(detected)} faces"
    points = None if landmarks is None else np.asarray(landmarks, np.float64)
    if points is None and name in presets.OF_FACES:
        corners = np.column_stack([quad[3] - quad[0], quad[1] - quad[0]])  # of a crop one pixel wide
        local = None if five is None else (five - quad[0]) @ np.linalg.inv(corners).T
        points = presets.average_points(1, local) @ corners.T + quad[0]
        about += ", with the landmarks of an average face"
    return Mask(on_photo(name, quad, (photo.height, photo.width), points, seed), about)
