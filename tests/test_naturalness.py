"""How natural fills look: the kernel distance against its definition, its interval, and what the network sees."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceinp.errors import DataError, MissingPackageError
from faceinp.evaluate import measures, naturalness
from faceinp.evaluate.measures import Measure
from faceinp.formulas import metrics
from faceinp.models import pretrained
from faceinp.nets.efficientnet import SIDE, EfficientNetLite

COUNT, PEOPLE = 24, [f"person {n % 8}" for n in range(24)]


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    try:
        return pretrained.efficientnet()
    except MissingPackageError as error:
        pytest.skip(str(error))


def slow_distance(real: np.ndarray, made: np.ndarray, people: list[str]) -> float:
    """By pairs of pictures of different people, one at a time."""
    mean, spread = real.mean(axis=0), real.std(axis=0)
    x, y = (real - mean) / spread, (made - mean) / spread

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / len(a) + 1) ** 3

    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if people[i] != people[j]]
    within = np.mean([kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs])
    return within - 2 * np.mean([kernel(x[i], y[j]) for i, j in pairs])


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**31))
def test_the_kernel_distance_is_its_definition(real: int, made: int, numbers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 1, (real, numbers)), rng.normal(0.3, 2, (made, numbers))

    def mean(a: np.ndarray, b: np.ndarray, *, alone: bool) -> float:
        kernels = [(p @ q / numbers + 1) ** 3 for i, p in enumerate(a) for j, q in enumerate(b) if alone or i != j]
        return float(np.mean(kernels))

    expected = mean(x, x, alone=False) + mean(y, y, alone=False) - 2 * mean(x, y, alone=True)
    assert metrics.kernel_distance(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert metrics.kernel_distance(y, x) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_sets_of_one_distribution_are_as_often_under_0_as_over() -> None:
    rng = np.random.default_rng(0)
    alike = [metrics.kernel_distance(*rng.normal(0, 1, (2, 30, 6))) for _ in range(300)]
    assert abs(np.mean(alike)) < 3 * np.std(alike) / np.sqrt(300)
    assert metrics.kernel_distance(rng.normal(0, 1, (30, 6)), rng.normal(1, 1, (30, 6))) > 10 * np.std(alike)
    for wrong in (np.zeros((5, 7)), np.full((5, 6), np.nan), np.zeros((1, 6))):
        with pytest.raises(DataError):
            metrics.kernel_distance(np.zeros((5, 6)), wrong)


def test_a_fill_is_compared_with_other_people_alone() -> None:
    real, made = np.random.default_rng(1).normal(0, 1, (2, COUNT, 5))
    told = naturalness.distance(real, made, PEOPLE)
    assert told.mean == pytest.approx(slow_distance(real, made, PEOPLE))
    assert told.low < told.mean < told.high
    assert naturalness.distance(real, made, ["one"] * COUNT) == measures.NOTHING
    assert naturalness.distance(real, real, PEOPLE) == Measure(0.0, 0.0, 0.0)
    # A person's other picture is the same once more: only by leaving it out does the distance stay what it is.
    twice = naturalness.distance(np.tile(real, (2, 1)), np.tile(made, (2, 1)), PEOPLE * 2)
    assert twice.mean == pytest.approx(told.mean)


def test_the_interval_is_that_of_people_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = np.random.default_rng(2).normal(0, 1, (2, COUNT, 5))
    made[7] = np.nan  # no fill
    there = [n for n in range(COUNT) if n != 7]
    mean, spread = real.mean(axis=0), real.std(axis=0)
    monkeypatch.setattr(naturalness, "DRAWS", 5)
    _, drawn = naturalness._distance_and_draws(real, made, PEOPLE, np.array(there))
    for weights_, value in zip(metrics.resample([PEOPLE[n] for n in there], 5), drawn, strict=True):
        again = np.repeat(there, weights_)
        x, y, names = (real[again] - mean) / spread, (made[again] - mean) / spread, np.array(PEOPLE)[again]
        others = names[:, None] != names[None]
        k = metrics.polynomial_kernel
        expected = (k(x, x) + k(y, y) - 2 * k(x, y))[others].mean()
        assert value == pytest.approx(expected)


def test_differences_are_paired_on_the_pictures_that_both_have() -> None:
    rng = np.random.default_rng(3)
    real = rng.normal(0, 1, (COUNT, 5))
    near, far = real + rng.normal(0, 0.3, real.shape), real + 1.5
    lead = naturalness.difference(real, near, far, PEOPLE)
    assert lead.high < 0
    assert lead.mean == pytest.approx(
        naturalness.distance(real, near, PEOPLE).mean - naturalness.distance(real, far, PEOPLE).mean
    )
    some = np.where(np.arange(COUNT)[:, None] < 16, far, np.nan)
    assert naturalness.difference(real, near, some, PEOPLE) == naturalness.difference(real, near[:16], far[:16], PEOPLE)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 63), st.integers(0, 63), st.integers(1, 40), st.integers(1, 40))
def test_the_window_lies_in_the_picture_round_the_hole(top: int, left: int, height: int, width: int) -> None:
    picture = np.arange(64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    picture[..., 0], picture[..., 1] = np.arange(64)[:, None], np.arange(64)[None]
    hole = np.zeros((64, 64), bool)
    hole[top : top + height, left : left + width] = True
    seen = naturalness.window(picture, hole)
    assert seen.shape == (16, 16, 3)
    for axis in (0, 1):
        first, last = np.flatnonzero(hole.any(axis=1 - axis))[[0, -1]]
        middle = np.clip((first + last + 1) / 2, 8, 56)
        assert abs(seen[..., axis].astype(float).mean() + 0.5 - middle) <= 0.5


def test_the_network_knows_a_cat_and_a_cup_of_coffee(network: EfficientNetLite) -> None:
    """Egyptian cat, tabby and tiger cat; espresso: so its weights are where they belong, and so is what it is given."""
    pictures = []
    for photo in (skimage.data.chelsea(), skimage.data.coffee()):
        start = (photo.shape[1] - len(photo)) // 2
        square = torch.from_numpy(photo[:, start : start + len(photo)]).permute(2, 0, 1)[None] / 255
        pictures.append(torch.nn.functional.interpolate(square, (SIDE, SIDE), mode="bilinear", antialias=True))
    with torch.no_grad():
        chances = network(torch.cat(pictures)).softmax(dim=1)
    assert chances[0, [281, 282, 285]].sum() > 0.8 and chances[1, 967] > 0.8


def test_pictures_reach_the_network_as_its_authors_gave_them() -> None:
    """Bytes less 127 in units of 128; sides come out halved and rounded up, the odd pixel of padding at the end."""
    network = EfficientNetLite().eval()
    given: list[torch.Tensor] = []
    network.conv_stem.register_forward_pre_hook(lambda stem, pictures: given.append(pictures[0]))
    with torch.no_grad():
        sides = [tuple(stage.shape[2:]) for stage in network.stages(torch.ones(1, 3, 224, 97))]
    assert torch.equal(given[0], torch.ones(1, 3, 224, 97))
    assert sides == [(112, 49), (56, 25), (28, 13), (14, 7), (14, 7), (7, 4), (7, 4)]
    stem = EfficientNetLite().conv_stem
    x = torch.randn(1, 3, 8, 8)
    expected = torch.nn.functional.conv2d(torch.nn.functional.pad(x, (0, 1, 0, 1)), stem.weight, stride=2)
    assert torch.allclose(stem(x), expected)


def test_a_smear_is_far_from_faces_and_blur_the_farther_the_stronger(network: EfficientNetLite) -> None:
    import cv2

    photo = skimage.data.astronaut()
    real = [photo[y : y + 64, x : x + 64] for y in range(40, 130, 30) for x in range(160, 250, 23)]
    people = [str(n) for n in range(len(real))]
    seen = naturalness.features(real, network).astype(float)
    assert seen.shape == (len(real), 424)
    far = []
    for sigma in (1, 2, 8):
        blurred = [cv2.GaussianBlur(window, (0, 0), sigma) for window in real]
        far.append(naturalness.distance(seen, naturalness.features(blurred, network).astype(float), people))
    assert far[0].low > 0 and far[0].high < far[1].low and far[1].high < far[2].low


def test_where_the_package_is_missing_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'faceinp\[eval\]'"):
        pretrained.efficientnet()
