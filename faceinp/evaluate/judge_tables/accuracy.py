"""How well judges tell people apart, how strongly they react to damage, and how fast they are."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceinp import identity
from faceinp.errors import DataError, FaceinpError
from faceinp.evaluate import record
from faceinp.evaluate.judge_tables import JUDGES
from faceinp.evaluate.judge_tables import pairs as people_pairs
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance, Say
from faceinp.formulas import metrics
from faceinp.train.datasets import data as shards

SIDE = 256
DAMAGES = ("eyes", "nose and mouth", "centre")
TIMED = 30


@dataclass(frozen=True)
class Row:
    """One judge. auc, at_1, at_01: area under the curve; true match rates at 1 % and .1 % false matches.

    damage: the mean cosine to the untouched face, by what was hidden and filled by Telea's inpainting.
    milliseconds: for one crop alone, median.
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
    made: Provenance


def run(
    data: str | Sequence[str],
    out: str | Path,
    judges: Sequence[str] | None = None,
    onnx: Sequence[str | Path] = (),
    sidecar: str | Path | None = None,
    say: Say = print,
    *,
    seed: int = 0,
) -> list[Row]:
    """Measure ``judges`` (default: bundled and dlib, where they run) and the networks in ``onnx`` files.

    data: shards with people and points. sidecar: as in ``identity.load``.
    Writes ``identity.jsonl``, a judge a line, and ``identity.md``, the table, into the folder ``out``, and says both.
    Raises DataError when the data hold no two people or no points, and what ``identity.load`` raises for a judge that
    was named.
    """
    ready, skipped = _load(judges, onnx, sidecar)
    for reason in skipped:
        say(f"skipped {reason}")
    faces = shards.load(data, SIDE)
    known = [number for number, person in enumerate(faces.identities) if person is not None]
    faces = faces.subset(known)
    people = [str(person) for person in faces.identities]
    if len(set(people)) < 2 or not torch.isfinite(faces.points).all():
        raise DataError(f"{data} must hold two people or more, and the 68 points of each face.")
    pictures = np.ascontiguousarray(faces.pictures[:].permute(0, 2, 3, 1).numpy())
    spoilt = {
        part: np.stack([damaged(picture, place, part) for picture, place in zip(pictures, faces.points, strict=True)])
        for part in DAMAGES
    }
    rows = []
    for judge in ready:
        rows.append(measure(judge, pictures, people, spoilt, seed))
        say(record.as_line(rows[-1]))
    record.write(out, "identity", rows, markdown(rows), say)
    return rows


def measure(
    judge: identity.Judge,
    pictures: NDArray[np.uint8],
    people: Sequence[str],
    spoilt: dict[str, NDArray[np.uint8]],
    seed: int = 0,
) -> Row:
    """One row: ``pictures`` uint8 (N, S, S, 3) of ``people``, and the same with each kind of damage."""
    vectors = people_pairs.embed(judge, list(pictures))
    found = people_pairs.pairs(vectors, people)
    changed = {part: (vectors * people_pairs.embed(judge, list(others))).sum(axis=1) for part, others in spoilt.items()}
    return Row(
        judge=judge.name,
        auc=_over_people(found, lambda weights: people_pairs.area_under_curve(found, weights), seed),
        at_1=_over_people(found, lambda weights: people_pairs.true_match_rate(found, 0.01, weights), seed),
        at_01=_over_people(found, lambda weights: people_pairs.true_match_rate(found, 0.001, weights), seed),
        damage={
            part: Measure(float(cosines.mean()), *metrics.interval(cosines, people))
            for part, cosines in changed.items()
        },
        milliseconds=_milliseconds(judge, pictures[:1]),
        people=found.people,
        genuine=int(found.genuine.sum()),
        impostor=int((~found.genuine).sum()),
        threads=torch.get_num_threads(),
        made=Provenance.now(seed),
    )


def damaged(picture: NDArray[np.uint8], points: torch.Tensor, part: str) -> NDArray[np.uint8]:
    """The picture, uint8 (S, S, 3), with a rectangle filled by Telea's inpainting.

    points: (68, 2) in shares of the side. part: "eyes" (with the brows) or "nose and mouth", their box 3 % of the
    side wider all around, or "centre", half the side.
    """
    side = len(picture)
    place = points.numpy() * side
    inside = {"eyes": [*range(17, 27), *range(36, 48)], "nose and mouth": [*range(27, 36), *range(48, 68)]}.get(part)
    hole = np.zeros((side, side), np.uint8)
    if inside is None:
        hole[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = 1
    else:
        left, top = np.maximum(0, place[inside].min(axis=0) - 0.03 * side).astype(int)
        right, bottom = (place[inside].max(axis=0) + 0.03 * side).astype(int) + 1
        hole[top:bottom, left:right] = 1
    return np.asarray(cv2.inpaint(np.ascontiguousarray(picture), hole, 3, cv2.INPAINT_TELEA), np.uint8)


def markdown(rows: Sequence[Row]) -> str:
    """Judges down, measures across, 95 % intervals in brackets."""
    parts = ["# Judges of identity\n"]
    if rows:
        row = rows[0]
        parts.append(
            f"{row.people} people, {row.genuine:,} pairs of one person, {row.impostor:,} of strangers; in brackets 95 "
            f"% intervals, bootstrap over people, seed {row.made.seed}. Damage: mean cosine to the untouched face, "
            f"Telea's fill. {row.made}, {row.threads} threads.\n"
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
    parts.append(f"What a judge says is {identity.CAVEAT}.\n")
    return "\n".join(parts)


def _load(
    names: Sequence[str] | None, onnx: Sequence[str | Path], sidecar: str | Path | None
) -> tuple[list[identity.Judge], list[str]]:
    """Judges that were named must load; of the others, those that do, and why the rest do not."""
    ready, skipped = [], []
    for name in JUDGES if names is None else names:
        try:
            ready.append(identity.load(name))
        except FaceinpError as error:
            if names is not None:
                raise
            skipped.append(f"{name}: {error}")
    return ready + [identity.load(file, sidecar=sidecar) for file in onnx], skipped


def _over_people(found: people_pairs.Pairs, measure: Callable[[NDArray[np.floating]], float], seed: int) -> Measure:
    return Measure(measure(np.ones(len(found.distances))), *people_pairs.interval(found, measure, seed))


def _milliseconds(judge: identity.Judge, picture: NDArray[np.uint8]) -> float:
    crop = picture.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    taken = []
    for _ in range(TIMED):
        started = time.perf_counter()
        judge.embed(crop)
        taken.append(time.perf_counter() - started)
    return float(1000 * np.median(taken))


def _cell(value: Measure, form: str) -> str:
    shown = [form.format(number) for number in (value.mean, value.low, value.high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
