"""``faceinp batch``: what is to do, who does it, and what is said while it is done."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from faceinp import errors, presets
from faceinp.batch.sources import Part, Target, check_apart, parts
from faceinp.batch.worker import FAILED, FILLED, Settings, Worker
from faceinp.errors import DataError, FaceinpError
from faceinp.machine import processes

AHEAD = 2  # parts that wait for each worker, so that none idles

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
    say: Callable[[str], None] = print,
) -> Counter[str]:
    """Fill the photos of ``source``: a folder, a .tar or a .parquet, local or a URL of fsspec's.

    masks, faces, references: folders of masks, of JSON that says where faces are, and of other photos of the same
    people, all named like the photos. workers: processes on this machine, or actors. ray: a cluster's address, "auto"
    for the one that is here, "local" for a new one of this machine alone. retry: try what failed before, too. What the
    manifest in ``settings.out`` holds already is left alone. Returns how many photos were filled and how many failed,
    now. Raises DataError when nothing is there, results would lie among the photos, or a worker died, and what concerns
    all photos; at its end, where no photo could be filled, now or before, the error that all of them share, or
    FaceinpError.
    """
    check_apart(source, settings.out)
    if settings.preset:
        presets.check_name(settings.preset)
    before = {line["name"]: line.get("kind", FILLED) for line in Target(settings.out).lines()}
    done = frozenset(name for name, kind in before.items() if kind == FILLED or not retry)
    kinds = Counter(before[name] for name in done)
    if done:
        failed = len(done) - kinds[FILLED]
        again = f", {failed:,} of them failed (--retry tries these again)" if failed else ""
        say(f"{len(done):,} photos are done already{again}; `{settings.out}/manifest` lists them")
    settings = settings if settings.threads or ray else replace(settings, threads=max(1, _cores() // max(1, workers)))
    need_masks = not settings.preset and not settings.from_alpha
    todo = parts(source, masks, done, faces=faces, references=references, need_masks=need_masks)
    if ray:
        from faceinp.batch.cluster import on_ray

        answers = on_ray(todo, settings, done, workers, ray)
    elif workers > 1:
        answers = _in_processes(todo, settings, done, workers)
    else:
        worker = Worker(settings)
        answers = (worker(part, done) for part in todo)
    counted: Counter[str] = Counter({FILLED: 0, FAILED: 0})
    for lines in answers:
        counted.update(line["outcome"] for line in lines)
        for line in lines:
            kinds[line.get("kind", FILLED)] += 1
            if line["outcome"] == FAILED:
                say(f"{line['name']}: {line['error']}")
        say(f"{counted[FILLED]:,} filled, {counted[FAILED]:,} failed")
    if kinds and not kinds[FILLED]:
        failed = counted[FAILED] or len(before)
        raise _shared(kinds)(f"None of {failed:,} photos could be filled; `{settings.out}/manifest` says why.")
    return counted


def _shared(kinds: Iterable[str]) -> type[FaceinpError]:
    """The error that all photos' are, so that the shell's exit code says it."""
    codes = {getattr(errors, kind, FaceinpError).exit_code for kind in kinds}
    return next((error for error in FaceinpError.__subclasses__() if codes == {error.exit_code}), FaceinpError)


_worker: Worker | FaceinpError  # of a process of the pool; or why there is none


def _begin(settings: Settings) -> None:
    global _worker  # noqa: PLW0603 - a process of the pool has no other place for what it loads once
    try:
        _worker = Worker(settings)
    except FaceinpError as error:  # raised here it would only break the pool, and nobody would be told
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
                waiting.add(pool.submit(_take, part, _of(part, done)))
                if len(waiting) >= AHEAD * workers:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        except BrokenProcessPool as error:
            raise DataError(
                "A worker died, perhaps for want of memory. What it finished is kept: run the same command again, "
                "with fewer --workers."
            ) from error


def _of(part: Part, done: frozenset[str]) -> frozenset[str]:
    """Files that are done are in no part; of shards and tables a worker needs to know."""
    return frozenset() if part.names else done


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
