"""What is measured of fills, picture by picture: likeness of pixels, a judge's vectors, a feature network's.

These arrays are kept by content, as fills are, so that a table is made of them in no time. Averages and intervals are
``cells``' work.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceinp import identity, metrics, pretrained, weights
from faceinp.errors import MissingPackageError
from faceinp.evaluate import fills, variants
from faceinp.evaluate.fills import Engines, Fill, Order, Store
from faceinp.evaluate.subjects import Subjects, load

if TYPE_CHECKING:
    from faceinp.nets.efficientnet import EfficientNetLite
    from faceinp.nets.squeezenet import SqueezeNet

Arrays = dict[str, NDArray[np.float64]]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

FEATURES = "features"  # the kind of a feature network's vectors
WINDOWS = "windows"  # the kind of vectors of the window round the hole's centre
RATE = 0.01  # false matches of a judge
REACH = metrics.SSIM_WINDOW // 2
TOGETHER = 32  # pictures that a judge or a feature network looks at at once


@dataclass(frozen=True)
class Setting:
    """Of one run: everything that a process needs to know; it is sent to others as it is.

    sets: shards by stem. pictures: how many of each set. judges: names or files, as ``identity.load`` takes them.
    features: SqueezeNet 1.0 as safetensors, or empty. folder: of what is kept.
    """

    sets: tuple[tuple[str, tuple[str, ...]], ...]
    pictures: int
    seed: int
    folder: str
    judges: tuple[str, ...] = ()
    sidecar: str = ""
    features: str = ""


class Measurer:
    """Makes fills and measures them; keeps both."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.store = Store(Path(setting.folder))
        self.engines = Engines()
        self._subjects: dict[tuple[str, int], Subjects] = {}
        self._everybody: dict[tuple[str, int, str], NDArray[np.float64]] = {}
        self._fingerprints: dict[str, str] = {}
        self._latest: tuple[Order, list[Fill]] | None = None

    def subjects(self, name: str, size: int) -> Subjects:
        """The faces of one set, loaded when they are first needed."""
        if (name, size) not in self._subjects:
            urls = dict(self.setting.sets)[name]
            self._subjects[name, size] = load(name, urls, size, self.setting.pictures, self.setting.seed)
        return self._subjects[name, size]

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
    def network(self) -> "SqueezeNet":
        import torch

        network: SqueezeNet = pretrained.squeezenet(self.setting.features).to(memory_format=torch.channels_last)
        return network

    @cached_property
    def window_network(self) -> "EfficientNetLite":
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

    def fills(self, order: Order) -> list[Fill]:
        """Made now, or as kept. Kinds of figures are asked for in turn: what the latest order made stays at hand."""
        if self._latest is None or self._latest[0] != order:
            subjects = self.subjects(order.set, order.size)
            made = fills.fills(order, subjects, variants.described(order.variant), self.store, self.engines)
            self._latest = order, made
        return self._latest[1]

    def keys(self, order: Order) -> list[str]:
        """What the fills of ``order`` are kept by."""
        return fills.keys(order, self.subjects(order.set, order.size), variants.described(order.variant))

    def of(self, order: Order, kind: str) -> Arrays:
        """Figures of the fills of ``order``, each (n, ...); NaN where there is no fill.

        kind: "seconds"; "pixels raw,hole,...": KIND_psnr and KIND_ssim; "judge NAME", "features", "windows":
        vectors.
        """
        key = self._key("figures", kind, self.keys(order))
        return self._kept(key, lambda: self._measure(order, kind))

    def everybody(self, name: str, size: int, kind: str) -> NDArray[np.float64]:
        """Vectors of all faces of a set, untouched, (N, D); kind as for ``of``."""
        if (name, size, kind) not in self._everybody:
            self._everybody[name, size, kind] = self._seen(self.subjects(name, size), kind)
        return self._everybody[name, size, kind]

    def _seen(self, subjects: Subjects, kind: str) -> NDArray[np.float64]:
        pictures = subjects.faces.pictures
        key = self._key("everybody", kind, [hashlib.sha256(pictures.numpy().tobytes()).hexdigest()])

        def measure() -> Arrays:
            return {"vectors": self._vectors(list(pictures.permute(0, 2, 3, 1).numpy()), kind)}

        return self._kept(key, measure)["vectors"]

    def untouched_windows(self, name: str, size: int, mask: str, arrangement: str) -> NDArray[np.float64]:
        """Vectors of the measured faces, untouched, round the centre of what ``mask`` hides of each: (n, D)."""
        subjects = self.subjects(name, size)
        places = range(len(subjects.chosen))
        given = [digest for place in places for digest in subjects.digests(mask, place, arrangement)]

        def measure() -> Arrays:
            pictures = [subjects.picture(place, arrangement) for place in places]
            return {"vectors": self._windows(pictures, [subjects.hole(mask, place, arrangement) for place in places])}

        return self._kept(self._key("untouched", WINDOWS, given), measure)["vectors"]

    def fingerprint(self, kind: str) -> str:
        """What a figure of this kind depends on beside the fills; files are read once."""
        if kind not in self._fingerprints:
            self._fingerprints[kind] = self._fingerprint(kind)
        return self._fingerprints[kind]

    def _fingerprint(self, kind: str) -> str:
        what, _, name = kind.partition(" ")
        if what == "judge":
            judge = self.judges[name]
            return f"{judge.fingerprint} {judge.box}"
        if what == FEATURES:
            return weights.sha256(Path(self.setting.features)) + variants.code_of("faceinp.nets.squeezenet")
        if what == WINDOWS:
            seen_by = variants.code_of("faceinp.evaluate.naturalness") + variants.code_of("faceinp.blend")
            return weights.sha256(pretrained.efficientnet_file()) + seen_by
        return variants.code_of("faceinp.metrics") + variants.code_of("faceinp.blend")

    def _key(self, about: str, kind: str, given: Sequence[str]) -> str:
        return hashlib.sha256(json.dumps([about, kind, self.fingerprint(kind), *given]).encode()).hexdigest()

    def _kept(self, key: str, make: Callable[[], Arrays]) -> Arrays:
        content = self.store.read(key)
        if content is None:
            made = io.BytesIO()
            np.savez(made, **make())  # type: ignore[arg-type]
            content = made.getvalue()
            self.store.write(key, content)
        with np.load(io.BytesIO(content), allow_pickle=False) as opened:
            return {name: opened[name] for name in opened.files}

    # ---- what is measured ----

    def _measure(self, order: Order, kind: str) -> Arrays:
        made = self.fills(order)
        what, _, told = kind.partition(" ")
        if what == "seconds":
            nan = float("nan")
            return {"seconds": np.array([nan if fill.pixels is None else fill.seconds for fill in made])}
        subjects = self.subjects(order.set, order.size)
        given = [
            (subjects.picture(place, order.arrangement), fill, subjects.hole(order.mask, place, order.arrangement))
            for place, fill in zip(order.places, made, strict=True)
        ]
        if what == "pixels":
            kinds = tuple(told.split(","))
            each = [compare(photo, fill, hole, kinds) for photo, fill, hole in given]
            return {name: np.array([values[name] for values in each]) for name in each[0]}
        there = [fill.pixels is not None for fill in made]
        join = Fill.blended if what == WINDOWS else Fill.composite
        pictures = [photo if fill.pixels is None else join(fill, photo, hole) for photo, fill, hole in given]
        holes = [hole for _, _, hole in given]
        vectors = self._windows(pictures, holes) if what == WINDOWS else self._vectors(pictures, kind)
        vectors[~np.array(there)] = np.nan
        return {"vectors": vectors}

    def _vectors(self, pictures: Sequence[Pixels], kind: str) -> NDArray[np.float64]:
        what, _, name = kind.partition(" ")
        parts = [np.stack(pictures[at : at + TOGETHER]) for at in range(0, len(pictures), TOGETHER)]
        if what == FEATURES:
            import torch

            from faceinp.evaluate.frechet import features

            seen = [features(torch.from_numpy(part).permute(0, 3, 1, 2), self.network) for part in parts]
        else:
            crops = [part.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255) for part in parts]
            seen = [self.judges[name].embed(part) for part in crops]
        return np.concatenate(seen).astype(np.float64)

    def _windows(self, pictures: Sequence[Pixels], holes: Sequence[Bools]) -> NDArray[np.float64]:
        from faceinp.evaluate.naturalness import features, window

        windows = [window(picture, hole) for picture, hole in zip(pictures, holes, strict=True)]
        return features(windows, self.window_network).astype(np.float64)


