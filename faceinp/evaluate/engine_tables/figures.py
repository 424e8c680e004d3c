"""Figures of each fill: PSNR and SSIM, embeddings by judges, features of the filled window.

The arrays are stored under a hash, as fills are, so that a table is made of them quickly. ``scores`` makes averages and
intervals of them.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceinp import identity
from faceinp.engines.loading import load_engine
from faceinp.errors import MissingPackageError
from faceinp.evaluate import naturalness
from faceinp.evaluate.engine_tables import fills, variants
from faceinp.evaluate.engine_tables.fills import Fill, FillSpec, Store
from faceinp.evaluate.engine_tables.request import Request
from faceinp.evaluate.engine_tables.subjects import Subjects, load
from faceinp.evaluate.judge_tables import RATE
from faceinp.evaluate.judge_tables.pairs import embed
from faceinp.formulas import metrics
from faceinp.mask.mask_files import MaskFiles
from faceinp.models import pretrained, weights
from faceinp.photo.arrays import Bools, Doubles, Pixels

if TYPE_CHECKING:
    from faceinp.nets.efficientnet import EfficientNetLite

Arrays = dict[str, NDArray[np.float64]]

BATCH = 32  # pictures that are filled and measured together

# The kinds of figures. The names of these classes are part of the keys of stored figures and cells: renaming one makes
# every later run compute everything again.


@dataclass(frozen=True)
class Times:
    """The "seconds" that each fill took, (n,)."""


@dataclass(frozen=True)
class Comparisons:
    """KIND_psnr and KIND_ssim of each fill, (n,), for each KIND in ``kinds``, those of ``tables.PICTURE_KINDS``."""

    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Vectors:
    """A judge's embeddings of the whole pictures: "vectors" (n, D)."""

    judge: str


@dataclass(frozen=True)
class Windows:
    """Features of the window around each hole, see ``naturalness``: "vectors" (n, D)."""


Kind = Times | Comparisons | Vectors | Windows


