"""Engine options are one argument; the keywords of earlier versions work with a warning, and type checkers see none."""

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faceinp

ROOT = Path(__file__).parent.parent
PHOTO = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
HOLE = np.zeros((128, 128), np.bool_)
HOLE[50:70, 50:80] = True
ALIGNED = faceinp.FaceLocation.aligned()


@pytest.mark.model
@pytest.mark.parametrize(
    ("call", "old"),
    [
        (lambda **given: faceinp.load_engine("structural", **given), "load_engine"),
        (lambda **given: faceinp.fill(PHOTO, HOLE, engine="structural", face=ALIGNED, **given), "fill"),
        (lambda **given: faceinp.fill_many([(PHOTO, HOLE)], engine="structural", face=ALIGNED, **given), "fill_many"),
    ],
    ids=["load_engine", "fill", "fill_many"],
)
def test_old_keywords_still_work_and_say_what_to_write(call: Callable[..., Any], old: str) -> None:
    def outcome(made: Any) -> Any:
        (made,) = made if isinstance(made, list) else (made,)
        return made.image if isinstance(made, faceinp.Result) else repr(made.settings)

    with pytest.warns(DeprecationWarning) as warned:
        before = outcome(call(iterations=2, guesses=3))
    (warning,) = [one for one in warned if f"{old}(" in str(one.message)]  # others come from collected garbage
    assert f"{old}(iterations=..., guesses=...) is deprecated" in str(warning.message)
    assert "Write options={'iterations': 2, 'guesses': 3}." in str(warning.message)
    assert warning.filename == __file__, "the caller's line is shown"
    after = outcome(call(options={"iterations": 2, "guesses": 3}))
    assert np.array_equal(before, after)
    with pytest.warns(DeprecationWarning):
        both = outcome(call(options={"iterations": 2}, guesses=3))
    assert np.array_equal(both, after)


def test_an_unknown_keyword_is_an_error_that_names_those_there_are() -> None:
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(faceinp.EngineError, match=r"'symetry'.*Available: file, pre"),
    ):
        faceinp.fill(PHOTO, HOLE, face=ALIGNED, symetry=False)  # type: ignore[call-arg]
    with pytest.raises(faceinp.EngineError, match=r"Unknown options 'a', 'b' for engine 'telea'\. Available: none\."):
        faceinp.load_engine("telea", {"b": 1, "a": 2})


@pytest.mark.parametrize("name", ["fill", "fill_many", "load_engine"])
def test_signatures_take_no_other_keywords(name: str) -> None:
    parameters = inspect.signature(getattr(faceinp, name)).parameters
    assert "options" in parameters
    assert not [one for one in parameters.values() if one.kind is one.VAR_KEYWORD]


@pytest.mark.process
def test_a_type_checker_finds_misspelt_and_former_keywords(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="the extra 'dev' is not installed")
    program = tmp_path / "program.py"
    program.write_text(
        "import faceinp\n"
        "faceinp.fill('a', 'b', engine='structural', options={'fast': True}, symmetry=False)\n"
        "faceinp.load_engine('structural', {'fast': True})\n"
        "faceinp.fill('a', 'b', symetry=False)\n"
        "faceinp.fill_many([('a', 'b')], blendng='poisson')\n"
        "faceinp.load_engine('structural', fast=True)\n"
        "faceinp.fill('a', 'b', aligned=True)\n"
    )
    modules = ["__init__", "pipeline", "deprecation", "face/face_location", "engines/base", "engines/loading"]
    files = [f"faceinp/{module}.py" for module in modules]
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", str(tmp_path), "--follow-imports=skip"]
    checked = subprocess.run(
        [*command, *files, str(program)], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ
    )
    found = [line.partition("program.py:")[2] for line in checked.stdout.splitlines() if "program.py:" in line]
    assert [line.partition(":")[0] for line in found if "error" in line] == ["4", "5", "6", "7"], checked.stdout
    assert all("Unexpected keyword argument" in line for line in found if "error" in line)
