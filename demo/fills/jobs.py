"""Fills that run in threads of their own, in turn with everybody else's, and say how far they are."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import faceinp

from .filling import SEARCHES, Made, Order, fill, made_engine

# How many fills run at once. A search has every core busy by itself; the others are mostly short.
LIMITS = {"search": 1, "quick": 2}
TICK = 0.5  # seconds between two looks at whether anybody still waits


@dataclass(frozen=True)
class Failed:
    """An order that could not be filled."""

    engine: str
    reason: str


@dataclass
class Running:
    """How far a job is. curve: (share done, loss of the search)."""

    before: int = 0  # jobs that are served first; meaningless once ``started``
    started: float | None = None
    engine: str = ""
    order: int = 0
    orders: int = 1
    done: int = 0
    total: int = 1
    preview: NDArray[np.float32] | None = None
    curve: list[tuple[float, float]] = field(default_factory=list)

    @property
    def share(self) -> float:
        return (self.order + self.done / max(self.total, 1)) / max(self.orders, 1)

    @property
    def left(self) -> float | None:
        """Seconds, judged by those that passed; None where nothing can be said yet."""
        if self.started is None or self.share < 0.02:
            return None
        return (time.monotonic() - self.started) * (1 / self.share - 1)


class _Lane:
    """So many at once, in the order of coming."""

    def __init__(self, limit: int) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._free = limit

    @contextmanager
    def turn(self, say: Callable[[int], None], check: Callable[[], None]) -> Iterator[None]:
        """Wait for a turn; say(n): so many are served first. check: raises when nobody waits for it any more."""
        me = object()
        with self._changed:
            self._waiting.append(me)
            try:
                while self._waiting[0] is not me or not self._free:
                    say(self._waiting.index(me) + 1 - min(self._free, 1))
                    self._changed.wait(TICK)
                    check()
                self._free -= 1
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


_lanes = {name: _Lane(limit) for name, limit in LIMITS.items()}


class Job:
    """Fills orders in a thread of its own.

    keep_going: an order that fails is among the outcomes as ``Failed``, and the next one is filled; else it ends the
    job. folder: where the files go. judge: gives the judge, or raises FaceinpError.
    """

    def __init__(
        self,
        orders: Sequence[Order],
        folder: Path,
        judge: Callable[[], faceinp.Judge] | None = None,
        *,
        keep_going: bool = False,
    ) -> None:
        self.orders, self.folder, self.judge, self.keep_going = orders, folder, judge, keep_going
        self.running = Running(orders=len(orders))
        self.outcomes: list[Made | Failed] = []
        self.equal = False  # whether another seed made no difference, so that the remaining ones were left out
        self.stopped = False
        self._error: BaseException | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="fill", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end: searches give their best so far, others nothing."""
        self.stopped = True

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, within so many seconds."""
        return self._ended.wait(seconds)

    def made(self) -> list[Made]:
        """What was filled, once it has ended or was stopped; raises what went wrong."""
        made = [outcome for outcome in self.outcomes if isinstance(outcome, Made)]
        if self._error is not None and not (made and isinstance(self._error, faceinp.Cancelled)):
            raise self._error
        return made

    def _run(self) -> None:
        try:
            for number, order in enumerate(self.orders):
                self.running.order, self.running.engine, self.running.done = number, order.engine, 0
                self._fill(order)
                if self.stopped or self.equal:
                    break
        except BaseException as error:  # it belongs to whoever waits for the job
            self._error = error
        finally:
            self._ended.set()

    def _fill(self, order: Order) -> None:
        self.running.curve, self.running.preview = [], None
        try:
            # An engine on an exported file may export it first, for minutes: that is no part of anybody's turn.
            if order.engine not in SEARCHES:
                self._wait_for(made_engine(order.engine))
            with _lanes["search" if order.engine in SEARCHES else "quick"].turn(self._wait, self._check):
                self.running.started = self.running.started or time.monotonic()
                made = fill(order, self.folder, self._progress, self.judge)
        except faceinp.Cancelled:
            raise
        except faceinp.FaceinpError as error:
            if not self.keep_going:
                raise
            self.outcomes.append(Failed(order.engine, str(error)))
            return
        first = self.outcomes[0] if self.outcomes else None
        if not self.keep_going and isinstance(first, Made) and first.digest == made.digest:
            self.equal = True
        else:
            self.outcomes.append(made)

    def _wait_for(self, engine: Future[faceinp.Engine]) -> None:
        while not engine.done():
            self._check()
            wait([engine], timeout=TICK)
        engine.result()

    def _check(self) -> None:
        if self.stopped:
            raise faceinp.Cancelled("Stopped. Nothing was changed.")

    def _wait(self, before: int) -> None:
        self.running.before = before

    def _progress(
        self, done: int, total: int, preview: NDArray[np.float32] | None = None, loss: float | None = None
    ) -> None:
        self._check()
        self.running.done, self.running.total = done, total
        if preview is not None:
            self.running.preview = preview
        if loss is not None:
            self.running.curve.append((done / total, loss))
