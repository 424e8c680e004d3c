"""Training of the landmark-guided completion: formulas (2) to (5) of the second paper (L), and feature matching.

Reconstruction alone first (``--adversarial 0 --matching 0``), until it has settled; then ``--init`` from there with the
losses that sharpen. A term whose weight is 0 costs nothing: its network is neither loaded nor run.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faceinp.errors import DataError
from faceinp.formulas import losses
from faceinp.models import networks, pretrained, weights
from faceinp.nets import completion
from faceinp.train import completion_losses, graphs, loop, naturalness, opponents, schedules
from faceinp.train.augmentation import degradation, guides, views
from faceinp.train.completion_losses import frozen
from faceinp.train.completion_settings import CompletionRun
from faceinp.train.datasets import data
from faceinp.train.holes import drawing, mask_holes

SHOWN, VALIDATED = 8, 128  # held-back faces shown and measured
LEAST_MEASURED = 2  # faces of which a kernel distance can be estimated
STRIDES = 16  # of the deepest maps that losses look at: as far as pictures are shifted


class CompletionTask:
    name = "completion"
    averaged: tuple[str, ...] = ("generator",)

    def __init__(self, config: CompletionRun, faces: data.Faces, held_back: data.Faces) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces = config, faces
        spread = np.linspace(0, len(held_back) - 1, min(VALIDATED, len(held_back))).round().astype(int)
        self.held_back = held_back.subset(spread.tolist())  # of every shard
        generator = completion.NETWORKS[config.network](config.width)
        if not config.thin:
            completion.remove_thin_parts(generator)
        self.networks: dict[str, nn.Module] = {"generator": generator.to(memory_format=torch.channels_last)}
        self.opponents = []
        if config.adversarial or config.matching:
            self.opponents.append(
                opponents.patch(
                    config.patch_width,
                    config.adversarial,
                    config.matching,
                    config.look,
                    sees=config.patch_sees,
                    attention=config.patch_attention,
                    loss=config.adversarial_loss,
                )
            )
        if config.projected or config.projected_matching:
            trunk = frozen(pretrained.efficientnet())
            self.opponents.append(
                opponents.project(
                    trunk, config.projected_width, config.projected, config.projected_matching, config.seed
                )
            )
        self.networks |= {opponent.name: opponent.network for opponent in self.opponents}
        discriminators = config.rate_discriminator, schedules.SCHEDULES[config.schedule_discriminator]
        self.rates = dict.fromkeys(self.networks, discriminators)  # of each network: the highest one, and its schedule
        self.rates["generator"] = config.rate, schedules.SCHEDULES[config.schedule]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: graphs.adam(network, self.rates[name][0], (config.beta1, config.beta2), config.graph)
            for name, network in self.networks.items()
        }
        self.damage = degradation.load(config.damage, config.side) if config.damage else None
        self.masks = mask_holes.load(config, config.side)
        self.losses = completion_losses.Losses(config)
        if self.opponents and len(self.held_back) < LEAST_MEASURED:
            print(
                f"note: too few held-back faces for the kernel distance ({len(self.held_back)}; it needs "
                f"{LEAST_MEASURED}): the weighted losses choose the averages to keep, which prefers blur"
            )
        self.predictor = frozen(_predictor(config.predictor, config.side)) if config.predicted else None

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        for name, (rate, schedule) in self.rates.items():
            loop.set_rate(self.optimizers[name], rate * schedule(step, context.progress))
        batch = self.draw((self.config.seed, step, rank), context.device)
        return context.run(self.update, batch, self.optimizers)

    def draw(self, seed: tuple[int, ...], device: torch.device) -> dict[str, Tensor]:
        """All that is random in a step, as tensors on ``device``: ``update`` does the same with the same."""
        config, rng = self.config, np.random.default_rng((*seed, 6))
        self.faces = self.faces.to(device)
        pictures, points = views.drawn(self.faces, config.batch, seed, device, config.recoloured)
        hole = self._holes(points, seed, device)
        points = guides.jittered(points, config.jitter, rng)
        count = round(config.predicted * config.batch)
        if self.predictor is not None and count:
            points[:count] = self.predictor.to(device)(pictures[:count], hole[:count])
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
        shown = completion_losses.SHOWN[self.config.adversarial_view](generated, composite)
        opponent_views = {
            each.name: each.view(hole, batch["maps"], weights.with_prefix(batch, f"{each.name}/"))
            for each in self.opponents
        }
        targets: dict[str, list[Tensor]] = {}
        for opponent in self.opponents:
            network, view = self.networks[opponent.name], opponent_views[opponent.name]
            with context.autocast():
                on_real, targets[opponent.name] = network(*view(pictures))
                on_generated, _ = network(*view(shown.detach()))
            terms[opponent.name] = opponent.discrimination(on_real, on_generated)
            context.update(terms[opponent.name], self.optimizers[opponent.name])
        with context.autocast():
            weighted = self.losses(generated, composite, pictures, hole, batch)
        for opponent in self.opponents:
            network = self.networks[opponent.name]
            trained = [p for p in network.parameters() if p.requires_grad]
            for parameter in trained:
                parameter.requires_grad_(False)
            with context.autocast():
                logits, features = network(*opponent_views[opponent.name](shown))
                matching = losses.matching(features, [target.detach() for target in targets[opponent.name]])
            for parameter in trained:
                parameter.requires_grad_(True)
            weighted[f"{opponent.name}_adversarial"] = opponent.adversarial, opponent.deception(logits)
            weighted[f"{opponent.name}_matching"] = opponent.matching, matching
        loss = torch.stack([weight * value for weight, value in weighted.values()]).sum()
        context.update(loss, self.optimizers["generator"])
        return {"loss": loss, **{name: value for name, (_, value) in weighted.items()}, **terms}

    def _holes(self, points: Tensor, seed: tuple[int, ...], device: torch.device) -> Tensor:
        """float (N, 1, side, side), 1 in the hole."""
        self.damage = None if self.damage is None else self.damage.to(device)
        side, kinds = self.config.side, self.config.holes
        return drawing.draw(points, side, seed=seed, damage=self.damage, masks=self.masks, kinds=kinds).float()

    def _maps(self, points: Tensor) -> Tensor:
        maps = completion.landmark_map(points, self.config.side)
        return maps if self.config.landmarks else torch.zeros_like(maps)

    @torch.no_grad()
    def _fill(self, generator: nn.Module) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The held-back faces, always with the same holes: pictures, holes, maps, generated."""
        device = next(generator.parameters()).device
        pictures, points = self.held_back.pictures.to(device).float() / 255, self.held_back.points.to(device)
        hole = self._holes(points, (self.config.seed, 5), device)
        points = points if self.predictor is None else self.predictor.to(device)(pictures, hole)
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
        that sum and PSNR prefer blur. One face alone has no such figure. Each dB under --psnr-floor counts as 1, more
        than any such distance.
        """
        pictures, hole, _, generated = self._fill(averages["generator"])
        composite = torch.where(hole > 0, generated, pictures)
        terms = self.losses(generated, composite, pictures, hole)
        error = ((composite - pictures) ** 2).mean(dim=(1, 2, 3)).clamp(min=1e-10)
        psnr = float((-10 * torch.log10(error)).mean())
        scores = {"held_back": float(sum(weight * value for weight, value in terms.values())), "held_back_psnr": psnr}
        if not self.opponents or len(pictures) < LEAST_MEASURED:
            return scores
        kid = naturalness.distance(pictures, composite, hole)
        return {"held_back_kid": kid + max(0.0, self.config.psnr_floor - psnr), **scores}


def _predictor(file: str, side: int) -> nn.Module:
    """file: packed weights; empty: the package's."""
    network: Any = networks.load("landmarks", file, side=side)[0]
    if side % network.input_side:
        raise DataError(
            f"The landmark predictor looks at multiples of {network.input_side} pixels. Set --predicted 0, or --side."
        )
    checked: nn.Module = network
    return checked


def train(config: CompletionRun) -> None:
    """Raises DataError when no picture of the shards has its 68 points."""
    faces, held_back = data.load_for_training(config.data, config.side, config.decode)
    loop.train(CompletionTask(config, faces, held_back), config)
