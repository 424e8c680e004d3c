"""A worker of a batch: fills the photos of a part as ``faceinp.fill`` does, with batched faces, and writes a line of
the manifest for each photo, also for one that fails.
"""

import dataclasses
import hashlib
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from faceinp import identity
from faceinp.batch.items import File, Item, Skipped
from faceinp.batch.record import SETTINGS, Target
from faceinp.batch.sources import Part
from faceinp.engines.base import Engine
from faceinp.engines.loading import load_engine
from faceinp.errors import DataError, FaceinpError, MaskError, NothingFoundError, PhotoError
from faceinp.exemplars.sources import ENGINE, MAX_REFERENCES, REFERENCE, SURROUNDINGS, SYMMETRY, Reference
from faceinp.face.face_location import FaceLocation, locate, no_face
from faceinp.face.heads import Turn
from faceinp.find import Find, propose
from faceinp.identity import fill_score
from faceinp.mask import photo_presets
from faceinp.mask.erased import mask_from_alpha, read_mask
from faceinp.mask.masks import Polarity
from faceinp.models.system import take_threads
from faceinp.photo import photos
from faceinp.pipeline import Job, fill_many, timed
from faceinp.result import Result

MAX_PHOTOS = 8  # whose faces are batched
MAX_PIXELS = 32_000_000  # of batched photos; a single one may have more
FILLED, FAILED, SKIPPED, NOTHING_FOUND = "filled", "failed", "skipped", "nothing found"
SOURCES = {  # the manifest's names for the codes of ``Result.sources``
    ENGINE: "engine",
    SYMMETRY: "symmetry",
    SURROUNDINGS: "surroundings",
    **{REFERENCE + index: f"reference {index + 1}" for index in range(MAX_REFERENCES)},
}


@dataclass(frozen=True)
class Settings:
    """The settings of a batch, which every worker gets.

    out: URL of the folder for results. engine, options, seed, turn, require_face, blending, symmetry, reference_check,
    mask_hole, grow: as for ``faceinp.fill``. aligned: the photos are aligned face crops. preset: a name of
    ``list_presets``; from_alpha: the hole is where a photo is transparent; find: the hole is what is found. Without
    these three, masks come with the photos. judge: as for ``load_judge``; empty: no judge. format: of the results, a
    suffix. threads: CPU threads of each worker; 0: all. record: JSON of ``record.describe``, which is written before
    the first result; empty: none. begun: see ``record.Target``.
    """

    out: str
    engine: str = "landmark"
    options: dict[str, Any] = field(default_factory=dict)
    preset: str = ""
    from_alpha: bool = False
    find: Find | None = None
    mask_hole: Polarity = "auto"
    grow: int = 0
    seed: int = 0
    aligned: bool = False
    turn: Turn = "auto"
    require_face: bool = False
    blending: str = "poisson"
    symmetry: bool | None = None
    reference_check: bool = True
    judge: str = "auto"
    format: str = "png"
    threads: int = 0
    record: str = ""
    begun: str = ""


