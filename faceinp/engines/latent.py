"""Search in the latent space of a DCGAN: ``structural`` (Qiang et al. 2019) and ``dip`` (Yeh et al. 2017).

Both look for the z whose G(z) agrees best with the known pixels; ``search.py`` does the work. G(z) has 64 x 64
pixels: in a larger photo the fill is as soft as that, and its place in the crop's detail comes from the blending.
"""

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Batch, Engine, Needs, register
from faceinp.errors import EngineError

if TYPE_CHECKING:
    from faceinp.engines.search import Objective

ITERATIONS, FAST_ITERATIONS = 1000, 250


class LatentEngine(Engine):
    """What both searches share.

    iterations: steps of back-propagation into z (the papers' 1000). fast: a picture as near in a seventh of the time,
    at a loss a little higher (``search.search`` says how, ``docs/measurements/search.md`` how far). starts: searches
    from different z side by side, of which the best is kept.
    """

    size = 64
    largest = 64
    batch_size = 0
    needs = Needs(("torch",), "torch", ("dcgan", "dcgan-limits"))

    def __init__(self, *, iterations: int = 0, fast: bool = False, starts: int = 1) -> None:
        from faceinp.engines import search

        if iterations < 0 or starts < 1:
            raise EngineError("The search needs at least one iteration and one start (iterations=, starts=).")
        self.iterations = iterations or (FAST_ITERATIONS if fast else ITERATIONS)
        self.fast = fast
        self.starts = starts
        self.prior = search.Prior.load()
        self.limits = search.load_limits()
        self.runtime = self.prior.runtime

    @abstractmethod
    def _objective(self) -> "Objective":
        """What the search makes small."""

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        import torch

        from faceinp.engines import search

        found = search.search(
            self.prior,
            self._objective(),
            torch.from_numpy(batch.crops).to(self.prior.device),
            torch.from_numpy(~batch.masks).to(self.prior.device, torch.float32),
            iterations=self.iterations,
            seed=batch.seed,
            fast=self.fast,
            starts=self.starts,
            progress=batch.progress,
        )
        return found.pictures.cpu().numpy()


@register
class Structural(LatentEngine):
    """Qiang et al. 2019: structural similarity, weighted L1 and realism.

    mode: "robust" keeps the formulas' straight lines beyond their limits and compares known pixels only;
    "faithful" is the paper as printed, whose gradient is zero outside of the limits.
    only: "context" or "structure" leaves the other of these losses out, as the paper's Fig. 5 does; realism stays.
    """

    name = "structural"
    about = "DCGAN search with structural loss (Qiang 2019). A face of 64 x 64 pixels, enlarged and blended in."

    def __init__(
        self, *, mode: str = "robust", only: str = "", iterations: int = 0, fast: bool = False, starts: int = 1
    ) -> None:
        if mode not in ("robust", "faithful"):
            raise EngineError(
                f"Unknown mode {mode!r}. Choose 'robust' (our variant) or 'faithful' (exactly as published)."
            )
        if only not in ("", "context", "structure"):
            raise EngineError(f"Unknown loss only={only!r}. Choose 'context' or 'structure'.")
        super().__init__(iterations=iterations, fast=fast, starts=starts)
        self.mode = mode
        self.only = only

    def _objective(self) -> "Objective":
        from faceinp.engines import search

        modes = {"robust": search.structural_robust, "faithful": search.structural_faithful}
        context, structure = search.SHARES
        shares = context * (self.only != "structure"), structure * (self.only != "context")
        return partial(modes[self.mode], limits=self.limits, shares=shares)


@register
class Dip(LatentEngine):
    """Yeh et al. 2017: L1 near the hole, weighted by the share of hole pixels around, and realism."""

    name = "dip"
    about = "DCGAN search with context loss (Yeh 2017), the first paper's baseline. 64 x 64 pixels, enlarged too."

    def _objective(self) -> "Objective":
        from faceinp.engines import search

        return search.dip
