"""What a judge is: crops become unit vectors, two vectors a distance, a distance a verdict; and which networks a judge descends from."""

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

Box = tuple[float, float, float, float]

CAVEAT = "a likeness score, not evidence of identity"
BATCH = 32
# The networks that a judge or a loss was trained with, itself included. A name that is missing has only itself.
LINEAGE = {"bundled": frozenset({"bundled", "mobilefacenet-foamliu"})}
# Mean points of 30,654 training crops, aligned like FFHQ's, in shares of the side: the eyes' centres, nose tip and
# mouth corners as seen in the picture. In such a crop they hardly move, so that each judge's alignment is one box; on
# celeba-val that costs nothing against alignment by each face's own points (``docs/measurements/judges.md``).
POINTS = ((0.3779, 0.4743), (0.6220, 0.4746), (0.4976, 0.6142), (0.3894, 0.7322), (0.6111, 0.7322))


@dataclass(frozen=True)
class Distance:
    """Between two unit vectors: euclidean, 0 to 2; cosine, 1 to -1. euclidean^2 = 2 - 2 cosine."""

    euclidean: float
    cosine: float


@dataclass(frozen=True)
class Verdict:
    """Whether two faces are one person's, as ``judge`` sees it: a likeness score, not evidence of identity.

    probability: 0 to 1, were one person as likely as two before anybody looked. threshold: the Euclidean distance up
    to which faces are taken for one person; false_match_rate: the share of pairs of strangers that it lets through.
    notes: what to know about this judge.
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
            f"{'Probably one person' if self.same else 'Probably two people'}, says {self.judge}: probability "
            f"{self.probability:.1%} (even odds before), distance {self.distance.euclidean:.3f}, threshold "
            f"{self.threshold:.3f} at {self.false_match_rate:.1%} false matches. This is {CAVEAT}."
        )


class Judge(ABC):
    """Compares faces; made by ``load``.

    name, about: for people. lineage: the networks it was trained with, itself included. size: (height, width) of what it
    looks at. box: the part of a canonical crop it looks at: left, top, right, bottom in shares of the side.
    differentiable: whether gradients flow from the vectors to the crops. device: where torch tensors come out.
    weights: the file of its weights. notes: what to know about the choice of this judge.
    """

    about: str
    differentiable = False

    def __init__(
        self, name: str, size: tuple[int, int], box: Box, file: Path, calibrations: Iterable[Path], device: Any = "cpu"
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

        NumPy gives NumPy, torch gives torch on the judge's device. Where ``differentiable``, gradients flow to crops
        that ask for them. Each face counts alone: a batch gives what its faces give one by one.
        Raises EngineError for other shapes or ranges, and for gradients asked of a judge that has none.
        """
        if hasattr(crops, "detach"):
            return self._embed_tensors(crops)
        pictures = self._checked(crops)
        parts = (pictures[at : at + BATCH] for at in range(0, len(pictures), BATCH))
        vectors = np.concatenate([self._embed(resample(part, self.box, self.size)) for part in parts])
        vectors = vectors.reshape(len(pictures), -1).astype(np.float32, copy=False)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))

    def _embed_tensors(self, crops: "Tensor") -> "Tensor":
        import torch
        from torch.nn import functional

        from faceinp.nets import embedding

        self._checked(crops.detach().float().cpu().numpy() if crops.is_floating_point() else crops.numpy())
        pictures, wanted = crops.to(self.device, torch.float32), crops.requires_grad and torch.is_grad_enabled()
        if wanted and not self.differentiable:
            raise EngineError(
                f"The judge {self.name} gives no gradients. Use bundled, facenet, or an ONNX file with onnx2torch "
                "installed (pip install 'faceinp[train]'), or detach the crops."
            )
        with torch.set_grad_enabled(wanted):
            parts = pictures.split(len(pictures) if wanted else BATCH)
            looked = (self._embed_tensor(embedding.resample(part, self.box, self.size)) for part in parts)
            return torch.cat([functional.normalize(vectors.flatten(1).float(), dim=1) for vectors in looked])

    def distance(self, a: Any, b: Any) -> Distance:
        """Between two unit vectors (D,) or (1, D), as ``embed`` returns them; NumPy or torch."""
        first, second = _vector(a), _vector(b)
        if first.shape != second.shape:
            raise EngineError(f"Only vectors of one judge can be compared; these have {first.size} and {second.size}.")
        return Distance(float(np.linalg.norm(first - second)), float(np.clip(first @ second, -1, 1)))

    def same_person(self, a: Any, b: Any, *, false_match_rate: float = 0.01) -> Verdict:
        """The verdict on two unit vectors, as ``embed`` returns them. false_match_rate: one that was calibrated.

        Raises WeightsError where the judge has no calibration, EngineError for an unknown rate.
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
        return any(file.is_file() for file in self._calibrations)

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of its weights."""
        return weights.sha256(self.weights)

    @cached_property
    def calibration(self) -> Calibration:
        """Raises WeightsError where there is none, or it was made of other weights."""
        advice = f"`faceinp identity calibrate --judge {self.name} --data SHARDS -o FILE.json` makes one."
        file = next((file for file in self._calibrations if file.is_file()), None)
        if file is None:
            places = " or ".join(str(place) for place in self._calibrations)
            raise WeightsError(
                f"The judge {self.name} has no calibration, so its distances say nothing yet. {advice} "
                f"It is looked for at {places}."
            )
        calibration = Calibration.read(file)
        if calibration.fingerprint != self.fingerprint:
            raise WeightsError(f"{file} was made of other weights than {self.weights}. {advice}")
        return calibration

    @abstractmethod
    def _embed(self, faces: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """float32 (N, 3, *size) in [0, 1] -> (N, D) of any length."""

    def _embed_tensor(self, faces: "Tensor") -> "Tensor":
        """As ``_embed``, in torch, with gradients where the judge is ``differentiable``."""
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
            raise EngineError(
                f"A judge looks at float (N, 3, S, S) crops in [0, 1]; these are {pictures.dtype} {pictures.shape}."
            )
        low, high = pictures.min(), pictures.max()
        if not (low >= -0.5 and high <= 1.5):  # a little beyond [0, 1] is a generator's or a filter's ringing
            raise EngineError(f"Crops are in [0, 1]; these reach from {low:.3g} to {high:.3g}. Divide bytes by 255.")
        return pictures.astype(np.float32, copy=False)


def network_of(judge: str) -> str:
    """The name of the network of a judge that is given by its name or as an ONNX file."""
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


def box_of(template: Any, size: tuple[int, int]) -> Box:
    """The part of a canonical crop that puts POINTS closest to a template: least squares, no rotation.

    template: (5, 2), x and y of eyes, nose tip and mouth corners in pixel numbers of a picture of ``size`` (h, w).
    Raises ValueError where these are no upright face.
    """
    wanted, points = np.asarray(template, np.float64) + 0.5, np.asarray(POINTS)
    centred = points - points.mean(axis=0)
    scale = float((centred * (wanted - wanted.mean(axis=0))).sum() / (centred**2).sum())
    if scale <= 0:
        raise ValueError("the points are one, or upside down")
    left, top = points.mean(axis=0) - wanted.mean(axis=0) / scale
    return float(left), float(top), float(left + size[1] / scale), float(top + size[0] / scale)


def _vector(given: Any) -> NDArray[np.float64]:
    vector = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, np.float64)
    if vector.size != vector.shape[-1] or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
        raise EngineError(
            f"A distance is between two unit vectors (D,), as embed() returns them; this is {vector.shape} "
            f"of length {np.linalg.norm(vector):.3g}."
        )
    return vector.reshape(-1)
