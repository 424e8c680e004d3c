"""A JPEG that lacks its last bytes is read where no row is missing, and is refused else."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from photo_files import FACE, opened, saved
from PIL import Image

import faceinp
from faceinp.errors import PhotoError
from faceinp.photo import photos, truncated_jpeg

FLAT = np.full((70, 90, 3), 128, np.uint8)
SKY = np.repeat(np.minimum(np.arange(100, 170, dtype=np.uint8), 140)[:, None, None], 90, axis=1).repeat(3, axis=2)
KINDS = {
    "plain": (FACE, {"quality": 85}),
    "fine": (FACE[:80, :90], {"quality": 100, "subsampling": 0}),
    "grey": (FACE[..., 0], {"quality": 60}),
    "progressive": (FACE, {"quality": 85, "progressive": True}),
    "fine progressive": (FACE[:80, :90], {"quality": 100, "subsampling": 0, "progressive": True}),
    "restarts": (FACE, {"quality": 85, "restart_marker_blocks": 4}),
    "restarts in rows": (FACE, {"quality": 85, "restart_marker_rows": 1}),
    "progressive restarts": (FACE, {"quality": 85, "progressive": True, "restart_marker_blocks": 5}),
    "flat": (FLAT, {"restart_marker_rows": 1}),
    "flat progressive": (FLAT, {"progressive": True}),
    "sky": (SKY, {"quality": 60, "restart_marker_blocks": 1}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_gives_the_whole_picture_or_none(kind: str) -> None:
    array, options = KINDS[kind]
    data = saved(Image.fromarray(array), "JPEG", **options)
    expected = photos.read(data).pixels
    restarts = [len(data) - match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data)][-24:]
    cuts = [*range(1, 30), *range(30, min(len(data) - 1, 4000), 37), *restarts]
    results = dict.fromkeys(cuts, False)
    for cut in cuts:
        try:
            photo = photos.read(data[:-cut])
        except PhotoError as error:
            assert "truncated" in str(error)
        else:
            assert np.array_equal(photo.pixels, expected)
            results[cut] = True
            # Pillow itself passes over a missing end now and then, and then nothing was mended.
            assert all("every row of the picture could be decoded" in note for note in photo.notes)
    assert results[1] and results[2]
    assert not any(read for cut, read in results.items() if cut > 30)


def test_what_else_the_file_holds_is_kept() -> None:
    data = saved(Image.fromarray(FACE), "JPEG", dpi=(300, 300), comment=b"\xff\xda\xff\xd9")
    photo = photos.read(data[:-2])
    assert photo.notes and photo.metadata.dpi == (300, 300)


def test_it_is_filled_with_a_note(tmp_path: Path) -> None:
    portrait = np.ascontiguousarray(skimage.data.astronaut()[0:256, 96:352])
    (tmp_path / "photo.jpg").write_bytes(saved(Image.fromarray(portrait), "JPEG")[:-2])
    hole = np.zeros(portrait.shape[:2], bool)
    hole[100:120, 100:150] = True
    result = faceinp.fill(tmp_path / "photo.jpg", hole, engine="telea", aligned=True)
    assert any("its last bytes are missing" in note for note in result.notes)


def test_a_file_of_whole_scans_only_is_not_whole() -> None:
    """Cut between two scans, a progressive picture is there, but coarse: nothing in the last scan shows it."""
    data = saved(Image.fromarray(FACE), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, at)
    for end in (at, tables):
        opened(data[:end] + b"\xff\xd9")  # a picture to Pillow
        assert truncated_jpeg.with_end(data[:end]) is None
    assert truncated_jpeg.with_end(b"\xff\xd8\xff") is None
    with Image.open(io.BytesIO(truncated_jpeg.with_end(data[:-2]))) as image:
        assert np.array_equal(np.asarray(image), photos.read(data).pixels)
