"""The comparison of two folders as text, Markdown and HTML."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from faceinp.evaluate import html, record
from faceinp.evaluate.folder_measures import MIN_PAIRS_KID, Line

HEADS = ("measure", "mean", "95 % interval", "pairs", "better", "what it is")
PACKAGES = ("numpy", "scikit-image", "torch", "torchvision", "torchmetrics", "torch-fidelity", "scikit-learn")
NOTES = (
    f"Intervals, of {MIN_PAIRS_KID} pairs or more, are bootstraps over pictures: too narrow where people appear twice.",
    "A judge of identity is biased towards a program that was trained with it. The bundled judge was in a loss of "
    "faceinp's own engine landmark.",
)
TITLE = "Comparison of two folders of pictures"
NONE = "–"


@dataclass(frozen=True)
class Report:
    """command: what the user typed, or empty. pairs: how many were measured. refused, notes: sentences."""

    command: str
    pairs: int
    lines: Sequence[Line]
    refused: Sequence[str]
    notes: Sequence[str]


def text(report: Report) -> str:
    """For a terminal: the table without the last column, and the sentences."""
    table = [cells[:-1] for cells in _table(report)]
    widths = [max(len(cells[n]) for cells in table) for n in range(len(table[0]))]
    lines = ["  ".join(c.ljust(width) for c, width in zip(cells, widths, strict=True)).rstrip() for cells in table]
    lines += [f"not measured: {reason}" for reason in report.refused] + [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def write(report: Report, folder: Path) -> None:
    """Write ``report.md`` and ``report.html``; neither needs another file."""
    heads, *rows = ([cell.replace("|", "\\|") for cell in cells] for cells in _table(report))
    parts = [f"{report.pairs:,} pairs of truth and result.\n\n    {report.command}\n", record.grid(heads, rows)]
    lists = {"Not measured": report.refused, "Notes": (*report.notes, *NOTES), "Versions": (_versions(),)}
    for head, sentences in lists.items():
        parts.append(f"## {head}\n\n" + "".join(f"- {' '.join(each.split())}\n" for each in sentences))
    body = "\n".join(parts)
    (folder / "report.md").write_text(f"# {TITLE}\n\n{body}", encoding="utf-8")
    (folder / "report.html").write_text(html.page(TITLE, html.from_markdown(body, folder)), encoding="utf-8")


def _table(report: Report) -> list[tuple[str, ...]]:
    """HEADS, and a row for each line of the report."""
    rows: list[tuple[str, ...]] = [HEADS]
    for line in report.lines:
        column, value = line.column, line.value
        mean, low, high = (_number(column.form, number) for number in (value.mean, value.low, value.high))
        has_interval = NONE not in (low, high) and line.n >= MIN_PAIRS_KID
        spread = line.spread or (f"{low} to {high}" if has_interval else NONE)
        rows.append((column.title, mean, spread, f"{line.n:,}", column.better, column.about))
    return rows


def _number(form: str, value: float | None) -> str:
    if value is None:
        return NONE
    return "∞" if value == math.inf else form.format(value)


def _versions() -> str:
    installed = {each.name.lower().replace("_", "-"): each.version for each in metadata.distributions() if each.name}
    packages = [f"{name} {installed[name]}" for name in PACKAGES if name in installed]
    return f"{record.Provenance.now()}, {', '.join(packages)}."
