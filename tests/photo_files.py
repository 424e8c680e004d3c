"""Photos as files of every kind, made by other programs or by the specification: none of our code."""

import io
import struct
import zlib

import cv2
import numpy as np
import skimage.data
import tifffile
from PIL import Image, ImageCms

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
