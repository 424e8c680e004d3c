"""The 70 x 70 PatchGAN discriminator (Isola et al. 2017, arXiv 1611.07004) with spectral normalisation."""

import torch
from torch import Tensor, cat, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

ATTENDED = 1  # the layer before the attention, as in LaFIn: a quarter of the picture's side


class PatchDiscriminator(nn.Module):
    """Pictures (N, 3, S, S) in [0, 1] and conditions (N, conditions, S, S) in [0, 1] -> a list of one map of logits
    (N, 1, about S/8, S/8), one for each patch of 70 x 70 pixels, and the maps of all layers (for feature matching).

    conditions: 1 for the mask alone. The second paper adds the landmark map, five channels; then traces of its spots
    appear in the fills. attention: LaFIn's, after the second layer.
    """

    def __init__(self, width: int = 64, conditions: int = 1, attention: bool = False) -> None:
        super().__init__()
        widths = [3 + conditions, width, 2 * width, 4 * width, 8 * width]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride, 1))
            for a, b, stride in zip(widths, widths[1:], (2, 2, 2, 1), strict=False)
        )
        self.activation = nn.LeakyReLU(0.2)
        self.last = spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.attention = SelfAttention(widths[1 + ATTENDED]) if attention else None

    def forward(self, pictures: Tensor, conditions: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        x = cat([2 * pictures - 1, conditions], dim=1)
        features = []
        for number, layer in enumerate(self.layers):
            x = self.activation(layer(x))
            if number == ATTENDED and self.attention is not None:
                x = self.attention(x)
            features.append(x)
        return [self.last(x)], features


class SelfAttention(nn.Module):
    """(N, C, h, w) -> the same shape: self-attention with queries equal to keys, added with a learned weight.

    The short-term attention of Zheng et al. 2019 (arXiv 1903.04227), section 3.3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, max(1, channels // 4), 1)
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query, values = (y.flatten(2).transpose(1, 2)[:, None] for y in (self.query(x), x))
        gathered = functional.scaled_dot_product_attention(query, query, values)
        return x + self.strength * gathered[:, 0].transpose(1, 2).reshape(x.shape)
