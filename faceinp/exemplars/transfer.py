"""Real pixels into the hole: exemplars sampled at the photo's own resolution and joined to what the engine drew."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend import blending
from faceinp.exemplars.exemplar import SIZE, Crop, Exemplar, other_half
from faceinp.exemplars.fields import grey
from faceinp.exemplars.match import Match, match
from faceinp.exemplars.sources import SYMMETRY
from faceinp.face import faces
from faceinp.photo.tone import Tone

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Window = tuple[slice, slice]

# Of the crop's side: structure smaller than this is the exemplar's. The other half is of the same moment and light.
LEAD, LEAD_OF_OTHER_HALF = 0.021, 0.05
SHRINKING = 1.25  # times as fine as the photo, from which on an exemplar is averaged before it is sampled
COUNTED = 0.5  # the confidence from which on a pixel counts as the exemplar's
STEP = 8  # pixels between the points at which a map is evaluated: it is smooth
AGREE = 0.1  # standard deviation, of the crop's side, over which neighbours agree on one exemplar
WHOLE = 1.0  # how much the mean confidence of an exemplar counts when one is chosen


def apply(
    image: Pixels,
    hole: Bools,
    quad: NDArray[np.float64],
    target: Crop,
    *,
    symmetry: bool,
    references: Sequence[Exemplar] = (),
    tone: Tone | None = None,
    drawn: bool = True,
) -> tuple[Pixels, NDArray[np.uint8], dict[int, str]]:
    """Put real pixels into a filled photo.

    image: uint8 (H, W, 3), the photo with its hole filled. hole: bool (H, W). quad: of the face's crop, (4, 2), as
    ``faces.quad`` returns it. target: that crop. symmetry: whether the face's other half is an exemplar. tone: the
    photo's, if it is monochrome. drawn: whether the hole holds a face that an engine drew. Returns the photo
    with real pixels where exemplars serve (the image itself where none does), their codes, uint8 (H, W), 0 where none
    does, and of each exemplar by its code why it was left aside, a clause, empty where it was not.
    """
    sources = np.zeros(hole.shape, np.uint8)
    exemplars = [*([other_half(image, quad, target)] if symmetry else ()), *references]
    if not exemplars:
        return image, sources, {}
    matches = [match(target, one.crop, mirrored=one.code == SYMMETRY, drawn=drawn) for one in exemplars]
    window = blending.around(hole)
    part, to_crop = hole[window], _to_crop(quad, window)
    filled = image[window]
    if tone is not None:
        filled = tone.match_edge(filled, part, quad - (window[1].start, window[0].start))
    guides: list[tuple[Floats, Floats]] = []
    screening = np.zeros(part.shape, np.float32)
    for exemplar, found, weight in zip(exemplars, matches, share_out(matches), strict=True):
        here = _enlarged(weight, to_crop, part.shape)
        counted = part & (here >= COUNTED)
        if not counted.any():
            continue
        guide = sample(exemplar, found, to_crop, part.shape)
        if tone is not None:
            guide = tone(guide, to_crop)
        elif exemplar.monochrome:  # it knows no colours: those that the engine drew stay
            colours = filled.astype(np.float32) / np.float32(255)
            guide = colours + (grey(guide) - grey(colours))[..., None]
        guides.append((guide, here))
        lead = (LEAD_OF_OTHER_HALF if exemplar.code == SYMMETRY else LEAD) * faces.side(quad)
        screening += here * _enlarged(found.stray, to_crop, part.shape) / lead**2
        sources[window][counted] = exemplar.code
    problems = {one.code: found.problem for one, found in zip(exemplars, matches, strict=True)}
    if not guides:
        return image, sources, problems
    joined = image.copy()
    if target.known.any():
        joined[window][part] = blending.transfer_detail(filled, part, guides, screening)[part]
    else:  # of a face that is hidden whole nothing says what its colours should be: they are the reference's
        joined[window][part] = _laid_over(filled, part, guides)[part]
    return joined, sources, problems


def _laid_over(filled: Pixels, hole: Bools, guides: Sequence[tuple[Floats, Floats]]) -> Pixels:
    """The picture with guides over it where the hole is, as opaque as their weights say."""
    picture = filled.astype(np.float32) / np.float32(255)
    for guide, weight in guides:
        picture += weight[..., None] * (guide - picture)
    return blending.composite(filled, picture, hole)


def share_out(matches: Sequence[Match]) -> list[Floats]:
    """Each pixel to the exemplar that is surest around it: weights (SIZE, SIZE) in [0, 1], whose sum is at most 1.

    One that is surer as a whole is preferred, so that a face is not patched together without need.
    """
    if len(matches) == 1:
        return [matches[0].confidence]
    sure = [found.confidence for found in matches]
    around = np.stack([cv2.GaussianBlur(one, (0, 0), AGREE * SIZE) * one.mean() ** WHOLE for one in sure])
    best = around.argmax(axis=0)
    return [one * cv2.GaussianBlur((best == k).astype(np.float32), (0, 0), 2.0) for k, one in enumerate(sure)]


def sample(exemplar: Exemplar, found: Match, to_crop: NDArray[np.float64], shape: tuple[int, int]) -> Floats:
    """The exemplar where the photo's window is, in the photo's light: float32 (h, w, 3), about [0, 1]."""
    height, width = shape
    along = [np.arange(-1, -(-size // STEP) + 1) * STEP + STEP / 2 for size in (width, height)]
    nodes = np.stack(np.meshgrid(*along), axis=-1)
    on_crop = nodes @ to_crop[:, :2].T + to_crop[:, 2]
    at = faces.to_photo(found.map.at(on_crop).reshape(-1, 2), exemplar.quad)
    at = np.asarray(cv2.resize(at.reshape(nodes.shape), None, fx=STEP, fy=STEP, interpolation=cv2.INTER_LINEAR))
    at = at[STEP : STEP + height, STEP : STEP + width]
    if found.gaze.any():
        at = _moved(at, _enlarged(found.gaze, to_crop, shape), to_crop)
    low = np.clip(np.floor(at.min(axis=(0, 1)) - 4), 0, np.array(exemplar.pixels.shape[1::-1]) - 1).astype(int)
    high = np.clip(np.ceil(at.max(axis=(0, 1)) + 4), low + 1, exemplar.pixels.shape[1::-1]).astype(int)
    pixels, at = exemplar.pixels[low[1] : high[1], low[0] : high[0]], at - low.astype(np.float32)
    scale = faces.side(exemplar.quad) * np.sqrt(abs(np.linalg.det(to_crop[:, :2])))  # of its pixels to the photo's
    if scale > SHRINKING:  # average before it gets smaller, or fine structure turns into false structure
        size = [max(1, round(side / scale)) for side in pixels.shape[1::-1]]
        at = at * (np.array(size, np.float32) / pixels.shape[1::-1])
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    at = at.astype(np.float32) - np.float32(0.5)
    if found.light.blur:
        deviation = found.light.blur * faces.side(exemplar.quad) / (scale if scale > SHRINKING else 1)
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), deviation), np.uint8)
    looked = cv2.remap(pixels, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    field, large = (_enlarged(one, to_crop, shape) for one in (found.light.field, found.light.large))
    return found.light.on(np.asarray(looked, np.float32) / np.float32(255), field, large)


def _moved(at: Floats, shift: Floats, to_crop: NDArray[np.float64]) -> Floats:
    """``at`` (h, w, 2), taken ``shift`` (h, w, 2) away from each pixel of the window; in shares of the crop's side."""
    pixels = shift @ np.linalg.inv(to_crop[:, :2]).T
    rows, columns = np.indices(at.shape[:2], np.float32)
    x, y = (columns - pixels[..., 0]).astype(np.float32), (rows - pixels[..., 1]).astype(np.float32)
    return np.asarray(cv2.remap(at, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _enlarged(map_of_crop: Floats, to_crop: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    """A map (SIZE, SIZE, ...) of the crop at the pixels of the photo's window, (h, w, ...); 0 beyond the crop."""
    matrix = to_crop * SIZE
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # pixel numbers: half a pixel less than coordinates
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(map_of_crop, matrix, shape[::-1], flags=flags), np.float32)


def _to_crop(quad: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """The affine map (2, 3) of a window's coordinates to shares of the crop's side."""
    axes = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]])).T
    start = np.array([window[1].start, window[0].start]) - quad[0]
    return np.column_stack([axes, axes @ start])
