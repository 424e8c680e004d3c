"""Models that are loaded in the background, so that the page is there at once and the first fill is not the slowest."""

import threading
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

import faceinp

from ..fills import filling

_state = {"text": "Loading models in the background …", "ready": False}
_judge_wanted = "auto"


def start(judge: str = "auto") -> None:
    """Load the face finder, the engine that is listed first, and the judge called ``judge``."""
    global _judge_wanted  # noqa: PLW0603 (one server, one judge)
    _judge_wanted = judge
    threading.Thread(target=_warm, name="warming", daemon=True).start()


def state() -> tuple[str, bool]:
    """What is being loaded, and whether everything is there."""
    return str(_state["text"]), bool(_state["ready"])


def judge() -> faceinp.Judge:
    """The judge; raises FaceinpError where there is none that can answer."""
    return _judge(_judge_wanted)


@lru_cache(maxsize=1)
def _judge(name: str) -> faceinp.Judge:
    found = faceinp.load_judge(name)
    found.calibration  # noqa: B018 (a judge without one raises here)
    return found


def _warm() -> None:
    missing = []
    nothing = np.zeros((64, 64, 3), np.uint8)
    steps: dict[str, Callable[[], Any]] = {"the face finder": partial(faceinp.find_faces, nothing), "the judge": judge}
    for first in filling.ready_engines()[:1]:
        steps[f"the engine {first}"] = partial(filling.ready_engine, first)
    for name, load in steps.items():
        _state["text"] = f"Loading {name} …"
        try:
            load()
        except faceinp.FaceinpError as error:
            missing.append(f"{name[:1].upper()}{name[1:]} could not be loaded: {error}")
    _state.update(text=" ".join(missing), ready=True)
