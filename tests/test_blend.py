"""Blending: what is known stays, and the seam is the exact solution of Perez' equation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceinp.blend import blending
from faceinp.blend.layers import Layer, mix
from faceinp.errors import MaskError

holes = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda shape: arrays(np.bool_, shape))


def pictures(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((*shape, 3), dtype=np.float32), rng.random((*shape, 3), dtype=np.float32)


def exact(pixels, layers, hole):
    """Perez' equation, with the guidance of ``layers``, pixel by pixel, solved by a dense factorisation."""
    height, width = hole.shape
    unknowns = [tuple(p) for p in np.argwhere(hole)]
    number = {p: i for i, p in enumerate(unknowns)}
    matrix, right_side = np.zeros((len(unknowns),) * 2), np.zeros((len(unknowns), 3))
    for i, (y, x) in enumerate(unknowns):
        for q in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= q[0] < height and 0 <= q[1] < width):
                continue
            matrix[i, i] += 1
            for picture, weights, (rows, columns), _ in layers:
                here, there = ((a - rows.start, b - columns.start) for a, b in ((y, x), q))
                if all(0 <= a < n and 0 <= b < m for (a, b), (n, m) in [(here, weights.shape), (there, weights.shape)]):
                    share = min(weights[here], weights[there])
                    right_side[i] += share * (picture[here].astype(float) - picture[there])
            if q in number:
                matrix[i, number[q]] -= 1
            else:
                right_side[i] += pixels[q]
    solved = pixels.astype(float)
    solved[hole] = np.linalg.solve(matrix, right_side)
    return solved


def all_over(frame):
    """One picture for the whole of a frame."""
    height, width = frame.shape[:2]
    return [Layer(frame, np.ones((height, width), np.float32), np.s_[0:height, 0:width])]


def blob(shape, centre, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


@settings(deadline=None, max_examples=60)
@given(hole=holes, seed=st.integers(0, 99), method=st.sampled_from([blending.composite, blending.poisson]))
def test_known_pixels_leave_as_they_came(hole, seed, method):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*hole.shape, 3), dtype=np.uint8)
    before = pixels.copy()
    blended = method(pixels, rng.random((*hole.shape, 3), dtype=np.float32), hole)
    assert blended.dtype == np.uint8
    assert np.array_equal(blended[~hole], before[~hole])
    assert np.array_equal(pixels, before)


@settings(deadline=None, max_examples=80)
@given(hole=holes.filter(lambda hole: not hole.all()), seed=st.integers(0, 99))
def test_agrees_with_a_dense_solution(hole, seed):
    pixels, frame = pictures(hole.shape, seed)
    assert np.abs(blending.solve(pixels, frame, hole) - exact(pixels, all_over(frame), hole)).max() < 1e-4


LARGER = {
    "disc": blob((40, 44), (20, 22), 17),
    "at two borders": blob((40, 40), (0, 0), 34),
    "all but a pixel": ~blob((31, 36), (5, 7), 1),
    "four parts": sum(blob((44, 44), c, 9) for c in ((10, 10), (10, 33), (33, 10), (33, 33))).astype(bool),
    "80 % of the pixels": np.random.default_rng(3).random((40, 40)) < 0.8,
    "odd rows": np.broadcast_to(np.arange(40)[:, None] % 2 == 1, (40, 40)).copy(),
    "one row of pixels": np.arange(900)[None, :] % 899 > 0,
}


@pytest.mark.parametrize("name", LARGER)
def test_agrees_with_a_dense_solution_through_all_levels(name):
    hole = LARGER[name]
    pixels, frame = pictures(hole.shape)
    assert np.abs(blending.solve(pixels, frame, hole) - exact(pixels, all_over(frame), hole)).max() < 1e-4


