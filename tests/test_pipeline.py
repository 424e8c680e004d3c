"""The whole pipeline on a real photo: the astronaut of scikit-image (public domain)."""

import io

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import faceinp

PHOTO = skimage.data.astronaut()
READY = [status.name for status in faceinp.list_engines() if status.ready]
QUICK = {"structural": {"iterations": 5}, "dip": {"iterations": 5}}


def hole_at(top, left, bottom, right, shape=PHOTO.shape[:2]):
    hole = np.zeros(shape, bool)
    hole[top:bottom, left:right] = True
    return hole


EYE = hole_at(90, 228, 118, 266)


@pytest.mark.parametrize("blending", ["poisson", "composite"])
@pytest.mark.parametrize("name", READY)
def test_every_engine_leaves_known_pixels_to_the_bit_and_changes_the_hole(name, blending):
    result = faceinp.fill(PHOTO, EYE, engine=name, blending=blending, **QUICK.get(name, {}))
    assert result.image.shape == PHOTO.shape and result.image.dtype == np.uint8
    assert np.array_equal(result.image[~EYE], PHOTO[~EYE])
    assert (result.image[EYE] != PHOTO[EYE]).any(axis=1).mean() > 0.5
    assert (result.known_pixels, result.changed_pixels) == ((~EYE).sum(), 0)
    assert result.engine == name and result.runtime
    assert result.timings.keys() == {"read", "align", "fill", "blend", "exemplars"}


