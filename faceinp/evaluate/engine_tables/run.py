"""Measuring engines on masks: from a request to cells and reports.

Engines are called directly at their own size; faces that are not aligned go through ``faceinp.fill``. A cell is one
engine on one kind of hole; it is written when it is complete, and never measured twice. Masks are made from the shards'
own landmarks; engines see none of these, except with +points (``variants``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from faceinp.errors import DataError, EngineError
from faceinp.evaluate.engine_tables import cells, report, sheets, thumbnails
from faceinp.evaluate.engine_tables.cells import Cell
from faceinp.evaluate.engine_tables.figures import Kind, Measurer
from faceinp.evaluate.engine_tables.fills import FillSpec
from faceinp.evaluate.engine_tables.plan import Plan
from faceinp.evaluate.engine_tables.request import Request
from faceinp.evaluate.engine_tables.scores import Scores
from faceinp.evaluate.engine_tables.subjects import find_sets
from faceinp.evaluate.engine_tables.tables import Table
from faceinp.evaluate.record import Say
from faceinp.mask import mask_files
from faceinp.models.system import processes, take_threads


def run(requested: Sequence[Table], request: Request, say: Say = print) -> list[Cell]:
    """Measure tables and write ``cells.jsonl``, ``report.md`` and ``report.html`` into ``request.out``.

    The reports show all cells of the folder, of earlier runs, too. Stored results are used again, so a killed run
    continues. Returns the cells of these tables.
    Raises DataError, EngineError and WeightsError for unknown or missing engines, judges, masks and data.
    """
    request.check()
    sets = find_sets(request.data)
    masks = [mask_files.read(path, request.mask_hole or "white") for path in request.mask_files]
    for files in masks:
        say(files.about)
    folder = Path(request.out)
    folder.mkdir(parents=True, exist_ok=True)
    bins = {binned.name: binned for files in masks for binned in files.bins().values()}
    arguments = (request, sets, bins, request.judges_for(requested))
    file = folder / "cells.jsonl"
    with ExitStack() as stack:
        # Processes side by side must not each take all cores; and times are those of one core.
        stack.callback(take_threads(1))
        measurer = Measurer(*arguments)
        plan = Plan(requested, request, measurer)
        for note in plan.notes:
            say(note)
        if not plan.cases:
            raise EngineError(f"None of these engines can be measured. {' '.join(plan.notes)}")
        _measure(plan, arguments, file, say)
        for sheet in sheets.make(requested, plan.cases, measurer, request.seed):
            sheet.write(folder / "pictures")
    written = cells.read([file])
    thumbnails.write(folder / thumbnails.FOLDER, (cell.mask for cell in written), bins)
    (folder / "report.md").write_text(report.markdown(written, folder))
    (folder / "report.html").write_text(sheets.page(written, folder, sheets.read(folder / "pictures")))
    say(f"{len(written)} cells: {file}, {folder / 'report.md'}, {folder / 'report.html'}")
    names = {table.name for table in requested}
    return [cell for cell in written if cell.table in names]


def _measure(plan: Plan, arguments: tuple[Any, ...], file: Path, say: Say) -> None:
    """Append the cells of a plan that ``file`` lacks. arguments: of the Measurer."""
    earlier = cells.read([file]) if file.is_file() and file.stat().st_size else []
    contents = {(cell.key, cell.faces): cell.content for cell in earlier}
    todo = [case for case in plan.cases if contents.get((case.key, case.subjects.fingerprint)) != plan.content(case)]
    say(f"{len(plan.cases)} cases, one engine on one kind of hole each; {len(todo)} to measure")
    scores = Scores(plan)
    with _working(arguments, plan.measurer, plan.specs(todo), plan.request.workers) as wait:
        for case in todo:
            for each in (plan.reference(case), case):
                if each and each.spec:
                    wait(each.spec)
            for cell in scores.cells(case):
                cells.append(file, cell)
                say(report.sentence(cell))


@contextmanager
def _working(
    arguments: tuple[Any, ...], measurer: Measurer, specs: Mapping[FillSpec, Sequence[Kind]], workers: int
) -> Iterator[Callable[[FillSpec], None]]:
    """Yields a function that returns when the figures of a spec are stored.

    One worker: that function computes them in this process. More: processes compute all of them in order.
    """
    if workers == 1:
        yield lambda spec: measurer.measure(spec, specs[spec])
        return
    pool = processes(workers, _start_worker, *arguments)
    jobs = {spec: pool.submit(_measure_in_worker, spec, kinds) for spec, kinds in specs.items()}

    def wait(spec: FillSpec) -> None:
        try:
            jobs[spec].result()
        except BrokenProcessPool as error:
            raise DataError(
                "A worker process died, possibly out of memory. Its finished results are stored: run the same command "
                "again with fewer --workers."
            ) from error

    try:
        yield wait
    finally:
        pool.shutdown(cancel_futures=True)


_worker_measurer: Measurer  # of a worker process


def _start_worker(*arguments: Any) -> None:
    global _worker_measurer  # noqa: PLW0603 - the only place where a worker process can store it

    take_threads(1)
    _worker_measurer = Measurer(*arguments)


def _measure_in_worker(spec: FillSpec, kinds: Sequence[Kind]) -> None:
    _worker_measurer.measure(spec, kinds)
