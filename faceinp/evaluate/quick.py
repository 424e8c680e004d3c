"""Every engine on the first paper's kinds of holes, at 64 x 64, in minutes.

Four comparisons with the photograph, always named, since each paper means another one by "PSNR":
raw, the whole generated picture; hole, its hole only; composite, the photo with its hole replaced; blended, the photo
with its hole filled by Poisson blending. Pictures are rounded to 8 bits first, as a file holds them.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import faceinp
from faceinp import blend, metrics, presets
from faceinp.engines.base import Engine, available, list_engines, load_engine
from faceinp.errors import EngineError, FaceinpError
from faceinp.machine import machine, today
from faceinp.train import data as shards

SIZE = 64
BATCH = 50
SHARES = (0.2, 0.4, 0.6, 0.8)
MASKS = (*(f"random {share:.0%}" for share in SHARES), "centre", "left half")
COMPARISONS = ("raw", "hole", "composite", "blended")
# Table 1 of Qiang et al. 2019: PSNR, SSIM of the inpainted picture, which measures like "raw" (``docs/papers.md``).
PRINTED = {
    "Yeh et al., as printed": ((19.8658, 0.9517), (19.0177, 0.8975), (18.2592, 0.8547), (15.7974, 0.7823)),
    "Qiang et al., as printed": ((20.0649, 0.9533), (19.9802, 0.9089), (19.8783, 0.8892), (19.7447, 0.8461)),
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Measure:
    """The mean over pictures, and its 95 % bootstrap interval over people (None where there is no such number)."""

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One engine on one kind of hole. metrics: ``raw_psnr`` (dB), ``raw_ssim``, ``hole_psnr`` ... ``blended_ssim``."""

    engine: str
    mask: str
    metrics: dict[str, Measure]
    pictures: int
    people: int
    seconds_per_picture: float
    runtime: str
    seed: int
    machine: str
    date: str
    version: str


def run(
    data: str | Sequence[str],
    out: str | Path,
    engines: Sequence[str] | None = None,
    pictures: int = 100,
    say: Say = print,
    *,
    seed: int = 0,
) -> list[Row]:
    """Measure ``engines`` (default: all that are ready) on the first ``pictures`` faces of ``data``.

    engines: names, each with options of its own after plus signs: "structural+fast+mode=faithful".
    data: shards, see ``train.data.load``; a folder stands for its ``celeba-val-*.tar``. Writes ``quick.jsonl``, one
    row a line, and ``quick.md``, the tables, into the folder ``out``, and says both.
    Raises DataError when there are no pictures, EngineError for an unknown engine.
    """
    faces = shards.load(_patterns(data), SIZE, limit=pictures)
    photos = np.ascontiguousarray(faces.pictures.permute(0, 2, 3, 1).numpy())
    people = [identity or key for identity, key in zip(faces.identities, faces.keys, strict=True)]
    ready, skipped = _choose(engines)
    for name, reason in skipped.items():
        say(f"skipped {name}: {reason}")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (folder / "quick.jsonl").open("w") as lines:
        for name, engine in ready.items():
            for mask in MASKS:
                rows.append(replace(measure(engine, mask, photos, people, seed), engine=name))
                line = json.dumps(asdict(rows[-1]))
                lines.write(line + "\n")
                lines.flush()
                say(line)
    table = markdown(rows, skipped)
    (folder / "quick.md").write_text(table)
    say(table)
    return rows


def holes(mask: str, count: int) -> NDArray[np.bool_]:
    """The hole named ``mask`` (of MASKS) for ``count`` pictures, (count, 64, 64); a random one differs by picture."""
    shape = (SIZE, SIZE)
    if mask == "centre":
        return np.repeat(presets.centre(shape)[None], count, axis=0)
    if mask == "left half":
        return np.repeat(presets.half(shape, "left")[None], count, axis=0)
    share = SHARES[MASKS.index(mask)]
    return np.stack([presets.random_pixels(shape, share, number) for number in range(count)])


def measure(engine: Engine, mask: str, photos: NDArray[np.uint8], people: Sequence[str], seed: int = 0) -> Row:
    """One row: ``photos`` uint8 (N, 64, 64, 3), ``people`` the name of each."""
    hidden = holes(mask, len(photos))
    crops = photos.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    generated = np.empty_like(crops)
    started = time.perf_counter()
    for first in range(0, len(photos), BATCH):
        part = slice(first, first + BATCH)
        generated[part] = engine.fill(crops[part], hidden[part, None], seed=seed)
    seconds = (time.perf_counter() - started) / len(photos)
    values: dict[str, list[float]] = {f"{c}_{measured}": [] for c in COMPARISONS for measured in ("psnr", "ssim")}
    for photo, picture, hole in zip(photos, generated.transpose(0, 2, 3, 1), hidden, strict=True):
        for name, value in compare(photo, picture, hole).items():
            values[name].append(value)
    return Row(
        engine=engine.name,
        mask=mask,
        metrics={name: summary(column, people) for name, column in values.items()},
        pictures=len(photos),
        people=len(set(people)),
        seconds_per_picture=seconds,
        runtime=engine.runtime,
        seed=seed,
        machine=machine(),
        date=today(),
        version=version(),
    )


