"""The one training loop: precision, averages, checkpoints, log, preview, many GPUs.

A network's own file (``dcgan.py`` ...) says what a step is; everything else about a run is here. All
randomness of a step comes from (seed, step, rank), so a run that was killed continues as if it had not been.
"""

import copy
import dataclasses
import json
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from faceinp.errors import DataError, WeightsError
from faceinp.models.weights import read_tensors, to_fp32, with_prefix
from faceinp.train import plots, settings
from faceinp.train.datasets.data import DECODE
from faceinp.train.graphs import Captured, Update

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"  # the averages that measured best on held-back faces
LOG = "log.jsonl"
KEPT = "kept"  # a folder of snapshots, each of which is packed by itself


@dataclass(frozen=True)
class Run:
    """What every training has in common; a network adds its own fields. Fields are the shell's flags."""

    data: tuple[str, ...] = field(
        default=(), metadata={"help": "shards: paths, globs, folders or URLs of WebDataset tars"}
    )
    out: str = field(default="", metadata={"help": "folder of the run: checkpoint, log, previews"})
    steps: int = field(default=30_000, metadata={"help": "train up to this step"})
    minutes: float = field(default=0.0, metadata={"help": "stop after this many minutes (0: no limit)"})
    schedule_minutes: float = field(
        default=0.0,
        metadata={"help": "end the run, and its learning rate, after so many minutes of training (0: at --steps)"},
    )
    batch: int = field(default=128, metadata={"help": "pictures a step and process"})
    seed: int = field(default=0, metadata={"help": "all randomness of the run comes from it"})
    decode: str = field(
        default="auto",
        metadata={
            "help": "when pictures are decoded: at the start (start), which keeps them in memory; when they are drawn "
            "(use); auto: at the start where half of the free memory holds them",
            "choices": DECODE,
        },
    )
    precision: str = field(default="auto", metadata={"help": "fp32, bf16, or auto: time both and take the faster"})
    threads: int = field(default=0, metadata={"help": "CPU threads (0: one a core)"})
    average: float = field(default=0.999, metadata={"help": "decay of the exponential moving average of weights"})
    log_every: int = field(default=20, metadata={"help": "steps between log lines"})
    save_every: int = field(default=250, metadata={"help": "steps between checkpoints"})
    preview_every: int = field(default=500, metadata={"help": "steps between preview pictures"})
    keep_every: int = field(
        default=0, metadata={"help": "steps between snapshots that stay, for `faceinp weights pack --at` (0: none)"}
    )
    tensorboard: bool = field(default=False, metadata={"help": "figures and previews for TensorBoard, too"})
    graph: bool = field(default=False, metadata={"help": "capture a step as a CUDA graph (one GPU, completion only)"})
    init: str = field(default="", metadata={"help": "start from these weights (safetensors), with fresh optimisers"})
    resume: bool = field(default=False, metadata={"help": "go on from the checkpoint in --out"})

    def __post_init__(self) -> None:
        settings.check_choices(self)


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
        """Figures on held-back faces, the first one (lower is better) chooses the averages kept in ``best``; or {}."""


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
    checkpoint = folder / CHECKPOINT
    if config.threads:
        torch.set_num_threads(config.threads)

    torch.backends.cudnn.benchmark = True  # sizes never change: the fastest convolutions are worth a search
    accelerator = _accelerator()
    context = Context(accelerator)
    if config.init:
        load_networks(task, config.init, say)
    averages = {name: copy.deepcopy(task.networks[name]).eval().to(accelerator.device) for name in task.averaged}
    for name, network in task.networks.items():
        task.networks[name] = accelerator.prepare(network)
    for name, optimizer in task.optimizers.items():
        task.optimizers[name] = accelerator.prepare(optimizer)
    step, seconds = restore(task, averages, config, checkpoint, accelerator, say) if checkpoint.exists() else (0, 0.0)
    context.precision = _choose_precision(task, context, config.precision, say)
    context.graphs = Captured() if config.graph and accelerator.device.type == "cuda" else None
    chief = accelerator.is_main_process
    board = plots.Board(folder, step) if chief and config.tensorboard else None
    if chief:
        settings.write(folder, task.name, config)
        processes = f", {accelerator.num_processes} processes" if accelerator.num_processes > 1 else ""
        computed = f"{context.device}, {context.precision}{processes}, batch {config.batch}"
        say(f"{task.name}: step {step} of {config.steps}, {computed}")

    best = float(read_tensors(folder / BEST)[0]["score"]) if step and (folder / BEST).exists() else float("inf")
    started, stop = time.monotonic(), _StopFlag()
    with (folder / LOG).open("a") as log:
        since, since_step = time.monotonic(), step
        while step < config.steps:
            trained = seconds + time.monotonic() - started
            context.progress = (
                trained / (60 * config.schedule_minutes) if config.schedule_minutes else step / config.steps
            )
            terms = task.step(step, accelerator.process_index, context)
            step += 1
            for name, average in averages.items():
                _average(
                    average, accelerator.unwrap_model(task.networks[name]), min(config.average, step / (step + 10))
                )
            out_of_time = config.minutes > 0 and time.monotonic() - started > 60 * config.minutes
            last = step == config.steps or out_of_time or stop.raised or context.progress >= 1
            if chief and (step % config.log_every == 0 or last):
                now = time.monotonic()
                rate = config.batch * accelerator.num_processes * (step - since_step) / (now - since)
                since, since_step = now, step
                line = {"step": step, "pictures_per_second": round(rate, 1)}
                line |= {name: round(float(value.detach()), 5) for name, value in terms.items()}
                print(json.dumps(line), file=log, flush=True)
                if board:
                    board.figures(line)
            if chief and (step % config.save_every == 0 or last):  # first: who sent SIGTERM may not wait for more
                save(task, averages, config, (step, seconds + time.monotonic() - started), checkpoint, accelerator)
            if chief and config.keep_every and step % config.keep_every == 0:
                keep(task, averages, config, step, accelerator)
            if chief and (step % config.preview_every == 0 or last):
                picture = task.preview(averages)
                plots.save_preview(picture, folder / "previews" / f"{step:07d}.png")
                if board:
                    board.preview(picture, step)
                if scores := task.validate(averages):
                    line = {"step": step, **{name: round(value, 5) for name, value in scores.items()}}
                    print(json.dumps(line), file=log, flush=True)
                    if board:
                        board.figures(line)
                    score = next(iter(scores.values()))
                    if score < best:
                        best = score
                        save_averages(task, averages, config, step, folder / BEST, score)
                plots.plot_log(folder / LOG, folder / "curves.png")
            if last:
                break
    accelerator.end_training()
    if board:
        board.close()
    if chief:
        say(f"{task.name}: stopped at step {step}; {checkpoint}")
    return checkpoint


