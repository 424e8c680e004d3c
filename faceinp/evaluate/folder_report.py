"""What was measured of two folders, as text, Markdown and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from faceinp.evaluate import html, record
from faceinp.evaluate.folder_measures import FEWEST, Row

HEADS = ("measure", "mean", "95 % interval", "pairs", "better", "what it is")
PACKAGES = ("numpy", "scikit-image", "torch", "torchvision", "torchmetrics", "torch-fidelity", "scikit-learn")
NOTES = (
    f"Intervals, of {FEWEST} pairs or more, are bootstraps over pictures: too narrow where people are on several.",
    "A judge of identity praises a program that was trained to please it. The judge bundled was in a loss of faceinp's "
    "own engine landmark.",
)
TITLE = "Two folders of pictures compared"


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
    heads, *rows = ([cell.replace("|", "\\|") for cell in cells] for cells in _table(report))
    parts = [f"{report.pairs:,} pairs of truth and result.\n\n    {report.command}\n", record.grid(heads, rows)]
    lists = {"Not measured": report.refused, "Notes": (*report.notes, *NOTES), "Made with": (_versions(),)}
    for head, sentences in lists.items():
        parts.append(f"## {head}\n\n" + "".join(f"- {' '.join(one.split())}\n" for one in sentences))
    body = "\n".join(parts)
    (folder / "report.md").write_text(f"# {TITLE}\n\n{body}", encoding="utf-8")
    (folder / "report.html").write_text(html.page(TITLE, html.rendered(body, folder)), encoding="utf-8")


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
    return f"{record.Provenance.now()}, {', '.join(packages)}."
