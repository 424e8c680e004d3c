"""Predicts the 68 landmarks of a face with a hole, as in the landmark-guided paper.

The blocks are MobileNetV2's (Sandler et al. 2018, arXiv 1801.04381). As in the paper, feature maps of three depths are
reduced to one vector each, and a linear layer turns them into 136 numbers. ``Landmarks`` works at 128 x 128 pixels with
45 million multiply-adds; ``MobileNetV2Landmarks`` is the full network, 17 blocks at 256 x 256, about 400 million.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.nets.efficientnet import MEAN, STAGES, OnTrunk, Trunk, convolution

SIZE = 256  # side of the crops
INPUT_SIDE = 128  # side of the network's input, in pixels
POINTS = 68
# Input channels, output channels, stride and expansion of the inverted residuals. The comments are output sides.
BLOCKS = (
    (16, 24, 2, 3),  # 32
    (24, 40, 2, 4),  # 16
    (40, 40, 1, 4),
    (40, 40, 1, 4),
    (40, 80, 2, 6),  # 8
    (80, 80, 1, 6),
    (80, 80, 1, 6),
    (80, 80, 1, 6),
    (80, 128, 2, 6),  # 4
    (128, 128, 1, 6),
)
# Blocks whose output reaches the linear layer -> its side, and its channels after reduction: 1,024 numbers each.
TAPS = {3: (16, 4), 7: (8, 16), 9: (4, 64)}
# The same for EfficientNet-Lite0's stages: side, channels, channels after reduction; 2,048 numbers each.
LITE_TAPS = {2: (16, 40, 8), 4: (8, 112, 32), 5: (4, 192, 128)}
LITE_BLOCKS = 12  # of sixteen, up to the first block of the sixth stage
MASKED = 2  # the first of EfficientNet-Lite0's stages that gets the mask and is trained
HIDDEN = 256
SPREAD_BIAS = -3.0  # before the softplus: an untrained network expects errors of .05


class InvertedResidual(nn.Module):
    """(N, channels, h, w) -> (N, out, h / stride, w / stride): expand, depthwise, project."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.adds = stride == 1 and channels == out
        self.layers = nn.Sequential(
            *(convolution(channels, wide, 1) if expansion > 1 else ()),
            *convolution(wide, wide, 3, stride=stride, groups=wide),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


class Predictor(nn.Module):
    """The last layer that all predictors share."""

    points: nn.Linear

    def start_from(self, points: Tensor) -> None:
        """Initialise the last layer so that the output is about ``points`` (68, 2), the mean face."""
        nn.init.normal_(self.points.weight, 0.0, 1e-2)
        self.points.bias.data.copy_(points.flatten())


class Landmarks(Predictor):
    """Pictures (N, 3, side, side) in [0, 1], masks (N, 1, side, side), True or 1 in the hole -> points (N, 68, 2).

    Points are x and y in shares of the side, in dlib's order; they may be outside [0, 1] if the crop cuts the face. The
    pixels in the hole have no effect. side: a multiple of 128, fixed so that the exported graph has a fixed size; the
    weights are the same for every side.
    """

    input_side = INPUT_SIDE

    def __init__(self, side: int = SIZE) -> None:
        super().__init__()
        self.reduction = side // INPUT_SIDE
        self.stem = nn.Sequential(*convolution(4, 16, 3, stride=2))
        self.blocks = nn.ModuleList(InvertedResidual(*block) for block in BLOCKS)
        self.taps = nn.ModuleDict(
            {str(block): nn.Sequential(*convolution(BLOCKS[block][1], kept, 1)) for block, (_, kept) in TAPS.items()}
        )
        self.points = nn.Linear(sum(size * size * kept for size, kept in TAPS.values()), 2 * POINTS)

    def forward(self, pictures: Tensor, masks: Tensor) -> Tensor:
        hole = masks.to(pictures.dtype)
        x = torch.cat([(2 * pictures - 1) * (1 - hole), hole], dim=1)  # the hole is grey
        if self.reduction > 1:
            x = functional.avg_pool2d(x, self.reduction)
        x = self.stem(x)
        vectors = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in TAPS:
                vectors.append(self.taps[str(number)](x).flatten(1))
        # A step of Adam moves 3,072 weights by the same amount: at full scale the points would jump at every step.
        return self.points(0.1 * torch.cat(vectors, dim=1)).unflatten(1, (POINTS, 2))


class LiteLandmarks(OnTrunk, Predictor):
    """Pictures (N, 3, side, side) in [0, 1], masks (N, 1, side, side), True or 1 in the hole -> points (N, 68, 2).

    As ``Landmarks``, on EfficientNet-Lite0 with ImageNet weights. Its first two stages get the hole in grey and are
    frozen; the mask is added to their output. The output is the sum of a linear layer and a small network with one
    hidden layer, both on maps of three depths.
    """

    input_side, frozen = INPUT_SIDE, MASKED

    def __init__(self, side: int = SIZE) -> None:
        super().__init__()
        self.reduction = side // INPUT_SIDE
        self.trunk = Trunk(count=LITE_BLOCKS, centred=True)
        self.mask = nn.Conv2d(1, STAGES[MASKED - 1][-1], 3, padding=1)
        self.taps = nn.ModuleDict(
            {
                str(stage): nn.Sequential(*convolution(channels, kept, 1))
                for stage, (_, channels, kept) in LITE_TAPS.items()
            }
        )
        width = sum(size * size * kept for size, _, kept in LITE_TAPS.values())
        self.points = nn.Linear(width, 2 * POINTS)
        self.hidden = nn.Linear(width, HIDDEN)
        self.correction = nn.Linear(HIDDEN, 2 * POINTS)
        self.spread = nn.Linear(HIDDEN, POINTS)

    def start_from(self, points: Tensor) -> None:
        super().start_from(points)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, pictures: Tensor, masks: Tensor) -> Any:
        """The points; in training the output of ``estimate``, so that distributed training uses every parameter."""
        return self.estimate(pictures, masks) if self.training else self._points(self._vector(pictures, masks))[0]

    def estimate(self, pictures: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The points, and the expected error of each, (N, 68), relative to the distance of the outer eye corners."""
        points, hidden = self._points(self._vector(pictures, masks))
        return points, functional.softplus(self.spread(hidden) + SPREAD_BIAS) + 1e-3

    def _vector(self, pictures: Tensor, masks: Tensor) -> Tensor:
        hole = masks.to(pictures.dtype)
        x = pictures * (1 - hole) + MEAN / 255 * hole
        if self.reduction > 1:
            x = functional.avg_pool2d(x, self.reduction)
        x = self.trunk.stem(x)
        vectors = []
        for stage in range(max(LITE_TAPS) + 1):
            if stage == MASKED:
                x = x + self.mask(functional.avg_pool2d(hole, hole.shape[-1] // x.shape[-1]))
            x = self.trunk.stage(stage, x)
            if stage in LITE_TAPS:
                vectors.append(self.taps[str(stage)](x).flatten(1))
        # A step of Adam moves thousands of weights by the same amount: at full scale the points would jump.
        return 0.1 * torch.cat(vectors, dim=1)

    def _points(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.relu6(self.hidden(vector))
        return (self.points(vector) + self.correction(hidden)).unflatten(1, (POINTS, 2)), hidden


class MobileNetV2Landmarks(Predictor):
    """Pictures (N, 3, side, side) in [0, 1], masks (N, 1, side, side), True or 1 in the hole -> points (N, 68, 2).

    MobileNetV2 as published, 17 blocks at 256 pixels, with LaFIn's head: the maps of the last block and of the last
    convolution are reduced and averaged, and the averaged map of the latter is added to them. It gets the hole in white
    and no mask. side: a multiple of 256.
    """

    input_side = 256

    def __init__(self, side: int = SIZE) -> None:
        from torchvision.models import mobilenet_v2

        super().__init__()
        self.reduction = side // self.input_side
        features = mobilenet_v2(weights=None).features
        self.blocks, self.last = features[:-1], features[-1]
        deep, wide = 320, 1280
        self.from_blocks, self.from_last = nn.Conv2d(deep, 128, 1), nn.Conv2d(wide, 128, 1)
        self.from_mean = nn.Sequential(nn.Linear(wide, 64), nn.PReLU())
        self.points = nn.Linear(128 + 128 + 64, 2 * POINTS)

    def start_from_imagenet(self, state: dict[str, Tensor]) -> None:
        """Load the trunk from the state dict of torchvision's MobileNetV2."""
        prefix = "features."
        trunk = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        nn.Sequential(*self.blocks, self.last).load_state_dict(trunk)

    def forward(self, pictures: Tensor, masks: Tensor) -> Tensor:
        hole = masks.to(pictures.dtype)
        x = pictures * (1 - hole) + hole
        if self.reduction > 1:
            x = functional.avg_pool2d(x, self.reduction)
        x = self.blocks((x - 0.45) / 0.225)  # about the mean and deviation of ImageNet's channels
        wide = self.last(x)
        vectors = [
            self.from_blocks(x).mean(dim=(2, 3)),
            self.from_last(wide).mean(dim=(2, 3)),
            self.from_mean(wide.mean(dim=(2, 3))),
        ]
        return self.points(torch.cat(vectors, dim=1)).unflatten(1, (POINTS, 2))


NETWORKS: dict[str, type[Landmarks] | type[LiteLandmarks] | type[MobileNetV2Landmarks]] = {
    "mobilenet": Landmarks,
    "lite0": LiteLandmarks,
    "mobilenetv2": MobileNetV2Landmarks,
}
