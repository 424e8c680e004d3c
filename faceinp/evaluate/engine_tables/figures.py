"""What is measured of fills, picture by picture: likeness of pixels, vectors of judges, vectors of filled places.

These arrays are kept by content, as fills are, so that a table is made of them in no time. Averages and intervals are
the work of ``scores``.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceinp import identity
from faceinp.errors import MissingPackageError
from faceinp.evaluate import naturalness
from faceinp.evaluate.engine_tables import fills, variants
from faceinp.evaluate.engine_tables.fills import Engines, Fill, Order, Store
from faceinp.evaluate.engine_tables.subjects import Subjects, load
from faceinp.evaluate.judge_tables import RATE
from faceinp.formulas import metrics
from faceinp.mask.mask_files import MaskFiles
from faceinp.models import pretrained, weights

if TYPE_CHECKING:
    from faceinp.nets.efficientnet import EfficientNetLite

Arrays = dict[str, NDArray[np.float64]]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

TOGETHER = 32  # pictures that are filled, and looked at, at once


@dataclass(frozen=True)
class Times:
    """ "seconds" that each fill took, (n,)."""


@dataclass(frozen=True)
class Comparisons:
    """KIND_psnr and KIND_ssim of each fill, for each KIND in ``kinds``, those of ``tables.COMPARED``."""

    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Vectors:
    """Whole pictures as a judge sees them: "vectors" (n, D)."""

    judge: str


@dataclass(frozen=True)
class Windows:
    """The window round each hole's centre as ``naturalness`` sees it: "vectors" (n, D)."""


Kind = Times | Comparisons | Vectors | Windows


@dataclass(frozen=True)
class Setting:
    """Of one run: everything that a process needs to know; it is sent to others as it is.

    sets: shards by stem. pictures: how many of each set. judges: names or files, as ``identity.load`` takes them.
    masks: those that come from files, by what tables call them. folder: of what is kept.
    """

    sets: tuple[tuple[str, tuple[str, ...]], ...]
    pictures: int
    seed: int
    folder: str
    judges: tuple[str, ...] = ()
    sidecar: str = ""
    masks: tuple[tuple[str, MaskFiles], ...] = ()


