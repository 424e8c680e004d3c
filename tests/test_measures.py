"""Averages, paired intervals, and likeness of a fill."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.evaluate import measures
from faceinp.evaluate.engine_tables import figures
from faceinp.evaluate.engine_tables.fills import Fill
from faceinp.formulas import metrics

COUNT, PEOPLE = 24, [f"person {n % 8}" for n in range(24)]
floats = st.floats(-50, 50, allow_nan=False).map(lambda value: round(value, 3))
columns = st.lists(floats, min_size=COUNT, max_size=COUNT).map(np.array)


@settings(max_examples=30, deadline=None)
@given(columns, columns)
def test_a_paired_interval_is_that_of_the_differences(a: np.ndarray, b: np.ndarray) -> None:
    paired, back = measures.difference(a, b, PEOPLE), measures.difference(b, a, PEOPLE)
    assert paired == measures.mean(a - b, PEOPLE)
    assert paired.low - 1e-9 <= paired.mean <= paired.high + 1e-9
    # Swapped, it is the same interval on the other side of 0.
    assert np.allclose([paired.mean, paired.low, paired.high], [-back.mean, -back.high, -back.low], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(columns, floats)
def test_a_constant_lead_is_certain_however_hard_the_pictures_are(a: np.ndarray, lead: float) -> None:
    paired = measures.difference(a + lead, a, PEOPLE)
    assert np.allclose([paired.mean, paired.low, paired.high], lead, atol=1e-9)


def test_what_is_not_there_is_left_out_and_perfection_has_no_mean() -> None:
    values = np.arange(6.0)
    values[2] = np.nan
    people = list("aabbcc")
    assert measures.mean(values, people).mean == pytest.approx(np.mean([0, 1, 3, 4, 5]))
    assert measures.difference(values, np.zeros(6), people).mean == measures.mean(values, people).mean
    assert measures.mean([np.inf, 1.0], ["a", "b"]).mean is None
    assert measures.mean([np.nan, np.nan], ["a", "b"]) == measures.NOTHING
    assert measures.mean([1.0, 2.0], ["a", "a"]) == measures.Measure(1.5, None, None)  # one person: no interval


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_similarity_around_the_hole_alone_is_that_of_the_whole_picture(
    top: int, left: int, height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    photo, made = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    hole = np.zeros((64, 64), bool)
    hole[top : top + height, left : left + width] = True
    fill = Fill(made, 0.0)
    told = figures.compare(photo, fill, hole, ("composite", "hole"))
    composite = np.where(hole[..., None], made, photo)
    assert told["composite_ssim"] == pytest.approx(metrics.ssim(photo, composite), abs=1e-12)
    assert told["hole_ssim"] == pytest.approx(metrics.ssim(photo, composite, hole), abs=1e-12)
    assert told["composite_psnr"] == metrics.psnr(photo, composite)
    assert told["hole_psnr"] == metrics.psnr(photo, made, hole)
