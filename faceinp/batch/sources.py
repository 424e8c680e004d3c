"""The photos of a batch: in a folder, in tar shards or Parquet tables, local or behind a URL that fsspec supports.

They are divided into parts: a few files, one shard, one row group. A part is small, can be sent to another process or
machine, and is read there. A photo's companions (its mask, its face's location, its reference photos) have its name.
"""

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from faceinp.batch.items import (
    COMPANIONS,
    MASK,
    NO_PHOTO,
    PICTURES,
    REFERENCE,
    Companion,
    File,
    Item,
    Skipped,
    Urls,
    gather,
    opened,
    stem_of,
)
from faceinp.errors import DataError

FILES_PER_PART = 16
_MANY_DOTS = "Its name has several dots, and in a shard the first one ends the name. Rename it."


@dataclass(frozen=True)
class Part:
    """Photos that one worker processes together.

    source: URL of the folder, shard or table. stems: of the photos' results; for a shard or table, the one folder of
    its results. names: of the photos, in order; empty: all photos of the source. companions: URLs of each photo's mask,
    face location and reference photos. row_group: of a Parquet table. mask: URL of the mask of all photos; empty where
    each has its own.
    """

    source: str
    stems: tuple[str, ...]
    names: tuple[str, ...] = ()
    companions: tuple[Urls, ...] = ()
    row_group: int = 0
    mask: str = ""

    def items(self, done: frozenset[str]) -> Iterator[Item | Skipped]:
        """Read its photos, except those in ``done``; other files are ``Skipped``."""
        mask = _read(self.mask).content if self.mask else None
        for item in self._items(done):
            yield replace(item, mask=mask) if mask is not None and isinstance(item, Item) else item

    def _items(self, done: frozenset[str]) -> Iterator[Item | Skipped]:
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
                    read = {kind: [_read(url, kind is REFERENCE) for url in urls] for kind, urls in companions.items()}
                    yield gather(name, stem, photo, read)
                except OSError as error:
                    problem = f"It cannot be read ({error}). Check that it exists, and its permissions."
                    yield Item(name, stem, problem=problem)


def _read(url: str, optional: bool = False) -> File:
    """Read a file. optional: return an empty file where it cannot be read, which becomes a reference with a problem."""
    files, path = opened(url)
    try:
        return File(posixpath.basename(path), files.cat_file(path))
    except OSError:
        if not optional:
            raise
        return File(posixpath.basename(path), b"")