class Measurer:
    """Makes fills and measures them; keeps both."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.store = Store(Path(setting.folder))
        self.engines = Engines()
        self.masks = dict(setting.masks)
        self.subjects = cache(self._subjects)
        self.everybody = cache(self._everybody)
        self.fingerprint = cache(self._fingerprint)
        self.keys = cache(self._keys)

    def _subjects(self, name: str, size: int) -> Subjects:
        """The faces of one set, loaded when they are first needed."""
        urls = dict(self.setting.sets)[name]
        return load(name, urls, size, self.setting.pictures, self.setting.seed, self.masks)

    @cached_property
    def judges(self) -> dict[str, identity.Judge]:
        """By name. Raises EngineError and WeightsError where one cannot be had."""
        sidecar = self.setting.sidecar or None
        loaded = [
            identity.load(name, sidecar=sidecar if name.endswith(".onnx") else None) for name in self.setting.judges
        ]
        return {judge.name: judge for judge in loaded}

    @cached_property
    def limits(self) -> dict[str, float]:
        """The distance up to which each judge takes faces for one person's. Raises WeightsError without calibration."""
        return {name: judge.calibration.at(RATE).threshold for name, judge in self.judges.items()}

    @cached_property
    def network(self) -> "EfficientNetLite":
        """What sees windows."""
        import torch

        network: EfficientNetLite = pretrained.efficientnet().to(memory_format=torch.channels_last)
        return network

    @cached_property
    def windowless(self) -> str:
        """Why there are no vectors of windows; empty where there are."""
        try:
            pretrained.efficientnet_file()
        except MissingPackageError as error:
            return str(error)
        return ""

    # ---- what is kept ----

    def _keys(self, order: Order) -> list[str]:
        """What the fills of ``order`` are kept by."""
        return fills.keys(order, self.subjects(order.set, order.size), variants.described(order.variant))

    def fills(self, order: Order, places: Sequence[int]) -> list[Fill]:
        """Made now, or as kept."""
        names = {place: self.keys(order)[place] for place in places}
        return fills.fills(order, names, self.subjects(order.set, order.size), self.store, self.engines)

    def measure(self, order: Order, kinds: Sequence[Kind]) -> None:
        """Make the fills of ``order`` and take those kinds of figures of them that are not kept yet."""
        names = {kind: self._name(kind, self.keys(order)) for kind in kinds}
        names = {kind: name for kind, name in names.items() if name not in self.store}
        parts: dict[Kind, list[Arrays]] = {kind: [] for kind in names}
        for at in range(0, order.count if names else 0, TOGETHER):
            places = range(at, min(at + TOGETHER, order.count))
            made = self.fills(order, places)
            for kind in names:
                parts[kind].append(self._measure(order, places, made, kind))
        for kind, each in parts.items():
            self._keep(names[kind], {name: np.concatenate([part[name] for part in each]) for name in each[0]})

    def of(self, order: Order, kind: Kind) -> Arrays:
        """Figures of the fills of ``order``, each (n, ...); NaN where there is no fill."""
        self.measure(order, [kind])
        return self._read(self._name(kind, self.keys(order)))

    def _everybody(self, name: str, size: int, judge: str) -> Floats:
        """Vectors of all faces of a set, untouched, (N, D)."""
        pictures = self.subjects(name, size).faces.pictures[:].permute(0, 2, 3, 1).numpy()
        kind, given = Vectors(judge), hashlib.sha256(pictures.tobytes()).hexdigest()
        return self._kept(kind, [given], lambda: {"vectors": self._embed(list(pictures), judge)})["vectors"]

    def untouched_windows(self, name: str, size: int, mask: str, arrangement: str) -> Floats:
        """Vectors of the measured faces, untouched, round the centre of what ``mask`` hides of each: (n, D)."""
        subjects = self.subjects(name, size)
        places = range(len(subjects.chosen))

        def measure() -> Arrays:
            pictures = [subjects.picture(place, arrangement) for place in places]
            return {"vectors": self._windows(pictures, [subjects.hole(mask, place, arrangement) for place in places])}

        given = [digest for place in places for digest in subjects.digests(mask, place, arrangement)]
        return self._kept(Windows(), given, measure)["vectors"]

    def _fingerprint(self, kind: Kind) -> str:
        """What a figure of this kind depends on beside the fills; files are read once."""
        told: tuple[object, ...] = ()
        if isinstance(kind, Vectors):
            judge = self.judges[kind.judge]
            told = (judge.fingerprint, judge.box, variants.revision("vectors"))
        elif isinstance(kind, Windows):
            told = (weights.sha256(pretrained.efficientnet_file()), variants.revision("windows"))
        elif isinstance(kind, Comparisons):
            told = (kind.kinds, variants.revision("comparisons"))
        return json.dumps([type(kind).__name__, *told])

    def _kept(self, kind: Kind, given: Sequence[str], make: Callable[[], Arrays]) -> Arrays:
        name = self._name(kind, given)
        if name not in self.store:
            self._keep(name, make())
        return self._read(name)

    def _name(self, kind: Kind, given: Sequence[str]) -> str:
        return hashlib.sha256(json.dumps([self.fingerprint(kind), *given]).encode()).hexdigest()

    def _keep(self, name: str, arrays: Arrays) -> None:
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        self.store.write(name, content.getvalue())

    def _read(self, name: str) -> Arrays:
        with np.load(io.BytesIO(self.store.read(name) or b""), allow_pickle=False) as opened:
            return {part: opened[part] for part in opened.files}

    # ---- what is measured ----

    def _measure(self, order: Order, places: Sequence[int], made: Sequence[Fill], kind: Kind) -> Arrays:
        if isinstance(kind, Times):
            return {"seconds": np.array([np.nan if fill.pixels is None else fill.seconds for fill in made])}
        subjects = self.subjects(order.set, order.size)
        photos = [subjects.picture(place, order.arrangement) for place in places]
        holes = [subjects.hole(order.mask, place, order.arrangement) for place in places]
        given = list(zip(photos, made, holes, strict=True))
        if isinstance(kind, Comparisons):
            each = [compare(*one, kind.kinds) for one in given]
            return {name: np.array([values[name] for values in each]) for name in each[0]}
        join = Fill.blended if isinstance(kind, Windows) else Fill.composite
        pictures = [photo if fill.pixels is None else join(fill, photo, hole) for photo, fill, hole in given]
        seen = self._windows(pictures, holes) if isinstance(kind, Windows) else self._embed(pictures, kind.judge)
        seen[[fill.pixels is None for fill in made]] = np.nan
        return {"vectors": seen}

    def _embed(self, pictures: Sequence[Pixels], judge: str) -> Floats:
        parts = (np.stack(pictures[at : at + TOGETHER]) for at in range(0, len(pictures), TOGETHER))
        crops = (part.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255) for part in parts)
        return np.concatenate([self.judges[judge].embed(part) for part in crops]).astype(np.float64)

    def _windows(self, pictures: Sequence[Pixels], holes: Sequence[Bools]) -> Floats:
        windows = [naturalness.window(picture, hole) for picture, hole in zip(pictures, holes, strict=True)]
        return naturalness.features(windows, self.network).astype(np.float64)


def compare(photo: Pixels, fill: Fill, hole: Bools, kinds: Sequence[str]) -> dict[str, float]:
    """KIND_psnr (dB) and KIND_ssim of one fill, KIND of ``tables.COMPARED``; NaN where there is no fill."""
    if fill.pixels is None:
        return {f"{kind}_{measured}": float("nan") for kind in kinds for measured in ("psnr", "ssim")}
    told: dict[str, float] = {}
    generated, composite = fill.at(len(photo)), fill.composite(photo, hole)
    similar = metrics.ssim_map(photo, composite)
    for kind in kinds:
        if kind == "hole":  # where known pixels were generated, too, windows see them; where not, the photo's
            seen = metrics.ssim_map(photo, generated) if "raw" in kinds else similar
            told |= {"hole_psnr": metrics.psnr(photo, generated, hole), "hole_ssim": metrics.mean_ssim(seen, hole)}
        elif kind == "composite":
            told |= {"composite_psnr": metrics.psnr(photo, composite), "composite_ssim": metrics.mean_ssim(similar)}
        else:
            picture = generated if kind == "raw" else fill.blended(photo, hole)
            told |= {f"{kind}_psnr": metrics.psnr(photo, picture), f"{kind}_ssim": metrics.ssim(photo, picture)}
    return told
