"""Who is measured: faces of shards, which of them, what is hidden of each, and how the picture is turned."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.evaluate.engine_tables.tables import ALIGNED
from faceinp.face.faces import five_points, pose
from faceinp.mask import presets, worn_occluders
from faceinp.mask.mask_files import MaskFiles
from faceinp.train.datasets import data as shards

Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

ZOOM = 0.8  # of a turned picture, so that the face stays inside
ANGLES = (10.0, 25.0)  # degrees, either way


@dataclass(frozen=True, eq=False)
class Subjects:
    """Faces of one set at one size.

    name: the shards' stem. chosen: numbers of the faces that are measured, (n,), in the order drawn by ``seed``.
    masks: those that come from files, by name; all others are presets. pointless: how many faces of the shards were
    left out because they have no points and others have.
    """

    name: str
    faces: shards.Faces
    chosen: NDArray[np.intp]
    seed: int
    masks: Mapping[str, MaskFiles] = field(default_factory=dict)
    pointless: int = 0
    _holes: dict[tuple[str, int, str], Bools] = field(default_factory=dict)
    _digests: dict[tuple[str, int, str], str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.faces.size

    @cached_property
    def everybody(self) -> tuple[str, ...]:
        """Who is on each face of the set; where nobody knows, the picture counts as a person."""
        pairs = zip(self.faces.identities, self.faces.keys, strict=True)
        return tuple(person if person is not None else f"picture {key}" for person, key in pairs)

    @cached_property
    def same_person(self) -> Bools:
        """(n, N): which of the set's faces show the person of each that is measured."""
        return np.array(self.people)[:, None] == np.array(self.everybody)[None]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the pictures, points and names of those that are measured."""
        about = [(self.digest("", place), digest(self.points(place))) for place in range(len(self.chosen))]
        return hashlib.sha256(repr((about, self.people)).encode()).hexdigest()[:16]

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Who is on each face that is measured."""
        return tuple(self.everybody[n] for n in self.chosen)

    @cached_property
    def pointed(self) -> bool:
        """Whether the measured faces have their 68 points."""
        return bool(self.faces.points[self.chosen].isfinite().all())

    def points(self, place: int) -> NDArray[np.float32]:
        """The shards' 68 points of the face at ``place``, (68, 2), shares of the side."""
        return np.asarray(self.faces.points[self.chosen[place]].numpy())

    def picture(self, place: int, arrangement: str = ALIGNED) -> Pixels:
        """uint8 (S, S, 3): the face at ``place`` of those that are measured."""
        picture = np.ascontiguousarray(self.faces.pictures[self.chosen[place]].permute(1, 2, 0).numpy())
        if arrangement == ALIGNED:
            return picture
        border = cv2.BORDER_REFLECT_101
        return np.asarray(cv2.warpAffine(picture, self._turn(place), picture.shape[:2], borderMode=border), np.uint8)

    def hole(self, mask: str, place: int, arrangement: str = ALIGNED) -> Bools:
        """bool (S, S): what ``mask`` hides of it. Raises MaskError."""
        key = mask, place, arrangement
        if key not in self._holes:
            number = int(self.chosen[place])
            if mask in self.masks:
                hole = self.masks[mask].draw(number, self.size)
            else:
                points = self.points(place) * self.size if mask in presets.OF_FACES else None
                hole = presets.make(mask, (self.size, self.size), points=points, seed=number)
            if arrangement != ALIGNED:
                turned = cv2.warpAffine(hole.astype(np.uint8), self._turn(place), hole.shape, flags=cv2.INTER_NEAREST)
                hole = np.asarray(turned) > 0
            self._holes[key] = hole
        return self._holes[key]

    def digest(self, mask: str, place: int, arrangement: str = ALIGNED) -> str:
        """sha256 of the hole's pixels, or, where ``mask`` is empty, the picture's."""
        key = mask, place, arrangement
        if key not in self._digests:
            array = self.hole(mask, place, arrangement) if mask else self.picture(place, arrangement)
            self._digests[key] = digest(array)
        return self._digests[key]

    def digests(self, mask: str, place: int, arrangement: str = ALIGNED) -> tuple[str, str]:
        """Of the picture and of the hole."""
        return self.digest("", place, arrangement), self.digest(mask, place, arrangement)

    def wearing(self, mask: str, place: int) -> Pixels:
        """The face at ``place`` with a protective mask or glasses drawn on, as ``hole`` hides them."""
        number = int(self.chosen[place])
        points = self.points(place) * self.size
        if mask == "glasses":
            return worn_occluders.wear_glasses(self.picture(place), points, seed=number)[0]
        return worn_occluders.wear_protective_mask(self.picture(place), points, seed=number)[0]

    def references(self, place: int, count: int) -> NDArray[np.intp]:
        """Numbers of the ``count`` other pictures of this person that are nearest in pose, nearest first."""
        number, everybody = int(self.chosen[place]), np.array(self.everybody)
        others = np.setdiff1d(np.flatnonzero(everybody == everybody[number]), [number])
        apart = np.hypot(*(self.poses[others] - self.poses[number]).T)
        return others[np.argsort(apart, kind="stable")[:count]]

    def reference_pictures(self, place: int, count: int) -> list[Pixels]:
        """Those pictures, uint8 (S, S, 3)."""
        numbers = self.references(place, count)
        return [np.ascontiguousarray(self.faces.pictures[n].permute(1, 2, 0).numpy()) for n in numbers]

    @cached_property
    def poses(self) -> NDArray[np.float64]:
        """Yaw and pitch in degrees of each face of the set, (N, 2), NaN without points."""
        return np.array([pose(five_points(points)) for points in self.faces.points.numpy()])

    def rest(self) -> NDArray[np.intp]:
        """Numbers of the faces that are not measured."""
        return np.setdiff1d(np.arange(len(self.faces)), self.chosen)

    def bins(self) -> dict[str, Bools]:
        """Groups of the measured faces, each bool (n,): by yaw where there are points, and thirds by blur."""
        groups: dict[str, Bools] = {}
        if self.pointed:
            turned = np.abs(self.poses[self.chosen, 0])
            groups["yaw under 10°"] = turned < 10
            groups["yaw 10 to 20°"] = (turned >= 10) & (turned < 20)
            groups["yaw over 20°"] = turned >= 20
        detail = np.array([_detail(self.picture(place)) for place in range(len(self.chosen))])
        low, high = np.quantile(detail, [1 / 3, 2 / 3])
        groups["sharpest third"] = detail > high
        groups["middle third"] = (detail > low) & (detail <= high)
        groups["most blurred third"] = detail <= low
        return {name: group for name, group in groups.items() if group.any()}

    def _turn(self, place: int) -> NDArray[np.float64]:
        """The affine map (2, 3) that turns the picture about its middle and shrinks it."""
        rng = np.random.default_rng((self.seed, int(self.chosen[place])))
        angle = rng.uniform(*ANGLES) * rng.choice((-1, 1))
        middle = (self.size - 1) / 2
        return np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, ZOOM), np.float64)


