"""Glasses, hands and protective masks that are proposed as a mask, face by face."""

from dataclasses import replace

import numpy as np
import pytest
from finder_files import FRAMES, PAINT, check_proposal, grey_astronaut, spectacled
from PIL import Image, ImageDraw
from skimage import data

import faceinp
from faceinp import FaceLocation
from faceinp.errors import NoFaceError, NothingFoundError, PhotoError
from faceinp.find import propose
from faceinp.find.find_option import join
from faceinp.find.occluders import Occluders
from faceinp.models import weights


@pytest.mark.usefixtures("finders")
def test_occluders_are_found_on_each_face() -> None:
    photo = spectacled(hand=True)
    (found,) = faceinp.find_occluders(photo)
    check_proposal(found, photo.shape)
    assert found.face is not None and found.KINDS[0] == "glasses"
    assert set(found.shares) == {"glasses", "hand"}
    painted = (photo == PAINT[1]).all(axis=2)
    assert (found.kind[painted] == 1).mean() > 0.9
    assert found.share < 0.03


@pytest.mark.usefixtures("finders")
def test_names_stand_for_kinds_of_occluders() -> None:
    photo = spectacled(hand=True)
    every, glasses = propose(photo, "occluders"), propose(photo, "glasses")
    assert set(every.shares) == {"glasses", "hand"} and set(glasses.shares) == {"glasses"}
    check_proposal(glasses, photo.shape)
    assert glasses.confidence[every.kind == 3].max() == 0
    with pytest.raises(NothingFoundError, match="Found no protective mask in the photo"):
        faceinp.fill(photo, find="protective-mask")
    result = faceinp.fill(photo, find="glasses", engine="telea")
    assert np.array_equal(result.mask, glasses.mask) and result.changed_pixels == 0
    assert np.array_equal(result.image[~glasses.mask], photo[~glasses.mask])


@pytest.mark.usefixtures("finders")
def test_a_face_can_be_chosen_and_a_photo_may_be_one() -> None:
    smaller = Image.fromarray(spectacled(hand=True)).resize((420, 420)).crop((0, 0, 420, 512))
    two = np.concatenate([spectacled(), np.asarray(smaller)], axis=1)
    found = faceinp.find_occluders(two)
    assert len(found) == 2
    assert [set(one.shares) for one in found] == [{"glasses"}, {"glasses", "hand"}]
    every = join(found, "occluders")
    assert np.array_equal(every.mask, found[0].mask | found[1].mask)
    assert (every.confidence >= np.maximum(found[0].confidence, found[1].confidence)).all()
    (second,) = faceinp.find_occluders(two, face=FaceLocation.number(2))
    assert np.array_equal(second.kind, found[1].kind)
    (same,) = faceinp.find_occluders(two, face=found[1].face)
    assert np.array_equal(same.kind, found[1].kind)
    with pytest.raises(NoFaceError, match="no face 3"):
        faceinp.find_occluders(two, face=FaceLocation.number(3))
    crop = spectacled()[20:220, 120:320]
    (aligned,) = faceinp.find_occluders(crop, face=FaceLocation.aligned())
    assert aligned.face is None and (aligned.kind[(crop == PAINT[1]).all(axis=2)] == 1).mean() > 0.9
    with pytest.raises(PhotoError, match="square"):
        faceinp.find_occluders(spectacled()[:400], face=FaceLocation.aligned())


@pytest.mark.usefixtures("finders")
def test_a_photo_without_a_face_gets_a_sentence() -> None:
    for photo in (np.full((200, 300, 3), 128, np.uint8), np.zeros((1, 1), np.uint8)):
        for call in (faceinp.find_occluders, lambda photo: faceinp.fill(photo, find="glasses")):
            with pytest.raises(NoFaceError, match="No face was found"):
                call(photo)


@pytest.mark.usefixtures("finders")
def test_small_marks_on_a_face_and_marks_beside_it_are_no_occluders() -> None:
    photo = grey_astronaut()
    photo[88:92, 190:204] = PAINT[1]  # as large as an eyebrow
    photo[150:230, 285:300] = PAINT[3]  # beside the face
    (found,) = faceinp.find_occluders(photo, sensitivity=1)
    assert not found.mask.any()
    photo[140:156, 225:300] = PAINT[3]  # a hand that reaches into the face is whole
    (found,) = faceinp.find_occluders(photo)
    assert set(found.shares) == {"hand"} and found.mask[152:190, 288:297].all()
    photo[140:190, 262:285] = 127  # cut off, the part beside the face is left out
    (found,) = faceinp.find_occluders(photo)
    assert found.mask[144:152, 228:258].all() and not found.mask[:, 286:].any()


@pytest.mark.usefixtures("finders")
def test_a_profile_is_left_out_with_a_note() -> None:
    (face,) = faceinp.find_faces(data.astronaut())
    (found,) = faceinp.find_occluders(spectacled(), face=replace(face, yaw=-64.0))
    assert not found.mask.any() and "turned by about 64 degrees" in found.notes[0]
    with pytest.raises(NothingFoundError, match="turned by about 64 degrees"):
        join([found], "glasses").as_mask()
    (found,) = faceinp.find_occluders(spectacled(), face=replace(face, yaw=-44.0))
    assert found.mask.any() and found.notes == ()


def test_a_note_concerns_the_kinds_that_are_asked_for() -> None:
    """A protective mask that hides the face is no reason for a note about its glasses."""
    (face,) = faceinp.find_faces(data.astronaut())
    kind = np.zeros((512, 512), np.uint8)
    kind[40:220, 140:300], kind[90:92, 190:260] = 2, 1
    found = Occluders(kind > 0, (kind > 0).astype(np.float32), kind, likely=kind, face=face, faces=(face,))
    assert join([found], "glasses").notes == ()
    for name in ("protective-mask", "occluders"):
        assert "covers most of a face" in join([found], name).notes[0]
    x, y, width, height = face.box
    smaller = replace(face, box=(x / 2 + 290, y / 2 + 240, width / 2, height / 2), points=face.points / 2 + (290, 240))
    kind = np.zeros((512, 512), np.uint8)
    kind[260:350, 360:440] = 2
    other = Occluders(kind > 0, (kind > 0).astype(np.float32), kind, likely=kind, face=smaller, faces=(smaller,))
    both = join([found, other], "protective-mask", 0.9)
    assert "covers most of 2 faces" in both.notes[0]
    assert np.array_equal(both.mask, (found.kind == 2) | (other.kind == 2)) and both.sensitivity == 0.9
    assert both.at(0.3).notes == both.notes  # and its notes stay with it


@pytest.mark.skipif(bool(weights.missing("occluders")), reason="the weights 'occluders' are not here")
def test_drawn_glasses_are_found_and_a_bare_face_is_left_alone() -> None:
    bare = data.astronaut()
    (found,) = faceinp.find_occluders(bare)
    assert found.share < 0.001
    picture = Image.fromarray(bare)
    draw = ImageDraw.Draw(picture)
    for left, top, right, bottom in FRAMES:
        draw.ellipse((left, top, right, bottom), fill=(15, 15, 18))
    draw.line((222, 104, 230, 104), fill=(15, 15, 18), width=4)
    (found,) = faceinp.find_occluders(picture)
    drawn = (np.asarray(picture) != bare).any(axis=2)
    assert found.mask[drawn].mean() > 0.7 and "glasses" in found.shares
