"""``faceinp data build``: shards that training reads, from CelebA's layouts, folders, archives and aligned squares."""

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data as pictures

from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.face import faces
from faceinp.mask import presets
from faceinp.train.datasets import build, data, photo_points
from faceinp.train.datasets.build import Shards

# On skimage's astronaut (512 x 512): eyes, tip of the nose, corners of the mouth.
FIVE = np.float32([[208, 114], [242, 109], [230, 130], [211, 151], [243, 147]])
NAMES = [f"{number:06d}.jpg" for number in range(1, 7)]


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Six pictures in CelebA's layout: persons 7 and 8, four in the training part, the fifth unreadable."""
    root = tmp_path / "celeba"
    for folder in ("img_celeba", "Anno", "Eval"):
        (root / folder).mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(pictures.astronaut()).save(root / "img_celeba" / name, quality=95)
    (root / "img_celeba" / NAMES[4]).write_bytes(b"not a picture")
    row = "  ".join(str(int(number)) for number in FIVE.ravel())
    landmarks = "\n".join(f"{name} {row}" for name in NAMES)
    head = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    (root / "Anno/list_landmarks_celeba.txt").write_text(f"{len(NAMES)}\n{head} \n{landmarks}\n")
    (root / "Anno/identity_CelebA.txt").write_text("".join(f"{name} {7 + i % 2}\n" for i, name in enumerate(NAMES)))
    split = zip(NAMES, (0, 0, 1, 0, 0, 2), strict=True)
    (root / "Eval/list_eval_partition.txt").write_text("".join(f"{name} {part}\n" for name, part in split))
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of photos with one person's subfolder, a photo without a face, and files that are no photos."""
    root = tmp_path / "my photos"
    (root / "eileen.c").mkdir(parents=True)
    Image.fromarray(pictures.astronaut()).save(root / "eileen.c" / "portrait.in.space.png")
    Image.fromarray(pictures.coffee()).save(root / "coffee.png")
    (root / "read me.txt").write_text("no photo")
    return root


def samples(out: Path) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    return {
        record["key"]: (np.asarray(Image.open(io.BytesIO(record["picture"]))), record["about"])
        for record in data.records(str(out / "*.tar"))
    }


def test_celeba_becomes_shards_that_training_reads(celeba: Path, tmp_path: Path) -> None:
    said: list[str] = []
    built = build.build(celeba, tmp_path / "out", size=64, smallest=32, points="none", say=said.append)
    assert built.points == {"none": 3}
    assert (built.faces, built.unreadable, built.faceless, built.small) == (3, 1, 0, 0)
    assert len(said) == 1 and NAMES[4] in said[0]
    loaded = data.load(str(tmp_path / "out/*.tar"), 64)
    assert loaded.keys == ("000001", "000002", "000004")
    assert loaded.identities == ("7", "8", "8")
    assert loaded.pictures.shape == (3, 3, 64, 64) and loaded.points.isnan().all()


def test_the_crop_is_the_face_at_its_known_points(celeba: Path, tmp_path: Path) -> None:
    build.build(celeba, tmp_path / "out", size=128, smallest=32, say=lambda _: None)
    picture, about = samples(tmp_path / "out")["000001"]
    face = faces.Face(box=(190, 80, 80, 100), points=FIVE, confidence=1.0, yaw=0.0)
    quad = faces.quad(face)
    expected = faces.align(pictures.astronaut(), np.zeros((512, 512), bool), quad, 128).pixels
    assert np.abs(picture.astype(int) - expected).mean() < 4  # lossy twice
    assert about == {
        "size": 128,
        "identity": 7,
        "source": "celeba-wild",
        "native": round(float(np.hypot(*(quad[3] - quad[0])))),
        "points": about["points"],
        "points_from": "own",
    }
    left, right = (np.mean(about["points"][start : start + 6], axis=0) for start in (36, 42))
    eyes = faces.to_crop(FIVE[:2], quad) * 128
    assert np.abs(np.stack([left, right]) - eyes).max() < 6  # of 128; FIVE are rough


