"""Shards that are damaged: each is refused in a sentence that names it, wherever its pictures lie."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import drawn_shards
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("webdataset", reason="the extra 'train' is not installed")

from faceinp.errors import DataError
from faceinp.train import find_occluders
from faceinp.train.augmentation import degradation
from faceinp.train.datasets import data, stored
from faceinp.train.drawn_damage import overlays

SIDE, COUNT = 32, 6
BLOCK = tarfile.BLOCKSIZE


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return drawn_shards.write(tmp_path_factory.mktemp("shards") / "drawn-train-00.tar", COUNT, SIDE).read_bytes()


def members(content: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getmembers()


def overwritten(content: bytes, at: int, by: bytes) -> bytes:
    return content[:at] + by + content[at + len(by) :]


def with_member(content: bytes, extension: str, new: bytes) -> bytes:
    """The third face's file of that extension replaced."""
    out, seen = io.BytesIO(), 0
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=out, mode="w") as tar:
        for member in old:
            held = old.extractfile(member).read()  # type: ignore[union-attr]
            seen += member.name.endswith(extension)
            held = new if member.name.endswith(extension) and seen == 3 else held
            member.size = len(held)
            tar.addfile(member, io.BytesIO(held))
    return out.getvalue()


def a_picture(_: bytes) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(out, "png")
    return out.getvalue()


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a header overwritten": (lambda c: overwritten(c, members(c)[4].offset, b"\xff" * BLOCK), "is damaged after"),
    "a header zeroed": (lambda c: overwritten(c, members(c)[4].offset, b"\0" * BLOCK), "data after the end mark"),
    "cut between two members": (lambda c: c[: members(c)[4].offset], "is damaged after"),
    "cut within a header": (lambda c: c[: members(c)[4].offset + 100], "is damaged after"),
    "cut within a member": (lambda c: c[: members(c)[4].offset_data + 10], "is damaged after"),
    "no JSON": (lambda c: with_member(c, "json", b"{"), "its JSON cannot be read"),
    "JSON of other bytes": (lambda c: with_member(c, "json", b"\xff\xfe{"), "its JSON cannot be read"),
    "JSON of a list": (lambda c: with_member(c, "json", b"[1]"), "must hold values by name"),
    "JSON of few points": (lambda c: with_member(c, "json", json.dumps({"points": [[1, 2]]}).encode()), "68 points"),
    "no picture": (lambda c: with_member(c, "webp", b"not a picture"), "the picture cannot be decoded"),
    "a picture for a shard": (a_picture, "cannot be read as a"),
    "an empty file": (lambda c: b"", "cannot be read as a"),
}


@pytest.mark.parametrize("decode", ["start", "use"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_shard_is_refused_by_its_name(damage: str, decode: str, whole: bytes, tmp_path: Path) -> None:
    break_it, sentence = DAMAGE[damage]
    shard = tmp_path / "broken.tar"
    shard.write_bytes(break_it(whole))
    with pytest.raises(DataError, match=sentence) as refused:
        data.load(str(shard), SIDE, decode=decode).pictures[:]
    assert str(shard) in str(refused.value)


def test_what_is_read_is_what_webdataset_reads(whole: bytes, tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    shard.write_bytes(whole)
    local, fetched = list(data.records(str(shard))), list(data._fetched(str(shard)))
    assert local == fetched and len(local) == COUNT
    assert [one["key"] for one in stored.index([str(shard)])] == [one["key"] for one in local]


def test_a_training_says_how_many_faces_it_has(whole: bytes, tmp_path: Path) -> None:
    shard, said = tmp_path / "a.tar", []
    shard.write_bytes(whole)
    data.load_for_training(str(shard), SIDE, "start", pointed=False, say=said.append)
    assert said == [f"{COUNT - 1} faces, 1 held back"]


@pytest.mark.parametrize(
    "load",
    [lambda path: degradation.load(path, 32), overlays.load, find_occluders.read_labels],
    ids=["damage", "overlays", "labels"],
)
def test_a_cut_tar_of_masks_is_refused(load: Callable[[str], object], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        for name in ("scratch-1.png", "scratch-2.png"):
            member, content = tarfile.TarInfo(name), a_picture(b"")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    content = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: members(content)[1].offset])
    with pytest.raises(DataError, match=r"cut\.tar cannot be read as a tar"):
        load(str(tmp_path / "cut.tar"))
