"""What a latent search makes small: how far G(z) is from the known pixels, by the papers' formulas and our variant."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp import losses, networks
from faceinp.engines.settings import Settings
from faceinp.nets.landmarks import SEEN

# The known picture (N, 3, 64, 64) and M (N, 1, 64, 64) make an objective: how far G(z) is from it, (N,).
Distance = Callable[[Tensor], Tensor]
Objective = Callable[[Tensor, Tensor], Distance]


def make(settings: Settings, limits: losses.Limits) -> Objective:
    """The objective that ``settings`` mean; limits: of Q (5) and (6), which the mode "sum" does not look at.

    Raises WeightsError where the predictor of landmarks is needed and missing.
    """
    formula = FORMULAS[settings.mode]
    predictor = networks.load("landmarks", side=SEEN)[0] if settings.landmarks else None

    def objective(pictures: Tensor, known: Tensor) -> Distance:
        pixels = formula(pictures, known, limits, settings)
        return _with_landmarks(pixels, pictures, known, predictor, settings.landmarks) if predictor else pixels

    return objective


def faithful(pictures: Tensor, known: Tensor, limits: losses.Limits, settings: Settings) -> Distance:
    """Q (8) as printed: W*M*I against W*M*G(z), cut off at the limits of whole pictures."""
    weight = _weight(known, settings)
    target = weight * pictures

    def distance(generated: Tensor) -> Tensor:
        masked = weight * generated
        context = losses.context(losses.l1_distance(target, masked), limits)
        structure = losses.structural(losses.ssim(target, masked, window=settings.window), limits)
        return settings.context * context + settings.structure * structure

    return distance


def robust(pictures: Tensor, known: Tensor, limits: losses.Limits, settings: Settings) -> Distance:
    """Q (8) without the cut-offs, on known pixels alone, weighted by W: L1 scaled to a whole picture's, and SSIM."""
    weight = _weight(known, settings)
    share = weight * (known[0].numel() / weight.sum(dim=(1, 2, 3), keepdim=True))

    def distance(generated: Tensor) -> Tensor:
        context = losses.context(losses.l1_distance(share * pictures, share * generated), limits, cut=False)
        structure = losses.structural(losses.ssim(pictures, generated, weight, settings.window), limits, cut=False)
        return settings.context * context + settings.structure * structure

    return distance


def weighted_sum(pictures: Tensor, known: Tensor, limits: losses.Limits, settings: Settings) -> Distance:
    """Yeh et al. 2017, (3): |W' * (G(z) - y)|_1."""
    weight = _weight(known, settings)

    def distance(generated: Tensor) -> Tensor:
        return settings.context * losses.l1_distance(weight * generated, weight * pictures)

    return distance


FORMULAS = {"faithful": faithful, "robust": robust, "sum": weighted_sum}  # by mode


def _weight(known: Tensor, settings: Settings) -> Tensor:
    return losses.patch_weights(known, settings.k, settings.alpha, settings.base) * known


def _with_landmarks(pixels: Distance, pictures: Tensor, known: Tensor, predictor: nn.Module, weight: float) -> Distance:
    """``pixels`` and how far the face of G(z) is from the one that the predictor sees around the hole."""
    predictor = predictor.to(pictures.device)
    with torch.no_grad():
        targets = predictor(_enlarged(pictures), functional.interpolate(1 - known, SEEN))
    whole = known.new_zeros(len(known), 1, SEEN, SEEN)

    def distance(generated: Tensor) -> Tensor:
        points = predictor(_enlarged(generated), whole.expand(len(generated), -1, -1, -1))
        return pixels(generated) + weight * losses.landmark_distance(points, targets)

    return distance


def _enlarged(pictures: Tensor) -> Tensor:
    return functional.interpolate(pictures, SEEN, mode="bilinear", align_corners=False)
