"""How well the check of reference photos tells people apart, for each kind of hole, and its calibration.

Every pair is a photo with a hole, and a reference photo. The hole is one of HOLES, drawn on an average face that is
moved, turned and scaled a little. The reference is another photo of the person, unchanged or altered as in old, small
and amateur photos. Where shards have no identities, an altered copy of the picture replaces the other photo.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from faceinp import identity
from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.judge_tables.calibration import shard_names
from faceinp.evaluate.judge_tables.pairs import distances, embed, portraits
from faceinp.evaluate.record import Provenance, Say
from faceinp.exemplars import check
from faceinp.exemplars.check import OUTCOMES, Limits
from faceinp.identity.calibration import threshold
from faceinp.mask import presets
from faceinp.models import weights
from faceinp.photo.arrays import Bools, Floats, Pixels, resize
from faceinp.train.datasets.data import is_held_back

SIDE = 256
ALL = "all"
WHOLE_FACE = "whole face"
HOLES = (
    *("one-eye", "glasses-band", "mouth", "nose", "cheek", "hair-lock", "hand", "eye-scratch"),
    *("eyes", "lower-face", "glasses", "protective-mask", "centre", *map(str, range(1, 13))),
    *("scratches", "blocks", "irregular-0-10", "irregular-20-30", "irregular-40-50", WHOLE_FACE),
)


def _compressed(pixels: Pixels) -> Pixels:
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _misaligned(pixels: Pixels) -> Pixels:
    """Turned by 5 degrees and 5 % larger."""
    side = len(pixels)
    turned = cv2.getRotationMatrix2D((side / 2, side / 2), 5, 1.05)
    return np.asarray(cv2.warpAffine(pixels, turned, (side, side), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _curve(pixels: Pixels, gamma: float, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Pixels:
    return np.rint(255 * np.clip((pixels / 255.0) ** gamma * tint, 0, 1)).astype(np.uint8)


AS_IT_IS = "as it is"
ALTERATIONS: dict[str, Callable[[Pixels], Pixels]] = {  # uint8 (S, S, 3) -> the same
    AS_IT_IS: lambda pixels: pixels,
    "black and white": lambda pixels: np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    "blurred": lambda pixels: np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.012 * len(pixels)), np.uint8),
    "64 px": lambda pixels: resize(resize(pixels, 64, 64), len(pixels), len(pixels)),
    "JPEG 40": _compressed,
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "darker": lambda pixels: _curve(pixels, 1.6),
    "brighter": lambda pixels: _curve(pixels, 0.6),
    "warmer": lambda pixels: _curve(pixels, 1.0, (1.15, 1.0, 0.7)),
    "misaligned": _misaligned,
}


@dataclass(frozen=True, eq=False)
class People:
    """The faces that are compared.

    pictures: uint8 (SIDE, SIDE, 3) each. true, strangers: bool (N, N), photos down and references across, the pairs of
    one person and of two. copies: whether true pairs are pictures and their own altered copies.
    """

    pictures: tuple[Pixels, ...]
    people: int
    true: Bools
    strangers: Bools
    copies: bool


@dataclass(frozen=True, eq=False)
class Trial:
    """All pairs with one hole.

    alterations: (N,), the name of each reference's alteration. distances: (N, N), photos down. costs: (N,), how far the
    hole moves the embedding of each reference.
    """

    hole: str
    alterations: NDArray[np.str_]
    distances: Floats
    costs: Floats


@dataclass(frozen=True)
class OutcomeShares:
    """Shares of pairs by the check's outcome.

    subject: the hole or the alteration. strangers: whether the pairs are of two people. pairs: how many.
    """

    subject: str
    strangers: bool
    pairs: int
    match: float
    doubtful: float
    unknown: float
    refused: float
    provenance: Provenance


def run(
    data: str | Sequence[str],
    out: str | Path,
    *,
    calibrate: str | Path | None = None,
    confirm: str = "",
    repeats: int = 4,
    seed: int = 0,
    say: Say = print,
) -> list[OutcomeShares]:
    """Measure the check on the faces of ``data``, by hole and by alteration.

    Writes ``reference-check.jsonl`` and the table ``reference-check.md`` into the folder ``out``.

    calibrate: first calibrate the check on the people of ``data`` whom every training run holds back, write the result
    to this file, and measure on the same people. confirm: a judge that must accept each true pair at 10 % false
    matches: data sets from the web contain wrong names, and most of the farthest hundredth of pairs are such errors.
    repeats: how often each hole is drawn. Raises DataError where too few people or pairs remain.
    """
    judge = check.bundled_judge()
    people = _people(data, identity.load(confirm) if confirm else None, held_back=calibrate is not None)
    results = list(run_trials(judge, people, repeats, seed))
    if calibrate is None:
        limits = check.read_limits()
    else:
        limits = fit(results, people, judge.fingerprint, shard_names(data))
        Path(calibrate).parent.mkdir(parents=True, exist_ok=True)
        limits.write(calibrate)
        weights.record(Path(calibrate))
    rows = measure(results, people, limits)
    record.write(out, "reference-check", rows, markdown(rows, people, limits), say)
    return rows


def run_trials(judge: identity.Judge, people: People, repeats: int, seed: int) -> Iterator[Trial]:
    """A trial for each of HOLES, ``repeats`` times. Half of the references are unchanged, unless they are copies."""
    rng = np.random.default_rng(seed)
    names, count = np.array(list(ALTERATIONS)), len(people.pictures)
    variants = [[alter(picture) for picture in people.pictures] for alter in ALTERATIONS.values()]
    embeddings = [embed(judge, variant) for variant in variants]
    for kind in repeats * HOLES:
        hole = draw_hole(kind, rng)
        numbers = rng.integers(1, len(names), count)
        if not people.copies:
            numbers[rng.random(count) < 0.5] = 0
        references = np.stack([embeddings[number][n] for n, number in enumerate(numbers)])
        blank = partial(check.blank, hole=hole)
        known = embed(judge, people.pictures, blank)
        blanked = embed(judge, [variants[number][n] for n, number in enumerate(numbers)], blank)
        costs = np.linalg.norm(references - blanked, axis=1)
        yield Trial(kind, names[numbers], distances(known, references), costs)


def draw_hole(name: str, rng: np.random.Generator) -> Bools:
    """The hole ``name``, bool (SIDE, SIDE), on an average face that is slightly moved, turned and scaled."""
    turn, scale = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.04))
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    average = presets.average_points(SIDE) - SIDE / 2
    points = average @ np.array([[cos, sin], [-sin, cos]]) + SIDE / 2 + rng.normal(0, 0.012 * SIDE, 2)
    if name == WHOLE_FACE:
        return presets.hull(points, (SIDE, SIDE))
    return presets.make(name, (SIDE, SIDE), points=points, seed=int(rng.integers(2**31)))


def fit(results: Sequence[Trial], people: People, fingerprint: str, data: str) -> Limits:
    """Fit the check's limits to trials; raises DataError where there are too few pairs."""
    genuine = np.concatenate([trial.distances[people.true] for trial in results])
    costs = np.concatenate([np.broadcast_to(trial.costs, trial.distances.shape)[people.true] for trial in results])
    impostor = np.concatenate([trial.distances[people.strangers] for trial in results])
    if people.true.sum() < 10 or people.strangers.sum() < 1 / check.FALSE_MATCH_RATE:
        raise DataError(
            f"{people.true.sum()} pairs of one person and {people.strangers.sum()} of strangers are too few; 10 and "
            f"{1 / check.FALSE_MATCH_RATE:.0f} are needed. Give shards of more people, with `identity` in their JSON."
        )
    base, slope = quantile_line(costs, genuine, 1 - check.REFUSED_TRUE_PAIRS)
    return Limits(
        fingerprint=fingerprint,
        base=base,
        slope=slope,
        doubt_above=threshold(impostor, check.FALSE_MATCH_RATE),
        blind_above=float(np.quantile(impostor, check.MAX_FALSE_MATCH_RATE)),
        data=data,
        people=people.people,
        pictures=len(people.pictures),
        pairs=int(people.true.sum()),
        holes=len(results),
    )


