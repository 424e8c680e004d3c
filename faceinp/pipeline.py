"""The road: a photo and a mask become a filled photo. The shell, the page, the tables and callers all walk it.

photo.read -> masks.read -> faces.align -> engine.fill -> faces.paste -> blend -> Result -> saving.write
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp import __version__, blend, faces, grain, masks, presets, saving, tone
from faceinp import landmarks as predictor
from faceinp import photo as photos
from faceinp.engines.base import Engine, GuidedEngine, Progress, load_engine
from faceinp.errors import Cancelled, EngineError, FaceinpError, MaskError
from faceinp.exemplars import ENGINE, SURROUNDINGS, Outcome, Reference, Step, list_references, read_reference
from faceinp.faces import Crop, Face
from faceinp.grain import Grain
from faceinp.masks import Mask, Polarity
from faceinp.photo import Photo
from faceinp.placing import Box, Place, locate

BLENDINGS: dict[str, Callable[..., NDArray[np.uint8]]] = {"poisson": blend.poisson, "composite": blend.composite}
# Outside of the face crop a hole is continued from its surroundings, at this side at most: Telea's cost grows
# with the hole, and what it makes of a wide hole is smooth anyway.
SURROUNDINGS_SIDE = 1024
SOFT = 2  # a face so many times as wide as what the engine makes is filled visibly softer than its surroundings
TOUCHED = 0.02  # Dice coefficient of a hole and the box of a face: more than a stroke that grazes it


@dataclass(frozen=True, eq=False)
class Result:
    """A filled photo and how it came about.

    image: uint8 (H, W, 3), the photo's own size; known pixels are the photo's, to the bit. mask: bool (H, W), True =
    hole. crop: what the engine was given. generated: float32 (S, S, 3) in [0, 1], what it made, before blending.
    landmarks: float32 (68, 2), x and y in photo pixels, that led the engine; None for engines that use none.
    face: None for a photo that was aligned already. timings: seconds by step. notes: whatever a person should know,
    every fall-back among it. changed_pixels: known pixels that differ from the photo's (0, always). sources: uint8
    (H, W), where each pixel comes from: 0 known, 1 drawn by the engine, 2 the face's other half, 3 continued from the
    surroundings, 10 + i reference i. references: what became of each reference photo, in the order given.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    photo: Photo
    crop: Crop
    generated: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None
    face: Face | None
    engine: str
    runtime: str
    seed: int
    timings: dict[str, float]
    notes: tuple[str, ...]
    known_pixels: int
    changed_pixels: int
    sources: NDArray[np.uint8]
    references: tuple[Reference, ...] = ()

    @property
    def shares(self) -> dict[int, float]:
        """The part of the hole that comes from each source, by its code in ``sources``; parts sum to 1."""
        counts = np.bincount(self.sources[self.mask])
        return {int(code): float(counts[code] / counts.sum()) for code in np.flatnonzero(counts)}

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture in the format of ``path``'s suffix, with the photo's alpha, ICC profile and depth.

        The file says what made it: engine, seed, version and the number of reference photos, as XMP and, in PNG, as
        text.
        """
        saving.write(path, self.photo, self.image, self.mask, self._provenance)

    def encode(self, format: str) -> bytes:
        """What ``save`` would write, as bytes; formats as for ``saving.encode``."""
        return saving.encode(self.photo, self.image, self.mask, format, self._provenance)

    @property
    def _provenance(self) -> saving.Provenance:
        used = sum(reference.share > 0 for reference in self.references)
        return saving.Provenance(self.engine, self.runtime, self.seed, __version__, used)


def fill(
    photo: Any,
    mask: Any,
    *,
    engine: str | Engine = "landmark",
    seed: int = 0,
    aligned: bool = False,
    face: int | Face | None = None,
    box: Box | None = None,
    points: Any = None,
    mask_hole: Polarity = "auto",
    blending: str = "poisson",
    landmarks: Any = None,
    symmetry: bool | None = None,
    references: Sequence[Any] = (),
    reference_check: bool = True,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Fill the hole that ``mask`` shows in the face on ``photo``.

    photo, mask: path, bytes, PIL.Image or array, see ``photo.read`` and ``masks.read``. engine: a name of
    ``list_engines()``, made with ``options``, or one from ``load_engine``. aligned: the photo is a square face crop
    already. face: which of several faces, 1 being the largest, or one of ``find_faces``; else the one under the mask.
    box: (x, y, w, h) around the face, in pixels, where none is found. points: (5, 2), left eye, right eye, nose, left
    and right mouth corner in pixels, as seen on an upright face, of one that is turned, upside down or partly out of
    the photo. Of aligned, face, box and points one is given at most. mask_hole: "white", "black" or "auto". blending:
    "poisson" or "composite".
    landmarks: (68, 2) in photo pixels, in dlib's order, for an engine that is led by them; ``Result.landmarks`` of an
    earlier fill, moved, changes expression and pose.
    symmetry: whether the face's other half is used where it helps; None leaves it to the engine (on where
    ``Engine.completes_faces``). references: up to 8 other photos of the same person, as ``photo.read`` takes them,
    used where they help. reference_check: refuse a reference whose face a judge finds too far from the photo's.
    progress: called now and then; when it raises
    ``Cancelled``, latent engines give their best so far, others stop.

    Raises PhotoError, MaskError, NoFaceError, EngineError, WeightsError or Cancelled.
    """
    engine = _engine(engine, blending, seed, options)
    others = [read_reference(one, number) for number, one in enumerate(list_references(references))]
    job = Job(photo, mask, Place(aligned, face, box, points), others)
    step = _step(engine, symmetry, reference_check)
    prepared = _prepare(job, engine, mask_hole)
    watch = _Watch(progress)
    with _timed(prepared.timings, "fill"):
        ((generated, landmarks),) = _generate(engine, [prepared.crop], landmarks, seed, watch)
    return _finish(prepared, generated, landmarks, engine, seed, blending, step, watch)


