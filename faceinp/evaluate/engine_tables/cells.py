"""Cells of the tables, one a line of JSON: figures, their intervals, and how they were measured."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from faceinp.errors import DataError
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance, as_line

ADVICE = "Give a cells.jsonl of `faceinp evaluate`."


class Quantity(NamedTuple):
    """What is measured: a key of ``tables.TITLES``, and the judge where one decides."""

    name: str
    judge: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.judge}".strip()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``."""
        name, _, judge = text.partition(" ")
        return cls(name, judge)


EVERYTHING = Quantity("")  # in ``Cell.refused``: the whole cell


@dataclass(frozen=True)
class Cell:
    """One engine on one kind of hole in one table.

    set, arrangement, group: whose faces, how they are turned, and which bin of them (empty: all). mask: empty for the
    untouched faces. differences: from the ``reference`` engine, on the pictures that both have. refused: why a measure
    is missing, or the whole cell. thresholds: the largest distance that each judge accepts as one person. hidden: the
    mean share of the picture that is hole. people: a picture of an unknown person counts as one. failed: pictures
    without a fill. content: a hash of everything that the cell depends on, so that it is not measured twice. faces: a
    hash of the measured pictures, so that two sets of one name are not mixed.
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
    provenance: Provenance = field(default_factory=Provenance)
    content: str = ""
    faces: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """The cell's position; a later cell of the same key and faces replaces an earlier one."""
        return self.table, self.set, self.arrangement, self.group, self.engine, self.mask


def append(file: Path, cell: Cell) -> None:
    """Append a line in one write, after ending the line that a killed process may have left unfinished."""
    handle = os.open(file, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o644)
    try:
        size = os.fstat(handle).st_size
        unfinished = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, ("\n" * unfinished + as_line(cell) + "\n").encode())
    finally:
        os.close(handle)


def read(files: Iterable[str | Path]) -> list[Cell]:
    """The latest cell of each key in these files.

    Unfinished lines are left out, and so are cells of other faces than the latest ones of their table and set. Raises
    DataError for a file that is missing or contains no cells.
    """
    cells: dict[tuple[str, ...], Cell] = {}
    latest: dict[tuple[str, str], str] = {}
    for file in files:
        try:
            lines = Path(file).read_text().split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file} cannot be read ({error}). {ADVICE}") from error
        parsed = [cell for cell in map(_parse, lines) if cell]
        if not parsed:
            raise DataError(f"{file} contains no cells. {ADVICE}")
        cells |= {(*cell.key, cell.faces): cell for cell in parsed}
        latest |= {(cell.table, cell.set): cell.faces for cell in parsed if cell.faces}
    return [cell for cell in cells.values() if cell.faces in ("", latest.get((cell.table, cell.set)))]


def _parse(line: str) -> Cell | None:
    try:
        values: dict[str, Any] = json.loads(line)
        provenance = {part.name: values.pop(part.name) for part in fields(Provenance) if part.name in values}
        for name in ("measures", "differences", "refused"):
            values[name] = {Quantity.parse(key): value for key, value in values[name].items()}
        for name in ("measures", "differences"):
            values[name] = {quantity: Measure(**value) for quantity, value in values[name].items()}
        return Cell(**values, provenance=Provenance(**provenance))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
