"""What is erased from a photo is its hole, and what is filled can be seen."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from photo_files import opened, saved
from PIL import Image

import faceinp
from faceinp.cli.main import main
from faceinp.errors import MaskError
from faceinp.mask import erased
from faceinp.photo import photos

PORTRAIT = np.ascontiguousarray(skimage.data.astronaut()[0:256, 96:352])
HOLE = np.zeros(PORTRAIT.shape[:2], bool)
HOLE[100:120, 100:150] = True
ALPHA = np.where(HOLE, 0, 255).astype(np.uint8)
ALPHA[120:123, 100:150] = 200  # an eraser's soft edge
ERASED = saved(Image.fromarray(np.dstack([np.where(HOLE[..., None], 0, PORTRAIT), ALPHA])), "PNG")


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
def test_the_hole_is_what_is_transparent_and_the_photo_is_no_more(depth: int, grey: bool) -> None:
    colours = PORTRAIT[..., :1] if grey else PORTRAIT
    array = np.dstack([colours, ALPHA])
    photo = photos.Photo(
        np.repeat(colours, 3, axis=2) if grey else PORTRAIT,
        ALPHA,
        grey,
        deep=array.astype(np.uint16) * 257 if depth == 16 else None,
    )
    opaque, mask = erased.mask_from_alpha(photo)
    assert np.array_equal(mask.hole, HOLE)
    assert opaque.alpha is None and np.array_equal(opaque.pixels, photo.pixels)
    if depth == 16:
        assert np.array_equal(opaque.deep, photo.deep[..., 0] if grey else photo.deep[..., :3])


def test_nothing_or_everything_erased_is_said() -> None:
    for alpha, reason in ((255, "No part"), (0, "entire photo")):
        photo = photos.read(np.dstack([PORTRAIT, np.full(HOLE.shape, alpha, np.uint8)]))
        with pytest.raises(MaskError, match=reason):
            erased.mask_from_alpha(photo)
    with pytest.raises(MaskError, match="No part"):
        erased.mask_from_alpha(photos.read(PORTRAIT))


def test_a_photo_given_as_its_own_mask_fills_what_is_erased(tmp_path: Path) -> None:
    first, second = tmp_path / "erased.png", tmp_path / "copy.png"
    first.write_bytes(ERASED)
    second.write_bytes(ERASED)
    array = np.asarray(opened(ERASED))
    image = opened(ERASED)
    for photo, mask in ((first, str(first)), (first, second), (ERASED, ERASED), (array, array.copy()), (image, image)):
        result = faceinp.fill(photo, mask, engine="telea", aligned=True)
        assert np.array_equal(result.mask, HOLE)
        assert result.changed_pixels == 0
        assert any("transparency" in note for note in result.notes)
        for format in ("png", "webp", "tif", "jpg"):
            assert "A" not in opened(result.encode(format)).mode


def test_another_mask_of_an_erased_photo_is_read_as_ever(tmp_path: Path) -> None:
    layer = np.zeros((*HOLE.shape, 4), np.uint8)
    layer[60:90, 60:90] = 255
    result = faceinp.fill(ERASED, layer, engine="telea", aligned=True)
    assert np.array_equal(result.mask, layer[..., 3] > 0)
    assert not erased.is_own_mask(tmp_path / "none.png", tmp_path / "other.png")
    assert not erased.is_own_mask(HOLE, HOLE.copy())


@pytest.mark.parametrize("format", ["png", "webp", "tif"])
def test_what_is_filled_can_be_seen(format: str) -> None:
    clear = np.where(HOLE, 0, 255).astype(np.uint8)
    clear[:20] = 0  # transparent, and not to be filled
    photo = np.dstack([PORTRAIT, clear])
    result = faceinp.fill(photo, HOLE, engine="telea", aligned=True)
    expected = np.where(HOLE, 255, clear)
    assert np.array_equal(result.alpha, expected)
    assert np.array_equal(np.asarray(opened(result.encode(format)).getchannel("A")), expected)
    assert faceinp.fill(PORTRAIT, HOLE, engine="telea", aligned=True).alpha is None


def test_a_jpeg_holds_a_photo_that_was_transparent_in_its_hole_only() -> None:
    result = faceinp.fill(
        np.dstack([PORTRAIT, np.where(HOLE, 0, 255).astype(np.uint8)]), HOLE, engine="telea", aligned=True
    )
    assert opened(result.encode("jpg")).mode == "RGB"


def test_the_shell_fills_what_is_erased_and_says_what_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / "erased.png", tmp_path / "out.webp"
    with Image.open(io.BytesIO(ERASED)) as image:
        image.save(photo, pnginfo=_texts(Title="At sea"))
    common = [str(photo), "-o", str(out), "--aligned", "--engine", "telea"]
    assert main(["fill", *common, "--mask-from-alpha"]) == 0
    said = capsys.readouterr()
    assert "transparency" in said.err and "WebP cannot hold the photo's texts (Title)" in said.err
    assert opened(out.read_bytes()).mode == "RGB"
    assert main(["fill", *common, "--mask", str(photo)]) == 0


def test_a_batch_takes_a_photo_for_its_own_mask_and_says_what_is_lost(tmp_path: Path) -> None:
    from faceinp.batch import run, worker

    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
        with Image.open(io.BytesIO(ERASED)) as image:
            image.save(tmp_path / folder / "one.png", pnginfo=_texts(Title="At sea"))
    out = tmp_path / "out"
    options = worker.Settings(out=str(out), engine="telea", aligned=True, judge="", format="webp")
    run.run(str(tmp_path / "photos"), options, masks=str(tmp_path / "masks"), say=lambda *_: None)
    (manifest,) = (out / "manifest").glob("*.jsonl")
    line = json.loads(manifest.read_text())
    assert line["outcome"] == "filled" and line["hidden"] == round(float(HOLE.mean()), 4)
    assert any("Title" in note for note in line["notes"])


def _texts(**texts: str):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for word, text in texts.items():
        info.add_text(word, text)
    return info
