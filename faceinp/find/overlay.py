"""Show a proposal on its photo."""

import numpy as np
from numpy.typing import NDArray

from faceinp.find.proposal import Proposal

# One for each of a proposal's kinds, in order; most colour-blind people can distinguish them (Okabe and Ito 2008).
COLOURS = {
    "orange": (213, 94, 0),
    "blue": (0, 114, 178),
    "yellow": (240, 228, 66),
    "green": (0, 158, 115),
    "pink": (204, 121, 167),
}
STRENGTH = 0.7  # of the colour; the rest is the photo


def tinted(pixels: NDArray[np.uint8], proposal: Proposal) -> NDArray[np.uint8]:
    """The photo, uint8 (H, W, 3), with each kind of the proposal in its colour."""
    palette = np.array([(0, 0, 0), *COLOURS.values()], np.float32)
    overlay, mask = pixels.copy(), proposal.mask
    overlay[mask] = np.rint(STRENGTH * palette[proposal.kind[mask]] + (1 - STRENGTH) * pixels[mask])
    return overlay


def legend(proposal: Proposal) -> str:
    """The colour of each kind in the proposal, as text."""
    colours = dict(zip(proposal.KINDS, COLOURS, strict=True))
    return ", ".join(f"{colours[kind]} is {kind}" for kind in proposal.main_shares)
