"""Reads pictures of masks: which part is the hole. A photo's own colours are never read as a mask."""

import io
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from faceinp.errors import MaskError, PhotoError
from faceinp.mask import strokes
from faceinp.mask.strokes import Bools, Strength
from faceinp.photo import photos
from faceinp.photo.photos import Photo, PhotoSource

Polarity = Literal["auto", "white", "black"]

ADVICE = "Paint the hole in another tone than the rest of the mask, or on a transparent layer."
LABEL = ("Comment", "A mask by faceinp: white is the hole, on the upright photo.")  # a text of a PNG
_MAX_RATIO_DIFFERENCE = 0.02  # relative, between the aspect ratios of a photo and its erased copy
_COMPARED_WIDTH = 160  # pixels, at which a photo and its erased copy are compared
_MIN_SPREAD = 32  # grey levels; a smaller spread is one tone with JPEG noise or the texture of scanned paper
_MIN_CHROMA = 48  # levels between a pixel's greatest and least channel; less is grey
_COLOUR_TOLERANCE = 40  # levels within which a pixel matches a colour, for JPEG noise
_MAX_COLOURS = 6  # of strokes
_SAMPLE_SIDE = 640  # pixels on the longer side suffice to distinguish a mask from a photo


class Reading(NamedTuple):
    """hole: bool (H, W), True = hole, of the picture's size. about: clauses on how it was read. warnings: sentences.
    soft: whether its edge is soft. orientation: the picture's own by EXIF, 1 where it has none; 0 where the mask is
    known to belong to the upright photo.
    """

    hole: Bools
    about: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    soft: bool = False
    orientation: int = 1


def read(source: PhotoSource, photo: Photo, hole: Polarity) -> Reading:
    """Read a picture of a mask.

    source: as for ``photos.read``. photo: the photo of the mask. hole: as for ``masks.read``. Raises MaskError.
    """
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[2] == 1:
        source = source[..., 0]
    try:
        layer = photos.read(source)
    except PhotoError as error:
        raise MaskError(f"The mask cannot be used: {error}") from error
    orientation = layer.orientation
    if LABEL in layer.metadata.texts:
        hole, orientation = ("white" if hole == "auto" else hole), 0
    strength, about, inverted = _strength(layer, photo, hole)
    cut = strokes.cut(strength)
    clauses = (about, "including fainter strokes") if cut.weak else (about,)
    faint = (
        f"{cut.left_out:,} pixels of the mask are too faint to count as hole. Paint them more strongly to fill them."
    )
    return Reading(
        ~cut.hole if inverted else cut.hole, clauses, (faint,) if cut.left_out else (), cut.soft, orientation
    )


def is_plain(layer: Photo) -> bool:
    """Whether a picture of a mask has one colour, or is an empty layer, so that it marks nothing or everything."""
    if layer.alpha is not None and layer.alpha.max() < _MIN_SPREAD:
        return True
    return int(np.ptp(layer.pixels, axis=(0, 1)).max()) < _MIN_SPREAD