def compare(photo: Pixels, fill: Fill, hole: Bools, kinds: Sequence[str]) -> dict[str, float]:
    """KIND_psnr (dB) and KIND_ssim of one fill, KIND of raw, hole, composite, blended; NaN where there is no fill."""
    if fill.pixels is None:
        return {f"{kind}_{measured}": float("nan") for kind in kinds for measured in ("psnr", "ssim")}
    told: dict[str, float] = {}
    generated, composite = fill.at(len(photo)), fill.composite(photo, hole)
    if "raw" in kinds:
        told["raw_psnr"] = metrics.psnr(photo, generated)
        told["raw_ssim"] = metrics.ssim(photo, generated)
    if "hole" in kinds:
        told["hole_psnr"] = metrics.psnr(photo, generated, hole)
        # Where known pixels were generated, too, windows see them; where not, the photo's.
        similarity = metrics.ssim_map(photo, generated) if "raw" in kinds else _composite_map(photo, composite, hole)
        told["hole_ssim"] = metrics.mean_ssim(similarity, hole)
    if "composite" in kinds:
        told["composite_psnr"] = metrics.psnr(photo, composite)
        told["composite_ssim"] = metrics.mean_ssim(_composite_map(photo, composite, hole))
    if "blended" in kinds:
        blended = fill.blended(photo, hole)
        told["blended_psnr"] = metrics.psnr(photo, blended)
        told["blended_ssim"] = metrics.ssim(photo, blended)
    return told


def _composite_map(photo: Pixels, composite: Pixels, hole: Bools) -> NDArray[np.float64]:
    """``metrics.ssim_map`` of photo and composite, computed around the hole alone: elsewhere it is 1.

    A window reaches REACH pixels; as many more around keep what is mirrored at the box's border out of sight.
    """
    similarity = np.ones(hole.shape)
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if not rows.size:
        return similarity

    def grown(found: NDArray[np.intp], by: int, size: int) -> slice:
        return slice(max(0, int(found[0]) - by), min(size, int(found[-1]) + 1 + by))

    seen = tuple(grown(found, 2 * REACH, size) for found, size in zip((rows, columns), hole.shape, strict=True))
    near = tuple(grown(found, REACH, size) for found, size in zip((rows, columns), hole.shape, strict=True))
    within = tuple(slice(n.start - s.start, n.stop - s.start) for n, s in zip(near, seen, strict=True))
    if min(s.stop - s.start for s in seen) < metrics.SSIM_WINDOW:
        return metrics.ssim_map(photo, composite)
    similarity[near] = metrics.ssim_map(photo[seen], composite[seen])[within]
    return similarity
