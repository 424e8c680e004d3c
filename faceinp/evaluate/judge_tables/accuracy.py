"""How well judges tell people apart, how strongly they react to damage, and how fast they are."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp import identity
from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.judge_tables import load_available
from faceinp.evaluate.judge_tables import pairs as face_pairs
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance, Say
from faceinp.formulas import metrics
from faceinp.photo.arrays import Pixels, to_picture
from faceinp.train.augmentation.degradation import PARTS, fill_part
from faceinp.train.datasets import data as shards

SIDE = 256
DAMAGES = (*PARTS, "centre")
TIMED_CALLS = 30


@dataclass(frozen=True)
class JudgeAccuracy:
    """One judge. auc, at_1, at_01: area under the ROC curve; true match rates at 1 % and .1 % false matches.

    damage: the mean cosine to the untouched face, by the part that Telea's inpainting filled. milliseconds: the median
    for a single crop.
    """

    judge: str
    auc: Measure
    at_1: Measure
    at_01: Measure
    damage: dict[str, Measure]
    milliseconds: float
    people: int
    genuine: int
    impostor: int
    threads: int
    provenance: Provenance


def run(
    data: str | Sequence[str],
    out: str | Path,
    judges: Sequence[str] | None = None,
    onnx: Sequence[str | Path] = (),
    sidecar: str | Path | None = None,
    say: Say = print,
    *,
    seed: int = 0,
) -> list[JudgeAccuracy]:
    """Measure ``judges`` (default: bundled and dlib, where they run) and the networks in ``onnx`` files.

    data: shards with identities and points. sidecar: as in ``identity.load``. Writes ``identity.jsonl``, a judge a
    line, and the table ``identity.md`` into the folder ``out``, and prints both. Raises DataError when the data have
    fewer than two people or no points, and what ``identity.load`` raises for a judge in ``judges``.
    """
    available, problems = load_available(judges)
    ready = [*available.values(), *(identity.load(file, sidecar=sidecar) for file in onnx)]
    for problem in problems:
        say(f"skipped {problem}")
    faces = shards.load(data, SIDE)
    known = [number for number, person in enumerate(faces.identities) if person is not None]
    faces = faces.subset(known)
    people = [str(person) for person in faces.identities]
    if len(set(people)) < 2 or not torch.isfinite(faces.points).all():
        raise DataError(
            f"{data} must show two people or more, with 68 points on each face. `faceinp data build` writes them."
        )
    pictures = np.ascontiguousarray(faces.pictures[:].permute(0, 2, 3, 1).numpy())
    damaged = {
        part: np.stack([fill_part(*face, part) for face in zip(pictures, faces.points.numpy(), strict=True)])
        for part in DAMAGES
    }
    rows = []
    for judge in ready:
        rows.append(measure(judge, pictures, people, damaged, seed))
        say(record.as_line(rows[-1]))
    record.write(out, "identity", rows, markdown(rows), say)
    return rows


def measure(
    judge: identity.Judge,
    pictures: Pixels,
    people: Sequence[str],
    damaged: dict[str, Pixels],
    seed: int = 0,
) -> JudgeAccuracy:
    """Measure a judge on ``pictures``, uint8 (N, S, S, 3), of ``people``, and on the same pictures ``damaged``."""
    vectors = face_pairs.embed(judge, list(pictures))
    faces = face_pairs.pairs(vectors, people)
    cosines = {part: (vectors * face_pairs.embed(judge, list(others))).sum(axis=1) for part, others in damaged.items()}
    return JudgeAccuracy(
        judge=judge.name,
        auc=_with_interval(faces, lambda weights: face_pairs.area_under_curve(faces, weights), seed),
        at_1=_with_interval(faces, lambda weights: face_pairs.true_match_rate(faces, 0.01, weights), seed),
        at_01=_with_interval(faces, lambda weights: face_pairs.true_match_rate(faces, 0.001, weights), seed),
        damage={
            part: Measure(float(values.mean()), *metrics.interval(values, people)) for part, values in cosines.items()
        },
        milliseconds=_milliseconds(judge, pictures[:1]),
        people=faces.people,
        genuine=int(faces.genuine.sum()),
        impostor=int((~faces.genuine).sum()),
        threads=torch.get_num_threads(),
        provenance=Provenance.now(seed),
    )


def markdown(rows: Sequence[JudgeAccuracy]) -> str:
    """Judges down, measures across, 95 % intervals in brackets."""
    parts = ["# Judges of identity\n"]
    if rows:
        row = rows[0]
        parts.append(
            f"{row.people} people, {row.genuine:,} pairs of one person, {row.impostor:,} of strangers. In brackets: 95 "
            f"% intervals, bootstrap over people, seed {row.provenance.seed}. Eyes, nose and mouth, centre: mean "
            f"cosine between the face and a copy in which Telea's inpainting filled that part. {row.provenance}, "
            f"{row.threads} threads.\n"
        )
    heads = ("judge", "AUC", "true matches at 1 % false", "at .1 %", *DAMAGES, "ms a face")
    lines = (
        (
            row.judge,
            _cell(row.auc, "{:.4f}"),
            *(_cell(rate, "{:.1%}") for rate in (row.at_1, row.at_01)),
            *(_cell(row.damage[part], "{:.3f}") for part in DAMAGES),
            f"{row.milliseconds:.1f}",
        )
        for row in rows
    )
    parts.append(record.grid(heads, lines))
    parts.append(f"A verdict of a judge is {identity.CAVEAT}.\n")
    return "\n".join(parts)


def _with_interval(faces: face_pairs.Pairs, measure: Callable[[NDArray[np.floating]], float], seed: int) -> Measure:
    return Measure(measure(np.ones(len(faces.distances))), *face_pairs.interval(faces, measure, seed))


def _milliseconds(judge: identity.Judge, picture: Pixels) -> float:
    crop = to_picture(picture)
    seconds = []
    for _ in range(TIMED_CALLS):
        started = time.perf_counter()
        judge.embed(crop)
        seconds.append(time.perf_counter() - started)
    return float(1000 * np.median(seconds))


def _cell(value: Measure, form: str) -> str:
    mean, low, high = (form.format(number) for number in (value.mean, value.low, value.high))
    return f"{mean} ({low} to {high})"
