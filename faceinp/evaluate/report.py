"""Cells become tables to read: Markdown, and the parts of a page that are remade from the cells.

A page has its places marked, one for each table:

    <!-- cells: L3 -->
    ... what was made ...
    <!-- end of cells: L3 -->
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceinp.errors import DataError
from faceinp.evaluate.cells import Cell, of_table
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.tables import ABOUT, ALIGNED, FRECHET, MASKS, NATURALNESS, OTHER, QUICK, SAME, TABLES, Table

KNOWN = {**TABLES, QUICK.name: QUICK, MASKS.name: MASKS}
ARRANGED = {"aligned": "aligned", "turned": "turned, seen so", "found": "turned, found again"}
REFUSED = "refused"
LEAST = 5  # people that an interval is shown of
_PLACE = re.compile(r"<!-- cells: (?P<name>[\w-]+) -->\n.*?<!-- end of cells: (?P=name) -->", re.DOTALL)


@dataclass(frozen=True)
class Grid:
    """One table as text: a title, column heads, rows whose first entry names them."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """What was measured of one table. about: with what; notes: what was refused or failed, in sentences."""

    name: str
    title: str
    about: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...]


def sections(cells: Sequence[Cell]) -> list[Section]:
    """One for each table that has cells, in the papers' order."""
    return [_section(table, mine) for table in KNOWN.values() if (mine := of_table(cells, table.name))]


def markdown(cells: Sequence[Cell]) -> str:
    """All sections, a heading each."""
    return "\n".join(f"## {body(section)}" for section in sections(cells))


def body(section: Section) -> str:
    """A section; its title is the first line."""
    parts = [f"{section.title}\n", f"{section.about}\n"]
    for grid in section.grids:
        parts.append(f"**{grid.title}**\n")
        lines = [f"| {' | '.join(grid.heads)} |", "|---" * len(grid.heads) + "|"]
        parts.append("\n".join([*lines, *(f"| {' | '.join(row)} |" for row in grid.rows)]) + "\n")
    return "\n".join([*parts, *(f"{note}\n" for note in section.notes)])


