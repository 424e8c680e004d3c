"""How well the check of reference photos tells people apart, and its calibration, by what the hole hides.

Every pair is a photo with a hole and a reference. The photo's hole is one of HOLES, drawn on an average face that is
moved, turned and scaled a little; the reference is another photo of the person, as it is or altered as old, small and
amateurs' photos are. Where shards name no people, a picture's altered copy stands for the other photo.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from faceinp import identity
from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.judge_tables.calibration import shard_names
from faceinp.evaluate.judge_tables.pairs import embed, portraits
from faceinp.evaluate.record import Provenance, Say
from faceinp.exemplars import check
from faceinp.exemplars.check import OUTCOMES, Limits
from faceinp.identity.calibration import threshold
from faceinp.mask import presets
from faceinp.models import weights
from faceinp.train.datasets.data import is_held_back

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SIDE = 256
BATCH = 32
ALL = "all"
WHOLE_FACE = "whole face"
HOLES = (
    *("one-eye", "glasses-band", "mouth", "nose", "cheek", "hair-lock", "hand", "eye-scratch"),
    *("eyes", "lower-face", "glasses", "protective-mask", "centre", *map(str, range(1, 13))),
    *("scratches", "blocks", "irregular-0-10", "irregular-20-30", "irregular-40-50", WHOLE_FACE),
)


def _monochrome(pixels: Pixels) -> Pixels:
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def _blurred(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.012 * len(pixels)), np.uint8)


def _small(pixels: Pixels) -> Pixels:
    shrunk = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _compressed(pixels: Pixels) -> Pixels:
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _mirrored(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


def _darker(pixels: Pixels) -> Pixels:
    return _curve(pixels, gamma=1.6, tint=(1.0, 1.0, 1.0))


def _brighter(pixels: Pixels) -> Pixels:
    return _curve(pixels, gamma=0.6, tint=(1.0, 1.0, 1.0))


def _warmer(pixels: Pixels) -> Pixels:
    return _curve(pixels, gamma=1.0, tint=(1.15, 1.0, 0.7))


def _misaligned(pixels: Pixels) -> Pixels:
    """Turned by 5 degrees and 5 % larger."""
    side = len(pixels)
    turned = cv2.getRotationMatrix2D((side / 2, side / 2), 5, 1.05)
    return np.asarray(cv2.warpAffine(pixels, turned, (side, side), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _curve(pixels: Pixels, gamma: float, tint: tuple[float, float, float]) -> Pixels:
    return np.rint(255 * np.clip((pixels / 255.0) ** gamma * tint, 0, 1)).astype(np.uint8)


AS_IT_IS = "as it is"
ALTERATIONS: dict[str, Callable[[Pixels], Pixels]] = {  # uint8 (S, S, 3) -> the same
    AS_IT_IS: lambda pixels: pixels,
    "black and white": _monochrome,
    "blurred": _blurred,
    "64 px": _small,
    "JPEG 40": _compressed,
    "mirrored": _mirrored,
    "darker": _darker,
    "brighter": _brighter,
    "warmer": _warmer,
    "misaligned": _misaligned,
}


@dataclass(frozen=True, eq=False)
class People:
    """Whose faces are compared. pictures: uint8 (SIDE, SIDE, 3) each. true, strangers: bool (N, N), photos down and
    references across, pairs of one person and of two. copies: true pairs are pictures and their own altered copies.
    """

    pictures: tuple[Pixels, ...]
    people: int
    true: Bools
    strangers: Bools
    copies: bool


@dataclass(frozen=True, eq=False)
class Trial:
    """All pairs with one hole. altered: (N,), the name of each reference's alteration. distances: (N, N), photos down.
    costs: (N,), of the hole on each reference.
    """

    hole: str
    altered: NDArray[np.str_]
    distances: Floats
    costs: Floats


@dataclass(frozen=True)
class Row:
    """Shares of pairs by the check's outcome. subject: the hole or the alteration. strangers: pairs of two people."""

    subject: str
    strangers: bool
    pairs: int
    match: float
    doubtful: float
    unknown: float
    refused: float
    made: Provenance


