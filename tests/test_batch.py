"""Many photos: every source and target, what fails, going on after a stop, several workers, and a cluster."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
import skimage.data
from PIL import Image

from faceinp.batch import record, sources, worker
from faceinp.batch.run import run
from faceinp.cli.main import main
from faceinp.errors import DataError, EngineError, FaceinpError, MaskError, PhotoError
from faceinp.exemplars.sources import REFERENCE, SYMMETRY, Reference
from faceinp.pipeline import Job, fill_many
from faceinp.result import Result

FACE = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((145, 35, 305, 195)).resize((96, 96)))
HOLE = np.zeros((96, 96), np.uint8)
HOLE[40:60, 30:50] = 255


def settings(out: object, **changed: object) -> worker.Settings:
    given = {"engine": "telea", "judge": "", "aligned": True}
    return worker.Settings(str(out), **(given | changed))


def encoded(array: np.ndarray, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format)
    return buffer.getvalue()


def photo(number: int) -> np.ndarray:
    return np.roll(FACE, 3 * number, axis=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos in folders, one of them damaged and one without a mask, and their masks."""
    for number in range(5):
        file = tmp_path / "in" / ("a" if number % 2 else "b/c") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(photo(number)))
        mask = tmp_path / "masks" / file.relative_to(tmp_path / "in").with_suffix(".webp")
        mask.parent.mkdir(parents=True, exist_ok=True)
        mask.write_bytes(encoded(HOLE, "WEBP"))
    (tmp_path / "in" / "a" / "damaged.jpg").write_bytes(encoded(FACE, "JPEG")[:300])
    (tmp_path / "masks" / "a" / "damaged.png").write_bytes(encoded(HOLE))
    (tmp_path / "in" / "alone.png").write_bytes(encoded(FACE))
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    return tmp_path


def manifest(out: object) -> dict[str, dict]:
    return {line["name"]: line for line in record.Target(str(out)).lines()}


def quiet(_: str) -> None:
    pass


def test_a_folder_is_filled_and_what_cannot_be_is_told(folder: Path) -> None:
    counted = run(str(folder / "in"), settings(folder / "out", judge="bundled"), masks=str(folder / "masks"), say=quiet)
    assert counted == {"filled": 5, "failed": 2}
    lines = manifest(folder / "out")
    assert lines["a/damaged.jpg"]["kind"] == "PhotoError" and "--preset" in lines["alone.png"]["error"]
    for number in range(5):
        name = f"{'a' if number % 2 else 'b/c'}/{number}.png"
        line, result = lines[name], np.asarray(Image.open(folder / "out" / name))
        assert np.array_equal(result[HOLE == 0], photo(number)[HOLE == 0])
        assert (result[HOLE > 0] != photo(number)[HOLE > 0]).any()
        assert line["outcome"] == "filled" and line["changed_pixels"] == 0 and line["engine"] == "telea"
        assert 0 <= line["identity"]["original"]["probability"] <= 1 and line["seconds"]["fill"] >= 0
    assert not list(folder.rglob("*.part"))


def test_a_second_run_does_only_what_is_missing(folder: Path) -> None:
    where = str(folder / "in"), settings(folder / "out")
    masks = str(folder / "masks")
    run(*where, masks=masks, say=quiet)
    before = {file: file.stat().st_mtime_ns for file in (folder / "out").rglob("*.png")}
    said: list[str] = []
    assert run(*where, masks=masks, say=said.append) == {"filled": 0, "failed": 0}
    assert said[0].startswith("7 photos are already done, 2 of them failed (--retry")
    (folder / "in" / "new.png").write_bytes(encoded(photo(9)))
    (folder / "masks" / "new.png").write_bytes(encoded(HOLE))
    (folder / "masks" / "alone.png").write_bytes(encoded(HOLE))
    assert run(*where, masks=masks, say=quiet) == {"filled": 1, "failed": 0}
    assert run(*where, masks=masks, retry=True, say=quiet) == {"filled": 1, "failed": 1}  # alone.png has a mask now
    assert all(file.stat().st_mtime_ns == then for file, then in before.items())


