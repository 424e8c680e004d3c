"""One fill of the page or the API: its request, checked, and its result as files and figures."""

import hashlib
import os
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import faceinp

from ..images import pictures, result_parts
from . import naturalness
from .history import History

SEARCHES = ("structural", "dip")  # engines with iterations and previews; the page uses their fast setting
ITERATIONS = 250
MOST_ITERATIONS = 5000
MOST_CANDIDATES = 8
LARGEST_SEED = 2**31 - 1
BLENDINGS = ("poisson", "composite")
PASSED_ON = (  # fields of a request that are arguments of ``faceinp.fill``
    *("find", "seed", "face", "turn", "require_face", "mask_hole", "blending", "landmarks"),
    *("symmetry", "references", "reference_check"),
)
# Seconds of a fill on two cores, until this server has timed its own fills.
EXPECTED = {"structural": 6.0, "dip": 6.0, "tv": 3.0, "biharmonic": 4.0, "patchmatch": 2.0}
EXPECTED_ELSE = 1.0
SMALL_FACE = 0.3  # share of the photo: of a smaller face the close-up is shown first
SIZES = (1_500_000, 6_000_000, 24_000_000)  # pixels: limits of the sizes of photos that are timed separately
TIMED = 15  # fills that are remembered for each engine and size
FILLED = "-filled"  # at the end of the name of a filled photo, once however often it was filled
NOTHING_EARLIER = "Nothing was filled yet, so nothing can be restored."
NOTHING_FILLED = "a part was restored from your photo, so nothing was filled."

_timed: dict[tuple[str, int], deque[float]] = {}
_engines: dict[str, "Future[faceinp.Engine]"] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class FillRequest:
    """The request for one fill.

    turns: quarter turns clockwise that the photo is turned by first. hole: returns the mask for ``faceinp.fill``, when
    the fill starts; None with ``find``. face, turn, require_face, symmetry, references, reference_check, find: as in
    ``faceinp.fill``. others: other photos of the person that the judge compares the fill with; references may be among
    them. earlier: the fills that made the photo. put_back: fill nothing, and restore the hole from before those fills.
    """

    photo: Any
    hole: Callable[[], Any]
    engine: str
    turns: int = 0
    seed: int = 0
    iterations: int = 0
    face: faceinp.FaceLocation | None = None
    turn: Any = "auto"
    require_face: bool = False
    blending: str = BLENDINGS[0]
    mask_hole: Any = "auto"
    find: faceinp.Find | None = None
    landmarks: Any = None
    symmetry: bool | None = None
    references: tuple[Path, ...] = ()
    reference_check: bool = True
    others: tuple[Path, ...] = ()
    earlier: History | None = None
    put_back: bool = False

    def __post_init__(self) -> None:
        """Check the request, since programs may send anything. Raises EngineError."""
        listed = faceinp.list_engines()
        status = next((status for status in listed if status.answers_to(self.engine)), None)
        if status is None:
            names = ", ".join(status.name for status in listed)
            raise faceinp.EngineError(f"Unknown engine {self.engine!r:.80}. Available: {names}.")
        if status.missing:
            raise faceinp.EngineError(f"The engine {self.engine} cannot run here. {status.missing}")
        whole_numbers = {"seed": (self.seed, LARGEST_SEED), "iterations": (self.iterations, MOST_ITERATIONS)}
        for name, (value, most) in whole_numbers.items():
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
                raise faceinp.EngineError(f"{name} must be a whole number from 0 to {most:,}, got {value!r:.80}.")
        if self.blending not in BLENDINGS:
            raise faceinp.EngineError(f"Unknown blending {self.blending!r:.80}. Available: {', '.join(BLENDINGS)}.")


