"""A folder of photos through ``faceinp batch``: photos a second, where the time goes, workers, memory.

    python -m benchmarks.batch make photos500 [--photos 500] [--faces 'shards/*.tar'] [--megapixels 1 4]
    python -m benchmarks.batch run photos500 [--workers 1 2] [--engine landmark] [--judge none] [--rounds 1]
    python -m benchmarks.batch processor photos500 [--engine landmark] [--judge none]
    python -m benchmarks.batch memory photos500 [--photos 2000]

``make`` writes JPEG photos of so many megapixels, each with one face, and a mask over a part of it. The faces are the
DCGAN's own and scikit-image's astronaut, or those of WebDataset shards. ``run`` prints tables for docs/batch.md;
``processor`` tells the time that each step takes of a core, which other work on the machine changes little; ``memory``
fills as many photos as it is told, the same ones again and again, and prints what a worker holds meanwhile.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

STEPS = ("fetch", "read", "align", "fill", "blend", "encode", "judge", "put")
FACE = (0.2, 0.6)  # width of a face's crop, in shares of the photo's shorter side


def faces_of(shards: list[str]) -> Iterator[np.ndarray]:
    """Aligned faces, uint8 (S, S, 3), again and again."""
    if shards:
        while True:
            for path in sorted(path for pattern in shards for path in glob(pattern)):
                with tarfile.open(path) as tar:
                    for entry in tar:
                        if entry.name.endswith((".webp", ".png", ".jpg")):
                            content = tar.extractfile(entry)
                            assert content is not None
                            yield np.asarray(Image.open(io.BytesIO(content.read())).convert("RGB"))
    from faceinp.engines import search

    prior = search.Prior.load()
    astronaut = skimage.data.astronaut()[20:220, 120:320]
    seed = 0
    while True:
        yield astronaut
        made = prior.generator(prior.latents(15, seed=seed)).permute(0, 2, 3, 1).numpy()
        yield from np.rint(made * 255).astype(np.uint8)
        seed += 1


def photo_of(
    face: np.ndarray, rng: np.random.Generator, megapixels: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A photo with the face somewhere in it, uint8 (H, W, 3), and a mask over a part of the face, uint8 (H, W)."""
    pixels, aspect = rng.uniform(*megapixels) * 1e6, rng.choice((3 / 4, 2 / 3, 1, 4 / 3, 3 / 2))
    width, height = round((pixels * aspect) ** 0.5), round((pixels / aspect) ** 0.5)
    coarse = rng.uniform(40, 215, (4, 4, 3)).astype(np.float32)
    photo = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(5, 25)):  # something with edges
        at, size = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0.02, 0.2, 2) * min(width, height)
        colour, angle = rng.uniform(0, 255, 3).tolist(), rng.uniform(0, 180)
        cv2.ellipse(photo, at.astype(int).tolist(), size.astype(int).tolist(), angle, 0, 360, colour, -1, cv2.LINE_AA)
    side = round(rng.uniform(*FACE) * min(width, height))
    left, top = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
    window = np.s_[top : top + side, left : left + side]
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    alpha = np.clip((1 - np.maximum(np.abs(x), np.abs(y))) * 8, 0, 1)[..., None]
    resized = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    photo[window] = alpha * resized + (1 - alpha) * photo[window]
    photo += cv2.resize(rng.normal(0, 5, (height // 2, width // 2)).astype(np.float32), (width, height))[..., None]
    mask = np.zeros((height, width), np.uint8)
    centre = np.array([left, top]) + side * rng.uniform((0.35, 0.42), (0.65, 0.75))
    axes = side * rng.uniform(0.06, 0.18, 2)
    cv2.ellipse(mask, centre.astype(int).tolist(), axes.astype(int).tolist(), 0, 0, 360, 255, -1)
    return np.rint(np.clip(photo, 0, 255)).astype(np.uint8), mask


def make(folder: Path, photos: int, shards: list[str], megapixels: tuple[float, float]) -> None:
    for name in ("photos", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    source = faces_of(shards)
    for number in range(photos):
        photo, mask = photo_of(next(source), np.random.default_rng(number), megapixels)
        Image.fromarray(photo).save(folder / "photos" / f"{number:05}.jpg", quality=90)
        Image.fromarray(mask).save(folder / "masks" / f"{number:05}.png")


class Run:
    """One ``faceinp batch``: when how many photos were done, what it held, and its manifest."""

    def __init__(self, folder: Path, out: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "faceinp", "batch", str(folder / "photos"), str(out)]
        command += ["--masks", str(folder / "masks"), *flags]
        self.reached: list[tuple[float, int]] = []  # seconds since the start, photos done
        self.held: list[tuple[int, float]] = []  # photos done, megabytes of the command and its workers
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            watcher = threading.Thread(target=self._watch, args=(process,), daemon=True)
            watcher.start()
            assert process.stdout is not None
            for line in process.stdout:
                if " filled, " in line:
                    filled, failed = (int(part.split()[0].replace(",", "")) for part in line.split(", ", 1))
                    self.reached.append((time.perf_counter() - started, filled + failed))
        self.seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(process.returncode)
        lines = [
            json.loads(line) for file in (out / "manifest").glob("*.jsonl") for line in file.read_text().splitlines()
        ]
        self.filled = [line for line in lines if line["outcome"] == "filled"]
        self.failed = [line for line in lines if line["outcome"] == "failed"]

    @property
    def rate(self) -> float:
        """Photos a second once it is under way: from the first part that was done to the last."""
        (first, some), (last, all_) = self.reached[0], self.reached[-1]
        return (all_ - some) / (last - first)

    def _watch(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            done = self.reached[-1][1] if self.reached else 0
            self.held.append((done, sum(map(resident, descendants(process.pid)))))
            time.sleep(0.5)


def descendants(parent: int) -> list[int]:
    """A process and all that it started; Linux."""
    found = [parent]
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += [below for child in task.read_text().split() for below in descendants(int(child))]
        except OSError:  # it ended meanwhile
            continue
    return found


def resident(process: int) -> float:
    """Megabytes in memory; what processes share counts for each."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def run(folder: Path, workers: list[int], engine: str, judge: str, rounds: int) -> None:
    flags = ("--engine", engine, "--judge", judge, "--threads", "1")
    rates: dict[int, list[float]] = {count: [] for count in workers}
    best: dict[int, Run] = {}
    for _ in range(rounds):
        for count in workers:  # in turns, so that a busier minute does not hit one of them alone
            with tempfile.TemporaryDirectory() as out:
                done = Run(folder, Path(out), *flags, "--workers", str(count))
            if done.rate >= max(rates[count], default=0):
                best[count] = done
            rates[count].append(done.rate)
    print("| workers | photos | failed | s, all | photos/s | of one worker | largest step allows | of that |")
    print("|---|---|---|---|---|---|---|---|")
    for count, done in best.items():
        steps = seconds_of(done)
        slowest = max(steps, key=lambda step: steps[step])
        allowed = count / (steps[slowest] / len(done.filled))
        print(
            f"| {count} | {len(done.filled)} | {len(done.failed)} | {done.seconds:.1f} | {done.rate:.2f} | "
            f"{done.rate / max(rates[workers[0]]):.2f} | {allowed:.2f} ({slowest}) | {done.rate / allowed:.0%} |"
        )
    print("\n| workers | ms a photo | " + " | ".join(STEPS) + " | between |")
    print("|---|---|" + "---|" * (len(STEPS) + 1))
    for count, done in best.items():
        steps = seconds_of(done)
        whole = count / done.rate * len(done.filled)
        shares = [f"{steps[step] / whole:.1%}" for step in STEPS]
        between = f"{1 - sum(steps.values()) / whole:.1%}"
        print(f"| {count} | {1000 * whole / len(done.filled):.0f} | " + " | ".join([*shares, between]) + " |")
    for error, times in Counter(line["kind"] for done in best.values() for line in done.failed).items():
        print(f"{error}: {times} times")


def seconds_of(done: Run) -> Counter[str]:
    summed: Counter[str] = Counter()
    for line in done.filled:
        summed.update(line["seconds"])
    return summed


def processor(folder: Path, engine: str, judge: str) -> None:
    from faceinp.batch.sources import survey
    from faceinp.batch.worker import Settings, Worker

    time.perf_counter = time.process_time  # every clock of the pipeline is the process's own
    with tempfile.TemporaryDirectory() as out:
        worker = Worker(Settings(out, engine=engine, judge="" if judge == "none" else judge, threads=1))
        first, *rest = survey(str(folder / "photos"), str(folder / "masks"))[0]
        worker(first)  # what is loaded at first use does not count
        started = time.process_time()
        lines = [line for part in rest for line in worker(part)]
        whole = time.process_time() - started
    steps: Counter[str] = Counter()
    for line in lines:
        steps.update(line.get("seconds", {}))
    each = {step: 1000 * steps[step] / len(lines) for step in STEPS}
    print(f"{len(lines)} photos, {1000 * whole / len(lines):.0f} ms of one core a photo:")
    print(", ".join(f"{step} {ms:.0f}" for step, ms in each.items()), end="")
    print(f", between {1000 * whole / len(lines) - sum(each.values()):.0f}")


def memory(folder: Path, photos: int, engine: str, judge: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        again = Path(place)
        for name in ("photos", "masks"):
            (again / name).mkdir()
            files = sorted((folder / name).iterdir())
            for number in range(photos):
                file = files[number % len(files)]
                (again / name / f"{number:05}{file.suffix}").symlink_to(file.resolve())
        done = Run(again, again / "out", "--engine", engine, "--judge", judge, "--threads", "1")
    print("| photos done | MB, most | MB, mean |\n|---|---|---|")
    means = []
    for start in range(0, photos, photos // 8):
        held = [megabytes for count, megabytes in done.held if start <= count < start + photos // 8 and count]
        if held:
            means.append(float(np.mean(held)))
            print(f"| {start} to {start + photos // 8} | {max(held):.0f} | {means[-1]:.0f} |")
    print(f"last eighth against the second: {means[-1] / means[1] - 1:+.1%}; photos/s {done.rate:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "run", "processor", "memory"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, help="of make: 500; of memory: 2000")
    parser.add_argument("--faces", nargs="+", default=[], metavar="SHARDS", help="of make: WebDataset tars of faces")
    parser.add_argument("--megapixels", type=float, nargs=2, default=[1, 4], metavar=("LEAST", "MOST"), help="of make")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of run")
    parser.add_argument("--engine", default="landmark")
    parser.add_argument("--judge", default="none")
    parser.add_argument("--rounds", type=int, default=1, help="of run: so many times, in turns; the best counts")
    given = parser.parse_args()
    if given.what == "make":
        make(given.folder, given.photos or 500, given.faces, tuple(given.megapixels))
    elif given.what == "run":
        run(given.folder, given.workers, given.engine, given.judge, given.rounds)
    elif given.what == "processor":
        processor(given.folder, given.engine, given.judge)
    else:
        memory(given.folder, given.photos or 2000, given.engine, given.judge)
