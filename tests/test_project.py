"""What people expect of a project: the tour runs, the API reference is complete, one version."""

import inspect
import re
import runpy
from pathlib import Path

import pytest

import faceinp

ROOT = Path(__file__).parent.parent


def test_the_tour_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage")
    runpy.run_path(str(ROOT / "examples" / "tour.py"))["main"](tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "one-eye.png",
        "scratch.png",
        *(f"lower-face-{engine}.png" for engine in ("landmark", "telea", "patchmatch")),
    }
    printed = capsys.readouterr().out
    assert "Known pixels changed: 0." in printed and re.search(r"source 2: \d+ pixels", printed)


def test_the_api_reference_names_everything_public(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    before = set(vars(faceinp))
    runpy.run_path(str(ROOT / "tools" / "make_api.py"))["make"](tmp_path)
    for name in set(vars(faceinp)) - before:  # pdoc imports what only type checkers see; other tests need it lazy
        delattr(faceinp, name)
    page = (tmp_path / "faceinp.html").read_text()
    for name in faceinp.__all__:
        assert f'id="{name}"' in page


@pytest.mark.parametrize("name", [name for name in faceinp.__all__ if name != "__version__"])
def test_every_public_name_has_a_docstring(name: str) -> None:
    thing = getattr(faceinp, name)
    if callable(thing):
        assert len(inspect.getdoc(thing) or "") > 40


def test_the_version_stands_in_one_place() -> None:
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None and cited.group(1) == faceinp.__version__
