"""What judges of identity are tested with: a calibration, a sidecar, and faces."""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import astronaut

from faceinp.identity import calibration
from faceinp.models import weights

# A face's five points in 112 x 112 pixels, as recognition networks want them.
TEMPLATE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
SIDECAR = {"size": [112, 112], "box": [0.1, 0.1, 0.9, 0.9], "mean": [0.5] * 3, "std": [0.5] * 3, "scale": 1}


def calibrated(file: Path, judge: str = "bundled") -> calibration.Calibration:
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(0.8, 0.1, 200), rng.normal(1.3, 0.1, 4000)
    return calibration.fit(judge, weights.sha256(file), genuine, impostor, data="drawn", people=9, pictures=99)


def crops(count: int, side: int = 128) -> np.ndarray:
    """Cuts of one portrait, float32 (count, 3, side, side)."""
    cuts = [Image.fromarray(astronaut()).crop((140 + 4 * n, 30, 300 + 4 * n, 190)) for n in range(count)]
    stacked = np.stack([np.asarray(cut.resize((side, side))) for cut in cuts])
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)
