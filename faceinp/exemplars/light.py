"""How an exemplar's colours become those of the photo: exposure, light, contrast, sharpness.

Everything is fitted where both are known, on the face outside of the hole. target, seen: float32 (SIZE, SIZE, 3) in
[0, 1], the photo's crop and the exemplar laid over it. weight: float32 (SIZE, SIZE), 0 where one of them is not known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceinp.exemplars.exemplar import SIZE
from faceinp.exemplars.fields import blurred, grey, mean

Floats = NDArray[np.float32]

LARGE = 0.035  # standard deviation of the blur that leaves large structure
FINE, COARSE = 0.006, 0.045  # structure of medium size lies between these blurs
SAME = 0.08  # of contrast, and of powers: what sampling alone changes
GOES_ALONG = 0.6  # correlation of logarithms of brightness, from which on their range is matched
POWERS = (0.5, 2.0)  # to which brightness may be raised for that
CONTRASTS = (0.6, 1.6)
DARK = 0.03  # added to brightness, so that ratios of black stay sane
ODD = 0.25  # of logarithms of brightness: what differs by more, as hair does from skin, is not the light's doing
STEADY = 0.05  # share of the mean weight that holds the light where little is known
STRONGEST = 1.1  # logarithm of the most that light may differ by
WIDTHS = (0.5, 0.15, 0.08)  # of the light's variation: one for all first, then where it differs
TOO_SHARP = 1.6  # times the photo's fine structure, beyond which an exemplar is softened


@dataclass(frozen=True, eq=False)
class Light:
    """A picture in another's light: blurred by ``blur``, in shares of the side; raised to ``power``; times ``field``
    (SIZE, SIZE, 3); its differences from its own large structure, ``large`` (SIZE, SIZE, 3), times ``contrast``.
    """

    power: float
    field: Floats
    contrast: float
    large: Floats
    blur: float

    def on(self, pixels: Floats, field: Floats, large: Floats) -> Floats:
        """pixels: float32 (h, w, 3), about [0, 1], blurred already. field, large: this light's, there."""
        lit = np.maximum(pixels, 0) ** np.float32(self.power) * field
        return np.asarray(large + self.contrast * (lit - large) if self.contrast != 1 else lit, np.float32)


def fit(target: Floats, seen: Floats, weight: Floats) -> Light:
    """The light that brings ``seen`` closest to ``target``."""
    power = exposure(target, seen, weight)
    raised = np.maximum(seen, 0) ** np.float32(power)
    field = illumination(target, raised, weight)
    lit = raised * field
    wanted, there = (np.sqrt(mean(medium(picture) ** 2, weight)) for picture in (target, lit))
    contrast = _settled(float(np.clip(wanted / max(there, 1e-4), *CONTRASTS)))
    light = Light(power, field, contrast, blurred(lit, LARGE), 0.0)
    lit = light.on(seen, light.field, light.large)
    allowed = TOO_SHARP * detail(target, weight)
    blur = soften(lit, weight, allowed) if detail(lit, weight) > allowed else 0.0
    return Light(power, field, contrast, light.large, blur)


def own(target: Floats, seen: Floats, weight: Floats) -> Light:
    """As ``fit``, where both are parts of one photo: exposure, contrast and sharpness are the same."""
    field = illumination(target, seen, weight)
    return Light(1.0, field, 1.0, blurred(seen * field, LARGE), 0.0)


def unchanged(seen: Floats) -> Light:
    """Where nothing is known to fit to."""
    return Light(1.0, np.ones_like(seen), 1.0, blurred(seen, LARGE), 0.0)


def exposure(target: Floats, seen: Floats, weight: Floats) -> float:
    """The power that gives the exemplar's brightness the target's range; 1 where both do not go together.

    The ratio of standard deviations of logarithms: a regression would take noise in one of them for a weak relation.
    """
    picked = weight > 0
    if np.count_nonzero(picked) < SIZE:
        return 1.0
    brightness = np.stack([blurred(grey(picture), 3 / SIZE)[picked] for picture in (target, seen)])
    covariance = np.cov(np.log(brightness + DARK), aweights=weight[picked])
    deviations = np.sqrt(np.diag(covariance)) + 1e-6
    if covariance[0, 1] < GOES_ALONG * deviations[0] * deviations[1]:
        return 1.0
    return _settled(float(np.clip(deviations[0] / deviations[1], *POWERS)))


def illumination(target: Floats, seen: Floats, weight: Floats) -> Floats:
    """What the exemplar is to be multiplied by to stand in the target's light, (SIZE, SIZE, 3).

    The logarithm of the ratio of both, robustly averaged and smoothly continued where one is not known.
    """
    share = blurred(weight, 3 / SIZE)[..., None] + np.float32(1e-4)
    means = [blurred(picture * weight[..., None], 3 / SIZE) / share for picture in (target, seen)]
    ratio = np.log((means[0] + DARK) / (means[1] + DARK))
    field = np.zeros_like(ratio)
    for width in WIDTHS:
        left = np.abs(ratio - field).max(axis=2)
        robust = (weight * np.minimum(1, ODD / np.maximum(left, 1e-6)) ** 2)[..., None]
        total = blurred(robust[..., 0], width)[..., None] + STEADY * robust.mean() + 1e-9
        field += blurred(robust * (ratio - field), width) / total
    return np.exp(np.clip(field, -STRONGEST, STRONGEST)).astype(np.float32)


def medium(picture: Floats) -> Floats:
    """Structure of medium size of (SIZE, SIZE, 3), that of eyes and lips: (SIZE, SIZE)."""
    brightness = grey(picture)
    return blurred(brightness, FINE) - blurred(brightness, COARSE)


def detail(picture: Floats, weight: Floats) -> float:
    """Standard deviation of the fine structure of (SIZE, SIZE, 3) where ``weight`` is."""
    brightness = grey(picture)
    return float(np.sqrt(mean((brightness - blurred(brightness, 1.5 / SIZE)) ** 2, weight)))


def soften(picture: Floats, weight: Floats, wanted: float) -> float:
    """The blur that brings the picture's ``detail`` down to ``wanted``, in shares of the side."""
    for pixels in (0.5, 0.75, 1.0, 1.4, 2.0, 2.8):
        if detail(blurred(picture, pixels / SIZE), weight) <= wanted:
            return pixels / SIZE
    return 4.0 / SIZE


def _settled(ratio: float) -> float:
    return ratio if abs(ratio - 1) > SAME else 1.0
