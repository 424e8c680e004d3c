"""Other light and other cameras, for training: what is learnt of colours must come from the picture at hand."""

import numpy as np
import torch
from torch import Tensor


def recolour(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast, saturation and white balance of each of (N, 3, S, S) in [0, 1]."""
    count = len(pictures)

    def drawn(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, channels, 1, 1))).to(pictures)

    grey = pictures.mean(dim=1, keepdim=True)
    pictures = torch.lerp(grey, pictures, drawn(0.4, 1.4)) * drawn(0.85, 1.15, channels=3)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return (torch.lerp(middle, pictures, drawn(0.6, 1.3)) + drawn(-0.15, 0.15)).clamp(0, 1)
