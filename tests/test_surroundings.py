"""A hole beside and across a face crop: texture goes on, no edge where the crop ends, nothing of a face beside it."""

import cv2
import numpy as np
import pytest
import skimage.data

from faceinp.blend import blending as blend
from faceinp.blend import patches, surroundings
from faceinp.blend.surroundings import GeneratedFace
from faceinp.photo.grain import Grain

PHOTO = skimage.data.astronaut()
QUAD = np.array([[100, 100], [100, 200], [200, 200], [200, 100]], np.float64)


def textured(shape=(300, 300), seed=0):
    """Woven cloth: oblique stripes of two directions with noise, uint8 (H, W, 3)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cloth = 120 + 40 * np.sin(1.1 * x + 0.6 * y) + 30 * np.sin(0.9 * y - 0.4 * x)
    cloth = cloth + np.random.default_rng(seed).normal(0, 6, shape)
    return np.repeat(np.clip(cloth, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def disc(shape, centre, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def steps_at(image, hole, column):
    """Mean steps of the hole's pixels from one column to the next, at ``column``, and at columns beside it."""
    steps = np.abs(np.diff(image.astype(float), axis=1)).mean(axis=2)
    both = hole[:, 1:] & hole[:, :-1]
    beside = [column + off for off in (-9, -7, -5, 5, 7, 9)]
    return steps[:, column][both[:, column]].mean(), np.mean([steps[:, k][both[:, k]].mean() for k in beside])


@pytest.mark.parametrize("difference", [0.0, 0.25])
@pytest.mark.parametrize(
    "photo", [textured((600, 600)), np.full((600, 600, 3), 120, np.uint8), cv2.resize(PHOTO, (600, 600))]
)
def test_no_edge_where_the_crop_ends(photo, difference):
    """The engine's picture is soft, and darker than the photo; no step stands out at the crop's right border."""
    hole = disc(photo.shape[:2], (300, 400), 90)
    drawn = cv2.GaussianBlur(photo[200:400, 200:400], (0, 0), 2).astype(np.float32) / 255 - difference
    filled = surroundings.fill(photo, hole, [GeneratedFace(np.clip(drawn, 0, 1), 2 * QUAD)])
    at_border, beside = steps_at(filled.image, hole, 399)
    assert at_border < 1.5 * beside + 0.5
    assert {1, 3} <= set(np.unique(filled.sources[hole]))
    assert (filled.sources[:, 400:][hole[:, 400:]] == 3).all()
    assert not filled.sources[~hole].any()


def test_texture_goes_on_and_a_smooth_surface_stays_smooth():
    cloth, hole = textured(), disc((300, 300), (150, 150), 50)
    filled = surroundings.fill(cloth, hole).image
    inside = disc((300, 300), (150, 150), 40)
    assert filled[inside].std() > 0.8 * cloth[~hole].std()
    spectra = [np.abs(np.fft.rfft2(image[125:175, 125:175, 0] - 120.0)) for image in (filled, cloth)]
    # The stripes' frequencies hold most of the power, in the fill as in the cloth.
    strongest = np.argsort(spectra[1].ravel())[-4:]
    assert np.argsort(spectra[0].ravel())[-1] in strongest
    ramp = np.repeat(np.linspace(60, 200, 300)[None, :, None], 300, axis=0).repeat(3, axis=2).astype(np.uint8)
    smooth = surroundings.fill(ramp, hole).image
    assert np.abs(smooth[hole].astype(int) - ramp[hole]).mean() < 4
    assert np.abs(np.diff(smooth.astype(int), axis=0)).max() < 8


def test_nothing_of_a_face_is_copied_beside_it():
    """Faces are red here, and a fill between them has no red at all."""
    photo = textured()
    avoid = surroundings.face_areas([QUAD, QUAD + np.array([100, 0])], photo.shape)
    photo[avoid] = (255, 0, 0)
    hole = disc((300, 300), (150, 200), 25) & ~avoid
    hole |= disc((300, 300), (240, 150), 30)
    image = surroundings.fill(photo, hole, avoid=avoid).image
    fill = image[disc((300, 300), (240, 150), 29)].astype(int)
    assert (fill[:, 0] - fill[:, 1]).max() < 30


def test_faces_are_avoided_by_themselves():
    areas = surroundings.face_areas([QUAD], (300, 300, 3))
    assert areas[156, 150] and areas[130, 150] and not areas[105, 105] and not areas[150, 110]
    assert 0.3 < areas.sum() / 100**2 < 0.5


