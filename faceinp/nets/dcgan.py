"""DCGAN at 64 x 64 (Radford, Metz and Chintala 2016, Figure 1), the prior of both latent engines.

Inputs and outputs are in [0, 1]; the networks work in [-1, 1] and convert in their first or last line.
"""

import numpy as np
import torch
from torch import Tensor, nn

SIZE = 64


class Generator(nn.Module):
    """z of shape (N, latent) -> pictures (N, 3, 64, 64) in [0, 1]."""

    def __init__(self, latent: int = 100, width: int = 64) -> None:
        super().__init__()
        self.latent = latent
        channels = [8 * width, 4 * width, 2 * width, width]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent, channels[0], 4, bias=False),  # 1 -> 4
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        ]
        for narrow, wide in zip(channels[1:], channels, strict=False):  # 4 -> 8 -> 16 -> 32
            layers += [
                nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(narrow),
                nn.ReLU(inplace=True),
            ]
        layers.append(nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1))  # 32 -> 64
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        return (torch.tanh(self.layers(z[:, :, None, None])) + 1) / 2


class Discriminator(nn.Module):
    """Pictures (N, 3, 64, 64) in [0, 1] -> logits (N,), positive for a real photo."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for channels in (width, 2 * width, 4 * width):  # 32 -> 16 -> 8 -> 4
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(nn.Conv2d(8 * width, 1, 4))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(2 * pictures - 1).flatten()


def latents(count: int, latent: int, seed: int | tuple[int, ...]) -> Tensor:
    """z of shape (count, latent) from N(0, 1). NumPy draws them, so a seed gives the same z on every device."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, latent), dtype=np.float32))


def _initialise(module: nn.Module) -> None:
    """Radford et al., section 4: weights from N(0, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
