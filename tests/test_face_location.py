"""Where the face is, said by hand: a box, five points, turned faces and such as lie partly out of the photo."""

import cv2
import numpy as np
import pytest
import skimage.data

import faceinp
from faceinp.errors import NoFaceError
from faceinp.face import detection, face_location, faces
from faceinp.face.face_location import FaceLocation
from faceinp.mask import photo_presets, presets
from faceinp.photo import photos

ASTRONAUT = skimage.data.astronaut()
POINTS = np.array([[205, 102], [247, 104], [225, 129], [202, 139], [245, 142]], np.float32)  # by hand
PLAIN = np.full((300, 300, 3), 90, np.uint8)


def eye_of(pixels, points):
    """A hole over the left eye."""
    hole = np.zeros(pixels.shape[:2], np.uint8)
    cv2.circle(hole, np.rint(points[0]).astype(int).tolist(), 9, 1, -1)
    return hole > 0


@pytest.fixture(scope="module")
def astronaut():
    return detection.find_faces(ASTRONAUT)


@pytest.mark.model
def test_a_box_finds_the_points_in_it(astronaut):
    face = face_location.face_from_box(ASTRONAUT, (160, 60, 100, 130))
    assert face.confidence > 0.9
    assert face.points == pytest.approx(astronaut[0].points, abs=8)


@pytest.mark.model
def test_a_box_without_a_face_gets_an_upright_one():
    face = face_location.face_from_box(np.full((300, 300, 3), 90, np.uint8), (100, 100, 73.5, 100))
    assert face.confidence == 0 and face.box == (100, 100, 73.5, 100)
    assert face.points[2] == pytest.approx([136.75, 161], abs=1)
    corners = faces.quad(face)
    assert corners[0, 1] == pytest.approx(corners[3, 1], abs=1e-3)
    assert corners[0, 0] < 100 and corners[2, 0] > 173.5  # a crop is larger than a box


@pytest.mark.parametrize("box", [(600, 10, 50, 50), (-60, 0, 50, 50), (-400, -400, 500, 500), (504, 504, 100, 100)])
def test_a_box_beside_the_photo_is_refused(box):
    with pytest.raises(NoFaceError, match=r"512 x 512 pixels\. Specify left, top, width, height"):
        face_location.face_from_box(ASTRONAUT, box)


@pytest.mark.parametrize(
    ("box", "match"),
    [
        ((195, 100, 20, 2), "width and height at least 8"),
        ((204, 101, 1, 1), "width and height at least 8"),
        ((160, 100, 300, 40), "too flat for a face"),
        ((150, 20, 20, 300), "too narrow for a face"),
    ],
)
def test_a_box_that_holds_no_face_is_refused_since_nobody_could_be_told_from_it(box, match):
    with pytest.raises(NoFaceError, match=match):
        FaceLocation.box(*box)
    face = faces.Face(tuple(map(float, box)), None, 1.0, 0.0)
    with pytest.raises(NoFaceError, match=match):
        faceinp.fill(ASTRONAUT, eye_of(ASTRONAUT, POINTS), engine="telea", face=face)


def test_a_face_of_few_pixels_is_refused():
    with pytest.raises(NoFaceError, match="smaller than 8 pixels"):
        face_location.face_from_points(ASTRONAUT, (POINTS - POINTS[0]) * np.float32(0.05) + POINTS[0])


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 2, 3, 4, 5), 7, (10, 10, 0, 50), (0, 0, float("nan"), 9), "abc"])
def test_a_box_is_four_numbers(box):
    with pytest.raises(NoFaceError, match="four numbers"):
        FaceLocation.from_json({"box": box})


@pytest.mark.model
def test_a_box_without_a_face_is_said_and_one_with_a_face_is_not(astronaut):
    hole = eye_of(ASTRONAUT, POINTS)
    empty = faceinp.fill(PLAIN, eye_of(PLAIN, [[120, 130]]), engine="telea", face=FaceLocation.box(90, 80, 90, 120))
    assert any("No face was found in the box" in note and "--points" in note for note in empty.notes)
    found = faceinp.fill(ASTRONAUT, hole, engine="telea", face=FaceLocation.box(*astronaut[0].box))
    assert not any("box" in note for note in found.notes)


@pytest.mark.model
def test_five_points_give_the_crop_that_finding_gives(astronaut):
    face = face_location.face_from_points(ASTRONAUT, POINTS)
    assert np.abs(faces.quad(face) - faces.quad(astronaut[0])).max() < 4  # the crop's side is 164
    assert face.box == pytest.approx(astronaut[0].box, abs=20)
    assert (face.confidence, face.yaw) == (0, pytest.approx(astronaut[0].yaw, abs=5))