@pytest.mark.parametrize("blending", [blend.poisson, blend.composite])
def test_known_pixels_stay_and_what_lies_under_the_hole_does_not_count(blending):
    hole = disc(PHOTO.shape[:2], (160, 300), 60)
    spoiled = PHOTO.copy()
    spoiled[hole] = 255 - spoiled[hole]
    quad = np.array([[140, 20], [140, 220], [340, 220], [340, 20]], np.float64)
    drawn = [GeneratedFace(np.full((64, 64, 3), 0.4, np.float32), quad)]
    one = surroundings.fill(PHOTO, hole, drawn, blending=blending)
    two = surroundings.fill(spoiled, hole, drawn, blending=blending)
    assert np.array_equal(one.image[~hole], PHOTO[~hole])
    assert np.array_equal(one.image, two.image)


def test_the_seed_decides():
    cloth, hole = textured(), disc((300, 300), (150, 150), 40)
    one, same, other = (surroundings.fill(cloth, hole, seed=seed).image for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_two_faces_share_a_hole():
    """Each half is as its own crop's picture, and they fade into each other where the crops overlap."""
    photo = np.full((200, 300, 3), 128, np.uint8)
    left = np.array([[20, 30], [20, 170], [160, 170], [160, 30]], np.float64)
    hole = np.zeros((200, 300), bool)
    hole[80:120, 40:260] = True
    stripes = [np.full((70, 70, 3), 0.5, np.float32) for _ in "ab"]
    stripes[0][::2], stripes[1][:, ::2] = 0.3, 0.3  # lies, and stands
    filled = surroundings.fill(
        photo, hole, [GeneratedFace(stripes[0], left), GeneratedFace(stripes[1], left + np.array([120, 0]))]
    )
    assert (filled.sources[hole] == 1).all()
    image = filled.image[85:115].astype(float)
    along, across = np.abs(np.diff(image, axis=1)).mean(axis=(0, 2)), np.abs(np.diff(image, axis=0)).mean(axis=(0, 2))
    assert across[60:120].mean() > 5 * along[60:120].mean() and along[180:240].mean() > 5 * across[180:240].mean()


def test_narrow_scratches_on_a_large_photo_close_smoothly_at_once(monkeypatch):
    photo = cv2.resize(PHOTO, (2000, 2000))
    hole = np.zeros((2000, 2000), np.uint8)
    for at in range(100, 2000, 90):
        cv2.line(hole, (at, 0), (at + 400, 1999), 1, 8)

    def never(*_):
        raise AssertionError("patches were looked for")

    monkeypatch.setattr(patches, "fill", never)
    filled = surroundings.fill(photo, hole > 0)
    assert (filled.sources[hole > 0] == 3).all() and filled.notes == ()
    assert np.abs(filled.image[hole > 0].astype(int) - photo[hole > 0]).mean() < 6


def test_a_wide_hole_is_filled_on_a_copy_and_gets_its_grain(monkeypatch):
    monkeypatch.setattr(surroundings, "MAX_COST", 4000)
    cloth, hole = textured(), disc((300, 300), (150, 150), 60)
    plain = surroundings.fill(cloth, hole).image
    grain = Grain(np.random.default_rng(0).normal(0, 0.1, (4, 12, 12, 3)).astype(np.float32))
    grainy = surroundings.fill(cloth, hole, grain=grain).image
    assert plain[hole].std() > 0.4 * cloth[~hole].std()
    assert np.abs(grainy[hole].astype(int) - plain[hole]).mean() > 5


def test_without_the_library_it_is_smooth_and_said(monkeypatch):
    monkeypatch.setattr(patches, "library", lambda: None)
    cloth, hole = textured(), disc((300, 300), (150, 150), 40)
    filled = surroundings.fill(cloth, hole)
    assert filled.notes == (surroundings.NO_LIBRARY,)
    assert np.array_equal(filled.image[~hole], cloth[~hole])


def test_where_nothing_can_be_copied_it_is_smooth_and_said():
    cloth, hole = textured(), disc((300, 300), (150, 150), 40)
    filled = surroundings.fill(cloth, hole, avoid=np.ones((300, 300), bool))
    assert filled.notes == (surroundings.NO_SOURCES,)
    whole = surroundings.fill(cloth, np.ones((300, 300), bool))
    assert whole.image.shape == cloth.shape
