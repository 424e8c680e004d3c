"""Photos: read from files, bytes, Pillow pictures or arrays, and written back as they came.

What a photo had and the fill does not touch is kept to the bit: known pixels, transparency, the colour profile, grey
as grey, 16 bits as 16 bits. EXIF turns the photo upright once and is then left out, so no viewer turns it again.
"""

import contextlib
import io
import os
import secrets
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from faceinp.errors import PhotoError

# "50 megapixel" telephones make up to 8192 x 6144.
MAX_PIXELS = 50_400_000
_LIMIT = "50 megapixels"
SUFFIXES = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff"}

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_ADVICE = "Save it as JPEG, PNG, WebP or TIFF."
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"BM")
_FOREIGN = {
    b"GIF8": "a GIF",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"<svg": "an SVG drawing",
    b"ftypavi": "an AVIF",
    b"ftyphe": "a HEIC",
    b"ftypmif1": "a HEIC",
    b"ftypmsf1": "a HEIC",
    b"ftyp": "a film",
}
_GREY_MODES = {"1", "L", "LA", "La"}
_DEEP_MODES = {"I;16", "I;16L", "I;16B"}
_COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"}
_ORIENTATION, _BITS, _SAMPLE_FORMAT = 0x0112, 258, 339
_STRIPE = 1 << 22  # bytes handled at a time where a whole copy would cost too much memory
_quiet_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo.

    pixels: uint8 (H, W, 3), RGB. alpha: uint8 (H, W) or None. grey: whether it came, and is written, as grey.
    icc: the colour profile, or None. deep: the 16-bit original, uint16 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4):
    grey, grey and alpha, RGB, RGBA; None for 8-bit photos. source_format: "PNG", "JPEG", ..., or "array".
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    grey: bool = False
    icc: bytes | None = None
    deep: NDArray[np.uint16] | None = None
    source_format: str = "array"

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


def read(source: Any) -> Photo:
    """Read a photo.

    source: a path, bytes, a binary file object, a Pillow picture, a uint8 array (H, W, 3), (H, W, 4) or (H, W) in
    RGB order, or a Photo, which is returned as it is. Raises PhotoError for everything that is not one whole
    picture of at most MAX_PIXELS pixels; too large a file is refused by its header, before it is decoded.
    """
    if isinstance(source, Photo):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "The picture")
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_stream(io.BytesIO(source), "The picture")
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source))
    if hasattr(source, "read"):
        return _from_file_object(source)
    raise PhotoError(
        f"A photo cannot be read from {type(source).__name__}. Give a path, bytes, a Pillow picture or a uint8 array."
    )


def encode(photo: Photo, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], format: str) -> bytes:
    """The filled photo as the bytes of a file.

    pixels: uint8 (H, W, 3), the result; only what lies in the hole is taken from it, everything else from ``photo``.
    hole: bool (H, W), True = hole. format: "png", "webp" (lossless), "jpeg" (quality 95) or "tiff"; PNG and TIFF keep
    16 bits, where hole pixels are the 8-bit value times 257. Raises PhotoError.
    """
    kind = SUFFIXES.get(f".{format.lower().removeprefix('.')}")
    if kind is None:
        raise PhotoError(f"There is no output format {format!r}. Choose one of: png, webp, jpeg, tiff.")
    if pixels.dtype != np.uint8 or pixels.shape != photo.pixels.shape:
        raise PhotoError(f"The result must be uint8 {photo.pixels.shape}; it is {pixels.dtype} {pixels.shape}.")
    if hole.dtype != np.bool_ or hole.shape != photo.pixels.shape[:2]:
        raise PhotoError(f"The hole must be bool {photo.pixels.shape[:2]}; it is {hole.dtype} {hole.shape}.")
    deep = photo.deep is not None and kind in ("png", "tiff")
    with_alpha = photo.alpha is not None and kind != "jpeg"
    if photo.alpha is not None and not with_alpha and photo.alpha.min() < 255:
        raise PhotoError("A JPEG cannot hold the photo's transparency. Write PNG, WebP or TIFF instead.")
    picture = _select(photo, pixels, hole, deep=deep, with_alpha=with_alpha)
    try:
        if kind == "png":
            return _png(picture, photo.icc)
        return _tiff(picture, photo.icc) if kind == "tiff" else _lossy_family(picture, kind, photo.icc)
    except (OSError, ValueError, struct.error) as error:
        size = f"{photo.width} x {photo.height}"
        raise PhotoError(f"A picture of {size} cannot be written as {kind} ({error}). Write PNG.") from error


