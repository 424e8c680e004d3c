"""``FILE.json`` beside a network's file: what it is, how it is used, and, of our own exports, how far it is from torch.

One file says it all: exporters write what they made and measured, ``engine`` is the section that an engine of somebody
else's network reads (``engines/foreign.py``), ``judge`` the one of a judge of identity (``identity/networks.py``);
where a section is missing its keys are looked for on the first level. Nothing is prepended to the network's own file:
any program that reads its format reads it.
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from faceinp import __version__, weights
from faceinp.errors import WeightsError


def path(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def load(file: Path, place: Path | None = None) -> dict[str, Any]:
    """What the sidecar of ``file`` says. place: where it lies, if not beside it.

    Raises WeightsError when it is missing or no JSON object.
    """
    place = place or path(file)
    try:
        about = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} needs a sidecar, and {place} cannot be read as one ({error}).") from error
    if not isinstance(about, dict):
        raise WeightsError(f"{file} needs a sidecar, and {place} holds no JSON object. Write one: {{...}}.")
    return about


def section(about: dict[str, Any], name: str) -> dict[str, Any]:
    """The part of a sidecar called ``name``; all of it where it has no such part."""
    part = about.get(name, about)
    return part if isinstance(part, dict) else {}


def read(file: Path) -> dict[str, Any]:
    """What the sidecar of an exported file says. Raises WeightsError when it is missing or speaks of another file."""
    try:
        about = load(file)
        digest = weights.sha256(file)
    except (OSError, WeightsError) as error:
        raise WeightsError(f"{error} Export {file.name} again.") from error
    if about.get("sha256") != digest:
        raise WeightsError(f"{path(file)} speaks of another {file.name}: its checksum differs. Export it again.")
    return about


def write(file: Path, about: dict[str, Any]) -> None:
    """Put ``about`` beside ``file``, with the file's own checksum."""
    about = {"file": file.name, "sha256": weights.sha256(file), **about}
    path(file).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def versions(*packages: str) -> dict[str, str]:
    """Versions of faceinp and of those of ``packages`` that are installed."""
    found = {"faceinp": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
