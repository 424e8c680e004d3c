"""Which weights there are, where their files lie, and whether a file is what it should be.

Weights of the package lie in ``weights/`` of a checkout, or are installed with the package as
``faceinp/_weights``; FACEINP_WEIGHTS names another folder. Weights of others are fetched when first used, into
``~/.cache/faceinp`` or FACEINP_CACHE; FACEINP_WEIGHTS_URL names another place to fetch them from.
"""

import hashlib
import http.client
import json
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceinp.common import json_values, staging
from faceinp.errors import EngineError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor


CHECKSUMS = "checksums.json"  # file name -> sha256
WIDEST = 512  # channels of a layer, or numbers of a vector, in a network of ours
SCALE = ":scale"  # behind the name of weights in 8 bits


@dataclass(frozen=True)
class Weights:
    """One file of trained weights. ``about`` is one line; its model card lies beside it as ``NAME.md``.

    graph: whether the network runs without torch: ``FILE.onnx`` lies beside it, which reads its numbers there. fixed:
    it is the package's own whatever FACEINP_WEIGHTS says: nobody trains another.
    """

    name: str
    file: str
    about: str
    licence: str
    graph: bool = False
    fixed: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Its file, and its graph where it has one."""
        return (self.file, str(Path(self.file).with_suffix(".onnx"))) if self.graph else (self.file,)


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
        Weights(
            "embedding",
            "embedding.safetensors",
            "The bundled judge: a face becomes a unit vector",
            "research use only",
            graph=True,
        ),
        Weights(
            "completion",
            "completion.safetensors",
            "Landmark-guided completion at 256 x 256, generator (averaged) and discriminator",
            "research use only",
            graph=True,
        ),
        Weights(
            "landmarks",
            "landmarks.safetensors",
            "Predictor of 68 landmarks on faces with holes",
            "research use only",
            graph=True,
        ),
        Weights(
            "damage",
            "damage.safetensors",
            "Finds damage of photos: scratches, spots, tears",
            "research use only",
            graph=True,
        ),
        Weights(
            "occluders",
            "occluders.safetensors",
            "Finds what hides a face: glasses, hands",
            "research use only",
            graph=True,
        ),
        Weights("mtcnn-pnet", "mtcnn-pnet.onnx", "Face detector MTCNN: proposes boxes", "MIT", fixed=True),
        Weights("mtcnn-rnet", "mtcnn-rnet.onnx", "Face detector MTCNN: refines boxes", "MIT", fixed=True),
        Weights("mtcnn-onet", "mtcnn-onet.onnx", "Face detector MTCNN: boxes and five points", "MIT", fixed=True),
        Weights(
            "face-likeness",
            "face-likeness.safetensors",
            "How predicted landmarks look where there is a face, and where not",
            "research use only",
        ),
        Weights("embedding-calibration", "embedding.json", "What that judge's distances mean", "Apache-2.0"),
        Weights(
            "reference-check",
            "reference-check.json",
            "How far a reference photo may lie from what a hole leaves of a face",
            "Apache-2.0",
        ),
        Weights("dlib-calibration", "dlib.json", "What the distances of dlib's network mean", "Apache-2.0"),
    )
}


@dataclass(frozen=True)
class Remote:
    """One file of somebody else's weights: ``file`` below the address ``base``, ``size`` in bytes."""

    name: str
    file: str
    base: str
    size: int
    sha256: str
    about: str
    licence: str


REMOTE = {
    w.name: w
    for w in (
        Remote(
            "facenet",
            "20180402-114759-vggface2.pt",
            "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9",
            111_898_327,
            "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            "FaceNet: InceptionResnetV1 trained on VGGFace2",
            "MIT",
        ),
    )
}


def folder() -> Path:
    """The folder of weights that is used: the one that FACEINP_WEIGHTS names, or the package's."""
    chosen = os.environ.get("FACEINP_WEIGHTS")
    return Path(os.path.expanduser(chosen)) if chosen else _own_folder()


def _own_folder() -> Path:
    installed = Path(__file__).parents[1] / "_weights"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "weights"


def path(name: str) -> Path:
    """The file of the weights called ``name``; raises WeightsError when it is not there."""
    kind = CATALOGUE[name]
    file = (_own_folder() if kind.fixed else folder()) / kind.file
    if not file.is_file():
        raise WeightsError(
            f"The weights {name!r} are missing: {file} is not there. Clone the repository whole, or set "
            "FACEINP_WEIGHTS."
        )
    return file


def missing(name: str) -> str:
    """Why the weights called ``name`` cannot be used; empty when their file is there."""
    try:
        path(name)
    except WeightsError as error:
        return str(error)
    return ""


def cache() -> Path:
    """The folder of fetched weights."""
    return Path(os.path.expanduser(os.environ.get("FACEINP_CACHE") or "~/.cache/faceinp"))


