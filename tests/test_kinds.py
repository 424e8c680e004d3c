"""Photos of different kinds, as a new user brings them: what happens is right, or said in one clear sentence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

import faceinp
from faceinp.cli.main import main
from faceinp.face import detection, faces
from faceinp.mask import presets, worn_occluders

ASTRONAUT = skimage.data.astronaut()
EYES = (190, 85, 260, 117)  # left, top, right, bottom
TURN = Image.Transpose
STORED = {3: TURN.ROTATE_180, 5: TURN.TRANSPOSE, 6: TURN.ROTATE_90, 7: TURN.TRANSVERSE, 8: TURN.ROTATE_270}


def hole_at(box, shape=ASTRONAUT.shape):
    left, top, right, bottom = (round(value) for value in box)
    hole = np.zeros(shape[:2], bool)
    hole[top:bottom, left:right] = True
    return hole


def filled(pixels, hole, **options):
    result = faceinp.fill(pixels, hole, engine="telea", **options)
    assert np.array_equal(result.image[~hole], pixels[~hole]) and result.changed_pixels == 0
    assert (result.image[hole] != pixels[hole]).any()
    return result


@pytest.mark.parametrize("orientation", [3, 5, 6, 7, 8])
def test_a_phone_portrait_that_exif_turns(orientation: int, tmp_path: Path) -> None:
    tall = ASTRONAUT[:, 60:400]
    hole = hole_at((130, 85, 200, 117), tall.shape)
    photo, mask, out = (tmp_path / f"{name}.png" for name in ("photo", "mask", "out"))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(tall).transpose(STORED[orientation]).save(photo, exif=exif)
    upright = Image.fromarray(hole.astype(np.uint8) * 255)
    masks = [upright, *([upright.transpose(STORED[orientation])] if orientation > 4 else ())]
    for number, one in enumerate(masks):  # made on the photo as it is seen, or as the file stores it
        one.save(mask)
        assert main(["fill", str(photo), "--mask", str(mask), "-o", str(out), "--engine", "telea"]) == 0
        result = Image.open(out)
        assert result.getexif().get(0x0112, 1) == 1  # nothing turns it again
        changed = (np.asarray(result) != tall).any(axis=2)
        assert changed[hole].any() and not changed[~hole].any()
        read = faceinp.read_mask(one, faceinp.read_photo(photo))
        assert ("rotated upright" in read.about) == (number == 1) and not read.warnings


def test_of_a_group_one_face_is_filled_and_which_is_said() -> None:
    small = cv2.resize(ASTRONAUT, (256, 256), interpolation=cv2.INTER_AREA)
    group = np.hstack([np.pad(small, ((0, 256), (0, 0), (0, 0))), ASTRONAUT])
    photo = faceinp.read_photo(group)
    mask = faceinp.make_preset("eyes", photo)
    assert "on the largest of 2 faces" in mask.about and not mask.hole[:, :256].any()
    second = faceinp.make_preset("eyes", photo, face=faceinp.FaceLocation.number(2))
    assert "largest" not in second.about and not second.hole[:, 256:].any()
    one = hole_at((95, 43, 130, 58), group.shape)
    assert not any("another face" in note for note in filled(group, one).notes)
    both = one | hole_at((256 + 190, 85, 256 + 260, 117), group.shape)
    result = filled(group, both)
    assert len(result.faces) == 2 and not any("another face" in note for note in result.notes)


def test_a_profile_is_filled_and_called_turned() -> None:
    camera = np.dstack([skimage.data.camera()] * 3)  # a man with a camera, from the side
    (face,) = detection.find_faces(camera)
    x, y, w, h = face.box
    result = filled(camera, hole_at((x + w / 3, y + h / 3, x + w / 2, y + h / 2), camera.shape))
    (note,) = (note for note in result.notes if "turned" in note)
    assert abs(face.yaw) > faces.LARGE_YAW and "telea" in note


def test_sunglasses_do_not_hide_the_face_and_all_of_them_goes() -> None:
    """The mask covers them with a margin: what is left of them would be spread by the blending."""
    portrait = np.ascontiguousarray(ASTRONAUT[:256, 96:352])
    (face,) = detection.find_faces(portrait)
    quad = faces.quad(face)
    corners = (face.points - quad[0]) @ np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]]))
    points = presets.average_points(1, corners) @ np.stack([quad[3] - quad[0], quad[1] - quad[0]]) + quad[0]
    wearing, hole = worn_occluders.wear_glasses(portrait, points, lenses="dark")
    assert (wearing != portrait).any(axis=2).sum() > 500
    result = filled(wearing, hole)
    for x, y in face.points[:2].astype(int):  # an eye's place
        lens = np.s_[y - 4 : y + 5, x - 4 : x + 5]
        assert wearing[lens].mean() < 60 and result.image[lens].mean() > 100


def drawn() -> np.ndarray:
    """A face of a few lines."""
    paper = np.full((600, 500, 3), 255, np.uint8)
    ink = (40, 30, 20)
    cv2.ellipse(paper, (250, 300), (150, 200), 0, 0, 360, (255, 224, 189), -1, cv2.LINE_AA)
    cv2.ellipse(paper, (250, 300), (150, 200), 0, 0, 360, ink, 4, cv2.LINE_AA)
    for x in (190, 310):
        cv2.ellipse(paper, (x, 260), (32, 18), 0, 0, 360, ink, 3, cv2.LINE_AA)
        cv2.circle(paper, (x, 260), 11, (60, 90, 140), -1, cv2.LINE_AA)
    cv2.polylines(paper, [np.array([[250, 270], [238, 340], [262, 342]])], False, ink, 3, cv2.LINE_AA)
    cv2.ellipse(paper, (250, 400), (55, 22), 0, 10, 170, (160, 40, 40), 6, cv2.LINE_AA)
    return paper


def test_a_drawing_is_filled_where_it_is_found_or_pointed_at() -> None:
    paper = drawn()
    hole = hole_at((200, 385, 300, 430), paper.shape)
    five = [(190, 260), (310, 260), (250, 330), (200, 405), (300, 405)]
    assert filled(paper, hole, face=faceinp.FaceLocation.points(five)).face.points.tolist() == [
        list(point) for point in five
    ]
    filled(paper, hole, face=faceinp.FaceLocation.box(110, 150, 280, 340))


@pytest.mark.parametrize("side", [40, 64, 100])
def test_a_tiny_photo_is_filled_at_its_own_size(side: int) -> None:
    tiny = cv2.resize(ASTRONAUT[20:220, 120:320], (side, side), interpolation=cv2.INTER_AREA)
    eyes = np.array([70, 65, 140, 97]) * side / 200
    assert filled(tiny, hole_at(eyes, tiny.shape)).image.shape == (side, side, 3)


def test_a_face_much_larger_than_the_engine_s_is_said_to_be_filled_softly() -> None:
    large = cv2.resize(ASTRONAUT, (4096, 4096), interpolation=cv2.INTER_LINEAR)
    hole = hole_at(np.array(EYES) * 8, large.shape)
    points = np.array([[205, 102], [247, 104], [225, 129], [202, 139], [245, 142]]) * 8
    face = {"face": faceinp.FaceLocation.points(points)}
    soft = faceinp.fill(large, hole, engine="structural", options={"iterations": 1}, **face)
    (note,) = (note for note in soft.notes if "soft" in note)
    assert "`structural` works at 64 px" in note and np.array_equal(soft.image[~hole], large[~hole])
    assert not any("soft" in note for note in faceinp.fill(large, hole, engine="telea", **face).notes)


def test_one_pixel_more_than_fifty_megapixels_is_refused_with_a_way_on(tmp_path: Path, capsys) -> None:
    photo = tmp_path / "huge.png"
    Image.new("L", (8200, 6200)).save(photo)
    assert main(["fill", str(photo), "--preset", "eyes", "-o", str(tmp_path / "out.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "8200 x 6200" in line and line.endswith("Make it smaller first.")


def test_a_scan_with_scratches_stays_grey_and_loses_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scan = cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY)
    scan = np.clip(scan * 0.8 + 20 + rng.normal(0, 4, scan.shape), 0, 255).astype(np.uint8)
    whole, mask = scan.copy(), np.zeros_like(scan)
    for line in ([[150, 40], [300, 260]], [[20, 480], [330, 70]], [[400, 10], [420, 500]]):
        cv2.polylines(scan, [np.array(line)], False, 255, 2, cv2.LINE_AA)
        cv2.polylines(mask, [np.array(line)], False, 255, 7)
    photo, marks, out = tmp_path / "scan.tif", tmp_path / "mask.png", tmp_path / "out.tif"
    Image.fromarray(scan).save(photo)
    Image.fromarray(mask).save(marks)
    assert main(["fill", str(photo), "--mask", str(marks), "-o", str(out), "--engine", "telea", "--quiet"]) == 0
    result = Image.open(out)
    assert result.mode == "L" and np.array_equal(np.asarray(result)[mask == 0], scan[mask == 0])
    error = np.abs(np.asarray(result).astype(int) - whole)[mask > 0]
    assert error.mean() < 0.4 * np.abs(scan.astype(int) - whole)[scan != whole].mean()


def test_a_face_at_the_border(tmp_path: Path) -> None:
    """Half of it is out of the photo: it is found all the same, or where the user says."""
    cut = np.ascontiguousarray(ASTRONAUT[95:, 205:])
    hole = hole_at((0, 0, 45, 25), cut.shape)
    photo, mask, out = (tmp_path / f"{name}.png" for name in ("photo", "mask", "out"))
    Image.fromarray(cut).save(photo)
    Image.fromarray(hole.astype(np.uint8) * 255).save(mask)
    argv = ["fill", str(photo), "--mask", str(mask), "-o", str(out), "--engine", "telea"]
    for where in ((), ("--box", "-24,-33,87,110"), ("--points", "-3,7,42,9,20,34,-3,44,40,47")):
        assert main([*argv, *where]) == 0, where
        changed = (np.asarray(Image.open(out)) != cut).any(axis=2)
        assert changed[hole].any() and not changed[~hole].any()


def test_no_face_at_all_is_one_sentence_whatever_the_hole_is(tmp_path: Path, capsys) -> None:
    sky = np.dstack([np.tile(np.linspace(80, 220, 300).astype(np.uint8)[:, None], (1, 400))] * 3)
    photo, mask, out = (tmp_path / f"{name}.png" for name in ("photo", "mask", "out"))
    Image.fromarray(sky).save(photo)
    Image.fromarray(hole_at((100, 100, 200, 200), sky.shape).astype(np.uint8) * 255).save(mask)
    for hole in (("--mask", str(mask), "--require-face"), ("--preset", "eyes")):
        assert main(["fill", str(photo), *hole, "-o", str(out), "--engine", "telea"]) == 4
        assert capsys.readouterr().err.startswith("faceinp: No face was found in the photo. Specify where it is")
    assert not out.exists()
    assert main(["fill", str(photo), "--mask", str(mask), "-o", str(out)]) == 0
    assert "No face was found under the mask, so it was filled from its surroundings." in capsys.readouterr().err
