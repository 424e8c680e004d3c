"""Measures of pairs of pictures, truth and result, and of the features of all pairs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceinp import identity
from faceinp.errors import MissingPackageError
from faceinp.evaluate import measures, naturalness
from faceinp.evaluate.judge_tables import RATE
from faceinp.evaluate.measures import Measure
from faceinp.formulas import metrics
from faceinp.models import pretrained
from faceinp.photo.arrays import Bools, Pixels

Features = NDArray[np.float32]  # of truth and result, (2, D)

MIN_PAIRS_KID, MIN_PAIRS_FID = 10, 2000
MAX_WINDOWS = 2000  # whose naturalness is measured: the kernel matrix has a number for each two of them
MIN_SIDE_LPIPS = 64  # pixels; in smaller pictures the network's last map is empty
LITE, INCEPTION, WINDOWS = "EfficientNet-Lite0", "Inception", "windows around the holes"
FEATURE_NOTES = {
    LITE: "424 standardised features of EfficientNet-Lite0: NOT comparable with papers' figures, which use Inception",
    INCEPTION: "2,048 features of Inception, as in papers",
}


@dataclass(frozen=True)
class Column:
    """A figure. key: its name in the CSV. form: format of its mean. better: "higher" or "lower". about: what it is."""

    key: str
    title: str
    form: str
    better: str
    about: str


KID = Column("", "KID", "{:.5f}", "lower", "kernel distance (Binkowski et al. 2018)")
FID = Column("", "FID", "{:.2f}", "lower", "Frechet distance (Heusel et al. 2017)")
P_IDS = Column(
    "", "P-IDS", "{:.2%}", "higher", "results that a linear SVM finds more real than their truth (Zhao et al. 2021)"
)
U_IDS = Column("", "U-IDS", "{:.2%}", "higher", "pictures that the same SVM misclassifies")
NATURALNESS = Column(
    "", "naturalness of holes", "{:.4f}", "lower",
    "KID between windows around the holes, a quarter as wide as the picture, and the same windows of other pictures",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the report. n: how many pairs count. spread: replaces the interval where it is not empty."""

    column: Column
    value: Measure
    n: int
    spread: str = ""


@dataclass(frozen=True, eq=False)
class Pair:
    """truth, result: uint8 (H, W, 3). hole: bool (H, W), True = hole. aligned: they are square, aligned face crops."""

    truth: Pixels
    result: Pixels
    hole: Bools | None = None
    aligned: bool = False

    @cached_property
    def crops(self) -> NDArray[np.float32] | None:
        """The truth's largest face, cut out of both alike: (2, 3, S, S) in [0, 1]; None without a face."""
        return identity.crops_alike(self.truth, self.result, aligned=self.aligned)


@dataclass(frozen=True)
class PairMeasure:
    """measure: takes a pair, returns a figure for each of ``columns``, NaN where one does not exist."""

    columns: tuple[Column, ...]
    measure: Callable[[Pair], Sequence[float]]


PIXEL_COLUMNS = (
    Column("psnr", "PSNR (dB)", "{:.2f}", "higher", "-10 log10 of the mean squared difference, RGB in [0, 1]"),
    Column("ssim", "SSIM", "{:.4f}", "higher", "Gaussian window of 11 x 11 pixels, sigma 1.5, mean over RGB"),
    Column("mae", "MAE", "{:.5f}", "lower", "mean absolute difference, RGB in [0, 1]"),
)


def pixels(with_holes: bool) -> PairMeasure:
    """PSNR, SSIM and MAE of the whole picture, and of the hole's pixels only."""

    def measure(pair: Pair) -> list[float]:
        similarity, figures = metrics.ssim_map(pair.truth, pair.result), list[float]()
        for where in (None, pair.hole) if with_holes else (None,):
            figures.append(metrics.psnr(pair.truth, pair.result, where))
            figures.append(metrics.mean_ssim(similarity, where))
            figures.append(metrics.mae(pair.truth, pair.result, where))
        return figures

    hole_columns = (
        Column(f"{c.key}_hole", f"{c.title}, hole", c.form, c.better, f"{c.about}; hole only") for c in PIXEL_COLUMNS
    )
    return PairMeasure((*PIXEL_COLUMNS, *(hole_columns if with_holes else ())), measure)


def by_protocol(name: str) -> PairMeasure:
    """PSNR, SSIM and MAE with the settings of ``metrics.PROTOCOLS[name]``."""
    protocol = metrics.PROTOCOLS[name]

    def measure(pair: Pair) -> list[float]:
        return list(metrics.by_protocol(pair.truth, pair.result, protocol))

    columns = (Column(f"{name}_{c.key}", f"{c.title}, {name}", c.form, c.better, protocol.about) for c in PIXEL_COLUMNS)
    return PairMeasure(tuple(columns), measure)


def perceptual(kind: str) -> PairMeasure:
    """LPIPS. kind: "alex" or "vgg". Raises what ``pretrained.lpips`` raises."""
    import torch

    network = pretrained.lpips(kind)

    @torch.no_grad()
    def measure(pair: Pair) -> list[float]:
        if min(pair.truth.shape[:2]) < MIN_SIDE_LPIPS:
            return [float("nan")]
        return [float(network(*(torch.from_numpy(x).permute(2, 0, 1)[None] / 255 for x in (pair.truth, pair.result))))]

    about = "LPIPS 0.1 (Zhang et al. 2018) by torchmetrics"
    return PairMeasure((Column("lpips", f"LPIPS ({kind})", "{:.4f}", "lower", about),), measure)


