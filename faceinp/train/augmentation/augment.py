"""Differentiable augmentation (Zhao et al. 2020, arXiv 2006.10738): what keeps a discriminator from learning faces by
heart. It sees real and generated pictures changed alike, and the generator's gradient passes through the change.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SHIFT, CUTOUT = 1 / 8, 1 / 4  # farthest shift and side of the square that is cut out, as shares of the side


@dataclass(frozen=True)
class Augmentation:
    """One draw for N pictures. light, contrast, saturation: (N, 1, 1, 1). shift: int (N, 2), rows and columns.
    cut: int (N, 2), top left corner of the square that is cut out.
    """

    light: Tensor
    contrast: Tensor
    saturation: Tensor
    shift: Tensor
    cut: Tensor

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) in [0, 1], in other light, moved, with a grey square."""
        grey = pictures.mean(dim=1, keepdim=True)
        x = grey + (pictures - grey) * self.saturation + self.light
        middle = x.mean(dim=(1, 2, 3), keepdim=True)
        return self._cut(self.move(middle + (x - middle) * self.contrast))

    def move(self, x: Tensor) -> Tensor:
        """(N, C, S, S), moved; what comes in at an edge is mirrored."""
        side = x.shape[-1]
        index = torch.arange(side, device=x.device) - self.shift[:, :, None]
        index = torch.where(index < 0, -1 - index, index)
        index = torch.where(index >= side, 2 * side - 1 - index, index)
        number = torch.arange(len(x), device=x.device)[:, None, None]
        moved = x.permute(0, 2, 3, 1)[number, index[:, 0, :, None], index[:, 1, None]]
        return moved.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _cut(self, x: Tensor) -> Tensor:
        side = x.shape[-1]
        index = torch.arange(side, device=x.device)
        within = (index >= self.cut[..., None]) & (index < self.cut[..., None] + round(CUTOUT * side))
        return x.masked_fill((within[:, 0, :, None] & within[:, 1, None])[:, None], 0.5)


def draw(count: int, side: int, rng: np.random.Generator, device: torch.device) -> Augmentation:
    """What ``count`` pictures of this ``side`` are changed by; every second square lies outside of the picture."""

    def there(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1)).astype(np.float32)).to(device)

    far = round(SHIFT * side)
    shift = rng.integers(-far, far + 1, (count, 2))
    cut = rng.integers(0, side - round(CUTOUT * side) + 1, (count, 2))
    cut[rng.random(count) < 0.5] = side
    light, contrast, saturation = there(-0.2, 0.2), there(0.7, 1.3), there(0.5, 1.5)
    return Augmentation(light, contrast, saturation, *(torch.from_numpy(v).to(device) for v in (shift, cut)))