def write(path: str | os.PathLike[str], photo: Photo, pixels: NDArray[np.uint8], hole: NDArray[np.bool_]) -> None:
    """Write the filled photo to ``path``; the suffix chooses the format. Arguments as for ``encode``.

    Either the whole file is there afterwards, or what was there before is untouched. Raises PhotoError.
    """
    kind = output_format(path)
    data = encode(photo, pixels, hole, kind)
    target = Path(os.path.realpath(path))  # a link keeps pointing at the file it names
    temporary = target.with_name(f".faceinp-{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or error
        raise PhotoError(f"{path} cannot be written ({reason}). Choose another place, or make room.") from error
    finally:
        temporary.unlink(missing_ok=True)


def output_format(path: str | os.PathLike[str]) -> str:
    """The format ``write`` would use for ``path``; worth asking before long work. Raises PhotoError as it would."""
    where = Path(path)
    if where.suffix.lower() not in SUFFIXES:
        raise PhotoError(f"{where} has no known suffix. Use one of: {', '.join(SUFFIXES)}.")
    folder = Path(os.path.realpath(where)).parent
    if not folder.is_dir():
        raise PhotoError(f"There is no folder {folder} to write {where.name} to. Make it first.")
    if where.is_dir():
        raise PhotoError(f"{where} is a folder. Give the path of a file.")
    return SUFFIXES[where.suffix.lower()]


def _from_array(array: NDArray[Any]) -> Photo:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise PhotoError(
            f"This array is {array.dtype} {array.shape}. Convert it to uint8 (H, W, 3), (H, W, 4) or (H, W), RGB."
        )
    _check_size(array.shape[1], array.shape[0], "The array")
    return _photo(array, grey=array.ndim == 2, icc=None, source_format="array")


def _from_path(path: Path) -> Photo:
    try:
        if path.is_dir():
            raise PhotoError(f"{path} is a folder. Give the path of one picture.")
        if not path.exists():
            raise PhotoError(f"There is no file {path}. Check the path.")
        if not path.is_file():
            raise PhotoError(f"{path} is not an ordinary file. Give the path of a picture.")
        with path.open("rb") as file:
            return _from_stream(file, str(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(f"{str(path)[:200]!r} cannot be read ({reason}). Check path and permissions.") from error


def _from_file_object(source: Any) -> Photo:
    try:
        if hasattr(source, "seek"):
            source.seek(0)
        data = source.read()
    except (OSError, ValueError) as error:
        raise PhotoError(f"The file object cannot be read ({error}). Open it anew.") from error
    if not isinstance(data, bytes):
        raise PhotoError("The file object gives text, not bytes. Open it in binary mode.")
    return _from_stream(io.BytesIO(data), "The picture")


def _from_stream(stream: BinaryIO, name: str) -> Photo:
    head = stream.read(1024)
    if not head:
        raise PhotoError(f"{name} is empty. Give a whole picture.")
    stream.seek(0)
    try:
        with _quiet():
            image = Image.open(stream, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{name} has far more than {_LIMIT}. Make it smaller first.") from error
    except UnidentifiedImageError as error:
        photo = _grey_alpha_tiff(stream, head, name)
        if photo is None:
            raise PhotoError(_refusal(head, name)) from error
        return photo
    except Exception as error:  # Pillow's plugins let errors of every kind escape on damaged files
        raise PhotoError(_damaged(name, error)) from error
    with image:
        if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
            raise PhotoError(f"{name} is an animation. Save one picture of it as PNG or JPEG.")
        return _decode(image, name, stream, head)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings of what is refused or mended here; filters are global, so one at a time, briefly."""
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _decode(image: Image.Image, name: str, stream: BinaryIO | None = None, head: bytes = b"") -> Photo:
    """stream, head: the file ``image`` was opened from, where 16-bit colours, which Pillow cuts, can be had."""
    _check_size(*image.size, name)
    try:
        deep_file = stream is not None and _is_deep(image, head)
        image.load()
        icc = image.info.get("icc_profile") or None
        orientation = _orientation(image)
        source_format = {"MPO": "JPEG", None: "array"}.get(image.format, image.format or "array")
        grey = image.mode in _GREY_MODES or image.mode in _DEEP_MODES
        array: NDArray[Any]
        if deep_file and stream is not None:
            array = _deep_pixels(stream, grey=grey or head[25] == 4, key=image.info.get("transparency"))
            grey = array.ndim == 2 or array.shape[2] == 2
        elif image.mode in _DEEP_MODES:
            array = np.asarray(image).astype(np.uint16)
        else:
            array = np.asarray(_plain(image, icc, name))
        if icc is not None and icc[16:20] == b"CMYK":
            icc = None
    except PhotoError:
        raise
    except Exception as error:  # as above
        raise PhotoError(_damaged(name, error)) from error
    return _photo(_upright(array, orientation), grey, icc, source_format)


def _photo(array: NDArray[Any], grey: bool, icc: bytes | None, source_format: str) -> Photo:
    """array: uint8 or uint16, (H, W) or (H, W, 1 to 4)."""
    deep = np.ascontiguousarray(array) if array.dtype == np.uint16 else None
    if deep is not None:
        array = np.empty(deep.shape, np.uint8)
        np.right_shift(deep, 8, out=array, casting="unsafe")
    channels = 1 if array.ndim == 2 else array.shape[2]
    alpha = np.ascontiguousarray(array[..., -1]) if channels in (2, 4) else None
    if grey:
        pixels = cv2.cvtColor(np.ascontiguousarray(array if array.ndim == 2 else array[..., 0]), cv2.COLOR_GRAY2RGB)
    else:
        pixels = np.ascontiguousarray(array[..., :3])
    return Photo(pixels.astype(np.uint8, copy=False), alpha, grey, icc, deep, source_format)


def _plain(image: Image.Image, icc: bytes | None, name: str) -> Image.Image:
    """The picture in one of Pillow's modes L, LA, RGB, RGBA."""
    if image.mode not in _GREY_MODES | _COLOUR_MODES:
        raise PhotoError(f"{name} holds pixels of the kind {image.mode}, which is not supported. {_ADVICE}")
    if image.mode == "CMYK":
        return _from_cmyk(image, icc)
    transparent = image.has_transparency_data
    mode = ("L" if image.mode in _GREY_MODES else "RGB") + ("A" if transparent else "")
    return image if image.mode == mode else image.convert(mode)


def _from_cmyk(image: Image.Image, icc: bytes | None) -> Image.Image:
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None  # the profile is damaged or of another colour space: as if there were none
        if converted is not None:
            return converted
    return image.convert("RGB")


def _is_deep(image: Image.Image, head: bytes) -> bool:
    if image.format == "PNG":
        return head[24] == 16
    if image.format != "TIFF" or image.mode not in _DEEP_MODES | {"RGB", "RGBA"}:
        return False
    tags: Any = getattr(image, "tag_v2", {})
    return set(tags.get(_BITS, (1,))) == {16} and set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}


def _deep_pixels(stream: BinaryIO, grey: bool, key: int | None) -> NDArray[Any]:
    """key: the grey value that stands for transparent, which OpenCV passes over, or None."""
    stream.seek(0)
    array = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16:
        raise ValueError("its 16-bit pixels cannot be decoded")
    if array.ndim == 2:
        return np.dstack([array, np.where(array == key, np.uint16(0), np.uint16(65535))]) if key is not None else array
    if grey:
        return np.ascontiguousarray(array[..., [0, 3]] if array.shape[2] == 4 else array[..., 0])
    code = cv2.COLOR_BGRA2RGBA if array.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(array, code)


def _grey_alpha_tiff(stream: BinaryIO, head: bytes, name: str) -> Photo | None:
    """A 16-bit TIFF of grey and alpha, which neither Pillow nor OpenCV reads; None for anything else."""
    if head[:4] not in (b"II*\0", b"MM\0*"):
        return None
    import tifffile

    stream.seek(0)
    try:
        with tifffile.TiffFile(stream) as file:
            page: Any = file.pages[0]
            if len(page.shape) != 3 or page.shape[2] != 2 or page.dtype != np.uint16:
                return None
            _check_size(page.shape[1], page.shape[0], name)
            orientation = page.tags[_ORIENTATION].value if _ORIENTATION in page.tags else 1
            array, icc = page.asarray(), page.iccprofile
    except PhotoError:
        raise
    except Exception as error:  # as in _from_stream
        raise PhotoError(_damaged(name, error)) from error
    return _photo(_upright(array, int(orientation)), grey=True, icc=icc, source_format="TIFF")


def _orientation(image: Image.Image) -> int:
    """Read after loading: Pillow turns TIFFs by itself and then drops the tag."""
    try:
        with _quiet():
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # EXIF is written by many hands; a damaged one must not cost the photo
        return 1
    return value if isinstance(value, int) else 1


def _upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """EXIF 2.3, table 6: 2 to 8 are the mirrored and turned ways to store a picture."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array


def _check_size(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"{name} has no pixels ({width} x {height}). Give a picture that has some.")
    if width * height > MAX_PIXELS:
        raise PhotoError(f"{name} is {width} x {height}; {_LIMIT} are accepted at most. Make it smaller first.")


def _damaged(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return f"{name} is damaged or cut off ({reason}). Get a whole copy of it."


def _refusal(head: bytes, name: str) -> str:
    # Drawings begin with any amount of preamble; the other marks stand at the very start.
    kind = next((kind for mark, kind in _FOREIGN.items() if mark in (head if mark == b"<svg" else head[:12])), "")
    if kind:
        return f"{name} is {kind}, which is not accepted. {_ADVICE}"
    if head.startswith(_MAGIC):
        return _damaged(name, ValueError("its header cannot be read"))
    return f"{name} is not a picture. Give a JPEG, PNG, WebP, TIFF or BMP file."


def _select(
    photo: Photo, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], *, deep: bool, with_alpha: bool
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(H, W) grey or (H, W, 2 to 4): the photo as it is stored, with ``pixels`` in the hole; alpha is the photo's."""
    picture: NDArray[Any]
    if deep and photo.deep is not None:
        picture = photo.deep.copy()
    else:
        colours = photo.pixels[..., :1] if photo.grey else photo.pixels
        extra = photo.alpha[..., None] if with_alpha and photo.alpha is not None else photo.pixels[..., :0]
        picture = np.concatenate([colours, extra], axis=2)
        picture = picture[..., 0] if picture.shape[2] == 1 else picture
    for rows in _stripes(pixels):
        if not hole[rows].any():
            continue
        new: NDArray[Any] = cv2.cvtColor(pixels[rows], cv2.COLOR_RGB2GRAY) if photo.grey else pixels[rows]
        if deep:
            new = new.astype(np.uint16) * np.uint16(257)
        if picture.ndim == 3 and picture.shape[2] in (2, 4):
            new = np.dstack([new, picture[rows][..., -1]])
        # A boolean index costs seconds at 50 megapixels; this, a tenth of one.
        picture[rows] = cv2.copyTo(np.ascontiguousarray(new), hole[rows].astype(np.uint8), picture[rows])
    return picture


def _stripes(array: NDArray[Any]) -> Iterator[slice]:
    step = max(1, _STRIPE // (array[0].size * array.itemsize))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _lossy_family(picture: NDArray[Any], kind: str, icc: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    if kind == "jpeg":
        image.save(buffer, "JPEG", quality=95, subsampling=0, icc_profile=icc)
    else:
        # exact: colours under transparent pixels are known pixels, too. Here quality is effort, which only costs time.
        image.save(buffer, "WEBP", lossless=True, exact=True, method=0, quality=0, icc_profile=icc)
    return buffer.getvalue()


def _tiff(picture: NDArray[Any], icc: bytes | None) -> bytes:
    import tifffile

    channels = 1 if picture.ndim == 2 else picture.shape[2]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        picture,
        photometric="rgb" if channels >= 3 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        iccprofile=icc,
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def _png(picture: NDArray[Any], icc: bytes | None) -> bytes:
    """PNG of uint8 or uint16, (H, W) or (H, W, 2 to 4). W3C PNG specification, third edition, sections 5, 9, 10, 11.

    Neither Pillow nor OpenCV writes 16-bit grey with alpha, nor every profile; and packing stripes on threads takes
    half their time on a large photo. Run lengths after the filter Sub pack a photo as well as a full search does.
    """
    height, width = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    step = channels * picture.itemsize

    def pack(rows: slice) -> tuple[bytes, memoryview]:
        stripe = picture[rows]
        raw = (stripe.astype(">u2") if stripe.itemsize == 2 else np.ascontiguousarray(stripe)).view(np.uint8)
        raw = raw.reshape(len(stripe), width * step)
        filtered = np.empty((len(raw), width * step + 1), np.uint8)
        filtered[:, 0] = 1
        filtered[:, 1 : step + 1] = raw[:, :step]
        np.subtract(raw[:, step:], raw[:, :-step], out=filtered[:, step + 1 :])
        packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
        end = zlib.Z_FINISH if rows.stop >= height else zlib.Z_FULL_FLUSH
        return packer.compress(filtered.data) + packer.flush(end), filtered.data

    depth, colour = 8 * picture.itemsize, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    if icc:
        parts.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)))
    checksum = 1
    parts.append(_chunk(b"IDAT", b"\x78\x01"))
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        for packed, filtered in threads.map(pack, _stripes(picture)):
            checksum = zlib.adler32(filtered, checksum)
            parts.append(_chunk(b"IDAT", packed))
    parts += [_chunk(b"IDAT", struct.pack(">I", checksum)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
