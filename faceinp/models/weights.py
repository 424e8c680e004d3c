"""Files of trained weights: where they are, downloading, checksums, and reading them as tensors.

The package's weights are in ``weights/`` of a checkout, or in ``faceinp/_weights`` of an installed package;
FACEINP_WEIGHTS names another folder. Third-party weights are downloaded at first use into ``~/.cache/faceinp``, or
into FACEINP_CACHE; FACEINP_WEIGHTS_URL names another server.
"""

import hashlib
import http.client
import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceinp.errors import EngineError, WeightsError
from faceinp.models import json_values
from faceinp.models.catalogue import CATALOGUE, REMOTE
from faceinp.photo import staging

if TYPE_CHECKING:
    from torch import Tensor


CHECKSUMS = "checksums.json"  # file name -> sha256
MAX_WIDTH = 512  # channels of a layer, or length of a vector, in the package's networks
SCALE = ":scale"  # suffix of the name that stores the scales of int8 weights
SMALLEST_SCALE = 2**-14  # the smallest normal number of fp16
CHUNK = 1 << 20  # bytes read at once of a download
TIMEOUT = 20  # seconds


def folder() -> Path:
    """The folder of weights in use: FACEINP_WEIGHTS, or the package's."""
    chosen = os.environ.get("FACEINP_WEIGHTS")
    return Path(os.path.expanduser(chosen)) if chosen else _package_folder()


def _package_folder() -> Path:
    installed = Path(__file__).parents[1] / "_weights"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "weights"


def path(name: str) -> Path:
    """The file of the weights called ``name``, a key of CATALOGUE. Raises WeightsError if it is missing."""
    entry = CATALOGUE[name]
    file = (_package_folder() if entry.fixed else folder()) / entry.file
    if not file.is_file():
        raise WeightsError(
            f"The weights {name!r} are missing: {file} does not exist. Clone the whole repository, or set "
            "FACEINP_WEIGHTS."
        )
    return file


def missing(name: str) -> str:
    """Why the weights called ``name`` cannot be used; empty if their file exists."""
    try:
        path(name)
    except WeightsError as error:
        return str(error)
    return ""


def cache() -> Path:
    """The folder of downloaded weights."""
    return Path(os.path.expanduser(os.environ.get("FACEINP_CACHE") or "~/.cache/faceinp"))


def fetch(name: str, progress: Callable[[int, int], Any] | None = None) -> Path:
    """The file of the third-party weights called ``name``, a key of REMOTE, downloaded unless it is in the cache.

    Its checksum is compared before each use; a file with another checksum is not kept. progress(done, total): bytes.
    Raises WeightsError if the download fails.
    """
    remote = REMOTE[name]
    file = cache() / remote.file
    if file.is_file() and sha256(file) == remote.sha256:
        return file
    address = f"{(os.environ.get('FACEINP_WEIGHTS_URL') or remote.base).rstrip('/')}/{remote.file}"
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with staging.replacing(file) as part:
            _download(address, part, remote.size, progress)
            if sha256(part) != remote.sha256:
                raise WeightsError(
                    f"The download from {address} is not {remote.about} (checksum mismatch) and was deleted. Try again "
                    "later, or set FACEINP_WEIGHTS_URL to another server."
                )
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise WeightsError(
            f"The weights {name!r} are not in {cache()} and cannot be downloaded from {address} ({error}). Connect to "
            f"a network, or put {remote.file} into that folder."
        ) from error
    return file


def _download(address: str, file: Path, size: int, progress: Callable[[int, int], Any] | None) -> None:
    """Write the content of ``address`` to ``file``; stop once it is longer than ``size`` bytes."""
    with urllib.request.urlopen(address, timeout=TIMEOUT) as response, file.open("wb") as output:
        while (done := output.tell()) <= size and (chunk := response.read(CHUNK)):
            output.write(chunk)
            if progress:
                progress(min(done + len(chunk), size), size)


def read_tensors(file: str | Path) -> tuple[dict[str, str], dict[str, "Tensor"]]:
    """Metadata and CPU tensors of a safetensors file. Raises WeightsError if it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            return opened.metadata() or {}, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{file} cannot be read as safetensors ({error}). Download it again, or use another file."
        ) from error


def with_prefix(tensors: dict[str, "Tensor"], prefix: str) -> dict[str, "Tensor"]:
    """The tensors whose names begin with ``prefix``; it is removed from the names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def read_packed(file: str | Path) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    """The network's settings and its fp32 tensors, of a file that `faceinp weights pack` wrote. Raises WeightsError."""
    metadata, tensors = read_tensors(file)
    return _settings(metadata, file), to_fp32(tensors)