@given(top=st.integers(0, 60), left=st.integers(0, 60), height=st.integers(1, 40), width=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_any_hole_of_an_aligned_crop_is_filled_and_nothing_else(top, left, height, width):
    crop = np.asarray(Image.fromarray(PHOTO[20:220, 120:320]).resize((100, 100)))
    hole = hole_at(top, left, top + height, left + width, (100, 100))
    result = faceinp.fill(crop, hole, engine="telea", face=faceinp.FaceLocation.aligned())
    assert np.array_equal(result.image[~hole], crop[~hole])
    assert result.face is None and result.changed_pixels == 0


def test_what_lies_under_the_hole_does_not_reach_the_result():
    crop = np.ascontiguousarray(PHOTO[20:220, 120:320])
    hole = hole_at(60, 60, 120, 140, (200, 200))
    spoiled = crop.copy()
    spoiled[hole] = 255 - spoiled[hole]
    for name in READY:
        one = faceinp.fill(crop, hole, engine=name, face=faceinp.FaceLocation.aligned(), **QUICK.get(name, {}))
        two = faceinp.fill(spoiled, hole, engine=name, face=faceinp.FaceLocation.aligned(), **QUICK.get(name, {}))
        assert np.array_equal(one.image, two.image), name


def test_a_hole_beyond_the_face_is_filled_and_said():
    hole = EYE | hole_at(300, 300, 500, 310)
    result = faceinp.fill(PHOTO, hole, engine="telea")
    assert np.array_equal(result.image[~hole], PHOTO[~hole])
    assert (result.image[300:500, 300:310] != PHOTO[300:500, 300:310]).any()
    assert any("outside the face" in note for note in result.notes)
    assert not any("outside the face" in note for note in faceinp.fill(PHOTO, EYE, engine="telea").notes)


def test_the_fill_lands_where_the_face_is():
    """A box of another face, a moved photo: what the engine gets is the same crop."""
    moved = np.zeros((700, 800, 3), np.uint8)
    moved[100:612, 200:712] = PHOTO
    hole = np.zeros((700, 800), bool)
    hole[100:612, 200:712] = EYE
    here, there = faceinp.fill(PHOTO, EYE, engine="telea"), faceinp.fill(moved, hole, engine="telea")
    side = np.hypot(*(here.crop.quad[3] - here.crop.quad[0]))
    assert np.abs(there.crop.quad - here.crop.quad - (200, 100)).max() < 0.06 * side  # as steady as the detector is
    assert np.abs(here.image[EYE].astype(int) - there.image[hole]).mean() < 8


def test_with_a_box_no_face_needs_to_be_found():
    result = faceinp.fill(PHOTO, EYE, engine="telea", face=faceinp.FaceLocation.box(181, 62, 87, 110))
    assert result.changed_pixels == 0 and result.face is not None


def test_no_face_is_an_error_with_three_ways_on_where_one_is_required():
    plain, hole = np.full((200, 200, 3), 128, np.uint8), hole_at(50, 50, 90, 90, (200, 200))
    with pytest.raises(faceinp.NoFaceError, match=r"--box.*--points.*--aligned"):
        faceinp.fill(plain, hole, engine="telea", require_face=True)


@pytest.mark.parametrize(
    ("hole", "match"), [(hole_at(480, 480, 510, 510), "does not touch"), (hole_at(0, 60, 300, 400), "entire face")]
)
def test_a_hole_beside_the_face_or_over_all_of_it_is_refused(hole, match):
    with pytest.raises(faceinp.MaskError, match=match):
        faceinp.fill(PHOTO, hole, engine="telea", face=faceinp.FaceLocation.box(181, 62, 87, 110))


def test_a_grey_photo_gets_a_grey_fill(tmp_path):
    encoded = io.BytesIO()
    Image.fromarray(PHOTO).convert("L").save(encoded, "png")
    result = faceinp.fill(encoded.getvalue(), EYE, engine="structural", options={"iterations": 3})
    assert (result.image[..., 0] == result.image[..., 1]).all() and (result.image[..., 1] == result.image[..., 2]).all()
    result.save(tmp_path / "out.png")
    saved = Image.open(tmp_path / "out.png")
    assert saved.mode == "L"
    assert np.array_equal(np.asarray(saved)[~EYE], np.asarray(Image.open(encoded))[~EYE])


def test_stopping_a_search_gives_the_best_so_far_and_says_so():
    def stop_at_three(done, total, preview=None):
        if done == 3:
            raise faceinp.Cancelled("Enough.")

    result = faceinp.fill(PHOTO, EYE, engine="structural", progress=stop_at_three)
    assert any("Stopped at 3 of 1000" in note for note in result.notes)
    assert result.changed_pixels == 0


def test_stopping_a_classical_engine_stops_the_fill():
    def stop(done, total, preview=None):
        raise faceinp.Cancelled("Enough.")

    with pytest.raises(faceinp.Cancelled):
        faceinp.fill(PHOTO, EYE, engine="telea", progress=stop)


def test_an_engine_made_before_is_used_as_it_is():
    engine = faceinp.load_engine("structural", {"iterations": 2})
    assert np.array_equal(
        faceinp.fill(PHOTO, EYE, engine=engine, seed=4).image,
        faceinp.fill(PHOTO, EYE, engine="structural", options={"iterations": 2}, seed=4).image,
    )
    with pytest.raises(faceinp.FaceinpError, match="load_engine"):
        faceinp.fill(PHOTO, EYE, engine=engine, options={"iterations": 3})


def test_unknown_engines_and_blendings_are_named_with_those_there_are():
    with pytest.raises(faceinp.EngineError, match=r"nothing.*structural.*telea"):
        faceinp.fill(PHOTO, EYE, engine="nothing")
    with pytest.raises(faceinp.FaceinpError, match=r"nothing.*poisson"):
        faceinp.fill(PHOTO, EYE, engine="telea", blending="nothing")
    with pytest.raises(faceinp.FaceinpError, match="seed must be >= 0, got -1"):
        faceinp.fill(PHOTO, EYE, engine="telea", seed=-1)


@pytest.mark.parametrize(
    ("crops", "masks", "match"),
    [
        (np.zeros((1, 3, 64, 64)), np.ones((1, 1, 64, 64), bool), "float32"),
        (np.zeros((1, 64, 64, 3), np.float32), np.ones((1, 1, 64, 64), bool), r"\(N, 3, S, S\)"),
        (np.zeros((1, 3, 64, 64), np.float32), np.ones((1, 1, 64, 64), np.uint8), "bool"),
        (np.zeros((1, 3, 64, 64), np.float32), np.ones((1, 1, 64, 64), bool), "entire crop"),
        (np.full((1, 3, 64, 64), 200, np.float32), np.eye(64, dtype=bool)[None, None], r"\[0, 1\]"),
        (np.zeros((1, 3, 4096, 4096), np.float32), np.zeros((1, 1, 4096, 4096), bool), "pixels a side"),
    ],
)
def test_engines_say_what_they_take(crops, masks, match):
    with pytest.raises(faceinp.EngineError, match=match):
        faceinp.load_engine("telea").fill(crops, masks)


def test_engines_take_torch_tensors_as_well():
    import torch

    crops = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    masks = np.zeros((2, 1, 64, 64), bool)
    masks[:, :, 20:30, 20:30] = True
    engine = faceinp.load_engine("telea")
    filled = engine.fill(torch.from_numpy(crops), torch.from_numpy(masks))
    assert isinstance(filled, np.ndarray) and filled.dtype == np.float32
    assert np.array_equal(filled, engine.fill(crops, masks))
