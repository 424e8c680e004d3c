"""What looks like damage and is not, drawn into a scene: wires, hair, wrinkles, text, fabric, bars, jewels, frames.

It is drawn before the picture is aged and damaged, as a lens would show it: blurred as the scene is, evenly lit or
shaded along its length, of constant width or in a pattern. It is never labelled.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from faceinp.train.drawn_damage import scenery
from faceinp.train.drawn_damage.canvas import Canvas

# How often each is drawn.
KINDS: dict[str, tuple[Callable[[Canvas], None], float]] = {
    "wires": (scenery.wires, 0.3),
    "hair": (scenery.hair, 1.0),
    "lashes": (scenery.lashes, 0.7),
    "wrinkles": (scenery.wrinkles, 1.5),
    "text": (scenery.text, 1.5),
    "grass": (scenery.grass, 0.8),
    "twigs": (scenery.twigs, 0.9),
    "fabric": (scenery.fabric, 1.5),
    "knit": (scenery.knit, 0.6),
    "bars": (scenery.bars, 1.2),
    "edges": (scenery.edges, 0.8),
    "buttons": (scenery.buttons, 0.5),
    "jewels": (scenery.jewels, 1.0),
    "glints": (scenery.glints, 0.6),
    "moles": (scenery.moles, 0.8),
    "rims": (scenery.rims, 1.0),
    "stitches": (scenery.stitches, 0.7),
    "rain": (scenery.rain, 0.3),
    "bokeh": (scenery.bokeh, 0.5),
    "frame": (scenery.frame, 0.8),
    "defocus": (scenery.defocus, 1.0),
}
PLAIN_SHARE = 0.4  # of the pictures that stay as they are


def draw(
    picture: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    kinds: dict[str, tuple[Callable[[Canvas], None], float]] = KINDS,
    plain_share: float = PLAIN_SHARE,
) -> NDArray[np.uint8]:
    """Draw one to three kinds of things that look like damage into a scene.

    picture: RGB, uint8 (S, S, 3); so is the result. kinds: what may be drawn, each with how often. plain_share: the
    share of pictures that stay as they are.
    """
    if rng.random() < plain_share:
        return picture.copy()
    canvas = Canvas(picture, rng)
    names, weights = list(kinds), np.array([weight for _, weight in kinds.values()])
    count = min(int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])), len(names))
    for index in sorted(rng.choice(len(names), count, replace=False, p=weights / weights.sum())):
        kinds[names[index]][0](canvas)
    return canvas.result()[0]
