"""What a run writes while it trains: log, previews, curves, TensorBoard."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from accelerate import Accelerator
from PIL import Image
from torch import Tensor

from faceinp.errors import require
from faceinp.models.weights import read_tensors
from faceinp.photo.arrays import to_pixels
from faceinp.train import checkpoints

if TYPE_CHECKING:
    from faceinp.train.loop import Run

LOG = "log.jsonl"
BOARD = "tensorboard"  # a folder in the run's


class Journal:
    """What the main process writes during a run: the log, previews, curves, TensorBoard, and the best score so far.

    TensorBoard forgets figures after ``step``, of a run that was killed since. Raises MissingPackageError where it is
    asked for and not installed.
    """

    def __init__(self, folder: Path, step: int, config: "Run", accelerator: Accelerator) -> None:
        self.folder, self.pictures_per_step = folder, config.batch * accelerator.num_processes
        best = folder / checkpoints.BEST
        self.best = float(read_tensors(best)[0]["score"]) if step and best.exists() else float("inf")
        self.board = None
        if accelerator.is_main_process and config.tensorboard:
            require("tensorboard", "tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / BOARD), purge_step=step + 1 if step else None)
        self.file = (folder / LOG).open("a")
        self.since, self.since_step = time.monotonic(), step

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        if self.board:
            self.board.close()

    def write_terms(self, step: int, terms: dict[str, Tensor]) -> None:
        """Log the terms of a step, and the pictures a second since the previous line."""
        now = time.monotonic()
        rate = self.pictures_per_step * (step - self.since_step) / (now - self.since)
        self.since, self.since_step = now, step
        figures = {"pictures_per_second": round(rate, 1)}
        self._write(step, figures | {name: round(float(value.detach()), 5) for name, value in terms.items()})

    def write_preview(self, step: int, picture: Tensor) -> None:
        """picture: (3, H, W) in [0, 1]."""
        picture = picture.detach().float().cpu().clamp(0, 1)
        path = self.folder / "previews" / f"{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(to_pixels(picture.numpy())).save(path)
        if self.board:
            self.board.add_image("preview", picture, step)
            self.board.flush()

    def is_best(self, step: int, scores: dict[str, float]) -> bool:
        """Log the scores on held-back faces; whether the first one is lower than all before."""
        if not scores:
            return False
        self._write(step, {name: round(value, 5) for name, value in scores.items()})
        score = next(iter(scores.values()))
        if score >= self.best:
            return False
        self.best = score
        return True

    def plot(self) -> None:
        """One curve for each logged term, smoothed over 2 % of the run."""
        from matplotlib.figure import Figure

        lines = [json.loads(line) for line in (self.folder / LOG).read_text().splitlines()]
        terms = dict.fromkeys(name for line in lines for name in line if name not in ("step", "pictures_per_second"))
        figure = Figure(figsize=(9, 5))
        axes = figure.subplots()
        for name in terms:
            points = [(line["step"], line[name]) for line in lines if name in line]
            window = max(1, len(points) // 50)
            values = np.convolve([value for _, value in points], np.ones(window) / window, mode="valid")
            axes.plot([step for step, _ in points[window - 1 :]], values, label=name)
        axes.set_xlabel("step")
        axes.legend()
        figure.savefig(self.folder / "curves.png", dpi=100, bbox_inches="tight")

    def _write(self, step: int, figures: dict[str, float]) -> None:
        print(json.dumps({"step": step, **figures}), file=self.file, flush=True)
        if self.board:
            for name, value in figures.items():
                self.board.add_scalar(name, value, step)
