"""Predict the 68 landmarks of a face with a hole."""

import numpy as np
from numpy.typing import NDArray

from faceinp.models.runtimes import shared
from faceinp.models.sessions import Session, run_in_batches

SIZE = 256  # side of the crops that the predictor takes
BATCH = 8  # crops in one run of the network


def predict(
    crops: NDArray[np.float32], masks: NDArray[np.bool_], session: Session | None = None
) -> NDArray[np.float32]:
    """Predict the landmarks of aligned crops.

    crops: float32 (N, 3, SIZE, SIZE) in [0, 1]; pixels under the hole are ignored. masks: bool (N, 1, SIZE, SIZE),
    True = hole. session: an open predictor; None: the package's on the fastest runtime. Returns float32 (N, 68, 2), x
    and y as shares of the side, in dlib's order. Raises WeightsError where the weights are missing or damaged.
    """
    if not len(crops):
        return np.zeros((0, 68, 2), np.float32)
    session = session or shared("landmarks")
    return run_in_batches(session, {"picture": crops, "mask": masks.astype(np.float32)}, BATCH)
