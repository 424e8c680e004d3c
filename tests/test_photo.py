"""What goes in comes out: a user's photo keeps everything the fill does not touch."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from photo_files import (
    DEEP,
    FACE,
    HEIGHT,
    HOLE,
    ICC,
    OUTPUTS,
    WIDTH,
    chunk,
    deep_pixels,
    deep_png,
    deep_tiff,
    opened,
    saved,
)
from PIL import Image, ImageOps

from faceinp.errors import PhotoError
from faceinp.photo import photos, saving


def filled(photo: photos.Photo, value=(200, 40, 90)) -> np.ndarray:
    """Random everywhere outside the hole as well: what is known must not come from here."""
    pixels = np.random.default_rng(1).integers(0, 256, photo.pixels.shape, dtype=np.uint8)
    pixels[HOLE] = value
    return pixels


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "JPEG"])
def test_every_format_is_read_as_pillow_reads_it(tmp_path: Path, format: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(saved(Image.fromarray(FACE), format, **({"lossless": True} if format == "WEBP" else {})))
    expected = np.asarray(Image.open(path).convert("RGB"))
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.open(path)):
        photo = photos.read(source)
        assert np.array_equal(photo.pixels, expected)
        assert (photo.source_format, photo.alpha, photo.grey, photo.deep) == (format, None, False, None)
    buffer = io.BytesIO(path.read_bytes())
    buffer.seek(0, os.SEEK_END)
    assert np.array_equal(photos.read(buffer).pixels, expected)
    assert photos.read(photo) is photo


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_known_pixels_pass_through_lossless_files_to_the_bit(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    channels = data.draw(st.sampled_from([(), (3,), (4,)]))
    array = data.draw(hnp.arrays(np.uint8, shape + channels))
    hole = data.draw(hnp.arrays(np.bool_, shape))
    result = data.draw(hnp.arrays(np.uint8, (*shape, 3)))
    format = data.draw(st.sampled_from(["png", "webp", "tiff"]))
    photo = photos.read(array)
    again = photos.read(saving.encode(photo, result, hole, format))
    assert np.array_equal(again.pixels[~hole], photo.pixels[~hole])
    if not photo.grey:
        assert np.array_equal(again.pixels[hole], result[hole])
    assert again.grey == photo.grey or format == "webp"
    clear = photo.alpha is not None and bool((photo.alpha[~hole] < 255).any())
    if photo.alpha is not None and (format != "webp" or clear):  # WebP drops an alpha of all 255
        assert np.array_equal(again.alpha, np.where(hole, 255, photo.alpha))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_png_of_many_stripes_is_whole(depth: type) -> None:
    array = np.tile(FACE, (6, 9, 1))
    photo = photos.read(array if depth == np.uint8 else deep_png(array.astype(np.uint16) * 257 + 3))
    data = saving.encode(photo, photo.pixels, np.zeros(array.shape[:2], bool), "png")
    assert data.count(b"IDAT") > 3
    parts, place = b"", 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            parts += data[place + 8 : place + 8 + length]
        place += 12 + length
    zlib.decompress(parts)  # finished and with the right checksum, which lenient readers pass over
    Image.open(io.BytesIO(data)).verify()
    if depth == np.uint8:
        assert np.array_equal(np.asarray(opened(data)), array)
    else:
        assert np.array_equal(deep_pixels(data), array.astype(np.uint16) * 257 + 3)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_photo_once(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(FACE), format, exif=exif)
    photo = photos.read(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(photo.pixels, expected)
    assert np.array_equal(photos.read(Image.open(io.BytesIO(data))).pixels, expected)
    hole = np.zeros(expected.shape[:2], bool)
    for output in OUTPUTS:
        written = opened(saving.encode(photo, photo.pixels, hole, output))
        assert written.getexif().get(0x0112, 1) == 1
        assert written.size == (photo.width, photo.height)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", DEEP)
def test_exif_turns_16_bit_photos_once(kind: str, orientation: int) -> None:
    array = DEEP[kind]
    png = deep_png(array)
    exif = Image.Exif()
    exif[0x0112] = orientation
    png = png[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + png[33:]
    upright = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, -1),
        7: array.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(array),
    }[orientation]
    tiff = deep_tiff(array, extratags=[(0x0112, "H", 1, orientation, False)])
    for data in (png, tiff):
        photo = photos.read(data)
        assert photo.deep is not None
        assert np.array_equal(photo.deep, upright)
        assert photo.pixels.shape == (*upright.shape[:2], 3)


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\x7f", b"no exif at all"])
def test_damaged_exif_does_not_cost_the_photo(exif: bytes) -> None:
    data = saved(Image.fromarray(FACE), "PNG")
    data = data[:33] + chunk(b"eXIf", exif) + data[33:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(photos.read(data).pixels, FACE)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_colour_profile_is_kept(source: str) -> None:
    data = saved(Image.fromarray(FACE), source, icc_profile=ICC)
    for photo in (photos.read(data), photos.read(Image.open(io.BytesIO(data)))):
        assert photo.icc == ICC
        for output in OUTPUTS:
            assert opened(saving.encode(photo, photo.pixels, HOLE, output)).info["icc_profile"] == ICC


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("make", [deep_png, deep_tiff])
def test_16_bits_stay_16_bits(kind: str, make) -> None:
    array = DEEP[kind]
    photo = photos.read(make(array))
    channels = 1 if array.ndim == 2 else array.shape[2]
    colours = array if channels == 1 else array[..., 0] if channels == 2 else array[..., :3]
    assert np.array_equal(photo.deep, array)
    assert photo.grey == (channels < 3)
    assert np.array_equal(photo.pixels[..., 0] if photo.grey else photo.pixels, colours >> 8)
    assert photo.alpha is None if channels in (1, 3) else np.array_equal(photo.alpha, array[..., -1] >> 8)
    for output in ("png", "tif"):
        result = deep_pixels(saving.encode(photo, filled(photo), HOLE, output))
        assert result.dtype == np.uint16 and result.shape == array.shape
        assert np.array_equal(result[~HOLE], array[~HOLE])
        if channels in (2, 4):
            assert np.array_equal(result[..., -1], np.where(HOLE, 65535, array[..., -1]))
        value = result[HOLE][0] if channels < 4 else result[HOLE][0][:3]
        expected = {1: 94 * 257, 2: 94 * 257}.get(channels)  # luminance of (200, 40, 90), ITU-R BT.601
        assert np.array_equal(value, np.array([200, 40, 90]) * 257) if expected is None else value.flat[0] == expected
    assert opened(saving.encode(photo, filled(photo), HOLE, "webp")).size == (WIDTH, HEIGHT)
    assert np.array_equal(photo.deep, array)  # writing does not change the photo


@pytest.mark.parametrize("kind", DEEP)
def test_16_bit_photos_keep_their_profile(kind: str) -> None:
    for data in (deep_png(DEEP[kind], ICC), deep_tiff(DEEP[kind], iccprofile=ICC)):
        photo = photos.read(data)
        assert photo.icc == ICC
        again = photos.read(saving.encode(photo, photo.pixels, HOLE, "png"))
        assert again.icc == ICC
        assert np.array_equal(again.deep[~HOLE], DEEP[kind][~HOLE])


def test_a_16_bit_pillow_picture_is_deep() -> None:
    image = Image.open(io.BytesIO(deep_png(DEEP["grey"])))
    assert np.array_equal(photos.read(image).deep, DEEP["grey"])


def test_a_transparent_value_of_a_16_bit_photo_becomes_alpha() -> None:
    for kind in ("grey", "rgb"):
        array = DEEP[kind]
        data = deep_png(array)
        value = array[3, 4]
        data = data[:33] + chunk(b"tRNS", np.atleast_1d(value).astype(">u2").tobytes()) + data[33:]
        photo = photos.read(data)
        same = array == value
        assert np.array_equal(photo.alpha == 0, same if kind == "grey" else same.all(axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_stays_grey(mode: str) -> None:
    image = Image.fromarray(FACE).convert("L").convert(mode)
    if mode == "LA":
        image.putalpha(Image.fromarray(FACE[..., 1]))
    photo = photos.read(saved(image, "PNG"))
    assert photo.grey
    for output in ("png", "tif"):
        again = opened(saving.encode(photo, filled(photo), HOLE, output))
        assert again.mode == ("LA" if mode == "LA" else "L")
        grey = np.asarray(again.getchannel(0))
        assert np.array_equal(grey[~HOLE], np.asarray(image.convert("L"))[~HOLE])
        assert set(grey[HOLE]) == {94}
    if mode != "LA":
        assert opened(saving.encode(photo, filled(photo), HOLE, "jpg")).mode == "L"
    webp = np.asarray(opened(saving.encode(photo, filled(photo), HOLE, "webp")).convert("RGB"))
    assert np.array_equal(webp[..., 0], webp[..., 2])


def test_a_palette_with_transparency_keeps_colours_and_alpha() -> None:
    image = Image.fromarray(FACE).quantize(64)
    image.info["transparency"] = bytes(range(0, 256, 4))
    photo = photos.read(saved(image, "PNG", transparency=image.info["transparency"]))
    expected = np.asarray(image.convert("RGBA"))
    assert len(np.unique(expected[..., 3])) > 20
    again = np.asarray(opened(saving.encode(photo, filled(photo), HOLE, "png")))
    assert np.array_equal(again[~HOLE], expected[~HOLE])
    assert np.array_equal(again[..., 3], np.where(HOLE, 255, expected[..., 3]))


def test_colours_under_full_transparency_are_kept() -> None:
    photo = photos.read(np.dstack([FACE, np.zeros((HEIGHT, WIDTH), np.uint8)]))
    for output in ("png", "webp", "tif"):
        again = np.asarray(opened(saving.encode(photo, filled(photo), HOLE, output)))
        assert np.array_equal(again[~HOLE][:, :3], FACE[~HOLE])


def test_transparency_is_not_lost_silently_in_a_jpeg() -> None:
    photo = photos.read(np.dstack([FACE, FACE[..., :1]]))
    with pytest.raises(PhotoError, match="transparency"):
        saving.encode(photo, photo.pixels, HOLE, "jpg")
    opaque = photos.read(np.dstack([FACE, np.full((HEIGHT, WIDTH), 255, np.uint8)]))
    assert opened(saving.encode(opaque, opaque.pixels, HOLE, "jpg")).mode == "RGB"


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    image = Image.fromarray(FACE).convert("CMYK")
    profile = ICC[:16] + b"CMYK" + ICC[20:]  # says CMYK, and is none that could be used
    for options in ({}, {"icc_profile": profile}):
        photo = photos.read(saved(image, "JPEG", quality=95, **options))
        assert photo.icc is None
        assert np.abs(photo.pixels.astype(int) - FACE).mean() < 4


def test_one_pixel_is_a_picture() -> None:
    photo = photos.read(np.array([[[1, 2, 3]]], np.uint8))
    for output in OUTPUTS:
        assert photos.read(saving.encode(photo, photo.pixels, np.zeros((1, 1), bool), output)).pixels.shape == (1, 1, 3)
