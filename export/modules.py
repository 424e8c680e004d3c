"""The modules that are the graphs: what they compute, exporters write down, and parity compares against it."""

import torch
from torch import Tensor, nn

from faceinp.nets import completion, embedding

PREDICTED = -1.0  # a coordinate of this or less, in the restorer's input, is predicted


class Completion(nn.Module):
    def __init__(self, generator: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor, mask: Tensor, landmark_map: Tensor) -> Tensor:
        filled: Tensor = self.generator(picture, mask, landmark_map)
        return filled


class Predictor(nn.Module):
    def __init__(self, predictor: nn.Module, size: int) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, picture: Tensor, mask: Tensor) -> Tensor:
        points: Tensor = self.predictor(picture, mask)
        return points


class Prior(nn.Module):
    def __init__(self, generator: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        picture: Tensor = self.generator(z)
        return picture


class Finder(nn.Module):
    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        scores: Tensor = self.network(picture)
        odds = (scores - scores.amax(dim=1, keepdim=True)).exp()
        return odds / odds.sum(dim=1, keepdim=True)  # onnxruntime's softmax over channels takes four times as long


class Judge(nn.Module):
    """The judge ``bundled``: it looks at a face and at its mirror image."""

    def __init__(self, network: embedding.Embedding, size: int) -> None:
        super().__init__()
        self.network = embedding.Mirrored(network)

    def forward(self, picture: Tensor) -> Tensor:
        faces = embedding.resample(picture, embedding.BOX, (embedding.SIZE, embedding.SIZE))
        vectors: Tensor = self.network(faces)
        return vectors


class Restorer(nn.Module):
    """The whole pipeline of an aligned crop in one graph; the library does the rest: finding faces, aligning, blending.

    Networks work at ``size``; a picture of another height or width is brought there and back by matrix products,
    which run on every runtime and are the identity for a picture of that size. Known pixels are selected, not computed.
    """

    def __init__(self, generator: nn.Module, predictor: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator
        self.predictor = predictor
        self.size = size

    def forward(self, image: Tensor, mask: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        height, width = image.shape[1], image.shape[2]
        known = image.float().permute(0, 3, 1, 2)
        hole = (mask.float() > 0).float()[:, None]
        blanked = torch.where(hole > 0, 0.5, known / 255)
        rows, columns = spread(height, self.size), spread(width, self.size)
        picture = rows @ blanked @ columns.T
        seen = ((rows @ hole @ columns.T) > 0).float()  # a cell that holds any of the hole is hole
        points = torch.where(landmarks <= PREDICTED, self.predictor(picture, seen), landmarks)
        generated = self.generator(picture, seen, completion.landmark_map(points, self.size))
        generated = spread(self.size, height) @ generated @ spread(self.size, width).T
        # Whole numbers up to 255 pass through floats unchanged, so selecting here keeps known pixels to the bit.
        result = torch.where(hole > 0, (255 * generated).clamp(0, 255).round(), known)
        return result.permute(0, 2, 3, 1).to(torch.uint8), points  # last: TensorRT computes nothing in uint8


def spread(side: int, count: int) -> Tensor:
    """(count, side): row i holds what sample i takes of each pixel, a triangle as wide as the step; rows sum to 1."""
    step = torch.scalar_tensor(side) / torch.scalar_tensor(count)
    centres = (torch.arange(count)[:, None] + 0.5) * step - 0.5
    shares = (1 - (torch.arange(side)[None] - centres).abs() / step.clamp(min=1)).clamp(min=0)
    return shares / shares.sum(dim=1, keepdim=True)


class Unguided(nn.Module):
    """A generator that was trained without landmarks: whatever map it is given, it sees an empty one."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, pictures: Tensor, masks: Tensor, maps: Tensor) -> Tensor:
        filled: Tensor = self.generator(pictures, masks, torch.zeros_like(maps))
        return filled


class ExactNorm(nn.Module):
    """``nn.GroupNorm`` of one group, by means of means.

    onnxruntime adds the million values of a picture in a row, in fp32: a mean that is off by a hundred-thousandth, and
    with a hole that is nearly plain, a result that is off by a thousandth. Means of rows, of columns and of channels
    add few values each, on any runtime.
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        x = x - _mean(x)
        return x * torch.rsqrt(_mean(x * x) + self.eps) * self.weight[:, None, None] + self.bias[:, None, None]


def _mean(x: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, 1, 1, 1)."""
    return x.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True).mean(dim=1, keepdim=True)


def exact(network: nn.Module) -> nn.Module:
    """The network with its norms exchanged for exact ones."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.GroupNorm) and module.num_groups == 1:
            network.set_submodule(name, ExactNorm(module))
    return network
