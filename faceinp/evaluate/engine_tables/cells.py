"""Cells of the tables, one a line of JSON: what was measured, how sure it is, and what it was measured with."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from faceinp.errors import DataError
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance, as_line

ADVICE = "Give a cells.jsonl of `faceinp evaluate`."


class Quantity(NamedTuple):
    """What was measured: a key of ``tables.ABOUT``, and the judge that says so, where one does."""

    name: str
    judge: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.judge}".strip()

    @classmethod
    def parse(cls, text: str) -> Self:
        """As ``str`` writes it."""
        name, _, judge = text.partition(" ")
        return cls(name, judge)


@dataclass(frozen=True)
class Cell:
    """One engine on one kind of hole in one table.

    set, arrangement, group: whose faces, how they are turned, and which of them (empty: all). mask: empty for rows
    that no hole belongs to. differences: less the ``reference`` engine's, on the pictures that both have. refused: why
    a measure is not given; why none is, under EVERYTHING. thresholds: the distance up to which each judge takes faces
    for one person's. failed: pictures without a fill. content: a hash of all that it was made of, so that it is not
    made twice. faces: a hash of the pictures that were chosen to be measured: two sets of one name are not mixed.
    """

    table: str
    set: str
    arrangement: str
    group: str
    engine: str
    mask: str
    measures: dict[Quantity, Measure] = field(default_factory=dict)
    differences: dict[Quantity, Measure] = field(default_factory=dict)
    reference: str = ""
    refused: dict[Quantity, str] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    hidden: float = 0.0
    pictures: int = 0
    people: int = 0
    failed: int = 0
    seconds_per_picture: float | None = None
    runtime: str = ""
    made: Provenance = field(default_factory=Provenance)
    content: str = ""
    faces: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """Where it belongs; a later cell of the same place and faces takes an earlier one's."""
        return self.table, self.set, self.arrangement, self.group, self.engine, self.mask


EVERYTHING = Quantity("")
_BY_QUANTITY = ("measures", "differences", "refused")


def append(file: Path, cell: Cell) -> None:
    """One write at the file's end. What a killed process left of a line is ended first, and never read."""
    handle = os.open(file, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o644)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, ("\n" * torn + as_line(cell) + "\n").encode())
    finally:
        os.close(handle)


def read(files: Iterable[str | Path]) -> list[Cell]:
    """The cells of these files, each place once, the latest one; lines that were not finished are left out, and those
    of other faces than the latest ones of their table and set.

    Raises DataError for a file that is missing or holds no cells.
    """
    found: dict[tuple[str, ...], Cell] = {}
    latest: dict[tuple[str, str], str] = {}
    for file in files:
        try:
            lines = Path(file).read_text().split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file} cannot be read ({error}). {ADVICE}") from error
        cells = [cell for cell in map(_cell, lines) if cell]
        if not cells:
            raise DataError(f"{file} holds no cells of tables. {ADVICE}")
        found |= {(*cell.place, cell.faces): cell for cell in cells}
        latest |= {(cell.table, cell.set): cell.faces for cell in cells if cell.faces}
    return [cell for cell in found.values() if cell.faces in ("", latest.get((cell.table, cell.set)))]


def of_table(cells: Sequence[Cell], table: str) -> list[Cell]:
    return [cell for cell in cells if cell.table == table]


def _cell(text: str) -> Cell | None:
    try:
        told: dict[str, Any] = json.loads(text)
        made = {part.name: told.pop(part.name) for part in fields(Provenance) if part.name in told}
        for name in _BY_QUANTITY:
            told[name] = {Quantity.parse(key): value for key, value in told[name].items()}
        for name in ("measures", "differences"):
            told[name] = {key: Measure(**value) for key, value in told[name].items()}
        return Cell(**told, made=Provenance(**made))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
