"""``faceinp batch``: lists the photos, distributes them to workers, and reports progress."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from faceinp import errors
from faceinp.batch.items import opened
from faceinp.batch.record import Target, check_same, describe
from faceinp.batch.sources import Part, check_apart, survey
from faceinp.batch.worker import FAILED, FILLED, NOTHING_FOUND, SKIPPED, Settings, Worker, skipped_line
from faceinp.errors import DataError, FaceinpError, MaskError, MissingPackageError, PhotoError
from faceinp.mask import masks as masks_
from faceinp.mask import presets
from faceinp.models.system import processes
from faceinp.photo import photos

QUEUED_PARTS = 2  # for each worker, so that none idles

Lines = list[dict[str, Any]]


def run(
    source: str,
    settings: Settings,
    *,
    masks: str = "",
    faces: str = "",
    references: str = "",
    workers: int = 1,
    ray: str = "",
    retry: bool = False,
    again: bool = False,
    say: Callable[[str], None] = print,
) -> Counter[str]:
    """Fill the photos of ``source``: a folder, a .tar or a .parquet, local or a URL that fsspec supports.

    masks, faces, references: folders of masks, of JSON with faces' locations, and of other photos of the same people,
    all named like the photos; masks may be one file, for all photos. workers: processes on this machine, or actors.
    ray: a cluster's address, "auto" for the running one, "local" for a new one on this machine. retry: also fill photos
    that failed before. again: fill all photos; otherwise those in the manifest of ``settings.out`` are skipped. say:
    called with each line of progress.

    Returns the numbers of photos that were filled, that failed, and in which nothing was found, in this call. Raises
    DataError where there are no photos, results would lie among the photos, the folder contains results of other
    settings, or a worker died; errors that concern all photos; at the end, where all photos failed, now or before, the
    error that all of them share, or FaceinpError.
    """
    check_apart(source, settings.out)
    if settings.preset:
        presets.check_name(settings.preset)
    earlier = Target(settings.out).settings()
    begun = str(earlier["begun"]) if earlier else ""
    lines = {line["name"]: line for line in Target(settings.out, begun).lines()} if not again else {}
    before = {name: line.get("kind", FILLED) for name, line in lines.items() if line["outcome"] != SKIPPED}
    done = frozenset(name for name in lines if before.get(name, FILLED) == FILLED or not retry)
    need_masks = not (settings.preset or settings.from_alpha or settings.find)
    todo, skipped, mask = survey(source, masks, done, faces=faces, references=references, need_masks=need_masks)
    now = describe(settings, masks=masks, faces=faces, references=references)
    if before and earlier:
        check_same(settings.out, earlier, now)
    elif before:
        say(f"{settings.out} has no record of its settings, as an earlier version wrote it: assuming the same settings")
    else:
        begun = f"{time.time_ns():020}"
    settings = replace(settings, begun=begun, record=json.dumps(now | {"begun": begun}, indent=2))
    settings = settings if settings.threads or ray else replace(settings, threads=max(1, _cores() // max(1, workers)))
    target = Target(settings.out, begun)
    kinds = Counter(before[name] for name in done if name in before)
    if kinds:
        failed = kinds.total() - kinds[FILLED]
        retried = f", {failed:,} of them failed (--retry tries these again)" if failed else ""
        say(f"{kinds.total():,} photos are already done{retried}; `{settings.out}/manifest` lists them")
    if mask:
        _check_mask(mask, settings)
    counted: Counter[str] = Counter({FILLED: 0, FAILED: 0})
    for part_lines in _process(todo, settings, done, workers, ray):
        if again:  # the new settings are recorded now, so the earlier manifest can go
            target.tidy()
            again = False
        counted.update(line["outcome"] for line in part_lines)
        kinds.update(line.get("kind", FILLED) for line in part_lines if line["outcome"] != SKIPPED)
        for line in part_lines:
            if line["outcome"] == FAILED:
                say(f"{line['name']}: {line['error']}")
        clean = f", nothing found in {counted[NOTHING_FOUND]:,}" if counted[NOTHING_FOUND] else ""
        say(f"{counted[FILLED]:,} filled, {counted[FAILED]:,} failed{clean}")
    target.add([skipped_line(one) for one in skipped if one.name not in done])
    if passed := counted.pop(SKIPPED, 0) + len(skipped):
        say(f"{passed:,} other files were skipped; see `{settings.out}/manifest`")
    if kinds and not kinds[FILLED]:
        failed = counted[FAILED] or len(before)
        raise _shared(kinds)(
            f"None of {failed:,} photos could be filled. See `{settings.out}/manifest` for the errors."
        )
    return counted


def _check_mask(url: str, settings: Settings) -> None:
    """Raise MaskError for a file that cannot be a mask."""
    files, path = opened(url)
    content = files.cat_file(path)
    try:
        picture = photos.read(content)
    except PhotoError as error:
        raise MaskError(f"{url} cannot be used as a mask: {error}") from error
    masks_.read(content, picture, hole=settings.mask_hole)


def _shared(kinds: Iterable[str]) -> type[FaceinpError]:
    """The class of all photos' errors, so that the shell can return its exit code; FaceinpError where they differ."""
    codes = {getattr(errors, kind, FaceinpError).exit_code for kind in kinds}
    return next((error for error in FaceinpError.__subclasses__() if codes == {error.exit_code}), FaceinpError)


def _process(todo: Iterable[Part], settings: Settings, done: frozenset[str], workers: int, ray: str) -> Iterator[Lines]:
    """The manifest lines of each part, by the workers that the arguments of ``run`` ask for."""
    if ray:
        yield from _on_ray(todo, settings, done, workers, ray)
    elif workers > 1:
        yield from _in_processes(todo, settings, done, workers)
    else:
        worker = Worker(settings)
        yield from (worker(part, done) for part in todo)


_worker: Worker | FaceinpError  # of this process of the pool, or the error that prevented it


def _begin(settings: Settings) -> None:
    global _worker  # noqa: PLW0603 - a pool's initializer can only leave its result in a global
    try:
        _worker = Worker(settings)
    except FaceinpError as error:  # raised here it would break the pool and be lost
        _worker = error


def _take(part: Part, done: frozenset[str]) -> Lines:
    if isinstance(_worker, FaceinpError):
        raise _worker
    return _worker(part, done)


def _in_processes(todo: Iterable[Part], settings: Settings, done: frozenset[str], workers: int) -> Iterator[Lines]:
    waiting: set[Future[Lines]] = set()
    with processes(workers, _begin, settings) as pool:
        try:
            for part in todo:
                # A part of files contains no finished photos.
                waiting.add(pool.submit(_take, part, frozenset() if part.names else done))
                if len(waiting) >= QUEUED_PARTS * workers:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        except BrokenProcessPool as error:
            raise DataError(
                "A worker process died, possibly out of memory. Finished photos are kept: run the same command again "
                "with fewer --workers."
            ) from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Actor:
    """A worker as an actor of Ray Data: from numbers of parts to their manifest lines as JSON."""

    def __init__(self, settings: Settings, shared: Any) -> None:
        import ray

        self.worker = Worker(settings)
        self.todo, self.done = ray.get(shared[0])  # in a list, because Ray resolves a bare reference before the call

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"lines": [json.dumps(self.worker(self.todo[number], self.done)) for number in batch["id"]]}


def _on_ray(
    todo: Iterable[Part], settings: Settings, done: frozenset[str], workers: int, address: str
) -> Iterator[Lines]:
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
