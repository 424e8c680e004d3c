"""Detection: faces at any turn, under holes, large, small and many; which of them a hole touches."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from faceinp.errors import NoFaceError, PhotoError
from faceinp.face import detection, face_location, faces, turns

ROOT = Path(__file__).parent.parent
ASTRONAUT = data.astronaut()
PORTRAIT = np.ascontiguousarray(ASTRONAUT[:256, 96:352])  # head and shoulders
EYES, NOSE = (225, 102), (225, 128)  # between the eyes, tip of the nose: x, y, by hand


def nothing(pixels=ASTRONAUT):
    return np.zeros(pixels.shape[:2], bool)


def off(face, known):
    """How far the corners of a face's crop are from those of the known one, in sides."""
    there, here = faces.quad(face), faces.quad(known)
    return float(np.linalg.norm(there - here, axis=1).mean() / faces.side(here))


def clockwise(picture, turn):
    return np.ascontiguousarray(np.rot90(picture, -turn // 90))


def moved(face, matrix):
    """The face in a picture that was warped by a matrix of pixel numbers, (2, 3)."""
    points = (face.points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    return faces.Face(face.box, points.astype(np.float32), face.confidence, face.yaw)


def tilted(picture, degrees, size=400):
    """A square picture turned clockwise by any angle in the middle of a larger one; and the matrix that did it."""
    middle = (picture.shape[0] - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), -degrees, 1)
    matrix[:, 2] += (size - 1) / 2 - middle
    border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (110, 110, 110) if picture.ndim == 3 else 0}
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, **border), matrix


def scratches(seed):
    """Eight scratches over the portrait's face."""
    rng, hole = np.random.default_rng(seed), np.zeros((256, 256), np.uint8)
    for _ in range(8):
        angle = rng.uniform(0, np.pi)
        middle, along = np.array([129, 118]) + rng.uniform(-40, 40, 2), 80 * np.array([np.cos(angle), np.sin(angle)])
        ends = [np.rint(middle + sign * along).astype(int).tolist() for sign in (-1, 1)]
        cv2.line(hole, *ends, 1, 2)
    return hole > 0


def scattered(*sizes, width=1000, height=600):
    """A wide picture with the portrait on it several times, at these sizes, and where: x, y of the left top."""
    wide, corners, x = np.full((height, width, 3), (90, 120, 90), np.uint8), [], 40
    for size in sizes:
        corners.append((x, 60))
        wide[60 : 60 + size, x : x + size] = cv2.resize(PORTRAIT, (size, size), interpolation=cv2.INTER_AREA)
        x += size + 40
    return wide, corners


@pytest.fixture(scope="module")
def astronaut():
    return detection.find_faces(ASTRONAUT)


@pytest.fixture(scope="module")
def portrait():
    return detection.find_faces(PORTRAIT)[0]


def test_the_astronaut_has_one_face(astronaut):
    (face,) = astronaut
    x, y, w, h = face.box
    assert x < EYES[0] < x + w and y < EYES[1] < y + h
    assert 60 < w < 120 and 80 < h < 150
    assert np.linalg.norm(face.points[:2].mean(axis=0) - EYES) < 4
    assert np.linalg.norm(face.points[2] - NOSE) < 4
    assert face.points[0, 0] < face.points[1, 0] and face.points[3, 0] < face.points[4, 0]
    assert face.confidence > 0.9 and abs(face.yaw) < faces.LARGE_YAW


def test_points_are_in_pixels_of_a_large_photo(astronaut):
    (large,) = detection.find_faces(cv2.resize(ASTRONAUT, (2560, 2048), interpolation=cv2.INTER_CUBIC))
    assert large.points == pytest.approx(astronaut[0].points * [5, 4], abs=25)
    assert large.box == pytest.approx(np.array(astronaut[0].box) * [5, 4, 5, 4], abs=60)


def test_a_face_whose_eyes_are_covered_is_found_by_closing_the_hole(astronaut):
    hole = nothing()
    hole[85:132, 190:262] = True
    painted = np.where(hole[..., None], np.uint8(255), ASTRONAUT)
    (face,) = detection.find_faces(painted, hole)
    assert off(face, astronaut[0]) < 0.15