def folder_of(config: Run) -> Path:
    """The run's folder, made where it is missing. Raises DataError where it is a file, or holds a run already."""
    folder = Path(config.out)
    if (folder / CHECKPOINT).exists() and not config.resume:
        raise DataError(f"{folder} already holds a run. Add --resume to go on with it, or choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made a folder ({error.strerror}). Choose another --out.") from error
    return folder


# ---- checkpoints: one safetensors file, written beside the old one and moved over it ----


def save(
    task: Task,
    averages: dict[str, nn.Module],
    config: Run,
    progress: tuple[int, float],
    path: Path,
    accelerator: Accelerator,
) -> None:
    """progress: the step, and for how many seconds the run has been trained."""
    tensors: dict[str, Tensor] = {}
    for name, network in task.networks.items():
        tensors |= {f"{name}/{k}": v for k, v in accelerator.unwrap_model(network).state_dict().items()}
    for name, average in averages.items():
        tensors |= {f"{name}.average/{k}": v for k, v in average.state_dict().items()}
    for name, optimizer in task.optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}/{index}/{k}": torch.as_tensor(v) for k, v in state.items()}
    step, seconds = progress
    about = {"task": task.name, "step": str(step), "seconds": f"{seconds:.1f}"}
    _write(tensors, about | {"config": json.dumps(dataclasses.asdict(config))}, path)


