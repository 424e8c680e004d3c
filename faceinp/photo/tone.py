"""The tone of monochrome photos, black and white or sepia. Their colours depend on brightness, and so must a fill's.

A network trained on colour photos gives skin a tint in them. Old prints are yellowed unevenly, stamped and written on:
the tone varies over the picture, and stamps and ink are outliers.

A colour differs from its own brightness g by ``curve(g) + shift(x, y) + slope(x, y) * (g - 1/2)``; shift and slope are
cubic polynomials. The model is fitted by iteratively reweighted least squares with the weights of Geman and McClure
(1987). Samples are the means of the cells of a bilateral grid (Chen, Paris and Durand 2007). Each cell counts once, so
that a large plain background, which is grey in colour photos as well, does not outvote a face.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.face import faces
from faceinp.photo.arrays import Doubles, Floats

MEANS = 32  # means of pixels along a side, in which errors of JPEG's colours average out
CELLS = 8  # of the bilateral grid along a side
LEVELS = 16  # of the bilateral grid in brightness
KNOTS = 9  # of the curve
DEGREE = 3  # of the polynomials in x and y
CURVATURE_PENALTY = 3e-3  # on the curve's second differences
VARIATION_PENALTY = 1e-3  # on variation over the picture
SCALES = np.maximum(1.5, 20 * 0.6 ** np.arange(12)) / 255  # of the robust weights: coarse first
DARK = 0.2  # brightness below which samples count less, as colours vanish towards black
BRIGHT = 0.9  # and above which they do towards white
# A photo is monochrome where MIN_SHARE of the samples lie within TOLERANCE grey levels of its tone (root mean square
# over the channels). Of 1,255 colour photos of faces with holes as users draw them 2 did, which have hardly any colour;
# of 378 made monochrome, yellowed, stamped or written on, and saved as JPEG of quality 60 to 98, 91 %.
MIN_SHARE = 0.65
TOLERANCE = 1.75
# Added to MIN_SHARE in proportion to how much of the crop's middle is hidden beyond half of it, as the surroundings of
# a hidden face are often grey in colour photos as well. With the whole face hidden, 3 of 240 colour photos were taken
# for monochrome.
HIDDEN_FACE_SHARE = 0.2
# What the polynomials miss, such as a stain, is averaged locally.
LOCAL_SIGMA = 1.5  # cells of the means, over which it is averaged
STAIN = 8.0  # grey levels: a difference so large counts a quarter
LOCAL_PRIOR = 0.01  # weight of zero in the average, for where few pixels are known or all are outliers
EDGE = 1 / 85  # of the side: known pixels so near the hole are mixed with the hidden ones, mostly by JPEG


@dataclass(frozen=True, eq=False)
class Tone:
    """How the colours of a crop differ from their brightness, in each channel.

    curve: (KNOTS, 3), at brightnesses equally spaced over [0, 1]. field: float32 (MEANS, MEANS, 6), over the crop:
    three shifts, then three slopes, which are multiplied by the brightness minus 1/2.
    """

    curve: Doubles
    field: Floats

    def match_edge(self, pixels: NDArray[np.uint8], hole: NDArray[np.bool_], quad: Doubles) -> NDArray[np.uint8]:
        """The picture with the known pixels beside its hole in this tone, so that a blend spreads no other colour.

        Pixels outside the crop stay as they are: a faded photo may have colours there that its face has not.

        pixels: uint8 (H, W, 3). hole: bool (H, W). quad: the crop's corners in it, (4, 2), see ``faces.quad``.
        """
        from scipy.ndimage import map_coordinates

        rows, columns = np.nonzero((cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~hole)
        in_crop = faces.to_crop(np.stack([columns, rows], axis=1) + 0.5, quad)
        inside = (np.abs(in_crop - 0.5) <= 0.5).all(axis=1)
        matched = pixels.copy()
        if inside.any():
            beside = rows[inside], columns[inside]
            x, y = in_crop[inside].T * MEANS - 0.5
            field = [map_coordinates(part, [y, x], order=1, mode="nearest") for part in np.moveaxis(self.field, 2, 0)]
            colours = pixels[beside][:, None].astype(np.float32) / np.float32(255)
            toned = self._apply(colours, np.stack(field, axis=-1)[:, None])[:, 0]
            matched[beside] = np.rint(255 * np.clip(toned, 0, 1))
        return matched

    def __call__(self, picture: Floats, to_crop: Doubles | None = None) -> Floats:
        """The picture in this tone, at its own brightness: float32 (H, W, 3).

        picture: float32 (H, W, 3), about [0, 1]: the crop at any size, or another window of the photo. to_crop: affine
        map (2, 3) from that window's coordinates to shares of the crop's side; None for the crop itself. Outside the
        crop the tone is that of its border.
        """
        return self._apply(picture, self._warped(picture.shape[:2], to_crop))

    def _apply(self, picture: Floats, field: Floats) -> Floats:
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
        knots = np.linspace(0, 1, KNOTS)
        toned = np.empty_like(picture)
        for channel in range(3):
            offset = np.interp(grey, knots, self.curve[:, channel]).astype(np.float32)
            shift, slope = field[..., channel], field[..., channel + 3]
            toned[..., channel] = grey + offset + shift + slope * (grey - np.float32(0.5))
        return toned

    def _warped(self, shape: tuple[int, ...], to_crop: Doubles | None) -> Floats:
        """The field at each pixel of a window."""
        height, width = shape
        axes = np.array([[1 / width, 0, 0], [0, 1 / height, 0]]) if to_crop is None else to_crop
        matrix = axes * MEANS
        matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # pixel numbers: half a pixel less than coordinates
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        parts = [self.field[..., :3], self.field[..., 3:]]  # warpAffine takes four channels at most
        warped = [
            cv2.warpAffine(part, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for part in parts
        ]
        return np.concatenate(warped, axis=2)


def estimate_tone(pixels: NDArray[np.uint8], hole: NDArray[np.bool_]) -> Tone | None:
    """The tone of the known pixels of a face crop; None where they have real colours, or there are none.

    pixels: uint8 (S, S, 3). hole: bool (S, S).
    """
    middle = ~hole[len(hole) // 4 : -(len(hole) // 4), len(hole) // 4 : -(len(hole) // 4)]
    share = MIN_SHARE + HIDDEN_FACE_SHARE * max(0.0, 1 - 2 * np.count_nonzero(middle) / middle.size)
    reach = 2 * round(EDGE * len(hole)) + 1
    hole = cv2.dilate(hole.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    means, known = _means(pixels, hole)
    colours, x, y = _samples(means, known)
    if not len(colours):
        return None
    grey = _grey(colours)
    offsets = colours - grey[:, None]
    counts = np.clip(grey / DARK, 0, 1) * np.clip((1 - grey) / (1 - BRIGHT), 0, 1) + 1e-6
    design = np.hstack([_hats(grey), _polynomials(x, y), _polynomials(x, y) * (grey - 0.5)[:, None]])
    penalty = len(grey) * _penalty(design.shape[1])
    weights = counts
    for scale in SCALES:
        normal = (design * weights[:, None]).T
        fit = np.linalg.solve(normal @ design + penalty, normal @ offsets)
        errors = np.sqrt(((offsets - design @ fit) ** 2).mean(axis=1))
        weights = counts / (1 + (errors / scale) ** 2) ** 2
    within = 255 * errors < TOLERANCE
    if counts[within].sum() < share * counts.sum():
        return None
    x, y = _centres(MEANS, MEANS)
    shifts, slopes = np.split(fit[KNOTS:], 2)
    field = np.hstack([_polynomials(x, y) @ shifts, _polynomials(x, y) @ slopes]).reshape(MEANS, MEANS, 6)
    tone = Tone(np.asarray(fit[:KNOTS], np.float64), field.astype(np.float32))
    missed = means - tone(means)
    weights = known / (1 + (255 / STAIN) ** 2 * (missed**2).mean(axis=2)) ** 2
    near = [cv2.GaussianBlur(part, (0, 0), LOCAL_SIGMA) for part in (missed * weights[..., None], weights)]
    local = cv2.resize(near[0] / (near[1] + LOCAL_PRIOR)[..., None], (MEANS, MEANS))
    return Tone(tone.curve, tone.field + np.dstack([local, np.zeros_like(local)]))


def _means(pixels: NDArray[np.uint8], hole: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Means of the known pixels in MEANS x MEANS squares, (M, M, 3) in [0, 1], and the known share of each square."""
    known = (~hole).astype(np.float32)
    size = (min(MEANS, hole.shape[1]), min(MEANS, hole.shape[0]))
    share = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32)
    sums = cv2.resize(pixels * (known / np.float32(255))[..., None], size, interpolation=cv2.INTER_AREA)
    means = np.divide(sums, share[..., None], out=np.zeros(sums.shape, np.float32), where=share[..., None] > 0)
    return means, share


