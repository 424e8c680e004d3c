"""The metadata that exporters write into ONNX files, under keys with the prefix ``faceinp.``."""

from pathlib import Path
from typing import Any

from faceinp.errors import WeightsError
from faceinp.models import input_limits, json_values


def read(metadata: dict[str, str], file: Path | bytes) -> dict[str, Any]:
    """The metadata of an exporter in an ONNX file: ``taught_by``, ``guided``, ``limits`` as values, the others as text.

    Raises WeightsError for invalid metadata, and if a file is missing that the graph reads its numbers from.
    """
    about: dict[str, Any] = {
        key.removeprefix("faceinp."): value for key, value in metadata.items() if key.startswith("faceinp.")
    }
    try:
        for key in ("name", "precision"):
            json_values.text(about, key, "")
        if "taught_by" in about:
            about["taught_by"] = list(json_values.texts(_parsed(about, "taught_by"), "taught_by"))
        if "guided" in about:
            about["guided"] = json_values.flag(_parsed(about, "guided"), "guided")
        if "limits" in about:
            about |= _parsed(about, "limits")
            input_limits.from_json(json_values.section(about, "limits"))
        external = [file.with_name(name) for name in external_files(about)] if isinstance(file, Path) else []
    except ValueError as error:
        raise WeightsError(f"{label(file)} has invalid metadata: {error}. Export or download it again.") from error
    for numbers in external:
        if not numbers.is_file():
            raise WeightsError(f"{label(file)} reads {numbers}, which is missing. Take both from the same release.")
    return about


def label(file: Path | bytes) -> str:
    """The name of a model in messages."""
    return "the model" if isinstance(file, bytes) else str(file)


def external_files(about: dict[str, Any]) -> dict[str, str]:
    """The files beside an ONNX file that it reads its numbers from: name -> SHA-256. about: of a ``Session``.

    Raises ValueError for names with folders, which an open session never has.
    """
    if "reads" not in about:
        return {}
    hashes = json_values.section(_parsed(about, "reads"), "reads")
    for name in hashes:
        json_values.text(hashes, name)
        if name != Path(name).name or name == ".." or "\\" in name:
            raise ValueError(f"'reads' must name files without folders, got {name!r}")
    return hashes


def _parsed(about: dict[str, Any], key: str) -> dict[str, Any]:
    """{key: value} of a value that is stored as JSON."""
    try:
        return {key: json_values.parse(about[key])}
    except ValueError as error:
        raise ValueError(f"{key!r} is not JSON ({error})") from error
