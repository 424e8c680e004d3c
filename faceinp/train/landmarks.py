"""Training of the landmark predictor: faces whole and with holes, moved and recoloured, by the measure itself."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.errors import DataError
from faceinp.nets.landmarks import MIRROR, SEEN, Landmarks
from faceinp.train import data, holes, loop
from faceinp.train.colours import recolour

OUTER_EYE_CORNERS = (36, 45)
TURN, SCALE, SHIFT = 0.15, 0.08, 0.04  # how far faces are moved: radians, factor, share of the side
SHOWN = 32  # faces of the preview


@dataclass(frozen=True)
class LandmarksRun(loop.Run):
    """Settings of the landmark predictor; see ``loop.Run`` for the rest."""

    rate: float = field(default=2e-3, metadata={"help": "highest learning rate (AdamW, cosine to --steps)"})
    decay: float = field(default=0.02, metadata={"help": "weight decay"})
    masked: float = field(default=0.5, metadata={"help": "share of a batch that has a hole"})


class LandmarksTask:
    name = "landmarks"
    averaged: tuple[str, ...] = ("landmarks",)

    def __init__(self, config: LandmarksRun, faces: data.Faces, held_back: data.Faces) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces, self.held_back = config, faces, held_back
        network = Landmarks(SEEN)
        network.start_from(faces.points.mean(dim=0))
        self.networks: dict[str, nn.Module] = {"landmarks": network.to(memory_format=torch.channels_last)}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "landmarks": torch.optim.AdamW(network.parameters(), lr=config.rate, weight_decay=config.decay)
        }

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        config = self.config
        rng = np.random.default_rng((config.seed, step, rank))
        self.faces = self.faces.to(context.device)
        chosen = torch.from_numpy(rng.integers(len(self.faces), size=config.batch))
        pictures, points = move(
            self.faces.pictures[chosen].to(context.device).float() / 255,
            self.faces.points[chosen].to(context.device),
            rng,
        )
        pictures = recolour(soften(pictures, rng), rng)
        hole = holes.draw(points, SEEN, seed=(config.seed, step, rank))
        hole[round(config.masked * config.batch) :] = False
        optimizer = self.optimizers["landmarks"]
        loop.set_rate(optimizer, config.rate * loop.cosine(step, config.steps))
        with context.autocast():
            predicted = self.networks["landmarks"](pictures, hole)
        loss = error(predicted.float(), points).mean()
        context.update(loss, optimizer)
        return {"error": loss}

    @torch.no_grad()
    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """Held-back faces with holes: the shards' points green, predicted ones red."""
        network = averages["landmarks"]
        pictures, points, hole = self._held_back(network, SHOWN)
        predicted = predict(network, pictures, hole)
        shown = torch.where(hole, 0.5, pictures)
        owner = torch.arange(len(shown), device=shown.device)[:, None]
        for places, colour in ((points, (0, 1, 0)), (predicted, (1, 0, 0))):
            x, y = (places * SEEN).long().clamp(0, SEEN - 1).unbind(-1)
            shown[owner, :, y, x] = torch.tensor(colour, device=shown.device).float()
        return loop.grid(shown)

    @torch.no_grad()
    def validate(self, averages: dict[str, nn.Module]) -> dict[str, float]:
        """Errors of held-back faces with holes and without."""
        network = averages["landmarks"]
        pictures, points, hole = self._held_back(network, len(self.held_back))
        return {
            name: error(predict(network, pictures, hidden), points).mean().item()
            for name, hidden in (("held_back_masked", hole), ("held_back", torch.zeros_like(hole)))
        }

    def _held_back(self, network: nn.Module, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures, points and holes, always the same, where the network is."""
        device = next(network.parameters()).device
        points = self.held_back.points[:count].to(device)
        hole = holes.draw(points, SEEN, seed=(self.config.seed, 1))
        return self.held_back.pictures[:count].to(device).float() / 255, points, hole


def error(predicted: Tensor, points: Tensor) -> Tensor:
    """Mean distance of (N, 68, 2) from ``points``, in distances between the outer eye corners as in 300-W: (N,)."""
    one, other = OUTER_EYE_CORNERS
    between = (points[:, one] - points[:, other]).norm(dim=-1)
    return (predicted - points).norm(dim=-1).mean(dim=1) / between


def move(pictures: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mirror half of the pictures, and turn, scale and shift all a little, with their points."""
    count = len(pictures)
    mirrored = rng.random(count) < 0.5
    turn, scale = rng.uniform(-TURN, TURN, count), np.exp(rng.uniform(-SCALE, SCALE, count))
    shift = rng.uniform(-SHIFT, SHIFT, (count, 2))
    side = np.where(mirrored, -1.0, 1.0)
    # A place c' of the new picture, counted from its middle, shows the place A c' + shift of the old one.
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.stack([np.stack([cos * side, -sin], -1), np.stack([sin * side, cos], -1)], 1)
    there = np.concatenate([matrix, 2 * shift[..., None]], axis=2)  # grid_sample counts a side as 2
    theta = torch.from_numpy(there).to(pictures)
    grid = functional.affine_grid(theta, list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    back = torch.from_numpy(np.linalg.inv(matrix)).to(points)
    places = (points - 0.5 - torch.from_numpy(shift).to(points)[:, None]) @ back.transpose(1, 2) + 0.5
    flipped = torch.from_numpy(mirrored).to(points.device)[:, None, None]
    return moved, torch.where(flipped, places[:, list(MIRROR)], places)


def soften(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """A fifth of the pictures with half of their sharpness."""
    blurred = functional.interpolate(functional.avg_pool2d(pictures, 2), scale_factor=2, mode="bilinear")
    chosen = torch.from_numpy(rng.random(len(pictures)) < 0.2).to(pictures.device)
    return torch.where(chosen[:, None, None, None], blurred, pictures)


def predict(network: nn.Module, pictures: Tensor, hole: Tensor, batch: int = 64) -> Tensor:
    """Points of many faces, a few at a time."""
    return torch.cat([network(p, h) for p, h in zip(pictures.split(batch), hole.split(batch), strict=True)])


def train(config: LandmarksRun) -> None:
    """Raises DataError when the shards have too few faces with their 68 points."""
    faces = data.load(config.data, SEEN)
    known = torch.nonzero(faces.points.isfinite().all(dim=2).all(dim=1)).flatten().tolist()
    faces, held_back = faces.subset(known).split()
    if not len(faces) or not len(held_back):
        raise DataError(
            f"{len(known)} faces in {config.data} have 68 points: too few to learn from and to hold some back. "
            "Give more shards whose JSON holds `points`."
        )
    loop.train(LandmarksTask(config, faces, held_back), config)
