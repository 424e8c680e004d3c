"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946, in the authors' Lite variant), an ImageNet classifier.

Compared with EfficientNet-B0, the Lite variant has no squeeze-and-excite, ReLU6 instead of swish, and a stem and a head
of fixed width. The layers have the names of the common PyTorch file without leading underscores: ``conv_stem``,
``blocks.0.depthwise_conv`` ... ``conv_head``, ``fc``.
"""

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEAN, SCALE = 127.0, 128.0  # of all three channels, in 0..255
SIDE = 224  # of the training pictures
STEM, HEAD, CLASSES = 32, 1280, 1000
STAGES = (  # blocks, kernel, stride of the first, expansion, channels out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
FIRST_BLOCKS = (0, *accumulate(count for count, *_ in STAGES))
EPSILON = 1e-3  # of batch normalisation


class Convolution(nn.Conv2d):
    """A convolution without bias, padded as in TensorFlow: the output has ceil(size / stride) pixels.

    If the padding is odd, the additional pixel is at the right and the bottom. centred: pad by half the kernel on all
    sides instead. For stride 2 and an even size that is TensorFlow's result on a picture shifted by one pixel, without
    the copy that uneven padding needs.
    """

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, centred: bool = False
    ) -> None:
        padding = kernel // 2 if centred or stride == 1 else 0
        super().__init__(channels, out, kernel, stride, padding, groups=groups, bias=False)
        self.uneven = stride > 1 and not centred

    def forward(self, x: Tensor) -> Tensor:
        if not self.uneven:
            return super().forward(x)
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, across = (max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in x.shape[-2:])
        return super().forward(functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2)))


class Block(nn.Module):
    """Inverted residual, (N, channels, h, w) -> (N, out, h / stride, w / stride): expand, depthwise, project."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int, expansion: int, *, centred: bool = False
    ) -> None:
        super().__init__()
        wide = channels * expansion
        self.widens, self.adds = expansion > 1, stride == 1 and channels == out
        if self.widens:
            self.expand_conv, self.bn0 = Convolution(channels, wide, 1), nn.BatchNorm2d(wide, EPSILON)
        self.depthwise_conv = Convolution(wide, wide, kernel, stride, wide, centred=centred)
        self.bn1 = nn.BatchNorm2d(wide, EPSILON)
        self.project_conv, self.bn2 = Convolution(wide, out, 1), nn.BatchNorm2d(out, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.relu6(self.bn0(self.expand_conv(x)), inplace=True) if self.widens else x
        wide = functional.relu6(self.bn1(self.depthwise_conv(wide)), inplace=True)
        narrow: Tensor = self.bn2(self.project_conv(wide))
        return x + narrow if self.adds else narrow


class Trunk(nn.Module):
    """Stem and blocks. Pictures (N, 3, H, W) in [0, 1] -> the output of each of the seven stages.

    count: the number of blocks to keep; None: all. centred: as for ``Convolution``.
    """

    def __init__(self, *, count: int | None = None, centred: bool = False) -> None:
        super().__init__()
        self.conv_stem = Convolution(3, STEM, 3, 2, centred=centred)
        self.bn0 = nn.BatchNorm2d(STEM, EPSILON)
        blocks, channels = [], STEM
        for number, kernel, stride, expansion, out in STAGES:
            for first in (True, *[False] * (number - 1)):
                blocks.append(Block(channels, out, kernel, stride if first else 1, expansion, centred=centred))
                channels = out
        self.blocks = nn.ModuleList(blocks[:count])

    def stages(self, pictures: Tensor) -> list[Tensor]:
        """The output of each of the seven stages, (N, channels, h, w), shallow to deep."""
        outputs = [self.stem(pictures)]
        for stage in range(len(STAGES)):
            outputs.append(self.stage(stage, outputs[-1]))
        return outputs[1:]

    def stem(self, pictures: Tensor) -> Tensor:
        """The input of the first stage, (N, 32, H / 2, W / 2)."""
        return functional.relu6(self.bn0(self.conv_stem((255 * pictures - MEAN) / SCALE)), inplace=True)

    def stage(self, number: int, x: Tensor) -> Tensor:
        """The output of stage ``number`` from the output of the stage before."""
        for block in self.blocks[FIRST_BLOCKS[number] : FIRST_BLOCKS[number + 1]]:
            x = block(x)
        return x


class OnTrunk(nn.Module):
    """A network on a trunk. frozen: of its stages, from the first, so many stay as they are in training."""

    trunk: Trunk
    frozen: int

    def start_from_imagenet(self, state: dict[str, Tensor]) -> None:
        """Load the trunk from the state dict of a whole EfficientNet-Lite0."""
        self.trunk.load_state_dict({name: state[name] for name in self.trunk.state_dict()})

    def train(self, mode: bool = True) -> Self:
        """As ``nn.Module.train``, but the weights and norms of the stem and of the first stages stay frozen."""
        super().train(mode)
        for part in (self.trunk.conv_stem, self.trunk.bn0, *self.trunk.blocks[: FIRST_BLOCKS[self.frozen]]):
            part.eval().requires_grad_(False)
        return self


def fold(network: nn.Module) -> None:
    """Fold every batch norm into the convolution before it, for inference in a third less time (exact in eval mode)."""
    for parent in [*network.modules()]:
        for (name, layer), (norm_name, norm) in pairwise([*parent.named_children()]):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(layer, norm, isinstance(layer, nn.ConvTranspose2d)))
                setattr(parent, norm_name, nn.Identity())


def convolution(channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> tuple[nn.Module, ...]:
    """A convolution that keeps the size, with batch norm and ReLU6."""
    return (
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


NATURAL = slice(2, 6)  # stages: the first two see grain above all, the last hardly sees blur


@torch.no_grad()
def window_features(network: Trunk, windows: Iterable[Tensor]) -> Tensor:
    """What tells natural windows from others, see ``evaluate.naturalness``: batches (N, 3, s, s) in [0, 1] -> (M, 424),
    the maps of the stages NATURAL, averaged over positions.
    """
    features = []
    for batch in windows:
        enlarged = functional.interpolate(batch, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
        maps = network.stages(enlarged.contiguous(memory_format=torch.channels_last))[NATURAL]
        features.append(torch.cat([stage.mean(dim=(2, 3)) for stage in maps], dim=1))
    return torch.cat(features)


class EfficientNetLite(Trunk):
    """Pictures (N, 3, H, W) in [0, 1] -> scores of ImageNet's 1,000 classes, before the softmax."""

    def __init__(self) -> None:
        super().__init__()
        channels = STAGES[-1][-1]
        self.conv_head, self.bn1 = Convolution(channels, HEAD, 1), nn.BatchNorm2d(HEAD, EPSILON)
        self.fc = nn.Linear(HEAD, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        last = self.stages(pictures)[-1]
        scores: Tensor = self.fc(functional.relu6(self.bn1(self.conv_head(last))).mean(dim=(2, 3)))
        return scores
