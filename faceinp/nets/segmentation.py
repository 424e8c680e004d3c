"""Segmentation of damage, or of occluders of a face: EfficientNet-Lite0's first five stages and a light decoder.

The decoder is a feature pyramid (Lin et al. 2017, arXiv 1612.03144) of strides 16, 8, 4 and 2. Its last step also gets
the picture itself, with 2 x 2 pixels as channels, and scores each pixel separately, so that lines of one pixel stay
sharp. 12 thousand multiply-adds a pixel.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.nets.efficientnet import FIRST_BLOCKS, STAGES, OnTrunk, Trunk, convolution

CLASSES = 6  # 0 is neither damage nor occluder
STEPS = 16  # height and width are multiples of it
TAPS = (0, 1, 2, 4)  # stages whose maps the decoder gets, of strides 2, 4, 8 and 16
WIDTHS = (32, 48, 64, 64)  # channels of the decoder at those strides
LAST = max(TAPS)
FROZEN = 2  # of EfficientNet-Lite0's stages: the first ones detect edges and cost the most


class Segmentation(OnTrunk):
    """Pictures (N, 3, H, W) in [0, 1] -> scores of each pixel (N, CLASSES, H, W), before the softmax.

    H and W are multiples of STEPS.
    """

    frozen = FROZEN

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(count=FIRST_BLOCKS[LAST + 1], centred=True)
        channels = [STAGES[stage][-1] for stage in TAPS]
        self.laterals = nn.ModuleList(
            nn.Sequential(*convolution(wide + (12 if number == 0 else 0), out, 1))
            for number, (wide, out) in enumerate(zip(channels, WIDTHS, strict=True))
        )
        self.narrow = nn.ModuleList(
            nn.Conv2d(deep, out, 1, bias=False) for deep, out in zip(WIDTHS[1:], WIDTHS[:-1], strict=True)
        )
        self.join = nn.ModuleList(nn.Sequential(*convolution(out, out, 3)) for out in WIDTHS[:-1])
        self.scores = nn.Sequential(*convolution(WIDTHS[0], WIDTHS[0], 3), nn.Conv2d(WIDTHS[0], 4 * CLASSES, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.trunk.stem(pictures)
        maps = []
        for stage in range(LAST + 1):
            x = self.trunk.stage(stage, x)
            if stage in TAPS:
                maps.append(x)
        # 2 x 2 pixels as channels: they have the details that the first stage blurs.
        maps[0] = torch.cat([maps[0], functional.pixel_unshuffle(pictures, 2)], dim=1)
        x = self.laterals[-1](maps[-1])
        for number in reversed(range(len(TAPS) - 1)):
            x = functional.interpolate(self.narrow[number](x), scale_factor=2.0, mode="nearest")
            x = self.join[number](x + self.laterals[number](maps[number]))
        scores: Tensor = functional.pixel_shuffle(self.scores(x), 2)
        return scores
