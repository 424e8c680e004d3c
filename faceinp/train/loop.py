"""The one training loop: precision, averages, log, preview, many GPUs.

A network's own file (``dcgan.py`` ...) says what a step is; everything else about a run is here. All randomness of a
step comes from (seed, step, rank), so a run that was killed continues as if it had not been.
"""

import copy
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from faceinp.errors import DataError
from faceinp.train import checkpoints, settings
from faceinp.train.datasets.data import DECODE
from faceinp.train.graphs import Captured, Update
from faceinp.train.journal import Journal
from faceinp.train.settings import option


@dataclass(frozen=True)
class Run:
    """What every training has in common; a network adds its own fields. Fields are the shell's flags."""

    data: tuple[str, ...] = option((), "shards: paths, globs, folders or URLs of WebDataset tars")
    out: str = option("", "folder of the run: checkpoint, log, previews")
    steps: int = option(30_000, "train up to this step", least=1)
    minutes: float = option(0.0, "stop after this many minutes (0: no limit)", least=0)
    schedule_minutes: float = option(
        0.0, "end the run, and its learning rate, after so many minutes of training (0: at --steps)", least=0
    )
    batch: int = option(128, "pictures per step and process", least=1)
    seed: int = option(0, "all randomness of the run comes from it", least=0, most=2**63 - 1)
    decode: str = option(
        "auto",
        "when pictures are decoded: at the start (start), which keeps them in memory; when they are drawn "
        "(use); auto: at the start where half of the free memory holds them",
        choices=DECODE,
    )
    precision: str = option(
        "auto", "fp32, bf16, or auto: time both and take the faster", choices=("auto", "fp32", "bf16")
    )
    threads: int = option(0, "CPU threads (0: one per core)", least=0, most=1024)
    average: float = option(0.999, "decay of the exponential moving average of weights", least=0, most=1)
    log_every: int = option(20, "steps between log lines", least=1)
    save_every: int = option(250, "steps between checkpoints", least=1)
    preview_every: int = option(500, "steps between preview pictures", least=1)
    keep_every: int = option(
        0, "steps between snapshots that stay, for `weights pack --at`, and at the run's end (0: none)", least=0
    )
    tensorboard: bool = option(False, "figures and previews for TensorBoard, too")
    graph: bool = option(False, "capture a step as a CUDA graph (one GPU, completion only)")
    init: str = option("", "start from these weights (safetensors), with fresh optimisers")
    resume: bool = option(
        False, "go on from the checkpoint in --out, with its settings.toml unless --recipe or --config is given"
    )

    def __post_init__(self) -> None:
        settings.check_values(self)


class Task(Protocol):
    """One network's training."""

    name: str
    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: tuple[str, ...]  # the networks whose moving average is kept

    def step(self, step: int, rank: int, context: "Context") -> dict[str, Tensor]:
        """One update of every network; returns the terms to log (0-d tensors)."""

    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """A picture (3, H, W) in [0, 1] that shows how far the training is."""

    def validate(self, averages: dict[str, nn.Module]) -> dict[str, float]:
        """Figures on held-back faces; the first (lower is better) chooses the averages to keep; {}: none."""
        return {}


