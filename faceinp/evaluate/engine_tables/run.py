"""The papers' tables, and all others of engines on holes: the one pipeline of measuring.

Everything goes through the engines' contract at the engine's own size, or, for pictures that are not aligned, through
``faceinp.fill``. A cell is one engine on one kind of hole; it is written when it is done, and never made twice. Holes
are made from the shards' own landmarks; engines see none of those, unless their name says so (``variants``).
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import EngineError
from faceinp.evaluate.engine_tables import cells, page, report, sheets, thumbnails
from faceinp.evaluate.engine_tables.cells import EVERYTHING, Cell, Quantity
from faceinp.evaluate.engine_tables.figures import Measurer, Setting, Times
from faceinp.evaluate.engine_tables.plan import Plan, Request, Row
from faceinp.evaluate.engine_tables.scores import Scores, Told
from faceinp.evaluate.engine_tables.subjects import sets
from faceinp.evaluate.engine_tables.tables import ALIGNED, Table
from faceinp.evaluate.engine_tables.variants import Name, Variant
from faceinp.evaluate.engine_tables.work import one_thread, working
from faceinp.evaluate.record import Provenance, Say
from faceinp.mask import mask_files

UNTOUCHED = Variant(Name.parse("untouched"), 1, 1, "", (), "")  # no engine: the faces themselves


def run(wanted: Sequence[Table], request: Request, say: Say = print) -> list[Cell]:
    """Measure ``wanted`` and write ``cells.jsonl``, ``report.md`` and ``report.html`` into ``request.out``.

    The reports show all that the folder holds, of earlier runs, too. What these kept is used; a killed run goes
    on. Returns the cells of these tables.
    Raises DataError, EngineError and WeightsError for what cannot be had, or is not known.
    """
    request.check()
    found = sets(request.data)
    masks = [mask_files.read(path, request.mask_hole or "white") for path in request.mask_files]
    for files in masks:
        say(files.about)
    folder = Path(request.out)
    folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        sets=tuple((name, tuple(urls)) for name, urls in found.items()),
        pictures=request.pictures,
        seed=request.seed,
        folder=str(folder / "kept"),
        judges=request.judged(wanted),
        sidecar=request.sidecar,
        masks=tuple((binned.name, binned) for files in masks for binned in files.bins().values()),
    )
    file = folder / "cells.jsonl"
    with one_thread():
        measurer = Measurer(setting)
        plan = Plan(wanted, found, request, measurer)
        for line in plan.skipped:
            say(line)
        if not plan.rows:
            raise EngineError(f"None of these engines can be measured. {' '.join(plan.skipped)}")
        writer = _Writer(plan, Scores(measurer), file, say)
        todo = [row for row in plan.rows if not writer.is_done(row)]
        say(f"{len(plan.rows)} rows, one engine on one kind of hole each; {len(todo)} to measure")
        with working(setting, measurer, plan.tasks(todo), request.workers) as wait:
            for table in wanted:
                writer.untouched(table)
            for row in todo:
                for one in (plan.reference(row), row):
                    if one and one.order:
                        wait(one.order)
                writer.row(row)
        for sheet in sheets.make(wanted, plan.rows, measurer, request.seed):
            sheet.write(folder / "pictures")
    told = cells.read([file])
    thumbnails.write(folder / thumbnails.FOLDER, (cell.mask for cell in told), dict(setting.masks))
    (folder / "report.md").write_text(report.markdown(told, folder))
    (folder / "report.html").write_text(page.page(told, folder, sheets.read(folder / "pictures")))
    say(f"{len(told)} cells: {file}, {folder / 'report.md'}, {folder / 'report.html'}")
    names = {table.name for table in wanted}
    return [cell for cell in told if cell.table in names]


class _Writer:
    """Makes the cells of rows whose tasks are done, and appends them."""

    def __init__(self, plan: Plan, scores: Scores, file: Path, say: Say) -> None:
        self.plan, self.scores, self.file, self.say = plan, scores, file, say
        self.measurer = plan.measurer
        there = cells.read([file]) if file.is_file() and file.stat().st_size else []
        self.done = {(cell.place, cell.faces): cell.content for cell in there}

    def is_done(self, row: Row) -> bool:
        return self.done.get((row.place, self._faces(row))) == self.plan.content(row)

    def _faces(self, row: Row) -> str:
        return self.measurer.subjects(row.set, row.table.size).fingerprint

    def row(self, row: Row) -> None:
        """The cells of one row: of bins first, so that the row is done when the cell of all its pictures is there."""
        content, subjects = self.plan.content(row), self.measurer.subjects(row.set, row.table.size)
        everybody = np.ones(len(subjects.chosen), np.bool_)
        if row.problem:
            self._append(self._cell(row, "", everybody, ({}, {}), {EVERYTHING: row.problem}, content))
            return
        refused, mate = self.scores.refused(row), self.plan.reference(row)
        binned = row.table.binned and row.arrangement == ALIGNED
        for group, members in ((subjects.bins() if binned else {}) | {"": everybody}).items():
            told = self.scores.averages(row, mate, members, refused)
            self._append(self._cell(row, group, members, told, refused, content))

    def untouched(self, table: Table) -> None:
        """The row that no engine can pass: the faces themselves, as judges see them."""
        kinds = tuple(self.plan.seen(table))
        sets = dict.fromkeys(row.set for row in self.plan.rows if row.table is table)
        for name in sets if kinds else ():
            row = Row(table, name, ALIGNED, UNTOUCHED, "", kinds=kinds)
            subjects = self.measurer.subjects(name, table.size)
            given = [subjects.digest("", place) for place in range(len(subjects.chosen))]
            content = hashlib.sha256(json.dumps([self.plan.content(row), given]).encode()).hexdigest()[:16]
            if self.done.get((row.place, subjects.fingerprint)) == content:
                continue
            refused = self.scores.refused(row)
            told = {quantity: own for quantity, own in self.scores.untouched(row).items() if quantity not in refused}
            members = np.ones(len(subjects.chosen), np.bool_)
            self._append(self._cell(row, "", members, (told, {}), refused, content))

    def _cell(
        self,
        row: Row,
        group: str,
        members: NDArray[np.bool_],
        told: tuple[Told, Told],
        refused: dict[Quantity, str],
        content: str,
    ) -> Cell:
        """told: measures, and their differences."""
        subjects, mate = self.measurer.subjects(row.set, row.table.size), self.plan.reference(row)
        places = np.flatnonzero(members[: row.order.count if row.order else None]).tolist()
        seconds = self.measurer.of(row.order, Times())["seconds"][places] if row.order else np.zeros(0)
        failed = int(np.isnan(seconds).sum())
        if row.order and places and failed == len(places):
            problem = self.measurer.fills(row.order, places[:1])[0].problem
            refused = refused | {EVERYTHING: problem or "No fill could be made."}
        hidden = [subjects.hole(row.mask, place, row.arrangement).mean() for place in places if row.order]
        return Cell(
            table=row.table.name,
            set=row.set,
            arrangement=row.arrangement,
            group=group,
            engine=row.variant.label,
            mask=row.mask,
            measures=told[0],
            differences=told[1],
            reference=mate.variant.label if mate else "",
            refused=refused,
            thresholds=self.measurer.limits if row.table.judged else {},
            hidden=float(np.mean(hidden)) if hidden else 0.0,
            pictures=0 if row.problem else len(places),
            people=0 if row.problem else len({subjects.people[place] for place in places}),
            failed=failed,
            seconds_per_picture=float(np.nanmean(seconds)) if failed < len(seconds) else None,
            runtime=row.variant.runtime,
            made=Provenance.now(self.plan.request.seed, self.plan.command),
            content=content,
            faces=subjects.fingerprint,
        )

    def _append(self, cell: Cell) -> None:
        cells.append(self.file, cell)
        self.done[cell.place, cell.faces] = cell.content
        self.say(report.sentence(cell))