def fetch(name: str, progress: Callable[[int, int], Any] | None = None) -> Path:
    """The file of somebody else's weights called ``name``, fetched unless the cache holds it.

    Its checksum is compared before each use; a file that is not the right one is not kept. progress(done, total):
    bytes. Raises WeightsError when there is no way to get it.
    """
    wanted = REMOTE[name]
    file = cache() / wanted.file
    if file.is_file() and sha256(file) == wanted.sha256:
        return file
    address = f"{(os.environ.get('FACEINP_WEIGHTS_URL') or wanted.base).rstrip('/')}/{wanted.file}"
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as scratch:
            part = Path(scratch) / wanted.file
            with urllib.request.urlopen(address, timeout=20) as answer, part.open("wb") as written:
                while (done := written.tell()) <= wanted.size and (chunk := answer.read(1 << 20)):
                    written.write(chunk)
                    if progress:
                        progress(min(done + len(chunk), wanted.size), wanted.size)
            if sha256(part) != wanted.sha256:
                raise WeightsError(
                    f"What came from {address} is not {wanted.about}: its checksum is another. Nothing was kept. Try "
                    "again later, or name another place in FACEINP_WEIGHTS_URL."
                )
            part.replace(file)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise WeightsError(
            f"The weights {name!r} are not in {cache()} and cannot be fetched from {address} ({error}). Connect to a "
            f"network, or put {wanted.file} there by hand."
        ) from error
    return file


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


def packed(file: str | Path) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    """What `faceinp weights pack` wrote: the settings the network is rebuilt from, and its tensors in fp32."""
    metadata, tensors = read_tensors(file)
    return _settings(metadata, file), floats(tensors)


def _settings(metadata: dict[str, str], file: str | Path) -> dict[str, Any]:
    """Of a network, each of a kind that one can be made of. Raises WeightsError."""
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
                        json_values.whole({key: size}, key, 1, WIDEST)
    except ValueError as error:
        raise WeightsError(
            f"The settings in {file} make no network ({error}). Use a file made by `faceinp weights pack`."
        ) from error
    return settings


def check_file(file: Path) -> None:
    """Raise WeightsError unless ``file`` is one."""
    if file.is_dir():
        raise WeightsError(f"{file} is a folder. Give the path of a file.")
    if not file.is_file():
        raise WeightsError(f"There is no file {file}. Check its path.")


def floats(tensors: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Networks compute in fp32. Shipped weights are fp16, or int8 with a scale for each output channel."""
    scales = {name.removesuffix(SCALE): scale.float() for name, scale in tensors.items() if name.endswith(SCALE)}
    return {
        name: value * scales[name] if name in scales else value.float() if value.is_floating_point() else value
        for name, value in tensors.items()
        if not name.endswith(SCALE)
    }


def in_eight_bits(tensors: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The weights of layers among ``tensors`` as int8, and as ``NAME:scale`` what each output channel is times."""
    import torch

    kept: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if value.ndim < 2 or not value.is_floating_point():
            kept[name] = value
            continue
        largest = value.float().abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True)
        scale = (largest / 127).clamp(min=2**-14).half()  # below it fp16 gets coarse
        kept[name] = (value / scale.float()).round().clamp(-127, 127).to(torch.int8)
        kept[name + SCALE] = scale
    return kept


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recorded(listed: Path) -> dict[str, Any]:
    """The checksums in a list; none where there is no list. Raises WeightsError for one that is damaged."""
    try:
        return json_values.read_object(listed) if listed.is_file() else {}
    except (OSError, ValueError) as error:
        raise WeightsError(f"{listed} cannot be read ({error}). Fetch it again, with all weights beside it.") from error


def record(file: Path) -> None:
    """Write the checksum of ``file`` to the list beside it."""
    listed = file.parent / CHECKSUMS
    sums = _recorded(listed)
    sums[file.name] = sha256(file)
    staging.write(listed, (json.dumps(sums, indent=2, sort_keys=True) + "\n").encode())


def verify(name: str) -> None:
    """Raise WeightsError unless the file of the weights called ``name`` is there and as ``verify_file`` wants it, and
    so is their graph where there is one: weights of one's own need none.
    """
    file = path(name)
    verify_file(file)
    graph = file.with_suffix(".onnx")
    if CATALOGUE[name].graph and graph.is_file():
        verify_file(graph)


@contextmanager
def naming_damage(name: str) -> Iterator[None]:
    """Where something of ours cannot be opened within, a WeightsError says so if its file is not the recorded one."""
    try:
        yield
    except (EngineError, WeightsError):
        own = path(name)
        if own.name in _recorded(own.parent / CHECKSUMS):
            try:
                verify(name)
            except WeightsError as damage:
                raise WeightsError(f"{damage} `faceinp weights verify` checks all others.") from damage
        raise


def verify_file(file: Path) -> None:
    """Raise WeightsError unless the file's checksum is the one recorded beside it."""
    listed = file.parent / CHECKSUMS
    expected = _recorded(listed).get(file.name)
    if expected is None:
        raise WeightsError(f"No checksum of {file.name} in {listed}. Take both from one release.")
    try:
        same = sha256(file) == expected
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({error}). Look at its permissions, or fetch it again.") from error
    if not same:
        raise WeightsError(f"{file} is damaged: its checksum is not the recorded one. Fetch it again.")
