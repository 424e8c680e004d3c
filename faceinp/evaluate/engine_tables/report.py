"""Cells become tables to read: Markdown, and the parts of a page that are remade from the cells.

A page has its places marked, one for each table:

    <!-- cells: L3 -->
    ... what was made ...
    <!-- end of cells: L3 -->
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceinp import identity
from faceinp.errors import DataError
from faceinp.evaluate.engine_tables import thumbnails
from faceinp.evaluate.engine_tables.cells import EVERYTHING, Cell, Quantity, of_table
from faceinp.evaluate.engine_tables.tables import (
    ABOUT,
    ALIGNED,
    MASKS,
    NATURALNESS,
    OTHER,
    QUICK,
    SAME,
    STRANGERS,
    TABLES,
    Table,
)  # fmt: skip
from faceinp.evaluate.judge_tables import RATE
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import grid

KNOWN = {**TABLES, QUICK.name: QUICK, MASKS.name: MASKS}
ARRANGED = {"aligned": "aligned", "turned": "turned, seen so", "found": "turned, found again"}
SHARES = (SAME, OTHER, STRANGERS)  # of all pictures or pairs
REFUSED = "refused"
LEAST = 5  # people that an interval is shown of
PRINTED = (
    "Rows in italics are as the papers print them, of other data and networks: they say what to expect, not which is "
    "better."
)
_PLACE = re.compile(r"<!-- cells: (?P<name>[\w-]+) -->\n.*?<!-- end of cells: (?P=name) -->", re.DOTALL)

Column = tuple[str, str, str]  # arrangement, group, mask


@dataclass(frozen=True)
class Section:
    """What was measured of one table. text: Markdown."""

    name: str
    title: str
    text: str


def sections(cells: Sequence[Cell], folder: Path | None = None) -> list[Section]:
    """One for each table that has cells, in the papers' order.

    folder: where the text will lie; its masks are shown as the thumbnails that are there.
    """
    told = ((table, of_table(cells, table.name)) for table in KNOWN.values())
    return [Section(table.name, table.title, _text(table, mine, folder)) for table, mine in told if mine]


def markdown(cells: Sequence[Cell], folder: Path | None = None) -> str:
    """All sections, a heading each."""
    return "\n".join(f"## {section.title}\n\n{section.text}" for section in sections(cells, folder))


def into(pages: Iterable[str | Path], cells: Sequence[Cell]) -> list[str]:
    """Remake the marked places of ``pages`` from ``cells``, with thumbnails beside each page; returns the places'
    names. What is between no marks stays.

    Raises DataError when a page is missing or none has a place for one of the tables.
    """
    texts: dict[Path, str] = {}
    for page in map(Path, pages):
        try:
            texts[page] = page.read_text()
        except OSError as error:
            raise DataError(f"{page} cannot be read ({error}). Give a page with marked places.") from error
    places = {page: [found["name"] for found in _PLACE.finditer(text)] for page, text in texts.items()}
    there = {name for names in places.values() for name in names}
    if lacking := [name for name in dict.fromkeys(cell.table for cell in cells) if name in KNOWN and name not in there]:
        raise DataError(
            f"{', '.join(map(str, texts))} has no place for the table {lacking[0]}. Put these lines where it belongs: "
            f"<!-- cells: {lacking[0]} --> and, below, <!-- end of cells: {lacking[0]} -->."
        )
    remade = []
    for page, text in texts.items():
        mine = [cell for cell in cells if cell.table in places[page]]
        thumbnails.write(page.parent / thumbnails.FOLDER, (cell.mask for cell in mine))
        made = {section.name: f"### {section.title}\n\n{section.text}" for section in sections(mine, page.parent)}
        remade += [name for name in places[page] if name in made]
        page.write_text(_PLACE.sub(lambda found: _remade(found, made), text))  # noqa: B023 - called at once
    return remade


def _remade(found: re.Match[str], made: dict[str, str]) -> str:
    name = found["name"]
    return f"<!-- cells: {name} -->\n{made[name]}<!-- end of cells: {name} -->" if name in made else found[0]


def sentence(cell: Cell) -> str:
    """A cell in one line, for whoever waits."""
    place = " ".join(filter(None, (cell.table, cell.set, cell.arrangement, cell.group, cell.engine, cell.mask)))
    told = [
        f"{what} {_plain(what, _sure(measure, cell))}"
        for what, measure in cell.measures.items()
        if measure.mean is not None
    ]
    refused = [reason if what == EVERYTHING else f"{what} refused" for what, reason in cell.refused.items()]
    return f"{place}: {', '.join([*told, *refused]) or 'nothing'}"


def _text(table: Table, cells: Sequence[Cell], folder: Path | None) -> str:
    last = max(cells, key=lambda cell: cell.made.date)
    names = list(dict.fromkeys(cell.set for cell in cells))
    references = sorted({cell.reference for cell in cells if cell.reference})
    about = [
        f"Faces of {', '.join(names)}, seed {last.made.seed}; n: how many pictures, and people, a row is of. ± half of "
        f"the 95 % interval or, in brackets, the interval: bootstrap over people. A dash is what was not measured or "
        f"not printed. {last.made}, one thread."
    ]
    if references:
        about.append(f"Differences to `{', '.join(references)}` are paired; bold where their interval leaves out 0.")
    commands = list(dict.fromkeys(cell.made.command for cell in cells if cell.made.command))
    about += [f"Made by {', '.join(f'`{command}`' for command in commands)} (without folders)."] if commands else []
    parts = [" ".join(about) + "\n"]
    for what in _quantities(table, cells):
        for where in names:
            for binned in (False, True):
                mine = [cell for cell in cells if cell.set == where and bool(cell.group) is binned]
                title = f"{_title(what)}{f', {where}' if len(names) > 1 else ''}{', by bins' if binned else ''}"
                parts += _grids(table, title, what, mine, folder)
    parts += [f"**{title}**\n\n{grid(heads, rows)}" for title, heads, rows in _seconds(cells)]
    return "\n".join([*parts, *(f"{note}\n" for note in _notes(table, cells))])


def _quantities(table: Table, cells: Sequence[Cell]) -> list[Quantity]:
    """A table's measures as the cells call them: SAME and OTHER are there once a judge."""
    there = dict.fromkeys(what for cell in cells for what in (*cell.measures, *cell.refused))
    return [what for measure in table.measures for what in there if what.name == measure]


