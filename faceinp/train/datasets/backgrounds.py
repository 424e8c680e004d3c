"""Photos to draw damage on: the pictures of shards and of folders, kept as their files and decoded when drawn."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceinp.errors import DataError
from faceinp.photo.arrays import Pixels
from faceinp.train.datasets import data, stored

PHOTO_SHARE = 0.5  # how often a picture comes from a folder of photos, where there is one
SCALES = (0.35, 1.6)  # how much a photo is made smaller or larger
ENLARGED = 2.0  # no more than so much: what is enlarged more is blurred as no photo is


@dataclass(frozen=True)
class Backgrounds:
    """Encoded pictures: those of shards, by their source, which is drawn by the square root of its size, and those of
    folders.
    """

    sources: tuple[tuple[bytes, ...], ...]
    photos: tuple[bytes, ...]

    def __len__(self) -> int:
        return sum(map(len, self.sources)) + len(self.photos)

    def draw(self, side: int, rng: np.random.Generator) -> Pixels:
        """uint8 (side, side, 3): a part of one of them, mirrored or not, at some scale; photos turned, too."""
        whole = bool(self.photos) and (not self.sources or rng.random() < PHOTO_SHARE)
        pictures = self.photos
        if not whole:
            sizes = np.sqrt([len(source) for source in self.sources])
            pictures = self.sources[rng.choice(len(self.sources), p=sizes / sizes.sum())]
        encoded = pictures[rng.integers(len(pictures))]
        picture = stored.pixels(encoded, "a picture of --data or --photos")
        height, width = picture.shape[:2]
        scale = float(np.exp(rng.uniform(*np.log(SCALES))))
        scale = min(max(scale, side / min(height, width)), max(ENLARGED, side / min(height, width)))
        own = max(1, round(side / scale))
        top, left = rng.integers(0, [max(1, height - own + 1), max(1, width - own + 1)])
        part = picture[top : top + own, left : left + own]
        shrinks = own > side
        part = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        if whole:  # there are few, and scenes hold lines in all directions
            part = np.rot90(part, int(rng.integers(4)))
        return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)


def load(shards: Sequence[str], photos: Sequence[str], limit: int) -> tuple[Backgrounds, Backgrounds]:
    """Those to train on and those held back.

    shards: as for ``data.load``; at most ``limit`` pictures of each. photos: paths or globs of photos' files. Raises
    DataError when there is none, or none held back.
    """
    samples: list[tuple[str, str, bytes]] = []
    for shard in data.shard_urls(shards) if shards else ():
        for number, sample in enumerate(data.records(shard)):
            if number >= limit:
                break
            about = sample["about"]
            name, source = str(about.get("identity") or sample["key"]), str(about.get("source", ""))
            samples.append((name, source, sample["picture"]))
    sources: dict[bool, dict[str, list[bytes]]] = {False: {}, True: {}}
    for held, (_, source, picture) in zip(data.held_back([name for name, _, _ in samples]), samples, strict=True):
        sources[held].setdefault(source, []).append(picture)
    files = sorted(Path(file) for pattern in photos for file in glob.glob(pattern))
    read: dict[bool, list[bytes]] = {False: [], True: []}
    for held, file in zip(data.held_back([file.name for file in files]), files, strict=True):
        read[held].append(file.read_bytes())
    both = tuple(
        Backgrounds(tuple(tuple(one) for one in sources[held].values()), tuple(read[held])) for held in (False, True)
    )
    if not all(one.sources or one.photos for one in both):
        raise DataError(f"Too few pictures in {', '.join([*shards, *photos])}. Give more shards or photos.")
    return both[0], both[1]
