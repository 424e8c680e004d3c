"""Shards are built of CelebA's layouts, folders, archives and aligned squares."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from built_shards import FIVE, NAMES, samples, tarred, zipped
from PIL import Image
from skimage import data as pictures

from faceinp.errors import DataError
from faceinp.face import faces
from faceinp.train.datasets import build, data


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
