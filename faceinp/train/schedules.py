"""How a learning rate changes over a run: functions of the step and of the share of the run that is over."""

from collections.abc import Callable
from typing import Any

from faceinp.train import loop, settings


def constant(step: int, progress: float) -> float:
    """The highest rate at every step."""
    return 1.0


def linear(step: int, progress: float) -> float:
    """A straight line from the highest rate to nothing at the run's end."""
    return max(0.0, 1.0 - progress)


# name -> share of the highest rate at (step, ``Context.progress``)
SCHEDULES: dict[str, Callable[[int, float], float]] = {"cosine": loop.cosine, "linear": linear, "constant": constant}


def option(default: str, whose: str) -> Any:
    """A field of a run's settings that names a schedule. whose: "of the generator", for the help."""
    about = f"learning rate {whose}: cosine (200 steps up, then down), linear (down) or constant"
    return settings.option(default, about, choices=SCHEDULES)