def run(
    data: str | Sequence[str],
    out: str | Path,
    *,
    calibrate: str | Path | None = None,
    confirm: str = "",
    repeats: int = 4,
    seed: int = 0,
    say: Say = print,
) -> list[Row]:
    """Measure the check on the faces of ``data``, by hole and by alteration.

    Writes ``reference-check.jsonl`` and the table ``reference-check.md`` into the folder ``out``.

    calibrate: first calibrate the check on the people of ``data`` whom every training holds back, write that to this
    file, and measure on them. confirm: a judge that must agree, at 10 % false matches, that a true pair is one: sets
    from the web name the wrong person now and then, and the last hundredth of pairs is mostly such errors. repeats:
    how often each hole is drawn. Raises DataError where too few people or pairs are left.
    """
    judge = check.bundled_judge()
    people = _people(data, identity.load(confirm) if confirm else None, held_back=calibrate is not None)
    results = list(trials(judge, people, repeats, seed))
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


def trials(judge: identity.Judge, people: People, repeats: int, seed: int) -> Iterator[Trial]:
    """One for each of HOLES, ``repeats`` times. Half of the references are as they are, unless they are copies."""
    rng = np.random.default_rng(seed)
    names, count = np.array(list(ALTERATIONS)), len(people.pictures)
    variants = [[alter(picture) for picture in people.pictures] for alter in ALTERATIONS.values()]
    whole = [_embed(judge, variant) for variant in variants]
    for kind in repeats * HOLES:
        hole = draw_hole(kind, rng)
        chosen = rng.integers(1, len(names), count)
        if not people.copies:
            chosen[rng.random(count) < 0.5] = 0
        references = np.stack([whole[variant][n] for n, variant in enumerate(chosen)])
        known = _embed(judge, people.pictures, hole)
        without = _embed(judge, [variants[variant][n] for n, variant in enumerate(chosen)], hole)
        distances = np.sqrt(np.maximum(0, 2 - 2 * known @ references.T))
        yield Trial(kind, names[chosen], distances, np.linalg.norm(references - without, axis=1))


def draw_hole(name: str, rng: np.random.Generator) -> Bools:
    """The hole ``name``, bool (SIDE, SIDE), on an average face somewhat moved, turned and scaled."""
    turn, scale = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.04))
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    average = presets.average_points(SIDE) - SIDE / 2
    points = average @ np.array([[cos, sin], [-sin, cos]]) + SIDE / 2 + rng.normal(0, 0.012 * SIDE, 2)
    if name == WHOLE_FACE:
        return presets.hull(points, (SIDE, SIDE))
    return presets.make(name, (SIDE, SIDE), points=points, seed=int(rng.integers(2**31)))


def fit(results: Sequence[Trial], people: People, fingerprint: str, data: str) -> Limits:
    """The calibration that these trials give; raises DataError where too few pairs tell."""
    distances = np.concatenate([trial.distances[people.true] for trial in results])
    costs = np.concatenate([np.broadcast_to(trial.costs, trial.distances.shape)[people.true] for trial in results])
    others = np.concatenate([trial.distances[people.strangers] for trial in results])
    if people.true.sum() < 10 or people.strangers.sum() < 1 / check.FALSE_MATCH_RATE:
        raise DataError(
            f"{people.true.sum()} pairs of one person and {people.strangers.sum()} of strangers are too few; 10 and "
            f"{1 / check.FALSE_MATCH_RATE:.0f} are the least. Give shards of more people, whose JSON holds `identity`."
        )
    base, slope = quantile_line(costs, distances, 1 - check.REFUSED_TRUE_PAIRS)
    return Limits(
        fingerprint=fingerprint,
        base=base,
        slope=slope,
        doubt_above=threshold(others, check.FALSE_MATCH_RATE),
        blind_above=float(np.quantile(others, check.MAX_FALSE_MATCH_RATE)),
        data=data,
        people=people.people,
        pictures=len(people.pictures),
        pairs=int(people.true.sum()),
        holes=len(results),
    )


