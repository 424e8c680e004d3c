"""Image metrics: PSNR, SSIM, MAE, Frechet and kernel distances of sets, and bootstrap intervals of means.

A picture is uint8 (H, W, 3) or float (3, H, W) in [0, 1]; a comparison may mix them. All metrics are computed in
[0, 1] and in float64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceinp.errors import DataError, require

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11
RESAMPLES = 2000
KID_SUBSETS = 100
KID_SIZE = 1000


def psnr(a: ArrayLike, b: ArrayLike, where: NDArray[np.bool_] | None = None) -> float:
    """Peak signal-to-noise ratio in dB, -10 log10 of the mean squared difference over pixels and channels.

    where: bool (H, W), the pixels to compare (default: all). The result is ``inf`` for equal pictures.
    Raises DataError if the shapes differ or ``where`` has no True.
    """
    first, second = _pair(a, b)
    square = (first - second) ** 2
    error = (square if where is None else square[:, _where(where, first)]).mean()
    return float(-10 * np.log10(error)) if error > 0 else float("inf")


def ssim(a: ArrayLike, b: ArrayLike, where: NDArray[np.bool_] | None = None) -> float:
    """Mean structural similarity of Wang et al. 2004; 1 for equal pictures.

    Window 11 x 11, Gaussian, sigma 1.5; c1 = .01^2, c2 = .03^2; the mean over the three channels.
    where: bool (H, W), the pixels whose windows are averaged; a window also covers their surroundings. Without it, the
    mean is over the windows inside the picture, as in Wang et al.
    Raises DataError if the shapes differ, a side is under 11 pixels, or ``where`` has no True.
    """
    return mean_ssim(ssim_map(a, b), where)


def ssim_map(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Structural similarity around each pixel, (H, W), mean over channels; pictures are mirrored at the border."""
    from skimage.metrics import structural_similarity

    first, second = _pair(a, b)
    if min(first.shape[1:]) < SSIM_WINDOW:
        raise DataError(f"SSIM needs pictures of at least {SSIM_WINDOW} pixels a side, got {first.shape[1:]}.")
    _, similarity = structural_similarity(
        first,
        second,
        data_range=1.0,
        channel_axis=0,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(similarity.mean(axis=0))


def mean_ssim(similarity: NDArray[np.float64], where: NDArray[np.bool_] | None = None) -> float:
    """As ``ssim``, from a map of ``ssim_map``."""
    if where is None:
        rim = SSIM_WINDOW // 2
        return float(similarity[rim:-rim, rim:-rim].mean())
    return float(similarity[_where(where, similarity)].mean())


def mae(a: ArrayLike, b: ArrayLike, where: NDArray[np.bool_] | None = None) -> float:
    """Mean absolute difference over pixels and channels, 0 to 1. where: as for ``psnr``. Raises DataError."""
    first, second = _pair(a, b)
    error = np.abs(first - second)
    return float((error if where is None else error[:, _where(where, first)]).mean())


@dataclass(frozen=True)
class Protocol:
    """The settings of a published script: grey (skimage's luminance) in [0, 1], MAE relative to the sum of both.

    window: side of SSIM's uniform window in pixels. about: the name of the script.
    """

    window: int
    about: str


PROTOCOLS = {
    "edgeconnect": Protocol(51, "as EdgeConnect's script: grey, SSIM by 51 x 51, MAE sum |a - b| / sum (a + b)")
}


def by_protocol(a: NDArray[np.uint8], b: NDArray[np.uint8], protocol: Protocol) -> tuple[float, float, float]:
    """PSNR in dB (``inf`` for equal pictures), SSIM and relative MAE of two pictures uint8 (H, W, 3)."""
    from skimage.color import rgb2gray
    from skimage.metrics import structural_similarity

    first, second = rgb2gray(a), rgb2gray(b)
    square, total = float(((first - second) ** 2).mean()), float((first + second).sum())
    return (
        float(-10 * np.log10(square)) if square > 0 else float("inf"),
        float(structural_similarity(first, second, win_size=protocol.window, data_range=1.0)),
        float(np.abs(first - second).sum()) / total if total > 0 else 0.0,
    )


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Frechet distance between normal distributions fitted to two sets of features, (N, D) and (M, D).

    |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), C the covariance (Dowson and Landau 1982; with a network's
    features, Heusel et al. 2017). The last trace is computed as the sum of the singular values of C_a^(1/2) C_b^(1/2):
    it needs roots of symmetric matrices only, and stays real if there are fewer pictures than features.
    Raises DataError unless both sets are finite and have the same D and at least two members.
    """
    first, second = _features(a, b)
    shift = first.mean(axis=0) - second.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    overlap = np.linalg.svd(_root(covariances[0]) @ _root(covariances[1]), compute_uv=False).sum()
    return max(0.0, float(shift @ shift + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * overlap))


def kernel_distance(real: ArrayLike, generated: ArrayLike) -> float:
    """KID: squared maximum mean discrepancy between two sets of features, (M, D) and (N, D).

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y) with k = ``polynomial_kernel``, x and x' different real features, y
    and y' different generated ones (Binkowski et al. 2018). The estimate is unbiased: for two sets from the same
    distribution its mean is 0, and it may be negative. Raises DataError as ``frechet_distance``.
    """
    x, y = _features(real, generated)
    within = 0.0
    for features in (x, y):
        kernel = polynomial_kernel(features, features)
        within += float(kernel.sum() - kernel.trace()) / (len(features) * (len(features) - 1))
    return within - 2 * float(polynomial_kernel(x, y).mean())


def paired_kernel_distance(real: ArrayLike, generated: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """KID of paired sets (N, D), N at least 4, whose rows i show the same picture: mean and deviation over subsets.

    As Binkowski et al. 2018: KID_SUBSETS subsets of KID_SIZE pictures, or of half the set. A subset has the real
    features of some pictures and the generated features of others, because a filled picture is nearer to its own
    original than to any other, which would bias the estimate. Raises DataError as ``frechet_distance``.
    """
    x, y = _features(real, generated)
    rng, size = np.random.default_rng(seed), min(KID_SIZE, len(x) // 2)
    subsets = [rng.permutation(len(x))[: 2 * size] for _ in range(KID_SUBSETS)]
    distances = [kernel_distance(x[subset[:size]], y[subset[size:]]) for subset in subsets]
    return float(np.mean(distances)), float(np.std(distances))


def discriminability(real: ArrayLike, generated: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The values of each picture whose means are P-IDS and U-IDS (Zhao et al. 2021), (N,) each.

    A linear SVM is trained to separate features (N, D) of real and generated pictures, rows i of the same picture, and
    evaluated on its training set, as the authors do. First: 1 if the generated picture scores as more real than the
    real one, else 0. Second: the share of both that is misclassified.
    Raises DataError as ``frechet_distance``, MissingPackageError without scikit-learn.
    """
    require("sklearn", "eval", "scikit-learn")
    from sklearn.svm import LinearSVC

    both = np.concatenate(_features(real, generated))
    labels = np.repeat([1, 0], len(both) // 2)
    a, b = np.split(LinearSVC(dual=False, random_state=0).fit(both, labels).decision_function(both), 2)
    return (b > a).astype(np.float64), ((a <= 0).astype(np.float64) + (b > 0)) / 2


def standardised(features: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features minus the mean of ``real``, divided by its standard deviation; features that do not vary become 0."""
    spread = real.std(axis=0)
    return np.asarray((features - real.mean(axis=0)) / np.where(spread > 0, spread, np.inf))


def polynomial_kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(a . b / D + 1)^3 for all pairs of features a (N, D) and b (M, D): (N, M)."""
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def resample(groups: ArrayLike, count: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """Bootstrap over groups: how often each of N values counts in each of ``count`` draws, (count, N).

    groups: (N,) labels, such as the people in the pictures. Whole groups are drawn with replacement, because pictures
    of one person are not independent.
    """
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), count)
    return np.asarray(drawn[:, members])


def percentiles(draws: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The interval of the middle share ``level`` of bootstrap ``draws`` (B,): low, high."""
    low, high = np.quantile(np.asarray(draws, np.float64), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def interval(values: ArrayLike, groups: Any = None, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Bootstrap interval of the mean of ``values`` (N,), over groups as in ``resample``: low, high.

    groups: N labels (default: each value is its own group). The percentile interval of RESAMPLES draws, or NaN, NaN
    with fewer than two groups or a value that is not finite. Raises DataError if the shapes differ.
    """
    numbers = np.asarray(values, np.float64)
    labels = np.arange(len(numbers)) if groups is None else np.asarray(groups)
    if numbers.ndim != 1 or labels.shape != numbers.shape:
        raise DataError(f"Values and groups must be (N,), got {numbers.shape} and {labels.shape}.")
    if len(np.unique(labels)) < 2 or not np.isfinite(numbers).all():
        return float("nan"), float("nan")
    drawn = resample(labels, seed=seed)
    return percentiles(drawn @ numbers / drawn.sum(axis=1), level)


def _features(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise DataError(
            f"Features must be (N, D) and (M, D) with N and M at least 2, got {first.shape} and {second.shape}."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("Features contain NaN or infinite numbers. Check the pictures they were computed from.")
    return first, second


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = _unit(a), _unit(b)
    if first.shape != second.shape:
        raise DataError(f"Both pictures must have the same size, got {first.shape[1:]} and {second.shape[1:]}.")
    return first, second


def _unit(picture: ArrayLike) -> NDArray[np.float64]:
    """Either form -> float64 (3, H, W) in [0, 1]."""
    array = np.asarray(picture)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return array.transpose(2, 0, 1) / 255.0
    if np.issubdtype(array.dtype, np.floating) and array.ndim == 3 and array.shape[0] == 3:
        return array.astype(np.float64)
    raise DataError(f"Pictures must be uint8 (H, W, 3) or float (3, H, W), got {array.dtype} {array.shape}.")


def _where(where: NDArray[np.bool_], picture: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``where`` itself. Raises DataError unless it is bool (H, W) with at least one True."""
    shape = picture.shape[-2:]
    if where.dtype != np.bool_ or where.shape != shape or not where.any():
        raise DataError(
            f"`where` must be bool {shape} with a True, got {where.dtype} {where.shape} with {where.sum()} True."
        )
    return where


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root. Rounding may make eigenvalues slightly negative; they count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