def test_what_was_passed_over_has_a_line(folder: Path) -> None:
    (folder / "in" / "sky.gif").write_bytes(b"GIF89a")
    (folder / "masks" / "nobody.png").write_bytes(encoded(HOLE))
    (folder / "masks" / "a" / "1.png").write_bytes(encoded(HOLE))  # 1.webp is there, too
    (folder / "masks" / "readme.md").write_text("no mask")
    where, masks = (str(folder / "in"), settings(folder / "out")), str(folder / "masks")
    said: list[str] = []
    assert run(*where, masks=masks, say=said.append) == {"filled": 5, "failed": 2}
    lines = {name: line for name, line in manifest(folder / "out").items() if line["outcome"] == "skipped"}
    reasons = {name: line["reason"] for name, line in lines.items()}
    assert reasons.keys() == {
        "notes.txt",
        "sky.gif",
        *(f"{masks}/{n}" for n in ("nobody.png", "a/1.webp", "readme.md")),
    }
    assert "no photo with its name" in reasons[f"{masks}/nobody.png"] and "not a photo" in reasons["sky.gif"]
    assert any("5 other files were skipped" in sentence for sentence in said)
    before = sorted((folder / "out" / "manifest").iterdir())
    run(*where, masks=masks, say=quiet)
    assert sorted((folder / "out" / "manifest").iterdir()) == before  # told once


def test_masks_within_the_folder_of_photos_are_no_photos(folder: Path) -> None:
    (folder / "masks").rename(folder / "in" / "masks")
    counted = run(str(folder / "in"), settings(folder / "out"), masks=str(folder / "in" / "masks"), say=quiet)
    assert counted == {"filled": 5, "failed": 2}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 3}, "seed 0, now 3"),
        ({"engine": "navier-stokes"}, "engine 'telea', now 'navier-stokes'"),
        ({"format": "webp"}, "format"),
        ({"mask_hole": "white", "grow": 2}, "mask_hole 'auto', now 'white', grow 0, now 2"),
        ({"options": {"radius": 5}}, "options"),
    ],
)
def test_a_folder_begun_with_other_settings_is_refused(folder: Path, changed: dict, named: str) -> None:
    source, masks = str(folder / "in"), str(folder / "masks")
    run(source, settings(folder / "out"), masks=masks, say=quiet)
    with pytest.raises(DataError, match="--again") as raised:
        run(source, settings(folder / "out", **changed), masks=masks, say=quiet)
    assert named in str(raised.value)
    with pytest.raises(DataError, match="preset"):
        run(source, settings(folder / "out", preset="centre"), say=quiet)


def test_again_fills_all_photos_and_forgets_the_earlier_manifest(folder: Path) -> None:
    source, masks, out = str(folder / "in"), str(folder / "masks"), folder / "out"
    run(source, settings(out), masks=masks, say=quiet)
    assert json.loads((out / "manifest" / "settings.json").read_text())["grow"] == 0
    larger = settings(out, grow=3)
    assert run(source, larger, masks=masks, again=True, say=quiet) == {"filled": 5, "failed": 2}
    lines = [line for line in record.Target(str(out)).lines() if line["outcome"] == "filled"]
    assert len(lines) == 5 and all(line["hidden"] > 0.05 for line in lines)
    assert run(source, larger, masks=masks, say=quiet) == {"filled": 0, "failed": 0}
    with pytest.raises(DataError, match="grow 3, now 0"):
        run(source, settings(out), masks=masks, say=quiet)


def test_a_setting_that_fails_at_once_does_not_bind(folder: Path) -> None:
    source, masks = str(folder / "in"), str(folder / "masks")
    for wrong in ({"engine": "magic"}, {"options": {"no": 1}}):
        with pytest.raises(EngineError):
            run(source, settings(folder / "out", **wrong), masks=masks, say=quiet)
    assert run(source, settings(folder / "out"), masks=masks, say=quiet)["filled"] == 5


