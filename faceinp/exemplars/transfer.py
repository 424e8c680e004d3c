"""Transfer pixels of exemplars into the hole, at the photo's own resolution, and blend them with the generated ones."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.blend import blending
from faceinp.exemplars.exemplar import SIZE, AlignedFace, Exemplar, other_half
from faceinp.exemplars.fields import grey
from faceinp.exemplars.match import Match, match
from faceinp.exemplars.sources import SYMMETRY
from faceinp.face import faces
from faceinp.photo.arrays import Bools, Floats, Pixels, Window, bounding_window, resize
from faceinp.photo.tone import Tone

# Structure smaller than this is the exemplar's; shares of the crop's side.
DETAIL_SCALE = 0.021
DETAIL_SCALE_SYMMETRY = 0.05  # larger, since the other half was taken at the same moment in the same light
MAX_SAMPLING_RATIO = 1.25  # of exemplar to photo; an exemplar with a higher resolution is averaged before sampling
SOURCE_CONFIDENCE = 0.5  # from which on a pixel counts as the exemplar's
GRID_STEP = 8  # pixels between the points at which a map is evaluated: it is smooth
AGREEMENT_SCALE = 0.1  # standard deviation over which neighbours choose one exemplar; share of the crop's side
MEAN_CONFIDENCE_POWER = 1.0  # of an exemplar's mean confidence, in the choice of an exemplar


def apply(
    image: Pixels,
    hole: Bools,
    quad: NDArray[np.float64],
    target: AlignedFace,
    *,
    symmetry: bool,
    references: Sequence[Exemplar] = (),
    tone: Tone | None = None,
    face_generated: bool = True,
) -> tuple[Pixels, NDArray[np.uint8], dict[int, str]]:
    """Put real pixels into a filled photo.

    image: uint8 (H, W, 3), the filled photo. hole: bool (H, W). quad: (4, 2), corners of the face's crop, as
    ``faces.quad`` returns them. target: that crop. symmetry: whether the other half of the face is an exemplar.
    references: further exemplars. tone: of a monochrome photo, else None. face_generated: whether the hole shows a
    generated face. Returns (photo, codes, problems): uint8 (H, W, 3), the image itself where no exemplar is usable;
    uint8 (H, W), 0 where no pixel is real; why each exemplar was not used, by its code, a clause, empty if it was used.
    """
    sources = np.zeros(hole.shape, np.uint8)
    exemplars = [*([other_half(image, quad, target)] if symmetry else ()), *references]
    if not exemplars:
        return image, sources, {}
    matches = [
        match(target, one.crop, mirrored=one.code == SYMMETRY, face_generated=face_generated) for one in exemplars
    ]
    window = bounding_window(hole, margin=1)
    part, to_crop = hole[window], _to_crop(quad, window)
    filled = image[window]
    if tone is not None:
        filled = tone.match_edge(filled, part, quad - (window[1].start, window[0].start))
    guides: list[tuple[Floats, Floats]] = []
    screening = np.zeros(part.shape, np.float32)
    for exemplar, fit, crop_weights in zip(exemplars, matches, choose(matches), strict=True):
        weights = _on_photo(crop_weights, to_crop, part.shape)
        used = part & (weights >= SOURCE_CONFIDENCE)
        if not used.any():
            continue
        guide = sample(exemplar, fit, to_crop, part.shape)
        if tone is not None:
            guide = tone(guide, to_crop)
        elif exemplar.monochrome:  # it has no colours, so the generated ones stay
            colours = filled.astype(np.float32) / np.float32(255)
            guide = colours + (grey(guide) - grey(colours))[..., None]
        guides.append((guide, weights))
        scale = (DETAIL_SCALE_SYMMETRY if exemplar.code == SYMMETRY else DETAIL_SCALE) * faces.side(quad)
        screening += weights * _on_photo(fit.deviation, to_crop, part.shape) / scale**2
        sources[window][used] = exemplar.code
    problems = {one.code: fit.problem for one, fit in zip(exemplars, matches, strict=True)}
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


def choose(matches: Sequence[Match]) -> list[Floats]:
    """Choose an exemplar for each pixel, the one with the highest confidence around it.

    Returns weights (SIZE, SIZE) in [0, 1] for each, whose sum is at most 1. An exemplar with a higher mean confidence
    is preferred, so that few exemplars are mixed in one face.
    """
    if len(matches) == 1:
        return [matches[0].confidence]
    confidences = [match.confidence for match in matches]
    scores = np.stack(
        [
            cv2.GaussianBlur(one, (0, 0), AGREEMENT_SCALE * SIZE) * one.mean() ** MEAN_CONFIDENCE_POWER
            for one in confidences
        ]
    )
    best = scores.argmax(axis=0)
    return [one * cv2.GaussianBlur((best == k).astype(np.float32), (0, 0), 2.0) for k, one in enumerate(confidences)]


def sample(exemplar: Exemplar, fit: Match, to_crop: NDArray[np.float64], shape: tuple[int, int]) -> Floats:
    """Sample the exemplar at the pixels of a window of the photo, in the photo's light.

    to_crop: (2, 3), from coordinates in the window to shares of the crop's side. shape: (h, w) of the window. Returns
    float32 (h, w, 3), about [0, 1].
    """
    at = _positions(exemplar, fit, to_crop, shape)
    low = np.clip(np.floor(at.min(axis=(0, 1)) - 4), 0, np.array(exemplar.pixels.shape[1::-1]) - 1).astype(int)
    high = np.clip(np.ceil(at.max(axis=(0, 1)) + 4), low + 1, exemplar.pixels.shape[1::-1]).astype(int)
    pixels, at = exemplar.pixels[low[1] : high[1], low[0] : high[0]], at - low.astype(np.float32)
    ratio = faces.side(exemplar.quad) * np.sqrt(abs(np.linalg.det(to_crop[:, :2])))  # its resolution over the photo's
    if ratio > MAX_SAMPLING_RATIO:  # average before shrinking, against aliasing
        size = [max(1, round(side / ratio)) for side in pixels.shape[1::-1]]
        at = at * (np.array(size, np.float32) / pixels.shape[1::-1])
        pixels = resize(pixels, *size)
    at = at.astype(np.float32) - np.float32(0.5)
    if fit.light.blur:
        deviation = fit.light.blur * faces.side(exemplar.quad) / (ratio if ratio > MAX_SAMPLING_RATIO else 1)
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), deviation), np.uint8)
    sampled = cv2.remap(pixels, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    field, large = (_on_photo(one, to_crop, shape) for one in (fit.light.field, fit.light.large))
    return fit.light.apply(np.asarray(sampled, np.float32) / np.float32(255), field, large)


def _positions(exemplar: Exemplar, fit: Match, to_crop: NDArray[np.float64], shape: tuple[int, int]) -> Floats:
    """The coordinates in the exemplar's photo of each pixel of a window: float32 (h, w, 2)."""
    height, width = shape
    along = [np.arange(-1, -(-size // GRID_STEP) + 1) * GRID_STEP + GRID_STEP / 2 for size in (width, height)]
    nodes = np.stack(np.meshgrid(*along), axis=-1)
    on_crop = nodes @ to_crop[:, :2].T + to_crop[:, 2]
    at = faces.to_photo(fit.map.at(on_crop).reshape(-1, 2), exemplar.quad).reshape(nodes.shape)
    at = np.asarray(cv2.resize(at, None, fx=GRID_STEP, fy=GRID_STEP, interpolation=cv2.INTER_LINEAR), np.float32)
    at = at[GRID_STEP : GRID_STEP + height, GRID_STEP : GRID_STEP + width]
    return _shifted(at, _on_photo(fit.gaze, to_crop, shape), to_crop) if fit.gaze.any() else at


def _shifted(at: Floats, shift: Floats, to_crop: NDArray[np.float64]) -> Floats:
    """``at`` (h, w, 2), sampled ``shift`` (h, w, 2) before each pixel of the window; in shares of the crop's side."""
    pixels = shift @ np.linalg.inv(to_crop[:, :2]).T
    rows, columns = np.indices(at.shape[:2], np.float32)
    x, y = (columns - pixels[..., 0]).astype(np.float32), (rows - pixels[..., 1]).astype(np.float32)
    return np.asarray(cv2.remap(at, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _on_photo(map_of_crop: Floats, to_crop: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    """A map (SIZE, SIZE, ...) of the crop at the pixels of the photo's window, (h, w, ...); 0 beyond the crop."""
    matrix = to_crop * SIZE
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # pixel indices are coordinates less half a pixel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(map_of_crop, matrix, shape[::-1], flags=flags), np.float32)


def _to_crop(quad: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """The affine map (2, 3) from a window's coordinates to shares of the crop's side."""
    axes = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]])).T
    start = np.array([window[1].start, window[0].start]) - quad[0]
    return np.column_stack([axes, axes @ start])
