"""SqueezeNet 1.0 (Iandola et al. 2016, arXiv 1602.07360, Table 1), an ImageNet classifier.

The layers have the names of the common safetensors file: ``conv1``, ``fire2.squeeze`` ... ``fire9.expand3x3``,
``conv10``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN = (123.0, 117.0, 104.0)  # of red, green and blue, in 0..255
SIDE = 224  # of the training pictures
FIRES = {  # number: (input channels, channels of the squeeze, channels of each expansion)
    2: (96, 16, 64),
    3: (128, 16, 64),
    4: (128, 32, 128),
    5: (256, 32, 128),
    6: (256, 48, 192),
    7: (384, 48, 192),
    8: (384, 64, 256),
    9: (512, 64, 256),
}
POOL_AFTER = (4, 8)


class Fire(nn.Module):
    """(N, channels, h, w) -> (N, 2 * expanded, h, w)."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.squeeze(x))  # in place: 14 % faster
        return torch.relu_(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


class SqueezeNet(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] -> scores of ImageNet's 1,000 classes, before the softmax."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, 96, 7, stride=2)
        for number, widths in FIRES.items():
            self.add_module(f"fire{number}", Fire(*widths))
        self.conv10 = nn.Conv2d(512, 1000, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.relu(self.conv10(self.features(pictures))).mean(dim=(2, 3))

    def features(self, pictures: Tensor) -> Tensor:
        """The output of the last fire module, (N, 512, h, w); h and w are about H / 16 and W / 16."""
        return self.layers(pictures, max(FIRES))[-1]

    def layers(self, pictures: Tensor, deepest: int) -> list[Tensor]:
        """The outputs of ``conv1`` and of the fire modules up to number ``deepest``, before pooling."""
        outputs = [torch.relu_(self.conv1(255 * pictures - self.mean))]
        for number in range(min(FIRES), deepest + 1):
            x = _pool(outputs[-1]) if number - 1 in (1, *POOL_AFTER) else outputs[-1]
            outputs.append(self.get_submodule(f"fire{number}")(x))
        return outputs


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=2, ceil_mode=True)