def quantile_line(x: NDArray[np.floating], y: NDArray[np.floating], quantile: float) -> tuple[float, float]:
    """Quantile regression: base and slope (0 or more) of the line below which this share of the points lies.

    It minimises the mean of max(q r, (q - 1) r), r = y - (base + slope x) (Koenker and Bassett 1978).
    """

    def loss(line: NDArray[np.float64]) -> float:
        residuals = y - (line[0] + abs(line[1]) * x)
        return float(np.maximum(quantile * residuals, (quantile - 1) * residuals).mean())

    start = [float(np.quantile(y, quantile)), 0.1]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
    return float(best.x[0]), abs(float(best.x[1]))


def measure(results: Sequence[Trial], people: People, limits: Limits) -> list[OutcomeShares]:
    """Outcomes of true pairs and of strangers, by hole and by alteration."""
    outcomes = [limits.outcomes(trial.distances, trial.costs).astype(np.int8) for trial in results]
    rows = []
    for strangers, selected in ((False, people.true), (True, people.strangers)):
        for kind in HOLES:
            parts = [outcome[selected] for outcome, trial in zip(outcomes, results, strict=True) if trial.hole == kind]
            rows.append(_shares(kind, strangers, np.concatenate(parts)))
        for name in ALTERATIONS:
            parts = [
                outcome[selected & (trial.alterations == name)]
                for outcome, trial in zip(outcomes, results, strict=True)
            ]
            rows.append(_shares(name, strangers, np.concatenate(parts)))
        rows.append(_shares(ALL, strangers, np.concatenate([outcome[selected] for outcome in outcomes])))
    return [row for row in rows if row.pairs]


