"""Pages of a TIFF: one is filled, the others come back to the bit, or it is said that they do not."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from photo_files import DEEP, FACE, HEIGHT, HOLE, WIDTH, saved
from photo_parts import tiff
from PIL import Image, ImageSequence

from faceinp.cli.main import main
from faceinp.errors import PhotoError
from faceinp.photo import photos, saving

SHEETS = (FACE, DEEP["grey"], FACE[::-1, :, 0], FACE[:50, :60])


def pages(data: bytes) -> list[tuple[np.ndarray, dict]]:
    layout = {273, 279, 324, 325}  # where strips lie, which may change
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = [{tag.code: tag.value for tag in page.tags if tag.code not in layout} for page in file.pages]
    with Image.open(io.BytesIO(data)) as image:
        arrays = [np.array(frame) for frame in ImageSequence.Iterator(image)]
    return list(zip(arrays, tags, strict=True))


def of_pillow(**options) -> bytes:
    images = [Image.fromarray(sheet) for sheet in SHEETS]
    images[3] = images[3].convert("1")
    return saved(images[0], "TIFF", save_all=True, append_images=images[1:], **options)


FILES = {
    "tifffile": tiff(*SHEETS),
    "big-endian": tiff(*SHEETS, byteorder=">"),
    "pillow": of_pillow(),
    "pillow, packed": of_pillow(compression="tiff_lzw"),
    "pillow, jpeg": saved(
        Image.fromarray(FACE), "TIFF", save_all=True, append_images=[Image.fromarray(FACE[::-1])], compression="jpeg"
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_other_pages_come_back_to_the_bit(name: str) -> None:
    data = FILES[name]
    before = pages(data)
    for number in range(1, len(before) + 1):
        photo = photos.read(data, page=number)
        assert any(f"Page {number} of {len(before)}" in note for note in photo.notes)
        hole = np.zeros(photo.pixels.shape[:2], bool)
        hole[10:20, 10:20] = True
        after = pages(saving.encode(photo, np.full_like(photo.pixels, 77), hole, "tiff"))
        assert len(after) == len(before)
        for index, ((old, tags), (new, new_tags)) in enumerate(zip(before, after, strict=True), 1):
            if index != number:
                assert np.array_equal(old, new) and old.dtype == new.dtype
                assert tags == new_tags
            elif old.dtype != bool and "jpeg" not in name:
                assert np.array_equal(old[~hole], new[~hole]) and not np.array_equal(old[hole], new[hole])


@pytest.mark.model
def test_a_page_is_chosen_by_number_from_python_and_the_shell(tmp_path: Path) -> None:
    file, mask, out = tmp_path / "album.tif", tmp_path / "mask.png", tmp_path / "out.tif"
    file.write_bytes(FILES["tifffile"])
    Image.fromarray(HOLE).save(mask)
    assert np.array_equal(photos.read(file, page=3).pixels[..., 0], FACE[::-1, :, 0])
    for wrong in (0, 5, -1):
        with pytest.raises(PhotoError, match=f"4 pages, so there is no page {wrong}"):
            photos.read(file, page=wrong)
    with pytest.raises(PhotoError, match="one page"):
        photos.read(saved(Image.fromarray(FACE), "PNG"), page=2)
    box = ["--box", f"10,10,{WIDTH - 20},{HEIGHT - 20}", "--engine", "telea", "--no-symmetry"]
    assert main(["fill", str(file), "--mask", str(mask), "-o", str(out), "--page", "3", *box]) == 0
    before, after = pages(file.read_bytes()), pages(out.read_bytes())
    assert [np.array_equal(old, new) for (old, _), (new, _) in zip(before, after, strict=True)] == [1, 1, 0, 1]


@pytest.mark.parametrize("format", ["png", "webp", "jpg"])
def test_formats_of_one_picture_say_that_the_others_are_lost(format: str) -> None:
    photo = photos.read(FILES["pillow"])
    assert any("other 3 pages" in loss and "TIFF" in loss for loss in saving.losses(photo, format))
    assert saving.losses(photo, "tif") == ()


def test_previews_of_the_unfilled_photo_are_no_pages() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(FACE, subifds=1, metadata=None, photometric="rgb")
        writer.write(FACE[::2, ::2], subfiletype=1, metadata=None, photometric="rgb")
        writer.write(FACE[::4, ::4], subfiletype=1, metadata=None, photometric="rgb")
    photo = photos.read(buffer.getvalue())
    assert photo.others is None and photo.notes == ()
    data = saving.encode(photo, photo.pixels, HOLE, "tiff")
    assert len(pages(data)) == 1 and 330 not in pages(data)[0][1]
    assert len(data) < FACE.nbytes + 1000


def test_raw_files_are_not_taken_for_their_preview() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(FACE[::4, ::4], subfiletype=1, subifds=1, metadata=None, photometric="rgb")
        writer.write(DEEP["grey"], metadata=None)
    dng = saved(Image.fromarray(FACE), "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    for data in (buffer.getvalue(), dng):
        with pytest.raises(PhotoError, match=r"raw file\. Develop it"):
            photos.read(data)


def test_what_cannot_be_told_of_a_damaged_chain_is_said() -> None:
    data = bytearray(saved(Image.fromarray(FACE), "TIFF"))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)  # a circle
    photo = photos.read(bytes(data))
    assert np.array_equal(photo.pixels, FACE) and any("not kept" in note for note in photo.notes)
    with pytest.raises(PhotoError, match="cannot be separated"):
        photos.read(bytes(data), page=2)
