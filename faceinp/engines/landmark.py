"""The landmark-guided engine: predict the 68 landmarks of a face with a hole, then complete the face in one pass."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceinp.engines.base import Batch, Engine, Needs, register
from faceinp.face import landmark_predictor
from faceinp.models.runtimes import NAMES, Runtime, missing, open_network
from faceinp.models.sessions import run_in_batches
from faceinp.nets.points import landmark_map


@register
class Landmark(Engine):
    """The completion network with its landmark predictor.

    file, predictor: another completion network and another predictor, as packed weights, exported graphs (.onnx) or
    TensorRT engines; empty: the package's. runtime, provider, precision, threads: as for ``runtimes.Runtime``.
    """

    name = "landmark"
    about = "Our own network guided by the face's landmarks (not the second paper's); completes entire faces fast."
    size = 256
    largest = 256
    needs = Needs(weights=("completion", "landmarks"))

    def __init__(
        self,
        *,
        file: str | Path = "",
        predictor: str | Path = "",
        runtime: str = "",
        provider: str = "",
        precision: str = "",
        threads: int = 0,
    ) -> None:
        wanted = Runtime(runtime, provider, precision, threads)
        self.completion = open_network("completion", wanted, file)
        self.predictor = open_network("landmarks", wanted, predictor)
        self.runtime = self.completion.runtime
        self.taught_by = tuple(self.completion.about.get("taught_by", ()))
        self.guided = self.completion.about.get("guided", True)

    @classmethod
    def hindrance(cls) -> str:
        reasons = [missing(name) for name in NAMES]
        return "" if None in reasons else str(reasons[0])

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        return landmark_predictor.predict(crops, masks, self.predictor)

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        points = batch.landmarks
        if points is None:  # trained without landmarks: its landmark map is empty
            points = np.full((len(batch.crops), 68, 2), np.nan, np.float32)
        values = {
            "picture": batch.crops,
            "mask": batch.masks.astype(np.float32),
            "landmark_map": landmark_map(points, self.size),
            "exemplar": batch.exemplar.pictures,
            "exemplar_confidence": batch.exemplar.confidence,
        }
        inputs = {name: value for name, value in values.items() if name in self.completion.inputs}
        return run_in_batches(self.completion, inputs)