def _settings(metadata: dict[str, str], file: str | Path) -> dict[str, Any]:
    """The settings of a network in a file's metadata, with their types checked. Raises WeightsError."""
    try:
        settings = json_values.parse_object(metadata.get("config", "{}"))
        for key, value in settings.items():
            match key:
                case "network":
                    json_values.text(settings, key)
                case "landmarks":
                    json_values.flag(settings, key)
                case "taught_by":
                    settings[key] = list(json_values.texts(settings, key))
                case _:  # sizes of layers
                    for size in value if isinstance(value, list) else [value]:
                        json_values.whole({key: size}, key, 1, MAX_WIDTH)
    except ValueError as error:
        raise WeightsError(
            f"The network settings in {file} are not valid ({error}). Use a file that `faceinp weights pack` wrote."
        ) from error
    return settings


def check_file(file: Path) -> None:
    """Raise WeightsError unless ``file`` is an existing file."""
    if file.is_dir():
        raise WeightsError(f"{file} is a folder. Give the path of a file.")
    if not file.is_file():
        raise WeightsError(f"There is no file {file}. Check its path.")


def to_fp32(tensors: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Tensors in fp32, from stored fp16, or from int8 with a scale for each output channel (``in_eight_bits``)."""
    scales = {name.removesuffix(SCALE): scale.float() for name, scale in tensors.items() if name.endswith(SCALE)}
    return {
        name: value * scales[name] if name in scales else value.float() if value.is_floating_point() else value
        for name, value in tensors.items()
        if not name.endswith(SCALE)
    }


def in_eight_bits(tensors: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
    """``tensors`` with weights of layers as int8, and the scale of each output channel as ``NAME:scale`` in fp16."""
    import torch

    kept: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if value.ndim < 2 or not value.is_floating_point():
            kept[name] = value
            continue
        largest = value.float().abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True)
        scale = (largest / 127).clamp(min=SMALLEST_SCALE).half()
        kept[name] = (value / scale.float()).round().clamp(-127, 127).to(torch.int8)
        kept[name + SCALE] = scale
    return kept


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recorded(listed: Path) -> dict[str, Any]:
    """The checksums in a list; empty if the list does not exist. Raises WeightsError if it is damaged."""
    try:
        return json_values.read_object(listed) if listed.is_file() else {}
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{listed} cannot be read ({error}). Download it again together with all weights."
        ) from error


def record(file: Path) -> None:
    """Write the checksum of ``file`` to the list beside it."""
    listed = file.parent / CHECKSUMS
    sums = _recorded(listed)
    sums[file.name] = sha256(file)
    staging.write(listed, (json.dumps(sums, indent=2, sort_keys=True) + "\n").encode())


def verify(name: str) -> None:
    """Raise WeightsError unless the file of the weights called ``name`` exists and passes ``verify_file``.

    Its graph is verified if it exists: weights that a user trained may have none.
    """
    file = path(name)
    verify_file(file)
    graph = file.with_suffix(".onnx")
    if CATALOGUE[name].graph and graph.is_file():
        verify_file(graph)


@contextmanager
def reporting_damage(name: str) -> Iterator[None]:
    """Raise a WeightsError about the damage if the weights called ``name`` fail to open here and are damaged."""
    try:
        yield
    except (EngineError, WeightsError):
        file = path(name)
        if file.name in _recorded(file.parent / CHECKSUMS):
            try:
                verify(name)
            except WeightsError as damage:
                raise WeightsError(f"{damage} `faceinp weights verify` checks the others.") from damage
        raise


def verify_file(file: Path) -> None:
    """Raise WeightsError unless the file's checksum is the one in the list beside it."""
    listed = file.parent / CHECKSUMS
    expected = _recorded(listed).get(file.name)
    if expected is None:
        raise WeightsError(f"{listed} has no checksum of {file.name}. Take both from the same release.")
    try:
        same = sha256(file) == expected
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error}). Check its permissions, or download it again.") from error
    if not same:
        raise WeightsError(f"{file} is damaged (checksum mismatch). Download it again.")
