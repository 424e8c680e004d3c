"""Tables in Markdown from cells, as a report or in the marked parts of pages.

A page marks each part that is updated from cells:

    <!-- cells: L3 -->
    ... the table L3 ...
    <!-- end of cells: L3 -->
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faceinp import identity
from faceinp.errors import DataError
from faceinp.evaluate.engine_tables import tables, thumbnails
from faceinp.evaluate.engine_tables.cells import EVERYTHING, Cell, Quantity
from faceinp.evaluate.engine_tables.tables import ALIGNED, NATURALNESS, OTHER, SAME, STRANGERS, TITLES, Table
from faceinp.evaluate.judge_tables import RATE
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import grid

ALL_TABLES = {**tables.TABLES, tables.QUICK.name: tables.QUICK, tables.MASKS.name: tables.MASKS}
ARRANGEMENTS = {"aligned": "aligned", "turned": "turned", "found": "turned and redetected"}
SHARES = (SAME, OTHER, STRANGERS)  # measures in [0, 1]
MISSING, REFUSED = "-", "refused"
MIN_PEOPLE = 5  # fewer give no meaningful interval
PRINTED_NOTE = (
    "Rows in italics are printed in the papers, for other data and networks: they show what to expect, not which "
    "engine is better."
)
_MARKED = re.compile(r"<!-- cells: (?P<name>[\w-]+) -->\n.*?<!-- end of cells: (?P=name) -->", re.DOTALL)

Column = tuple[str, str, str]  # arrangement, group, mask


@dataclass(frozen=True)
class Section:
    """The report on one table. text: Markdown."""

    name: str
    title: str
    text: str


def sections(cells: Sequence[Cell], folder: Path | None = None) -> list[Section]:
    """A section for each table that has cells, in the papers' order.

    folder: where the text will be stored; masks whose thumbnails are there are shown as pictures.
    """
    by_table = {name: [cell for cell in cells if cell.table == name] for name in ALL_TABLES}
    return [
        Section(name, ALL_TABLES[name].title, _text(ALL_TABLES[name], table_cells, folder))
        for name, table_cells in by_table.items()
        if table_cells
    ]


def markdown(cells: Sequence[Cell], folder: Path | None = None) -> str:
    """All sections with their headings."""
    return "\n".join(f"## {section.title}\n\n{section.text}" for section in sections(cells, folder))


def update_pages(pages: Iterable[str | Path], cells: Sequence[Cell]) -> list[str]:
    """Replace the marked parts of ``pages``, with thumbnails beside each page; returns the names of updated tables.

    Raises DataError when a page is missing or no page has a marked part for one of the tables.
    """
    texts: dict[Path, str] = {}
    for page in map(Path, pages):
        try:
            texts[page] = page.read_text()
        except OSError as error:
            raise DataError(f"{page} cannot be read ({error}). Give a page with marked parts.") from error
    marked = {page: [match["name"] for match in _MARKED.finditer(text)] for page, text in texts.items()}
    all_marked = {name for names in marked.values() for name in names}
    measured = [name for name in dict.fromkeys(cell.table for cell in cells) if name in ALL_TABLES]
    if missing := [name for name in measured if name not in all_marked]:
        raise DataError(
            f"{', '.join(map(str, texts))} has no marked part for the table {missing[0]}. Add these lines to a page: "
            f"<!-- cells: {missing[0]} --> and, below, <!-- end of cells: {missing[0]} -->."
        )
    for page, text in texts.items():
        page_cells = [cell for cell in cells if cell.table in marked[page]]
        thumbnails.write(page.parent / thumbnails.FOLDER, (cell.mask for cell in page_cells))
        new = {section.name: section for section in sections(page_cells, page.parent)}
        page.write_text(_MARKED.sub(partial(_replacement, new), text))
    return [name for names in marked.values() for name in names if name in measured]


def _replacement(new: Mapping[str, Section], match: re.Match[str]) -> str:
    name = match["name"]
    if name not in new:
        return match[0]
    return f"<!-- cells: {name} -->\n### {new[name].title}\n\n{new[name].text}<!-- end of cells: {name} -->"


def sentence(cell: Cell) -> str:
    """A cell in one line, to show progress."""
    position = " ".join(filter(None, (cell.table, cell.set, cell.arrangement, cell.group, cell.engine, cell.mask)))
    figures = [f"{quantity} {_figure(quantity, cell)}" for quantity, m in cell.measures.items() if m.mean is not None]
    refused = [reason if what == EVERYTHING else f"{what} refused" for what, reason in cell.refused.items()]
    return f"{position}: {', '.join([*figures, *refused]) or 'nothing'}"


# ---- the parts of a section ----


def _text(table: Table, cells: Sequence[Cell], folder: Path | None) -> str:
    parts = [_introduction(cells)]
    set_names = list(dict.fromkeys(cell.set for cell in cells))
    for quantity in _quantities(table, cells):
        for name in set_names:
            for binned in (False, True):
                selected = [cell for cell in cells if cell.set == name and bool(cell.group) is binned]
                title = TITLES[quantity.name] + (f", judge `{quantity.judge}`" if quantity.judge else "")
                title += f", {name}" if len(set_names) > 1 else ""
                title += ", by yaw and blur" if binned else ""
                parts += _grids(table, title, quantity, selected, folder)
    parts += _seconds(cells)
    return "\n".join([*parts, *(f"{note}\n" for note in _notes(table, cells))])


def _introduction(cells: Sequence[Cell]) -> str:
    latest = max(cells, key=lambda cell: cell.provenance.date).provenance
    references = sorted({cell.reference for cell in cells if cell.reference})
    commands = list(dict.fromkeys(cell.provenance.command for cell in cells if cell.provenance.command))
    sentences = [
        f"Faces of {', '.join(dict.fromkeys(cell.set for cell in cells))}, seed {latest.seed}. n: number of pictures "
        "and, in brackets, of people; a picture of an unknown person counts as one person. ±: half of the 95 % "
        "interval, by bootstrap over people; shares and naturalness show the whole interval in brackets. A dash: not "
        f"measured, or not printed. {latest}, one thread."
    ]
    if references:
        sentences.append(
            f"Differences from `{', '.join(references)}` are paired; bold where their interval excludes 0."
        )
    if commands:
        sentences.append(f"Made by {', '.join(f'`{command}`' for command in commands)} (without folders).")
    return " ".join(sentences) + "\n"


def _quantities(table: Table, cells: Sequence[Cell]) -> list[Quantity]:
    """The table's measures, in its order; SAME and OTHER once per judge."""
    quantities = dict.fromkeys(quantity for cell in cells for quantity in (*cell.measures, *cell.refused))
    return [quantity for measure in table.measures for quantity in quantities if quantity.name == measure]


