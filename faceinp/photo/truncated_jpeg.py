"""Truncated JPEGs: those that lack only their last bytes, and those that lack rows (ITU-T T.81, annexes B, F and G)."""

import io
import re
import struct

import numpy as np
from PIL import Image

_EOI, _SOS = b"\xff\xd9", 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # that ends a scan: neither a stuffed byte nor a restart marker
_LENGTH = 48  # bytes of an artificial end: more than the last block of a picture can need
_RANDOM = np.random.default_rng(0).integers(0, 255, (4, _LENGTH), np.uint8)  # below 255, which begins a marker
_ENDS = [bytes([value]) * _LENGTH for value in (0x00, 0xAA, 0x55, 0xFE)] + [bytes(row) for row in _RANDOM]


def with_end(data: bytes) -> bytes | None:
    """The file with an end marker, if no pixel depends on the missing bytes; None if some pixels do.

    This is tested by decoding with several artificial ends: a decoder takes missing bits from whatever follows, so if
    pixels are missing, ends that differ from their first bit on give different pictures. The ends contain restart
    markers so that a scan which lacks whole intervals reads them as well. A scan that is missing entirely would not,
    so scans are checked first.
    """
    cut = data.rstrip(b"\xff")
    if not _has_all_scans(cut):
        return None
    picture = None
    for first, end in enumerate(_ENDS):
        # A decoder that waits for a restart marker accepts any but those of the next two intervals.
        restarts = [bytes([0xFF, 0xD0 + (first + number) % 8]) for number in range(8)]
        whole = cut + b"".join(end + restart for restart in restarts) + end + _EOI
        try:
            with Image.open(io.BytesIO(whole), formats=("JPEG",)) as image:
                pixels = np.asarray(image)
        except Exception:  # Pillow's plugins raise errors of every kind on damaged files
            return None
        if picture is not None and not np.array_equal(picture, pixels):
            return None
        picture = pixels
    return cut + _EOI


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans in the file cover all bits of every coefficient."""
    coarse: dict[int, list[bool]] = {}  # of each component, which coefficients still lack bits
    offset = 2
    while True:
        while data[offset : offset + 2] == b"\xff\xff":
            offset += 1
        marker = data[offset + 1 : offset + 2]
        size = int.from_bytes(data[offset + 2 : offset + 4], "big")
        segment = data[offset + 4 : offset + 2 + size]
        if data[offset : offset + 1] != b"\xff" or not marker or size < 2 or len(segment) != size - 2:
            return False  # truncated within a header
        offset += 2 + size
        if marker[0] in _FRAMES:
            coarse = {segment[at]: [True] * 64 for at in range(6, len(segment) - 2, 3)}
        elif marker[0] == _SOS:
            count = segment[0] if segment else 0
            if len(segment) != 4 + 2 * count:
                return False
            first, last, bits = struct.unpack_from("BBB", segment, 1 + 2 * count)
            for component in segment[1 : 1 + 2 * count : 2]:
                coarse.setdefault(component, [True] * 64)[first : last + 1] = [bits % 16 > 0] * (last + 1 - first)
            end = _MARKER.search(data, offset)
            if end is None:
                return bool(coarse) and not any(map(any, coarse.values()))
            offset = end.start()
