"""Whole photos through the pipeline: several faces under one mask, none at all, and photos that lie on their side."""

import cv2
import numpy as np
import pytest
import skimage.data
from serving import ROOT

import faceinp
from faceinp.exemplars.sources import ENGINE, REFERENCE, SURROUNDINGS
from faceinp.face import faces, targets

ASTRONAUT = skimage.data.astronaut()
GARDEN = np.ascontiguousarray(skimage.data.coffee()[:300, :400])
OTHER = cv2.resize(faceinp.read_photo(ROOT / "demo" / "images" / "generated.png").pixels, (200, 200))
PAIR = cv2.copyMakeBorder(ASTRONAUT[:, 40:440], 0, 0, 0, 300, cv2.BORDER_REPLICATE)
PAIR[60:260, 460:660] = OTHER


def box_hole(shape, *boxes):
    """boxes: x, y, width, height."""
    hole = np.zeros(shape[:2], bool)
    for x, y, w, h in boxes:
        hole[y : y + h, x : x + w] = True
    return hole


@pytest.fixture(scope="module")
def pair():
    found = faceinp.find_faces(PAIR)
    assert len(found) == 2
    return found


@pytest.fixture(scope="module")
def both_hidden(pair):
    """The mouth of the first face, most of the second."""
    hole = box_hole(PAIR.shape)
    for face, share in zip(pair, (0.25, 0.6), strict=True):
        x, y, w, h = (round(value) for value in face.box)
        hole[round(y + h * (1 - share)) : y + h, x : x + w] = True
    return hole


@pytest.fixture(scope="module")
def upright():
    """The astronaut with an eye filled."""
    return faceinp.fill(ASTRONAUT, box_hole(ASTRONAUT.shape, (228, 90, 38, 28)))


@pytest.fixture(scope="module")
def filled_pair(both_hidden):
    return faceinp.fill(PAIR, both_hidden, engine="landmark")


def test_every_face_under_the_mask_is_filled_the_least_hidden_first(filled_pair, both_hidden, pair):
    assert [one.location.box[0] for one in filled_pair.faces] == pytest.approx([face.box[0] for face in pair], abs=8)
    assert np.array_equal(filled_pair.image[~both_hidden], PAIR[~both_hidden])
    assert filled_pair.shares[ENGINE] > 0.4
    for one in filled_pair.faces:
        assert one.landmarks.shape == (68, 2)
        inside = one.landmarks[30]  # the nose's tip lies in its own face
        x, y, w, h = one.location.box
        assert x < inside[0] < x + w and y < inside[1] < y + h
    first = filled_pair.faces[0]
    assert filled_pair.crop is first.crop and filled_pair.generated is first.generated
    assert filled_pair.landmarks is first.landmarks and filled_pair.face is first.location


def test_notes_of_several_faces_say_which_face_they_are_of(filled_pair):
    for index, one in enumerate(filled_pair.faces, 1):
        assert all(f"Face {index}: {note}" in filled_pair.notes for note in one.notes)
    assert any(one.notes for one in filled_pair.faces)


def test_a_face_of_several_is_filled_as_alone_where_the_others_are_far(pair, both_hidden, filled_pair):
    x, y, w, h = (round(value) for value in pair[0].box)
    own = both_hidden & box_hole(PAIR.shape, (x - 20, y, w + 40, h + 40))
    alone = faceinp.fill(PAIR, own, engine="landmark")
    assert len(alone.faces) == 1
    difference = np.abs(alone.image[own].astype(int) - filled_pair.image[own]).mean()
    assert difference < 4


def test_one_face_by_its_number_comes_first_and_the_other_is_filled_too(both_hidden, pair):
    result = faceinp.fill(PAIR, both_hidden, engine="telea", face=faceinp.FaceLocation.number(2))
    assert result.face.box[0] == pytest.approx(pair[1].box[0], abs=8) and len(result.faces) == 2
    assert "The mask also covers another face, which was filled, too." in result.notes


def test_a_location_that_is_none_and_a_job_that_is_none_are_errors_of_one_sentence():
    for kind, value in (("box", None), ("bogus", 3), ("number", "2")):
        with pytest.raises(faceinp.NoFaceError, match="Make one with"):
            faceinp.FaceLocation(kind, value)
    with pytest.raises(faceinp.NoFaceError, match="far larger than the photo"):
        faceinp.fill(GARDEN, box_hole(GARDEN.shape, (5, 5, 9, 9)), face=faceinp.FaceLocation.box(-1e6, -1e6, 1e7, 1e7))
    eye = box_hole(ASTRONAUT.shape, (228, 90, 38, 28))
    wrong, right = faceinp.fill_many([(GARDEN,), (ASTRONAUT, eye)], engine="telea")
    assert isinstance(wrong, faceinp.PhotoError) and right.changed_pixels == 0
    with pytest.raises(faceinp.EngineError, match="68 points"):
        faceinp.fill(ASTRONAUT, eye, landmarks=np.zeros((68, 2)))