@pytest.mark.parametrize("degrees", [90, 180, 250])
def test_a_turned_face_is_filled_as_an_upright_one_is(degrees):
    turn = cv2.getRotationMatrix2D((255.5, 255.5), degrees, 1)  # of pixel numbers: half a pixel from coordinates
    turned = cv2.warpAffine(ASTRONAUT, turn, (512, 512), flags=cv2.INTER_CUBIC)
    points = (POINTS - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
    hole = eye_of(turned, points)
    result = faceinp.fill(turned, hole, engine="telea", face=FaceLocation.points(points))
    upright = faceinp.fill(ASTRONAUT, eye_of(ASTRONAUT, POINTS), engine="telea", face=FaceLocation.points(POINTS))
    assert np.array_equal(result.image[~hole], turned[~hole]) and result.changed_pixels == 0
    assert np.abs(result.crop.pixels.astype(int) - upright.crop.pixels).mean() < 3
    assert (result.image[hole] != turned[hole]).any()


def test_a_face_half_out_of_the_photo_is_filled_where_its_points_say():
    cut = np.ascontiguousarray(ASTRONAUT[:, 225:])  # through the nose
    hole = eye_of(cut, POINTS[1:] - (225, 0))
    result = faceinp.fill(cut, hole, engine="telea", face=FaceLocation.points(POINTS - (225, 0)))
    assert np.array_equal(result.image[~hole], cut[~hole])
    assert not any("outside the face" in note for note in result.notes)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (POINTS[:4], r"must be five finite pairs, got \(4, 2\)\. Specify left eye, right eye"),
        (POINTS.ravel(), r"\(10,\)"),
        (POINTS * np.nan, "must be five finite"),
        ([["a", "b"]] * 5, "are not numbers"),
        ([[1, 2], [3]], "are not numbers"),
        (POINTS[[1, 0, 2, 3, 4]], "left and right are swapped"),
        (np.full((5, 2), 30.0), "collinear"),
        (POINTS + 3000, "outside the photo, which is 512 x 512"),
    ],
)
def test_points_that_are_no_face_are_refused(points, match):
    with pytest.raises(NoFaceError, match=match):
        faceinp.fill(ASTRONAUT, eye_of(ASTRONAUT, POINTS), engine="telea", face=FaceLocation.points(points))


@pytest.mark.model
def test_a_preset_takes_the_points_as_well(astronaut):
    photo = photos.read(ASTRONAUT)
    found, given = (
        photo_presets.make_preset("eyes", photo),
        photo_presets.make_preset("eyes", photo, face=FaceLocation.points(POINTS)),
    )
    assert (found.hole & given.hole).sum() > 0.9 * (found.hole | given.hole).sum()
    flipped = photo_presets.make_preset(
        "eyes", photos.read(ASTRONAUT[::-1, ::-1]), face=FaceLocation.points((512, 512) - POINTS)
    )
    assert (flipped.hole[::-1, ::-1] & given.hole).sum() > 0.95 * given.hole.sum()
    all_points = presets.average_points(1) @ (faces.quad(astronaut[0])[[3, 1]] - faces.quad(astronaut[0])[0])
    all_points += faces.quad(astronaut[0])[0]
    assert "average face" not in photo_presets.make_preset("eyes", photo, landmarks=all_points).about


@pytest.mark.model
def test_a_small_face_under_the_hole_is_meant_though_a_large_one_is_plain():
    small = cv2.resize(ASTRONAUT, (128, 128), interpolation=cv2.INTER_AREA)
    pair = np.hstack([ASTRONAUT, np.pad(small, ((0, 384), (0, 640), (0, 0)), mode="edge")])
    on_small, on_large = (np.zeros((512, 1280), bool) for _ in range(2))
    on_small[22:30, 562:574] = True
    on_large[90:115, 202:252] = True
    for hole, width, least in ((on_small, 22, 2), (on_large, 87, 1)):
        (face,), found = face_location.locate(pair, hole, None)
        assert face.box[2] == pytest.approx(width, rel=0.2) and len(found) == least
    (second, *_), _ = face_location.locate(pair, on_large, FaceLocation.number(2))
    assert second.box[2] == pytest.approx(22, rel=0.2)
    known = detection.find_faces(pair)[1]
    assert face_location.locate(pair, on_large, FaceLocation.of(known)).faces == (known,)
