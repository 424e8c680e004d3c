"""What goes in comes out: a user's photo keeps everything the fill does not touch."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps

from faceinp import photo as photo_
from faceinp import saving
from faceinp.errors import PhotoError

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FACE = np.ascontiguousarray(skimage.data.astronaut()[:200, 150:300])
HEIGHT, WIDTH = FACE.shape[:2]
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[60:120, 40:100] = True
RANDOM = np.random.default_rng(0)
DEEP = {
    "grey": RANDOM.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16),
    "grey+alpha": RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 2), dtype=np.uint16),
    "rgb": RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16),
    "rgba": RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 4), dtype=np.uint16),
}
OUTPUTS = ("png", "webp", "jpg", "tif")


def saved(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep_png(array: np.ndarray, icc: bytes | None = None) -> bytes:
    """A 16-bit PNG made here, by the specification: none of our code, none of OpenCV's."""
    height, width = array.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if array.ndim == 2 else array.shape[2]]
    rows = array.astype(">u2").reshape(height, -1).view(np.uint8)
    raw = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    if icc:
        data += chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))
    return data + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def deep_tiff(array: np.ndarray, **options) -> bytes:
    channels = 1 if array.ndim == 2 else array.shape[2]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        array,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        metadata=None,
        **options,
    )
    return buffer.getvalue()


def deep_pixels(data: bytes) -> np.ndarray:
    """The 16-bit pixels of a PNG or TIFF as another program reads them."""
    if data.startswith(b"II"):
        return tifffile.imread(io.BytesIO(data))
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert array.dtype == np.uint16
    if data[25] == 4:
        return array[..., [0, 3]]
    return array if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]]