def _title(what: Quantity) -> str:
    return f"{ABOUT[what.name]}{f', says `{what.judge}`' if what.judge else ''}"


def _grids(table: Table, title: str, what: Quantity, cells: Sequence[Cell], folder: Path | None) -> list[str]:
    """The figures, and their differences to the reference engine."""
    columns = list(dict.fromkeys((c.arrangement, c.group, c.mask) for c in cells if c.mask))
    if not columns:
        return []
    heads = ("engine", "n", *(_head(column, columns, folder) for column in columns))
    engines = _by_engine(cells)
    rows = [
        (label, n, *(_figure(what, found.get(column) or found.get((ALIGNED, "", ""))) for column in columns))
        for label, n, found in engines
    ]
    rows = [row for row in rows if set(row[2:]) != {"-"}]
    if rows and not any(group for _, group, _ in columns):
        printed = table.printed.get(what.name, {}).items()
        rows += [
            (f"*{row}*", "", *(_number(what, figures.get(mask)) for _, _, mask in columns))
            for row, figures in printed
            if any(mask in figures for _, _, mask in columns)
        ]
    apart = [
        (label, n, *(_difference(what, found.get(column)) for column in columns))
        for label, n, found in engines
        if any(what in cell.differences for cell in found.values())
    ]
    told = {title: rows, f"{title}: difference": apart}
    return [f"**{name}**\n\n{grid(heads, lines)}" for name, lines in told.items() if lines]


def _head(column: Column, columns: Sequence[Column], folder: Path | None) -> str:
    """What tells a column from the others."""
    arrangement, group, mask = column
    parts = [ARRANGED[arrangement]] if len({other[0] for other in columns}) > 1 else []
    return ": ".join([*parts, *filter(None, (group,)), thumbnails.with_name(mask, folder)])


def _by_engine(cells: Sequence[Cell]) -> list[tuple[str, str, dict[Column, Cell]]]:
    """Cells by row, then by column: the row's name, how many pictures and people it is of, and its cells."""
    found: dict[str, dict[Column, Cell]] = {}
    for cell in cells:
        found.setdefault(cell.engine, {})[cell.arrangement, cell.group, cell.mask] = cell
    told = []
    for engine, mine in found.items():
        counts = [_range(getattr(cell, name) for cell in mine.values()) for name in ("pictures", "people")]
        n = f"{counts[0]} ({counts[1]})" if counts[0] else ""
        told.append((engine if engine == "untouched" else f"`{engine}`", n, mine))
    return told


