"""Who measures: this process, or several, of one thread each, that share what is kept."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from faceinp.errors import DataError
from faceinp.evaluate.figures import Measurer, Setting
from faceinp.evaluate.fills import Order
from faceinp.machine import processes, take_threads


@dataclass(frozen=True)
class Task:
    """Fills to make, and the kinds of figures to take of them."""

    order: Order
    kinds: tuple[str, ...]


class Workers:
    """Does tasks; ``wait`` returns when one is done, and its figures are kept.

    With one worker a task is done when it is waited for, else all are begun in the order in which they were given.
    """

    def __init__(self, setting: Setting, measurer: Measurer, count: int) -> None:
        self.setting, self.measurer, self.count = setting, measurer, count
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: dict[Order, Future[None]] = {}
        self._tasks: dict[Order, Task] = {}

    def begin(self, tasks: Iterable[Task]) -> None:
        self._tasks = {task.order: task for task in tasks}
        if self.count > 1:
            self._pool = processes(self.count, _begin, self.setting)
            self._waiting = {order: self._pool.submit(_take, task) for order, task in self._tasks.items()}

    def wait(self, order: Order) -> None:
        """Raises DataError when a process died, and what the work itself raises."""
        if self._pool is None:
            do(self._tasks[order], self.measurer)
            return
        try:
            self._waiting[order].result()
        except BrokenProcessPool as error:
            raise DataError(
                "A worker process died, possibly out of memory. What it finished is kept: run the same command again, "
                "with fewer --workers."
            ) from error

    def end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def do(task: Task, measurer: Measurer) -> None:
    """Make what is not kept yet."""
    for kind in task.kinds:
        measurer.of(task.order, kind)


@contextmanager
def one_thread() -> Iterator[None]:
    """Several processes side by side must not each take all cores; and times are those of one core."""
    undo = take_threads(1)
    try:
        yield
    finally:
        undo()


_measurer: Measurer  # of a process of the pool


def _begin(setting: Setting) -> None:
    global _measurer  # noqa: PLW0603 - a process of the pool has no other place for what it loads once

    take_threads(1)
    _measurer = Measurer(setting)


def _take(task: Task) -> None:
    do(task, _measurer)
