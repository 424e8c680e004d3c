"""Grain of film, paper or a sensor. An engine's output has none and looks waxy beside it, so the photo's is added.

Grain is measured on flat known regions of the photo and synthesised as discrete spot noise (Galerne, Gousseau and Morel
2011, *Random phase textures*, section 2): white noise convolved with a sample has the sample's spectrum, and with it
the size, strength and colours of its grain.

Other fine structure is recognised by its statistics over the flattest samples. Grain is equally strong in all of them,
has no direction, and its values are nearly normal. Detail of small photos varies in strength, runs along edges and has
heavy tails; the lines of an engraving have a direction; a halftone's spectrum has peaks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.photo.arrays import Floats

FACE_WIDTH = 256  # pixels: samples have the sizes below on a face so wide, and grow with a wider one
MAX_SCALE = 4  # how many times larger samples may be
SAMPLE_SIDE = 24  # pixels
SAMPLE_MARGIN = 6  # pixels cut off around a sample, where the blur lacks neighbours
BLUR_SIGMA = 1.5  # pixels: the blur keeps form and removes grain
REACH = 256  # pixels around the hole in which samples are taken
MAX_SAMPLES_PER_AXIS = 16
MIN_SAMPLES = 12
FLATTEST_SHARE = 0.05  # of the samples: these show grain alone
MAX_KEPT_SAMPLES = 8  # of the flattest
DARKEST = 0.08  # mean of a sample; film and files clip grain below it
BRIGHTEST = 0.92  # and above this
MIN_STRENGTH = 2.0  # standard deviation in grey levels
# Detail is distinguished from grain on the flattest samples, COMPARED_SHARE of them all, by a weighted sum of three
# measures: the logarithm of how much their strength varies, their anisotropy (0 to 1), and their excess kurtosis. Of 40
# photos with faces, shrunk to 72 to 900 pixels and saved as JPEG of quality 60, 90 or not at all, at most 1 was below
# the threshold at each size; with grain of 5 levels added, 98 % of those of 256 pixels and more, 70 % of those of 120
# pixels, and 24 % of those of 72.
COMPARED_SHARE = 0.15
VARIATION_WEIGHT = 1.0
ANISOTROPY_WEIGHT = 4.0
KURTOSIS_WEIGHT = 0.6
DETAIL_THRESHOLD = 1.75
# Halftones. Spectra of photos have peaks of 3 to 70 (2 of 120 were above), those of halftones with dots 3 to 9 pixels
# apart 130 to 4,000.
HALFTONE_SIDE = 64  # pixels, of the windows whose spectrum is examined
HALFTONE_MIN_DEVIATION = 10.0  # grey levels, the median of the samples
HALFTONE_MIN_PEAK = 100.0
TILE = 256  # pixels, the period of synthesised grain


@dataclass(frozen=True, eq=False)
class Grain:
    """samples: float32 (K, S, S, 3), how pixels in [0, 1] differ from their surroundings."""

    samples: Floats

    @property
    def strength(self) -> float:
        """Standard deviation in grey levels."""
        return 255 * float(self.samples.std())

    def tile(self, seed: int) -> Floats:
        """Synthesised grain, float32 (TILE, TILE, 3), periodic; the same for the same seed."""
        rng, grains = np.random.default_rng(seed), np.zeros((TILE, TILE // 2 + 1, 3), np.complex128)
        for sample in self.samples:
            white = rng.standard_normal((TILE, TILE, 1))
            grains += np.fft.rfft2(white, axes=(0, 1)) * np.fft.rfft2(sample, (TILE, TILE), axes=(0, 1))
        pixels = len(self.samples) * self.samples.shape[1] * self.samples.shape[2]
        return np.asarray(np.fft.irfft2(grains / np.sqrt(pixels), axes=(0, 1)), np.float32)

    def add(self, frame: Floats, hole: NDArray[np.bool_], seed: int) -> None:
        """Add grain to the hole, bool (H, W), of ``frame``, float32 (H, W, 3), in place; in bands, to save memory."""
        width = hole.shape[1]
        wide = np.tile(self.tile(seed), (1, -(-width // TILE), 1))[:, :width]
        for top in range(0, len(hole), TILE):
            part = hole[top : top + TILE]
            frame[top : top + TILE][part] += wide[: len(part)][part]


def estimate_grain(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], width: float) -> tuple[Grain | None, str]:
    """The grain of ``pixels``, uint8 (H, W, 3), around ``hole``, bool (H, W), and a note, which may be empty.

    The grain is None where the photo has none, or too few known pixels show it. width: of the face's crop, in pixels;
    the wider it is, the coarser grain may be.
    """
    scale = int(np.clip(round(width / FACE_WIDTH), 1, MAX_SCALE))
    side, margin = SAMPLE_SIDE * scale, SAMPLE_MARGIN * scale
    windows = [window for window in _windows(hole, side, MAX_SAMPLES_PER_AXIS) if _is_usable(pixels, hole, window)]
    if len(windows) < MIN_SAMPLES:
        return None, ""
    deviations = np.array([_fine(_grey(pixels[window]), margin).std() for window in windows])
    order = np.argsort(deviations)
    flattest = order[: max(1, round(FLATTEST_SHARE * len(windows)))]
    kept = flattest[np.unique(np.linspace(0, len(flattest) - 1, MAX_KEPT_SAMPLES).astype(int))]
    contrast = 255 * np.median(deviations)
    if contrast > HALFTONE_MIN_DEVIATION and _peak(pixels, hole, HALFTONE_SIDE * scale) > HALFTONE_MIN_PEAK:
        return None, "The print's halftone dots or engraved lines are not reproduced in the fill."
    grain = Grain(np.stack([_fine(pixels[windows[index]], margin) for index in kept]))
    if grain.strength < MIN_STRENGTH:
        return None, ""
    compared = order[: max(MIN_SAMPLES // 2, round(COMPARED_SHARE * len(windows)))]
    samples = np.stack([_fine(_grey(pixels[windows[index]]), margin) for index in compared])
    variation = float(np.log(np.quantile(deviations, 0.25) / deviations[flattest].mean()))
    detail = VARIATION_WEIGHT * variation + ANISOTROPY_WEIGHT * _anisotropy(samples)
    if detail + KURTOSIS_WEIGHT * _kurtosis(samples) > DETAIL_THRESHOLD:
        return None, ""
    return grain, f"Film grain (standard deviation {grain.strength:.0f}) was detected and added to the fill."


def _windows(hole: NDArray[np.bool_], side: int, most: int) -> list[tuple[slice, slice]]:
    """Squares of this side within REACH of the hole, at most ``most`` along an axis."""
    starts = []
    for hidden, size in zip((hole.any(axis=1), hole.any(axis=0)), hole.shape, strict=True):
        along = np.flatnonzero(hidden)
        first, last = max(0, along[0] - REACH), min(size, along[-1] + 1 + REACH) - side
        starts.append(np.unique(np.linspace(first, last, most).astype(int)).tolist() if last >= first else [])
    return [np.s_[y : y + side, x : x + side] for y in starts[0] for x in starts[1]]


def _is_usable(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], window: tuple[slice, slice]) -> bool:
    """Whether the window is known and its grain is not clipped."""
    return not hole[window].any() and DARKEST < pixels[window].mean() / 255 < BRIGHTEST


def _grey(sample: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY), np.uint8)


def _fine(sample: NDArray[np.uint8], margin: int) -> Floats:
    """``sample``, uint8 (S, S) or (S, S, 3), in [0, 1], less its blur, and without its margin."""
    sharp = sample.astype(np.float32) / np.float32(255)
    blurred = cv2.GaussianBlur(sharp, (0, 0), BLUR_SIGMA * margin / SAMPLE_MARGIN)
    return np.asarray((sharp - blurred)[margin:-margin, margin:-margin], np.float32)


def _anisotropy(samples: Floats) -> float:
    """How far the gradients of (K, S, S) have one direction, 0 to 1: the mean coherence of their structure tensors."""
    dy, dx = samples[:, 2:, 1:-1] - samples[:, :-2, 1:-1], samples[:, 1:-1, 2:] - samples[:, 1:-1, :-2]
    xx, yy, xy = ((a * b).mean(axis=(1, 2)) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    return float((np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-12)).mean())


def _kurtosis(samples: Floats) -> float:
    """Mean excess kurtosis of (K, S, S): 0 for a normal distribution."""
    values = samples - samples.mean(axis=(1, 2), keepdims=True)
    variance = np.maximum((values**2).mean(axis=(1, 2)), 1e-12)
    return float(((values**4).mean(axis=(1, 2)) / variance**2).mean() - 3)


def _peak(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], side: int) -> float:
    """The largest value of the spectrum around the hole, as a multiple of the median at its frequency.

    0 without known windows. Frequencies of structure coarser than a sixth of the side do not count.
    """
    taper = np.outer(*[np.hanning(side + 2)[1:-1]] * 2)
    power = np.zeros((side, side))
    for window in _windows(hole, side, MAX_SAMPLES_PER_AXIS // 4):
        if not hole[window].any():
            grey = _grey(pixels[window]).astype(np.float64)
            one = np.abs(np.fft.fft2((grey - grey.mean()) * taper)) ** 2
            power += one / max(one.sum(), 1e-9)
    frequency = np.fft.fftfreq(side) * side
    ring = np.rint(np.hypot(frequency[:, None], frequency)).astype(int)
    rings = [power[ring == k] for k in range(6, side // 2)]
    return max(float(values.max() / (np.median(values) + 1e-6 * power.max() + 1e-12)) for values in rings)
