"""The faces that a table measures, what each mask hides of them, and how the pictures are turned."""

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
from faceinp.photo.arrays import Bools, Pixels
from faceinp.train.datasets import data as shards

ZOOM = 0.8  # scale of a turned picture, so that the face stays inside
ANGLES = (10.0, 25.0)  # degrees, in either direction


@dataclass(frozen=True, eq=False)
class Subjects:
    """The measured faces of one set at one size; ``index`` counts them from 0 to n - 1.

    name: the shards' stem. face_numbers: the number of each measured face in ``faces``, (n,), in the order drawn by
    ``seed``. masks: masks from files, by name; all other names are presets. without_points: how many faces of the
    shards were left out because they lack the 68 points that others have.
    """

    name: str
    faces: shards.Faces
    face_numbers: NDArray[np.intp]
    seed: int
    masks: Mapping[str, MaskFiles] = field(default_factory=dict)
    without_points: int = 0
    _holes: dict[tuple[str, int, str], Bools] = field(default_factory=dict)
    _digests: dict[tuple[str, int, str], str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.face_numbers)

    @property
    def size(self) -> int:
        return self.faces.size

    @cached_property
    def all_people(self) -> tuple[str, ...]:
        """The person on each face of the set; a face of an unknown person counts as a person of its own."""
        pairs = zip(self.faces.identities, self.faces.keys, strict=True)
        return tuple(person if person is not None else f"picture {key}" for person, key in pairs)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """The person on each measured face."""
        return tuple(self.all_people[number] for number in self.face_numbers)

    @property
    def shows_nobody_twice(self) -> bool:
        return len(set(self.all_people)) == len(self.all_people)

    @cached_property
    def same_person(self) -> Bools:
        """(n, N): whether a measured face and a face of the set show the same person."""
        return np.array(self.people)[:, None] == np.array(self.all_people)[None]

    @cached_property
    def has_points(self) -> bool:
        """Whether all measured faces have their 68 points."""
        return bool(self.faces.points[self.face_numbers].isfinite().all())

    def points(self, index: int) -> NDArray[np.float32]:
        """The shards' 68 points of a face, (68, 2), as shares of the side."""
        return np.asarray(self.faces.points[self.face_numbers[index]].numpy())

    def picture(self, index: int, arrangement: str = ALIGNED) -> Pixels:
        """A measured face, uint8 (S, S, 3)."""
        picture = self._stored(self.face_numbers[index])
        if arrangement == ALIGNED:
            return picture
        border = cv2.BORDER_REFLECT_101
        return np.asarray(cv2.warpAffine(picture, self._turn(index), picture.shape[:2], borderMode=border), np.uint8)

    def hole(self, mask: str, index: int, arrangement: str = ALIGNED) -> Bools:
        """What ``mask`` hides of a face, bool (S, S). Raises MaskError."""
        key = mask, index, arrangement
        if key not in self._holes:
            number = int(self.face_numbers[index])
            if mask in self.masks:
                hole = self.masks[mask].draw(number, self.size)
            else:
                points = self.points(index) * self.size if mask in presets.OF_FACES else None
                hole = presets.make(mask, (self.size, self.size), points=points, seed=number)
            if arrangement != ALIGNED:
                turned = cv2.warpAffine(hole.astype(np.uint8), self._turn(index), hole.shape, flags=cv2.INTER_NEAREST)
                hole = np.asarray(turned) > 0
            self._holes[key] = hole
        return self._holes[key]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the measured pictures, their points and names."""
        digests = [(self._digest("", index), digest(self.points(index))) for index in range(len(self))]
        return hashlib.sha256(repr((digests, self.people)).encode()).hexdigest()[:16]

    def digests(self, mask: str, index: int, arrangement: str = ALIGNED) -> tuple[str, ...]:
        """sha256 of a picture and of its hole; of the picture alone where ``mask`` is empty."""
        names = ("", mask) if mask else ("",)
        return tuple(self._digest(name, index, arrangement) for name in names)

    def _digest(self, mask: str, index: int, arrangement: str = ALIGNED) -> str:
        key = mask, index, arrangement
        if key not in self._digests:
            self._digests[key] = digest(self.hole(*key) if mask else self.picture(index, arrangement))
        return self._digests[key]

    def wearing(self, mask: str, index: int) -> Pixels:
        """A face with a protective mask or glasses drawn on it, where ``hole`` hides them."""
        wear = worn_occluders.wear_glasses if mask == "glasses" else worn_occluders.wear_protective_mask
        return wear(self.picture(index), self.points(index) * self.size, seed=int(self.face_numbers[index]))[0]

    def references(self, index: int, count: int) -> NDArray[np.intp]:
        """Numbers of the ``count`` other pictures of the person that are nearest in pose, nearest first."""
        number, people = int(self.face_numbers[index]), np.array(self.all_people)
        others = np.setdiff1d(np.flatnonzero(people == people[number]), [number])
        differences = np.hypot(*(self.poses[others] - self.poses[number]).T)
        return others[np.argsort(differences, kind="stable")[:count]]

    def reference_pictures(self, index: int, count: int) -> list[Pixels]:
        """The pictures of ``references``, uint8 (S, S, 3) each."""
        return [self._stored(number) for number in self.references(index, count)] if count else []

    @cached_property
    def poses(self) -> NDArray[np.float64]:
        """Yaw and pitch in degrees of each face of the set, (N, 2), NaN without points."""
        return np.array([pose(five_points(points)) for points in self.faces.points.numpy()])

    def bins(self) -> dict[str, Bools]:
        """Groups of the measured faces, bool (n,) each: by yaw where they have points, and thirds by blur."""
        groups: dict[str, Bools] = {}
        if self.has_points:
            yaw = np.abs(self.poses[self.face_numbers, 0])
            groups["yaw under 10°"] = yaw < 10
            groups["yaw 10 to 20°"] = (yaw >= 10) & (yaw < 20)
            groups["yaw over 20°"] = yaw >= 20
        detail = np.array([_detail(self.picture(index)) for index in range(len(self))])
        low, high = np.quantile(detail, [1 / 3, 2 / 3])
        groups["sharpest third"] = detail > high
        groups["middle third"] = (detail > low) & (detail <= high)
        groups["most blurred third"] = detail <= low
        return {name: group for name, group in groups.items() if group.any()}

    def _stored(self, number: np.intp) -> Pixels:
        return np.ascontiguousarray(self.faces.pictures[number].permute(1, 2, 0).numpy())

    def _turn(self, index: int) -> NDArray[np.float64]:
        """The affine map (2, 3) that turns the picture about its centre and shrinks it."""
        rng = np.random.default_rng((self.seed, int(self.face_numbers[index])))
        angle = rng.uniform(*ANGLES) * rng.choice((-1, 1))
        centre = (self.size - 1) / 2
        return np.asarray(cv2.getRotationMatrix2D((centre, centre), angle, ZOOM), np.float64)


def find_sets(data: str | Sequence[str]) -> dict[str, list[str]]:
    """Shards by their stem, such as "celeba-val".

    A folder stands for its ``*-val-*.tar`` files, or for all its tar files where it has none of these. Raises
    DataError when no shard matches.
    """
    patterns: list[str] = []
    for pattern in [data] if isinstance(data, str | Path) else data:
        folder = Path(pattern)
        files = folder / ("*-val-*.tar" if any(folder.glob("*-val-*.tar")) else "*.tar")
        patterns.append(str(files if folder.is_dir() else pattern))
    sets: dict[str, list[str]] = {}
    for url in shards.shard_urls(patterns):
        stem = Path(url).name.removesuffix(".tar").rstrip("0123456789").rstrip("-")
        sets.setdefault(stem or "data", []).append(url)
    return sets


def load(
    name: str, urls: Sequence[str], size: int, count: int, seed: int, masks: Mapping[str, MaskFiles] | None = None
) -> Subjects:
    """``count`` faces of the shards ``urls``, drawn by ``seed``; where only some have points, those only."""
    all_faces = shards.load(list(urls), size)
    some_have_points = bool(all_faces.points.isfinite().all(dim=2).all(dim=1).any())
    faces = all_faces.with_points() if some_have_points else all_faces
    face_numbers = np.random.default_rng(seed).permutation(len(faces))[:count]
    return Subjects(name, faces, face_numbers, seed, masks or {}, len(all_faces) - len(faces))


def digest(array: NDArray[np.generic]) -> str:
    """sha256 of an array's bytes and shape."""
    shape = f"{array.dtype}{array.shape}".encode()
    return hashlib.sha256(shape + np.ascontiguousarray(array).tobytes()).hexdigest()


def _detail(picture: Pixels) -> float:
    """Variance of the Laplacian, small for a blurred picture (Pech-Pacheco et al. 2000)."""
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