@pytest.mark.parametrize(("split", "keys"), [("val", "3"), ("test", "6"), ("all", "12346")])
def test_celebas_split_is_kept_apart(split: str, keys: str, celeba: Path, tmp_path: Path) -> None:
    build.build(celeba, tmp_path / "out", size=64, smallest=32, split=split, say=lambda _: None)
    assert set(samples(tmp_path / "out")) == {f"00000{key}" for key in keys}


def test_a_face_smaller_than_asked_for_is_left_out(celeba: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No face of at least 500 pixels"):
        build.build(celeba, tmp_path / "out", size=64, smallest=500, say=lambda _: None)
    assert not list((tmp_path / "out").iterdir())


def test_celeba_without_its_landmarks_says_what_is_missing(celeba: Path, tmp_path: Path) -> None:
    (celeba / "Anno/list_landmarks_celeba.txt").unlink()
    with pytest.raises(DataError, match=r"list_landmarks_celeba\.txt \(or \.csv\) is not beside"):
        build.build(celeba, tmp_path / "out")


def test_faces_of_a_folder_are_found(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    built = build.build(folder, tmp_path / "out", size=64, identity_from="folder", say=said.append)
    assert (built.faces, built.faceless) == (1, 1) and "coffee.png" in said[0]
    ((key, (picture, about)),) = samples(tmp_path / "out").items()
    assert "." not in key and picture.shape == (64, 64, 3)
    assert (about["identity"], about["source"]) == ("eileen.c", "my photos")
    assert 100 < about["native"] < 200
    assert data.load(str(tmp_path / "out/*.tar"), 64).identities == ("eileen.c",)


def test_68_points_beside_a_photo_are_used_and_kept(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    photo = np.zeros((400, 300, 3), np.uint8)  # no face to be found: the points must do
    points = np.tile(np.float32([150, 200]), (68, 1))
    points[36:42], points[42:48] = (120, 180), (180, 180)
    points[30], points[48], points[54] = (150, 210), (128, 240), (172, 240)
    photo[178:183, 118:123] = 255  # a mark where the left eye is
    Image.fromarray(photo).save(root / "one.png")
    rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    (root / "one.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    build.build(root, tmp_path / "out", size=128, smallest=32, say=print)
    ((picture, about),) = samples(tmp_path / "out").values()
    assert about["points_from"] == "pts"
    light = picture.mean(axis=2) * (picture.mean(axis=2) > 20)
    marked = [np.average(np.arange(128), weights=light.sum(axis=axis)) for axis in (0, 1)]
    assert np.abs(np.add(marked, 0.5) - about["points"][36]).max() < 0.15
    assert about["points"][36][0] < 64 < about["points"][42][0]
    loaded = data.load(str(tmp_path / "out/*.tar"), 128)
    assert np.allclose(loaded.points[0].numpy() * 128, about["points"], atol=0.01)
    (root / "one.pts").write_text("{ 1 2 3 }")
    with pytest.raises(DataError, match=r"one\.pts does not hold 68 points"):
        build.build(root, tmp_path / "again")


def test_known_points_give_the_crop_that_ffhq_has() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(100, 40, (68, 2)).astype(np.float32)
    left, right, mouth = points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[[48, 54]].mean(axis=0)
    eyes, down = (left + right) / 2, mouth - (left + right) / 2  # Karras et al. 2019, appendix A
    x = right - left - down[::-1] * [-1, 1]
    x *= max(2 * np.hypot(*(right - left)), 1.8 * np.hypot(*down)) / np.hypot(*x)
    y, centre = x[::-1] * [-1, 1], eyes + 0.1 * down
    expected = np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])
    quad = faces.quad(faces.Face((0, 0, 1, 1), photo_points.five(points), confidence=1, yaw=0))
    assert np.allclose(quad, expected, atol=1e-3)


def csv_row(name: str, points: np.ndarray) -> str:
    return ",".join([name, *map(str, points.ravel().tolist())])


@pytest.fixture
def pointed(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Two photos of one name in two folders, a third one, and 68 points that fit all."""
    root = tmp_path / "photos"
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
        Image.fromarray(pictures.astronaut()).save(root / folder / "one.png")
    Image.fromarray(pictures.astronaut()).save(root / "b" / "two.png")
    return root, presets.average_points(512, FIVE)


def test_a_table_of_points_is_used_and_says_where_the_face_is(
    pointed: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, points = pointed
    table = tmp_path / "points.csv"
    rows = [csv_row("\ufeffa/one.png", points), csv_row("two.png", points + 7), csv_row("3.png", points)]
    table.write_text("\n".join(rows), encoding="utf-8")
    assert main(["data", "build", str(root), str(tmp_path / "out"), "--points", str(table), "--size", "128"]) == 0
    assert f"68 points: 2 from {table}; faces without points: 1" in capsys.readouterr().out
    about = {
        key.split("-")[0] + str(about["points_from"]): about for key, (_, about) in samples(tmp_path / "out").items()
    }
    assert set(about) == {"onefile", "oneNone", "twofile"} and about["oneNone"]["points"] is None
    quad = faces.quad(faces.Face((0, 0, 1, 1), photo_points.five(points), confidence=1, yaw=0))
    assert np.allclose(about["onefile"]["points"], faces.to_crop(points, quad) * 128, atol=0.06)
    assert np.allclose(about["twofile"]["points"], about["onefile"]["points"], atol=0.11), "the crop is where they are"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (lambda p: [csv_row("one.png", p)], "line 1: several photos are called one.png"),
        (lambda p: ["name", csv_row("two.png", p[:67])], "line 2: a row is a name and 136 numbers"),
        (lambda p: [csv_row("two.png", p * np.nan)], "line 1: a row is a name and 136 numbers"),
        (lambda p: [csv_row("two.png", p), csv_row("b/two.png", p)], "line 2: a photo has one row"),
        (lambda p: [csv_row("four.png", p)], "No row of .*points.csv names a photo of SOURCE, such as a/one.png"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(
    rows: Callable[[np.ndarray], list[str]], problem: str, pointed: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    root, points = pointed
    (tmp_path / "points.csv").write_text("\n".join(rows(points)))
    with pytest.raises(DataError, match=problem):
        build.build(root, tmp_path / "out", points=tmp_path / "points.csv")


def test_dlibs_points_lie_near_our_own(tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.rot90(pictures.astronaut()).copy()).save(tmp_path / "photos/turned.png")
    found = {}
    for kind in photo_points.PREDICTORS:
        assert build.build(tmp_path / "photos", tmp_path / kind, points=kind).points == {kind: 1}
        ((_, about),) = samples(tmp_path / kind).values()
        found[kind] = np.array(about["points"])
    apart = np.linalg.norm(found["own"] - found["dlib"], axis=1).mean()
    assert 0 < apart / np.linalg.norm(found["dlib"][36] - found["dlib"][45]) < 0.06


def test_names_of_any_length_and_of_one_stem_are_keys(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "b/1.jpg", "b/._1.jpg", f"b/{'long' * 40}.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures.astronaut()[:128, :128]).save(tmp_path / "photos" / name)
    build.build(tmp_path / "photos", tmp_path / "out", size=32, aligned=True, points="none")
    assert len(samples(tmp_path / "out")) == 4


def kaggle(celeba: Path) -> Path:
    """The same pictures as Kaggle has them: a folder in a folder, lists as CSV, and nobody's identity."""
    root = celeba.parent / "archive"
    shutil.copytree(celeba / "img_celeba", root / "img_align_celeba/img_align_celeba")
    for list_, name in (
        (celeba / "Anno/list_landmarks_celeba.txt", "list_landmarks_align_celeba.csv"),
        (celeba / "Eval/list_eval_partition.txt", "list_eval_partition.csv"),
    ):
        rows = [",".join(line.split()) for line in list_.read_text().splitlines() if line.startswith("0000")]
        (root / name).write_text("\n".join(["image_id,more", *rows]))
    return root


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "zipped" / folder.name), "zip", folder))


