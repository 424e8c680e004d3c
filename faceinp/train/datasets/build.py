"""``faceinp data build``: cuts aligned faces out of photos into the shards that ``data`` reads.

A source is CelebA, whose five landmarks a face are taken as they are; or any folder, zip or tar of photos, whose faces
are found, or which are aligned crops already. Each face gets 68 landmarks.
"""

import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.engines.base import Progress
from faceinp.errors import DataError, NoFaceError, PhotoError
from faceinp.face import detection, faces
from faceinp.photo import photos
from faceinp.train.datasets import photo_files, photo_lists, photo_points
from faceinp.train.datasets.photo_files import PhotoFiles
from faceinp.train.datasets.photo_lists import Known
from faceinp.train.datasets.photo_points import PREDICTORS, Points, Predictor

QUALITY = 95  # of the WebP crops
SMALLEST_SIZE = 16
Quad = NDArray[np.float64]


@dataclass(frozen=True)
class Built:
    """What a build wrote and what it left out. points: how many faces got theirs from "own", "dlib", "file" (a table of
    --points), "pts" (beside the photo) or "none". unreadable: photos, also those that ``aligned`` refuses.
    """

    faces: int
    shards: int
    points: Mapping[str, int]
    unreadable: int
    faceless: int
    small: int


def build(
    source: str | Path,
    out: str | Path,
    *,
    size: int = 256,
    points: str | Path = "own",
    aligned: bool = False,
    split: str | None = None,
    identity_from: str | None = None,
    smallest: int = 96,
    shard_megabytes: float = 20,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> Built:
    """Write the faces of ``source`` to shards in the folder ``out``, in the order of the photos' names.

    source: the download of CelebA, as published or Kaggle's; or a folder, a zip or a tar of photos. size: side of the
    crops in pixels. points: where the 68 landmarks come from: "own", the shipped predictor; "dlib", its predictor;
    "none"; or a CSV of them, see ``photo_points.table``. ``NAME.pts`` beside a photo is used before any of these.
    aligned: the photos are square, aligned crops, and are taken whole. split: CelebA's "train" (None), "val", "test" or
    "all". identity_from: "folder" makes the photo's folder the person, of whom only the largest face is taken.
    smallest: faces whose crop is narrower in their photo, in pixels, are left out. shard_megabytes: the most that a
    shard of several faces takes. say: told of every photo left out.

    Raises DataError when ``out`` holds shards already, CelebA's lists or the points are missing, arguments do not fit,
    or nothing was found; WeightsError and MissingPackageError for the predictor.
    """
    source, out = Path(source), Path(out)
    _check(out, size, smallest, shard_megabytes)
    files = photo_files.opened(source)
    photo_list = photo_lists.listed(files, split, identity_from, aligned, say)
    landmarks = _landmarks(points, photo_list.names)
    out.mkdir(parents=True, exist_ok=True)
    count: Counter[str] = Counter()
    origins: Counter[str] = Counter()
    with Shards(out, photo_list.source, int(shard_megabytes * 1e6)) as shards:
        for done, name in enumerate(photo_list.names, start=1):
            known, known_points = photo_list.known(name), None
            try:
                known_points = landmarks.known(files, name)
                pixels = photos.read(files.read(name)).pixels
                quads = _quads(pixels, known, known_points, aligned)
                if not quads:
                    raise NoFaceError("No face was found in it.")
            except (PhotoError, NoFaceError, OSError) as error:  # NoFaceError: also where its turn is in doubt
                count["faceless" if isinstance(error, NoFaceError) else "unreadable"] += 1
                say(f"left out: {source / name}: {error}")
                quads = ()
            for number, quad in enumerate(quads[:1] if identity_from else quads):
                native = round(faces.side(quad))
                if native < smallest:
                    count["small"] += 1
                    continue
                origin, on_crop = landmarks.on_crop(pixels, quad, known_points)
                about: dict[str, Any] = {"size": size, "identity": known.identity, "source": photo_list.source}
                about |= {"native": native, "points": None, "points_from": origin}
                if on_crop is not None:
                    about["points"] = np.round(np.float64(on_crop) * size, 1).tolist()
                picture = faces.align(pixels, _no_hole(pixels), quad, size).pixels
                shards.add(f"{known.key}-{number}" if number else known.key, _sample(picture, about))
                count["faces"] += 1
                origins[origin or "none"] += 1
            if progress:
                progress(done, len(photo_list.names))
    if not count["faces"]:
        raise DataError(f"No face of at least {smallest} pixels in {source}. Lower --smallest, or give other photos.")
    return Built(count["faces"], shards.number, origins, count["unreadable"], count["faceless"], count["small"])


def _check(out: Path, size: int, smallest: int, shard_megabytes: float) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file. Choose a folder for the shards.")
    if any(out.glob("*.tar*")):
        raise DataError(f"{out} already holds shards. Remove them, or choose another folder.")
    if size < SMALLEST_SIZE:
        raise DataError(f"--size is the side of the crops in pixels, {SMALLEST_SIZE} or more, got {size}.")
    if smallest < 1 or shard_megabytes <= 0:
        raise DataError(f"--smallest and --shard-megabytes must be positive, got {smallest} and {shard_megabytes:g}.")


@dataclass(frozen=True)
class _Landmarks:
    """Where the faces' points come from, after ``NAME.pts``. table: the rows of --points FILE."""

    table: Mapping[str, Points]
    predictor: Predictor | None
    name: str

    def known(self, files: PhotoFiles, name: str) -> tuple[str, Points] | None:
        """What they come from and the points, (68, 2) in pixels of the photo of that name; None: nobody knows them."""
        points = photo_points.beside(files, name)
        if points is not None:
            return "pts", points
        return ("file", self.table[name]) if name in self.table else None

    def on_crop(
        self, pixels: NDArray[np.uint8], quad: Quad, known: tuple[str, Points] | None
    ) -> tuple[str | None, Points | None]:
        """What they come from and the points, (68, 2) in shares of the side of the crop at ``quad``."""
        if known is not None:
            return known[0], faces.to_crop(known[1], quad)
        if self.predictor is None:
            return None, None
        crop = faces.align(pixels, _no_hole(pixels), quad, self.predictor.side).pixels
        return self.name, self.predictor.predict(crop)


def _landmarks(points: str | Path, names: Sequence[str]) -> _Landmarks:
    if points == "none":
        return _Landmarks({}, None, "")
    if points in PREDICTORS:
        return _Landmarks({}, photo_points.predictor(str(points)), str(points))
    if not Path(points).is_file():
        raise DataError(f"--points {points} is no file, and none of {', '.join(PREDICTORS)}, none. Check the path.")
    return _Landmarks(photo_points.table(points, names), None, "")


def _quads(
    pixels: NDArray[np.uint8], known: Known, points: tuple[str, Points] | None, aligned: bool
) -> tuple[Quad, ...]:
    """The corners of each face's crop in a photo, the largest face first. Raises PhotoError, NoFaceError."""
    if aligned:
        return (faces.whole_quad(pixels.shape),)
    five = known.five if known.five is not None else None if points is None else photo_points.five(points[1])
    if five is None:
        return tuple(faces.quad(face) for face in detection.find_faces(pixels))
    (left, top), (right, bottom) = five.min(axis=0).tolist(), five.max(axis=0).tolist()
    return (faces.quad(faces.Face((left, top, right - left, bottom - top), five, confidence=1.0, yaw=0.0)),)


def _no_hole(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.zeros(pixels.shape[:2], np.bool_)


def _sample(picture: NDArray[np.uint8], about: Mapping[str, Any]) -> dict[str, bytes]:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "webp", quality=QUALITY)
    return {"webp": stream.getvalue(), "json": json.dumps(about, separators=(",", ":")).encode()}


class Shards:
    """Tars ``NAME-000.tar`` of at most ``limit`` bytes, the same to the byte each time; each gets its name when it is
    whole, so none is ever half.
    """

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        self.folder, self.name = folder, re.sub(r"[^\w-]+", "_", name)  # patterns and URLs name shards
        # A tar ends in two empty blocks, and is filled up to whole records.
        self.limit = limit // tarfile.RECORDSIZE * tarfile.RECORDSIZE - 2 * tarfile.BLOCKSIZE
        self.number = 0
        self.bytes = 0
        self.tar: tarfile.TarFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        elif self.tar:
            self.tar.close()
            self._partial.unlink()

    @property
    def _partial(self) -> Path:
        return self.folder / f"{self.name}-{self.number:03d}.tar.partial"

    def add(self, key: str, files: dict[str, bytes]) -> None:
        grows = sum(tarfile.BLOCKSIZE * (1 + -(-len(content) // tarfile.BLOCKSIZE)) for content in files.values())
        if self.bytes + grows > self.limit:
            self._finish()
        if self.tar is None:
            self.tar = tarfile.open(self._partial, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for suffix, content in files.items():
            member = tarfile.TarInfo(f"{key}.{suffix}")  # without owner or time: a build repeats to the byte
            member.size = len(content)
            self.tar.addfile(member, io.BytesIO(content))
        self.bytes += grows

    def _finish(self) -> None:
        if self.tar is None:
            return
        self.tar.close()
        self._partial.rename(self._partial.with_suffix(""))
        self.tar, self.bytes = None, 0
        self.number += 1
