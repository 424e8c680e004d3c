"""What is proposed as a mask: of every kind of photo, by every setting, and what a fill makes of it."""

import io
import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from finder_files import PAINT, finders, grey_astronaut, put_finders  # noqa: F401 - a fixture
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw
from skimage import data

import faceinp
from faceinp import FaceLocation
from faceinp.errors import FaceinpError, MaskError, NoFaceError, NothingFoundError, PhotoError, WeightsError
from faceinp.evaluate.finder_tables import damage, drawn_damage
from faceinp.find import overlay, propose
from faceinp.find.find_option import join
from faceinp.find.occluders import Occluders
from faceinp.models import weights

SCRATCH, SPOT, TEAR = (np.s_[300:304, 40:460], np.s_[60:68, 60:68], np.s_[480:512, 0:60])
FRAMES = (185, 92, 222, 122), (230, 92, 266, 122)  # of glasses on the astronaut's face: x, y, x, y


def damaged() -> np.ndarray:
    """A photo with a scratch, a spot, and a corner that is missing, in the paint of their kinds."""
    photo = grey_astronaut()
    for kind, where in enumerate((SCRATCH, SPOT, TEAR), 1):
        photo[where] = PAINT[kind]
    return photo


def spectacled(*, hand: bool = False) -> np.ndarray:
    """A face with the frames of glasses, and something like a finger beside its mouth, in the paint of their kinds."""
    picture = Image.fromarray(grey_astronaut())
    draw = ImageDraw.Draw(picture)
    for frame in FRAMES:
        draw.rectangle(frame, outline=PAINT[1], width=4)
    if hand:
        draw.rectangle((236, 140, 252, 160), fill=PAINT[3])
    return np.asarray(picture)


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def check(proposal: faceinp.Damage | faceinp.Occluders, shape: tuple[int, ...]) -> None:
    """What holds for every proposal."""
    assert proposal.mask.dtype == bool and proposal.kind.dtype == np.uint8 and proposal.confidence.dtype == np.float32
    assert proposal.mask.shape == proposal.kind.shape == proposal.confidence.shape == shape[:2]
    assert ((proposal.kind > 0) == proposal.mask).all() and proposal.kind.max() <= len(proposal.KINDS)
    assert proposal.confidence.min() >= 0 and proposal.confidence.max() <= 1
    assert sum(proposal.shares.values()) == pytest.approx(proposal.share)


@pytest.mark.usefixtures("finders")
def test_damage_is_marked_by_kind_and_a_little_beyond() -> None:
    photo = damaged()
    found = faceinp.find_damage(photo)
    check(found, photo.shape)
    for kind, where in enumerate((SCRATCH, SPOT, TEAR), 1):
        assert (found.kind[where] == kind).all()
    painted = (photo != grey_astronaut()).any(axis=2)
    assert found.mask[SCRATCH[0], 39].all()  # grown
    near = np.lib.stride_tricks.sliding_window_view(np.pad(painted, 4), (9, 9)).any(axis=(2, 3))
    assert not (found.mask & ~near).any()
    assert list(found.shares) == ["scratch", "spot", "tear"] and found.notes == ()


@pytest.mark.usefixtures("finders")
@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.full((70, 700, 3), 255, np.uint8),
        np.zeros((1030, 65, 3), np.uint8),
        np.zeros((64, 64), np.uint8),
        np.full((64, 64, 4), 128, np.uint8),
    ],
)
def test_nothing_is_found_on_empty_pictures_of_any_shape(photo: np.ndarray) -> None:
    found = faceinp.find_damage(photo, sensitivity=1)
    check(found, photo.shape)
    assert not found.mask.any() and found.share == 0 and found.shares == {}


