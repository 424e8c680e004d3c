"""The package's errors. Each message says what is wrong and what to do.

FaceinpError (exit code 1)
├── PhotoError (2)        the photo cannot be read
├── MaskError (3)         the mask cannot be used
│   └── NothingFoundError (8)     find= found nothing to fill
├── NoFaceError (4)       no face where one is needed
├── EngineError (5)       an engine is unknown, or cannot run here
│   └── MissingPackageError   an extra is not installed
├── WeightsError (6)      weights are missing or damaged, or cannot be downloaded
├── DataError (7)         data for training, evaluation or a batch is missing or malformed
└── Cancelled (130)       the caller stopped the work

The shell also returns 2 for wrong arguments, as argparse does.
"""

import importlib.util


class FaceinpError(Exception):
    """Base class of the package's errors. ``exit_code``: of the shell command."""

    exit_code = 1


class PhotoError(FaceinpError):
    exit_code = 2


class MaskError(FaceinpError):
    exit_code = 3


class NothingFoundError(MaskError):
    """No damage or no occluder was found, so there is nothing to fill. The photo itself is fine."""

    exit_code = 8


class NoFaceError(FaceinpError):
    exit_code = 4


class EngineError(FaceinpError):
    exit_code = 5


class MissingPackageError(EngineError):
    """``package`` is not installed. ``extra``: the extra of faceinp that requires it; empty: faceinp itself does."""

    def __init__(self, package: str, extra: str) -> None:
        wanted = f"'faceinp[{extra}]'" if extra else "faceinp"
        super().__init__(f"The package {package} is not installed. Run: pip install {wanted}")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Rebuild it from its arguments, not its message, when it comes from another process."""
        return type(self), (self.package, self.extra)


class WeightsError(FaceinpError):
    exit_code = 6


class DataError(FaceinpError):
    exit_code = 7


class Cancelled(FaceinpError):
    """Raised by a ``progress`` callable to stop the work. Engines that search then return their best result so far."""

    exit_code = 130


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


def require(package: str, extra: str, name: str = "") -> None:
    """Raise MissingPackageError unless ``package`` can be imported. name: as pip knows it, where that differs."""
    if importlib.util.find_spec(package) is None:
        raise MissingPackageError(name or package, extra)


def missing_package(error: ModuleNotFoundError, command: str = "") -> MissingPackageError | None:
    """The error with the pip command, for a user of ``command``; None where no extra requires the module."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    extras, own = EXTRAS[package], COMMANDS.get(command, command)
    return MissingPackageError(package, own if own in extras else extras[0])
