"""Sensitivity, kinds, and what a fill makes of a proposal."""

from functools import partial

import cv2
import numpy as np
import pytest
from finder_files import PAINT, SCRATCH, check_proposal, damaged, grey_astronaut
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import faceinp
from faceinp.errors import FaceinpError, MaskError, NoFaceError, NothingFoundError
from faceinp.find import propose


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
def test_stamps_are_left_alone_unless_included() -> None:
    photo = grey_astronaut()
    photo[400:440, 300:380] = PAINT[5]
    assert not faceinp.find_damage(photo).mask.any()
    for include in (["stamps"], ("stamps",), {"stamps"}):
        assert list(faceinp.find_damage(photo, include=include).shares) == ["stamp"]


@pytest.mark.usefixtures("finders")
@settings(deadline=None, max_examples=12)
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
@settings(deadline=None, max_examples=25)
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
        check_proposal(found, photo.shape)
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