def markdown(rows: Sequence[OutcomeShares], people: People, limits: Limits) -> str:
    """Holes and alterations down; outcomes of true pairs and of strangers across."""
    of_strangers = {row.subject: row for row in rows if row.strangers}
    heads = [f"{who} {outcome}" for who in ("true:", "strangers:") for outcome in OUTCOMES]
    about = (
        f"{people.people} people, {len(people.pictures)} pictures; {people.true.sum():,} true pairs"
        f"{' (altered copies)' if people.copies else ''} and {people.strangers.sum():,} of strangers with each hole. "
        f"A pair is refused above {limits.base:.3f} + {limits.slope:.3f} x the hole's cost, doubtful above "
        f"{limits.doubt_above:.3f}, and unknown where the limit of refusal exceeds {limits.blind_above:.3f}."
    )
    lines = []
    for row in rows:
        if not row.strangers and row.subject in of_strangers:
            shares = [getattr(one, outcome) for one in (row, of_strangers[row.subject]) for outcome in OUTCOMES]
            lines.append((row.subject, *(f"{share:.1%}" for share in shares)))
    return f"{about}\n\n{record.grid(('', *heads), lines)}"


def _people(data: str | Sequence[str], confirm: identity.Judge | None, *, held_back: bool) -> People:
    """Faces of shards; without identities, true pairs are pictures and their altered copies."""
    keep: Callable[[str], bool] = is_held_back if held_back else (lambda person: True)
    try:
        faces, copies = portraits(data, keep=keep), False
    except DataError:
        if held_back:
            raise
        faces, copies = portraits(data, strangers=True), True
    names = np.array(faces.people)
    same = names[:, None] == names
    true = same if copies else same & ~np.eye(len(names), dtype=bool)
    if confirm is not None and not copies:
        vectors = embed(confirm, faces.pictures)
        true &= distances(vectors, vectors) <= confirm.calibration.at(0.1).threshold
    if not true.any():
        raise DataError(f"{data} has no two pictures of one person. Give shards with `identity` in their JSON.")
    pictures = tuple(resize(picture, SIDE, SIDE) for picture in faces.pictures)
    return People(pictures, len(set(faces.people)), true, ~same, copies)


def _shares(subject: str, strangers: bool, outcomes: NDArray[np.int8]) -> OutcomeShares:
    """outcomes: an index in OUTCOMES for each pair."""
    counts = np.bincount(outcomes, minlength=len(OUTCOMES)) / max(1, outcomes.size)
    return OutcomeShares(subject, strangers, outcomes.size, *map(float, counts), Provenance.now())  # type: ignore[arg-type, call-arg]
