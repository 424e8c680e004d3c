"""Limits of the first paper's losses (5) and (6), measured on our own generator: its Figure 4."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp import losses, weights
from faceinp.engines.search import Prior
from faceinp.errors import DataError
from faceinp.nets.dcgan import SIZE
from faceinp.train import data


@dataclass(frozen=True)
class LimitsRun:
    """The paper's 64 held-back pictures against 12,800 samples, 200 samples for each picture."""

    data: tuple[str, ...] = field(default=(), metadata={"help": "training shards; their held-back slice is used"})
    weights: str = field(default="", metadata={"help": "DCGAN weights (default: the shipped ones)"})
    out: str = field(default="weights/dcgan-limits.json", metadata={"help": "where the limits go; a plot lies beside"})
    pictures: int = field(default=64, metadata={"help": "held-back pictures"})
    samples: int = field(default=12_800, metadata={"help": "samples of the generator"})
    seed: int = field(default=0, metadata={"help": "of the samples and of the choice of pictures"})


def measure(config: LimitsRun) -> losses.Limits:
    """Write mean -/+ 3 standard deviations of SSIM and of the L1 sum between photographs and samples.

    Raises DataError when the shards hold back too few pictures.
    """
    _, held_back = data.load(config.data, SIZE).split()
    if len(held_back) < config.pictures:
        raise DataError(
            f"The shards hold back {len(held_back)} pictures, {config.pictures} are needed. Give more shards."
        )
    chosen = np.random.default_rng(config.seed).choice(len(held_back), config.pictures, replace=False)
    pictures = held_back.pictures[torch.from_numpy(chosen)].float() / 255
    prior = Prior.load(Path(config.weights) if config.weights else None)
    ssim, l1 = distances(prior, pictures.to(prior.device), config.samples, config.seed)
    limits = losses.Limits(
        ssim_min=float(ssim.mean() - 3 * ssim.std()),
        ssim_max=float(ssim.mean() + 3 * ssim.std()),
        l1_min=float(l1.mean() - 3 * l1.std()),
        l1_max=float(l1.mean() + 3 * l1.std()),
    )
    about = {
        "limits": asdict(limits),
        "ssim": {"mean": float(ssim.mean()), "deviation": float(ssim.std())},
        "l1": {"mean": float(l1.mean()), "deviation": float(l1.std())},
        "pictures": config.pictures,
        "samples": config.samples,
        "seed": config.seed,
    }
    out = Path(config.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(about, indent=2) + "\n")
    weights.record(out)
    plot(ssim, l1, limits, out.with_suffix(".png"))
    return limits


@torch.no_grad()
def distances(
    prior: Prior, pictures: torch.Tensor, samples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SSIM and |.|_1 of ``samples`` pairs: each sample meets one picture, all pictures equally often."""
    ssim, l1 = [], []
    z = prior.latents(samples, seed)
    for part in z[: samples - samples % len(pictures)].split(len(pictures)):
        generated = prior.generator(part)
        ssim.append(losses.ssim(pictures, generated))
        l1.append(losses.l1_distance(pictures, generated))
    return torch.cat(ssim).double().cpu().numpy(), torch.cat(l1).double().cpu().numpy()


def plot(ssim: NDArray[np.float64], l1: NDArray[np.float64], limits: losses.Limits, out: Path) -> None:
    """Scatter of all pairs with the limits drawn in: Figure 4."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 5))
    axes.scatter(l1, ssim, s=2, alpha=0.15, linewidths=0)
    for x in (limits.l1_min, limits.l1_max):
        axes.axvline(x, color="gray", linestyle="--", linewidth=1)
    for y in (limits.ssim_min, limits.ssim_max):
        axes.axhline(y, color="gray", linestyle="--", linewidth=1)
    axes.set_xlabel("sum of absolute differences, 64 x 64 x 3 values in [0, 1]")
    axes.set_ylabel("SSIM")
    axes.set_title("Photographs and samples of the generator")
    figure.savefig(out, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
