"""The base class of judges: it embeds crops as unit vectors, and turns the distance of two into a verdict.

``LINEAGE`` lists the networks that judges were trained with, and ``check_independent`` refuses a judge that shares its
training with a network that was used as a loss.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import EngineError, WeightsError
from faceinp.identity.calibration import Calibration
from faceinp.models import weights
from faceinp.nets.sampling import resample

if TYPE_CHECKING:
    from torch import Tensor

CropBox = tuple[float, float, float, float]  # left, top, right, bottom in shares of a crop's side

CAVEAT = "a likeness score, not evidence of identity"
BATCH = 32
# The networks that a judge or a loss was trained with, itself included. A name that is missing has only itself.
LINEAGE = {"bundled": frozenset({"bundled", "mobilefacenet-foamliu"})}
# Mean landmarks of 30,654 training crops that are aligned like FFHQ's, as shares of the side: left and right eye, nose
# tip, left and right mouth corner of the picture. They hardly vary in such crops, so one box aligns all faces for a
# judge; on celeba-val it is as good as alignment by each face's own landmarks (``docs/measurements/judges.md``).
POINTS = ((0.3779, 0.4743), (0.6220, 0.4746), (0.4976, 0.6142), (0.3894, 0.7322), (0.6111, 0.7322))


@dataclass(frozen=True)
class Distance:
    """The distance of two unit vectors: euclidean is 0 to 2, cosine is 1 to -1, and euclidean^2 = 2 - 2 cosine."""

    euclidean: float
    cosine: float


@dataclass(frozen=True)
class Verdict:
    """Whether ``judge`` takes two faces for the same person: a likeness score, not evidence of identity.

    probability: of the same person, 0 to 1, with even prior odds. threshold: the largest Euclidean distance that counts
    as the same person; false_match_rate: the share of pairs of different people below it. notes: warnings about this
    judge.
    """

    probability: float
    distance: Distance
    threshold: float
    false_match_rate: float
    judge: str
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return self.distance.euclidean <= self.threshold

    def __str__(self) -> str:
        return (
            f"{'Probably the same person' if self.same else 'Probably two people'} according to {self.judge}: "
            f"probability {self.probability:.1%} (even prior odds), distance {self.distance.euclidean:.3f}, threshold "
            f"{self.threshold:.3f} at {self.false_match_rate:.1%} false matches. This is {CAVEAT}."
        )


class Judge(ABC):
    """Compares faces. ``load`` opens one.

    name, about: for display. lineage: the networks it was trained with, itself included. size: (height, width) of its
    input. box: the part of an aligned crop that becomes its input. differentiable: gradients flow from the vectors to
    the crops. device: of the torch tensors that ``embed`` returns. weights: the file of its weights. notes: why this
    judge was chosen.
    """

    about: str
    differentiable = False

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        box: CropBox,
        file: Path,
        calibrations: Iterable[Path],
        device: Any = "cpu",
    ) -> None:
        self.name, self.size, self.box, self.weights, self.device = name, size, box, file, device
        self.lineage = LINEAGE.get(name, frozenset({name}))
        self.notes: tuple[str, ...] = ()
        self._calibrations = tuple(calibrations)

    @overload
    def embed(self, crops: NDArray[np.floating[Any]]) -> NDArray[np.float32]: ...
    @overload
    def embed(self, crops: "Tensor") -> "Tensor": ...
    def embed(self, crops: Any) -> Any:
        """Aligned crops (N, 3, S, S) in [0, 1], RGB -> unit vectors (N, D), float32.

        NumPy arrays return NumPy arrays, torch tensors return tensors on the judge's device. If the judge is
        ``differentiable``, gradients flow to crops that require them. The result does not depend on the batch size.
        Raises EngineError for other shapes or ranges, and for crops that require gradients of a judge without them.
        """
        if hasattr(crops, "detach"):
            return self._embed_tensors(crops)
        pictures = self._checked(crops)
        parts = (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
        vectors = np.concatenate([self._embed(resample(part, self.box, self.size)) for part in parts])
        vectors = vectors.reshape(len(pictures), -1).astype(np.float32, copy=False)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))

    def _embed_tensors(self, crops: "Tensor") -> "Tensor":
        import torch
        from torch.nn import functional

        from faceinp.nets import embedding

        self._checked(crops.detach().float().cpu().numpy() if crops.is_floating_point() else crops.numpy())
        pictures, gradients = crops.to(self.device, torch.float32), crops.requires_grad and torch.is_grad_enabled()
        if gradients and not self.differentiable:
            raise EngineError(
                f"Judge {self.name!r} has no gradients. Use bundled, facenet, or an ONNX file with onnx2torch "
                "installed (pip install 'faceinp[train]'), or detach the crops."
            )
        with torch.set_grad_enabled(gradients):
            parts = pictures.split(len(pictures) if gradients else BATCH)
            outputs = (self._embed_tensor(embedding.resample(part, self.box, self.size)) for part in parts)
            return torch.cat([functional.normalize(vectors.flatten(1).float(), dim=1) for vectors in outputs])

    def distance(self, a: Any, b: Any) -> Distance:
        """The distance of two unit vectors (D,) or (1, D) from ``embed``, NumPy or torch. Raises EngineError."""
        first, second = _vector(a), _vector(b)
        if first.shape != second.shape:
            raise EngineError(
                f"The vectors have different lengths, {first.size} and {second.size}. Compare vectors of one judge."
            )
        return Distance(float(np.linalg.norm(first - second)), float(np.clip(first @ second, -1, 1)))

    def same_person(self, a: Any, b: Any, *, false_match_rate: float = 0.01) -> Verdict:
        """The verdict on two unit vectors from ``embed``. false_match_rate: one of ``calibration.RATES``.

        Raises WeightsError if the judge has no calibration, EngineError for another rate.
        """
        distance, calibration = self.distance(a, b), self.calibration
        point = calibration.at(false_match_rate)
        return Verdict(
            calibration.probability(distance.euclidean),
            distance,
            point.threshold,
            point.false_match_rate,
            self.name,
            (*self.notes, *calibration.warnings(false_match_rate)),
        )

    @property
    def calibrated(self) -> bool:
        """Whether a calibration file exists."""
        return any(file.is_file() for file in self._calibrations)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of its weights."""
        return weights.sha256(self.weights)

    @cached_property
    def calibration(self) -> Calibration:
        """Its calibration. Raises WeightsError if it is missing, or belongs to other weights."""
        judge = self.weights if self.weights.suffix == ".onnx" else self.name
        advice = f"Run `faceinp identity calibrate --judge {judge} --data SHARDS -o FILE.json`."
        file = next((file for file in self._calibrations if file.is_file()), None)
        if file is None:
            paths = " or ".join(str(path) for path in self._calibrations)
            raise WeightsError(
                f"Judge {self.name!r} has no calibration, so its distances cannot be interpreted. {advice} Expected "
                f"at: {paths}."
            )
        calibration = Calibration.read(file)
        if calibration.fingerprint != self.fingerprint:
            raise WeightsError(f"{file} was calibrated for other weights than {self.weights}. {advice}")
        return calibration

    @abstractmethod
    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """Faces float32 (N, 3, *size) in [0, 1] -> vectors (N, D), not yet of unit length."""

    def _embed_tensor(self, faces: "Tensor") -> "Tensor":
        """As ``_embed``, in torch, with gradients if the judge is ``differentiable``."""
        import torch

        return torch.from_numpy(np.asarray(self._embed(faces.cpu().numpy()))).to(self.device)

    def _checked(self, crops: Any) -> NDArray[np.float32]:
        pictures = np.asarray(crops)
        if (
            pictures.ndim != 4
            or pictures.shape[1] != 3
            or pictures.shape[2] != pictures.shape[3]
            or not pictures.size
            or not np.issubdtype(pictures.dtype, np.floating)
        ):
            raise EngineError(f"Crops must be float (N, 3, S, S) in [0, 1], got {pictures.dtype} {pictures.shape}.")
        low, high = pictures.min(), pictures.max()
        if not (low >= -0.5 and high <= 1.5):  # a little beyond [0, 1] is a generator's or a filter's ringing
            raise EngineError(f"Crops must be in [0, 1], got {low:.3g} to {high:.3g}. Divide uint8 values by 255.")
        return pictures.astype(np.float32, copy=False)