def tarred(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "tarred" / folder.name), "tar", folder))


@pytest.mark.parametrize("packed", [lambda folder: folder, zipped], ids=["unpacked", "zip"])
def test_kaggles_celeba_is_celeba(packed: Callable[[Path], Path], celeba: Path, tmp_path: Path) -> None:
    said: list[str] = []
    built = build.build(packed(kaggle(celeba)), tmp_path / "out", size=64, smallest=32, points="none", say=said.append)
    assert (built.faces, built.unreadable) == (3, 1)
    assert "identity_CelebA.txt is missing" in said[0] and NAMES[4] in said[1]
    build.build(celeba, tmp_path / "official", size=64, smallest=32, points="none", say=said.append)
    for key, (picture, about) in samples(tmp_path / "official").items():
        same, others = samples(tmp_path / "out")[key]
        assert (picture == same).all() and others == about | {"source": "celeba", "identity": None}


def test_celebas_own_archive_is_read_beside_its_lists(celeba: Path, tmp_path: Path) -> None:
    (celeba / "img_celeba").rename(celeba / "img_align_celeba")
    (celeba / "Anno/list_landmarks_celeba.txt").rename(celeba / "Anno/list_landmarks_align_celeba.txt")
    (celeba / "Img").mkdir()
    archive = Path(shutil.make_archive(str(celeba / "Img/img_align_celeba"), "zip", celeba, "img_align_celeba"))
    shutil.rmtree(celeba / "img_align_celeba")
    with pytest.raises(DataError, match=rf"There is no photo in .* Or give the archive in it: {archive}"):
        build.build(celeba, tmp_path / "out")
    built = build.build(archive, tmp_path / "out", size=64, smallest=32, points="none", say=lambda _: None)
    assert built.faces == 3
    assert data.load(str(tmp_path / "out"), 64).identities == ("7", "8", "8")


