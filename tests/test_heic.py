"""HEIC and AVIF, as phones write them: turned once, with all their bits, or one line that says what to install."""

import io
import sys

import numpy as np
import pytest
from photo_files import FACE, HEIGHT, HOLE, ICC, WIDTH, opened, saved
from photo_parts import MAKER, XMP, exif_block
from PIL import Image, ImageOps, features

from faceinp.errors import PhotoError
from faceinp.photo import formats, photos, saving

pillow_heif = pytest.importorskip("pillow_heif")
pytestmark = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


def heic(array: np.ndarray, mode: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture = pillow_heif.from_bytes(mode, array.shape[1::-1], array.tobytes())
    picture.save(buffer, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return buffer.getvalue()


def avif(image: Image.Image, **options) -> bytes:
    return saved(image, "AVIF", quality=100, subsampling="4:4:4", **options)


@pytest.mark.parametrize("format", ["heic", "avif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_picture_is_turned_once(format: str, orientation: int) -> None:
    block = b"Exif\0\0" + exif_block(orientation=orientation)
    if format == "heic":
        pillow_heif.register_heif_opener()
        data = saved(Image.fromarray(FACE), "HEIF", quality=100, exif=block)
    else:
        data = avif(Image.fromarray(FACE), exif=block)
    tags = Image.Exif()
    tags[0x0112] = orientation
    image = Image.fromarray(FACE)
    image.info["exif"] = tags.tobytes()
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    photo = photos.read(data)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels - expected).mean() < 4
    hole = np.zeros(expected.shape[:2], bool)
    written = opened(saving.encode(photo, photo.pixels, hole, "jpg"))
    assert written.size == expected.shape[1::-1] and 274 not in written.getexif()
    shot = written.getexif().get_ifd(34665)
    assert shot[37500] == MAKER and (shot[40962], shot[40963]) == written.size


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_colours_stay_deep(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    ramp = np.linspace(0, 65535, WIDTH).astype(np.uint16)
    array = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)))
    photo = photos.read(heic(array, "RGB;16"))
    assert photo.deep is not None
    assert photo.deep.min() == 0 and photo.deep.max() == 65535
    assert np.abs(photo.deep.astype(int) - array).max() <= 65536 >> bits
    again = photos.read(saving.encode(photo, photo.pixels, HOLE, "png"))
    assert np.array_equal(again.deep[~HOLE], photo.deep[~HOLE])
    assert any("8 bits" in loss for loss in saving.losses(photo, "jpg"))


def test_transparency_and_metadata_are_kept() -> None:
    array = np.dstack([FACE, np.where(HOLE, 0, 255).astype(np.uint8)])
    data = heic(array, "RGBA", exif=b"Exif\0\0" + exif_block(), xmp=XMP.format(orientation=1).encode())
    photo = photos.read(data)
    assert photo.source_format == "HEIF"
    assert np.array_equal(photo.alpha < 128, HOLE)
    assert photo.metadata.exif and b"Grandmother" in photo.metadata.xmp
    picture = avif(Image.fromarray(array), icc_profile=ICC)
    assert np.array_equal(photos.read(picture).alpha < 128, HOLE)
    assert photos.read(picture).icc == ICC


def test_too_large_a_picture_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    data = [heic(FACE, "RGB"), avif(Image.fromarray(FACE))]
    monkeypatch.setattr(formats, "MAX_PIXELS", 100)
    monkeypatch.setattr(pillow_heif.HeifImage, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    for picture in data:
        with pytest.raises(PhotoError, match=f"{WIDTH} x {HEIGHT}"):
            photos.read(picture)


def test_what_is_missing_is_said_with_the_line_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(FACE, "RGB"), avif(Image.fromarray(FACE))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    for picture, kind in zip(data, ("a HEIC", "an AVIF"), strict=True):
        with pytest.raises(PhotoError, match=rf"{kind}.*pip install 'faceinp\[heic\]'"):
            photos.read(picture)


@pytest.mark.parametrize("make", [lambda: heic(FACE, "RGB"), lambda: avif(Image.fromarray(FACE))])
def test_damage_gives_a_photo_or_a_photo_error(make) -> None:
    data, random = make(), np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(data)
        for place in random.integers(4, min(len(data), 1500), 3):
            broken[place] = random.integers(256)
        try:
            photos.read(bytes(broken[: random.integers(200, len(data))]))
        except PhotoError as error:
            assert "\n" not in str(error)