def encode(hole: Bools) -> bytes:
    """A mask as PNG, white = hole, with a label that tells ``read`` so. hole: bool (H, W)."""
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text(*LABEL)
    Image.fromarray(hole.astype(np.uint8) * np.uint8(255)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _strength(layer: Photo, photo: Photo, hole: Polarity) -> tuple[Strength, str, bool]:
    """The paint's strength at each pixel, a clause on how it was read, and whether the unpainted part is the hole."""
    pixels, alpha = layer.pixels[..., :1] if layer.grey else layer.pixels, layer.alpha
    if alpha is not None:
        low, high = int(alpha.min()), int(alpha.max())
        if high < _MIN_SPREAD:
            raise MaskError("The mask is an empty layer: nothing is painted on it. Paint over the area to fill.")
        if high - low >= _MIN_SPREAD:
            if _is_erased(layer, photo):
                return _stretched(255 - alpha), "the erased part of the photo is the hole", False
            return _stretched(alpha), "the painted part of the layer is the hole", False
    if pixels.max() == 1 and layer.source_format != "JPEG":
        pixels = np.where(pixels > 0, np.uint8(255), np.uint8(0))  # a picture of the numbers 0 and 1
    if not layer.grey and _chroma(pixels).max() > _MIN_CHROMA:
        return _from_colours(pixels, hole)
    tones = pixels[..., 0] if layer.grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return *_from_tones(np.ascontiguousarray(tones, np.uint8), hole), False


def _is_erased(layer: Photo, photo: Photo) -> bool:
    """Whether the layer is the photo itself with a part erased, not paint."""
    ratio = layer.width * photo.height / (layer.height * photo.width)
    if layer.alpha is None or abs(ratio - 1) > _MAX_RATIO_DIFFERENCE:
        return False
    # Small enough that it does not matter how either was resized.
    size = (_COMPARED_WIDTH, max(1, round(_COMPARED_WIDTH * photo.height / photo.width)))
    small, same = (cv2.resize(one.pixels, size, interpolation=cv2.INTER_AREA) for one in (layer, photo))
    kept = cv2.resize(layer.alpha, size, interpolation=cv2.INTER_AREA) >= 250
    difference = np.abs(small[kept].astype(np.int16) - same[kept])
    return bool(kept.any()) and float(difference.mean()) < 4 and float(small[kept].std(axis=0).max()) > 8


def _from_tones(tones: NDArray[np.uint8], hole: Polarity) -> tuple[Strength, str]:
    """Strength and clause from ``tones``, uint8 (H, W), white on black or black on white."""
    low, high = int(tones.min()), int(tones.max())
    if high - low < _MIN_SPREAD:
        light = "black" if high < 128 else "white" if low >= 128 else "grey"
        raise MaskError(f"The mask is entirely {light}, so it marks nothing or everything. {ADVICE}")
    white = _stretched(tones)
    guess, certain = _guess(white >= strokes.HALF)
    painted = {"white": white, "black": _stretched(255 - tones)}
    _refuse_photo(_sample(painted[guess]), _sample(painted[guess]))
    if hole != "auto":
        return painted[hole], f"{hole} is the hole (as specified)"
    if not certain:
        raise MaskError(
            "Either tone of the mask may be the hole: one surrounds the other, like a torn border around a photo. "
            "Specify it with --mask-hole white or --mask-hole black (mask_hole=)."
        )
    return painted[guess], f"{guess} is the hole (guessed)"


def _stretched(tones: NDArray[np.uint8]) -> Strength:
    """``tones``, uint8 (H, W) with at least two values, stretched to 0 to 255."""
    low, high = int(tones.min()), int(tones.max())
    levels = np.clip(np.rint((np.arange(256) - low) * (255 / (high - low))), 0, 255)
    return np.asarray(cv2.LUT(tones, levels.astype(np.uint8)), np.uint8)


def _guess(white: Bools) -> tuple[Polarity, bool]:
    """The tone of the hole, and whether it is certain.

    The hole is the tone that touches less of the border, or, where both touch it equally, the smaller one. But a torn
    border in white looks the same as a large hole in black: the guess is uncertain where size contradicts the border,
    and where the tone that touches less of it looks like a picture in a frame.
    """
    border = float(np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]]).mean())
    share = float(white.mean())
    if abs(border - 0.5) <= 0.05:
        return ("white" if share <= 0.5 else "black"), abs(share - 0.5) > 0.02
    guess: Polarity = "white" if border < 0.5 else "black"
    inner = white if guess == "white" else ~white
    *_, width, height = cv2.boundingRect(inner.astype(np.uint8))
    share, border, within = float(inner.mean()), min(border, 1 - border), inner.size / max(1, width * height)
    framed = share > 1 / 3 and share * within > 0.5 and border < 0.3
    return guess, share <= 0.5 and not framed


def _from_colours(pixels: NDArray[np.uint8], hole: Polarity) -> tuple[Strength, str, bool]:
    """As ``_strength``, from ``pixels``, uint8 (H, W, 3): strokes of one or more colours on a plain background."""
    sample = _sample(pixels)
    background = _background(pixels)
    colours, tones, unexplained = _stroke_colours(sample.reshape(-1, 3), background)
    shares = np.rint(tones * 255).astype(np.uint8).reshape(sample.shape[:2])
    if not len(colours):  # strokes so small that the sample missed them
        colours, _, unexplained = _stroke_colours(pixels[_chroma(pixels) > _MIN_CHROMA], background)
    if not len(colours) or unexplained > 0.25:
        raise _photo_like()
    # The distance from the background; the most distant colour is the strongest paint.
    strength = np.empty(pixels.shape[:2], np.uint8)
    furthest = float(np.sqrt(((colours - background) ** 2).sum(axis=1)).max())
    for start in range(0, len(pixels), 256):
        away = np.sqrt(((pixels[start : start + 256] - background) ** 2).sum(axis=2))
        strength[start : start + 256] = np.minimum(255, np.rint(away * (255 / furthest)))
    _refuse_photo(shares, _sample(strength))
    luminance = np.array([0.299, 0.587, 0.114], np.float32)
    if hole != "auto" and (hole == "white") == bool(background @ luminance > (colours @ luminance).mean()):
        return strength, f"{hole}, the background, is the hole (as specified)", True
    tone = "plain"
    if background.min() >= 255 - _COLOUR_TOLERANCE:
        tone = "white"
    elif background.max() <= _COLOUR_TOLERANCE:
        tone = "black"
    return strength, f"coloured strokes on a {tone} background are the hole", False


