"""Engines as measuring names them, "structural+fast+mode=faithful", and what tells one's fills from another's.

Three words after a plus sign are no options of the engine: they send its pictures through ``faceinp.fill_many``, as a
user's, blended. "landmark+symmetry" uses the face's other half, "landmark+references" the reference photos that a table
sets aside, "landmark+symmetry+references" both, and "landmark+pipeline" neither. Without such a word an engine is
measured through its own contract, and no exemplar is used.
"""

import ast
import hashlib
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import faceinp
from faceinp import weights
from faceinp.engines import foreign
from faceinp.engines.base import Engine
from faceinp.engines.loading import available, known_engine, list_engines, load_engine
from faceinp.errors import FaceinpError

WORN = "as worn"  # no engine: the face with the protective mask or the glasses still on
_FAST = ("structural", "dip")  # measured in their quick setting: as near in a fraction of the time
PIPELINE, SYMMETRY, REFERENCES = "pipeline", "symmetry", "references"  # words that are no engine's options
_LAST = ("biharmonic", "patchmatch", "tv", *_FAST)  # these take long: whoever waits sees the others first
_APART = ("faceinp", "faceinp.errors", "faceinp.weights")  # code that no pixel depends on


@dataclass(frozen=True)
class Variant:
    """An engine with its options.

    name: as given. size, largest: the engine's. runtime: what computes. taught_by: judges in its network's loss.
    identity: sha256 of all that its fills depend on beside picture, hole and seed: options, weights, runtime, code.
    words: those of PIPELINE, SYMMETRY, REFERENCES in its name; none where it is measured through the engine's contract.
    """

    name: str
    size: int
    largest: int
    runtime: str
    taught_by: tuple[str, ...]
    identity: str
    words: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """What tables call it."""
        return label(self.name)

    def side(self, size: int) -> int:
        """The side at which it is given pictures of ``size``: its own where it has but one."""
        return self.size if self.size == self.largest else min(size, self.largest)


def words(variant: str) -> frozenset[str]:
    """Which of PIPELINE, SYMMETRY and REFERENCES are in "name+option+option=value"."""
    return frozenset(variant.split("+")[1:]) & {PIPELINE, SYMMETRY, REFERENCES}


def engine_of(variant: str) -> str:
    """The variant without those words: how the engine itself is made."""
    return "+".join(part for part in variant.split("+") if part not in words(variant))


def named(variant: str) -> tuple[str, dict[str, bool | int | str]]:
    """The engine's name and options in "name+option+option=value"."""
    name, *given = engine_of(variant).split("+")
    options: dict[str, bool | int | str] = {}
    for key, _, value in (option.partition("=") for option in given):
        options[key] = int(value) if value.isdigit() else value or True
    return name, options


def label(variant: str) -> str:
    """The name without the folders of its files, which are this machine's own."""
    return re.sub(r"(?<=[=:])[^+]*/", "", variant)


def load(variant: str) -> Engine:
    """The engine; raises as ``load_engine``."""
    name, options = named(variant)
    return load_engine(name, options)


def describe(variant: str, engine: Engine | None = None) -> Variant:
    """What is to be known of it; ``engine`` where it is loaded already."""
    if variant == WORN:
        return Variant(variant, 1, 1 << 16, "", (), _sha([variant, code_of("faceinp.worn")]))
    name, options = named(variant)
    engine = engine or load(variant)
    files = {
        key: _file(Path(value)) for key, value in options.items() if isinstance(value, str) and Path(value).is_file()
    }
    if name.startswith(foreign.PREFIX):
        file = Path(name.removeprefix(foreign.PREFIX))
        files |= {"": _file(file), "sidecar": _file(file.with_name(f"{file.name}.json"))}
    shipped = {needed: _file(weights.path(needed)) for needed in engine.needs.weights}
    identity: list[Any] = [name, options | files, shipped, engine.runtime, faceinp.__version__]
    identity.append(code_of(type(engine).__module__))
    through = words(variant)
    if through:  # the pipeline's own predictor finds the points of exemplars
        identity += [sorted(through), code_of("faceinp.pipeline"), _file(weights.path("landmarks"))]
    taught_by = tuple(engine.taught_by)
    return Variant(variant, engine.size, engine.largest, engine.runtime, taught_by, _sha(identity), through)


def choose(wanted: Sequence[str] | None, size: int) -> tuple[list[Variant], dict[str, str]]:
    """Those that can be measured on pictures of ``size``, quick ones first, and why the others cannot.

    wanted: names, or None for all that are ready.
    Raises EngineError for an unknown name.
    """
    listed = list_engines()
    if wanted is None:
        wanted = [f"{name}+fast" if name in _FAST else name for name in available()]
        wanted.sort(key=lambda variant: _LAST.index(named(variant)[0]) + 1 if named(variant)[0] in _LAST else 0)
    ready: list[Variant] = []
    skipped: dict[str, str] = {}
    for name in dict.fromkeys(wanted):
        engine = named(name)[0]
        if not engine.startswith(foreign.PREFIX):
            known_engine(engine)
        if reason := next((status.missing for status in listed if status.answers_to(engine)), ""):
            skipped[name] = reason
            continue
        try:
            variant = described(name)
        except FaceinpError as error:
            skipped[name] = str(error)
            continue
        if variant.side(size) > 2 * size:
            skipped[name] = f"It works at {variant.size} x {variant.size} pixels, not at {size} x {size}."
        else:
            ready.append(variant)
    return ready, skipped


@cache
def described(variant: str) -> Variant:
    """``describe``, once a process."""
    return describe(variant)


@cache
def code_of(module: str) -> str:
    """sha256 of a module's code and of all that it imports from this package: comments and layout do not count."""
    return _sha(sorted(sources(module).items()))


def sources(module: str) -> dict[str, str]:
    """The code of a module and of all that it imports from this package, inside of functions, too, by name."""
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        found = _spec(name) if name not in seen and name not in _APART else None
        if found is None or not found.origin or not found.origin.endswith(".py"):
            continue
        tree = ast.parse(Path(found.origin).read_text())
        seen[name] = ast.dump(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names if alias.name.startswith("faceinp")]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("faceinp"):
                waiting += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return seen


def _spec(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):  # a name of a module, not a module
        return None


@cache
def _file(path: Path) -> str:
    return weights.sha256(path)


def _sha(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
