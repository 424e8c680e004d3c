"""The pages of the documentation: links and commands are right, and the page of answers stays short."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from faceinp.cli import main as cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "weights").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[str]:
    """The complete commands of faceinp in a page's blocks."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    shell = [re.sub(r"\\\n\s*", " ", block) for language, block in blocks if not language]
    lines = [line.partition(" #")[0] for block in shell for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r"&&|;|\bdo\b", line)]
    return [part for part in parts if part.startswith("faceinp ") and "..." not in part and "${" not in part]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.model  # the parsers of trainings and exporters import torch
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_can_be_parsed(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "zou").mkdir(parents=True)
    (tmp_path / "runs" / "zou" / "settings.toml").write_text("[settings]\n")
    monkeypatch.chdir(tmp_path)
    shell = importlib.import_module("faceinp.export.shell")
    monkeypatch.setattr(shell, "main", lambda parser, run, argv: parser.parse_args(argv) and 0)
    for line in commands(page):
        argv = shlex.split(line.replace("$at", "1"))[1:]
        if argv[0] == "export":
            assert importlib.import_module(f"faceinp.export.{argv[1]}").main(argv[2:]) == 0, line
        elif argv[0] != "demo":
            assert cli._parser(argv).parse_args(cli._joined(argv)).run, line


def test_answers_are_short_and_lead_to_every_table() -> None:
    answers = (ROOT / "docs" / "measurements.md").read_text()
    assert len(answers.splitlines()) < 150
    for page in (ROOT / "docs" / "measurements").glob("*.md"):
        assert f"(measurements/{page.name}" in answers
