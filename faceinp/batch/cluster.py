"""The same workers as actors of Ray Data, on one machine or many."""

from collections.abc import Iterable, Iterator
from typing import Any

from faceinp.batch.sources import Part
from faceinp.batch.worker import Settings, Worker
from faceinp.errors import DataError, MissingPackageError


class _Actor:
    """A worker as Ray Data calls it: a batch of parts in, a batch of their lines out."""

    def __init__(self, settings: Settings, done: Any) -> None:
        import ray

        self.worker, self.done = Worker(settings), ray.get(done)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"lines": [self.worker(part, self.done) for part in batch["item"]]}


def on_ray(
    todo: Iterable[Part], settings: Settings, done: frozenset[str], workers: int, address: str
) -> Iterator[list[dict[str, Any]]]:
    """Lines of each part, as it is done. A part whose actor died is done again by another one.

    address: of a cluster, "auto", or "local". Raises MissingPackageError, and DataError when there is no cluster.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingPackageError("ray", "ray") from error
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, include_dashboard=False if address == "local" else None)
        except (ConnectionError, ValueError) as error:
            raise DataError(
                f"There is no Ray cluster at {address} ({error}). Start one, or use --ray local."
            ) from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    listed = ray.data.from_items(list(todo), override_num_blocks=None)
    made = listed.repartition(max(1, listed.count())).map_batches(
        _Actor, batch_size=1, fn_constructor_args=(settings, ray.put(done)), concurrency=workers, max_restarts=-1
    )
    for row in made.iter_rows():
        yield row["lines"]