def _background(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The colour that covers most of the picture and its border; where two are close, a grey one."""
    sample = _sample(pixels).reshape(-1, 3)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    share = _bins(sample) + _bins(border)
    first, second = (_colour_at(sample, int(bin_)) for bin_ in np.argsort(share)[:-3:-1])
    ahead = float(np.sort(share)[-1] - np.sort(share)[-2])
    return second if ahead < 0.5 and np.ptp(first) > _MIN_CHROMA >= np.ptp(second) else first


def _stroke_colours(
    sample: NDArray[np.uint8], background: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """The colours of strokes, how far each pixel is from the background to one (0 to 1), and the share of painted
    pixels that lie between the background and none of these colours.
    """
    pixels = sample.astype(np.float32)
    tones: NDArray[Any] = np.zeros(len(pixels), np.float32)
    left = np.abs(pixels - background).max(axis=1) > _COLOUR_TOLERANCE
    painted = max(1, int(left.sum()))
    colours: list[NDArray[np.float32]] = []
    while left.sum() > 0.01 * painted and len(colours) < _MAX_COLOURS:
        colour = _colour_at(sample[left], int(_bins(sample[left]).argmax()))
        axis = colour - background
        along = np.clip((pixels - background) @ axis / max(float(axis @ axis), 1.0), 0, 1)
        difference = np.abs(pixels - background - along[:, None] * axis).max(axis=1)
        explained = left & (difference <= 1.5 * _COLOUR_TOLERANCE)
        if not explained.any():
            break
        # The first colour also gives the background's pixels their value, so that a soft edge does not end in a step.
        tones = np.where(explained, along, tones) if colours else along
        left &= ~explained
        colours.append(colour)
    tones[left] = 0.5
    return np.array(colours, np.float32).reshape(-1, 3), tones, float(left.sum() / painted)


def _refuse_photo(shares: Strength, strength: Strength) -> None:
    """Raise MaskError where strengths vary as in a photo, and are not those of strokes with a few strengths.

    shares: how far each pixel is from the background to the nearest stroke colour, or between the two tones.
    """
    if _has_peaks(shares):
        flat = strokes.flattened(strength)
        if flat is None or _has_peaks(flat):
            raise _photo_like()


def _has_peaks(strength: Strength) -> bool:
    """Whether values between the two tones have local extremes.

    Between its two tones a soft mask has only slopes, a photo has peaks and valleys as well. Measured on blurred, JPEG
    and brushed masks: at most 0.24 % of the intermediate pixels are extremes; on photos and cut-out faces: 0.44 % up.
    """
    tones = strength.astype(np.float32) / np.float32(255)
    between = (tones > 0.15) & (tones < 0.85)
    share = float(between.mean())
    if not 0.04 < share <= 0.5:
        return share > 0.5
    smooth = cv2.GaussianBlur(tones, (0, 0), 1.0)
    around = np.ones((7, 7), np.uint8)
    top, bottom = cv2.dilate(smooth, around), cv2.erode(smooth, around)
    extremes = ((smooth >= top) | (smooth <= bottom)) & (top - bottom > 0.02) & (smooth > 0.15) & (smooth < 0.85)
    return int(extremes.sum()) > 0.0035 * int(between.sum())


def _photo_like() -> MaskError:
    return MaskError(f"The mask looks like a photo, but a mask has two tones. {ADVICE}")


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th pixel, not averages, which would turn fine two-tone patterns grey."""
    step = max(1, max(pixels.shape[:2]) // _SAMPLE_SIDE)
    return pixels[::step, ::step]


def _chroma(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    red, green, blue = cv2.split(pixels)
    return cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))


def _bins(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Histogram of ``colours``, uint8 (N, 3), over 8 x 8 x 8 bins, as shares."""
    coarse = (colours >> 5).astype(np.intp)
    return np.bincount(coarse[:, 0] * 64 + coarse[:, 1] * 8 + coarse[:, 2], minlength=512) / max(1, len(colours))


def _colour_at(colours: NDArray[np.uint8], bin_: int) -> NDArray[np.float32]:
    """The median of the colours around a bin's centre, so that noise across the bin's edge does not shift it."""
    middle = np.array([bin_ // 64, bin_ // 8 % 8, bin_ % 8], np.float32) * 32 + 16
    near = np.abs(colours - middle).max(axis=1) <= _COLOUR_TOLERANCE
    return np.median(colours[near] if near.any() else middle[None], axis=0).astype(np.float32)
