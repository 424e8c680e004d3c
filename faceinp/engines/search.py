"""The latent search itself: a frozen DCGAN, the papers' objectives, and gradient descent in z."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from faceinp.common import json_values
from faceinp.engines.base import Progress, reporting
from faceinp.engines.lbfgs import LBFGS
from faceinp.engines.objectives import Distance, Objective
from faceinp.engines.settings import PRINTED, SHIPPED, Settings
from faceinp.errors import Cancelled, WeightsError
from faceinp.formulas import losses
from faceinp.models import weights
from faceinp.nets.dcgan import Discriminator, Generator, latents

PREVIEW_EVERY = 25
GUESS_BATCH = 64  # samples that are judged at once, where a search looks for its start


@dataclass(frozen=True)
class Prior:
    """The trained DCGAN: both networks frozen, in eval mode, batch norm folded in."""

    generator: Generator
    discriminator: Discriminator
    device: torch.device

    @classmethod
    def load(cls, file: str | Path = "") -> "Prior":
        """The shipped weights, or those of ``file``; raises WeightsError."""
        file = Path(file) if file else weights.path("dcgan")
        config, tensors = weights.packed(file)
        try:
            generator = Generator(config["latent"], config["width"])
            discriminator = Discriminator(config["width"])
            for name, network in (("generator", generator), ("discriminator", discriminator)):
                network.load_state_dict(weights.under(tensors, f"{name}/"))
                network.eval().requires_grad_(False)
                network.layers = _folded(network.layers)
        except (RuntimeError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{file} does not contain the network 'dcgan'. Use a file made by `faceinp weights pack`."
            ) from error
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(generator.to(device), discriminator.to(device), device)

    @property
    def runtime(self) -> str:
        return f"torch {self.device.type} fp32"

    def latents(self, count: int, seed: int, start: str = "normal") -> Tensor:
        """z of shape (count, latent) from N(0, 1), or uniform in [-1, 1], the same on every device."""
        if start == "uniform":
            drawn = np.random.default_rng(seed).uniform(-1, 1, (count, self.generator.latent)).astype(np.float32)
            return torch.from_numpy(drawn).to(self.device)
        return latents(count, self.generator.latent, seed).to(self.device)


def limits_of(settings: Settings) -> losses.Limits:
    """Those that ``settings.limits`` names; raises WeightsError."""
    if settings.limits == PRINTED:
        return losses.PRINTED
    return load_limits(Path(settings.limits) if settings.limits not in ("", SHIPPED) else None)


def load_limits(file: Path | None = None) -> losses.Limits:
    """The limits measured on the shipped generator, or those of ``file``; raises WeightsError."""
    own, file = file is not None, file or weights.path("dcgan-limits")
    try:
        limits = json_values.section(json_values.read_object(file), "limits")
        names = (field.name for field in fields(losses.Limits))
        return losses.Limits(**{name: json_values.number(limits, name, -1e9, 1e9) for name in names})
    except (OSError, ValueError) as error:
        advice = (
            "Give limits=shipped, limits=printed or a file of `faceinp train dcgan-limits`."
            if own
            else "Fetch it again."
        )
        raise WeightsError(f"{file} holds no limits of losses ({error}). {advice}") from error


def total_loss(prior: Prior, distance: Distance, generated: Tensor, settings: Settings) -> Tensor:
    """The objective's distance plus the weighted L_d, (N,), of pictures that G made."""
    if not settings.realism:
        return distance(generated)
    return distance(generated) + _realism(prior, generated, settings)


def _realism(prior: Prior, generated: Tensor, settings: Settings) -> Tensor:
    logits = prior.discriminator(generated)
    return settings.realism * losses.realism(logits, saturating=settings.prior == "saturating")


@dataclass(frozen=True)
class Found:
    """pictures: G of the best z, (N, 3, 64, 64). loss: its loss, (N,). curve: (step, loss (N,)) where taken."""

    pictures: Tensor
    loss: Tensor
    curve: tuple[tuple[int, Tensor], ...]