def into(page: str | Path, cells: Sequence[Cell]) -> list[str]:
    """Remake the marked places of ``page`` from ``cells``; returns their names. What is between no marks stays.

    Raises DataError when the page is missing or has no place for one of the tables.
    """
    file = Path(page)
    try:
        text = file.read_text()
    except OSError as error:
        raise DataError(f"{page} cannot be read ({error}). Give a page with marked places.") from error
    made = {section.name: f"### {body(section)}" for section in sections(cells)}
    places = [found["name"] for found in _PLACE.finditer(text)]
    if lacking := [name for name in made if name not in places]:
        name = lacking[0]
        raise DataError(
            f"{page} has no place for the table {name}. Put these lines where it belongs: "
            f"<!-- cells: {name} --> and, below, <!-- end of cells: {name} -->."
        )

    def remade(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- cells: {name} -->\n{made[name]}<!-- end of cells: {name} -->" if name in made else found[0]

    file.write_text(_PLACE.sub(remade, text))
    return [name for name in places if name in made]


def sentence(cell: Cell) -> str:
    """A cell in one line, for whoever waits."""
    place = " ".join(filter(None, (cell.table, cell.set, cell.arrangement, cell.group, cell.engine, cell.mask)))
    told = [f"{name} {_plain(name, measure)}" for name, measure in cell.measures.items() if measure.mean is not None]
    refused = [f"{name} refused" if name else reason for name, reason in cell.refused.items()]
    return f"{place}: {', '.join([*told, *refused]) or 'nothing'}"


def _section(table: Table, cells: Sequence[Cell]) -> Section:
    last = max(cells, key=lambda cell: cell.date)
    counted = [cell for cell in cells if not cell.group and cell.pictures]
    most = max((cell.pictures for cell in counted), default=0)
    people = max((cell.people for cell in counted), default=0)
    names = list(dict.fromkeys(cell.set for cell in cells))
    references = sorted({cell.reference for cell in cells if cell.reference})
    about = (
        f"{', '.join(names)}; {most} pictures of {people} people at most, seed {last.seed}; ± half of the 95 % "
        f"interval or, in brackets, the interval: bootstrap over people. faceinp {last.version}, {last.date}, "
        f"{last.machine}, one thread."
    )
    if references:
        about += f" Differences to `{', '.join(references)}` are paired; bold where their interval leaves out 0."
    grids: list[Grid] = []
    for measure in table.measures:
        for name in _names(cells, measure):
            for where in names:
                for binned in (False, True):
                    mine = [cell for cell in cells if cell.set == where and bool(cell.group) is binned]
                    title = f"{_title(name)}{f', {where}' if len(names) > 1 else ''}{', by bins' if binned else ''}"
                    grids += _grids(table, title, name, mine)
    if grid := _seconds(cells):
        grids.append(grid)
    return Section(table.name, table.title, about, tuple(grids), tuple(_notes(cells)))


def _names(cells: Sequence[Cell], measure: str) -> list[str]:
    """A table's measure as the cells call it: SAME and OTHER are there once a judge."""
    found = [name for cell in cells for name in (*cell.measures, *cell.refused) if name.partition(" ")[0] == measure]
    return list(dict.fromkeys(found))


def _title(name: str) -> str:
    measure, _, judge = name.partition(" ")
    return f"{ABOUT[measure]}{f', says `{judge}`' if judge else ''}"


def _grids(table: Table, title: str, name: str, cells: Sequence[Cell]) -> list[Grid]:
    """The figures, and their differences to the reference engine."""
    columns = list(dict.fromkeys((c.arrangement, c.group, c.mask) for c in cells if c.mask))
    if not columns:
        return []
    told = [_head(column, columns) for column in columns]
    printed = [
        (f"*{row}*", *(_number(name, figures.get(mask)) for _, _, mask in columns))
        for row, figures in table.printed.get(name.partition(" ")[0], {}).items()
        if any(mask in figures for _, _, mask in columns) and not any(group for _, group, _ in columns)
    ]
    rows = [
        (label, *(_figure(name, found.get(column) or found.get((ALIGNED, "", ""))) for column in columns))
        for label, found in _by_engine(cells).items()
    ]
    rows = [row for row in rows if set(row[1:]) != {"-"}]
    grids = [Grid(title, ("engine", *told), (*rows, *printed))] if rows else []
    apart = [
        (label, *(_difference(name, found.get(column)) for column in columns))
        for label, found in _by_engine(cells).items()
        if any(name in cell.differences for cell in found.values())
    ]
    if apart:
        grids.append(Grid(f"{title}: difference", ("engine", *told), tuple(apart)))
    return grids


def _head(column: tuple[str, str, str], columns: Sequence[tuple[str, str, str]]) -> str:
    """What tells a column from the others; arrangement, group, mask."""
    arrangement, group, mask = column
    parts = [ARRANGED[arrangement]] if len({other[0] for other in columns}) > 1 else []
    return ": ".join([*parts, *filter(None, (group,)), mask])


def _by_engine(cells: Sequence[Cell]) -> dict[str, dict[tuple[str, str, str], Cell]]:
    """Cells by row, then by column. An engine that took fewer pictures than others says so."""
    most = max((cell.pictures for cell in cells if not cell.group), default=0)
    found: dict[str, dict[tuple[str, str, str], Cell]] = {}
    for cell in cells:
        found.setdefault(cell.engine, {})[cell.arrangement, cell.group, cell.mask] = cell
    told = {}
    for engine, mine in found.items():
        counts = {cell.pictures for cell in mine.values() if not cell.group and cell.pictures}
        fewer = f" ({min(counts)} pictures)" if counts and min(counts) < most else ""
        told[f"`{engine}`{fewer}" if engine != "untouched" else engine] = mine
    return told


def _figure(name: str, cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if name in cell.refused or "" in cell.refused:
        return REFUSED
    return _plain(name, _sure(cell.measures[name], cell)) if name in cell.measures else "-"


def _sure(measure: Measure, cell: Cell) -> Measure:
    """Without its interval where that comes of too few people to mean anything, as in a small bin."""
    return measure if cell.people >= LEAST else Measure(measure.mean, None, None)


def _plain(name: str, measure: Measure, sign: str = "") -> str:
    """The mean with half of its interval's width, or, of what is lopsided (shares, naturalness), with the interval."""
    if measure.mean is None:
        return "-"
    mean = format(_number(name, measure.mean))
    mean = f"+{mean}" if sign and measure.mean >= 0 else mean
    if measure.low is None or measure.high is None:
        return mean
    if name.partition(" ")[0] in (SAME, OTHER) and measure.low == measure.high:
        return mean  # all or nothing, whoever is drawn
    if name.partition(" ")[0] in (SAME, OTHER):
        return f"{mean} ({100 * measure.low:{sign}.1f} to {100 * measure.high:{sign}.1f})"
    if name == NATURALNESS:
        low, high = (_number(name, end) for end in (measure.low, measure.high))
        return f"{mean} ({low} to {high})"
    return f"{mean} ± {_number(name, (measure.high - measure.low) / 2)}"


def _difference(name: str, cell: Cell | None) -> str:
    measure = cell.differences.get(name) if cell else None
    if cell is None or measure is None or measure.mean is None:
        return "-"
    measure = _sure(measure, cell)
    told = _plain(name, measure, "+")
    sure = measure.low is not None and measure.high is not None and (measure.low > 0 or measure.high < 0)
    return f"**{told}**" if sure else told


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    measure = name.partition(" ")[0]
    if measure in (SAME, OTHER):
        return f"{100 * value:.1f} %"
    if measure == NATURALNESS:
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:,.0f}" if measure == FRECHET else f"{value:.4f}" if measure.endswith("ssim") else f"{value:.2f}"


def _seconds(cells: Sequence[Cell]) -> Grid | None:
    """Time a picture, mean over what was hidden."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.seconds_per_picture is not None and not cell.group and cell.runtime:
            found.setdefault(f"`{cell.engine}`", []).append(cell.seconds_per_picture)
    rows = tuple((engine, f"{sum(took) / len(took):.3f}") for engine, took in found.items())
    return Grid("Seconds a picture, one thread", ("engine", "seconds"), rows) if rows else None


def _notes(cells: Sequence[Cell]) -> list[str]:
    """Each reason for a refusal once, with the rows it concerns; and what failed."""
    reasons: dict[str, dict[str, None]] = {}
    for cell in cells:
        for reason in cell.refused.values():
            reasons.setdefault(reason, {})[f"`{cell.engine}`"] = None
    notes = [f"Refused, {', '.join(rows)}: {reason}" for reason, rows in reasons.items()]
    failed = [cell for cell in cells if cell.failed and not cell.group]
    notes += [
        f"`{cell.engine}`, {cell.set}, {ARRANGED[cell.arrangement]}, {cell.mask}: no fill of {cell.failed} of "
        f"{cell.pictures} pictures; these are left out."
        for cell in failed
    ]
    return notes
