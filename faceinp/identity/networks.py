"""The judges there are: our own, FaceNet, dlib's, and any ONNX file that comes with a sidecar."""

import importlib.util
from collections.abc import Callable
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceinp.common import json_values
from faceinp.common.deprecation import warn
from faceinp.errors import EngineError, FaceinpError, MissingPackageError, WeightsError
from faceinp.identity.judges import Box, Judge, box_of
from faceinp.models import networks, pretrained, weights
from faceinp.models import sidecar as sidecars
from faceinp.models.runtimes import Runtime, open_network
from faceinp.models.sessions import OnnxFile, run_in_batches

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int], Any]
LARGEST = 2048  # pixels, side of what an ONNX judge looks at
LEAST, BOUND = 1e-4, 1e5  # of the numbers that its pictures are scaled by


class Bundled(Judge):
    """MobileFaceNet's size, trained by ``faceinp train embedding``."""

    about = "our own small network, comes with the package"
    differentiable = True
    size = (112, 112)
    # Where the usual 112 x 112 template of five points lies in a crop aligned like FFHQ's (``nets.embedding.BOX``).
    framing: Box = (0.1237, 0.1231, 0.8751, 0.8745)

    def __init__(
        self, device: Any, calibration: Path | None, progress: Progress | None, file: Path | None = None
    ) -> None:
        """file: packed weights of ``faceinp train embedding``; None: the package's."""
        own = file or weights.path("embedding")
        super().__init__("bundled", self.size, self.framing, own, _places("embedding", calibration), device)
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
    """InceptionResnetV1 trained on VGGFace2 (Schroff et al. 2015 by way of facenet-pytorch); the second paper's."""

    about = "InceptionResnetV1 trained on VGGFace2, fetched at first use (112 MB)"
    differentiable = True
    # The median box of MTCNN on 200 training crops, widened by facenet-pytorch's margin of 14 in 160, and stretched
    # to a square as there.
    framing: Box = (0.208, 0.150, 0.792, 0.951)

    def __init__(
        self, device: Any, calibration: Path | None, progress: Progress | None, file: Path | None = None
    ) -> None:
        """file: the same network's state, of torch or as safetensors; None: facenet-pytorch's, fetched."""
        for package in ("torch", "facenet_pytorch"):
            if importlib.util.find_spec(package) is None:
                raise MissingPackageError(package.replace("_", "-"), "torch")
        import pickle

        import torch
        from facenet_pytorch import InceptionResnetV1

        advice = "Give another file." if file else "Remove it, so that it is fetched again."
        file = file or weights.fetch("facenet", progress)
        network = InceptionResnetV1()
        try:  # torch's files are pickles; its restricted loader makes nothing but tensors and runs none of their code
            safe = file.suffix == ".safetensors"
            state = weights.read_tensors(file)[1] if safe else torch.load(file, map_location="cpu", weights_only=True)
            network.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
        except (RuntimeError, pickle.UnpicklingError, AttributeError) as error:
            raise WeightsError(f"{file} holds no FaceNet. {advice}") from error
        super().__init__("facenet", (160, 160), self.framing, file, _places("facenet", calibration), device)
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
    """dlib's ResNet of 29 layers (King 2017); for judging only."""

    about = "dlib's network; gives no gradients, so no loss can have used it"
    # dlib's own chip of 150 x 150, padding .25, for the mean 68 points of the training crops.
    framing: Box = (0.1594, 0.2602, 0.8482, 0.9490)

    def __init__(self, device: Any, calibration: Path | None, progress: Progress | None) -> None:
        file = pretrained.dlib_file("dlib_face_recognition_resnet_model_v1.dat")
        import dlib

        super().__init__("dlib", (150, 150), self.framing, file, _places("dlib", calibration), device)
        self.network = dlib.face_recognition_model_v1(str(file))

    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        pixels = np.rint(255 * faces.clip(0, 1)).astype(np.uint8).transpose(0, 2, 3, 1)
        vectors = self.network.compute_face_descriptor([np.ascontiguousarray(face) for face in pixels])
        return np.asarray(vectors, np.float32)


class Onnx(Judge):
    """Any face network as an ONNX file; gradients flow through it where onnx2torch is installed.

    Its sidecar, ``FILE.onnx.json``, holds, under ``judge`` or on its first level: size [h, w]; box [left, top, right,
    bottom], the part of a canonical crop it looks at in shares of the side, or points, five [x, y] in pixels of its
    input (eyes, nose tip, mouth corners); mean and std, three numbers each, and scale: the network gets
    (scale * picture - mean) / std, pictures in [0, 1], RGB; kin, names of the networks it was trained with (optional);
    about, one line (optional).
    """

    about = "an ONNX file"

    def __init__(self, file: Path, device: Any, place: Path | None, calibration: Path | None) -> None:
        place = _sidecar_of(file, place)
        about = sidecars.section(sidecars.load(file, place), "judge")
        try:
            size, box = _size(about), _box(about)
            mean, std = (
                np.asarray(json_values.numbers(about, key, 3, least, BOUND), np.float32).reshape(3, 1, 1)
                for key, least in (("mean", -BOUND), ("std", LEAST))
            )
            self.scale = np.float32(json_values.number(about, "scale", LEAST, BOUND))
            lineage = frozenset(json_values.texts(about, "kin", ()))
            self.about = json_values.text(about, "about", self.about)
        except ValueError as error:
            raise WeightsError(
                f"{file} needs a sidecar {place} with size, box or points, mean, std and scale ({error}). "
                "The docstring of faceinp.identity.networks.Onnx describes it."
            ) from error
        calibrations = [calibration or place.with_name(f"{file.stem}.calibration.json")]
        super().__init__(file.stem, size, box, file, calibrations, device)
        self.lineage |= lineage
        self.mean, self.std = mean, std
        self.differentiable = importlib.util.find_spec("onnx2torch") is not None
        self.session = OnnxFile(file)
        if len(self.session.inputs) != 1:
            raise WeightsError(f"{file} takes {', '.join(self.session.inputs)}; a judge takes one picture.")

    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        ready = (self.scale * faces - self.mean) / self.std
        return run_in_batches(self.session, {self.session.inputs[0]: ready}).reshape(len(faces), -1)

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
                f"{self.weights} does not take {tuple(faces.shape)}: {error}. Correct its sidecar."
            ) from error
        return vectors.reshape(len(faces), -1)

    @cached_property
    def _network(self) -> Any:
        from onnx2torch import convert

        try:
            return convert(str(self.weights)).eval().requires_grad_(False).to(self.device)
        except Exception as error:  # what is not implemented, and values or keys that it does not know
            raise EngineError(f"onnx2torch cannot convert {self.weights} ({error}). Use another judge.") from error


