"""Supported formats, the largest size, and the error messages for all other files."""

from PIL import features

from faceinp.errors import PhotoError

# Phones with "50 megapixels" take photos of up to 8192 x 6144.
MAX_PIXELS = 50_400_000
LIMIT = "50 megapixels"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif")  # in folders
READ_BY_PILLOW = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")
ADVICE = "Save it as JPEG, PNG, WebP or TIFF."
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", *TIFFS)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_UNSUPPORTED = {
    b"GIF8": ("a GIF", "Save it as PNG, which keeps every colour."),
    b"\0\0\0\x0cjP  ": ("a JPEG 2000", "Convert it to PNG or TIFF, which are lossless."),
    b"\xff\x4f\xff\x51": ("a JPEG 2000", "Convert it to PNG or TIFF, which are lossless."),
    b"\0\0\0\x0cJXL ": ("a JPEG XL", "Convert it to PNG or TIFF, which are lossless."),
    b"\xff\x0a": ("a JPEG XL", "Convert it to PNG or TIFF, which are lossless."),
    b"%PDF": ("a PDF", ADVICE),
    b"8BPS": ("a Photoshop file", ADVICE),
    b"<svg": ("an SVG drawing", ADVICE),
    b"ftyp": ("a video", "Save one frame as PNG or JPEG."),
}


def is_heif(head: bytes) -> bool:
    """Whether a file is HEIC or another HEIF, but not AVIF, by its first bytes (ISO 14496-12, section 4.3)."""
    return head[4:8] == b"ftyp" and not is_avif(head) and any(brand in _HEIF_BRANDS for brand in _brands(head))


def is_avif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and any(brand in _AVIF_BRANDS for brand in _brands(head))


def _brands(head: bytes) -> list[bytes]:
    """The major brand and the compatible brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def check_avif(name: str) -> None:
    """Raise PhotoError where Pillow cannot read AVIF."""
    if not features.check("avif"):
        raise missing(name, "an AVIF", "pillow 11.3 or newer")


def missing(name: str, kind: str, package: str) -> PhotoError:
    return PhotoError(f"{name} is {kind}, which needs {package}. Run: pip install 'faceinp[heic]'")


def check_size(width: int, height: int, name: str) -> None:
    """Raise PhotoError for a picture without pixels, or with more than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise PhotoError(f"{name} has no pixels ({width} x {height}). Give another picture.")
    if width * height > MAX_PIXELS:
        raise PhotoError(f"{name} is {width} x {height}; the limit is {LIMIT}. Make it smaller first.")


def damaged(name: str, error: Exception) -> PhotoError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return PhotoError(f"{name} is damaged or truncated ({reason}). Get a complete copy of it.")


def refusal(head: bytes, name: str) -> PhotoError:
    """The error for a file that no decoder reads. head: its first bytes."""
    if head.startswith(_MAGIC) or is_avif(head):
        return damaged(name, ValueError("its header cannot be read"))
    for mark, (kind, advice) in _UNSUPPORTED.items():
        # An SVG may begin with a long preamble; the other signatures are at the very start.
        if mark in (head if mark == b"<svg" else head[:12]):
            return PhotoError(f"{name} is {kind}, which is not supported. {advice}")
    return PhotoError(f"{name} is not a picture. Give a JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF file.")
