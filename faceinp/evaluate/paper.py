"""The papers' tables, and all others of engines on holes: the one pipeline of measuring.

Everything goes through the engines' contract at the engine's own size, or, for pictures that are not aligned, through
``faceinp.fill``. A cell is one engine on one kind of hole; it is written when it is done, and never made twice. Holes
are made from the shards' own landmarks; engines see none of those.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import faceinp
from faceinp.errors import EngineError
from faceinp.evaluate import cells, html, measures, report, sheets
from faceinp.evaluate.cells import Cell
from faceinp.evaluate.figures import FEATURES, Measurer, Setting
from faceinp.evaluate.measures import Measure, Say
from faceinp.evaluate.plan import Plan, Request, Row
from faceinp.evaluate.scores import Scores
from faceinp.evaluate.subjects import sets
from faceinp.evaluate.tables import ALIGNED, FRECHET, Table
from faceinp.evaluate.variants import Variant
from faceinp.evaluate.work import Workers, one_thread
from faceinp.machine import machine, today

UNTOUCHED = Variant("untouched", 1, 1, "", (), "")  # no engine: the faces themselves


def run(wanted: Sequence[Table], request: Request, say: Say = print) -> list[Cell]:
    """Measure ``wanted`` and write ``cells.jsonl``, ``report.md`` and ``report.html`` into ``request.out``.

    The reports show all that the folder holds, of earlier runs, too. What these kept is used; a killed run goes
    on. Returns the cells of these tables.
    Raises DataError, EngineError and WeightsError for what cannot be had, or is not known.
    """
    request.check()
    found = sets(request.data)
    folder = Path(request.out)
    folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        sets=tuple((name, tuple(urls)) for name, urls in found.items()),
        pictures=request.pictures,
        seed=request.seed,
        folder=str(folder / "kept"),
        judges=request.judged(wanted),
        sidecar=request.sidecar,
        features=request.features,
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
        workers = Workers(setting, measurer, request.workers)
        try:
            workers.begin(plan.tasks(todo))
            for table in wanted:
                writer.untouched(table)
            for row in todo:
                for one in filter(None, (plan.reference(row), row)):
                    for order in one.orders:
                        workers.wait(order)
                writer.row(row)
        finally:
            workers.end()
        for sheet in sheets.make(wanted, plan.rows, measurer, request.seed):
            sheet.write(folder / "pictures")
    told = cells.read([file])
    (folder / "report.md").write_text(report.markdown(told))
    (folder / "report.html").write_text(html.page(told, sheets.read(folder / "pictures")))
    say(f"{len(told)} cells: {file}, {folder / 'report.md'}, {folder / 'report.html'}")
    names = {table.name for table in wanted}
    return [cell for cell in told if cell.table in names]


class _Writer:
    """Makes the cells of rows whose tasks are done, and appends them."""

    def __init__(self, plan: Plan, scores: Scores, file: Path, say: Say) -> None:
        self.plan, self.scores, self.file, self.say = plan, scores, file, say
        self.measurer = plan.measurer
        there = cells.read([file]) if file.is_file() and file.stat().st_size else []
        self.done = {cell.place: cell.content for cell in there}

    def is_done(self, row: Row) -> bool:
        return self.done.get(row.place) == self.plan.content(row)

    def row(self, row: Row) -> None:
        """The cells of one row: of bins first, so that the row is done when the cell of all its pictures is there."""
        content, refused = self.plan.content(row), self.scores.refused(row)
        everybody = np.ones(len(self.measurer.subjects(row.set, row.table.size).chosen), np.bool_)
        if row.problem:
            self._append(self._cell(row, "", everybody, {}, {}, {"": row.problem}, content))
            return
        mate = self.plan.reference(row)
        groups = {"": everybody}
        if row.table.binned and row.arrangement == ALIGNED:
            groups = self.measurer.subjects(row.set, row.table.size).bins() | groups
        for group, members in groups.items():
            told, apart = self.scores.averages(row, mate, members, refused)
            self._append(self._cell(row, group, members, told, apart, refused, content))

    def untouched(self, table: Table) -> None:
        """The row that no engine can pass: the faces themselves, as judges and the feature network see them."""
        kinds = tuple(self.plan.seen(table))
        sets = dict.fromkeys(row.set for row in self.plan.rows if row.table is table)
        for name in sets if kinds else ():
            row = Row(table, name, ALIGNED, UNTOUCHED, "", kinds=kinds)
            subjects = self.measurer.subjects(name, table.size)
            given = [subjects.digest("", place) for place in range(len(subjects.chosen))]
            content = hashlib.sha256(json.dumps([self.plan.content(row), given]).encode()).hexdigest()[:16]
            if self.done.get(row.place) == content:
                continue
            refused = self.scores.refused(row)
            told: dict[str, Measure] = {}
            for kind in kinds:
                seen = self.measurer.everybody(name, table.size, kind)[subjects.chosen]
                if kind != FEATURES:
                    values = self.scores.accepted(row, kind.partition(" ")[2], seen)
                    told |= {key: measures.mean(own, subjects.people) for key, own in values.items()}
                elif FRECHET not in refused:
                    told[FRECHET] = self.scores.frechet(row, seen)
            told = {key: measure for key, measure in told.items() if key not in refused}
            members = np.ones(len(subjects.chosen), np.bool_)
            cell = self._cell(row, "", members, told, {}, refused, content)
            self._append(replace(cell, pictures=len(members), people=len(set(subjects.people))))

    def _cell(
        self,
        row: Row,
        group: str,
        members: NDArray[np.bool_],
        told: dict[str, Measure],
        apart: dict[str, Measure],
        refused: dict[str, str],
        content: str,
    ) -> Cell:
        subjects, mate = self.measurer.subjects(row.set, row.table.size), self.plan.reference(row)
        places = [place for order in row.orders for place in order.places if members[place]]
        seconds = self.scores.values(row)["seconds"][places] if places else np.zeros(0)
        failed = int(np.isnan(seconds).sum())
        if places and failed == len(places):
            refused = refused | {"": self.measurer.fills(row.orders[0])[0].problem or "No fill could be made."}
        hidden = [subjects.hole(row.mask, place, row.arrangement).mean() for place in places]
        return Cell(
            table=row.table.name,
            set=row.set,
            arrangement=row.arrangement,
            group=group,
            engine=row.variant.label,
            mask=row.mask,
            measures=told,
            differences=apart,
            reference=mate.variant.label if mate else "",
            refused=refused,
            hidden=float(np.mean(hidden)) if hidden else 0.0,
            pictures=len(places),
            people=len({subjects.people[place] for place in places}),
            failed=failed,
            seconds_per_picture=float(np.nanmean(seconds)) if failed < len(seconds) else None,
            runtime=row.variant.runtime,
            seed=self.plan.request.seed,
            machine=machine(),
            date=today(),
            version=faceinp.__version__,
            content=content,
        )

    def _append(self, cell: Cell) -> None:
        cells.append(self.file, cell)
        self.done[cell.place] = cell.content
        self.say(report.sentence(cell))