def _size(about: dict[str, Any]) -> tuple[int, int]:
    """Height and width of what a judge looks at, as its sidecar says."""
    height, width = json_values.numbers(about, "size", 2, 1, LARGEST)
    if height % 1 or width % 1:
        raise ValueError(f"'size' must be whole pixels, got {height:g} and {width:g}")
    return int(height), int(width)


def _box(about: dict[str, Any]) -> Box:
    """The part of a crop that a judge looks at, as its sidecar says or as its points have it."""
    if "box" not in about:
        rows = json_values.values_of(about, "points")
        points = [json_values.numbers({"points": row}, "points", 2, -LARGEST, 2 * LARGEST) for row in rows]
        if len(points) != 5:
            raise ValueError(f"'points' must be five points, got {len(points)}")
        about = {"box": [*box_of(points, _size(about))]}
    left, top, right, bottom = json_values.numbers(about, "box", 4, -2, 3)
    if not (left < right and top < bottom):
        raise ValueError(f"'box' must be left, top, right, bottom, got {left:g}, {top:g}, {right:g}, {bottom:g}")
    return left, top, right, bottom


def _sidecar_of(file: Path, given: Path | None) -> Path:
    """Where the sidecar of a judge's file lies: as given, in the folder given, or beside the file."""
    if given and not given.is_dir():
        return given
    place = (given or file.parent) / sidecars.path(file).name
    earlier = place.with_name(f"{file.stem}.json")  # its name in earlier versions
    if earlier.is_file() and not place.is_file():
        warn(f"The sidecar of a judge is called {place.name} now. Rename {earlier}.")
        return earlier
    return place


OWN: dict[str, type[Bundled] | type[FaceNet]] = {"facenet": FaceNet, "bundled": Bundled}
JUDGES: dict[str, type[Bundled] | type[FaceNet] | type[Dlib]] = {"facenet": FaceNet, "bundled": Bundled, "dlib": Dlib}


def load(
    name: str | PathLike[str] = "auto",
    device: Any = "cpu",
    *,
    sidecar: str | PathLike[str] | None = None,
    calibration: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    file: str | PathLike[str] | None = None,
) -> Judge:
    """The judge called ``name``: "facenet", "bundled", "dlib", the path of an ONNX file, or "auto".

    "auto" is FaceNet where it is calibrated here and its weights are cached or can be fetched, else bundled; the
    judge's name and notes say which, and why. device: torch's. sidecar: of an ONNX file, or the folder that holds
    ``FILE.onnx.json`` (default: beside it). calibration: a file of ``faceinp identity calibrate``.
    progress(done, total): bytes of what is fetched. file: weights of your own of "facenet" or "bundled".
    Raises EngineError for an unknown name, MissingPackageError and WeightsError when the judge cannot run here.
    """
    name, chosen = fspath(name), Path(calibration) if calibration else None
    if file:
        if name not in OWN:
            raise EngineError(f"Weights of one's own go with the judges {' and '.join(OWN)}, not with {name!r}.")
        weights.check_file(Path(file))
        return OWN[name](device, chosen, progress, Path(file))
    if name == "auto":
        return _auto(device, chosen, progress)
    if name in JUDGES:
        return JUDGES[name](device, chosen, progress)
    if not name.endswith(".onnx"):
        raise EngineError(f"There is no judge {name!r}. Choose auto, {', '.join(JUDGES)}, or the path of an ONNX file.")
    weights.check_file(Path(name))
    return Onnx(Path(name), device, Path(sidecar) if sidecar else None, chosen)


def _auto(device: Any, calibration: Path | None, progress: Progress | None) -> Judge:
    """FaceNet is not fetched before it is calibrated: an uncalibrated judge cannot answer."""
    if not any(place.is_file() for place in _places("facenet", calibration)):
        reason = "FaceNet is not calibrated here; `faceinp identity calibrate --judge facenet` does it"
    else:
        try:
            return FaceNet(device, calibration, progress)
        except FaceinpError as error:
            reason = str(error)
    judge = Bundled(device, None, progress)
    judge.notes = (f"The bundled judge looked. ({reason.rstrip('.')}.)",)
    return judge


def _places(name: str, chosen: Path | None) -> list[Path]:
    """Where the calibration of a judge is looked for."""
    return [chosen] if chosen else [weights.folder() / f"{name}.json", weights.cache() / f"{name}.json"]
