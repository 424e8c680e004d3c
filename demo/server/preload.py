"""Load models in the background, so that the page opens at once and the first fill is not slow."""

import threading
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

import faceinp

from ..fills import filling

_state = {"text": "Loading models in the background …", "ready": False}
_judge_name = "auto"


def start(judge: str = "auto") -> None:
    """Load the face finder, the recommended engine, and the judge called ``judge``."""
    global _judge_name  # noqa: PLW0603 (one server, one judge)
    _judge_name = judge
    threading.Thread(target=_load, name="preload", daemon=True).start()


def state() -> tuple[str, bool]:
    """A text about the loading, and whether it has ended."""
    return str(_state["text"]), bool(_state["ready"])


def judge() -> faceinp.Judge:
    """The judge. Raises FaceinpError if it cannot be loaded or has no calibration."""
    return _judge(_judge_name)


@lru_cache(maxsize=1)
def _judge(name: str) -> faceinp.Judge:
    loaded = faceinp.load_judge(name)
    loaded.calibration  # noqa: B018 (raises if the judge has none)
    return loaded


def _load() -> None:
    errors = []
    blank = np.zeros((64, 64, 3), np.uint8)
    steps: dict[str, Callable[[], Any]] = {"the face finder": partial(faceinp.find_faces, blank), "the judge": judge}
    for first in filling.ready_engines()[:1]:
        steps[f"the engine {first}"] = partial(filling.load_engine, first)
    for name, load in steps.items():
        _state["text"] = f"Loading {name} …"
        try:
            load()
        except faceinp.FaceinpError as error:
            errors.append(f"{name[:1].upper()}{name[1:]} could not be loaded: {error}")
    _state.update(text=" ".join(errors), ready=True)
