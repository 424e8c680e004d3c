"""Holes for training, drawn for a whole batch at once, on the device its landmarks are on.

A third are the papers' (``paper_holes``), the others what people draw (``sketched_holes``). How often each kind comes
is stated in KINDS alone. Masks in files may take the place of a share of them all (``mask_holes``). Sides and
distances are shares of the picture's side.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from faceinp.mask import presets
from faceinp.photo.arrays import direction
from faceinp.train.holes import paper_holes, shapes, sketched_holes

if TYPE_CHECKING:  # which needs SMALLEST and LARGEST
    from faceinp.train.holes.mask_holes import Masks

Draw = Callable[[Tensor, int, np.random.Generator], Tensor]

DAMAGE = "damage"  # real damage; without a file of it, scratches
KINDS: dict[str, tuple[Draw, float]] = {  # and how often each comes
    "strokes": (paper_holes.strokes, 0.10),
    "blocks": (paper_holes.blocks, 0.03),
    "centre": (paper_holes.centre, 0.02),
    "parts": (paper_holes.parts, 0.19),
    "feature": (sketched_holes.feature, 0.15),
    "oval": (sketched_holes.oval, 0.05),
    "box": (sketched_holes.box, 0.05),
    "stroke": (sketched_holes.stroke, 0.10),
    "scribble": (sketched_holes.scribble, 0.04),
    "lock": (sketched_holes.lock, 0.05),
    "hand": (sketched_holes.hand, 0.06),
    "glasses": (sketched_holes.glasses, 0.06),
    "protective mask": (sketched_holes.protective_mask, 0.04),
    "scratch": (sketched_holes.scratch, 0.02),
    "tear": (sketched_holes.tear, 0.02),
    DAMAGE: (sketched_holes.scratch, 0.02),
}
PAPERS = ("strokes", "blocks", "centre", "parts")  # the others are sketches
SHARES = {name: share for name, (_, share) in KINDS.items()}
# Which of them a run draws: all; those of the papers; L's own two, neither of which is a part of a face that is
# measured; or one of these. Only "all" draws two holes over one another.
CHOICES = {
    "all": SHARES,
    "papers": {name: SHARES[name] for name in PAPERS},
    "strokes+blocks": {"strokes": 0.5, "blocks": 0.5},
    "strokes": {"strokes": 1.0},
    "blocks": {"blocks": 1.0},
}
UNION_SHARE = 0.15  # of the holes get a second one drawn over them
HALVED_SHARE = 0.15  # of the sketches cover only a part of what they were meant for
WOBBLE = 0.012  # most that a sketch's outline leaves its shape
SMALLEST, LARGEST = 0.002, 0.85  # what is outside becomes the centre square


def draw(
    points: Tensor,
    side: int,
    *,
    seed: tuple[int, ...],
    damage: Tensor | None = None,
    masks: "Masks | None" = None,
    kinds: str = "all",
) -> Tensor:
    """bool (N, 1, side, side), True = hole, on the device of ``points``; every hole leaves some of its picture.

    points: float (N, 68, 2), x and y as shares of the side; where a picture's are NaN, the parts of faces are those of
    the whole picture, and sketches lie on an average face. seed: all randomness; the shapes of a batch depend on it
    and on N alone. damage: masks of real damage as ``damage.load`` gives them for this ``side``. masks: masks in files,
    of this ``side``, which take the place of their ``share`` of the holes; the others are those without ``masks``.
    kinds: a key of CHOICES.
    """
    rng = np.random.default_rng(seed)
    chosen, union = CHOICES[kinds], UNION_SHARE if kinds == "all" else 0.0
    points, count = points.float(), len(points)
    average = torch.from_numpy(presets.average_points(1)).to(points)
    complete = torch.where(points.isfinite().all(2).all(1)[:, None, None], points, average)
    # A layer a picture, and a second one for some.
    owner = np.concatenate([np.arange(count), np.flatnonzero(rng.random(count) < union)])
    names, shares = list(chosen), np.array(list(chosen.values()))
    kind = rng.choice(len(names), size=len(owner), p=shares / shares.sum())
    hole = points.new_zeros((count, side, side), dtype=torch.bool)
    for number in np.unique(kind):
        at = np.flatnonzero(kind == number)
        index = torch.from_numpy(owner[at]).to(points.device)
        if names[number] in PAPERS:
            drawn = KINDS[names[number]][0](points[index], side, rng)
        else:
            drawn = _sketch(names[number], complete[index], side, rng, damage)
        # Owners of first layers are all different, and so are those of second ones; first ones come first.
        firsts = int(np.count_nonzero(at < count))
        for part in (slice(firsts), slice(firsts, None)):
            hole[index[part]] |= drawn[part]
    share = hole.float().mean((1, 2), keepdim=True)
    corners = points.new_tensor([[[[0.25, 0.25], [0.75, 0.75]]]])
    hole = torch.where((share < SMALLEST) | (share > LARGEST), shapes.blocks(corners, side), hole)
    if masks is not None:  # drawn last, so that the other holes stay the same
        replaced = np.flatnonzero(rng.random(count) < masks.share)
        hole[torch.from_numpy(replaced).to(points.device)] = masks.choose(len(replaced), rng, points.device)
    return hole[:, None]


def _sketch(name: str, points: Tensor, side: int, rng: np.random.Generator, damage: Tensor | None) -> Tensor:
    if name == DAMAGE and damage is not None:
        return sketched_holes.real_damage(points, side, rng, damage)
    n = len(points)
    drawn = KINDS[name][0](points, side, rng)
    drawn = shapes.wobbled(drawn, shapes.to_device(rng.uniform(0, WOBBLE, n), points), rng)
    angle = rng.uniform(0, 2 * np.pi, n)
    part = shapes.halved(
        drawn, shapes.to_device(direction(angle), points), shapes.to_device(rng.normal(0, 0.02, n), points)
    )
    cut = torch.from_numpy(rng.random(n) < HALVED_SHARE).to(points.device)[:, None, None]
    return torch.where(cut & (part.float().mean((1, 2), keepdim=True) >= SMALLEST), part, drawn)