def test_one_mask_for_all_photos(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(encoded(photo(1)))
    (tmp_path / "in" / "large.png").write_bytes(encoded(np.kron(photo(2), np.ones((2, 2, 1), np.uint8))))
    with tarfile.open(tmp_path / "in" / "x.tar", "w") as tar:
        for name in ("two.png", "john.smith.png", "alone.mask.png", "README"):
            entry = tarfile.TarInfo(name)
            entry.size = len(data := encoded(photo(2)))
            tar.addfile(entry, io.BytesIO(data))
    mask = tmp_path / "in" / "mask.png"  # it is no photo for lying among them
    mask.write_bytes(encoded(np.repeat(255 - HOLE, 2, axis=1)))
    assert run(str(tmp_path / "in"), settings(tmp_path / "out"), masks=str(mask), say=quiet)["filled"] == 3
    lines = manifest(tmp_path / "out")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "x" / "two.png"))[0], photo(2)[0])
    for name, size in (("one.png", "96 x 96"), ("large.png", "192 x 192"), ("x/two.png", "96 x 96")):
        notes = " ".join(lines[name]["notes"])
        assert f"scaled from 192 x 96 to {size}" in notes and "stretched" in notes
        assert abs(lines[name]["hidden"] - (HOLE > 0).mean()) < 0.001
    assert {name for name, line in lines.items() if line["outcome"] == "skipped"} == {
        "x/john.smith.png", "x/alone.mask.png", "x/README",
    }  # fmt: skip
    assert "several dots" in lines["x/john.smith.png"]["reason"]
    mask.write_bytes(encoded(FACE))
    with pytest.raises(MaskError, match="looks like a photo"):
        run(str(tmp_path / "in"), settings(tmp_path / "other"), masks=str(mask), say=quiet)
    mask.write_bytes(b"no picture")
    with pytest.raises(MaskError, match="cannot be used"):
        run(str(tmp_path / "in"), settings(tmp_path / "other"), masks=str(mask), say=quiet)


def test_which_tone_is_the_hole_can_be_told(folder: Path) -> None:
    frame = np.full((96, 96), 255, np.uint8)
    frame[12:-12, 12:-12] = 0
    (folder / "masks" / "alone.png").write_bytes(encoded(frame))
    argv = ["batch", str(folder / "in"), str(folder / "out"), "--masks", str(folder / "masks"), "--engine", "telea"]
    argv += ["--aligned", "--judge", "none"]
    assert main(argv) == 0
    assert "--mask-hole" in manifest(folder / "out")["alone.png"]["error"]
    assert main([*argv, "--mask-hole", "white", "--grow", "1"]) == DataError.exit_code
    assert main([*argv, "--mask-hole", "white", "--grow", "1", "--again"]) == 0
    line = manifest(folder / "out")["alone.png"]
    assert line["outcome"] == "filled" and abs(line["hidden"] - (1 - (70 / 96) ** 2)) < 0.001


def test_a_damaged_reference_costs_no_photo(tmp_path: Path) -> None:
    for name, data in (("in/a.png", encoded(FACE)), ("masks/a.png", encoded(HOLE)), ("more/a.jpg", b"damaged")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    folders = {"masks": str(tmp_path / "masks"), "references": str(tmp_path / "more")}
    assert run(str(tmp_path / "in"), settings(tmp_path / "out"), **folders, say=quiet) == {"filled": 1, "failed": 0}
    (reference,) = manifest(tmp_path / "out")["a.png"]["references"]
    assert "not a picture" in reference["problem"] and reference["share"] == 0


def test_no_result_takes_the_place_of_another(tmp_path: Path) -> None:
    """Names that differ in nothing but their suffix, and shards of one name in two folders."""
    for folder in ("in/a", "in/b", "masks/c"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "masks" / "c" / "one.png").write_bytes(encoded(HOLE))
    (tmp_path / "in" / "c").mkdir()
    for number, name in enumerate(("one.png", "one.bmp", "two.png")):
        (tmp_path / "in" / "c" / name).write_bytes(encoded(photo(number), name[-3:].upper()))
    (tmp_path / "masks" / "c" / "two.png").write_bytes(encoded(HOLE))
    for number, folder in enumerate("ab", 5):
        with tarfile.open(tmp_path / "in" / folder / "x.tar", "w") as tar:
            for name, content in (("k.png", encoded(photo(number))), ("k.mask.png", encoded(HOLE))):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    where = str(tmp_path / "in"), settings(tmp_path / "out")
    masks = str(tmp_path / "masks")
    assert run(*where, masks=masks, say=quiet) == {"filled": 5, "failed": 0}
    results = {"c/one.png.png": 0, "c/one.bmp.png": 1, "c/two.png": 2, "a/x/k.png": 5, "b/x/k.png": 6}
    assert {line["result"] for line in manifest(tmp_path / "out").values()} == results.keys()
    for name, number in results.items():
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / name))[0], photo(number)[0]), name
    assert run(*where, masks=masks, say=quiet) == {"filled": 0, "failed": 0}


