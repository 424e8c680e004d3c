"""``faceinp data build``: the shards that it writes, and what it refuses."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from built_shards import samples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data as pictures

from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.train.datasets import build
from faceinp.train.datasets.build import Shards


def test_a_face_smaller_than_asked_for_is_left_out(celeba: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No face of at least 500 pixels"):
        build.build(celeba, tmp_path / "out", size=64, smallest=500, say=lambda _: None)
    assert not list((tmp_path / "out").iterdir())


def test_names_of_any_length_and_of_one_stem_are_keys(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "b/1.jpg", "b/._1.jpg", f"b/{'long' * 40}.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures.astronaut()[:128, :128]).save(tmp_path / "photos" / name)
    build.build(tmp_path / "photos", tmp_path / "out", size=32, aligned=True, points="none")
    assert len(samples(tmp_path / "out")) == 4


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
