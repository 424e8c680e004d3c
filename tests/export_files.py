"""Small untrained networks in the place of the package's."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from faceinp.mask import presets
from faceinp.nets import completion, dcgan, embedding, face_likeness, landmarks, segmentation

SIDE = 128  # of the pictures; the least that the landmark predictor takes


def put(folder: Path, name: str, prefix: str, network: nn.Module, config: dict[str, object]) -> None:
    """Write ``network`` as packed weights."""
    tensors = {
        f"{prefix}/{key}": value.half() if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }
    save_file(tensors, folder / f"{name}.safetensors", {"config": json.dumps(config)})


def put_all(folder: Path) -> None:
    torch.manual_seed(0)
    put(folder, "completion", "generator", completion.Small(8), {"network": "small", "width": 8, "landmarks": True})
    predictor = landmarks.Landmarks()
    predictor.start_from(torch.from_numpy(presets.average_points(1)).float())
    put(folder, "landmarks", "landmarks", predictor, {})
    put(folder, "face-likeness", "likeness", face_likeness.FaceLikeness(), {})
    put(folder, "dcgan", "generator", dcgan.Generator(100, 8), {"latent": 100, "width": 8})
    small = {"widths": (8, 8, 8), "depths": (1, 1, 1), "features": 16}
    put(folder, "embedding", "embedding", embedding.Embedding(**small), small)
    for finder in ("damage", "occluders"):
        put(folder, finder, "segmentation", segmentation.Segmentation(), {})
