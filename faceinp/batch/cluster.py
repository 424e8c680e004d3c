"""Workers as actors of Ray Data, on one machine or many."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from faceinp.batch.sources import Part
from faceinp.batch.worker import Settings, Worker
from faceinp.errors import DataError, MissingPackageError


class _Actor:
    """A worker as an actor of Ray Data: from numbers of parts to their manifest lines as JSON."""

    def __init__(self, settings: Settings, shared: Any) -> None:
        import ray

        self.worker = Worker(settings)
        self.todo, self.done = ray.get(shared[0])  # in a list, because Ray resolves a bare reference before the call

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"lines": [json.dumps(self.worker(self.todo[number], self.done)) for number in batch["id"]]}


def on_ray(
    todo: Iterable[Part], settings: Settings, done: frozenset[str], workers: int, address: str
) -> Iterator[list[dict[str, Any]]]:
    """The manifest lines of each part, as it finishes. A part whose actor died is repeated by another actor.

    address: of a cluster, "auto", or "local". Raises MissingPackageError, and DataError where there is no cluster.
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
    # From one actor up, so that a busy cluster can begin: if actors took every core, nothing could feed them.
    actors = ray.data.ActorPoolStrategy(min_size=1, max_size=workers)
    results = ray.data.range(len(parts), override_num_blocks=len(parts)).map_batches(
        _Actor, batch_size=1, fn_constructor_args=(settings, [shared]), compute=actors
    )
    for row in results.iter_rows():
        yield json.loads(row["lines"])
