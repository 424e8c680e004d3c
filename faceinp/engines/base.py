"""What an engine is: the contract between the pipeline and whatever fills a hole.

An engine sees aligned crops and masks and nothing else: no files, no faces, no blending. ``loading.py`` lists engines
and makes them by name.
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
    """Called by heavy work now and then; raises ``errors.Cancelled`` to stop it. A callback that has an argument
    ``loss``, too, as ``Report`` has, gets the loss of a search.
    """

    def __call__(self, done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
        """``preview``: the first crop's picture so far, float32 (3, S, S) in [0, 1]."""


class Report(Protocol):
    """What engines call: ``Progress`` with a loss."""

    def __call__(
        self, done: int, total: int, preview: NDArray[np.float32] | None = None, loss: float | None = None
    ) -> None:
        """As ``Progress``. ``loss``: that of the preview, where a search makes one."""


@dataclass(frozen=True)
class Needs:
    """What an engine requires before it can run.

    packages: import names. extra: the extra of faceinp that installs them. weights: names in ``models.weights``.
    """

    packages: tuple[str, ...] = ()
    extra: str = ""
    weights: tuple[str, ...] = ()


class Exemplars(NamedTuple):
    """Other pictures of the same face, aligned with the crops, one for each crop.

    pictures: float32 (N, 3, S, S) in [0, 1], RGB. confidence: float32 (N, 1, S, S) in [0, 1], how surely a pixel
    shows what the crop would show there; 0 where the exemplar has nothing to say.
    """

    pictures: NDArray[np.float32]
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Checked crops that go through an engine at once.

    crops: float32 (N, 3, S, S) in [0, 1], 0.5 in the hole. masks: bool (N, 1, S, S), True = hole. landmarks: float32
    (N, 68, 2), x and y as shares of the side; None for an engine that is not guided. exemplar: all zeros where the
    caller has none. seed: the random seed. progress: for engines whose ``batch_size`` is 0.
    """

    crops: NDArray[np.float32]
    masks: NDArray[np.bool_]
    landmarks: NDArray[np.float32] | None
    exemplar: Exemplars
    seed: int
    progress: Report


class Engine(ABC):
    """Fills holes of aligned face crops.

    name: as in ``load_engine(name)``. about: one line for people. size: the side it works at best. largest: the
    greatest side it accepts (equal to ``size`` where the network is built for one side). needs: what it requires.
    runtime: what computes, for example "torch cpu fp32". taught_by: names of judges that were in its network's loss.
    guided: it follows the face's 68 landmarks, the caller's or its own prediction. copies: its pixels are copied from
    the crop, grain included. completes_faces: it draws the missing parts of a face, so that real pixels of the face's
    other half take their place where they can (``fill(symmetry=...)``). published: it is set as a publication has it,
    so that its fills stay its own unless ``symmetry=True``. batch_size: how many crops it takes at once; 0: all of
    them, and it reports progress itself. options: names of its options where the constructor takes them as
    ``**options``; the parameters of others are their options.

    Each is a plain attribute: of the class, or of one instance where its file decides.
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
        """Why it cannot run on this machine, beyond packages and weights; empty when it can. Asked without torch."""
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
        """Generate whole pictures whose known part resembles the crops'.

        crops: float32 (N, 3, S, S) in [0, 1], RGB, NumPy or torch. masks: bool (N, 1, S, S), True = hole.
        The pixels of the crops under the hole are ignored. landmarks: float (N, 68, 2), x and y as shares of the side,
        for a guided engine, which predicts them where None. exemplar: another picture of each face; engines that
        cannot use it ignore it. seed: the random seed. progress: called before the first crop and after each batch, or
        by a search itself.
        Returns float32 (N, 3, S, S) in [0, 1]; known pixels are the engine's own guess there, too, unless the engine
        says otherwise: blending is the pipeline's work.
        Raises EngineError when shapes, types or ranges differ from these, a mask is all hole, or landmarks are passed
        to an engine that is not guided.
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
            made = self._generate(Batch(crops[part], masks[part], guide, exemplars, seed, report))
            np.clip(made, 0, 1, out=filled[part], casting="same_kind")
            if self.batch_size:
                report(part.stop, len(crops), filled[0])
        return filled

    def predict_landmarks(self, crops: Any, masks: Any) -> NDArray[np.float32]:
        """The 68 landmarks that ``fill`` would follow; those of the shipped predictor for an engine that is not guided.

        crops: float32 (N, 3, 256, 256) in [0, 1]; masks: bool (N, 1, 256, 256), True = hole. Returns float32
        (N, 68, 2), x and y as shares of the side, in dlib's order. Raises EngineError as ``fill`` does, WeightsError.
        """
        crops, masks = self._checked(crops, masks, landmark_predictor.SIZE, landmark_predictor.SIZE)
        points = [self._predict(crops[part], masks[part]) for part in _parts(len(crops), self.batch_size)]
        return np.concatenate(points) if points else np.zeros((0, POINTS, 2), np.float32)

    @abstractmethod
    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        """Whole pictures (N, 3, S, S) for the crops of one batch. This is all that an engine must define."""

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Landmarks (N, 68, 2), as shares of the side, of checked crops; the shipped predictor's."""
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
            limit = f"{size} pixels a side" if size == largest else f"crops of up to {largest} pixels a side"
            raise EngineError(f"Engine {self.name!r} takes {limit}, got {side}. Resize the crops.")
        known = crops[~np.broadcast_to(masks, crops.shape)]
        if known.size and not (known.min() >= 0 and known.max() <= 1):
            raise EngineError("Crops must be in [0, 1]. Divide 8-bit pictures by 255.")
        if masks.all(axis=(1, 2, 3)).any():
            raise EngineError("A mask is all hole. Leave part of the face unmasked.")
        return np.where(masks, np.float32(0.5), crops), np.ascontiguousarray(masks)

    def _checked_landmarks(self, landmarks: Any, count: int) -> NDArray[np.float32] | None:
        if landmarks is None:
            return None
        if not self.guided:
            raise EngineError(f"Engine {self.name!r} does not use landmarks. Leave them out, or use 'landmark'.")
        points = np.ascontiguousarray(_numpy(landmarks), np.float32)
        if points.shape != (count, POINTS, 2) or not np.isfinite(points).all():
            raise EngineError(
                f"Landmarks must be finite, ({count}, {POINTS}, 2): 68 points (x, y) a crop, got {points.shape}. "
                "Start from those of predict_landmarks."
            )
        return points


def _checked_exemplar(exemplar: Exemplars | None, crops: NDArray[np.float32]) -> Exemplars:
    """As float32 arrays; zeros, which say nothing, where there is none."""
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
    """Class decorator: makes an engine available by its name."""
    registry[engine.name] = engine
    return engine


def reporting(progress: Progress | None) -> Report:
    """A callback that takes all that engines report, whatever ``progress`` takes."""
    if progress is None:
        return _silent
    try:
        inspect.signature(progress).bind(0, 1, None, loss=0.0)
    except (TypeError, ValueError):  # it has no such argument, or cannot be asked
        return lambda done, total, preview=None, loss=None: progress(done, total, preview)
    return cast(Report, progress)


def _silent(done: int, total: int, preview: NDArray[np.float32] | None = None, loss: float | None = None) -> None:
    pass


def _parts(count: int, size: int) -> Iterator[slice]:
    """``count`` crops in batches of ``size``; one batch where it is 0."""
    size = size or max(count, 1)
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def _numpy(array: Any) -> NDArray[Any]:
    """NumPy view of a NumPy array or a torch tensor, without importing torch."""
    detach = getattr(array, "detach", None)
    return np.asarray(detach().cpu().numpy() if detach else array)
