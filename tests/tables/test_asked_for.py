"""What a request may ask for beyond the tables' own: masks from files, true landmarks, all judges that run here."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn import SIDE, asked, at, only, portrait, silent, write
from numpy.typing import NDArray
from PIL import Image

from faceinp import identity
from faceinp.cli.main import main
from faceinp.engines import base
from faceinp.engines.base import Batch, Engine
from faceinp.errors import DataError, EngineError
from faceinp.evaluate.engine_tables import cells, run, tables, thumbnails, variants
from faceinp.evaluate.engine_tables.cells import Cell, Quantity
from faceinp.evaluate.engine_tables.request import Request
from faceinp.mask import presets

pytest.importorskip("webdataset")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[NDArray[np.float32] | None]]:
    """A guided engine, and the landmarks it was given."""
    given: list[NDArray[np.float32] | None] = []

    class Guided(Engine):
        name, about, size, largest, guided = "guided", "guided", 256, 256, True

        def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
            return np.zeros((len(crops), 68, 2), np.float32)

        def _generate(self, batch: Batch) -> NDArray[np.floating]:
            given.append(batch.landmarks)
            return batch.crops

    monkeypatch.setitem(base.registry, "guided", Guided)
    yield given
    variants.described.cache_clear()


def test_masks_from_files_stand_in_columns_by_the_share_they_hide(folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "private" / "strokes"
    masks.mkdir(parents=True)
    for number, rows in enumerate((4, 5, 40)):  # 6, 8 and 62 per cent
        drawn = np.zeros((64, 64), np.uint8)
        drawn[:rows] = 255
        Image.fromarray(drawn).save(masks / f"{number}.png")
    request = asked(folder, tmp_path / "out", masks=("random-25", str(masks)))
    made = run.run(tables.by_name(("L3",)), request, silent)
    few, many = (at(made, engine="telea", mask=f"strokes {share} %") for share in ("0-10", "60-70"))
    assert few.hidden == pytest.approx(np.mean([4, 5]) / 64, rel=0.1) and many.hidden == pytest.approx(0.625, rel=0.01)
    assert at(made, engine="telea", mask="random-25").hidden == pytest.approx(0.25, abs=0.001)
    report = (tmp_path / "out" / "report.md").read_text()
    assert "![](masks/strokes-60-70.png) strokes 60-70 %" in report and "private" not in report
    drawn = np.asarray(Image.open(tmp_path / "out" / "masks" / "strokes-60-70.png"))
    assert (drawn[:29] == thumbnails.HOLE).all() and (drawn[31:] != thumbnails.HOLE).all()


def test_an_engine_can_be_told_the_landmarks_and_its_row_says_so(
    folder: Path, tmp_path: Path, told: list[NDArray[np.float32] | None]
) -> None:
    request = asked(folder, tmp_path, engines=("guided", "guided+points"), masks=("centre",), pictures=2)
    made = run.run(tables.by_name(("L3",)), request, silent)
    assert {cell.engine for cell in made} == {"telea", "guided", "guided+points"}
    predicted, true = told
    assert not predicted.any() and np.allclose(true, presets.average_points(SIDE) / SIDE, atol=1e-4)


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [
        ("mirror+points", "follows landmarks"),
        ("telea+pont", "Unknown option 'pont'"),
        ("tela", "tela cannot be measured"),
    ],
)
def test_an_engine_that_cannot_run_is_refused_by_name_before_anything_is_measured(
    engine: str, sentence: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=sentence):
        run.run(tables.by_name(("L3",)), asked(folder, tmp_path, engines=("telea", engine), masks=("centre",)), silent)
    assert not list(tmp_path.rglob("cells.jsonl"))


def test_without_points_no_engine_is_told_any(
    folder: Path, tmp_path: Path, told: list[NDArray[np.float32] | None]
) -> None:
    request = asked(folder / "asian-val-*.tar", tmp_path, engines=("guided+points",), masks=("centre",), pictures=2)
    made = run.run(tables.by_name(("L3",)), request, silent)
    assert "`faceinp data build` writes them" in at(made, engine="guided+points").refused[cells.EVERYTHING] and not told


def test_by_default_every_judge_that_runs_here_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        if name == "dlib":
            raise EngineError("not here")

    monkeypatch.setattr(identity, "load", load)
    request = Request(("data",), "out", onnx=("mine.onnx",))
    assert request.judges_for(tables.by_name(("L4",))) == ("bundled", "mine.onnx")
    assert request.judges_for(tables.by_name(("L3",))) == ()
    assert Request(("data",), "out", judges=("none",)).judges_for(tables.by_name(("L4",))) == ()


def test_a_report_says_what_the_same_person_means_whose_rows_are_printed_and_what_made_it(
    folder: Path, judge: Path, tmp_path: Path
) -> None:
    request = asked(folder, tmp_path, onnx=(str(judge),), masks=("7",))
    made = run.run(tables.by_name(("L4",)), request, silent)
    report = (tmp_path / "report.md").read_text()
    assert (
        "not evidence of identity" in report and "1 % of the strangers' pairs of its calibration are accepted" in report
    )
    limit = at(made, engine="untouched").thresholds["colours"]
    assert f"`colours`: {limit:.3f}, which accepts 0.0 % of celeba-val's." in report
    assert "for other data and networks" in report
    command = "--table L4 --data {} --engines telea --masks 7 --judges none --onnx colours.onnx --pictures 4 --seed 0"
    assert f"`faceinp evaluate paper {command.format(folder.name)}`" in report and str(folder) not in report


def test_people_who_look_alike_are_counted_where_the_threshold_is_told(
    folder: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six pictures of three people; at a distance of 2 all of their pairs pass."""
    monkeypatch.setattr(run.Measurer, "thresholds", {"colours": 2.0})
    made = run.run(only("L5"), asked(folder, tmp_path, onnx=(str(judge),)), silent)
    assert at(made, engine="untouched").measures[Quantity("strangers", "colours")].mean == 1


