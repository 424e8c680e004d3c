"""The 68 landmarks of a face with a hole, from the shipped predictor, for engines and for whoever has none."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp import weights

SIZE = 256  # side of the crops that the predictor takes
BATCH = 8  # crops that go through the network at once


def predict(crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """crops: float32 (N, 3, SIZE, SIZE) in [0, 1]. masks: bool (N, 1, SIZE, SIZE), True = hole: what lies there is not
    looked at. Returns float32 (N, 68, 2), x and y in shares of the side, in dlib's order. Raises WeightsError.
    """
    import torch

    network, device = load()
    points = [
        network(
            torch.from_numpy(crops[at : at + BATCH]).to(device), torch.from_numpy(masks[at : at + BATCH]).to(device)
        ).cpu()
        for at in range(0, len(crops), BATCH)
    ]
    return torch.cat(points).numpy() if points else np.zeros((0, 68, 2), np.float32)


def load() -> tuple[Any, Any]:
    """The predictor and the device it is on; loaded once. Raises WeightsError."""
    return _network(weights.path("landmarks"))


@cache
def _network(file: Path) -> tuple[Any, Any]:
    import torch

    from faceinp.nets import landmarks

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, tensors = weights.packed(file)
    network: Any = landmarks.make(config, weights.under(tensors, "landmarks/"), SIZE)
    return network.to(device, memory_format=torch.channels_last), device
