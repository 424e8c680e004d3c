"""Damage of old prints, drawn on training pictures, with the class of each pixel.

A third of the pictures stay clean, a third get little damage, a third much: one to four kinds together. What is not
visible is not labelled.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from faceinp.train.drawn_damage import areas, lines, specks, stamps
from faceinp.train.drawn_damage.canvas import Canvas
from faceinp.train.drawn_damage.overlays import Overlay, lay

Kind = Callable[[Canvas, float], None]

# How often, in the order in which they are laid over each other.
KINDS: dict[str, tuple[Kind, float]] = {
    "stains": (areas.stains, 1.0),
    "watermarks": (areas.watermarks, 0.5),
    "ring": (areas.ring, 0.3),
    "foxing": (specks.foxing, 0.6),
    "text": (stamps.text, 0.5),
    "handwriting": (stamps.handwriting, 0.5),
    "ink strokes": (stamps.ink_strokes, 0.35),
    "round stamp": (stamps.round_stamp, 0.35),
    "flakes": (areas.flakes, 2.0),
    "patches": (areas.patches, 2.5),
    "worn": (areas.worn, 0.9),
    "grit": (specks.grit, 0.9),
    "spots": (specks.spots, 6.0),
    "pinholes": (specks.pinholes, 0.4),
    "dust": (specks.dust, 5.0),
    "scuffs": (lines.scuffs, 0.8),
    "scratches": (lines.scratches, 8.0),
    "strokes": (lines.strokes, 3.5),
    "arcs": (lines.arcs, 0.5),
    "hairlines": (lines.hairlines, 3.0),
    "hairs": (lines.hairs, 1.0),
    "scribble": (lines.scribble, 0.4),
    "cracks": (lines.cracks, 2.4),
    "star": (lines.star, 0.5),
    "net": (lines.net, 1.0),
    "crazing": (lines.crazing, 0.9),
    "fold": (lines.fold, 1.6),
    "creases": (lines.creases, 1.5),
    "tear": (areas.tear, 0.9),
    "missing": (areas.missing, 0.9),
    "tape": (areas.tape, 0.5),
}
CLEAN_SHARE, LITTLE_SHARE = 1 / 3, 1 / 3
OVERLAY_SHARE = 0.35  # of the damaged pictures that also get real masks, where there are any


def draw(
    picture: NDArray[np.uint8],
    rng: np.random.Generator,
    overlays: Sequence[Overlay] | None = None,
    *,
    kinds: dict[str, tuple[Kind, float]] = KINDS,
    amount: float | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw damage on a picture.

    picture: RGB, uint8 (S, S, 3). overlays: real masks, of ``drawn.overlays.load``. kinds: what may be drawn, each with
    how often. amount: 0 to 1, none to much; drawn at random by default. Returns the picture and the class of each
    pixel, uint8 (S, S): 0 clean, 1 scratch, 2 spot, 3 tear, 4 stain, 5 stamp, 255 barely visible damage.
    """
    if amount is None:
        share = rng.random()
        low, high = (0.05, 0.35) if share < CLEAN_SHARE + LITTLE_SHARE else (0.35, 1.0)
        amount = 0.0 if share < CLEAN_SHARE else float(rng.uniform(low, high))
    if amount <= 0:
        return picture.copy(), np.zeros(picture.shape[:2], np.uint8)
    canvas = Canvas(picture, rng)
    names, weights = list(kinds), np.array([weight for _, weight in kinds.values()])
    count = min(1 + int(rng.binomial(3, amount)), int(np.count_nonzero(weights)))
    chosen = rng.choice(len(names), count, replace=False, p=weights / weights.sum())
    for index in sorted(chosen):
        kinds[names[index]][0](canvas, amount)
    if overlays and rng.random() < OVERLAY_SHARE:
        lay(canvas, overlays, amount)
    return canvas.result()
