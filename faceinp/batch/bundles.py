"""Reads bundles, files that contain photos and their companions: shards (.tar) and tables (.parquet)."""

from collections.abc import Iterator
from typing import Any

from faceinp.batch.items import COMPANIONS, NO_PHOTO, PICTURES, File, Item, Skipped, gather, opened, stem_of
from faceinp.errors import DataError

_MANY_DOTS = "Its name has several dots, and in a shard the first one ends the name. Rename it."


def from_shard(url: str, under: str, done: frozenset[str]) -> Iterator[Item | Skipped]:
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


def row_groups(url: str) -> int:
    """How many row groups a table has."""
    from pyarrow import parquet

    files, path = opened(url)
    with files.open(path, "rb") as stream:
        count: int = parquet.ParquetFile(stream).num_row_groups
    return count


def from_table(url: str, under: str, group: int, done: frozenset[str]) -> Iterator[Item | Skipped]:
    """The rows of a Parquet table: ``image`` and, optionally, ``mask``, ``references``, ``name``, ``box``, ``points``.

    url, under, done: as for ``from_shard``. group: the row group, counted from 0. Images are bytes or {"bytes": bytes},
    references a list of them. Raises DataError where the column ``image`` is missing.
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
