"""The Frechet distance between the generator's faces and photographs, in the features of a network.

The floor is the distance between two sets of photographs of the same size: perfect samples would have about that
distance. Distances with other feature networks or set sizes are not comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.record import Provenance, Say
from faceinp.formulas.metrics import frechet_distance
from faceinp.models import networks, pretrained
from faceinp.models import weights as shipped
from faceinp.nets.dcgan import SIZE, Generator, latents
from faceinp.nets.squeezenet import SIDE, SqueezeNet
from faceinp.train.datasets import data as shards

BATCH = 8  # larger batches are slower: layers no longer fit the processor's caches


@dataclass(frozen=True)
class Distances:
    """samples, floor: Frechet distances of the generator's faces, and of photographs, to other photographs.

    pictures: the size of each set. features: how they were computed.
    """

    samples: float
    floor: float
    pictures: int
    features: str
    generator: str
    provenance: Provenance


def run(
    data: str | Sequence[str],
    weights: str | Path,
    out: str | Path,
    *,
    generator: str | Path | None = None,
    samples: int = 5000,
    seed: int = 0,
    side: int = SIDE,
    device: str = "cpu",
    say: Say = print,
) -> Distances:
    """Compare ``samples`` faces of the generator with as many photographs, and these with as many others.

    data: shards of training pictures, see ``train.datasets.data.load``; with fewer than 2 x ``samples`` pictures each
    set has half of them. weights: SqueezeNet 1.0 as safetensors. generator: packed DCGAN weights (default: the
    package's). side: the size to which pictures are resized; distances at other sizes are not comparable. Writes
    ``frechet.json`` and ``frechet.md`` into the folder ``out``. Raises DataError or WeightsError for files that are
    missing or of another kind.
    """
    network = pretrained.squeezenet(weights).to(device)
    source = Path(generator) if generator else shipped.path("dcgan")
    faces: Generator = networks.load("dcgan", source)[0].to(device)
    photographs = shards.load(data, SIZE).pictures
    count = min(samples, len(photographs) // 2)
    if count < 2:
        raise DataError(f"A distance needs 4 pictures or more; {data} has {len(photographs)}. Give more shards.")
    drawn = torch.from_numpy(np.random.default_rng((seed, 0)).permutation(len(photographs))[: 2 * count])
    real = features(photographs[drawn], network, side, say)
    generated = features(_samples(faces, count, seed), network, side, say)
    row = Distances(
        samples=frechet_distance(generated, real[:count]),
        floor=frechet_distance(real[count:], real[:count]),
        pictures=count,
        features=f"SqueezeNet 1.0, last fire, averaged over positions, pictures resized to {side}",
        generator=source.name,
        provenance=Provenance.now(seed),
    )
    record.write(out, "frechet", [row], _markdown(row), say, suffix=".json")
    return row


@torch.no_grad()
def features(
    pictures: Tensor, network: SqueezeNet, side: int = SIDE, say: Say = lambda line: None
) -> NDArray[np.float32]:
    """pictures: uint8 (N, 3, S, S), or float in [0, 1] -> float32 (N, 512), one vector a picture."""
    device = network.conv1.weight.device
    parts = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH].to(device)
        batch = batch / 255 if batch.dtype == torch.uint8 else batch
        batch = functional.interpolate(batch, (side, side), mode="bilinear", antialias=True)
        batch = batch.contiguous(memory_format=torch.channels_last)  # twice as fast on CPUs
        parts.append(network.features(batch).mean(dim=(2, 3)).cpu().numpy())
        if (start // BATCH + 1) % 125 == 0:
            say(f"features: {start + len(batch):,} of {len(pictures):,}")
    return np.concatenate(parts)


@torch.no_grad()
def _samples(generator: Generator, count: int, seed: int) -> Tensor:
    """Generated faces, uint8 (count, 3, 64, 64)."""
    z = latents(count, generator.latent, (seed, 1))
    device = next(generator.parameters()).device
    return torch.cat([(255 * generator(part.to(device))).round().byte().cpu() for part in z.split(BATCH)])


def _markdown(row: Distances) -> str:
    heads = (f"compared with {row.pictures:,} photographs", "Frechet distance")
    sets = {f"samples of {row.generator}": row.samples, "other photographs (the floor)": row.floor}
    table = record.grid(heads, ((f"{row.pictures:,} {name}", f"{distance:.2f}") for name, distance in sets.items()))
    return f"{table}\nFeatures: {row.features}. Seed {row.provenance.seed}. {row.provenance}.\n"
