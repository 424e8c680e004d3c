"""The losses of both papers, one function each. Q is the first (Qiang et al. 2019), L the second (``docs/papers.md``).

Pictures are float (N, 3, H, W) in [0, 1]. ``known`` is Q's M: (N, 1, H, W), 1 on known pixels, 0 in the hole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

C1 = 0.01**2  # constants of SSIM (Wang et al. 2004) for a dynamic range of 1
C2 = 0.03**2
PERIOD = 16  # pixels: the completion network halves its side four times
BLUR_SIDE = 33  # pixels: wider than any feature of a face at 256, so only its colours remain


@dataclass(frozen=True)
class Limits:
    """The limits of Q (5) and (6): mean -/+ 3 standard deviations over pairs of a photo and a generated sample.

    Raises ValueError for a minimum that is not below its maximum.
    """

    ssim_min: float
    ssim_max: float
    l1_min: float
    l1_max: float

    def __post_init__(self) -> None:
        for name in ("ssim", "l1"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if not low < high:
                raise ValueError(f"{name}_min must be below {name}_max, got {low:g} and {high:g}")


# Q Fig. 4, for its authors' generator. The text prints s_min = .1198, which is the standard deviation:
# .4836 - 3 * .1198 = .1242.
PRINTED = Limits(ssim_min=0.1242, ssim_max=0.8431, l1_min=739.0, l1_max=4861.0)


def realism(logits: Tensor, *, saturating: bool = True) -> Tensor:
    """Q (2): log(1 - D(G(z))), (N,), from logits, so that it stays finite for a confident discriminator.

    saturating: as printed; otherwise -log D(G(z)), as in most DCGAN implementations.
    """
    return -functional.softplus(logits) if saturating else functional.softplus(-logits)


def l1_distance(a: Tensor, b: Tensor) -> Tensor:
    """The |a - b|_1 of Q (6): the sum over all values, (N,)."""
    return (a - b).abs().sum(dim=(1, 2, 3))


def context(l1: Tensor, limits: Limits, *, cut: bool = True) -> Tensor:
    """Q (6), L_c: the L1 distance scaled by the limits; ``cut`` to [0, 1] as printed, otherwise linear."""
    loss = (l1 - limits.l1_min) / (limits.l1_max - limits.l1_min)
    return loss.clamp(0, 1) if cut else loss


def structural(ssim: Tensor, limits: Limits, *, cut: bool = True) -> Tensor:
    """Q (5), L_s: one minus the SSIM, scaled by the limits; ``cut`` to [0, 1] as printed, otherwise linear."""
    loss = (limits.ssim_max - ssim) / (limits.ssim_max - limits.ssim_min)
    return loss.clamp(0, 1) if cut else loss


def patch_weights(known: Tensor, k: int = 7, alpha: float = 2.0, base: float = 1.0) -> Tensor:
    """Q (7), W: base + alpha * share of hole pixels in the k x k patch around each pixel, (N, 1, H, W)."""
    return base + alpha * hole_share(known, k)


def hole_share(known: Tensor, k: int = 7) -> Tensor:
    """The share of hole pixels in the k x k neighbourhood, (N, 1, H, W); pixels beyond the border count as known.

    On known pixels it is the weight W' of Yeh et al. 2017, (3).
    """
    return functional.avg_pool2d(1 - known, k, stride=1, padding=k // 2, count_include_pad=True)


# Windows of SSIM by name: the whole picture; the 11 x 11 Gaussian (sigma 1.5) and the 8 x 8 mean of Wang et al. 2004.
WINDOWS: dict[str, Tensor | None] = {
    "whole": None,
    "11": torch.softmax(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2), dim=0),
    "8": torch.full((8,), 1 / 8),
}


def ssim(a: Tensor, b: Tensor, weights: Tensor | None = None, window: str = "whole") -> Tensor:
    """Q (4), the structural similarity of Wang et al. 2004, (N,), mean over channels.

    weights: of the pixels, (N, 1, H, W), by default all 1. window: a key of WINDOWS. "whole": one window of all pixels;
    the others: the weighted mean over all windows inside the picture. The paper does not state the window; a search
    with the whole picture came closer to the face than with Gaussian windows of any width (``docs/papers.md``).
    """
    weights = torch.ones_like(a[:, :1]) if weights is None else weights
    kernel = WINDOWS[window]
    if kernel is not None:
        return _windowed_ssim(a, b, weights, kernel.to(a))
    share = weights / weights.sum(dim=(2, 3), keepdim=True)

    def mean(x: Tensor) -> Tensor:
        return (share * x).sum(dim=(2, 3), keepdim=True)

    mean_a, mean_b = mean(a), mean(b)
    from_a, from_b = a - mean_a, b - mean_b
    variance_a, variance_b, covariance = mean(from_a**2), mean(from_b**2), mean(from_a * from_b)
    return _similarity(mean_a, mean_b, variance_a, variance_b, covariance).mean(dim=(1, 2, 3))


def _windowed_ssim(a: Tensor, b: Tensor, weights: Tensor, kernel: Tensor) -> Tensor:
    def total(x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)[:, None]
        filtered = functional.conv2d(functional.conv2d(flat, kernel[None, None, :, None]), kernel[None, None, None])
        return filtered[:, 0].unflatten(0, x.shape[:2])

    inside = total(weights)
    means = (total(weights * x) / inside.clamp_min(1e-6) for x in (a, b, a * a, b * b, a * b))
    mean_a, mean_b, square_a, square_b, product = means
    variance_a, variance_b = (square_a - mean_a**2).clamp_min(0), (square_b - mean_b**2).clamp_min(0)
    similar = _similarity(mean_a, mean_b, variance_a, variance_b, product - mean_a * mean_b)
    return ((inside * similar).sum(dim=(2, 3)) / inside.sum(dim=(2, 3)).clamp_min(1e-6)).mean(dim=1)


def _similarity(mean_a: Tensor, mean_b: Tensor, variance_a: Tensor, variance_b: Tensor, covariance: Tensor) -> Tensor:
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variance_a + variance_b + C2)
    return luminance * structure


def landmark_distance(points: Tensor, targets: Tensor) -> Tensor:
    """The mean error of landmarks (N, 68, 2), relative to the distance of the targets' outer eye corners, (N,)."""
    interocular = (targets[:, 36] - targets[:, 45]).norm(dim=1).clamp_min(1e-3)
    return ((points - targets) ** 2).sum(dim=2).add(1e-12).sqrt().mean(dim=1) / interocular


