"""Faces from WebDataset shards: ``KEY.webp|jpg|png`` beside ``KEY.json`` (points, identity, source).

Pictures are decoded once and kept in memory as uint8, 100,000 faces of 64 x 64 take 1.2 GB, or, where memory does not
hold them, decoded when they are drawn (``stored``).
"""

import glob
import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import webdataset
from numpy.typing import NDArray
from torch import Tensor

from faceinp.errors import DataError
from faceinp.train.datasets import stored
from faceinp.train.datasets.stored import Stored

HELD_BACK_SHARE = 0.02
BLOCK = 512
DECODE = ("auto", "start", "use")  # when; auto: at the start where memory holds all, else at each use


@dataclass(frozen=True)
class Faces:
    """Aligned faces.

    pictures: uint8 (N, 3, size, size), RGB, in memory or in their shards. points: float32 (N, 68, 2), x and y as shares
    of the width, NaN where a shard gives none. identities: the person's name, or None; one name is one person in all
    shards. sources: where each face comes from; empty when nothing is known of it. points_from: what made its
    points, likewise.
    """

    pictures: Tensor | Stored
    points: Tensor
    identities: tuple[str | None, ...]
    keys: tuple[str, ...]
    sources: tuple[str, ...] = ()
    points_from: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def size(self) -> int:
        return self.pictures.shape[-1]

    def to(self, device: torch.device) -> "Faces":
        """Pictures and points on ``device``, where they leave half of a GPU's free memory; else as they are."""
        if device.type == self.pictures.device.type:  # asked at every step
            return self
        if device.type == "cuda" and self.pictures.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return replace(self, pictures=self.pictures.to(device), points=self.points.to(device))

    def subset(self, indices: Sequence[int]) -> "Faces":
        chosen = torch.as_tensor(list(indices), dtype=torch.long)
        pictures = self.pictures
        return Faces(
            pictures.subset(indices) if isinstance(pictures, Stored) else pictures[chosen],
            self.points[chosen],
            tuple(self.identities[i] for i in indices),
            tuple(self.keys[i] for i in indices),
            tuple(self.sources[i] for i in indices) if self.sources else (),
            tuple(self.points_from[i] for i in indices) if self.points_from else (),
        )

    def with_points(self) -> "Faces":
        """Those that have all 68 points; raises DataError when none has."""
        known = torch.nonzero(self.points.isfinite().all(dim=2).all(dim=1)).flatten().tolist()
        if len(known) == len(self):
            return self
        if not known:
            raise DataError("No face of these shards has 68 points. Give shards whose JSON holds `points`.")
        return self.subset(known)

    def split(self) -> tuple["Faces", "Faces"]:
        """Training faces and a held-back slice (2 %): whole persons where the person is known.

        The split depends on names alone, so every run and every network holds back the same people (``held_back``).
        """
        held = held_back([i or k for i, k in zip(self.identities, self.keys, strict=True)])
        return (
            self.subset([n for n, out in enumerate(held) if not out]),
            self.subset([n for n, out in enumerate(held) if out]),
        )

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        """Cumulative probabilities of the faces, each source's in proportion to the square root of its size."""
        _, source, sizes = np.unique(self.sources or ("",) * len(self), return_inverse=True, return_counts=True)
        cumulative = (1 / np.sqrt(sizes[source])).cumsum()
        return cumulative / cumulative[-1]

    def choose(self, count: int, rng: np.random.Generator) -> Tensor:
        """Indices (count,) of faces. A source is drawn by the square root of its size, so that no large one rules."""
        return torch.from_numpy(np.searchsorted(self._cumulative, rng.random(count), side="right"))

    def batch(self, size: int, *, seed: int, step: int, rank: int = 0, flip: bool = True) -> Tensor:
        """float32 (size, 3, S, S) in [0, 1], drawn by (seed, step, rank) alone, so that a resumed run sees the same."""
        rng = np.random.default_rng((seed, step, rank))
        chosen = torch.from_numpy(rng.integers(len(self), size=size))
        pictures = self.pictures[chosen].float() / 255
        if flip:
            mirrored = torch.from_numpy(rng.random(size) < 0.5)
            pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        return pictures


def is_held_back(name: str) -> bool:
    return _share(name) < HELD_BACK_SHARE


def held_back(names: Sequence[str]) -> list[bool]:
    """Which of ``names`` are held back: where chance holds back none of a few, the one that came nearest."""
    held = [is_held_back(name) for name in names]
    if any(held) or len(set(names)) < 2:
        return held
    nearest = min(names, key=_share)
    return [name == nearest for name in names]


