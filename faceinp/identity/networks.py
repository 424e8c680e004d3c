"""The judges: bundled, FaceNet, dlib, and any ONNX file with a sidecar."""

import importlib.util
from collections.abc import Callable
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceinp.deprecation import warn
from faceinp.errors import EngineError, FaceinpError, WeightsError, require
from faceinp.identity.judges import CropBox, Judge, box_of
from faceinp.models import json_values, networks, pretrained, weights
from faceinp.models import sidecar as sidecars
from faceinp.models.runtimes import Runtime, open_network
from faceinp.models.sessions import OnnxFile, run_in_batches
from faceinp.nets.points import TEMPLATE_BOX

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int], Any]
MAX_SIZE = 2048  # pixels, side of an ONNX judge's input
MIN_SCALE = 1e-4  # of ``scale`` and ``std`` in a sidecar
MAX_SCALE = 1e5  # of ``scale``, ``mean`` and ``std``


class Bundled(Judge):
    """A network of MobileFaceNet's size, trained by ``faceinp train embedding`` and shipped with the package."""

    about = "our own small network, comes with the package"
    differentiable = True
    size = (112, 112)
    framing: CropBox = TEMPLATE_BOX

    def __init__(
        self, device: Any, calibration: Path | None, progress: Progress | None, file: Path | None = None
    ) -> None:
        """file: packed weights of ``faceinp train embedding``, by default the package's."""
        packed = file or weights.path("embedding")
        super().__init__("bundled", self.size, self.framing, packed, _calibrations("embedding", calibration), device)
        self.session = open_network("embedding", Runtime("" if str(device) == "cpu" else "torch"), file or "")

    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return self.session.run({"faces": faces})[0]

    def _embed_tensor(self, faces: "Tensor") -> "Tensor":
        vectors: Tensor = self._network(faces)
        return vectors

    @cached_property
    def _network(self) -> Any:
        from faceinp.nets.embedding import Mirrored

        network, _ = networks.load("embedding", self.weights)
        return Mirrored(network).eval().requires_grad_(False).to(self.device)


class FaceNet(Judge):
    """InceptionResnetV1 trained on VGGFace2 (Schroff et al. 2015, facenet-pytorch), as in the second paper."""

    about = "InceptionResnetV1 trained on VGGFace2, downloaded at first use (112 MB)"
    differentiable = True
    # The median box of MTCNN on 200 training crops with facenet-pytorch's margin of 14 in 160. It is stretched to a
    # square, as facenet-pytorch does.
    framing: CropBox = (0.208, 0.150, 0.792, 0.951)

    def __init__(
        self, device: Any, calibration: Path | None, progress: Progress | None, file: Path | None = None
    ) -> None:
        """file: the network's state dict, as torch or safetensors; by default facenet-pytorch's, downloaded."""
        for package in ("torch", "facenet_pytorch"):
            require(package, "torch", package.replace("_", "-"))
        import pickle

        import torch
        from facenet_pytorch import InceptionResnetV1

        advice = "Use another file." if file else "Delete it to download it again."
        file = file or weights.fetch("facenet", progress)
        network = InceptionResnetV1()
        try:
            if file.suffix == ".safetensors":
                state = weights.read_tensors(file)[1]
            else:  # a pickle: the restricted loader loads tensors only and runs no code
                state = torch.load(file, map_location="cpu", weights_only=True)
            network.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
        except (RuntimeError, pickle.UnpicklingError, AttributeError) as error:
            raise WeightsError(f"{file} does not contain the FaceNet network. {advice}") from error
        super().__init__("facenet", (160, 160), self.framing, file, _calibrations("facenet", calibration), device)
        self.network = network.eval().requires_grad_(False).to(device)

    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        import torch

        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._embed_tensor(torch.from_numpy(faces).to(self.device)).cpu().numpy()
        return vectors

    def _embed_tensor(self, faces: "Tensor") -> "Tensor":
        vectors: Tensor = self.network((255 * faces - 127.5) / 128)
        return vectors


