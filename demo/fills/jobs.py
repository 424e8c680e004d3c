"""Jobs: fills in threads of their own, which wait in queues and report their progress."""

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

from .filling import SEARCHES, FillRequest, FillResult, engine_future, fill

# How many fills run at once. One search uses all cores; other fills are mostly short.
LIMITS = {"search": 1, "quick": 2}
TICK = 0.5  # seconds between checks whether the job was stopped


@dataclass(frozen=True)
class FailedFill:
    """A request that could not be filled."""

    engine: str
    reason: str


@dataclass
class Running:
    """The progress of a job. curve: pairs (share done, loss of the search)."""

    before: int = 0  # jobs ahead in the queue, until ``started``
    started: float | None = None
    engine: str = ""
    index: int = 0  # of the request that is being filled
    count: int = 1
    done: int = 0
    total: int = 1
    preview: NDArray[np.float32] | None = None
    curve: list[tuple[float, float]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of the job that is done, 0 to 1."""
        return (self.index + self.done / max(self.total, 1)) / max(self.count, 1)

    @property
    def left(self) -> float | None:
        """Estimated seconds left; None at the start."""
        if self.started is None or self.share < 0.02:
            return None
        return (time.monotonic() - self.started) * (1 / self.share - 1)


class _Queue:
    """A queue: first come, first served, ``limit`` at once."""

    def __init__(self, limit: int) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._free = limit

    @contextmanager
    def turn(self, report: Callable[[int], None], check: Callable[[], None]) -> Iterator[None]:
        """Wait for a turn. report(n): n are ahead in the queue. check: raises if the job was stopped."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or not self._free:
                    report(self._waiting.index(ticket) + 1 - min(self._free, 1))
                    self._changed.wait(TICK)
                    check()
                self._free -= 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


_queues = {name: _Queue(limit) for name, limit in LIMITS.items()}


class Job:
    """Fills requests in a thread of its own.

    keep_going: after a failure, record a ``FailedFill`` and fill the next request; else the failure ends the job.
    folder: for the files. judge: returns the judge, or raises FaceinpError.
    """

    def __init__(
        self,
        requests: Sequence[FillRequest],
        folder: Path,
        judge: Callable[[], faceinp.Judge] | None = None,
        *,
        keep_going: bool = False,
    ) -> None:
        self.requests, self.folder, self.judge, self.keep_going = requests, folder, judge, keep_going
        self.running = Running(count=len(requests))
        self.outcomes: list[FillResult | FailedFill] = []
        self.equal = False  # whether a second seed gave the same picture, so that the others were skipped
        self.stopped = False
        self._error: BaseException | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="fill", daemon=True).start()

    def stop(self) -> None:
        """Stop: a search returns its best so far, other fills nothing."""
        self.stopped = True

    def wait(self, seconds: float) -> bool:
        """Wait up to so many seconds; whether the job has ended."""
        return self._ended.wait(seconds)

    def results(self) -> list[FillResult]:
        """The results of a job that has ended or was stopped. Raises its error."""
        results = [outcome for outcome in self.outcomes if isinstance(outcome, FillResult)]
        if self._error is not None and not (results and isinstance(self._error, faceinp.Cancelled)):
            raise self._error
        return results

    def _run(self) -> None:
        try:
            for index, request in enumerate(self.requests):
                self.running.index, self.running.engine, self.running.done = index, request.engine, 0
                self._fill(request)
                if self.stopped or self.equal:
                    break
        except BaseException as error:  # for whoever waits for the job
            self._error = error
        finally:
            self._ended.set()

    def _fill(self, request: FillRequest) -> None:
        self.running.curve, self.running.preview = [], None
        try:
            # An engine may have to export its file first, for minutes: it waits for that outside the queue.
            if request.engine not in SEARCHES:
                self._wait_for(engine_future(request.engine))
            with _queues["search" if request.engine in SEARCHES else "quick"].turn(self._wait, self._check):
                self.running.started = self.running.started or time.monotonic()
                result = fill(request, self.folder, self._progress, self.judge)
        except faceinp.Cancelled:
            raise
        except faceinp.FaceinpError as error:
            if not self.keep_going:
                raise
            self.outcomes.append(FailedFill(request.engine, str(error)))
            return
        first = self.outcomes[0] if self.outcomes else None
        if not self.keep_going and isinstance(first, FillResult) and first.digest == result.digest:
            self.equal = True
        else:
            self.outcomes.append(result)

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