@pytest.mark.parametrize("packed", [zipped, tarred])
def test_an_archive_is_what_its_folder_is(packed: Callable[[Path], Path], folder: Path, tmp_path: Path) -> None:
    said: dict[str, list[str]] = {"folder": [], "archive": []}
    for name, source in (("folder", folder), ("archive", packed(folder))):
        build.build(source, tmp_path / name, size=64, identity_from="folder", say=said[name].append)
    (key, (picture, about)), *none = samples(tmp_path / "folder").items()
    same, others = samples(tmp_path / "archive")[key]
    assert not none and (picture == same).all() and about == others
    assert len(said["archive"]) == 1 and f"{packed(folder) / 'coffee.png'}: " in said["archive"][0]


def test_a_photo_that_cannot_be_unpacked_is_left_out(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder)
    with zipfile.ZipFile(archive) as files:
        start = files.getinfo("coffee.png").header_offset + 1000
    content = bytearray(archive.read_bytes())
    content[start : start + 100] = bytes(100)
    archive.write_bytes(content)
    said: list[str] = []
    built = build.build(archive, tmp_path / "out", size=64, say=said.append)
    assert (built.faces, built.unreadable) == (1, 1) and "coffee.png: It cannot be unpacked" in said[0]


def test_aligned_squares_are_taken_whole(tmp_path: Path) -> None:
    """As FFHQ and CelebA-HQ are: folders of squares, of any size; what is no square is left out."""
    root = tmp_path / "thumbnails128x128"
    square = pictures.astronaut()[30:286, 100:356]
    for name, side in (("00000/00000.png", 256), ("01000/01000.png", 128), ("01000/small.png", 64)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(square).resize((side, side), Image.Resampling.BOX).save(root / name)
    Image.fromarray(square[:200]).save(root / "wide.png")
    said: list[str] = []
    built = build.build(root, tmp_path / "out", size=128, aligned=True, say=said.append)
    assert (built.faces, built.small, built.unreadable) == (2, 1, 1)
    assert "wide.png" in said[0] and "got 256 x 200" in said[0]
    expected = np.asarray(Image.fromarray(square).resize((128, 128), Image.Resampling.BOX)).astype(int)
    for picture, about in samples(tmp_path / "out").values():
        assert np.abs(picture - expected).mean() < 3 and about["points_from"] == "own"
        assert about["identity"] is None and about["native"] in (128, 256)


def test_arguments_that_do_not_fit_are_refused_in_a_sentence(
    celeba: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos.zip").write_bytes(b"no archive")
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as tar:
        tar.add(folder)
    (tmp_path / "empty").mkdir()
    for argv, said in (
        (["nowhere"], "There is no folder and no file nowhere"),
        (["photos.zip"], "photos.zip is no zip and no uncompressed tar of photos"),
        (["photos.tar.gz"], "photos.tar.gz is no zip and no uncompressed tar of photos"),
        (["empty"], "There is no photo in empty"),
        (["my photos", "--split", "val"], "--split is for CelebA's own lists"),
        (["celeba", "--aligned"], "--aligned is for square crops"),
        (["celeba", "--identity-from", "folder"], "--identity-from is for other photos"),
        (["my photos", "--points", "p.csv"], "--points p.csv is no file, and none of own, dlib, none"),
        (["my photos", "--size", "0"], "--size is the side of the crops in pixels, 16 or more, got 0"),
        (["my photos", "--smallest", "0"], "--smallest and --shard-megabytes must be positive"),
        (["my photos", "--shard-megabytes", "-1"], "--smallest and --shard-megabytes must be positive"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            assert main(["data", "build", *argv[:1], "out", *argv[1:]]) == 7
            (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"faceinp: {said}"), line
        assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="is a file"):
        build.build(folder, tmp_path / "photos.zip")


def test_shards_are_small_whole_and_the_same_each_time(celeba: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        built = build.build(celeba, tmp_path / out, size=128, smallest=32, shard_megabytes=0.03, say=lambda _: None)
        assert built.shards > 1
    first, second = ({file.name: file.read_bytes() for file in (tmp_path / out).iterdir()} for out in "ab")
    assert first == second
    assert all(name.endswith(".tar") and len(content) <= 30_000 for name, content in first.items())
    assert len(samples(tmp_path / "a")) == 3
    for file in (tmp_path / "a").iterdir():
        with tarfile.open(file) as tar:
            assert not any(member.mtime or member.uid for member in tar)  # a later build is the same, too


def test_shards_that_are_there_are_not_touched(celeba: Path, tmp_path: Path) -> None:
    shard = tmp_path / "out/old.tar"
    shard.parent.mkdir()
    shard.write_bytes(b"precious")
    with pytest.raises(DataError, match="already holds shards"):
        build.build(celeba, tmp_path / "out")
    assert [file.read_bytes() for file in shard.parent.iterdir()] == [b"precious"]


def test_stopping_leaves_whole_shards_only(celeba: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, preview: Any = None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.build(celeba, tmp_path / "out", size=128, smallest=32, shard_megabytes=0.001, progress=stop)
    (whole,) = (tmp_path / "out").iterdir()
    with tarfile.open(whole) as tar:
        assert [member.name for member in tar] == ["000001.webp", "000001.json"]


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=30), limit=st.integers(30_000, 60_000))
def test_every_sample_is_in_one_shard_and_no_shard_is_too_large(
    sizes: list[int], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("shards")
    with Shards(out, "s", limit) as shards:
        for number, size in enumerate(sizes):
            shards.add(f"{number:03d}", {"webp": bytes(size), "json": json.dumps({"size": size}).encode()})
    found = []
    for file in sorted(out.iterdir()):
        assert file.stat().st_size <= limit
        with tarfile.open(file) as tar:
            found += [(member.name, member.size) for member in tar if member.name.endswith("webp")]
    assert found == [(f"{number:03d}.webp", size) for number, size in enumerate(sizes)]