class Dlib(Judge):
    """dlib's ResNet of 29 layers (King 2017). It has no gradients."""

    about = "dlib's network; it has no gradients, so it was never used as a loss"
    # dlib's crop of 150 x 150 with padding 0.25, for the mean 68 landmarks of the training crops.
    framing: CropBox = (0.1594, 0.2602, 0.8482, 0.9490)

    def __init__(self, device: Any, calibration: Path | None, progress: Progress | None) -> None:
        file = pretrained.dlib_file("dlib_face_recognition_resnet_model_v1.dat")
        import dlib

        super().__init__("dlib", (150, 150), self.framing, file, _calibrations("dlib", calibration), device)
        self.network = dlib.face_recognition_model_v1(str(file))

    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        pixels = np.rint(255 * faces.clip(0, 1)).astype(np.uint8).transpose(0, 2, 3, 1)
        vectors = self.network.compute_face_descriptor([np.ascontiguousarray(face) for face in pixels])
        return np.asarray(vectors, np.float32)


class Onnx(Judge):
    """Any face network as an ONNX file. It has gradients if onnx2torch is installed.

    Its sidecar ``FILE.onnx.json`` has these keys, under ``judge`` or on the first level:

    - size: [height, width] of its input
    - box: [left, top, right, bottom], the part of an aligned crop that becomes its input, in shares of the side; or
      points: five [x, y] in pixels of its input (eyes, nose tip, mouth corners)
    - scale, and mean and std of three numbers each: the input is (scale * RGB - mean) / std, RGB in [0, 1]
    - kin (optional): names of the networks it was trained with
    - about (optional): one line
    """

    about = "an ONNX file"

    def __init__(self, file: Path, device: Any, sidecar: Path | None, calibration: Path | None) -> None:
        sidecar = _sidecar_of(file, sidecar)
        about = sidecars.section(sidecars.load(file, sidecar), "judge")
        try:
            size, box = _size(about), _box(about)
            mean, std = (
                np.asarray(json_values.numbers(about, key, 3, low, MAX_SCALE), np.float32).reshape(3, 1, 1)
                for key, low in (("mean", -MAX_SCALE), ("std", MIN_SCALE))
            )
            self.scale = np.float32(json_values.number(about, "scale", MIN_SCALE, MAX_SCALE))
            lineage = frozenset(json_values.texts(about, "kin", ()))
            self.about = json_values.text(about, "about", self.about)
        except ValueError as error:
            raise WeightsError(
                f"{file} needs a sidecar {sidecar} with size, box or points, mean, std and scale ({error}). "
                "See the docstring of faceinp.identity.networks.Onnx."
            ) from error
        calibrations = [calibration or sidecar.with_name(f"{file.stem}.calibration.json")]
        super().__init__(file.stem, size, box, file, calibrations, device)
        self.lineage |= lineage
        self.mean, self.std = mean, std
        self.differentiable = importlib.util.find_spec("onnx2torch") is not None
        self.session = OnnxFile(file)
        if len(self.session.inputs) != 1:
            raise WeightsError(f"{file} must have one input, a picture, but has {', '.join(self.session.inputs)}.")

    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        normalised = (self.scale * faces - self.mean) / self.std
        return run_in_batches(self.session, {self.session.inputs[0]: normalised}).reshape(len(faces), -1)

    def _embed_tensor(self, faces: "Tensor") -> "Tensor":
        if not faces.requires_grad:
            return super()._embed_tensor(faces)
        import torch

        mean, std = (torch.from_numpy(values).to(faces) for values in (self.mean, self.std))
        try:
            vectors: Tensor = self._network((float(self.scale) * faces - mean) / std)
        except EngineError:
            raise
        except Exception as error:  # torch's errors have no common base of their own
            raise EngineError(
                f"{self.weights} does not accept inputs of shape {tuple(faces.shape)} ({error}). Correct its sidecar."
            ) from error
        return vectors.reshape(len(faces), -1)

    @cached_property
    def _network(self) -> Any:
        from onnx2torch import convert

        try:
            return convert(str(self.weights)).eval().requires_grad_(False).to(self.device)
        except Exception as error:  # onnx2torch raises many types for operators and attributes that it lacks
            raise EngineError(f"onnx2torch cannot convert {self.weights} ({error}). Use another judge.") from error


def _size(about: dict[str, Any]) -> tuple[int, int]:
    """Height and width of a judge's input, from its sidecar."""
    height, width = json_values.numbers(about, "size", 2, 1, MAX_SIZE)
    if height % 1 or width % 1:
        raise ValueError(f"'size' must be whole pixels, got {height:g} and {width:g}")
    return int(height), int(width)


