"""Pictures of masks: which part is the hole, and how that was read. A photo's own colours are never read as a mask."""

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
from faceinp.photo.photos import Photo

Polarity = Literal["auto", "white", "black"]

ADVICE = "Paint the hole in another tone than the rest of the mask, or on a transparent layer."
LABEL = ("Comment", "A mask by faceinp: white is the hole, on the upright photo.")  # a text of a PNG
_SAME_SHAPE, _COMPARED = (
    0.02,
    160,
)  # of a photo and its erased copy: proportions, and the width at which they are compared
_SPREAD = 32  # levels; less than this is one tone: JPEG noise, or a scan's paper
_COLOURED = 48  # levels between a pixel's greatest and least channel
_NEAR = 40  # levels within which a pixel has a colour, JPEG noise and all
_COLOURS = 6  # colours of strokes looked for
_SAMPLE = 640  # pixels on the longer side are enough to tell a mask from a photo


class Reading(NamedTuple):
    """hole: bool (H, W), True = hole, of the picture's size. about: clauses on how it was read. warnings: sentences.
    soft: whether its edge is soft. orientation: EXIF's number of the picture's own, 1 where it has none; 0 where it is
    known to lie on the upright photo.
    """

    hole: Bools
    about: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    soft: bool = False
    orientation: int = 1


def read(source: Any, photo: Photo, hole: Polarity) -> Reading:
    """Read a picture of a mask.

    source: as for ``photo.read``. photo: what the mask belongs to. hole: as for ``masks.read``. Raises MaskError.
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
    clauses = (about, "fainter strokes too") if cut.weak else (about,)
    faint = (
        f"{cut.left_out:,} pixels of the mask are painted too faintly to count as hole. Paint them more strongly "
        "if they should."
    )
    return Reading(
        ~cut.hole if inverted else cut.hole, clauses, (faint,) if cut.left_out else (), cut.soft, orientation
    )


def is_plain(layer: Photo) -> bool:
    """Whether a picture of a mask marks nothing or everything: it has one colour, or nothing is painted on it."""
    if layer.alpha is not None and layer.alpha.max() < _SPREAD:
        return True
    return int(np.ptp(layer.pixels, axis=(0, 1)).max()) < _SPREAD


def encode(hole: Bools) -> bytes:
    """A mask as PNG, white = hole, with a label by which ``read`` needs no guess. hole: bool (H, W)."""
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text(*LABEL)
    Image.fromarray(hole.astype(np.uint8) * np.uint8(255)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _strength(layer: Photo, photo: Photo, hole: Polarity) -> tuple[Strength, str, bool]:
    """How strongly each pixel is painted, how that was read, and whether the hole is what is not painted."""
    pixels, alpha = layer.pixels[..., :1] if layer.grey else layer.pixels, layer.alpha
    if alpha is not None:
        low, high = int(alpha.min()), int(alpha.max())
        if high < _SPREAD:
            raise MaskError("The mask is an empty layer: nothing is painted on it. Paint over what is to be filled.")
        if high - low >= _SPREAD:
            if _is_erased(layer, photo):
                return _stretched(255 - alpha), "the erased part of the photo is the hole", False
            return _stretched(alpha), "the painted part of the layer is the hole", False
    if pixels.max() == 1 and layer.source_format != "JPEG":
        pixels = np.where(pixels > 0, np.uint8(255), np.uint8(0))  # a picture of the numbers 0 and 1
    if not layer.grey and _chroma(pixels).max() > _COLOURED:
        return _from_colours(pixels, hole)
    tones = pixels[..., 0] if layer.grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return *_from_tones(np.ascontiguousarray(tones, np.uint8), hole), False


def _is_erased(layer: Photo, photo: Photo) -> bool:
    """Whether the layer is the photo itself, a part of which was erased, and no paint."""
    if layer.alpha is None or abs(layer.width * photo.height / (layer.height * photo.width) - 1) > _SAME_SHAPE:
        return False
    # Both at a size at which it does not count how either was resized.
    size = (_COMPARED, max(1, round(_COMPARED * photo.height / photo.width)))
    small, same = (cv2.resize(one.pixels, size, interpolation=cv2.INTER_AREA) for one in (layer, photo))
    kept = cv2.resize(layer.alpha, size, interpolation=cv2.INTER_AREA) >= 250
    difference = np.abs(small[kept].astype(np.int16) - same[kept])
    return bool(kept.any()) and float(difference.mean()) < 4 and float(small[kept].std(axis=0).max()) > 8


def _from_tones(tones: NDArray[np.uint8], hole: Polarity) -> tuple[Strength, str]:
    """tones: uint8 (H, W), white on black or black on white."""
    low, high = int(tones.min()), int(tones.max())
    if high - low < _SPREAD:
        light = "black" if high < 128 else "white" if low >= 128 else "grey"
        raise MaskError(f"The mask is {light} all over: it marks nothing, or everything. {ADVICE}")
    white = _stretched(tones)
    guess, plain = _guess(white >= strokes.HALF)
    painted = {"white": white, "black": _stretched(255 - tones)}
    _refuse_photo(_sample(painted[guess]), _sample(painted[guess]))
    if hole != "auto":
        return painted[hole], f"{hole} is the hole (as specified)"
    if not plain:
        raise MaskError(
            "Either tone of the mask may be the hole: one lies around the other, as a torn border does around a photo. "
            "Say which it is with --mask-hole white or --mask-hole black (mask_hole=)."
        )
    return painted[guess], f"{guess} is the hole (guessed)"


def _stretched(tones: NDArray[np.uint8]) -> Strength:
    """tones: uint8 (H, W), of two values at least; of the result the least is 0, the greatest 255."""
    low, high = int(tones.min()), int(tones.max())
    levels = np.clip(np.rint((np.arange(256) - low) * (255 / (high - low))), 0, 255)
    return np.asarray(cv2.LUT(tones, levels.astype(np.uint8)), np.uint8)


def _guess(white: Bools) -> tuple[Polarity, bool]:
    """Which tone is the hole, and whether that is plain.

    It is the one that touches less of the border, or, where both touch it alike, the smaller one. But a torn border in
    white is the same picture as a large hole in black: it is not plain where size contradicts the border, nor where
    what touches less of it looks like a picture in a frame.
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
    """pixels: uint8 (H, W, 3), strokes of one or several colours on a plain background."""
    sample = _sample(pixels)
    background = _background(pixels)
    colours, tones, unexplained = _stroke_colours(sample.reshape(-1, 3), background)
    shares = np.rint(tones * 255).astype(np.uint8).reshape(sample.shape[:2])
    if not len(colours):  # strokes so small that the sample missed them
        colours, _, unexplained = _stroke_colours(pixels[_chroma(pixels) > _COLOURED], background)
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
    ground = "white" if background.min() >= 255 - _NEAR else "black" if background.max() <= _NEAR else "plain"
    return strength, f"coloured strokes on a {ground} background are the hole", False


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


