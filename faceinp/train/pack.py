"""From a run's checkpoint to shipped weights: the averaged networks, fewer bits, a checksum."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from faceinp.errors import DataError
from faceinp.identity.judges import network_of
from faceinp.models import weights
from faceinp.nets import completion, dcgan
from faceinp.photo import staging
from faceinp.train import checkpoints

STATISTICS_BATCHES, STATISTICS_BATCH = 100, 128


def pack(run: str | Path, out: str | Path, *, at: int | None = None, **options: Any) -> Path:
    """Write the networks of the run in folder ``run`` that are worth keeping to ``out``, in fp16 or less.

    Of a run that measures itself, the averages that measured best; else the last; with ``at`` those of that step, which
    ``--keep-every`` left, or the checkpoint has. options: those of the network's function below. Raises DataError when
    the folder holds no run that is packed, or nothing of that step.
    """
    best, out = Path(run) / checkpoints.BEST, Path(out)
    checkpoint = _checkpoint(Path(run), at)
    metadata, tensors = weights.read_tensors(checkpoint)
    network = metadata.get("task", "")
    if network not in PACKERS:
        raise DataError(f"{checkpoint} holds a run of {network!r}. Runs that can be packed: {', '.join(PACKERS)}.")
    if at is None and best.is_file():
        chosen, averages = weights.read_tensors(best)
        tensors |= averages
        metadata |= {"step": chosen["step"]}
    if "coarse" in options and network != "completion":
        raise DataError(f"{checkpoint} holds a run of {network!r}, which has no coarse half. Leave --coarse out.")
    config = json.loads(metadata["config"])
    packed, settings = PACKERS[network](tensors, config, **options)
    about = {
        "network": network,
        "config": json.dumps(settings),
        "steps": metadata["step"],
        "batch": str(config["batch"]),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with staging.replacing(out) as temporary:
        halves = {name: value.half() if value.is_floating_point() else value for name, value in packed.items()}
        save_file({name: value.contiguous() for name, value in halves.items()}, temporary, about)
    out.chmod(0o644)  # safetensors writes for the owner alone
    weights.record(out)
    return out


def _checkpoint(run: Path, at: int | None) -> Path:
    """The file to pack. Raises DataError where there is none."""
    newest = run / checkpoints.CHECKPOINT
    if not newest.is_file() and at is None:
        raise DataError(f"{run} holds no {checkpoints.CHECKPOINT}. Give the --out folder of `faceinp train`.")
    if at is None:
        return newest
    snapshot = checkpoints.snapshot_path(run, at)
    if snapshot.is_file():
        return snapshot
    last = int(weights.read_tensors(newest)[0].get("step", 0)) if newest.is_file() else None
    if last == at:
        return newest
    steps = {int(file.stem) for file in snapshot.parent.glob("*.safetensors")}
    if not steps:
        raise DataError(f"{run} has no snapshots. Train with --keep-every N, or leave --at out.")
    available = ", ".join(map(str, sorted(steps | ({last} if last else set()))))
    raise DataError(f"{run} has no snapshot of step {at}. Available: {available}.")


# ---- one function a network: the checkpoint's tensors, the run's settings -> tensors to ship, settings to rebuild ----

Packed = tuple[dict[str, Tensor], dict[str, Any]]


def _dcgan(tensors: dict[str, Tensor], config: dict[str, Any], batches: int = STATISTICS_BATCHES) -> Packed:
    """The averaged generator, whose batch-norm statistics are measured anew, and the discriminator."""
    generator = dcgan.Generator(config["latent"], config["width"])
    generator.load_state_dict(weights.with_prefix(tensors, "generator.average/"))
    measure_statistics(generator, config["latent"], batches)
    packed = {f"generator/{name}": value for name, value in generator.state_dict().items()}
    packed |= {f"discriminator/{name}": value for name, value in weights.with_prefix(tensors, "discriminator/").items()}
    return packed, {name: config[name] for name in ("latent", "width")}


def _average(tensors: dict[str, Tensor], config: dict[str, Any], *, network: str) -> Packed:
    """The moving average of ``network`` as it is."""
    state = weights.with_prefix(tensors, f"{network}.average/")
    return {f"{network}/{name}": value for name, value in state.items()}, {}


def _small_average(tensors: dict[str, Tensor], config: dict[str, Any], *, network: str) -> Packed:
    """The moving average, in 8 bits."""
    settings = {"network": config.get("network", "lite0")}  # runs of earlier versions knew no other
    packed, _ = _average(tensors, config, network=network)
    return weights.in_eight_bits(packed), settings if network == "landmarks" else {}


def _completion(tensors: dict[str, Tensor], config: dict[str, Any], coarse: str | Path | None = None) -> Packed:
    """The averaged generator, and the opponents for those who train on, in 8 bits, which cost it .01 dB at most.

    taught_by: judges that were in a loss.

    coarse: packed weights of a small network, trained at half the side, that become the coarse half; those of the run,
    where it is of a small network itself, become the fine one.
    """
    packed, _ = _average(tensors, config, network="generator")
    if coarse:
        packed, config = _joined(packed, config, Path(coarse)), config | {"network": "coarse-to-fine"}
    packed |= {name: value for name, value in tensors.items() if name.startswith(("discriminator/", "projected/"))}
    settings = {name: config[name] for name in ("network", "width", "landmarks", "patch_width")}
    taught_by = _taught_by(config) | (_teachers(coarse) if coarse else set())
    return weights.in_eight_bits(packed), settings | {"taught_by": sorted(taught_by)}


def _taught_by(config: dict[str, Any]) -> set[str]:
    """Judges that were in a loss of a run with these settings, or of the weights that it started from."""
    own = {"bundled"} if config.get("traits") else set()
    if config.get("identity"):
        own.add(network_of(config.get("judge", "bundled")))
    return own | (_teachers(config["init"]) if config.get("init") else set())


def _teachers(file: str | Path) -> set[str]:
    """Of packed weights or of a checkpoint; of a file that is gone, the judge of losses unless told otherwise."""
    if not Path(file).is_file():
        return {"bundled"}
    metadata, _ = weights.read_tensors(file)
    config = json.loads(metadata["config"])
    return set(config["taught_by"]) if "taught_by" in config else _taught_by(config)


def _joined(packed: dict[str, Tensor], config: dict[str, Any], coarse: Path) -> dict[str, Tensor]:
    network = completion.CoarseToFine(config["width"])
    try:
        network.load_state_dict(weights.with_prefix(packed, "generator/"))
        network.coarse.load_state_dict(weights.with_prefix(weights.read_packed(coarse)[1], "generator/"))
    except RuntimeError as error:
        raise DataError(
            f"{coarse} and the run do not form one network. Both must be small, of the same width, or the run be "
            "coarse-to-fine."
        ) from error
    return {f"generator/{name}": value for name, value in network.state_dict().items()}


PACKERS: dict[str, Callable[..., Packed]] = {
    "dcgan": _dcgan,
    "landmarks": partial(_small_average, network="landmarks"),
    "embedding": partial(_average, network="embedding"),
    "completion": _completion,
    **dict.fromkeys(("damage", "occluders"), partial(_small_average, network="segmentation")),
}


@torch.no_grad()
def measure_statistics(generator: nn.Module, latent: int, batches: int) -> None:
    """Set batch-norm means and variances to those of ``batches`` times 128 samples.

    A moving average of weights has no statistics of its own.
    """
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    generator.train()
    for batch in range(batches):
        generator(dcgan.latents(STATISTICS_BATCH, latent, (3, batch)))
    generator.eval()
