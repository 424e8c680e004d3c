"""Fills, computed once and stored under a hash of everything that they depend on.

A stored fill is a PNG whose text names the engine and how long it took. Files are written under another name and then
renamed, so that a killed process leaves whole files only.
"""

import hashlib
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from faceinp import pipeline
from faceinp.blend import blending
from faceinp.engines.base import Engine
from faceinp.errors import DataError, FaceinpError
from faceinp.evaluate.engine_tables import variants
from faceinp.evaluate.engine_tables.subjects import Subjects, digest
from faceinp.evaluate.engine_tables.tables import REDETECTED
from faceinp.evaluate.engine_tables.variants import POINTS, Variant
from faceinp.face.face_location import FaceLocation
from faceinp.photo import staging
from faceinp.photo.arrays import Bools, Pixels, resize, to_picture, to_pixels


@dataclass(frozen=True)
class FillSpec:
    """One engine's fills of one kind of hole, on the first ``count`` measured faces of a set.

    size: side of the pictures. references: how many reference photos of the person the engine gets.
    """

    set: str
    size: int
    variant: str
    mask: str
    arrangement: str
    count: int
    seed: int
    references: int = 0


@dataclass(frozen=True, eq=False)
class Fill:
    """pixels: uint8 (side, side, 3), the generated picture, or None where the engine failed. problem: why it failed."""

    pixels: Pixels | None
    seconds: float
    problem: str = ""

    def at(self, size: int) -> Pixels:
        """The generated picture, resized to uint8 (size, size, 3)."""
        if self.pixels is None:
            raise ValueError(self.problem)
        return resize(self.pixels, size, size)

    def composite(self, photo: Pixels, hole: Bools) -> Pixels:
        """The photo with its hole replaced: uint8 (S, S, 3)."""
        return np.where(hole[..., None], self.at(len(photo)), photo)

    def blended(self, photo: Pixels, hole: Bools) -> Pixels:
        """The photo with its hole filled by Poisson blending: uint8 (S, S, 3)."""
        return blending.poisson(photo, self.at(len(photo)).astype(np.float32) / np.float32(255), hole)


class Store:
    """A folder of files that are named by a hash."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def read(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes) -> None:
        staging.write(self._path(key), content)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


def keys(spec: FillSpec, subjects: Subjects, variant: Variant) -> list[str]:
    """The key of each fill: a hash of everything that it depends on."""
    common: list[Any] = [variant.fingerprint, spec.arrangement, spec.seed]
    common += [variants.revision("pipeline")] if spec.arrangement == REDETECTED else []
    fill_keys = []
    for index in range(spec.count):
        parts = [json.dumps(common), *subjects.digests(spec.mask, index, spec.arrangement)]
        parts += map(digest, subjects.reference_pictures(index, spec.references))
        parts += [digest(subjects.points(index))] if POINTS in variant.name.modes else []
        fill_keys.append(hashlib.sha256(" ".join(parts).encode()).hexdigest())
    return fill_keys


def make(
    spec: FillSpec, indices: Sequence[int], subjects: Subjects, variant: Variant, engine: Engine | None
) -> list[Fill]:
    """Fill some of the faces of ``spec``. engine: that of ``variant``; None for WORN."""
    if engine is None:
        return [Fill(subjects.wearing(spec.mask, index), 0.0) for index in indices]
    photos = [subjects.picture(index, spec.arrangement) for index in indices]
    holes = [subjects.hole(spec.mask, index, spec.arrangement) for index in indices]
    try:
        if spec.arrangement == REDETECTED or variant.uses_pipeline:
            references = [subjects.reference_pictures(index, spec.references) for index in indices]
            return _fill_through_pipeline(engine, photos, holes, references, spec, variant)
        points = [subjects.points(index) for index in indices] if POINTS in variant.name.modes else None
        return _fill_directly(engine, photos, holes, variant.side(spec.size), spec.seed, points)
    except FaceinpError as error:
        if len(indices) == 1:
            return [Fill(None, 0.0, str(error))]
    return [fill for index in indices for fill in make(spec, [index], subjects, variant, engine)]


def _fill_directly(
    engine: Engine,
    photos: Sequence[Pixels],
    holes: Sequence[Bools],
    side: int,
    seed: int,
    points: Sequence[NDArray[np.float32]] | None,
) -> list[Fill]:
    """Call the engine itself at ``side`` pixels. points: the true landmarks of each face, (68, 2), for +points."""
    crops = to_picture(np.stack([resize(photo, side, side) for photo in photos]))
    masks = np.stack([hole if len(hole) == side else _grown(hole, side) for hole in holes])
    started = time.perf_counter()
    landmarks = None if points is None else np.stack(points)
    generated = engine.fill(crops, masks[:, None], seed=seed, landmarks=landmarks)
    seconds = (time.perf_counter() - started) / len(photos)
    return [Fill(pixels, seconds) for pixels in to_pixels(generated)]


def _fill_through_pipeline(
    engine: Engine,
    photos: Sequence[Pixels],
    holes: Sequence[Bools],
    references: Sequence[Sequence[Pixels]],
    spec: FillSpec,
    variant: Variant,
) -> list[Fill]:
    """Call ``pipeline.fill_many``, with blending where the variant names a mode.

    The references are certainly the person's, so no judge checks them: it would leave some of them out.
    """
    modes = variant.name.modes
    if variants.REFERENCES in modes and not all(references):
        raise DataError(f"{spec.set} has no other picture of this person to use as a reference photo.")
    location = None if spec.arrangement == REDETECTED else FaceLocation.aligned()
    jobs = [
        pipeline.Job(photo, hole.astype(np.uint8) * np.uint8(255), location, others)
        for photo, hole, others in zip(photos, holes, references, strict=True)
    ]
    results = pipeline.fill_many(
        jobs,
        engine=engine,
        seed=spec.seed,
        require_face=True,
        mask_hole="white",
        blending="poisson" if modes else "composite",
        symmetry=variants.SYMMETRY in modes,
        reference_check=False,
    )
    return [
        Fill(None, 0.0, str(result))
        if isinstance(result, FaceinpError)
        else Fill(result.image, sum(result.timings.values()))
        for result in results
    ]


def _grown(hole: Bools, side: int) -> Bools:
    """bool (S, S) -> (side, side): a pixel is hole where any part of it was."""
    return np.asarray(cv2.resize(hole.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)) > 0


def encode(fill: Fill, variant: Variant) -> bytes:
    metadata = {"engine": variant.label, "runtime": variant.runtime, "seconds": fill.seconds, "problem": fill.problem}
    text, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_text("faceinp", json.dumps(metadata))
    pixels = np.zeros((1, 1, 3), np.uint8) if fill.pixels is None else fill.pixels
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=text, compress_level=1)
    return buffer.getvalue()


def decode(content: bytes | None) -> Fill | None:
    """The inverse of ``encode``."""
    if content is None:
        return None
    with Image.open(io.BytesIO(content)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
        metadata = json.loads(opened.info["faceinp"])
    return Fill(None if metadata["problem"] else pixels, metadata["seconds"], metadata["problem"])
