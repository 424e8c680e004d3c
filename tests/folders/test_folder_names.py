"""Which files of two folders belong together."""

import unicodedata
from pathlib import Path

import pytest
from picture_folders import drawn, evaluate, hole_of, put, table

from faceinp.errors import DataError
from faceinp.evaluate.folders import Request, match, pictures


def test_names_match_below_folders_whatever_the_suffix_and_the_accents(tmp_path: Path) -> None:
    truth, result = tmp_path / "truth", tmp_path / "result"
    name = unicodedata.normalize("NFC", "Zoë")
    put(truth, f"set/{name}.png", drawn(0))
    put(result, f"set/{unicodedata.normalize('NFD', name)}.jpg", drawn(0))
    put(truth, "set/._Zoë.png", drawn(0))
    (truth / "notes.txt").write_text("of no matter")
    assert list(match(Request(truth, result))) == [f"set/{name}"]
    assert evaluate(truth, result, "-o", tmp_path / "out") == 0
    assert (
        "Pairs with a JPEG as result, whose compression counts as error: 1."
        in (tmp_path / "out" / "report.md").read_text()
    )
    assert table(tmp_path / "out")[0]["picture"] == f"set/{name}"


def test_a_result_folder_inside_of_the_truth_is_no_truth(tmp_path: Path) -> None:
    put(tmp_path, "a.png", drawn(0))
    put(tmp_path / "mine", "a.png", drawn(1))
    put(tmp_path / "mine" / "masks", "a.png", hole_of())
    request = Request(tmp_path, tmp_path / "mine", tmp_path / "mine" / "masks")
    assert match(request) == {"a": tuple(tmp_path / each / "a.png" for each in (".", "mine", "mine/masks"))}


def test_names_that_differ_are_refused_unless_only_common_ones_are_wanted(three: tuple[Path, Path, Path]) -> None:
    truth, result, masks = three
    put(result, "more.png", drawn(9))
    (result / "0.png").unlink()
    with pytest.raises(DataError, match=r"Of 4 names, TRUTH lacks 1, such as more; RESULT lacks 1, such as 0\. --com"):
        match(Request(truth, result))
    assert list(match(Request(truth, result, common=True))) == ["1", "2"]
    (masks / "1.png").unlink()
    assert list(match(Request(truth, result, masks, common=True))) == ["2"]


def test_thousands_of_files_are_matched_at_once(tmp_path: Path) -> None:
    for folder in ("truth", "result"):
        (tmp_path / folder).mkdir()
        for number in range(3000):
            (tmp_path / folder / f"{number:05}.png").touch()
    assert len(match(Request(tmp_path / "truth", tmp_path / "result"))) == 3000


def test_names_are_no_formulas_of_a_spreadsheet(tmp_path: Path) -> None:
    put(tmp_path / "truth", "=1+1.png", drawn(0))
    put(tmp_path / "result", "=1+1.png", drawn(1))
    assert evaluate(tmp_path / "truth", tmp_path / "result", "-o", tmp_path / "out") == 0
    assert table(tmp_path / "out")[0]["picture"] == "'=1+1"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.png", drawn(0))
    put(tmp_path, "a.jpg", drawn(0))
    with pytest.raises(DataError, match="differ only in their suffix"):
        pictures(tmp_path, "TRUTH")