class Job(NamedTuple):
    """One photo for ``fill_many``: photo, mask and references as for ``fill``; place: where its face is."""

    photo: Any
    mask: Any
    place: Place = Place()
    references: Sequence[Any] = ()


def fill_many(
    jobs: Iterable[Job | tuple[Any, Any] | tuple[Any, Any, Place]],
    *,
    engine: str | Engine = "landmark",
    seed: int = 0,
    aligned: bool = False,
    mask_hole: Polarity = "auto",
    blending: str = "poisson",
    symmetry: bool | None = None,
    reference_check: bool = True,
    **options: Any,
) -> list[Result | FaceinpError]:
    """Fill several photos as ``fill`` does, their faces through the engine together: one result for each job.

    jobs: (photo, mask), (photo, mask, place), where the face of this one is, or a whole ``Job``; the other arguments
    are ``fill``'s, too. What one photo raises stands in its place, and the others go on. timings["fill"] is
    a photo's share of its batch.
    Raises what concerns all of them: EngineError, WeightsError, MissingPackageError.
    """
    engine = _engine(engine, blending, seed, options)
    step = _step(engine, symmetry, reference_check)
    done: list[Result | FaceinpError | None] = []
    waiting: dict[int, list[tuple[int, _Prepared]]] = {}
    for number, job in enumerate(jobs):
        done.append(None)
        one = Job(*job) if len(job) > 2 else Job(*job, Place(aligned))
        try:
            prepared = _prepare(one, engine, mask_hole)
        except FaceinpError as error:
            done[number] = error
            continue
        waiting.setdefault(prepared.crop.hole.shape[0], []).append((number, prepared))
    for group in waiting.values():
        started = time.perf_counter()
        made = _generate(engine, [prepared.crop for _, prepared in group], None, seed, None)
        share = (time.perf_counter() - started) / len(group)
        for (number, prepared), (generated, landmarks) in zip(group, made, strict=True):
            prepared.timings["fill"] = share
            try:
                done[number] = _finish(prepared, generated, landmarks, engine, seed, blending, step, _Watch(None))
            except FaceinpError as error:  # of a reference photo
                done[number] = error
    return [one for one in done if one is not None]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A photo on its way, as far as the engine."""

    photo: Photo
    mask: Mask
    face: Face | None
    crop: Crop
    references: Sequence[Any]
    notes: tuple[str, ...]
    timings: dict[str, float]


def _engine(engine: str | Engine, blending: str, seed: int, options: dict[str, Any]) -> Engine:
    if blending not in BLENDINGS:
        raise FaceinpError(f"There is no blending {blending!r}. Choose one of: {', '.join(BLENDINGS)}.")
    if seed < 0:
        raise FaceinpError(f"A seed is 0 or more; this is {seed}.")
    if not isinstance(engine, Engine):
        return load_engine(engine, **options)
    if options:
        raise FaceinpError(f"Options {sorted(options)} came with a ready engine. Give them to load_engine instead.")
    return engine


def _step(engine: Engine, symmetry: bool | None, reference_check: bool) -> Step:
    if symmetry not in (None, True, False):
        raise FaceinpError(f"symmetry must be True, False or None, got {symmetry!r}.")
    return Step(engine.completes_faces if symmetry is None else symmetry, reference_check, engine.completes_faces)


def _prepare(job: Job, engine: Engine, mask_hole: Polarity) -> _Prepared:
    timings: dict[str, float] = {}
    job = job._replace(references=list_references(job.references))
    with _timed(timings, "read"):
        photo = photos.read(job.photo)
        mask = masks.read(job.mask, photo, hole=mask_hole)
    with _timed(timings, "align"):
        face, crop, notes = _cut(photo, mask, engine, job)
    return _Prepared(photo, mask, face, crop, job.references, tuple(notes), timings)


def _finish(
    prepared: _Prepared,
    generated: NDArray[np.float32],
    landmarks: NDArray[np.float32] | None,
    engine: Engine,
    seed: int,
    blending: str,
    step: Step,
    watch: "_Watch",
) -> Result:
    photo, mask, crop, timings = prepared.photo, prepared.mask, prepared.crop, prepared.timings
    with _timed(timings, "blend"):
        toned = tone.of(crop.pixels, crop.hole)
        in_tone = generated if toned is None else toned(generated)
        grainy = None if engine.copies else grain.of(photo.pixels, mask.hole, faces.side(crop.quad))
        image, sources = _put_back(photo, mask.hole, crop, in_tone, grainy, seed, BLENDINGS[blending])
    with _timed(timings, "exemplars"):
        real = _with_real_pixels(prepared, image, landmarks, engine, step, toned)
        if crop.hole.all() and not real.codes.any():
            raise MaskError(f"The mask covers the entire face, and no reference photo serves. {' '.join(real.notes)}")
        image, sources = real.image, np.where(real.codes, real.codes, sources)
    known, changed = _count_changed(photo.pixels, image, mask.hole)
    notes = [note for note in (mask.about, *mask.warnings, *prepared.notes, *watch.notes) if note]
    if toned is not None and not photo.grey:
        notes.append("The photo is black and white, or of one tone such as sepia: so is the fill.")
    if grainy is not None:
        notes.append(f"The photo is grainy, by {grainy.strength:.0f} grey levels: so is the fill.")
    if outside := int(np.count_nonzero(sources == SURROUNDINGS)):
        notes.append(f"{outside:,} hole pixels lie outside of the face: they were continued from their surroundings.")
    native = faces.side(crop.quad)
    if native > SOFT * crop.size and (sources == ENGINE).any():
        notes.append(
            f"The face is {native:.0f} pixels wide here and {engine.name} makes {crop.size}: what it drew looks softer "
            "than the photo."
        )
    notes += real.notes
    return Result(
        image=image,
        mask=mask.hole,
        photo=photo,
        crop=crop,
        generated=generated,
        landmarks=landmarks,
        face=prepared.face,
        engine=engine.name,
        runtime=engine.runtime,
        seed=seed,
        timings=timings,
        notes=tuple(notes),
        known_pixels=known,
        changed_pixels=changed,
        sources=sources,
        references=real.references,
    )


def _with_real_pixels(
    prepared: _Prepared,
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32] | None,
    engine: Engine,
    step: Step,
    toned: tone.Tone | None,
) -> Outcome:
    """The filled photo with real pixels of the person where they serve."""
    hole, quad = prepared.mask.hole, prepared.crop.quad
    if not step.symmetry and not prepared.references:
        return Outcome(image, np.zeros(hole.shape, np.uint8), (), [])
    predict = engine.landmarks if isinstance(engine, GuidedEngine) else predictor.predict
    if prepared.crop.hole.all():
        points = _points_by_hand(prepared)
    elif landmarks is None:
        seen = faces.align(prepared.photo.pixels, hole, quad, predictor.SIZE)
        picture = seen.pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        points = predict(picture[None], seen.hole[None, None])[0]
    else:
        points = faces.to_crop(landmarks, quad)
    return step(image, hole, quad, points, prepared.references, predict, toned)


def _points_by_hand(prepared: _Prepared) -> NDArray[np.float32]:
    """Landmarks of a face that is hidden whole, from its five points or its box, in shares of the crop's side."""
    five = None if prepared.face is None or prepared.face.points is None else prepared.face.points
    local = None if five is None else faces.to_crop(five, prepared.crop.quad)
    return presets.average_points(1, local).astype(np.float32)


