"""What an engine is, and the list of those there are.

An engine sees aligned crops and masks and nothing else: no files, no faces, no blending. Listing engines imports
no heavy package; an engine imports what it needs when it is made.
"""

import importlib
import importlib.util
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from faceinp import weights
from faceinp.errors import EngineError, MissingPackageError

# The files of this package that register engines, in the order in which engines are listed.
FAMILIES = ("landmark", "latent", "classical", "runtime")
FOREIGN = "onnx:"  # before the path of somebody else's ONNX file


class Progress(Protocol):
    """Called by heavy work now and then; raises ``errors.Cancelled`` to stop it."""

    def __call__(self, done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
        """``preview``: the first crop's picture so far, float32 (3, S, S) in [0, 1]."""


@dataclass(frozen=True)
class Needs:
    """What must be there before an engine can run.

    packages: import names. extra: the extra of faceinp that brings them. weights: names in ``faceinp.weights``.
    """

    packages: tuple[str, ...] = ()
    extra: str = ""
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """One line of ``faceinp engines``."""

    name: str
    about: str
    needs: Needs
    missing: str  # why it cannot run here and what to do; empty when it is ready
    completes_faces: bool  # as in ``Engine``

    @property
    def ready(self) -> bool:
        return not self.missing


class Engine(ABC):
    """Fills holes of aligned face crops.

    name: as in ``load_engine(name)``. about: one line for people. size: the side it works at best.
    largest: the greatest side it accepts (equal to ``size`` where the network is built for one side).
    runtime: what computes, for example "torch cpu fp32". taught_by: names of judges that were in its network's loss.
    copies: what it makes is taken from the crop as it is, grain and all. completes_faces: it draws the missing parts of
    a face, so that real pixels of the face's other half take their place where they can (``fill(symmetry=...)``).
    """

    name: ClassVar[str]
    about: ClassVar[str]
    size: ClassVar[int]
    largest: ClassVar[int]
    needs: ClassVar[Needs] = Needs()
    runtime: str = "cpu"
    taught_by: tuple[str, ...] = ()
    copies: ClassVar[bool] = False
    completes_faces: ClassVar[bool] = True

    @classmethod
    def hindrance(cls) -> str:
        """Why it cannot run on this machine, beyond packages and weights; empty when it can. Asked without torch."""
        return ""

    def fill(self, crops: Any, masks: Any, *, seed: int = 0, progress: Progress | None = None) -> NDArray[np.float32]:
        """Generate whole pictures whose known part resembles the crops'.

        crops: float32 (N, 3, S, S) in [0, 1], RGB, NumPy or torch. masks: bool (N, 1, S, S), True = hole.
        What the crops hold under the hole is never looked at. Returns float32 (N, 3, S, S) in [0, 1]; known pixels
        are the engine's own guess there, too, unless the engine says otherwise: blending is the road's work.
        Raises EngineError when shapes, types or ranges are others, or a mask is all hole.
        """
        crops, masks = self._checked(crops, masks)
        filled = self._fill(crops, masks, seed, progress or _silent)
        return np.clip(filled, 0, 1, dtype=np.float32)

    @abstractmethod
    def _fill(
        self, crops: NDArray[np.float32], masks: NDArray[np.bool_], seed: int, progress: Progress
    ) -> NDArray[np.float32]:
        """As ``fill``, on checked NumPy arrays whose hole is grey (0.5)."""

    def _checked(self, crops: Any, masks: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        crops, masks = _numpy(crops), _numpy(masks)
        if crops.ndim != 4 or crops.shape[1] != 3 or crops.shape[2] != crops.shape[3] or crops.dtype != np.float32:
            raise EngineError(f"Crops are float32 (N, 3, S, S) in [0, 1]; these are {crops.dtype} {crops.shape}.")
        if masks.shape != (crops.shape[0], 1, *crops.shape[2:]) or masks.dtype != np.bool_:
            raise EngineError(f"Masks are bool (N, 1, S, S), True = hole; these are {masks.dtype} {masks.shape}.")
        side = crops.shape[-1]
        if side > self.largest or (self.size == self.largest and side != self.size):
            raise EngineError(f"{self.name} works at {self.size} pixels a side, {self.largest} at most, not at {side}.")
        known = crops[~np.broadcast_to(masks, crops.shape)]
        if known.size and not (known.min() >= 0 and known.max() <= 1):
            raise EngineError("Crops are in [0, 1]. Divide 8-bit pictures by 255.")
        if masks.reshape(len(masks), -1).all(axis=1).any():
            raise EngineError("A mask is all hole: an engine needs known pixels to go by.")
        return np.where(masks, np.float32(0.5), crops), masks


class GuidedEngine(Engine):
    """An engine that is led by the face's 68 landmarks, its own guess of them or the caller's."""

    def fill(
        self,
        crops: Any,
        masks: Any,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        landmarks: Any = None,
    ) -> NDArray[np.float32]:
        """As ``Engine.fill``. landmarks: float (N, 68, 2), x and y in shares of the side; predicted where None.
        Raises EngineError when they are of another shape or not finite.
        """
        crops, masks = self._checked(crops, masks)
        points = self._predict(crops, masks) if landmarks is None else self._points(landmarks, len(crops))
        return np.clip(self._complete(crops, masks, points, progress or _silent), 0, 1, dtype=np.float32)

    def landmarks(self, crops: Any, masks: Any) -> NDArray[np.float32]:
        """The engine's guess of the landmarks: crops and masks as for ``fill`` -> float32 (N, 68, 2)."""
        return self._predict(*self._checked(crops, masks))

    def _fill(
        self, crops: NDArray[np.float32], masks: NDArray[np.bool_], seed: int, progress: Progress
    ) -> NDArray[np.float32]:
        return self._complete(crops, masks, self._predict(crops, masks), progress)

    @abstractmethod
    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Landmarks (N, 68, 2) in shares of the side, of checked crops whose hole is grey."""

    @abstractmethod
    def _complete(
        self, crops: NDArray[np.float32], masks: NDArray[np.bool_], points: NDArray[np.float32], progress: Progress
    ) -> NDArray[np.float32]:
        """Whole pictures, float32 (N, 3, S, S), of checked crops whose hole is grey."""

    def _points(self, landmarks: Any, count: int) -> NDArray[np.float32]:
        points = np.asarray(_numpy(landmarks), np.float32)
        if points.shape != (count, 68, 2) or not np.isfinite(points).all():
            raise EngineError(f"Landmarks are 68 points (x, y) a crop, ({count}, 68, 2); these are {points.shape}.")
        return points


_registry: dict[str, type[Engine]] = {}


def register(engine: type[Engine]) -> type[Engine]:
    """Class decorator: puts an engine on the list."""
    _registry[engine.name] = engine
    return engine


def available() -> dict[str, type[Engine]]:
    """Every engine by name, the recommended one first."""
    modules = [importlib.import_module(f"faceinp.engines.{family}").__name__ for family in FAMILIES]
    return dict(sorted(_registry.items(), key=lambda item: _place(item[1].__module__, modules)))


def _place(module: str, modules: list[str]) -> int:
    """Families in their order, whatever was imported first; engines of elsewhere last."""
    return modules.index(module) if module in modules else len(modules)


def list_engines() -> list[Status]:
    """What there is, what it needs, and what is ready on this machine."""
    return [
        Status(name, kind.about, kind.needs, _missing(kind), kind.completes_faces) for name, kind in available().items()
    ]


def load_engine(name: str, **options: Any) -> Engine:
    """Make the engine called ``name``; ``options`` are its own (``inspect.signature`` of its class lists them).

    "onnx:FILE" is somebody else's ONNX file with a sidecar (see ``engines.foreign``).
    Raises EngineError for an unknown name or option, MissingPackageError and WeightsError when it cannot run here.
    """
    make: Callable[..., Engine]
    if name.startswith(FOREIGN):
        from faceinp.engines.foreign import ForeignOnnx

        make, needs = partial(ForeignOnnx, name.removeprefix(FOREIGN)), ForeignOnnx.needs
    else:
        kinds = available()
        if name not in kinds:
            raise EngineError(f"There is no engine {name!r}. Choose one of: {', '.join(kinds)}, or {FOREIGN}FILE.")
        make, needs = kinds[name], kinds[name].needs
    known = [p for p in inspect.signature(make).parameters if p not in ("args", "kwargs")]
    unknown = sorted(set(options) - set(known))
    if unknown:
        offered = f"It knows: {', '.join(known)}." if known else "It has none."
        raise EngineError(f"The engine {name} has no option {', '.join(unknown)}. {offered}")
    for package in needs.packages:
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(package, needs.extra)
    return make(**options)


def _missing(kind: type[Engine]) -> str:
    for package in kind.needs.packages:
        if importlib.util.find_spec(package) is None:
            return str(MissingPackageError(package, kind.needs.extra))
    return next((reason for name in kind.needs.weights if (reason := weights.missing(name))), "") or kind.hindrance()


def _numpy(array: Any) -> NDArray[Any]:
    """NumPy view of a NumPy array or a torch tensor, without importing torch."""
    detach: Callable[[], Any] | None = getattr(array, "detach", None)
    return np.asarray(detach().cpu().numpy() if detach else array)


def _silent(done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
    pass
