"""The discriminator of Projected GANs (Sauer et al. 2021, arXiv 2111.01007) for pictures with a hole.

Fixed random convolutions mix the feature maps of a frozen network across channels and across four depths. A small head
at each depth gets the mixed map and the mask.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

# The stages of EfficientNet-Lite0 -> channels, and the standard deviation of their maps on faces.
STAGES: dict[int, tuple[int, float]] = {1: (24, 7.8), 2: (40, 7.0), 4: (112, 6.6), 6: (320, 2.5)}


class ProjectedDiscriminator(nn.Module):
    """Maps of STAGES, (N, C, h, w) each, shallow to deep, and masks (N, 1, S, S) -> one map of logits (N, 1, h', w')
    for each depth, and the maps of the heads' hidden layers (for feature matching).

    width: channels of the mixed maps. seed: of the random convolutions.
    """

    def __init__(self, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.across_channels = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c, _ in STAGES.values())
            self.across_scales = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in STAGES)
            for layer in (*self.across_channels, *self.across_scales):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
                layer.requires_grad_(False)
        self.heads = nn.ModuleList(
            nn.ModuleList(
                (
                    spectral_norm(nn.Conv2d(width + 1, width, 4, 2, 1)),
                    spectral_norm(nn.Conv2d(width, width, 3, 1, 1)),
                    spectral_norm(nn.Conv2d(width, 1, 3, 1, 1)),
                )
            )
            for _ in STAGES
        )

    def forward(self, maps: list[Tensor], masks: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        logits, features = [], []
        for mixed, head in zip(self.mix(maps), self.heads, strict=True):
            hole = functional.adaptive_avg_pool2d(masks, (mixed.shape[2], mixed.shape[3]))
            x = torch.cat([mixed, hole], dim=1)
            *hidden, last = head.children()
            for layer in hidden:
                x = functional.leaky_relu(layer(x), 0.2)
                features.append(x)
            logits.append(last(x))
        return logits, features

    def mix(self, maps: list[Tensor]) -> list[Tensor]:
        """The mixed maps, shallow to deep, each of the size of its stage, with a standard deviation of about 1."""
        mixed: list[Tensor] = []
        layers = zip(maps, STAGES.values(), self.across_channels, self.across_scales, strict=True)
        for features, (_, deviation), channels, scales in reversed(list(layers)):
            x = channels(features / deviation)
            if mixed:
                deeper = functional.interpolate(mixed[-1], (x.shape[2], x.shape[3]), mode="bilinear")
                x = (x + deeper) / 2**0.5
            mixed.append(scales(x))
        return mixed[::-1]
