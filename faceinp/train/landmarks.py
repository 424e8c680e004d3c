"""Training of the landmark predictor: faces whole, with holes, damaged or hidden by objects, moved and recoloured.

The loss is the measure itself. Beside it, each point's expected error is fitted to the error that it has, by the
likelihood of a Laplace distribution (Kendall and Gal 2017, arXiv 1703.04977); that does not move the points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.errors import DataError
from faceinp.models import pretrained
from faceinp.nets.landmarks import NETWORKS, Landmarks
from faceinp.nets.points import MIRROR
from faceinp.train import loop, schedules
from faceinp.train.augmentation import degradation as damage
from faceinp.train.augmentation.views import recolour
from faceinp.train.datasets import data
from faceinp.train.holes import drawing, mask_holes
from faceinp.train.settings import option

OUTER_EYE_CORNERS = (36, 45)
TURN, SCALE, SHIFT = 0.2, 0.12, 0.06  # how far faces are moved: radians, factor, share of the side
TURNED, GREY, NOISY = 0.2, 0.1, 0.1  # the most turned faces; shares of pictures without colour and with noise
JAW_ENDS, NOSE_TIP = (0, 16), 30
SHOWN = 32  # faces of the preview
IMAGENET: dict[str, Callable[[], dict[str, Tensor]]] = {  # the states that networks start from
    "lite0": lambda: pretrained.efficientnet().state_dict(),
    "mobilenetv2": lambda: pretrained.torchvision_state("mobilenet_v2"),
}
OPTIMIZERS: dict[str, type[torch.optim.Adam]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
LAFIN_SIDE = 256  # pixels: the unit of its loss


def point_errors(predicted: Tensor, points: Tensor) -> Tensor:
    """The distance of each point (N, 68, 2) from where it is, in distances between the outer eye corners: (N, 68)."""
    one, other = OUTER_EYE_CORNERS
    between = (points[:, one] - points[:, other]).norm(dim=-1, keepdim=True)
    return (predicted - points).norm(dim=-1) / between


# The loss of predicted points (N, 68, 2): the mean distance by that of the eyes, which is what is measured; the norm of
# all 136 errors as one vector, in pixels of 256, as in LaFIn's code; or its square, as in LaFIn's formula.
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "eyes": lambda predicted, points: point_errors(predicted, points).mean(),
    "norm": lambda predicted, points: LAFIN_SIDE * (predicted - points).flatten(1).norm(dim=1).mean(),
    "squared": lambda predicted, points: LAFIN_SIDE**2 * (predicted - points).flatten(1).square().sum(dim=1).mean(),
}


@dataclass(frozen=True)
class LandmarksRun(mask_holes.MaskedRun):
    """Settings of the landmark predictor; see ``MaskedRun`` and ``loop.Run`` for the rest."""

    network: str = option(
        "lite0",
        "lite0 (EfficientNet-Lite0), mobilenet (ten of MobileNetV2's blocks at 128 pixels) or mobilenetv2 "
        "(all of it at 256, as in LaFIn)",
        choices=NETWORKS,
    )
    rate: float = option(1e-3, "highest learning rate", above=0)
    schedule: str = schedules.option("cosine", "of the network")
    optimizer: str = option("adamw", "adamw or adam", choices=OPTIMIZERS)
    beta1: float = option(0.9, "its decay of the mean of gradients", least=0, below=1)
    beta2: float = option(0.999, "its decay of the mean of their squares", least=0, below=1)
    decay: float = option(0.02, "weight decay", least=0)
    loss: str = option(
        "eyes",
        "eyes (mean distance by that of the outer eye corners), norm (of all errors as one vector, in "
        "pixels of 256, as in LaFIn's code) or squared (LaFIn's formula)",
        choices=LOSSES,
    )
    augmented: bool = option(True, "turn, move, blur and recolour faces; without it they are mirrored only")
    masked: float = option(0.6, "share of a batch that has a hole", least=0, most=1)
    turned: float = option(0.2, "share of a batch drawn from the most turned fifth of faces", least=0, most=1)
    occluded: float = option(0.2, "share of the pictures with an object before the face", least=0, most=1)
    damaged: float = option(0.2, "share of the pictures with damage of --damage", least=0, most=1)
    damage: str = option("", "tar of damage masks: grey PNG, white where the damage is")
    spread: float = option(0.02, "weight of the points' expected errors (lite0 only)", least=0)
    pretrained: bool = option(True, "start from the network's ImageNet weights")


class LandmarksTask:
    name = "landmarks"
    averaged: tuple[str, ...] = ("landmarks",)

    def __init__(self, config: LandmarksRun, faces: data.Faces, held_back: data.Faces) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces, self.held_back = config, faces, held_back
        self.turned = torch.argsort(turn(faces.points), descending=True)[: max(1, round(TURNED * len(faces)))]
        self.side = NETWORKS[config.network].input_side
        self.overlays = damage.load(config.damage, self.side) if config.damage else None
        self.masks = mask_holes.load(config, self.side)
        network = NETWORKS[config.network](self.side)
        network.start_from(faces.points.mean(dim=0))
        if config.pretrained and not (config.init or config.resume):
            if isinstance(network, Landmarks):
                raise DataError(f"There are no ImageNet weights of {config.network}. Add --no-pretrained.")
            network.start_from_imagenet(IMAGENET[config.network]())
        self.networks: dict[str, nn.Module] = {"landmarks": network.to(memory_format=torch.channels_last)}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "landmarks": OPTIMIZERS[config.optimizer](
                [p for p in network.train().parameters() if p.requires_grad],
                lr=config.rate,
                betas=(config.beta1, config.beta2),
                weight_decay=config.decay,
            )
        }

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        config = self.config
        rng = np.random.default_rng((config.seed, step, rank))
        self.faces = self.faces.to(context.device)
        chosen = self.faces.choose(config.batch, rng)
        turned = torch.from_numpy(rng.random(config.batch) < config.turned)
        chosen[turned] = self.turned[torch.from_numpy(rng.integers(len(self.turned), size=int(turned.sum())))]
        pictures = self.faces.pictures[chosen].to(context.device).float() / 255
        points = self.faces.points[chosen].to(context.device)
        seed = config.seed, step, rank
        if config.augmented:
            pictures, points = move(pictures, points, rng)
            pictures = self._disturbed(recolour(soften(pictures, rng), rng), points, rng, seed)
        else:
            pictures, points = mirror(pictures, points, rng)
        hole = self._holes(points, seed, damage=self.overlays, masks=self.masks)
        hole[round(config.masked * config.batch) :] = False
        optimizer = self.optimizers["landmarks"]
        loop.set_rate(optimizer, config.rate * schedules.SCHEDULES[config.schedule](step, context.progress))
        with context.autocast():
            answer = self.networks["landmarks"](pictures, hole)
        predicted, spread = answer if isinstance(answer, tuple) else (answer, None)
        errors = point_errors(predicted.float(), points)
        terms = {"error": errors.mean()}
        loss = LOSSES[config.loss](predicted.float(), points)
        if config.loss != "eyes":
            terms = {"loss": loss, **terms}
        if spread is not None:
            terms["likelihood"] = (errors.detach() / spread.float() + spread.float().log()).mean()
            loss = loss + config.spread * terms["likelihood"]
        context.update(loss, optimizer)
        return terms

    def _holes(self, points: Tensor, seed: tuple[int, ...], **overlays: Any) -> Tensor:
        return drawing.draw(points, self.side, seed=seed, kinds=self.config.holes, **overlays)

    def _disturbed(self, pictures: Tensor, points: Tensor, rng: np.random.Generator, seed: tuple[int, ...]) -> Tensor:
        """Objects before some of the faces, damage on some of the pictures, noise on some; some without colour."""
        config, device, count = self.config, pictures.device, len(pictures)

        def some(share: float) -> Tensor:
            return torch.from_numpy(np.flatnonzero(rng.random(count) < share)).to(device)

        grey, hidden, noisy = some(GREY), some(config.occluded), some(NOISY)
        pictures[grey] = pictures[grey].mean(dim=1, keepdim=True)
        shape = drawing.draw(points[hidden], self.side, seed=(*seed, 2))
        pictures[hidden] = damage.occlude(pictures[hidden], shape, pictures[(hidden + 1) % count], rng)
        if self.overlays is not None:
            damaged = some(config.damaged)
            alpha = damage.choose(self.overlays.to(device), len(damaged), rng)
            pictures[damaged] = damage.paint(pictures[damaged], alpha, rng)
        noise = torch.from_numpy(rng.normal(0, 0.06, (len(noisy), *pictures.shape[1:])).astype(np.float32))
        pictures[noisy] = (pictures[noisy] + noise.to(device)).clamp(0, 1)
        return pictures

    @torch.no_grad()
    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """Held-back faces with holes: the shards' points green, predicted ones red."""
        network = averages["landmarks"]
        pictures, points, hole = self._held_back(network, SHOWN)
        predicted = predict(network, pictures, hole)
        shown = torch.where(hole, 0.5, pictures)
        owner = torch.arange(len(shown), device=shown.device)[:, None]
        for drawn, colour in ((points, (0, 1, 0)), (predicted, (1, 0, 0))):
            x, y = (drawn * self.side).long().clamp(0, self.side - 1).unbind(-1)
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
        hole = self._holes(points, (self.config.seed, 1))
        return self.held_back.pictures[:count].to(device).float() / 255, points, hole


