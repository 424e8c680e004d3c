"""The pipeline from a photo and a mask to a filled photo. Shell, page, tables and callers all use it.

photos.read, read_mask -> find_targets -> engine.fill -> surroundings.fill -> use_real_pixels -> Result
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceinp.blend import blending as blend
from faceinp.blend import surroundings
from faceinp.deprecation import options_as_keywords
from faceinp.engines.base import Engine, Progress, reporting
from faceinp.engines.draw_faces import Work, draw
from faceinp.engines.loading import load_engine
from faceinp.errors import Cancelled, FaceinpError, MaskError, PhotoError
from faceinp.exemplars import references as references_
from faceinp.exemplars.real_pixels import use_real_pixels
from faceinp.exemplars.sources import ENGINE, SURROUNDINGS
from faceinp.exemplars.step import Step
from faceinp.face import detection, faces
from faceinp.face.face_location import FaceLocation, as_location, location_as_keywords
from faceinp.face.faces import Face
from faceinp.face.heads import Turn, check_turn
from faceinp.face.targets import find_targets
from faceinp.find import Find, propose
from faceinp.mask.erased import read_mask
from faceinp.mask.mask_pictures import Polarity
from faceinp.mask.masks import MaskSource
from faceinp.photo import grain, photos
from faceinp.photo.photos import PhotoSource
from faceinp.result import FilledFace, Result

T = TypeVar("T")
BLENDINGS: dict[str, Callable[..., NDArray[np.uint8]]] = {"poisson": blend.poisson, "composite": blend.composite}
SOFTNESS_RATIO = 2  # a face so many times wider than the engine's output looks visibly softer than the photo


@location_as_keywords
@options_as_keywords
def fill(
    photo: PhotoSource,
    mask: MaskSource | None = None,
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
    landmarks: ArrayLike | None = None,
    symmetry: bool | None = None,
    references: Sequence[PhotoSource] = (),
    reference_check: bool = True,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Fill the masked part of ``photo``: faces by the engine, the rest from its surroundings.

    photo, mask: path, bytes, PIL.Image or array, see ``read_photo`` and ``read_mask``. find: what to find and fill
    instead of a mask: "damage", "glasses", "protective-mask" or "occluders", or a ``Find`` with its sensitivity;
    ``find_damage`` and ``find_occluders`` show it beforehand. engine: a name of ``list_engines()``, or an engine of
    ``load_engine``. seed: all randomness depends on it. face: the face to fill, a ``FaceLocation`` or one of
    ``find_faces``; None: every face under the mask. turn: the clockwise rotation in degrees that makes the faces
    upright; "auto" detects it. The result has the photo's own orientation. require_face: raise NoFaceError where the
    mask touches no face, instead of filling it from its surroundings. mask_hole: the hole's tone in the mask, "white",
    "black" or "auto"; not with ``find``. grow: pixels of the photo by which the hole is dilated; a mask with soft edges
    is dilated by one more. blending: "poisson" or "composite". landmarks: (68, 2) in photo pixels, in dlib's order, for
    a guided engine, of the first face that is filled; to change expression and pose, move ``Result.landmarks`` of an
    earlier fill. symmetry: whether to use the face's other half where it helps; None: where ``Engine.completes_faces``.
    references: up to 8 other photos of the same person, as ``read_photo`` takes them, used where they help; with
    several faces under the mask, each for the face that it resembles most. reference_check: reject references whose
    face a judge finds too different from the photo's. progress: called regularly; when it raises ``Cancelled``, latent
    engines return their best result so far, others stop. options: of the engine, by name, see ``load_engine``:
    ``engine="structural", options={"fast": True}``.

    Raises PhotoError, MaskError, NoFaceError, EngineError, WeightsError or Cancelled; NothingFoundError, a MaskError,
    where ``find`` finds nothing.
    """
    if (mask is None) == (find is None):
        raise MaskError(f"A fill needs either a mask or find=: got {'neither' if mask is None else 'both'}.")
    if find is not None and mask_hole != "auto":
        raise MaskError("mask_hole= applies to a mask, so it cannot be used with find=. Leave it out.")
    others = [references_.read(one, number) for number, one in enumerate(references_.listed(references))]
    settings = _settings(engine, options, seed, blending, symmetry, reference_check, mask_hole, grow, require_face)
    timings: dict[str, float] = {}
    if find is not None:
        with timed(timings, "find"):
            photo = photos.read(photo)
            mask = propose(photo, find, face=face, turn=turn).as_mask()
    work, watch = _begin(Job(photo, cast(MaskSource, mask), face, others, turn), settings), _Watch(progress)
    work.timings.update(timings)
    draw([work], settings.engine, settings.seed, landmarks, watch)
    return _finish(work, settings, watch)