def _share(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, and looks random."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def load(patterns: str | Sequence[str], size: int, *, limit: int | None = None, decode: str = "start") -> Faces:
    """Every picture of the shards that ``patterns`` (paths, globs or URLs) name, resized to ``size``.

    decode: one of DECODE. Raises DataError when nothing matches or a shard holds no picture, or is not on this machine
    and its pictures are to be decoded at each use.
    """
    if decode == "start" or (decode == "auto" and not all(map(stored.can_index, shard_urls(patterns)))):
        return _in_memory(patterns, size, limit)
    faces = _stored(patterns, size, limit)
    if decode == "auto" and stored.fits(faces.pictures.nbytes):
        return replace(faces, pictures=faces.pictures.to(torch.device("cpu")))
    return faces


def _in_memory(patterns: str | Sequence[str], size: int, limit: int | None) -> Faces:
    pictures: list[Tensor] = []  # by blocks: many small arrays would leave the heap full of holes
    known: list[Known] = []
    samples = islice(records(patterns), limit)
    with ThreadPoolExecutor() as pool:  # Pillow decodes outside of Python's lock
        while block := list(islice(samples, BLOCK)):
            decoded = list(pool.map(lambda sample: stored.decode(sample["picture"], size), block))
            stacked = np.stack([picture for picture, _ in decoded]).transpose(0, 3, 1, 2)
            pictures.append(torch.from_numpy(np.ascontiguousarray(stacked)))
            known += [_known(sample, width) for sample, (_, width) in zip(block, decoded, strict=True)]
    return _faces(patterns, torch.cat(pictures) if pictures else torch.zeros(0, 3, size, size), known)


def _stored(patterns: str | Sequence[str], size: int, limit: int | None) -> Faces:
    known: list[Known] = []
    extents: list[stored.Extent] = []
    for sample in islice(stored.index(shard_urls(patterns)), limit):
        known.append(_known(sample, 0 if "size" in sample["about"] else stored.width(sample["extent"])))
        extents.append(sample["extent"])
    return _faces(patterns, Stored(tuple(extents), size), known)


class Known(NamedTuple):
    """What a shard says of a face, as ``Faces`` has it."""

    points: NDArray[np.float32]
    identity: str | None
    key: str
    source: str
    points_from: str


def _known(sample: dict[str, Any], width: int) -> Known:
    """width: of the picture, where its JSON does not say."""
    about = sample["about"]
    points, side = about.get("points") or np.full((68, 2), np.nan), np.float32(about.get("size", width))
    person = about.get("identity")
    name = None if person is None else str(person)
    return Known(
        np.asarray(points, np.float32) / side,
        name,
        sample["key"],
        str(about.get("source", "")),
        about.get("points_from") or "",
    )


def _faces(patterns: str | Sequence[str], pictures: Tensor | Stored, known: Sequence[Known]) -> Faces:
    if not known:
        raise DataError(
            f"No picture in {patterns}. Shards hold KEY.webp beside KEY.json; `faceinp data build` makes them."
        )
    points, identities, keys, sources, points_from = zip(*known, strict=True)
    return Faces(pictures, torch.from_numpy(np.stack(points)), identities, keys, sources, points_from)


def records(patterns: str | Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield {"key", "picture": encoded bytes, "about": the JSON} for each sample, in shard order."""
    # Each process sees all faces: what it draws of them comes from its rank.
    dataset = webdataset.WebDataset(shard_urls(patterns), shardshuffle=False, empty_check=False, nodesplitter=None)
    for sample in dataset:  # never .decode(): its defaults would unpickle
        encoded = next((sample[e] for e in stored.EXTENSIONS if e in sample), None)
        if encoded is not None:
            yield {"key": sample["__key__"], "picture": encoded, "about": json.loads(sample.get("json", b"{}"))}


def shard_urls(patterns: str | Sequence[str]) -> list[str]:
    """Globs become sorted paths, a folder its tars; a scheme (``s3://``, ``pipe:``) passes through for WebDataset."""
    urls: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        if ":" not in pattern and Path(pattern).is_dir():
            tars = sorted(Path(pattern).glob("*.tar"))
            if len({"-val-" in tar.name for tar in tars}) > 1:
                raise DataError(
                    f"{pattern} holds shards to train on and shards to measure on (-val-). Name those that you want: "
                    f"'{Path(pattern)}/*-val-*.tar'."
                )
            urls += map(str, tars)
        else:
            urls += [pattern] if ":" in pattern else sorted(glob.glob(pattern))
    if not urls:
        raise DataError(f"No shard matches {patterns}. Give WebDataset tars: paths, globs, or their folder.")
    return urls
