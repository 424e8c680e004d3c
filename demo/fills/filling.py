"""One fill as somebody ordered it: what is asked for, checked, and what came of it, as files and figures."""

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

SEARCHES = ("structural", "dip")  # engines that take iterations and show previews; here in their fast setting
ITERATIONS, MOST_ITERATIONS = 250, 5000
MOST_CANDIDATES = 8
LARGEST_SEED = 2**31 - 1
BLENDINGS = ("poisson", "composite")
# Seconds a fill takes on two cores until this server has timed its own.
EXPECTED = {"structural": 6.0, "dip": 6.0, "tv": 3.0, "biharmonic": 4.0, "patchmatch": 2.0}
EXPECTED_ELSE = 1.0
SMALL_FACE = 0.3  # part of the photo: a fill of a smaller face is looked at closely
SIZES = (1_500_000, 6_000_000, 24_000_000)  # pixels: photos up to one of them, and larger ones, are timed apart
TIMED = 15  # fills, of an engine and a size
FILLED = "-filled"  # ends the name of a filled photo's file, without its suffix, however often it was filled
NOTHING_EARLIER = "Nothing was filled yet, so nothing can be restored."
NOTHING_FILLED = "a part was restored from your photo, so nothing was filled."

_timed: dict[tuple[str, int], deque[float]] = {}
_engines: dict[str, "Future[faceinp.Engine]"] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Order:
    """One fill somebody wants.

    turns: quarter turns clockwise that the photo is turned by first.
    hole: what ``faceinp.fill`` takes as mask, made when its turn comes; None of it where find says what is looked for
    and filled. face, turn, require_face, symmetry, references,
    reference_check: as ``faceinp.fill`` takes them. others: other photos of the person, which the judge compares the
    fill with; those that are used to fill may be among them. earlier: what fills before this one made of the photo.
    put_back: nothing is filled, and the hole becomes what it was before those fills.
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
        """Raises EngineError for what no fill can be made with: whoever calls the API may send anything."""
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
class ReferenceUse:
    """What became of one reference photo: as in ``faceinp.Result.references``, with the file it came from."""

    file: Path
    share: float
    distance: float | None
    problem: str
    refused: bool = False
    note: str = ""


@dataclass(frozen=True)
class Made:
    """One filled photo, as files in ``folder``, and what is known of it."""

    folder: Path
    file: Path
    views: dict[str, tuple[Path, Path]]  # name of the view: the two pictures that are compared
    engine: str
    runtime: str
    seed: int
    size: tuple[int, int]  # width, height
    seconds: float
    seam: float
    notes: tuple[str, ...]
    known_pixels: int
    changed_pixels: int
    history: History  # this fill and those before it, of which the figures above and the views speak, too
    references: tuple[ReferenceUse, ...]
    faces: int  # how many were filled; of these the landmarks are the first one's
    landmarks: NDArray[np.float32] | None
    found: NDArray[np.float32] | None  # where these are unless they are moved
    around: Path  # a picture of what was filled and a little around it, its longer side ``pictures.FACE_SIDE``
    window: tuple[int, int, int, int]  # the part of the photo that views show: left, top, right, bottom
    hole: NDArray[np.bool_]  # what this fill filled of that part, no side longer than ``pictures.FACE_SIDE``
    others: tuple[Path, ...]  # what the judge compared it with, in the order of ``likeness.others``
    likeness: faceinp.Likeness | None
    no_judge: str  # why there is no likeness; empty where there is one
    digest: bytes
    hole_like: str = ""  # as ``naturalness.hole_like`` says
    about: str = ""  # which part of the photo was filled again, in words; empty for all that was painted over

    @property
    def shares(self) -> dict[int, float]:
        """The part of all that was filled that comes from each source, by the codes of ``faceinp.Result.shares``."""
        return self.history.shares

    @property
    def first_view(self) -> str:
        """The view that shows all that was filled: the face, where it is all of it and small on the photo."""
        left, top, right, bottom = self.window
        share = (right - left) * (bottom - top) / (self.size[0] * self.size[1])
        beside = self.shares.get(pictures.SURROUNDINGS, 0) > 0
        return "Photo" if beside or share > SMALL_FACE else "Face"

    @property
    def face(self) -> Path:
        """The part of the filled photo that the engine saw."""
        return self.views["Face"][1]


def with_seeds(order: Order, count: int) -> list[Order]:
    """One order for each candidate, each with a seed of its own."""
    seeds = [(order.seed + number) % (LARGEST_SEED + 1) for number in range(min(count, MOST_CANDIDATES))]
    return [replace(order, seed=seed) for seed in seeds]


def ready_engines() -> list[str]:
    """The engines that run here, the recommended one first."""
    return [engine.name for engine in faceinp.list_engines() if engine.ready]


def completes_faces(engine: str | None) -> bool:
    """Whether the engine uses the face's other half unless it is asked not to."""
    return any(listed.completes_faces for listed in faceinp.list_engines() if listed.answers_to(engine))


def expected(engine: str, pixels: int | None = None) -> float:
    """Seconds that a fill takes here: the median of the last ones of such photos, or what it took elsewhere.

    pixels: the photo's height * width; None for photos of any size.
    """
    sizes = range(len(SIZES) + 1) if pixels is None else (_size(pixels),)
    seconds = [one for size in sizes for one in tuple(_timed.get((engine, size), ()))]
    return statistics.median(seconds) if seconds else EXPECTED.get(engine, EXPECTED_ELSE)


def timed(engine: str, pixels: int, seconds: float) -> None:
    """Remember what a fill took; pixels: as of ``expected``."""
    _timed.setdefault((engine, _size(pixels)), deque(maxlen=TIMED)).append(seconds)


