"""``faceinp batch``: what is to do, who does it, and what is said while it is done."""

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
from faceinp.common.system import processes
from faceinp.errors import DataError, FaceinpError, MaskError, PhotoError
from faceinp.mask import masks as masks_
from faceinp.mask import presets
from faceinp.photo import photos

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
    again: bool = False,
    say: Callable[[str], None] = print,
) -> Counter[str]:
    """Fill the photos of ``source``: a folder, a .tar or a .parquet, local or a URL of fsspec's.

    masks, faces, references: folders of masks, of JSON that says where faces are, and of other photos of the same
    people, all named like the photos; masks may be one file, for all photos. workers: processes on this machine, or
    actors. ray: a cluster's address, "auto" for the one that is here, "local" for a new one of this machine alone.
    retry: try what failed before, too. again: fill everything, whatever the manifest in ``settings.out`` holds; else
    that is left alone. Returns how many photos were filled, how many failed, and in how many nothing was found, now.
    Raises DataError when nothing is there, results would lie among the photos, the folder was begun with other
    settings, or a worker died, and what concerns all photos; at its end, where all photos failed, now or before, the
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
        say(f"{settings.out} was begun by a version that did not record its settings: they are taken to be these")
    else:
        begun = f"{time.time_ns():020}"
    settings = replace(settings, begun=begun, record=json.dumps(now | {"begun": begun}, indent=2))
    settings = settings if settings.threads or ray else replace(settings, threads=max(1, _cores() // max(1, workers)))
    target = Target(settings.out, begun)
    kinds = Counter(before[name] for name in done if name in before)
    if kinds:
        failed = kinds.total() - kinds[FILLED]
        retried = f", {failed:,} of them failed (--retry tries these again)" if failed else ""
        say(f"{kinds.total():,} photos are done already{retried}; `{settings.out}/manifest` lists them")
    if mask:
        _check_mask(mask, settings)
    if ray:
        from faceinp.batch.cluster import on_ray

        answers = on_ray(todo, settings, done, workers, ray)
    elif workers > 1:
        answers = _in_processes(todo, settings, done, workers)
    else:
        worker = Worker(settings)
        answers = (worker(part, done) for part in todo)
    counted: Counter[str] = Counter({FILLED: 0, FAILED: 0})
    for answer in answers:
        if again:  # from now on the new settings are recorded, and the earlier manifest counts no more
            target.tidy()
            again = False
        counted.update(line["outcome"] for line in answer)
        kinds.update(line.get("kind", FILLED) for line in answer if line["outcome"] != SKIPPED)
        for line in answer:
            if line["outcome"] == FAILED:
                say(f"{line['name']}: {line['error']}")
        clean = f", nothing found in {counted[NOTHING_FOUND]:,}" if counted[NOTHING_FOUND] else ""
        say(f"{counted[FILLED]:,} filled, {counted[FAILED]:,} failed{clean}")
    target.add([skipped_line(one) for one in skipped if one.name not in done])
    if passed := counted.pop(SKIPPED, 0) + len(skipped):
        say(f"{passed:,} other files were passed over; `{settings.out}/manifest` says why")
    if kinds and not kinds[FILLED]:
        failed = counted[FAILED] or len(before)
        raise _shared(kinds)(f"None of {failed:,} photos could be filled; `{settings.out}/manifest` says why.")
    return counted


def _check_mask(url: str, settings: Settings) -> None:
    """Raise MaskError for a file that is no mask for any photo."""
    files, path = opened(url)
    content = files.cat_file(path)
    try:
        picture = photos.read(content)
    except PhotoError as error:
        raise MaskError(f"{url} cannot be used as a mask: {error}") from error
    masks_.read(content, picture, hole=settings.mask_hole)


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
                "A worker process died, possibly out of memory. What it finished is kept: run the same command again, "
                "with fewer --workers."
            ) from error


def _of(part: Part, done: frozenset[str]) -> frozenset[str]:
    """Files that are done are in no part; of shards and tables a worker needs to know."""
    return frozenset() if part.names else done


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