def quantile_line(x: NDArray[np.floating], y: NDArray[np.floating], quantile: float) -> tuple[float, float]:
    """Base and slope (0 or more) of the line that this share of the points lies below: quantile regression.

    It minimises the mean of max(q r, (q - 1) r), r = y - (base + slope x) (Koenker and Bassett 1978).
    """

    def loss(line: NDArray[np.float64]) -> float:
        residuals = y - (line[0] + abs(line[1]) * x)
        return float(np.maximum(quantile * residuals, (quantile - 1) * residuals).mean())

    start = [float(np.quantile(y, quantile)), 0.1]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
    return float(best.x[0]), abs(float(best.x[1]))


def measure(results: Sequence[Trial], people: People, limits: Limits) -> list[Row]:
    """Outcomes of true pairs and of strangers, by hole and by alteration."""
    outcomes = [limits.outcomes(trial.distances, trial.costs).astype(np.int8) for trial in results]
    rows = []
    for strangers, chosen in ((False, people.true), (True, people.strangers)):
        for kind in HOLES:
            parts = [found[chosen] for found, trial in zip(outcomes, results, strict=True) if trial.hole == kind]
            rows.append(_row(kind, strangers, np.concatenate(parts)))
        for name in ALTERATIONS:
            parts = [found[chosen & (trial.altered == name)] for found, trial in zip(outcomes, results, strict=True)]
            rows.append(_row(name, strangers, np.concatenate(parts)))
        rows.append(_row(ALL, strangers, np.concatenate([found[chosen] for found in outcomes])))
    return [row for row in rows if row.pairs]


def markdown(rows: Sequence[Row], people: People, limits: Limits) -> str:
    """Holes and alterations down; outcomes of true pairs and of strangers across."""
    of_strangers = {row.subject: row for row in rows if row.strangers}
    heads = [f"{who} {outcome}" for who in ("true:", "strangers:") for outcome in OUTCOMES]
    about = (
        f"{people.people} people, {len(people.pictures)} pictures; {people.true.sum():,} true pairs"
        f"{' (altered copies)' if people.copies else ''} and {people.strangers.sum():,} of strangers with each hole. "
        f"Refused above {limits.base:.3f} + {limits.slope:.3f} x the hole's cost, in doubt above "
        f"{limits.doubt_above:.3f}, unknown where refusal would begin above {limits.blind_above:.3f}."
    )
    lines = []
    for row in rows:
        if not row.strangers and row.subject in of_strangers:
            shares = [getattr(one, outcome) for one in (row, of_strangers[row.subject]) for outcome in OUTCOMES]
            lines.append((row.subject, *(f"{share:.1%}" for share in shares)))
    return f"{about}\n\n{record.grid(('', *heads), lines)}"


def _people(data: str | Sequence[str], confirm: identity.Judge | None, *, held_back: bool) -> People:
    """Shards that name no people give copies."""
    keep = is_held_back if held_back else _anybody
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
        true &= np.sqrt(np.maximum(0, 2 - 2 * vectors @ vectors.T)) <= confirm.calibration.at(0.1).threshold
    if not true.any():
        raise DataError(f"{data} holds no two pictures of one person. Give shards whose JSON holds `identity`.")
    pictures = tuple(_resized(picture) for picture in faces.pictures)
    return People(pictures, len(set(faces.people)), true, ~same, copies)


def _anybody(person: str) -> bool:
    return True


def _resized(pixels: Pixels) -> Pixels:
    way = cv2.INTER_AREA if len(pixels) > SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=way), np.uint8)


def _embed(judge: identity.Judge, pictures: Sequence[Pixels], hole: Bools | None = None) -> Floats:
    """Embeddings (N, D) of ``pictures``, blanked under ``hole``."""
    parts = []
    for start in range(0, len(pictures), BATCH):
        crops = np.stack(pictures[start : start + BATCH]).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        parts.append(judge.embed(crops if hole is None else check.blank(crops, hole)))
    return np.concatenate(parts)


def _row(subject: str, strangers: bool, outcomes: NDArray[np.int8]) -> Row:
    """outcomes: numbers in OUTCOMES, one a pair."""
    counts = np.bincount(outcomes, minlength=len(OUTCOMES)) / max(1, outcomes.size)
    return Row(subject, strangers, outcomes.size, *map(float, counts), Provenance.now())  # type: ignore[arg-type, call-arg]
