"""The quick tables, from tiny shards to what is written."""

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from faceinp import metrics
from faceinp.engines.base import Engine, Needs, Progress, available, load_engine, register
from faceinp.errors import DataError, EngineError
from faceinp.evaluate import quick

pytest.importorskip("webdataset")
PICTURES, PEOPLE = 6, 3


def portraits() -> list[NDArray[np.uint8]]:
    """Six cuts of one portrait, 96 x 96."""
    photo = astronaut()
    cuts = [photo[y : y + side, x : x + side] for y, x, side in ((0, 120, 220), (20, 130, 200), (40, 150, 170))]
    cuts += [cut[:, ::-1] for cut in cuts]
    return [cv2.resize(np.ascontiguousarray(cut), (96, 96), interpolation=cv2.INTER_AREA) for cut in cuts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    with tarfile.open(folder / "celeba-val-00.tar", "w") as shard:
        for number, pixels in enumerate(portraits()):
            encoded = io.BytesIO()
            Image.fromarray(pixels).save(encoded, "png")
            about = json.dumps({"size": 96, "identity": number % PEOPLE, "source": "drawn", "points": None}).encode()
            for suffix, content in (("png", encoded.getvalue()), ("json", about)):
                entry = tarfile.TarInfo(f"{number:05}.{suffix}")
                entry.size = len(content)
                shard.addfile(entry, io.BytesIO(content))
    (folder / "celeba-train-00.tar").write_bytes(b"not to be read")
    return folder


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def out(folder: Path, said: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "new"
    quick.run(str(folder), out, ["telea", "mirror"], say=said.append)
    return out


def photos() -> NDArray[np.uint8]:
    return np.stack([cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA) for pixels in portraits()])


def test_one_line_for_each_engine_and_hole(out: Path, said: list[str]) -> None:
    text = (out / "quick.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["engine"], row["mask"]) for row in rows] == [(e, m) for e in ("telea", "mirror") for m in quick.MASKS]
    assert [line for line in said if line.startswith("{")] == text.splitlines()
    for row in rows:
        assert (row["pictures"], row["people"]) == (PICTURES, PEOPLE)
        assert row["seconds_per_picture"] > 0 and row["runtime"].startswith("opencv") and row["date"] and row["machine"]
        assert len(row["metrics"]) == 8
        for measure in row["metrics"].values():
            assert measure["low"] <= measure["mean"] <= measure["high"]


def test_the_figures_are_those_of_the_engine(out: Path) -> None:
    rows = [json.loads(line) for line in (out / "quick.jsonl").read_text().splitlines()]
    row = next(row for row in rows if (row["engine"], row["mask"]) == ("telea", "left half"))
    expected = []
    for photo in photos():
        hole = np.zeros((64, 64), np.uint8)
        hole[:, :32] = 1
        filled = cv2.inpaint(np.where(hole[..., None], np.uint8(128), photo), hole, 3, cv2.INPAINT_TELEA)
        expected.append((metrics.psnr(photo, filled), metrics.psnr(photo, filled, hole.astype(bool))))
    raw, hole_only = np.mean(expected, axis=0)
    measured = row["metrics"]
    assert measured["raw_psnr"]["mean"] == pytest.approx(raw)
    assert measured["hole_psnr"]["mean"] == pytest.approx(hole_only)
    assert measured["raw_psnr"] == measured["composite_psnr"]  # Telea returns known pixels as they came
    # half of the pixels carry all of the error
    assert raw - hole_only == pytest.approx(10 * np.log10(2))


def test_the_table_shows_engines_holes_and_the_printed_figures(out: Path, said: list[str]) -> None:
    table = (out / "quick.md").read_text()
    assert said[-1] == table
    assert table.count("| engine | random 20% | random 40% | random 60% | random 80% | centre | left half |") == 5
    assert table.count("\n| telea |") == table.count("\n| mirror |") == 5
    raw = table[table.index("## Raw") : table.index("## Hole")]
    assert (
        "| *Qiang et al., as printed* | 20.06 / 0.9533 | 19.98 / 0.9089 | 19.88 / 0.8892 | 19.74 / 0.8461 | - | - |"
        in raw
    )
    assert "| *Yeh et al., as printed* | 19.87 / 0.9517 |" in raw and table.count("as printed") == 2


def test_holes_hide_what_their_names_say() -> None:
    for share, mask in zip(quick.SHARES, quick.MASKS, strict=False):
        hidden = quick.holes(mask, 5)
        assert hidden.shape == (5, 64, 64) and hidden.mean() == pytest.approx(share, abs=0.02)
        assert not np.array_equal(hidden[0], hidden[1]) and np.array_equal(hidden, quick.holes(mask, 5))
    centre, left = quick.holes("centre", 2)[1], quick.holes("left half", 2)[1]
    assert centre.mean() == 0.25 and centre[16:48, 16:48].all()
    assert left[:, :32].all() and not left[:, 32:].any()


def test_raw_hole_and_composite_are_told_apart() -> None:
    """An engine that guesses known pixels wrong and the hole right is bad raw, and perfect in the hole."""
    photo, hole = photos()[0], quick.holes("centre", 1)[0]
    generated = np.where(hole[..., None], photo / 255, 0).astype(np.float32)
    compared = quick.compare(photo, generated, hole)
    assert compared["raw_psnr"] < 15 and compared["raw_ssim"] < 0.7
    assert compared["hole_psnr"] == compared["composite_psnr"] == np.inf
    assert compared["composite_ssim"] == pytest.approx(1)
    # Shifted colours: the composite keeps them, blending takes them back to the photo's.
    shifted = quick.compare(photo, (photo * 0.8 / 255 + 0.1).astype(np.float32), hole)
    assert shifted["blended_psnr"] > shifted["composite_psnr"] > shifted["raw_psnr"]


def test_a_perfect_picture_still_makes_a_line_of_json() -> None:
    white = np.full((3, 64, 64, 3), 255, np.uint8)
    row = quick.measure(load_engine("telea"), "centre", white, ["a", "b", "c"])
    assert row.metrics["raw_psnr"] == quick.Measure(None, None, None)
    assert row.metrics["raw_ssim"].mean == pytest.approx(1)
    assert "| inf / 1.0000 |" in quick.markdown([row], {}).replace(" | - ", " ")


def test_engines_that_cannot_run_are_skipped_with_the_reason(folder: Path, tmp_path: Path) -> None:
    class Stub(Engine):
        about, size, largest = "test", 64, 64

        def _fill(
            self, crops: NDArray[np.float32], masks: NDArray[np.bool_], seed: int, progress: Progress
        ) -> NDArray[np.float32]:
            return crops

    kinds = {
        "lacking": type("Lacking", (Stub,), {"name": "lacking", "needs": Needs(("no_such_package",), "some")}),
        "larger": type("Larger", (Stub,), {"name": "larger", "size": 256, "largest": 256}),
    }
    available()
    from faceinp.engines import base

    try:
        for kind in kinds.values():
            register(kind)
        said: list[str] = []
        rows = quick.run(str(folder), tmp_path, ["lacking", "larger", "telea"], pictures=2, say=said.append)
    finally:
        for name in kinds:
            base._registry.pop(name)
    assert {row.engine for row in rows} == {"telea"} and rows[0].pictures == 2
    table = (tmp_path / "quick.md").read_text()
    for reason in ("lacking. The package no_such_package is not installed", "larger. It works at 256 x 256 pixels"):
        assert f"Skipped: {reason}" in table and any(reason.replace(". ", ": ", 1) in line for line in said)


def test_wrong_requests_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no engine 'magic'"):
        quick.run(str(folder), tmp_path, ["magic"], say=lambda line: None)
    with pytest.raises(DataError):
        quick.run(str(tmp_path), tmp_path, ["telea"], say=lambda line: None)
    with pytest.raises(DataError):
        quick.run([str(tmp_path / "none-*.tar")], tmp_path, say=lambda line: None)


def test_an_engine_may_come_with_options(folder: Path, tmp_path: Path) -> None:
    variants = ["structural+iterations=2", "structural+iterations=2+mode=faithful"]
    rows = quick.run(str(folder), tmp_path, variants, pictures=2, say=lambda line: None)
    assert list(dict.fromkeys(row.engine for row in rows)) == variants
    robust, faithful = rows[0].metrics["raw_psnr"].mean, rows[len(quick.MASKS)].metrics["raw_psnr"].mean
    assert robust != faithful
