"""Landmark-guided completion: generators that fill the hole of a picture with the help of its 68 landmarks.

``Small`` is ours, for CPUs and browsers: a U-Net of bottleneck blocks with the same cost at every depth.
``CoarseToFine`` is two of them: the first fills large holes at half the side, for a quarter of the cost. ``Large`` is
the second paper's, for GPUs (L, ``docs/papers.md``; its parts are LaFIn's, Yang et al. 2019, with the attention of
Zheng et al. 2019, arXiv 1903.04227). All have the same inputs and output, at any side that is a multiple of 32. The
output is not composited: that is the pipeline's task.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceinp.nets.points import GROUPS, SPREAD

SIZE = 256
INPUTS = 3 + 1 + len(GROUPS)
HALVINGS = 4  # levels of the push-pull pyramid in ``ThinParts``


def landmark_map(points: Tensor, side: int) -> Tensor:
    """L's P: points (N, 68, 2), x and y in shares of the side -> float (N, 5, side, side) in [0, 1].

    Each point is a Gaussian spot. The spots of a group are summed by a matrix product, which every runtime supports,
    and clamped to 1. Points that are not finite are omitted.
    """
    finite = points.isfinite().all(dim=2, keepdim=True)
    points = torch.where(finite, points, torch.full_like(points, -9.0))
    centres = (torch.arange(side, device=points.device, dtype=points.dtype) + 0.5) / side
    spots = torch.exp(-(((points[..., None] - centres) / SPREAD) ** 2) / 2)  # (N, 68, 2, side)
    columns, rows = spots[:, :, 0], spots[:, :, 1].transpose(1, 2)
    groups = [rows[..., start:end] @ columns[:, start:end] for start, end in GROUPS]
    return torch.stack(groups, dim=1).clamp(max=1)


class ThinParts(nn.Module):
    """Generated pictures (N, 3, S, S), pictures (N, 3, S, S) and masks (N, 1, S, S) -> the generated pictures with thin
    parts of the hole, such as scratches, replaced by a smooth fill, which continues colours over a scratch more exactly
    than a network for whole faces. The pixels in the hole have no effect.

    The smooth fill is push-pull (Gortler et al. 1996, section 3.4): a pyramid of means of the known pixels, then back
    up, where each finer hole is filled from the coarser level and smoothed. A fourth channel measures the distance to
    known pixels: 1 on them, and half as much for a hole twice as wide. The two numbers of the blending weight, its
    midpoint and its slope, were chosen on held-back faces (``docs/measurements/completion.md``).
    """

    def forward(self, drawn: Tensor, pictures: Tensor, masks: Tensor) -> Tensor:
        levels = [(torch.cat([pictures, torch.ones_like(masks)], dim=1) * (1 - masks), masks)]
        for _ in range(HALVINGS):
            x, hole = levels[-1]
            weight = functional.avg_pool2d(1 - hole, 2)
            levels.append((functional.avg_pool2d(x, 2) / weight.clamp(min=0.25), (weight == 0).to(x.dtype)))
        x, hole = levels.pop()
        # Cells without any known pixel get the mean colour of the others, and 0 in the fourth channel.
        mean = x[:, :3].sum(dim=(2, 3), keepdim=True) / (1 - hole).sum(dim=(2, 3), keepdim=True).clamp(min=1)
        filled = torch.addcmul(x, hole, functional.pad(mean, (0, 0, 0, 0, 0, 1)))
        for x, hole in reversed(levels):
            filled = functional.interpolate(filled, scale_factor=2.0, mode="bilinear")
            filled = _smoothed(x + hole * torch.cat([filled[:, :3], filled[:, 3:] / 2], dim=1), hole)
        far = -filled[:, 3:]
        for step in (1, 3):  # the highest of 9 x 9 pixels: 3 x 3 of 3 x 3
            far = _reduced(far, step, torch.maximum)
        share = torch.sigmoid(-24 * (far + 0.3))
        return torch.addcmul(drawn, share, filled[:, :3].clamp(0, 1) - drawn)


class _AsDrawn(nn.Module):
    """Replaces ``ThinParts``: keeps the network's output everywhere."""

    def forward(self, drawn: Tensor, pictures: Tensor, masks: Tensor) -> Tensor:
        return drawn


def remove_thin_parts(network: nn.Module) -> None:
    """Remove ``ThinParts``, so that ``network`` generates thin parts of a hole itself, as the papers' networks do."""
    for module in list(network.modules()):
        if isinstance(getattr(module, "thin", None), ThinParts):
            module.thin = _AsDrawn()


def _smoothed(x: Tensor, hole: Tensor) -> Tensor:
    """x (N, C, h, w) with its hole smoothed by one step towards a harmonic and two towards a biharmonic function."""
    x = torch.addcmul(x, hole, _laplacian(x), value=1 / 9)
    for _ in range(2):
        x = torch.addcmul(x, hole, _laplacian(_laplacian(x)), value=-1 / 81)
    return x


def _laplacian(x: Tensor) -> Tensor:
    """(N, C, h, w): the sum of 3 x 3 pixels minus nine times the pixel in the middle."""
    return torch.sub(_reduced(x, 1, torch.add), x, alpha=9)