def test_two_sets_of_one_name_are_not_mixed_in_a_table(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    samples = [(portrait(n)[::-1].copy(), {"points": presets.average_points(SIDE).tolist()}) for n in range(4)]
    write(other / "celeba-val-00.tar", samples)
    out = tmp_path / "out"
    first = run.run(only("L3"), asked(folder, out, masks=("centre",), engines=("mirror",)), silent)
    second = run.run(only("L3"), asked(other, out, masks=("centre",), engines=("telea",)), silent)
    assert {cell.engine for cell in first} == {"telea", "mirror"} and {cell.engine for cell in second} == {"telea"}
    assert "mirror" not in (out / "report.md").read_text()
    assert run.run(only("L3"), asked(folder, out, masks=("centre",), engines=("mirror",)), silent) == first


def test_what_is_left_out_of_a_set_is_said(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    points = presets.average_points(SIDE).tolist()
    write(data / "photos-00.tar", [(portrait(n), {"points": points if n % 2 else None}) for n in range(6)])
    said: list[str] = []
    run.run(only("L3"), asked(data, tmp_path / "out", masks=("eyes",), pictures=5), said.append)
    assert "photos: 3 pictures without 68 points are left out; others have them" in said
    assert "photos: only 3 pictures are available" in said
    with pytest.raises(DataError, match="--mask-hole needs masks in files"):
        run.run(only("L3"), asked(data, tmp_path, masks=("eyes",), mask_hole="black"), silent)


def test_lines_of_earlier_versions_stay_readable(tmp_path: Path) -> None:
    old = {
        "table": "L4", "set": "celeba-val", "arrangement": "aligned", "group": "", "engine": "telea", "mask": "7",
        "measures": {"same dlib": {"mean": 0.5, "low": 0.4, "high": 0.6}, "frechet": {"mean": 9, "low": 8, "high": 10}},
        "differences": {}, "reference": "telea", "refused": {"": "None.", "other bundled": "Kin."}, "hidden": 0.2,
        "pictures": 4, "people": 3, "failed": 0, "seconds_per_picture": None, "runtime": "opencv", "seed": 3,
        "machine": "a machine", "date": "2026-01-02", "version": "0.1.0", "content": "ab",
    }  # fmt: skip
    file = tmp_path / "cells.jsonl"
    file.write_text(json.dumps(old) + "\n")
    (cell,) = cells.read([file])
    assert cell.measures[Quantity("same", "dlib")].mean == 0.5 and cell.refused[Quantity("other", "bundled")] == "Kin."
    assert (cell.provenance.seed, cell.provenance.machine, cell.provenance.date, cell.provenance.command) == (
        3,
        "a machine",
        "2026-01-02",
        "",
    )
    file.unlink()
    cells.append(file, cell)
    assert json.loads(file.read_text()) == old | {"thresholds": {}, "command": "", "faces": ""}
    assert cells.read([file]) == [cell] and isinstance(cell, Cell)


def test_a_flag_that_went_is_told_and_harms_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "masks", "--data", str(folder), "--engines", "telea", "--masks", "centre", "--pictures", "2"]
    assert main([*command, "--judges", "none", "--features", "squeezenet.safetensors", "-o", str(tmp_path)]) == 0
    assert "--features is ignored" in capsys.readouterr().err
