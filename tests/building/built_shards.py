"""What shards are built of and what is read of them."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faceinp.train.datasets import data

# On skimage's astronaut (512 x 512): eyes, tip of the nose, corners of the mouth.
FIVE = np.float32([[208, 114], [242, 109], [230, 130], [211, 151], [243, 147]])
NAMES = [f"{number:06d}.jpg" for number in range(1, 7)]


def samples(out: Path) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    return {
        record["key"]: (np.asarray(Image.open(io.BytesIO(record["picture"]))), record["about"])
        for record in data.records(str(out / "*.tar"))
    }


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "zipped" / folder.name), "zip", folder))


def tarred(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "tarred" / folder.name), "tar", folder))
