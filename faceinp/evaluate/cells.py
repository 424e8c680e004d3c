"""Cells of the tables, one a line of JSON: what was measured, how sure it is, and what it was measured with."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from faceinp.errors import DataError
from faceinp.evaluate.measures import Measure


@dataclass(frozen=True)
class Cell:
    """One engine on one kind of hole in one table.

    set, arrangement, group: whose faces, how they are turned, and which of them (empty: all). mask: empty for rows
    that no hole belongs to. measures: by name ("composite_psnr", "same JUDGE", ...). differences: less the
    ``reference`` engine's, on the pictures that both have. refused: why a measure is not given. failed: pictures
    without a fill. content: a hash of all that it was made of, so that it is not made twice.
    """

    table: str
    set: str
    arrangement: str
    group: str
    engine: str
    mask: str
    measures: dict[str, Measure]
    differences: dict[str, Measure] = field(default_factory=dict)
    reference: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    hidden: float = 0.0
    pictures: int = 0
    people: int = 0
    failed: int = 0
    seconds_per_picture: float | None = None
    runtime: str = ""
    seed: int = 0
    machine: str = ""
    date: str = ""
    version: str = ""
    content: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """Where it belongs; a later cell of the same place takes an earlier one's."""
        return self.table, self.set, self.arrangement, self.group, self.engine, self.mask


def line(cell: Cell) -> str:
    return json.dumps(_rounded(asdict(cell)), ensure_ascii=False)


def append(file: Path, cell: Cell) -> None:
    """One write at the file's end. What a killed process left of a line is ended first, and never read."""
    handle = os.open(file, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o644)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, ("\n" * torn + line(cell) + "\n").encode())
    finally:
        os.close(handle)


def read(files: Iterable[str | Path]) -> list[Cell]:
    """The cells of these files, each place once, the latest one; lines that were not finished are left out.

    Raises DataError for a file that is missing or holds no cells.
    """
    found: dict[tuple[str, ...], Cell] = {}
    for file in files:
        try:
            lines = Path(file).read_text().split("\n")
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error}). Give a cells.jsonl of `faceinp evaluate`.") from error
        cells = [cell for cell in map(_cell, lines) if cell]
        if not cells:
            raise DataError(f"{file} holds no cells of tables. Give a cells.jsonl of `faceinp evaluate`.")
        for cell in cells:
            found[cell.place] = cell
    return list(found.values())


def of_table(cells: Sequence[Cell], table: str) -> list[Cell]:
    return [cell for cell in cells if cell.table == table]


def _cell(text: str) -> Cell | None:
    try:
        told: dict[str, Any] = json.loads(text)
        for name in ("measures", "differences"):
            told[name] = {key: Measure(**value) for key, value in told[name].items()}
        return Cell(**told)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _rounded(value: Any) -> Any:
    """Six digits that count: more are noise, and would fill the repository."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