def test_each_reference_goes_to_the_face_it_resembles(pair, both_hidden):
    references = [OTHER, ASTRONAUT]
    result = faceinp.fill(PAIR, both_hidden, references=references, symmetry=False, reference_check=False)
    for index, face in enumerate(pair):
        x, y, w, h = (round(value) for value in face.box)
        here = result.sources[y : y + h, x : x + w]
        assert (here == REFERENCE + index).sum() > 0.3 * (here > 0).sum()
        assert not (here == REFERENCE + 1 - index).any()
    assert sum(reference.share for reference in result.references) == pytest.approx(
        sum(share for code, share in result.shares.items() if code >= REFERENCE)
    )


def test_a_reference_whose_face_may_be_turned_two_ways_costs_no_fill(both_hidden):
    head = np.full((260, 260, 3), 120, np.uint8)
    part = skimage.data.astronaut()[48:188, 159:299].astype(int)
    head[60:200, 60:200] = (part + part[::-1, ::-1]) // 2  # two exposures on one film
    result = faceinp.fill(PAIR, both_hidden, references=[head], symmetry=False)
    assert "not clear which way up" in result.references[0].problem and len(result.faces) == 2


def test_many_photos_at_once_are_filled_as_one_by_one(both_hidden, filled_pair):
    eye = box_hole(ASTRONAUT.shape, (228, 90, 38, 28))
    results = faceinp.fill_many(
        [(PAIR, both_hidden), (GARDEN, box_hole(GARDEN.shape, (50, 50, 9, 90))), (ASTRONAUT, eye)]
    )
    assert [len(result.faces) for result in results] == [2, 0, 1]
    assert np.abs(results[0].image.astype(int) - filled_pair.image).max() <= 1


def test_where_crops_overlap_a_pixel_belongs_to_the_face_it_lies_deeper_in():
    hole = np.ones((100, 200), bool)
    left, right = (faces.whole_quad((100, 100)) + np.array([x, 0]) for x in (0, 60))
    owner = targets.owners(hole, [left, right])
    assert (owner[:, :60] == 1).all() and (owner[:, 100:160] == 2).all() and (owner[:, 160:] == 0).all()
    assert owner[50, 79] == 1 and owner[50, 81] == 2


def test_scratches_where_no_face_is_are_filled_from_their_surroundings():
    scratch = box_hole(GARDEN.shape, (60, 20, 5, 200))
    result = faceinp.fill(GARDEN, scratch)
    assert np.array_equal(result.image[~scratch], GARDEN[~scratch])
    assert (result.image[scratch] != GARDEN[scratch]).any()
    assert result.faces == () and result.crop is None and result.landmarks is None and result.face is None
    assert result.shares == {SURROUNDINGS: 1}
    assert any("No face was found under the mask" in note for note in result.notes)


def test_a_scratch_on_a_coat_is_filled_though_a_face_is_near():
    coat = box_hole(ASTRONAUT.shape, (20, 440, 60, 6))
    result = faceinp.fill(ASTRONAUT, coat)
    assert result.faces == () and result.shares == {SURROUNDINGS: 1}


@pytest.mark.parametrize("photo", [GARDEN, ASTRONAUT])
def test_a_face_can_be_required(photo):
    hole = box_hole(photo.shape, (5, 250, 30, 4))
    with pytest.raises(faceinp.NoFaceError, match="face"):
        faceinp.fill(photo, hole, require_face=True)


def test_references_without_a_face_to_fill_are_said_to_be_unused():
    result = faceinp.fill(GARDEN, box_hole(GARDEN.shape, (60, 20, 5, 20)), references=[ASTRONAUT])
    assert result.references[0].share == 0 and "no face is filled" in result.references[0].problem
    assert result.references[0].problem in result.notes


def test_a_judge_is_told_which_face_and_that_none_was_filled(filled_pair):
    first, second = (faceinp.judge_fill(filled_pair, face=number) for number in (1, 2))
    assert first.original.distance != second.original.distance
    with pytest.raises(faceinp.NoFaceError, match="Face 3 cannot be judged: 2 were filled"):
        faceinp.judge_fill(filled_pair, face=3)
    nothing = faceinp.fill(GARDEN, box_hole(GARDEN.shape, (60, 20, 5, 20)))
    with pytest.raises(faceinp.NoFaceError, match="No face was filled"):
        faceinp.judge_fill(nothing)