def sets(data: str | Sequence[str]) -> dict[str, list[str]]:
    """Shards by their stem, such as "celeba-val": a folder stands for its ``*-val-*.tar``, else for all its tars.

    Raises DataError when there is none.
    """
    patterns: list[str] = []
    for given in [data] if isinstance(data, str | Path) else data:
        folder = Path(given)
        if folder.is_dir():
            patterns.append(str(folder / ("*-val-*.tar" if any(folder.glob("*-val-*.tar")) else "*.tar")))
        else:
            patterns.append(str(given))
    found: dict[str, list[str]] = {}
    for url in shards.shard_urls(patterns):
        stem = Path(url).name.removesuffix(".tar").rstrip("0123456789").rstrip("-")
        found.setdefault(stem or "data", []).append(url)
    return found


def load(
    name: str, urls: Sequence[str], size: int, count: int, seed: int, masks: Mapping[str, MaskFiles] | None = None
) -> Subjects:
    """``count`` faces of the shards ``urls``, drawn by ``seed``; where only some have points, of those."""
    faces = every = shards.load(list(urls), size)
    if bool(faces.points.isfinite().all(dim=2).all(dim=1).any()):
        faces = faces.with_points()
    return Subjects(
        name,
        faces,
        np.random.default_rng(seed).permutation(len(faces))[:count],
        seed,
        masks or {},
        len(every) - len(faces),
    )


def digest(array: NDArray[np.generic]) -> str:
    """sha256 of an array's bytes and shape."""
    about = f"{array.dtype}{array.shape}".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()


def _detail(picture: Pixels) -> float:
    """Variance of the Laplacian, small for a blurred picture (Pech-Pacheco et al. 2000)."""
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
