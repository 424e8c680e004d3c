"""Formulas of the papers, one function each. Q is the first paper (Qiang et al. 2019, ``docs/papers.md``).

Pictures are float (N, 3, H, W) in [0, 1]. ``known`` is the papers' M: (N, 1, H, W), 1 on known pixels, 0 in the hole.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Limits:
    """The limits of Q (5) and (6): mean -/+ 3 standard deviations over pairs of a photograph and a sample."""

    ssim_min: float
    ssim_max: float
    l1_min: float
    l1_max: float


def realism(logits: Tensor) -> Tensor:
    """Q (2): log(1 - D(G(z))), (N,), from logits, so that a certain discriminator gives no infinity."""
    return -functional.softplus(logits)


def l1_distance(a: Tensor, b: Tensor) -> Tensor:
    """The |a - b|_1 of Q (6): the sum over all values, (N,)."""
    return (a - b).abs().sum(dim=(1, 2, 3))


def context(l1: Tensor, limits: Limits, *, cut: bool = True) -> Tensor:
    """Q (6), L_c: the L1 distance on the limits' scale; ``cut`` to [0, 1] as printed, else the straight line."""
    loss = (l1 - limits.l1_min) / (limits.l1_max - limits.l1_min)
    return loss.clamp(0, 1) if cut else loss


def structural(ssim: Tensor, limits: Limits, *, cut: bool = True) -> Tensor:
    """Q (5), L_s: one minus the SSIM on the limits' scale; ``cut`` to [0, 1] as printed, else the straight line."""
    loss = (limits.ssim_max - ssim) / (limits.ssim_max - limits.ssim_min)
    return loss.clamp(0, 1) if cut else loss


def patch_weights(known: Tensor, k: int = 7, alpha: float = 2.0) -> Tensor:
    """Q (7), W: 1 + alpha * share of hole pixels in the k x k patch around each pixel, (N, 1, H, W)."""
    return 1 + alpha * hole_share(known, k)


def hole_share(known: Tensor, k: int = 7) -> Tensor:
    """Share of hole pixels in the k x k neighbourhood, divided by k * k at the border too, (N, 1, H, W).

    On known pixels it is the weight W' of Yeh et al. 2017, (3).
    """
    return functional.avg_pool2d(1 - known, k, stride=1, padding=k // 2, count_include_pad=True)


# ---- SSIM (Q (4); Wang et al. 2004, section III B, with their constants) ----

C1, C2 = 0.01**2, 0.03**2  # of a dynamic range of 1
WINDOW, SIGMA = 11, 1.5


class Ssim:
    """SSIM against one fixed batch of pictures, (N, 3, H, W), whose own terms are computed once.

    known: (N, 1, H, W), or None. With it, windows see known pixels only: local means and variances are taken with
    the Gaussian restricted to them and renormalised, and the map is averaged with ``weights`` (N, 1, H, W) over them.
    Without, windows are whole (pixels within five of the border have no window) and count alike.
    """

    def __init__(self, target: Tensor, known: Tensor | None = None, weights: Tensor | None = None) -> None:
        self.rows = _gaussian(target.shape[-2], target.device, known is None)
        self.columns = _gaussian(target.shape[-1], target.device, known is None).T
        self.known = torch.ones_like(target[:, :1]) if known is None else known
        # With whole windows this is 1 everywhere; the floor only keeps windows without a known pixel finite.
        self.seen = self._sum(self.known).clamp_min(1e-6)
        share = torch.ones_like(self.seen) if weights is None else weights * self.known
        self.share = share / share.sum(dim=(1, 2, 3), keepdim=True)
        self.target = target * self.known
        self.mean = self._mean(self.target)
        self.variance = self._mean(self.target * target) - self.mean**2

    def __call__(self, pictures: Tensor) -> Tensor:
        """Mean SSIM of each picture with its target, (N,)."""
        masked = pictures * self.known
        mean = self._mean(masked)
        square, product = self._mean(torch.cat([masked * pictures, masked * self.target], dim=1)).chunk(2, dim=1)
        mean_product = mean * self.mean
        luminance = (2 * mean_product + C1) / (mean**2 + self.mean**2 + C1)
        contrast = (2 * (product - mean_product) + C2) / (square - mean**2 + self.variance + C2)
        return ((luminance * contrast).mean(dim=1, keepdim=True) * self.share).sum(dim=(1, 2, 3))

    def _sum(self, x: Tensor) -> Tensor:
        # The separable blur as two small matrix products: faster forward and backward than a convolution at 64 x 64.
        return self.rows @ x @ self.columns

    def _mean(self, x: Tensor) -> Tensor:
        return self._sum(x) / self.seen


@cache
def _gaussian(size: int, device: torch.device, whole: bool) -> Tensor:
    """The blur along one axis as a matrix: (size, size), or (size - 10, size) for ``whole`` windows only."""
    offsets = torch.arange(size, device=device)
    distance = offsets[None, :] - offsets[:, None]
    kernel = torch.exp(-(distance**2) / (2 * SIGMA**2)) * (distance.abs() <= WINDOW // 2)
    kernel = kernel / torch.exp(-(torch.arange(WINDOW, device=device) - WINDOW // 2) ** 2 / (2 * SIGMA**2)).sum()
    return kernel[WINDOW // 2 : -(WINDOW // 2)] if whole else kernel
