"""A fill in a 50-megapixel photo: seconds more than in its face crop alone, and peak memory. python benchmarks/large.py

The photo is scikit-image's astronaut, enlarged, with grain; the whole command is timed, files read and written.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

FILL = "import sys; from faceinp.cli.main import main; code = main(sys.argv[1:]); import resource;"
FILL += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, 'MB'); sys.exit(code)"


def run(photo: Path, mask: Path, out: Path, *options: str) -> tuple[float, str]:
    started = time.perf_counter()
    command = [sys.executable, "-c", FILL, "fill", str(photo), "--mask", str(mask), "-o", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout.strip().splitlines()[-1]


def main(engine: str = "telea", side: int = 7071) -> None:
    rng = np.random.default_rng(0)
    photo = cv2.resize(skimage.data.astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
    grain = rng.integers(-4, 5, (side, side, 1), np.int8)
    photo = np.clip(photo.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (int(0.48 * side), int(0.2 * side)), (side // 40, side // 60), 0, 0, 360, 255, -1)
    window = np.s_[int(0.02 * side) : int(0.42 * side), int(0.24 * side) : int(0.64 * side)]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("jpg", "png"):
            whole, crop = (Path(folder) / f"{name}.{suffix}" for name in ("whole", "crop"))
            marks, crop_marks = Path(folder) / "mask.png", Path(folder) / "crop-mask.png"
            Image.fromarray(photo).save(whole, quality=92)
            Image.fromarray(mask).save(marks)
            small = cv2.resize(photo[window], (512, 512), interpolation=cv2.INTER_AREA)
            Image.fromarray(small).save(crop, quality=92)
            Image.fromarray(cv2.resize(mask[window], (512, 512), interpolation=cv2.INTER_AREA)).save(crop_marks)
            arguments = ("--engine", engine, "--seed", "0")
            large, memory = run(whole, marks, Path(folder) / f"out.{suffix}", *arguments)
            little, _ = run(crop, crop_marks, Path(folder) / f"small.{suffix}", *arguments)
            print(
                f"{suffix}, {photo.shape[0] * photo.shape[1] / 1e6:.0f} megapixels, {engine}: {large:.2f} s, "
                f"crop {little:.2f} s, {large - little:.2f} s more; {memory}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:2])