def _cut(photo: Photo, mask: Mask, engine: Engine, job: Job) -> tuple[Face | None, Crop, list[str]]:
    """The face and its crop, at a side that suits the photo and the engine, and what is to be said of them."""
    place = job.place
    if place.aligned:
        face = None
        crop, notes = faces.whole(photo.pixels, mask.hole, _side(engine, float(photo.width))), []
    else:
        face, found = locate(photo.pixels, mask.hole, place)
        quad = faces.quad(face)
        crop = faces.align(photo.pixels, mask.hole, quad, _side(engine, faces.side(quad)))
        notes = list(_notes(face, found, mask.hole, place))
    if not crop.hole.any():
        raise MaskError(
            "The hole does not touch the face. Draw over it, or say which face with --face, --box or --points (face=, "
            "box=, points=)."
        )
    if crop.hole.all() and not job.references:
        raise MaskError(
            "The mask covers the entire face. Leave part of the face unmasked, or give another photo of the person "
            "(references=, --reference)."
        )
    return face, crop, notes


def _notes(face: Face, found: Sequence[Face], hole: NDArray[np.bool_], place: Place) -> Iterator[str]:
    if place.box is not None and not face.confidence:
        yield "No face was found in the box: an upright one was assumed. Its five points (points=, --points) say more."
    if abs(face.yaw) > faces.TURNED_TOO_FAR:
        yield (
            f"The face is turned by about {abs(face.yaw):.0f} degrees; engines know frontal faces best. The engine "
            "telea, which knows none, may serve a small hole better."
        )
    if any(other is not face and faces.overlap(other.box, hole) > TOUCHED for other in found):
        yield "The hole reaches into another face, which was not filled as one. Fill one face after the other."