@pytest.mark.parametrize("turn", [90, 180])
def test_a_photo_on_its_side_is_filled_as_it_lies(turn, upright):
    eye = upright.mask
    lying, hole = (np.ascontiguousarray(np.rot90(array, turn // 90)) for array in (ASTRONAUT, eye))
    result = faceinp.fill(lying, hole)
    assert result.image.shape == lying.shape and np.array_equal(result.image[~hole], lying[~hole])
    back = np.rot90(result.image, -turn // 90)
    assert np.abs(back[eye].astype(int) - upright.image[eye]).mean() < 12
    assert any(f"turned by {turn} degrees clockwise" in note for note in result.notes)
    assert not any("degrees clockwise" in note for note in upright.notes)


def test_an_aligned_photo_may_lie_on_its_side():
    crop = np.ascontiguousarray(ASTRONAUT[20:220, 120:320])
    hole = box_hole(crop.shape, (60, 60, 50, 40))
    upright = faceinp.fill(crop, hole, face=faceinp.FaceLocation.aligned())
    for turn in (90, 180, 270):
        lying, turned = (np.ascontiguousarray(np.rot90(array, turn // 90)) for array in (crop, hole))
        result = faceinp.fill(lying, turned, face=faceinp.FaceLocation.aligned(), turn=turn)
        back = np.rot90(result.image, -turn // 90)
        assert np.array_equal(back[~hole], crop[~hole])
        assert np.abs(back[hole].astype(int) - upright.image[hole]).mean() < 1.5  # a crop is sampled anew


def test_a_box_without_a_face_is_turned_as_said():
    plain = np.full((300, 300, 3), 90, np.uint8)
    for turn, up in ((0, (0, -1)), (90, (-1, 0)), (180, (0, 1)), (270, (1, 0))):
        result = faceinp.fill(
            plain, box_hole(plain.shape, (120, 120, 20, 20)), engine="telea",
            face=faceinp.FaceLocation.box(90, 80, 90, 120), turn=turn,
        )  # fmt: skip
        upwards = result.crop.quad[0] - result.crop.quad[1]
        assert upwards / np.linalg.norm(upwards) == pytest.approx(up, abs=1e-3)


@pytest.mark.parametrize("turn", [45, 90.0, "left", True])
def test_a_turn_is_one_of_four(turn):
    with pytest.raises(faceinp.NoFaceError, match="turn must be 0, 90, 180, 270 or 'auto'"):
        faceinp.fill(ASTRONAUT, box_hole(ASTRONAUT.shape, (228, 90, 38, 28)), turn=turn)
    with pytest.raises(faceinp.NoFaceError, match="turn must be 0, 90, 180, 270 or 'auto'"):
        faceinp.make_preset("eyes", faceinp.read_photo(OTHER), face=faceinp.FaceLocation.aligned(), turn=turn)


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ({"aligned": True}, "aligned"),
        ({"number": 2}, "number"),
        ({"box": [1, 2, 30, 40]}, "box"),
        ({"points": [[1, 2]] * 5}, "points"),
    ],
)
def test_a_location_comes_from_json(stated, kind):
    assert faceinp.FaceLocation.from_json(stated).kind == kind


@pytest.mark.parametrize(
    "stated",
    [None, {}, 3, {"aligned": False}, {"number": 0}, {"number": True}, {"box": [1, 2]}, {"points": 3}, {"box": "1234"},
     {"box": [1, 2, 3, 4], "number": 1}],
)  # fmt: skip
def test_what_is_no_location_is_refused(stated):
    with pytest.raises(faceinp.NoFaceError):
        faceinp.FaceLocation.from_json(stated)


def test_the_former_keywords_work_and_say_what_to_write():
    eye = box_hole(ASTRONAUT.shape, (228, 90, 38, 28))
    face = faceinp.find_faces(ASTRONAUT)[0]
    now = faceinp.fill(ASTRONAUT, eye, engine="telea", face=faceinp.FaceLocation.points(face.points))
    with pytest.warns(DeprecationWarning, match=r"points= is deprecated. Write face=FaceLocation.points"):
        before = faceinp.fill(ASTRONAUT, eye, engine="telea", points=face.points)
    assert np.array_equal(now.image, before.image)
    for former, better in (({"face": 1}, r"number\(1\)"), ({"box": face.box}, "box"), ({"aligned": True}, "aligned")):
        with pytest.warns(DeprecationWarning, match=better):
            assert faceinp.fill(ASTRONAUT, eye, engine="telea", **former).changed_pixels == 0
    with pytest.raises(faceinp.NoFaceError, match="only once: got aligned and points"):
        faceinp.fill(ASTRONAUT, eye, aligned=True, points=face.points)
    with pytest.raises(faceinp.NoFaceError, match="only once: got box and face"):
        faceinp.fill(ASTRONAUT, eye, box=face.box, face=faceinp.FaceLocation.number(1))


@pytest.mark.parametrize("orientation", [2, 6])
def test_a_mask_drawn_without_regard_to_exif_is_turned_onto_the_face(orientation, tmp_path):
    from PIL import Image, ImageOps

    upright = ASTRONAUT[:, 100:]  # where her face is far from its mirror image
    mouth = box_hole(upright.shape, (100, 135, 50, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What a camera stores, so that EXIF turns it upright: the inverse of what viewers do.
    back = {2: 2, 3: 3, 4: 4, 6: 8}[orientation]
    stored, marked = [], []
    for array, files in ((upright, stored), (mouth.astype(np.uint8) * 255, marked)):
        picture = Image.fromarray(array)
        picture.getexif()[0x0112] = back
        files.append(ImageOps.exif_transpose(picture))
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    stored[0].save(photo, exif=exif)
    marked[0].convert("L").save(mask)
    result = faceinp.fill(photo, mask, engine="telea")
    assert np.array_equal(result.mask, mouth)
    assert len(result.faces) == 1 and any("rotated upright" in note for note in result.notes)
