"""What the trainings of both segmentation networks share: the loss, a step, and how well held-back pictures go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from faceinp.models import pretrained
from faceinp.nets.segmentation import CLASSES, Segmentation
from faceinp.photo.arrays import Pixels
from faceinp.train import loop
from faceinp.train.settings import option

UNKNOWN = 255  # a pixel's class where nobody knows it
TOLERANCE = 2  # pixels
SLACK = 64.0  # pixels: where damage is much smaller, and where there is none, so many wrong ones cost one half
SHOWN = 16  # held-back pictures of the preview, in whole rows
COLOURS = ((0, 0, 0), (255, 40, 40), (255, 220, 0), (0, 200, 255), (160, 90, 255), (60, 220, 60))  # of classes


class Example(NamedTuple):
    """picture: uint8 (S, S, 3). classes: uint8 (S, S), UNKNOWN where nobody knows."""

    picture: Pixels
    classes: Pixels


@dataclass(frozen=True)
class SegmentationRun(loop.Run):
    """Settings of a segmentation network; see ``loop.Run`` for the rest."""

    rate: float = option(1e-3, "highest learning rate (AdamW, cosine)", above=0)
    decay: float = option(0.02, "weight decay", least=0)
    side: int = option(256, "side of the pictures that it is trained on, a multiple of 16", multiple=16)
    rare: float = option(3.0, "weight of what is damage or occluder in the cross-entropy", least=0)
    overlap: float = option(1.0, "weight of the Dice loss beside the cross-entropy", least=0)
    examples: int = option(120, "held-back pictures that are drawn and measured", least=1)
    pretrained: bool = option(True, "start from EfficientNet-Lite0's ImageNet weights")


class SegmentationTask:
    """A training whose pictures ``draw`` makes: a generator of random numbers, and whether of held-back ones."""

    averaged: tuple[str, ...] = ("segmentation",)

    def __init__(self, name: str, config: SegmentationRun, draw: Callable[[np.random.Generator, bool], Example]):
        torch.manual_seed(config.seed)
        self.name, self.config, self.draw = name, config, draw
        network = Segmentation()
        if config.pretrained and not (config.init or config.resume):
            network.start_from_imagenet(pretrained.efficientnet().state_dict())
        self.networks: dict[str, nn.Module] = {"segmentation": network.to(memory_format=torch.channels_last).train()}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "segmentation": torch.optim.AdamW(
                [p for p in network.parameters() if p.requires_grad], lr=config.rate, weight_decay=config.decay
            )
        }
        self.held_back = [draw(np.random.default_rng((config.seed, 1, n)), True) for n in range(config.examples)]

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        config = self.config
        seeds = np.random.SeedSequence((config.seed, 0, step, rank)).spawn(config.batch)
        examples = [self.draw(np.random.default_rng(seed), False) for seed in seeds]
        pictures, classes = stacked(examples, context.device)
        optimizer = self.optimizers["segmentation"]
        loop.set_rate(optimizer, config.rate * loop.cosine(step, context.progress))
        with context.autocast():
            scores = self.networks["segmentation"](pictures)
        weight = torch.tensor([1.0, *[config.rare] * (CLASSES - 1)], device=scores.device)
        cross_entropy = functional.cross_entropy(scores.float(), classes, weight, ignore_index=UNKNOWN)
        overlap = dice(scores.float().softmax(1), classes)
        context.update(cross_entropy + config.overlap * overlap, optimizer)
        return {"cross_entropy": cross_entropy, "dice": overlap}

    @torch.no_grad()
    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """Held-back pictures above what was drawn on them and what is found."""
        network = averages["segmentation"]
        device = next(network.parameters()).device
        pictures, classes = stacked(self.held_back[:SHOWN], device)
        predicted = network(pictures).argmax(1)
        colours = torch.tensor(COLOURS, device=device).float() / 255

        def painted(of: Tensor) -> Tensor:
            known = of.clamp(max=len(COLOURS) - 1)
            return torch.where((of > 0)[:, None], colours[known].permute(0, 3, 1, 2), 0.6 * pictures)

        return loop.grid(torch.cat([pictures, painted(classes), painted(predicted)], dim=2))

    @torch.no_grad()
    def validate(self, averages: dict[str, nn.Module]) -> dict[str, float]:
        """1 - F1 within TOLERANCE pixels on held-back pictures; the share marked where nothing is; of each class, the
        share of its pixels that is marked.
        """
        network = averages["segmentation"]
        device = next(network.parameters()).device
        right = marked = met = true = false = clean = 0
        recalled: NDArray[np.float64] = np.zeros((2, CLASSES))
        for example in self.held_back:
            picture, classes = stacked([example], device)
            predicted, known = network(picture).argmax(1, keepdim=True) > 0, classes[:, None] != UNKNOWN
            target = (classes[:, None] > 0) & known
            predicted = predicted & known
            right += int((predicted & near(target)).sum())
            marked += int(predicted.sum())
            met += int((target & near(predicted)).sum())
            true += int(target.sum())
            if not target.any():
                false, clean = false + int(predicted.sum()), clean + predicted.numel()
            for number in range(1, CLASSES):
                own = classes[:, None] == number
                recalled[:, number] += int((own & near(predicted)).sum()), int(own.sum())
        precision, recall = right / max(1, marked), met / max(1, true)
        scores = {"miss": 1 - 2 * precision * recall / max(1e-6, precision + recall)}
        scores |= {"precision": precision, "recall": recall, "false": false / max(1, clean)}
        return scores | {f"recall_{n}": recalled[0, n] / max(1, recalled[1, n]) for n in range(1, CLASSES)}


def stacked(examples: list[Example], device: torch.device) -> tuple[Tensor, Tensor]:
    """float32 (N, 3, S, S) in [0, 1] and int64 (N, S, S)."""
    pictures = torch.from_numpy(np.stack([one.picture for one in examples])).to(device).permute(0, 3, 1, 2)
    classes = torch.from_numpy(np.stack([one.classes for one in examples])).to(device).long()
    return pictures.float() / 255, classes  # channels last, as they lie in memory


def dice(shares: Tensor, classes: Tensor) -> Tensor:
    """Dice loss (Milletari et al. 2016, arXiv 1606.04797) of what is not class 0, the mean over pictures.

    Each picture counts alike, a few specks of dust as much as half a picture torn off, or as marks on one without any
    damage. shares: (N, C, H, W), probabilities. classes: int64 (N, H, W).
    """
    known = (classes != UNKNOWN).float()
    predicted, target = ((1 - shares[:, 0]) * known).flatten(1), ((classes > 0).float() * known).flatten(1)
    return (1 - (2 * (predicted * target).sum(1) + SLACK) / (predicted.sum(1) + target.sum(1) + SLACK)).mean()


def near(mask: Tensor) -> Tensor:
    """bool (N, 1, H, W): what lies within TOLERANCE pixels of ``mask``."""
    reach = 2 * TOLERANCE + 1
    return functional.max_pool2d(mask.float(), reach, 1, TOLERANCE) > 0