def _side(engine: Engine, native: float) -> int:
    """The crop's side: as large as the face is in the photo, within what the engine can do."""
    return int(np.clip(round(native), engine.size, engine.largest))


def _generate(
    engine: Engine, crops: Sequence[Crop], landmarks: Any, seed: int, progress: Progress | None
) -> list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
    """For each of the crops, all of one side: the engine's picture (S, S, 3), and the landmarks that led it, in photo
    pixels. landmarks: the caller's, for all of them. A crop that is hidden whole stays grey: no engine is asked.
    """
    if landmarks is not None and not isinstance(engine, GuidedEngine):
        raise EngineError(f"The engine {engine.name} is not led by landmarks. Leave them out, or use landmark.")
    made: list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]
    made = [(np.full((*crop.hole.shape, 3), 0.5, np.float32), None) for crop in crops]
    drawn = [number for number, crop in enumerate(crops) if not crop.hole.all()]
    if not drawn:
        return made
    pictures = np.stack([crops[n].pixels.transpose(2, 0, 1) for n in drawn]).astype(np.float32) / 255
    holes = np.stack([crops[n].hole[None] for n in drawn])
    led: list[NDArray[np.float32] | None] = [None] * len(drawn)
    if not isinstance(engine, GuidedEngine):
        filled = engine.fill(pictures, holes, seed=seed, progress=progress)
    else:
        if landmarks is None:
            points = engine.landmarks(pictures, holes)
        else:
            points = np.stack([faces.to_crop(_photo_points(landmarks), crops[n].quad) for n in drawn])
        filled = engine.fill(pictures, holes, seed=seed, progress=progress, landmarks=points)
        led = [faces.to_photo(place, crops[n].quad) for place, n in zip(points, drawn, strict=True)]
    for n, picture, place in zip(drawn, filled, led, strict=True):
        made[n] = np.ascontiguousarray(picture.transpose(1, 2, 0)), place
    return made


def _photo_points(landmarks: Any) -> NDArray[np.float32]:
    points = np.asarray(landmarks, np.float32)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise EngineError(f"Landmarks are 68 points (x, y) in photo pixels, (68, 2); these are {points.shape}.")
    return points


def _put_back(
    photo: Photo,
    hole: NDArray[np.bool_],
    crop: Crop,
    generated: NDArray[np.float32],
    grainy: Grain | None,
    seed: int,
    blending: Callable[..., NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo with its hole filled, and where its pixels come from: the engine, or, beyond the crop, surroundings."""
    sources = np.zeros(hole.shape, np.uint8)
    rows, columns = blend.around(hole)
    painted, inside, (r, c) = faces.paste(generated, crop.quad, hole.shape, hole)
    pixels, hole = photo.pixels[rows, columns], hole[rows, columns]
    window = np.s_[r.start - rows.start : r.stop - rows.start, c.start - columns.start : c.stop - columns.start]
    drawn = np.full(hole.shape, SURROUNDINGS, np.uint8)
    if crop.hole.all():  # nothing was drawn
        inside = np.zeros_like(inside)
    drawn[window][inside] = ENGINE
    sources[rows, columns][hole] = drawn[hole]
    outside = (drawn[hole] == SURROUNDINGS).any()
    frame = _surroundings(pixels, hole) if outside else np.zeros((*hole.shape, 3), np.float32)
    frame[window][inside] = painted[inside]
    if grainy is not None:
        grainy.add(frame, hole, seed)
    image = photo.pixels.copy()
    image[rows, columns] = blending(pixels, frame, hole)
    return image, sources


def _surroundings(pixels: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Telea's fill of ``hole``, float32 in [0, 1], made on a copy of at most SURROUNDINGS_SIDE pixels."""
    height, width = hole.shape
    scale = min(1.0, SURROUNDINGS_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = cv2.inpaint(small, covered.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(filled, (width, height)), np.float32) / np.float32(255)


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
        self.progress = progress
        self.done = self.total = 0
        self.stopped = False

    def __call__(self, done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
        self.done, self.total = done, total
        if self.progress is None:
            return
        try:
            self.progress(done, total, preview)
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
