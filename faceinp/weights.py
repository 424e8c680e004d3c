"""Which weights there are, where their files lie, and whether a file is what it should be.

Weights of the package lie in ``weights/`` of a checkout, or are installed with the package as
``faceinp/_weights``; FACEINP_WEIGHTS names another folder.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceinp.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

CHECKSUMS = "checksums.json"  # file name -> sha256


@dataclass(frozen=True)
class Weights:
    """One file of trained weights. ``about`` is one line; its model card lies beside it as ``NAME.md``."""

    name: str
    file: str
    about: str
    licence: str


CATALOGUE = {
    w.name: w
    for w in (
        Weights(
            "dcgan",
            "dcgan.safetensors",
            "DCGAN at 64 x 64, generator (averaged) and discriminator",
            "research use only",
        ),
        Weights(
            "dcgan-limits",
            "dcgan-limits.json",
            "Measured limits of the first paper's losses on that generator",
            "Apache-2.0",
        ),
    )
}


def folder() -> Path:
    """The folder that holds the package's weights."""
    if chosen := os.environ.get("FACEINP_WEIGHTS"):
        return Path(chosen)
    installed = Path(__file__).parent / "_weights"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "weights"


def path(name: str) -> Path:
    """The file of the weights called ``name``; raises WeightsError when it is not there."""
    file = folder() / CATALOGUE[name].file
    if not file.is_file():
        raise WeightsError(
            f"The weights {name!r} are not at {file}. Clone the repository whole, or set FACEINP_WEIGHTS."
        )
    return file


def missing(name: str) -> str:
    """Why the weights called ``name`` cannot be used; empty when their file is there."""
    try:
        path(name)
    except WeightsError as error:
        return str(error)
    return ""


def read_tensors(file: str | Path) -> tuple[dict[str, str], dict[str, "Tensor"]]:
    """Metadata and CPU tensors of a safetensors file; raises WeightsError when it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            return opened.metadata() or {}, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{file} cannot be read as safetensors ({error}). Fetch it again, or give another."
        ) from error


def under(tensors: dict[str, "Tensor"], prefix: str) -> dict[str, "Tensor"]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def record(file: Path) -> None:
    """Write the checksum of ``file`` to the list beside it."""
    listed = file.parent / CHECKSUMS
    sums = json.loads(listed.read_text()) if listed.is_file() else {}
    sums[file.name] = sha256(file)
    listed.write_text(json.dumps(sums, indent=2, sort_keys=True) + "\n")


def verify(name: str) -> None:
    """Raise WeightsError unless the file's checksum is the one recorded beside it."""
    file = path(name)
    expected = json.loads((folder() / CHECKSUMS).read_text()).get(file.name)
    if expected is None:
        raise WeightsError(f"No checksum of {file.name} in {folder() / CHECKSUMS}. Take both from one release.")
    if sha256(file) != expected:
        raise WeightsError(f"{file} is damaged: its checksum is not the recorded one. Fetch it again.")
