"""What was measured of two folders, as text, Markdown and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import metadata
from pathlib import Path

import faceinp
from faceinp.evaluate.folder_measures import Row
from faceinp.machine import machine, today

HEADS = ("measure", "mean", "95 % interval", "pairs", "better", "what it is")
PACKAGES = ("numpy", "scikit-image", "torch", "torchvision", "torchmetrics", "torch-fidelity", "scikit-learn")
INTERVALS = (
    "Intervals are bootstraps over pictures; where people are on several pictures, they are too narrow. A judge of "
    "identity praises a program that was trained to please it: `bundled` was in a loss of faceinp's own engine `landmark`."
)
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}table{border-collapse:"
    "collapse}td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left}pre{white-space:pre-wrap}"
)


@dataclass(frozen=True)
class Report:
    """pairs: how many were measured. refused, notes: sentences."""

    command: str
    pairs: int
    rows: Sequence[Row]
    refused: Sequence[str]
    notes: Sequence[str]

    def cells(self) -> list[tuple[str, ...]]:
        """As HEADS."""
        return [_cells(row) for row in self.rows]

    def versions(self) -> str:
        known = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
        packages = [f"{name} {known[name]}" for name in PACKAGES if name in known]
        return f"faceinp {faceinp.__version__}, {', '.join(packages)}; {today()}, {machine()}."

    def lists(self) -> dict[str, Sequence[str]]:
        return {"Not measured": self.refused, "Notes": (*self.notes, INTERVALS), "Made with": (self.versions(),)}


def text(report: Report) -> str:
    """For a terminal: the table without what each measure is, and the sentences."""
    table = [HEADS[:-1], *(cells[:-1] for cells in report.cells())]
    widths = [max(len(line[n]) for line in table) for n in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join(
        [*lines, *(f"not measured: {one}" for one in report.refused), *(f"note: {n}" for n in report.notes)]
    )


def write(report: Report, folder: Path) -> None:
    """``report.md`` and ``report.html``, which need no other file."""
    title, about = "Two folders of pictures compared", f"{report.pairs:,} pairs of truth and result."
    lines = [f"# {title}\n", f"{about}\n", *([f"    {report.command}\n"] if report.command else [])]
    lines += [f"| {' | '.join(cells)} |" for cells in (HEADS, ["---"] * len(HEADS), *report.cells())]
    for head, sentences in report.lists().items():
        lines += [f"\n## {head}\n", *(f"- {' '.join(one.split())}" for one in sentences)]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>" for cells in (HEADS, *report.cells())]
    page = [f"<h1>{title}</h1><p>{about}</p><pre>{escape(report.command)}</pre><table>", *rows, "</table>"]
    for head, sentences in report.lists().items():
        page += [f"<h2>{head}</h2><ul>", *(f"<li>{escape(one)}</li>" for one in sentences), "</ul>"]
    start = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    (folder / "report.html").write_text("\n".join([start, *page, "</html>\n"]), encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    column, value = row.column, row.value
    shown = [column.form.format(number) if number is not None else "" for number in (value.mean, value.low, value.high)]
    interval = f"{shown[1]} to {shown[2]}" if value.low is not None and value.high is not None else "–"
    if value.mean is None:
        return column.title, row.after or "–", "–", f"{row.n:,}", column.better, column.about
    return column.title, shown[0], row.after or interval, f"{row.n:,}", column.better, column.about
