"""Filled photos as files: whole or not at all, in what a format can hold, and saying what made them."""

import dataclasses
import io
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import skimage.data
from PIL import Image

import faceinp
from faceinp.errors import PhotoError
from faceinp.exemplars.sources import Reference
from faceinp.photo import photos, saving

FACE = np.ascontiguousarray(skimage.data.astronaut()[:200, 150:300])
HEIGHT, WIDTH = FACE.shape[:2]
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[60:120, 40:100] = True
FILLED = np.where(HOLE[..., None], np.uint8([200, 40, 90]), np.uint8(0))  # what is known must not come from here
ABOUT = saving.Provenance("structural", 'torch "cpu" <fp32>', 7, "1.2.3", references=2)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def test_a_png_is_hardly_larger_than_pillows() -> None:
    astronaut = skimage.data.astronaut()
    ours = saving.encode(photos.read(astronaut), astronaut, np.zeros((512, 512), bool), "png")
    pillows = io.BytesIO()
    Image.fromarray(astronaut).save(pillows, "PNG")
    assert len(ours) < 1.15 * len(pillows.getvalue())


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    photo = photos.read(FACE)
    target = tmp_path / "out.png"
    target.write_bytes(b"before")
    with pytest.raises(PhotoError, match="must be uint8"):
        saving.write(target, photo, photo.pixels[:5], HOLE)
    assert target.read_bytes() == b"before"
    folder = tmp_path / "folder.png"
    folder.mkdir()
    with pytest.raises(PhotoError, match="folder"):
        saving.write(folder, photo, photo.pixels, HOLE)
    with pytest.raises(PhotoError, match=r"\.png.*\.webp.*\.jpg"):
        saving.write(tmp_path / "out.gif", photo, photo.pixels, HOLE)
    with pytest.raises(PhotoError, match="no folder"):
        saving.write(tmp_path / "nowhere" / "out.png", photo, photo.pixels, HOLE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.png", "out.png"]
    saving.write(target, photo, FILLED, HOLE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.png", "out.png"]
    assert np.array_equal(np.asarray(Image.open(target))[~HOLE], FACE[~HOLE])


def test_a_failed_replacement_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PhotoError, match="No space"):
        saving.write(tmp_path / "out.png", photos.read(FACE), FACE, HOLE)
    assert not list(tmp_path.iterdir())


def test_a_link_is_written_through_and_permissions_are_ordinary(tmp_path: Path) -> None:
    real, link, plain = tmp_path / "real.png", tmp_path / "link.png", tmp_path / "plain"
    real.write_bytes(b"")
    link.symlink_to(real)
    plain.write_bytes(b"")
    saving.write(link, photos.read(FACE), FACE, HOLE)
    assert link.is_symlink() and Image.open(real).size == (WIDTH, HEIGHT)
    assert real.stat().st_mode == plain.stat().st_mode


def test_what_a_format_cannot_hold_is_said() -> None:
    long = photos.read(np.zeros((1, 17_000), np.uint8))
    with pytest.raises(PhotoError, match="Write PNG"):
        saving.encode(long, long.pixels, np.zeros((1, 17_000), bool), "webp")
    with pytest.raises(PhotoError, match="png, webp"):
        saving.encode(long, long.pixels, np.zeros((1, 17_000), bool), "gif")


@pytest.mark.parametrize("format", ["png", "webp", "jpg", "tif"])
def test_a_file_says_what_made_it(format: str) -> None:
    photo = photos.read(FACE)
    image = Image.open(io.BytesIO(saving.encode(photo, FILLED, HOLE, format, ABOUT)))
    packet = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp") or image.tag_v2[700]
    text = (packet if isinstance(packet, str) else packet.decode()).partition("?>")[2].rpartition("<?")[0]
    (description,) = ElementTree.fromstring(text.strip()).iter(f"{RDF}Description")
    found = {name.partition("}")[2]: value for name, value in description.items()}
    assert found["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert (found["engine"], found["runtime"], found["seed"]) == (ABOUT.engine, ABOUT.runtime, "7")
    assert found["references"] == "2"
    if format == "png":
        assert image.text["faceinp:engine"] == "structural" and image.text["Software"] == "faceinp 1.2.3"
    again = photos.read(saving.encode(photo, FILLED, HOLE, format, ABOUT)).pixels
    assert format == "jpg" or np.array_equal(again[~HOLE], FACE[~HOLE])


def test_a_result_counts_the_references_that_were_used() -> None:
    square = np.s_[:WIDTH, :]
    result = faceinp.fill(FACE[square], HOLE[square], engine="telea", face=faceinp.FaceLocation.aligned())
    shares = (Reference(b"", 0.3), Reference(b"", 0.0, problem="It is blurred."), Reference(b"", 0.1))
    for references, count in ((), "0"), (shares, "2"):
        image = Image.open(io.BytesIO(dataclasses.replace(result, references=references).encode("png")))
        assert image.text["faceinp:references"] == count
        assert f'faceinp:references="{count}"' in image.info["XML:com.adobe.xmp"]


def test_a_photo_that_was_filled_by_nobody_says_nothing() -> None:
    photo = photos.read(FACE)
    assert not Image.open(io.BytesIO(saving.encode(photo, FILLED, HOLE, "png"))).info
