"""What stands beside every measurement, and how its rows are written: a line of JSON each, and a table to read."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import faceinp
from faceinp.common.system import machine, today

Say = Callable[[str], None]


@dataclass(frozen=True)
class Provenance:
    """Where figures come from. command: what makes them again, without folders of this machine."""

    seed: int = 0
    machine: str = ""
    date: str = ""
    version: str = ""
    command: str = ""

    @classmethod
    def now(cls, seed: int = 0, command: str = "") -> Self:
        return cls(seed, machine(), today(), faceinp.__version__, command)

    def __str__(self) -> str:
        return f"faceinp {self.version}, {self.date}, {self.machine}"


def as_line(row: Any) -> str:
    """A dataclass as one line of JSON; the keys of its field ``made``, a Provenance, stand beside its own."""
    told = asdict(row)
    made = told.pop("made")
    return json.dumps(_rounded(told | made), ensure_ascii=False)


def write(folder: str | Path, name: str, rows: Iterable[Any], table: str, say: Say, suffix: str = ".jsonl") -> None:
    """Rows into NAME.jsonl (or another suffix), the table into NAME.md, and the table said."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{suffix}").write_text("".join(as_line(row) + "\n" for row in rows))
    (folder / f"{name}.md").write_text(table)
    say(table)


def grid(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    heads = tuple(heads)
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _rounded(value: Any) -> Any:
    """Six digits that count: more are noise, and would fill the repository."""
    if isinstance(value, dict):
        return {str(key): _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