def _range(counts: Iterable[int]) -> str:
    there = sorted({count for count in counts if count})
    return " to ".join(map(str, dict.fromkeys((there[0], there[-1])))) if there else ""


def _figure(what: Quantity, cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if what in cell.refused or EVERYTHING in cell.refused:
        return REFUSED
    return _plain(what, _sure(cell.measures[what], cell)) if what in cell.measures else "-"


def _sure(measure: Measure, cell: Cell) -> Measure:
    """Without its interval where that comes of too few people to mean anything, as in a small bin."""
    return measure if cell.people >= LEAST else Measure(measure.mean, None, None)


def _plain(what: Quantity, measure: Measure, sign: str = "") -> str:
    """The mean with half of its interval's width, or, of what is lopsided (shares, naturalness), with the interval."""
    if measure.mean is None:
        return "-"
    mean = _number(what, measure.mean)
    mean = f"+{mean}" if sign and measure.mean >= 0 else mean
    if measure.low is None or measure.high is None:
        return mean
    if what.name in SHARES and measure.low == measure.high:
        return mean  # all or nothing, whoever is drawn
    if what.name in SHARES:
        return f"{mean} ({100 * measure.low:{sign}.1f} to {100 * measure.high:{sign}.1f})"
    if what.name == NATURALNESS:
        return f"{mean} ({_number(what, measure.low)} to {_number(what, measure.high)})"
    return f"{mean} ± {_number(what, (measure.high - measure.low) / 2)}"


def _difference(what: Quantity, cell: Cell | None) -> str:
    measure = cell.differences.get(what) if cell else None
    if cell is None or measure is None or measure.mean is None:
        return "-"
    measure = _sure(measure, cell)
    told = _plain(what, measure, "+")
    sure = measure.low is not None and measure.high is not None and (measure.low > 0 or measure.high < 0)
    return f"**{told}**" if sure else told


def _number(what: Quantity, value: float | None) -> str:
    if value is None:
        return "-"
    if what.name in SHARES:
        return f"{100 * value:.1f} %"
    if what.name == NATURALNESS:
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:.4f}" if what.name.endswith("ssim") else f"{value:.2f}"


def _seconds(cells: Sequence[Cell]) -> list[tuple[str, tuple[str, str], list[tuple[str, str]]]]:
    """Time a picture, mean over what was hidden: title, heads and rows of the table, where there is any."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.seconds_per_picture is not None and not cell.group and cell.runtime:
            found.setdefault(f"`{cell.engine}`", []).append(cell.seconds_per_picture)
    rows = [(engine, f"{sum(took) / len(took):.3f}") for engine, took in found.items()]
    return [("Seconds a picture, one thread", ("engine", "seconds"), rows)] if rows else []


def _notes(table: Table, cells: Sequence[Cell]) -> list[str]:
    """What "same person" means, whose the printed rows are, each reason for a refusal once, and what failed."""
    notes = _of_judges(cells)
    masks = {cell.mask for cell in cells}
    shown = {what.name for what in _quantities(table, cells)}
    if any(masks & set(f) for name, rows in table.printed.items() if name in shown for f in rows.values()):
        notes.append(PRINTED)
    reasons: dict[str, dict[str, None]] = {}
    for cell in cells:
        for reason in cell.refused.values():
            reasons.setdefault(reason, {})[f"`{cell.engine}`"] = None
    notes += [f"Refused, {', '.join(rows)}: {reason}" for reason, rows in reasons.items()]
    notes += [
        f"`{cell.engine}`, {cell.set}, {ARRANGED[cell.arrangement]}, {cell.mask}: no fill of {cell.failed} of "
        f"{cell.pictures} pictures; these are left out."
        for cell in cells
        if cell.failed and not cell.group
    ]
    return notes


def _of_judges(cells: Sequence[Cell]) -> list[str]:
    limits = {judge: limit for cell in cells for judge, limit in cell.thresholds.items()}
    if not limits:
        return []
    told = [
        f'"The same person" is {identity.CAVEAT}: each judge takes two faces for one person\'s up to the distance at '
        f"which {100 * RATE:.0f} % of the strangers' pairs of its calibration pass."
    ]
    for judge, limit in limits.items():
        strangers = Quantity(STRANGERS, judge)
        found = [
            f"{_plain(strangers, cell.measures[strangers])} of those of {cell.set}"
            for cell in cells
            if strangers in cell.measures
        ]
        told.append(f"`{judge}`: {limit:.3f}{', where ' + ', '.join(found) + ' pass' if found else ''}.")
    return [" ".join(told)]
