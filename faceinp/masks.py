"""Masks: what a user painted, as a bool array whose True is the hole.

Half of the field says white is the hole, half says black is. Here a bool array and a layer with transparency speak for
themselves, colours on a plain background too, and of two bare tones the guess is stated in ``Mask.about``. Everywhere
a soft edge is cut at its half. A hole is never read out of a photo's own colours.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp import photo as photo_
from faceinp.errors import MaskError, PhotoError
from faceinp.photo import Photo

Polarity = Literal["auto", "white", "black"]
Bools = NDArray[np.bool_]

LARGEST_SHARE = 0.6  # past this a warning: either the polarity is wrong, or little is left to go by

_ADVICE = "Paint the hole white on black, or on a transparent layer."
_SPREAD = 32  # levels; less than this is one tone: JPEG noise, or a scan's paper
_COLOURED = 48  # levels between a pixel's greatest and least channel
_NEAR = 40  # levels within which a pixel has a colour, JPEG noise and all
_COLOURS = 6  # colours of strokes looked for
_SAMPLE = 640  # pixels on the longer side are enough to tell a mask from a photo


@dataclass(frozen=True, eq=False)
class Mask:
    """hole: bool (H, W), True = hole, of the photo's size.

    about: how it was read, one clause; empty where nothing had to be decided. warnings: sentences.
    """

    hole: Bools
    about: str
    warnings: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The hole's part of the picture, in (0, 1)."""
        return float(self.hole.mean())


def read(source: Any, photo: Photo, *, hole: Polarity = "auto") -> Mask:
    """Read the mask that goes with ``photo``.

    source: a path, bytes, a Pillow picture, a bool array (H, W) (True = hole), a uint8 array (H, W), (H, W, 3) or
    (H, W, 4), or a Mask. hole: which tone is the hole, the lighter ("white") or the darker ("black"); "auto" guesses
    the one that touches less of the border, then the smaller one. Bool arrays and layers with transparency need no
    telling: there ``hole`` is passed over. A mask of another size is scaled to the photo's; one as wide as the photo is
    high, of a photo that EXIF turned on its side, is turned alike. Raises MaskError for what cannot be read, holds no
    hole or nothing else, or is a photo rather than a mask.
    """
    if hole not in get_args(Polarity):
        raise MaskError(f"hole={hole!r} is unknown. Choose auto, white or black.")
    warnings: list[str] = []
    if isinstance(source, Mask):
        found, read_as = source.hole, [source.about] if source.about else []
        warnings += source.warnings
    elif isinstance(source, np.ndarray) and source.dtype == np.bool_:
        found, read_as = _from_bool(source), []
    else:
        found, how = _from_picture(source, hole)
        read_as = [how]
    size = (photo.height, photo.width)
    if found.shape == size[::-1] != size and photo.orientation in (5, 6, 7, 8):
        # Made on the pixels as the file stores them, by a program that takes no notice of EXIF.
        found = np.ascontiguousarray(photo_.upright(found, photo.orientation))
        read_as.append("turned upright as the photo was")
    if found.shape != size:
        read_as.append(f"scaled from {found.shape[1]} x {found.shape[0]} to {photo.width} x {photo.height}")
        if abs(found.shape[1] * photo.height / (found.shape[0] * photo.width) - 1) > 0.02:
            warnings.append("The mask's proportions are not the photo's, so it was stretched; see that it still fits.")
        found = _scaled(found, size)
    share, about = float(found.mean()), ", ".join(read_as)
    as_read = f" ({about})" if about else ""
    if not found.any():
        raise MaskError(f"The mask marks no hole{as_read}. {_ADVICE}")
    if found.all():
        raise MaskError(f"The mask marks everything as hole{as_read}. Leave something of the photo, or say hole=...")
    if share > LARGEST_SHARE and not isinstance(source, Mask):
        remedy = " If that is the wrong way round, say which tone is the hole." if "guessed" in about else ""
        warnings.append(f"The hole covers {share:.0%} of the photo.{remedy}")
    return Mask(found, about, tuple(warnings))