@dataclass(frozen=True)
class FillResult:
    """One filled photo: files in ``folder``, and figures."""

    folder: Path
    file: Path
    views: dict[str, tuple[Path, Path]]  # by the name of the view: the pictures before and after
    engine: str
    runtime: str
    seed: int
    size: tuple[int, int]  # width, height
    seconds: float
    seam: float
    notes: tuple[str, ...]
    known_pixels: int
    changed_pixels: int
    history: History  # of this and all earlier fills, which the pixel counts and the views include
    references: tuple[tuple[Path, faceinp.Reference], ...]  # each file, and how it was used
    faces: int  # that were filled; ``landmarks`` are those of the first one
    landmarks: NDArray[np.float32] | None
    unmoved_landmarks: NDArray[np.float32] | None  # as the engine predicted them
    around: Path  # a picture of the filled area with a margin, its longer side ``pictures.FACE_SIDE``
    window: tuple[int, int, int, int]  # of the views, in the photo: left, top, right, bottom
    hole: NDArray[np.bool_]  # of this fill in that window, no side longer than ``pictures.FACE_SIDE``
    others: tuple[Path, ...]  # that the judge compared it with, in the order of ``likeness.others``
    likeness: faceinp.Likeness | None
    no_judge: str  # why likeness is None; else empty
    digest: bytes
    hole_like: str = ""  # as ``naturalness.hole_like`` returns it
    about: str = ""  # the part that was filled again, in words; empty for a fill of the whole hole

    @property
    def shares(self) -> dict[int, float]:
        """The share of each source in the filled area, by the codes of ``faceinp.Result.shares``."""
        return self.history.shares

    @property
    def first_view(self) -> str:
        """The view to show first: the face if it is small and holds the whole filled area, else the photo."""
        left, top, right, bottom = self.window
        share = (right - left) * (bottom - top) / (self.size[0] * self.size[1])
        beside = self.shares.get(pictures.SURROUNDINGS, 0) > 0
        return "Photo" if beside or share > SMALL_FACE else "Face"

    @property
    def face(self) -> Path:
        """The picture of the filled face."""
        return self.views["Face"][1]


def with_seeds(request: FillRequest, count: int) -> list[FillRequest]:
    """Requests for ``count`` candidates, each with a seed of its own."""
    seeds = [(request.seed + number) % (LARGEST_SEED + 1) for number in range(min(count, MOST_CANDIDATES))]
    return [replace(request, seed=seed) for seed in seeds]


def ready_engines() -> list[str]:
    """Names of the engines that run here, the recommended one first."""
    return [engine.name for engine in faceinp.list_engines() if engine.ready]


def completes_faces(engine: str | None) -> bool:
    """Whether the engine uses the face's other half by default."""
    return any(listed.completes_faces for listed in faceinp.list_engines() if listed.answers_to(engine))


def expected(engine: str, pixels: int | None = None) -> float:
    """Expected seconds of a fill: the median of recent fills of such photos, or a value measured elsewhere.

    pixels: the photo's height * width; None for photos of any size.
    """
    sizes = range(len(SIZES) + 1) if pixels is None else (_size(pixels),)
    seconds = [one for size in sizes for one in tuple(_timed.get((engine, size), ()))]
    return statistics.median(seconds) if seconds else EXPECTED.get(engine, EXPECTED_ELSE)


def timed(engine: str, pixels: int, seconds: float) -> None:
    """Remember the seconds of a fill; pixels: as in ``expected``."""
    _timed.setdefault((engine, _size(pixels)), deque(maxlen=TIMED)).append(seconds)


def _size(pixels: int) -> int:
    return sum(pixels > most for most in SIZES)


def load_engine(name: str, iterations: int = 0) -> faceinp.Engine:
    """The engine, loaded once; with ``iterations`` it is loaded anew, which is fast compared to the search."""
    if iterations:
        return faceinp.load_engine(name, {"iterations": iterations, "fast": True})
    return engine_future(name).result()


def engine_future(name: str) -> "Future[faceinp.Engine]":
    """The engine, loaded once in a thread of its own; again if that failed.

    An engine that runs an exported file may have to export it first, which can take minutes.
    """
    with _lock:
        future = _engines.get(name)
        if future is None or (future.done() and future.exception()):
            future = _engines[name] = Future()
            threading.Thread(target=_load, args=(name, future), name=f"load {name}", daemon=True).start()
        return future


def _load(name: str, future: "Future[faceinp.Engine]") -> None:
    try:
        future.set_result(faceinp.load_engine(name, {"fast": True} if name in SEARCHES else {}))
    except BaseException as error:  # for whoever waits for the engine
        future.set_exception(error)


