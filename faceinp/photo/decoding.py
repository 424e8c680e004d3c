"""Decodes photo files into upright uint8 or uint16 arrays, with their metadata.

Damaged, incomplete and oversized pictures raise PhotoError. The size is checked in the header, before decoding.
"""

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from faceinp.errors import PhotoError
from faceinp.photo import exif, formats, pages, truncated_jpeg
from faceinp.photo import metadata as metadata_
from faceinp.photo.metadata import EMPTY, Metadata
from faceinp.photo.pages import OtherPages, Page

_GREY_MODES = {"1", "L", "LA", "La"}
_DEEP_MODES = {"I;16", "I;16L", "I;16B"}
_COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"}
_ORIENTATION, _BITS, _SAMPLE_FORMAT = 0x0112, 258, 339
_NO_PAGES = "If the file has more pages, they are not kept: its TIFF directories are damaged, or it is a BigTIFF."
_quiet_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Decoded:
    """array: uint8 or uint16, (H, W) or (H, W, 1 to 4), upright. The other fields are those of ``photos.Photo``."""

    array: NDArray[Any]
    grey: bool
    icc: bytes | None = None
    source_format: str = "array"
    orientation: int = 1
    metadata: Metadata = EMPTY
    others: OtherPages | None = None
    notes: tuple[str, ...] = ()


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of ``array``, (H, W) or (H, W, C), rotated and mirrored upright from EXIF's ``orientation``.

    EXIF 2.3, table 6: 2 to 8 are mirrored or rotated; every other number is upright.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array


def decode(stream: BinaryIO, name: str, page: int = 1) -> Decoded:
    """Decode the picture in ``stream``. page: of a TIFF, counted from 1. name: for messages. Raises PhotoError."""
    head = stream.read(1024)
    if not head:
        raise PhotoError(f"{name} is empty. Give a complete picture file.")
    stream.seek(0)
    if head[:4] in formats.TIFFS:
        return _from_tiff(stream, head, name, page)
    if page != 1:
        raise PhotoError(f"{name} has one page; there is no page {page}. Leave out --page (page=).")
    if formats.is_heif(head):
        return _from_heif(stream.read(), name)
    if formats.is_avif(head):
        formats.check_avif(name)
    try:
        with _opened(stream, head, name) as image:
            return from_picture(image, name, stream, head)
    except PhotoError as error:
        if not head.startswith(b"\xff\xd8\xff") or not isinstance(error.__cause__, OSError):
            raise
        stream.seek(0)
        mended = truncated_jpeg.with_end(stream.read())
        if mended is None:
            raise
    with _opened(io.BytesIO(mended), head, name) as image:
        decoded = from_picture(image, name)
    note = "The file is truncated: its last bytes are missing, but every row of the picture could be decoded."
    return replace(decoded, notes=(*decoded.notes, note))


def _from_heif(data: bytes, name: str) -> Decoded:
    try:
        array, info, notes = _read_heif(data, name)
    except PhotoError:
        raise
    except Exception as error:  # libheif raises errors of every kind
        raise formats.damaged(f"{name}, a HEIC,", error) from error
    block = (info.get("exif") or b"").removeprefix(b"Exif\0\0")
    turned = False
    with contextlib.suppress(ValueError):
        turned = exif.orientation(block) in (5, 6, 7, 8)
    metadata, more = metadata_.from_parts(block, info.get("xmp"), turned)
    grey = array.ndim == 2 or array.shape[2] == 2
    icc = info.get("icc_profile") or None
    # Orientation 1, whatever EXIF says: libheif has already rotated the picture.
    return Decoded(array, grey, icc, "HEIF", 1, metadata, None, (*notes, *more))


