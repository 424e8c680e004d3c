"""The 68 landmarks of a photo's face, for shards: known ones of a file, or a predictor's. In dlib's order."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError
from faceinp.face import faces, landmark_predictor
from faceinp.models import pretrained
from faceinp.models.runtimes import shared
from faceinp.photo.arrays import to_picture
from faceinp.train.datasets.photo_files import PhotoFiles

PREDICTORS = ("own", "dlib")
# Where dlib's detector sees a face in its crop, in shares of the side (left, top, right, bottom): medians of 356
# pictures of three sets, made symmetric. dlib's predictor starts from that box.
_DLIB_BOX = (0.207, 0.305, 0.793, 0.895)
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Predictor:
    """side: of the crop that it takes. predict: uint8 (side, side, 3) RGB -> float32 (68, 2) in shares of the side."""

    side: int
    predict: Callable[[NDArray[np.uint8]], Points]


def predictor(name: str) -> Predictor:
    """ "own", the shipped predictor, or "dlib". Raises WeightsError, MissingPackageError."""
    return _own() if name == "own" else _dlib()


def _own() -> Predictor:
    session = shared("landmarks")
    no_hole = np.zeros((1, 1, landmark_predictor.SIZE, landmark_predictor.SIZE), np.bool_)

    def predict(crop: NDArray[np.uint8]) -> Points:
        return landmark_predictor.predict(to_picture(crop[None]), no_hole, session)[0]

    return Predictor(landmark_predictor.SIZE, predict)


def _dlib() -> Predictor:
    file = pretrained.dlib_file("shape_predictor_68_face_landmarks.dat")
    import dlib

    network = dlib.shape_predictor(str(file))
    side = 512  # its points are whole pixels

    def predict(crop: NDArray[np.uint8]) -> Points:
        box = dlib.rectangle(*(round(side * share) for share in _DLIB_BOX))
        parts = network(np.ascontiguousarray(crop), box).parts()
        return np.array([(part.x + 0.5, part.y + 0.5) for part in parts], np.float32) / np.float32(side)

    return Predictor(side, predict)


# ---- known points ----


def beside(files: PhotoFiles, name: str) -> Points | None:
    """The 68 points of ``NAME.pts``, a 300-W landmark file beside the photo of that name, (68, 2) in its pixels; None
    where there is none.
    """
    file = f"{name.rpartition('.')[0]}.pts"
    try:
        text = files.read(file).decode(errors="replace")
    except (KeyError, FileNotFoundError):
        return None
    match = re.search(r"\{(.*)\}", text, re.DOTALL)
    points = _numbers(match[1].split() if match else [])
    if points is None:
        raise DataError(f"{files.root / file} does not hold 68 points. Mend it, or take it away.")
    return points - 0.5  # 300-W counts pixels from 1, and means their centres


def table(file: str | Path, names: Sequence[str]) -> dict[str, Points]:
    """The rows of a CSV (name, x1, y1 ... x68, y68; a head is allowed) by the photo's name among ``names``.

    A row's name is that of the photo in its folder or archive, or the last part of it where one photo has that. Points
    are in pixels of the upright photo, whose left upper corner is 0, 0. Raises DataError.
    """
    last = Counter(name.rpartition("/")[2] for name in names)
    by_row = {name.rpartition("/")[2]: name for name in names} | {name: name for name in names}
    points: dict[str, Points] = {}
    with open(file, newline="", encoding="utf-8-sig", errors="replace") as rows:
        for number, row in enumerate(csv.reader(rows), start=1):
            if not row or (name := by_row.get(row[0].strip())) is None:
                continue
            if "/" in name and row[0].strip() != name and last[row[0].strip()] > 1:
                raise DataError(
                    f"{file}, line {number}: several photos are called {row[0]}. Put their folders before it."
                )
            numbers = _numbers(row[1:])
            if numbers is None or name in points:
                problem = "a photo has one row" if name in points else "a row is a name and 136 numbers"
                raise DataError(f"{file}, line {number}: {problem}. Mend it, or choose other --points.")
            points[name] = numbers
    if not points:
        raise DataError(
            f"No row of {file} names a photo of SOURCE, such as {names[0]}. Rows are name, x1, y1 ... x68, y68."
        )
    return points


def _numbers(words: Sequence[str]) -> Points | None:
    try:
        numbers = np.array(words, np.float32).reshape(68, 2)
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def five(points: Points) -> Points:
    """Eyes, tip of the nose and corners of the mouth, (5, 2), of 68 points, such that ``faces.quad`` cuts FFHQ's crop.

    That expects the eyes where the detector sees them, not the means of the six points.
    """
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    across = (right - left) / (1 - 2 * faces.EYES_INWARD)
    off = faces.EYES_INWARD * across + faces.EYES_DOWN * np.array([-across[1], across[0]])
    inward = 2 * faces.EYES_INWARD * across
    return np.stack([left - off, right - off + inward, points[30], points[48], points[54]]).astype(np.float32)
