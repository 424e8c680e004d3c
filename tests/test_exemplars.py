"""Real pixels in a fill: what a caller may give, what comes back, and the two pieces of arithmetic underneath."""

import io

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import faceinp
from faceinp.blend import blending
from faceinp.exemplars import warp
from faceinp.exemplars.sources import ENGINE, REFERENCE, SURROUNDINGS, SYMMETRY

PHOTO = skimage.data.astronaut()
EYE = np.zeros(PHOTO.shape[:2], bool)
EYE[92:116, 228:264] = True
WALL = np.zeros_like(EYE)
WALL[150:170, 150:162] = True  # beside the face: its other half has nothing of it
GARDEN = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8), (0, 0), 3)


# --- what is asked for, and what comes back ---------------------------------------------------------------------------


def test_an_eye_comes_from_the_other_one_by_itself_and_not_when_it_is_forbidden():
    result, without = faceinp.fill(PHOTO, EYE), faceinp.fill(PHOTO, EYE, symmetry=False)
    assert result.shares[SYMMETRY] > 0.7 and set(without.shares) == {ENGINE}
    assert any("eye is the" in note and "mirrored" in note for note in result.notes)
    assert np.array_equal(result.sources > 0, EYE) and sum(result.shares.values()) == pytest.approx(1)
    assert np.array_equal(result.image[~EYE], PHOTO[~EYE]) and not np.array_equal(result.image, without.image)


def test_classical_engines_use_the_other_half_when_asked_only():
    assert SYMMETRY not in faceinp.fill(PHOTO, EYE, engine="telea").shares
    assert faceinp.fill(PHOTO, EYE, engine="telea", symmetry=True).shares[SYMMETRY] > 0.5


def test_where_no_exemplar_serves_the_fill_is_the_one_without():
    result, without = faceinp.fill(PHOTO, WALL), faceinp.fill(PHOTO, WALL, symmetry=False)
    assert np.array_equal(result.image, without.image) and set(result.shares) == {ENGINE}


def test_what_lies_beyond_the_crop_is_said_to_come_from_the_surroundings():
    hole = EYE.copy()
    hole[300:500, 300:310] = True
    assert faceinp.fill(PHOTO, hole, engine="telea").shares[SURROUNDINGS] > 0.4


def test_a_reference_may_lie_anywhere_in_its_photo_and_come_in_any_form():
    moved = np.full((700, 800, 3), 90, np.uint8)
    moved[150:662, 200:712] = PHOTO
    stored = io.BytesIO()
    Image.fromarray(moved).save(stored, "PNG")
    for reference, engine in ((moved, "landmark"), (Image.fromarray(moved), "telea"), (stored.getvalue(), "telea")):
        result = faceinp.fill(PHOTO, EYE, engine=engine, symmetry=False, references=[reference])
        error = np.abs(result.image[EYE].astype(float) - PHOTO[EYE]).mean()
        assert result.shares[REFERENCE] > 0.9 and error < 4
        assert result.references[0].distance < 0.6 and not result.references[0].problem


def test_a_reference_without_a_face_is_left_aside_and_the_others_are_used():
    result = faceinp.fill(PHOTO, EYE, symmetry=False, references=[GARDEN, PHOTO])
    first, second = result.references
    assert "no face" in first.problem and first.share == 0 and first.problem in result.notes
    assert second.share == result.shares[REFERENCE + 1] > 0.9


def test_too_many_references_and_what_is_no_photo_are_errors():
    with pytest.raises(faceinp.PhotoError, match="At most 8"):
        faceinp.fill(PHOTO, EYE, references=[PHOTO] * 9)
    with pytest.raises(faceinp.PhotoError, match="Reference photo 2"):
        faceinp.fill(PHOTO, EYE, references=[PHOTO, b"no photo"])


def test_several_photos_are_filled_as_one_is_each_with_its_own_references():
    jobs = [faceinp.Job(PHOTO, EYE, references=[PHOTO]), faceinp.Job(PHOTO, EYE), (PHOTO, EYE)]
    first, second, third = faceinp.fill_many(jobs)
    alone = faceinp.fill(PHOTO, EYE, references=[PHOTO]).image
    assert np.abs(first.image.astype(int) - alone).max() <= 2  # a network's sums depend on how many faces it is given
    assert np.array_equal(second.image, third.image) and not second.references
    (result,) = faceinp.fill_many([faceinp.Job(PHOTO, EYE, references=[b"no photo", PHOTO])])
    damaged, used = result.references  # one bad file among thousands costs no photo
    assert "not a picture" in damaged.problem and damaged.problem in result.notes and used.share > 0