def _from_bool(array: NDArray[Any]) -> Bools:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size:
        raise MaskError(f"A bool mask has the shape (H, W); this one has {array.shape}. Give one value a pixel.")
    return np.ascontiguousarray(array)


def _from_picture(source: Any, hole: Polarity) -> tuple[Bools, str]:
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[2] == 1:
        source = source[..., 0]
    try:
        layer = photo_.read(source)
    except PhotoError as error:
        raise MaskError(f"The mask cannot be used: {error}") from error
    pixels, alpha = layer.pixels[..., :1] if layer.grey else layer.pixels, layer.alpha
    if alpha is not None:
        low, high = int(alpha.min()), int(alpha.max())
        if high < _SPREAD:
            raise MaskError("The mask is an empty layer: nothing is painted on it. Paint over what is to be filled.")
        if high - low >= _SPREAD:
            return alpha > (low + high) // 2, "the painted part of the layer is the hole"
    if pixels.max() == 1 and layer.source_format != "JPEG":
        pixels = np.where(pixels > 0, np.uint8(255), np.uint8(0))  # a picture of the numbers 0 and 1
    if layer.grey:
        return _from_tones(np.ascontiguousarray(pixels[..., 0]), hole)
    if _chroma(pixels).max() > _COLOURED:
        return _from_strokes(pixels, hole)
    return _from_tones(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False), hole)


def _from_tones(tones: NDArray[np.uint8], hole: Polarity) -> tuple[Bools, str]:
    """tones: uint8 (H, W), white on black or black on white."""
    low, high = int(tones.min()), int(tones.max())
    if high - low < _SPREAD:
        light = "black" if high < 128 else "white" if low >= 128 else "grey"
        raise MaskError(f"The mask is {light} all over: it marks nothing, or everything. {_ADVICE}")
    _refuse_photo((_sample(tones).astype(np.float32) - np.float32(low)) / np.float32(high - low))
    # Half counts as painted on either side, so that a mask and its inverse say the same.
    white, black = tones >= (low + high + 1) // 2, tones <= (low + high) // 2
    how = "as told"
    if hole == "auto":
        hole, how = ("white" if _is_hole(white) else "black"), "guessed"
    return (white if hole == "white" else black), f"{hole} is the hole ({how})"


def _from_strokes(pixels: NDArray[np.uint8], hole: Polarity) -> tuple[Bools, str]:
    """pixels: uint8 (H, W, 3), strokes of one or several colours on a plain background."""
    sample = _sample(pixels)
    background = _background(pixels)
    colours, tones, unexplained = _stroke_colours(sample.reshape(-1, 3), background)
    _refuse_photo(tones.reshape(sample.shape[:2]))
    if not len(colours):  # strokes so small that the sample missed them
        colours, _, unexplained = _stroke_colours(pixels[_chroma(pixels) > _COLOURED], background)
    if not len(colours) or unexplained > 0.25:
        raise _photo_like()
    # Nearer to a stroke's colour than to the background: |p - c|^2 < |p - b|^2, which is linear in p.
    weights = 2 * (colours - background).T
    limits = (colours**2).sum(axis=1) - (background**2).sum()
    painted = np.empty(pixels.shape[:2], np.bool_)
    for start in range(0, len(pixels), 256):
        painted[start : start + 256] = (pixels[start : start + 256].astype(np.float32) @ weights >= limits).any(axis=2)
    luminance = np.array([0.299, 0.587, 0.114], np.float32)
    if hole != "auto" and (hole == "white") == bool(background @ luminance > (colours @ luminance).mean()):
        return ~painted, f"{hole}, the background, is the hole (as told)"
    ground = "white" if background.min() >= 255 - _NEAR else "black" if background.max() <= _NEAR else "plain"
    return painted, f"coloured strokes on a {ground} background are the hole"


