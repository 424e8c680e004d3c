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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from faceinp.errors import DataError

EXTENSIONS = ("webp", "jpg", "jpeg", "png")
BLOCK = 512  # pictures that are decoded together
SHARE = 0.5  # of the memory that is free: what decoded pictures may take of it


class Extent(NamedTuple):
    """Where an encoded picture lies in a tar."""

    file: str
    offset: int
    length: int


@dataclass(frozen=True, eq=False)
class Stored:
    """uint8 (N, 3, size, size), RGB, indexed as a tensor is: what comes out is one, decoded now."""

    extents: tuple[Extent, ...]
    size: int

    def __len__(self) -> int:
        return len(self.extents)

    def __getitem__(self, index: Any) -> Tensor:
        numbers = np.arange(len(self))[index.numpy() if isinstance(index, Tensor) else index]
        decoded = self._pool.map(self._decoded, np.atleast_1d(numbers).tolist())
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

    def _decoded(self, number: int) -> NDArray[np.uint8]:
        return decode(_read(self.extents[number]), self.size)[0]


def _read(extent: Extent) -> bytes:
    with open(extent.file, "rb") as shard:
        shard.seek(extent.offset)
        return shard.read(extent.length)


def width(extent: Extent) -> int:
    """How wide the picture there is, in pixels."""
    return Image.open(io.BytesIO(_read(extent))).width


def decode(encoded: bytes, size: int) -> tuple[NDArray[np.uint8], int]:
    """A picture, uint8 (size, size, 3), and how wide it was."""
    picture = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    width = picture.shape[1]
    if picture.shape[:2] != (size, size):
        shrink = picture.shape[0] > size
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)
    return picture, width


def can_index(url: str) -> bool:
    """Whether it is, by its name, a tar on this machine that is not compressed."""
    return url.endswith(".tar") and Path(url).is_file()


def index(urls: Sequence[str]) -> Iterator[dict[str, Any]]:
    """{"key", "extent", "about": the JSON} of each picture in local tars, in their order, as ``data.records`` has them.

    Raises DataError for what is no uncompressed tar.
    """
    for url in urls:
        if not Path(url).is_file():
            raise DataError(f"{url} is no local file. Copy shards that memory does not hold to this machine first.")
        sample: dict[str, Any] = {}
        try:
            with tarfile.open(url, "r:") as tar:
                for member in tar:
                    if not member.isfile():
                        continue
                    key, _, extension = _split(member.name)
                    if sample and sample["key"] != key:
                        yield from _whole(sample)
                        sample = {}
                    sample["key"] = key
                    if extension == "json":
                        sample["about"] = json.load(tar.extractfile(member) or io.BytesIO(b"{}"))
                    elif extension in EXTENSIONS:
                        sample["extent"] = Extent(url, member.offset_data, member.size)
                yield from _whole(sample)
        except tarfile.TarError as error:
            raise DataError(f"{url} cannot be read as an uncompressed tar ({error}). Make it anew.") from error


def _split(name: str) -> tuple[str, str, str]:
    """The key of a member's name, as WebDataset has it, and its extension."""
    folder, slash, file = name.rpartition("/")
    stem, dot, extension = file.partition(".")
    return f"{folder}{slash}{stem}", dot, extension.lower()


def _whole(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "extent" in sample:
        yield {"about": {}} | sample


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