def test_a_face_that_is_hidden_whole_comes_from_a_reference():
    (face,) = faceinp.find_faces(PHOTO)
    hole = np.zeros_like(EYE)
    hole[:230, 100:340] = True
    with pytest.raises(faceinp.MaskError, match="--reference"):
        faceinp.fill(PHOTO, hole, face=faceinp.FaceLocation.points(face.points))
    with pytest.raises(faceinp.MaskError, match="no face was found"):
        faceinp.fill(PHOTO, hole, face=faceinp.FaceLocation.points(face.points), references=[GARDEN])
    result = faceinp.fill(PHOTO, hole, face=faceinp.FaceLocation.points(face.points), references=[PHOTO])
    x, y, w, h = (int(v) for v in face.box)
    inside = np.s_[y : y + h, x : x + w]
    assert set(result.shares) == {SURROUNDINGS, REFERENCE} and (result.sources[inside] == REFERENCE).all()
    assert np.abs(result.image[inside].astype(float) - PHOTO[inside]).mean() < 25
    assert any("Too little" in note for note in result.notes)
    (used,) = result.references
    assert "Too little" in used.note and used.note in result.notes


def test_the_same_call_gives_the_same_bytes():
    one, two = (faceinp.fill(PHOTO, EYE, references=[PHOTO[:, ::-1]]) for _ in range(2))
    assert np.array_equal(one.image, two.image) and np.array_equal(one.sources, two.sources)


# --- detail from guides -----------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), screening=st.sampled_from([0.0, 0.01, 1.0]))
@settings(max_examples=25, deadline=None)
def test_detail_is_the_solution_of_the_screened_poisson_equation(seed, screening):
    rng = np.random.default_rng(seed)
    hole = np.zeros((14, 15), bool)
    hole[rng.integers(0, 4) : rng.integers(8, 14), rng.integers(0, 4) : rng.integers(8, 15)] = True
    image = rng.integers(60, 190, (14, 15, 3)).astype(np.uint8)
    guides = [
        (rng.uniform(0.3, 0.7, image.shape).astype(np.float32), rng.uniform(0, 0.5, hole.shape).astype(np.float32))
        for _ in range(2)
    ]
    joined = blending.transfer_detail(image, hole, guides, np.full(hole.shape, screening, np.float32))
    assert np.array_equal(joined[~hole], image[~hole])
    assert np.abs(joined.astype(int) - _dense(image, hole, guides, screening)).max() <= 1


def _dense(image, hole, guides, screening):
    """The same equation, written out for every pixel and solved at once."""
    filled, number = image / 255, np.full(hole.shape, -1)
    number[hole] = np.arange(hole.sum())
    matrix, right = np.eye(hole.sum()) * screening, np.zeros((hole.sum(), 3))
    for y, x in np.argwhere(hole):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < hole.shape[0] and 0 <= u < hole.shape[1]:
                matrix[number[y, x], number[y, x]] += 1
                if hole[v, u]:
                    matrix[number[y, x], number[v, u]] -= 1
                for guide, weights in guides:
                    apart = (guide[y, x] - filled[y, x]) - (guide[v, u] - filled[v, u])
                    right[number[y, x]] += (weights[y, x] + weights[v, u]) / 2 * apart
    solved = image.copy()
    solved[hole] = np.rint(np.clip(filled[hole] + np.linalg.solve(matrix, right), 0, 1) * 255)
    return solved


def test_without_weights_nothing_changes_and_unlike_shapes_are_refused():
    nothing = np.zeros(EYE.shape, np.float32)
    guide = np.zeros(PHOTO.shape, np.float32)
    assert np.array_equal(blending.transfer_detail(PHOTO, EYE, [(guide, nothing)], nothing), PHOTO)
    with pytest.raises(faceinp.MaskError):
        blending.transfer_detail(PHOTO, EYE, [(guide, nothing[1:])], nothing)


# --- where an exemplar lies -------------------------------------------------------------------------------------------


@given(angle=st.floats(-4, 4), scale=st.floats(0.97, 1.03), right=st.floats(-2, 2), down=st.floats(-2, 2))
@settings(max_examples=15, deadline=None)
def test_pixels_mend_what_landmarks_say_of_where_a_face_lies(angle, scale, right, down):
    """A picture moved, turned and scaled a little lies where it lies, to a tenth of a pixel, though landmarks know of
    nothing.
    """
    target = cv2.cvtColor(PHOTO[20:276, 100:356], cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    matrix = cv2.getRotationMatrix2D((127.5, 127.5), angle, scale)
    matrix[:, 2] += right, down
    source = cv2.warpAffine(target, matrix, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    points = np.random.default_rng(0).uniform(0.3, 0.7, (68, 2)).astype(np.float32)
    weight = np.zeros((256, 256), np.float32)
    weight[50:200, 50:200] = 1
    weight[90:120, 90:150] = 0  # a hole
    found = warp.align(points, points, np.ones(68, bool), target, source, weight, np.ones((256, 256), np.float32))
    at = warp.centres(256)
    expected = ((at * 256 - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5) / 256
    assert np.abs(found.grid(256) - expected)[60:190, 60:190].max() * 256 < 0.25