def _read_heif(data: bytes, name: str) -> tuple[NDArray[Any], dict[str, Any], list[str]]:
    """Pixels, uint8 or uint16, (H, W) or (H, W, 2 to 4), with all bits of each channel; Pillow's ``info``; and notes.

    libheif has applied the file's rotation, so it must not be applied again. Raises PhotoError where pillow-heif is
    missing or the picture is too large, and errors of every kind for a damaged file.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise formats.missing(name, "a HEIC", "pillow-heif") from error
    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    picture = file[file.primary_index]
    formats.check_size(*picture.size, name)
    info: dict[str, Any] = dict(picture.info)
    pixels: NDArray[Any] = np.array(picture)
    if pixels.dtype == np.uint16:
        pixels |= np.right_shift(pixels, info["bit_depth"])  # so that the greatest value of 10 bits becomes that of 16
    if picture.premultiplied_alpha:
        alpha = np.maximum(pixels[..., -1:].astype(np.float32), 1)
        colours = pixels[..., :-1] * (np.float32(np.iinfo(pixels.dtype).max) / alpha)
        pixels[..., :-1] = np.minimum(colours + np.float32(0.5), np.iinfo(pixels.dtype).max)
    notes = []
    if len(file) > 1:
        notes.append(f"The file contains {len(file)} pictures: the primary one is filled, and the others are not kept.")
    if info.get("depth_images") or info.get("aux"):
        notes.append("The file's depth or gain map is not kept, because it would not match the filled photo.")
    return pixels, info, notes


def _from_tiff(stream: BinaryIO, head: bytes, name: str, number: int) -> Decoded:
    page: Page | None = None
    with contextlib.suppress(ValueError):  # Pillow may still read it, or has a better message
        page = pages.choose(stream, number, name)
    if page is not None and page.extracted is not None:
        decoded = _pixels_of_tiff(io.BytesIO(page.extracted), page.extracted[:1024], name)
    else:
        decoded = _pixels_of_tiff(stream, head, name)
    if page is None:
        if number != 1:
            raise PhotoError(f"The pages of {name} cannot be separated. Save the page to fill as its own file.")
        return replace(decoded, notes=(*decoded.notes, _NO_PAGES))
    orientation = (*page.tiff.numbers(page.entries.get(_ORIENTATION))[:1], 1)[0]
    metadata, more = metadata_.from_page(page.tiff, page.entries, turned=orientation in (5, 6, 7, 8))
    notes = (*page.notes, *more)
    return replace(decoded, orientation=orientation, metadata=metadata, others=page.others, notes=notes)


def _pixels_of_tiff(stream: BinaryIO, head: bytes, name: str) -> Decoded:
    try:
        image = _opened(stream, head, name)
    except PhotoError as error:
        decoded = _grey_alpha_tiff(stream, name) if isinstance(error.__cause__, UnidentifiedImageError) else None
        if decoded is None:
            raise
        return decoded
    with image:
        return from_picture(image, name, stream, head)


def _opened(stream: BinaryIO, head: bytes, name: str) -> Image.Image:
    stream.seek(0)
    try:
        with _quiet():
            image = Image.open(stream, formats=formats.READ_BY_PILLOW)
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{name} has far more than {formats.LIMIT}. Make it smaller first.") from error
    except UnidentifiedImageError as error:
        raise formats.refusal(head, name) from error
    except Exception as error:  # Pillow's plugins raise errors of every kind on damaged files
        raise formats.damaged(name, error) from error
    if image.format in ("PNG", "WEBP", "AVIF") and getattr(image, "is_animated", False):
        image.close()
        raise PhotoError(f"{name} is an animation. Save one frame as PNG or JPEG.")
    return image


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences Pillow's warnings about problems that are handled here. Filters are global, hence the lock."""
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def from_picture(image: Image.Image, name: str, stream: BinaryIO | None = None, head: bytes = b"") -> Decoded:
    """Decode an opened Pillow picture. stream, head: its file, for 16-bit colours, which Pillow reduces to 8 bits."""
    formats.check_size(*image.size, name)
    try:
        deep_file = stream is not None and _is_deep(image, head)
        stored = _orientation(image)
        image.load()
        icc = image.info.get("icc_profile") or None
        orientation = _orientation(image)  # 1 for a TIFF: Pillow has rotated it and dropped the tag
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
        with _quiet():
            metadata, notes = metadata_.from_picture(image, turned=stored in (5, 6, 7, 8))
    except PhotoError:
        raise
    except Exception as error:  # as above
        raise formats.damaged(name, error) from error
    if image.format == "MPO":
        notes.append("The file contains further pictures, such as a depth or gain map, which are not kept.")
    if image.mode == "CMYK":
        notes.append("The photo is in CMYK; it was converted to RGB, and a result is RGB.")
    if image.format == "AVIF" and _is_deep_avif(stream):
        notes.append("The AVIF has more than 8 bits per channel; it was read with 8.")
    return Decoded(upright(array, orientation), grey, icc, source_format, stored, metadata, None, tuple(notes))


def _plain(image: Image.Image, icc: bytes | None, name: str) -> Image.Image:
    """The picture in one of Pillow's modes L, LA, RGB, RGBA."""
    if image.mode not in _GREY_MODES | _COLOUR_MODES:
        raise PhotoError(f"{name} has the pixel mode {image.mode}, which is not supported. {formats.ADVICE}")
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
            converted = None  # the profile is damaged or of another colour space, so it is ignored
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


def _is_deep_avif(stream: BinaryIO | None) -> bool:
    """Whether an AVIF's configuration record says high_bitdepth (AV1 codec file format binding, section 2.3.3)."""
    if stream is None:
        return False
    stream.seek(0)
    configuration = stream.read(1 << 14).partition(b"av1C")[2]
    return len(configuration) > 2 and bool(configuration[2] & 0x40)


def _deep_pixels(stream: BinaryIO, grey: bool, key: int | None) -> NDArray[Any]:
    """key: the grey value that means transparent, which OpenCV ignores, or None."""
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


def _grey_alpha_tiff(stream: BinaryIO, name: str) -> Decoded | None:
    """A 16-bit TIFF of grey and alpha, which neither Pillow nor OpenCV reads; None for anything else."""
    import tifffile

    stream.seek(0)
    try:
        with tifffile.TiffFile(stream) as file:
            page: Any = file.pages[0]
            if len(page.shape) != 3 or page.shape[2] != 2 or page.dtype != np.uint16:
                return None
            formats.check_size(page.shape[1], page.shape[0], name)
            orientation = int(page.tags[_ORIENTATION].value) if _ORIENTATION in page.tags else 1
            array, icc = page.asarray(), page.iccprofile
    except PhotoError:
        raise
    except Exception as error:  # as in _opened
        raise formats.damaged(name, error) from error
    return Decoded(upright(array, orientation), grey=True, icc=icc, source_format="TIFF", orientation=orientation)


def _orientation(image: Image.Image) -> int:
    try:
        with _quiet():
            tags = image.getexif()
            value = tags.get(_ORIENTATION, 1)
            if image.format == "TIFF":  # Pillow would read them later, with warnings
                for directory in (exif.EXIF, exif.GPS):
                    tags.get_ifd(directory)
    except Exception:  # damaged EXIF must not make a photo unreadable
        return 1
    return value if isinstance(value, int) else 1
