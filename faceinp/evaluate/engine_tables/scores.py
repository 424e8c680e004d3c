"""Cells from the figures of single pictures: averages, intervals, differences, and reasons where one is missing."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from faceinp import identity
from faceinp.errors import EngineError
from faceinp.evaluate import measures, naturalness
from faceinp.evaluate.engine_tables.cells import EVERYTHING, Cell, Quantity
from faceinp.evaluate.engine_tables.figures import Comparisons, Times, Vectors, Windows
from faceinp.evaluate.engine_tables.plan import JUDGE_ADVICE, NOBODY_TWICE, UNTOUCHED, Case, Plan
from faceinp.evaluate.engine_tables.tables import ALIGNED, NATURALNESS, OTHER, REDETECTED, SAME, STRANGERS
from faceinp.evaluate.judge_tables.pairs import distances
from faceinp.evaluate.measures import Measure
from faceinp.evaluate.record import Provenance
from faceinp.photo.arrays import Bools, Doubles

Measures = dict[Quantity, Measure]

NATURALNESS_QUANTITY = Quantity(NATURALNESS)


class Scores:
    """Cells of the cases of a plan whose figures are computed."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.measurer = plan, plan.measurer
        self._values = cache(self._picture_values)

    def cells(self, case: Case) -> Iterator[Cell]:
        """The cells of a case: those of bins first, so that a case whose last cell is stored is complete."""
        groups = {"": np.ones(len(case.subjects), np.bool_)}
        if case.table.binned and case.spec and case.arrangement == ALIGNED:
            groups = case.subjects.bins() | groups
        refused = {EVERYTHING: case.problem} if case.problem else self._refused(case)
        for group, members in groups.items():
            yield self._cell(case, group, members, refused)

    def _cell(self, case: Case, group: str, members: Bools, refused: dict[Quantity, str]) -> Cell:
        subjects, reference = case.subjects, self.plan.reference(case)
        averages, differences = ({}, {}) if case.problem else self._averages(case, reference, members, refused)
        spec, hidden, seconds, failed = case.spec, [], np.zeros(0), 0
        indices = np.flatnonzero(members[: spec.count if spec else None]).tolist()
        if spec:
            hidden = [subjects.hole(case.mask, index, case.arrangement).mean() for index in indices]
            seconds = self.measurer.figures(spec, Times())["seconds"][indices]
            failed = int(np.isnan(seconds).sum())
            if indices and failed == len(indices):
                problem = self.measurer.fills(spec, indices[:1])[0].problem
                refused = refused | {EVERYTHING: problem or "The engine made no fill."}
        return Cell(
            table=case.table.name,
            set=subjects.name,
            arrangement=case.arrangement,
            group=group,
            engine=case.variant.label,
            mask=case.mask,
            measures=averages,
            differences=differences,
            reference=reference.variant.label if reference else "",
            refused=refused,
            thresholds=self.measurer.thresholds if case.table.needs_judges else {},
            hidden=float(np.mean(hidden)) if hidden else 0.0,
            pictures=0 if case.problem else len(indices),
            people=0 if case.problem else len({subjects.people[index] for index in indices}),
            failed=failed,
            seconds_per_picture=float(np.nanmean(seconds)) if failed < len(seconds) else None,
            runtime=case.variant.runtime,
            provenance=Provenance.now(self.plan.request.seed, self.plan.command),
            content=self.plan.content(case),
            faces=subjects.fingerprint,
        )

    def _averages(
        self, case: Case, reference: Case | None, members: Bools, refused: dict[Quantity, str]
    ) -> tuple[Measures, Measures]:
        """Means over the ``members`` (n,) of the measured faces, and differences from the ``reference``."""
        people = np.array(case.subjects.people)
        reference_values = self._values(reference) if reference else {}
        averages, differences = Measures(), Measures()
        for quantity, values in self._values(case).items():
            if quantity in refused:
                continue
            inside = np.flatnonzero(members[: len(values)])
            averages[quantity] = measures.mean(values[inside], people[inside].tolist())
            if quantity in reference_values:
                others = reference_values[quantity]
                both = inside[inside < len(others)]
                differences[quantity] = measures.difference(values[both], others[both], people[both].tolist())
        if Windows() in case.kinds and NATURALNESS_QUANTITY not in refused and members.sum() >= naturalness.LEAST:
            real = self.measurer.untouched_windows(case.subjects, case.mask, case.arrangement)
            fills = self._windows(case)
            fills = np.where(members[: len(fills), None], fills, np.nan)
            averages[NATURALNESS_QUANTITY] = naturalness.distance(real, fills, people.tolist())
            if reference:
                difference = naturalness.difference(real, fills, self._windows(reference), people.tolist())
                differences[NATURALNESS_QUANTITY] = difference
        return averages, differences

    def _windows(self, case: Case) -> Doubles:
        return self.measurer.figures(case.spec, Windows())["vectors"] if case.spec else np.zeros((0, 0))

    def _picture_values(self, case: Case) -> dict[Quantity, Doubles]:
        """Values of single pictures, (n,) each."""
        values: dict[Quantity, Doubles] = {}
        for kind in case.kinds:
            if isinstance(kind, Vectors):
                values |= self._verdicts(case, kind)
            elif isinstance(kind, Comparisons) and case.spec:
                figures = self.measurer.figures(case.spec, kind)
                values |= {Quantity(name): figures[name] for name in figures if name in case.table.measures}
        return values

    def _verdicts(self, case: Case, kind: Vectors) -> dict[Quantity, Doubles]:
        """Verdicts of a judge on each picture.

        SAME: 1 where the judge accepts it as the person of the picture itself. OTHER: the share of the person's other
        pictures that it matches, except those that the table reserves as references; NaN without any. STRANGERS, of
        untouched faces: the share of other people's pictures that it matches.
        """
        subjects, embeddings = case.subjects, self.measurer.set_embeddings(case.subjects, kind.judge)
        vectors = self.measurer.figures(case.spec, kind)["vectors"] if case.spec else embeddings[subjects.face_numbers]
        distance = distances(vectors, embeddings)
        accepted = np.where(np.isnan(distance), np.nan, distance <= self.measurer.thresholds[kind.judge])
        rows, own = np.arange(len(vectors)), subjects.face_numbers[: len(vectors)]
        others = subjects.same_person[: len(vectors)].copy()
        others[rows, own] = False
        for index in range(len(vectors)) if case.table.references else ():
            others[index, subjects.references(index, case.table.references)] = False
        count = others.sum(axis=1)
        share = np.where(count, np.where(others, accepted, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
        values = {SAME: accepted[rows, own], OTHER: share}
        values = {name: value for name, value in values.items() if name in case.table.measures}
        strangers = ~subjects.same_person
        if case.variant is UNTOUCHED and strangers.any():
            passed = (strangers & (accepted == 1)).sum(axis=1)
            values[STRANGERS] = passed / np.maximum(strangers.sum(axis=1), 1)
        return {Quantity(name, kind.judge): value for name, value in values.items()}

    def _refused(self, case: Case) -> dict[Quantity, str]:
        """Measures that this case does not get, and why."""
        subjects, wanted = case.subjects, case.table.measures
        refused: dict[Quantity, str] = {}
        for name, judge in self.measurer.judges.items():
            try:
                identity.check_independent(judge, case.variant.taught_by)
            except EngineError as error:
                reason = f"{error} {JUDGE_ADVICE}"
                refused |= {Quantity(measure, name): reason for measure in (SAME, OTHER) if measure in wanted}
            if OTHER in wanted and subjects.shows_nobody_twice:
                refused.setdefault(Quantity(OTHER, name), NOBODY_TWICE.format(subjects.name))
        if NATURALNESS in wanted:
            if case.arrangement == REDETECTED:
                refused[NATURALNESS_QUANTITY] = "Redetected faces are filled without blending, so a seam would count."
            elif self.measurer.windows_problem:
                refused[NATURALNESS_QUANTITY] = self.measurer.windows_problem
            elif case.spec and case.spec.count < naturalness.LEAST:
                least = naturalness.LEAST
                refused[NATURALNESS_QUANTITY] = f"Naturalness needs --pictures {least} or more, got {case.spec.count}."
        return refused
