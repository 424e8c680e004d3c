"""The package's networks as torch modules, from packed weights or untrained."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import EngineError, WeightsError
from faceinp.models import weights

if TYPE_CHECKING:
    from torch import nn

SIDE = 256  # pixels, side of the crops for completion and landmarks
PREFIXES = {  # of the names of a network's tensors in its file
    "completion": "generator/",
    "landmarks": "landmarks/",
    "dcgan": "generator/",
    "embedding": "embedding/",
    "damage": "segmentation/",
    "occluders": "segmentation/",
    "face-likeness": "likeness/",
}
# The inputs of each network, as an exported graph names them.
INPUTS = {
    "completion": ("picture", "mask", "landmark_map"),
    "landmarks": ("picture", "mask"),
    "embedding": ("faces",),
    "damage": ("picture",),
    "occluders": ("picture",),
}


def untrained(name: str, config: dict[str, Any], side: int = SIDE) -> "nn.Module":
    """The untrained network called ``name``, a key of PREFIXES. config: the settings in its file of weights."""
    from faceinp.nets import completion, dcgan, embedding, face_likeness, landmarks, segmentation

    match name:
        case "completion":
            kind = completion.NETWORKS[config.get("network", "small")]
            return kind(config["width"]) if "width" in config else kind()
        case "landmarks":
            return landmarks.NETWORKS[config.get("network", "mobilenet")](side)
        case "dcgan":
            return dcgan.Generator(**config)
        case "damage" | "occluders":
            return segmentation.Segmentation()
        case "face-likeness":
            return face_likeness.FaceLikeness()
    return embedding.Embedding(**config)


def load(name: str, file: str | Path = "", *, side: int = SIDE, folded: bool = True) -> tuple[Any, dict[str, Any]]:
    """The network called ``name`` in eval mode, and the settings in its file.

    file: packed weights; empty: the package's. side: of the crops, for the landmark predictor. folded: fold batch norms
    into convolutions if the network supports it. Raises WeightsError if the file contains another network.
    """
    from faceinp.nets.efficientnet import OnTrunk, fold

    file = Path(file) if file else weights.path(name)
    config, tensors = weights.read_packed(file)
    try:
        network = untrained(name, config, side)
        network.load_state_dict(weights.with_prefix(tensors, PREFIXES[name]))
    except (RuntimeError, TypeError, KeyError, ValueError, IndexError) as error:
        raise WeightsError(
            f"{file} does not contain the network {name!r}. Use a file made by `faceinp weights pack`."
        ) from error
    network.eval().requires_grad_(False)
    if folded and isinstance(network, OnTrunk):
        fold(network)
    return network, config


class TorchNetwork:
    """A network on torch as a ``sessions.Session``, on the first GPU, or on the CPU if there is none.

    name: a key of INPUTS. file: packed weights; empty: the package's. Raises WeightsError as ``load``.
    """

    def __init__(self, name: str, file: str | Path = "") -> None:
        import torch
        from torch import nn

        from faceinp.nets.embedding import Mirrored

        self.torch = torch
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network: Any
        network, config = load(name, file)
        if name == "embedding":
            network = Mirrored(network)
        elif name in ("damage", "occluders"):
            network = nn.Sequential(network, nn.Softmax(dim=1))
        # On a CPU with two threads, one picture takes a sixth less time than in torch's default memory order.
        self.network = network.eval().to(memory_format=torch.channels_last).to(self.device)
        self.about = {
            "name": name,
            "precision": "fp32",
            "taught_by": list(config.get("taught_by", ())),
            "guided": config.get("landmarks", True),
        }
        self.inputs, self.batch = INPUTS[name], 0
        self.runtime = f"torch {self.device.type} fp32"

    def run(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As ``sessions.Session.run``."""
        if missing := sorted(set(self.inputs) - set(inputs)):
            raise EngineError(f"The inputs must be {', '.join(self.inputs)}, but {', '.join(missing)} is missing.")
        arrays = (np.ascontiguousarray(inputs[name], np.float32) for name in self.inputs)
        with self.torch.inference_mode():
            output = self.network(*(self.torch.from_numpy(array).to(self.device) for array in arrays))
        return [output.float().cpu().numpy()]
