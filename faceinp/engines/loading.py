"""List the engines, and make one by name.

Listing imports no heavy package; an engine imports its packages when it is made.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from faceinp.deprecation import options_as_keywords
from faceinp.engines import classical, foreign, landmark, latent
from faceinp.engines.base import Engine, Needs, registry
from faceinp.errors import EngineError, MissingPackageError, require
from faceinp.models import weights

# The modules that register engines, in the order in which engines are listed.
FAMILIES = tuple(family.__name__ for family in (landmark, latent, classical))
# Deprecated names: an engine and its options.
ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "landmark-onnx": ("landmark", {"runtime": "onnxruntime"}),
    "landmark-openvino": ("landmark", {"runtime": "openvino"}),
    "landmark-tensorrt": ("landmark", {"runtime": "tensorrt"}),
}


@dataclass(frozen=True)
class Status:
    """An engine and whether it can run on this machine; one line of ``faceinp engines``.

    name, about, needs, completes_faces: as in ``Engine``. missing: why it cannot run and what to do; empty if it can.
    aliases: deprecated names that ``load_engine`` still accepts.
    """

    name: str
    about: str
    needs: Needs
    missing: str
    completes_faces: bool
    aliases: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.missing

    def answers_to(self, name: str | None) -> bool:
        """Whether this is a current or deprecated name of the engine."""
        return name in (self.name, *self.aliases)


def available() -> dict[str, type[Engine]]:
    """Every engine by name, the recommended one first."""
    families = {family: number for number, family in enumerate(FAMILIES)}  # engines of other packages come last
    return dict(sorted(registry.items(), key=lambda item: families.get(item[1].__module__, len(FAMILIES))))


def list_engines() -> list[Status]:
    """All engines, their requirements, and whether each can run on this machine."""
    return [
        Status(
            name,
            kind.about,
            kind.needs,
            _missing(kind),
            kind.completes_faces,
            tuple(alias for alias, (engine, _) in ALIASES.items() if engine == name),
        )
        for name, kind in available().items()
    ]


@options_as_keywords
def load_engine(name: str, options: Mapping[str, Any] | None = None) -> Engine:
    """Make an engine by name.

    name: one of ``list_engines()``, one of ALIASES, or "onnx:FILE" for another ONNX file with a sidecar (see
    ``engines.foreign``). options: of the engine, by name: ``load_engine("structural", {"fast": True})``.
    Raises EngineError for an unknown name or option, MissingPackageError and WeightsError if it cannot run here.
    """
    name, implied = ALIASES.get(name, (name, {}))
    options = {**implied, **(options or {})}
    make: Callable[..., Engine]
    if name.startswith(foreign.PREFIX):
        kind: type[Engine] = foreign.ForeignOnnx
        make = partial(foreign.ForeignOnnx, name.removeprefix(foreign.PREFIX))
    else:
        kind = make = known_engine(name)
    parameters = inspect.signature(make).parameters.values()
    offered = [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    offered += kind.options
    if unknown := sorted(set(options) - set(offered)):
        names = ", ".join(map(repr, unknown))
        raise EngineError(
            f"Unknown option{'s' * (len(unknown) > 1)} {names} for engine {name!r}. "
            f"Available: {', '.join(offered) or 'none'}."
        )
    for package in kind.needs.packages:
        require(package, kind.needs.extra)
    return make(**options)


def known_engine(name: str) -> type[Engine]:
    """The class of an engine by its name. Raises EngineError for an unknown name."""
    name, kinds = ALIASES.get(name, (name, {}))[0], available()
    if name not in kinds:
        raise EngineError(f"Unknown engine {name!r}. Choose one of: {', '.join(kinds)}, or {foreign.PREFIX}FILE.")
    return kinds[name]


def _missing(kind: type[Engine]) -> str:
    try:
        for package in kind.needs.packages:
            require(package, kind.needs.extra)
    except MissingPackageError as error:
        return str(error)
    return next((reason for name in kind.needs.weights if (reason := weights.missing(name))), "") or kind.hindrance()
