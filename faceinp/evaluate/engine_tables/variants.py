"""Engines with their options, such as "structural+fast+mode=faithful", and hashes that identify their fills.

Four words after a plus sign are modes of measuring, not options of the engine. Three of them fill through
``faceinp.fill_many``, as a user does, with blending: "landmark+symmetry" uses the other half of the face,
"landmark+references" the reference photos that the table reserves, "landmark+symmetry+references" both, and
"landmark+pipeline" neither. Without them an engine is called directly, without exemplars. "landmark+points" is called
directly with the shard's own 68 points of the whole face, which no user has: it shows how much better the engine would
be with perfect landmarks.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from faceinp.engines import foreign
from faceinp.engines.base import Engine
from faceinp.engines.loading import available, known_engine, list_engines, load_engine
from faceinp.errors import EngineError, FaceinpError
from faceinp.models import weights

WORN = "as worn"  # no engine: the face still wears the protective mask or the glasses
PIPELINE, SYMMETRY, REFERENCES, POINTS = "pipeline", "symmetry", "references", "points"
PIPELINE_MODES = frozenset({PIPELINE, SYMMETRY, REFERENCES})
_SEARCHES = ("structural", "dip")  # measured with "fast": nearly the same result in a fraction of the time
_SLOWEST = ("biharmonic", "patchmatch", "tv", *_SEARCHES)  # measured last, so that other results appear early
# Stored fills and figures depend on these numbers, besides weights and options. Raise a number by hand whenever the
# code that it names returns another result for the same input. Anything not listed has revision 1.
REVISIONS = {"pipeline": 1, WORN: 1, "comparisons": 1, "vectors": 1, "windows": 1, "averages": 1}


def revision(name: str) -> int:
    """The revision of an engine, or of another part that draws or measures."""
    return REVISIONS.get(name, 1)


@dataclass(frozen=True)
class Name:
    """An engine as the user names it. modes: the words of this module that the name contains."""

    text: str
    engine: str
    options: tuple[tuple[str, bool | int | str], ...]
    modes: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Parse "name+option+option=value"."""
        engine, *parts = text.split("+")
        modes = frozenset(parts) & (PIPELINE_MODES | {POINTS})
        pairs = (part.partition("=") for part in parts if part not in modes)
        options = tuple((key, int(value) if value.isdigit() else value or True) for key, _, value in pairs)
        return cls(text, engine, options, modes)

    @property
    def label(self) -> str:
        """The name in tables: without the folders of its files, which are private."""
        return re.sub(r"(?<=[=:])[^+]*/", "", self.text)

    def load(self) -> Engine:
        """Load the engine. Raises what ``load_engine`` raises, and EngineError where it cannot use points."""
        engine = load_engine(self.engine, dict(self.options))
        if POINTS in self.modes and (not engine.guided or self.modes & PIPELINE_MODES):
            raise EngineError("+points needs an engine that follows landmarks, and no other word of measuring.")
        return engine


@dataclass(frozen=True)
class Variant:
    """An engine with its options, ready to be measured.

    size, largest: the engine's. runtime: what computes it. taught_by: judges in its network's loss. fingerprint: sha256
    of everything that its fills depend on, except picture, hole and seed.
    """

    name: Name
    size: int
    largest: int
    runtime: str
    taught_by: tuple[str, ...]
    fingerprint: str

    @property
    def label(self) -> str:
        return self.name.label

    @property
    def uses_pipeline(self) -> bool:
        return bool(self.name.modes & PIPELINE_MODES)

    def side(self, size: int) -> int:
        """The side of the pictures that the engine gets in a table of ``size``: its own where it has only one."""
        return self.size if self.size == self.largest else min(size, self.largest)


_file_sha256 = cache(weights.sha256)


def describe(text: str) -> Variant:
    """Load an engine and describe it; raises what ``Name.load`` raises."""
    name = Name.parse(text)
    if text == WORN:
        return Variant(name, 1, 1 << 16, "", (), _sha256([WORN, revision(WORN)]))
    engine = name.load()
    files = {
        key: _file_sha256(Path(value))
        for key, value in name.options
        if isinstance(value, str) and Path(value).is_file()
    }
    if name.engine.startswith(foreign.PREFIX):
        file = Path(name.engine.removeprefix(foreign.PREFIX))
        files |= {"": _file_sha256(file), "sidecar": _file_sha256(file.with_name(f"{file.name}.json"))}
    shipped = {needed: _file_sha256(weights.path(needed)) for needed in engine.needs.weights}
    parts: list[Any] = [name.engine, dict(name.options) | files, shipped, engine.runtime, revision(name.engine)]
    parts.append(sorted(name.modes))
    if name.modes & PIPELINE_MODES:  # the pipeline's landmark predictor aligns exemplars
        parts += [revision("pipeline"), _file_sha256(weights.path("landmarks"))]
    return Variant(name, engine.size, engine.largest, engine.runtime, tuple(engine.taught_by), _sha256(parts))


described = cache(describe)  # once per process


def choose(names: Sequence[str] | None, size: int) -> tuple[list[Variant], dict[str, str]]:
    """The engines that can be measured on pictures of ``size``, fast ones first, and why the others cannot.

    names: None means all that run here. Raises EngineError for an unknown name.
    """
    statuses = list_engines()
    if names is None:
        names = sorted(available(), key=lambda name: _SLOWEST.index(name) + 1 if name in _SLOWEST else 0)
        names = [f"{name}+fast" if name in _SEARCHES else name for name in names]
    ready: list[Variant] = []
    skipped: dict[str, str] = {}
    for text in dict.fromkeys(names):
        engine = Name.parse(text).engine
        if not engine.startswith(foreign.PREFIX):
            known_engine(engine)
        if reason := next((status.missing for status in statuses if status.answers_to(engine)), ""):
            skipped[text] = reason
            continue
        try:
            variant = described(text)
        except FaceinpError as error:
            skipped[text] = str(error)
            continue
        if variant.side(size) > 2 * size:
            skipped[text] = f"It works at {variant.size} x {variant.size} pixels; this table is {size} x {size}."
        else:
            ready.append(variant)
    return ready, skipped


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
