"""What the completion is trained against: a PatchGAN round the hole, a projected discriminator, or both.

Each is a network that is given views of pictures and masks and answers with logits, one map or several, and with its
inner maps. An opponent whose weights are 0 is neither made nor run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faceinp.formulas import losses
from faceinp.nets import projected
from faceinp.nets.efficientnet import Trunk
from faceinp.nets.patchgan import PatchDiscriminator
from faceinp.nets.points import GROUPS
from faceinp.train.augmentation import augment

View = Callable[[Tensor], tuple[Any, Tensor]]  # pictures (N, 3, S, S) -> what the network is given

# What a PatchGAN sees beside the pixels: L's D(I, M) and D(I, M, P), and LaFIn's D(I, P).
SEES: dict[str, tuple[str, ...]] = {
    "mask": ("hole",),
    "landmarks": ("maps",),
    "mask+landmarks": ("hole", "maps"),
}
CHANNELS = {"hole": 1, "maps": len(GROUPS)}


@dataclass(frozen=True)
class Opponent:
    """name: of its network and optimiser, and of its terms in the log. adversarial, matching: the terms' weights.

    draw: the step's random choices for some holes, as tensors, so that a step can be captured as a CUDA graph.
    view: for the holes, the landmark maps and those choices, what turns pictures into the network's two arguments.
    loss: both sides of the game, of ``losses.ADVERSARIAL``.
    """

    name: str
    network: nn.Module
    adversarial: float
    matching: float
    draw: Callable[[Tensor, np.random.Generator], dict[str, Tensor]]
    view: Callable[[Tensor, Tensor, dict[str, Tensor]], View]
    loss: losses.Adversarial

    def discrimination(self, real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
        """The loss of the opponent from its logits, the mean over maps."""
        pairs = zip(real, generated, strict=True)
        return torch.stack([self.loss.discriminator(a.float(), b.float()) for a, b in pairs]).mean()

    def deception(self, generated: Sequence[Tensor]) -> Tensor:
        """The loss of the generator from the opponent's logits on its pictures."""
        return torch.stack([self.loss.generator(logits.float()) for logits in generated]).mean()


def patch(
    width: int,
    adversarial: float,
    matching: float,
    look: int,
    *,
    sees: str = "mask",
    attention: bool = False,
    loss: str = "non-saturating",
) -> Opponent:
    """A PatchGAN of ``width`` channels that looks at a square of ``look`` pixels round some pixel of each hole.

    sees: a key of SEES. attention: as ``PatchDiscriminator``'s. loss: a key of ``losses.ADVERSARIAL``.
    """

    def draw(hole: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        rows, columns = squares(hole, min(look or hole.shape[-1], hole.shape[-1]), rng)
        return {"rows": rows, "columns": columns}

    def view(hole: Tensor, maps: Tensor, drawn: dict[str, Tensor]) -> View:
        by_name = {"hole": hole, "maps": maps}
        conditions = torch.cat([cut(by_name[name], **drawn) for name in SEES[sees]], dim=1)
        return lambda pictures: (cut(pictures, **drawn), conditions)

    network = PatchDiscriminator(width, sum(CHANNELS[name] for name in SEES[sees]), attention)
    network = network.to(memory_format=torch.channels_last)
    return Opponent("discriminator", network, adversarial, matching, draw, view, losses.ADVERSARIAL[loss])


def project(trunk: Trunk, width: int, adversarial: float, matching: float, seed: int) -> Opponent:
    """A projected discriminator with heads of ``width`` channels on the maps of ``trunk``, which stays as it is."""

    def draw(hole: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        return vars(augment.draw(len(hole), hole.shape[-1], rng, hole.device))

    def view(hole: Tensor, _: Tensor, drawn: dict[str, Tensor]) -> View:
        changed = augment.Augmentation(**drawn)
        masks = changed.move(hole)

        def seen(pictures: Tensor) -> tuple[list[Tensor], Tensor]:
            stages = trunk.to(pictures.device).stages(changed(pictures))
            return [stages[stage] for stage in projected.STAGES], masks

        return seen

    network = projected.ProjectedDiscriminator(width, seed).to(memory_format=torch.channels_last)
    return Opponent("projected", network, adversarial, matching, draw, view, losses.ADVERSARIAL["hinge"])


def squares(hole: Tensor, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Rows and columns (N, side) of a square around some pixel of each hole (N, 1, S, S).

    A discriminator of patches loses nothing by seeing no more: over many steps it sees every patch that holds a part
    of a hole.
    """
    count, _, whole, _ = hole.shape
    inside = hole.flatten(1).cumsum(1)
    wanted = torch.from_numpy(rng.random((count, 1))).to(hole) * inside[:, -1:]
    pixel = torch.searchsorted(inside, wanted, right=True).clamp(max=whole * whole - 1)
    steps = torch.arange(side, device=hole.device)
    rows, columns = ((at - side // 2).clamp(0, whole - side) + steps for at in (pixel // whole, pixel % whole))
    return rows, columns


def cut(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, C, S, S) at ``rows`` and ``columns`` (N, side): (N, C, side, side)."""
    number = torch.arange(len(x), device=x.device)[:, None, None]
    return x.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