class Job(NamedTuple):
    """One photo for ``fill_many``: the arguments of ``fill`` that differ from photo to photo."""

    photo: PhotoSource
    mask: MaskSource
    face: FaceLocation | Face | None = None
    references: Sequence[PhotoSource] = ()
    turn: Turn = "auto"


@location_as_keywords
@options_as_keywords
def fill_many(
    jobs: Iterable[Job | tuple[PhotoSource, MaskSource]],
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
    """Fill several photos as ``fill`` does, with their faces batched through the engine: one result for each job.

    jobs: ``Job``s, or (photo, mask). face: for jobs that have none. The other arguments are those of ``fill``. An error
    of one photo is returned in place of its result. timings["fill"] is a photo's share of its batches. Raises errors
    that concern all photos: EngineError, WeightsError, MissingPackageError.
    """
    settings = _settings(engine, options, seed, blending, symmetry, reference_check, mask_hole, grow, require_face)
    begun = [_or_error(_begin_one, job, face, settings) for job in jobs]
    works = [work for work in begun if isinstance(work, Work)]
    draw(works, settings.engine, settings.seed, None, None)
    return [_or_error(_finish, one, settings, _Watch(None)) if isinstance(one, Work) else one for one in begun]


@dataclass(frozen=True)
class _Settings:
    """The arguments of ``fill`` that all photos of a call share."""

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
        raise FaceinpError(f"Unknown blending {blending!r}. Choose one of: {', '.join(BLENDINGS)}.")
    if seed < 0:
        raise FaceinpError(f"seed must be >= 0, got {seed}.")
    if symmetry not in (None, True, False):
        raise FaceinpError(f"symmetry must be True, False or None, got {symmetry!r}.")
    if not isinstance(grow, int | np.integer):
        raise MaskError(f"grow must be a whole number of pixels, got {grow!r:.80}.")
    if not isinstance(engine, Engine):
        engine = load_engine(engine, options)
    elif options:
        names = ", ".join(map(repr, options))
        raise FaceinpError(f"Options {names} have no effect on a loaded engine. Pass them to load_engine.")
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
    """Begin one of several jobs. face: for a job without one."""
    try:
        complete = Job(*job)
    except TypeError as error:
        raise PhotoError(f"A job must be (photo, mask) or a Job, got {job!r:.80}.") from error
    return _begin(complete._replace(face=complete.face or face), settings)


def _begin(job: Job, settings: _Settings) -> Work:
    """Read photo and mask, and cut the faces out."""
    check_turn(job.turn)
    location, references = as_location(job.face), references_.listed(job.references)
    timings: dict[str, float] = {}
    with timed(timings, "read"):
        photo = photos.read(job.photo)
        photo, mask = read_mask(job.mask, photo, job.photo, hole=settings.mask_hole, grow=settings.grow)
    with timed(timings, "align"):
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
    """Compose the engine's output and real pixels into the photo, and collect notes and sources."""
    photo, hole, engine, targets = work.photo, work.mask.hole, settings.engine, work.targets.faces
    with timed(work.timings, "blend"):
        filled = _compose(work, settings)
    with timed(work.timings, "exemplars"):
        real = use_real_pixels(
            photo.pixels, filled, hole, work.targets, work.references, settings.step, engine.predict_landmarks
        )
        sources = np.where(real.codes, real.codes, filled.sources)
    for index, target in enumerate(targets, 1):
        width, size = faces.side(target.crop.quad), len(target.generated)
        if width > SOFTNESS_RATIO * size and (sources[work.targets.owner == index] == ENGINE).any():
            target.notes.append(
                f"The face is {width:.0f} px wide but `{engine.name}` works at {size} px, so the fill will look "
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
        references=tuple(real.references[number] for number in sorted(real.references)),
    )


def _compose(work: Work, settings: _Settings) -> surroundings.FilledPhoto:
    """The photo with its hole filled by what was drawn and from surroundings, in the photo's tone, with its grain."""
    pixels, hole, targets = work.photo.pixels, work.mask.hole, work.targets.faces
    grainy, grain_note = None, ""
    if not settings.engine.copies:
        width = max((faces.side(target.crop.quad) for target in targets), default=float(grain.FACE_WIDTH))
        grainy, grain_note = grain.estimate_grain(pixels, hole, width)

    def match_edge(
        pixels: NDArray[np.uint8], part: NDArray[np.bool_], window: tuple[slice, slice]
    ) -> NDArray[np.uint8]:
        """The pixels of a window, with the known ones beside the hole in the tone of each face."""
        for index, target in enumerate(targets, 1):
            if target.tone is not None:
                own = part if len(targets) == 1 else work.targets.owner[window] == index
                pixels = target.tone.match_edge(pixels, own, target.crop.quad - (window[1].start, window[0].start))
        return pixels

    filled = surroundings.fill(
        pixels,
        hole,
        [surroundings.GeneratedFace(target.in_tone, target.crop.quad) for target in targets if not target.hidden],
        avoid=surroundings.face_areas(work.targets.quads, hole.shape),
        grain=grainy,
        seed=settings.seed,
        blending=BLENDINGS[settings.blending],
        match_edge=match_edge,
    )
    return filled._replace(notes=tuple(note for note in (grain_note, *filled.notes) if note))


def _notes(work: Work, sources: NDArray[np.uint8], fill_notes: Sequence[str]) -> Iterator[str]:
    """All notes of a fill, a sentence each. sources: uint8 (H, W). fill_notes: those about the fill itself."""
    photo, mask, targets = work.photo, work.mask, work.targets.faces
    yield from (note for note in (*photo.notes, mask.about, *mask.warnings, *work.targets.notes) if note)
    if any(target.tone is not None for target in targets) and not photo.grey:
        yield "The photo is monochrome; the fill was matched to it."
    if targets and (outside := int(np.count_nonzero(sources == SURROUNDINGS))):
        yield f"{outside:,} masked pixels lie outside the face and were filled from their surroundings."
    yield from fill_notes
    for index, target in enumerate(targets, 1):
        yield from (note if len(targets) == 1 else f"Face {index}: {note}" for note in target.notes)


def _count_changed(before: NDArray[np.uint8], after: NDArray[np.uint8], hole: NDArray[np.bool_]) -> tuple[int, int]:
    """The number of known pixels, and how many of them differ; computed in bands, to save memory on large photos."""
    changed = 0
    for top in range(0, len(hole), 256):
        band = slice(top, top + 256)
        if not np.array_equal(before[band], after[band]):
            changed += int(((before[band] != after[band]).any(axis=2) & ~hole[band]).sum())
    return hole.size - int(np.count_nonzero(hole)), changed


class _Watch:
    """Forwards progress and remembers whether the caller stopped the work."""

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
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds that the block takes to ``timings``."""
    started = time.perf_counter()
    yield
    timings[name] = timings.get(name, 0.0) + time.perf_counter() - started
