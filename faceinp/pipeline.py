"""The pipeline: a photo and a mask become a filled photo. The shell, the page, the tables and callers all use it.

photo.read, masks.read -> find_targets -> engine.fill -> surroundings.fill -> use_real_pixels -> Result
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceinp.blend import blending as blend
from faceinp.blend import surroundings
from faceinp.common.deprecation import options_as_keywords
from faceinp.engines.base import Engine, Progress, reporting
from faceinp.engines.draw_faces import Work, draw
from faceinp.engines.loading import load_engine
from faceinp.errors import Cancelled, FaceinpError, MaskError, PhotoError
from faceinp.exemplars import ENGINE, SURROUNDINGS, Step, list_references, read_reference
from faceinp.exemplars.real_pixels import use_real_pixels
from faceinp.face import detection, faces
from faceinp.face.face_location import FaceLocation, as_location, location_as_keywords
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.face.targets import find_targets
from faceinp.find import Find, propose
from faceinp.mask.erased import read_mask
from faceinp.mask.masks import Polarity
from faceinp.photo import grain, photos
from faceinp.result import FilledFace, Result

T = TypeVar("T")
BLENDINGS: dict[str, Callable[..., NDArray[np.uint8]]] = {"poisson": blend.poisson, "composite": blend.composite}
SOFTNESS_RATIO = 2  # a face so many times as wide as what the engine makes is filled visibly softer than the photo


@location_as_keywords
@options_as_keywords
def fill(
    photo: Any,
    mask: Any = None,
    *,
    find: str | Find | None = None,
    engine: str | Engine = "landmark",
    seed: int = 0,
    face: FaceLocation | Face | None = None,
    turn: Turn = "auto",
    require_face: bool = False,
    mask_hole: Polarity = "auto",
    grow: int = 0,
    blending: str = "poisson",
    landmarks: Any = None,
    symmetry: bool | None = None,
    references: Sequence[Any] = (),
    reference_check: bool = True,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Fill the hole that ``mask`` shows on ``photo``: faces by the engine, what lies outside from its surroundings.

    photo, mask: path, bytes, PIL.Image or array, see ``photo.read`` and ``masks.read``. find: in place of a mask, what
    is looked for and filled: "damage", "glasses", "protective-mask" or "occluders", or a ``Find`` with its sensitivity;
    ``find_damage`` and ``find_occluders`` show it beforehand. engine: a name of
    ``list_engines()``, or one from ``load_engine``. face: which face to fill and where it is, a
    ``FaceLocation`` or one of ``find_faces``; without it, every face under the mask. turn: by how many degrees
    clockwise the photo must be turned for its faces to stand upright; "auto" finds out. The photo is left as it lies.
    require_face: raise NoFaceError where the mask touches no face, instead of filling it from its surroundings.
    mask_hole: "white", "black" or "auto"; of a mask, so not with ``find``. grow: pixels of the photo by which the hole
    is grown, besides the one by which a mask with soft edges is. blending: "poisson" or "composite".
    landmarks: (68, 2) in photo pixels, in dlib's order, for a guided engine; ``Result.landmarks`` of an earlier fill,
    moved, changes expression and pose. They are those of the first face that is filled.
    symmetry: whether the face's other half is used where it helps; None leaves it to the engine (on where
    ``Engine.completes_faces``). references: up to 8 other photos of the same person, as ``photo.read`` takes them,
    used where they help; with several faces under the mask, for the one that each resembles most. reference_check:
    refuse a reference whose face a judge finds too far from the photo's. progress: called now and then; when it raises
    ``Cancelled``, latent engines give their best so far, others stop. options: of the engine, by name, as for
    ``load_engine``: ``engine="structural", options={"fast": True}``.

    Raises PhotoError, MaskError, NoFaceError, EngineError, WeightsError or Cancelled; NothingFoundError, a MaskError,
    where ``find`` found nothing.
    """
    if (mask is None) == (find is None):
        raise MaskError("A fill needs a mask or find=, and one of them only.")
    if find is not None and mask_hole != "auto":
        raise MaskError("mask_hole= says how a mask is read, and with find= none is. Leave it out.")
    others = [read_reference(one, number) for number, one in enumerate(list_references(references))]
    settings = _settings(engine, options, seed, blending, symmetry, reference_check, mask_hole, grow, require_face)
    timings: dict[str, float] = {}
    if find is not None:
        with _timed(timings, "find"):
            photo = photos.read(photo)
            mask = propose(photo, find, face=face, turn=turn).as_mask()
    work, watch = _begin(Job(photo, mask, face, others, turn), settings), _Watch(progress)
    work.timings.update(timings)
    draw([work], settings.engine, settings.seed, landmarks, watch)
    return _finish(work, settings, watch)