def test_what_concerns_all_photos_is_said_before_any(folder: Path) -> None:
    source, masks = str(folder / "in"), str(folder / "masks")
    for out in ("in", "in/filled"):
        with pytest.raises(DataError, match=r"is inside .*outside of it"):
            run(source, settings(folder / out), masks=masks, say=quiet)
    with pytest.raises(DataError, match="is inside"):
        run(f"{source}/alone.png", settings(folder / "in"), masks=masks, say=quiet)
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="contains no masks"):
        run(source, settings(folder / "out"), masks=str(folder / "empty"), say=quiet)
    with pytest.raises(DataError, match="need masks"):
        run(source, settings(folder / "out"), say=quiet)
    with pytest.raises(MaskError, match=r"Unknown preset 'hat'\. Choose one of"):
        run(source, settings(folder / "out", preset="hat"), say=quiet)
    for workers in (1, 2):
        with pytest.raises(EngineError, match="magic"):
            run(source, settings(folder / "out", engine="magic"), masks=masks, workers=workers, say=quiet)
    assert not (folder / "out").exists()


def test_the_manifest_tells_the_seconds_of_every_step(folder: Path) -> None:
    masks = str(folder / "masks")
    run(str(folder / "in"), settings(folder / "out", judge="bundled"), masks=masks, say=quiet)
    for line in manifest(folder / "out").values():
        if line["outcome"] == "filled":
            steps = {"fetch", "read", "align", "fill", "blend", "exemplars", "encode", "judge", "put"}
            assert line["seconds"].keys() == steps
            assert all(seconds >= 0 for seconds in line["seconds"].values()) and line["seconds"]["judge"] > 0


def test_a_preset_in_a_batch_is_the_preset_of_a_fill(tmp_path: Path) -> None:
    import faceinp
    from faceinp.face.detection import find_large_faces

    whole = skimage.data.astronaut()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(encoded(whole))
    assert run(str(tmp_path / "in"), settings(tmp_path / "out", preset="eyes", aligned=False), say=quiet)["filled"] == 1
    mask = faceinp.make_preset("eyes", faceinp.read_photo(whole))
    (face,) = find_large_faces(whole)  # found once, for the mask and for the fill
    expected = faceinp.fill(whole, mask, engine="telea", face=face).image
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "one.png")), expected)


