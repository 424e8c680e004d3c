"""What is measured of a truth and its result, whichever program made it, and of the features of many of both."""

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

FEWEST, FEWEST_OF_FRECHET = 10, 2000  # pictures that a kernel distance needs, and a Frechet distance
MOST_WINDOWS = 2000  # whose naturalness is measured: the kernels have a number for each two of them
LPIPS_SIDE = 64  # pixels; of smaller pictures the network's last map has none
LITE, INCEPTION, WINDOWS = "EfficientNet-Lite0", "Inception", "windows round the holes"
FEATURES = {
    LITE: "424 standardised features of EfficientNet-Lite0: NOT comparable with papers' figures, which use Inception",
    INCEPTION: "2,048 features of Inception, as in papers",
}
OF_SETS = (
    ("KID", "{:.5f}", "lower", "kernel distance (Binkowski et al. 2018)"),
    ("FID", "{:.2f}", "lower", "Frechet distance (Heusel et al. 2017)"),
    ("P-IDS", "{:.2%}", "higher", "results that a linear SVM finds more real than their truth (Zhao et al. 2021)"),
    ("U-IDS", "{:.2%}", "higher", "pictures that the same SVM takes for the other kind"),
    (
        "naturalness of holes",
        "{:.4f}",
        "lower",
        "KID of windows round the holes, a quarter as wide, to other pictures'",
    ),
)


@dataclass(frozen=True)
class Column:
    """A figure. key: its name in the CSV. form: how its mean is written. better: "higher" or "lower"."""

    key: str
    title: str
    form: str
    better: str
    about: str


@dataclass(frozen=True)
class Row:
    """One line of the report. n: pictures that count. after: what is known of its spread in place of an interval."""

    column: Column
    value: Measure
    n: int
    after: str = ""


@dataclass(frozen=True, eq=False)
class Pair:
    """truth, result: uint8 (H, W, 3). hole: bool (H, W), True = hole. aligned: they are square, aligned face crops."""

    truth: NDArray[np.uint8]
    result: NDArray[np.uint8]
    hole: NDArray[np.bool_] | None = None
    aligned: bool = False

    @cached_property
    def crops(self) -> NDArray[np.float32] | None:
        """The largest face of the truth, cut out of both alike: (2, 3, S, S) in [0, 1]; None where there is none."""
        return identity.crops_alike(self.truth, self.result, aligned=self.aligned)


@dataclass(frozen=True)
class PairMeasure:
    """of: a figure of a pair for each of ``columns``, NaN where it has none."""

    columns: tuple[Column, ...]
    of: Callable[[Pair], Sequence[float]]


PIXELS = (
    Column("psnr", "PSNR (dB)", "{:.2f}", "higher", "-10 log10 of the mean squared difference, RGB in [0, 1]"),
    Column("ssim", "SSIM", "{:.4f}", "higher", "Gaussian window of 11 x 11 pixels, sigma 1.5, mean over RGB"),
    Column("mae", "MAE", "{:.5f}", "lower", "mean absolute difference, RGB in [0, 1]"),
)


def pixels(with_holes: bool) -> PairMeasure:
    """PSNR, SSIM and MAE of the whole picture, and of the hole's pixels alone."""

    def of(pair: Pair) -> list[float]:
        similarity, figures = metrics.ssim_map(pair.truth, pair.result), list[float]()
        for where in (None, pair.hole) if with_holes else (None,):
            figures.append(metrics.psnr(pair.truth, pair.result, where))
            figures.append(metrics.mean_ssim(similarity, where))
            figures.append(metrics.mae(pair.truth, pair.result, where))
        return figures

    holes = (Column(f"{c.key}_hole", f"{c.title}, hole", c.form, c.better, f"{c.about}; hole alone") for c in PIXELS)
    return PairMeasure((*PIXELS, *(holes if with_holes else ())), of)


def by_protocol(name: str) -> PairMeasure:
    """PSNR, SSIM and MAE as ``metrics.PROTOCOLS[name]`` has them."""
    protocol = metrics.PROTOCOLS[name]

    def of(pair: Pair) -> list[float]:
        return list(metrics.by_protocol(pair.truth, pair.result, protocol))

    columns = (Column(f"{name}_{c.key}", f"{c.title}, {name}", c.form, c.better, protocol.about) for c in PIXELS)
    return PairMeasure(tuple(columns), of)


def perceptual(kind: str) -> PairMeasure:
    """LPIPS. Raises as ``pretrained.lpips``."""
    import torch

    network = pretrained.lpips(kind)

    @torch.no_grad()
    def of(pair: Pair) -> list[float]:
        if min(pair.truth.shape[:2]) < LPIPS_SIDE:
            return [float("nan")]
        return [float(network(*(torch.from_numpy(x).permute(2, 0, 1)[None] / 255 for x in (pair.truth, pair.result))))]

    about = "LPIPS 0.1 (Zhang et al. 2018) by torchmetrics"
    return PairMeasure((Column("lpips", f"LPIPS ({kind})", "{:.4f}", "lower", about),), of)


