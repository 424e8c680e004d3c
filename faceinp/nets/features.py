"""Feature networks, whose maps the perceptual and the style loss compare.

VGG and SqueezeNet are torchvision's; EfficientNet-Lite0 is ``nets.efficientnet``.
"""

import torch
import torchvision
from torch import Tensor, nn

from faceinp.nets.efficientnet import Trunk

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's networks were trained
# torchvision's networks -> the layers whose output is a feature map: one ReLU of each depth.
TAPS = {
    "vgg19": (1, 6, 11, 20, 29),
    "vgg16": (1, 6, 11, 18, 25),
    "squeezenet1_0": (1, 3, 4, 5, 7),
    "squeezenet1_1": (1, 3, 4, 6, 7),
}
LITE_STAGES = 5  # of seven: strides 2 to 16


class TorchvisionFeatures(nn.Module):
    """Layers of the torchvision network called ``name``, one of TAPS, untrained until ``load_features``.

    layers: numbers of additional layers whose maps are returned. ``usual`` are those of TAPS, ``taps`` are all.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, layers: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.usual = TAPS[name]
        self.taps = tuple(sorted({*self.usual, *layers}))
        whole = torchvision.models.get_model(name, weights=None).features
        if not 0 <= self.taps[0] <= self.taps[-1] < len(whole):
            raise ValueError(f"{name} has the layers 0 to {len(whole) - 1}")
        self.features = whole[: self.taps[-1] + 1]
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the feature maps must not be overwritten
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def load_features(self, state: dict[str, Tensor]) -> None:
        """Load the used layers from the state dict of the whole network. Raises RuntimeError as torch."""
        self.load_state_dict({name: state[name] for name in self.state_dict() if name in state})

    def layers(self, pictures: Tensor) -> list[Tensor]:
        """The maps (N, C, h, w) of pictures (N, 3, H, W) in [0, 1], shallow to deep."""
        x, maps = (pictures - self.mean) / self.std, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.taps:
                maps.append(x)
        return maps


class LiteFeatures(Trunk):
    """The first LITE_STAGES stages of EfficientNet-Lite0."""

    taps = usual = tuple(range(LITE_STAGES))

    def layers(self, pictures: Tensor) -> list[Tensor]:
        """The maps (N, C, h, w) of pictures (N, 3, H, W) in [0, 1], shallow to deep."""
        return self.stages(pictures)[:LITE_STAGES]


def torchvision_name(state: dict[str, Tensor]) -> str | None:
    """The key of TAPS of a state dict, by its layers' names and sizes; None for another network."""
    first = tuple(state["features.0.weight"].shape) if "features.0.weight" in state else ()
    if first == (96, 3, 7, 7):
        return "squeezenet1_0"
    if first == (64, 3, 3, 3) and "features.3.squeeze.weight" in state:
        return "squeezenet1_1"
    if first == (64, 3, 3, 3) and "features.1.weight" not in state:  # a variant with batch norms has it
        return "vgg19" if "features.34.weight" in state else "vgg16" if "features.28.weight" in state else None
    return None
