"""The landmark-guided engine: predict 68 points of the face with its hole, then complete it in one pass."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceinp import landmarks, weights
from faceinp.engines.base import GuidedEngine, Needs, Progress, register
from faceinp.errors import WeightsError

if TYPE_CHECKING:
    from torch import nn

BATCH = 8  # crops that go through the network at once


@register
class Landmark(GuidedEngine):
    """file: other packed weights of a completion network (safetensors); the package's when empty."""

    name = "landmark"
    about = "A network led by the face's landmarks: whole faces in a moment."
    size = 256
    largest = 256
    needs = Needs(("torch",), weights=("completion", "landmarks"))

    def __init__(self, *, file: str | Path = "") -> None:
        import torch

        from faceinp.nets import completion

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.runtime = f"torch {self.device.type} fp32"
        config, tensors = weights.packed(Path(file) if file else weights.path("completion"))
        if config.get("network") not in completion.NETWORKS:
            raise WeightsError(
                f"{file or 'completion'} holds no completion network. Give one that `faceinp weights pack` made."
            )
        network: nn.Module = completion.NETWORKS[config["network"]](config["width"])
        network.load_state_dict(weights.under(tensors, "generator/"))
        # On a processor, one picture with two threads takes a sixth less time than in torch's usual order.
        network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.generator: nn.Module = network.to(self.device)
        self.taught_by = tuple(config.get("taught_by", ()))
        self.guided = bool(config.get("landmarks", True))
        landmarks.load()  # what is missing shows now, not at the first fill

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        return landmarks.predict(crops, masks)

    def _complete(
        self, crops: NDArray[np.float32], masks: NDArray[np.bool_], points: NDArray[np.float32], progress: Progress
    ) -> NDArray[np.float32]:
        import torch

        from faceinp.nets.completion import landmark_map

        filled = np.empty_like(crops)
        for at in range(0, len(crops), BATCH):
            progress(at, len(crops))
            part = slice(at, at + BATCH)
            pictures, holes, places = (
                torch.from_numpy(np.ascontiguousarray(x[part])).to(self.device) for x in (crops, masks, points)
            )
            maps = landmark_map(places, crops.shape[-1])
            maps = maps if self.guided else torch.zeros_like(maps)
            filled[part] = self.generator(pictures, holes.float(), maps).cpu().numpy()
        progress(len(crops), len(crops))
        return filled
