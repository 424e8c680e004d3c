"""From a run's checkpoint to shipped weights: half the bits, batch-norm statistics measured anew, a checksum."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from faceinp import weights
from faceinp.errors import DataError
from faceinp.nets import dcgan
from faceinp.train import loop
from faceinp.train.dcgan import latents

STATISTICS_BATCHES, STATISTICS_BATCH = 100, 128


def pack(run: str | Path, out: str | Path, batches: int = STATISTICS_BATCHES) -> Path:
    """Write the averaged generator and the discriminator of the DCGAN run in folder ``run`` to ``out``, in fp16.

    Raises DataError when the folder holds no such run.
    """
    checkpoint, out = Path(run) / loop.CHECKPOINT, Path(out)
    if not checkpoint.is_file():
        raise DataError(f"{run} holds no {loop.CHECKPOINT}. Give the --out folder of `faceinp train dcgan`.")
    metadata, tensors = weights.read_tensors(checkpoint)
    if metadata.get("task") != "dcgan":
        raise DataError(f"{checkpoint} holds a run of {metadata.get('task')!r}; only DCGAN runs are packed.")
    config = json.loads(metadata["config"])
    generator = dcgan.Generator(config["latent"], config["width"])
    generator.load_state_dict(weights.under(tensors, "generator.average/"))
    measure_statistics(generator, config["latent"], batches)
    packed = {f"generator/{name}": value for name, value in generator.state_dict().items()}
    packed |= {f"discriminator/{name}": value for name, value in weights.under(tensors, "discriminator/").items()}
    about = {
        "network": "dcgan",
        "config": json.dumps({"latent": config["latent"], "width": config["width"]}),
        "steps": metadata["step"],
        "batch": str(config["batch"]),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: _half(value) for name, value in packed.items()}, out, about)
    out.chmod(0o644)  # safetensors writes for the owner alone
    weights.record(out)
    return out


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
        generator(latents(STATISTICS_BATCH, latent, (3, batch)))
    generator.eval()


def _half(value: Tensor) -> Tensor:
    return (value.half() if value.is_floating_point() else value).contiguous()
