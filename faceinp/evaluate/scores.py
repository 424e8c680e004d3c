"""From what is measured of pictures to what a cell says: likeness, who is taken for whom, distances between sets."""

import numpy as np
from numpy.typing import NDArray

from faceinp import identity
from faceinp.errors import EngineError
from faceinp.evaluate import frechet, measures, naturalness
from faceinp.evaluate.figures import FEATURES, WINDOWS, Measurer
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.plan import Row
from faceinp.evaluate.tables import FOUND, FRECHET, NATURALNESS, OTHER, SAME

Floats = NDArray[np.float64]
Values = dict[str, Floats]

VECTORS = (FEATURES, WINDOWS)  # kinds that are no figures of single pictures


class Scores:
    """Of rows whose tasks are done."""

    def __init__(self, measurer: Measurer) -> None:
        self.measurer = measurer
        self._values: dict[tuple[str, ...], Values] = {}
        self._others: dict[tuple[str, int], frechet.Others] = {}

    def values(self, row: Row) -> Values:
        """By measure, each (n,) over the row's pictures, and "seconds"; of FEATURES and WINDOWS the vectors, (n, D)."""
        if row.place not in self._values:
            values: Values = {}
            for kind in row.kinds:
                parts = [self.measurer.of(order, kind) for order in row.orders]
                joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
                if kind.startswith("judge "):
                    values |= self.accepted(row, kind.partition(" ")[2], joined["vectors"])
                elif kind in VECTORS:
                    values[kind] = joined["vectors"]
                else:
                    values |= {name: own for name, own in joined.items() if name in (*row.table.measures, "seconds")}
            self._values[row.place] = values
        return self._values[row.place]

    def accepted(self, row: Row, judge: str, vectors: Floats) -> Values:
        """For each face that ``vectors`` (n, D) shows: 1 where ``judge`` takes it for its own picture's person, and
        the share of the person's other pictures that it matches (NaN where there is none), but for those that the table
        sets aside as references."""
        subjects = self.measurer.subjects(row.set, row.table.size)
        chosen, people = subjects.chosen[: len(vectors)], np.array(subjects.everybody)
        whole = self.measurer.everybody(row.set, row.table.size, f"judge {judge}")
        apart = np.sqrt(np.maximum(0, 2 - 2 * vectors @ whole.T))  # between unit vectors
        near = np.where(np.isnan(apart), np.nan, apart <= self.measurer.limits[judge])
        at = np.arange(len(chosen))
        theirs = people[chosen][:, None] == people[None]
        theirs[at, chosen] = False
        for place in range(len(chosen)) if row.table.references else ():
            theirs[place, subjects.references(place, row.table.references)] = False
        count = theirs.sum(axis=1)
        other = np.where(count, np.where(theirs, near, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
        told = {f"{SAME} {judge}": near[at, chosen], f"{OTHER} {judge}": other}
        return {name: own for name, own in told.items() if name.partition(" ")[0] in row.table.measures}

    def averages(
        self, row: Row, mate: Row | None, members: NDArray[np.bool_], refused: dict[str, str]
    ) -> tuple[dict[str, Measure], dict[str, Measure]]:
        """Means over the ``members`` (n,) of the measured faces, and differences to the row ``mate``."""
        people = np.array(self.measurer.subjects(row.set, row.table.size).people)
        values, others = self.values(row), self.values(mate) if mate else {}
        told: dict[str, Measure] = {}
        apart: dict[str, Measure] = {}
        for name, own in values.items():
            if name in (*refused, "seconds", *VECTORS):
                continue
            inside = np.flatnonzero(members[: len(own)])
            told[name] = measures.mean(own[inside], people[inside].tolist())
            if name in others:
                both = inside[inside < len(others[name])]
                apart[name] = measures.difference(own[both], others[name][both], people[both].tolist())
        if FEATURES in values and FRECHET not in refused and members.all():
            told[FRECHET] = self.frechet(row, values[FEATURES])
            if FEATURES in others:
                apart[FRECHET] = self.frechet(row, values[FEATURES], others[FEATURES])
        if WINDOWS in values and NATURALNESS not in refused:
            told[NATURALNESS] = self.naturalness(row, members, values[WINDOWS])
            if WINDOWS in others:
                apart[NATURALNESS] = self.naturalness(row, members, values[WINDOWS], others[WINDOWS])
        return told, apart

    def naturalness(
        self, row: Row, members: NDArray[np.bool_], made: Floats, reference: Floats | None = None
    ) -> Measure:
        """The kernel distance of the windows ``made`` (n, D) of the ``members``, less that of a reference's."""
        real = self.measurer.untouched_windows(row.set, row.table.size, row.mask, row.arrangement)
        people = self.measurer.subjects(row.set, row.table.size).people
        mine = np.where(members[: len(made), None], made, np.nan)
        if reference is None:
            return naturalness.distance(real, mine, people)
        return naturalness.difference(real, mine, reference, people)

    def frechet(self, row: Row, seen: Floats, reference: Floats | None = None) -> Measure:
        """The distance of what was ``seen`` (n, D) to the set's other faces, less that of a reference's."""
        subjects, place = self.measurer.subjects(row.set, row.table.size), (row.set, row.table.size)
        if place not in self._others:
            self._others[place] = frechet.Others(self.measurer.everybody(*place, FEATURES)[subjects.rest()])
        others = self._others[place]
        people = list(subjects.people)
        if reference is None:
            return frechet.spread(seen, others, people)
        common = min(len(seen), len(reference))
        both = np.isfinite(seen[:common]).all(axis=1) & np.isfinite(reference[:common]).all(axis=1)
        there = np.flatnonzero(both)
        return frechet.difference(seen[there], reference[there], others, [people[n] for n in there])

    def refused(self, row: Row) -> dict[str, str]:
        """Measures that this row does not get, and why."""
        subjects, wanted = self.measurer.subjects(row.set, row.table.size), row.table.measures
        refused: dict[str, str] = {}
        for name, judge in self.measurer.judges.items():
            both = [f"{measure} {name}" for measure in (SAME, OTHER) if measure in wanted]
            try:
                identity.independent(judge, row.variant.taught_by)
            except EngineError as error:
                refused |= dict.fromkeys(both, str(error))
            if OTHER in wanted and len(set(subjects.everybody)) == len(subjects.everybody):
                refused.setdefault(f"{OTHER} {name}", f"{row.set} shows nobody twice.")
        if not self.measurer.judges:
            without = "No judge was named (--judges, --onnx)."
            refused |= {measure: without for measure in (SAME, OTHER) if measure in wanted}
        if NATURALNESS in wanted and row.arrangement == FOUND:
            refused[NATURALNESS] = "Faces found again are filled without blending, so a seam would count."
        elif NATURALNESS in wanted and self.measurer.windowless:
            refused[NATURALNESS] = self.measurer.windowless
        if FRECHET in wanted and not self.measurer.setting.features:
            refused[FRECHET] = "No feature network was given (--features)."
        elif FRECHET in wanted and len(subjects.rest()) < 2:
            every = f"All {len(subjects.faces)} faces of {row.set} are measured"
            refused[FRECHET] = f"{every}; lower --pictures to leave some to compare with."
        return refused
