"""Whatever a user painted the hole with, the hole is what was painted."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from faceinp.errors import MaskError
from faceinp.mask import masks
from faceinp.photo import photos

SIDE = 256
PHOTO = photos.read(np.zeros((SIDE, SIDE, 3), np.uint8))


def painted(*, antialiased: bool = False) -> np.ndarray:
    """uint8 (SIDE, SIDE): a blob and two strokes, 255 where painted."""
    line = cv2.LINE_AA if antialiased else cv2.LINE_8
    layer = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(layer, (100, 120), 40, 255, -1, line)
    cv2.line(layer, (150, 60), (220, 90), 255, 11, line)
    cv2.line(layer, (160, 200), (230, 190), 255, 7, line)
    return layer


LAYER = painted()
HOLE = LAYER > 0


def saved(array: np.ndarray, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format, **options)
    return buffer.getvalue()


def strokes(layer: np.ndarray, paint: tuple, background: tuple) -> np.ndarray:
    """RGB: ``paint`` mixed over ``background`` as ``layer`` says."""
    share = layer[..., None] / 255
    return np.round(share * np.array(paint) + (1 - share) * np.array(background)).astype(np.uint8)


def grown(hole: np.ndarray, pixels: int = 1) -> np.ndarray:
    return cv2.dilate(hole.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


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


@pytest.mark.parametrize("paint", [(255, 255, 255), (0, 0, 0), (255, 0, 0)])
def test_what_is_painted_on_a_transparent_layer_is_the_hole(paint: tuple) -> None:
    layer = np.dstack([strokes(LAYER, paint, (0, 0, 0)), LAYER])
    for source in (layer, saved(layer), saved(layer, "WEBP", lossless=True), Image.fromarray(layer)):
        for hole in ("auto", "white", "black"):
            mask = masks.read(source, PHOTO, hole=hole)
            assert np.array_equal(mask.hole, HOLE)
            assert "layer" in mask.about
    soft = np.dstack([layer[..., :3], cv2.GaussianBlur(LAYER, (0, 0), 3)])
    found = masks.read(soft, PHOTO).hole
    assert found[grown(HOLE)].mean() > 0.97 and not found[~grown(HOLE, 3)].any()
    faint = np.dstack([layer[..., :3], LAYER // 3])
    assert np.array_equal(masks.read(faint, PHOTO).hole, HOLE)


GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "plain": (40, 90, 160)}


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("paint", [(255, 0, 0), (0, 200, 0), (255, 210, 200), (250, 240, 0), (255, 0, 200)])
def test_coloured_strokes_are_the_hole(ground: str, paint: tuple) -> None:
    sharp = strokes(LAYER, paint, GROUNDS[ground])
    mask = masks.read(saved(sharp), PHOTO)
    assert np.array_equal(mask.hole, HOLE)
    assert mask.about == f"coloured strokes on a {ground} background are the hole"
    edges = painted(antialiased=True)
    soft = masks.read(saved(strokes(edges, paint, GROUNDS[ground])), PHOTO)
    assert overlap(soft.hole, grown(edges >= 128)) > 0.99 and "grown by 1 px" in soft.about


def test_strokes_of_several_colours_are_one_hole() -> None:
    picture = strokes(LAYER, (255, 0, 0), (255, 255, 255))
    picture[:, 140:][HOLE[:, 140:]] = (0, 0, 255)
    picture[:, :90][HOLE[:, :90]] = (20, 20, 20)
    assert np.array_equal(masks.read(picture, PHOTO).hole, HOLE)
    opposite = strokes(LAYER, (255, 0, 0), (128, 128, 128))
    opposite[:, 140:][HOLE[:, 140:]] = (0, 255, 255)
    assert np.array_equal(masks.read(opposite, PHOTO).hole, HOLE)


def test_a_flag_can_turn_strokes_round() -> None:
    picture = strokes(LAYER, (200, 0, 0), (255, 255, 255))
    assert np.array_equal(masks.read(picture, PHOTO, hole="black").hole, HOLE)
    assert np.array_equal(masks.read(picture, PHOTO, hole="white").hole, ~HOLE)
    assert np.array_equal(masks.read(255 - picture, PHOTO, hole="white").hole, HOLE)


def test_a_large_painted_part_is_still_the_painted_part() -> None:
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    picture[:, :160] = (255, 0, 0)
    mask = masks.read(picture, PHOTO)
    assert np.array_equal(mask.hole, picture[..., 1] == 0)
    assert "covers 62%" in mask.warnings[0]


def test_a_single_pixel_counts_even_in_a_large_mask() -> None:
    photo = photos.read(np.zeros((1500, 1500), np.uint8))
    for paint in ((255, 0, 0), (0, 0, 0)):
        picture = np.full((1500, 1500, 3), 255, np.uint8)
        picture[701, 333] = paint
        assert np.argwhere(masks.read(picture, photo).hole).tolist() == [[701, 333]]


@pytest.mark.parametrize("quality", [25, 50, 90])
@pytest.mark.parametrize("look", ["white", "black", "red", "two"])
def test_jpeg_leaves_no_speckle(quality: int, look: str) -> None:
    picture = {
        "white": strokes(LAYER, (255, 255, 255), (0, 0, 0)),
        "black": strokes(LAYER, (0, 0, 0), (255, 255, 255)),
        "red": strokes(LAYER, (255, 0, 0), (255, 255, 255)),
        "two": strokes(LAYER, (255, 0, 0), (255, 255, 255)),
    }[look]
    if look == "two":
        picture[:, 140:][HOLE[:, 140:]] = (0, 160, 60)
    found = masks.read(saved(picture, "JPEG", quality=quality), PHOTO).hole
    edge = cv2.morphologyEx(LAYER, cv2.MORPH_GRADIENT, np.ones((5, 5))) > 0
    assert not (HOLE & ~found)[~edge].any() and not (found & ~grown(HOLE, 3)).any()
    assert overlap(found, grown(HOLE)) > 0.95


@pytest.mark.parametrize("factor", [2, 3])
def test_another_size_is_scaled_and_said(factor: int) -> None:
    box = np.zeros((60, 84), np.uint8)
    box[12:36, 24:60] = 255
    larger = np.kron(box, np.ones((factor, factor), np.uint8))
    for mask, target in ((box, larger), (larger, box)):
        for source in (mask, mask > 0):
            read = masks.read(source, photos.read(target))
            assert np.array_equal(read.hole, target > 0)
            sizes = f"scaled from {mask.shape[1]} x {mask.shape[0]} to {target.shape[1]} x {target.shape[0]}"
            assert sizes in read.about and read.warnings == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 400), st.integers(40, 400))
def test_scaling_keeps_place_and_share(height: int, width: int) -> None:
    mask = masks.read(LAYER, photos.read(np.zeros((height, width), np.uint8)))
    assert mask.hole.shape == (height, width)
    assert abs(mask.share - HOLE.mean()) < 0.02
    expected = np.argwhere(HOLE).mean(axis=0) / SIDE
    assert np.allclose(np.argwhere(mask.hole).mean(axis=0) / (height, width), expected, atol=0.02)
    assert bool(mask.warnings) == (max(width, height) / min(width, height) - 1 > 0.02)


def test_exif_turns_a_mask_as_it_turns_a_photo() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    mask = masks.read(saved(LAYER, exif=exif), PHOTO)
    assert np.array_equal(mask.hole, np.rot90(HOLE, -1))


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
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_hole_is_never_read_out_of_a_photo(name: str, format: str) -> None:
    picture = PHOTOS[name].astype(np.uint8)
    for hole in ("auto", "white", "black"):
        with pytest.raises(MaskError, match="two tones"):
            masks.read(saved(picture, format), photos.read(picture), hole=hole)


@pytest.mark.parametrize("sigma", [1, 4, 12, 30])
def test_soft_masks_are_not_taken_for_photos(sigma: float) -> None:
    for layer in (LAYER, 255 - LAYER, np.dstack([255 - LAYER] * 2 + [np.full_like(LAYER, 255)])):
        soft = cv2.GaussianBlur(layer, (0, 0), sigma)
        assert masks.read(saved(soft, "JPEG", quality=80), PHOTO).hole.any()


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


# --- grown, and turned ---


def test_grow_is_in_pixels_of_the_photo() -> None:
    for source in (HOLE, LAYER, masks.read(LAYER, PHOTO)):
        assert np.array_equal(masks.read(source, PHOTO, grow=0).hole, HOLE)
        assert np.array_equal(masks.read(source, PHOTO, grow=1).hole, grown(HOLE))
        mask = masks.read(source, PHOTO, grow=5)
        away = cv2.distanceTransform((~HOLE).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert np.array_equal(mask.hole, away <= 5.5) and "grown by 5 px" in mask.about
    half = np.ascontiguousarray(HOLE[::2, ::2])
    assert np.array_equal(masks.read(half, PHOTO, grow=1).hole, grown(np.kron(half, np.ones((2, 2))) > 0))
    soft = painted(antialiased=True)
    assert masks.read(soft, PHOTO, grow=2).hole.sum() > masks.read(soft, PHOTO).hole.sum() > (soft > 127).sum()
    with pytest.raises(MaskError, match=">= 0 pixels"):
        masks.read(HOLE, PHOTO, grow=-1)
    with pytest.raises(MaskError, match="entire photo"):
        masks.read(HOLE, PHOTO, grow=300)


STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("size", [(200, 200), (240, 200)])
def test_a_mask_drawn_on_the_stored_pixels_is_turned(orientation: int, size: tuple[int, int]) -> None:
    """By its shape, or, where that says nothing, by where the faces are."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    hole = np.zeros(size, np.uint8)
    hole[20:36, 50:80] = 255
    face = (45.0, 10.0, 50.0, 35.0)
    upright = Image.fromarray(np.zeros((*size, 3), np.uint8))
    photo = photos.read(saved(np.asarray(upright.transpose(STORED[orientation])), exif=exif))
    drawn = Image.fromarray(hole).transpose(STORED[orientation])
    halved = drawn.resize((drawn.width // 2, drawn.height // 2), Image.Resampling.NEAREST)
    for stored in (drawn, halved):
        mask = masks.read(stored, photo)
        assert (mask.alternative is None) == (orientation > 4 and size != (200, 200))
        chosen = mask.by_faces([face])
        assert np.array_equal(chosen.hole, hole > 0) and "rotated upright like the photo" in chosen.about
        assert chosen.alternative is None
    seen = masks.read(hole, photo)  # drawn on what a viewer shows
    for faces in ([face], [(95.0, 95.0, 10.0, 10.0)], []):
        chosen = seen.by_faces(faces)
        assert np.array_equal(chosen.hole, hole > 0) and "turned" not in chosen.about
    with_exif = masks.read(saved(np.asarray(drawn), exif=exif), photo)  # turned by its own EXIF
    assert np.array_equal(with_exif.hole, hole > 0) and with_exif.alternative is None
