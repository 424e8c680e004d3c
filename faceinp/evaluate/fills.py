"""Fills, made once and kept by content: the same engine, weights, picture, hole and seed give the file that is there.

A file is a PNG that says in its text what made it and how long that took. It is written under another name and moved
to its place, so that whenever the process is killed a file is whole or not there.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from faceinp import blend, pipeline
from faceinp.engines.base import Engine
from faceinp.errors import DataError, FaceinpError
from faceinp.evaluate import variants
from faceinp.evaluate.subjects import Subjects, digest
from faceinp.evaluate.tables import FOUND
from faceinp.evaluate.variants import WORN, Variant
from faceinp.face_location import FaceLocation

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Order:
    """One engine's fills of one kind of hole on some pictures.

    set, size: whose faces. places: of those that are measured. whole: keep known pixels as the engine made them, too.
    references: how many other pictures of the person the engine is given.
    """

    set: str
    size: int
    variant: str
    mask: str
    arrangement: str
    places: tuple[int, ...]
    whole: bool
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
        return blend.poisson(photo, self.at(len(photo)).astype(np.float32) / np.float32(255), hole)

    def at(self, size: int) -> Pixels:
        """What was made at another size."""
        if self.pixels is None:
            raise ValueError(self.problem)
        if len(self.pixels) == size:
            return self.pixels
        way = cv2.INTER_AREA if len(self.pixels) > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(self.pixels, (size, size), interpolation=way), np.uint8)


def write(path: Path, content: bytes) -> None:
    """Whole or not at all, whenever the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


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
        write(self._path(key), content)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


def keys(order: Order, subjects: Subjects, variant: Variant) -> list[str]:
    """The name of each fill's file: a hash of all that it depends on."""
    common = [variant.identity, order.arrangement, order.seed, _whole(order, variant)]
    common += [variants.code_of("faceinp.pipeline")] if order.arrangement == FOUND else []
    told = json.dumps(common)
    given = (
        (*subjects.digests(order.mask, place, order.arrangement), *map(digest, _references(order, place, subjects)))
        for place in order.places
    )
    return [hashlib.sha256(" ".join([told, *digests]).encode()).hexdigest() for digests in given]


def fills(order: Order, subjects: Subjects, variant: Variant, store: Store, engines: "Engines") -> list[Fill]:
    """Those of ``order``: what ``store`` holds, and the rest made now, together, and kept."""
    wanted = dict(zip(order.places, keys(order, subjects, variant), strict=True))
    found = {place: _read(store.read(key)) for place, key in wanted.items()}
    if missing := [place for place, fill in found.items() if fill is None]:
        for place, fill in zip(missing, _make(order, missing, subjects, variant, engines), strict=True):
            found[place] = kept = _known_blanked(fill, order, place, subjects, variant)
            store.write(wanted[place], _encoded(kept, variant))
    return [fill for fill in found.values() if fill is not None]


class Engines:
    """Engines of this process, each loaded when it is first needed."""

    def __init__(self) -> None:
        self.loaded: dict[str, Engine] = {}

    def __getitem__(self, variant: str) -> Engine:
        name = variants.engine_of(variant)
        if name not in self.loaded:
            self.loaded[name] = variants.load(name)
        return self.loaded[name]


def _make(order: Order, places: Sequence[int], subjects: Subjects, variant: Variant, engines: Engines) -> list[Fill]:
    photos = [subjects.picture(place, order.arrangement) for place in places]
    if variant.name == WORN:
        return [Fill(subjects.wearing(order.mask, place), 0.0) for place in places]
    holes = [subjects.hole(order.mask, place, order.arrangement) for place in places]
    engine = engines[variant.name]
    try:
        if order.arrangement == FOUND or variant.words:
            references = [_references(order, place, subjects) for place in places]
            return _by_pipeline(engine, photos, holes, references, order, variant)
        return _together(engine, photos, holes, variant.side(order.size), order.seed)
    except FaceinpError as error:
        if len(places) == 1:
            return [Fill(None, 0.0, str(error))]
    return [made for place in places for made in _make(order, [place], subjects, variant, engines)]


def _together(
    engine: Engine, photos: Sequence[Pixels], holes: Sequence[NDArray[np.bool_]], side: int, seed: int
) -> list[Fill]:
    """By the engine's contract, at ``side`` pixels."""
    crops, masks = np.stack(photos), np.stack(holes)
    if side != crops.shape[1]:
        way = cv2.INTER_AREA if side < crops.shape[1] else cv2.INTER_CUBIC
        crops = np.stack([cv2.resize(photo, (side, side), interpolation=way) for photo in photos])
        parts = [cv2.resize(hole.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) for hole in holes]
        masks = np.stack(parts) > 0
    given = crops.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    started = time.perf_counter()
    made = engine.fill(given, masks[:, None], seed=seed)
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
    if variants.REFERENCES in variant.words and not all(references):
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
        blending="poisson" if variant.words else "composite",
        symmetry=variants.SYMMETRY in variant.words,
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


def _whole(order: Order, variant: Variant) -> bool:
    """Whether known pixels are kept: where they are asked for, or enlarging will mix them into the hole's."""
    return order.whole or (order.arrangement != FOUND and variant.side(order.size) != order.size)


def _known_blanked(fill: Fill, order: Order, place: int, subjects: Subjects, variant: Variant) -> Fill:
    """Without what nobody will look at, a third of the bytes: blending looks at the pixels next to the hole, too."""
    if fill.pixels is None or _whole(order, variant):
        return fill
    hole = subjects.hole(order.mask, place, order.arrangement).astype(np.uint8)
    looked_at = cv2.dilate(hole, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0
    return Fill(np.where(looked_at[..., None], fill.pixels, np.uint8(0)), fill.seconds)


def _encoded(fill: Fill, variant: Variant) -> bytes:
    text = PngImagePlugin.PngInfo()
    told = {"engine": variant.name, "runtime": variant.runtime, "seconds": fill.seconds, "problem": fill.problem}
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
