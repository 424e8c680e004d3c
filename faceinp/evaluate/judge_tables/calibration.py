"""Calibrating a judge on shards: ``faceinp identity calibrate``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from faceinp import identity
from faceinp.evaluate.judge_tables.pairs import Pairs, embed, pairs, portraits
from faceinp.evaluate.record import Say, grid
from faceinp.identity import calibration
from faceinp.identity.calibration import Calibration, Check
from faceinp.models import weights
from faceinp.train.datasets.data import is_held_back

Data = str | Sequence[str]


def run(
    judge: identity.Judge,
    data: Data,
    out: str | Path,
    check: Data | None = None,
    strangers: Data | None = None,
    strangers_are: str = "",
    say: Say = print,
) -> Calibration:
    """Calibrate ``judge`` on the people of ``data`` whom every training run holds back.

    Writes ``out``, its checksum, and a plot beside it.

    data: training shards with identities. check: other shards with identities, on which the thresholds are checked.
    strangers: shards in which every picture counts as another person, to check how many strangers are accepted;
    strangers_are: a description of them for the user. Raises DataError where a set has too few people.
    """
    held_back = portraits(data, keep=is_held_back)
    faces = pairs(embed(judge, held_back.pictures), held_back.people)
    fitted = calibration.fit(
        judge.name,
        judge.fingerprint,
        faces.own,
        faces.other,
        data=shard_names(data),
        people=faces.people,
        pictures=len(held_back.people),
    )
    checks = []
    for others, all_strangers, description in ((check, False, ""), (strangers, True, strangers_are)):
        if others:
            other_faces = portraits(others, strangers=all_strangers)
            checked = pairs(embed(judge, other_faces.pictures), other_faces.people)
            checks.append(calibration.check(fitted, description or shard_names(others), checked.own, checked.other))
    fitted = replace(fitted, checks=tuple(checks))
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    fitted.write(out)
    weights.record(out)
    plot(faces, fitted, out.with_suffix(".png"))
    say(markdown(fitted))
    return fitted


def markdown(fitted: Calibration) -> str:
    """A line for each threshold: the shares of pairs that it accepts, on this data and on the data of the checks."""
    heads = ["distance up to", f"{fitted.data}: strangers / one person"]
    heads += [f"{check.data}: strangers / one person" for check in fitted.checks]
    about = (
        f"{fitted.judge}: {fitted.people} held-back people, {fitted.pictures} pictures, {fitted.genuine:,} pairs of "
        f"one person, {fitted.impostor:,} of strangers. Probability of one person, at even prior odds: "
        f"1 / (1 + exp({fitted.slope:.2f} (distance - {fitted.middle:.3f})))."
    )
    lines = []
    for number in range(len(fitted.points) + 1):
        row = [_point(fitted, number), *(_point(check, number) for check in fitted.checks)]
        cells = [f"{row[0].threshold:.3f}"]
        for point in row:
            matched = "-" if point.true_match_rate is None else f"{point.true_match_rate:.1%}"
            cells.append(f"{point.false_match_rate:.2%} / {matched}")
        lines.append(cells)
    caveat = f"The last line is the second paper's threshold. A verdict of a judge is {identity.CAVEAT}."
    return f"{about}\n\n{grid(heads, lines)}\n{caveat}\n"


def plot(faces: Pairs, fitted: Calibration, file: Path) -> None:
    """Left: histograms of both kinds of distances, thresholds and the probability. Right: the ROC."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0, 1.05 * float(faces.distances.max()), 70)
    left.hist(
        faces.other, edges, density=True, color="#c44e52", alpha=0.6, label=f"strangers, {fitted.impostor:,} pairs"
    )
    left.hist(faces.own, edges, density=True, color="#4c72b0", alpha=0.6, label=f"one person, {fitted.genuine:,} pairs")
    for point, style in zip(fitted.points, (":", "--", "-"), strict=True):
        about = f"{point.false_match_rate:.1%} false matches: {point.threshold:.3f}"
        left.axvline(point.threshold, color="black", linestyle=style, linewidth=1, label=about)
    left.set(xlabel="Euclidean distance between unit vectors", ylabel="density", title=f"{fitted.judge}: distances")
    chance = left.twinx()
    chance.plot(edges, [fitted.probability(distance) for distance in edges], color="#55a868")
    chance.set(ylim=(0, 1.02), ylabel="probability of one person (green)")
    figure.legend(loc="outside lower left", ncols=3, fontsize=8)
    other = np.sort(faces.other)
    share = np.searchsorted(np.sort(faces.own), other) / len(faces.own)
    right.plot((np.arange(len(other)) + 1) / len(other), share, color="#4c72b0")
    right.set(xscale="log", xlim=(1 / len(other), 1), ylim=(0, 1.02), title=f"{fitted.judge}: ROC")
    right.set(xlabel="false match rate", ylabel="true match rate")
    right.grid(alpha=0.3)
    figure.savefig(file, dpi=90)


def _point(measured: Calibration | Check, number: int) -> calibration.Point:
    return (*measured.points, measured.half)[number]


def shard_names(data: Data) -> str:
    """The names of shards without folders and numbers, such as "celeba-train"."""
    patterns = [data] if isinstance(data, str) else data
    stems = (Path(pattern).name.removesuffix(".tar").rstrip("0123456789*?[]-") for pattern in patterns)
    return ", ".join(dict.fromkeys(stem or "data" for stem in stems))
