"""Holes from masks in files, for training: read at the start, kept as bits, flipped and turned as they are drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faceinp.errors import DataError
from faceinp.mask import mask_files
from faceinp.train import loop
from faceinp.train.holes import drawing as holes
from faceinp.train.settings import option


@dataclass(frozen=True)
class MaskedRun(loop.Run):
    """Settings of a training whose faces have holes; see ``loop.Run`` for the rest."""

    masks: str = option("", "masks for holes: a folder of pictures, or a list of them")
    mask_hole: str = option("white", "the hole's colour in --masks: white or black")
    masks_share: float = option(
        0.5, "share of the holes that come from --masks; the others are drawn as ever", least=0, most=1
    )
    holes: str = option(
        "all",
        "which holes are drawn: all, papers, strokes+blocks (the second paper's), strokes or blocks",
        choices=holes.CHOICES,
    )


@dataclass(frozen=True, eq=False)
class Masks:
    """bits: uint8 (K, S, S / 8), eight pixels a byte, 1 = hole. share: of the holes that come from them, in [0, 1]."""

    bits: Tensor
    share: float

    def choose(self, count: int, rng: np.random.Generator, device: torch.device) -> Tensor:
        """bool (count, S, S), True = hole, on ``device``: masks at random, mirrored and turned by right angles."""
        chosen = self.bits[torch.from_numpy(rng.integers(len(self.bits), size=count))].to(device)
        bits = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)
        hole = ((chosen[..., None] >> bits) & 1).bool().flatten(2)
        for axes in ((1,), (2,), None):
            other = hole.flip(axes) if axes else hole.transpose(1, 2)
            picked = torch.from_numpy(rng.random(count) < 0.5).to(device)[:, None, None]
            hole = torch.where(picked, other, hole)
        return hole


def load(config: MaskedRun, side: int, say: Callable[[str], None] = print) -> Masks | None:
    """The masks of ``config`` at ``side`` x ``side``, a multiple of 8; None where it names none.

    Masks that hide less than ``holes.SMALLEST`` or more than ``holes.LARGEST`` are left out. say: gets how they were
    read, and what was left out. Raises DataError for what ``mask_files.read`` refuses, and where no mask is left.
    """
    if not config.masks:
        return None
    files = mask_files.read(config.masks, config.mask_hole)
    say(files.about)
    least, most = holes.SMALLEST, holes.LARGEST
    drawn = (files.draw(number, side) for number in range(len(files.files)))
    bits = [np.packbits(hole, axis=1) for hole in drawn if least <= hole.mean() <= most]
    if not bits:
        raise DataError(
            f"No mask of {config.masks} hides between {least:.1%} and {most:.0%} of a picture. Give other masks, or "
            "see whether --mask-hole is right."
        )
    if beyond := len(files.files) - len(bits):
        say(f"{beyond:,} of them hide less than {least:.1%} or more than {most:.0%}: they were left out.")
    return Masks(torch.from_numpy(np.stack(bits)), config.masks_share)