def _background(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The colour that covers most of the picture and its border; a grey one is the likelier background."""
    sample = _sample(pixels).reshape(-1, 3)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    share = _bins(sample) + _bins(border)
    first, second = (_colour_at(sample, int(bin_)) for bin_ in np.argsort(share)[:-3:-1])
    ahead = float(np.sort(share)[-1] - np.sort(share)[-2])
    return second if ahead < 0.5 and np.ptp(first) > _COLOURED >= np.ptp(second) else first


def _stroke_colours(
    sample: NDArray[np.uint8], background: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """The colours of strokes, how far each pixel is on the way to one, and the share of painted pixels on no way."""
    pixels = sample.astype(np.float32)
    tones: NDArray[Any] = np.zeros(len(pixels), np.float32)
    left = np.abs(pixels - background).max(axis=1) > _NEAR
    painted = max(1, int(left.sum()))
    colours: list[NDArray[np.float32]] = []
    while left.sum() > 0.01 * painted and len(colours) < _COLOURS:
        colour = _colour_at(sample[left], int(_bins(sample[left]).argmax()))
        way = colour - background
        along = np.clip((pixels - background) @ way / max(float(way @ way), 1.0), 0, 1)
        explained = left & (np.abs(pixels - background - along[:, None] * way).max(axis=1) <= 1.5 * _NEAR)
        if not explained.any():
            break
        # The first colour speaks for the background's pixels as well: a soft edge must not end in a step.
        tones = np.where(explained, along, tones) if colours else along
        left &= ~explained
        colours.append(colour)
    tones[left] = 0.5
    return np.array(colours, np.float32).reshape(-1, 3), tones, float(left.sum() / painted)


def _refuse_photo(tones: NDArray[np.float32]) -> None:
    """tones: float32 (H, W), 0 = one tone, 1 = the other.

    Between its two tones a soft mask only slopes, a photo has peaks and valleys as well. Measured on blurred, JPEG and
    brushed masks: at most 0.24 % of the pixels between are peaks or valleys; on photos and cut-out faces: 0.44 % up.
    """
    between = (tones > 0.15) & (tones < 0.85)
    share = float(between.mean())
    if share > 0.5:
        raise _photo_like()
    if share > 0.04:
        smooth = cv2.GaussianBlur(tones, (0, 0), 1.0)
        around = np.ones((7, 7), np.uint8)
        top, bottom = cv2.dilate(smooth, around), cv2.erode(smooth, around)
        turns = ((smooth >= top) | (smooth <= bottom)) & (top - bottom > 0.02) & (smooth > 0.15) & (smooth < 0.85)
        if turns.sum() > 0.0035 * between.sum():
            raise _photo_like()


def _photo_like() -> MaskError:
    return MaskError(f"The mask looks like a photo; a mask has two tones. {_ADVICE}")


def _is_hole(part: Bools) -> bool:
    """Whether of ``part`` and the rest ``part`` is likelier the hole: less of the border, else the smaller one."""
    border = float(np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]]).mean())
    return border < 0.5 if abs(border - 0.5) > 0.05 else float(part.mean()) <= 0.5


def _scaled(hole: Bools, size: tuple[int, int]) -> Bools:
    """To (H, W); enlarged as it is, or made smaller: then a pixel at least half covered is hole."""
    shrinks = size[0] < hole.shape[0] or size[1] < hole.shape[1]
    values = hole.astype(np.uint8) * np.uint8(255)
    resized = cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT)
    return resized >= 128


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th pixel: averaging would turn fine two-tone patterns into greys."""
    step = max(1, max(pixels.shape[:2]) // _SAMPLE)
    return pixels[::step, ::step]


def _chroma(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    red, green, blue = cv2.split(pixels)
    return cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))


def _bins(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of each of the 8 x 8 x 8 coarse colours; colours: uint8 (N, 3)."""
    coarse = (colours >> 5).astype(np.intp)
    return np.bincount(coarse[:, 0] * 64 + coarse[:, 1] * 8 + coarse[:, 2], minlength=512) / max(1, len(colours))


def _colour_at(colours: NDArray[np.uint8], bin_: int) -> NDArray[np.float32]:
    """The median of the colours around a coarse one, so that noise over a bin's edge does not move it."""
    middle = np.array([bin_ // 64, bin_ // 8 % 8, bin_ % 8], np.float32) * 32 + 16
    near = np.abs(colours - middle).max(axis=1) <= _NEAR
    return np.median(colours[near] if near.any() else middle[None], axis=0).astype(np.float32)