# ---- the second paper, L. ``hole`` is its M: (N, 1, H, W), 1 in the hole, 0 on known pixels. ----


# Where the reconstruction error is summed: over the hole, or over the whole generated picture as in LaFIn. Both are
# divided by the size of the hole.
EXTENTS: dict[str, Callable[[Tensor], Tensor]] = {"hole": lambda hole: hole, "picture": torch.ones_like}


def reconstruction(generated: Tensor, pictures: Tensor, hole: Tensor, extent: str = "hole") -> Tensor:
    """L (2) with LaFIn's L1 norm, which blurs less than the square: |I - G| divided by the hole's size, (N,).

    extent: a key of EXTENTS.
    """
    return _over(hole, (generated - pictures).abs(), extent)


def squared(generated: Tensor, pictures: Tensor, hole: Tensor, extent: str = "hole") -> Tensor:
    """L (2) as printed: (I - G)^2 divided by the hole's size, (N,). It gives large holes the right colours."""
    return _over(hole, (generated - pictures) ** 2, extent)


def _over(hole: Tensor, values: Tensor, extent: str) -> Tensor:
    """The sum of ``values`` (N, 3, S, S) over ``extent``, divided by the size of ``hole`` (N, 1, S, S): (N,)."""
    return (values * EXTENTS[extent](hole)).sum(dim=(1, 2, 3)) / (3 * hole.sum(dim=(1, 2, 3)).clamp(min=1))