def test_of_two_the_one_under_the_mask_is_chosen():
    small = cv2.resize(ASTRONAUT, (384, 384), interpolation=cv2.INTER_AREA)
    pair = np.hstack([np.pad(small, ((0, 128), (0, 0), (0, 0))), ASTRONAUT])
    found = detection.find_faces(pair)
    assert len(found) == 2
    assert found[0].box[0] > 384 > found[1].box[0]  # largest first
    hole = nothing(pair)
    hole[80:120, 140:180] = True
    assert detection.faces_under(found, hole) == (found[1],)
    hole = nothing(pair)
    hole[:40, 120:200] = True  # hair: outside of the box, inside of the crop
    assert detection.faces_under(found, hole) == (found[1],)
    assert detection.faces_under(found, nothing(pair)) == ()
    assert len(detection.faces_under(found, np.ones_like(hole))) == 2
    assert face_location.numbered(found, 2) is found[1]
    with pytest.raises(NoFaceError, match="2 faces"):
        face_location.numbered(found, 3)


def test_a_face_that_the_closed_hole_hides_is_found_beside_another(astronaut):
    """One stroke over two faces: a quarter of the one, three of the other."""
    pair = np.hstack([ASTRONAUT[:300], ASTRONAUT[:300, ::-1]])
    both = detection.find_faces(pair)
    hole = nothing(pair)
    for face, part in zip(sorted(both, key=lambda face: face.box[0]), (0.25, 0.75), strict=True):
        x, y, w, h = (round(value) for value in face.box)
        hole[round(y + h * (1 - part)) : y + h, x : x + w] = True
    for find in (detection.find_faces, detection.find_large_faces):
        assert len(detection.faces_under(find(pair, hole), hole)) == 2


def test_large_faces_are_found_alike_and_small_ones_left_out(astronaut):
    (face,) = detection.find_large_faces(ASTRONAUT)
    shift = faces.quad(face) - faces.quad(astronaut[0])
    assert np.linalg.norm(shift, axis=1).max() < 8  # the crop's side is 164
    small = cv2.resize(ASTRONAUT, (128, 128), interpolation=cv2.INTER_AREA)  # its face is 22 wide
    far = np.pad(small, ((0, 384), (0, 1152), (0, 0)), mode="edge")
    assert len(detection.find_faces(far)) == 1 and detection.find_large_faces(far) == ()


def test_no_face_is_an_answer():
    assert detection.find_faces(np.full((200, 300, 3), 90, np.uint8)) == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (15, 15), (30, 2000), (21, 21)])
def test_pictures_too_small_for_a_face_have_none(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detection.find_faces(pixels, np.ones(shape, bool)) == ()


@pytest.mark.parametrize(("top", "left"), [(60, 180), (90, 190), (0, 225)])
def test_a_face_that_the_border_cuts_off_is_found_where_it_is(top, left, astronaut):
    (face,) = detection.find_faces(ASTRONAUT[top:, left:].copy())
    x, y, w, h = face.box
    assert x >= 0 and y >= 0 and w > 30 and h > 50
    there = faces.Face(face.box, face.points + np.float32([left, top]), 1, 0)
    assert off(there, astronaut[0]) < 0.1


@pytest.mark.parametrize(
    "pixels", [ASTRONAUT[..., 0], ASTRONAUT / 255, "photo.jpg", None], ids=lambda x: type(x).__name__
)
def test_other_forms_of_pixels_are_refused(pixels):
    with pytest.raises(PhotoError, match="uint8"):
        detection.find_faces(pixels)


def test_several_threads_find_the_same(astronaut):
    found = {}
    threads = [Thread(target=lambda i=i: found.update({i: detection.find_faces(ASTRONAUT)})) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i][0].box for i in range(2)] == [astronaut[0].box] * 2