def save_averages(task: Task, averages: dict[str, nn.Module], config: Run, step: int, path: Path, score: float) -> None:
    tensors = {f"{name}.average/{k}": v for name, average in averages.items() for k, v in average.state_dict().items()}
    metadata = {"task": task.name, "step": str(step), "config": json.dumps(dataclasses.asdict(config))}
    _write(tensors, metadata | {"score": str(score)}, path)


def keep(task: Task, averages: dict[str, nn.Module], config: Run, step: int, accelerator: Accelerator) -> None:
    """A snapshot that stays: the averages, and the networks of which there are none. No optimiser."""
    tensors = {f"{name}.average/{k}": v for name, average in averages.items() for k, v in average.state_dict().items()}
    for name in task.networks.keys() - averages.keys():
        tensors |= {f"{name}/{k}": v for k, v in accelerator.unwrap_model(task.networks[name]).state_dict().items()}
    path = kept_path(config.out, step)
    path.parent.mkdir(exist_ok=True)
    _write(tensors, {"task": task.name, "step": str(step), "config": json.dumps(dataclasses.asdict(config))}, path)


def kept_path(run: str | Path, step: int) -> Path:
    return Path(run) / KEPT / f"{step:07d}.safetensors"


def _write(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    partial = path.with_suffix(".partial")
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error}). What was saved before is whole: make room, and go on with --resume."
        ) from error


def restore(
    task: Task,
    averages: dict[str, nn.Module],
    config: Run,
    path: Path,
    accelerator: Accelerator,
    say: Callable[[str], None] = print,
) -> tuple[int, float]:
    """Load everything ``save`` wrote into ``task`` and ``averages``; returns the step and the seconds of training.

    Settings that differ from those the run was begun with are said. Raises WeightsError for a run of another network,
    and for settings with which the networks are others.
    """
    metadata, tensors = read_tensors(path)
    if metadata.get("task") != task.name:
        raise WeightsError(
            f"{path} holds a run of {metadata.get('task')!r}, not of {task.name!r}. Choose another --out."
        )
    changed = settings.changed(json.loads(metadata["config"]), config)
    try:
        for name, network in task.networks.items():
            accelerator.unwrap_model(network).load_state_dict(with_prefix(tensors, f"{name}/"))
        for name, average in averages.items():
            average.load_state_dict(with_prefix(tensors, f"{name}.average/"))
    except RuntimeError as error:
        begun = ", ".join(changed) or "another version of faceinp"
        raise WeightsError(
            f"{path.parent} holds networks of another kind or size. It was begun with {begun}. Give its settings "
            f"(--config {path.parent / settings.FILE} has them), or choose another --out."
        ) from error
    if changed and accelerator.is_main_process:
        say(f"note: going on with other settings; the run was begun with {', '.join(changed)}")
    for name, optimizer in task.optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in with_prefix(tensors, f"optimizer.{name}/").items():
            index, term = key.split("/")
            state.setdefault(int(index), {})[term] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(metadata["step"]), float(metadata.get("seconds", 0))


def load_networks(task: Task, path: str, say: Callable[[str], None] = print) -> None:
    """Start from shipped weights, optimisers fresh. A network of which no average is kept may be missing, or be of
    another size: it starts anew, and that is said.
    """
    tensors = to_fp32(read_tensors(path)[1])
    for name, network in task.networks.items():
        state = with_prefix(tensors, f"{name}/")
        if name not in task.averaged and _shapes(state) != _shapes(network.state_dict()):
            say(f"{path} holds no {name!r} of this size: it starts anew")
            continue
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(
                f"{path} holds no {name!r} of this kind and size. Give another --init, or the settings of its training."
            ) from error


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


# ---- parts of the loop ----


class _StopFlag:
    """Raised by SIGTERM and Ctrl-C, so that a run ends between two steps with a checkpoint."""

    def __init__(self) -> None:
        self.raised = False
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._raise)

    def _raise(self, *_: Any) -> None:
        self.raised = True


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of parameters and of batch-norm statistics."""
    kept, current = average.state_dict(), network.state_dict()
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
