"""Where photos come from and go: a folder, tar shards, Parquet tables, local or behind any URL that fsspec knows.

What there is to do is divided into parts: a few files, one shard, one row group. A part is small, can be sent to
another process or machine, and is read there.
"""

import io
import json
import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from faceinp.errors import DataError

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
FILES = 16  # photos of a part that is made of files
MASK, FACE = "mask", "face"  # in a shard, KEY.mask.png is the mask of KEY.jpg, KEY.face.json says where its face is


@dataclass(frozen=True)
class Item:
    """One photo. name: its path within the source, or within its shard or table. stem: of its result, which is this and
    a suffix. photo, mask: encoded bytes. problem: why it could not be fetched; empty where it could. box, points: where
    the face is, as for ``faceinp.fill``, where the source says so.
    """

    name: str
    stem: str
    photo: bytes
    mask: bytes | None
    problem: str = ""
    box: Any = None
    points: Any = None


@dataclass(frozen=True)
class Part:
    """Photos that one worker takes at once.

    source: URL of the folder, shard or table. stems: of the photos' results; of a shard or table, the one folder of all
    of them. names: of its photos, in order; empty: all there are. masks, faces: where their masks lie, and what says
    where their faces are. row_group: of a Parquet table.
    """

    source: str
    stems: tuple[str, ...]
    names: tuple[str, ...] = ()
    masks: tuple[str | None, ...] = ()
    faces: tuple[str | None, ...] = ()
    row_group: int = 0

    def items(self, done: frozenset[str]) -> Iterator[Item]:
        """Its photos, read now, without those whose names are in ``done``."""
        if self.source.endswith(".tar"):
            yield from _from_shard(self.source, self.stems[0], done)
        elif self.source.endswith(".parquet"):
            yield from _from_table(self.source, self.stems[0], self.row_group, done)
        else:
            files, root = opened(self.source)
            for name, stem, mask, face in zip(self.names, self.stems, self.masks, self.faces, strict=True):
                if name in done:
                    continue
                try:
                    content = files.cat_file(posixpath.join(root, name))
                    hole, place = (_content(url) if url else None for url in (mask, face))
                    yield _item(name, stem, content, hole, place)
                except OSError as error:
                    problem = f"It cannot be read ({error}). See that it is there, and may be read."
                    yield Item(name, stem, b"", None, problem)