def _reduced(x: Tensor, step: int, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Each pixel of x (N, C, h, w) and its eight neighbours at distance ``step``, reduced by ``join``; borders repeat.

    On CPUs this takes a seventh of the time of torch's pooling.
    """
    sizes, x = x.shape[2:], functional.pad(x, (step, step, step, step), "replicate")
    for axis, size in enumerate(sizes, start=2):
        before, centre, after = (x.narrow(axis, start, size) for start in (0, step, 2 * step))
        x = join(join(before, centre), after)
    return x


class Small(nn.Module):
    """Pictures (N, 3, S, S) in [0, 1], masks (N, 1, S, S), 1 in the hole, maps (N, 5, S, S) of ``landmark_map`` ->
    pictures in [0, 1].

    width: channels at half the side; they double at each halving, so every depth costs the same. depths: the number of
    encoder blocks at S/2, S/4, S/8 and S/16; the last are the bottleneck between encoder and decoder. guessing: it has
    another input, a guess (N, 3, S/2, S/2) of the whole picture.
    """

    def __init__(
        self,
        width: int = 32,
        depths: tuple[int, int, int, int] = (1, 2, 3, 6),
        guessing: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(depths))]
        self.thin = ThinParts()
        self.stem = nn.Conv2d(INPUTS, width, 6, 2, padding=2)
        self.guess = nn.Conv2d(3, width, 3, padding=1, bias=False) if guessing else None
        self.encoders = nn.ModuleList(
            nn.Sequential(*(Bottleneck(w) for _ in range(depth)))
            for w, depth in zip(widths[:-1], depths[:-1], strict=True)
        )
        self.downs = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, 2) for w in widths[:-1])
        self.middle = nn.Sequential(*_with_attention(widths[-1], depths[-1]))
        self.ups = nn.ModuleList(nn.Conv2d(2 * w, 4 * w, 1) for w in reversed(widths[:-1]))
        self.joins = nn.ModuleList(nn.Conv2d(2 * w + 1, w, 1) for w in reversed(widths[:-1]))
        self.decoders = nn.ModuleList(
            nn.Sequential(*(Bottleneck(w) for _ in range(max(2, depth))))
            for w, depth in zip(reversed(widths[:-1]), reversed(depths[:-1]), strict=True)
        )
        self.last = nn.Sequential(nn.LeakyReLU(0.1), nn.Conv2d(width, 12, 3, padding=1))

    def forward(self, pictures: Tensor, masks: Tensor, maps: Tensor, guess: Tensor | None = None) -> Tensor:
        x = self.stem(torch.cat([(2 * pictures - 1) * (1 - masks), 2 * masks - 1, maps], dim=1))
        # One channel has the same layout in both memory orders, but like this torch concatenates it much faster.
        known = functional.avg_pool2d(1 - masks, 2).clone(memory_format=torch.channels_last)
        if self.guess is not None and guess is not None:
            x = x + self.guess((2 * guess - 1) * (1 - known))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            # Without a guess, skip connections pass known pixels only (LaFIn's gated skips).
            skips.append((x if self.guess is not None else x * known, known))
            x, known = down(x), functional.avg_pool2d(known, 2)
        x = self.middle(x)
        for up, join, decoder in zip(self.ups, self.joins, self.decoders, strict=True):
            x = functional.pixel_shuffle(up(x), 2)
            x = decoder(join(torch.cat([x, *skips.pop()], dim=1)))
        return self.thin(torch.sigmoid(functional.pixel_shuffle(self.last(x), 2)), pictures, masks)


class CoarseToFine(nn.Module):
    """Two ``Small`` networks with the inputs and output of one.

    ``coarse`` fills the picture at half the side; ``fine`` gets that as its guess. Large holes span few blocks of
    coarse, and its training costs a quarter, so coarse is trained first, alone (as a ``Small`` at half the side), and
    is frozen here. The state dict of one ``Small`` initialises both.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.coarse = Small(width).requires_grad_(False)
        self.fine = Small(width, guessing=True)
        self.register_load_state_dict_pre_hook(_doubled)

    def forward(self, pictures: Tensor, masks: Tensor, maps: Tensor) -> Tensor:
        # A half-size pixel with any hole pixel in it is hole, so that no colour from the hole leaks in.
        halves = functional.avg_pool2d(pictures, 2), functional.max_pool2d(masks, 2), functional.avg_pool2d(maps, 2)
        filled: Tensor = self.fine(pictures, masks, maps, self.coarse(*halves))
        return filled


def _doubled(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Use the state dict of one ``Small`` for both networks; fine starts with its guess as the picture in the hole."""
    if f"{prefix}stem.weight" not in state:
        return
    for key in [key for key in state if key.startswith(prefix)]:
        name, value = key.removeprefix(prefix), state.pop(key)
        state[f"{prefix}coarse.{name}"] = state[f"{prefix}fine.{name}"] = value
    of_picture = state[f"{prefix}fine.stem.weight"][:, :3]
    state[f"{prefix}fine.guess.weight"] = 4 * functional.avg_pool2d(of_picture, 2)


class Large(nn.Module):
    """The second paper's generator, with the inputs and output of ``Small``. width: channels at the full side.

    Three encoder blocks (to S/4), seven dilated residual blocks, long-short-term attention, three decoder blocks with
    skip connections that pass known pixels only.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.thin = ThinParts()
        self.encoders = nn.ModuleList(
            [
                _normalised(nn.Conv2d(INPUTS, widths[0], 7, padding=3)),
                _normalised(nn.Conv2d(widths[0], widths[1], 4, 2, 1)),
                _normalised(nn.Conv2d(widths[1], widths[2], 4, 2, 1)),
            ]
        )
        self.middle = nn.Sequential(*(DilatedResidual(widths[2]) for _ in range(7)))
        self.attention = LongShortAttention(widths[2])
        self.decoders = nn.ModuleList(
            [
                _normalised(nn.Conv2d(2 * widths[2] + 1, 4 * widths[1], 3, padding=1)),
                _normalised(nn.Conv2d(2 * widths[1] + 1, 4 * widths[0], 3, padding=1)),
                nn.Conv2d(2 * widths[0] + 1, 3, 7, padding=3),
            ]
        )

    def forward(self, pictures: Tensor, masks: Tensor, maps: Tensor) -> Tensor:
        x = torch.cat([(2 * pictures - 1) * (1 - masks), 2 * masks - 1, maps], dim=1)
        known, skips = 1 - masks, []
        for number, encoder in enumerate(self.encoders):
            x = encoder(x)
            known = functional.avg_pool2d(known, 2) if number else known
            skips.append((x, known))
        x = self.attention(self.middle(x), *skips[-1])
        for number, decoder in enumerate(self.decoders):
            skip, known = skips.pop()
            x = decoder(torch.cat([x, skip * known, known], dim=1))
            x = functional.pixel_shuffle(x, 2) if number < 2 else x
        return self.thin(torch.sigmoid(x), pictures, masks)


class DilatedResidual(nn.Module):
    """(N, C, h, w) -> the same shape: a residual block of a dilated and a plain 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _normalised(nn.Conv2d(channels, channels, 3, padding=2, dilation=2)),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class LongShortAttention(nn.Module):
    """Zheng et al. 2019, section 3.3: the same attention weights gather from the decoder's map (short term) and from
    the known part of the encoder's map (long term). x, encoded (N, C, h, w), known (N, 1, h, w) -> (N, C, h, w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 4, 1)
        self.short = nn.Parameter(torch.zeros(1))
        self.long = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, encoded: Tensor, known: Tensor) -> Tensor:
        query = self.query(x).flatten(2).transpose(1, 2)[:, None]
        values = torch.cat([x, encoded * known], dim=1).flatten(2).transpose(1, 2)[:, None]
        gathered = functional.scaled_dot_product_attention(query, query, values)
        short, long = gathered[:, 0].transpose(1, 2).chunk(2, dim=1)
        return x + self.short * short.view_as(x) + self.long * (1 - known) * long.view_as(x)


def _normalised(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.InstanceNorm2d(convolution.out_channels, affine=True), nn.ReLU(inplace=True))


class Bottleneck(nn.Module):
    """(N, C, h, w) -> the same shape: norm, 1 x 1 to half the channels, 3 x 3, 1 x 1, added with a learned weight."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.branch = nn.Sequential(
            nn.GroupNorm(1, channels),
            nn.Conv2d(channels, inner, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(inner, inner, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(inner, channels, 1),
        )
        self.strength = nn.Parameter(torch.full((1, channels, 1, 1), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(x, self.strength, self.branch(x))


class Attention(nn.Module):
    """(N, C, h, w) -> the same shape: global self-attention with heads of 32 channels, added with a learned weight."""

    def __init__(self, channels: int, head: int = 32) -> None:
        super().__init__()
        self.heads, self.head = channels // head, head
        self.norm = nn.GroupNorm(1, channels)
        self.inputs = nn.Conv2d(channels, 3 * channels, 1)
        self.output = nn.Conv2d(channels, channels, 1)
        self.strength = nn.Parameter(torch.full((1, channels, 1, 1), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        split = self.inputs(self.norm(x)).unflatten(1, (3 * self.heads, self.head)).flatten(3).transpose(2, 3)
        queries, keys, values = split.chunk(3, dim=1)  # (N, heads, positions, head) each
        gathered = functional.scaled_dot_product_attention(queries, keys, values)
        return x + self.strength * self.output(gathered.transpose(2, 3).flatten(1, 2).view_as(x))


def _with_attention(channels: int, depth: int) -> list[nn.Module]:
    """``depth`` blocks, with attention after every second one."""
    layers: list[nn.Module] = []
    for number in range(depth):
        layers.append(Bottleneck(channels))
        if number % 2:
            layers.append(Attention(channels))
    return layers


NETWORKS: dict[str, type[Small] | type[CoarseToFine] | type[Large]] = {
    "small": Small,
    "coarse-to-fine": CoarseToFine,
    "large": Large,
}