def _box(about: dict[str, Any]) -> CropBox:
    """The part of an aligned crop that becomes a judge's input, from ``box`` or ``points`` of its sidecar."""
    if "box" not in about:
        rows = json_values.values_of(about, "points")
        points = [json_values.numbers({"points": row}, "points", 2, -MAX_SIZE, 2 * MAX_SIZE) for row in rows]
        if len(points) != 5:
            raise ValueError(f"'points' must have five entries, got {len(points)}")
        about = {"box": [*box_of(points, _size(about))]}
    left, top, right, bottom = json_values.numbers(about, "box", 4, -2, 3)
    if not (left < right and top < bottom):
        raise ValueError(f"'box' must be left, top, right, bottom, got {left:g}, {top:g}, {right:g}, {bottom:g}")
    return left, top, right, bottom


def _sidecar_of(file: Path, chosen: Path | None) -> Path:
    """The path of the sidecar of a judge's file. chosen: the path, or its folder; None: beside the file."""
    if chosen and not chosen.is_dir():
        return chosen
    sidecar = (chosen or file.parent) / sidecars.path(file).name
    former = sidecar.with_name(f"{file.stem}.json")  # its name in earlier versions
    if former.is_file() and not sidecar.is_file():
        warn(f"The sidecar of a judge is now called {sidecar.name}. Rename {former}.")
        return former
    return sidecar


RETRAINABLE: dict[str, type[Bundled] | type[FaceNet]] = {"facenet": FaceNet, "bundled": Bundled}
JUDGES: dict[str, type[Bundled] | type[FaceNet] | type[Dlib]] = {**RETRAINABLE, "dlib": Dlib}


def load(
    name: str | PathLike[str] = "auto",
    device: Any = "cpu",
    *,
    sidecar: str | PathLike[str] | None = None,
    calibration: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    file: str | PathLike[str] | None = None,
) -> Judge:
    """Open a judge.

    name: "facenet", "bundled", "dlib", the path of an ONNX file, or "auto": FaceNet if it is calibrated and its weights
    are cached or can be downloaded, else bundled; the judge's notes say why. device: of torch. sidecar: the sidecar of
    an ONNX file, or its folder (default: beside the file). calibration: a file of ``faceinp identity calibrate``.
    progress(done, total): bytes downloaded. file: your own weights for "facenet" or "bundled".
    Raises EngineError for an unknown name, MissingPackageError and WeightsError if the judge cannot run here.
    """
    name, chosen = fspath(name), Path(calibration) if calibration else None
    if file:
        if name not in RETRAINABLE:
            raise EngineError(f"Only the judges {' and '.join(RETRAINABLE)} accept your own weights, not {name!r}.")
        weights.check_file(Path(file))
        return RETRAINABLE[name](device, chosen, progress, Path(file))
    if name == "auto":
        return _auto(device, chosen, progress)
    if name in JUDGES:
        return JUDGES[name](device, chosen, progress)
    if not name.endswith(".onnx"):
        raise EngineError(f"Unknown judge {name!r}. Choose auto, {', '.join(JUDGES)}, or the path of an ONNX file.")
    weights.check_file(Path(name))
    return Onnx(Path(name), device, Path(sidecar) if sidecar else None, chosen)


def _auto(device: Any, calibration: Path | None, progress: Progress | None) -> Judge:
    """FaceNet if it is calibrated, else bundled. An uncalibrated judge has no verdict, so FaceNet is not downloaded."""
    if not any(path.is_file() for path in _calibrations("facenet", calibration)):
        reason = "FaceNet is not calibrated; run `faceinp identity calibrate --judge facenet`"
    else:
        try:
            return FaceNet(device, calibration, progress)
        except FaceinpError as error:
            reason = str(error)
    judge = Bundled(device, None, progress)
    judge.notes = (f"Using the bundled judge. ({reason.rstrip('.')}.)",)
    return judge


def _calibrations(name: str, chosen: Path | None) -> list[Path]:
    """The paths where the calibration of a judge may be, in order."""
    return [chosen] if chosen else [weights.folder() / f"{name}.json", weights.cache() / f"{name}.json"]
