"""The endpoints for programs: what they call things, and that the docs name each argument."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from serving import ROOT

import faceinp

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo import app  # noqa: E402
from faceinp.demo.api import endpoints, terms  # noqa: E402

PORTRAIT = np.ascontiguousarray(skimage.data.astronaut()[:220, 110:330])
# What the shell, the hub, and those who train, measure and fill many photos at once are told reaches no endpoint.
ELSEWHERE = {"cli", "hub_onnx.py", "evaluate", "train", "batch"}
FLAG = re.compile(r"(?<!install )--[a-z]")


def said_by_the_library() -> Iterator[str]:
    """Each text of the library that mentions a flag, with something in the place of what is filled in."""
    for file in sorted((ROOT / "faceinp").rglob("*.py")):
        if ELSEWHERE.intersection(file.relative_to(ROOT / "faceinp").parts):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call | ast.JoinedStr | ast.Constant):
                continue
            for text in texts(node):
                if FLAG.search(without_commands(text)) and " " in text:
                    yield text


def texts(node: ast.AST) -> list[str]:
    """A text of the source, as it comes out; none of what is part of another one."""
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "90" for part in node.values)]  # type: ignore[misc]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    return []


def without_commands(text: str) -> str:
    """Commands are for whoever runs the server; what follows the last single backtick is part of one, too."""
    return re.sub("`[^`]*(?:`|$)", "", text)


SAID = list(dict.fromkeys(said_by_the_library()))


@pytest.mark.parametrize("text", SAID, ids=lambda text: text[-40:])
def test_no_flag_of_the_shell_reaches_a_program(text: str) -> None:
    said = terms.for_programs(text)
    assert not FLAG.search(without_commands(said)) and "FaceLocation" not in said and "=)" not in said
    assert "in Python" not in said and "  " not in said and ",." not in said and ",;" not in said


def test_the_library_mentions_flags_at_all() -> None:
    assert len(SAID) > 12 and {"--mask-hole", "--box", "--turn", "--reference", "--sensitivity"} <= {
        flag for text in SAID for flag in re.findall(r"--[a-z]+(?:-[a-z]+)*", text)
    }


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ("Say which: --turn 90 or --turn 270 (turn= in Python).", "Say which: turn=90 or turn=270."),
        ("Say --mask-hole white or --mask-hole black (mask_hole=).", "Say mask_hole='white' or mask_hole='black'."),
        ("give another photo (references=, --reference).", "give another photo (references)."),
        ("pass reference_check=False (--no-reference-check).", "pass reference_check=False."),
        (
            "specify with --face, --box or --points (face=FaceLocation...).",
            'or points, location={"points": [[x, y], ...]}.',
        ),
        (
            "`faceinp identity calibrate --judge facenet` does it",
            "`faceinp identity calibrate --judge facenet` does it",
        ),
        ("Run: pip install --force-reinstall PyPatchMatch", "Run: pip install --force-reinstall PyPatchMatch"),
        ("`a --b` and --aligned (aligned=True) and `c --d`", "`a --b` and aligned and `c --d`"),
        ("1 (of 2) -- or 3 (a=b in c)", "1 (of 2) -- or 3"),
    ],
)
def test_a_program_reads_the_names_of_its_arguments(said: str, reads: str) -> None:
    assert terms.for_programs(said).endswith(reads)


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``refused(photo, mask, **more)``: what /fill answers to what it cannot fill."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))

    def refused(photo: np.ndarray, mask: np.ndarray, **more: Any) -> str:
        for name, pixels in (("photo", photo), ("mask", mask)):
            Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        with pytest.raises(gr.Error) as error:
            list(endpoints.fill(str(tmp_path / "photo.png"), str(tmp_path / "mask.png"), engine="telea", **more))
        assert "--" not in str(error.value)
        return str(error.value)

    return refused


def test_what_cannot_be_filled_names_the_endpoints_own_arguments(refused: Any) -> None:
    around = np.hypot(*(np.mgrid[:220, :220] - 110)) > 90  # either tone of it may be the hole
    aside = np.zeros((220, 220), np.uint8)
    aside[-12:, -12:] = 255
    assert "mask_hole='white' or mask_hole='black'" in refused(PORTRAIT, around.astype(np.uint8) * 255, aligned=True)
    assert "leave out aligned" in refused(PORTRAIT[:, :200], aside[:, 20:], aligned=True)
    assert "leave out require_face" in refused(PORTRAIT, aside, require_face=True)
    nobody = np.full((220, 220, 3), 128, np.uint8)
    assert 'location={"box": [x, y, width, height]}' in refused(nobody, aside, require_face=True)
    assert "another face with face, location=" in refused(PORTRAIT, aside, location={"number": 1})


def arguments(endpoint: str) -> list[str]:
    """The names under which an endpoint takes its arguments."""
    config = app.build().get_api_info()
    return [one["parameter_name"] for one in config["named_endpoints"][endpoint]["parameters"]]


def test_the_docs_name_every_argument_and_no_other() -> None:
    docs = (ROOT / "docs" / "demo.md").read_text()
    table = docs.partition("| argument of `/fill` |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    taken = arguments("/fill")
    assert sorted(named) == sorted(taken) and len(taken) == len(inspect.signature(endpoints.fill).parameters)
    finds = docs.partition("`/find` takes")[2].partition("as above")[0]
    assert sorted(set(re.findall(r"`(\w+)`", finds)) - {"damage"}) == sorted(arguments("/find"))


def test_arguments_have_the_functions_own_names_and_order() -> None:
    for endpoint, function in (("/fill", endpoints.fill), ("/find", endpoints.find), ("/identity", endpoints.identity)):
        assert arguments(endpoint) == list(inspect.signature(function).parameters)


def test_engines_say_what_is_missing_in_the_same_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    status = next(iter(faceinp.list_engines()))
    monkeypatch.setattr(
        faceinp,
        "list_engines",
        lambda: [type(status)(**{**vars(status), "missing": "Use --box (box=)."})],
        raising=False,
    )
    assert "--" not in endpoints.engines()[0]["missing"]
