"""Run the engine on the faces of one or several photos, faces of one size together."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Engine, Progress
from faceinp.errors import EngineError
from faceinp.face import faces
from faceinp.face.targets import Target, Targets, crop_after
from faceinp.mask.masks import Mask
from faceinp.photo.photos import Photo


@dataclass(frozen=True, eq=False)
class Work:
    """A photo within the pipeline. timings: seconds of each finished step, by name."""

    photo: Photo
    mask: Mask
    targets: Targets
    references: Sequence[Any]
    timings: dict[str, float]


def draw(works: Sequence[Work], engine: Engine, seed: int, landmarks: Any, progress: Progress | None) -> None:
    """Generate every face: the first face of each photo together, then the second faces, and so on.

    landmarks: (68, 2) in photo pixels, the user's, for the first faces; None: predicted. A face that the mask covers
    entirely becomes grey without the engine. Raises as the engine does, and EngineError for invalid landmarks.
    """
    for work in works:
        work.timings["fill"] = 0.0
    for index in range(max((len(work.targets.faces) for work in works), default=0)):
        batches: dict[int, list[Work]] = {}
        for work in works:
            if index >= len(work.targets.faces):
                continue
            target = work.targets.faces[index]
            if index:
                before = work.targets.faces[:index]
                target.crop = crop_after(work.photo.pixels, work.mask.hole, before, work.targets.owner, target, engine)
            if target.hidden:
                target.generated = np.full((*target.crop.hole.shape, 3), 0.5, np.float32)
                target.landmarks = None if landmarks is None else _photo_points(landmarks)
            else:
                batches.setdefault(target.crop.hole.shape[0], []).append(work)
        for batch in batches.values():
            started = time.perf_counter()
            _generate(engine, [work.targets.faces[index] for work in batch], landmarks, seed, progress)
            for work in batch:
                work.timings["fill"] += (time.perf_counter() - started) / len(batch)
        landmarks = None


def _generate(engine: Engine, targets: Sequence[Target], landmarks: Any, seed: int, progress: Progress | None) -> None:
    """Set the generated picture and the landmarks of targets of one size. landmarks: the user's."""
    pictures = np.stack([one.crop.planes for one in targets])
    holes = np.stack([one.crop.hole[None] for one in targets])
    points = None
    if landmarks is not None:  # an engine that is not guided raises an error for any
        checked = _photo_points(landmarks) if engine.guided else np.zeros((68, 2), np.float32)
        points = np.stack([faces.to_crop(checked, one.crop.quad) for one in targets])
    elif engine.guided:
        points = engine.predict_landmarks(pictures, holes)
    filled = engine.fill(pictures, holes, seed=seed, progress=progress, landmarks=points)
    if points is not None:
        for target, local in zip(targets, points, strict=True):
            target.landmarks = faces.to_photo(local, target.crop.quad)
    for target, picture in zip(targets, filled, strict=True):
        target.generated = np.ascontiguousarray(picture.transpose(1, 2, 0))


def _photo_points(landmarks: Any) -> NDArray[np.float32]:
    points = np.asarray(landmarks, np.float32)
    if points.shape != (68, 2) or not np.isfinite(points).all() or np.ptp(points, axis=0).min() < 1:
        raise EngineError(
            f"Landmarks must be 68 points (x, y) in photo pixels, finite and not on a line, got {points.shape}. "
            "Start from Result.landmarks of an earlier fill."
        )
    return points