def _samples(means: Floats, known: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Mean colours (N, 3) of the bilateral grid's cells, and their mean x and y in shares of the side, (N,) each."""
    colours, weights = means.reshape(-1, 3).astype(np.float64), known.ravel().astype(np.float64)
    x, y = _centres(*known.shape)
    level = np.minimum(_grey(colours) * LEVELS, LEVELS - 1)
    grid = (CELLS, CELLS, LEVELS)
    cells = np.ravel_multi_index([part.astype(int) for part in (y * CELLS, x * CELLS, level)], grid)
    total = np.bincount(cells, weights, int(np.prod(grid)))
    occupied = total >= 1

    def mean(values: Doubles) -> Doubles:
        return np.bincount(cells, weights * values, len(total))[occupied] / total[occupied]

    return np.stack([mean(channel) for channel in colours.T], axis=1), mean(x), mean(y)


def _centres(height: int, width: int) -> tuple[Doubles, Doubles]:
    """x and y of the centres of height * width squares, in shares of the side, (height * width,) each."""
    rows, columns = np.indices((height, width)).reshape(2, -1)
    return (columns + 0.5) / width, (rows + 0.5) / height


def _grey(colours: Doubles) -> Doubles:
    """Brightness by OpenCV's weights, (N, 3) -> (N,)."""
    return colours @ np.array([0.299, 0.587, 0.114])


def _hats(grey: Doubles) -> Doubles:
    """Weights of KNOTS values in a linear interpolation, (N, KNOTS)."""
    return np.maximum(0, 1 - np.abs(grey[:, None] * (KNOTS - 1) - np.arange(KNOTS)))


def _polynomials(x: Doubles, y: Doubles) -> Doubles:
    """Monomials of x and y, shares of the side, (N,) each, without the constant, which the curve contains: (N, 9)."""
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i) if i + j]
    return np.stack([(2 * x - 1) ** i * (2 * y - 1) ** j for i, j in powers], axis=1)


def _penalty(count: int) -> Doubles:
    bends = np.zeros((KNOTS - 2, count))
    for k in range(KNOTS - 2):
        bends[k, k : k + 3] = 1, -2, 1
    return CURVATURE_PENALTY * bends.T @ bends + np.diag([1e-6] * KNOTS + [VARIATION_PENALTY] * (count - KNOTS))