def fill(
    request: FillRequest,
    folder: Path,
    progress: Callable[..., None],
    judge: Callable[[], faceinp.Judge] | None,
) -> FillResult:
    """Fill, and write the files of the result into ``folder``. Raises what ``faceinp.fill`` raises, and Gone."""
    if request.put_back:
        return _put_back(request, folder)
    engine = load_engine(request.engine, request.iterations if request.engine in SEARCHES else 0)
    started = time.perf_counter()
    photo = pictures.turned(faceinp.read_photo(request.photo), request.turns) if request.turns else request.photo
    result = faceinp.fill(
        photo,
        request.hole(),
        engine=engine,
        progress=progress,
        **{name: getattr(request, name) for name in PASSED_ON},
    )
    seconds = time.perf_counter() - started
    if not any("best so far" in note for note in result.notes):
        timed(
            request.engine, result.mask.size, seconds * (ITERATIONS / request.iterations if request.iterations else 1)
        )
    likeness, reason = None, ""
    if judge is not None:
        try:
            likeness = faceinp.judge_fill(result, judge(), others=request.others)
        except faceinp.FaceinpError as error:
            reason = str(error)
    earlier = request.earlier
    history = (
        History.of(result, request.photo, request.turns, request.references)
        if earlier is None
        else earlier.add(result, request.references)
    )
    return _fill_result(request, result, history, folder, seconds, likeness, reason)


def _put_back(request: FillRequest, folder: Path) -> FillResult:
    """Restore the hole from the photo before all fills, with everything that its file holds of these pixels."""
    started = time.perf_counter()
    if request.earlier is None:
        raise faceinp.MaskError(NOTHING_EARLIER)
    hole = np.asarray(request.hole())
    history = request.earlier.without(hole)
    photo, sources = history.before(), history.sources
    filled = pictures.read(request.photo).pixels
    result = faceinp.Result(
        image=np.where(hole[..., None], photo.pixels, filled),
        mask=sources > 0,
        photo=photo,
        faces=(),
        engine=request.engine,
        runtime="",
        seed=request.seed,
        timings={},
        notes=(),
        known_pixels=0,
        changed_pixels=0,
        sources=sources,
    )
    return _fill_result(request, result, history, folder, time.perf_counter() - started, None, NOTHING_FILLED)


def _fill_result(
    request: FillRequest,
    result: faceinp.Result,
    history: History,
    folder: Path,
    seconds: float,
    likeness: faceinp.Likeness | None,
    no_judge: str,
) -> FillResult:
    """Write a result as files, and collect its figures. Raises Gone."""
    known, changed, before, sources = result.known_pixels, result.changed_pixels, result.photo.pixels, result.sources
    if request.earlier is not None:
        before, sources = history.before().pixels, history.sources
        known = int(np.count_nonzero(sources == 0))
        changed = int(np.count_nonzero((result.image != before).any(axis=2) & (sources == 0)))
    own = pictures.own_folder(folder)
    stem = Path(request.photo).stem.removesuffix(FILLED) if isinstance(request.photo, str | os.PathLike) else "photo"
    file = own / f"{stem}{FILLED}.png"
    losses = result.save(file)
    height, width = result.mask.shape
    left, top, right, bottom = pictures.window(result)
    return FillResult(
        folder=own,
        file=file,
        views=pictures.write_views(result, own, before, sources),
        engine=result.engine,
        runtime=result.runtime,
        seed=result.seed,
        size=(width, height),
        seconds=seconds,
        seam=pictures.seam(result.image, result.mask),
        notes=(*result.notes, *losses),
        known_pixels=known,
        changed_pixels=changed,
        history=history,
        references=tuple(zip(request.references, result.references, strict=True)),
        faces=len(result.faces),
        landmarks=result.landmarks,
        unmoved_landmarks=result.landmarks,
        around=pictures.save(
            pictures.sized(result.image[result_parts.window(sources)], pictures.FACE_SIDE), own / "around.png"
        ),
        window=(left, top, right, bottom),
        hole=pictures.shrunk(result.mask[top:bottom, left:right] * np.uint8(255), pictures.FACE_SIDE) > 127,
        others=request.others,
        likeness=likeness,
        no_judge=no_judge,
        digest=hashlib.blake2b(result.image.data).digest(),
        hole_like=naturalness.hole_like(result),
    )


def ranked(results: Sequence[FillResult]) -> list[FillResult]:
    """Most similar first; in the order of the fills if there is no judge."""
    return sorted(results, key=lambda result: result.likeness.verdict.distance.euclidean if result.likeness else 0.0)