class Job(NamedTuple):
    """One photo for ``fill_many``: those arguments of ``fill`` that are the photo's own."""

    photo: Any
    mask: Any
    face: FaceLocation | Face | None = None
    references: Sequence[Any] = ()
    turn: Turn = "auto"


@location_as_keywords
@options_as_keywords
def fill_many(
    jobs: Iterable[Job | tuple[Any, Any]],
    *,
    engine: str | Engine = "landmark",
    seed: int = 0,
    face: FaceLocation | Face | None = None,
    require_face: bool = False,
    mask_hole: Polarity = "auto",
    grow: int = 0,
    blending: str = "poisson",
    symmetry: bool | None = None,
    reference_check: bool = True,
    options: Mapping[str, Any] | None = None,
) -> list[Result | FaceinpError]:
    """Fill several photos as ``fill`` does, their faces through the engine together: one result for each job.

    jobs: ``Job``s, or (photo, mask). face: of those jobs that have none. The other arguments are ``fill``'s, too. What
    one photo raises stands in its place, and the others go on. timings["fill"] is a photo's share of its batches.
    Raises what concerns all of them: EngineError, WeightsError, MissingPackageError.
    """
    settings = _settings(engine, options, seed, blending, symmetry, reference_check, mask_hole, grow, require_face)
    begun = [_or_error(_begin_one, job, face, settings) for job in jobs]
    works = [work for work in begun if isinstance(work, Work)]
    draw(works, settings.engine, settings.seed, None, None)
    return [_or_error(_finish, one, settings, _Watch(None)) if isinstance(one, Work) else one for one in begun]


@dataclass(frozen=True)
class _Settings:
    """What all photos of a call share: arguments of ``fill``."""

    engine: Engine
    seed: int
    blending: str
    step: Step
    mask_hole: Polarity
    grow: int
    require_face: bool


def _settings(
    engine: str | Engine,
    options: Mapping[str, Any] | None,
    seed: int,
    blending: str,
    symmetry: bool | None,
    reference_check: bool,
    mask_hole: Polarity,
    grow: int,
    require_face: bool,
) -> _Settings:
    if blending not in BLENDINGS:
        raise FaceinpError(f"There is no blending {blending!r}. Choose one of: {', '.join(BLENDINGS)}.")
    if seed < 0:
        raise FaceinpError(f"seed must be >= 0, got {seed}. Choose another.")
    if symmetry not in (None, True, False):
        raise FaceinpError(f"symmetry must be True, False or None, got {symmetry!r}.")
    if not isinstance(grow, int | np.integer):
        raise MaskError(f"grow must be a whole number of pixels, got {grow!r:.80}.")
    if not isinstance(engine, Engine):
        engine = load_engine(engine, options)
    elif options:
        names = ", ".join(map(repr, options))
        raise FaceinpError(f"Options {names} cannot change an engine that is loaded. Pass them to load_engine.")
    if symmetry is None:
        symmetry = engine.completes_faces and not engine.published
    step = Step(symmetry, reference_check, engine.completes_faces)
    return _Settings(engine, seed, blending, step, mask_hole, grow, require_face)


def _or_error(step: Callable[..., T], *arguments: Any) -> T | FaceinpError:
    try:
        return step(*arguments)
    except FaceinpError as error:
        return error


def _begin_one(job: Any, face: FaceLocation | Face | None, settings: _Settings) -> Work:
    """One of several jobs; face: where it is in those that do not say."""
    try:
        whole = Job(*job)
    except TypeError as error:
        raise PhotoError(f"A job is (photo, mask) or a Job, not {job!r:.80}. Pass both.") from error
    return _begin(whole._replace(face=whole.face or face), settings)


def _begin(job: Job, settings: _Settings) -> Work:
    """Read photo and mask, and cut the faces out."""
    check_turn(job.turn)
    location, references = as_location(job.face), list_references(job.references)
    timings: dict[str, float] = {}
    with _timed(timings, "read"):
        photo = photos.read(job.photo)
        photo, mask = read_mask(job.mask, photo, job.photo, hole=settings.mask_hole, grow=settings.grow)
    with _timed(timings, "align"):
        if mask.alternative:
            mask = mask.by_faces([face.box for face in detection.find_large_faces(photo.pixels)])
        targets = find_targets(
            photo.pixels,
            mask.hole,
            location,
            job.turn,
            settings.engine,
            with_references=bool(references),
            require_face=settings.require_face,
        )
    return Work(photo, mask, targets, references, timings)


