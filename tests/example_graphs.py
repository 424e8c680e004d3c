"""What the tests of the examples share: graphs like photo.onnx and detector.onnx, with answers that a test sets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper
from PIL import ImageCms

PHOTO = """<ir_version: 9, opset_import: ["": 17]>
photo (uint8[1,H,W,3] image, uint8[1,H,W] mask, float[1,5,2] points)
    => (uint8[1,H,W,3] result, float[1,68,2] landmarks, float[1] face)
{
    zero = Constant<value_int = 0>()
    none = CastLike(zero, mask)
    last = Constant<value_ints = [3]>()
    inside = Greater(mask, none)
    hole = Unsqueeze(inside, last)
    colour = ReduceMean<axes = [1, 2], keepdims = 0>(points)
    light = Add(colour, offset)
    grey = CastLike(light, image)
    result = Where(hole, grey, image)
    middle = ReduceMean<axes = [1], keepdims = 1>(points)
    many = Constant<value_ints = [1, 68, 1]>()
    landmarks = Tile(middle, many)
    face = Identity(likeness)
}"""

DETECTOR = """<ir_version: 9, opset_import: ["": 17]>
detector (uint8[1,H,W,3] image, uint8[1,H,W] mask) => (float[F,4] boxes, float[F] probabilities, float[F,5,2] points)
{
    boxes = Identity(all_boxes)
    probabilities = Identity(all_probabilities)
    points = Identity(all_points)
}"""


def odd_profile() -> bytes:
    """A colour profile whose red and green are sRGB's green and red: whoever converts changes every pixel."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")


def put_photo(folder: Path, likeness: float = 0.9, *, name: str = "photo.onnx", brighter: float = 0) -> None:
    """Write a photo.onnx that makes the hole grey: the mean of the points' coordinates and ``brighter``."""
    _write(folder / name, PHOTO, likeness=np.array([likeness]), offset=np.array([brighter]))


def put_detector(folder: Path, boxes: Sequence[Sequence[float]]) -> None:
    """Write a detector.onnx that finds faces at ``boxes`` (x, y, width, height)."""
    given = np.array(boxes, float).reshape(-1, 4)
    corner, size = given[:, None, :2], given[:, None, 2:]
    points = corner + size * np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    sure = np.full(len(given), 0.9)
    _write(
        folder / "detector.onnx",
        DETECTOR,
        all_boxes=given,
        all_probabilities=sure,
        all_points=points,
    )


def _write(file: Path, text: str, **numbers: np.ndarray) -> None:
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(
        numpy_helper.from_array(array.astype(np.float32), name) for name, array in numbers.items()
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)
