"""A training step as one CUDA graph: thousands of small operations that the host sends off at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from faceinp.train.loop import Context

Update = Callable[[dict[str, Tensor], "Context"], dict[str, Tensor]]

WARM_UP = 3  # steps before the capture: optimisers make their states, cuDNN looks for its fastest convolutions


class Captured:
    """Runs ``update`` as it is for a few steps, then captures it and replays it with each new batch.

    A batch is a dict of tensors of ever the same shapes on the GPU; everything that changes from step to step is in it
    or in a tensor that is written in place, as the learning rate is (``loop.set_rate``).
    """

    def __init__(self) -> None:
        self.steps = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.batch: dict[str, Tensor] = {}
        self.terms: dict[str, Tensor] = {}

    def __call__(
        self,
        update: Update,
        batch: dict[str, Tensor],
        context: "Context",
        optimizers: dict[str, torch.optim.Optimizer],
    ) -> dict[str, Tensor]:
        self.steps += 1
        if self.steps <= WARM_UP:
            for optimizer in optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=context.device)
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                terms = update(batch, context)
            torch.cuda.current_stream().wait_stream(aside)
            return terms
        if self.graph is None:
            self.batch = {name: value.clone() for name, value in batch.items()}
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # records the step and does not do it
                self.terms = update(self.batch, context)
        for name, value in batch.items():
            self.batch[name].copy_(value)
        self.graph.replay()
        return {name: value.clone() for name, value in self.terms.items()}


def adam(network: nn.Module, rate: float, betas: tuple[float, float], graph: bool = False) -> torch.optim.Adam:
    """Adam on what is trained of ``network``; with ``graph`` one that a CUDA graph can capture, in one kernel."""
    trained = [p for p in network.parameters() if p.requires_grad]
    options = {"fused": True, "capturable": torch.cuda.is_available()} if graph else {}
    return torch.optim.Adam(trained, lr=torch.tensor(rate) if graph else rate, betas=betas, **options)