def _finish(work: Work, settings: _Settings, watch: "_Watch") -> Result:
    """Put what was drawn into the photo, real pixels over it, and say how it came about."""
    photo, hole, engine, targets = work.photo, work.mask.hole, settings.engine, work.targets.faces
    with _timed(work.timings, "blend"):
        filled = _compose(work, settings)
    with _timed(work.timings, "exemplars"):
        real = use_real_pixels(
            photo.pixels, filled, hole, work.targets, work.references, settings.step, engine.predict_landmarks
        )
        sources = np.where(real.codes, real.codes, filled.sources)
    for index, target in enumerate(targets, 1):
        native, made = faces.side(target.crop.quad), len(target.generated)
        if native > SOFTNESS_RATIO * made and (sources[work.targets.owner == index] == ENGINE).any():
            target.notes.append(
                f"The face is {native:.0f} px wide but `{engine.name}` works at {made} px, so the fill will look "
                "softer than the photo."
            )
    known, changed = _count_changed(photo.pixels, real.image, hole)
    return Result(
        image=real.image,
        mask=hole,
        photo=photo,
        faces=tuple(
            FilledFace(one.location, one.crop, one.generated, one.landmarks, tuple(one.notes)) for one in targets
        ),
        engine=engine.name,
        runtime=engine.runtime,
        seed=settings.seed,
        timings=work.timings,
        notes=tuple(_notes(work, sources, [*watch.notes, *filled.notes, *real.notes])),
        known_pixels=known,
        changed_pixels=changed,
        sources=sources,
        references=real.references,
    )


def _compose(work: Work, settings: _Settings) -> surroundings.Filled:
    """The photo with its hole filled by what was drawn and from surroundings, in the photo's tone, with its grain."""
    pixels, hole, targets = work.photo.pixels, work.mask.hole, work.targets.faces
    grainy, grain_note = None, ""
    if not settings.engine.copies:
        width = max((faces.side(target.crop.quad) for target in targets), default=float(grain.FACE))
        grainy, grain_note = grain.estimate_grain(pixels, hole, width)

    def match_edge(
        beside: NDArray[np.uint8], part: NDArray[np.bool_], window: tuple[slice, slice]
    ) -> NDArray[np.uint8]:
        """The known pixels beside the hole, in the tone of each face."""
        for index, target in enumerate(targets, 1):
            if target.tone is not None:
                own = part if len(targets) == 1 else work.targets.owner[window] == index
                beside = target.tone.match_edge(beside, own, target.crop.quad - (window[1].start, window[0].start))
        return beside

    filled = surroundings.fill(
        pixels,
        hole,
        [surroundings.Drawn(target.in_tone, target.crop.quad) for target in targets if not target.hidden],
        avoid=surroundings.face_areas(work.targets.quads, hole.shape),
        grain=grainy,
        seed=settings.seed,
        blending=BLENDINGS[settings.blending],
        match_edge=match_edge,
    )
    return filled._replace(notes=tuple(note for note in (grain_note, *filled.notes) if note))


def _notes(work: Work, sources: NDArray[np.uint8], of_the_fill: Sequence[str]) -> Iterator[str]:
    """What a person should know of a fill, a sentence each. sources: uint8 (H, W)."""
    photo, mask, targets = work.photo, work.mask, work.targets.faces
    yield from (note for note in (*photo.notes, mask.about, *mask.warnings, *work.targets.notes) if note)
    if any(target.tone is not None for target in targets) and not photo.grey:
        yield "The photo is monochrome; the fill was matched to it."
    if targets and (outside := int(np.count_nonzero(sources == SURROUNDINGS))):
        yield f"{outside:,} masked pixels lie outside the face and were filled from their surroundings."
    yield from of_the_fill
    for index, target in enumerate(targets, 1):
        yield from (note if len(targets) == 1 else f"Face {index}: {note}" for note in target.notes)


def _count_changed(before: NDArray[np.uint8], after: NDArray[np.uint8], hole: NDArray[np.bool_]) -> tuple[int, int]:
    """Known pixels, and those of them that differ; by bands, to spare memory on large photos."""
    changed = 0
    for top in range(0, len(hole), 256):
        band = slice(top, top + 256)
        if not np.array_equal(before[band], after[band]):
            changed += int(((before[band] != after[band]).any(axis=2) & ~hole[band]).sum())
    return hole.size - int(np.count_nonzero(hole)), changed


class _Watch:
    """Passes progress on and remembers whether the caller stopped the work."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = reporting(progress)
        self.done = self.total = 0
        self.stopped = False

    def __call__(
        self, done: int, total: int, preview: NDArray[np.float32] | None = None, loss: float | None = None
    ) -> None:
        self.done, self.total = done, total
        try:
            self.progress(done, total, preview, loss=loss)
        except Cancelled:
            self.stopped = True
            raise

    @property
    def notes(self) -> tuple[str, ...]:
        return (f"Stopped at {self.done} of {self.total}: this is the best so far.",) if self.stopped else ()


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - started
