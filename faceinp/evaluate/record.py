"""How measurements are written: a line of JSON for each, with its provenance, and a table in Markdown."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import faceinp
from faceinp.models.system import machine, today

Say = Callable[[str], None]


@dataclass(frozen=True)
class Provenance:
    """Where figures come from. command: the command that reproduces them, without folders of this machine."""

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


def as_line(result: Any) -> str:
    """A dataclass as one line of JSON; the keys of its field ``provenance`` stand beside its own."""
    values = asdict(result)
    provenance = values.pop("provenance")
    return json.dumps(_rounded(values | provenance), ensure_ascii=False)


def write(folder: str | Path, name: str, results: Iterable[Any], table: str, say: Say, suffix: str = ".jsonl") -> None:
    """Write ``results`` into NAME.jsonl (or another suffix) and ``table`` into NAME.md, and ``say`` the table."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{suffix}").write_text("".join(as_line(result) + "\n" for result in results))
    (folder / f"{name}.md").write_text(table)
    say(table)


def grid(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    heads = tuple(heads)
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _rounded(value: Any) -> Any:
    """Six significant digits: more are noise, and would fill the repository."""
    if isinstance(value, dict):
        return {str(key): _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
