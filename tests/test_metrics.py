"""Metrics against their definitions, and against distributions whose answers are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from faceinp.errors import DataError
from faceinp.formulas import metrics

PHOTO = astronaut()[20:84, 190:254]
NOISY = np.clip(PHOTO + np.random.default_rng(0).normal(0, 20, PHOTO.shape), 0, 255).astype(np.uint8)


def test_psnr_of_a_known_difference() -> None:
    black, grey = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8)
    assert metrics.psnr(black, grey) == pytest.approx(20 * math.log10(255 / 51))
    assert metrics.psnr(PHOTO, NOISY) == pytest.approx(peak_signal_noise_ratio(PHOTO, NOISY))
    assert metrics.psnr(PHOTO, PHOTO) == math.inf


def test_psnr_counts_only_the_pixels_asked_for() -> None:
    hole = np.zeros((64, 64), bool)
    hole[10:20, 30:50] = True
    spoilt = np.where(hole[..., None], PHOTO, 0).astype(np.uint8)
    assert metrics.psnr(PHOTO, spoilt, hole) == math.inf
    assert metrics.psnr(PHOTO, spoilt, ~hole) < metrics.psnr(PHOTO, spoilt) < 20


def test_both_forms_of_a_picture_measure_alike() -> None:
    as_float = NOISY.transpose(2, 0, 1).astype(np.float32) / 255
    assert metrics.psnr(PHOTO, as_float) == pytest.approx(metrics.psnr(PHOTO, NOISY), abs=1e-4)
    assert metrics.ssim(PHOTO, as_float) == pytest.approx(metrics.ssim(PHOTO, NOISY), abs=1e-6)


def test_ssim_is_that_of_wang() -> None:
    """From the formula: Gaussian moments of 11 x 11 windows, one at a time."""
    a, b = PHOTO[..., :1] / 255, NOISY[..., :1] / 255
    axis = np.arange(-5, 6)
    kernel = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum())[..., None]
    values = []
    for y in range(5, 59):
        for x in range(5, 59):
            p, q = (picture[y - 5 : y + 6, x - 5 : x + 6] for picture in (a, b))
            mp, mq = (kernel * p).sum(), (kernel * q).sum()
            vp, vq, vpq = (
                (kernel * (p - mp) ** 2).sum(),
                (kernel * (q - mq) ** 2).sum(),
                (kernel * (p - mp) * (q - mq)).sum(),
            )
            c1, c2 = 0.01**2, 0.03**2
            values.append((2 * mp * mq + c1) * (2 * vpq + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    grey = [np.repeat(picture[..., :1], 3, axis=2) for picture in (PHOTO, NOISY)]
    assert metrics.ssim(*grey) == pytest.approx(np.mean(values), abs=1e-6)


def test_ssim_over_three_channels_is_that_of_scikit_image() -> None:
    expected = structural_similarity(
        PHOTO, NOISY, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert metrics.ssim(PHOTO, NOISY) == pytest.approx(expected)
    assert metrics.ssim(PHOTO, PHOTO) == pytest.approx(1)


def test_ssim_counts_only_the_pixels_asked_for() -> None:
    hole = np.zeros((64, 64), bool)
    hole[:, 40:] = True
    half = np.where(hole[..., None], NOISY, PHOTO)
    far = np.zeros((64, 64), bool)
    far[:, :30] = True  # further than a window from the hole
    assert metrics.ssim(PHOTO, half, far) == pytest.approx(1)
    assert metrics.ssim(PHOTO, half, hole) < metrics.ssim(PHOTO, half) < 1


@pytest.mark.parametrize(
    "compare",
    [
        lambda: metrics.psnr(PHOTO, PHOTO[:32]),
        lambda: metrics.psnr(PHOTO, PHOTO, np.zeros((64, 64), bool)),
        lambda: metrics.psnr(PHOTO.transpose(2, 0, 1), PHOTO),
        lambda: metrics.psnr(PHOTO, PHOTO, np.ones((64, 64), np.uint8)),
        lambda: metrics.ssim(PHOTO[:8, :8], PHOTO[:8, :8]),
        lambda: metrics.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4))),
        lambda: metrics.frechet_distance(np.full((5, 3), np.nan), np.zeros((5, 3))),
        lambda: metrics.interval([1, 2, 3], groups=["a", "b"]),
    ],
)
def test_what_cannot_be_compared_is_named(compare: object) -> None:
    with pytest.raises(DataError):
        compare()  # type: ignore[operator]


# ---- Frechet distance ----


def with_moments(mean: np.ndarray, covariance: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(count, D) features whose sample mean and covariance are exactly those."""
    raw = np.random.default_rng(seed).standard_normal((count, len(mean)))
    raw -= raw.mean(axis=0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return raw @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_normals_with_a_closed_form() -> None:
    a = with_moments(np.zeros(3), np.diag([1.0, 4.0, 9.0]), 50, 0)
    b = with_moments(np.array([1.0, 0.0, 2.0]), np.diag([4.0, 4.0, 1.0]), 70, 1)
    assert metrics.frechet_distance(a, b) == pytest.approx(5 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)


def test_frechet_distance_of_covariances_that_do_not_commute() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(2)
    ca, cb = (m @ m.T + np.eye(6) for m in rng.standard_normal((2, 6, 6)))
    a, b = with_moments(np.zeros(6), ca, 40, 0), with_moments(np.ones(6), cb, 40, 1)
    assert metrics.frechet_distance(a, b) == pytest.approx(6 + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_frechet_distance_is_a_distance(count: int, numbers: int, seed: int) -> None:
    """Even with fewer pictures than features, where covariances have no inverse."""
    a, b = np.random.default_rng(seed).standard_normal((2, count, numbers))
    distance = metrics.frechet_distance(a, b)
    assert distance >= 0
    assert distance == pytest.approx(metrics.frechet_distance(b, a), abs=1e-8)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert metrics.frechet_distance(a, a + 2) == pytest.approx(4 * numbers)


# ---- intervals ----


def test_the_interval_of_independent_values_is_the_usual_one() -> None:
    values = np.random.default_rng(0).normal(10, 3, 400)
    low, high = metrics.interval(values)
    wide = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - wide, abs=0.06) and high == pytest.approx(
        values.mean() + wide, abs=0.06
    )
    assert metrics.interval(values, level=0.5)[0] > low
    assert metrics.interval(values, seed=1) != metrics.interval(values) == metrics.interval(values)


def test_pictures_of_one_person_count_as_one() -> None:
    """Twenty people, each twenty times the same: the interval is that of twenty values, not of four hundred."""
    people = np.random.default_rng(1).normal(10, 3, 20)
    values, groups = np.repeat(people, 20), np.repeat([f"person {n}" for n in range(20)], 20)
    shuffled = np.random.default_rng(2).permutation(400)
    assert metrics.interval(values[shuffled], groups[shuffled]) == pytest.approx(
        metrics.interval(people, [f"person {n}" for n in range(20)])
    )
    alone, grouped = metrics.interval(values), metrics.interval(values, groups)
    assert grouped[1] - grouped[0] > 3 * (alone[1] - alone[0])


def test_people_with_more_pictures_weigh_more() -> None:
    low, high = metrics.interval([0.0] * 90 + [1.0] * 10, ["a"] * 90 + ["b"] * 10)
    assert (low, high) == (0, 1)  # a twice, or b twice
    assert metrics.interval([0.0] * 90 + [1.0] * 10, ["a"] * 90 + ["b"] * 10, level=0.01) == pytest.approx((0.1, 0.1))


def test_there_is_no_interval_of_one_person_or_of_infinity() -> None:
    assert all(math.isnan(end) for end in metrics.interval([1.0, 2.0], ["a", "a"]))
    assert all(math.isnan(end) for end in metrics.interval([1.0, math.inf, 2.0]))
