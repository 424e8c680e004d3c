"""Where photos come from and go: a folder, tar shards, Parquet tables, local or behind any URL that fsspec knows.

What there is to do is divided into parts: a few files, one shard, one row group. A part is small, can be sent to
another process or machine, and is read there. A photo's companions (its mask, the location of its face, its reference
photos) are recognised by its name.
"""

import io
import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from faceinp.errors import DataError
from faceinp.exemplars import MAX_REFERENCES

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
FILES = 16  # photos of a part that is made of files


class File(NamedTuple):
    """A file that was read; its name tells it from a photo's other files."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Companion:
    """A kind of file that belongs to a photo of the same name.

    To KEY.jpg in a shard belongs KEY.word.SUFFIX, to NAME.jpg in a folder NAME.SUFFIX in another one. most: how many
    a photo may have; where that is more than one, KEY.word.N.SUFFIX and NAME/*.SUFFIX belong to it as well. plural: the
    kind's name in messages.
    """

    word: str
    suffixes: tuple[str, ...]
    plural: str
    most: int = 1

    def in_sample(self, sample: Mapping[str, Any]) -> list[File]:
        """Those in a shard's sample, which holds contents by what follows KEY in the names of its files."""
        words = {key: _stem(_stem(key)) if self.most > 1 else _stem(key) for key in sample}
        keys = [key for key, word in words.items() if word == self.word and key.endswith(self.suffixes)]
        return [File(key, sample[key]) for key in sorted(keys, key=_by_number)]

    def in_folder(self, folder: str, stems: Set[str]) -> dict[str, tuple[str, ...]]:
        """URLs of those in ``folder`` by the photo's stem, for photos of these ``stems`` only.

        Of a photo that has more than ``most``, one more is listed: enough to see that they are too many.
        """
        files, root = opened(folder)
        matches: dict[str, tuple[str, ...]] = {}
        for path in sorted(path for path in files.find(root) if path.lower().endswith(self.suffixes)):
            own = _stem(posixpath.relpath(path, root))
            stem = own if own in stems or self.most == 1 else posixpath.dirname(own)
            if stem in stems and len(urls := matches.get(stem, ())) <= self.most:
                matches[stem] = (*urls, files.unstrip_protocol(path))
        return matches


MASK = Companion("mask", PICTURES, "masks")
FACE = Companion("face", (".json",), ".json files")
REFERENCE = Companion("reference", PICTURES, "reference photos", MAX_REFERENCES)
COMPANIONS = (MASK, FACE, REFERENCE)

Urls = dict[Companion, tuple[str, ...]]  # of one photo's companions


@dataclass(frozen=True)
class Item:
    """One photo. name: its path within the source, or within its shard or table. stem: of its result, which is this and
    a suffix. photo, mask: encoded bytes. references: other photos of the same person. problem: why it could not be
    fetched; empty where it could. box, points: where the face is, as for ``faceinp.fill``, where the source says so.
    """

    name: str
    stem: str
    photo: bytes = b""
    mask: bytes | None = None
    references: tuple[File, ...] = ()
    problem: str = ""
    box: Any = None
    points: Any = None


@dataclass(frozen=True)
class Part:
    """Photos that one worker takes at once.

    source: URL of the folder, shard or table. stems: of the photos' results; of a shard or table, the one folder of all
    of them. names: of its photos, in order; empty: all there are. companions: for each of these, where its mask, what
    says where its face is, and its reference photos lie. row_group: of a Parquet table.
    """

    source: str
    stems: tuple[str, ...]
    names: tuple[str, ...] = ()
    companions: tuple[Urls, ...] = ()
    row_group: int = 0

    def items(self, done: frozenset[str]) -> Iterator[Item]:
        """Its photos, read now, without those whose names are in ``done``."""
        if self.source.endswith(".tar"):
            yield from _from_shard(self.source, self.stems[0], done)
        elif self.source.endswith(".parquet"):
            yield from _from_table(self.source, self.stems[0], self.row_group, done)
        else:
            files, root = opened(self.source)
            for name, stem, companions in zip(self.names, self.stems, self.companions, strict=True):
                if name in done:
                    continue
                try:
                    photo = files.cat_file(posixpath.join(root, name))
                    read = {kind: [_read(url) for url in urls] for kind, urls in companions.items()}
                    yield _item(name, stem, photo, read)
                except OSError as error:
                    problem = f"It cannot be read ({error}). See that it is there, and may be read."
                    yield Item(name, stem, problem=problem)


def opened(url: str) -> tuple[Any, str]:
    """fsspec's file system of ``url``, and the path in it. Raises DataError for a URL it does not know."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise DataError(f"{url} cannot be reached ({error}). Install what fsspec needs for it.") from error
    return files, path.rstrip("/")


def _item(name: str, stem: str, photo: bytes, companions: Mapping[Companion, list[File]]) -> Item:
    mask, face = (next(iter(companions.get(kind, ())), None) for kind in (MASK, FACE))
    location = _face_location(face.content) if face else {}
    problem = ""
    if face and not location:
        problem = 'What says where its face is says nothing. Write {"box": [x, y, width, height]} or {"points": [...]}.'
    references = tuple(companions.get(REFERENCE, ()))
    return Item(name, stem, photo, mask.content if mask else None, references, problem, **location)


def _face_location(content: bytes) -> dict[str, Any]:
    """What JSON like {"box": [x, y, width, height]} or {"points": [[x, y], ...]} states; empty where it is not such."""
    try:
        stated = json.loads(content)
    except ValueError:
        return {}
    return {key: stated[key] for key in ("box", "points") if isinstance(stated, dict) and stated.get(key)}


def _read(url: str) -> File:
    files, path = opened(url)
    return File(posixpath.basename(path), files.cat_file(path))


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
    references: str = "",
    need_masks: bool = False,
) -> Iterator[Part]:
    """What there is to do in ``source``, a folder, a shard or a table, less the files whose names are in ``done``.

    masks, faces, references: folders of the photos' companions, see ``Companion``: a mask for each photo; JSON that
    says where a photo's face is, of those that have one; other photos of the same person, likewise. need_masks: nothing
    else says where the holes are. Raises DataError when no photos are there, or a folder holds nothing for them.
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
    matches: dict[Companion, dict[str, tuple[str, ...]]] = {}
    for kind, folder in zip(COMPANIONS, (masks, faces, references), strict=True):
        if folder:
            matches[kind] = kind.in_folder(folder, {_stem(name) for name in photos})
            if not matches[kind]:
                raise DataError(f"{folder} holds no {kind.plural} for the photos in {source}. Name them like these.")
    for name, stem in _stems(bundles).items():
        url = files.unstrip_protocol(posixpath.join(base, name))
        for group in range(_row_groups(url) if name.endswith(".parquet") else 1):
            yield Part(url, (stem,), row_group=group)
    stems = _stems(photos)
    names = [name for name in photos if name not in done]
    for start in range(0, len(names), FILES):
        chosen = tuple(names[start : start + FILES])
        companions = tuple({kind: urls.get(_stem(name), ()) for kind, urls in matches.items()} for name in chosen)
        yield Part(files.unstrip_protocol(base), tuple(stems[name] for name in chosen), chosen, companions)


def _stems(names: list[str]) -> dict[str, str]:
    """Each name without its suffix; with it where several differ in nothing else, or one result would hide another."""
    several = Counter(map(_stem, names))
    return {name: _stem(name) if several[_stem(name)] == 1 else name for name in names}


def _by_number(key: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", key)]


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def _from_shard(url: str, under: str, done: frozenset[str]) -> Iterator[Item]:
    """Samples as WebDataset has them: KEY.jpg and, where there are such, its companions."""
    from webdataset import tariterators

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        for sample in tariterators.group_by_keys(tariterators.tar_file_expander([{"url": url, "stream": stream}])):
            photo = next((suffix for suffix in PICTURES if suffix[1:] in sample), None)
            stem = f"{under}/{sample['__key__']}"
            if photo is not None and stem + photo not in done:
                companions = {kind: kind.in_sample(sample) for kind in COMPANIONS}
                yield _item(stem + photo, stem, sample[photo[1:]], companions)


def _row_groups(url: str) -> int:
    from pyarrow import parquet

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        count: int = parquet.ParquetFile(stream).num_row_groups
    return count


def _from_table(url: str, under: str, group: int, done: frozenset[str]) -> Iterator[Item]:
    """Rows with ``image``, and ``mask``, ``references``, ``name``, ``box`` and ``points`` where there are such columns.

    Images are bytes, or {"bytes"}; references are a list of them.
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
            others = [_bytes(cell) for cell in row.get("references") or () if cell]
            references = tuple(File(str(index), content) for index, content in enumerate(others, 1))
            location = {"box": row.get("box"), "points": row.get("points")}
            yield Item(name, stem, _bytes(row["image"]), mask, references, **location)


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
