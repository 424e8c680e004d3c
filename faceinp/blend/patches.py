"""Texture continued into a hole by patches of the same picture: PatchMatch, by the library PyPatchMatch.

Barnes, Shechtman, Finkelstein and Goldman 2009, *PatchMatch*, in the hole-filling scheme of Wexler, Shechtman and Irani
2007: coarse to fine, each pixel the mean of what the patches most like its surroundings say.
"""

import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RADIUS = 3  # patches of 7 x 7, as Barnes et al. compare
INSTALL = "Run: pip install --force-reinstall PyPatchMatch"  # what to do where there is no library

# The library keeps one seed for the whole process.
_lock = threading.Lock()


@cache
def library() -> Any | None:
    """The module ``patchmatch``, None where it is missing or was installed without its compiled part."""
    try:
        import patchmatch
    except ImportError:
        return None
    return patchmatch if patchmatch.patchmatch_available else None


def fill(
    pixels: NDArray[np.uint8], hole: NDArray[np.bool_], seed: int, avoid: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """The picture with its hole filled from patches of its known pixels; ``library()`` must not be None.

    pixels: uint8 (H, W, 3); what lies under the hole does not count. hole: bool (H, W). avoid: bool (H, W), known
    pixels that are no source of patches; their colours do not count. The same seed gives the same picture, in any
    thread.
    """
    with _lock:
        patchmatch = library()
        assert patchmatch is not None
        patchmatch.set_random_seed(seed)
        excluded = {} if avoid is None else {"global_mask": avoid & ~hole}
        return np.asarray(patchmatch.inpaint(pixels, hole, patch_size=RADIUS, **excluded), np.uint8)