def filled(photo: photo_.Photo, value=(200, 40, 90)) -> np.ndarray:
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
        photo = photo_.read(source)
        assert np.array_equal(photo.pixels, expected)
        assert (photo.source_format, photo.alpha, photo.grey, photo.deep) == (format, None, False, None)
    buffer = io.BytesIO(path.read_bytes())
    buffer.seek(0, os.SEEK_END)
    assert np.array_equal(photo_.read(buffer).pixels, expected)
    assert photo_.read(photo) is photo


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_known_pixels_pass_through_lossless_files_to_the_bit(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    channels = data.draw(st.sampled_from([(), (3,), (4,)]))
    array = data.draw(hnp.arrays(np.uint8, shape + channels))
    hole = data.draw(hnp.arrays(np.bool_, shape))
    result = data.draw(hnp.arrays(np.uint8, (*shape, 3)))
    format = data.draw(st.sampled_from(["png", "webp", "tiff"]))
    photo = photo_.read(array)
    again = photo_.read(saving.encode(photo, result, hole, format))
    assert np.array_equal(again.pixels[~hole], photo.pixels[~hole])
    if not photo.grey:
        assert np.array_equal(again.pixels[hole], result[hole])
    assert again.grey == photo.grey or format == "webp"
    if photo.alpha is not None and (format != "webp" or photo.alpha.min() < 255):  # WebP drops an alpha of all 255
        assert np.array_equal(again.alpha, photo.alpha)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_png_of_many_stripes_is_whole(depth: type) -> None:
    array = np.tile(FACE, (6, 9, 1))
    photo = photo_.read(array if depth == np.uint8 else deep_png(array.astype(np.uint16) * 257 + 3))
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
    photo = photo_.read(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(photo.pixels, expected)
    assert np.array_equal(photo_.read(Image.open(io.BytesIO(data))).pixels, expected)
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
        photo = photo_.read(data)
        assert photo.deep is not None
        assert np.array_equal(photo.deep, upright)
        assert photo.pixels.shape == (*upright.shape[:2], 3)


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\x7f", b"no exif at all"])
def test_damaged_exif_does_not_cost_the_photo(exif: bytes) -> None:
    data = saved(Image.fromarray(FACE), "PNG")
    data = data[:33] + chunk(b"eXIf", exif) + data[33:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(photo_.read(data).pixels, FACE)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_colour_profile_is_kept(source: str) -> None:
    data = saved(Image.fromarray(FACE), source, icc_profile=ICC)
    for photo in (photo_.read(data), photo_.read(Image.open(io.BytesIO(data)))):
        assert photo.icc == ICC
        for output in OUTPUTS:
            assert opened(saving.encode(photo, photo.pixels, HOLE, output)).info["icc_profile"] == ICC


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("make", [deep_png, deep_tiff])
def test_16_bits_stay_16_bits(kind: str, make) -> None:
    array = DEEP[kind]
    photo = photo_.read(make(array))
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
            assert np.array_equal(result[..., -1], array[..., -1])
        value = result[HOLE][0] if channels < 4 else result[HOLE][0][:3]
        expected = {1: 94 * 257, 2: 94 * 257}.get(channels)  # luminance of (200, 40, 90), ITU-R BT.601
        assert np.array_equal(value, np.array([200, 40, 90]) * 257) if expected is None else value.flat[0] == expected
    assert opened(saving.encode(photo, filled(photo), HOLE, "webp")).size == (WIDTH, HEIGHT)
    assert np.array_equal(photo.deep, array)  # writing does not change the photo


@pytest.mark.parametrize("kind", DEEP)
def test_16_bit_photos_keep_their_profile(kind: str) -> None:
    for data in (deep_png(DEEP[kind], ICC), deep_tiff(DEEP[kind], iccprofile=ICC)):
        photo = photo_.read(data)
        assert photo.icc == ICC
        again = photo_.read(saving.encode(photo, photo.pixels, HOLE, "png"))
        assert again.icc == ICC
        assert np.array_equal(again.deep[~HOLE], DEEP[kind][~HOLE])


def test_a_16_bit_pillow_picture_is_deep() -> None:
    image = Image.open(io.BytesIO(deep_png(DEEP["grey"])))
    assert np.array_equal(photo_.read(image).deep, DEEP["grey"])


def test_a_transparent_value_of_a_16_bit_photo_becomes_alpha() -> None:
    for kind in ("grey", "rgb"):
        array = DEEP[kind]
        data = deep_png(array)
        value = array[3, 4]
        data = data[:33] + chunk(b"tRNS", np.atleast_1d(value).astype(">u2").tobytes()) + data[33:]
        photo = photo_.read(data)
        same = array == value
        assert np.array_equal(photo.alpha == 0, same if kind == "grey" else same.all(axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_stays_grey(mode: str) -> None:
    image = Image.fromarray(FACE).convert("L").convert(mode)
    if mode == "LA":
        image.putalpha(Image.fromarray(FACE[..., 1]))
    photo = photo_.read(saved(image, "PNG"))
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
    photo = photo_.read(saved(image, "PNG", transparency=image.info["transparency"]))
    expected = np.asarray(image.convert("RGBA"))
    assert len(np.unique(expected[..., 3])) > 20
    again = np.asarray(opened(saving.encode(photo, filled(photo), HOLE, "png")))
    assert np.array_equal(again[~HOLE], expected[~HOLE])
    assert np.array_equal(again[..., 3], expected[..., 3])


def test_colours_under_full_transparency_are_kept() -> None:
    photo = photo_.read(np.dstack([FACE, np.zeros((HEIGHT, WIDTH), np.uint8)]))
    for output in ("png", "webp", "tif"):
        again = np.asarray(opened(saving.encode(photo, filled(photo), HOLE, output)))
        assert np.array_equal(again[~HOLE][:, :3], FACE[~HOLE])


def test_transparency_is_not_lost_silently_in_a_jpeg() -> None:
    photo = photo_.read(np.dstack([FACE, FACE[..., :1]]))
    with pytest.raises(PhotoError, match="transparency"):
        saving.encode(photo, photo.pixels, HOLE, "jpg")
    opaque = photo_.read(np.dstack([FACE, np.full((HEIGHT, WIDTH), 255, np.uint8)]))
    assert opened(saving.encode(opaque, opaque.pixels, HOLE, "jpg")).mode == "RGB"


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    image = Image.fromarray(FACE).convert("CMYK")
    profile = ICC[:16] + b"CMYK" + ICC[20:]  # says CMYK, and is none that could be used
    for options in ({}, {"icc_profile": profile}):
        photo = photo_.read(saved(image, "JPEG", quality=95, **options))
        assert photo.icc is None
        assert np.abs(photo.pixels.astype(int) - FACE).mean() < 4


def over_the_limit(format: str) -> bytes:
    return saved(Image.new("1" if format != "JPEG" else "L", (10_000, 5_100)), format)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "JPEG"])
def test_too_large_a_photo_is_refused_by_its_header(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = over_the_limit(format)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PhotoError, match="10000 x 5100"):
        photo_.read(data)


@pytest.mark.parametrize("side", [10_000, 12_000, 60_000])
def test_pillows_own_limits_do_not_show(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PhotoError, match="50 megapixels"):
            photo_.read(data)


def test_fifty_megapixels_are_accepted() -> None:
    assert photo_.read(saved(Image.new("L", (10_000, 5_000)), "PNG", compress_level=1)).width == 10_000


def animation(format: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    return saved(frames[0], format, save_all=True, append_images=frames[1:])


PNG, JPEG = saved(Image.fromarray(FACE), "PNG"), saved(Image.fromarray(FACE), "JPEG")
REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"hello, this is a letter", "not a picture"),
    "gif": (saved(Image.new("L", (8, 8)), "GIF"), "a GIF"),
    "moving gif": (animation("GIF"), "a GIF"),
    "moving webp": (animation("WEBP"), "animation"),
    "moving png": (animation("PNG"), "animation"),
    "svg": (b"<?xml version='1.0'?><!-- c --><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    "avif": (b"\0\0\0\x18ftypavif\0\0\0\0mif1", "AVIF"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "cut png": (PNG[: len(PNG) // 2], "cut off"),
    "cut jpeg": (JPEG[: len(JPEG) // 2], "cut off"),
    "cut webp": (saved(Image.fromarray(FACE), "WEBP")[:3000], "cut off"),
    "cut tiff": (saved(Image.fromarray(FACE), "TIFF")[:3000], "cut off"),
    "cut header": (PNG[:20], "cut off"),
    "cut jpeg header": (b"\xff\xd8\xff", "cut off"),
    "cut webp header": (b"RIFF\0\0\0\0WEBP", "cut off"),
    "cut deep png": (deep_png(DEEP["rgb"])[:90_000], "cut off"),
    "cut deep tiff": (deep_tiff(DEEP["rgb"])[:90_000], "cut off"),
    "cut grey+alpha tiff": (deep_tiff(DEEP["grey+alpha"])[:60_000], "cut off"),
    "float tiff": (saved(Image.new("F", (8, 8)), "TIFF"), "kind F"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_photo_is_refused_in_one_line(tmp_path: Path, case: str, capfd: pytest.CaptureFixture) -> None:
    data, reason = REFUSED[case]
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(PhotoError, match=reason) as caught:
            photo_.read(source)
        assert "\n" not in str(caught.value)
        assert str(caught.value).count(". ") >= 1
    assert capfd.readouterr().err == ""


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([PNG, JPEG, deep_png(DEEP["rgb"][:20, :20])]), st.data())
def test_damage_anywhere_gives_a_photo_or_a_photo_error(data: bytes, draw: st.DataObject) -> None:
    broken = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 6))):
        broken[draw.draw(st.integers(0, min(len(data), 700) - 1))] = draw.draw(st.integers(0, 255))
    try:
        assert photo_.read(bytes(broken)).pixels.dtype == np.uint8
    except PhotoError as error:
        assert "\n" not in str(error)


def test_places_without_a_photo_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = {"none.png": "no file", ".": "a folder", "pipe": "not an ordinary file", "x" * 5000: "cannot be read"}
    for name, reason in cases.items():
        with pytest.raises(PhotoError, match=reason):
            photo_.read(tmp_path / name)
    for nonsense in (None, 3, [[0]], io.StringIO("text")):
        with pytest.raises(PhotoError):
            photo_.read(nonsense)


@pytest.mark.parametrize(
    "array",
    [
        FACE.astype(np.float32),
        FACE.astype(np.uint16),
        FACE[None],
        FACE[..., :2],
        FACE[..., :1],
        FACE[:0],
        FACE[:, :0],
        np.zeros(5, np.uint8),
        np.zeros((4, 4), bool),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(PhotoError):
        photo_.read(array)


def test_one_pixel_is_a_picture() -> None:
    photo = photo_.read(np.array([[[1, 2, 3]]], np.uint8))
    for output in OUTPUTS:
        assert photo_.read(saving.encode(photo, photo.pixels, np.zeros((1, 1), bool), output)).pixels.shape == (1, 1, 3)
