"""Sidecars: the JSON file ``FILE.onnx.json`` or ``FILE.engine.json`` beside a network's file describes it.

Exporters write what they exported and its errors against torch. The section ``engine`` is for a third-party network as
an engine (``engines/foreign.py``), the section ``judge`` for a judge of identity (``identity/networks.py``); without a
section, its keys are read from the first level. The network's own file is unchanged, so any program can read it.
"""

import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from faceinp import __version__
from faceinp.errors import WeightsError
from faceinp.models import input_limits, json_values, weights

PRECISIONS = ("fp32", "fp16", "int8")
MAX_SIDE = 16384  # pixels
MAX_BATCH = 2**31 - 1


def path(file: Path) -> Path:
    """The sidecar of ``file``."""
    return file.with_name(f"{file.name}.json")


def load(file: Path, sidecar: Path | None = None) -> dict[str, Any]:
    """The content of a sidecar, unchecked. sidecar: its path (default: beside ``file``).

    Raises WeightsError if it is missing or no JSON object.
    """
    sidecar = sidecar or path(file)
    try:
        return json_values.read_object(sidecar)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} needs a sidecar, and {sidecar} cannot be read as one ({error}).") from error


def section(about: dict[str, Any], name: str) -> dict[str, Any]:
    """The section of a sidecar called ``name``, or the whole sidecar if it has no such section."""
    part = about.get(name, about)
    return part if isinstance(part, dict) else {}


def read(file: Path) -> dict[str, Any]:
    """The content of an exported file's sidecar, with its types checked.

    Raises WeightsError if it is missing, does not match the file, or has a wrong value.
    """
    weights.check_file(file)
    try:
        about = load(file)
        digest = weights.sha256(file)
    except (OSError, WeightsError) as error:
        raise WeightsError(f"{error} Export {file.name} again.") from error
    if about.get("sha256") != digest:
        raise WeightsError(f"{path(file)} does not match {file.name} (checksum mismatch). Export it again.")
    try:
        return about | _checked(about)
    except ValueError as error:
        raise WeightsError(f"{path(file)} is not a valid sidecar: {error}. Export it again.") from error


def _checked(about: dict[str, Any]) -> dict[str, Any]:
    """The values that need conversion, such as lists. Raises ValueError if any value has a wrong type."""
    for key in ("name", "about", "licence"):
        json_values.text(about, key)
    json_values.flag(about, "trained")
    json_values.flag(about, "guided", True)
    json_values.text(about, "precision", among=PRECISIONS)
    json_values.whole(about, "size", 0, MAX_SIDE)
    for key in ("inputs", "outputs", "tolerance"):
        json_values.section(about, key)
    input_limits.from_json(json_values.section(about, "limits"))
    hashes = json_values.section(about, "weights")
    for name in hashes:
        json_values.text(hashes, name)
    checked: dict[str, Any] = {"taught_by": list(json_values.texts(about, "taught_by"))}
    if "backend" not in about:
        return checked | {"batch": _range(about, "batch")}
    for key in ("backend", "version", "onnx_sha256"):
        json_values.text(about, key)
    profiles, layers = json_values.values_of(about, "profiles"), json_values.values_of(about, "layers")
    if not profiles:
        raise ValueError("'profiles' is empty")
    if not all(isinstance(layer, list) and [type(one) for one in layer] == [str, str, str] for layer in layers):
        raise ValueError("'layers' must be lists of name, kind and precision")
    return checked | {
        "capability": list(json_values.texts(about, "capability")),
        "profiles": [_range({"profiles": profile}, "profiles") for profile in profiles],
        "layers": layers,
    }


def _range(about: dict[str, Any], key: str) -> list[int]:
    """The smallest and the largest batch."""
    least, most = json_values.numbers(about, key, 2, 1, MAX_BATCH)
    if least > most or least % 1 or most % 1:
        raise ValueError(f"{key!r} must be the smallest and the largest batch, got {least:g} and {most:g}")
    return [int(least), int(most)]


def write(file: Path, about: dict[str, Any]) -> None:
    """Write ``about`` and the file's checksum as the sidecar of ``file``."""
    about = {"file": file.name, "sha256": weights.sha256(file), **about}
    path(file).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def move(part: Path, file: Path) -> None:
    """Move ``part``, a verified file, and its sidecar to ``file`` on the same disk (``staging.folder``).

    Two files cannot be moved in one step, so the former sidecar is deleted first and the new one is moved last. If the
    process dies in between, ``file`` has no sidecar, which ``read`` refuses. Two processes at once may mix a file and a
    sidecar; then the checksum does not match.
    """
    path(file).unlink(missing_ok=True)
    part.replace(file)
    path(part).replace(path(file))


def versions(*packages: str) -> dict[str, str]:
    """Versions of faceinp and of those of ``packages`` that are installed."""
    installed = {"faceinp": __version__}
    for package in packages:
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed
