"""Fills, made once and kept by content: the same engine, weights, picture, hole and seed give the file that is there.

A file is a PNG that says in its text what made it and how long that took. It is written under another name and moved
to its place, so that whenever the process is killed a file is whole or not there.
"""

import hashlib
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from faceinp import pipeline
from faceinp.blend import blending
from faceinp.common import staging
from faceinp.engines.base import Engine
from faceinp.errors import DataError, FaceinpError
from faceinp.evaluate.engine_tables import variants
from faceinp.evaluate.engine_tables.subjects import Subjects, digest
from faceinp.evaluate.engine_tables.tables import FOUND
from faceinp.evaluate.engine_tables.variants import POINTS, WORN, Name, Variant
from faceinp.face.face_location import FaceLocation

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Order:
    """One engine's fills of one kind of hole on some pictures.

    set, size: whose faces. count: how many of those that are measured, from the first one on. references: how many
    other pictures of the person the engine is given.
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
    """pixels: uint8 (side, side, 3), what the engine made, None where it could not, for the reason in ``problem``."""

    pixels: Pixels | None
    seconds: float
    problem: str = ""

    def composite(self, photo: Pixels, hole: NDArray[np.bool_]) -> Pixels:
        """The photo with its hole replaced: uint8 (S, S, 3)."""
        return np.where(hole[..., None], self.at(len(photo)), photo)

    def blended(self, photo: Pixels, hole: NDArray[np.bool_]) -> Pixels:
        """The photo with its hole filled by Poisson blending: uint8 (S, S, 3)."""
        return blending.poisson(photo, self.at(len(photo)).astype(np.float32) / np.float32(255), hole)

    def at(self, size: int) -> Pixels:
        """What was made at another size."""
        if self.pixels is None:
            raise ValueError(self.problem)
        if len(self.pixels) == size:
            return self.pixels
        way = cv2.INTER_AREA if len(self.pixels) > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(self.pixels, (size, size), interpolation=way), np.uint8)


class Store:
    """A folder of files by content."""

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


def keys(order: Order, subjects: Subjects, variant: Variant) -> list[str]:
    """The name of each fill's file: a hash of all that it depends on."""
    common: list[Any] = [variant.fingerprint, order.arrangement, order.seed]
    common += [variants.revision("pipeline")] if order.arrangement == FOUND else []
    told = json.dumps(common)
    names = []
    for place in range(order.count):
        given = list(subjects.digests(order.mask, place, order.arrangement))
        given += map(digest, _references(order, place, subjects))
        given += [digest(subjects.points(place))] if POINTS in variant.name.words else []
        names.append(hashlib.sha256(" ".join([told, *given]).encode()).hexdigest())
    return names


def fills(order: Order, names: Mapping[int, str], subjects: Subjects, store: Store, engines: "Engines") -> list[Fill]:
    """Those of ``order`` at the places of ``names``, their ``keys``: what ``store`` holds, and the rest made now."""
    variant = variants.described(order.variant)
    found = {place: _read(store.read(name)) for place, name in names.items()}
    if missing := [place for place, fill in found.items() if fill is None]:
        for place, fill in zip(missing, _make(order, missing, subjects, variant, engines), strict=True):
            found[place] = fill
            store.write(names[place], _encoded(fill, variant))
    return [fill for fill in found.values() if fill is not None]


class Engines:
    """Engines of this process, each loaded when it is first needed."""

    def __init__(self) -> None:
        self.loaded: dict[tuple[str, tuple[tuple[str, bool | int | str], ...]], Engine] = {}

    def __getitem__(self, variant: str) -> Engine:
        name = Name.parse(variant)
        key = name.engine, name.options
        if key not in self.loaded:
            self.loaded[key] = name.load()
        return self.loaded[key]


def _make(order: Order, places: Sequence[int], subjects: Subjects, variant: Variant, engines: Engines) -> list[Fill]:
    photos = [subjects.picture(place, order.arrangement) for place in places]
    if order.variant == WORN:
        return [Fill(subjects.wearing(order.mask, place), 0.0) for place in places]
    holes = [subjects.hole(order.mask, place, order.arrangement) for place in places]
    engine = engines[order.variant]
    try:
        if order.arrangement == FOUND or variant.by_pipeline:
            references = [_references(order, place, subjects) for place in places]
            return _by_pipeline(engine, photos, holes, references, order, variant)
        told = [subjects.points(place) for place in places] if POINTS in variant.name.words else None
        return _together(engine, photos, holes, variant.side(order.size), order.seed, told)
    except FaceinpError as error:
        if len(places) == 1:
            return [Fill(None, 0.0, str(error))]
    return [made for place in places for made in _make(order, [place], subjects, variant, engines)]


def _together(
    engine: Engine,
    photos: Sequence[Pixels],
    holes: Sequence[NDArray[np.bool_]],
    side: int,
    seed: int,
    points: Sequence[NDArray[np.float32]] | None,
) -> list[Fill]:
    """By the engine's contract, at ``side`` pixels; points: (68, 2) of each face, for an engine that is told them."""
    crops, masks = np.stack(photos), np.stack(holes)
    if side != crops.shape[1]:
        way = cv2.INTER_AREA if side < crops.shape[1] else cv2.INTER_CUBIC
        crops = np.stack([cv2.resize(photo, (side, side), interpolation=way) for photo in photos])
        parts = [cv2.resize(hole.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) for hole in holes]
        masks = np.stack(parts) > 0
    given = crops.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    started = time.perf_counter()
    landmarks = None if points is None else np.stack(points)
    made = engine.fill(given, masks[:, None], seed=seed, landmarks=landmarks)
    seconds = (time.perf_counter() - started) / len(photos)
    return [Fill(pixels, seconds) for pixels in np.rint(255 * made.transpose(0, 2, 3, 1)).astype(np.uint8)]


def _by_pipeline(
    engine: Engine,
    photos: Sequence[Pixels],
    holes: Sequence[NDArray[np.bool_]],
    references: Sequence[Sequence[Pixels]],
    order: Order,
    variant: Variant,
) -> list[Fill]:
    """As a user's photos, blended where the variant asks for it; a FOUND face is looked for in the photo.

    References are taken as they are: the check by a judge would leave out pictures that are the person's for certain.
    """
    words = variant.name.words
    if variants.REFERENCES in words and not all(references):
        raise DataError(f"{order.set} shows this person once: there is no other picture to give.")
    location = None if order.arrangement == FOUND else FaceLocation.aligned()
    jobs = [
        pipeline.Job(photo, hole.astype(np.uint8) * np.uint8(255), location, theirs)
        for photo, hole, theirs in zip(photos, holes, references, strict=True)
    ]
    results = pipeline.fill_many(
        jobs,
        engine=engine,
        seed=order.seed,
        require_face=True,
        mask_hole="white",
        blending="poisson" if words else "composite",
        symmetry=variants.SYMMETRY in words,
        reference_check=False,
    )
    return [
        Fill(None, 0.0, str(result))
        if isinstance(result, FaceinpError)
        else Fill(result.image, sum(result.timings.values()))
        for result in results
    ]


def _references(order: Order, place: int, subjects: Subjects) -> list[Pixels]:
    return subjects.reference_pictures(place, order.references) if order.references else []


def _encoded(fill: Fill, variant: Variant) -> bytes:
    text = PngImagePlugin.PngInfo()
    told = {"engine": variant.label, "runtime": variant.runtime, "seconds": fill.seconds, "problem": fill.problem}
    text.add_text("faceinp", json.dumps(told))
    content = io.BytesIO()
    pixels = np.zeros((1, 1, 3), np.uint8) if fill.pixels is None else fill.pixels
    Image.fromarray(pixels).save(content, "PNG", pnginfo=text, compress_level=1)
    return content.getvalue()


def _read(content: bytes | None) -> Fill | None:
    if content is None:
        return None
    with Image.open(io.BytesIO(content)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
        told = json.loads(opened.info["faceinp"])
    return Fill(None if told["problem"] else pixels, told["seconds"], told["problem"])