@dataclass
class Context:
    """What a step needs of the loop: where to compute, how exactly, and how to back-propagate."""

    accelerator: Accelerator
    precision: str = "fp32"
    progress: float = 0.0  # share of the run that is over, by steps or by time
    graphs: Captured | None = None  # where steps are replayed as a CUDA graph

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def run(
        self, update: Update, batch: dict[str, Tensor], optimizers: dict[str, torch.optim.Optimizer]
    ) -> dict[str, Tensor]:
        """``update`` with ``batch``, captured and replayed where that was asked for."""
        return self.graphs(update, batch, self, optimizers) if self.graphs else update(batch, self)

    def update(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        optimizer.step()


def train(task: Task, config: Run, say: Callable[[str], None] = print) -> Path:
    """Run ``task`` to ``config.steps`` and return the checkpoint's path.

    Stops early, with a checkpoint, at ``config.minutes`` and on SIGTERM or Ctrl-C.
    Raises DataError when ``config.out`` already holds a run and ``resume`` is off.
    """
    folder = folder_of(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.backends.cudnn.benchmark = True  # sizes never change: the fastest convolutions are worth a search
    accelerator = _accelerator()
    context = Context(accelerator)
    if config.init and not (folder / checkpoints.CHECKPOINT).exists():
        checkpoints.load_networks(task, config.init, say)
    averages = {name: copy.deepcopy(task.networks[name]).eval().to(accelerator.device) for name in task.averaged}
    step, seconds = _prepare(task, averages, config, context, say)
    if accelerator.is_main_process:
        settings.write(folder, task.name, config)
        processes = f", {accelerator.num_processes} processes" if accelerator.num_processes > 1 else ""
        hardware = f"{context.device}, {context.precision}{processes}, batch {config.batch}"
        say(f"{task.name}: step {step} of {config.steps}, {hardware}")

    checkpoint = folder / checkpoints.CHECKPOINT
    clock, stop, last = _Clock(seconds), Event(), step >= config.steps
    for sign in (signal.SIGTERM, signal.SIGINT):  # a run ends between two steps, with a checkpoint
        signal.signal(sign, lambda *_: stop.set())
    with Journal(folder, step, config, accelerator) as journal:
        while not last:
            context.progress = clock.progress(step, config)
            terms = task.step(step, accelerator.process_index, context)
            step += 1
            _update(averages, task, accelerator, min(config.average, step / (step + 10)))
            last = step == config.steps or clock.is_over(config) or stop.is_set() or context.progress >= 1
            if not accelerator.is_main_process:
                continue
            if step % config.log_every == 0 or last:
                journal.write_terms(step, terms)
            if step % config.save_every == 0 or last:  # first: SIGTERM leaves little time
                checkpoints.save(task, averages, config, (step, clock.trained), checkpoint, accelerator)
            if config.keep_every and (step % config.keep_every == 0 or step == config.steps or context.progress >= 1):
                checkpoints.save_snapshot(task, averages, config, step, accelerator)
            if step % config.preview_every == 0 or last:
                journal.write_preview(step, task.preview(averages))
                if journal.is_best(step, task.validate(averages)):
                    checkpoints.save_best(task, averages, config, step, journal.best)
                journal.plot()
    accelerator.end_training()
    if accelerator.is_main_process:
        say(f"{task.name}: stopped at step {step}; {checkpoint}")
    return checkpoint


def _prepare(
    task: Task, averages: dict[str, nn.Module], config: Run, context: Context, say: Callable[[str], None]
) -> tuple[int, float]:
    """Networks and optimisers on the device, as the checkpoint left them; returns the step and seconds of training."""
    accelerator, checkpoint = context.accelerator, Path(config.out) / checkpoints.CHECKPOINT
    for name, network in task.networks.items():
        task.networks[name] = accelerator.prepare(network)
    for name, optimizer in task.optimizers.items():
        task.optimizers[name] = accelerator.prepare(optimizer)
    progress = (0, 0.0)
    if checkpoint.exists():
        progress = checkpoints.restore(task, averages, config, checkpoint, accelerator, say)
    elif config.resume and accelerator.is_main_process:
        say(f"note: {checkpoint.parent} holds no {checkpoint.name} to resume: the run begins at step 0")
    context.precision = _choose_precision(task, context, config.precision, say)
    if config.graph and accelerator.device.type == "cuda":
        context.graphs = Captured()
    elif config.graph and accelerator.is_main_process:
        say(f"{task.name}: --graph needs a CUDA GPU; this run goes without it")
    return progress


def folder_of(config: Run) -> Path:
    """The run's folder, made where it is missing. Raises DataError where it is a file, or holds a run already."""
    folder = Path(config.out)
    if (folder / checkpoints.CHECKPOINT).exists() and not config.resume:
        raise DataError(f"{folder} already holds a run. Add --resume to go on with it, or choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made a folder ({error.strerror}). Choose another --out.") from error
    return folder


class _Clock:
    """Wall-clock time of a run: ``trained`` also counts the time before it was resumed."""

    def __init__(self, seconds: float) -> None:
        self.before, self.started = seconds, time.monotonic()

    @property
    def trained(self) -> float:
        """Seconds of training until now."""
        return self.before + time.monotonic() - self.started

    def progress(self, step: int, config: Run) -> float:
        """The share of the run that is over, by time where ``config.schedule_minutes`` is set, else by steps."""
        return self.trained / (60 * config.schedule_minutes) if config.schedule_minutes else step / config.steps

    def is_over(self, config: Run) -> bool:
        return config.minutes > 0 and time.monotonic() - self.started > 60 * config.minutes


@torch.no_grad()
def _update(averages: dict[str, nn.Module], task: Task, accelerator: Accelerator, decay: float) -> None:
    """Exponential moving averages of parameters and of batch-norm statistics."""
    for network, average in averages.items():
        kept, current = average.state_dict(), accelerator.unwrap_model(task.networks[network]).state_dict()
        numbers = [name for name, value in kept.items() if value.is_floating_point()]
        torch._foreach_lerp_([kept[name] for name in numbers], [current[name] for name in numbers], 1 - decay)
        for name in kept.keys() - set(numbers):
            kept[name].copy_(current[name])


def _accelerator() -> Accelerator:
    """Of the processes that were started together: accelerate itself sees none of torchrun's where there is no GPU."""
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1 or torch.cuda.is_available()
    return Accelerator() if alone else Accelerator(cpu=True)


def _choose_precision(task: Task, context: Context, wanted: str, say: Callable[[str], None]) -> str:
    """Time three steps in fp32 and in bf16 and return the faster, leaving the task as it was.

    Without bf16 instructions a CPU emulates them, many times slower than fp32.
    """
    if wanted != "auto":
        return wanted
    unwrap = context.accelerator.unwrap_model
    before = {name: copy.deepcopy(unwrap(network).state_dict()) for name, network in task.networks.items()}
    optimizers = {name: copy.deepcopy(optimizer.state_dict()) for name, optimizer in task.optimizers.items()}
    seconds = {}
    for precision in ("fp32", "bf16"):
        context.precision = precision
        task.step(0, context.accelerator.process_index, context)
        started = time.perf_counter()
        for _ in range(3):
            terms = task.step(0, context.accelerator.process_index, context)
            float(next(iter(terms.values())).detach())  # waits for a GPU to finish
        seconds[precision] = (time.perf_counter() - started) / 3
    for name, state in before.items():
        unwrap(task.networks[name]).load_state_dict(state)
    for name, state in optimizers.items():
        task.optimizers[name].load_state_dict(state)
    say("seconds a step: " + ", ".join(f"{name} {value:.3f}" for name, value in seconds.items()))
    return min(seconds, key=lambda name: seconds[name])


def cosine(step: int, progress: float, warm_up: int = 200) -> float:
    """Share of the highest learning rate at ``step``: a straight line up, then half a cosine down to a hundredth.

    progress: the share of the run that is over, by steps or by time (``Context.progress``).
    """
    return min((step + 1) / warm_up, max(0.01, 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # a captured step reads it where it lies
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def grid(pictures: Tensor, columns: int = 8) -> Tensor:
    """Pictures (N, 3, S, S) side by side: (3, rows * S, columns * S)."""
    rows = [torch.cat(list(pictures[i : i + columns]), dim=2) for i in range(0, len(pictures), columns)]
    return torch.cat(rows, dim=1)