def likeness(name: str) -> PairMeasure:
    """Whether a judge takes both pictures for one person. Raises as ``identity.load`` and ``Judge.calibration``."""
    judge = identity.load(name)
    threshold, warnings = judge.calibration.at(RATE).threshold, judge.calibration.warnings(RATE)
    told = ("which lets 1 % of strangers through;", f"{identity.CAVEAT}.", *warnings)
    about = f"up to {threshold:.3f} apart, {' '.join(told)}"

    def of(pair: Pair) -> list[float]:
        if pair.crops is None:
            return [float("nan")] * 2
        distance = judge.distance(*judge.embed(pair.crops)).euclidean
        return [float(distance <= threshold), distance]

    same = Column(f"same_{judge.name}", f"same person, {judge.name}", "{:.1%}", "higher", about)
    far = Column(f"distance_{judge.name}", f"distance, {judge.name}", "{:.3f}", "lower", "of both faces, 0 to 2")
    return PairMeasure((same, far), of)


See = Callable[[Pair], NDArray[np.float32]]  # features of both pictures, (2, D)


def lite(with_holes: bool) -> Mapping[str, See]:
    """What sees whole pictures, and windows round holes. Raises MissingPackageError."""
    network = pretrained.efficientnet()

    def windows(pair: Pair) -> NDArray[np.float32]:
        if pair.hole is None or pair.truth.shape[0] != pair.truth.shape[1]:
            return np.full((2, 1), np.nan, np.float32)
        return naturalness.features([naturalness.window(x, pair.hole) for x in (pair.truth, pair.result)], network)

    whole = {LITE: lambda pair: naturalness.features([pair.truth, pair.result], network)}
    return whole | ({WINDOWS: windows} if with_holes else {})


def inception() -> Mapping[str, See]:
    """Raises as ``pretrained.inception``."""
    import torch

    network = pretrained.inception()

    @torch.no_grad()
    def whole(pair: Pair) -> NDArray[np.float32]:
        both = torch.from_numpy(np.stack([pair.truth, pair.result])).permute(0, 3, 1, 2)
        return np.asarray(network(both)[0], np.float32)

    return {INCEPTION: whole}


def of_sets(kind: str, seen: Sequence[NDArray[np.float32]], seed: int) -> tuple[list[Row], list[str]]:
    """Rows of the features of each pair, (2, D), and a sentence for each measure that is refused."""
    count, names = len(seen), list(map(str, range(len(seen))))
    if count < FEWEST:
        return [], [f"KID on {kind} needs {FEWEST} pairs or more; these are {count}."]
    if kind == WINDOWS:
        return _natural(seen, names, seed)
    truth, result = np.stack(seen, axis=1).astype(np.float64)
    if kind == LITE:  # as naturalness has them: else those that vary most are all that counts
        truth, result = naturalness.standardised(truth, truth), naturalness.standardised(result, truth)
    mean, deviation = metrics.paired_kernel_distance(truth, result, seed)
    rows = [_row(0, kind, Measure(mean, None, None), count, f"± {deviation:.5f} over subsets")]
    refused = []
    if count < FEWEST_OF_FRECHET:
        few = f"{FEWEST_OF_FRECHET:,} pairs or more; these are {count:,}, of which it comes out too large"
        refused.append(f"FID on {kind} needs {few}. KID has no such bias.")
    else:
        rows.append(_row(1, kind, Measure(metrics.frechet_distance(truth, result), None, None), count))
    if count < (fewest := max(FEWEST_OF_FRECHET, 2 * truth.shape[1])):
        few = f"{fewest:,} pairs or more; these are {count:,}, which an SVM tells apart whatever they show"
        refused.append(f"P-IDS and U-IDS on {kind} need {few}.")
    else:
        try:
            shares = metrics.discriminability(truth, result)
        except MissingPackageError as error:
            refused.append(f"P-IDS and U-IDS on {kind}: {error}")
        else:
            rows += [_row(2 + n, kind, measures.mean(values, names), count) for n, values in enumerate(shares)]
    return rows, refused


def _natural(seen: Sequence[NDArray[np.float32]], names: Sequence[str], seed: int) -> tuple[list[Row], list[str]]:
    if any(np.isnan(each).any() for each in seen):
        return [], ["Naturalness of the filled places is measured on square pictures only."]
    chosen = np.random.default_rng(seed).permutation(len(seen))[:MOST_WINDOWS]
    truth, result = np.stack([seen[n] for n in chosen], axis=1).astype(np.float64)
    return [_row(4, LITE, naturalness.distance(truth, result, [names[n] for n in chosen]), len(chosen))], []


def _row(number: int, kind: str, value: Measure, count: int, after: str = "") -> Row:
    title, form, better, about = OF_SETS[number]
    return Row(Column("", f"{title}, {kind}", form, better, f"{about}; {FEATURES[kind]}"), value, count, after)