def test_a_single_pixel_is_the_mean_of_its_neighbours_steps():
    pixels, frame = pictures((3, 3))
    hole = np.zeros((3, 3), bool)
    hole[1, 1] = True
    around = np.array([[0, 1], [2, 1], [1, 0], [1, 2]]).T
    expected = frame[1, 1] + np.mean(pixels[tuple(around)] - frame[tuple(around)], axis=0)
    assert blending.solve(pixels, frame, hole)[1, 1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("centre", [(0, 30), (30, 0), (59, 30), (30, 79), (59, 79), (30, 40)])
def test_a_frame_of_another_brightness_leaves_no_seam(centre):
    y, x = np.mgrid[:60, :80].astype(np.float32)
    picture = np.stack([x / 160 + 0.2, y / 120 + 0.2, (x + y) / 280 + 0.2], axis=2)
    hole = blob((60, 80), centre, 21)
    pixels = np.where(hole[..., None], 0, picture)
    assert np.abs(blending.solve(pixels, picture + np.float32([0.1, -0.1, 0.2]), hole) - picture).max() < 1e-4


def test_composite_selects_the_frame():
    pixels, frame = (np.rint(p * 255) for p in pictures((8, 9)))
    hole = blob((8, 9), (4, 4), 3)
    blended = blending.composite(pixels.astype(np.uint8), np.float32(frame / 255), hole)
    assert np.array_equal(blended, np.where(hole[..., None], frame, pixels))


def test_without_known_pixels_it_is_the_frame():
    frame = pictures((9, 7))[1]
    blended = blending.poisson(np.zeros((9, 7, 3), np.uint8), frame, np.ones((9, 7), bool))
    assert np.array_equal(blended, np.rint(frame * 255).astype(np.uint8))


def test_without_a_hole_it_is_the_photo():
    pixels = np.full((4, 5, 3), 7, np.uint8)
    assert np.array_equal(blending.poisson(pixels, pictures((4, 5))[1], np.zeros((4, 5), bool)), pixels)


def test_values_beyond_white_and_black_are_clipped():
    pixels = np.full((20, 20, 3), 250, np.uint8)
    frame = np.where(blob((20, 20), (10, 10), 4)[..., None], np.float32(1), np.float32(0)) * np.ones(3, np.float32)
    assert blending.poisson(pixels, frame, blob((20, 20), (10, 10), 7))[10, 10].tolist() == [255, 255, 255]


def test_channels_solved_one_by_one_are_the_same(monkeypatch):
    hole = LARGER["disc"]
    pixels, frame = pictures(hole.shape)
    together = blending.solve(pixels, frame, hole)
    monkeypatch.setattr(blending, "_MAX_JOINT_UNKNOWNS", 10)
    assert blending.solve(pixels, frame, hole) == pytest.approx(together, abs=2e-5)


@pytest.mark.filterwarnings("error")
def test_the_number_of_steps_does_not_grow_with_the_hole(monkeypatch):
    monkeypatch.setattr(blending, "MAX_ITERATIONS", 14)
    for hole in (blob((540, 540), (270, 270), 252), np.random.default_rng(1).random((400, 400)) < 0.8):
        blending.solve(*pictures(hole.shape), hole)  # warns when it has not converged


def test_says_so_when_it_does_not_converge(monkeypatch):
    monkeypatch.setattr(blending, "MAX_ITERATIONS", 1)
    with pytest.warns(RuntimeWarning, match="accurate only to"):
        blending.solve(*pictures((40, 44)), LARGER["disc"])


def test_other_shapes_are_refused():
    with pytest.raises(MaskError, match="Photo, frame and hole must be"):
        blending.poisson(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 5), bool))


# ---- several pictures ----


@settings(deadline=None, max_examples=60)
@given(hole=holes.filter(lambda hole: hole.any() and not hole.all()), seed=st.integers(0, 99), hard=st.booleans())
def test_several_pictures_agree_with_a_dense_solution(hole, seed, hard):
    rng = np.random.default_rng(seed)
    pixels, picture = pictures(hole.shape, seed)
    height, width = hole.shape
    top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
    part = np.s_[top:height, left:width]
    share = rng.random((height - top, width - left)).astype(np.float32)
    share = np.round(share) if hard else share
    rest = np.ones(hole.shape, np.float32)
    rest[part] -= share
    other = rng.random((*share.shape, 3), dtype=np.float32)
    both = [Layer(other, share, part), Layer(picture, rest, np.s_[0:height, 0:width])]
    frame, steps = mix(both, hole)
    assert np.abs(blending.solve(pixels, frame, hole, steps) - exact(pixels, both, hole)).max() < 1e-4


def test_between_two_pictures_of_other_brightness_there_is_no_edge():
    """A bright and a dark picture side by side, in a photo between both: nothing is left of either."""
    pixels = np.full((60, 80, 3), 128, np.uint8)
    hole = np.zeros((60, 80), bool)
    hole[10:50, 10:70] = True
    bright, dark = np.full((60, 40, 3), 0.9, np.float32), np.full((60, 40, 3), 0.1, np.float32)
    whole = np.ones((60, 40), np.float32)
    frame, steps = mix([Layer(bright, whole, np.s_[0:60, 0:40]), Layer(dark, whole, np.s_[0:60, 40:80])], hole)
    assert np.abs(frame[30, 39] - frame[30, 40]).min() > 0.7
    assert np.array_equal(blending.poisson(pixels, frame, hole, steps), pixels)
    assert np.abs(blending.poisson(pixels, frame, hole).astype(int) - 128).max() > 50  # what the steps are for


def test_a_picture_of_two_pieces_gives_no_gradient_between_them():
    pixels = np.full((40, 40, 3), 128, np.uint8)
    hole = np.zeros((40, 40), bool)
    hole[5:35, 5:35] = True
    picture = np.full((40, 40, 3), 0.2, np.float32)
    picture[:, 20:] = 0.9
    pieces = np.broadcast_to(np.arange(40) >= 20, (40, 40))
    frame, steps = mix([Layer(picture, np.ones((40, 40), np.float32), np.s_[0:40, 0:40], pieces)], hole)
    assert np.array_equal(blending.poisson(pixels, frame, hole, steps), pixels)


def test_a_composite_takes_the_mixed_values():
    hole = np.ones((4, 6), bool)
    halves = [np.full((4, 6), weight, np.float32) for weight in (0.25, 0.75)]
    both = [
        Layer(np.full((4, 6, 3), value, np.float32), w, np.s_[0:4, 0:6])
        for value, w in zip((1, 0), halves, strict=True)
    ]
    frame, steps = mix(both, hole)
    assert (blending.composite(np.zeros((4, 6, 3), np.uint8), frame, hole, steps) == 64).all()
