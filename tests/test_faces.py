"""Faces: cut like FFHQ, put back where they were."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from faceinp.errors import PhotoError
from faceinp.face import detection, faces

ASTRONAUT = data.astronaut()
POINTS = np.array([[40, 50], [80, 48], [61, 70], [45, 92], [77, 91]], np.float64)


def nothing(pixels=ASTRONAUT):
    return np.zeros(pixels.shape[:2], bool)


def face_at(points):
    return faces.Face((0, 0, 1, 1), np.asarray(points, np.float32), 1.0, 0.0)


def smooth(height, width):
    """A smooth picture that is different everywhere, uint8."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 31 + y / 47), np.cos(x / 53 - y / 37), np.sin((x + y) / 67)]
    return np.rint(127 + 120 * np.stack(waves, axis=2)).astype(np.uint8)


def turned_square(centre, side, degrees):
    half = side / 2 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    turn = np.radians(degrees)
    return half @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre


@pytest.fixture(scope="module")
def astronaut():
    return detection.find_faces(ASTRONAUT)


@pytest.mark.model
def test_the_typical_face_of_a_found_box_has_nearly_the_crop_of_the_points(astronaut):
    assumed = faces.Face(astronaut[0].box, None, 0.0, 0.0)
    shift = faces.quad(assumed) - faces.quad(astronaut[0])
    assert np.linalg.norm(shift.mean(axis=0)) < 15  # the crop's side is 164