def test_shards_and_tables_hold_photos_beside_their_masks(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / "x.tar", "w") as tar:
        for name, content in (
            ("one.png", encoded(photo(1))),
            ("one.mask.png", encoded(HOLE)),
            ("two.jpg", encoded(photo(2), "JPEG")),
            ("two.json", b"{}"),
            ("three.mask.png", encoded(HOLE)),
            ("three.png", encoded(photo(3))),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    columns = {"image": [encoded(photo(4)), encoded(photo(5))], "mask": [encoded(HOLE), None], "name": ["four", None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "in" / "y.parquet", row_group_size=1)
    assert run(str(tmp_path / "in"), settings(tmp_path / "out"), say=quiet) == {"filled": 3, "failed": 2}
    lines = manifest(tmp_path / "out")
    assert {name for name, line in lines.items() if line["outcome"] == "filled"} == {
        "x/one.png", "x/three.png", "y/four",
    }  # fmt: skip
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "y" / "four.png"))[0], photo(4)[0])
    assert run(str(tmp_path / "in"), settings(tmp_path / "out"), say=quiet) == {"filled": 0, "failed": 0}
    data = (tmp_path / "in" / "x.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: len(data) // 2])
    counted = run(str(tmp_path / "cut.tar"), settings(tmp_path / "cut"), say=quiet)
    assert counted["failed"] == 1 and counted["filled"] >= 1  # what came before the damage is kept


ASTRONAUT = skimage.data.astronaut()
FIVE = [[205.0, 102.0], [247.0, 104.0], [225.0, 129.0], [202.0, 139.0], [245.0, 142.0]]
LIES = np.zeros((512, 512), np.uint8)
LIES[90:117, 195:215] = 255
# An astronaut upside down, whose five points are known; one whose box is; one of whom too few points are known.
PLACED: dict[str, tuple[np.ndarray, np.ndarray, dict]] = {
    "upside-down": (ASTRONAUT[::-1, ::-1], LIES[::-1, ::-1], {"points": [[512 - x, 512 - y] for x, y in FIVE]}),
    "boxed": (ASTRONAUT, LIES, {"box": [181.0, 62.0, 87.0, 110.0]}),
    "three": (ASTRONAUT, LIES, {"points": FIVE[:3]}),
}


def check_placed(out: Path) -> None:
    told = {Path(name).stem: line for name, line in manifest(out).items()}
    assert [told[name]["outcome"] for name in PLACED] == ["filled", "filled", "failed"]
    assert "five" in told["three"]["error"]
    turned = np.asarray(Image.open(out / told["upside-down"]["result"]))[::-1, ::-1]
    assert np.array_equal(turned[LIES == 0], ASTRONAUT[LIES == 0]) and (turned != ASTRONAUT).any()
    assert not any("No face" in note for note in told["boxed"]["notes"])


def test_a_table_may_say_where_the_faces_are(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "image": [encoded(np.ascontiguousarray(picture)) for picture, _, _ in PLACED.values()],
        "mask": [encoded(np.ascontiguousarray(hole)) for _, hole, _ in PLACED.values()],
        "points": [place.get("points") for _, _, place in PLACED.values()],
        "box": [place.get("box") for _, _, place in PLACED.values()],
        "name": list(PLACED),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    assert run(str(tmp_path / "in.parquet"), settings(tmp_path / "out", aligned=False), say=quiet)["filled"] == 2
    check_placed(tmp_path / "out")


def test_folders_and_shards_may_say_it_too(tmp_path: Path) -> None:
    for folder in ("in", "masks", "faces", "shards"):
        (tmp_path / folder).mkdir()
    with tarfile.open(tmp_path / "shards" / "0.tar", "w") as tar:
        for name, (picture, hole, place) in PLACED.items():
            files = {
                f"{name}.png": ("in", encoded(np.ascontiguousarray(picture))),
                f"{name}.mask.png": ("masks", encoded(np.ascontiguousarray(hole))),
                f"{name}.face.json": ("faces", json.dumps(place).encode()),
            }
            for file, (folder, content) in files.items():
                entry = tarfile.TarInfo(file)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
                first, last = file.split(".")[0], file.split(".")[-1]
                (tmp_path / folder / f"{first}.{last}").write_bytes(content)
    wanted = settings(tmp_path / "filled", aligned=False)
    run(str(tmp_path / "in"), wanted, masks=str(tmp_path / "masks"), faces=str(tmp_path / "faces"), say=quiet)
    check_placed(tmp_path / "filled")
    run(str(tmp_path / "shards"), settings(tmp_path / "tarred", aligned=False), say=quiet)
    check_placed(tmp_path / "tarred")
    (tmp_path / "faces" / "boxed.json").write_text('{"Box": 1}')
    wanted = settings(tmp_path / "wrong", aligned=False)
    run(str(tmp_path / "in"), wanted, masks=str(tmp_path / "masks"), faces=str(tmp_path / "faces"), say=quiet)
    assert "{'Box': 1} is not a face location" in manifest(tmp_path / "wrong")["boxed.png"]["error"]
    with pytest.raises(DataError, match=r"no \.json files"):
        run(str(tmp_path / "in"), wanted, masks=str(tmp_path / "masks"), faces=str(tmp_path / "masks"), say=quiet)


class Exemplars:
    """In place of ``fill_many``: it keeps what it is asked for, fills by the engine alone, and says that a quarter of
    the hole comes from each reference, and a quarter from the face's other half.
    """

    def __init__(self) -> None:
        self.references: list[list[bytes]] = []
        self.asked: dict[str, object] = {}

    def __call__(self, jobs: list[Job], *, symmetry: bool | None, reference_check: bool, **more: object) -> list:
        self.references += [list(job.references) for job in jobs]
        self.asked = {"symmetry": symmetry, "reference_check": reference_check}
        results = fill_many([job._replace(references=()) for job in jobs], symmetry=False, **more)
        return [self._used(result, len(job.references)) for job, result in zip(jobs, results, strict=True)]

    def _used(self, result: object, count: int) -> object:
        if not isinstance(result, Result):
            return result
        sources = result.sources.copy()
        for index, code in enumerate([SYMMETRY, *range(REFERENCE, REFERENCE + count)]):
            sources[40 + 5 * index : 45 + 5 * index][HOLE[40:45] > 0] = code
        return replace(result, sources=sources, references=(Reference(b"", 0.25, 0.5, "Blurred."),) * count)


@pytest.fixture
def exemplars(monkeypatch: pytest.MonkeyPatch) -> Exemplars:
    made = Exemplars()
    monkeypatch.setattr(worker, "fill_many", made)
    return made


def test_a_folder_of_references_goes_with_the_photos(folder: Path, exemplars: Exemplars) -> None:
    files = [
        "a/1/1962.png",
        "a/1/wedding.jpg",
        "a/1/deeper/no.png",
        "a/1.webp",
        "a/notes.txt",
        "b/c/0/0.tif",
        "nobody.png",
    ]
    files += [f"b/c/4/{number}.png" for number in range(9)]
    for number, name in enumerate(files):
        (folder / "references" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "references" / name).write_bytes(bytes([number]))
    argv = ["batch", str(folder / "in"), str(folder / "out"), "--masks", str(folder / "masks"), "--engine", "telea"]
    argv += ["--references", str(folder / "references"), "--aligned", "--judge", "none"]
    assert main([*argv, "--no-symmetry", "--no-reference-check"]) == 0
    assert exemplars.asked == {"symmetry": False, "reference_check": False}
    assert sorted(exemplars.references) == [[], [], [b"\x03", b"\0", b"\1"], [b"\5"]]
    lines = manifest(folder / "out")
    line = lines["a/1.png"]
    assert line["sources"] == {"symmetry": 0.25, "reference 1": 0.25, "reference 2": 0.25, "reference 3": 0.25}
    assert [one["name"] for one in line["references"]] == ["1.webp", "1962.png", "wedding.jpg"]
    assert line["references"][0] == {
        "name": "1.webp",
        "share": 0.25,
        "distance": 0.5,
        "refused": False,
        "note": "",
        "problem": "Blurred.",
    }
    assert lines["b/c/0.png"]["sources"] == {"engine": 0.5, "symmetry": 0.25, "reference 1": 0.25}
    assert lines["a/3.png"]["outcome"] == "filled" and lines["a/3.png"]["references"] == []
    assert lines["b/c/4.png"]["error"].startswith("The photo has more than 8 references")


def test_a_reference_named_like_a_photo_is_of_no_other(tmp_path: Path) -> None:
    for name in ("in/a.png", "in/a/b.png", "references/a/b.png", "references/a/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (part,) = sources.survey(str(tmp_path / "in"), references=str(tmp_path / "references"))[0]
    matches = {item.name: [file.content for file in item.references] for item in part.items(frozenset())}
    assert matches == {"a.png": [b"references/a/c.png"], "a/b.png": [b"references/a/b.png"]}


def test_a_folder_without_references_for_the_photos_is_refused(folder: Path) -> None:
    (folder / "references").mkdir()
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"references contains no reference photos with the names of the photos in .*in\."
        ):
            run(str(folder / "in"), settings(folder / "out", preset="centre"), references=str(folder / "references"))
        (folder / "references" / "somebody.png").write_bytes(encoded(FACE))


def test_shards_and_tables_hold_references(tmp_path: Path, exemplars: Exemplars) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    names = ("one.reference.1.webp", "one.png", "one.mask.png", "one.reference.0.JPG", "one.reference.json", "two.png")
    with tarfile.open(tmp_path / "in" / "x.tar", "w") as tar:
        for name in names:
            content = {"one.mask.png": encoded(HOLE), "one.png": encoded(photo(1)), "two.png": encoded(photo(2))}
            data = content.get(name, name.encode())
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    images, hole = [encoded(photo(number)) for number in range(3)], encoded(HOLE)
    columns = {"image": images, "mask": [hole] * 3, "references": [[b"first", b"second"], None, [b"same"] * 9]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "in" / "y.parquet")
    cells = {"image": images[:1], "mask": [hole], "references": [[{"bytes": b"third", "path": "kept"}]]}
    parquet.write_table(pyarrow.table(cells), tmp_path / "in" / "z.parquet")
    counted = run(str(tmp_path / "in"), settings(tmp_path / "out", symmetry=True), say=quiet)
    assert counted == {"filled": 4, "failed": 2} and exemplars.asked == {"symmetry": True, "reference_check": True}
    references = [[b"one.reference.0.JPG", b"one.reference.1.webp"], [b"first", b"second"], [], [b"third"]]
    assert exemplars.references == references
    lines = manifest(tmp_path / "out")
    assert [one["name"] for one in lines["x/one.png"]["references"]] == ["reference.0.jpg", "reference.1.webp"]
    assert [one["name"] for one in lines["y/00000-000000"]["references"]] == ["1", "2"]
    assert "more than 8" in lines["y/00000-000002"]["error"] and "no mask" in lines["x/two.png"]["error"]


def test_other_places_are_urls(folder: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / "in"), "/in", recursive=True)
    memory.put(str(folder / "masks"), "/masks", recursive=True)
    assert run("memory://in", settings("memory://out"), masks="memory://masks", say=quiet)["filled"] == 5
    assert np.asarray(Image.open(io.BytesIO(memory.cat("/out/b/c/0.png")))).shape == FACE.shape
    assert len(manifest("memory://out")) == 8
    with pytest.raises(DataError, match="contains no photos"):
        run("memory://nowhere", settings("memory://out"), say=quiet)
    with pytest.raises(DataError, match="cannot be accessed"):
        run("nothing://in", settings("memory://out"), say=quiet)


def test_a_hole_may_be_what_is_transparent(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(encoded(np.dstack([FACE, 255 - HOLE])))
    (tmp_path / "in" / "two.png").write_bytes(encoded(FACE))
    assert run(str(tmp_path / "in"), settings(tmp_path / "out", from_alpha=True), say=quiet)["filled"] == 1
    result = Image.open(tmp_path / "out" / "one.png")
    assert result.mode == "RGB"
    assert np.array_equal(np.asarray(result)[HOLE == 0], FACE[HOLE == 0])
    assert "transparent" in manifest(tmp_path / "out")["two.png"]["error"]


def test_the_shell_fills_a_folder_with_a_preset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["batch", str(folder / "in"), str(folder / "out"), "--preset", "centre", "--engine", "telea", "--aligned"]
    assert main([*argv, "--judge", "none", "--format", "webp"]) == 0
    said = capsys.readouterr()
    assert "6 filled, 1 failed" in said.out and "damaged.jpg: " in said.out and "1 of 7 photos failed" in said.err
    assert (folder / "out" / "alone.webp").is_file()


def test_the_shell_fails_where_no_photo_could_be_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(encoded(FACE, "JPEG")[:300])
    argv = [
        "batch",
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        "--preset",
        "centre",
        "--engine",
        "telea",
        "--aligned",
    ]
    argv += ["--judge", "none"]
    for _ in range(2):  # the second run has nothing to do, and still nothing is filled
        assert main(argv) == PhotoError.exit_code
        assert capsys.readouterr().err.splitlines()[-1].startswith("faceinp: None of 2 photos could be filled")
    (tmp_path / "in" / "2.png").write_bytes(encoded(np.dstack([FACE, 255 - HOLE])))
    assert main(argv) == 0
    assert main([*argv, "--retry"]) == 0  # one is filled, and the two are said to have failed
    assert "2 of 2 photos failed" in capsys.readouterr().err


def test_errors_of_several_kinds_share_no_exit_code(folder: Path) -> None:
    for file in (folder / "in").rglob("*.png"):
        if file.stem != "alone":
            file.unlink()
    with pytest.raises(FaceinpError, match="None of 2") as raised:  # one is damaged, one has no mask
        run(str(folder / "in"), settings(folder / "out"), masks=str(folder / "masks"), say=quiet)
    assert raised.value.exit_code == 1
    (folder / "in" / "alone.png").write_bytes(b"damaged, too")
    (folder / "masks" / "alone.png").write_bytes(encoded(HOLE))
    with pytest.raises(PhotoError, match="None of 2"):  # what a file failed of before counts no more
        run(str(folder / "in"), settings(folder / "out"), masks=str(folder / "masks"), retry=True, say=quiet)


def test_many_through_the_engine_at_once_are_as_each_alone(folder: Path) -> None:
    import faceinp

    jobs = [(photo(number), HOLE) for number in range(3)]
    together = faceinp.fill_many([*jobs, (b"no photo", HOLE)], engine="telea", face=faceinp.FaceLocation.aligned())
    assert isinstance(together[3], faceinp.PhotoError)
    for (picture, mask), result in zip(jobs, together, strict=False):
        assert np.array_equal(
            result.image, faceinp.fill(picture, mask, engine="telea", face=faceinp.FaceLocation.aligned()).image
        )


@pytest.mark.process
@pytest.mark.slow
def test_two_workers_and_a_kill_at_any_moment(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(100):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(encoded(photo(number)))
    command = [sys.executable, "-m", "faceinp", "batch", str(tmp_path / "in"), str(tmp_path / "out")]
    command += ["--preset", "centre", "--engine", "telea", "--aligned", "--judge", "none", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 240
    while not len(list((tmp_path / "out").rglob("*.png"))) > 20:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for file in (tmp_path / "out").glob("*.png"):
        assert np.asarray(Image.open(file)).shape == FACE.shape  # whole, whatever the moment
    for file in (tmp_path / "out" / "manifest").glob("*.jsonl"):
        assert all(json.loads(line) for line in file.read_text().splitlines())
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = manifest(tmp_path / "out")
    assert len(lines) == 100 and {line["outcome"] for line in lines.values()} == {"filled"}
    assert len(list((tmp_path / "out").glob("*.png"))) == 100


@pytest.mark.process
@pytest.mark.slow
def test_on_a_cluster_a_killed_actor_loses_nothing(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    import threading

    (tmp_path / "in").mkdir()
    for number in range(160):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(encoded(photo(number)))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        killed: list[int] = []

        def is_actor(command: Path) -> bool:
            return command.is_file() and b"ray::" in (text := command.read_bytes()) and b"_Actor" in text

        def kill_one() -> None:
            deadline = time.monotonic() + 120
            while not list((tmp_path / "out" / "manifest").glob("*.jsonl")) and time.monotonic() < deadline:
                time.sleep(0.05)
            actors = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and is_actor(p / "cmdline")]
            os.kill(actors[0], signal.SIGKILL)
            killed.append(actors[0])

        killer = threading.Thread(target=kill_one)
        killer.start()
        counted = run(
            str(tmp_path / "in"),
            settings(tmp_path / "out", preset="centre", threads=1),
            workers=2,
            ray="auto",
            say=quiet,
        )
        killer.join()
    finally:
        ray.shutdown()
    assert killed and counted["failed"] == 0
    lines = manifest(tmp_path / "out")
    assert len(lines) == 160 and {line["outcome"] for line in lines.values()} == {"filled"}
