"""Match an exemplar's colours with the photo's: exposure, light, contrast, sharpness.

Everything is fitted on the face where both pictures are known. target, source: float32 (SIZE, SIZE, 3) in [0, 1], the
photo's crop and the exemplar warped onto it. weight: float32 (SIZE, SIZE), 0 where one of them is not known.
"""

from dataclasses import dataclass

import numpy as np

from faceinp.exemplars.exemplar import SIZE
from faceinp.exemplars.fields import blurred, grey, mean
from faceinp.photo.arrays import Floats

# Standard deviations of Gaussians, as shares of the side.
LARGE_SCALE = 0.035  # the blur leaves large structure
MEDIUM_SCALES = (0.006, 0.045)  # the difference of both blurs is structure of medium size
FIELD_SCALES = (0.5, 0.15, 0.08)  # of the light's variation, coarse to fine
MIN_CHANGE = 0.08  # of contrasts and powers; smaller ones come from sampling alone
MIN_CORRELATION = 0.6  # of log brightness; below, the exposure is not matched
POWER_RANGE = (0.5, 2.0)  # of the exposure
CONTRAST_RANGE = (0.6, 1.6)
BLACK_OFFSET = 0.03  # added to brightness before logarithms are taken
MAX_LOG_RESIDUAL = 0.25  # of log brightness; larger ones, as between hair and skin, are outliers
PRIOR_WEIGHT = 0.05  # of an unchanged light, as a share of the mean weight
MAX_LOG_LIGHT = 1.1  # greatest logarithm of the light's factor
MAX_SHARPNESS_RATIO = 1.6  # of exemplar to photo; a sharper exemplar is blurred


@dataclass(frozen=True, eq=False)
class Light:
    """How a picture is adapted to the light of another.

    The picture is blurred by ``blur``, a share of the side, raised to ``power`` and multiplied by ``field``
    (SIZE, SIZE, 3). Its differences from its large structure, ``large`` (SIZE, SIZE, 3), are multiplied by
    ``contrast``.
    """

    power: float
    field: Floats
    contrast: float
    large: Floats
    blur: float

    def apply(self, pixels: Floats, field: Floats, large: Floats) -> Floats:
        """The picture in this light. pixels: float32 (h, w, 3), about [0, 1], after the blur. field, large: this
        light's, at the same pixels.
        """
        lit = np.maximum(pixels, 0) ** np.float32(self.power) * field
        return np.asarray(large + self.contrast * (lit - large) if self.contrast != 1 else lit, np.float32)


def fit(target: Floats, source: Floats, weight: Floats) -> Light:
    """The light that brings ``source`` closest to ``target``."""
    power = exposure(target, source, weight)
    raised = np.maximum(source, 0) ** np.float32(power)
    field = illumination(target, raised, weight)
    lit = raised * field
    wanted, actual = (np.sqrt(mean(medium(picture) ** 2, weight)) for picture in (target, lit))
    contrast = _unless_small(float(np.clip(wanted / max(actual, 1e-4), *CONTRAST_RANGE)))
    light = Light(power, field, contrast, blurred(lit, LARGE_SCALE), 0.0)
    lit = light.apply(source, light.field, light.large)
    allowed = MAX_SHARPNESS_RATIO * detail(target, weight)
    blur = soften(lit, weight, allowed) if detail(lit, weight) > allowed else 0.0
    return Light(power, field, contrast, light.large, blur)


def fit_field(target: Floats, source: Floats, weight: Floats) -> Light:
    """As ``fit``, for two parts of one photo: exposure, contrast and sharpness are the same."""
    field = illumination(target, source, weight)
    return Light(1.0, field, 1.0, blurred(source * field, LARGE_SCALE), 0.0)


def unchanged(source: Floats) -> Light:
    """The light that changes nothing, for exemplars without pixels to fit to."""
    return Light(1.0, np.ones_like(source), 1.0, blurred(source, LARGE_SCALE), 0.0)


def exposure(target: Floats, source: Floats, weight: Floats) -> float:
    """The power that gives the source's brightness the target's range; 1 where they are hardly correlated.

    It is the ratio of standard deviations of log brightness: noise in the source would bias a regression towards 0.
    """
    picked = weight > 0
    if np.count_nonzero(picked) < SIZE:
        return 1.0
    brightness = np.stack([blurred(grey(picture), 3 / SIZE)[picked] for picture in (target, source)])
    covariance = np.cov(np.log(brightness + BLACK_OFFSET), aweights=weight[picked])
    deviations = np.sqrt(np.diag(covariance)) + 1e-6
    if covariance[0, 1] < MIN_CORRELATION * deviations[0] * deviations[1]:
        return 1.0
    return _unless_small(float(np.clip(deviations[0] / deviations[1], *POWER_RANGE)))


def illumination(target: Floats, source: Floats, weight: Floats) -> Floats:
    """The factor that brings the source into the target's light, (SIZE, SIZE, 3).

    It is the ratio of both, as a logarithm averaged robustly and extended smoothly to where one is not known.
    """
    share = blurred(weight, 3 / SIZE)[..., None] + np.float32(1e-4)
    means = [blurred(picture * weight[..., None], 3 / SIZE) / share for picture in (target, source)]
    ratio = np.log((means[0] + BLACK_OFFSET) / (means[1] + BLACK_OFFSET))
    field = np.zeros_like(ratio)
    for scale in FIELD_SCALES:
        residual = np.abs(ratio - field).max(axis=2)
        robust = (weight * np.minimum(1, MAX_LOG_RESIDUAL / np.maximum(residual, 1e-6)) ** 2)[..., None]
        total = blurred(robust[..., 0], scale)[..., None] + PRIOR_WEIGHT * robust.mean() + 1e-9
        field += blurred(robust * (ratio - field), scale) / total
    return np.exp(np.clip(field, -MAX_LOG_LIGHT, MAX_LOG_LIGHT)).astype(np.float32)


def medium(picture: Floats) -> Floats:
    """Structure of medium size, such as eyes and lips, in (SIZE, SIZE, 3): (SIZE, SIZE)."""
    brightness = grey(picture)
    fine, coarse = MEDIUM_SCALES
    return blurred(brightness, fine) - blurred(brightness, coarse)


def detail(picture: Floats, weight: Floats) -> float:
    """Standard deviation of the fine structure of (SIZE, SIZE, 3), weighted by ``weight``."""
    brightness = grey(picture)
    return float(np.sqrt(mean((brightness - blurred(brightness, 1.5 / SIZE)) ** 2, weight)))


def soften(picture: Floats, weight: Floats, wanted: float) -> float:
    """The blur that brings the picture's ``detail`` down to ``wanted``, in shares of the side."""
    for pixels in (0.5, 0.75, 1.0, 1.4, 2.0, 2.8):
        if detail(blurred(picture, pixels / SIZE), weight) <= wanted:
            return pixels / SIZE
    return 4.0 / SIZE


def _unless_small(ratio: float) -> float:
    return ratio if abs(ratio - 1) > MIN_CHANGE else 1.0
