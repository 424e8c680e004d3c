"""Who measures: this process, or several, of one thread each, that share what is kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from faceinp.common.system import processes, take_threads
from faceinp.errors import DataError
from faceinp.evaluate.engine_tables.figures import Kind, Measurer, Setting
from faceinp.evaluate.engine_tables.fills import Order

Tasks = Mapping[Order, Sequence[Kind]]  # fills to make, and the kinds of figures to take of them


@contextmanager
def working(setting: Setting, measurer: Measurer, tasks: Tasks, count: int) -> Iterator[Callable[[Order], None]]:
    """What is given back waits until the task of an order is done, and its figures are kept.

    With a ``count`` of one a task is done when it is waited for, else all are begun in their order.
    Waiting raises DataError when a process died, and what the work itself raises.
    """
    if count == 1:
        yield lambda order: measurer.measure(order, tasks[order])
        return
    pool = processes(count, _begin, setting)
    begun = {order: pool.submit(_take, order, kinds) for order, kinds in tasks.items()}

    def wait(order: Order) -> None:
        try:
            begun[order].result()
        except BrokenProcessPool as error:
            raise DataError(
                "A worker process died, possibly out of memory. What it finished is kept: run the same command again, "
                "with fewer --workers."
            ) from error

    try:
        yield wait
    finally:
        pool.shutdown(cancel_futures=True)


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


def _take(order: Order, kinds: Sequence[Kind]) -> None:
    _measurer.measure(order, kinds)