def _grids(table: Table, title: str, quantity: Quantity, cells: Sequence[Cell], folder: Path | None) -> list[str]:
    """The figures, and their differences from the reference engine."""
    columns = list(dict.fromkeys((cell.arrangement, cell.group, cell.mask) for cell in cells if cell.mask))
    if not columns:
        return []
    heads = ("engine", "n", *(_head(column, columns, folder) for column in columns))
    engines = _by_engine(cells)
    untouched = (ALIGNED, "", "")  # one figure for all columns
    rows = [
        (label, n, *(_figure(quantity, row.get(column) or row.get(untouched)) for column in columns))
        for label, n, row in engines
    ]
    rows = [row for row in rows if set(row[2:]) != {MISSING}]
    if rows and not any(group for _, group, _ in columns):
        rows += [
            (f"*{name}*", "", *(_number(quantity, figures.get(mask)) for _, _, mask in columns))
            for name, figures in table.printed.get(quantity.name, {}).items()
            if any(mask in figures for _, _, mask in columns)
        ]
    differences = [
        (label, n, *(_difference(quantity, row.get(column)) for column in columns))
        for label, n, row in engines
        if any(quantity in cell.differences for cell in row.values())
    ]
    grids = {title: rows, f"{title}: difference": differences}
    return [_titled_grid(name, heads, lines) for name, lines in grids.items() if lines]


