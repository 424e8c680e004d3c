"""Training of the landmark-guided completion: formulas (2) to (5) of the second paper (L), and feature matching.

Reconstruction alone first (``--adversarial 0 --matching 0``), until it has settled; then ``--init`` from there with the
losses that sharpen. A term whose weight is 0 costs nothing: its network is neither loaded nor run.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from faceinp import identity, losses, weights
from faceinp.errors import DataError, MissingPackageError
from faceinp.nets import completion, embedding
from faceinp.nets.landmarks import MIRROR, SEEN, Landmarks
from faceinp.nets.patchgan import PatchDiscriminator
from faceinp.nets.squeezenet import SqueezeNet
from faceinp.train import data, holes, loop
from faceinp.train.colours import recolour

DEEPEST, SHOWN, VALIDATED = 5, 8, 96  # SqueezeNet's last fire for the losses; held-back faces shown and measured
STRIDES = 8  # of that fire and of the judge's maps: as far as pictures are shifted


@dataclass(frozen=True)
class CompletionRun(loop.Run):
    """Settings of the completion network; see ``loop.Run`` for the rest."""

    network: str = field(default="small", metadata={"help": "small, coarse-to-fine (two of it) or large (the paper's)"})
    width: int = field(default=32, metadata={"help": "channels at the first depth; the paper's network has 64"})
    side: int = field(default=128, metadata={"help": "side of the pictures, a multiple of 32"})
    rate: float = field(default=5e-4, metadata={"help": "highest learning rate of the generator (Adam, cosine)"})
    rate_discriminator: float = field(default=2e-4, metadata={"help": "learning rate of the discriminator"})
    patch_width: int = field(default=64, metadata={"help": "channels of the discriminator's first layer"})
    look: int = field(
        default=0, metadata={"help": "side of the part around the hole that the discriminator looks at (0: everything)"}
    )
    hole: float = field(default=1.0, metadata={"help": "weight of the reconstruction in the hole"})
    squared: float = field(default=0.0, metadata={"help": "weight of its square, which settles large holes' colours"})
    perceptual: float = field(default=0.0, metadata={"help": "weight of the perceptual loss (needs --features)"})
    style: float = field(default=0.0, metadata={"help": "weight of the style loss (needs --features)"})
    identity: float = field(default=0.0, metadata={"help": "weight of the identity loss"})
    judge: str = field(
        default="bundled", metadata={"help": "its judge: bundled, facenet (the paper's) or an ONNX file with a sidecar"}
    )
    blur: float = field(
        default=0.0, metadata={"help": "largest blur of what a judge other than bundled is shown, sigma in pixels"}
    )
    traits: float = field(default=0.0, metadata={"help": "weight of the perceptual loss on the bundled judge's maps"})
    adversarial: float = field(default=0.0, metadata={"help": "weight of the adversarial loss"})
    matching: float = field(default=0.0, metadata={"help": "weight of the discriminator's feature matching"})
    variation: float = field(default=0.0, metadata={"help": "weight of the total variation"})
    checkerboard: float = field(default=0.0, metadata={"help": "weight of the error that repeats in a grid, squared"})
    colour: float = field(default=0.0, metadata={"help": "weight of the squared error of blurred fills"})
    features: str = field(default="", metadata={"help": "SqueezeNet 1.0 on ImageNet as safetensors"})
    jitter: float = field(default=0.006, metadata={"help": "noise on the landmarks, in shares of the side"})
    predicted: float = field(
        default=0.5, metadata={"help": "share of a batch that is led by the shipped predictor's landmarks"}
    )
    recoloured: float = field(default=0.5, metadata={"help": "share of the pictures whose colours are changed"})
    landmarks: bool = field(default=True, metadata={"help": "give the landmarks to the network"})


class CompletionTask:
    name = "completion"
    averaged: tuple[str, ...] = ("generator",)

    def __init__(self, config: CompletionRun, faces: data.Faces, held_back: data.Faces) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces = config, faces
        self.held_back = held_back.subset(range(min(VALIDATED, len(held_back))))
        generator = completion.NETWORKS[config.network](config.width)
        self.networks: dict[str, nn.Module] = {
            "generator": generator.to(memory_format=torch.channels_last),
            "discriminator": PatchDiscriminator(config.patch_width).to(memory_format=torch.channels_last),
        }
        rates = {"generator": config.rate, "discriminator": config.rate_discriminator}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(
                [p for p in network.parameters() if p.requires_grad], lr=rates[name], betas=(0.5, 0.99)
            )
            for name, network in self.networks.items()
        }
        self.seen = _frozen(_features(config.features)) if config.perceptual or config.style else None
        own = config.identity and config.judge == "bundled"
        self.bundled = _frozen(_bundled()) if config.traits or own else None
        if config.identity and not own:
            _judge(config.judge, torch.device("cpu"))  # what it lacks is said now
        self.predictor = _frozen(_predictor(config.side)) if config.predicted else None

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        config, device = self.config, context.device
        seed = (config.seed, step, rank)
        self.faces = self.faces.to(device)
        pictures, points = drawn(self.faces, config.batch, seed, device, config.recoloured)
        hole = holes.draw(points, config.side, seed=seed).float()
        points = _jittered(points, config.jitter, seed)
        led = round(config.predicted * config.batch)
        if self.predictor is not None and led:
            points[:led] = _predicted(self.predictor, pictures[:led], hole[:led])
        maps = self._maps(points)
        loop.set_rate(self.optimizers["generator"], config.rate * loop.cosine(step, config.steps))
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        with context.autocast():
            generated = generator(pictures, hole, maps).float()
        composite = torch.where(hole > 0, generated, pictures)
        terms: dict[str, Tensor] = {}
        fooled = config.adversarial > 0 or config.matching > 0
        if fooled:
            part = looked_at(hole, min(config.look or config.side, config.side), seed)
            real, generated_part, hole_part = (part(x) for x in (pictures, composite, hole))
            with context.autocast():
                on_real, targets = discriminator(real, hole_part)
                on_generated, _ = discriminator(generated_part.detach(), hole_part)
            terms["discriminator"] = losses.discrimination(on_real.float(), on_generated.float())
            context.update(terms["discriminator"], self.optimizers["discriminator"])
            discriminator.requires_grad_(False)
        with context.autocast():
            weighted = self._plain(generated, composite, pictures, hole, seed)
        if fooled:
            with context.autocast():
                logits, features = discriminator(generated_part, hole_part)
            weighted["adversarial"] = config.adversarial, losses.adversarial(logits.float())
            weighted["matching"] = config.matching, losses.matching(features, [target.detach() for target in targets])
        loss = torch.stack([weight * value for weight, value in weighted.values()]).sum()
        context.update(loss, self.optimizers["generator"])
        discriminator.requires_grad_(True)
        return {"loss": loss, **{name: value for name, (_, value) in weighted.items()}, **terms}

    def _plain(
        self,
        generated: Tensor,
        composite: Tensor,
        pictures: Tensor,
        hole: Tensor,
        seed: tuple[int, ...] | None = None,
    ) -> dict[str, tuple[float, Tensor]]:
        """The terms that need no opponent: name -> (weight, value). With a ``seed``, networks see both pictures rolled
        by a few pixels, and a judge other than bundled sees them blurred and mirrored, too.
        """
        config = self.config
        terms = {"hole": (config.hole, losses.reconstruction(generated, pictures, hole).mean())}
        if config.squared:
            terms["squared"] = config.squared, losses.squared(generated, pictures, hole).mean()
        if config.variation:
            terms["variation"] = config.variation, losses.variation(composite, hole)
        if config.checkerboard:
            terms["checkerboard"] = config.checkerboard, losses.checkerboard(generated, pictures, hole)
        if config.colour:
            terms["colour"] = config.colour, losses.colour(generated, pictures, hole)
        if seed:
            shift = _shift(seed)
            composite, pictures = (x.roll(shift, dims=(2, 3)) for x in (composite, pictures))
        if self.seen is not None:
            seen = self.seen.to(pictures.device)
            features = seen.layers(composite, DEEPEST)
            with torch.no_grad():
                targets = seen.layers(pictures, DEEPEST)
            features, targets = losses.as_shares(features, targets)
            terms["perceptual"] = config.perceptual, losses.perceptual(features, targets)
            terms["style"] = config.style, losses.style(features, targets)
        if self.bundled is not None:  # looks once for both losses
            bundled = self.bundled.to(pictures.device)
            features = bundled.layers(_faces(composite))
            with torch.no_grad():
                targets = bundled.layers(_faces(pictures))
            terms["traits"] = config.traits, losses.perceptual(*losses.as_shares(features, targets))
        if config.identity:
            if config.judge == "bundled":
                vectors, originals = (bundled.vectors(maps[-1]).float() for maps in (features, targets))
            else:
                judge = _judge(config.judge, pictures.device)
                if seed:
                    composite, pictures = _disturbed((composite, pictures), config.blur, seed)
                # One look at both: an ONNX judge stays on the network's device only where gradients are asked for.
                vectors, originals = judge.embed(torch.cat([composite, pictures])).chunk(2)
            terms["identity"] = config.identity, losses.identity(vectors, originals.detach())
        return terms

    def _maps(self, points: Tensor) -> Tensor:
        maps = completion.landmark_map(points, self.config.side)
        return maps if self.config.landmarks else torch.zeros_like(maps)

    @torch.no_grad()
    def _fill(self, generator: nn.Module) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The held-back faces, always with the same holes: pictures, holes, maps, generated."""
        device = next(generator.parameters()).device
        pictures, points = self.held_back.pictures.to(device).float() / 255, self.held_back.points.to(device)
        hole = holes.draw(points, self.config.side, seed=(self.config.seed, 5)).float()
        points = points if self.predictor is None else _predicted(self.predictor, pictures, hole)
        maps = self._maps(points)
        parts = zip(pictures.split(16), hole.split(16), maps.split(16), strict=True)
        return pictures, hole, maps, torch.cat([generator(p, h, m) for p, h, m in parts])

    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """Held-back faces by row: masked, landmarks, generated, result, truth."""
        pictures, hole, maps, generated = (x[:SHOWN] for x in self._fill(averages["generator"]))
        rows = [
            torch.where(hole > 0, 0.5, pictures),
            maps.amax(dim=1, keepdim=True).expand(-1, 3, -1, -1),
            generated,
            torch.where(hole > 0, generated, pictures),
            pictures,
        ]
        return loop.grid(torch.cat(rows), columns=len(pictures))

    @torch.no_grad()
    def validate(self, averages: dict[str, nn.Module]) -> dict[str, float]:
        """On held-back faces: the weighted sum of all terms that need no opponent, and the composite's PSNR in dB."""
        pictures, hole, _, generated = self._fill(averages["generator"])
        composite = torch.where(hole > 0, generated, pictures)
        terms = self._plain(generated, composite, pictures, hole)
        error = ((composite - pictures) ** 2).mean(dim=(1, 2, 3)).clamp(min=1e-10)
        return {
            "held_back": float(sum(weight * value for weight, value in terms.values())),
            "held_back_psnr": float((-10 * torch.log10(error)).mean()),
        }


