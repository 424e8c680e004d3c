"""Photos: read from files, bytes, Pillow pictures or arrays; ``saving.py`` writes them back as they came.

EXIF turns a photo upright once and is then left out, so that no viewer turns it again.
"""

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Iterator
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
_quiet_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo.

    pixels: uint8 (H, W, 3), RGB. alpha: uint8 (H, W) or None. grey: whether it came, and is written, as grey.
    icc: the colour profile, or None. deep: the 16-bit original, uint16 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4):
    grey, grey and alpha, RGB, RGBA; None for 8-bit photos. source_format: "PNG", "JPEG", ..., or "array".
    orientation: EXIF's number for how the file stored it, 1 being upright; the pixels here are upright whatever it is.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    grey: bool = False
    icc: bytes | None = None
    deep: NDArray[np.uint16] | None = None
    source_format: str = "array"
    orientation: int = 1

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


def several(given: Any, name: str) -> tuple[Any, ...]:
    """A list of photos, each as ``read`` takes it, none where None was given. name: of the argument, for the error.

    Raises PhotoError for a single photo, whose letters, bytes or rows would be taken for photos.
    """
    if given is None:
        return ()
    if isinstance(given, str | bytes | bytearray | os.PathLike | Image.Image | np.ndarray | Photo):
        raise PhotoError(f"{name} takes a list of photos. Put the one into a list: {name}=[photo].")
    return tuple(given)


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """What was stored as EXIF's ``orientation`` says, (H, W) or (H, W, C), turned and mirrored to stand upright.

    EXIF 2.3, table 6: 2 to 8 are the mirrored and turned ways to store a picture; every other number is upright.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array


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
    return _photo(upright(array, orientation), grey, icc, source_format, orientation)


def _photo(array: NDArray[Any], grey: bool, icc: bytes | None, source_format: str, orientation: int = 1) -> Photo:
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
    return Photo(pixels.astype(np.uint8, copy=False), alpha, grey, icc, deep, source_format, orientation)


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
            orientation = int(page.tags[_ORIENTATION].value) if _ORIENTATION in page.tags else 1
            array, icc = page.asarray(), page.iccprofile
    except PhotoError:
        raise
    except Exception as error:  # as in _from_stream
        raise PhotoError(_damaged(name, error)) from error
    return _photo(upright(array, orientation), grey=True, icc=icc, source_format="TIFF", orientation=orientation)


def _orientation(image: Image.Image) -> int:
    """Read after loading: Pillow turns TIFFs by itself and then drops the tag."""
    try:
        with _quiet():
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # EXIF is written by many hands; a damaged one must not cost the photo
        return 1
    return value if isinstance(value, int) else 1


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
