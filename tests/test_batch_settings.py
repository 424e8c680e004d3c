"""The flags of ``faceinp batch`` reach the run, and its settings the fill; an error of some photos ends no run."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from batch_files import HOLE, encoded, manifest, photo, put_tar, quiet, settings

from faceinp.batch import run as batch_run
from faceinp.batch import worker
from faceinp.cli.main import main
from faceinp.pipeline import fill_many

WITHOUT = {"masks": "", "faces": "", "references": "", "workers": 1, "ray": "", "retry": False, "again": False}


@pytest.mark.parametrize(
    ("flags", "expected", "more"),
    [
        ("", {}, {}),
        (
            "--engine structural --set iterations=3 --grow 2 --seed 7 --turn 90 --blend composite --judge none",
            {"engine": "structural", "options": {"iterations": 3}, "grow": 2, "seed": 7, "turn": 90, "judge": "",
             "blending": "composite"},
            {},
        ),
        (
            "--require-face --no-symmetry --no-reference-check --format webp --threads 3 --mask-hole black --aligned",
            {"require_face": True, "symmetry": False, "reference_check": False, "format": "webp", "threads": 3,
             "mask_hole": "black", "aligned": True},
            {},
        ),
        ("--preset eyes --judge bundled --symmetry", {"preset": "eyes", "judge": "bundled", "symmetry": True}, {}),
        ("--mask-from-alpha --again --ray auto", {"from_alpha": True}, {"again": True, "ray": "auto"}),
        (
            "--masks m --faces f --references r --workers 2 --retry",
            {},
            {"masks": "m", "faces": "f", "references": "r", "workers": 2, "retry": True},
        ),
    ],
)  # fmt: skip
def test_flags_reach_the_run(flags: str, expected: dict, more: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def noted(source: str, settings: worker.Settings, **others: Any) -> Counter[str]:
        asked.append((source, settings, others))
        return Counter()

    monkeypatch.setattr(batch_run, "run", noted)
    assert main(["batch", "a", "b", *flags.split()]) == 0
    assert asked == [("a", worker.Settings("b", **expected), WITHOUT | more)]


def test_settings_reach_the_fill(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def noted(jobs: list, **options: Any) -> Any:
        asked.update(options, turns={job.turn for job in jobs})
        return fill_many(jobs, **options)

    monkeypatch.setattr(worker, "fill_many", noted)
    wanted = {"seed": 7, "blending": "composite", "require_face": True, "symmetry": False, "reference_check": False}
    batch_run.run(str(album / "in"), settings(album / "out", turn=90, **wanted), masks=str(album / "masks"), say=quiet)
    assert asked.pop("engine").name == "telea" and asked == wanted | {"turns": {90}}


def test_a_random_preset_is_drawn_by_the_seed(album: Path) -> None:
    photos = str(album / "in" / "b")
    outputs = []
    for seed in (1, 1, 2):
        out = album / f"out{len(outputs)}"
        batch_run.run(photos, settings(out, preset="random-25", seed=seed), say=quiet)
        outputs.append((out / "c" / "0.png").read_bytes())
    assert outputs[0] == outputs[1] != outputs[2]


def test_an_error_that_nobody_foresaw_fails_its_photos_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = worker.MAX_PHOTOS + 1
    contents = {}
    for number in range(count):
        contents |= {f"{number}.png": encoded(photo(number)), f"{number}.mask.png": encoded(HOLE)}
    put_tar(tmp_path / "x.tar", contents)
    calls: list[int] = []

    def fails_at_first(jobs: list, **options: Any) -> Any:
        calls.append(len(jobs))
        if len(calls) == 1:
            raise ZeroDivisionError("of a network")
        return fill_many(jobs, **options)

    monkeypatch.setattr(worker, "fill_many", fails_at_first)
    assert batch_run.run(str(tmp_path / "x.tar"), settings(tmp_path / "out"), say=quiet) == {"filled": 1, "failed": 8}
    failed = [line for line in manifest(tmp_path / "out").values() if line["outcome"] == "failed"]
    assert {(line["kind"], line["error"]) for line in failed} == {("ZeroDivisionError", "of a network")}
