"""Grain, of film, paper or a sensor: what engines draw has none, and looks like wax beside it. So it gets the photo's.

It is measured on flat known parts of the photo and drawn anew as discrete spot noise (Galerne, Gousseau and Morel 2011,
*Random phase textures*, section 2): white noise, convolved with a sample, has the sample's spectrum, so that grains
have the size, strength and colours of those around.
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
# Grey levels. Of 120 aligned faces of 256 pixels 2 % were above; with grain of 5 levels added, all, of 4 levels, 78 %.
FAINTEST = 2.5
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


def of(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], width: float) -> Grain | None:
    """The grain of uint8 (H, W, 3) around its hole, bool (H, W); None where it is faint, or too little is known to say.

    width: of the face, in pixels: the wider, the coarser what may count as grain.
    """
    times = int(np.clip(round(width / FACE), 1, LARGEST))
    side, rim = SIDE * times, RIM * times
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    starts = [_starts(at, size, side) for at, size in zip((rows, columns), hole.shape, strict=True)]
    places = [np.s_[y : y + side, x : x + side] for y in starts[0] for x in starts[1]]
    places = [place for place in places if _shows(pixels, hole, place)]
    if len(places) < FEWEST:
        return None
    flattest = np.argsort([_rough(pixels[place], rim).std() for place in places])
    flattest = flattest[: max(1, round(FLATTEST * len(places)))]
    taken = flattest[np.unique(np.linspace(0, len(flattest) - 1, TAKEN).astype(int))]
    grain = Grain(np.stack([_rough(pixels[places[number]], rim) for number in taken]))
    return grain if grain.strength > FAINTEST else None


def _starts(hidden: NDArray[np.intp], size: int, side: int) -> NDArray[np.intp]:
    """Where along an axis samples begin, within REACH of what is hidden."""
    first, last = max(0, hidden[0] - REACH), min(size, hidden[-1] + 1 + REACH) - side
    return np.unique(np.linspace(first, last, ACROSS).astype(np.intp)) if last >= first else np.zeros(0, np.intp)


def _shows(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], place: tuple[slice, slice]) -> bool:
    return not hole[place].any() and DARKEST < pixels[place].mean() / 255 < BRIGHTEST


def _rough(sample: NDArray[np.uint8], rim: int) -> Floats:
    """What a blur takes away from uint8 (S, S, 3), in [0, 1], without the rim."""
    fine = sample.astype(np.float32) / np.float32(255)
    form = cv2.GaussianBlur(fine, (0, 0), FORM * rim / RIM)
    return np.asarray((fine - form)[rim:-rim, rim:-rim], np.float32)