@settings(deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(0.2, 20),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_the_crop_turns_grows_and_moves_with_the_face(degrees, scale, shift):
    turn = np.radians(degrees)
    matrix = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    expected = faces.quad(face_at(POINTS)) @ matrix + shift
    assert faces.quad(face_at(POINTS @ matrix + shift)) == pytest.approx(expected, abs=0.02)


def test_the_crop_is_a_square_in_the_order_that_is_promised():
    corners = faces.quad(face_at(POINTS))
    edges = np.roll(corners, -1, axis=0) - corners
    assert np.linalg.norm(edges, axis=1) == pytest.approx(np.full(4, np.linalg.norm(edges[0])))
    assert edges[0] @ edges[1] == pytest.approx(0, abs=1e-6)
    assert edges[0, 1] > 0 and edges[1, 0] > 0  # from the top left down, then to the right


def test_ffhq_proportions():
    """An upright face: side 4 x the eyes' distance (or 3.6 x eyes to mouth), centre a tenth of the way to the mouth."""
    for gap, drop, side in ((40, 30, 4 * 40 * 0.98), (30, 60, None)):
        points = [[50, 40], [50 + gap, 40], [50 + gap / 2, 60], [52, 40 + drop], [48 + gap, 40 + drop]]
        corners = faces.quad(face_at(points))
        to_mouth = drop - 0.026 * gap
        assert corners[3, 0] - corners[0, 0] == pytest.approx(side or 3.6 * to_mouth, rel=1e-4)
        centre = [50 + gap / 2, 40 + 0.026 * gap + 0.1 * to_mouth]
        assert corners.mean(axis=0) == pytest.approx(centre, abs=1e-3)


def test_yaw_has_the_nose_s_side_as_its_sign():
    def yaw(shift):
        return faces.yaw(np.float32([[40, 50], [80, 50], [60 + shift, 70], [45, 90], [75, 90]]))

    assert yaw(0) == pytest.approx(0, abs=1e-4)
    assert yaw(8) == pytest.approx(-yaw(-8)) and 20 < yaw(8) < 35
    assert yaw(20) > faces.LARGE_YAW


def test_a_whole_picture_of_the_right_size_is_copied_to_the_bit():
    hole = np.random.default_rng(0).random((512, 512)) < 0.3
    crop = faces.whole(ASTRONAUT, hole, 512)
    assert np.array_equal(crop.pixels, ASTRONAUT) and np.array_equal(crop.hole, hole) and crop.size == 512
    frame, inside, region = faces.paste(crop.pixels, crop.quad, ASTRONAUT.shape)
    assert np.array_equal(np.rint(frame * 255), ASTRONAUT[region]) and inside.all() and frame.shape == (512, 512, 3)


def test_a_whole_picture_is_averaged_over_areas():
    crop = faces.whole(ASTRONAUT, nothing(), 128)
    expected = ASTRONAUT.reshape(128, 4, 128, 4, 3).mean(axis=(1, 3))
    assert np.abs(crop.pixels - expected).max() <= 1.5


def test_only_squares_can_be_whole():
    with pytest.raises(PhotoError, match="512 x 300"):
        faces.whole(ASTRONAUT[:300], nothing()[:300], 128)


@settings(deadline=None, max_examples=25)
@given(st.floats(60, 260), st.floats(-180, 180), st.sampled_from([64, 128, 256]))
def test_what_is_cut_and_pasted_is_what_was_there(side, degrees, size):
    picture = smooth(400, 500)
    corners = turned_square((240, 210), side, degrees)
    crop = faces.align(picture, np.zeros((400, 500), bool), corners, size)
    frame, inside, region = faces.paste(crop.pixels, crop.quad, picture.shape)
    assert np.sqrt(inside.sum()) == pytest.approx(side, abs=1.001)  # pixels whose middle lies in the square
    # A pixel of a coarse crop is a mean over a few pixels: not exactly the value in its middle.
    error = np.abs(frame * 255 - picture[region])[inside]
    assert error.mean() < 1 and error.max() < 12


def test_paste_can_be_held_to_the_hole():
    crop = faces.align(ASTRONAUT, nothing(), turned_square((210, 130), 220, 12), 128)
    hole = nothing()
    hole[110:140, 180:250] = True
    frame, _, region = faces.paste(crop.pixels, crop.quad, hole.shape)
    near, near_inside, near_region = faces.paste(crop.pixels, crop.quad, hole.shape, hole)
    assert near_region == np.s_[109:141, 179:251] and near.shape == (32, 72, 3)
    full = np.zeros((512, 512, 3))
    full[region] = frame
    assert near == pytest.approx(full[near_region], abs=0.02) and near_inside.all()


def test_fine_structure_does_not_turn_into_false_structure():
    y, x = np.mgrid[:1500, :1500]
    stripes = np.where(((x + y) % 3 == 0)[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    for side in (200, 400, 900, 1400):
        crop = faces.align(stripes, nothing(stripes), turned_square((750, 750), side, 7), 64)
        assert np.abs(crop.pixels.astype(float) - 85).max() < 45
    generated = stripes[:256, :256]
    frame, inside, _ = faces.paste(generated, turned_square((100, 100), 40, 7), (200, 200))
    assert np.abs(frame[inside] - 1 / 3).max() < 0.2


def test_beyond_the_photo_it_is_mirrored():
    crop = faces.align(ASTRONAUT, nothing(), [[-96, 0], [-96, 128], [32, 128], [32, 0]], 128)
    assert np.array_equal(crop.pixels[:, 96:], ASTRONAUT[:128, :32])
    assert np.array_equal(crop.pixels[:, 1:96], ASTRONAUT[:128, 95:0:-1])


@settings(deadline=None, max_examples=40)
@given(
    st.floats(20, 500),
    st.floats(-180, 180),
    st.sampled_from([32, 64, 128]),
    st.integers(-30, 30),
    st.integers(-30, 30),
)
def test_a_hole_pixel_never_reaches_a_known_crop_pixel(side, degrees, size, y, x):
    """Whatever stands in the hole, the known part of the crop is the same."""
    picture = smooth(400, 500)
    hole = np.zeros((400, 500), bool)
    hole[150 + y : 153 + y, 300 + x : 302 + x] = True
    corners = turned_square((300, 150), side, degrees)
    black, white = (faces.align(np.where(hole[..., None], np.uint8(v), picture), hole, corners, size) for v in (0, 255))
    assert np.array_equal(black.hole, white.hole)
    assert np.array_equal(black.pixels[~black.hole], white.pixels[~white.hole])
    assert black.hole.sum() <= (6 * size / side + 5) ** 2 * 4  # and the hole does not swallow the crop


def test_points_go_to_the_crop_and_back():
    quad = np.array([[10.0, 20], [5, 120], [105, 125], [110, 25]])
    points = np.random.default_rng(0).uniform(0, 1, (68, 2))
    assert np.abs(faces.to_crop(faces.to_photo(points, quad), quad) - points).max() < 1e-5
    assert np.abs(faces.to_photo(np.array([[0, 0], [0, 1], [1, 1], [1, 0]]), quad) - quad).max() < 1e-4


@settings(deadline=None)
@given(st.floats(-179, 179))
def test_the_turn_puts_a_face_upright(degrees):
    """Turned clockwise by its turn, a face is tilted by at most 45 degrees."""
    angle = np.radians(degrees)
    clockwise = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright, face = face_at(POINTS), face_at(POINTS @ clockwise)
    assert (face.roll - upright.roll - degrees + 180) % 360 - 180 == pytest.approx(0, abs=0.01)
    assert face.turn in (0, 90, 180, 270)
    assert abs((face.roll + face.turn + 180) % 360 - 180) <= 45.01


@pytest.mark.model
def test_the_oval_of_a_face_holds_its_features_and_not_the_hair(astronaut):
    oval = faces.outline(astronaut[0]).astype(np.float32)
    for point in astronaut[0].points:
        assert cv2.pointPolygonTest(oval, point.tolist(), measureDist=False) > 0
    for outside in ((225, 25), (150, 110), (300, 110), (225, 200)):  # hair, both sides, collar
        assert cv2.pointPolygonTest(oval, outside, measureDist=False) < 0
