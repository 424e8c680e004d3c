"""``faceinp data build``: cuts aligned faces out of photos into the shards that ``train.data`` reads.

A source is either the CelebA download, whose five landmarks a face are taken as they are, or any folder of photos,
whose faces are found. Photos with 68 landmarks beside them (``NAME.pts``, as the 300-W set has them) keep those.
"""

import hashlib
import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp import detection, faces
from faceinp import photo as photos
from faceinp.engines.base import Progress
from faceinp.errors import DataError, NoFaceError, PhotoError

# CelebA's folders of pictures, the sharper ones first: the landmarks that belong to them, and what shards call them.
CELEBA = {
    "img_celeba": ("list_landmarks_celeba.txt", "celeba-wild"),
    "img_align_celeba": ("list_landmarks_align_celeba.txt", "celeba"),
}
SPLITS = {"train": "0", "val": "1", "test": "2"}
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
QUALITY = 95  # of the WebP crops


@dataclass(frozen=True)
class Source:
    """One photo and what is known of it. five: float32 (5, 2) and points: float32 (68, 2), in pixels, or None."""

    path: Path
    key: str
    source: str
    identity: str | int | None = None
    five: NDArray[np.float32] | None = None
    points: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Built:
    """What a build wrote and what it left out."""

    faces: int
    shards: int
    unreadable: int
    faceless: int
    small: int


