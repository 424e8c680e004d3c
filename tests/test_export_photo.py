"""The graphs that take a whole photo: ``photo`` fills one as the package does, ``detector`` finds the same faces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from export_files import SIDE
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

from faceinp.export import graphs, modules  # noqa: E402

from faceinp.blend import blending, surroundings  # noqa: E402
from faceinp.face import cascade, faces  # noqa: E402
from faceinp.models import catalogue  # noqa: E402
from faceinp.nets.face_likeness import FaceLikeness  # noqa: E402

Array = NDArray[Any]
Run = Callable[..., list[Array]]

ASTRONAUT = skimage.data.astronaut()
POINTS = np.float32([[206, 103], [245, 104], [224, 129], [203, 140], [244, 142]])
# Parts of the crop, in shares of its side, and one that goes on beyond it.
HOLES = {"eyes": (0.3, 0.4, 0.7, 0.53), "half": (0.2, 0.2, 0.5, 0.85), "beyond": (0.4, -0.3, 0.6, 0.35)}


@pytest.fixture
def photo(exported: Callable[..., Path]) -> Run:
    session = onnxruntime.InferenceSession(exported("photo"), providers=["CPUExecutionProvider"])
    return lambda image, mask, points: session.run(
        None, {"image": image[None], "mask": mask[None].astype(np.uint8), "points": points[None].astype(np.float32)}
    )


@pytest.fixture(scope="module")
def detector(exported: Callable[..., Path]) -> Run:
    session = onnxruntime.InferenceSession(exported("detector"), providers=["CPUExecutionProvider"])
    return lambda image, mask: session.run(None, {"image": image[None], "mask": mask[None].astype(np.uint8)})


def quad_of(points: Array) -> Array:
    return faces.quad(faces.Face((0, 0, 1, 1), points, 1.0, 0.0))


def scaled(size: float) -> tuple[Array, Array]:
    """The astronaut with a face crop of about so many pixels, and its five points."""
    scale = size / faces.side(quad_of(POINTS))
    side = round(512 * scale)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(ASTRONAUT, (side, side), interpolation=way)), POINTS * side / 512


def hole_in(shape: tuple[int, ...], points: Array, name: str) -> Array:
    left, top, right, bottom = HOLES[name]
    corners = faces.to_photo(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), quad_of(points))
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners).astype(np.int32), 1)
    return mask > 0


@pytest.mark.usefixtures("small_weights")
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("eyes", SIDE // 2), ("half", SIDE), ("eyes", 1.7 * SIDE), ("half", 3.3 * SIDE),
        pytest.param("half", 7 * SIDE, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_away_from_the_join_it_is_what_the_package_pastes(photo: Run, size: float, name: str) -> None:
    image, points = scaled(size)
    hole, quad = hole_in(image.shape, points, name), quad_of(points)
    result, marks, face = photo(image, hole, points)
    assert result.shape == (1, *image.shape) and marks.shape == (1, 68, 2) and 0 <= face[0] <= 1
    assert np.array_equal(result[0][~hole], image[~hole])
    crop = faces.align(image, hole, quad, SIDE)
    drawn = drawing(crop)
    filled = surroundings.fill(
        image, hole, [surroundings.GeneratedFace(drawn, quad)], blending=blending.composite
    ).image
    reach = (modules.REACH + 1.5 / SIDE) * faces.side(quad)
    inner = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5) > reach
    assert inner.any() or name == "eyes"
    apart = np.abs(result[0].astype(int) - filled)[inner]
    assert apart.max(initial=0) <= (2 if size <= 4 * SIDE else 4)


def drawing(crop: faces.Crop) -> Array:
    """What the networks draw of a crop, (S, S, 3)."""
    import torch

    module = graphs.build("photo", SIDE).module.drawing
    picture = torch.from_numpy(crop.pixels).permute(2, 0, 1)[None].float() / 255
    seen = torch.from_numpy(crop.hole)[None, None].float()
    with torch.no_grad():
        return np.ascontiguousarray(module(picture, seen, torch.ones_like(seen))[0][0, :3].permute(1, 2, 0).numpy())


@pytest.mark.usefixtures("small_weights")
@pytest.mark.parametrize("name", HOLES)
def test_the_join_is_no_larger_step_than_those_beside_it(photo: Run, name: str) -> None:
    image, points = scaled(2 * SIDE)
    hole = hole_in(image.shape, points, name)
    result = photo(image, hole, points)[0][0].astype(float)
    inner, outer = hole & ~eroded(hole), ~hole & eroded(~hole) ^ ~hole
    steps, beside = [], []
    for axis in (0, 1):
        change = np.abs(np.diff(result, axis=axis)).mean(axis=2)
        one, other = (np.take(hole, np.arange(n, hole.shape[axis] - 1 + n), axis) for n in (0, 1))
        steps.append(change[one != other])
        near = np.take(inner | outer, np.arange(hole.shape[axis] - 1), axis)
        beside.append(change[(one == other) & near])
    assert np.concatenate(steps).mean() <= 1.5 * np.concatenate(beside).mean()


def eroded(where: Array) -> Array:
    return cv2.erode(where.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0


@pytest.mark.usefixtures("small_weights")
def test_a_hole_may_be_anywhere_anything_or_nothing(photo: Run) -> None:
    nowhere = np.zeros((512, 512), np.bool_)
    assert np.array_equal(photo(ASTRONAUT, nowhere, POINTS)[0][0], ASTRONAUT)
    away, one, across = nowhere.copy(), nowhere.copy(), nowhere.copy()
    away[300:400, 300:420], one[100, 200], across[:, 200:206] = True, True, True
    for hole in (away, one, across, ~nowhere):
        result = photo(ASTRONAUT, hole, POINTS)[0][0]
        assert np.array_equal(result[~hole], ASTRONAUT[~hole])
    smooth = photo(ASTRONAUT, away, POINTS)[0][0][away].reshape(100, 120, 3).astype(int)
    assert np.abs(np.diff(smooth, axis=0))[20:-20, 20:-20].max() <= 12  # continued from around, where no face is
    for image in (ASTRONAUT[:1, :1], ASTRONAUT[:3, :40]):
        assert photo(image, ~nowhere[: len(image), : image.shape[1]], POINTS)[0].shape == (1, *image.shape)


@pytest.mark.usefixtures("small_weights")
@pytest.mark.parametrize("shape", [(512, 400), (400, 512), (600, 512)])
def test_a_mask_of_another_size_is_an_error(photo: Run, detector: Run, shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.bool_)
    mask[100:130, 190:260] = True
    for call in (lambda: photo(ASTRONAUT, mask, POINTS), lambda: detector(ASTRONAUT, mask)):
        with pytest.raises(Exception, match=r"broadcast|dimension"):
            call()


@pytest.mark.usefixtures("small_weights")
@pytest.mark.parametrize("name", ["photo", "detector"])
def test_arithmetic_in_8_bits_is_left_to_newer_runtimes(name: str, exported: Callable[..., Path]) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(exported(name)))
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.input)}
    bytes_taken = {
        node.op_type
        for node in model.graph.node
        if any(kinds.get(value) == onnx.TensorProto.UINT8 for value in node.input)
    }
    # What onnxruntime 1.17 computes in them; its Min and Max, for example, do not.
    known = {
        "Cast",
        "GatherND",
        "MaxPool",
        "ReduceMax",
        "Reshape",
        "ScatterND",
        "Shape",
        "Slice",
        "Squeeze",
        "Unsqueeze",
    }
    assert bytes_taken <= known


@pytest.mark.usefixtures("small_weights")
def test_what_lies_under_the_hole_is_not_looked_at(photo: Run) -> None:
    hole = hole_in(ASTRONAUT.shape, POINTS, "half")
    other = np.where(hole[..., None], 255 - ASTRONAUT, ASTRONAUT)
    for ours, theirs in zip(photo(ASTRONAUT, hole, POINTS), photo(other, hole, POINTS), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_detector_finds_what_the_cascade_finds(detector: Run) -> None:
    nothing = np.zeros((512, 512), np.uint8)
    boxes, probabilities, points = detector(ASTRONAUT, nothing)
    found = cascade.find(ASTRONAUT, modules.SMALLEST, modules.THRESHOLDS)
    assert len(boxes) == len(found.boxes) >= 1
    assert np.abs(points - found.points).max() < 0.01 and np.abs(probabilities - found.probabilities).max() < 1e-4
    assert np.abs(boxes[:, 2:] - (found.boxes[:, 2:] - found.boxes[:, :2])).max() < 0.01
    assert np.abs(points[0] - POINTS).max() < 3
    large = cv2.resize(ASTRONAUT, (2300, 2300), interpolation=cv2.INTER_CUBIC)
    twice = np.concatenate([large, large[:, ::-1]], axis=1)
    _, sure, places = detector(twice, np.zeros(twice.shape[:2], np.uint8))
    assert (sure > 0.9).sum() == 2
    assert min(np.abs(one - POINTS * 2300 / 512).max() for one in places) < 20


def test_the_detector_looks_at_the_photo_with_its_hole_closed_and_as_it_is(detector: Run) -> None:
    nothing = np.zeros((512, 512), np.uint8)
    hole = hole_in(ASTRONAUT.shape, POINTS, "eyes")
    spoilt = np.where(hole[..., None], np.uint8([0, 255, 0]), ASTRONAUT)
    (as_it_is, sure, _), (found, surer, points) = detector(spoilt, nothing), detector(spoilt, hole)
    assert not len(as_it_is) or surer[0] > sure[0]  # damage: closed, it is found, or more surely
    assert np.abs(points[0] - POINTS).max() < 15 and len(found) == 1
    # Nothing but a face's own pixels under the hole: they tell more than what closes it.
    for ours, truth in zip(detector(ASTRONAUT, hole), detector(ASTRONAUT, nothing), strict=True):
        assert np.abs(ours[0] - truth[0]).max() < 0.01


def test_the_detector_takes_any_picture(detector: Run) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (5, 700), (12, 12), (40, 30)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for value in (0, 1):
            assert detector(image, np.full((height, width), value))[0].shape[1:] == (4,)


def test_landmarks_tell_whether_there_is_a_face_in_the_middle() -> None:
    from faceinp.face import landmark_predictor
    from faceinp.models import networks

    quad = quad_of(POINTS)
    middle = quad.mean(axis=0)
    likeness, _ = networks.load("face-likeness")
    assert isinstance(likeness, FaceLikeness) and catalogue.CATALOGUE["face-likeness"].file

    def of(corners: Array) -> float:
        import torch

        crop = faces.align(ASTRONAUT, np.zeros((512, 512), np.bool_), corners, landmark_predictor.SIZE)
        crops = crop.pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
        marks = landmark_predictor.predict(crops, crop.hole[None, None])
        return float(likeness(torch.from_numpy(marks))[0])

    assert of(quad) > 0.8
    for wrong in (
        middle + 2.2 * (quad - middle),
        middle + (quad - middle) / 2,
        quad + np.array([0, 180]),
        np.roll(quad, 2, axis=0),
    ):
        assert of(wrong) < 0.5
