"""The torch modules that are exported: a file must compute the same as its module.

Each takes the graph's inputs by the names in ``graphs.GRAPHS``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.blend import surroundings
from faceinp.nets import completion, embedding

# The graph ``photo``.
REACH = 12 / 256  # of the crop's side: the width over which the seam is blended into the generated face
RIM = 2  # pixels: the width of the known rim around the hole that the fill is joined to
FADING = (
    0.85,
    0.999,
)  # a pixel of the face with a weight in between is also a boundary value of the fill outside the crop
LARGEST_MAP = 1024  # cells: the longer side of the membrane's map; for a larger hole a cell is several pixels

# The graph ``detector``.
SEARCHED = 700  # pixels: the photo is reduced until its longer side is below twice as many
SMALLEST = 20.0  # pixels of the reduced photo: the width of a face
THRESHOLDS = (0.6, 0.7, 0.7)  # the probability of a face at which each of the three networks accepts it

PREDICTED = -1.0  # a landmark coordinate up to this in the input of ``restorer`` means: predict it


class Completion(nn.Module):
    def __init__(self, generator: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor, mask: Tensor, landmark_map: Tensor) -> Tensor:
        return self.generator(picture, mask, landmark_map)


class Predictor(nn.Module):
    def __init__(self, predictor: nn.Module, size: int) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(self, picture: Tensor, mask: Tensor) -> Tensor:
        return self.predictor(picture, mask)


class Prior(nn.Module):
    def __init__(self, generator: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


class Finder(nn.Module):
    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        scores: Tensor = self.network(picture)
        odds = (scores - scores.amax(dim=1, keepdim=True)).exp()
        return odds / odds.sum(dim=1, keepdim=True)  # four times faster than onnxruntime's softmax over channels


class Faces(nn.Module):
    """The judge ``bundled`` on faces that the judge has cut out of the crop, and on their mirror images."""

    def __init__(self, network: embedding.Embedding, size: int) -> None:
        super().__init__()
        self.network = embedding.Mirrored(network)

    def forward(self, faces: Tensor) -> Tensor:
        return self.network(faces)


class Judge(Faces):
    """The judge ``bundled`` on whole crops."""

    def forward(self, picture: Tensor) -> Tensor:
        return self.network(embedding.resample(picture, embedding.BOX, (embedding.SIZE, embedding.SIZE)))


class Filling(nn.Module):
    """The networks that fill a crop of ``size`` pixels a side."""

    def __init__(self, generator: nn.Module, predictor: nn.Module, likeness: nn.Module, size: int) -> None:
        super().__init__()
        self.generator = generator
        self.predictor = predictor
        self.likeness = likeness
        self.size = size


class Restorer(Filling):
    """Landmarks, completion and compositing of an aligned crop in one graph, without detection and alignment.

    The networks work at ``size``; a picture of another size is resampled to it and back by matrix products, which every
    runtime supports and which are the identity for that size. Known pixels are selected, not computed.
    """

    def forward(self, image: Tensor, mask: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = image.shape[1], image.shape[2]
        known = image.float().permute(0, 3, 1, 2)
        hole = (mask.float() > 0).float()[:, None]
        blanked = torch.where(hole > 0, 0.5, known / 255)
        rows, columns = spread(height, self.size), spread(width, self.size)
        picture = rows @ blanked @ columns.T
        small_hole = ((rows @ hole @ columns.T) > 0).float()  # a pixel with any hole in it is hole
        predicted = self.predictor(picture, small_hole)
        points = torch.where(landmarks <= PREDICTED, predicted, landmarks)
        generated = self.generator(picture, small_hole, completion.landmark_map(points, self.size))
        generated = spread(self.size, height) @ generated @ spread(self.size, width).T
        # Integers up to 255 are exact in fp16 and fp32, so known pixels stay bit-exact.
        result = torch.where(hole > 0, (255 * generated).clamp(0, 255).round(), known)
        filled = result.permute(0, 2, 3, 1).to(torch.uint8)  # last, because TensorRT has no uint8 operators
        return filled, points, self.likeness(predicted)


class Drawing(Filling):
    """The networks of the graph ``photo``: picture (1, 3, S, S) in [0, 1], hole and inside (1, 1, S, S), 1 in the hole
    and inside the photo -> (drawing (1, 5, S, S), points (1, 68, 2), face (1,)).

    The drawing's first three channels are the generated face. The fourth is the weight of the seam correction: 1 at the
    hole's edge, falling to 0 over REACH of the side. The fifth is the weight of the face: 1, falling to 0 towards a
    border of the crop where the hole continues outside.
    """

    def forward(self, picture: Tensor, hole: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        picture = torch.where(hole > 0, 0.5, picture)
        points = self.predictor(picture, hole)
        face = self.generator(picture, hole, completion.landmark_map(points, self.size))
        reach = round(self.size * REACH)
        near = functional.avg_pool2d(1 - hole, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)
        near = functional.avg_pool2d(near, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
        # At the hole's edge half of the window is known. The weight is 1 from 0.37 on, and 0 up to 0.02.
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
    """Interpolates values of some cells smoothly to all cells: sums (N, 4, h, w), the sums of three channels and the
    number of values at each cell -> (N, 3, h, w). h and w are multiples of MULTIPLE.

    Push-pull (Gortler et al. 1996, section 3.4): a pyramid of means of the known cells, then back up, where unknown
    cells are filled from the coarser level and smoothed. It approximates Laplace's equation, which ``blend.poisson``
    solves exactly but a graph cannot.
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
    """The resampling matrix (count, side) of ``nets.sampling.triangles`` for a whole side, in exportable operators."""
    step = torch.scalar_tensor(side) / torch.scalar_tensor(count)
    centres = (torch.arange(count)[:, None] + 0.5) * step - 0.5
    shares = (1 - (torch.arange(side)[None] - centres).abs() / step.clamp(min=1)).clamp(min=0)
    return shares / shares.sum(dim=1, keepdim=True)


class Unguided(nn.Module):
    """A generator that was trained without landmarks: it always gets an empty map."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, pictures: Tensor, masks: Tensor, maps: Tensor) -> Tensor:
        return self.generator(pictures, masks, torch.zeros_like(maps))


class ExactNorm(nn.Module):
    """``nn.GroupNorm`` of one group, with means of rows, then of columns, then of channels.

    onnxruntime sums a million values in sequence in fp32. The mean then has an error of 1e-5, and the result of 1e-3 if
    the hole is nearly uniform. Nested means sum few values each.
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
    """Replace the norms of one group in ``network`` by ``ExactNorm``. Returns it."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.GroupNorm) and module.num_groups == 1:
            network.set_submodule(name, ExactNorm(module))
    return network
