"""What one worker does with a part: the road of ``faceinp.fill`` for each photo, several faces through the engine at
once, and a line of the manifest for each, whatever becomes of it.
"""

import dataclasses
import hashlib
import json
import tarfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from faceinp import identity, likeness, masks, photo, presets
from faceinp.batch.sources import File, Item, Part, Target
from faceinp.engines.base import Engine, load_engine
from faceinp.errors import DataError, FaceinpError, MaskError, PhotoError
from faceinp.exemplars import ENGINE, MAX_REFERENCES, REFERENCE, SURROUNDINGS, SYMMETRY, Reference
from faceinp.machine import take_threads
from faceinp.masks import Mask
from faceinp.photo import Photo
from faceinp.pipeline import Job, Result, fill_many
from faceinp.placing import Place, locate

TOGETHER = 8  # photos whose faces go through the engine at once, of
PIXELS = 32_000_000  # this many pixels at most, but for a single photo
CLEAR = 128  # an alpha under this is a hole
FILLED, FAILED = "filled", "failed"
SOURCES = {  # what the manifest calls the codes of ``Result.sources``
    ENGINE: "engine",
    SYMMETRY: "symmetry",
    SURROUNDINGS: "surroundings",
    **{REFERENCE + index: f"reference {index + 1}" for index in range(MAX_REFERENCES)},
}


@dataclass(frozen=True)
class Settings:
    """How a folder is filled. Everything a worker needs to know; it is sent to others as it is.

    out: URL of the folder for results. engine, options, seed, aligned, blending, symmetry, reference_check: as for
    ``faceinp.fill``. preset: a name of ``list_presets``. from_alpha: the hole is where a photo is transparent. Without
    both, masks come with the photos. judge: as for ``load_judge``; empty: nobody judges. format: of the results, a
    suffix. threads: of the processor, for each worker; 0: all.
    """

    out: str
    engine: str = "landmark"
    options: dict[str, Any] = field(default_factory=dict)
    preset: str = ""
    from_alpha: bool = False
    seed: int = 0
    aligned: bool = False
    blending: str = "poisson"
    symmetry: bool | None = None
    reference_check: bool = True
    judge: str = "auto"
    format: str = "png"
    threads: int = 0