@pytest.mark.usefixtures("finders")
def test_no_sensitivity_beyond_its_ends_is_recommended() -> None:
    nothing = faceinp.find_damage(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(
        NothingFoundError,
        match=r"^Found no damage in the photo\. Nothing is found at any sensitivity\. Paint a mask\.$",
    ):
        nothing.as_mask()
    with pytest.raises(NothingFoundError, match=r"^Found no damage in the photo\. Paint a mask\.$"):
        nothing.at(1).as_mask()
    everything = faceinp.find_damage(np.full((64, 64, 3), PAINT[4], np.uint8), sensitivity=0)
    with pytest.raises(MaskError, match=r"^The entire photo was marked as damage\. Paint a mask\.$"):
        everything.as_mask()
    assert everything.notes[0].endswith("would be invented. Mask only what matters most.")
    with pytest.raises(MaskError, match=r"damage\. Lower --sensitivity .*paint a mask\.$"):
        everything.at(0.1).as_mask()
    assert everything.at(0.1).notes[0].endswith("Lower the sensitivity, or mask only what matters most.")
    with pytest.raises(NothingFoundError, match=r"^Found no glasses in the photo\. Paint a mask\.$"):
        propose(grey_astronaut(), faceinp.Find("glasses", 1)).as_mask()


@pytest.mark.usefixtures("finders")
def test_the_lowest_sensitivity_that_finds_something_is_named() -> None:
    photo = np.full((200, 200, 3), 127, np.uint8)
    photo[50:70, 50:70] = 0.9 * np.array(PAINT[2]) + 0.1 * 127
    with pytest.raises(NothingFoundError, match=r"from --sensitivity [0-9.]+ \(sensitivity=") as raised:
        faceinp.find_damage(photo, sensitivity=0.2).as_mask()
    lowest = float(str(raised.value).split("--sensitivity ")[1].split()[0])
    assert 0.2 < lowest < 1
    assert faceinp.find_damage(photo, sensitivity=lowest).mask.any()
    assert not faceinp.find_damage(photo, sensitivity=lowest - 0.05).mask.any()


@pytest.mark.usefixtures("finders")
def test_texts_leave_out_kinds_of_a_few_pixels() -> None:
    photo = np.full((600, 800, 3), 127, np.uint8)
    photo[300:304, 40:760], photo[50:53, 50:53] = PAINT[1], PAINT[2]
    found = faceinp.find_damage(photo)
    assert set(found.shares) == {"scratch", "spot"} and list(found.main_shares) == ["scratch"]
    assert "spot" not in found.as_mask().about and "spot" not in overlay.legend(found)
    photo[300:304] = 127
    assert list(faceinp.find_damage(photo).main_shares) == ["spot"]  # the largest is always named


@pytest.mark.usefixtures("finders")
def test_nothing_is_proposed_where_a_photo_is_transparent() -> None:
    photo = np.dstack([damaged(), np.full((512, 512), 255, np.uint8)])
    photo[:, :200, 3] = 0
    found = faceinp.find_damage(photo)
    assert not found.mask[:, :200].any() and found.mask[SCRATCH][:, 160:].all()
    assert found.notes == ("Transparent parts of the photo are left out of the proposal.",)
    photo[:, :200, 3] = 1  # hardly seen, but there
    assert faceinp.find_damage(photo).mask[SCRATCH].all() and faceinp.find_damage(photo).notes == ()
    glasses = np.dstack([spectacled(), np.full((512, 512), 255, np.uint8)])
    glasses[:, :226, 3] = 0
    found = propose(glasses, "glasses")
    assert not found.mask[:, :224].any() and found.mask.any() and "Transparent" in found.notes[0]


@pytest.mark.usefixtures("finders")
def test_one_large_blot_alone_gets_a_note() -> None:
    photo = np.full((300, 300, 3), 127, np.uint8)
    photo[40:80, 40:80] = PAINT[4]
    assert "All that is marked is one stain of 2" in faceinp.find_damage(photo).notes[0]
    photo[200:240, 200:240] = PAINT[4]
    assert faceinp.find_damage(photo).notes == ()
    photo[200:240, 200:240] = photo[40:80, 40:80] = 127
    photo[100:110, 20:280] = PAINT[1]
    assert faceinp.find_damage(photo).notes == ()


def thin_paint(picture: np.ndarray) -> np.ndarray:
    """A network to which red is a scratch where it is at most six pixels wide."""
    red = (picture[..., 0].astype(int) - picture[..., 1] > 90).astype(np.uint8)
    wide = cv2.morphologyEx(red, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    shares = np.zeros((6, *red.shape), np.float32)
    shares[1] = (red > 0) & (wide == 0)
    shares[0] = 1 - shares[1]
    return shares


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 6])
def test_damage_is_found_at_any_size_of_scan(scale: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceinp.find.network.load", lambda _: thin_paint)
    photo = np.full((300, 400, 3), 127, np.uint8)
    for row in (60, 120, 180, 240):
        photo[row : row + 4, 20:380] = PAINT[1]
    painted = cv2.resize((photo[..., 1] == 0).astype(np.uint8), None, fx=scale, fy=scale) > 0
    enlarged = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    found = faceinp.find_damage(enlarged)
    assert found.mask[painted].mean() > 0.95
    assert (found.mask & ~painted).sum() < 1.5 * painted.sum()


def test_a_few_marks_of_coarse_levels_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """In sound photos, coarse levels take a mast or a stalk for a scratch."""
    monkeypatch.setattr("faceinp.find.network.load", lambda _: thin_paint)
    photo = np.full((900, 1200, 3), 127, np.uint8)
    photo[300:308, 100:900] = PAINT[1]
    assert not faceinp.find_damage(photo).mask.any()


@pytest.mark.usefixtures("finders")
@pytest.mark.parametrize("shape", [(63, 400, 3), (1, 1, 3), (400, 12)])
def test_a_tiny_photo_gets_a_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(PhotoError, match=r"too small to find damage in\. Use one of 64 x 64"):
        faceinp.find_damage(np.zeros(shape, np.uint8))


@pytest.mark.usefixtures("finders")
def test_marks_lie_in_the_same_place_in_photos_of_several_tiles() -> None:
    photo = np.full((1203, 1301, 3), 127, np.uint8)
    places = [(0, 0), (505, 508), (700, 1290), (1190, 40), (1191, 1289), (1024, 512)]
    for row, column in places:
        photo[row : row + 12, column : column + 12] = PAINT[2]
    found = faceinp.find_damage(photo)
    check(found, photo.shape)
    painted = (photo != 127).any(axis=2)
    assert found.mask[painted].all()
    assert np.count_nonzero(found.mask) < 1.7 * np.count_nonzero(painted)


@pytest.mark.usefixtures("finders")
def test_a_photo_is_the_same_however_its_file_holds_it(tmp_path: Path) -> None:
    picture = Image.fromarray(damaged())
    expected = faceinp.find_damage(picture)
    turned = Image.Exif()
    turned[0x0112] = 6
    sideways = encoded(picture.transpose(Image.Transpose.ROTATE_90), "PNG", exif=turned)
    clear = picture.copy()
    clear.putalpha(255)
    deep = tmp_path / "deep.png"
    cv2.imwrite(str(deep), np.asarray(picture)[..., ::-1].astype(np.uint16) * 257)
    for same in (encoded(picture, "PNG"), sideways, clear, deep, faceinp.read_photo(picture)):
        assert np.array_equal(faceinp.find_damage(same).kind, expected.kind)


@pytest.mark.usefixtures("finders")
def test_stamps_are_left_alone_unless_included() -> None:
    photo = grey_astronaut()
    photo[400:440, 300:380] = PAINT[5]
    assert not faceinp.find_damage(photo).mask.any()
    for include in (["stamps"], ("stamps",), {"stamps"}):
        assert list(faceinp.find_damage(photo, include=include).shares) == ["stamp"]


@pytest.mark.usefixtures("finders")
@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted), st.integers(0, 100))
def test_a_higher_sensitivity_marks_at_least_as_much(sensitivities: list[float], paleness: int) -> None:
    photo = np.full((64, 64, 3), 127, np.uint8)
    for kind, (row, column) in enumerate(((8, 8), (8, 40), (40, 8)), 1):
        strength = max(0, 1 - paleness * kind / 200)
        photo[row : row + 16, column : column + 16] = strength * np.array(PAINT[kind]) + (1 - strength) * 127
    low, high = (faceinp.find_damage(photo, sensitivity=one) for one in sensitivities)
    assert not (low.mask & ~high.mask).any()
    assert np.array_equal(low.confidence, high.confidence)


