"""The extras of faceinp and their packages, for the error message where a package is missing."""

from faceinp.errors import MissingPackageError

# A package's import name -> the extras that require it. The first is named unless the command belongs to another one.
EXTRAS = {
    **dict.fromkeys(("torch", "torchvision", "safetensors"), ("torch", "export", "train", "eval")),
    "facenet_pytorch": ("torch",),
    "skimage": ("classical", "eval", "demo"),
    "gradio": ("demo",),
    "huggingface_hub": ("hub",),
    **dict.fromkeys(("onnx", "onnxscript"), ("export",)),
    **dict.fromkeys(("litert_torch", "ai_edge_litert"), ("litert",)),
    "openvino": ("openvino",),
    "webdataset": ("train", "eval", "batch"),
    "matplotlib": ("train", "eval"),
    **dict.fromkeys(("markdown_it", "torchmetrics", "torch_fidelity", "sklearn"), ("eval",)),
    **dict.fromkeys(("accelerate", "onnx2torch"), ("train",)),
    "tensorboard": ("tensorboard",),
    "pyarrow": ("batch",),
    "ray": ("ray",),
}
COMMANDS = {"data": "train", "evaluate": "eval", "identity": "eval"}  # commands whose extra has another name


def missing_package(error: ModuleNotFoundError, command: str = "") -> MissingPackageError | None:
    """The error with the pip command, for a user of ``command``; None where no extra requires the module."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    extras, own = EXTRAS[package], COMMANDS.get(command, command)
    return MissingPackageError(package, own if own in extras else extras[0])
