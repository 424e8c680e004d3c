"""``faceinp data build``: shards that training reads, from CelebA's layout and from a folder of photos."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data as pictures

from faceinp import faces
from faceinp.errors import DataError
from faceinp.train import build, data

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
    built = build.build(celeba, tmp_path / "out", size=64, smallest=32, say=said.append)
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
    }


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
    with pytest.raises(DataError, match=r"list_landmarks_celeba\.txt is not beside"):
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
    marked = np.argwhere(picture.mean(axis=2) > 128).mean(axis=0)[::-1]
    assert np.abs(marked + 0.5 - about["points"][36]).max() < 0.6
    assert about["points"][36][0] < 64 < about["points"][42][0]
    loaded = data.load(str(tmp_path / "out/*.tar"), 128)
    assert np.allclose(loaded.points[0].numpy() * 128, about["points"], atol=0.01)
    (root / "one.pts").write_text("{ 1 2 3 }")
    with pytest.raises(DataError, match=r"one\.pts does not hold 68 points"):
        build.build(root, tmp_path / "again")


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
    with build._Shards(out, "s", limit) as shards:
        for number, size in enumerate(sizes):
            shards.add(f"{number:03d}", {"webp": bytes(size), "json": json.dumps({"size": size}).encode()})
    found = []
    for file in sorted(out.iterdir()):
        assert file.stat().st_size <= limit
        with tarfile.open(file) as tar:
            found += [(member.name, member.size) for member in tar if member.name.endswith("webp")]
    assert found == [(f"{number:03d}.webp", size) for number, size in enumerate(sizes)]
