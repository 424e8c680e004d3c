"""Every engine on the second paper's masks, at 256 x 256: how near the picture, and how near the person.

Composite PSNR and SSIM over the whole picture, and the share of fills that a judge takes for the same person at 1 %
false matches: against the same picture (the paper's Table 4), which a pasted ear can please, and against other pictures
of the person (Table 5), the honest one. With a feature network, the Frechet distance to other photographs, too: it
tells sharp fills from blurs, which PSNR does not. Masks are made from the shards' own landmarks; engines see none of
those.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from faceinp import identity, metrics, presets
from faceinp.engines.base import Engine, load_engine
from faceinp.errors import DataError
from faceinp.evaluate import frechet, quick
from faceinp.evaluate.quick import Measure, Say
from faceinp.train import data as shards

SIZE = 256
BATCH = 8
MASKS = (*map(str, range(1, 13)), "centre", "eyes", "lower-face")
ENGINES = ("landmark", "mirror", "telea", "navier-stokes")
GROUPS = {"1-2": ("1", "2"), "3-6": ("3", "4", "5", "6"), "7-8": ("7", "8"), "9-12": ("9", "10", "11", "12")}
# PSNR by mask, each on its authors' own pictures: Table 3 of the second paper, model 5; strokes from EdgeConnect
# (Nazeri et al. 2019, arXiv 1901.00212, Table 1, CelebA).
_MODEL_5 = (16.396, 16.353, 22.340, 22.173, 23.098, 22.142, 25.082, 24.398, 27.704, 30.905, 26.919, 30.622)
_EDGECONNECT = {"irregular-10-20": 33.5, "irregular-20-30": 30.0, "irregular-30-40": 27.4, "irregular-40-50": 25.3}
PRINTED = dict(zip(map(str, range(1, 13)), _MODEL_5, strict=True)) | _EDGECONNECT
SHOWN = 16  # pictures of the sheet, a row a mask
UNTOUCHED = "untouched"


@dataclass(frozen=True)
class Row:
    """One engine on one mask; means with 95 % bootstrap intervals over people.

    hidden: mean share of the picture. psnr (dB), ssim: of the composite. same, other: share taken for the same person,
    against the same picture and against the person's other pictures, by judge. frechet: distance of the fills' features
    to those of the data's other pictures, untouched; None where it was not asked for.
    """

    engine: str
    mask: str
    hidden: float
    psnr: Measure
    ssim: Measure
    same: dict[str, Measure]
    other: dict[str, Measure]
    frechet: float | None
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
    engines: Sequence[str] = ENGINES,
    masks: Sequence[str] = MASKS,
    judges: Sequence[identity.Judge] = (),
    pictures: int = 200,
    features: str | Path | None = None,
    say: Say = print,
    *,
    seed: int = 0,
) -> list[Row]:
    """Measure ``engines`` on ``pictures`` faces of ``data``, drawn by ``seed``.

    masks: names of ``presets``. judges: calibrated ones; one that is kin of a network in an engine's loss is refused.
    features: SqueezeNet 1.0 as safetensors, for Frechet distances; it needs more faces than ``pictures``.
    Writes ``masks.jsonl``, ``masks.md`` and, to look at, ``ENGINE.png`` into ``out``.
    Raises DataError for faces without landmarks, EngineError for kin, WeightsError for a judge without calibration.
    """
    faces = shards.load(data, SIZE).with_points()
    people = [identity_ or key for identity_, key in zip(faces.identities, faces.keys, strict=True)]
    chosen = np.random.default_rng(seed).permutation(len(faces))[:pictures]
    ready = {name: _engine(name) for name in engines}
    for judge in judges:
        for engine in ready.values():
            identity.independent(judge, engine.taught_by)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    whole = [_People(judge, faces, people) for judge in judges]
    others = _Others(features, faces, chosen) if features else None
    photos = np.ascontiguousarray(faces.pictures[chosen].permute(0, 2, 3, 1).numpy())
    names = [people[n] for n in chosen]
    rows = [_untouched(whole, others, photos, chosen, names, seed)] if whole or others else []
    with (folder / "masks.jsonl").open("w") as lines:
        for name, engine in ready.items():
            sheet = []
            for mask in masks:
                holes = np.stack(
                    [
                        presets.make(mask, (SIZE, SIZE), points=faces.points[n].numpy() * SIZE, seed=int(n))
                        for n in chosen
                    ]
                )
                started = time.perf_counter()
                filled = _fill(engine, photos, holes, seed)
                seconds = (time.perf_counter() - started) / len(photos)
                measured = {
                    "psnr": [metrics.psnr(a, b) for a, b in zip(photos, filled, strict=True)],
                    "ssim": [metrics.ssim(a, b) for a, b in zip(photos, filled, strict=True)],
                }
                accepted = {one.judge.name: one.accepted(filled, chosen) for one in whole}
                rows.append(
                    Row(
                        name, mask, float(holes.mean()),
                        **{key: quick.summary(values, names) for key, values in measured.items()},
                        same={judge: quick.summary(same, names) for judge, (same, _) in accepted.items()},
                        other={judge: _among(other, names) for judge, (_, other) in accepted.items()},
                        frechet=others.distance(filled) if others else None,
                        pictures=len(chosen), people=len(set(names)), seconds_per_picture=seconds,
                        runtime=engine.runtime, seed=seed, machine=quick.machine(), date=quick.today(),
                        version=quick.version(),
                    )
                )  # fmt: skip
                lines.write(json.dumps(asdict(rows[-1])) + "\n")
                lines.flush()
                say(f"{name}, mask {mask}: {rows[-1].psnr.mean:.2f} dB")
                sheet.append(np.concatenate(list(filled[:SHOWN]), axis=1))
            small = cv2.resize(np.concatenate(sheet), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            Image.fromarray(small).save(folder / f"{name.replace('/', '-')}.png")  # an option may be a path
    table = markdown(rows)
    (folder / "masks.md").write_text(table)
    say(table)
    return rows


class _People:
    """What a judge makes of the untouched faces, to compare fills with."""

    def __init__(self, judge: identity.Judge, faces: shards.Faces, people: Sequence[str]) -> None:
        self.judge, self.people = judge, np.array(people)
        self.limit = judge.calibration.at(0.01).threshold
        self.vectors = self._embed(faces.pictures.permute(0, 2, 3, 1).numpy())

    def accepted(self, filled: NDArray[np.uint8], chosen: NDArray[np.intp]) -> tuple[list[float], list[float]]:
        """For each fill of picture number ``chosen``: 1 where it is taken for its own picture's person, and the share
        of the person's other pictures it matches (NaN where there is none)."""
        near = np.linalg.norm(self._embed(filled)[:, None] - self.vectors[None], axis=2) <= self.limit
        same = near[np.arange(len(chosen)), chosen].astype(float)
        theirs = self.people[chosen][:, None] == self.people[None]
        theirs[np.arange(len(chosen)), chosen] = False
        count = theirs.sum(axis=1)
        return same.tolist(), np.where(count, (near & theirs).sum(axis=1) / np.maximum(count, 1), np.nan).tolist()

    def _embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = np.array_split(pictures, max(1, len(pictures) // 32))
        return np.concatenate(
            [self.judge.embed(part.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)) for part in parts]
        )


class _Others:
    """The data's pictures that are not measured, as a feature network sees them."""

    def __init__(self, network: str | Path, faces: shards.Faces, chosen: NDArray[np.intp]) -> None:
        rest = np.setdiff1d(np.arange(len(faces)), chosen)
        if len(rest) < 2:
            raise DataError(f"A Frechet distance needs faces to compare with; lower --pictures under {len(faces) - 1}.")
        self.network = frechet.load_squeezenet(network)
        self.features = frechet.features(faces.pictures[rest], self.network)

    def distance(self, pictures: NDArray[np.uint8]) -> float:
        seen = frechet.features(torch.from_numpy(pictures).permute(0, 3, 1, 2), self.network)
        return metrics.frechet_distance(seen, self.features)


def _fill(engine: Engine, photos: NDArray[np.uint8], holes: NDArray[np.bool_], seed: int) -> NDArray[np.uint8]:
    """Composites, uint8 (N, 256, 256, 3), at the engine's own size."""
    side = engine.size if engine.size == engine.largest else min(SIZE, engine.largest)
    filled = photos.copy()
    for start in range(0, len(photos), BATCH):
        part = slice(start, start + BATCH)
        crops = np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in photos[part]])
        masks = np.stack(
            [cv2.resize(h.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) > 0 for h in holes[part]]
        )
        pictures = engine.fill(crops.transpose(0, 3, 1, 2).astype(np.float32) / 255, masks[:, None], seed=seed)
        for target, picture, hole in zip(filled[part], pictures.transpose(0, 2, 3, 1), holes[part], strict=True):
            made = np.asarray(cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))
            target[hole] = np.rint(255 * made.clip(0, 1)[hole]).astype(np.uint8)
    return filled


