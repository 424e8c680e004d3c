"""HEIC and other HEIF files, decoded by pillow-heif: already upright, with all bits of each channel."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.photo import formats


def read(data: bytes, name: str) -> tuple[NDArray[Any], dict[str, Any], list[str]]:
    """Pixels, uint8 or uint16, (H, W) or (H, W, 2 to 4); Pillow's ``info``; and notes.

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