def network_of(judge: str) -> str:
    """The network's name of a judge. judge: the judge's name, or the path of its ONNX file."""
    return Path(judge).stem if judge.endswith(".onnx") else judge


def check_independent(judge: Judge, losses: Iterable[str]) -> None:
    """Raise EngineError where ``judge`` shares its lineage with a network whose loss trained what it judges.

    losses: names of identity networks, or of their ONNX files, that were in a loss. A network scores too high what was
    optimised for it or for its teacher.
    """
    for network in map(network_of, losses):
        if judge.lineage & LINEAGE.get(network, frozenset({network})):
            raise EngineError(
                f"Judge {judge.name!r} is not independent: it shares training with {network}, which was used as a "
                "loss. Choose another judge."
            )


def box_of(template: Any, size: tuple[int, int]) -> CropBox:
    """The box of an aligned crop that maps POINTS onto a template: least squares of scale and shift, no rotation.

    template: (5, 2), x and y of eyes, nose tip and mouth corners as pixel indices of a picture of ``size`` (h, w).
    Raises ValueError if the template is no upright face.
    """
    target, points = np.asarray(template, np.float64) + 0.5, np.asarray(POINTS)
    centred = points - points.mean(axis=0)
    scale = float((centred * (target - target.mean(axis=0))).sum() / (centred**2).sum())
    if scale <= 0:
        raise ValueError("the points coincide, or the face is upside down")
    left, top = points.mean(axis=0) - target.mean(axis=0) / scale
    return float(left), float(top), float(left + size[1] / scale), float(top + size[0] / scale)


def _vector(values: Any) -> NDArray[np.float64]:
    vector = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float64)
    if vector.size != vector.shape[-1] or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
        raise EngineError(
            f"Expected a unit vector (D,) from embed(), got {vector.shape} of length {np.linalg.norm(vector):.3g}."
        )
    return vector.reshape(-1)