def drawn(
    faces: data.Faces, count: int, seed: tuple[int, ...], device: torch.device, recoloured: float = 0.0
) -> tuple[Tensor, Tensor]:
    """``count`` faces, half of them mirrored, that share ``recoloured``: float32 (count, 3, S, S) in [0, 1] and points
    (count, 68, 2).
    """
    rng = np.random.default_rng(seed)
    chosen = torch.from_numpy(rng.integers(len(faces), size=count))
    pictures, points = faces.pictures[chosen].to(device).float() / 255, faces.points[chosen].to(device)

    def some(share: float) -> Tensor:
        return torch.from_numpy(rng.random(count) < share).to(device)[:, None, None, None]

    mirrored = some(0.5)
    pictures = torch.where(mirrored, pictures.flip(-1), pictures)
    pictures = torch.where(some(recoloured), recolour(pictures, rng), pictures)
    over = points.new_tensor([1.0, 0.0])
    turned = (over + points * points.new_tensor([-1.0, 1.0]))[:, list(MIRROR)]
    return pictures, torch.where(mirrored[:, 0], turned, points)


def looked_at(hole: Tensor, side: int, seed: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """What cuts (N, C, S, S) to (N, C, side, side): each picture to a square around some pixel of its hole.

    A discriminator of patches loses nothing by it: over many steps it sees every patch that holds a part of a hole.
    """
    rng = np.random.default_rng((*seed, 7))
    count, _, whole, _ = hole.shape
    inside = hole.flatten(1).cumsum(1)
    wanted = torch.from_numpy(rng.random((count, 1))).to(hole) * inside[:, -1:]
    pixel = torch.searchsorted(inside, wanted, right=True).clamp(max=whole * whole - 1)
    steps = torch.arange(side, device=hole.device)
    # (N, side) each
    rows, columns = ((at - side // 2).clamp(0, whole - side) + steps for at in (pixel // whole, pixel % whole))
    number = torch.arange(count, device=hole.device)[:, None, None]
    return lambda x: x.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def _shift(seed: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns. Layers of strides look at every eighth pixel more than at others: were those always the same,
    they would favour fills with a grid of that phase.
    """
    down, right = np.random.default_rng((*seed, 8)).integers(0, STRIDES, size=2)
    return int(down), int(right)


def _disturbed(both: Iterable[Tensor], most: float, seed: tuple[int, ...]) -> list[Tensor]:
    """(N, 3, S, S) each, mirrored in every second step and blurred by a Gaussian of up to ``most`` pixels (sigma).

    A judge's gradient rewards flecks that no face has. What is gone when the picture is seen a little otherwise is
    worth less to it (expectation over transformations, Athalye et al. 2018, arXiv 1707.07397).
    """
    rng = np.random.default_rng((*seed, 9))
    mirrored, sigma = rng.random() < 0.5, rng.uniform(0, most)
    pictures = [x.flip(-1) if mirrored else x for x in both]
    if not most:
        return pictures
    size = 2 * math.ceil(3 * most) + 1
    return [gaussian_blur(x, [size, size], [max(sigma, 0.01)] * 2) for x in pictures]


def _jittered(points: Tensor, jitter: float, seed: tuple[int, ...]) -> Tensor:
    """Points a little off, all together and each alone: a predictor's are never exact."""
    rng = np.random.default_rng((*seed, 6))
    together, alone = rng.normal(0, jitter, (len(points), 1, 2)), rng.normal(0, jitter / 2, tuple(points.shape))
    return points + torch.from_numpy(together + alone).to(points)


@torch.no_grad()
def _predicted(predictor: Landmarks, pictures: Tensor, hole: Tensor) -> Tensor:
    """The landmarks that the engine goes by, guessed where the hole hides them: points (N, 68, 2)."""
    points: Tensor = predictor.to(pictures.device)(pictures, hole)
    return points


def _faces(pictures: Tensor) -> Tensor:
    return embedding.resample(pictures, embedding.BOX, (embedding.SIZE, embedding.SIZE))


def _features(file: str) -> SqueezeNet:
    if not file:
        raise DataError("The perceptual and the style loss need --features: SqueezeNet 1.0 as safetensors.")
    return weights.squeezenet(file)


@cache
def _judge(name: str, device: torch.device) -> identity.Judge:
    if name != "facenet" and not name.endswith(".onnx"):
        raise DataError(f"{name!r} cannot be in a loss. Set --judge to bundled, facenet or an ONNX file.")
    judge = identity.load(name, device)
    if not judge.differentiable:
        raise MissingPackageError("onnx2torch", "train")
    return judge


def _bundled() -> embedding.Embedding:
    config, tensors = weights.packed(weights.path("embedding"))
    network = embedding.Embedding(**config)
    network.load_state_dict(weights.under(tensors, "embedding/"))
    return network


def _predictor(side: int) -> Landmarks:
    if side % SEEN:
        raise DataError(f"The landmark predictor looks at multiples of {SEEN} pixels. Set --predicted 0, or --side.")
    network = Landmarks(side)
    network.load_state_dict(weights.under(weights.packed(weights.path("landmarks"))[1], "landmarks/"))
    return network


def _frozen(network: nn.Module) -> Any:
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def train(config: CompletionRun) -> None:
    """Raises DataError when no picture of the shards has its 68 points."""
    faces = data.load(config.data, config.side)
    loop.train(CompletionTask(config, *faces.with_points().split()), config)