def build(
    source: str | Path,
    out: str | Path,
    *,
    size: int = 256,
    split: str = "train",
    identity_from: str | None = None,
    smallest: int = 96,
    shard_megabytes: float = 20,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> Built:
    """Write the faces of ``source`` to shards in the folder ``out``, in the order of the photos' names.

    size: side of the crops in pixels. split: CelebA's "train", "val", "test" or "all". identity_from: "folder" makes
    the photo's folder the person, of whom only the largest face is taken. smallest: faces whose crop is narrower in
    their photo, in pixels, are left out. shard_megabytes: the most that a shard of several faces takes. say: told of
    every photo left out.

    Raises DataError when ``out`` holds shards already, CelebA's lists are missing, or nothing was found.
    """
    source, out = Path(source), Path(out)
    if any(out.glob("*.tar*")):
        raise DataError(f"{out} already holds shards. Remove them, or choose another folder.")
    listed = _celeba(pictures, split, say) if (pictures := _celeba_pictures(source)) else _folder(source, identity_from)
    if not listed:
        raise DataError(f"There is no photo in {source}. Give a folder of {', '.join(SUFFIXES)} files.")
    out.mkdir(parents=True, exist_ok=True)
    count: Counter[str] = Counter()
    with _Shards(out, listed[0].source, int(shard_megabytes * 1e6)) as shards:
        for done, one in enumerate(listed, start=1):
            for key, picture, about in _cut(one, size, smallest, identity_from is not None, count, say):
                shards.add(key, {"webp": _webp(picture), "json": json.dumps(about, separators=(",", ":")).encode()})
                count["faces"] += 1
            if progress:
                progress(done, len(listed))
    if not count["faces"]:
        raise DataError(f"No face of at least {smallest} pixels in {source}. Lower --smallest, or give other photos.")
    return Built(count["faces"], shards.number, count["unreadable"], count["faceless"], count["small"])


def _cut(
    one: Source, size: int, smallest: int, largest_only: bool, count: Counter[str], say: Callable[[str], None]
) -> Iterator[tuple[str, NDArray[np.uint8], dict[str, Any]]]:
    """Key, crop (size, size, 3) and description of each face on one photo."""
    try:
        pixels = photos.read(one.path).pixels
    except PhotoError as error:
        count["unreadable"] += 1
        say(f"left out: {error}")
        return
    try:
        found = detection.find_faces(pixels) if one.five is None else (_face(one.five),)
    except NoFaceError:  # which way up it is, is in doubt
        found = ()
    if not found:
        count["faceless"] += 1
        say(f"left out: no face was found in {one.path}")
    for number, face in enumerate(found[:1] if largest_only else found):
        quad = faces.quad(face)
        native = round(faces.side(quad))
        if native < smallest:
            count["small"] += 1
            continue
        crop = faces.align(pixels, np.zeros(pixels.shape[:2], np.bool_), quad, size)
        about: dict[str, Any] = {"size": size, "identity": one.identity, "source": one.source, "native": native}
        if one.points is not None:
            about["points"] = np.round(into_crop(one.points, quad, size), 1).tolist()
        yield f"{one.key}-{number}" if number else one.key, crop.pixels, about


def into_crop(points: NDArray[np.float32], quad: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Points (N, 2) of the photo, in pixels of the crop that ``faces.align`` cuts at ``quad``."""
    axes = np.column_stack([quad[3] - quad[0], quad[1] - quad[0]]) / size
    return np.linalg.solve(axes, (points - quad[0]).T).T


def _face(five: NDArray[np.float32]) -> faces.Face:
    """The face whose five points are known."""
    (left, top), (right, bottom) = five.min(axis=0).tolist(), five.max(axis=0).tolist()
    return faces.Face(box=(left, top, right - left, bottom - top), points=five, confidence=1.0, yaw=0.0)


# ---- sources ----


def _celeba_pictures(source: Path) -> Path | None:
    """CelebA's folder of pictures, when ``source`` is it or holds it."""
    places = (
        place for name in CELEBA for place in (source, source / name, source / "Img" / name) if place.name == name
    )
    return next((place for place in places if place.is_dir()), None)


def _celeba(pictures: Path, split: str, say: Callable[[str], None]) -> list[Source]:
    listing, name = CELEBA[pictures.name]
    landmarks = _celeba_table(pictures, listing)
    partition = {} if split == "all" else _celeba_table(pictures, "list_eval_partition.txt")
    try:
        identities = _celeba_table(pictures, "identity_CelebA.txt")
    except DataError:
        identities = {}
        say("identity_CelebA.txt is missing: the shards will not say who is who")
    listed = []
    for path in sorted(pictures.iterdir()):
        if path.name not in landmarks or (split != "all" and partition.get(path.name) != [SPLITS[split]]):
            continue
        identity = int(identities[path.name][0]) if path.name in identities else None
        five = np.array(landmarks[path.name], np.float32).reshape(5, 2)
        listed.append(Source(path, path.stem, name, identity, five))
    return listed


def _celeba_table(pictures: Path, name: str) -> dict[str, list[str]]:
    """One of CelebA's lists as {file name: its other columns}; the lines of its head do no harm."""
    for root in (pictures.parent, pictures.parent.parent):
        for file in (root / name, root / "Anno" / name, root / "Eval" / name):
            if file.is_file():
                return {line.split()[0]: line.split()[1:] for line in file.read_text().splitlines() if line.strip()}
    raise DataError(f"{name} is not beside {pictures}. Put CelebA's lists there, in Anno or in Eval.")


def _folder(source: Path, identity_from: str | None) -> list[Source]:
    listed = []
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        relative = path.relative_to(source)
        # WebDataset ends a key at its first dot, and two folders may hold files of one name.
        digest = hashlib.sha256(relative.as_posix().encode()).hexdigest()[:8]
        key = f"{re.sub(r'[^A-Za-z0-9]+', '_', path.stem)}-{digest}"
        identity = relative.parent.as_posix() if identity_from and relative.parent != Path() else None
        points = _read_points(path.with_suffix(".pts"))
        listed.append(Source(path, key, source.resolve().name, identity, _five(points), points))
    return listed


def _read_points(file: Path) -> NDArray[np.float32] | None:
    """68 points of a 300-W landmark file, (68, 2), in pixels of the photo; None when there is no such file."""
    if not file.is_file():
        return None
    found = re.search(r"\{(.*)\}", file.read_text(), re.DOTALL)
    try:
        points = np.array(found[1].split() if found else [], np.float32).reshape(68, 2)
    except ValueError as error:
        raise DataError(f"{file} does not hold 68 points. Mend it, or take it away.") from error
    return points - 0.5  # 300-W counts pixels from 1, and means their centres


def _five(points: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Eyes, tip of the nose and corners of the mouth, of 68 points."""
    if points is None:
        return None
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])


# ---- shards ----


def _webp(picture: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "webp", quality=QUALITY)
    return stream.getvalue()


class _Shards:
    """Tars ``NAME-000.tar`` of at most ``limit`` bytes; each gets its name when it is whole, so none is ever half."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        self.folder, self.name = folder, name
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
