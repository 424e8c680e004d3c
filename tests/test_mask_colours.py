"""Whatever a hole is painted with, a colour, a layer or a JPEG, it is what was painted."""

import cv2
import numpy as np
import pytest
from painted_masks import HOLE, LAYER, PHOTO, SIDE, grown, overlap, painted, saved, strokes
from PIL import Image

from faceinp.mask import masks
from faceinp.photo import photos


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


@pytest.mark.parametrize("sigma", [1, 4, 12, 30])
def test_soft_masks_are_not_taken_for_photos(sigma: float) -> None:
    for layer in (LAYER, 255 - LAYER, np.dstack([255 - LAYER] * 2 + [np.full_like(LAYER, 255)])):
        soft = cv2.GaussianBlur(layer, (0, 0), sigma)
        assert masks.read(saved(soft, "JPEG", quality=80), PHOTO).hole.any()