def _untouched(
    whole: Sequence[_People],
    others: _Others | None,
    photos: NDArray[np.uint8],
    chosen: NDArray[np.intp],
    names: Sequence[str],
    seed: int,
) -> Row:
    """The row that no engine can pass: the faces themselves."""
    nothing = Measure(None, None, None)
    other = {}
    for one in whole:
        near = np.linalg.norm(one.vectors[chosen][:, None] - one.vectors[None], axis=2) <= one.limit
        theirs = one.people[chosen][:, None] == one.people[None]
        theirs[np.arange(len(chosen)), chosen] = False
        count = theirs.sum(axis=1)
        other[one.judge.name] = _among(
            np.where(count, (near & theirs).sum(axis=1) / np.maximum(count, 1), np.nan), names
        )
    same = {one.judge.name: Measure(1.0, None, None) for one in whole}
    return Row(
        UNTOUCHED, "", 0.0, nothing, nothing, same, other, others.distance(photos) if others else None, len(chosen),
        len(set(names)), 0.0, "", seed, quick.machine(), quick.today(), quick.version(),
    )  # fmt: skip


def _among(values: Sequence[float] | NDArray[np.float64], names: Sequence[str]) -> Measure:
    """The mean over pictures whose person has others; nothing where there is none."""
    told = np.isfinite(np.asarray(values, float))
    if not told.any():
        return Measure(None, None, None)
    return quick.summary(
        np.asarray(values)[told].tolist(), [name for name, is_ in zip(names, told, strict=True) if is_]
    )


