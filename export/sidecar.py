"""``FILE.json`` beside each exported file: what it is, what made it, and how far it is from torch.

Nothing is prepended to the file itself: any program that reads its format reads it.
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from faceinp import __version__, weights
from faceinp.engines.sessions import read_sidecar as read

__all__ = ["path", "read", "versions", "write"]


def path(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def write(file: Path, about: dict[str, Any]) -> None:
    """Put ``about`` beside ``file``, with the file's own checksum."""
    about = {"file": file.name, "sha256": weights.sha256(file), **about}
    path(file).write_text(json.dumps(about, indent=2) + "\n")


def versions(*packages: str) -> dict[str, str]:
    """Versions of faceinp and of those of ``packages`` that are installed."""
    found = {"faceinp": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