def as_shares(features: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Both lists of maps, each layer divided by its targets' mean magnitude, so that all layers weigh the same."""
    scales = [target.abs().mean().clamp(min=1e-6) for target in targets]
    return (
        [a / scale for a, scale in zip(features, scales, strict=True)],
        [b / scale for b, scale in zip(targets, scales, strict=True)],
    )


def perceptual(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """L (3): the mean distance |a - b| of feature maps (N, C, h, w), mean over layers; a scalar."""
    return torch.stack([(a - b).abs().mean() for a, b in zip(features, targets, strict=True)]).mean()


def style(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """The style loss of Gatys et al. 2016 as in LaFIn: mean |a - b| of Gram matrices, mean over layers; a scalar."""
    return torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in zip(features, targets, strict=True)]).mean()


def gram(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, C): products of channels, divided by C * h * w."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


Maps = Sequence[Tensor]  # feature maps (N, C, h, w), one a layer


@dataclass(frozen=True)
class FeatureForm:
    """How the feature maps of two pictures are compared: first ``scaled``, then either of the others gives a scalar."""

    scaled: Callable[[Maps, Maps], tuple[Maps, Maps]]
    perceptual: Callable[[Maps, Maps], Tensor]
    style: Callable[[Maps, Maps], Tensor]


def _as_they_are(features: Maps, targets: Maps) -> tuple[Maps, Maps]:
    return features, targets


def _summed(distance: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Maps, Maps], Tensor]:
    """The sum over layers of ``distance`` of two maps."""
    return lambda features, targets: torch.stack([distance(a, b) for a, b in zip(features, targets, strict=True)]).sum()


_style_summed = _summed(lambda a, b: (gram(a) - gram(b)).abs().mean())

# "shares": each layer divided by its magnitude, mean over layers (ours). "l1": L1, summed over layers, as LaFIn's code.
# "squared": L (3), squared, summed over layers. Each layer contributes the mean over its values.
FEATURE_FORMS = {
    "shares": FeatureForm(as_shares, perceptual, style),
    "l1": FeatureForm(_as_they_are, _summed(lambda a, b: (a - b).abs().mean()), _style_summed),
    "squared": FeatureForm(_as_they_are, _summed(lambda a, b: (a - b).square().mean()), _style_summed),
}


def identity(embeddings: Tensor, targets: Tensor) -> Tensor:
    """L (4): the mean |f(G) - f(I)|_1 of unit vectors (N, D); a scalar."""
    return (embeddings - targets).abs().sum(dim=1).mean()


def identity_euclidean(embeddings: Tensor, targets: Tensor) -> Tensor:
    """L (4) with the Euclidean norm, FaceNet's distance; a scalar.

    The distance is at least 1e-6, because the gradient of the norm is infinite at 0.
    """
    return (embeddings - targets).square().sum(dim=1).clamp(min=1e-12).sqrt().mean()


IDENTITY = {"l1": identity, "l2": identity_euclidean}  # by the norm


