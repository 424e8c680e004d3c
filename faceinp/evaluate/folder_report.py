"""What was measured of two folders, as text, Markdown and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import metadata
from pathlib import Path

import faceinp
from faceinp.evaluate.folder_measures import FEWEST, Row
from faceinp.machine import machine, today

HEADS = ("measure", "mean", "95 % interval", "pairs", "better", "what it is")
PACKAGES = ("numpy", "scikit-image", "torch", "torchvision", "torchmetrics", "torch-fidelity", "scikit-learn")
NOTES = (
    f"Intervals, of {FEWEST} pairs or more, are bootstraps over pictures: too narrow where people are on several.",
    "A judge of identity praises a program that was trained to please it. The judge bundled was in a loss of faceinp's "
    "own engine landmark.",
)
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}table{border-collapse:"
    "collapse}td{padding:.2rem .6rem;border-bottom:1px solid #ddd}pre{white-space:pre-wrap}"
)


@dataclass(frozen=True)
class Report:
    """command: what was typed, or empty. pairs: how many were measured. refused, notes: sentences."""

    command: str
    pairs: int
    rows: Sequence[Row]
    refused: Sequence[str]
    notes: Sequence[str]


def text(report: Report) -> str:
    """For a terminal: the table without what each measure is, and the sentences."""
    table = [cells[:-1] for cells in _table(report)]
    widths = [max(len(cells[n]) for cells in table) for n in range(len(table[0]))]
    lines = ["  ".join(c.ljust(width) for c, width in zip(cells, widths, strict=True)).rstrip() for cells in table]
    told = [*(f"not measured: {one}" for one in report.refused), *(f"note: {one}" for one in report.notes)]
    return "\n".join([*lines, *told])


def write(report: Report, folder: Path) -> None:
    """``report.md`` and ``report.html``, neither of which needs another file."""
    title, about = "Two folders of pictures compared", f"{report.pairs:,} pairs of truth and result."
    style = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    text = [f"# {title}\n\n{about}\n\n    {report.command}\n"]
    page = [
        f'<!doctype html>\n<html lang="en">{style}<h1>{title}</h1><p>{about}</p><pre>{escape(report.command)}</pre>'
    ]
    heads, *rows = _table(report)
    for cells in (heads, ("---",) * len(heads), *rows):
        text.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    page += ["<table>", *(f"<tr><td>{'<td>'.join(map(escape, cells))}" for cells in (heads, *rows)), "</table>"]
    lists = {"Not measured": report.refused, "Notes": (*report.notes, *NOTES), "Made with": (_versions(),)}
    for head, sentences in lists.items():
        text += [f"\n## {head}\n", *(f"- {' '.join(one.split())}" for one in sentences)]
        page += [f"<h2>{head}</h2><ul>", *(f"<li>{escape(one)}" for one in sentences), "</ul>"]
    for suffix, lines in {"md": text, "html": [*page, "</html>"]}.items():
        (folder / f"report.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(report: Report) -> list[tuple[str, ...]]:
    """HEADS, and as they say a line for each row."""
    lines: list[tuple[str, ...]] = [HEADS]
    for row in report.rows:
        column, value = row.column, row.value
        mean, low, high = (None if n is None else column.form.format(n) for n in (value.mean, value.low, value.high))
        spread = row.after or (f"{low} to {high}" if low and high and row.n >= FEWEST else "–")
        lines.append((column.title, mean or "–", spread, f"{row.n:,}", column.better, column.about))
    return lines


def _versions() -> str:
    known = {each.name.lower().replace("_", "-"): each.version for each in metadata.distributions() if each.name}
    packages = [f"{name} {known[name]}" for name in PACKAGES if name in known]
    return f"faceinp {faceinp.__version__}, {', '.join(packages)}; {today()}, {machine()}."
