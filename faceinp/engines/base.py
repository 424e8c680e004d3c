"""The interface of an engine, between the pipeline and any method that fills a hole.

An engine gets aligned crops and masks and nothing else: no files, no faces, no blending. ``loading`` lists engines and
makes them by name.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import EngineError
from faceinp.face import landmark_predictor

POINTS = 68  # landmarks of a face, in dlib's order


class Progress(Protocol):
    """A callback for progress; it raises ``errors.Cancelled`` to stop the work.

    A callback with an argument ``loss``, as ``Report`` has, also gets the loss of a search.
    """

    def __call__(self, done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
        """preview: the current picture of the first crop, float32 (3, S, S) in [0, 1]."""


class Report(Protocol):
    """The callback that engines call: ``Progress`` with a loss."""

    def __call__(
        self, done: int, total: int, preview: NDArray[np.float32] | None = None, loss: float | None = None
    ) -> None:
        """As ``Progress``. loss: of the preview, in a search."""


@dataclass(frozen=True)
class Needs:
    """The requirements of an engine.

    packages: import names. extra: the extra of faceinp that installs them. weights: names in ``models.weights``.
    """

    packages: tuple[str, ...] = ()
    extra: str = ""
    weights: tuple[str, ...] = ()


class Exemplars(NamedTuple):
    """Other pictures of the same face, aligned with the crops, one for each crop.

    pictures: float32 (N, 3, S, S) in [0, 1], RGB. confidence: float32 (N, 1, S, S) in [0, 1], that a pixel shows the
    same as the crop's would; 0 where the exemplar is of no use.
    """

    pictures: NDArray[np.float32]
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Checked crops for one run of an engine.

    crops: float32 (N, 3, S, S) in [0, 1], 0.5 in the hole. masks: bool (N, 1, S, S), True = hole. landmarks: float32
    (N, 68, 2), x and y as shares of the side; None for an engine that is not guided. exemplar: all zeros if the caller
    passed none. seed: the random seed. progress: for engines whose ``batch_size`` is 0.
    """

    crops: NDArray[np.float32]
    masks: NDArray[np.bool_]
    landmarks: NDArray[np.float32] | None
    exemplar: Exemplars
    seed: int
    progress: Report