def matching(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Feature matching (Wang et al. 2018, arXiv 1711.11585, 3) on the discriminator's maps; a scalar."""
    return perceptual(features, targets)


def variation(composite: Tensor, hole: Tensor) -> Tensor:
    """Total variation: the mean |difference| of neighbouring pixels, at least one of them in the hole; a scalar."""
    across = (composite[..., 1:] - composite[..., :-1]).abs() * torch.maximum(hole[..., 1:], hole[..., :-1])
    down = (composite[..., 1:, :] - composite[..., :-1, :]).abs() * torch.maximum(hole[..., 1:, :], hole[..., :-1, :])
    return (across.sum() + down.sum()) / (3 * hole.sum().clamp(min=1))


def checkerboard(generated: Tensor, pictures: Tensor, hole: Tensor) -> Tensor:
    """The squared part of the error that repeats every PERIOD pixels, as strides cause (Odena et al. 2016); a scalar.

    The local mean is subtracted from the error. Then 4 x 4 neighbouring blocks of PERIOD x PERIOD pixels inside the
    hole are averaged: only a pattern with that period, or a divisor of it, remains.
    """
    error = (generated - pictures) * hole
    around, inside = (functional.avg_pool2d(x, PERIOD + 1, 1, PERIOD // 2) for x in (error, hole))
    error = error - around / inside.clamp(min=1e-6)
    covered = functional.pixel_unshuffle(hole, PERIOD).amin(dim=1, keepdim=True)
    blocks = min(4, covered.shape[-1])
    repeated = functional.avg_pool2d(functional.pixel_unshuffle(error, PERIOD) * covered, blocks, 2)
    share = functional.avg_pool2d(covered, blocks, 2).sum()
    return (repeated**2).sum() / (repeated.shape[1] * share.clamp(min=1))


def colour(generated: Tensor, pictures: Tensor, hole: Tensor) -> Tensor:
    """The squared difference of blurred pictures (Ignatov et al. 2017, arXiv 1704.02470) over the hole; a scalar.

    The blur is the mean over the hole pixels in BLUR_SIDE x BLUR_SIDE. L1 and feature losses favour the median of the
    possible fills; only a squared loss makes the mean colour of large areas right.
    """
    error, inside = (
        functional.avg_pool2d(x, BLUR_SIDE, BLUR_SIDE // 4, BLUR_SIDE // 2)
        for x in ((generated - pictures) * hole, hole)
    )
    return (error**2 / inside.clamp(min=1e-6)).sum() / (3 * inside.sum().clamp(min=1e-6))


def adversarial(logits: Tensor) -> Tensor:
    """L (5) for the generator, non-saturating: mean softplus(-D); a scalar."""
    return functional.softplus(-logits).mean()


def discrimination(real: Tensor, generated: Tensor) -> Tensor:
    """L (5) for the discriminator, from logits on real and on generated pictures; a scalar."""
    return functional.softplus(-real).mean() + functional.softplus(generated).mean()


def hinge_adversarial(logits: Tensor) -> Tensor:
    """The hinge loss for the generator (Lim and Ye 2017, arXiv 1705.02894): mean -D; a scalar."""
    return -logits.mean()


def hinge(real: Tensor, generated: Tensor) -> Tensor:
    """The hinge loss for the discriminator, from logits on real and on generated pictures; a scalar."""
    return functional.relu(1 - real).mean() + functional.relu(1 + generated).mean()


def least_squares_adversarial(logits: Tensor) -> Tensor:
    """LSGAN's loss for the generator (Mao et al. 2017, arXiv 1611.04076): mean (D - 1)^2; a scalar."""
    return (logits - 1).square().mean()


def least_squares(real: Tensor, generated: Tensor) -> Tensor:
    """LSGAN's loss for the discriminator, from its outputs on real and on generated pictures; a scalar."""
    return (real - 1).square().mean() + generated.square().mean()


@dataclass(frozen=True)
class Adversarial:
    """L (5): the loss of the discriminator from its logits on real and generated pictures, and the generator's loss."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


ADVERSARIAL = {
    "non-saturating": Adversarial(discrimination, adversarial),
    "lsgan": Adversarial(least_squares, least_squares_adversarial),
    # LaFIn's code applies a sigmoid first, which bounds the outputs by the targets 0 and 1.
    "lsgan-sigmoid": Adversarial(
        lambda real, generated: least_squares(real.sigmoid(), generated.sigmoid()),
        lambda logits: least_squares_adversarial(logits.sigmoid()),
    ),
    "hinge": Adversarial(hinge, hinge_adversarial),
}