def _titled_grid(title: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return f"**{title}**\n\n{grid(heads, rows)}"


def _head(column: Column, columns: Sequence[Column], folder: Path | None) -> str:
    """What distinguishes a column from the others."""
    arrangement, group, mask = column
    parts = [ARRANGEMENTS[arrangement]] if len({other[0] for other in columns}) > 1 else []
    return ": ".join([*parts, *filter(None, (group,)), thumbnails.with_name(mask, folder)])


def _by_engine(cells: Sequence[Cell]) -> list[tuple[str, str, dict[Column, Cell]]]:
    """For each engine: its label, the numbers of pictures and people, and its cells by column."""
    rows: dict[str, dict[Column, Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.engine, {})[cell.arrangement, cell.group, cell.mask] = cell
    engines = []
    for engine, row in rows.items():
        pictures, people = (_range(getattr(cell, name) for cell in row.values()) for name in ("pictures", "people"))
        label = engine if engine == "untouched" else f"`{engine}`"
        engines.append((label, f"{pictures} ({people})" if pictures else "", row))
    return engines


def _range(counts: Iterable[int]) -> str:
    positive = [count for count in counts if count]
    return " to ".join(map(str, dict.fromkeys((min(positive), max(positive))))) if positive else ""


def _seconds(cells: Sequence[Cell]) -> list[str]:
    """Time per picture, the mean over all masks."""
    seconds: dict[str, list[float]] = {}
    for cell in cells:
        if cell.seconds_per_picture is not None and not cell.group and cell.runtime:
            seconds.setdefault(f"`{cell.engine}`", []).append(cell.seconds_per_picture)
    rows = [(engine, f"{sum(values) / len(values):.3f}") for engine, values in seconds.items()]
    return [_titled_grid("Seconds per picture, one thread", ("engine", "seconds"), rows)] if rows else []


def _notes(table: Table, cells: Sequence[Cell]) -> list[str]:
    """What "same person" means, the printed rows, each reason for a refusal once, and failures."""
    notes = _judge_notes(cells)
    masks = {cell.mask for cell in cells}
    printed = [table.printed.get(quantity.name, {}) for quantity in _quantities(table, cells)]
    if any(masks & set(figures) for rows in printed for figures in rows.values()):
        notes.append(PRINTED_NOTE)
    reasons: dict[str, dict[str, None]] = {}
    for cell in cells:
        for reason in cell.refused.values():
            reasons.setdefault(reason, {})[f"`{cell.engine}`"] = None
    notes += [f"Refused, {', '.join(engines)}: {reason}" for reason, engines in reasons.items()]
    notes += [
        f"`{cell.engine}`, {cell.set}, {ARRANGEMENTS[cell.arrangement]}, {cell.mask}: {cell.failed} of {cell.pictures} "
        "pictures have no fill and are left out."
        for cell in cells
        if cell.failed and not cell.group
    ]
    return notes


def _judge_notes(cells: Sequence[Cell]) -> list[str]:
    thresholds = {judge: threshold for cell in cells for judge, threshold in cell.thresholds.items()}
    if not thresholds:
        return []
    sentences = [
        f'"Same person" is {identity.CAVEAT}. Each judge accepts two faces as one person up to the distance at which '
        f"{100 * RATE:.0f} % of the strangers' pairs of its calibration are accepted."
    ]
    for judge, threshold in thresholds.items():
        quantity = Quantity(STRANGERS, judge)
        accepted = [f"{_figure(quantity, cell)} of {cell.set}'s" for cell in cells if quantity in cell.measures]
        sentences.append(f"`{judge}`: {threshold:.3f}{', which accepts ' + ', '.join(accepted) if accepted else ''}.")
    return [" ".join(sentences)]


# ---- figures as text ----


def _figure(quantity: Quantity, cell: Cell | None) -> str:
    if cell is None:
        return MISSING
    if quantity in cell.refused or EVERYTHING in cell.refused:
        return REFUSED
    return _with_interval(quantity, cell.measures.get(quantity), cell.people)


def _difference(quantity: Quantity, cell: Cell | None) -> str:
    measure = cell.differences.get(quantity) if cell else None
    if cell is None or measure is None or measure.mean is None:
        return MISSING
    text = _with_interval(quantity, measure, cell.people, "+")
    if measure.low is None or measure.high is None or cell.people < MIN_PEOPLE:
        return text
    return f"**{text}**" if measure.low > 0 or measure.high < 0 else text


def _with_interval(quantity: Quantity, measure: Measure | None, people: int, sign: str = "") -> str:
    """The mean with half the width of its interval or, where intervals are asymmetric, with the interval.

    sign: "+" marks positive numbers.
    """
    if measure is None or measure.mean is None:
        return MISSING
    mean = ("+" if sign and measure.mean >= 0 else "") + _number(quantity, measure.mean)
    low, high = measure.low, measure.high
    if low is None or high is None or people < MIN_PEOPLE:
        return mean
    if quantity.name in SHARES:
        return mean if low == high else f"{mean} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"
    if quantity.name == NATURALNESS:
        return f"{mean} ({_number(quantity, low)} to {_number(quantity, high)})"
    return f"{mean} ± {_number(quantity, (high - low) / 2)}"


def _number(quantity: Quantity, value: float | None) -> str:
    if value is None:
        return MISSING
    if quantity.name in SHARES:
        return f"{100 * value:.1f} %"
    if quantity.name == NATURALNESS:
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:.4f}" if quantity.name.endswith("ssim") else f"{value:.2f}"
