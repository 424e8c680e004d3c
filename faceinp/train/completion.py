"""Training of the landmark-guided completion: formulas (2) to (5) of the second paper (L), and feature matching.

Reconstruction alone first (``--adversarial 0 --matching 0``), until it has settled; then ``--init`` from there with the
losses that sharpen. A term whose weight is 0 costs nothing: its network is neither loaded nor run.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faceinp import identity, losses, pretrained, weights
from faceinp.errors import DataError, MissingPackageError
from faceinp.nets import completion, embedding, landmarks
from faceinp.nets.landmarks import SEEN
from faceinp.train import damage, data, graphs, guides, holes, loop, mask_holes, naturalness, opponents, views

SHOWN, VALIDATED = 8, 128  # held-back faces shown and measured
STRIDES = 16  # of the deepest maps that losses look at: as far as pictures are shifted


@dataclass(frozen=True)
class CompletionRun(mask_holes.MaskedRun):
    """Settings of the completion network; see ``MaskedRun`` and ``loop.Run`` for the rest."""

    network: str = field(default="small", metadata={"help": "small, coarse-to-fine (two of it) or large (the paper's)"})
    width: int = field(default=32, metadata={"help": "channels at the first depth; the paper's network has 64"})
    side: int = field(default=128, metadata={"help": "side of the pictures, a multiple of 32"})
    rate: float = field(default=5e-4, metadata={"help": "highest learning rate of the generator (Adam, cosine)"})
    rate_discriminator: float = field(default=2e-4, metadata={"help": "learning rate of the discriminators"})
    patch_width: int = field(default=64, metadata={"help": "channels of the PatchGAN's first layer"})
    look: int = field(
        default=0, metadata={"help": "side of the part around the hole that the PatchGAN looks at (0: everything)"}
    )
    projected_width: int = field(default=64, metadata={"help": "channels of the projected discriminator's heads"})
    hole: float = field(default=1.0, metadata={"help": "weight of the reconstruction in the hole"})
    squared: float = field(default=0.0, metadata={"help": "weight of its square, which settles large holes' colours"})
    perceptual: float = field(default=0.0, metadata={"help": "weight of the perceptual loss on --features"})
    style: float = field(default=0.0, metadata={"help": "weight of the style loss on --features"})
    identity: float = field(default=0.0, metadata={"help": "weight of the identity loss"})
    judge: str = field(
        default="bundled", metadata={"help": "its judge: bundled, facenet (the paper's) or an ONNX file with a sidecar"}
    )
    blur: float = field(
        default=0.0, metadata={"help": "largest blur of what a judge other than bundled is shown, sigma in pixels"}
    )
    traits: float = field(default=0.0, metadata={"help": "weight of the perceptual loss on the bundled judge's maps"})
    adversarial: float = field(default=0.0, metadata={"help": "weight of the PatchGAN's adversarial loss"})
    matching: float = field(default=0.0, metadata={"help": "weight of the PatchGAN's feature matching"})
    projected: float = field(default=0.0, metadata={"help": "weight of the projected discriminator's adversarial loss"})
    projected_matching: float = field(
        default=0.0, metadata={"help": "weight of the projected discriminator's feature matching"}
    )
    variation: float = field(default=0.0, metadata={"help": "weight of the total variation"})
    checkerboard: float = field(default=0.0, metadata={"help": "weight of the error that repeats in a grid, squared"})
    colour: float = field(default=0.0, metadata={"help": "weight of the squared error of blurred fills"})
    features: str = field(
        default="efficientnet-lite0",
        metadata={
            "help": "network of the perceptual and the style loss: efficientnet-lite0, or vgg19, vgg16, squeezenet1_0 "
            "or squeezenet1_1 by its name or its file from torchvision"
        },
    )
    jitter: float = field(default=0.006, metadata={"help": "noise on the landmarks, in shares of the side"})
    predicted: float = field(
        default=0.5, metadata={"help": "share of a batch that is led by the shipped predictor's landmarks"}
    )
    disturbed: float = field(default=0.1, metadata={"help": "share led by landmarks that are wrong as a whole"})
    dropped: float = field(default=0.1, metadata={"help": "share that is given no landmarks"})
    psnr_floor: float = field(
        default=0.0, metadata={"help": "PSNR on held-back faces in dB that the chosen averages reach at least"}
    )
    damage: str = field(default="", metadata={"help": "tar of damage masks: grey PNG, white where the damage is"})
    recoloured: float = field(default=0.5, metadata={"help": "share of the pictures whose colours are changed"})
    landmarks: bool = field(default=True, metadata={"help": "give the landmarks to the network"})


class CompletionTask:
    name = "completion"
    averaged: tuple[str, ...] = ("generator",)

    def __init__(self, config: CompletionRun, faces: data.Faces, held_back: data.Faces) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces = config, faces
        spread = np.linspace(0, len(held_back) - 1, min(VALIDATED, len(held_back))).round().astype(int)
        self.held_back = held_back.subset(spread.tolist())  # of every shard
        generator = completion.NETWORKS[config.network](config.width)
        self.networks: dict[str, nn.Module] = {
            "generator": generator.to(memory_format=torch.channels_last),
        }
        self.opponents = []
        if config.adversarial or config.matching:
            self.opponents.append(opponents.patch(config.patch_width, config.adversarial, config.matching, config.look))
        if config.projected or config.projected_matching:
            trunk = _frozen(pretrained.efficientnet())
            self.opponents.append(
                opponents.project(
                    trunk, config.projected_width, config.projected, config.projected_matching, config.seed
                )
            )
        self.networks |= {opponent.name: opponent.network for opponent in self.opponents}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: graphs.adam(
                network, config.rate if name == "generator" else config.rate_discriminator, (0.5, 0.99), config.graph
            )
            for name, network in self.networks.items()
        }
        self.damage = damage.load(config.damage, config.side) if config.damage else None
        self.masks = mask_holes.load(config, config.side)
        self.seen = _frozen(pretrained.features(config.features)) if config.perceptual or config.style else None
        own = config.identity and config.judge == "bundled"
        self.bundled = _frozen(_bundled()) if config.traits or own else None
        if config.identity and not own:
            _judge(config.judge, torch.device("cpu"))  # what it lacks is said now
        self.predictor = _frozen(_predictor(config.side)) if config.predicted else None

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        rate = self.config.rate * loop.cosine(step, context.progress)
        loop.set_rate(self.optimizers["generator"], rate)
        batch = self.draw((self.config.seed, step, rank), context.device)
        return context.run(self.update, batch, self.optimizers)

    def draw(self, seed: tuple[int, ...], device: torch.device) -> dict[str, Tensor]:
        """All that is random in a step, as tensors on ``device``: ``update`` does the same with the same."""
        config, rng = self.config, np.random.default_rng((*seed, 6))
        self.faces = self.faces.to(device)
        pictures, points = views.drawn(self.faces, config.batch, seed, device, config.recoloured)
        hole = holes.draw(points, config.side, seed=seed, damage=self._damage(device), masks=self.masks).float()
        points = guides.jittered(points, config.jitter, rng)
        led = round(config.predicted * config.batch)
        if self.predictor is not None and led:
            points[:led] = _predicted(self.predictor, pictures[:led], hole[:led])
        maps = guides.dropped(self._maps(guides.disturbed(points, config.disturbed, rng)), config.dropped, rng)
        batch = {"pictures": pictures, "hole": hole, "maps": maps}
        shown = {"shift": rng.integers(STRIDES, size=2), "mirrored": rng.random(1) < 0.5}
        batch |= {name: torch.from_numpy(value).to(device) for name, value in shown.items()}
        batch["sigma"] = torch.from_numpy(rng.uniform(0, max(config.blur, 1e-3), 1)).float().to(device)
        for opponent in self.opponents:
            batch |= {f"{opponent.name}/{name}": value for name, value in opponent.draw(hole, rng).items()}
        return batch

    def update(self, batch: dict[str, Tensor], context: loop.Context) -> dict[str, Tensor]:
        """One update of every network; returns the terms to log."""
        pictures, hole = batch["pictures"], batch["hole"]
        with context.autocast():
            generated = self.networks["generator"](pictures, hole, batch["maps"]).float()
        composite = torch.where(hole > 0, generated, pictures)
        terms: dict[str, Tensor] = {}
        seen = {each.name: each.view(hole, weights.under(batch, f"{each.name}/")) for each in self.opponents}
        targets: dict[str, list[Tensor]] = {}
        for opponent in self.opponents:
            network, view = self.networks[opponent.name], seen[opponent.name]
            with context.autocast():
                on_real, targets[opponent.name] = network(*view(pictures))
                on_generated, _ = network(*view(composite.detach()))
            terms[opponent.name] = opponent.discrimination(on_real, on_generated)
            context.update(terms[opponent.name], self.optimizers[opponent.name])
        with context.autocast():
            weighted = self._plain(generated, composite, pictures, hole, batch)
        for opponent in self.opponents:
            network = self.networks[opponent.name]
            trained = [p for p in network.parameters() if p.requires_grad]
            for parameter in trained:
                parameter.requires_grad_(False)
            with context.autocast():
                logits, features = network(*seen[opponent.name](composite))
                matching = losses.matching(features, [target.detach() for target in targets[opponent.name]])
            for parameter in trained:
                parameter.requires_grad_(True)
            weighted[f"{opponent.name}_adversarial"] = opponent.adversarial, opponent.deception(logits)
            weighted[f"{opponent.name}_matching"] = opponent.matching, matching
        loss = torch.stack([weight * value for weight, value in weighted.values()]).sum()
        context.update(loss, self.optimizers["generator"])
        return {"loss": loss, **{name: value for name, (_, value) in weighted.items()}, **terms}

    def _damage(self, device: torch.device) -> Tensor | None:
        self.damage = None if self.damage is None else self.damage.to(device)
        return self.damage

    def _plain(
        self,
        generated: Tensor,
        composite: Tensor,
        pictures: Tensor,
        hole: Tensor,
        batch: dict[str, Tensor] | None = None,
    ) -> dict[str, tuple[float, Tensor]]:
        """The terms that need no opponent: name -> (weight, value). With the random numbers of a ``batch``, networks
        see both pictures rolled by a few pixels, and a judge other than bundled sees them blurred and mirrored, too.
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
        if batch:
            composite, pictures = (views.rolled(x, batch["shift"]) for x in (composite, pictures))
        if self.seen is not None:
            seen = self.seen.to(pictures.device)
            features = seen.layers(composite)
            with torch.no_grad():
                targets = seen.layers(pictures)
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
                if batch:
                    shown = batch["mirrored"], batch["sigma"]
                    composite, pictures = views.disturbed((composite, pictures), config.blur, *shown)
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
        hole = holes.draw(
            points, self.config.side, seed=(self.config.seed, 5), damage=self._damage(device), masks=self.masks
        ).float()
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
        """On held-back faces: the weighted sum of all terms that need no opponent, and the composite's PSNR in dB.

        Against opponents the first figure, which chooses the averages to keep, is how unnatural filled places look:
        that sum and PSNR prefer blur. Each dB under --psnr-floor counts as 1, more than any such distance.
        """
        pictures, hole, _, generated = self._fill(averages["generator"])
        composite = torch.where(hole > 0, generated, pictures)
        terms = self._plain(generated, composite, pictures, hole)
        error = ((composite - pictures) ** 2).mean(dim=(1, 2, 3)).clamp(min=1e-10)
        psnr = float((-10 * torch.log10(error)).mean())
        scores = {"held_back": float(sum(weight * value for weight, value in terms.values())), "held_back_psnr": psnr}
        if not self.opponents:
            return scores
        kid = naturalness.distance(pictures, composite, hole)
        return {"held_back_kid": kid + max(0.0, self.config.psnr_floor - psnr), **scores}


@torch.no_grad()
def _predicted(predictor: nn.Module, pictures: Tensor, hole: Tensor) -> Tensor:
    """The landmarks that the engine goes by, guessed where the hole hides them: points (N, 68, 2)."""
    points: Tensor = predictor.to(pictures.device)(pictures, hole)
    return points


def _faces(pictures: Tensor) -> Tensor:
    return embedding.resample(pictures, embedding.BOX, (embedding.SIZE, embedding.SIZE))


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


def _predictor(side: int) -> nn.Module:
    if side % SEEN:
        raise DataError(f"The landmark predictor looks at multiples of {SEEN} pixels. Set --predicted 0, or --side.")
    config, tensors = weights.packed(weights.path("landmarks"))
    return landmarks.make(config, weights.under(tensors, "landmarks/"), side)


def _frozen(network: nn.Module) -> Any:
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def train(config: CompletionRun) -> None:
    """Raises DataError when no picture of the shards has its 68 points."""
    faces = data.load(config.data, config.side)
    loop.train(CompletionTask(config, *faces.with_points().split()), config)
