"""Drawn faces in shards, and how the tests ask for tables of them."""

import dataclasses
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.evaluate.engine_tables import tables
from faceinp.evaluate.engine_tables.cells import Cell
from faceinp.evaluate.engine_tables.request import Request
from faceinp.mask import presets

PICTURES, PEOPLE, SIDE = 6, 3, 128  # SIDE: pixels of the pictures; the tables' own are twice as wide


def portrait(number: int) -> NDArray[np.uint8]:
    """A face's colours, one person's alike, and a slope, so that fills differ from it."""
    colour = np.array([60 + 60 * (number % PEOPLE), 200 - 60 * (number % PEOPLE), 120])
    noise = np.random.default_rng(number).normal(0, 3, (SIDE, SIDE, 3))
    return (colour + noise + np.linspace(-20, 20, SIDE)[:, None, None]).clip(0, 255).astype(np.uint8)


def shard(file: Path, count: int, *, people: bool, points: bool) -> None:
    about = {"points": presets.average_points(SIDE).tolist() if points else None, "size": SIDE}
    write(file, [(portrait(n), about | {"identity": n % PEOPLE if people else None}) for n in range(count)])


def write(file: Path, samples: Sequence[tuple[NDArray[np.uint8], dict[str, object]]]) -> None:
    """A shard of pictures and what their JSON says."""
    with tarfile.open(file, "w") as tar:
        for number, (picture, about) in enumerate(samples):
            encoded = io.BytesIO()
            Image.fromarray(picture).save(encoded, "WEBP", lossless=True)
            for ending, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{number:03}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def silent(_: str) -> None:
    pass


def only(table: str, **changed: object) -> tuple[tables.Table, ...]:
    return (dataclasses.replace(tables.TABLES[table], **changed),)


def asked(folder: Path, out: Path, **given: object) -> Request:
    settings = {"engines": ("telea",), "masks": ("7", "centre"), "pictures": 4, "judges": ("none",)} | given
    return Request(data=(str(folder),), out=str(out), **settings)  # type: ignore[arg-type]


def at(made: list[Cell], **wanted: str) -> Cell:
    (found,) = [cell for cell in made if all(getattr(cell, name) == value for name, value in wanted.items())]
    return found


def timeless(cell: Cell) -> Cell:
    return dataclasses.replace(cell, seconds_per_picture=None)
