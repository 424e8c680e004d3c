"""Checkpoints of a run: safetensors files, each written beside the old one and moved over it."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from faceinp.errors import DataError, WeightsError
from faceinp.models.weights import read_tensors, to_fp32, with_prefix
from faceinp.photo import staging
from faceinp.train import settings

if TYPE_CHECKING:
    from faceinp.train.loop import Run, Task

Networks = dict[str, nn.Module]

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"  # the averages with the best score on held-back faces
SNAPSHOTS = "kept"  # a folder of snapshots, each of which `faceinp weights pack --at` packs


def save(
    task: "Task",
    averages: Networks,
    config: "Run",
    progress: tuple[int, float],
    path: Path,
    accelerator: Accelerator,
) -> None:
    """Networks, averages and optimisers. progress: the step, and the seconds of training until now."""
    networks = {name: accelerator.unwrap_model(network) for name, network in task.networks.items()}
    tensors = _named(networks) | _named(averages, ".average")
    for name, optimizer in task.optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}/{index}/{k}": torch.as_tensor(v) for k, v in state.items()}
    step, seconds = progress
    _write(tensors, _about(task, config, step) | {"seconds": f"{seconds:.1f}"}, path)


def save_best(task: "Task", averages: Networks, config: "Run", step: int, score: float) -> None:
    """The averages alone, with their score on held-back faces."""
    _write(_named(averages, ".average"), _about(task, config, step) | {"score": str(score)}, Path(config.out) / BEST)


def save_snapshot(task: "Task", averages: Networks, config: "Run", step: int, accelerator: Accelerator) -> None:
    """A snapshot that is kept: the averages, and the networks that have none. No optimiser."""
    others = {name: accelerator.unwrap_model(task.networks[name]) for name in task.networks.keys() - averages.keys()}
    path = snapshot_path(config.out, step)
    path.parent.mkdir(exist_ok=True)
    _write(_named(averages, ".average") | _named(others), _about(task, config, step), path)


def snapshot_path(run: str | Path, step: int) -> Path:
    return Path(run) / SNAPSHOTS / f"{step:07d}.safetensors"


def _named(networks: Networks, suffix: str = "") -> dict[str, Tensor]:
    """The tensors of all networks by "network/tensor"."""
    return {f"{name}{suffix}/{k}": v for name, network in networks.items() for k, v in network.state_dict().items()}


def _about(task: "Task", config: "Run", step: int) -> dict[str, str]:
    return {"task": task.name, "step": str(step), "config": json.dumps(dataclasses.asdict(config))}


def _write(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    try:
        with staging.replacing(path) as temporary:
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path} cannot be written ({error}). The previous checkpoint is intact: free some space, then --resume."
        ) from error


def restore(
    task: "Task",
    averages: Networks,
    config: "Run",
    path: Path,
    accelerator: Accelerator,
    say: Callable[[str], None] = print,
) -> tuple[int, float]:
    """Load everything that ``save`` wrote into ``task`` and ``averages``; returns the step and the seconds of training.

    Names the settings that differ from those of the checkpoint. Raises WeightsError for a damaged file, for a run of
    another network, and for settings that change the networks' shapes.
    """
    try:
        metadata, tensors = read_tensors(path)
    except WeightsError as error:
        raise WeightsError(
            f"{path} is damaged and cannot be resumed. Copy back an undamaged one, or choose another --out; snapshots "
            "of --keep-every can be packed (`faceinp weights pack --at STEP`) and given to --init."
        ) from error
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


def load_networks(task: "Task", path: str, say: Callable[[str], None] = print) -> None:
    """Load the networks of ``task`` from weights; the optimisers start fresh.

    A network without an average (a discriminator) may be missing or of another size: ``say`` names it, and it starts
    from scratch. Raises WeightsError where another network does not fit.
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