class Engine(ABC):
    """Fills holes of aligned face crops.

    name: as in ``load_engine(name)``. about: one line for users. size: the side it works at best, in pixels. largest:
    the largest side it accepts; equal to ``size`` for a network with a fixed side. needs: its requirements. runtime:
    the library, device and precision, for example "torch cpu fp32". taught_by: names of judges that its network was
    trained with as a loss. guided: whether it follows the 68 landmarks of the face, the caller's or predicted ones.
    copies: whether its pixels are copied from the crop, with their grain. completes_faces: whether it generates the
    missing parts of a face, which real pixels of the other half may replace (``fill(symmetry=...)``). published: its
    settings are those of a publication, so that its fills stay as published unless ``symmetry=True``. batch_size: the
    number of crops in one run; 0: all of them, and it reports progress itself. options: names of its options if the
    constructor takes them as ``**options``; otherwise the parameters of the constructor are the options.

    Each is a plain attribute, of the class or of an instance.
    """

    name: str
    about: str
    size: int
    largest: int
    needs: Needs = Needs()
    runtime: str = "cpu"
    taught_by: tuple[str, ...] = ()
    guided: bool = False
    copies: bool = False
    completes_faces: bool = True
    published: bool = False
    batch_size: int = 8
    options: tuple[str, ...] = ()

    @classmethod
    def hindrance(cls) -> str:
        """Why it cannot run on this machine, besides packages and weights; empty if it can. Must not import torch."""
        return ""

    def fill(
        self,
        crops: Any,
        masks: Any,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        landmarks: Any = None,
        exemplar: Exemplars | None = None,
    ) -> NDArray[np.float32]:
        """Generate complete pictures for crops with a hole.

        crops: float32 (N, 3, S, S) in [0, 1], RGB, NumPy or torch; pixels under the hole are ignored. masks: bool
        (N, 1, S, S), True = hole. seed: the random seed. progress: called before the first crop and after each batch,
        or by a search itself. landmarks: float (N, 68, 2), x and y as shares of the side, for a guided engine; None:
        predicted. exemplar: another picture of each face; engines that cannot use it ignore it.
        Returns float32 (N, 3, S, S) in [0, 1]. Known pixels may differ from the crops': the pipeline blends.
        Raises EngineError for other shapes, types or ranges, for a mask that covers the entire crop, and for landmarks
        if the engine is not guided.
        """
        crops, masks = self._checked(crops, masks, self.size, self.largest)
        points, others = self._checked_landmarks(landmarks, len(crops)), _checked_exemplar(exemplar, crops)
        report, filled = reporting(progress), np.empty_like(crops)
        if self.batch_size:
            report(0, len(crops))
        for part in _parts(len(crops), self.batch_size):
            guide = None if points is None else points[part]
            if guide is None and self.guided:
                guide = self._predict(crops[part], masks[part])
            exemplars = Exemplars(others.pictures[part], others.confidence[part])
            generated = self._generate(Batch(crops[part], masks[part], guide, exemplars, seed, report))
            np.clip(generated, 0, 1, out=filled[part], casting="same_kind")
            if self.batch_size:
                report(part.stop, len(crops), filled[0])
        return filled

    def predict_landmarks(self, crops: Any, masks: Any) -> NDArray[np.float32]:
        """Predict the 68 landmarks that ``fill`` follows; an engine that is not guided uses the shipped predictor.

        crops: float32 (N, 3, 256, 256) in [0, 1]. masks: bool (N, 1, 256, 256), True = hole. Returns float32
        (N, 68, 2), x and y as shares of the side, in dlib's order. Raises EngineError as ``fill`` does, and
        WeightsError where the predictor's weights are missing.
        """
        crops, masks = self._checked(crops, masks, landmark_predictor.SIZE, landmark_predictor.SIZE)
        points = [self._predict(crops[part], masks[part]) for part in _parts(len(crops), self.batch_size)]
        return np.concatenate(points) if points else np.zeros((0, POINTS, 2), np.float32)

    @abstractmethod
    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        """Complete pictures (N, 3, S, S) for the crops of one batch. An engine must define only this method."""

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Landmarks (N, 68, 2), as shares of the side, of checked crops, by the shipped predictor."""
        return landmark_predictor.predict(crops, masks)

    def _checked(
        self, crops: Any, masks: Any, size: int, largest: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        crops, masks = _numpy(crops), _numpy(masks)
        if crops.ndim != 4 or crops.shape[1] != 3 or crops.shape[2] != crops.shape[3] or crops.dtype != np.float32:
            raise EngineError(
                f"Crops must be float32 (N, 3, S, S) in [0, 1], got {crops.dtype} {crops.shape}. Convert them first."
            )
        if masks.shape != (crops.shape[0], 1, *crops.shape[2:]) or masks.dtype != np.bool_:
            raise EngineError(
                f"Masks must be bool (N, 1, S, S), True = hole, got {masks.dtype} {masks.shape}. Convert them first."
            )
        side = crops.shape[-1]
        if side > largest or (size == largest and side != size):
            limit = f"crops of {size} pixels" if size == largest else f"crops of up to {largest} pixels"
            raise EngineError(f"Engine {self.name!r} takes {limit} a side, got {side}. Resize the crops.")
        known = crops[~np.broadcast_to(masks, crops.shape)]
        if known.size and not (known.min() >= 0 and known.max() <= 1):
            raise EngineError("Crops must be in [0, 1]. Divide 8-bit pictures by 255.")
        if masks.all(axis=(1, 2, 3)).any():
            raise EngineError("A mask covers the entire crop. Leave part of the face unmasked.")
        return np.where(masks, np.float32(0.5), crops), np.ascontiguousarray(masks)

    def _checked_landmarks(self, landmarks: Any, count: int) -> NDArray[np.float32] | None:
        if landmarks is None:
            return None
        if not self.guided:
            raise EngineError(f"Engine {self.name!r} does not use landmarks. Leave them out, or use 'landmark'.")
        points = np.ascontiguousarray(_numpy(landmarks), np.float32)
        if points.shape != (count, POINTS, 2) or not np.isfinite(points).all():
            raise EngineError(
                f"Landmarks must be finite ({count}, {POINTS}, 2), 68 points (x, y) for each crop, got {points.shape}. "
                "Start from the result of predict_landmarks."
            )
        return points


def _checked_exemplar(exemplar: Exemplars | None, crops: NDArray[np.float32]) -> Exemplars:
    """The exemplar as float32 arrays; None becomes zeros, which have no confidence."""
    count, _, side, _ = crops.shape
    if exemplar is None:
        return Exemplars(np.zeros_like(crops), np.zeros((count, 1, side, side), np.float32))
    pictures, confidence = (_numpy(array) for array in exemplar)
    for name, array, shape in (("pictures", pictures, crops.shape), ("confidence", confidence, (count, 1, side, side))):
        if array.shape != shape or array.dtype != np.float32 or not ((array >= 0) & (array <= 1)).all():
            raise EngineError(
                f"An exemplar's {name} must be float32 {shape} in [0, 1], got {array.dtype} {array.shape}. "
                "Align it with the crops."
            )
    return Exemplars(pictures, confidence)


registry: dict[str, type[Engine]] = {}  # the engines registered so far; ``loading.available`` imports ours first


def register(engine: type[Engine]) -> type[Engine]:
    """Class decorator that makes an engine available by its name."""
    registry[engine.name] = engine
    return engine


def reporting(progress: Progress | None) -> Report:
    """``progress`` as a callback that also accepts a loss; None becomes a callback that does nothing."""
    if progress is None:
        return _silent
    try:
        inspect.signature(progress).bind(0, 1, None, loss=0.0)
    except (TypeError, ValueError):  # it has no such argument, or no signature
        return lambda done, total, preview=None, loss=None: progress(done, total, preview)
    return cast(Report, progress)


def _silent(done: int, total: int, preview: NDArray[np.float32] | None = None, loss: float | None = None) -> None:
    pass


def _parts(count: int, size: int) -> Iterator[slice]:
    """The slices of ``count`` crops in batches of ``size``; 0: one batch."""
    size = size or max(count, 1)
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def _numpy(array: Any) -> NDArray[Any]:
    """NumPy view of a NumPy array or a torch tensor, without importing torch."""
    detach = getattr(array, "detach", None)
    return np.asarray(detach().cpu().numpy() if detach else array)