class Worker:
    """Loads engine and judge once, and fills part after part."""

    def __init__(self, settings: Settings) -> None:
        if settings.threads:
            take_threads(settings.threads)
        self.settings, self.target = settings, Target(settings.out, settings.begun)
        self.engine: Engine = load_engine(settings.engine, settings.options)
        self.judge = identity.load(settings.judge) if settings.judge else None
        if settings.find:
            settings.find.load()
        if settings.record:
            self.target.put(SETTINGS, settings.record.encode())

    def __call__(self, part: Part, done: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """Fill the part's photos, except those in ``done``; writes and returns their manifest lines."""
        lines: list[dict[str, Any]] = []
        waiting: list[_Ready] = []
        try:
            started = time.perf_counter()
            for item in part.items(done):
                if isinstance(item, Skipped):
                    lines.append(skipped_line(item))
                    continue
                try:
                    waiting.append(self._prepare(item, time.perf_counter() - started))
                except NothingFoundError as error:
                    found = _found(self.settings.find, 0.0, {})
                    lines.append(_line(item, NOTHING_FOUND) | found | {"reason": str(error)})
                except FaceinpError as error:
                    lines.append(_failed(item, error))
                if len(waiting) >= MAX_PHOTOS or sum(ready.pixels for ready in waiting) >= MAX_PIXELS:
                    lines += self._fill(waiting)
                    waiting = []
                started = time.perf_counter()
        except (OSError, ValueError, tarfile.TarError, DataError) as error:  # of a damaged shard or table
            lines.append({"name": part.source, "outcome": FAILED, "error": str(error), "kind": type(error).__name__})
        lines += self._fill(waiting)
        self.target.add(lines)
        return lines

    def _prepare(self, item: Item, fetch_seconds: float) -> "_Ready":
        """Read the photo and its mask, or make the mask."""
        settings, seconds = self.settings, {"fetch": fetch_seconds}
        if item.problem:
            raise PhotoError(item.problem)
        if len(item.references) > MAX_REFERENCES:
            raise PhotoError(f"The photo has more than {MAX_REFERENCES} references. Keep the best {MAX_REFERENCES}.")
        face = FaceLocation.aligned() if settings.aligned else None
        if item.location is not None:
            face = FaceLocation.from_json(item.location)
        with timed(seconds, "read"):
            opened = photos.read(item.photo)
            if settings.from_alpha:
                opened, mask = mask_from_alpha(opened)
            elif not settings.preset and not settings.find:
                if item.mask is None:
                    raise MaskError(
                        "The photo has no mask. Put a mask with its name into --masks, or use --preset or --find."
                    )
                opened, mask = read_mask(item.mask, opened, item.photo, hole=settings.mask_hole)
        if settings.preset:
            with timed(seconds, "align"):
                if face is None or face.kind != "aligned":  # detected once, for the preset and for the fill
                    faces, _ = locate(opened.pixels, None, face, settings.turn)
                    if not faces:
                        raise no_face()
                    face = FaceLocation.of(faces[0])
                mask = photo_presets.make_preset(
                    settings.preset, opened, face=face, turn=settings.turn, seed=settings.seed
                )
        found: dict[str, Any] = {}
        if settings.find:
            with timed(seconds, "find"):
                proposal = propose(opened, settings.find, face=face, turn=settings.turn)
                mask, found = proposal.as_mask(), _found(settings.find, proposal.share, proposal.shares)
        job = Job(opened, mask.grown(settings.grow), face, [file.content for file in item.references], settings.turn)
        return _Ready(item, job, opened.width * opened.height, seconds, found)

    def _fill(self, waiting: Sequence["_Ready"]) -> list[dict[str, Any]]:
        settings = self.settings
        try:
            results = fill_many(
                [ready.job for ready in waiting],
                engine=self.engine,
                seed=settings.seed,
                require_face=settings.require_face,
                blending=settings.blending,
                symmetry=settings.symmetry,
                reference_check=settings.reference_check,
            )
        except Exception as error:  # an error of a few photos must not end a run over a million
            return [_failed(ready.item, error) for ready in waiting]
        lines = []
        for ready, result in zip(waiting, results, strict=True):
            if isinstance(result, FaceinpError):
                lines.append(_failed(ready.item, result))
                continue
            try:
                lines.append(self._save(ready, result))
            except FaceinpError as error:
                lines.append(_failed(ready.item, error))
        return lines

    def _save(self, ready: "_Ready", result: Result) -> dict[str, Any]:
        """Judge and write the result; returns its manifest line."""
        item, seconds = ready.item, ready.seconds
        name = f"{item.stem}.{self.settings.format}"
        for step, more in result.timings.items():
            seconds[step] = seconds.get(step, 0.0) + more
        with timed(seconds, "encode"):
            data = result.encode(self.settings.format)
        with timed(seconds, "judge"):
            judged = fill_score.judge_fill(result, self.judge) if self.judge and result.faces else None
        with timed(seconds, "put"):
            self.target.put(name, data)
        return _line(item, FILLED) | {
            "result": name,
            "result_sha256": hashlib.sha256(data).hexdigest(),
            "engine": result.engine,
            "runtime": result.runtime,
            "seed": result.seed,
            "seconds": {step: round(spent, 4) for step, spent in seconds.items()},
            "hidden": round(float(result.mask.mean()), 4),
            **ready.found,
            "changed_pixels": result.changed_pixels,
            "sources": {SOURCES[code]: round(share, 4) for code, share in result.shares.items()},
            "references": [_reference_line(*pair) for pair in zip(item.references, result.references, strict=True)],
            "identity": dataclasses.asdict(judged) if judged else None,
            "notes": [*result.notes, *result.losses(self.settings.format)],
        }


@dataclass(frozen=True, eq=False)
class _Ready:
    """A photo that is ready for the engine. pixels: their number. seconds: of each step. found: as of ``_found``."""

    item: Item
    job: Job
    pixels: int
    seconds: dict[str, float]
    found: dict[str, Any]


def _found(find: Find | None, share: float, kinds: dict[str, float]) -> dict[str, Any]:
    """The manifest's entry on what ``find`` marks, as shares of the photo: in total, and of each kind."""
    kinds = {kind: round(share, 6) for kind, share in kinds.items()}
    return {"find": {"name": find.name, "share": round(share, 6), "kinds": kinds}} if find else {}


def skipped_line(skipped: Skipped) -> dict[str, Any]:
    """The manifest line of a skipped file."""
    return {"name": skipped.name, "outcome": SKIPPED, "reason": skipped.reason}


def _failed(item: Item, error: Exception) -> dict[str, Any]:
    return _line(item, FAILED) | {"error": str(error), "kind": type(error).__name__}


def _reference_line(file: File, reference: Reference) -> dict[str, Any]:
    return {
        "name": file.name,
        "share": round(reference.share, 4),
        "distance": reference.distance,
        "refused": reference.refused,
        "problem": reference.problem,
        "note": reference.note,
    }


def _line(item: Item, outcome: str) -> dict[str, Any]:
    return {"name": item.name, "outcome": outcome, "photo_sha256": hashlib.sha256(item.photo).hexdigest()}