def _from_shard(url: str, under: str, done: frozenset[str]) -> Iterator[Item | Skipped]:
    """The samples of a WebDataset shard: KEY.jpg with its companions.

    url: of the shard. under: prefix of the items' names. done: names to skip.
    """
    from webdataset import tariterators

    files, path = opened(url)
    skipped: list[Skipped] = []

    def with_keys(members: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for member in members:
            if member and tariterators.base_plus_ext(member["fname"])[0] is None:
                skipped.append(Skipped(member["fname"], NO_PHOTO))
            else:
                yield member

    with files.open(path, "rb") as stream:
        members = tariterators.tar_file_expander([{"url": url, "stream": stream}])
        for sample in tariterators.group_by_keys(with_keys(members)):
            photo = next((suffix for suffix in PICTURES if suffix[1:] in sample), "")
            key, stem = sample["__key__"], f"{under}/{sample['__key__']}"
            companions = {kind: kind.in_sample(sample) for kind in COMPANIONS} if photo else {}
            used = {file.name for kind, matches in companions.items() for file in matches[: kind.most]} | {photo[1:]}
            others = [name for name in sample if name not in used and not name.startswith("__")]
            reason = f"It is not a companion of {key}{photo}." if photo else f"There is no photo {key} beside it."
            skipped += [Skipped(f"{key}.{name}", _MANY_DOTS if _has_dots(name) else reason) for name in others]
            if photo and stem + photo not in done:
                yield gather(stem + photo, stem, sample[photo[1:]], companions)
    yield from (Skipped(name, reason) for name, reason in ((f"{under}/{n}", r) for n, r in skipped) if name not in done)


def _has_dots(suffix: str) -> bool:
    """Whether a picture's name has dots in its key: what follows the first dot is no suffix and no companion's word."""
    word = suffix.partition(".")[0]
    return suffix.endswith(PICTURES) and f".{suffix}" not in PICTURES and word not in {kind.word for kind in COMPANIONS}


def _row_groups(url: str) -> int:
    """How many row groups a table has."""
    from pyarrow import parquet

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        count: int = parquet.ParquetFile(stream).num_row_groups
    return count


def _from_table(url: str, under: str, group: int, done: frozenset[str]) -> Iterator[Item | Skipped]:
    """The rows of a Parquet table: ``image`` and, optionally, ``mask``, ``references``, ``name``, ``box``, ``points``.

    url, under, done: as for ``_from_shard``. group: the row group, counted from 0. Images are bytes or
    {"bytes": bytes}, references a list of them. Raises DataError where the column ``image`` is missing.
    """
    from pyarrow import parquet

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        rows = parquet.ParquetFile(stream).read_row_group(group).to_pylist()
    for number, row in enumerate(rows):
        if "image" not in row:
            raise DataError(f"{url} has no column `image`. Its columns: {', '.join(row)}.")
        name = f"{under}/{row.get('name') or f'{group:05}-{number:06}'}"
        if not row["image"] and name not in done:
            yield Skipped(name, "Its row has no image.")
        elif name not in done:
            stem = stem_of(name) if name.lower().endswith(PICTURES) else name
            mask = _bytes(row["mask"]) if row.get("mask") else None
            others = [_bytes(cell) for cell in row.get("references") or () if cell]
            references = tuple(File(str(index), content) for index, content in enumerate(others, 1))
            location = {key: row[key] for key in ("box", "points") if row.get(key)} or None
            yield Item(name, stem, _bytes(row["image"]), mask, references, location=location)


def _bytes(cell: Any) -> bytes:
    return bytes((cell["bytes"] or b"") if isinstance(cell, dict) else cell)


def check_apart(source: str, out: str) -> None:
    """Raise DataError where results would lie among the photos, and could overwrite them or be mistaken for them."""
    (files, root), (others, target) = opened(source), opened(out)
    folder = files.isdir(root)
    base = root if folder else posixpath.dirname(root)
    bundle = root.endswith((".tar", ".parquet"))
    inside = target == base or (folder and target.startswith(f"{base}/"))
    if inside and not bundle and files.protocol == others.protocol:
        raise DataError(f"{out} is inside {source}, so results would mix with the photos. Give a folder outside of it.")


def survey(
    source: str,
    masks: str = "",
    done: frozenset[str] = frozenset(),
    *,
    faces: str = "",
    references: str = "",
    need_masks: bool = False,
) -> tuple[Iterator[Part], list[Skipped], str]:
    """List the photos of ``source``, a folder, a shard or a table, except those in ``done``.

    masks, faces, references: folders of the photos' companions, see ``Companion``: masks; JSON with faces' locations;
    other photos of the same person. masks may be one file, for all photos. need_masks: whether the photos need masks,
    as there is neither a preset nor ``find``. Returns the parts of the photos to fill, generated lazily; the files
    outside of shards that are neither photos nor companions; the URL of the mask of all photos, or empty. Raises
    DataError where there are no photos, or a folder contains no companion of any.
    """
    files, root = opened(source)
    if not files.exists(root):
        raise DataError(f"There is no folder or file {source}. Check the path.")
    paths = files.find(root) if files.isdir(root) else [root]
    base = root if files.isdir(root) else posixpath.dirname(root)
    others = [opened(url) for url in (masks, faces, references) if url]
    inner = [path for system, path in others if system.protocol == files.protocol and path.startswith(f"{base}/")]
    own = [path for path in paths if not any(path == other or path.startswith(f"{other}/") for other in inner)]
    bundles = [posixpath.relpath(path, base) for path in own if path.endswith((".tar", ".parquet"))]
    photos = [posixpath.relpath(path, base) for path in own if path.lower().endswith(PICTURES)]
    if not bundles and not photos:
        raise DataError(f"{source} contains no photos. Give a folder of photos, or of .tar or .parquet files.")
    if photos and need_masks and not masks:
        raise DataError(f"The photos in {source} need masks. Give --masks, --find, or --preset NAME.")
    skipped = [Skipped(posixpath.relpath(path, base), NO_PHOTO) for path in own]
    skipped = [one for one in skipped if one.name not in {*photos, *bundles}]
    one_mask = masks if masks and _is_file(masks) else ""
    matches: dict[Companion, dict[str, tuple[str, ...]]] = {}
    for kind, folder in zip(COMPANIONS, (masks, faces, references), strict=True):
        if folder and not (kind is MASK and one_mask):
            matches[kind], unused = kind.in_folder(folder, {stem_of(name) for name in photos})
            if not matches[kind]:
                raise DataError(f"{folder} contains no {kind.plural} with the names of the photos in {source}.")
            skipped += unused
    url = files.unstrip_protocol(base)
    return _parts(url, bundles, photos, done, matches, one_mask), skipped, one_mask


def _parts(
    base: str,
    bundles: list[str],
    photos: list[str],
    done: frozenset[str],
    matches: dict[Companion, dict[str, tuple[str, ...]]],
    mask: str,
) -> Iterator[Part]:
    for name, stem in _stems(bundles).items():
        url = posixpath.join(base, name)
        for group in range(_row_groups(url) if name.endswith(".parquet") else 1):
            yield Part(url, (stem,), row_group=group, mask=mask)
    stems = _stems(photos)
    names = [name for name in photos if name not in done]
    for start in range(0, len(names), FILES_PER_PART):
        chosen = tuple(names[start : start + FILES_PER_PART])
        companions = tuple({kind: urls.get(stem_of(name), ()) for kind, urls in matches.items()} for name in chosen)
        yield Part(base, tuple(stems[name] for name in chosen), chosen, companions, mask=mask)


def _is_file(url: str) -> bool:
    files, path = opened(url)
    return bool(files.isfile(path))


def _stems(names: list[str]) -> dict[str, str]:
    """Each name's stem; the whole name where several differ only in their suffix, so that their results differ."""
    several = Counter(map(stem_of, names))
    return {name: stem_of(name) if several[stem_of(name)] == 1 else name for name in names}