def markdown(rows: Sequence[Row]) -> str:
    """Engines down, masks across: PSNR, SSIM, and for each judge both shares."""
    masks = list(dict.fromkeys(row.mask for row in rows if row.mask))
    row = rows[-1]
    parts = [
        "# Engines on the second paper's masks, 256 x 256\n",
        f"{row.pictures} pictures of {row.people} people, seed {row.seed}; ± half of the 95 % bootstrap interval over "
        f"people. faceinp {row.version}, {row.date}, {row.machine}.\n",
        "## Composite PSNR, dB\n",
        _table(rows, masks, {n: _cell(r.psnr, "{:.2f}") for n, r in enumerate(rows)}, printed=True),
        "## Mean PSNR by kind of mask\n",
        _groups(rows),
        "## Composite SSIM\n",
        _table(rows, masks, {n: _cell(r.ssim, "{:.4f}", wide=False) for n, r in enumerate(rows)}),
    ]
    for judge in rows[-1].same:
        for about, column in (("the same picture", "same"), ("other pictures of the person", "other")):
            parts.append(f"## Same person, says {judge}, against {about}\n")
            cells = {n: _cell(getattr(r, column)[judge], "{:.0%}") for n, r in enumerate(rows)}
            parts.append(_table(rows, masks, cells))
    if rows[-1].frechet is not None:
        parts.append("## Frechet distance to other photographs (SqueezeNet features)\n")
        parts.append(_table(rows, masks, {n: f"{r.frechet:,.0f}" for n, r in enumerate(rows)}))
    return "\n".join(parts)


def _table(rows: Sequence[Row], masks: Sequence[str], cells: dict[int, str], printed: bool = False) -> str:
    lines = [f"| engine | {' | '.join(masks)} |", "|---" * (1 + len(masks)) + "|"]
    engines = dict.fromkeys(row.engine for row in rows)
    for engine in engines:
        by_mask = {row.mask: cells[n] for n, row in enumerate(rows) if row.engine == engine}
        told = [by_mask.get(mask, by_mask.get("", "-")) for mask in masks]
        lines.append(f"| {engine} | {' | '.join(told)} |")
    if printed:
        told = [f"{PRINTED[mask]:.2f}" if mask in PRINTED else "-" for mask in masks]
        lines.append(f"| *as printed (1-12 the paper's best; strokes EdgeConnect)* | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _groups(rows: Sequence[Row]) -> str:
    lines = [f"| engine | {' | '.join(GROUPS)} | centre |", "|---" * (2 + len(GROUPS)) + "|"]
    for engine in dict.fromkeys(row.engine for row in rows if row.mask):
        by_mask = {row.mask: row.psnr.mean for row in rows if row.engine == engine and row.psnr.mean is not None}
        told = []
        for group in (*GROUPS.values(), ("centre",)):
            values = [by_mask[mask] for mask in group if mask in by_mask]
            told.append(f"{np.mean(values):.2f}" if len(values) == len(group) else "-")
        lines.append(f"| {engine} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _cell(measure: Measure, form: str, wide: bool = True) -> str:
    if measure.mean is None:
        return "-"
    if not wide or measure.low is None or measure.high is None:
        return form.format(measure.mean)
    return f"{form.format(measure.mean)} ± {form.format((measure.high - measure.low) / 2)}"


def _engine(variant: str) -> Engine:
    name, options = quick.named(variant)
    return load_engine(name, **options)