def by_red_and_green(picture: np.ndarray) -> np.ndarray:
    """A network to which red is the confidence and green the kind: any map that hypothesis draws, it finds."""
    shares = np.zeros((6, *picture.shape[:2]), np.float32)
    confidence = picture[..., 0] / np.float32(255)
    np.put_along_axis(shares, 1 + picture[None, ..., 1].astype(np.intp) * 5 // 256, confidence, axis=0)
    shares[0] = 1 - confidence
    return shares


SIDES = st.integers(64, 96)
SENSITIVITIES = st.one_of(st.sampled_from((0, 0.5, 1)), st.floats(0, 1))


@pytest.mark.usefixtures("finders")
@pytest.mark.parametrize("by", ["a network", "filters"])
@settings(deadline=None, max_examples=60)
@given(drawn=st.data())
def test_whatever_the_photo_shows_its_proposals_are_sound_and_grow_with_the_sensitivity(
    by: str, drawn: st.DataObject
) -> None:
    """Faint parts are marked where they are connected to surer ones: a higher sensitivity may neither lose these nor
    cut them off.
    """
    shape = drawn.draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
    grid = drawn.draw(arrays.arrays(np.uint8, shape))
    photo = cv2.resize(grid, (drawn.draw(SIDES), drawn.draw(SIDES)), interpolation=drawn.draw(st.sampled_from((0, 1))))
    low, high = sorted((drawn.draw(SENSITIVITIES), drawn.draw(SENSITIVITIES)))
    include = drawn.draw(st.sampled_from(((), ("stamps",))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceinp.find.network.load", lambda _: by_red_and_green)
        patch.setattr("faceinp.find.damage.detection.find_large_faces", lambda *_: ())
        if by == "filters":
            patch.setattr("faceinp.find.damage.weights.missing", lambda name: f"no {name}")
        less = faceinp.find_damage(photo, sensitivity=low, include=include)
    more = less.at(high)
    for found in (less, more):
        check(found, photo.shape)
        assert include or "stamp" not in found.shares
    assert not (less.mask & ~more.mask).any()
    assert np.array_equal(more.at(low).kind, less.kind)


@pytest.mark.usefixtures("finders")
def test_the_ends_of_the_sensitivity_are_of_use() -> None:
    photo = damaged()
    assert faceinp.find_damage(photo, sensitivity=0).mask[SCRATCH].mean() > 0.5  # what is certain is found
    assert faceinp.find_damage(photo, sensitivity=1).share < 0.05  # not everything is


def test_settings_that_there_are_not_get_a_sentence() -> None:
    photo = np.zeros((64, 64, 3), np.uint8)
    for sensitivity in (-0.1, 1.1, float("nan"), "high", None):
        for finder in (faceinp.find_damage, faceinp.find_occluders):
            with pytest.raises(FaceinpError, match="sensitivity must be a number from 0 to 1"):
                finder(photo, sensitivity=sensitivity)
        with pytest.raises(FaceinpError, match="sensitivity must be a number"):
            faceinp.Find("damage", sensitivity)
    for looks in (lambda include: faceinp.find_damage(photo, include=include), partial(faceinp.Find, "damage", 0.5)):
        for include in ("stamps", b"stamps", "", None, 5, 0, float("nan"), {"stamps": True}, np.array(["stamps"])):
            with pytest.raises(FaceinpError, match=r'^include must be a list of names, such as \["stamps"\], got '):
                looks(include)
        for include in (["stamps", "pens"], ("pens",), [None], [0], [["stamps"]], [np.zeros(2)], {b"stamps"}):
            with pytest.raises(FaceinpError, match=r"^Unknown name .* in include\. Available: stamps\.$"):
                looks(include)
    with pytest.raises(FaceinpError, match="include applies only to find='damage', not to glasses"):
        faceinp.Find("glasses", include=("stamps",))
    for name in ("scratches", "", 3, None, ["damage"], np.array(["damage", "damage"])):
        with pytest.raises(FaceinpError, match=r"find=.* is unknown\. Choose one of: damage, glasses"):
            propose(photo, faceinp.Find(name))
    with pytest.raises(FaceinpError, match="find='dust' is unknown"):
        faceinp.fill(photo, find="dust")
    with pytest.raises(NoFaceError, match="turn must be"):
        faceinp.find_occluders(photo, turn=45)


@pytest.mark.usefixtures("finders")
def test_a_fill_takes_a_mask_or_looks_for_one() -> None:
    photo = damaged()
    for both in ({"mask": np.ones((512, 512), bool), "find": "damage"}, {}):
        with pytest.raises(MaskError, match="needs either a mask or find="):
            faceinp.fill(photo, **both)
    for polarity in ("black", "white", "grey", None):
        with pytest.raises(
            MaskError, match=r"mask_hole= applies to a mask, so it cannot be used with find=\. Leave it out"
        ):
            faceinp.fill(photo, find="damage", mask_hole=polarity)


@pytest.mark.usefixtures("finders")
def test_what_is_found_is_filled_and_nothing_else_changes() -> None:
    photo = damaged()
    found = faceinp.find_damage(photo)
    result = faceinp.fill(photo, find="damage", engine="telea")
    assert np.array_equal(result.mask, found.mask) and result.changed_pixels == 0
    assert np.array_equal(result.image[~found.mask], photo[~found.mask])
    assert np.ptp(result.image[SCRATCH].astype(int), axis=2).max() < 40  # the paint is gone
    assert result.timings["find"] > 0
    assert any(note.startswith("damage on ") and "scratch" in note and "tear" in note for note in result.notes)
    certain = faceinp.fill(photo, find=faceinp.Find("damage", 0), engine="telea")
    assert np.array_equal(certain.mask, faceinp.find_damage(photo, sensitivity=0).mask)


@pytest.mark.usefixtures("finders")
def test_a_fill_that_finds_nothing_or_only_damage_is_refused() -> None:
    with pytest.raises(NothingFoundError, match="Found no damage"):
        faceinp.fill(grey_astronaut(), find="damage")
    with pytest.raises(MaskError, match=r"The entire photo was marked as damage\. Lower --sensitivity") as raised:
        faceinp.fill(np.full((64, 64, 3), PAINT[4], np.uint8), find="damage")
    assert not isinstance(raised.value, NothingFoundError)


@pytest.mark.usefixtures("finders")
def test_damage_that_hides_a_face_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    known = faceinp.find_faces(data.astronaut())  # a detector that would see it below the damage
    monkeypatch.setattr("faceinp.find.damage.detection.find_large_faces", lambda *_: known)
    photo = grey_astronaut()
    photo[60:190, 170:280] = PAINT[4]
    assert "covers most of a face" in faceinp.find_damage(photo).notes[-1]
    photo = grey_astronaut()
    photo[250:320, 100:400] = PAINT[4]
    assert not any("covers" in note for note in faceinp.find_damage(photo).notes)


@pytest.mark.usefixtures("finders")
def test_occluders_are_found_on_each_face() -> None:
    photo = spectacled(hand=True)
    (found,) = faceinp.find_occluders(photo)
    check(found, photo.shape)
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
    check(glasses, photo.shape)
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


def test_the_networks_of_the_weights_see_photos_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_finders(tmp_path)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    for shape in ((67, 95, 3), (200, 601, 3)):
        photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        check(faceinp.find_damage(photo, sensitivity=0.9), shape)
    (found,) = faceinp.find_occluders(data.astronaut(), sensitivity=0.9)
    check(found, (512, 512))


def test_without_weights_damage_is_looked_for_by_filters_and_occluders_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    found = faceinp.find_damage(grey_astronaut())
    check(found, (512, 512))
    assert "Classical filters" in found.notes[0] and "missing" in found.notes[0]
    with pytest.raises(NothingFoundError, match=r"Found no damage.*Classical filters"):  # a fallback is always said
        faceinp.Damage(found.mask & False, found.confidence, found.kind * 0, found.notes).as_mask()
    with pytest.raises(WeightsError, match="'occluders' are missing"):
        faceinp.find_occluders(data.astronaut())
    (tmp_path / "damage.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="cannot be read"):
        faceinp.find_damage(grey_astronaut())


def test_filters_too_mark_more_at_a_higher_sensitivity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    photo = data.astronaut()
    photo[20:480, 100:102] = 250
    found = [faceinp.find_damage(photo, sensitivity=one) for one in (0, 0.3, 0.5, 0.7, 0.9, 1)]
    for low, high in itertools.pairwise(found):
        check(high, photo.shape)
        assert not (low.mask & ~high.mask).any()
    assert found[2].mask[60:440, 100:102].mean() > 0.5


# What the package's own weights find.


@pytest.mark.skipif(bool(weights.missing("damage")), reason="the weights 'damage' are not here")
@pytest.mark.parametrize("seed", [1, 5])
def test_drawn_cracks_are_found_and_a_sound_photo_is_left_alone(seed: int) -> None:
    sound = data.astronaut()
    assert faceinp.find_damage(sound).share < 0.002
    drawn = drawn_damage.draw(sound, "cracks", np.random.default_rng(seed))
    found = faceinp.find_damage(drawn.pixels)
    counted = damage.compare(found.mask, drawn.damage, drawn.drawn)
    assert counted.recall > 0.6 and counted.precision > 0.85
    assert max(found.shares, key=found.shares.__getitem__) == "scratch"


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
