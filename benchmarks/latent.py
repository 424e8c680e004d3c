"""The latent search: its time against that of the bare networks, and a fast search against a whole one.

    python benchmarks/latent.py time
    python benchmarks/latent.py fast --data '../data/*-train-*.tar' [--pictures 32] [-o docs/pictures/fast.png]

``time`` needs no data. ``fast`` takes held-back training faces under four kinds of mask, and prints both final losses
and times and plots both curves.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from faceinp.engines import search
from faceinp.engines.objectives import Objective
from faceinp.engines.settings import FAST, Settings, choose
from faceinp.mask import presets
from faceinp.train.datasets import data

KINDS = ("random 40 %", "random 80 %", "centre", "left half")


def holes(count: int) -> torch.Tensor:
    """bool (count, 1, 64, 64), the four kinds in turn."""
    shape = (64, 64)
    made = []
    for n in range(count):
        made.append(
            (
                presets.random_pixels(shape, 0.4, n),
                presets.random_pixels(shape, 0.8, n),
                presets.centre(shape),
                presets.half(shape, "left"),
            )[n % 4]
        )
    return torch.from_numpy(np.stack(made))[:, None]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def time_search(iterations: int = 1000, repeats: int = 3) -> None:
    """Bare forward and backward passes of both networks, whole searches and fast ones, in turn; medians."""
    prior, objective = search.Prior.load(), Objective.make(Settings(), search.load_limits())
    for count in (1, 8):
        pictures = prior.generator(prior.latents(count, 1))
        known = (~holes(count)).float()

        def bare(count: int = count) -> None:
            z = prior.latents(count, 0).requires_grad_()
            for _ in range(iterations):
                generated = prior.generator(z)
                (generated.sum() + prior.discriminator(generated).sum()).backward()

        def whole(pictures: torch.Tensor = pictures, known: torch.Tensor = known) -> None:
            search.search(prior, objective, pictures, known, choose("structural", {"iterations": iterations}))

        def fast(pictures: torch.Tensor = pictures, known: torch.Tensor = known) -> None:
            share = FAST["iterations"] / Settings.iterations
            settings = choose("structural", {"fast": True, "iterations": round(share * iterations)})
            search.search(prior, objective, pictures, known, settings)

        rounds = np.array([[seconds(work) for work in (bare, whole, fast)] for _ in range(repeats)])
        alone, searched, quick = np.median(rounds, axis=0)
        print(
            f"{count} picture(s), {iterations} iterations: networks alone {alone:.1f} s, search {searched:.1f} s",
            end="",
        )
        print(f" ({np.median(rounds[:, 1] / rounds[:, 0]):.3f} times), fast {quick:.1f} s", end="")
        print(f" ({np.median(rounds[:, 2] / rounds[:, 1]):.3f} of the search)")


@torch.no_grad()
def _psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * ((a - b) ** 2).mean(dim=(1, 2, 3)).log10().mean())


def compare_fast(shards: list[str], count: int, out: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    prior, objective = search.Prior.load(), Objective.make(Settings(), search.load_limits())
    pictures = data.load(shards, 64).split()[1].subset(range(count)).pictures.float() / 255
    known = (~holes(count)).float()
    figure, axes = pyplot.subplots(figsize=(7, 4))
    measured = {}
    for name in ("whole", "fast"):
        settings = choose("structural", {"fast": name == "fast"})
        iterations, started = settings.iterations, time.perf_counter()
        found = search.search(prior, objective, pictures, known, settings)
        taken = time.perf_counter() - started
        measured[name] = (found.loss, taken)
        steps = np.array([step for step, _ in found.curve])
        curve = torch.stack([loss for _, loss in found.curve]).mean(dim=1)
        axes.plot(steps / iterations * taken, curve.cummin(dim=0).values, label=f"{name}: {iterations} iterations")
        by_kind = ", ".join(f"{kind} {found.loss[n::4].mean():.4f}" for n, kind in enumerate(KINDS))
        print(f"{name}: {taken:.1f} s, loss {found.loss.mean():.4f} ({by_kind})", end="")
        print(f", raw {_psnr(found.pictures, pictures):.2f} dB")
    (whole, whole_seconds), (fast, fast_seconds) = measured["whole"], measured["fast"]
    more, margin = float((fast - whole).mean()), 1.96 * float((fast - whole).std()) / count**0.5
    print(f"fast: {fast_seconds / whole_seconds:.3f} of the time, loss {more:+.4f} +- {margin:.4f} (95 %)", end="")
    print(f", no worse on {int((fast <= whole).sum())} of {count}")
    axes.set_xlabel(f"seconds for {count} pictures")
    axes.set_ylabel("mean of the best loss so far")
    axes.legend()
    figure.savefig(out, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["time", "fast"])
    parser.add_argument("--data", nargs="+", default=[])
    parser.add_argument("--iterations", type=int, default=Settings.iterations, help="of time")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("-o", "--out", default="docs/pictures/fast.png")
    given = parser.parse_args()
    if given.what == "time":
        time_search(given.iterations)
    else:
        compare_fast(given.data, given.pictures, given.out)
