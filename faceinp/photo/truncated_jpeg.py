"""JPEGs that lack their last bytes, told from those that lack rows (ITU-T T.81, annexes B, F and G)."""

import io
import re
import struct

import numpy as np
from PIL import Image

_EOI, _SOS = b"\xff\xd9", 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # that ends a scan: neither a stuffed byte nor a restart
_LENGTH = 48  # bytes of a made-up end: more than the last block of a picture can want
_RANDOM = np.random.default_rng(0).integers(0, 255, (4, _LENGTH), np.uint8)  # less than 255, which begins a marker
_ENDS = [bytes([value]) * _LENGTH for value in (0x00, 0xAA, 0x55, 0xFE)] + [bytes(row) for row in _RANDOM]


def with_end(data: bytes) -> bytes | None:
    """The file with an end put on where all of its picture is there; None where some of it is missing.

    Whether it is there is tried: bits that are missing are taken out of whatever follows. With ends that differ in
    their first bit and all others the pictures then differ, else the ends were not looked at. Restart markers stand in
    them so that a scan which lacks whole intervals looks at them, too; a scan that is missing altogether would not,
    so scans are counted.
    """
    cut = data.rstrip(b"\xff")
    if not _has_all_scans(cut):
        return None
    picture = None
    for first, end in enumerate(_ENDS):
        # A decoder that waits for a restart marker takes any but those of the next two intervals.
        restarts = [bytes([0xFF, 0xD0 + (first + number) % 8]) for number in range(8)]
        whole = cut + b"".join(end + restart for restart in restarts) + end + _EOI
        try:
            with Image.open(io.BytesIO(whole), formats=("JPEG",)) as image:
                pixels = np.asarray(image)
        except Exception:  # Pillow's plugins let errors of every kind escape on damaged files
            return None
        if picture is not None and not np.array_equal(picture, pixels):
            return None
        picture = pixels
    return cut + _EOI


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans that are begun hold all bits of every coefficient."""
    coarse: dict[int, list[bool]] = {}  # of each component, which coefficients have bits to come
    offset = 2
    while True:
        while data[offset : offset + 2] == b"\xff\xff":
            offset += 1
        marker = data[offset + 1 : offset + 2]
        size = int.from_bytes(data[offset + 2 : offset + 4], "big")
        segment = data[offset + 4 : offset + 2 + size]
        if data[offset : offset + 1] != b"\xff" or not marker or size < 2 or len(segment) != size - 2:
            return False  # cut within a header
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
