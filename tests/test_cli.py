"""The shell command: what it writes, says and returns."""

import dataclasses
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

import faceinp
from faceinp.cli import arguments
from faceinp.cli import main as cli
from faceinp.cli.main import main
from faceinp.models import catalogue, weights

ROOT = Path(__file__).parent.parent


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An aligned crop of a face, 128 x 128."""
    file = tmp_path / "photo.png"
    Image.fromarray(pictures.astronaut()).crop((145, 35, 305, 195)).resize((128, 128)).save(file)
    return file


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    hole = np.zeros((128, 128), np.uint8)
    hole[50:70, 40:90] = 255
    file = tmp_path / "mask.png"
    Image.fromarray(hole).save(file)
    return file


def fill(photo: Path, mask: Path, out: Path, *more: str) -> int:
    return main(["fill", str(photo), "--mask", str(mask), "-o", str(out), "--aligned", "--engine", "telea", *more])


def run(*argv: str, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\n{before}\nfrom faceinp.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *argv]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_fill_writes_the_photo_and_says_what_it_did(
    photo: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    assert fill(photo, mask, out) == 0
    before, after = np.asarray(Image.open(photo)), np.asarray(Image.open(out))
    hole = np.asarray(Image.open(mask)) > 0
    assert (before[~hole] == after[~hole]).all() and (before[hole] != after[hole]).any()
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    assert line.startswith(f"{out}: filled by telea")
    assert line.endswith(f"known pixels changed: 0 of {(~hole).sum():,}")
    assert all(note.startswith("note: ") for note in said.err.splitlines())


def test_fill_does_as_the_flags_say(photo: Path, mask: Path, tmp_path: Path) -> None:
    assert fill(photo, mask, tmp_path / "a.png", "--blend", "composite", "--mask-hole", "black", "--seed", "3") == 0
    black = faceinp.fill(
        photo,
        mask,
        engine="telea",
        face=faceinp.FaceLocation.aligned(),
        mask_hole="black",
        blending="composite",
        seed=3,
    )
    assert (np.asarray(Image.open(tmp_path / "a.png")) == black.image).all()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], {"symmetry": None, "references": [], "reference_check": True}),
        (["--symmetry"], {"symmetry": True, "references": [], "reference_check": True}),
        (["--no-symmetry", "--no-reference-check"], {"symmetry": False, "references": [], "reference_check": False}),
        (
            ["--reference", "1962.jpg", "--reference", "wedding.png"],
            {"symmetry": None, "references": [Path("1962.jpg"), Path("wedding.png")], "reference_check": True},
        ),
    ],
)
def test_fill_takes_other_photos_and_the_other_half(
    flags: list[str], expected: dict, photo: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict = {}

    def engine_alone(*args: object, references: object, symmetry: object, **more: object) -> faceinp.Result:
        asked.update(references=references, symmetry=symmetry, reference_check=more["reference_check"])
        return original(*args, symmetry=False, **more)

    original = faceinp.fill
    monkeypatch.setattr("faceinp.pipeline.fill", engine_alone)
    assert fill(photo, mask, tmp_path / "out.png", *flags) == 0
    assert asked == expected and (tmp_path / "out.png").is_file()


def test_fill_takes_a_box_where_the_face_is_given(mask: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "whole.png", tmp_path / "out.png"
    Image.fromarray(pictures.astronaut()).save(file)
    hole = np.zeros((512, 512), np.uint8)
    hole[100:130, 200:240] = 255
    Image.fromarray(hole).save(mask)
    argv = ["fill", str(file), "--mask", str(mask), "-o", str(out), "--engine", "telea", "--quiet"]
    assert main([*argv, "--box", "180,70,90,110"]) == 0
    changed = (np.asarray(Image.open(out)) != pictures.astronaut()).any(axis=2)
    assert changed.any() and not changed[hole == 0].any()


def test_quiet_prints_nothing(photo: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fill(photo, mask, tmp_path / "out.png", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"photo": "missing.png"}, 2),
        ({"photo": "text.png"}, 2),
        ({"mask": "missing.png"}, 3),
        ({"out": "nowhere/out.png", "mask": "missing.png"}, 2),  # seen before anything is read
        ({"more": ("--engine", "magic")}, 5),
        ({"more": ("--set", "magic=3")}, 5),
        ({"more": ("--fast",)}, 5),
        ({"more": ("--iterations", "10")}, 5),
    ],
)
def test_an_error_is_one_line_and_leaves_the_output_alone(
    broken: dict, code: int, photo: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    out = tmp_path / "out.png"
    out.write_bytes(b"as it was")
    files = {"photo": photo, "mask": mask, "out": out} | {k: tmp_path / v for k, v in broken.items() if k != "more"}
    assert fill(files["photo"], files["mask"], files["out"], *broken.get("more", ())) == code
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("faceinp: ") and not said.out
    assert out.read_bytes() == b"as it was"


def test_a_result_does_not_replace_its_photo(photo: Path, mask: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert fill(photo, mask, photo) == 2
    assert "photo.png is the photo itself" in capsys.readouterr().err and photo.read_bytes() == before


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fill", "photo.png"],
        ["fill", "p", "--mask", "m", "-o", "o", "--aligned", "--face", "1"],
        ["fill", "p", "--mask", "m", "-o", "o", "--box", "1,2,3"],
        ["fill", "p", "--mask", "m", "-o", "o", "--set", "novalue"],
        ["train", "dcgan", "--steps", "3"],
        ["nonsense"],
    ],
)
def test_a_command_that_makes_no_sense_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert re.fullmatch(r"faceinp.*: .*\. See `faceinp.* --help`\.\n", capsys.readouterr().err)


def test_engines_lists_all_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))  # an empty folder
    engines = faceinp.list_engines()
    assert {engine.ready for engine in engines} == {True, False}
    assert main(["engines"]) == 0
    said = capsys.readouterr().out
    for engine in engines:
        (line,) = (line for line in said.splitlines() if line.split()[0] == engine.name and engine.about in line)
        assert line.split()[1] == ("ready" if engine.ready else "no") and line.endswith(engine.about)
        assert (f"{engine.name} is not ready: {engine.missing}" in said) is not engine.ready


@pytest.mark.process
def test_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "faceinp", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"faceinp {faceinp.__version__}\n"


def test_a_training_has_a_flag_for_each_field(capsys: pytest.CaptureFixture[str]) -> None:
    from faceinp.train.dcgan import DcganRun

    with pytest.raises(SystemExit):
        main(["train", "dcgan", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(DcganRun):
        assert f"--{field.name.replace('_', '-')}" in said
        assert field.metadata["help"] in said


@pytest.mark.parametrize("name", sorted(cli.TRAININGS))
def test_a_training_without_flags_has_the_defaults_of_its_configuration(name: str) -> None:
    module, kind, *_ = cli.TRAININGS[name]
    config = getattr(importlib.import_module(f"faceinp.train.{module}"), kind)
    needed = [f for f in dataclasses.fields(config) if f.name in arguments.REQUIRED and not f.default]
    argv = ["train", name, *(word for field in needed for word in (f"--{field.name}", "x"))]
    args = vars(cli._parser(argv).parse_args(argv))
    for field in dataclasses.fields(config):
        if field not in needed:
            assert args[field.name] == field.default and type(args[field.name]) is type(field.default), field.name


def test_from_photos_to_a_training_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from faceinp.train import checkpoints

    photos, shards, out = tmp_path / "photos", tmp_path / "shards", tmp_path / "run"
    (photos / "img_align_celeba").mkdir(parents=True)
    rows = ["20", "header"]
    for number in range(1, 21):
        Image.fromarray(pictures.astronaut()).save(photos / f"img_align_celeba/{number:06d}.jpg")
        rows.append(f"{number:06d}.jpg 208 114 242 109 230 130 211 151 243 147")
    (photos / "list_landmarks_align_celeba.txt").write_text("\n".join(rows))
    assert main(["data", "build", str(photos), str(shards), "--size", "64", "--split", "all"]) == 0
    assert ": 20 faces in 1 shards" in capsys.readouterr().out
    argv = ["--data", f"{shards}/*.tar", "--out", str(out), "--batch", "4", "--width", "8", "--precision", "fp32"]
    assert main(["train", "dcgan", *argv, "--steps", "2", "--threads", "1"]) == 0
    metadata, _ = weights.read_tensors(out / checkpoints.CHECKPOINT)
    config = json.loads(metadata["config"])
    assert (metadata["step"], config["width"], config["rate"], config["data"]) == ("2", 8, 2e-4, [f"{shards}/*.tar"])
    assert main(["train", "dcgan", *argv, "--steps", "3"]) == 7  # a run is there
    assert main(["train", "dcgan", *argv, "--steps", "3", "--resume"]) == 0
    assert weights.read_tensors(out / checkpoints.CHECKPOINT)[0]["step"] == "3"


@pytest.mark.process
def test_a_missing_extra_is_answered_with_the_line_that_installs_it() -> None:
    done = run("train", "dcgan", "--help", before="sys.modules['webdataset'] = None")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "faceinp: The package webdataset is not installed. Run: pip install 'faceinp[train]'\n"


def test_weights_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    assert main(["weights", "verify"]) == 6
    for kind in catalogue.CATALOGUE.values():
        (tmp_path / kind.file).write_bytes(kind.name.encode())
        weights.record(tmp_path / kind.file)
    assert main(["weights", "verify"]) == 0
    first, *rest = catalogue.CATALOGUE.values()
    (tmp_path / first.file).write_bytes(b"damaged")
    capsys.readouterr()
    assert main(["weights", "verify"]) == 6
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{kind.name}: as recorded" for kind in rest]
    assert said.err.startswith("faceinp: ") and first.file in said.err and len(said.err.splitlines()) == 1


@pytest.mark.process
def test_ctrl_c_stops_without_a_traceback(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "shards"
    (photos / "img_celeba").mkdir(parents=True)
    first = photos / "img_celeba/00002.jpg"
    Image.fromarray(pictures.astronaut()).save(first)
    (photos / "img_celeba/00001.jpg").write_bytes(b"the line that says so is the sign to stop")
    rows = ["00001.jpg 208 114 242 109 230 130 211 151 243 147"]
    for number in range(2, 5000):
        rows.append(f"{number:05d}.jpg 208 114 242 109 230 130 211 151 243 147")
        if number > 2:
            os.link(first, photos / f"img_celeba/{number:05d}.jpg")
    (photos / "list_landmarks_celeba.txt").write_text("\n".join(rows))
    (photos / "identity_CelebA.txt").write_text("")
    command = [sys.executable, "-m", "faceinp", "data", "build", str(photos), str(out), "--split", "all"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "00001.jpg" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "faceinp: stopped\n"
    assert not list(out.glob(".faceinp-*"))
