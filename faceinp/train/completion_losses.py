"""What the completion is trained by, but for its opponents: formulas (2) to (4) of the second paper, and our own.

A term whose weight is 0 costs nothing: its network is neither loaded nor run.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from faceinp import identity
from faceinp.errors import DataError, MissingPackageError
from faceinp.formulas import losses
from faceinp.models import networks, pretrained
from faceinp.nets import embedding
from faceinp.train.augmentation import views

if TYPE_CHECKING:  # which needs the names of the choices here
    from faceinp.train.completion_settings import CompletionRun

Pair = tuple[Tensor, Tensor]  # a picture that is judged, and the truth

# Which picture an opponent is shown, of what was generated and its composite.
SHOWN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "composite": lambda generated, composite: composite,
    "generated": lambda generated, composite: generated,
}
# What the perceptual and the style loss look at, of what was generated, its composite, the truth and the hole.
VIEWS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Pair, Pair]]] = {
    "composite": lambda generated, composite, pictures, hole: ((composite, pictures), (composite, pictures)),
    "generated": lambda generated, composite, pictures, hole: (
        (generated, pictures),
        (generated * hole, pictures * hole),
    ),
}


class FeatureLosses:
    """The perceptual and the style loss on the network that ``--features`` names."""

    def __init__(self, config: "CompletionRun") -> None:
        self.config = config
        named = (*config.perceptual_layers, *config.style_layers)
        self.network = frozen(pretrained.features(config.features, named))
        self.perceptual_maps = self._numbers(config.perceptual_layers)
        self.style_maps = self._numbers(config.style_layers or config.perceptual_layers)

    def _numbers(self, layers: tuple[int, ...]) -> list[int]:
        """Which of the network's maps are those of ``layers``; none named: those that it is looked at by as ever."""
        return [self.network.taps.index(layer) for layer in layers or self.network.usual]

    def __call__(
        self, generated: Tensor, composite: Tensor, pictures: Tensor, hole: Tensor
    ) -> dict[str, tuple[float, Tensor]]:
        config, form = self.config, losses.FEATURE_FORMS[self.config.feature_form]
        whole, styled = VIEWS[config.feature_view](generated, composite, pictures, hole)
        compared = self._maps(whole, self.perceptual_maps)
        terms = {"perceptual": (config.perceptual, form.perceptual(*compared))}
        if whole[0] is styled[0] and self.perceptual_maps == self.style_maps:  # one look serves both
            terms["style"] = config.style, form.style(*compared)
        elif config.style:
            terms["style"] = config.style, form.style(*self._maps(styled, self.style_maps))
        return terms

    def _maps(self, pair: Pair, numbers: list[int]) -> tuple[losses.Maps, losses.Maps]:
        """Feature maps of a picture and of its ground truth, prepared for comparison."""
        network = self.network.to(pair[0].device)
        features = network.layers(pair[0])
        with torch.no_grad():
            targets = network.layers(pair[1])
        scaled = losses.FEATURE_FORMS[self.config.feature_form].scaled
        return scaled(*([maps[number] for number in numbers] for maps in (features, targets)))


class Losses:
    """The terms that need no opponent. Raises DataError for a judge that cannot be in a loss."""

    def __init__(self, config: "CompletionRun") -> None:
        self.config = config
        self.features = FeatureLosses(config) if config.perceptual or config.style else None
        own = config.identity and config.judge == "bundled"
        file = config.judge_file if config.judge == "bundled" else ""
        bundled = networks.load("embedding", file, folded=False)[0] if config.traits or own else None
        self.bundled = bundled and frozen(bundled)
        if config.identity and not own:
            _judge(config.judge, config.judge_file, torch.device("cpu"))  # what it lacks is said now

    def __call__(
        self,
        generated: Tensor,
        composite: Tensor,
        pictures: Tensor,
        hole: Tensor,
        batch: dict[str, Tensor] | None = None,
    ) -> dict[str, tuple[float, Tensor]]:
        """The terms: name -> (weight, value). With the random numbers of a ``batch``, networks see both pictures rolled
        by a few pixels, unless ``--no-shifted``, and a judge other than bundled sees them blurred and mirrored, too.
        """
        config = self.config
        extent = config.reconstruct
        terms = {"hole": (config.hole, losses.reconstruction(generated, pictures, hole, extent).mean())}
        if config.squared:
            terms["squared"] = config.squared, losses.squared(generated, pictures, hole, extent).mean()
        if config.variation:
            terms["variation"] = config.variation, losses.variation(composite, hole)
        if config.checkerboard:
            terms["checkerboard"] = config.checkerboard, losses.checkerboard(generated, pictures, hole)
        if config.colour:
            terms["colour"] = config.colour, losses.colour(generated, pictures, hole)
        if batch and config.shifted:
            generated, composite, pictures, hole = (
                views.rolled(x, batch["shift"]) for x in (generated, composite, pictures, hole)
            )
        if self.features is not None:
            terms |= self.features(generated, composite, pictures, hole)
        if self.bundled is not None:  # looks once for both losses
            bundled = self.bundled.to(pictures.device)
            features = bundled.layers(_faces(composite))
            with torch.no_grad():
                targets = bundled.layers(_faces(pictures))
            terms["traits"] = config.traits, losses.perceptual(*losses.as_shares(features, targets))
        if config.identity:
            if config.judge == "bundled":
                vectors, originals = (bundled.vectors(maps[-1]).float() for maps in (features, targets))
            else:
                judge = _judge(config.judge, config.judge_file, pictures.device)
                if batch:
                    shown = batch["mirrored"], batch["sigma"]
                    composite, pictures = views.disturbed((composite, pictures), config.blur, *shown)
                # One look at both: an ONNX judge stays on the network's device only where gradients are asked for.
                vectors, originals = judge.embed(torch.cat([composite, pictures])).chunk(2)
            distance = losses.IDENTITY[config.identity_norm]
            terms["identity"] = config.identity, distance(vectors, originals.detach())
        return terms


def _faces(pictures: Tensor) -> Tensor:
    return embedding.resample(pictures, embedding.BOX, (embedding.SIZE, embedding.SIZE))


@cache
def _judge(name: str, file: str, device: torch.device) -> identity.Judge:
    if name != "facenet" and not name.endswith(".onnx"):
        raise DataError(f"{name!r} cannot be used in a loss. Set --judge to bundled, facenet or an ONNX file.")
    judge = identity.load(name, device, file=file or None)
    if not judge.differentiable:
        raise MissingPackageError("onnx2torch", "train")
    return judge


def frozen(network: nn.Module) -> Any:
    """``network`` in eval mode, without gradients of its own."""
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