def compare(photo: NDArray[np.uint8], generated: NDArray[np.float32], hole: NDArray[np.bool_]) -> dict[str, float]:
    """All metrics of one picture; photo uint8 (H, W, 3), generated float32 (H, W, 3) in [0, 1], hole bool (H, W)."""
    raw = np.rint(255 * generated).astype(np.uint8)
    similarity = metrics.ssim_map(photo, raw)
    composite = np.where(hole[..., None], raw, photo)
    blended = blend.poisson(photo, generated, hole)
    return {
        "raw_psnr": metrics.psnr(photo, raw),
        "raw_ssim": metrics.mean_ssim(similarity),
        "hole_psnr": metrics.psnr(photo, raw, hole),
        "hole_ssim": metrics.mean_ssim(similarity, hole),
        "composite_psnr": metrics.psnr(photo, composite),
        "composite_ssim": metrics.ssim(photo, composite),
        "blended_psnr": metrics.psnr(photo, blended),
        "blended_ssim": metrics.ssim(photo, blended),
    }


def markdown(rows: Sequence[Row], skipped: dict[str, str]) -> str:
    """One table a comparison: engines down, holes across, the paper's printed figures beside the raw ones."""
    parts = ["# Engines on the first paper's holes, 64 x 64\n"]
    if rows:
        row = rows[0]
        parts.append(
            f"{row.pictures} pictures of {row.people} people, seed {row.seed}; PSNR in dB, ± half of its 95 % "
            f"bootstrap interval over people / SSIM. faceinp {row.version}, {row.date}, {row.machine}.\n"
        )
    for comparison in COMPARISONS:
        parts.append(f"## {ABOUT[comparison]}\n")
        parts.append(_table(rows, partial(_cell, comparison=comparison), PRINTED if comparison == "raw" else {}))
    parts.append("## Seconds a picture\n")
    parts.append(_table(rows, lambda row: f"{row.seconds_per_picture:.3f}", {}))
    parts += [f"Skipped: {name}. {reason}\n" for name, reason in skipped.items()]
    return "\n".join(parts)


ABOUT = {
    "raw": "Raw: the whole generated picture (the paper's Table 1 is of this kind, on its own pictures and generator)",
    "hole": "Hole: the generated picture's hole only",
    "composite": "Composite: the photo, its hole replaced",
    "blended": "Blended: the photo, its hole filled by Poisson blending",
}


def version() -> str:
    return faceinp.__version__


def _patterns(data: str | Sequence[str]) -> list[str]:
    given = [data] if isinstance(data, str | os.PathLike) else data
    return [str(Path(pattern) / "celeba-val-*.tar") if Path(pattern).is_dir() else str(pattern) for pattern in given]


def named(variant: str) -> tuple[str, dict[str, bool | int | str]]:
    """The engine's name and options in "name+option+option=value"."""
    name, *given = variant.split("+")
    options: dict[str, bool | int | str] = {}
    for key, _, value in (option.partition("=") for option in given):
        options[key] = int(value) if value.isdigit() else value or True
    return name, options


def _choose(variants: Sequence[str] | None) -> tuple[dict[str, Engine], dict[str, str]]:
    """Engines that run here at 64 x 64, and why the others do not."""
    kinds, missing = available(), {status.name: status.missing for status in list_engines()}
    if unknown := [name for name, _ in map(named, variants or ()) if name not in kinds]:
        raise EngineError(f"There is no engine {unknown[0]!r}. Choose among: {', '.join(kinds)}.")
    ready: dict[str, Engine] = {}
    skipped: dict[str, str] = {}
    for variant in variants or kinds:
        name, options = named(variant)
        kind = kinds[name]
        if missing[name]:
            skipped[name] = missing[name]
        elif kind.largest < SIZE or (kind.size == kind.largest and kind.size != SIZE):
            skipped[name] = f"It works at {kind.size} x {kind.size} pixels, not at {SIZE} x {SIZE}."
        else:
            try:
                ready[variant] = load_engine(name, **options)
            except FaceinpError as error:
                skipped[variant] = str(error)
    return ready, skipped


def summary(values: Sequence[float], people: Sequence[str]) -> Measure:
    """Mean and 95 % interval; None where a number is not finite."""
    mean = float(np.mean(values))
    low, high = metrics.interval(values, people)
    return Measure(*(value if math.isfinite(value) else None for value in (mean, low, high)))


def _table(
    rows: Sequence[Row], cell: Callable[[Row], str], printed: Mapping[str, Sequence[tuple[float, float]]]
) -> str:
    lines = [f"| engine | {' | '.join(MASKS)} |", "|---" * (1 + len(MASKS)) + "|"]
    by_engine: dict[str, dict[str, str]] = {}
    for row in rows:
        by_engine.setdefault(row.engine, {})[row.mask] = cell(row)
    lines += [f"| {name} | {' | '.join(cells.get(mask, '-') for mask in MASKS)} |" for name, cells in by_engine.items()]
    for name, figures in printed.items():
        cells = [f"{decibels:.2f} / {similarity:.4f}" for decibels, similarity in figures]
        lines.append(f"| *{name}* | {' | '.join([*cells, '-', '-'])} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, comparison: str) -> str:
    decibels, similarity = row.metrics[f"{comparison}_psnr"], row.metrics[f"{comparison}_ssim"]
    mean = "inf" if decibels.mean is None else f"{decibels.mean:.2f}"
    wide = "" if decibels.low is None or decibels.high is None else f" ± {(decibels.high - decibels.low) / 2:.2f}"
    return f"{mean}{wide} / {'-' if similarity.mean is None else f'{similarity.mean:.4f}'}"
