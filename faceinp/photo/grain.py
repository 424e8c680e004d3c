"""Grain of film, paper or a sensor. What engines draw has none, and looks like wax beside it, so it gets the photo's.

It is measured on flat known parts of the photo and drawn anew as discrete spot noise (Galerne, Gousseau and Morel 2011,
*Random phase textures*, section 2): white noise, convolved with a sample, has the sample's spectrum, so that grains
have the size, strength and colours of those around.

What else is fine is told apart by how it is distributed over the flattest samples. Grain is equally strong in all of
them, has no direction, and its values are nearly normal. Detail of small photos varies in strength, runs along edges
and has heavy tails; the lines of an engraving have a direction; a halftone's spectrum has peaks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FACE, LARGEST = 256, 4  # a face so wide has samples as below; of wider ones they grow with it, up to so many times
SIDE, RIM = 24, 6  # of a sample, and what is cut off around it: there the blur sees less than it should
FORM = 1.5  # standard deviation of that blur in pixels: what it leaves is form, what it takes away is grain
REACH, ACROSS = 256, 16  # pixels around the hole in which samples are taken, and how many along a side at most
FEWEST, FLATTEST, TAKEN = 12, 0.05, 8  # samples to go by; the share of them that shows grain alone; of these are kept
DARKEST, BRIGHTEST = 0.08, 0.92  # beyond them film and files cut grain off
FAINTEST = 2.0  # grey levels
# What tells detail from grain on the COMPARED flattest samples: weights of the logarithm of how much their strength
# varies, of their anisotropy (0 to 1) and excess kurtosis, and the sum from which on they are detail. Of 40 photos with
# faces, shrunk to 72 to 900 pixels and saved as JPEG of quality 60, 90 or not at all, at most 1 was below at each size;
# with grain of 5 levels added, 98 % of those of 256 pixels and more, 70 % of 120 pixels, and 24 % of 72.
COMPARED = 0.15
VARIATION, DIRECTION, TAILS, DETAIL = 1.0, 4.0, 0.6, 1.75
# Halftone: the side of windows whose spectrum is looked at, the least median deviation of samples in grey levels, and
# the least peak. Photos have peaks of 3 to 70 (2 of 120 were above), halftones with dots 3 to 9 pixels apart 130 to
# 4,000.
SCREEN, CONTRAST, PEAKED = 64, 10.0, 100.0
TILE = 256  # pixels after which what is drawn repeats


@dataclass(frozen=True, eq=False)
class Grain:
    """samples: float32 (K, S, S, 3), how pixels in [0, 1] differ from their surroundings."""

    samples: Floats

    @property
    def strength(self) -> float:
        """Standard deviation in grey levels."""
        return 255 * float(self.samples.std())

    def tile(self, seed: int) -> Floats:
        """Such grain, float32 (TILE, TILE, 3), that goes on at its borders; the same for the same seed."""
        rng, grains = np.random.default_rng(seed), np.zeros((TILE, TILE // 2 + 1, 3), np.complex128)
        for sample in self.samples:
            white = rng.standard_normal((TILE, TILE, 1))
            grains += np.fft.rfft2(white, axes=(0, 1)) * np.fft.rfft2(sample, (TILE, TILE), axes=(0, 1))
        of_variance = len(self.samples) * self.samples.shape[1] * self.samples.shape[2]
        return np.asarray(np.fft.irfft2(grains / np.sqrt(of_variance), axes=(0, 1)), np.float32)

    def add(self, frame: Floats, hole: NDArray[np.bool_], seed: int) -> None:
        """Onto float32 (H, W, 3), in place, where the hole is, bool (H, W); by bands, to spare memory on large ones."""
        width = hole.shape[1]
        wide = np.tile(self.tile(seed), (1, -(-width // TILE), 1))[:, :width]
        for top in range(0, len(hole), TILE):
            here = hole[top : top + TILE]
            frame[top : top + TILE][here] += wide[: len(here)][here]


def estimate_grain(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], width: float) -> tuple[Grain | None, str]:
    """The grain of uint8 (H, W, 3) around its hole, bool (H, W), and a note for people, empty where nothing is to say.

    None where the photo has none, or too little is known to say. width: of the face's crop, in pixels: the wider, the
    coarser what may count as grain.
    """
    times = int(np.clip(round(width / FACE), 1, LARGEST))
    side, rim = SIDE * times, RIM * times
    windows = [window for window in _windows(hole, side, ACROSS) if _shows(pixels, hole, window)]
    if len(windows) < FEWEST:
        return None, ""
    deviations = np.array([_rough(_grey(pixels[window]), rim).std() for window in windows])
    order = np.argsort(deviations)
    flattest = order[: max(1, round(FLATTEST * len(windows)))]
    chosen = flattest[np.unique(np.linspace(0, len(flattest) - 1, TAKEN).astype(int))]
    if 255 * np.median(deviations) > CONTRAST and _peak(pixels, hole, SCREEN * times) > PEAKED:
        return None, "The print's halftone dots or engraved lines are not reproduced in the fill."
    grain = Grain(np.stack([_rough(pixels[windows[number]], rim) for number in chosen]))
    if grain.strength < FAINTEST:
        return None, ""
    rough = _all_rough(pixels, windows, order[: max(FEWEST // 2, round(COMPARED * len(windows)))], rim)
    varying = float(np.log(np.quantile(deviations, 0.25) / deviations[flattest].mean()))
    if VARIATION * varying + DIRECTION * _anisotropy(rough) + TAILS * _kurtosis(rough) > DETAIL:
        return None, ""
    return grain, f"Film grain (standard deviation {grain.strength:.0f}) was detected and added to the fill."


def _windows(hole: NDArray[np.bool_], side: int, across: int) -> list[tuple[slice, slice]]:
    """Squares of this side within REACH of the hole, so many along an axis at most."""
    starts = []
    for hidden, size in zip((hole.any(axis=1), hole.any(axis=0)), hole.shape, strict=True):
        along = np.flatnonzero(hidden)
        first, last = max(0, along[0] - REACH), min(size, along[-1] + 1 + REACH) - side
        starts.append(np.unique(np.linspace(first, last, across).astype(int)).tolist() if last >= first else [])
    return [np.s_[y : y + side, x : x + side] for y in starts[0] for x in starts[1]]


def _shows(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], window: tuple[slice, slice]) -> bool:
    return not hole[window].any() and DARKEST < pixels[window].mean() / 255 < BRIGHTEST


def _grey(sample: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY), np.uint8)


def _rough(sample: NDArray[np.uint8], rim: int) -> Floats:
    """What a blur takes away from uint8 (S, S) or (S, S, 3), in [0, 1], without the rim."""
    fine = sample.astype(np.float32) / np.float32(255)
    form = cv2.GaussianBlur(fine, (0, 0), FORM * rim / RIM)
    return np.asarray((fine - form)[rim:-rim, rim:-rim], np.float32)


def _all_rough(
    pixels: NDArray[np.uint8], windows: list[tuple[slice, slice]], numbers: NDArray[np.intp], rim: int
) -> Floats:
    """``_rough`` of the grey values in some of the windows: (K, S, S)."""
    return np.stack([_rough(_grey(pixels[windows[number]]), rim) for number in numbers])


def _anisotropy(rough: Floats) -> float:
    """How far the gradients of (K, S, S) have one direction, 0 to 1: the mean coherence of their structure tensors."""
    dy, dx = rough[:, 2:, 1:-1] - rough[:, :-2, 1:-1], rough[:, 1:-1, 2:] - rough[:, 1:-1, :-2]
    xx, yy, xy = ((a * b).mean(axis=(1, 2)) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    return float((np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-12)).mean())


def _kurtosis(rough: Floats) -> float:
    """Mean excess kurtosis of (K, S, S): 0 of normal values."""
    values = rough - rough.mean(axis=(1, 2), keepdims=True)
    variance = np.maximum((values**2).mean(axis=(1, 2)), 1e-12)
    return float(((values**4).mean(axis=(1, 2)) / variance**2).mean() - 3)


def _peak(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], side: int) -> float:
    """The largest value of the spectrum around the hole, as a multiple of the median at its frequency: 0 if unknown.

    Frequencies of structure coarser than a sixth of the side do not count.
    """
    taper = np.outer(*[np.hanning(side + 2)[1:-1]] * 2)
    power = np.zeros((side, side))
    for window in _windows(hole, side, ACROSS // 4):
        if not hole[window].any():
            grey = _grey(pixels[window]).astype(np.float64)
            one = np.abs(np.fft.fft2((grey - grey.mean()) * taper)) ** 2
            power += one / max(one.sum(), 1e-9)
    frequency = np.fft.fftfreq(side) * side
    ring = np.rint(np.hypot(frequency[:, None], frequency)).astype(int)
    rings = [power[ring == k] for k in range(6, side // 2)]
    return max(float(values.max() / (np.median(values) + 1e-6 * power.max() + 1e-12)) for values in rings)
