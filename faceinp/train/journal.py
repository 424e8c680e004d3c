"""What a run writes while it trains: log, previews, curves, TensorBoard."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate import Accelerator
from torch import Tensor

from faceinp.train import checkpoints, plots

if TYPE_CHECKING:
    from faceinp.train.loop import Run

LOG = "log.jsonl"


class Journal:
    """What the main process writes during a run: the log, previews, curves, TensorBoard, and the best score so far."""

    def __init__(self, folder: Path, step: int, config: "Run", accelerator: Accelerator) -> None:
        self.folder, self.pictures_per_step = folder, config.batch * accelerator.num_processes
        self.best = checkpoints.best_score(folder) if step else float("inf")
        self.file = (folder / LOG).open("a")
        self.board = plots.Board(folder, step) if accelerator.is_main_process and config.tensorboard else None
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
        plots.save_preview(picture, self.folder / "previews" / f"{step:07d}.png")
        if self.board:
            self.board.preview(picture, step)

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
        plots.plot_log(self.folder / LOG, self.folder / "curves.png")

    def _write(self, step: int, figures: dict[str, float]) -> None:
        line = {"step": step, **figures}
        print(json.dumps(line), file=self.file, flush=True)
        if self.board:
            self.board.figures(line)
