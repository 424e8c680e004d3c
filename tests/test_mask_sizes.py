"""A mask is scaled, grown and turned onto its photo."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted_masks import HOLE, LAYER, PHOTO, SIDE, grown, painted, saved
from PIL import Image

from faceinp.errors import MaskError
from faceinp.mask import masks
from faceinp.photo import photos


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
