"""Errors of predicted landmarks, on whole faces and with parts of the face hidden.

An error is the mean distance of the 68 points from the shards' own, divided by the distance between the outer corners
of the eyes as in 300-W, and also by the distance between the eyes' centres as in other papers, which makes it about 1.4
times as large.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance, Say
from faceinp.formulas import metrics
from faceinp.mask import presets
from faceinp.models import networks
from faceinp.nets.landmarks import POINTS, SIZE
from faceinp.train.datasets import data as shards
from faceinp.train.landmarks import turn

HIDDEN_PARTS = {  # the hidden part, and the preset that hides it
    "nothing": None,
    "left half of the face": "7",
    "right half of the face": "8",
    "one eye": "one-eye",
    "both eyes": "glasses-band",
    "mouth": "mouth",
    "lower face": "lower-face",
}
MOST_TURNED, TURNED_SHARE = "nothing, the most turned tenth", 10
EYES = (range(36, 42), range(42, 48))
OUTER_CORNERS = (36, 45)
BATCH = 32
FAILURE = 0.1  # errors above it count as failures


@dataclass(frozen=True)
class LandmarkErrors:
    """error: relative to the outer eye corners, with its 95 % bootstrap interval over people. by_eyes: relative to the
    eyes' centres. failed: share of faces whose error is above FAILURE. people: a face of an unknown person counts as
    one.
    """

    hidden: str
    error: Measure
    by_eyes: float
    failed: float
    pictures: int
    people: int
    milliseconds_per_picture: float
    provenance: Provenance


def run(
    data: str | Sequence[str],
    out: str | Path,
    *,
    weights: str | Path | None = None,
    pictures: int | None = None,
    say: Say = print,
) -> list[LandmarkErrors]:
    """Measure ``weights`` (packed; default: the package's) on the first ``pictures`` faces of ``data`` (default: all).

    data: shards with 68 points, see ``train.datasets.data.load``. Writes ``landmarks.jsonl``, one row a line, and
    ``landmarks.md`` into the folder ``out``. Raises DataError when no face has points or the predictor itself made
    them, WeightsError for the weights.
    """
    network, _ = networks.load("landmarks", weights or "")
    faces = shards.load(data, SIZE, limit=pictures)
    known = torch.nonzero(faces.points.isfinite().all(dim=2).all(dim=1)).flatten().tolist()
    if not known:
        raise DataError(f"No face in {data} has 68 points. Give shards with `points` in their JSON.")
    if "own" in faces.points_from:
        raise DataError(
            f"The shipped predictor itself made the points of {data}, so its errors cannot be measured on them. Give "
            "shards built with `faceinp data build --points dlib`, or with points from a file."
        )
    faces = faces.subset(known)
    people = [identity or key for identity, key in zip(faces.identities, faces.keys, strict=True)]
    truth = faces.points.double().numpy()
    turned = torch.argsort(turn(faces.points), descending=True)[: -(-len(faces) // TURNED_SHARE)].numpy()
    rows = []
    for hidden, preset in HIDDEN_PARTS.items():
        holes = [_hole(preset, points) for points in truth]
        started = time.perf_counter()
        predicted = predict(network, faces.pictures[:], torch.from_numpy(np.stack(holes))[:, None])
        seconds = time.perf_counter() - started
        by_corners, by_eyes = errors(predicted, truth), errors(predicted, truth, centres=True)
        parts = {hidden: np.arange(len(faces)), **({MOST_TURNED: turned} if preset is None else {})}
        for part, indices in parts.items():
            part_people = [people[i] for i in indices]
            low, high = metrics.interval(by_corners[indices].tolist(), part_people)
            rows.append(
                LandmarkErrors(
                    hidden=part,
                    error=Measure(float(by_corners[indices].mean()), low, high),
                    by_eyes=float(by_eyes[indices].mean()),
                    failed=float((by_corners[indices] > FAILURE).mean()),
                    pictures=len(indices),
                    people=len(set(part_people)),
                    milliseconds_per_picture=1000 * seconds / len(faces),
                    provenance=Provenance.now(),
                )
            )
    record.write(out, "landmarks", rows, _markdown(rows), say)
    return rows


@torch.no_grad()
def predict(network: nn.Module, pictures: Tensor, holes: Tensor) -> NDArray[np.float64]:
    """pictures: uint8 (N, 3, S, S), holes: bool (N, 1, S, S) -> (N, 68, 2), shares of the side."""
    parts = zip(pictures.split(BATCH), holes.split(BATCH), strict=True)
    return torch.cat([network(picture.float() / 255, hole) for picture, hole in parts]).double().numpy()


def errors(predicted: NDArray[np.float64], truth: NDArray[np.float64], *, centres: bool = False) -> NDArray[np.float64]:
    """Mean distance of points (N, 68, 2) relative to that of the outer eye corners or the eyes' ``centres``: (N,)."""
    right, left = (truth[:, eye].mean(axis=1) for eye in EYES) if centres else (truth[:, i] for i in OUTER_CORNERS)
    return np.linalg.norm(predicted - truth, axis=2).mean(axis=1) / np.linalg.norm(right - left, axis=1)


def _hole(preset: str | None, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A preset on a face whose ``points`` are shares of the side; None hides nothing."""
    if preset is None:
        return np.zeros((SIZE, SIZE), np.bool_)
    return presets.make(preset, (SIZE, SIZE), points=points * SIZE)


def _markdown(rows: Sequence[LandmarkErrors]) -> str:
    about = (
        f"Mean error of {POINTS} landmarks relative to the distance between the outer eye corners, with its 95 % "
        f"bootstrap interval over people; {rows[0].pictures} faces of {rows[0].people} people (a face of an unknown "
        f"person counts as one). {rows[0].provenance}."
    )
    heads = ("hidden", "error", "by eyes' centres", f"faces above {FAILURE:.0%}", "ms a face")
    lines = []
    for row in rows:
        mean, low, high = (f"{100 * (value or 0):.2f}" for value in (row.error.mean, row.error.low, row.error.high))
        figures = (f"{mean} % ({low} to {high})", f"{100 * row.by_eyes:.2f} %", f"{row.failed:.1%}")
        lines.append((row.hidden, *figures, f"{row.milliseconds_per_picture:.1f}"))
    return f"{about}\n\n{record.grid(heads, lines)}"