def _refuse_photo(shares: Strength, strength: Strength) -> None:
    """Raise MaskError where a picture's strengths are a photo's, and not those of strokes of a few strengths.

    shares: how far each pixel is from the background to the nearest colour of a stroke, or between two tones.
    """
    if _has_peaks(shares):
        flat = strokes.flattened(strength)
        if flat is None or _has_peaks(flat):
            raise _photo_like()


def _has_peaks(strength: Strength) -> bool:
    """Whether there is more between the two tones than slopes.

    Between its two tones a soft mask only slopes, a photo has peaks and valleys as well. Measured on blurred, JPEG and
    brushed masks: at most 0.24 % of the pixels between are peaks or valleys; on photos and cut-out faces: 0.44 % up.
    """
    tones = strength.astype(np.float32) / np.float32(255)
    between = (tones > 0.15) & (tones < 0.85)
    share = float(between.mean())
    if not 0.04 < share <= 0.5:
        return share > 0.5
    smooth = cv2.GaussianBlur(tones, (0, 0), 1.0)
    around = np.ones((7, 7), np.uint8)
    top, bottom = cv2.dilate(smooth, around), cv2.erode(smooth, around)
    turns = ((smooth >= top) | (smooth <= bottom)) & (top - bottom > 0.02) & (smooth > 0.15) & (smooth < 0.85)
    return int(turns.sum()) > 0.0035 * int(between.sum())


def _photo_like() -> MaskError:
    return MaskError(f"The mask looks like a photo; a mask has two tones. {ADVICE}")


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
