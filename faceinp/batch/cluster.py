"""The same workers as actors of Ray Data, on one machine or many."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from faceinp.batch.sources import Part
from faceinp.batch.worker import Settings, Worker
from faceinp.errors import DataError, MissingPackageError


class _Actor:
    """A worker as Ray Data calls it: numbers of parts in, their lines as JSON out."""

    def __init__(self, settings: Settings, shared: Any) -> None:
        import ray

        self.worker = Worker(settings)
        self.todo, self.done = ray.get(shared[0])  # in a list, else Ray would resolve it before it is here

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"lines": [json.dumps(self.worker(self.todo[number], self.done)) for number in batch["id"]]}


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
            ray.init(address=address, log_to_driver=False)
        except (ConnectionError, ValueError) as error:
            raise DataError(
                f"There is no Ray cluster at {address} ({error}). Start one, or use --ray local."
            ) from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    parts = list(todo)
    if not parts:
        return
    shared = ray.put((parts, done))
    # One actor at least and no more than can be had: if actors took every core, nothing could feed them.
    actors = ray.data.ActorPoolStrategy(min_size=1, max_size=workers)
    made = ray.data.range(len(parts), override_num_blocks=len(parts)).map_batches(
        _Actor, batch_size=1, fn_constructor_args=(settings, [shared]), compute=actors
    )
    for row in made.iter_rows():
        yield json.loads(row["lines"])
