"""The 68 landmarks of a face with a hole, from the shipped predictor, for engines and for whoever has none."""

import numpy as np
from numpy.typing import NDArray

from faceinp.models.runtimes import shared
from faceinp.models.sessions import Session, run_in_batches

SIZE = 256  # side of the crops that the predictor takes
BATCH = 8  # crops that go through the network at once


def predict(
    crops: NDArray[np.float32], masks: NDArray[np.bool_], session: Session | None = None
) -> NDArray[np.float32]:
    """crops: float32 (N, 3, SIZE, SIZE) in [0, 1]. masks: bool (N, 1, SIZE, SIZE), True = hole: what lies there is not
    looked at. session: an open predictor; None: the package's on the fastest runtime. Returns float32 (N, 68, 2), x and
    y in shares of the side, in dlib's order. Raises WeightsError.
    """
    if not len(crops):
        return np.zeros((0, 68, 2), np.float32)
    session = session or shared("landmarks")
    return run_in_batches(session, {"picture": crops, "mask": masks.astype(np.float32)}, BATCH)
