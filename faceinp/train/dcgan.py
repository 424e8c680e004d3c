"""Training of the DCGAN: formula (1) of the first paper, with the non-saturating generator loss."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.nets.dcgan import SIZE, Discriminator, Generator, latents
from faceinp.train import loop, schedules
from faceinp.train.datasets import data
from faceinp.train.settings import option


@dataclass(frozen=True)
class DcganRun(loop.Run):
    """Radford's settings; see ``loop.Run`` for the rest."""

    latent: int = option(100, "size of z", least=1)
    width: int = option(64, "channels at full resolution (ngf = ndf)", least=1)
    rate: float = option(2e-4, "highest learning rate of both networks (Adam)", above=0)
    schedule: str = schedules.option("constant", "of both networks")
    beta1: float = option(0.5, "Adam's decay of the mean of gradients, of both networks", least=0, below=1)
    beta2: float = option(0.999, "Adam's decay of the mean of their squares", least=0, below=1)


class DcganTask(loop.Task):  # no figure on held-back faces says how good samples look
    name = "dcgan"
    averaged = ("generator",)

    def __init__(self, config: DcganRun, faces: data.Faces) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.faces = faces
        self.networks: dict[str, nn.Module] = {
            "generator": Generator(config.latent, config.width),
            "discriminator": Discriminator(config.width),
        }
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(network.parameters(), lr=config.rate, betas=(config.beta1, config.beta2))
            for name, network in self.networks.items()
        }

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        config = self.config
        rate = config.rate * schedules.SCHEDULES[config.schedule](step, context.progress)
        for optimizer in self.optimizers.values():
            loop.set_rate(optimizer, rate)
        real = self.faces.batch(config.batch, seed=config.seed, step=step, rank=rank).to(context.device)
        z = latents(config.batch, config.latent, (config.seed, step, rank, 1)).to(context.device)
        with context.autocast():
            generated = generator(z)
            on_real, on_generated = discriminator(real), discriminator(generated.detach())
            loss_d = functional.softplus(-on_real.float()).mean() + functional.softplus(on_generated.float()).mean()
        context.update(loss_d, self.optimizers["discriminator"])
        discriminator.requires_grad_(False)
        with context.autocast():
            loss_g = functional.softplus(-discriminator(generated).float()).mean()
        context.update(loss_g, self.optimizers["generator"])
        discriminator.requires_grad_(True)
        return {
            "discriminator": loss_d,
            "generator": loss_g,
            "real_as_real": (on_real > 0).float().mean(),
            "generated_as_real": (on_generated > 0).float().mean(),
        }

    @torch.no_grad()
    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """64 samples of the averaged generator, always of the same z."""
        generator = averages["generator"]
        z = latents(64, self.config.latent, (self.config.seed, 2))
        return loop.grid(generator(z.to(next(generator.parameters()).device)))


def train(config: DcganRun) -> None:
    faces, _ = data.load_for_training(config.data, SIZE, config.decode, pointed=False, measured=False)
    loop.train(DcganTask(config, faces), config)
