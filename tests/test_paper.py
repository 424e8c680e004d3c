"""The tables of engines on holes, on drawn faces, with a judge that sees colours: one road from shards to reports."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from faceinp import metrics, presets, weights
from faceinp.cli import main
from faceinp.engines import base, classical
from faceinp.engines.base import Engine, Progress, load_engine
from faceinp.errors import DataError, EngineError, FaceinpError, WeightsError
from faceinp.evaluate import cells, fills, paper, sheets, subjects, tables, variants
from faceinp.evaluate.cells import Cell
from faceinp.evaluate.plan import Request
from faceinp.identity import calibration

pytest.importorskip("webdataset")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
ROOT = Path(__file__).parent.parent
PICTURES, PEOPLE, SIDE = 6, 3, 256


def portrait(number: int) -> NDArray[np.uint8]:
    """A face's colours, one person's alike, and a slope, so that fills differ from it."""
    colour = np.array([60 + 60 * (number % PEOPLE), 200 - 60 * (number % PEOPLE), 120])
    noise = np.random.default_rng(number).normal(0, 3, (SIDE, SIDE, 3))
    return (colour + noise + np.linspace(-20, 20, SIDE)[:, None, None]).clip(0, 255).astype(np.uint8)


def shard(file: Path, count: int, *, people: bool, points: bool) -> None:
    with tarfile.open(file, "w") as tar:
        for number in range(count):
            encoded = io.BytesIO()
            Image.fromarray(portrait(number)).save(encoded, "WEBP", lossless=True)
            about = {
                "points": presets.average_points(SIDE).tolist() if points else None,
                "size": SIDE,
                "identity": number % PEOPLE if people else None,
            }
            for ending, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{number:03}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six faces of three people with their points; three of nobody knows whom, without."""
    folder = tmp_path_factory.mktemp("shards")
    shard(folder / "celeba-val-00.tar", PICTURES, people=True, points=True)
    shard(folder / "asian-val-00.tar", 3, people=False, points=False)
    (folder / "celeba-train-00.tar").write_bytes(b"not to be read")
    return folder


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file that tells people by their mean colour, seen from grey; calibrated."""
    from onnx import TensorProto, helper

    file = tmp_path_factory.mktemp("judge") / "colours.onnx"
    nodes = [helper.make_node("AveragePool", ["face"], ["mean"], kernel_shape=[16, 16])]
    nodes += [helper.make_node("Flatten", ["mean"], ["vector"])]
    inputs = [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "colours", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    sidecar = {"size": [16, 16], "box": [0, 0, 1, 1], "mean": [0.5] * 3, "std": [1] * 3, "scale": 1}
    file.with_suffix(".json").write_text(json.dumps(sidecar))
    near, far = np.linspace(0, 0.2, 100), np.linspace(0.3, 1.5, 1000)
    sure = calibration.fit("colours", weights.sha256(file), near, far, data="drawn", people=3, pictures=6)
    sure.write(file.with_suffix(".calibration.json"))
    return file


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from faceinp.nets.squeezenet import SqueezeNet

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("features") / "squeezenet.safetensors"
    save_file(SqueezeNet().state_dict(), file)
    return file


@pytest.fixture
def counted() -> Iterator[list[int]]:
    """An engine that fills with grey, and how many pictures it was given at each call."""
    calls: list[int] = []

    class Grey(Engine):
        name, about, size, largest = "grey", "grey", 256, 1024

        def _fill(
            self, crops: NDArray[np.float32], masks: NDArray[np.bool_], seed: int, progress: Progress
        ) -> NDArray[np.float32]:
            calls.append(len(crops))
            return crops

    base.available()
    base.register(Grey)
    yield calls
    base._registry.pop("grey")
    variants.described.cache_clear()


def silent(_: str) -> None:
    pass


def only(table: str, **changed: object) -> tuple[tables.Table, ...]:
    return (dataclasses.replace(tables.TABLES[table], **changed),)


def asked(folder: Path, out: Path, **given: object) -> Request:
    settings = {"engines": ("telea",), "masks": ("7", "centre"), "pictures": 4} | given
    return Request(data=(str(folder),), out=str(out), **settings)  # type: ignore[arg-type]


def at(made: list[Cell], **wanted: str) -> Cell:
    (found,) = [cell for cell in made if all(getattr(cell, name) == value for name, value in wanted.items())]
    return found


def test_the_figures_are_those_of_the_engine_and_of_the_metrics(folder: Path, judge: Path, tmp_path: Path) -> None:
    request = asked(folder, tmp_path, engines=("mirror",), judges=(str(judge),))
    made = paper.run(tables.named(("L3", "L4", "L5")), request, silent)
    faces = subjects.load("celeba-val", [str(folder / "celeba-val-00.tar")], SIDE, 4, 0)
    expected: dict[str, list[float]] = {"telea": [], "mirror": []}
    for name, found in expected.items():
        for place in range(4):
            photo, hole = faces.picture(place), faces.hole("centre", place)
            crop = photo.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
            (filled,) = load_engine(name).fill(crop, hole[None, None])
            made_of = np.rint(255 * filled.transpose(1, 2, 0)).astype(np.uint8)
            found.append(metrics.psnr(photo, np.where(hole[..., None], made_of, photo)))
    cell = at(made, table="L3", engine="mirror", mask="centre")
    assert cell.measures["composite_psnr"].mean == pytest.approx(np.mean(expected["mirror"]), rel=1e-5)
    apart = np.mean(expected["mirror"]) - np.mean(expected["telea"])
    assert cell.reference == "telea" and cell.differences["composite_psnr"].mean == pytest.approx(apart, abs=1e-4)
    assert (cell.pictures, cell.people, cell.failed) == (4, 3, 0) and cell.hidden == pytest.approx(0.25)
    assert cell.seconds_per_picture > 0 and cell.runtime.startswith("opencv") and cell.machine and cell.date
    same, other = at(made, table="L4", engine="telea", mask="7"), at(made, table="L5", engine="telea", mask="7")
    assert same.measures == {"same colours": same.measures["same colours"]} and same.measures["same colours"].mean == 1
    assert other.measures["other colours"].mean == 1.0  # colours are easy
    untouched = at(made, table="L5", engine="untouched")
    assert untouched.measures["other colours"].mean == 1.0 and (untouched.pictures, untouched.people) == (4, 3)
    table = (tmp_path / "report.md").read_text()
    assert "| *model 5, as printed* | 25.08 | - |" in table and "| untouched | 100.0 %" in table
    assert "Refused, `telea`, `mirror`: No feature network was given" in table


def test_a_second_run_makes_nothing_anew(folder: Path, judge: Path, tmp_path: Path, counted: list[int]) -> None:
    request = asked(folder, tmp_path, engines=("grey",), judges=(str(judge),))
    first = paper.run(tables.named(("L3", "L4")), request, silent)
    assert counted == [4, 4]  # two holes, for both tables once
    again = paper.run(tables.named(("L3", "L4")), request, silent)
    assert again == first and counted == [4, 4]
    (tmp_path / "cells.jsonl").unlink()
    assert paper.run(tables.named(("L3", "L4")), request, silent) == first and counted == [4, 4]
    more = paper.run(tables.named(("L3",)), dataclasses.replace(request, pictures=5), silent)
    assert counted == [4, 4, 1, 1] and at(more, engine="grey", mask="7").pictures == 5  # only what is new
    paper.run(tables.named(("L3",)), dataclasses.replace(request, seed=1), silent)
    assert counted[4:] == [4, 4]  # another seed makes other fills


def test_other_weights_make_other_fills(small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(small_folder))
    before = variants.describe("landmark").identity
    assert variants.describe("landmark").identity == before
    copy = tmp_path / "same.safetensors"
    copy.write_bytes((small_folder / "completion.safetensors").read_bytes())
    named = variants.describe(f"landmark+file={copy}").identity
    state = weights.read_tensors(copy)
    save_file({name: value * 2 for name, value in state[1].items()}, tmp_path / "other.safetensors", state[0])
    other = variants.describe(f"landmark+file={tmp_path / 'other.safetensors'}").identity
    assert len({before, named, other, variants.describe("telea").identity}) == 4
    (tmp_path / "moved").mkdir()
    moved = copy.rename(tmp_path / "moved" / "same.safetensors")
    assert variants.describe(f"landmark+file={moved}").identity == named  # what counts is what is in it


def test_a_stopped_run_goes_on(
    folder: Path, tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = base.available()["grey"]
    fill = grey._fill

    def stop_at_the_second(self: Engine, *given: object) -> NDArray[np.float32]:
        if counted:
            raise KeyboardInterrupt
        return fill(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(grey, "_fill", stop_at_the_second)
    request = asked(folder, tmp_path / "stopped", engines=("grey",))
    with pytest.raises(KeyboardInterrupt):
        paper.run(tables.named(("L3",)), request, silent)
    assert [cell.engine for cell in cells.read([tmp_path / "stopped" / "cells.jsonl"])] == ["telea", "telea", "grey"]
    monkeypatch.setattr(grey, "_fill", fill)
    resumed = paper.run(tables.named(("L3",)), request, silent)
    assert counted == [4, 4]
    whole = paper.run(tables.named(("L3",)), dataclasses.replace(request, out=str(tmp_path / "whole")), silent)
    assert [timeless(cell) for cell in resumed] == [timeless(cell) for cell in whole]


def timeless(cell: Cell) -> Cell:
    return dataclasses.replace(cell, seconds_per_picture=None)


def test_a_killed_run_leaves_nothing_half_written(folder: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(folder), "--engines", "telea,mirror", "--pictures", "6", "--judges", ""]
    command = [sys.executable, "-m", "faceinp", "evaluate", "paper", "--table", "L3", *arguments, "-o", str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    file, until = tmp_path / "cells.jsonl", time.monotonic() + 300
    while not file.is_file() and time.monotonic() < until and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    there = cells.read([file])
    assert 0 < len(there) < 30
    for kept in tmp_path.glob("kept/*/*"):
        if kept.suffix != ".part":  # under its own name a file is whole
            content = kept.read_bytes()
            assert (content[:4] == b"\x89PNG" and content[-8:-4] == b"IEND") or (content[:2] == b"PK" and np.load(kept))
    assert main(command[3:]) == 0
    made = cells.read([file])
    assert len(made) == 30 and len(file.read_text().splitlines()) == 30  # none twice
    assert [cell for cell in made if cell.place in {old.place for old in there}] == there


def test_a_file_is_kept_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = fills.Store(tmp_path)
    store.write("ab12", b"before")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", torn(Path.write_bytes))
        for key in ("ab12", "cd34"):
            with pytest.raises(KeyboardInterrupt):
                store.write(key, b"after it was killed")
    assert store.read("ab12") == b"before" and store.read("cd34") is None and "cd34" not in store


def torn(write: Callable[[Path, bytes], int]) -> Callable[[Path, bytes], int]:
    """Writes half, then is stopped."""

    def stopped(self: Path, content: bytes) -> int:
        write(self, content[: len(content) // 2])
        raise KeyboardInterrupt

    return stopped


def test_a_torn_line_is_neither_read_nor_written_on(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    first = Cell("L3", "celeba-val", "aligned", "", "telea", "1", {})
    cells.append(file, first)
    with file.open("a") as stream:
        stream.write('{"table": "L3", "set"')
    second = dataclasses.replace(first, mask="2")
    cells.append(file, second)
    assert cells.read([file]) == [first, second]
    cells.append(file, dataclasses.replace(first, pictures=7))
    assert [cell.pictures for cell in cells.read([file])] == [7, 0]  # the latest of a place


def test_several_processes_make_the_same_figures(
    folder: Path, judge: Path, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tables.named(("L3", "L5"))
    request = asked(folder, tmp_path / "one", judges=(str(judge),), features=str(features))
    alone = paper.run(wanted, request, silent)
    monkeypatch.setattr(fills, "_make", lambda *given: pytest.fail("this process fills, too"))
    together = paper.run(wanted, dataclasses.replace(request, out=str(tmp_path / "two"), workers=2), silent)
    assert [timeless(cell) for cell in together] == [timeless(cell) for cell in alone]
    assert at(alone, table="L3", engine="telea", mask="7").measures["frechet"].mean > 0
    assert at(alone, table="L3", engine="untouched").measures["frechet"].mean > 0


def test_a_judge_that_is_kin_of_a_loss_is_refused_in_that_row_alone(
    folder: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical.Mirror, "taught_by", ("colours",), raising=False)
    variants.described.cache_clear()
    request = asked(folder, tmp_path, engines=("mirror", "telea"), judges=(str(judge),))
    made = paper.run(tables.named(("L4",)), request, silent)
    variants.described.cache_clear()
    refused = at(made, engine="mirror", mask="7")
    assert not refused.measures and not refused.differences and "kin of colours" in refused.refused["same colours"]
    assert at(made, engine="telea", mask="7").measures["same colours"].mean == 1.0
    table = (tmp_path / "report.md").read_text()
    assert "| `mirror` | refused | refused |" in table and "Refused, `mirror`: The judge colours is kin" in table


def test_faces_without_people_or_points_are_said_not_crashed_on(folder: Path, judge: Path, tmp_path: Path) -> None:
    request = dataclasses.replace(
        asked(folder, tmp_path, judges=(str(judge),)), data=(str(folder / "asian-val-*.tar"),), pictures=3
    )
    made = paper.run(tables.named(("L3", "L4", "L5")), request, silent)
    assert "68 points" in at(made, table="L3", engine="telea", mask="7").refused[""]
    assert at(made, table="L4", engine="telea", mask="centre").measures["same colours"].mean is not None
    assert at(made, table="L5", engine="telea", mask="centre").refused == {
        "other colours": "asian-val shows nobody twice."
    }
    assert "shows nobody twice" in (tmp_path / "report.md").read_text()


def test_across_sets_turned_and_found_again_and_by_bins(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    made = paper.run(only("across"), asked(folder, tmp_path, masks=("centre",), pictures=3), said.append)
    assert any("no shards generated-val" in line for line in said)
    assert {cell.set for cell in made} == {"celeba-val", "asian-val"}
    found = at(made, set="celeba-val", arrangement="found", group="")
    assert found.failed == 3 and "No face" in found.refused[""]  # drawn colours are none
    turned = at(made, set="celeba-val", arrangement="turned", group="")
    assert turned.hidden == pytest.approx(0.25 * subjects.ZOOM**2, rel=0.03) and turned.measures["hole_psnr"].mean
    bins = [cell for cell in made if cell.set == "celeba-val" and cell.group]
    assert {"sharpest third", "middle third", "most blurred third", "yaw under 10°"} == {cell.group for cell in bins}
    assert not [cell for cell in made if cell.set == "asian-val" and "yaw" in cell.group]  # it has no points
    assert "no fill of 3 of 3 pictures" in (tmp_path / "report.md").read_text()


def test_the_face_that_still_wears_it_is_the_row_to_beat(folder: Path, tmp_path: Path) -> None:
    made = paper.run(only("worn"), asked(folder, tmp_path, masks=()), silent)
    worn = at(made, engine="as worn", mask="protective-mask")
    assert worn.measures["composite_psnr"].mean < at(made, engine="telea", mask="protective-mask").measures[
        "composite_psnr"
    ].mean  # fmt: skip
    assert 0.1 < worn.hidden < 0.35


def test_raw_hole_composite_and_blended_at_64_pixels(folder: Path, tmp_path: Path) -> None:
    request = asked(folder, tmp_path, engines=("structural+iterations=2", "landmark"), masks=(), pictures=2)
    said: list[str] = []
    made = paper.run((tables.QUICK,), request, said.append)
    assert {cell.engine for cell in made} == {"telea", "structural+iterations=2"}
    assert any("skipped landmark" in line for line in said)
    plain, searched = (at(made, engine=name, mask="1").measures for name in ("telea", "structural+iterations=2"))
    # Telea returns known pixels as they came: half of the pixels carry all of the error.
    assert plain["raw_psnr"] == plain["composite_psnr"]
    assert plain["raw_psnr"].mean - plain["hole_psnr"].mean == pytest.approx(10 * np.log10(2), abs=1e-4)
    assert searched["raw_psnr"].mean < searched["composite_psnr"].mean  # a search guesses known pixels, too
    assert (
        "| *Qiang et al., as printed* | 20.06 | 19.98 | 19.88 | 19.74 | - | - |" in (tmp_path / "report.md").read_text()
    )


def test_reports_show_what_all_runs_in_the_folder_made_and_no_path(
    folder: Path, small_weights: Path, tmp_path: Path
) -> None:
    file = tmp_path / "private" / "mine.safetensors"
    file.parent.mkdir()
    file.write_bytes((small_weights / "completion.safetensors").read_bytes())
    said: list[str] = []
    request = asked(folder, tmp_path / "out", engines=(f"landmark+file={file}",), masks=("centre",), pictures=1)
    made = paper.run(tables.named(("L3",)), request, said.append)
    assert {cell.engine for cell in made} == {"telea", "landmark+file=mine.safetensors"}
    assert any("made of celeba-val; left out: asian-val" in line for line in said)
    paper.run(tables.named(("irregular",)), asked(folder, tmp_path / "out", masks=("irregular-10-20",)), silent)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('src="data:image/webp;base64,') == 2 and 'id="L3"' in page and 'id="irregular"' in page
    for name in ("cells.jsonl", "report.md", "report.html"):
        text = (tmp_path / "out" / name).read_text()
        assert "mine.safetensors" in text and "private" not in text and str(folder) not in text


def test_the_first_papers_figures_show_each_loss_alone_and_every_engine_that_is_here(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"structural+fast": "structural+iterations=2", "dip+fast": "dip+iterations=2", "patchmatch": "onnx:none.onnx"}
    shown = [
        dataclasses.replace(
            sheet, columns=tuple((few.get(e, e.replace("fast", "iterations=2")), kind) for e, kind in sheet.columns)
        )
        for sheet in tables.SHEETS
    ]
    monkeypatch.setattr(tables, "SHEETS", shown)
    paper.run(only("Q1", reference="telea"), asked(folder, tmp_path, masks=("centre",), pictures=2), silent)
    pictures = {picture.name: picture for picture in sheets.read(tmp_path / "pictures")}
    assert {"losses", "blending", "centre", "standard", "arbitrary", "Q1"} == set(pictures)
    assert pictures["losses"].heads[2:] == (
        "structural+iterations=2+only=context, raw", "structural+iterations=2+only=structure, raw",
        "structural+iterations=2, raw",
    )  # fmt: skip
    size = Image.open(io.BytesIO(pictures["losses"].webp)).size
    assert size == (5 * sheets.SIDE, 2 * sheets.SIDE)
    drawn = np.asarray(Image.open(io.BytesIO(pictures["losses"].webp))).astype(int)
    context, structure = (drawn[:, n * sheets.SIDE : (n + 1) * sheets.SIDE] for n in (2, 3))
    assert abs(context - structure).mean() > 0.5
    assert pictures["centre"].heads[2:] == (
        "tv, composite",
        "dip+iterations=2, blended",
        "structural+iterations=2, blended",
    )


def test_slow_engines_take_fewer_pictures_and_the_table_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "FEWER", {"mirror": 2})
    request = asked(folder, tmp_path, engines=("mirror",), masks=("centre",))
    made = paper.run(tables.named(("L3",)), request, silent)
    assert at(made, engine="mirror").pictures == 2 and at(made, engine="telea").pictures == 4
    assert "| `mirror` (2 pictures) |" in (tmp_path / "report.md").read_text()
    every = paper.run(tables.named(("L3",)), dataclasses.replace(request, every=True), silent)
    assert at(every, engine="mirror").pictures == 4


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"pictures": 0}, DataError, "--pictures 1 or more"),
        ({"workers": 0}, DataError, "--workers 1"),
        ({"masks": ("nose",)}, DataError, "no hole 'nose'"),
        ({"engines": ("magic",)}, EngineError, "no engine 'magic'"),
        ({"features": "none.safetensors"}, WeightsError, "There is no file none"),
        ({"judges": ("nobody",)}, EngineError, "no judge 'nobody'"),
        ({"data": ("nothing-*.tar",)}, DataError, "No shard matches"),
    ],
)
def test_wrong_requests_are_named(
    changed: dict, error: type[FaceinpError], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        paper.run(tables.named(("L4",)), dataclasses.replace(asked(folder, tmp_path), **changed), silent)


def test_the_shell_names_wrong_tables_and_takes_files_for_no_folders(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "paper", "--data", str(folder), "--table", "L9"]) == DataError.exit_code
    assert "no table 'L9'. Choose among: Q1, L3" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["evaluate", "quick", "--data", str(folder), "-o", str(tmp_path / "file")]) == DataError.exit_code
    assert "is a file. Give -o a folder." in capsys.readouterr().err