class Worker:
    """An engine and a judge, loaded once, that take part after part."""

    def __init__(self, settings: Settings) -> None:
        if settings.threads:
            take_threads(settings.threads)
        self.settings, self.target = settings, Target(settings.out)
        self.engine: Engine = load_engine(settings.engine, **settings.options)
        self.judge = identity.load(settings.judge) if settings.judge else None

    def __call__(self, part: Part, done: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """Fill what the part holds and is not ``done``; returns the manifest's lines, which are written as well."""
        lines: list[dict[str, Any]] = []
        waiting: list[_Ready] = []
        try:
            started = time.perf_counter()
            for item in part.items(done):
                try:
                    waiting.append(self._opened(item, time.perf_counter() - started))
                except FaceinpError as error:
                    lines.append(_failed(item, error))
                if len(waiting) >= TOGETHER or sum(ready.job.photo.pixels.size // 3 for ready in waiting) >= PIXELS:
                    lines += self._filled(waiting)
                    waiting = []
                started = time.perf_counter()
        except (OSError, ValueError, tarfile.TarError, DataError) as error:  # of a damaged shard or table
            lines.append({"name": part.source, "outcome": FAILED, "error": str(error), "kind": type(error).__name__})
        lines += self._filled(waiting)
        if lines:
            content = "".join(json.dumps(line) + "\n" for line in lines)
            self.target.put(f"manifest/{uuid.uuid4().hex}.jsonl", content.encode())
        return lines

    def _opened(self, item: Item, fetched: float) -> "_Ready":
        settings, watch = self.settings, _Watch()
        watch.seconds["fetch"] = fetched
        if item.problem:
            raise PhotoError(item.problem)
        if len(item.references) > MAX_REFERENCES:
            raise PhotoError(f"It has more than {MAX_REFERENCES} reference photos. Keep the best {MAX_REFERENCES}.")
        place = Place(settings.aligned, box=item.box, points=item.points)
        with watch("read"):
            opened = photo.read(item.photo)
            if settings.from_alpha:
                opened, mask = _from_alpha(opened)
            elif not settings.preset:
                if item.mask is None:
                    raise MaskError("There is no mask for it. Put one of its name into --masks, or use --preset.")
                mask = masks.read(item.mask, opened)
        if settings.preset:
            with watch("align"):
                if not settings.aligned:  # found once, for the hole and for the fill
                    place = Place(face=locate(opened.pixels, None, place)[0])
                where = {"aligned": True} if settings.aligned else {"face": place.face}
                mask = presets.for_photo(settings.preset, opened, seed=settings.seed, **where)
        return _Ready(item, Job(opened, mask, place, [file.content for file in item.references]), watch)

    def _filled(self, waiting: Sequence["_Ready"]) -> list[dict[str, Any]]:
        settings = self.settings
        try:
            results = fill_many(
                [ready.job for ready in waiting],
                engine=self.engine,
                seed=settings.seed,
                blending=settings.blending,
                symmetry=settings.symmetry,
                reference_check=settings.reference_check,
            )
        except Exception as error:  # whatever it is, a few photos' trouble does not end a run over a million
            return [_failed(ready.item, error) for ready in waiting]
        lines = []
        for ready, result in zip(waiting, results, strict=True):
            if isinstance(result, FaceinpError):
                lines.append(_failed(ready.item, result))
                continue
            try:
                lines.append(self._kept(ready, result))
            except FaceinpError as error:
                lines.append(_failed(ready.item, error))
        return lines

    def _kept(self, ready: "_Ready", result: Result) -> dict[str, Any]:
        item, watch = ready.item, ready.watch
        name = f"{item.stem}.{self.settings.format}"
        watch.add(result.timings)
        with watch("encode"):
            data = result.encode(self.settings.format)
        with watch("judge"):
            told = likeness.judge_fill(result, self.judge) if self.judge else None
        with watch("put"):
            self.target.put(name, data)
        return _line(item, FILLED) | {
            "result": name,
            "result_sha256": hashlib.sha256(data).hexdigest(),
            "engine": result.engine,
            "runtime": result.runtime,
            "seed": result.seed,
            "seconds": {step: round(seconds, 4) for step, seconds in watch.seconds.items()},
            "hidden": round(float(result.mask.mean()), 4),
            "changed_pixels": result.changed_pixels,
            "sources": {SOURCES[code]: round(share, 4) for code, share in result.shares.items()},
            "references": [_reference_line(*pair) for pair in zip(item.references, result.references, strict=True)],
            "identity": dataclasses.asdict(told) if told else None,
            "notes": list(result.notes),
        }


class _Watch:
    """Seconds of one photo, by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.add({step: time.perf_counter() - started})

    def add(self, seconds: dict[str, float]) -> None:
        for step, more in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + more


@dataclass(frozen=True, eq=False)
class _Ready:
    """A photo that waits for the engine."""

    item: Item
    job: Job
    watch: _Watch


def _from_alpha(opened: Photo) -> tuple[Photo, Mask]:
    """The photo without its transparency, and what was transparent: filled, it is that no longer."""
    if opened.alpha is None or not (hole := opened.alpha < CLEAR).any():
        raise MaskError("Nothing of it is transparent. Make its hole transparent, or use --masks or --preset.")
    deep = opened.deep
    if deep is not None:
        deep = deep[..., 0] if opened.grey else deep[..., :3]
    return dataclasses.replace(opened, alpha=None, deep=deep), Mask(hole, "read from the photo's transparency")


def _failed(item: Item, error: Exception) -> dict[str, Any]:
    return _line(item, FAILED) | {"error": str(error), "kind": type(error).__name__}


def _reference_line(file: File, reference: Reference) -> dict[str, Any]:
    return {
        "name": file.name,
        "share": round(reference.share, 4),
        "distance": reference.distance,
        "refused": reference.refused,
        "problem": reference.problem,
    }


def _line(item: Item, outcome: str) -> dict[str, Any]:
    return {"name": item.name, "outcome": outcome, "photo_sha256": hashlib.sha256(item.photo).hexdigest()}
