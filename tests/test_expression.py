"""Expressions and poses made of a face's 68 landmarks: what the rule keeps, and what its ends look like."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.mask.presets import average_points
from faceinp.nets.points import MIRROR

pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.images import expression

AVERAGE = average_points(256)  # symmetric about x = 128, upright
CONTROLS = tuple(expression.CONTROLS)
LEFT_CORNER, RIGHT_CORNER, CHIN, NOSE = 48, 54, 8, 30

values = st.fixed_dictionaries({name: st.floats(-1, 1) for name in CONTROLS})
faces = st.integers(0, 2**32 - 1).map(lambda seed: AVERAGE + np.random.default_rng(seed).normal(0, 1.5, (68, 2)))


def expressed(points: np.ndarray, controls: Mapping[str, float]) -> np.ndarray:
    """Landmarks with the controls at these values, from -1 to 1, as the browser moves them."""
    offsets = expression.blendshapes(points)
    ends = (abs(value) * offsets[name][int(value > 0)] for name, value in controls.items())
    return points + sum(ends, np.zeros((68, 2)))


def mirrored(points: np.ndarray) -> np.ndarray:
    return (points * (-1, 1) + (256, 0))[list(MIRROR)]


def openings(points: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    """How far the lower landmark of each pair lies under the upper one, on an upright face."""
    return np.array([points[lower, 1] - points[upper, 1] for upper, lower in pairs])


@given(face=faces)
def test_at_zero_nothing_moves(face: np.ndarray) -> None:
    assert np.array_equal(expressed(face, dict.fromkeys(CONTROLS, 0.0)), face)
    assert np.array_equal(expressed(face, {}), face)


@given(
    face=faces,
    controls=values,
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.1, 20),
    shift=st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)),
)
@settings(max_examples=50)
def test_the_rule_turns_grows_and_shifts_with_the_face(
    face: np.ndarray, controls: dict[str, float], angle: float, scale: float, shift: tuple[float, float]
) -> None:
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    of_moved = expressed(face, controls) @ matrix.T + shift
    assert np.allclose(expressed(face @ matrix.T + shift, controls), of_moved, atol=1e-6 * scale * 256)


@given(controls=values, face=faces)
@settings(max_examples=50)
def test_a_mirror_image_moves_as_the_face_does_and_turns_the_other_way(
    controls: dict[str, float], face: np.ndarray
) -> None:
    back = controls | {"turn": -controls["turn"]}
    assert np.allclose(mirrored(expressed(face, controls)), expressed(mirrored(face), back), atol=1e-9)
    symmetric = expressed(AVERAGE, controls | {"turn": 0.0})
    assert np.allclose(mirrored(symmetric), symmetric, atol=1e-9), "a symmetric face stays symmetric"


@given(controls=values, face=faces)
@settings(max_examples=50)
def test_neither_eyes_nor_lids_cross(controls: dict[str, float], face: np.ndarray) -> None:
    moved = expressed(face, controls)
    assert moved[36:42, 0].max() < moved[42:48, 0].min()
    was, now = openings(face, expression.LIDS), openings(moved, expression.LIDS)
    assert (now[was > 0.5] > 0).all()


@pytest.mark.parametrize("value", [0.25, 1.0])
def test_each_control_does_what_it_says_on_both_sides(value: float) -> None:
    lips, lids = tuple((upper, lower) for upper, lower, *_ in expression.LIPS), expression.LIDS
    opened, closed = (expressed(AVERAGE, {"mouth": sign * value}) for sign in (1, -1))
    assert (openings(opened, lips) > openings(AVERAGE, lips) + 5 * value).all() and opened[CHIN, 1] > AVERAGE[CHIN, 1]
    assert (openings(closed, lips) >= -1e-9).all() and (openings(closed, lips) <= openings(AVERAGE, lips)).all()
    assert np.array_equal(opened[:4], AVERAGE[:4]) and np.array_equal(opened[17:48], AVERAGE[17:48])

    smile, sad = (expressed(AVERAGE, {"smile": sign * value}) for sign in (1, -1))
    for corner, out in ((LEFT_CORNER, -1), (RIGHT_CORNER, 1)):
        assert (smile[corner] - AVERAGE[corner])[0] * out > 0 > (smile[corner] - AVERAGE[corner])[1]
        assert (sad[corner] - AVERAGE[corner])[0] * out < 0 < (sad[corner] - AVERAGE[corner])[1]

    wide, narrow = (expressed(AVERAGE, {"lids": sign * value}) for sign in (1, -1))
    assert (openings(wide, lids) > openings(AVERAGE, lids)).all()
    assert (openings(narrow, lids) < openings(AVERAGE, lids)).all()

    right, left = (expressed(AVERAGE, {"turn": sign * value}) for sign in (1, -1))
    assert right[NOSE, 0] > AVERAGE[NOSE, 0] > left[NOSE, 0] and np.array_equal(right[:, 1], AVERAGE[:, 1])
    assert np.ptp(right[:17, 0]) < np.ptp(AVERAGE[:17, 0]), "what is seen from the side is narrower"


def test_the_mouth_can_be_closed() -> None:
    opened = expressed(AVERAGE, {"mouth": 1})
    lips = tuple((upper, lower) for upper, lower, *_ in expression.LIPS)
    assert np.allclose(openings(expressed(opened, {"mouth": -1}), lips), 0, atol=1e-9)


def test_a_face_without_a_width_stays_as_it_is() -> None:
    assert np.array_equal(expressed(np.zeros((68, 2)), {"mouth": 1, "turn": 1}), np.zeros((68, 2)))
