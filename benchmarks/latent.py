"""The latent search: its time against that of the bare networks, and a fast search against a whole one.

    python benchmarks/latent.py time
    python benchmarks/latent.py fast --data '../data/*-train-*.tar' [--pictures 32] [-o docs/pictures/fast.png]

``time`` needs no data. ``fast`` takes held-back training faces under four kinds of mask, and prints both final losses
and times and plots both curves.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from faceinp import masks
from faceinp.engines import latent, search
from faceinp.train import data

KINDS = ("random 40 %", "random 80 %", "centre", "left half")


def holes(count: int) -> torch.Tensor:
    """bool (count, 1, 64, 64), the four kinds in turn."""
    shape = (64, 64)
    made = []
    for n in range(count):
        made.append(
            (
                masks.random_pixels(shape, 0.4, n),
                masks.random_pixels(shape, 0.8, n),
                masks.centre(shape),
                masks.half(shape, "left"),
            )[n % 4]
        )
    return torch.from_numpy(np.stack(made))[:, None]


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def time_search(iterations: int = 100, repeats: int = 5) -> None:
    """Searches of ``iterations`` steps and as many bare forward and backward passes, in turn; medians."""
    prior, limits = search.Prior.load(), search.load_limits()
    objective = partial(search.structural_robust, limits=limits)
    for count in (1, 8):
        pictures = prior.generator(prior.latents(count, 1))
        known = (~holes(count)).float()

        def bare(count: int = count) -> None:
            z = prior.latents(count, 0).requires_grad_()
            for _ in range(iterations):
                generated = prior.generator(z)
                (generated.sum() + prior.discriminator(generated).sum()).backward()

        def whole(pictures: torch.Tensor = pictures, known: torch.Tensor = known) -> None:
            search.search(prior, objective, pictures, known, iterations=iterations)

        def fast(pictures: torch.Tensor = pictures, known: torch.Tensor = known) -> None:
            iterations_of_fast = latent.FAST_ITERATIONS * iterations // latent.ITERATIONS
            search.search(prior, objective, pictures, known, iterations=iterations_of_fast, fast=True)

        bare()
        pairs = [(median_seconds(bare, 1), median_seconds(whole, 1)) for _ in range(repeats)]
        ratio = float(np.median([b / a for a, b in pairs]))
        alone, searched = (float(np.median(column)) for column in zip(*pairs, strict=True))
        per = 1000 / iterations
        print(
            f"{count} picture(s), 1000 iterations: networks alone {alone * per:.1f} s, search {searched * per:.1f} s,"
            f" ratio {ratio:.3f}; fast iterations {median_seconds(fast, 3) * per:.1f} s with its first guess {per:.0f} times"
        )


@torch.no_grad()
def _psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * ((a - b) ** 2).mean(dim=(1, 2, 3)).log10().mean())


def compare_fast(shards: list[str], count: int, out: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    prior, limits = search.Prior.load(), search.load_limits()
    objective = partial(search.structural_robust, limits=limits)
    pictures = data.load(shards, 64).split()[1].subset(range(count)).pictures.float() / 255
    known = (~holes(count)).float()
    figure, axes = pyplot.subplots(figsize=(7, 4))
    measured = {}
    for name, iterations, is_fast in (
        ("whole", latent.ITERATIONS, False),
        ("fast", latent.FAST_ITERATIONS, True),
    ):
        started = time.perf_counter()
        found = search.search(prior, objective, pictures, known, iterations=iterations, fast=is_fast)
        seconds = time.perf_counter() - started
        measured[name] = (found.loss, seconds)
        steps = np.array([step for step, _ in found.curve])
        curve = torch.stack([loss for _, loss in found.curve]).mean(dim=1)
        axes.plot(steps / iterations * seconds, curve.cummin(dim=0).values, label=f"{name}: {iterations} iterations")
        by_kind = ", ".join(f"{kind} {found.loss[n::4].mean():.4f}" for n, kind in enumerate(KINDS))
        print(f"{name}: {seconds:.1f} s, loss {found.loss.mean():.4f} ({by_kind}), raw {_psnr(found.pictures, pictures):.2f} dB")
    (whole, whole_seconds), (fast, fast_seconds) = measured["whole"], measured["fast"]
    print(
        f"fast / whole: time {fast_seconds / whole_seconds:.3f}, loss {float((fast - whole).mean()):+.4f}"
        f" +- {1.96 * float((fast - whole).std()) / count**0.5:.4f} (95 %), better on {int((fast <= whole).sum())} of {count}"
    )
    axes.set_xlabel(f"seconds for {count} pictures")
    axes.set_ylabel("mean of the best loss so far")
    axes.legend()
    figure.savefig(out, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["time", "fast"])
    parser.add_argument("--data", nargs="+", default=[])
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("-o", "--out", default="docs/pictures/fast.png")
    given = parser.parse_args()
    if given.what == "time":
        time_search()
    else:
        compare_fast(given.data, given.pictures, given.out)
