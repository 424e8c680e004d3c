"""What a latent search makes small: how far G(z) is from the known pixels, by the papers' formulas and our variant."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.engines.settings import Settings
from faceinp.formulas import losses
from faceinp.models import networks
from faceinp.nets.landmarks import INPUT_SIDE

Distance = Callable[[Tensor], Tensor]  # how far pictures G(z) are from what is known, (N,)


@dataclass(frozen=True)
class Objective:
    """The known picture (N, 3, 64, 64) and M (N, 1, 64, 64) make a distance of it.

    pixels: the distance of pixels alone, which judges first guesses. predictor: of landmarks, where ``settings`` weigh
    these.
    """

    settings: Settings
    limits: losses.Limits
    predictor: nn.Module | None = None

    @classmethod
    def make(cls, settings: Settings, limits: losses.Limits, device: torch.device | str = "cpu") -> "Objective":
        """limits: of Q (5) and (6), which the mode "sum" does not look at. Raises WeightsError where the predictor of
        landmarks is needed and missing.
        """
        predictor = networks.load("landmarks", side=INPUT_SIDE)[0].to(device) if settings.landmarks else None
        return cls(settings, limits, predictor)

    def pixels(self, pictures: Tensor, known: Tensor) -> Distance:
        return FORMULAS[self.settings.mode](pictures, known, self.limits, self.settings)

    def __call__(self, pictures: Tensor, known: Tensor) -> Distance:
        pixels, predictor = self.pixels(pictures, known), self.predictor
        if predictor is None:
            return pixels
        with torch.no_grad():  # the photo's landmarks, predicted from known pixels
            photos = _enlarged(known * pictures) / _enlarged(known).clamp_min(1e-6)
            targets = predictor(photos, functional.interpolate(1 - known, INPUT_SIDE))
        whole = known.new_zeros(len(known), 1, INPUT_SIDE, INPUT_SIDE)

        def distance(generated: Tensor) -> Tensor:
            away = losses.landmark_distance(predictor(_enlarged(generated), whole), targets)
            return pixels(generated) + self.settings.landmarks * away

        return distance


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


def _enlarged(pictures: Tensor) -> Tensor:
    return functional.interpolate(pictures, INPUT_SIDE, mode="bilinear", align_corners=False)
