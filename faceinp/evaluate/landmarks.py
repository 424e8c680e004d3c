"""How far predicted landmarks lie from the shards' own, on whole faces and with parts of the face hidden.

Errors are the mean distance of the 68 points, in distances between the outer corners of the eyes as in 300-W (and
between the middles of the eyes, which other papers take: figures about 1.4 times as large).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceinp.errors import DataError, WeightsError
from faceinp.evaluate import record
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance, Say
from faceinp.formulas import metrics
from faceinp.mask import presets
from faceinp.models import weights as shipped
from faceinp.nets.landmarks import POINTS, SIZE, make
from faceinp.train.datasets import data as shards
from faceinp.train.landmarks import turn

HIDDEN = {  # what is hidden, and by which preset
    "nothing": None,
    "left half of the face": "7",
    "right half of the face": "8",
    "one eye": "one-eye",
    "both eyes": "glasses-band",
    "mouth": "mouth",
    "lower face": "lower-face",
}
TURNED, TENTH = "nothing, the most turned tenth", 10
EYES = (range(36, 42), range(42, 48))
OUTER_CORNERS = (36, 45)
BATCH = 32
FAILED = 0.1  # an error past it is counted as a face that was missed


@dataclass(frozen=True)
class Row:
    """error: by outer eye corners, with its 95 % bootstrap interval over people. by_eyes: by the eyes' middles.

    failed: share of faces whose error is past FAILED.
    """

    hidden: str
    error: Measure
    by_eyes: float
    failed: float
    pictures: int
    people: int
    milliseconds_per_picture: float
    made: Provenance


def run(
    data: str | Sequence[str],
    out: str | Path,
    *,
    weights: str | Path | None = None,
    pictures: int | None = None,
    say: Say = print,
) -> list[Row]:
    """Measure ``weights`` (packed; default: the package's) on the first ``pictures`` faces of ``data`` (default: all).

    data: shards with 68 points, see ``train.data.load``. Writes ``landmarks.jsonl``, one row a line, and
    ``landmarks.md`` into the folder ``out``. Raises DataError when no face has points or they are
    the predictor's own, WeightsError for the weights.
    """
    network = load(weights)
    faces = shards.load(data, SIZE, limit=pictures)
    known = torch.nonzero(faces.points.isfinite().all(dim=2).all(dim=1)).flatten().tolist()
    if not known:
        raise DataError(f"No face in {data} has 68 points. Give shards whose JSON holds `points`.")
    if "own" in faces.points_from:
        raise DataError(
            f"The points of {data} are the shipped predictor's own: nothing tells how far they are off. Give shards "
            "built with `faceinp data build --points dlib`, or with points from a file."
        )
    faces = faces.subset(known)
    people = [identity or key for identity, key in zip(faces.identities, faces.keys, strict=True)]
    truth = faces.points.double().numpy()
    turned = torch.argsort(turn(faces.points), descending=True)[: -(-len(faces) // TENTH)].numpy()
    rows = []
    for hidden, name in HIDDEN.items():
        holes = [_hole(name, points) for points in truth]
        started = time.perf_counter()
        predicted = predict(network, faces.pictures[:], torch.from_numpy(np.stack(holes))[:, None])
        seconds = time.perf_counter() - started
        by_corners, by_eyes = errors(predicted, truth), errors(predicted, truth, centres=True)
        parts = {hidden: np.arange(len(faces)), **({TURNED: turned} if name is None else {})}
        for part, chosen in parts.items():
            who = [people[i] for i in chosen]
            low, high = metrics.interval(by_corners[chosen].tolist(), who)
            rows.append(
                Row(
                    hidden=part,
                    error=Measure(float(by_corners[chosen].mean()), low, high),
                    by_eyes=float(by_eyes[chosen].mean()),
                    failed=float((by_corners[chosen] > FAILED).mean()),
                    pictures=len(chosen),
                    people=len(set(who)),
                    milliseconds_per_picture=1000 * seconds / len(faces),
                    made=Provenance.now(),
                )
            )
    record.write(out, "landmarks", rows, _markdown(rows), say)
    return rows


def load(weights: str | Path | None = None, side: int = SIZE) -> nn.Module:
    """The predictor with packed ``weights`` (default: the package's), in eval mode."""
    file = weights or shipped.path("landmarks")
    if shipped.read_tensors(file)[0].get("network") != "landmarks":
        raise WeightsError(f"{file} holds no packed landmark predictor. `faceinp weights pack` makes it from a run.")
    config, tensors = shipped.read_packed(file)
    return make(config, shipped.with_prefix(tensors, "landmarks/"), side)


@torch.no_grad()
def predict(network: nn.Module, pictures: Tensor, holes: Tensor) -> NDArray[np.float64]:
    """pictures: uint8 (N, 3, S, S), holes: bool (N, 1, S, S) -> (N, 68, 2), shares of the side."""
    parts = zip(pictures.split(BATCH), holes.split(BATCH), strict=True)
    return torch.cat([network(picture.float() / 255, hole) for picture, hole in parts]).double().numpy()


def errors(predicted: NDArray[np.float64], truth: NDArray[np.float64], *, centres: bool = False) -> NDArray[np.float64]:
    """Mean distance of points (N, 68, 2) in distances between the outer eye corners, or the eyes' ``centres``: (N,)."""
    one, other = (truth[:, eye].mean(axis=1) for eye in EYES) if centres else (truth[:, i] for i in OUTER_CORNERS)
    return np.linalg.norm(predicted - truth, axis=2).mean(axis=1) / np.linalg.norm(one - other, axis=1)


def _hole(name: str | None, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The preset ``name`` on a face whose ``points`` are shares of the side."""
    if name is None:
        return np.zeros((SIZE, SIZE), np.bool_)
    return presets.make(name, (SIZE, SIZE), points=points * SIZE)


def _markdown(rows: Sequence[Row]) -> str:
    about = (
        f"Mean error of {POINTS} landmarks in distances between the outer eye corners, with its 95 % bootstrap "
        f"interval over people; {rows[0].pictures} faces of {rows[0].people} people. {rows[0].made}."
    )
    heads = ("hidden", "error", "by eyes' middles", f"faces past {FAILED:.0%}", "ms a face")
    lines = []
    for row in rows:
        mean, low, high = (f"{100 * (value or 0):.2f}" for value in (row.error.mean, row.error.low, row.error.high))
        figures = (f"{mean} % ({low} to {high})", f"{100 * row.by_eyes:.2f} %", f"{row.failed:.1%}")
        lines.append((row.hidden, *figures, f"{row.milliseconds_per_picture:.1f}"))
    return f"{about}\n\n{record.grid(heads, lines)}"
