"""What is no photo, or too large, or damaged, is refused in one line that says what to do."""

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
from photo_files import DEEP, FACE, chunk, deep_png, deep_tiff, saved
from PIL import Image

from faceinp.errors import PhotoError
from faceinp.photo import photos


def over_the_limit(format: str) -> bytes:
    return saved(Image.new("1" if format != "JPEG" else "L", (10_000, 5_100)), format)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "JPEG"])
def test_too_large_a_photo_is_refused_by_its_header(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = over_the_limit(format)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PhotoError, match="10000 x 5100"):
        photos.read(data)


@pytest.mark.parametrize("side", [10_000, 12_000, 60_000])
def test_pillows_own_limits_do_not_show(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PhotoError, match="50 megapixels"):
            photos.read(data)


def test_fifty_megapixels_are_accepted() -> None:
    assert photos.read(saved(Image.new("L", (10_000, 5_000)), "PNG", compress_level=1)).width == 10_000


def animation(format: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    return saved(frames[0], format, save_all=True, append_images=frames[1:])


PNG, JPEG = saved(Image.fromarray(FACE), "PNG"), saved(Image.fromarray(FACE), "JPEG")
REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"hello, this is a letter", "not a picture"),
    "gif": (saved(Image.new("L", (8, 8)), "GIF"), "a GIF.*Save it as PNG"),
    "moving gif": (animation("GIF"), "a GIF"),
    "moving webp": (animation("WEBP"), "animation"),
    "moving png": (animation("PNG"), "animation"),
    "svg": (b"<?xml version='1.0'?><!-- c --><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "cut heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC, is damaged or truncated"),
    "cut avif": (b"\0\0\0\x18ftypavif\0\0\0\0mif1", "truncated"),
    "jpeg 2000": (saved(Image.new("L", (8, 8)), "JPEG2000"), "a JPEG 2000.*Convert it to PNG or TIFF"),
    "jpeg 2000 stream": (b"\xff\x4f\xff\x51\0\x29", "a JPEG 2000"),
    "jpeg xl": (b"\xff\x0a\xfa\x1f", "a JPEG XL"),
    "video": (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "a video"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "cut png": (PNG[: len(PNG) // 2], "truncated"),
    "cut jpeg": (JPEG[: len(JPEG) // 2], "truncated"),
    "cut webp": (saved(Image.fromarray(FACE), "WEBP")[:3000], "truncated"),
    "cut tiff": (saved(Image.fromarray(FACE), "TIFF")[:3000], "truncated"),
    "cut header": (PNG[:20], "truncated"),
    "cut jpeg header": (b"\xff\xd8\xff", "truncated"),
    "cut webp header": (b"RIFF\0\0\0\0WEBP", "truncated"),
    "cut deep png": (deep_png(DEEP["rgb"])[:90_000], "truncated"),
    "cut deep tiff": (deep_tiff(DEEP["rgb"])[:90_000], "truncated"),
    "cut grey+alpha tiff": (deep_tiff(DEEP["grey+alpha"])[:60_000], "truncated"),
    "float tiff": (saved(Image.new("F", (8, 8)), "TIFF"), "pixel mode F"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_photo_is_refused_in_one_line(tmp_path: Path, case: str, capfd: pytest.CaptureFixture) -> None:
    data, reason = REFUSED[case]
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(PhotoError, match=reason) as caught:
            photos.read(source)
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
        assert photos.read(bytes(broken)).pixels.dtype == np.uint8
    except PhotoError as error:
        assert "\n" not in str(error)


def test_places_without_a_photo_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = {"none.png": "no file", ".": "a folder", "pipe": "not a regular file", "x" * 5000: "cannot be read"}
    for name, reason in cases.items():
        with pytest.raises(PhotoError, match=reason):
            photos.read(tmp_path / name)
    for nonsense in (None, 3, [[0]], io.StringIO("text")):
        with pytest.raises(PhotoError):
            photos.read(nonsense)


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
        photos.read(array)
