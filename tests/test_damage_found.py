"""Damage of photos that is proposed as a mask."""

import io
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from finder_files import PAINT, SCRATCH, SPOT, TEAR, check_proposal, damaged, grey_astronaut, put_finders, spectacled
from PIL import Image
from skimage import data

import faceinp
from faceinp.errors import NothingFoundError, PhotoError, WeightsError
from faceinp.evaluate.finder_tables import damage, drawn_damage
from faceinp.find import overlay, propose
from faceinp.models import weights


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.usefixtures("finders")
def test_damage_is_marked_by_kind_and_a_little_beyond() -> None:
    photo = damaged()
    found = faceinp.find_damage(photo)
    check_proposal(found, photo.shape)
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
    check_proposal(found, photo.shape)
    assert not found.mask.any() and found.share == 0 and found.shares == {}


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


@pytest.mark.parametrize("scale", [1, 2, 4])
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
    check_proposal(found, photo.shape)
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
def test_damage_that_hides_a_face_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    known = faceinp.find_faces(data.astronaut())  # a detector that would see it below the damage
    monkeypatch.setattr("faceinp.find.damage.detection.find_large_faces", lambda *_: known)
    photo = grey_astronaut()
    photo[60:190, 170:280] = PAINT[4]
    assert "covers most of a face" in faceinp.find_damage(photo).notes[-1]
    photo = grey_astronaut()
    photo[250:320, 100:400] = PAINT[4]
    assert not any("covers" in note for note in faceinp.find_damage(photo).notes)


def test_the_networks_of_the_weights_see_photos_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_finders(tmp_path)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    for shape in ((67, 95, 3), (200, 601, 3)):
        photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        check_proposal(faceinp.find_damage(photo, sensitivity=0.9), shape)
    (found,) = faceinp.find_occluders(data.astronaut(), sensitivity=0.9)
    check_proposal(found, (512, 512))


def test_without_weights_damage_is_looked_for_by_filters_and_occluders_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    found = faceinp.find_damage(grey_astronaut())
    check_proposal(found, (512, 512))
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
    found = [faceinp.find_damage(photo, sensitivity=one) for one in (0, 0.5, 1)]
    for low, high in itertools.pairwise(found):
        check_proposal(high, photo.shape)
        assert not (low.mask & ~high.mask).any()
    assert found[1].mask[60:440, 100:102].mean() > 0.5


@pytest.mark.skipif(bool(weights.missing("damage")), reason="the weights 'damage' are not here")
def test_drawn_cracks_are_found_and_a_sound_photo_is_left_alone() -> None:
    sound = data.astronaut()
    assert faceinp.find_damage(sound).share < 0.002
    drawn = drawn_damage.draw(sound, "cracks", np.random.default_rng(1))
    found = faceinp.find_damage(drawn.pixels)
    counted = damage.compare(found.mask, drawn.damage, drawn.drawn)
    assert counted.recall > 0.6 and counted.precision > 0.85
    assert max(found.shares, key=found.shares.__getitem__) == "scratch"
