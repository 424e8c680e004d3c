"""The latent search itself: a frozen DCGAN, the papers' objectives, and gradient descent in z."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from faceinp import json_values, losses, weights
from faceinp.engines.base import Progress, reporting
from faceinp.engines.lbfgs import LBFGS
from faceinp.errors import Cancelled, WeightsError
from faceinp.nets.dcgan import Discriminator, Generator, latents

PREVIEW_EVERY = 25
REALISM = 0.003  # weight of L_d in both papers
SHARES = (0.2, 0.797)  # weights of L_c and L_s in Q (8)
GUESSES, GUESS_BATCH = 256, 64  # samples among which a fast search looks for its start
RATE = 0.2  # of Adam


@dataclass(frozen=True)
class Prior:
    """The trained DCGAN: both networks frozen, in eval mode, batch norm folded in."""

    generator: Generator
    discriminator: Discriminator
    device: torch.device

    @classmethod
    def load(cls, file: Path | None = None) -> "Prior":
        """The shipped weights, or those of ``file``; raises WeightsError."""
        file = file or weights.path("dcgan")
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

    def latents(self, count: int, seed: int) -> Tensor:
        """z of shape (count, latent) from N(0, 1), the same on every device."""
        return latents(count, self.generator.latent, seed).to(self.device)


def load_limits(file: Path | None = None) -> losses.Limits:
    """The limits measured on the shipped generator, or those of ``file``; raises WeightsError."""
    file = file or weights.path("dcgan-limits")
    try:
        limits = json_values.section(json_values.read_object(file), "limits")
        names = (field.name for field in fields(losses.Limits))
        return losses.Limits(**{name: json_values.number(limits, name, -1e9, 1e9) for name in names})
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} holds no limits of losses ({error}). Fetch it again.") from error


# The known picture (N, 3, 64, 64) and M (N, 1, 64, 64) make an objective: how far G(z) is from it, (N,).
Distance = Callable[[Tensor], Tensor]
Objective = Callable[[Tensor, Tensor], Distance]


def structural_faithful(
    pictures: Tensor, known: Tensor, limits: losses.Limits, shares: tuple[float, float] = SHARES
) -> Distance:
    """Q (8) as printed: W*M*I against W*M*G(z), cut off at the limits of whole pictures."""
    weight = losses.patch_weights(known) * known
    target = weight * pictures

    def distance(generated: Tensor) -> Tensor:
        masked = weight * generated
        context = losses.context(losses.l1_distance(target, masked), limits)
        structure = losses.structural(losses.ssim(target, masked), limits)
        return shares[0] * context + shares[1] * structure

    return distance


def structural_robust(
    pictures: Tensor, known: Tensor, limits: losses.Limits, shares: tuple[float, float] = SHARES
) -> Distance:
    """Q (8) without the cut-offs, on known pixels alone, weighted by W: L1 scaled to a whole picture's, and SSIM."""
    weight = losses.patch_weights(known) * known
    share = weight * (known[0].numel() / weight.sum(dim=(1, 2, 3), keepdim=True))

    def distance(generated: Tensor) -> Tensor:
        context = losses.context(losses.l1_distance(share * pictures, share * generated), limits, cut=False)
        structure = losses.structural(losses.ssim(pictures, generated, weight), limits, cut=False)
        return shares[0] * context + shares[1] * structure

    return distance


def dip(pictures: Tensor, known: Tensor) -> Distance:
    """Yeh et al. 2017, (3): |W' * (G(z) - y)|_1."""
    weight = losses.hole_share(known) * known

    def distance(generated: Tensor) -> Tensor:
        return losses.l1_distance(weight * generated, weight * pictures)

    return distance


def total_loss(prior: Prior, distance: Distance, generated: Tensor) -> Tensor:
    """The objective's distance plus 0.003 L_d, (N,), of pictures that G made."""
    return distance(generated) + REALISM * losses.realism(prior.discriminator(generated))


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
    *,
    iterations: int,
    seed: int = 0,
    fast: bool = False,
    starts: int = 1,
    progress: Progress | None = None,
) -> Found:
    """Descend from ``starts`` latents to the z whose G(z) agrees best with each picture.

    pictures: float32 (N, 3, 64, 64) in [0, 1]; known: float32 (N, 1, 64, 64), 1 on known pixels. The loss is the
    objective's distance plus 0.003 L_d, both papers' weight; Adam seeks its minimum from the same z for every picture.
    fast: L-BFGS does, from the best of GUESSES samples. Either way a picture gets the same answer alone and among
    others. When ``progress`` raises ``Cancelled``, the best so far is returned.
    """
    count, report = len(pictures), reporting(progress)
    distance = objective(pictures.repeat_interleave(starts, 0), known.repeat_interleave(starts, 0))
    if fast:
        start = _first_guess(prior, objective, pictures, known, starts, seed)
        descent = _descend_fast(prior, distance, start, iterations)
    else:
        start = prior.latents(starts, seed).repeat(count, 1)
        descent = _descend(prior, distance, start, iterations)
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


def _descend(prior: Prior, distance: Distance, z: Tensor, iterations: int) -> Iterator[_Seen]:
    """The papers' descent: Adam, with both networks in every iteration."""
    z = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations, eta_min=RATE / 50)
    for _ in range(iterations):
        generated = prior.generator(z)
        loss = total_loss(prior, distance, generated)
        yield _Seen(z.detach(), generated.detach(), loss.detach())
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        schedule.step()
        z.data = _within_reach(z.data)


def _descend_fast(prior: Prior, distance: Distance, z: Tensor, iterations: int) -> Iterator[_Seen | None]:
    """L-BFGS, which needs a third of Adam's iterations. The discriminator, half of the work of an iteration, is asked
    in one of PREVIEW_EVERY, and its gradient in z taken for constant until the next.
    """
    descent, pull = LBFGS(z, _within_reach), torch.zeros_like(z)
    for step in range(iterations):
        if step % PREVIEW_EVERY and step < iterations - 1:
            yield None
        else:
            at = descent.at.clone().requires_grad_()
            generated = prior.generator(at)
            realism = REALISM * losses.realism(prior.discriminator(generated))
            before, pull = pull, torch.autograd.grad(realism.sum(), at)[0]
            descent.tilt(pull - before)
            with torch.no_grad():
                yield _Seen(descent.at, generated.detach(), distance(generated) + realism)
        trial = descent.trial.clone().requires_grad_()
        value = distance(prior.generator(trial)) + (pull * trial).sum(dim=1)
        descent.tell(value.detach(), torch.autograd.grad(value.sum(), trial)[0])


@torch.no_grad()
def _first_guess(prior: Prior, objective: Objective, pictures: Tensor, known: Tensor, starts: int, seed: int) -> Tensor:
    """For each picture the ``starts`` best of GUESSES samples, judged by the objective itself."""
    z = prior.latents(GUESSES, seed)
    generated = torch.cat([prior.generator(part) for part in z.split(GUESS_BATCH)])
    chosen = []
    for picture, its_known in zip(pictures[:, None], known[:, None], strict=True):
        distance = objective(picture, its_known)
        away = torch.cat([distance(part) for part in generated.split(GUESS_BATCH)])
        chosen.append(z[away.topk(starts, largest=False).indices])
    return torch.cat(chosen)


def _within_reach(z: Tensor) -> Tensor:
    """The ball where the prior's samples lie, |z|^2 <= its mean; Yeh et al. clip z likewise."""
    return z * (z.shape[1] ** 0.5 / z.norm(dim=1, keepdim=True)).clamp_max(1)


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
