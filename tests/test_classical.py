"""What the classical engines promise, and that the total variation one reaches its optimum."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.data import astronaut

from faceinp.blend import patches
from faceinp.engines import classical, variation
from faceinp.engines.base import Engine
from faceinp.engines.loading import list_engines, load_engine
from faceinp.errors import Cancelled, EngineError

SIZE = 48
KINDS = (
    classical.Telea,
    classical.NavierStokes,
    classical.Biharmonic,
    classical.TotalVariation,
    classical.PatchMatch,
    classical.Mirror,
)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param()


def faces(size: int = SIZE) -> NDArray[np.float32]:
    """The same portrait three times, cut differently: (3, 3, size, size)."""
    portrait = astronaut()[:240, 100:340]
    cuts = (portrait, portrait[:, ::-1], portrait[30:200, 40:210])
    small = [cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA) for cut in cuts]
    return np.stack(small).transpose(0, 3, 1, 2).astype(np.float32) / 255


def holes(size: int = SIZE) -> NDArray[np.bool_]:
    """The centre, the left half, and 60 % of the pixels: (3, 1, size, size)."""
    masks = np.zeros((3, 1, size, size), bool)
    masks[0, 0, size // 4 : -size // 4, size // 4 : -size // 4] = True
    masks[1, 0, :, : size // 2] = True
    masks[2, 0] = np.random.default_rng(4).random((size, size)) < 0.6
    return masks


def errors(filled: NDArray[np.float32], crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> list[float]:
    return [float(((a - b) ** 2)[:, hole].mean()) for a, b, (hole,) in zip(filled, crops, masks, strict=True)]


def test_known_pixels_leave_as_they_came(engine: Engine) -> None:
    crops, masks = faces() + np.float32(1e-4), holes()  # values that 8 bits do not hold
    crops = np.clip(crops, 0, 1)
    filled = engine.fill(crops, masks)
    assert filled.dtype == np.float32 and filled.min() >= 0 and filled.max() <= 1
    known = np.broadcast_to(~masks, crops.shape)
    assert np.array_equal(filled[known], crops[known])


def test_the_fill_resembles_the_face_more_than_grey_does(engine: Engine) -> None:
    crops, masks = faces(), holes()
    grey = errors(np.full_like(crops, 0.5), crops, masks)
    assert sum(errors(engine.fill(crops, masks), crops, masks)) < 0.8 * sum(grey)


def test_what_lies_under_the_hole_does_not_matter(engine: Engine) -> None:
    crops, masks = faces(), holes()
    noise = np.random.default_rng(0).random(crops.shape, dtype=np.float32)
    assert np.array_equal(engine.fill(crops, masks), engine.fill(np.where(masks, noise, crops), masks))


def test_a_batch_gives_what_each_alone_gives_and_again(engine: Engine) -> None:
    crops, masks = faces(), holes()
    together = engine.fill(crops, masks, seed=3)
    alone = [engine.fill(crops[n : n + 1], masks[n : n + 1], seed=3)[0] for n in reversed(range(3))][::-1]
    assert np.array_equal(together, np.stack(alone))


def test_a_picture_without_a_hole_is_returned(engine: Engine) -> None:
    crops = faces()
    assert np.array_equal(engine.fill(crops, np.zeros((3, 1, SIZE, SIZE), bool)), crops)


def test_progress_counts_pictures_and_can_stop(engine: Engine) -> None:
    seen = []

    def stop_at_two(done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
        assert done == 0 or (preview is not None and preview.shape == (3, SIZE, SIZE))
        seen.append((done, total))
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        engine.fill(faces(), holes(), progress=stop_at_two)
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_patchmatch_searches_by_the_seed() -> None:
    engine = classical.PatchMatch()
    first, second = (engine.fill(faces()[:1], holes()[:1], seed=seed) for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_mirror_restores_the_hidden_half_of_a_symmetrical_face() -> None:
    crops = faces()[:1]
    crops[..., : SIZE // 2] = crops[..., : SIZE // 2 - 1 : -1]
    for side in (np.s_[..., : SIZE // 2], np.s_[..., SIZE // 2 :]):
        mask = np.zeros((1, 1, SIZE, SIZE), bool)
        mask[side] = True
        assert np.array_equal(classical.Mirror().fill(crops, mask), crops)


# ---- total variation ----


def energy(picture: NDArray[np.floating]) -> float:
    """TV by its definition, pixel by pixel."""
    total, (_, height, width) = 0.0, picture.shape
    for y in range(height):
        for x in range(width):
            down = picture[:, y + 1, x] - picture[:, y, x] if y + 1 < height else np.zeros(3)
            right = picture[:, y, x + 1] - picture[:, y, x] if x + 1 < width else np.zeros(3)
            total += float(np.sqrt((down**2).sum() + (right**2).sum()))
    return total


@pytest.mark.parametrize("number", range(3), ids=("centre", "half", "random"))
def test_total_variation_reaches_its_optimum(number: int) -> None:
    crop, hole = faces(), holes()
    crop, hole = crop[number], hole[number, 0]
    start = np.where(hole, classical.Telea().paint(np.where(hole, np.float32(0.5), crop), hole, 0), crop)
    found = energy(variation.least_variation(start, hole))
    long = energy(variation.least_variation(start, hole, tolerance=1e-4, most=100_000))
    assert found <= 1.002 * long and long <= 1.0001 * found
    assert found < 0.99 * energy(start)
    assert found < 0.99 * energy(classical.Biharmonic().fill(crop[None], hole[None, None])[0])


@pytest.mark.parametrize("number", range(3), ids=("centre", "half", "random"))
def test_total_variation_is_the_one_of_chambolle_and_pock(number: int) -> None:
    """Their Algorithm 1, many plain steps of it, finds no picture of less variation."""
    crop, hole = faces(24)[number].astype(np.float64), holes(24)[number, 0]
    u = average = np.where(hole, 0.5, crop)
    p = np.zeros((2, 3, 24, 24))
    for _ in range(2500):  # tau * sigma * 8 <= 1
        p[0, :, :-1] += 1.5 * np.diff(average, axis=1)
        p[1, :, :, :-1] += 1.5 * np.diff(average, axis=2)
        p /= np.maximum(1, np.sqrt((p**2).sum(axis=(0, 1))))
        back = np.pad(p, ((0, 0), (0, 0), (1, 0), (1, 0)))
        flow = np.diff(back[0, :, :, 1:], axis=1) + np.diff(back[1, :, 1:], axis=2)
        moved = np.where(hole, u + flow / 12, crop)
        u, average = moved, 2 * moved - u
    found = classical.TotalVariation().fill(crop[None].astype(np.float32), hole[None, None])[0]
    assert energy(found) <= 1.002 * energy(u) and energy(u) <= 1.002 * energy(found)


def test_the_duality_gap_bounds_the_distance_from_the_optimum() -> None:
    crop, hole = faces(24)[0].astype(np.float64), holes(24)[0, 0]
    best = variation.least_variation(crop.astype(np.float32), hole, tolerance=1e-5, most=100_000)
    least = variation.duality_gap(best, hole, np.zeros((2, 3, 24, 24)))[1]
    rng = np.random.default_rng(0)
    for _ in range(20):
        candidate = np.where(hole, rng.random(crop.shape), crop)
        p = rng.standard_normal((2, 3, 24, 24))
        p *= rng.random((24, 24)) / np.sqrt((p**2).sum(axis=(0, 1)))
        gap, own = variation.duality_gap(candidate, hole, p)
        assert gap >= own - least
    # Around one colour the least energy is 0 whatever p is, and the bound is tight.
    flat = np.full_like(crop, 0.7)
    gap, own = variation.duality_gap(np.where(hole, crop, flat), hole, p)
    assert gap == pytest.approx(own)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_total_variation_stays_between_the_known_extremes(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    crop = rng.random((1, 3, 12, 12), dtype=np.float32) * np.float32(0.4) + np.float32(0.3)
    hole = rng.random((1, 1, 12, 12)) < share
    hole[0, 0, rng.integers(12), rng.integers(12)] = False
    filled = classical.TotalVariation().fill(crop, hole)
    known = crop[0][:, ~hole[0, 0]]
    # What the stated tolerance leaves open may be spent on a single pixel.
    assert (filled[0].min(axis=(1, 2)) >= known.min(axis=1) - 0.05).all()
    assert (filled[0].max(axis=(1, 2)) <= known.max(axis=1) + 0.05).all()


def test_total_variation_continues_a_straight_edge() -> None:
    crop = np.zeros((1, 3, 32, 32), np.float32)
    crop[..., 16:] = 1
    mask = np.zeros((1, 1, 32, 32), bool)
    mask[..., 12:20, 10:22] = True
    assert np.abs(classical.TotalVariation().fill(crop, mask) - crop).mean() < 0.01


def test_patchmatch_without_its_library_is_listed_as_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "library", lambda: None)
    (status,) = (engine for engine in list_engines() if engine.name == "patchmatch")
    assert not status.ready and "pip install" in status.missing
    with pytest.raises(EngineError, match="compiled part"):
        load_engine("patchmatch")
