"""The bundled judge's network: it embeds an aligned face as a unit vector.

It has MobileFaceNet's size and head (Chen et al. 2018, arXiv 1804.07573: a depthwise convolution over the whole last
map instead of a mean), with bottleneck blocks instead of depthwise ones, which are three times faster on two cores.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.nets.points import TEMPLATE_BOX
from faceinp.nets.sampling import triangles

SIZE = 112
BOX = TEMPLATE_BOX


class Embedding(nn.Module):
    """Faces (N, 3, 112, 112) in [0, 1], aligned to the 112 template -> unit vectors (N, embedding)."""

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 192),
        depths: tuple[int, ...] = (3, 5, 3),
        features: int = 512,
        embedding: int = 128,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = [nn.PixelUnshuffle(4), *_convolution(48, widths[0], 1)]  # to 28 x 28
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if number:
                stages += _convolution(widths[number - 1], width, 2, stride=2)
            stages += [Bottleneck(width) for _ in range(depth)]
        stages += [nn.Conv2d(widths[-1], features, 1, bias=False), nn.BatchNorm2d(features)]
        self.stages = nn.Sequential(*stages)
        side = SIZE // 4 // 2 ** (len(widths) - 1)
        self.activation = nn.PReLU(features)
        self.whole = nn.Conv2d(features, features, side, groups=features, bias=False)
        self.norm = nn.BatchNorm2d(features)
        self.last = nn.Linear(features, embedding)

    def forward(self, faces: Tensor) -> Tensor:
        return self.vectors(self.stages(2 * faces - 1))

    def layers(self, faces: Tensor) -> list[Tensor]:
        """Outputs of every bottleneck block, (N, C, h, w) from 28 x 28 to 7 x 7, and of the last map."""
        x, outputs = 2 * faces - 1, []
        for module in self.stages:
            x = module(x)
            if isinstance(module, Bottleneck):
                outputs.append(x)
        return [*outputs, x]

    def vectors(self, last_map: Tensor) -> Tensor:
        """(N, features, 7, 7) -> unit vectors (N, embedding)."""
        numbers = self.last(self.norm(self.whole(self.activation(last_map))).flatten(1))
        return functional.normalize(numbers, dim=1)


class Mirrored(nn.Module):
    """``Embedding`` of a face plus that of its mirror image: a better judge for twice the work."""

    def __init__(self, network: Embedding) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        return functional.normalize(self.network(faces) + self.network(faces.flip(-1)), dim=1)


class Bottleneck(nn.Module):
    """(N, C, h, w) -> the same shape: 1 x 1 down to half, 3 x 3, 1 x 1 up, added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.branch = nn.Sequential(
            *_convolution(channels, inner, 1),
            *_convolution(inner, inner, 3, padding=1),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _convolution(inside: int, outside: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    convolution = nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)
    return [convolution, nn.BatchNorm2d(outside), nn.PReLU(outside)]


def resample(pictures: Tensor, box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    """Cut a box out of pictures and scale it: (N, C, S, S) -> (N, C, *size).

    box: left, top, right, bottom in shares of the side; the border is repeated outside the picture. size: (h, w).
    One matrix product for rows and one for columns: differentiable, antialiased by a triangle filter as wide as the
    step, and two MatMul in an exported graph. An aligned crop needs no rotation.
    """
    left, top, right, bottom = box
    rows = torch.from_numpy(triangles(pictures.shape[-2], top, bottom, size[0])).to(pictures)
    columns = torch.from_numpy(triangles(pictures.shape[-1], left, right, size[1])).to(pictures)
    return rows @ pictures @ columns.T
