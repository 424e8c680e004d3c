"""The 70 x 70 PatchGAN discriminator (Isola et al. 2017, arXiv 1611.07004) with spectral normalisation."""

from torch import Tensor, cat, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Pictures (N, 3, S, S) in [0, 1], masks (N, 1, S, S) -> one map of logits (N, 1, about S/8, S/8), one for each
    patch of 70 x 70 pixels, and the maps of every layer before (for feature matching).

    L shows it the landmark map, too. Fills then bear traces of its spots: they are what it knows the points by.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = [3 + 1, width, 2 * width, 4 * width, 8 * width]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride, 1))
            for a, b, stride in zip(widths, widths[1:], (2, 2, 2, 1), strict=False)
        )
        self.activation = nn.LeakyReLU(0.2)
        self.last = spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, pictures: Tensor, masks: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        x = cat([2 * pictures - 1, masks], dim=1)
        features = []
        for layer in self.layers:
            x = self.activation(layer(x))
            features.append(x)
        return [self.last(x)], features
