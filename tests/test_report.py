"""Reports: tables from cells, pages remade from them, HTML that needs nothing else."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.evaluate.engine_tables import cells, report, sheets, thumbnails
from faceinp.evaluate.engine_tables.cells import Cell, Quantity
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance

PSNR, SSIM = Quantity("composite_psnr"), Quantity("composite_ssim")
PAGE = """# Measurements

Written by hand.

<!-- cells: L3 -->
Old figures.
<!-- end of cells: L3 -->

By hand, too.

<!-- cells: L5 -->
Not measured today.
<!-- end of cells: L5 -->
"""


def cell(engine: str, mask: str, mean: float, **more: object) -> Cell:
    measures = {PSNR: Measure(mean, mean - 0.5, mean + 0.5), SSIM: Measure(0.9, 0.89, 0.91)}
    given = {
        "pictures": 200,
        "people": 52,
        "runtime": "cpu",
        "seconds_per_picture": 0.1,
        "provenance": Provenance(date="2026-01-01"),
    } | more
    return Cell("L3", "celeba-val", "aligned", "", engine, mask, measures, **given)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "cells.jsonl"
    lead = {PSNR: Measure(2.5, 2.0, 3.0), SSIM: Measure(-0.001, -0.002, 0.001)}
    for mask, mean in (("1", 12.5), ("7", 21.58)):
        cells.append(file, cell("telea", mask, mean))
        cells.append(file, cell("mirror", mask, mean + 2.5, differences=lead, reference="telea", pictures=32))
    return file


def test_a_page_is_remade_from_the_lines_and_the_rest_of_it_stays(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert main(["evaluate", "report", str(file), "--into", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}: remade L3\n"
    once = page.read_text()
    assert "| `telea` | 200 (52) | 12.50 ± 0.50 | 21.58 ± 0.50 |" in once and "Old figures" not in once
    assert "| `mirror` | 32 (52) | **+2.50 ± 0.50** | **+2.50 ± 0.50** |" in once  # sure of it
    assert "| `mirror` | 32 (52) | -0.0010 ± 0.0015 |" in once  # not sure
    assert "| *model 5, as printed* |  | 16.40 | 25.08 |" in once
    for kept in ("Written by hand.", "By hand, too.", "Not measured today."):
        assert kept in once
    report.update_pages([page], cells.read([file]))
    assert page.read_text() == once
    assert main(["evaluate", "report", str(file)]) == 0
    assert report.sections(cells.read([file]))[0].text in capsys.readouterr().out


def test_a_page_without_the_place_is_named_and_left_alone(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Nothing marked\n")
    with pytest.raises(DataError, match=r"no marked part for the table L3\. Add these lines"):
        report.update_pages([page], cells.read([file]))
    assert page.read_text() == "# Nothing marked\n"
    with pytest.raises(DataError, match="cannot be read"):
        report.update_pages([tmp_path / "none.md"], cells.read([file]))


def test_the_pages_of_measurements_are_what_their_lines_make(tmp_path: Path) -> None:
    """Each table has its place once, on a page that says how it is remade."""
    folder = Path(__file__).parent.parent / "docs" / "measurements"
    lines = sorted(folder.glob("*.jsonl"))
    measured = cells.read(lines)
    copies = [Path(shutil.copy(page, tmp_path)) for page in sorted(folder.glob("*.md"))]
    marked = [name for page in copies for name in re.findall(r"<!-- cells: ([\w-]+) -->\n", page.read_text())]
    assert len(marked) == len(set(marked))
    assert set(report.update_pages(copies, measured)) == {cell.table for cell in measured}
    for page in copies:
        assert page.read_text() == (folder / page.name).read_text(), page
    made, there = ({file.name for file in (at / thumbnails.FOLDER).iterdir()} for at in (tmp_path, folder))
    assert made == there


@pytest.mark.parametrize("content", [None, "", "no JSON\n", '{"other": 1}\n'])
def test_a_file_without_cells_is_named(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=r"Give a cells\.jsonl"):
        cells.read([file])


def test_the_html_needs_nothing_else_and_says_that_it_stays_here(file: Path, tmp_path: Path) -> None:
    picture = sheets.Picture("sheet", "A <title>", ("photo", "known", "telea, composite"), bytes(range(256)))
    page = sheets.page(cells.read([file]), tmp_path, [picture])
    assert not re.search(r"""(?:https?:)?//[a-z]|<link|<script|@import|url\(""", page.replace("<!doctype html>", ""))
    assert re.findall(r'src="([^;]*);', page) == ["data:image/webp"]
    assert "Keep it on this machine" in page and "A &lt;title&gt;" in page
    assert ">12.50 ± 0.50</td>" in page and "<strong>+2.50 ± 0.50</strong>" in page and "<code>telea</code>" in page


def test_shares_come_with_their_interval_for_they_are_lopsided() -> None:
    made = Cell(
        "L5", "s", "aligned", "", "telea", "1", {Quantity("other", "judge"): Measure(0.124, 0.087, 0.163)}, people=9
    )
    text = report.markdown([made])
    few = report.markdown([dataclasses.replace(made, people=4)])
    assert "| `telea` |  | 12.4 % |" in few  # of four people an interval means nothing
    assert "| `telea` |  | 12.4 % (8.7 to 16.3) |" in text and "| *model 5, as printed* |  | 41.0 % |" in text


def test_lines_are_short_and_lose_nothing_that_counts(tmp_path: Path) -> None:
    exact = cell("telea", "1", 1 / 3 + 20)
    cells.append(tmp_path / "cells.jsonl", exact)
    (read,) = cells.read([tmp_path / "cells.jsonl"])
    assert read.key == exact.key
    assert np.isclose(read.measures[Quantity.parse("composite_psnr")].mean, 20 + 1 / 3, rtol=1e-5)
    assert len((tmp_path / "cells.jsonl").read_text()) < 800


def test_a_picture_is_no_file_of_cells(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(DataError, match=r"face\.png cannot be read"):
        cells.read([tmp_path / "face.png"])
