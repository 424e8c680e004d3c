"""The objective of a latent search: the distance of G(z) to the known pixels, by the papers or our variant."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.engines.settings import Settings
from faceinp.formulas import losses
from faceinp.models import networks
from faceinp.nets.landmarks import INPUT_SIDE

Distance = Callable[[Tensor], Tensor]  # from pictures G(z), (N, 3, 64, 64), to their distances, (N,)


@dataclass(frozen=True)
class Objective:
    """Makes a Distance from pictures, (N, 3, 64, 64), and the papers' M, (N, 1, 64, 64), 1 on known pixels.

    predictor: of landmarks, if their weight in ``settings`` is above 0.
    """

    settings: Settings
    limits: losses.Limits
    predictor: nn.Module | None = None

    @classmethod
    def make(cls, settings: Settings, limits: losses.Limits, device: torch.device | str = "cpu") -> "Objective":
        """limits: of Q (5) and (6), not used by the mode "sum". Raises WeightsError where the landmark predictor is
        needed and missing.
        """
        predictor = networks.load("landmarks", side=INPUT_SIDE)[0].to(device) if settings.landmarks else None
        return cls(settings, limits, predictor)

    def pixels(self, pictures: Tensor, known: Tensor) -> Distance:
        """The distance without landmarks."""
        return FORMULAS[self.settings.mode](pictures, known, self.limits, self.settings)

    def __call__(self, pictures: Tensor, known: Tensor) -> Distance:
        pixels, predictor = self.pixels(pictures, known), self.predictor
        if predictor is None:
            return pixels
        with torch.no_grad():  # the photo's landmarks, predicted from known pixels
            photos = _enlarged(known * pictures) / _enlarged(known).clamp_min(1e-6)
            targets = predictor(photos, functional.interpolate(1 - known, INPUT_SIDE))
        no_hole = known.new_zeros(len(known), 1, INPUT_SIDE, INPUT_SIDE)

        def distance(generated: Tensor) -> Tensor:
            of_landmarks = losses.landmark_distance(predictor(_enlarged(generated), no_hole), targets)
            return pixels(generated) + self.settings.landmarks * of_landmarks

        return distance


def faithful(pictures: Tensor, known: Tensor, limits: losses.Limits, settings: Settings) -> Distance:
    """Q (8) exactly as published: W*M*I against W*M*G(z), clipped at the limits of complete pictures."""
    weight = _weight(known, settings)
    target = weight * pictures

    def distance(generated: Tensor) -> Tensor:
        masked = weight * generated
        context = losses.context(losses.l1_distance(target, masked), limits)
        structure = losses.structural(losses.ssim(target, masked, window=settings.window), limits)
        return settings.context * context + settings.structure * structure

    return distance


def robust(pictures: Tensor, known: Tensor, limits: losses.Limits, settings: Settings) -> Distance:
    """Q (8) without clipping, on known pixels, weighted by W: L1, scaled to that of a complete picture, and SSIM."""
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


def _enlarged(pictures: Tensor) -> Tensor:
    return functional.interpolate(pictures, INPUT_SIDE, mode="bilinear", align_corners=False)
