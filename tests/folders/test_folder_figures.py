"""Figures of two folders of pictures: they agree with other packages', and with what is known."""

import numpy as np
import pytest
import skimage.data
import skimage.metrics
import torch
from picture_folders import drawn, filled, hole_of
from skimage.color import rgb2gray

from faceinp.evaluate import folder_measures as kinds
from faceinp.evaluate.folder_measures import Pair
from faceinp.formulas import metrics


@pytest.fixture(scope="module")
def fifty() -> list[Pair]:
    return [Pair(drawn(seed), filled(drawn(seed)), hole_of() > 0) for seed in range(50)]


def test_psnr_ssim_and_mae_agree_with_scikit_image(fifty: list[Pair]) -> None:
    measure = kinds.pixels(with_holes=True)
    for pair in fifty:
        psnr, ssim, mae, psnr_hole, _, mae_hole = measure.measure(pair)
        a, b = pair.truth / 255, pair.result / 255
        assert psnr == pytest.approx(skimage.metrics.peak_signal_noise_ratio(a, b, data_range=1), abs=1e-3)
        gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        theirs = skimage.metrics.structural_similarity(a, b, data_range=1, channel_axis=2, **gaussian)
        assert ssim == pytest.approx(theirs, abs=1e-3)
        assert mae == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
        # In the hole alone are all differences, a sixteenth of the picture.
        assert mae_hole == pytest.approx(16 * mae) and psnr_hole == pytest.approx(psnr - 10 * np.log10(16))


def test_psnr_ssim_and_mae_agree_with_torchmetrics(fifty: list[Pair]) -> None:
    """Its SSIM counts the windows that reach beyond the border, too; Wang's, scikit-image's and ours do not."""
    image = pytest.importorskip("torchmetrics.functional.image", reason="the extra 'eval' is not installed")
    regression = pytest.importorskip("torchmetrics.functional.regression")
    measure = kinds.pixels(with_holes=False)
    for pair in fifty:
        a, b = (torch.from_numpy(each / 255).permute(2, 0, 1)[None].contiguous() for each in (pair.result, pair.truth))
        psnr, ssim, mae = measure.measure(pair)
        assert psnr == pytest.approx(float(image.peak_signal_noise_ratio(a, b, data_range=1.0)), abs=1e-3)
        theirs = image.structural_similarity_index_measure(a, b, data_range=1.0, sigma=1.5, kernel_size=11)
        assert metrics.ssim_map(pair.truth, pair.result).mean() == pytest.approx(float(theirs), abs=1e-3)
        assert abs(ssim - float(theirs)) < 0.05
        assert mae == pytest.approx(float(regression.mean_absolute_error(a, b)), abs=1e-6)


def test_the_protocol_agrees_with_edgeconnects_settings(fifty: list[Pair]) -> None:
    """Grey pictures in float32, SSIM with a uniform window of 51 pixels, the error relative to the sum."""
    measure = kinds.by_protocol("edgeconnect")
    for pair in fifty:
        a, b = (rgb2gray((each / 255).astype(np.float32)) for each in (pair.truth, pair.result))
        psnr, ssim, mae = measure.measure(pair)
        assert psnr == pytest.approx(skimage.metrics.peak_signal_noise_ratio(a, b, data_range=1), abs=1e-3)
        assert ssim == pytest.approx(skimage.metrics.structural_similarity(a, b, data_range=1, win_size=51), abs=1e-3)
        assert mae == pytest.approx(np.abs(a - b).sum() / (a + b).sum(), abs=1e-5)


def features(count: int, shift: float = 0.0) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    truth = rng.normal(0, 1, (count, 8))
    return list(np.stack([truth, truth + rng.normal(shift, 0.3, (count, 8))], axis=1).astype(np.float32))


def test_few_pictures_have_no_frechet_distance_and_many_have_all() -> None:
    pytest.importorskip("sklearn", reason="the extra 'eval' is not installed")
    rows, refused = kinds.compare_sets(kinds.INCEPTION, features(50), 0)
    assert [row.column.title for row in rows] == ["KID, Inception"] and len(refused) == 2
    rows, refused = kinds.compare_sets(kinds.INCEPTION, features(2000), 0)
    assert [row.column.title.partition(",")[0] for row in rows] == ["KID", "FID", "P-IDS", "U-IDS"] and not refused
    assert kinds.compare_sets(kinds.LITE, features(9), 0)[0] == []
    wide = [
        np.full((2, 1), np.nan, np.float32),
        *features(kinds.MIN_PAIRS_KID),
    ]  # a picture that is not square has no window
    assert kinds.compare_sets(kinds.WINDOWS, wide, 0) == (
        [],
        ["Naturalness of holes needs square pictures."],
    )


def test_a_result_never_meets_its_own_truth() -> None:
    """Results that hardly differ from their truths are as far apart as nothing: 0 on average, and not under it."""
    x = np.random.default_rng(0).normal(0, 1, (20, 8))
    mean, deviation = metrics.paired_kernel_distance(x, x)
    assert abs(mean) < 2 * deviation / np.sqrt(100) + 1e-9
    assert metrics.kernel_distance(x, x) < -0.5 < mean  # with its own truth in it
    assert metrics.paired_kernel_distance(x, x + 1)[0] > mean + 1


def test_an_svm_cannot_tell_alike_sets_and_can_tell_others() -> None:
    pytest.importorskip("sklearn", reason="the extra 'eval' is not installed")
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (2, 500, 4))
    paired, unpaired = metrics.discriminability(x, y)
    assert 0.4 < paired.mean() < 0.55 and 0.4 < unpaired.mean() < 0.55
    paired, unpaired = metrics.discriminability(x, y + 9)
    assert paired.mean() == 0 and unpaired.mean() == 0