def search(
    prior: Prior,
    objective: Objective,
    pictures: Tensor,
    known: Tensor,
    settings: Settings,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Found:
    """Descend from ``settings.starts`` latents to the z whose G(z) agrees best with each picture.

    pictures: float32 (N, 3, 64, 64) in [0, 1]; known: float32 (N, 1, 64, 64), 1 on known pixels. The loss is the
    objective's distance plus the weighted L_d. The search begins at the same z for every picture or, where
    ``settings.guesses`` are tried, at the best of these; either way a picture gets the same answer alone and among
    others. When ``progress`` raises ``Cancelled``, the best so far is returned.
    """
    count, starts, report = len(pictures), settings.starts, reporting(progress)
    distance = objective(pictures.repeat_interleave(starts, 0), known.repeat_interleave(starts, 0))
    if settings.guesses:
        start = _first_guess(prior, objective, pictures, known, settings, seed)
    else:
        start = prior.latents(starts, seed, settings.start).repeat(count, 1)
    descend = _descend_lbfgs if settings.optimizer == "lbfgs" else _descend
    descent, iterations = descend(prior, distance, start, settings), settings.iterations
    best, best_z = torch.full((len(start),), torch.inf, device=start.device), start.clone()
    curve: list[tuple[int, Tensor]] = []
    stopped = False
    try:
        for step, seen in enumerate(descent):
            if seen is not None:
                better = seen.loss < best
                best[better], best_z[better] = seen.loss[better], seen.z[better]
                curve.append((step, seen.loss.view(count, starts).amin(dim=1)))
            if seen is not None and step % PREVIEW_EVERY == 0:
                report(step, iterations, seen.generated[0].cpu().numpy(), loss=float(seen.loss[0]))
            else:
                report(step, iterations)
    except Cancelled:
        stopped = True
    winner = best.view(count, starts).argmin(dim=1) + starts * torch.arange(count, device=start.device)
    with torch.no_grad():
        generated = prior.generator(best_z[winner])
    if not stopped:
        report(iterations, iterations, generated[0].cpu().numpy(), loss=float(best[winner[0]]))
    return Found(generated, best[winner], tuple(curve))


class _Seen(NamedTuple):
    """What an iteration of a descent looked at: z (N, latent), G(z) and its loss (N,)."""

    z: Tensor
    generated: Tensor
    loss: Tensor


def _descend(prior: Prior, distance: Distance, z: Tensor, settings: Settings) -> Iterator[_Seen]:
    """The papers' descent: both networks in every iteration, by Adam or by Nesterov's accelerated gradient."""
    z = z.clone().requires_grad_()
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "adam":
        optimizer = torch.optim.Adam([z], lr=settings.rate)
    else:
        momentum = settings.momentum
        optimizer = torch.optim.SGD([z], lr=settings.rate, momentum=momentum, nesterov=momentum > 0)
    last = settings.rate / 50 if settings.schedule == "cosine" else settings.rate
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.iterations, eta_min=last)
    for _ in range(settings.iterations):
        generated = prior.generator(z)
        loss = total_loss(prior, distance, generated, settings)
        yield _Seen(z.detach(), generated.detach(), loss.detach())
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        schedule.step()
        z.data = CLIPS[settings.clip](z.data)


def _descend_lbfgs(prior: Prior, distance: Distance, z: Tensor, settings: Settings) -> Iterator[_Seen | None]:
    """L-BFGS, which needs a third of Adam's iterations. The discriminator, half of the work of an iteration, is asked
    in one of PREVIEW_EVERY, and its gradient in z taken for constant until the next.
    """
    descent, pull = LBFGS(z, CLIPS[settings.clip]), torch.zeros_like(z)
    for step in range(settings.iterations):
        if step % PREVIEW_EVERY and step < settings.iterations - 1:
            yield None
        else:
            at = descent.at.clone().requires_grad_()
            generated = prior.generator(at)
            realism = _realism(prior, generated, settings)
            before, pull = pull, torch.autograd.grad(realism.sum(), at)[0]
            descent.tilt(pull - before)
            with torch.no_grad():
                yield _Seen(descent.at, generated.detach(), distance(generated) + realism)
        trial = descent.trial.clone().requires_grad_()
        value = distance(prior.generator(trial)) + (pull * trial).sum(dim=1)
        descent.tell(value.detach(), torch.autograd.grad(value.sum(), trial)[0])


@torch.no_grad()
def _first_guess(
    prior: Prior, objective: Objective, pictures: Tensor, known: Tensor, settings: Settings, seed: int
) -> Tensor:
    """For each picture the best of ``settings.guesses`` samples, judged by their pixels."""
    z = prior.latents(settings.guesses, seed, settings.start)
    generated = torch.cat([prior.generator(part) for part in z.split(GUESS_BATCH)])
    chosen = []
    for picture, its_known in zip(pictures[:, None], known[:, None], strict=True):
        distance = objective.pixels(picture, its_known)
        away = torch.cat([distance(part) for part in generated.split(GUESS_BATCH)])
        chosen.append(z[away.topk(settings.starts, largest=False).indices])
    return torch.cat(chosen)


def _within_ball(z: Tensor) -> Tensor:
    """The ball where the prior's samples lie, |z|^2 <= its mean."""
    return z * (z.shape[1] ** 0.5 / z.norm(dim=1, keepdim=True)).clamp_max(1)


# Where z is kept, by ``Settings.clip``; Yeh et al. 2017 restrict it to the box.
CLIPS: dict[str, Callable[[Tensor], Tensor]] = {
    "ball": _within_ball,
    "box": lambda z: z.clamp(-1, 1),
    "none": lambda z: z,
}


def _folded(layers: nn.Sequential) -> nn.Sequential:
    """The same layers with each batch norm folded into the convolution before it (exact in eval mode)."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            transposed = isinstance(folded[-1], nn.ConvTranspose2d)
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer, transpose=transposed)  # type: ignore[type-var]
        else:
            folded.append(layer)
    return nn.Sequential(*folded).requires_grad_(False)