def _size(pixels: int) -> int:
    return sum(pixels > most for most in SIZES)


def ready_engine(name: str, iterations: int = 0) -> faceinp.Engine:
    """The engine, made once; one with its own ``iterations`` is made anew, which they outlast."""
    if iterations:
        return faceinp.load_engine(name, {"iterations": iterations, "fast": True})
    return made_engine(name).result()


def made_engine(name: str) -> "Future[faceinp.Engine]":
    """The engine as it is made, in a thread of its own, once for all who wait for it; anew where that failed.

    An engine on an exported file may export it at first, which takes minutes on a busy machine.
    """
    with _lock:
        made = _engines.get(name)
        if made is None or (made.done() and made.exception()):
            made = _engines[name] = Future()
            threading.Thread(target=_make, args=(name, made), name=f"making {name}", daemon=True).start()
        return made


def _make(name: str, made: "Future[faceinp.Engine]") -> None:
    try:
        made.set_result(faceinp.load_engine(name, {"fast": True} if name in SEARCHES else {}))
    except BaseException as error:  # it belongs to whoever waits for the engine
        made.set_exception(error)


def fill(
    order: Order,
    folder: Path,
    progress: Callable[..., None],
    judge: Callable[[], faceinp.Judge] | None,
) -> Made:
    """Fill what is ordered; files of the result go into ``folder``. Raises what ``faceinp.fill`` raises, and Gone."""
    if order.put_back:
        return _put_back(order, folder)
    engine = ready_engine(order.engine, order.iterations if order.engine in SEARCHES else 0)
    started = time.perf_counter()
    photo = pictures.turned(faceinp.read_photo(order.photo), order.turns) if order.turns else order.photo
    result = faceinp.fill(
        photo,
        order.hole(),
        find=order.find,
        engine=engine,
        seed=order.seed,
        face=order.face,
        turn=order.turn,
        require_face=order.require_face,
        mask_hole=order.mask_hole,
        blending=order.blending,
        landmarks=order.landmarks,
        symmetry=order.symmetry,
        references=order.references,
        reference_check=order.reference_check,
        progress=progress,
    )
    seconds = time.perf_counter() - started
    if not any("best so far" in note for note in result.notes):
        timed(order.engine, result.mask.size, seconds * (ITERATIONS / order.iterations if order.iterations else 1))
    likeness, reason = None, ""
    if judge is not None:
        try:
            likeness = faceinp.judge_fill(result, judge(), others=order.others)
        except faceinp.FaceinpError as error:
            reason = str(error)
    earlier = order.earlier
    history = (
        History.of(result, order.photo, order.turns, order.references)
        if earlier is None
        else earlier.add(result, order.references)
    )
    return _made(order, result, history, folder, seconds, likeness, reason)


def _put_back(order: Order, folder: Path) -> Made:
    """What was filled, without what is put back: known pixels again, with all that the photo's file holds of them."""
    started = time.perf_counter()
    if order.earlier is None:
        raise faceinp.MaskError(NOTHING_EARLIER)
    hole = np.asarray(order.hole())
    history = order.earlier.without(hole)
    photo, sources = history.before(), history.sources
    filled = pictures.read(order.photo).pixels
    result = faceinp.Result(
        image=np.where(hole[..., None], photo.pixels, filled),
        mask=sources > 0,
        photo=photo,
        faces=(),
        engine=order.engine,
        runtime="",
        seed=order.seed,
        timings={},
        notes=(),
        known_pixels=0,
        changed_pixels=0,
        sources=sources,
    )
    return _made(order, result, history, folder, time.perf_counter() - started, None, NOTHING_FILLED)


def _made(
    order: Order,
    result: faceinp.Result,
    history: History,
    folder: Path,
    seconds: float,
    likeness: faceinp.Likeness | None,
    no_judge: str,
) -> Made:
    """A result as files and figures. Raises Gone."""
    known, changed, before, sources = result.known_pixels, result.changed_pixels, result.photo.pixels, result.sources
    if order.earlier is not None:
        before, sources = history.before().pixels, history.sources
        known = int(np.count_nonzero(sources == 0))
        changed = int(np.count_nonzero((result.image != before).any(axis=2) & (sources == 0)))
    own = pictures.own_folder(folder)
    stem = Path(order.photo).stem.removesuffix(FILLED) if isinstance(order.photo, str | os.PathLike) else "photo"
    file = own / f"{stem}{FILLED}.png"
    losses = result.save(file)
    height, width = result.mask.shape
    left, top, right, bottom = pictures.window(result)
    return Made(
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
        references=tuple(
            ReferenceUse(file, one.share, one.distance, one.problem, one.refused, one.note)
            for file, one in zip(order.references, result.references, strict=True)
        ),
        faces=len(result.faces),
        landmarks=result.landmarks,
        found=result.landmarks,
        around=pictures.save(
            pictures.sized(result.image[result_parts.window(sources)], pictures.FACE_SIDE), own / "around.png"
        ),
        window=(left, top, right, bottom),
        hole=pictures.shrunk(result.mask[top:bottom, left:right] * np.uint8(255), pictures.FACE_SIDE) > 127,
        others=order.others,
        likeness=likeness,
        no_judge=no_judge,
        digest=hashlib.blake2b(result.image.data).digest(),
        hole_like=naturalness.hole_like(result),
    )


def ranked(made: Sequence[Made]) -> list[Made]:
    """Most similar first; as they were made where there is no judge."""
    return sorted(made, key=lambda one: one.likeness.verdict.distance.euclidean if one.likeness else 0.0)
