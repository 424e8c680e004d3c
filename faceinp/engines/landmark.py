"""The landmark-guided engine: predict 68 points of the face with its hole, then complete it in one pass."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceinp import landmarks, weights
from faceinp.engines.base import Batch, Engine, Needs, register
from faceinp.errors import WeightsError

if TYPE_CHECKING:
    from torch import nn


@register
class Landmark(Engine):
    """file: other packed weights of a completion network (safetensors); the package's when empty."""

    name = "landmark"
    about = "A network guided by the face's landmarks: whole faces in a moment."
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
                f"{file or 'completion'} does not contain a completion network. "
                "Use a file made by `faceinp weights pack`."
            )
        network: nn.Module = completion.NETWORKS[config["network"]](config["width"])
        network.load_state_dict(weights.under(tensors, "generator/"))
        # On a processor, one picture with two threads takes a sixth less time than in torch's usual order.
        network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.generator: nn.Module = network.to(self.device)
        self.taught_by = tuple(config.get("taught_by", ()))
        self.guided = bool(config.get("landmarks", True))
        landmarks.load()  # missing weights show now, not at the first fill

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        import torch

        from faceinp.nets.completion import landmark_map

        points = batch.landmarks
        if points is None:  # trained without landmarks: it sees an empty map
            points = np.full((len(batch.crops), 68, 2), np.nan, np.float32)
        pictures, holes, centres = (
            torch.from_numpy(array).to(self.device) for array in (batch.crops, batch.masks, points)
        )
        filled = self.generator(pictures, holes.float(), landmark_map(centres, self.size))
        return np.asarray(filled.cpu().numpy())
