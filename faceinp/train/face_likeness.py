"""Statistics of predicted landmarks for crops with a centred face and for crops without one."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from faceinp.errors import DataError
from faceinp.face import landmark_predictor
from faceinp.models import weights
from faceinp.nets.face_likeness import FaceLikeness
from faceinp.photo import staging
from faceinp.train import settings
from faceinp.train.datasets import backgrounds, data
from faceinp.train.holes import drawing
from faceinp.train.settings import option

SIDE = landmark_predictor.SIZE
NOISE = 1e-3  # shares of the side
LEAST = 1000  # faces
# What a face may be off in a crop that counts as aligned: log of its size, degrees, shares of the side.
ALIGNED = (0.08, 6.0, 0.03)


@dataclass(frozen=True)
class FaceLikenessRun:
    """Aligned faces against the same faces misplaced, and parts of photos."""

    data: tuple[str, ...] = option((), "training shards")
    photos: tuple[str, ...] = option((), "photos without faces, paths or globs")
    out: str = option("face-likeness.safetensors", "where the measured numbers go")
    faces: int = option(500, "of each shard", least=1)
    seed: int = option(0, "of holes and misplacements", least=0, most=2**63 - 1)

    def __post_init__(self) -> None:
        settings.check_values(self)


def measure(config: FaceLikenessRun) -> FaceLikeness:
    """Write ``out`` and print how many held-back crops are classified correctly. Raises DataError for few faces."""
    rng = np.random.default_rng(config.seed)
    shards = [data.load(shard, SIDE, limit=config.faces) for shard in data.shard_urls(config.data)]
    answers: dict[bool, tuple[list[Tensor], list[Tensor]]] = {False: ([], []), True: ([], [])}
    for shard in shards:
        for held_back, faces in zip((False, True), shard.split(), strict=True):
            if not len(faces):
                continue
            pictures = faces.pictures[:].permute(0, 2, 3, 1).numpy()
            moved = [move(picture, *_slightly(rng)) for picture in pictures]
            misplaced = [move(picture, *_misplaced(rng)) for picture in pictures]
            answers[held_back][0].append(_predicted(moved, rng))
            answers[held_back][1].append(_predicted(misplaced, rng))
    if config.photos:
        for held_back, photos in zip((False, True), backgrounds.load((), config.photos, 0), strict=True):
            parts = [photos.draw(SIDE, rng) for _ in range(config.faces // (10 if held_back else 1))]
            answers[held_back][1].append(_predicted(parts, rng))
    aligned, others = (torch.cat(values) for values in answers[False])
    if len(aligned) < LEAST:
        raise DataError(
            f"The shards have {len(aligned)} faces to measure; at least {LEAST} are needed. Give more shards."
        )
    network = FaceLikeness()
    network.fit(aligned, others, NOISE)
    if answers[True][0]:
        right, wrong = (network(torch.cat(values)) for values in answers[True])
        print(
            f"held back: {(right > 0.5).float().mean():.1%} of {len(right)} faces above .5, "
            f"{(wrong > 0.5).float().mean():.1%} of {len(wrong)} others"
        )
    about = {"config": "{}", "network": "face-likeness", "predictor": weights.sha256(weights.path("landmarks"))}
    tensors = {f"likeness/{name}": value.contiguous() for name, value in network.state_dict().items()}
    with staging.replacing(config.out) as temporary:
        save_file(tensors, temporary, about)
    return network


def move(picture: NDArray[np.uint8], scale: float, angle: float, along: float, down: float) -> NDArray[np.uint8]:
    """A square picture scaled and turned (degrees) about its middle, moved by shares of its side, mirrored beyond."""
    side = len(picture)
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
    matrix[:, 2] += np.array([along, down]) * side
    averaged = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 1 else picture
    moved = cv2.warpAffine(averaged, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def _slightly(rng: np.random.Generator) -> tuple[float, float, float, float]:
    size, angle, shift = ALIGNED
    along, down = rng.uniform(-shift, shift, 2)
    return float(np.exp(rng.uniform(-size, size))), rng.uniform(-angle, angle), along, down


def _misplaced(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Too small, too large, on its side or upside down, tilted, beside the middle, or only somewhere in it."""
    scale, angle, shift, away = rng.uniform(0.8, 1.2), rng.uniform(-20, 20), 0.05, 0.0
    match rng.integers(6):
        case 0:
            scale, shift = rng.uniform(0.3, 0.65), 0.15
        case 1:
            scale, shift = rng.uniform(1.5, 2.5), 0.1
        case 2:
            angle += rng.choice([90, 180, 270])
        case 3:
            angle = rng.choice([-1, 1]) * rng.uniform(35, 60)
        case 4:
            away = rng.uniform(0.18, 0.5)
        case _:
            scale, angle, shift = rng.uniform(0.2, 0.5), rng.uniform(-180, 180), 0.4
    direction, (along, down) = rng.uniform(0, 2 * np.pi), rng.uniform(-shift, shift, 2)
    return scale, float(angle), along + away * np.cos(direction), down + away * np.sin(direction)


def _predicted(pictures: Sequence[NDArray[np.uint8]], rng: np.random.Generator) -> Tensor:
    """Landmarks (N, 68, 2) of pictures (SIDE, SIDE, 3), half of which have a hole."""
    nowhere = torch.full((len(pictures), 68, 2), torch.nan)  # holes lie on an average face
    hole = drawing.draw(nowhere, SIDE, seed=(int(rng.integers(1 << 31)),)).numpy()
    hole &= (rng.random(len(pictures)) < 0.5)[:, None, None, None]
    crops = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return torch.from_numpy(landmark_predictor.predict(crops, hole))
