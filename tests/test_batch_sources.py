"""Where a batch finds photos, masks and face locations: folders, shards, tables, URLs."""

import io
import json
from pathlib import Path

import fsspec
import numpy as np
import pytest
import skimage.data
from batch_files import FACE, HOLE, encoded, manifest, photo, put_tar, quiet, settings
from PIL import Image

from faceinp.batch.run import run
from faceinp.errors import DataError, MaskError


def test_masks_within_the_folder_of_photos_are_no_photos(album: Path) -> None:
    (album / "masks").rename(album / "in" / "masks")
    counted = run(str(album / "in"), settings(album / "out"), masks=str(album / "in" / "masks"), say=quiet)
    assert counted == {"filled": 5, "failed": 2}


def test_one_mask_for_all_photos(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(encoded(photo(1)))
    (tmp_path / "in" / "large.png").write_bytes(encoded(np.kron(photo(2), np.ones((2, 2, 1), np.uint8))))
    names = ("two.png", "john.smith.png", "alone.mask.png", "README")
    put_tar(tmp_path / "in" / "x.tar", dict.fromkeys(names, encoded(photo(2))))
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
        contents = {"k.png": encoded(photo(number)), "k.mask.png": encoded(HOLE)}
        put_tar(tmp_path / "in" / folder / "x.tar", contents)
    where = str(tmp_path / "in"), settings(tmp_path / "out")
    masks = str(tmp_path / "masks")
    assert run(*where, masks=masks, say=quiet) == {"filled": 5, "failed": 0}
    results = {"c/one.png.png": 0, "c/one.bmp.png": 1, "c/two.png": 2, "a/x/k.png": 5, "b/x/k.png": 6}
    assert {line["result"] for line in manifest(tmp_path / "out").values()} == results.keys()
    for name, number in results.items():
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / name))[0], photo(number)[0]), name
    assert run(*where, masks=masks, say=quiet) == {"filled": 0, "failed": 0}


def test_shards_and_tables_hold_photos_beside_their_masks(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    contents = {
        "one.png": encoded(photo(1)),
        "one.mask.png": encoded(HOLE),
        "two.jpg": encoded(photo(2), "JPEG"),
        "two.json": b"{}",
        "three.mask.png": encoded(HOLE),
        "three.png": encoded(photo(3)),
    }
    put_tar(tmp_path / "in" / "x.tar", contents)
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


def test_a_table_without_photos_fails_alone(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    parquet.write_table(pyarrow.table({"picture": [encoded(FACE)]}), tmp_path / "in" / "a.parquet")
    put_tar(tmp_path / "in" / "b.tar", {"k.png": encoded(FACE), "k.mask.png": encoded(HOLE)})
    assert run(str(tmp_path / "in"), settings(tmp_path / "out"), say=quiet) == {"filled": 1, "failed": 1}
    (failed,) = (line for line in manifest(tmp_path / "out").values() if line["outcome"] == "failed")
    assert failed["name"].endswith("a.parquet") and failed["kind"] == "DataError" and "no column" in failed["error"]


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
        "points": [location.get("points") for _, _, location in PLACED.values()],
        "box": [location.get("box") for _, _, location in PLACED.values()],
        "name": list(PLACED),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    assert run(str(tmp_path / "in.parquet"), settings(tmp_path / "out", aligned=False), say=quiet)["filled"] == 2
    check_placed(tmp_path / "out")


def test_folders_and_shards_may_say_where_the_faces_are(tmp_path: Path) -> None:
    for folder in ("in", "masks", "faces", "shards"):
        (tmp_path / folder).mkdir()
    sharded = {}
    for name, (picture, hole, location) in PLACED.items():
        contents = {
            "in": (f"{name}.png", encoded(np.ascontiguousarray(picture))),
            "masks": (f"{name}.mask.png", encoded(np.ascontiguousarray(hole))),
            "faces": (f"{name}.face.json", json.dumps(location).encode()),
        }
        for folder, (file, content) in contents.items():
            sharded[file] = content
            (tmp_path / folder / f"{name}{Path(file).suffix}").write_bytes(content)
    put_tar(tmp_path / "shards" / "0.tar", sharded)
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


def test_other_places_are_urls(album: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(album / "in"), "/in", recursive=True)
    memory.put(str(album / "masks"), "/masks", recursive=True)
    assert run("memory://in", settings("memory://out"), masks="memory://masks", say=quiet)["filled"] == 5
    assert np.asarray(Image.open(io.BytesIO(memory.cat("/out/b/c/0.png")))).shape == FACE.shape
    assert len(manifest("memory://out")) == 8
    with pytest.raises(DataError, match="There is no folder or file memory://nowhere"):
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