def error(predicted: Tensor, points: Tensor) -> Tensor:
    """Mean distance of (N, 68, 2) from ``points``, in distances between the outer eye corners as in 300-W: (N,)."""
    return point_errors(predicted, points).mean(dim=1)


def turn(points: Tensor) -> Tensor:
    """How far faces (N, 68, 2) are turned to a side, (N,): 0 from the front, 1 where the nose tip hides the jaw's end.

    The share by which the nose tip is nearer to one end of the jaw than to the other.
    """
    one, other = ((points[:, JAW_ENDS[i]] - points[:, NOSE_TIP]).norm(dim=-1) for i in (0, 1))
    return (one - other).abs() / (one + other)


def move(pictures: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mirror half of the pictures, and turn, scale and shift all a little, with their points."""
    count = len(pictures)
    mirrored = rng.random(count) < 0.5
    turn, scale = rng.uniform(-TURN, TURN, count), np.exp(rng.uniform(-SCALE, SCALE, count))
    shift = rng.uniform(-SHIFT, SHIFT, (count, 2))
    side = np.where(mirrored, -1.0, 1.0)
    # A point c' of the new picture, relative to its centre, shows the point A c' + shift of the old one.
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.stack([np.stack([cos * side, -sin], -1), np.stack([sin * side, cos], -1)], 1)
    affine = np.concatenate([matrix, 2 * shift[..., None]], axis=2)  # grid_sample counts a side as 2
    theta = torch.from_numpy(affine).to(pictures)
    grid = functional.affine_grid(theta, list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    back = torch.from_numpy(np.linalg.inv(matrix)).to(points)
    moved_points = (points - 0.5 - torch.from_numpy(shift).to(points)[:, None]) @ back.transpose(1, 2) + 0.5
    flipped = torch.from_numpy(mirrored).to(points.device)[:, None, None]
    return moved, torch.where(flipped, moved_points[:, list(MIRROR)], moved_points)


def mirror(pictures: Tensor, points: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Half of the pictures mirrored, with their points."""
    flipped = torch.from_numpy(rng.random(len(pictures)) < 0.5).to(points.device)
    mirrored_points = points.new_tensor((1.0, 0.0)) + points * points.new_tensor((-1.0, 1.0))
    return (
        torch.where(flipped[:, None, None, None], pictures.flip(-1), pictures),
        torch.where(flipped[:, None, None], mirrored_points[:, list(MIRROR)], points),
    )


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
    faces, held_back = data.load_for_training(config.data, NETWORKS[config.network].input_side, config.decode)
    loop.train(LandmarksTask(config, faces, held_back), config)
