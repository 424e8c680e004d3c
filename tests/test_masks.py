"""Which part of a mask is the hole, and which masks are refused."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from painted_masks import HOLE, LAYER, PHOTO, SIDE, grown, saved
from PIL import Image

from faceinp.errors import MaskError
from faceinp.mask import masks
from faceinp.photo import photos


def test_a_mask_is_read_from_anything(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(saved(LAYER))
    rgb = np.dstack([LAYER] * 3)
    opaque = np.dstack([rgb, np.full_like(LAYER, 255)])
    one_bit = Image.fromarray(LAYER).convert("1")
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), Image.open(path), one_bit):
        assert np.array_equal(masks.read(source, PHOTO).hole, HOLE)
    for array in (HOLE, HOLE[..., None], LAYER, LAYER[..., None], LAYER // 255, rgb, opaque):
        mask = masks.read(array, PHOTO)
        assert mask.hole.dtype == np.bool_
        assert np.array_equal(mask.hole, HOLE)
        assert mask.share == HOLE.mean() and mask.warnings == ()
    again = masks.read(masks.read(LAYER, PHOTO), PHOTO)
    assert np.array_equal(again.hole, HOLE) and again.about == "white is the hole (guessed)"


def test_the_guess_is_right_both_ways_and_stated() -> None:
    white, black = masks.read(LAYER, PHOTO), masks.read(255 - LAYER, PHOTO)
    assert np.array_equal(white.hole, HOLE) and np.array_equal(black.hole, HOLE)
    assert white.about == "white is the hole (guessed)"
    assert black.about == "black is the hole (guessed)"
    assert masks.read(LAYER, PHOTO, hole="white").about == "white is the hole (as specified)"


def test_the_flag_beats_the_guess() -> None:
    assert np.array_equal(masks.read(LAYER, PHOTO, hole="black").hole, ~HOLE)
    assert np.array_equal(masks.read(255 - LAYER, PHOTO, hole="white").hole, ~HOLE)
    with pytest.raises(MaskError, match="white or black"):
        masks.read(LAYER, PHOTO, hole="red")  # type: ignore[arg-type]


def test_where_both_tones_touch_the_border_alike_the_smaller_is_the_hole() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, : SIDE // 2] = 255
    mask[100:150, 30:80] = 0  # now the white half is the smaller one
    assert np.array_equal(masks.read(mask, PHOTO).hole, mask > 0)
    assert np.array_equal(masks.read(255 - mask, PHOTO).hole, mask > 0)


@settings(max_examples=80, deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)), st.booleans())
def test_a_mask_and_its_inverse_with_the_matching_flag_say_the_same(hole: np.ndarray, colour: bool) -> None:
    assume(hole.any() and not hole.all())
    photo = photos.read(np.zeros(hole.shape, np.uint8))
    tones = hole.astype(np.uint8) * 255
    file = np.dstack([tones] * 3) if colour else tones
    for source, flag in ((saved(file), "white"), (saved(255 - file), "black")):
        assert np.array_equal(masks.read(source, photo, hole=flag).hole, hole)
    assert np.array_equal(masks.read(hole, photo).hole, hole)
    assert np.array_equal(masks.read(hole, photo, hole="black").hole, hole)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(1, 9))
def test_soft_masks_keep_this_rule(seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    layer = np.zeros((96, 96), np.uint8)
    cv2.circle(layer, tuple(map(int, rng.integers(30, 66, 2))), 24, 255, -1)
    soft = cv2.GaussianBlur(layer, (0, 0), sigma)
    photo = photos.read(np.zeros((96, 96), np.uint8))
    white, black = masks.read(soft, photo, hole="white"), masks.read(255 - soft, photo, hole="black")
    assert np.array_equal(white.hole, black.hole)
    assert white.hole[soft > 0.6 * soft.max()].all()
    assert not white.hole[~grown(soft >= 0.4 * soft.max())].any()  # a soft edge grows the hole by one pixel


def test_a_large_hole_is_warned_of() -> None:
    small, large = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    small[11:89, 12:88] = 255  # 59 %
    large[10:90, 11:89] = 255  # 62 %
    photo = photos.read(small)
    assert masks.read(small, photo, hole="white").warnings == ()
    assert "62%" in masks.read(large, photo, hole="white").warnings[0]


@pytest.mark.parametrize("value", [0, 1, 3, 90, 255])
def test_a_mask_of_one_tone_is_refused(value: int) -> None:
    flat = np.full((SIDE, SIDE), value, np.uint8)
    for hole in ("auto", "white", "black"):
        with pytest.raises(MaskError):
            masks.read(flat, PHOTO, hole=hole)
    with pytest.raises(MaskError):
        masks.read(saved(flat, "JPEG"), PHOTO)
    noisy = np.clip(flat + np.random.default_rng(0).normal(0, 3, flat.shape), 0, 255).astype(np.uint8)
    with pytest.raises(MaskError, match="entirely"):
        masks.read(noisy, PHOTO)


def test_empty_and_full_masks_are_refused() -> None:
    empty_layer = np.zeros((SIDE, SIDE, 4), np.uint8)
    with pytest.raises(MaskError, match="empty layer"):
        masks.read(empty_layer, PHOTO)
    with pytest.raises(MaskError, match="no hole"):
        masks.read(np.zeros((SIDE, SIDE), bool), PHOTO)
    with pytest.raises(MaskError, match="everything"):
        masks.read(np.ones((SIDE, SIDE), bool), PHOTO)
    thin = np.zeros((2048, 2048), bool)
    thin[5, 5] = True
    with pytest.raises(MaskError, match="scaled"):
        masks.read(thin, PHOTO)


FACE = skimage.data.astronaut()
DISC = cv2.circle(np.zeros((512, 512), np.uint8), (220, 120), 120, 255, -1) > 0
PHOTOS = {
    "colour": FACE,
    "grey": cv2.cvtColor(FACE, cv2.COLOR_RGB2GRAY),
    "camera": skimage.data.camera(),
    "moon": skimage.data.moon(),
    "cut out on white": np.where(DISC[..., None], FACE, 255),
    "cut out on black": np.where(DISC[..., None], FACE, 0),
    "grey cut out": np.where(DISC, FACE[..., 1], 255),
    "with a white hole": np.where(DISC[..., None], 255, FACE),
    "with red strokes": np.where(DISC[..., None], (255, 0, 0), FACE),
    "ramp": np.tile(np.arange(256, dtype=np.uint8), (256, 1)),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_hole_is_never_read_out_of_a_photo(name: str) -> None:
    picture = PHOTOS[name].astype(np.uint8)
    for format, hole in (("PNG", "auto"), ("JPEG", "white"), ("JPEG", "black")):
        with pytest.raises(MaskError, match="two tones"):
            masks.read(saved(picture, format), photos.read(picture), hole=hole)


def test_what_cannot_be_read_is_a_mask_error(tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(saved(FACE)[:5000])
    for source in (tmp_path / "none.png", tmp_path, cut, b"", b"text", None, 3):
        with pytest.raises(MaskError, match="mask cannot be used"):
            masks.read(source, PHOTO)
    for array in (
        HOLE.astype(float),
        np.zeros((2, 2, 2), bool),
        np.zeros((0, 4), bool),
        np.zeros(4, bool),
        LAYER[None],
    ):
        with pytest.raises(MaskError):
            masks.read(array, PHOTO)