@pytest.mark.process
def test_faces_are_found_without_torch():
    code = (
        "import sys\nsys.modules.update(dict.fromkeys(('torch', 'torchvision', 'facenet_pytorch')))\n"
        "import faceinp\nfrom skimage import data\nprint(len(faceinp.find_faces(data.astronaut())))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr


# ---- any turn ----


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("find", [detection.find_faces, detection.find_large_faces])
def test_a_photo_that_lies_on_its_side_or_head(find, turn, portrait):
    """The photo that stands upright once it is turned by ``turn`` has its face where the upright one has it."""
    lying = clockwise(PORTRAIT, (360 - turn) % 360)
    (face,) = find(lying)
    assert face.turn == turn
    back = faces.Face(face.box, turns._turn_back(face.points, (360 - turn) % 360, PORTRAIT.shape), 1, face.yaw)
    assert off(back, portrait) < 0.05
    x, y, w, h = face.box
    assert (w > h) == (turn in (90, 270)) and x < face.points[2, 0] < x + w and y < face.points[2, 1] < y + h


@pytest.mark.parametrize("degrees", [-60, 30, 135])
def test_a_tilted_head(degrees, portrait):
    turned, matrix = tilted(PORTRAIT, degrees)
    (face,) = detection.find_faces(turned)
    assert off(face, moved(portrait, matrix)) < 0.1
    assert (face.roll - portrait.roll - degrees + 180) % 360 - 180 == pytest.approx(0, abs=5)


@pytest.mark.parametrize("degrees", [0, 40, 180])
def test_damage_at_any_turn_does_not_move_the_crop(degrees, portrait):
    hole = scratches(0)
    damaged, matrix = tilted(np.where(hole[..., None], np.uint8(235), PORTRAIT), degrees)
    hole = tilted(hole.astype(np.uint8), degrees)[0] > 0
    hole = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    for face in (detection.find_faces(damaged, hole)[0], detection.find_large_faces(damaged, hole)[0]):
        assert off(face, moved(portrait, matrix)) < 0.1


def test_what_is_only_masked_and_not_damaged_is_found_behind_a_wide_mask(portrait):
    hole = nothing(PORTRAIT)
    hole[85:165, 90:165] = True  # eyes, nose and mouth
    (face,) = detection.find_faces(PORTRAIT, hole)
    assert off(face, portrait) < 0.1


def test_a_head_that_may_be_turned_two_ways_is_asked_about():
    x, y = 129, 118
    head = PORTRAIT[y - 70 : y + 70, x - 70 : x + 70].astype(int)
    double = np.full((260, 260, 3), 120, np.uint8)  # two exposures on one film
    double[60:200, 60:200] = (head + head[::-1, ::-1]) // 2
    hole = nothing(double)
    hole[110:120, 110:120] = True
    for where in (None, hole):
        with pytest.raises(NoFaceError, match=r"by 0 or by 180 degrees.* --turn 0 or --turn 180 \(turn= in Python\)"):
            detection.find_faces(double, where)
    assert detection.find_large_faces(double) == ()
    for turn in (0, 180):
        (said,) = detection.find_faces(double, hole, turn)
        assert said.turn == turn
    # Others in the photo say which way is up; and away from the hole nobody asks.
    crowd = np.full((300, 600, 3), 120, np.uint8)
    crowd[:260, :260], crowd[20:276, 300:556] = double, PORTRAIT
    assert [face.turn for face in detection.find_faces(crowd)] == [0, 0]


@pytest.mark.parametrize("width", [13_660, 25_000])
def test_a_long_panorama_is_searched_in_few_windows(width, monkeypatch):
    sizes = []
    monkeypatch.setattr(detection, "search", lambda copy, *_: sizes.append(copy.shape) or [])
    pixels = np.zeros((1400, width, 3), np.uint8)
    hole = nothing(pixels)
    hole[100:1300, 5000:6200] = True
    started = time.perf_counter()
    assert detection.find_faces(pixels, hole) == ()
    assert len(sizes) <= 3 + 8 and time.perf_counter() - started < 20


def test_a_turn_that_is_said_holds():
    assert detection.find_faces(clockwise(PORTRAIT, 180), turn=180)[0].turn == 180
    assert all(face.turn != 180 for face in detection.find_faces(clockwise(PORTRAIT, 180), turn=0))
    for turn in (45, "left", -90):
        with pytest.raises(NoFaceError, match="turn must be"):
            detection.find_faces(PORTRAIT, turn=turn)


@pytest.mark.parametrize("name", ["chelsea", "coins"])
def test_what_is_no_face_is_none_at_any_turn(name):
    picture = getattr(data, name)()
    picture = np.dstack([picture] * 3) if picture.ndim == 2 else picture
    hole = nothing(picture)
    hole[60:120, 80:160] = True
    assert detection.find_faces(picture, hole) == ()  # with the hole closed and as it is


# ---- many ----


@pytest.mark.parametrize("turn", [0, 90])
def test_a_tiny_face_in_a_panorama_is_found_under_the_hole(turn, portrait):
    size = 80  # of the portrait: its face is 26 pixels wide, a 150th of the photo
    wide, ((x, y),) = scattered(size, width=4000)
    hole = nothing(wide)
    hole[y + 34 : y + 37, x + 25 : x + 60] = True
    lying, under = (clockwise(np.where(hole[..., None], np.uint8(250), wide), 360 - turn), clockwise(hole, 360 - turn))
    assert detection.find_large_faces(lying, under) == ()
    (face,) = detection.find_faces(lying, under)
    there = faces.Face(face.box, portrait.points * size / 256 + np.float32([x, y]), 1, 0)
    back = turns._turn_back(face.points, (360 - turn) % 360, wide.shape)
    assert face.turn == turn and off(faces.Face(face.box, back, 1, 0), there) < 0.1
    assert detection.faces_under((face,), under) == (face,)


def test_the_faces_under_a_hole_come_least_hidden_first():
    group, corners = scattered(256, 200, 160, 130)
    found = detection.find_faces(group)
    assert len(found) == 4
    hole = nothing(group)
    hole[60 + 75 : 60 + 175, 40 + 80 : 40 + 170] = True  # nearly all of the first
    hole[100:200, corners[1][0] + 100] = True  # a line over the second
    hole[60 + 35 : 60 + 70, corners[2][0] + 60 : corners[2][0] + 80] = True  # an eye of the third
    under = detection.faces_under(found, hole)
    assert [found.index(face) for face in under] == [1, 2, 0]
    shares = [detection.hidden_share(face, hole) for face in under]
    assert shares == sorted(shares) and shares[0] < 0.03 and shares[1] < 0.3 and 0.7 < shares[2] <= 1
    assert detection.hidden_share(found[3], hole) == 0


def test_a_hole_that_hides_a_face_whole_leaves_the_others():
    group, corners = scattered(200, 200)
    hole = nothing(group)
    hole[50:270, 30:250] = True
    found = detection.find_faces(np.where(hole[..., None], np.uint8(60), group), hole)
    assert len(found) == 1 and found[0].box[0] > corners[1][0]
    assert detection.faces_under(found, hole) == ()


def test_hair_belongs_to_the_face_below_it_and_a_garden_to_nobody(portrait):
    hair, garden = nothing(PORTRAIT), nothing(PORTRAIT)
    hair[25:40, 115:145] = True
    garden[200:250, 5:40] = True
    assert detection.faces_under((portrait,), hair) == (portrait,)
    assert detection.faces_under((portrait,), garden) == () == detection.faces_under((), hair)
    assert detection.faces_under((portrait,), nothing(PORTRAIT)) == ()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 120), st.integers(1, 120))
def test_more_of_a_hole_hides_more_of_a_face(portrait, x, y, width, height):
    small, large = nothing(PORTRAIT), nothing(PORTRAIT)
    small[y : y + height, x : x + width] = True
    large[max(0, y - 5) : y + height + 5, max(0, x - 5) : x + width + 5] = True
    assert 0 <= detection.hidden_share(portrait, small) <= detection.hidden_share(portrait, large) <= 1
    assert detection.hidden_share(portrait, np.ones_like(small)) == 1
