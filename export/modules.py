"""The modules that are the graphs: what they compute, exporters write down, and parity compares against it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.blend import surroundings
from faceinp.nets import completion, embedding

REACH = 12 / 256  # of a crop's side: how far a join fades into what the graph ``photo`` draws
RIM = 2  # pixels: how far from the hole the known pixels lie that the drawing is joined to
FADING = 0.85, 0.999  # the drawing's share between which it is part of the rim of what lies beyond the crop
LARGEST_MAP = 1024  # cells: the longer side of the map on which the rim is spread; a larger hole has larger cells
# Of the graph ``detector``: the long side of what it searches, from so many pixels to twice as many, and the width of a
# face there; probabilities from which on the three networks let a face pass.
SEARCHED, SMALLEST, THRESHOLDS = 700, 20.0, (0.6, 0.7, 0.7)
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


class Filling(nn.Module):
    """What fills a crop of ``size`` pixels a side: its networks."""

    def __init__(self, generator: nn.Module, predictor: nn.Module, likeness: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator
        self.predictor = predictor
        self.likeness = likeness
        self.size = size


class Restorer(Filling):
    """The whole pipeline of an aligned crop in one graph; the library does the rest: finding faces, aligning, blending.

    Networks work at ``size``; a picture of another height or width is brought there and back by matrix products,
    which run on every runtime and are the identity for a picture of that size. Known pixels are selected, not computed.
    """

    def forward(self, image: Tensor, mask: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = image.shape[1], image.shape[2]
        known = image.float().permute(0, 3, 1, 2)
        hole = (mask.float() > 0).float()[:, None]
        blanked = torch.where(hole > 0, 0.5, known / 255)
        rows, columns = spread(height, self.size), spread(width, self.size)
        picture = rows @ blanked @ columns.T
        seen = ((rows @ hole @ columns.T) > 0).float()  # a cell that holds any of the hole is hole
        predicted = self.predictor(picture, seen)
        points = torch.where(landmarks <= PREDICTED, predicted, landmarks)
        generated = self.generator(picture, seen, completion.landmark_map(points, self.size))
        generated = spread(self.size, height) @ generated @ spread(self.size, width).T
        # Whole numbers up to 255 pass through floats unchanged, so selecting here keeps known pixels to the bit.
        result = torch.where(hole > 0, (255 * generated).clamp(0, 255).round(), known)
        filled = result.permute(0, 2, 3, 1).to(torch.uint8)  # last: TensorRT computes nothing in uint8
        return filled, points, self.likeness(predicted)


class Drawing(Filling):
    """What the graph ``photo`` does between sampling a crop and pasting: picture (1, 3, S, S) in [0, 1], hole and
    inside (1, 1, S, S), 1 in the hole and where the photo is -> (drawing (1, 5, S, S), points (1, 68, 2), face (1,)).

    The drawing's first three channels are the face. The fourth is 1 at the hole's edge and falls to 0 over REACH of the
    side: how much of a difference at the edge is spread there. The fifth is 1, but falls to 0 towards where the hole
    goes on beyond the crop: there, what is beyond takes over.
    """

    def forward(self, picture: Tensor, hole: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        picture = torch.where(hole > 0, 0.5, picture)
        points = self.predictor(picture, hole)
        face = self.generator(picture, hole, completion.landmark_map(points, self.size))
        reach = round(self.size * REACH)
        near = functional.avg_pool2d(1 - hole, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)
        near = functional.avg_pool2d(near, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
        # Half of what is around an edge is known: a little less counts as the edge, a little more than nothing as far.
        near = ((near - 0.02) / 0.35).clamp(0, 1)
        border = torch.ones_like(hole)
        border[:, :, 1:-1, 1:-1] = 0
        leaving = functional.max_pool2d(border * hole * inside, 8)
        far, steps = torch.zeros_like(leaving), round(surroundings.FADE * self.size / 8)
        for _ in range(steps):
            far = far + leaving / steps
            leaving = functional.max_pool2d(leaving, 3, 1, 1)
        drawn = 1 - functional.interpolate(far, scale_factor=8.0, mode="bilinear")
        return torch.cat([face, near, drawn], dim=1), points, self.likeness(points)


class Membrane(nn.Module):
    """Fields known at some cells and spread smoothly to all: sums (N, 4, h, w), three channels and how many values were
    added at each cell -> (N, 3, h, w). h and w: multiples of MULTIPLE.

    Push-pull (Gortler et al. 1996, section 3.4): means of the known cells, half the size each time, and the way back,
    what is unknown taken from the coarser field and made smoother. It comes near the solution of Laplace's equation,
    which a graph cannot solve: ``blend.poisson`` does.
    """

    HALVINGS = 6
    MULTIPLE = 2**HALVINGS
    SMOOTHINGS = 3

    def forward(self, sums: Tensor) -> Tensor:
        levels = [sums]
        for _ in range(self.HALVINGS):
            levels.append(functional.avg_pool2d(levels[-1], 2))
        total = sums.sum(dim=(2, 3), keepdim=True)
        field = (total[:, :3] / total[:, 3:].clamp(min=1e-6)).expand(-1, -1, *levels[-1].shape[2:])
        for level, values in enumerate(reversed(levels)):
            if level:
                field = functional.interpolate(field, scale_factor=2.0, mode="bilinear")
            count = values[:, 3:]
            unknown = (count == 0).to(values.dtype)
            field = torch.where(count > 0, values[:, :3] / count.clamp(min=1e-6), field)
            for _ in range(self.SMOOTHINGS):
                around = functional.avg_pool2d(field, 3, 1, 1, count_include_pad=False)
                field = torch.lerp(field, around, unknown)
        return field


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
