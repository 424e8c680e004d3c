"""Settings from files: which of them wins, what is refused, and that what a run writes is read again."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from faceinp.cli.commands import TRAININGS
from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.train import settings
from faceinp.train.completion import CompletionRun
from faceinp.train.dcgan import DcganRun
from faceinp.train.landmarks import LandmarksRun

CONFIGS = {"dcgan": DcganRun, "landmarks": LandmarksRun, "completion": CompletionRun}


def shown(capsys: pytest.CaptureFixture[str], *flags: str, training: str = "dcgan") -> dict:
    assert main(["train", training, *flags, "--show"]) == 0
    return tomllib.loads(capsys.readouterr().out)["settings"]


def refused(capsys: pytest.CaptureFixture[str], *flags: str, training: str = "dcgan") -> str:
    assert main(["train", training, *flags]) != 0
    return capsys.readouterr().err


def test_flags_win_over_a_file_and_that_over_the_recipe_and_that_over_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('batch = 32\nrate = 1\nout = "runs/mine"\ntensorboard = true\n')
    seen = shown(capsys, "--recipe", "yeh2017", f"--config={file}", "--batch", "8", "--no-tensorboard")
    assert (seen["batch"], seen["rate"], seen["average"], seen["save_every"]) == (8, 1.0, 0.0, 250)
    assert seen["out"] == "runs/mine" and seen["tensorboard"] is False
    assert shown(capsys, "--config", str(file), "--recipe", "yeh2017")["batch"] == 32
    assert shown(capsys, "--recipe", "yeh2017")["batch"] == 64 and shown(capsys)["batch"] == DcganRun().batch


def test_what_is_shown_says_where_it_comes_from_and_what_the_paper_leaves_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["train", "completion", "--recipe", "zou-landmark-identity", "--identity", "0.3", "--show"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("# open: identity: its weight is not printed") for line in lines)
    assert "identity = 0.3  # command line" in lines and "squared = 1.0  # recipe zou-landmark-identity" in lines
    assert "variation = 0.0" in lines


@pytest.mark.parametrize("training", CONFIGS)
def test_every_recipe_is_made_of_settings_that_there_are(training: str) -> None:
    names = settings.recipes(training)
    assert names
    for name in names:
        chosen = settings.from_flags(["--recipe", name], training, CONFIGS[training])
        assert chosen.about and chosen.open and CONFIGS[training](**chosen.values).precision == "fp32"
    assert not settings.recipes("embedding")


def test_every_training_takes_a_file_of_settings(capsys: pytest.CaptureFixture[str]) -> None:
    for training in TRAININGS:
        assert "data" in shown(capsys, training=training)


def test_what_a_run_writes_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = CompletionRun(
        data=('a "b"\\c', "日本/*.tar"),
        out=str(tmp_path),
        rate=1e-7,
        style_layers=(8, 17),
        landmarks=False,
        resume=True,
    )
    settings.write(tmp_path, "completion", config)
    content = tomllib.loads((tmp_path / settings.FILE).read_text(encoding="utf-8"))
    assert content["version"] and content["command"] and content["training"] == "completion"
    again = settings.from_flags(["--config", str(tmp_path / settings.FILE)], "completion", CompletionRun)
    assert CompletionRun(**again.values) == replace(config, resume=False)
    assert "of 'completion', not of 'dcgan'" in refused(capsys, "--config", str(tmp_path / settings.FILE))
    (tmp_path / "kept.json").write_text(json.dumps({"rate": 1, "latent": 50}))
    assert shown(capsys, "--config", str(tmp_path / "kept.json"))["latent"] == 50


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("rat = 1\nbatch = 2\nwidht = 3", ": rat, widht. `--show`"),
        ('batch = "many"', "batch must be a whole number, got 'many'"),
        ("batch = true", "batch must be a whole number, got True"),
        ("data = 'x.tar'", "data must be a list, got 'x.tar'"),
        ('schedule = "steps"', "--schedule must be one of cosine, linear, constant, got 'steps'"),
        ("batch =", "cannot be read as settings"),
        ('about = "a paper"\n[dcgan]\nwidth = 64', "--recipe mine --show > mine.toml`"),
        ("settings = 4", "settings must be a table of values by name, got 4"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, sentence: str
) -> None:
    (tmp_path / "mine.toml").write_text(content)
    assert sentence in refused(capsys, "--config", str(tmp_path / "mine.toml"), "--data", "x.tar", "--out", "x")


def test_a_recipe_that_there_is_not_and_flags_in_short_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Available: qiang2019, yeh2017" in refused(capsys, "--recipe", "lafin")
    assert "not abbreviate" in refused(capsys, "--rec", "yeh2017", "--data", "x.tar", "--out", "x")
    with pytest.raises(DataError, match="--reconstruct must be one of hole, picture"):
        CompletionRun(reconstruct="face")


def test_a_resumed_run_keeps_its_settings_and_a_flag_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = DcganRun(data=("x.tar",), out=str(tmp_path), width=8, rate=1e-3, precision="fp32", init="w.safetensors")
    settings.write(tmp_path, "dcgan", begun)
    (tmp_path / settings.FILE).write_text((tmp_path / settings.FILE).read_text() + "of_another_version = 1\n")
    seen = shown(capsys, "--resume", "--out", str(tmp_path), "--rate", "2e-3")
    assert (seen["width"], seen["rate"], seen["precision"], seen["init"]) == (8, 2e-3, "fp32", "w.safetensors")
    assert shown(capsys, "--resume", "--out", str(tmp_path), "--recipe", "qiang2019")["width"] == 64
    assert shown(capsys, "--out", str(tmp_path))["width"] == DcganRun().width
    assert "not abbreviate --resume" in refused(capsys, "--resum", "--out", str(tmp_path), "--data", "x.tar")


def test_settings_of_before_a_resume_stay(tmp_path: Path) -> None:
    begun = DcganRun(data=("x.tar",), out=str(tmp_path))
    for config in (begun, begun, replace(begun, rate=1e-3), replace(begun, rate=2e-3)):
        settings.write(tmp_path, "dcgan", config)
    rates = [tomllib.loads(file.read_text())["settings"]["rate"] for file in sorted(tmp_path.glob("settings*.toml"))]
    assert rates == [begun.rate, 1e-3, 2e-3]
    assert settings.changed({"precision": "fp32"}, replace(begun, precision="bf16")) == ["--precision fp32 (now bf16)"]
