"""The commands and programs that README.md shows: they run, or, where that takes hours or a server, can be parsed."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from faceinp.cli import main as cli
from faceinp.cli.commands import EXPORTERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`((?:faceinp|pip install|make) [^`]+)`", re.sub(r"^```.*?^```", "", README, flags=re.M | re.S))
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
SHELL = [line.partition(" #")[0].strip() for language, text in BLOCKS if not language for line in text.splitlines()]
LINES = sorted({part for line in [*SHELL, *INLINE] for part in map(str.strip, line.split("&&")) if part})
COMMANDS = [line for line in LINES if line.startswith("faceinp ") and (line in SHELL or "-o" in line.split())]
RUN_HERE = ("fill", "find", "batch", "engines", "masks", "identity")
QUICK = [line for line in COMMANDS if line.split()[1] in RUN_HERE and "calibrate" not in line and "-o" in line.split()]
QUICK += [line for line in COMMANDS if re.match(r"faceinp (engines|masks|batch|identity \S+jpg)", line)]

PORTRAIT = skimage.data.astronaut()
EYE = np.zeros((512, 512), bool)
EYE[90:118, 228:266] = True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything that the examples name, in the working folder."""
    monkeypatch.chdir(tmp_path)
    scratched, group, crop = PORTRAIT.copy(), np.tile(PORTRAIT, (1, 2, 1)), PORTRAIT[20:220, 120:320]
    scratched[150:156, 40:470] = scratched[20:480, 380:385] = 255
    photos = dict.fromkeys(("photo.jpg", "profile.jpg", "before.jpg", "a.jpg", "photos/one.jpg"), PORTRAIT)
    photos |= {"1962.jpg": PORTRAIT[:, ::-1], "wedding.png": PORTRAIT[20:400, 60:440], "b.jpg": PORTRAIT[:, ::-1]}
    photos |= {"old.jpg": scratched, "after.jpg": scratched, "group.jpg": group, "crop.png": crop}
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for name, pixels in photos.items():
        Image.fromarray(pixels).save(tmp_path / name, quality=95)
    Image.fromarray(np.dstack([PORTRAIT, np.where(EYE, 0, 255).astype(np.uint8)])).save(tmp_path / "erased.png")
    for name in ("mask.png", "masks/one.png"):
        Image.fromarray(EYE).save(tmp_path / name)
    return tmp_path


def mask_for(argv: list[str]) -> np.ndarray:
    """What is hidden of the photo that a command names."""
    if "group.jpg" in argv:
        return np.hstack([EYE, EYE])  # of both faces: it does not matter which is the larger one
    return EYE[20:220, 120:320] if "crop.png" in argv else EYE


def test_the_page_has_the_examples_that_are_run_here() -> None:
    assert len(PROGRAMS) == 2 and len(COMMANDS) > 25 and len(QUICK) > 12


@pytest.mark.model
@pytest.mark.parametrize("line", sorted(set(QUICK)))
def test_a_command_does_its_work(line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = shlex.split(line)[1:]
    if "dlib" in argv:
        pytest.importorskip("dlib", reason="the extra 'eval' is not installed")
    Image.fromarray(mask_for(argv)).save(folder / "mask.png")
    assert cli.main(argv) == 0, capsys.readouterr().err
    outputs = [value for flag, value in pairwise(argv) if flag in ("-o", "--overlay")]
    assert all((folder / name).stat().st_size for name in outputs)
    if argv[0] == "batch":
        assert (folder / "filled" / "one.png").is_file()


@pytest.mark.model  # the parser of a training reads its settings, and those import torch
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_can_be_parsed(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = shlex.split(line)[1:]
    if argv[0] in ("demo", "export"):  # they have parsers of their own
        assert argv[0] == "demo" or argv[1] in EXPORTERS
        with pytest.raises(SystemExit) as left:
            cli.main([*argv[: 1 if argv[0] == "demo" else 2], "--help"])
        help = capsys.readouterr().out
        assert left.value.code == 0 and all(word in help for word in argv if word.startswith("-"))
    else:
        assert cli._parser(argv).parse_args(cli._joined(argv)).run


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("pip install")])
def test_an_installation_names_extras_that_there_are(line: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for named in re.findall(r"\[([\w,-]+)\]", line):
        assert set(named.split(",")) - {"NAME"} <= set(extras)


@pytest.mark.parametrize("line", [line for line in LINES if re.search(r"\bmake \w", line)])
def test_a_target_of_make_is_there(line: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.search(r"\bmake ([\w-]+)", line)[1] in targets


@pytest.mark.model
@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=["fill", "identity"])
def test_a_program_runs(number: int, folder: Path) -> None:
    Image.fromarray(np.hstack([EYE, EYE]) if "group.jpg" in PROGRAMS[number] else EYE).save(folder / "both.png")
    program = PROGRAMS[number].replace('"group.jpg", "mask.png"', '"group.jpg", "both.png"')
    program = program.replace('"fast": True', '"fast": True, "iterations": 3')
    crops = np.random.default_rng(0).random((1, 3, 256, 256), np.float32)
    masks = np.zeros((1, 1, 256, 256), bool)
    masks[..., 100:140, 100:140] = True
    names: dict[str, Any] = {"crops": crops, "masks": masks}
    exec(compile(program, "README.md", "exec"), names)
    if "result" in names:
        assert (folder / "out.png").is_file() and names["pictures"].shape == crops.shape
    else:
        assert 0 <= names["verdict"].probability <= 1
