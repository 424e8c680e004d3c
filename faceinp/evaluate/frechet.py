"""How far the generator's faces are from photographs: the Frechet distance between features of both.

The floor is the distance between two halves of the photographs themselves, sets of the same size: even perfect
samples would measure about that. Distances of other feature networks or set sizes are not comparable.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

import faceinp
from faceinp import networks, pretrained
from faceinp import weights as shipped
from faceinp.errors import DataError
from faceinp.evaluate import measures
from faceinp.evaluate.measures import Measure
from faceinp.machine import machine, today
from faceinp.metrics import frechet_distance
from faceinp.nets.dcgan import SIZE, Generator, latents
from faceinp.nets.squeezenet import SIDE, SqueezeNet
from faceinp.train import data as shards

BATCH = 8  # more at once takes longer: layers then leave the processor's caches
DRAWS = 300  # of the bootstrap: each takes some milliseconds


@dataclass(frozen=True)
class Distances:
    """samples, floor: Frechet distances of the generator's faces, and of photographs, to other photographs.

    pictures: members of each set compared. features: what saw them.
    """

    samples: float
    floor: float
    pictures: int
    features: str
    generator: str
    seed: int
    machine: str
    date: str
    version: str


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
    say: Callable[[str], None] = print,
) -> Distances:
    """Compare ``samples`` faces of the generator with as many photographs, and these with as many others.

    data: shards of training pictures, see ``train.data.load``; with fewer than 2 x ``samples`` pictures the sets have
    half of what there is. weights: SqueezeNet 1.0 as safetensors. generator: packed DCGAN weights (default: the
    package's). side: what pictures are resized to; smaller is faster, and another measure. Writes ``frechet.json`` and
    ``frechet.md`` into the folder ``out``.
    Raises DataError or WeightsError when a file is missing or not what it should be.
    """
    network = pretrained.squeezenet(weights).to(device)
    source = Path(generator) if generator else shipped.path("dcgan")
    faces = load_generator(source).to(device)
    photographs = shards.load(data, SIZE).pictures
    count = min(samples, len(photographs) // 2)
    if count < 2:
        raise DataError(f"A distance needs four pictures at least; {data} holds {len(photographs)}. Name more shards.")
    drawn = torch.from_numpy(np.random.default_rng((seed, 0)).permutation(len(photographs))[: 2 * count])
    seen = features(photographs[drawn], network, side, say)
    made = features(_samples(faces, count, seed), network, side, say)
    row = Distances(
        samples=frechet_distance(made, seen[:count]),
        floor=frechet_distance(seen[count:], seen[:count]),
        pictures=count,
        features=f"SqueezeNet 1.0, last fire, averaged over positions, pictures resized to {side}",
        generator=source.name,
        seed=seed,
        machine=machine(),
        date=today(),
        version=faceinp.__version__,
    )
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frechet.json").write_text(json.dumps(asdict(row)) + "\n")
    (folder / "frechet.md").write_text(_markdown(row))
    say(_markdown(row))
    return row


class Others:
    """Features (M, D) that sets are compared with, and what every comparison needs of them."""

    def __init__(self, features: NDArray[np.float64]) -> None:
        self.mean = features.mean(axis=0)
        covariance = np.atleast_2d(np.cov(features, rowvar=False))
        self.covariance, self.trace = covariance, float(np.trace(covariance))
        self._kept: dict[str, tuple[float, NDArray[np.float64]]] = {}

    def drawn(self, seen: NDArray[np.float64], people: Sequence[str]) -> tuple[float, NDArray[np.float64]]:
        """The distance of ``seen`` (N, D) and of the bootstrap's draws, kept: a reference meets many rows."""
        key = hashlib.sha256(np.ascontiguousarray(seen).tobytes() + "\n".join(people).encode()).hexdigest()
        if key not in self._kept:
            value = self.distances(seen, np.ones((1, len(seen)), np.intp))[0]
            self._kept[key] = float(value), self.distances(seen, _draws(people))
        return self._kept[key]

    def distances(self, seen: NDArray[np.float64], weights: NDArray[np.integer]) -> NDArray[np.float64]:
        """Frechet distances of the sets in which picture n of ``seen`` (N, D) is there weights[b, n] times: (B,).

        With X the centred features times the square root of their weight, over the root of the count less one, C_a =
        X^T X, and the trace of (C_a C_b)^(1/2) is the sum of the roots of the eigenvalues of X C_b X^T, which has N
        rows instead of D.
        """
        products = seen @ self.covariance @ seen.T
        found = []
        for counts in weights:
            there = counts > 0
            w, x, k = counts[there].astype(np.float64), seen[there], products[np.ix_(there, there)]
            total = w.sum()
            middle = w @ x / total
            across = w @ k / total
            centred = k - across[None] - across[:, None] + across @ w / total
            scale = np.sqrt(w / (total - 1))
            eigenvalues = np.linalg.eigvalsh(centred * scale[:, None] * scale[None])
            overlap = np.sqrt(np.maximum(eigenvalues, 0)).sum()
            own = float((w * ((x - middle) ** 2).sum(axis=1)).sum() / (total - 1))
            shift = middle - self.mean
            found.append(max(0.0, float(shift @ shift) + own + self.trace - 2 * float(overlap)))
        return np.array(found)


def spread(seen: NDArray[np.float64], others: Others, people: Sequence[str]) -> Measure:
    """The distance of ``seen`` (N, D; NaN where there is no picture), with its interval."""
    there = np.flatnonzero(np.isfinite(seen).all(axis=1))
    seen, people = seen[there], [people[int(n)] for n in there]
    if len(seen) < 2:
        return measures.NOTHING
    return measures.of_draws(*others.drawn(seen, people))


def difference(
    seen: NDArray[np.float64], reference: NDArray[np.float64], others: Others, people: Sequence[str]
) -> Measure:
    """Of the distance of ``seen`` less that of ``reference``, both (N, D) of the same pictures, by the same draws."""
    if len(seen) < 2:
        return measures.NOTHING
    (own, draws), (its, its_draws) = others.drawn(seen, people), others.drawn(reference, people)
    return measures.of_draws(own - its, draws - its_draws)


def _draws(people: Sequence[str]) -> NDArray[np.intp]:
    """Those of two pictures or more, of two people or more; none where there is but one person."""
    if len(set(people)) < 2:
        return np.zeros((0, len(people)), np.intp)
    drawn = measures.draws(people, DRAWS)
    return drawn[drawn.sum(axis=1) > 1]


@torch.no_grad()
def features(
    pictures: Tensor, network: SqueezeNet, side: int = SIDE, say: Callable[[str], None] = lambda line: None
) -> NDArray[np.float32]:
    """pictures: uint8 (N, 3, S, S), or float in [0, 1] -> float32 (N, 512), one vector a picture."""
    device = network.conv1.weight.device
    seen = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH].to(device)
        batch = batch / 255 if batch.dtype == torch.uint8 else batch
        batch = functional.interpolate(batch, (side, side), mode="bilinear", antialias=True)
        batch = batch.contiguous(memory_format=torch.channels_last)  # half of the time on processors
        seen.append(network.features(batch).mean(dim=(2, 3)).cpu().numpy())
        if (start // BATCH + 1) % 125 == 0:
            say(f"features: {start + len(batch):,} of {len(pictures):,}")
    return np.concatenate(seen)


def load_generator(path: str | Path) -> Generator:
    """The generator of packed DCGAN weights (``faceinp weights pack``), in eval mode."""
    network: Generator = networks.load("dcgan", path)[0]
    return network


@torch.no_grad()
def _samples(generator: Generator, count: int, seed: int) -> Tensor:
    """uint8, as the photographs: (count, 3, 64, 64)."""
    z = latents(count, generator.latent, (seed, 1))
    device = next(generator.parameters()).device
    return torch.cat([(255 * generator(part.to(device))).round().byte().cpu() for part in z.split(BATCH)])


def _markdown(row: Distances) -> str:
    return (
        f"| compared with {row.pictures:,} photographs | Frechet distance |\n|---|---|\n"
        f"| {row.pictures:,} samples of {row.generator} | {row.samples:.2f} |\n"
        f"| {row.pictures:,} other photographs (the floor) | {row.floor:.2f} |\n\n"
        f"Features: {row.features}. Seed {row.seed}. faceinp {row.version}, {row.date}, {row.machine}.\n"
    )
