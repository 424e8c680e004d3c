"""Training of the network that finds damage: photos of all kinds, aged, with drawn and with real damage laid over."""

from dataclasses import dataclass

import numpy as np

from faceinp.train import loop
from faceinp.train.datasets import backgrounds
from faceinp.train.drawn_damage import aged, drawing, lookalikes, overlays
from faceinp.train.segmentation import Example, SegmentationRun, SegmentationTask
from faceinp.train.settings import option


@dataclass(frozen=True)
class FindDamageRun(SegmentationRun):
    """Settings of the network that finds damage; see ``segmentation.SegmentationRun`` for the rest."""

    photos: tuple[str, ...] = option((), "photos without damage: paths or globs of files")
    damage: str = option("", "tar of damage masks: grey PNG, white where the damage is")
    limit: int = option(1500, "most pictures of a shard", least=0)


def train(config: FindDamageRun) -> None:
    """Raises DataError when there are too few pictures."""
    training, held_back = backgrounds.load(config.data, config.photos, config.limit)
    print(f"{len(training):,} pictures, {len(held_back):,} held back")
    masks = overlays.load(config.damage) if config.damage else None

    def draw(rng: np.random.Generator, held: bool) -> Example:
        picture = lookalikes.draw((held_back if held else training).draw(config.side, rng), rng)
        picture, classes = drawing.draw(aged.age_print(picture, rng), rng, masks)
        return Example(aged.scan(picture, rng), classes)

    loop.train(SegmentationTask("damage", config, draw), config)
