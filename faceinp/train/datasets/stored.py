"""Pictures that stay in their shards and are decoded when they are drawn, for sets that memory does not hold.

A step draws its pictures by number, so that a run that was stopped goes on with the same ones: a shuffle buffer over a
stream could not, and mixes neighbours only. So the shards are indexed once, where each picture lies in which file, and
read there. Processes share one copy, the system's cache of the files, which it gives up when memory is wanted.
"""

import io
import json
import os
import resource
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from faceinp.errors import DataError
from faceinp.photo.arrays import resize

EXTENSIONS = ("webp", "jpg", "jpeg", "png")
BLOCK = 512  # pictures that are decoded together
SHARE = 0.5  # of the memory that is free: what decoded pictures may take of it


class Extent(NamedTuple):
    """Where an encoded picture lies in a tar. key: its name there."""

    file: str
    offset: int
    length: int
    key: str


@dataclass(frozen=True, eq=False)
class Stored:
    """uint8 (N, 3, size, size), RGB, indexed as a tensor is: what comes out is one, decoded now."""

    extents: tuple[Extent, ...]
    size: int

    def __len__(self) -> int:
        return len(self.extents)

    def __getitem__(self, index: Any) -> Tensor:
        numbers = np.arange(len(self))[index.numpy() if isinstance(index, Tensor) else index]
        wanted = (self.extents[number] for number in np.atleast_1d(numbers).tolist())
        decoded = self._pool.map(lambda one: decode(_read(one), self.size, f"{one.file}: {one.key}")[0], wanted)
        stacked = np.stack(list(decoded)) if numbers.size else np.zeros((0, self.size, self.size, 3), np.uint8)
        pictures = torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))
        return pictures if numbers.ndim else pictures[0]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), 3, self.size, self.size

    @property
    def nbytes(self) -> int:
        """What they would take, decoded."""
        return len(self) * 3 * self.size**2

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def to(self, device: torch.device) -> Tensor:
        """All of them, decoded, by blocks: many small arrays would leave the heap full of holes."""
        parts = [self[at : at + BLOCK] for at in range(0, len(self), BLOCK)]
        return torch.cat(parts or [self[:]]).to(device)

    def subset(self, numbers: Sequence[int]) -> "Stored":
        return Stored(tuple(self.extents[number] for number in numbers), self.size)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor()  # Pillow decodes outside of Python's lock


def _read(extent: Extent) -> bytes:
    with open(extent.file, "rb") as shard:
        shard.seek(extent.offset)
        return shard.read(extent.length)


def width(extent: Extent) -> int:
    """How wide the picture there is, in pixels."""
    return _opened(_read(extent), f"{extent.file}: {extent.key}").width


def decode(encoded: bytes, size: int, source: str) -> tuple[NDArray[Any], int]:
    """A picture, uint8 (size, size, 3), and how wide it was. source: for the error, "SHARD: KEY"."""
    picture = pixels(encoded, source)
    width = picture.shape[1]
    if picture.shape[:2] != (size, size):
        picture = resize(picture, size, size)
    return picture, width


def pixels(encoded: bytes, source: str) -> NDArray[Any]:
    """A picture, uint8 (H, W, 3), RGB. Raises DataError, which names ``source``, for what cannot be decoded."""
    opened = _opened(encoded, source)
    try:
        return np.asarray(opened.convert("RGB"))
    except Exception as error:  # each of Pillow's decoders raises its own
        raise _damaged_picture(source, error) from error


def _opened(encoded: bytes, source: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(encoded))
    except Exception as error:  # each of Pillow's decoders raises its own
        raise _damaged_picture(source, error) from error


def _damaged_picture(source: str, error: Exception) -> DataError:
    return DataError(f"{source}: the picture cannot be decoded ({error}). Make the shard anew, or fetch it again.")


