"""``FILE.onnx.json`` or ``FILE.engine.json`` beside a network's file: what it is, how it is used, and, of our own
exports, how far it is from torch.

One file says it all: exporters write what they made and measured, ``engine`` is the section that an engine of somebody
else's network reads (``engines/foreign.py``), ``judge`` the one of a judge of identity (``identity/networks.py``);
where a section is missing its keys are looked for on the first level. Nothing is prepended to the network's own file:
any program that reads its format reads it.
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from faceinp import __version__
from faceinp.common import json_values
from faceinp.errors import WeightsError
from faceinp.models import input_limits, weights

PRECISIONS = ("fp32", "fp16", "int8")
LARGEST, MOST = 16384, 2**31 - 1  # pixels of a side, and pictures at once


def path(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def load(file: Path, place: Path | None = None) -> dict[str, Any]:
    """What the sidecar of ``file`` says. place: where it lies, if not beside it.

    Raises WeightsError when it is missing or no JSON object.
    """
    place = place or path(file)
    try:
        return json_values.read_object(place)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} needs a sidecar, and {place} cannot be read as one ({error}).") from error


def section(about: dict[str, Any], name: str) -> dict[str, Any]:
    """The part of a sidecar called ``name``; all of it where it has no such part."""
    part = about.get(name, about)
    return part if isinstance(part, dict) else {}


def read(file: Path) -> dict[str, Any]:
    """What the sidecar of an exported file says, with every value that is used later as an exporter writes it.

    Raises WeightsError when it is missing, speaks of another file, or says something else.
    """
    weights.check_file(file)
    try:
        about = load(file)
        digest = weights.sha256(file)
    except (OSError, WeightsError) as error:
        raise WeightsError(f"{error} Export {file.name} again.") from error
    if about.get("sha256") != digest:
        raise WeightsError(f"{path(file)} speaks of another {file.name}: its checksum differs. Export it again.")
    try:
        return about | _checked(about)
    except ValueError as error:
        raise WeightsError(f"{path(file)} is not as an exporter writes it: {error}. Export it again.") from error


def _checked(about: dict[str, Any]) -> dict[str, Any]:
    """The values that exporters and runtimes use, a list where one is meant. Raises ValueError for any other kind."""
    for key in ("name", "about", "licence"):
        json_values.text(about, key)
    json_values.flag(about, "trained")
    json_values.flag(about, "guided", True)
    json_values.text(about, "precision", among=PRECISIONS)
    json_values.whole(about, "size", 0, LARGEST)
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
    """The least and the most pictures at once."""
    least, most = json_values.numbers(about, key, 2, 1, MOST)
    if least > most or least % 1 or most % 1:
        raise ValueError(f"{key!r} must be the least and the most pictures at once, got {least:g} and {most:g}")
    return [int(least), int(most)]


def write(file: Path, about: dict[str, Any]) -> None:
    """Put ``about`` beside ``file``, with the file's own checksum."""
    about = {"file": file.name, "sha256": weights.sha256(file), **about}
    path(file).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def move(part: Path, file: Path) -> None:
    """Give ``part``, a file that was judged, and the sidecar beside it their places: ``file``, and beside that.

    Both are on one disk (``staging.folder``). No system moves two files in one step, so the earlier sidecar goes first
    and the new one comes last: whenever the process dies, a file lies there with its own sidecar or with none, which
    ``read`` refuses and exporters make again; never with that of another file. Two processes at once may still end up
    with the file of one and the sidecar of the other; its checksum tells.
    """
    path(file).unlink(missing_ok=True)
    part.replace(file)
    path(part).replace(path(file))


def versions(*packages: str) -> dict[str, str]:
    """Versions of faceinp and of those of ``packages`` that are installed."""
    found = {"faceinp": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