class Measurer:
    """Makes fills and their figures, and stores both.

    sets: shards by stem. masks: those that come from files, by their names in tables. judge_names: names or files, as
    ``identity.load`` takes them.
    """

    def __init__(
        self,
        request: Request,
        sets: Mapping[str, Sequence[str]],
        masks: Mapping[str, MaskFiles],
        judge_names: Sequence[str],
    ) -> None:
        self.request, self.sets, self.masks, self.judge_names = request, sets, masks, judge_names
        self.store = Store(Path(request.out) / "kept")
        self.engine = cache(lambda name, options: load_engine(name, dict(options)))
        self.subjects = cache(lambda name, size: load(name, sets[name], size, request.pictures, request.seed, masks))
        self.set_embeddings = cache(self._set_embeddings)
        self.fingerprint = cache(self._fingerprint)
        self.fill_keys = cache(self._fill_keys)

    @cached_property
    def judges(self) -> dict[str, identity.Judge]:
        """Judges by name. Raises what ``identity.load`` raises."""
        sidecar = self.request.sidecar or None
        judges = [identity.load(name, sidecar=sidecar if name.endswith(".onnx") else None) for name in self.judge_names]
        return {judge.name: judge for judge in judges}

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """The largest distance that each judge accepts as one person. Raises WeightsError without a calibration."""
        return {name: judge.calibration.at(RATE).threshold for name, judge in self.judges.items()}

    @cached_property
    def window_network(self) -> "EfficientNetLite":
        import torch

        network: EfficientNetLite = pretrained.efficientnet().to(memory_format=torch.channels_last)
        return network

    @cached_property
    def windows_problem(self) -> str:
        """Why windows cannot be measured; empty where they can."""
        try:
            pretrained.efficientnet_file()
        except MissingPackageError as error:
            return str(error)
        return ""

    # ---- fills and figures, stored or computed now ----

    def _fill_keys(self, spec: FillSpec) -> list[str]:
        return fills.keys(spec, self.subjects(spec.set, spec.size), variants.described(spec.variant))

    def fills(self, spec: FillSpec, indices: Sequence[int]) -> list[Fill]:
        """The fills of some of the faces of ``spec``."""
        keys, variant = self.fill_keys(spec), variants.described(spec.variant)
        results = {index: fills.decode(self.store.read(keys[index])) for index in indices}
        if missing := [index for index, fill in results.items() if fill is None]:
            engine = None if spec.variant == variants.WORN else self.engine(variant.name.engine, variant.name.options)
            new = fills.make(spec, missing, self.subjects(spec.set, spec.size), variant, engine)
            for index, fill in zip(missing, new, strict=True):
                results[index] = fill
                self.store.write(keys[index], fills.encode(fill, variant))
        return [fill for fill in results.values() if fill is not None]

    def measure(self, spec: FillSpec, kinds: Sequence[Kind]) -> None:
        """Compute and store those of the figures, and of the fills that they need, that are not stored yet."""
        keys = {kind: self._key(kind, self.fill_keys(spec)) for kind in kinds}
        missing = [kind for kind in kinds if keys[kind] not in self.store]
        parts: dict[Kind, list[Arrays]] = {kind: [] for kind in missing}
        for start in range(0, spec.count if missing else 0, BATCH):
            indices = range(start, min(start + BATCH, spec.count))
            batch = self.fills(spec, indices)
            for kind in missing:
                parts[kind].append(self._measure(spec, indices, batch, kind))
        for kind, arrays in parts.items():
            self._write(keys[kind], {name: np.concatenate([part[name] for part in arrays]) for name in arrays[0]})

    def figures(self, spec: FillSpec, kind: Kind) -> Arrays:
        """Figures of the fills of ``spec``, (n, ...) each; NaN where a fill is missing."""
        self.measure(spec, [kind])
        return self._read(self._key(kind, self.fill_keys(spec)))

    def _set_embeddings(self, subjects: Subjects, judge: str) -> Doubles:
        """A judge's embeddings of all faces of a set, untouched, (N, D)."""
        pictures = subjects.faces.pictures[:].permute(0, 2, 3, 1).numpy()
        digests = [hashlib.sha256(pictures.tobytes()).hexdigest()]
        return self._stored(Vectors(judge), digests, lambda: self._embed(list(pictures), judge))

    def untouched_windows(self, subjects: Subjects, mask: str, arrangement: str) -> Doubles:
        """Features of the measured faces, untouched, in the window around the hole of ``mask``: (n, D)."""
        indices = range(len(subjects))

        def compute() -> Doubles:
            pictures = [subjects.picture(index, arrangement) for index in indices]
            return self._window_features(pictures, [subjects.hole(mask, index, arrangement) for index in indices])

        digests = [digest for index in indices for digest in subjects.digests(mask, index, arrangement)]
        return self._stored(Windows(), digests, compute)

    def _stored(self, kind: Kind, digests: Sequence[str], compute: Callable[[], Doubles]) -> Doubles:
        key = self._key(kind, digests)
        if key not in self.store:
            self._write(key, {"vectors": compute()})
        return self._read(key)["vectors"]

    def _fingerprint(self, kind: Kind) -> str:
        """What figures of a kind depend on besides the fills."""
        parts: tuple[object, ...] = ()
        if isinstance(kind, Vectors):
            judge = self.judges[kind.judge]
            parts = (judge.fingerprint, judge.box, variants.revision("vectors"))
        elif isinstance(kind, Windows):
            parts = (weights.sha256(pretrained.efficientnet_file()), variants.revision("windows"))
        elif isinstance(kind, Comparisons):
            parts = (kind.kinds, variants.revision("comparisons"))
        return json.dumps([type(kind).__name__, *parts])

    def _key(self, kind: Kind, digests: Sequence[str]) -> str:
        return hashlib.sha256(json.dumps([self.fingerprint(kind), *digests]).encode()).hexdigest()

    def _write(self, key: str, arrays: Arrays) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self.store.write(key, buffer.getvalue())

    def _read(self, key: str) -> Arrays:
        with np.load(io.BytesIO(self.store.read(key) or b""), allow_pickle=False) as opened:
            return {name: opened[name] for name in opened.files}

    # ---- how figures are computed ----

    def _measure(self, spec: FillSpec, indices: Sequence[int], batch: Sequence[Fill], kind: Kind) -> Arrays:
        if isinstance(kind, Times):
            return {"seconds": np.array([np.nan if fill.pixels is None else fill.seconds for fill in batch])}
        subjects = self.subjects(spec.set, spec.size)
        photos = [subjects.picture(index, spec.arrangement) for index in indices]
        holes = [subjects.hole(spec.mask, index, spec.arrangement) for index in indices]
        samples = list(zip(photos, batch, holes, strict=True))
        if isinstance(kind, Comparisons):
            results = [compare(*sample, kind.kinds) for sample in samples]
            return {name: np.array([result[name] for result in results]) for name in results[0]}
        join = Fill.blended if isinstance(kind, Windows) else Fill.composite
        pictures = [photo if fill.pixels is None else join(fill, photo, hole) for photo, fill, hole in samples]
        if isinstance(kind, Windows):
            vectors = self._window_features(pictures, holes)
        else:
            vectors = self._embed(pictures, kind.judge)
        vectors[[fill.pixels is None for fill in batch]] = np.nan
        return {"vectors": vectors}

    def _embed(self, pictures: Sequence[Pixels], judge: str) -> Doubles:
        return embed(self.judges[judge], pictures).astype(np.float64)

    def _window_features(self, pictures: Sequence[Pixels], holes: Sequence[Bools]) -> Doubles:
        windows = [naturalness.window(picture, hole) for picture, hole in zip(pictures, holes, strict=True)]
        return naturalness.features(windows, self.window_network).astype(np.float64)


def compare(photo: Pixels, fill: Fill, hole: Bools, kinds: Sequence[str]) -> dict[str, float]:
    """KIND_psnr (dB) and KIND_ssim of one fill, KIND of ``tables.PICTURE_KINDS``; NaN where the fill is missing."""
    if fill.pixels is None:
        return {f"{kind}_{metric}": float("nan") for kind in kinds for metric in ("psnr", "ssim")}
    figures: dict[str, float] = {}
    generated, composite = fill.at(len(photo)), fill.composite(photo, hole)
    composite_map = metrics.ssim_map(photo, composite)
    for kind in kinds:
        if kind == "hole":
            # SSIM windows reach beyond the hole: into generated pixels where "raw" counts, else into the photo's.
            hole_map = metrics.ssim_map(photo, generated) if "raw" in kinds else composite_map
            psnr, ssim = metrics.psnr(photo, generated, hole), metrics.mean_ssim(hole_map, hole)
        elif kind == "composite":
            psnr, ssim = metrics.psnr(photo, composite), metrics.mean_ssim(composite_map)
        else:
            picture = generated if kind == "raw" else fill.blended(photo, hole)
            psnr, ssim = metrics.psnr(photo, picture), metrics.ssim(photo, picture)
        figures |= {f"{kind}_psnr": psnr, f"{kind}_ssim": ssim}
    return figures