def grey_pictures(path: str | Path, what: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The name and the grey picture of each PNG in a tar, by name. Raises DataError where it is no tar of ``what``."""
    try:
        with tarfile.open(path, tarinfo=CheckedMember) as tar:
            for member in sorted(tar.getmembers(), key=lambda member: member.name):
                if member.name.endswith(".png") and (file := tar.extractfile(member)):
                    yield member.name, np.asarray(Image.open(io.BytesIO(file.read())).convert("L"))
    except (OSError, SyntaxError, tarfile.TarError) as error:
        raise DataError(f"{path} cannot be read as a tar of {what}. Give another file.") from error


def can_index(url: str) -> bool:
    """Whether it is, by its name, a tar on this machine that is not compressed."""
    return url.endswith(".tar") and Path(url).is_file()


def index(urls: Sequence[str]) -> Iterator[dict[str, Any]]:
    """{"key", "extent", "about": the JSON, "source"} of each picture in local tars, as ``data.records`` has them.

    Raises DataError for what is no uncompressed tar, for a damaged one, and for JSON that cannot be read.
    """
    for url in urls:
        if not Path(url).is_file():
            raise DataError(f"{url} is no local file. Copy shards that memory does not hold to this machine first.")

        def extent(tar: tarfile.TarFile, member: tarfile.TarInfo, url: str = url) -> Extent:
            return Extent(url, member.offset_data, member.size, _split(member.name)[0])

        yield from _samples(url, "r:", "extent", extent)


def read(url: str) -> Iterator[dict[str, Any]]:
    """{"key", "picture": encoded bytes, "about": the JSON, "source"} of each picture in a local tar, compressed or not.

    Raises DataError for what is no tar, for a damaged one, and for JSON that cannot be read.
    """
    return _samples(url, "r:*", "picture", _content)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _samples(
    url: str, mode: Any, name: str, take: Callable[[tarfile.TarFile, tarfile.TarInfo], Any]
) -> Iterator[dict[str, Any]]:
    """The samples of the tar at ``url``. What ``take`` makes of a picture's member goes by ``name``."""
    sample: dict[str, Any] = {}
    extensions: list[str] = []  # of the pictures of this sample
    try:
        with tarfile.open(url, mode, tarinfo=CheckedMember) as tar:
            for member in tar:
                key, _, extension = _split(member.name)
                if not member.isfile() or not key.rpartition("/")[2]:  # such as "._a.webp"
                    continue
                if sample and sample["key"] != key:
                    yield from _whole(sample, name, url)
                    sample, extensions = {}, []
                sample["key"] = key
                if extension == "json":
                    sample["about"] = about(_content(tar, member), f"{url}: {key}")
                elif extension in EXTENSIONS:
                    extensions.append(extension)
                    if extension == min(extensions, key=EXTENSIONS.index):
                        sample[name] = take(tar, member)
            yield from _whole(sample, name, url)
            _check_end(tar)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if not sample:
            kind = "an uncompressed tar" if mode == "r:" else "a tar"
            raise DataError(f"{url} cannot be read as {kind} ({error}). Make it anew.") from error
        raise DataError(
            f"{url} is damaged after {sample['key']!r} ({error}). Make it anew, or fetch it again."
        ) from error


class CheckedMember(tarfile.TarInfo):
    """A tar's member. Python's own takes a damaged header, and the end of a cut file, for the end of the tar."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Any:
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            if isinstance(error, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise
            raise tarfile.ReadError(f"{error} at byte {tar.offset:,}") from error


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise ReadError where more than padding follows the block of zeros that ends a tar."""
    file: Any = tar.fileobj
    while block := file.read(1 << 16):
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"data after the end mark before byte {file.tell():,}")


def about(content: bytes, source: str) -> dict[str, Any]:
    """The JSON beside a picture. Raises DataError, which names ``source``, for what cannot be read."""
    try:
        values = json.loads(content or b"{}")
    except ValueError as error:  # JSON's and Unicode's
        raise DataError(
            f"{source}: its JSON cannot be read ({error}). Make the shard anew, or fetch it again."
        ) from error
    if not isinstance(values, dict):
        raise DataError(f"{source}: its JSON must hold values by name. `faceinp data build` makes shards.")
    return values


def _split(name: str) -> tuple[str, str, str]:
    """The key of a member's name, as WebDataset has it, and its extension."""
    folder, slash, file = name.rpartition("/")
    stem, dot, extension = file.partition(".")
    return f"{folder}{slash}{stem}", dot, extension.lower()


def _whole(sample: dict[str, Any], name: str, url: str) -> Iterator[dict[str, Any]]:
    if name in sample:
        yield {"about": {}, "source": f"{url}: {sample['key']}"} | sample


def fits(nbytes: int) -> bool:
    """Whether memory holds so many bytes in each of the processes of this machine that train together."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ.get("WORLD_SIZE", "1")))
    return nbytes * processes <= SHARE * free_memory()


def free_memory() -> int:
    """Bytes that this process can take: of the machine, of its container, and of its own limit, the least."""
    limits = [limit for limit in map(_limit, (resource.RLIMIT_AS, resource.RLIMIT_DATA)) if limit is not None]
    for file, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            limits.append(int(Path(file).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # another system, or "max"
            continue
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits.append(next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    except (OSError, StopIteration):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits)


def _limit(which: int) -> int | None:
    soft, _ = resource.getrlimit(which)
    return None if soft == resource.RLIM_INFINITY else soft
