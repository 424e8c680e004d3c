"""Engines as measuring names them, "structural+fast+mode=faithful", and what tells one's fills from another's.

Four words after a plus sign are no options of the engine. Three send its pictures through ``faceinp.fill_many``, as a
user's, blended: "landmark+symmetry" uses the face's other half, "landmark+references" the reference photos that a table
sets aside, "landmark+symmetry+references" both, and "landmark+pipeline" neither. Without one an engine is measured
through its own contract, and no exemplar is used. There "landmark+points" is told the shard's own 68 points of the
whole face, which no user has: how much better the engine would be, were the landmarks never wrong.
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

WORN = "as worn"  # no engine: the face with the protective mask or the glasses still on
PIPELINE, SYMMETRY, REFERENCES, POINTS = "pipeline", "symmetry", "references", "points"
BY_PIPELINE = frozenset({PIPELINE, SYMMETRY, REFERENCES})
_FAST = ("structural", "dip")  # measured in their quick setting: as near in a fraction of the time
_LAST = ("biharmonic", "patchmatch", "tv", *_FAST)  # these take long: whoever waits sees the others first
# What fills and figures are kept by, beside weights and options: raise a number here by hand whenever the code it
# names gives another result from the same input. What is not listed is at 1.
REVISIONS = {"pipeline": 1, WORN: 1, "comparisons": 1, "vectors": 1, "windows": 1, "averages": 1}


def revision(name: str) -> int:
    """Of an engine or of another part that draws or measures."""
    return REVISIONS.get(name, 1)


@dataclass(frozen=True)
class Name:
    """An engine as it is asked for. words: those of this module that it has."""

    text: str
    engine: str
    options: tuple[tuple[str, bool | int | str], ...]
    words: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Of "name+option+option=value"."""
        engine, *parts = text.split("+")
        words = frozenset(parts) & (BY_PIPELINE | {POINTS})
        pairs = (part.partition("=") for part in parts if part not in words)
        options = tuple((key, int(value) if value.isdigit() else value or True) for key, _, value in pairs)
        return cls(text, engine, options, words)

    @property
    def label(self) -> str:
        """What tables call it: without the folders of its files, which are this machine's own."""
        return re.sub(r"(?<=[=:])[^+]*/", "", self.text)

    def load(self) -> Engine:
        """The engine itself; raises as ``load_engine``, and EngineError where it cannot be told points."""
        engine = load_engine(self.engine, dict(self.options))
        if POINTS in self.words and (not engine.guided or self.words & BY_PIPELINE):
            raise EngineError("Only an engine that follows landmarks, measured by its contract, is told points.")
        return engine


@dataclass(frozen=True)
class Variant:
    """An engine with its options, ready to be measured.

    size, largest: the engine's. runtime: what computes. taught_by: judges in its network's loss. fingerprint: sha256
    of all that its fills depend on beside picture, hole and seed.
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
    def by_pipeline(self) -> bool:
        return bool(self.name.words & BY_PIPELINE)

    def side(self, size: int) -> int:
        """The side at which it is given pictures of ``size``: its own where it has but one."""
        return self.size if self.size == self.largest else min(size, self.largest)


def describe(text: str) -> Variant:
    """What is to be known of an engine; raises as ``Name.load``."""
    name = Name.parse(text)
    if text == WORN:
        return Variant(name, 1, 1 << 16, "", (), _sha([WORN, revision(WORN)]))
    engine = name.load()
    files = {key: _file(Path(value)) for key, value in name.options if isinstance(value, str) and Path(value).is_file()}
    if name.engine.startswith(foreign.PREFIX):
        file = Path(name.engine.removeprefix(foreign.PREFIX))
        files |= {"": _file(file), "sidecar": _file(file.with_name(f"{file.name}.json"))}
    shipped = {needed: _file(weights.path(needed)) for needed in engine.needs.weights}
    told: list[Any] = [name.engine, dict(name.options) | files, shipped, engine.runtime, revision(name.engine)]
    told.append(sorted(name.words))
    if name.words & BY_PIPELINE:  # the pipeline's own predictor finds the points of exemplars
        told += [revision("pipeline"), _file(weights.path("landmarks"))]
    return Variant(name, engine.size, engine.largest, engine.runtime, tuple(engine.taught_by), _sha(told))


described = cache(describe)  # once a process


def choose(wanted: Sequence[str] | None, size: int) -> tuple[list[Variant], dict[str, str]]:
    """Those that can be measured on pictures of ``size``, quick ones first, and why the others cannot.

    wanted: names, or None for all that are ready.
    Raises EngineError for an unknown name.
    """
    listed = list_engines()
    if wanted is None:
        wanted = sorted(available(), key=lambda name: _LAST.index(name) + 1 if name in _LAST else 0)
        wanted = [f"{name}+fast" if name in _FAST else name for name in wanted]
    ready: list[Variant] = []
    skipped: dict[str, str] = {}
    for text in dict.fromkeys(wanted):
        engine = Name.parse(text).engine
        if not engine.startswith(foreign.PREFIX):
            known_engine(engine)
        if reason := next((status.missing for status in listed if status.answers_to(engine)), ""):
            skipped[text] = reason
            continue
        try:
            variant = described(text)
        except FaceinpError as error:
            skipped[text] = str(error)
            continue
        if variant.side(size) > 2 * size:
            skipped[text] = f"It works at {variant.size} x {variant.size} pixels, not at {size} x {size}."
        else:
            ready.append(variant)
    return ready, skipped


@cache
def _file(path: Path) -> str:
    return weights.sha256(path)


def _sha(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