def opened(url: str) -> tuple[Any, str]:
    """fsspec's file system of ``url``, and the path in it. Raises DataError for a URL it does not know."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise DataError(f"{url} cannot be reached ({error}). Install what fsspec needs for it.") from error
    return files, path.rstrip("/")


def _item(name: str, stem: str, photo: bytes, mask: bytes | None, face: bytes | None) -> Item:
    """face: JSON, {"box": [x, y, width, height]} or {"points": [[x, y], ...]}."""
    if face is None:
        return Item(name, stem, photo, mask)
    try:
        told = json.loads(face)
        box, points = told.get("box"), told.get("points")
    except (ValueError, AttributeError):
        box = points = None
    if box is None and points is None:
        problem = 'What says where its face is says nothing. Write {"box": [x, y, width, height]} or {"points": [...]}.'
        return Item(name, stem, photo, mask, problem)
    return Item(name, stem, photo, mask, box=box, points=points)


def _content(url: str) -> bytes:
    files, path = opened(url)
    content: bytes = files.cat_file(path)
    return content


def check_apart(source: str, out: str) -> None:
    """Raise DataError where results would lie among the photos, to be written over some or taken for some."""
    (files, root), (others, target) = opened(source), opened(out)
    folder = files.isdir(root)
    base = root if folder else posixpath.dirname(root)
    bundle = root.endswith((".tar", ".parquet"))
    inside = target == base or (folder and target.startswith(f"{base}/"))
    if inside and not bundle and files.protocol == others.protocol:
        raise DataError(f"{out} lies in {source}: results would mix with the photos. Give a folder beside it.")


def parts(
    source: str,
    masks: str = "",
    done: frozenset[str] = frozenset(),
    *,
    faces: str = "",
    need_masks: bool = False,
) -> Iterator[Part]:
    """What there is to do in ``source``, a folder, a shard or a table, less the files whose names are in ``done``.

    masks: folder with a mask for each photo, of the same path but for the suffix. faces: likewise, JSON that says where
    a photo's face is, of those that have one. need_masks: nothing else says where the holes are. Raises DataError when
    no photos are there, or no masks for them.
    """
    files, root = opened(source)
    found = files.find(root) if files.isdir(root) else [root] if files.exists(root) else []
    base = root if files.isdir(root) else posixpath.dirname(root)
    bundles = [posixpath.relpath(path, base) for path in found if path.endswith((".tar", ".parquet"))]
    photos = [posixpath.relpath(path, base) for path in found if path.lower().endswith(PICTURES)]
    if not bundles and not photos:
        raise DataError(f"{source} holds no photos. Give a folder of photos, or of .tar or .parquet files.")
    if photos and need_masks and not masks:
        raise DataError(f"Nothing says where the holes of the photos in {source} are. Give --masks, or --preset NAME.")
    there = _by_stem(masks, PICTURES) if masks else {}
    placed = _by_stem(faces, (".json",)) if faces else {}
    if masks and not there:
        raise DataError(f"{masks} holds no masks. Give a folder of pictures that are named like the photos.")
    if faces and not placed:
        raise DataError(f"{faces} holds no .json files. Give a folder of them, named like the photos.")
    for name, stem in _stems(bundles).items():
        url = files.unstrip_protocol(posixpath.join(base, name))
        for group in range(_row_groups(url) if name.endswith(".parquet") else 1):
            yield Part(url, (stem,), row_group=group)
    stems = _stems(photos)
    names = [name for name in photos if name not in done]
    for start in range(0, len(names), FILES):
        chosen = tuple(names[start : start + FILES])
        holes, places = (tuple(found.get(_stem(name)) for name in chosen) for found in (there, placed))
        yield Part(files.unstrip_protocol(base), tuple(stems[name] for name in chosen), chosen, holes, places)


def _stems(names: list[str]) -> dict[str, str]:
    """Each name without its suffix; with it where several differ in nothing else, or one result would hide another."""
    several = Counter(map(_stem, names))
    return {name: _stem(name) if several[_stem(name)] == 1 else name for name in names}


def _by_stem(folder: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    files, root = opened(folder)
    found = [path for path in files.find(root) if path.lower().endswith(suffixes)]
    return {_stem(posixpath.relpath(path, root)): files.unstrip_protocol(path) for path in found}


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def _from_shard(url: str, under: str, done: frozenset[str]) -> Iterator[Item]:
    """Samples as WebDataset has them: KEY.jpg and, where there are such, KEY.mask.png and KEY.face.json."""
    from webdataset import tariterators

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        for sample in tariterators.group_by_keys(tariterators.tar_file_expander([{"url": url, "stream": stream}])):
            photo = next((suffix for suffix in PICTURES if suffix[1:] in sample), None)
            stem = f"{under}/{sample['__key__']}"
            if photo is not None and stem + photo not in done:
                mask = next((sample[key] for suffix in PICTURES if (key := MASK + suffix) in sample), None)
                yield _item(stem + photo, stem, sample[photo[1:]], mask, sample.get(f"{FACE}.json"))


def _row_groups(url: str) -> int:
    from pyarrow import parquet

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        count: int = parquet.ParquetFile(stream).num_row_groups
    return count


def _from_table(url: str, under: str, group: int, done: frozenset[str]) -> Iterator[Item]:
    """Rows with ``image``, and ``mask``, ``name``, ``box`` and ``points`` where there are such columns.

    Images are bytes, or {"bytes"}.
    """
    from pyarrow import parquet

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        rows = parquet.ParquetFile(stream).read_row_group(group).to_pylist()
    for number, row in enumerate(rows):
        if "image" not in row:
            raise DataError(f"{url} has no column `image`. It has: {', '.join(row)}.")
        name = f"{under}/{row.get('name') or f'{group:05}-{number:06}'}"
        if name not in done:
            stem = _stem(name) if name.lower().endswith(PICTURES) else name
            mask = _bytes(row["mask"]) if row.get("mask") else None
            yield Item(name, stem, _bytes(row["image"]), mask, box=row.get("box"), points=row.get("points"))


def _bytes(cell: Any) -> bytes:
    return bytes(cell["bytes"] if isinstance(cell, dict) else cell)


# ---- where results go ----


@dataclass(frozen=True)
class Target:
    """A folder for results and their manifest; local, or behind a URL."""

    url: str

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all, whenever the process is killed."""
        files, root = opened(self.url)
        path = posixpath.join(root, name)
        if "file" not in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,)):
            files.pipe_file(path, data)  # object stores show an object when all of it is there
            return
        part = f"{path}.part"
        files.makedirs(posixpath.dirname(path), exist_ok=True)
        files.pipe_file(part, data)
        files.mv(part, path)

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the manifest says so far, oldest file first."""
        files, root = opened(self.url)
        folder = posixpath.join(root, "manifest")
        for path in sorted(files.find(folder)) if files.isdir(folder) else ():
            for line in io.BytesIO(files.cat_file(path)):
                yield json.loads(line)
