"""Limits of the first paper's losses (5) and (6), measured on our own generator: its Figure 4."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceinp.engines.search import Prior
from faceinp.errors import DataError
from faceinp.formulas import losses
from faceinp.mask import presets
from faceinp.models import weights
from faceinp.nets.dcgan import SIZE
from faceinp.train import settings
from faceinp.train.datasets import data
from faceinp.train.settings import option

PAIRS = ("one", "all")
READING = ("pairs", "window", "mask")  # what a file of limits also says where it is not the default


@dataclass(frozen=True)
class LimitsRun:
    """Pairs of the paper's 64 held-back pictures and 12,800 samples. Its "64 12800 SSIM values" may mean either reading
    of ``pairs``; both have the same expectation.
    """

    data: tuple[str, ...] = option((), "training shards; their held-back slice is used")
    weights: str = option("", "DCGAN weights (default: the shipped ones)")
    out: str = option("runs/dcgan-limits/dcgan-limits.json", "where the limits go; a plot lies beside")
    pictures: int = option(64, "held-back pictures", least=1)
    samples: int = option(12_800, "samples of the generator", least=2)
    pairs: str = option("one", "pair each sample with one picture (one) or with every picture (all)", choices=PAIRS)
    window: str = option("whole", f"of SSIM: {', '.join(losses.WINDOWS)}", choices=losses.WINDOWS)
    mask: str = option("", "a preset, such as random-20, that hides parts of both pictures, as in (8)")
    seed: int = option(0, "of the samples and of the choice of pictures", least=0, most=2**63 - 1)

    def __post_init__(self) -> None:
        settings.check_values(self)
        if self.mask and (self.mask in presets.OF_FACES or not presets.is_name(self.mask)):
            raise DataError(f"Unknown mask {self.mask!r}. Choose a preset that needs no landmarks: centre, random-20.")
        if self.pictures > self.samples:
            raise DataError(f"{self.samples} samples are too few for {self.pictures} pictures. Raise --samples.")


def measure(config: LimitsRun) -> losses.Limits:
    """Write mean -/+ 3 standard deviations of SSIM and of the L1 sum between photographs and samples.

    Raises DataError for a configuration that makes no sense, and when the shards hold back too few pictures.
    """
    _, held_back = data.load(config.data, SIZE).split()
    if len(held_back) < config.pictures:
        raise DataError(
            f"The shards hold back {len(held_back)} pictures, but --pictures is {config.pictures}. Give more shards."
        )
    chosen = np.random.default_rng(config.seed).choice(len(held_back), config.pictures, replace=False)
    pictures = held_back.pictures[torch.from_numpy(chosen)].float() / 255
    prior = Prior.load(config.weights)
    ssim, l1 = distances(prior, pictures.to(prior.device), config)
    try:
        limits = losses.Limits(
            ssim_min=float(ssim.mean() - 3 * ssim.std()),
            ssim_max=float(ssim.mean() + 3 * ssim.std()),
            l1_min=float(l1.mean() - 3 * l1.std()),
            l1_max=float(l1.mean() + 3 * l1.std()),
        )
    except ValueError as error:
        raise DataError(f"{len(l1)} pairs have no spread ({error}). Raise --samples.") from error
    about = {
        "limits": asdict(limits),
        "ssim": {"mean": float(ssim.mean()), "deviation": float(ssim.std())},
        "l1": {"mean": float(l1.mean()), "deviation": float(l1.std())},
        "pictures": config.pictures,
        "samples": config.samples,
        "seed": config.seed,
    }
    about |= {name: getattr(config, name) for name in READING if getattr(config, name) != getattr(LimitsRun, name)}
    out = Path(config.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(about, indent=2) + "\n")
    weights.record(out)
    plot(ssim, l1, limits, out.with_suffix(".png"))
    print(f"{out}: {len(l1):,} pairs; plotted in {out.with_suffix('.png')}")
    return limits


@torch.no_grad()
def distances(
    prior: Prior, pictures: torch.Tensor, config: LimitsRun
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SSIM and |.|_1 of each pair, (pairs,): a sample meets one picture, all pictures equally often, or every picture.

    pictures: float32 (N, 3, 64, 64) in [0, 1].
    """
    ssim, l1 = [], []
    count = len(pictures)
    known = _known(config, count).to(pictures)
    z = prior.latents(config.samples, config.seed)
    for part in z[: config.samples - config.samples % count].split(count):
        generated = prior.generator(part)
        for turn in range(count if config.pairs == "all" else 1):
            pair = known * pictures, known * generated.roll(turn, 0)
            ssim.append(losses.ssim(*pair, window=config.window))
            l1.append(losses.l1_distance(*pair))
    return torch.cat(ssim).double().cpu().numpy(), torch.cat(l1).double().cpu().numpy()


def _known(config: LimitsRun, count: int) -> torch.Tensor:
    """M of each picture, (count, 1, 64, 64); all ones without a mask."""
    if not config.mask:
        return torch.ones(count, 1, SIZE, SIZE)
    holes = [presets.make(config.mask, (SIZE, SIZE), seed=config.seed + n) for n in range(count)]
    return 1 - torch.from_numpy(np.stack(holes))[:, None].float()


def plot(ssim: NDArray[np.float64], l1: NDArray[np.float64], limits: losses.Limits, out: Path) -> None:
    """Scatter of all pairs with the limits drawn in: Figure 4."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5))
    axes = figure.subplots()
    axes.scatter(l1, ssim, s=2, alpha=0.15, linewidths=0)
    for x in (limits.l1_min, limits.l1_max):
        axes.axvline(x, color="gray", linestyle="--", linewidth=1)
    for y in (limits.ssim_min, limits.ssim_max):
        axes.axhline(y, color="gray", linestyle="--", linewidth=1)
    axes.set(xlabel="sum of absolute differences, 64 x 64 x 3 values in [0, 1]", ylabel="SSIM")
    axes.set_title("Photographs and samples of the generator")
    figure.savefig(out, dpi=120, bbox_inches="tight")
