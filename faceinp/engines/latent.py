"""Search in the latent space of a DCGAN: ``structural`` (Qiang et al. 2019) and ``dip`` (Yeh et al. 2017).

Both search the z whose G(z) is closest to the known pixels (``search``). G(z) has 64 x 64 pixels, so the fill of a
larger face is soft.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.engines import settings
from faceinp.engines.base import Batch, Engine, Needs, register


class LatentEngine(Engine):
    """The base class of both searches. options: the fields of ``settings.Settings``."""

    size = 64
    largest = 64
    batch_size = 0
    needs = Needs(("torch",), "torch", ("dcgan", "dcgan-limits"))

    def __init__(self, **options: Any) -> None:
        from faceinp.engines import search
        from faceinp.engines.objectives import Objective

        self.settings = settings.choose(self.name, options)
        self.published = bool(self.settings.recipe)
        self.prior = search.Prior.load(self.settings.file)
        self.objective = Objective.make(self.settings, search.limits_of(self.settings), self.prior.device)
        self.runtime = self.prior.runtime
        if self.settings.landmarks:
            self.needs = replace(self.needs, weights=(*self.needs.weights, "landmarks"))

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        import torch

        from faceinp.engines import search

        result = search.search(
            self.prior,
            self.objective,
            torch.from_numpy(batch.crops).to(self.prior.device),
            torch.from_numpy(~batch.masks).to(self.prior.device, torch.float32),
            self.settings,
            seed=batch.seed,
            progress=batch.progress,
        )
        return result.pictures.cpu().numpy()


@register
class Structural(LatentEngine):
    """Qiang et al. 2019: structural similarity, weighted L1 and realism.

    Mode "robust" (our variant) keeps the formulas linear beyond their limits and compares known pixels only; "faithful"
    is exactly as published, with a gradient of zero outside the limits.
    """

    name = "structural"
    about = "DCGAN search with structural loss (Qiang 2019). A face of 64 x 64 pixels, enlarged and blended."
    options = settings.names("structural")


@register
class Dip(LatentEngine):
    """Yeh et al. 2017: L1 near the hole, weighted by the share of hole pixels around, and realism."""

    name = "dip"
    about = "DCGAN search with context loss (Yeh 2017), the first paper's baseline. A face of 64 x 64 pixels, enlarged."
    options = settings.names("dip")