def likeness(name: str) -> PairMeasure:
    """Whether a judge accepts both faces as one person, and their distance.

    Raises what ``identity.load`` and ``Judge.calibration`` raise.
    """
    judge = identity.load(name)
    threshold, warnings = judge.calibration.at(RATE).threshold, judge.calibration.warnings(RATE)

    def measure(pair: Pair) -> list[float]:
        if pair.crops is None:
            return [float("nan")] * 2
        distance = judge.distance(*judge.embed(pair.crops)).euclidean
        return [float(distance <= threshold), distance]

    sentences = (f"a distance up to {threshold:.3f}, which accepts {RATE:.0%} of strangers;", f"{identity.CAVEAT}.")
    about = " ".join((*sentences, *warnings))
    same = Column(f"same_{judge.name}", f"same person, {judge.name}", "{:.1%}", "higher", about)
    far = Column(f"distance_{judge.name}", f"distance, {judge.name}", "{:.3f}", "lower", "of both faces, 0 to 2")
    return PairMeasure((same, far), measure)


Extractor = Callable[[Pair], Features]


def lite(with_holes: bool) -> Mapping[str, Extractor]:
    """Features by EfficientNet-Lite0 of whole pictures, and of windows around holes. Raises MissingPackageError."""
    network = pretrained.efficientnet()

    def windows(pair: Pair) -> Features:
        if pair.hole is None or pair.truth.shape[0] != pair.truth.shape[1]:
            return np.full((2, 1), np.nan, np.float32)
        return naturalness.features([naturalness.window(x, pair.hole) for x in (pair.truth, pair.result)], network)

    whole = {LITE: lambda pair: naturalness.features([pair.truth, pair.result], network)}
    return whole | ({WINDOWS: windows} if with_holes else {})


def inception() -> Mapping[str, Extractor]:
    """Features by Inception of whole pictures. Raises what ``pretrained.inception`` raises."""
    import torch

    network = pretrained.inception()

    @torch.no_grad()
    def whole(pair: Pair) -> Features:
        pictures = torch.from_numpy(np.stack([pair.truth, pair.result])).permute(0, 3, 1, 2)
        return np.asarray(network(pictures)[0], np.float32)

    return {INCEPTION: whole}


def compare_sets(kind: str, features: Sequence[Features], seed: int) -> tuple[list[Line], list[str]]:
    """Lines on the features of all pairs, and a sentence for each measure that is refused."""
    count, names = len(features), list(map(str, range(len(features))))
    if count < MIN_PAIRS_KID:
        return [], [f"KID on {kind} needs {MIN_PAIRS_KID} pairs or more, got {count}."]
    if kind == WINDOWS:
        return _naturalness(features, names, seed)
    truth, result = np.stack(features, axis=1).astype(np.float64)
    if kind == LITE:  # standardised as in naturalness: otherwise the features that vary most dominate
        truth, result = metrics.standardised(truth, truth), metrics.standardised(result, truth)
    mean, deviation = metrics.paired_kernel_distance(truth, result, seed)
    lines = [_line(KID, kind, Measure(mean, None, None), count, f"± {deviation:.5f} over subsets")]
    refused = []
    if count < MIN_PAIRS_FID:
        reason = "With fewer, FID comes out too large; KID has no such bias"
        refused.append(f"FID on {kind} needs {MIN_PAIRS_FID:,} pairs or more, got {count:,}. {reason}.")
    else:
        lines.append(_line(FID, kind, Measure(metrics.frechet_distance(truth, result), None, None), count))
    if count < (needed := max(MIN_PAIRS_FID, 2 * truth.shape[1])):
        reason = "With fewer, an SVM separates any two sets"
        refused.append(f"P-IDS and U-IDS on {kind} need {needed:,} pairs or more, got {count:,}. {reason}.")
    else:
        try:
            shares = metrics.discriminability(truth, result)
        except MissingPackageError as error:
            refused.append(f"P-IDS and U-IDS on {kind}: {error}")
        else:
            for column, values in zip((P_IDS, U_IDS), shares, strict=True):
                lines.append(_line(column, kind, measures.mean(values, names), count))
    return lines, refused


def _naturalness(features: Sequence[Features], names: Sequence[str], seed: int) -> tuple[list[Line], list[str]]:
    if any(np.isnan(pair).any() for pair in features):
        return [], ["Naturalness of holes needs square pictures."]
    drawn = np.random.default_rng(seed).permutation(len(features))[:MAX_WINDOWS]
    truth, result = np.stack([features[n] for n in drawn], axis=1).astype(np.float64)
    value = naturalness.distance(truth, result, [names[n] for n in drawn])
    return [_line(NATURALNESS, LITE, value, len(drawn))], []


def _line(column: Column, kind: str, value: Measure, count: int, spread: str = "") -> Line:
    about = f"{column.about}; {FEATURE_NOTES[kind]}"
    return Line(Column("", f"{column.title}, {kind}", column.form, column.better, about), value, count, spread)
