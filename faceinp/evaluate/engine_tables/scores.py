"""From what is measured of pictures to what a cell says: likeness, who is taken for whom, how natural fills are."""

import numpy as np
from numpy.typing import NDArray

from faceinp import identity
from faceinp.errors import EngineError
from faceinp.evaluate import measures, naturalness
from faceinp.evaluate.engine_tables.cells import Quantity
from faceinp.evaluate.engine_tables.figures import Comparisons, Measurer, Vectors, Windows
from faceinp.evaluate.engine_tables.plan import FLAGS, NOBODY_TWICE, Row
from faceinp.evaluate.engine_tables.tables import FOUND, NATURALNESS, OTHER, SAME, STRANGERS
from faceinp.evaluate.measures import Measure

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Told = dict[Quantity, Measure]

NATURAL = Quantity(NATURALNESS)


class Scores:
    """Of rows whose tasks are done."""

    def __init__(self, measurer: Measurer) -> None:
        self.measurer = measurer
        self._values: dict[tuple[str, ...], dict[Quantity, Floats]] = {}

    def values(self, row: Row) -> dict[Quantity, Floats]:
        """Figures of single pictures, each (n,) over the row's."""
        if row.place not in self._values:
            values: dict[Quantity, Floats] = {}
            for kind in row.kinds:
                made = self.measurer.of(row.order, kind) if row.order else {}
                if isinstance(kind, Vectors):
                    values |= self.accepted(row, kind.judge, made["vectors"])
                elif isinstance(kind, Comparisons):
                    values |= {Quantity(name): own for name, own in made.items() if name in row.table.measures}
            self._values[row.place] = values
        return self._values[row.place]

    def accepted(self, row: Row, judge: str, vectors: Floats) -> dict[Quantity, Floats]:
        """For each face that ``vectors`` (n, D) shows: 1 where ``judge`` takes it for its own picture's person, and
        the share of the person's other pictures that it matches (NaN where there is none), but for those that the table
        sets aside as references."""
        subjects = self.measurer.subjects(row.set, row.table.size)
        chosen = subjects.chosen[: len(vectors)]
        near = self._near(vectors, row, judge)
        at, theirs = np.arange(len(chosen)), subjects.same_person[: len(chosen)].copy()
        theirs[at, chosen] = False
        for place in range(len(chosen)) if row.table.references else ():
            theirs[place, subjects.references(place, row.table.references)] = False
        count = theirs.sum(axis=1)
        other = np.where(count, np.where(theirs, near, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
        told = {Quantity(SAME, judge): near[at, chosen], Quantity(OTHER, judge): other}
        return {quantity: own for quantity, own in told.items() if quantity.name in row.table.measures}

    def untouched(self, row: Row) -> Told:
        """What judges make of the faces themselves, and of their pairs with strangers of the set."""
        subjects, told = self.measurer.subjects(row.set, row.table.size), Told()
        for judge in self.measurer.judges:
            vectors = self.measurer.everybody(row.set, row.table.size, judge)[subjects.chosen]
            values = self.accepted(row, judge, vectors)
            strangers = ~subjects.same_person
            if strangers.any():  # each picture's share, so that people can be drawn again
                passed = (strangers & (self._near(vectors, row, judge) == 1)).sum(axis=1)
                values[Quantity(STRANGERS, judge)] = passed / np.maximum(strangers.sum(axis=1), 1)
            told |= {quantity: measures.mean(own, subjects.people) for quantity, own in values.items()}
        return told

    def averages(self, row: Row, mate: Row | None, members: Bools, refused: dict[Quantity, str]) -> tuple[Told, Told]:
        """Means over the ``members`` (n,) of the measured faces, and differences to the row ``mate``."""
        people = np.array(self.measurer.subjects(row.set, row.table.size).people)
        others = self.values(mate) if mate else {}
        told, apart = Told(), Told()
        for quantity, own in self.values(row).items():
            if quantity in refused:
                continue
            inside = np.flatnonzero(members[: len(own)])
            told[quantity] = measures.mean(own[inside], people[inside].tolist())
            if quantity in others:
                both = inside[inside < len(others[quantity])]
                apart[quantity] = measures.difference(own[both], others[quantity][both], people[both].tolist())
        if Windows() in row.kinds and NATURAL not in refused and members.sum() >= naturalness.LEAST:
            real = self.measurer.untouched_windows(row.set, row.table.size, row.mask, row.arrangement)
            made, *reference = (self.measurer.of(r.order, Windows())["vectors"] for r in (row, mate) if r and r.order)
            made = np.where(members[: len(made), None], made, np.nan)
            told[NATURAL] = naturalness.distance(real, made, people.tolist())
            if reference:
                apart[NATURAL] = naturalness.difference(real, made, reference[0], people.tolist())
        return told, apart

    def refused(self, row: Row) -> dict[Quantity, str]:
        """Measures that this row does not get, and why."""
        subjects, wanted = self.measurer.subjects(row.set, row.table.size), row.table.measures
        of_judges = [measure for measure in (SAME, OTHER) if measure in wanted]
        refused: dict[Quantity, str] = {}
        for name, judge in self.measurer.judges.items():
            try:
                identity.independent(judge, row.variant.taught_by)
            except EngineError as error:
                refused |= {Quantity(measure, name): f"{error} {FLAGS}" for measure in of_judges}
            if OTHER in wanted and len(set(subjects.everybody)) == len(subjects.everybody):
                refused.setdefault(Quantity(OTHER, name), NOBODY_TWICE.format(row.set))
        if NATURALNESS in wanted and row.arrangement == FOUND:
            refused[NATURAL] = "Faces found again are filled without blending, so a seam would count."
        elif NATURALNESS in wanted and self.measurer.windowless:
            refused[NATURAL] = self.measurer.windowless
        elif NATURALNESS in wanted and row.order and row.order.count < naturalness.LEAST:
            few = f"Of {row.order.count} pictures naturalness says nothing"
            refused[NATURAL] = f"{few}: give --pictures {naturalness.LEAST} or more."
        return refused

    def _near(self, vectors: Floats, row: Row, judge: str) -> Floats:
        """(n, N): 1 where ``judge`` takes what ``vectors`` (n, D) shows for a face of the set, 0 where not; NaN where
        there is nothing."""
        everybody = self.measurer.everybody(row.set, row.table.size, judge)
        apart = np.sqrt(np.maximum(0, 2 - 2 * vectors @ everybody.T))  # between unit vectors
        return np.where(np.isnan(apart), np.nan, apart <= self.measurer.limits[judge])
