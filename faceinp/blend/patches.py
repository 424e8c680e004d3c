"""Fill a hole with texture of the same picture by PatchMatch, from the library PyPatchMatch.

Barnes, Shechtman, Finkelstein and Goldman 2009, *PatchMatch*, in the hole-filling scheme of Wexler, Shechtman and Irani
2007: coarse to fine, each pixel becomes the mean of the patches that are most similar to its surroundings.
"""

import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RADIUS = 3  # patches of 7 x 7, as Barnes et al. compare
INSTALL = "Run: pip install --force-reinstall PyPatchMatch"  # the advice where the library is missing

_lock = threading.Lock()  # the library has one seed for the whole process


@cache
def library() -> Any | None:
    """The module ``patchmatch``; None where it is missing or has no compiled part."""
    try:
        import patchmatch
    except ImportError:
        return None
    return patchmatch if patchmatch.patchmatch_available else None


def fill(
    pixels: NDArray[np.uint8], hole: NDArray[np.bool_], seed: int, avoid: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """The picture with its hole filled by patches of its known pixels; ``library()`` must not be None.

    pixels: uint8 (H, W, 3); pixels under the hole are ignored. hole: bool (H, W), True = hole. avoid: bool (H, W), True
    where no patch may be copied from. The same seed gives the same picture, in any thread.
    """
    with _lock:
        patchmatch = library()
        assert patchmatch is not None
        patchmatch.set_random_seed(seed)
        excluded = {} if avoid is None else {"global_mask": avoid & ~hole}
        return np.asarray(patchmatch.inpaint(pixels, hole, patch_size=RADIUS, **excluded), np.uint8)
