"""Previews and curves of a run, also for TensorBoard."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from faceinp.errors import MissingPackageError

FOLDER = "tensorboard"  # in the run's


def save_preview(picture: Tensor, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = (picture.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)


def plot_log(log: Path, out: Path) -> None:
    """One curve for each logged term, smoothed over 2 % of the run."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    terms = dict.fromkeys(name for line in lines for name in line if name not in ("step", "pictures_per_second"))
    figure, axes = pyplot.subplots(figsize=(9, 5))
    for name in terms:
        points = [(line["step"], line[name]) for line in lines if name in line]
        window = max(1, len(points) // 50)
        values = np.convolve([value for _, value in points], np.ones(window) / window, mode="valid")
        axes.plot([step for step, _ in points[window - 1 :]], values, label=name)
    axes.set_xlabel("step")
    axes.legend()
    figure.savefig(out, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


class Board:
    """The figures of the log and the previews, for TensorBoard.

    Writes into ``folder``; figures after ``step``, of a run that was killed since, are taken back.

    Raises MissingPackageError where TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise MissingPackageError("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / FOLDER), purge_step=step + 1 if step else None)

    def figures(self, line: dict[str, Any]) -> None:
        """line: one of the log, with its step."""
        for name, value in line.items():
            if name != "step":
                self.writer.add_scalar(name, value, line["step"])

    def preview(self, picture: Tensor, step: int) -> None:
        """picture: (3, H, W) in [0, 1]."""
        self.writer.add_image("preview", picture.detach().float().cpu().clamp(0, 1), step)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
