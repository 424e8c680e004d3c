"""Pictures as networks are shown them: faces drawn from the shards, mirrored and in other light; and what a loss
looks at, rolled, mirrored, blurred, the result and its target alike.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faceinp.nets.points import MIRROR
from faceinp.train.datasets import data


def drawn(
    faces: data.Faces, count: int, seed: tuple[int, ...], device: torch.device, recoloured: float = 0.0
) -> tuple[Tensor, Tensor]:
    """``count`` faces, half of them mirrored, that share ``recoloured``: float32 (count, 3, S, S) in [0, 1] and points
    (count, 68, 2).
    """
    rng = np.random.default_rng(seed)
    chosen = faces.choose(count, rng)
    pictures, points = faces.pictures[chosen].to(device).float() / 255, faces.points[chosen].to(device)

    def some(share: float) -> Tensor:
        return torch.from_numpy(rng.random(count) < share).to(device)[:, None, None, None]

    mirrored = some(0.5)
    pictures = torch.where(mirrored, pictures.flip(-1), pictures)
    pictures = torch.where(some(recoloured), recolour(pictures, rng), pictures)
    over = points.new_tensor([1.0, 0.0])
    turned = (over + points * points.new_tensor([-1.0, 1.0]))[:, list(MIRROR)]
    return pictures, torch.where(mirrored[:, 0], turned, points)


def rolled(x: Tensor, shift: Tensor) -> Tensor:
    """(N, C, S, S) moved by ``shift``, int (2,), rows and columns; what leaves at one edge comes in at the other.

    Layers of strides look at one pixel of each stride more than at others: were those always the same, they would
    favour fills with a grid of that phase.
    """
    index = torch.arange(x.shape[-1], device=x.device)
    rows, columns = ((index - by) % len(index) for by in shift)
    return x.index_select(2, rows).index_select(3, columns)


def disturbed(both: Iterable[Tensor], most: float, mirrored: Tensor, sigma: Tensor) -> list[Tensor]:
    """(N, 3, S, S) each, ``mirrored`` (bool) or not, and blurred by a Gaussian of ``sigma`` <= ``most`` pixels.

    A judge's gradient rewards flecks that no face has. What is gone when the picture is seen a little otherwise is
    worth less to it (expectation over transformations, Athalye et al. 2018, arXiv 1707.07397).
    """
    pictures = [torch.where(mirrored, x.flip(-1), x) for x in both]
    if not most:
        return pictures
    reach = math.ceil(3 * most)
    offsets = torch.arange(-reach, reach + 1, device=sigma.device) / sigma
    kernel = (-(offsets**2) / 2).exp()
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = [functional.pad(x, (reach,) * 4, mode="reflect") for x in pictures]
    blurred = [functional.conv2d(x, kernel.to(x.dtype), groups=3) for x in padded]
    return [functional.conv2d(x, kernel.transpose(2, 3).to(x.dtype), groups=3) for x in blurred]


def recolour(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast, saturation and white balance of each of (N, 3, S, S) in [0, 1]: what is learnt of
    colours must come from the picture at hand.
    """
    count = len(pictures)

    def drawn(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, channels, 1, 1))).to(pictures)

    grey = pictures.mean(dim=1, keepdim=True)
    pictures = torch.lerp(grey, pictures, drawn(0.4, 1.4)) * drawn(0.85, 1.15, channels=3)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return (torch.lerp(middle, pictures, drawn(0.6, 1.3)) + drawn(-0.15, 0.15)).clamp(0, 1)
