"""Metadata made here, by the specifications, and what other programs read of it."""

import io
import struct

import numpy as np
import tifffile
from photo_files import FACE, ICC, saved
from PIL import Image, PngImagePlugin

MAKER = b"CANON\0" + bytes(range(200))
THUMBNAIL = saved(Image.fromarray(FACE).resize((16, 16)), "JPEG")
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n <rdf:Description rdf:about="uuid:7" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'tiff:Orientation="{orientation}" dc:source=\'an album, "1962"\'>\n  <xmp:Thumbnails><rdf:Alt><rdf:li/></rdf:Alt>'
    '</xmp:Thumbnails>\n  <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Grandmother &amp; I</rdf:li></rdf:Alt>'
    "</dc:title>\n  <i:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    '</i:DigitalSourceType>\n </rdf:Description></rdf:RDF></x:xmpmeta>  <?xpacket end="w"?>'
)
IPTC = b"\x1c\x02\x50\x00\x05Maria" + b"\x1c\x02\x78\x00\x07Caption"  # By-line and Caption/Abstract of IIM's record 2


def directory(order: str, entries: list[tuple[int, int, int, bytes]], at: int, following: int = 0) -> bytes:
    """A TIFF directory that is to lie at ``at``, and its values after it. entries: tag, kind, count, value."""
    rows, values, place = b"", b"", at + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in sorted(entries):
        rows += struct.pack(f"{order}HHI", tag, kind, count)
        if len(value) <= 4:
            rows += value.ljust(4, b"\0")
        else:
            rows += struct.pack(f"{order}I", place + len(values))
            values += value + bytes(len(value) % 2)
    return struct.pack(f"{order}H", len(entries)) + rows + struct.pack(f"{order}I", following) + values


def exif_block(order: str = ">", orientation: int = 1, dpi: int | None = None) -> bytes:
    """EXIF as a camera writes it: who and when, its own notes, where, and a thumbnail."""

    def short(value: int) -> bytes:
        return struct.pack(f"{order}H", value)

    def ratios(*values: int) -> bytes:
        return b"".join(struct.pack(f"{order}II", value, 1) for value in values)

    def long(value: int) -> bytes:
        return struct.pack(f"{order}I", value)

    width, height = FACE.shape[1::-1]
    shot = [
        (36867, 2, 20, b"1999:01:02 03:04:05\0"),
        (37500, 7, len(MAKER), MAKER),
        (40962, 4, 1, long(width)),
        (40963, 4, 1, long(height)),
    ]
    place = [(1, 2, 2, b"N\0"), (2, 5, 3, ratios(48, 12, 30)), (3, 2, 2, b"E\0"), (4, 5, 3, ratios(11, 33, 1))]
    main = [(271, 2, 6, b"Kodak\0"), (274, 3, 1, short(orientation)), (33432, 2, 12, b"(c) grandma\0")]
    main += [(306, 2, 20, b"2001:01:02 03:04:05\0")]
    main += [(282, 5, 1, ratios(dpi)), (283, 5, 1, ratios(dpi)), (296, 3, 1, short(2))] if dpi else []
    offsets = [8, 0, 0, 0]
    for _ in range(2):  # once to see how long they are
        pointers = [(34665, 4, 1, long(offsets[1])), (34853, 4, 1, long(offsets[2]))]
        parts = [directory(order, main + pointers, 8, offsets[3])]
        for at, entries in ((1, shot), (2, place)):
            offsets[at] = 8 + sum(map(len, parts))
            parts.append(directory(order, entries, offsets[at]))
        offsets[3] = 8 + sum(map(len, parts))
        preview = offsets[3] + 2 + 3 * 12 + 4
        parts.append(
            directory(
                order,
                [(259, 3, 1, short(6)), (513, 4, 1, long(preview)), (514, 4, 1, long(len(THUMBNAIL)))],
                offsets[3],
            )
        )
    return (b"II*\0" if order == "<" else b"MM\0*") + long(8) + b"".join(parts) + THUMBNAIL


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments after its start."""
    return b"".join([data[:2], *segments, data[2:]])


def extended(packet: bytes, digest: bytes = b"A" * 32) -> list[bytes]:
    """An extended XMP packet in segments, the last first, as it may come."""
    pieces = range(0, len(packet), 60_000)
    head = b"http://ns.adobe.com/xmp/extension/\0" + digest
    return [
        segment(0xE1, head + struct.pack(">II", len(packet), at) + packet[at : at + 60_000]) for at in reversed(pieces)
    ]


def source(format: str, orientation: int = 1, order: str = ">") -> bytes:
    """A photo in ``format`` with everything that this can hold."""
    image, block = Image.fromarray(FACE), exif_block(order, orientation, dpi=600 if format == "WEBP" else None)
    packet = XMP.format(orientation=orientation).encode()
    if format == "TIFF":
        return tiff(FACE, orientation=orientation, packet=packet, byteorder=order)
    options = {"icc_profile": ICC, "exif": b"Exif\0\0" + block, "xmp": packet}
    if format == "JPEG":
        data = saved(image, format, dpi=(600, 300), quality=95, **options)
        resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
        return with_segments(data, segment(0xED, b"Photoshop 3.0\0" + resource), segment(0xFE, b"a comment"))
    if format == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", packet.decode())
        return saved(image, format, dpi=(600, 300), pnginfo=texts, **options)
    return saved(image, format, lossless=True, exact=True, **options)


def tiff(*pages: np.ndarray, orientation: int = 1, packet: bytes = b"", **options) -> bytes:
    """A TIFF by tifffile."""
    buffer = io.BytesIO()
    extra = [
        (271, "s", 0, "Kodak", True),
        (33432, "s", 0, "(c) grandma", True),
        (306, "s", 0, "2001:01:02 03:04:05", True),
    ]
    extra += [(274, "H", 1, orientation, True), (33723, "B", len(IPTC), IPTC, True)]
    extra += [(700, "B", len(packet), packet, True)] if packet else []
    with tifffile.TiffWriter(buffer, **options) as writer:
        for number, page in enumerate(pages):
            writer.write(
                page,
                photometric="rgb" if page.ndim == 3 else "minisblack",
                resolution=(600, 300),
                resolutionunit="INCH",
                iccprofile=ICC if page.ndim == 3 else None,
                metadata=None,
                extratags=extra if number == 0 else [],
                compression="zlib" if number else None,
                predictor=bool(number),
                rowsperstrip=7 if number else None,
            )
    return buffer.getvalue()
