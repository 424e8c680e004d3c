"""What a request measures: tables become cases, one engine on one kind of hole each, and these need fills."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from faceinp.evaluate.engine_tables import tables, variants
from faceinp.evaluate.engine_tables.figures import Comparisons, Kind, Measurer, Times, Vectors, Windows
from faceinp.evaluate.engine_tables.fills import FillSpec
from faceinp.evaluate.engine_tables.request import Request
from faceinp.evaluate.engine_tables.subjects import Subjects
from faceinp.evaluate.engine_tables.tables import ALIGNED, NATURALNESS, Table
from faceinp.evaluate.engine_tables.variants import REFERENCES, WORN, Name, Variant
from faceinp.evaluate.judge_tables import NO_JUDGES
from faceinp.mask import presets

DEFAULT_SET = "celeba-val"  # tables that name no set use it where it is available
WEARABLE = ("protective-mask", "glasses")
UNTOUCHED = Variant(Name.parse("untouched"), 1, 1, "", (), "")  # no engine: the faces themselves
JUDGE_ADVICE = "(--judges dlib, which pip install 'faceinp[eval]' brings, or --onnx FILE)"
NOBODY_TWICE = (
    "{} has no two pictures of one person, as far as its shards say (`faceinp data build --identity-from folder`)."
)


@dataclass(frozen=True)
class Case:
    """One engine on one kind of hole, on the measured faces of one set.

    spec: its fills; None for the untouched faces, and where there is a ``problem``. kinds: of figures to compute.
    problem: why nothing can be measured.
    """

    table: Table
    subjects: Subjects
    arrangement: str
    variant: Variant
    mask: str
    spec: FillSpec | None = None
    kinds: tuple[Kind, ...] = ()
    problem: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """``Cell.key`` of the cell of all its pictures."""
        return self.table.name, self.subjects.name, self.arrangement, "", self.variant.label, self.mask


class Plan:
    """The cases of the requested tables. notes: sentences on what is left out, and why."""

    def __init__(self, requested: Sequence[Table], request: Request, measurer: Measurer) -> None:
        self.request, self.measurer = request, measurer
        self.command = request.command(requested)
        self.notes: list[str] = []
        if any(table.needs_judges for table in requested) and not measurer.judges and request.judges != (NO_JUDGES,):
            self.notes.append(f"Identity is not measured: no judge runs here. Name one {JUDGE_ADVICE}.")
        cases = [case for table in requested for case in self._cases(table)]
        self.cases = (*self._untouched(cases), *cases)
        self._by_key = {case.key: case for case in cases if case.spec}
        self.content = cache(self._content)

    def reference(self, case: Case) -> Case | None:
        """The case of the engine that this one's figures are compared with."""
        name = self.request.reference or case.table.reference
        key = (case.table.name, case.subjects.name, case.arrangement, "", Name.parse(name).label, case.mask)
        return self._by_key.get(key) if case.variant.name.text != name else None

    def _content(self, case: Case) -> str:
        """A hash of everything that the case's cells depend on."""
        table, subjects, reference = case.table, case.subjects, self.reference(case)
        settings = [table.name, table.measures, table.binned, case.problem, len(subjects)]
        settings += [variants.revision("averages"), self.measurer.thresholds, table.references]
        settings += [reference.variant.label if reference else ""]
        fills = [self.measurer.fill_keys(each.spec) for each in (case, reference) if each and each.spec]
        content = _hash([settings, fills, [self.measurer.fingerprint(kind) for kind in case.kinds]])
        if case.variant is UNTOUCHED:
            return _hash([content, [subjects.digests("", index)[0] for index in range(len(subjects))]])
        return content

    def specs(self, cases: Sequence[Case]) -> dict[FillSpec, tuple[Kind, ...]]:
        """The fills that ``cases`` need, with the kinds of figures to compute. Tables share fills."""
        specs: dict[FillSpec, dict[Kind, None]] = {}
        for case in cases:
            for each in (self.reference(case), case):
                if each and each.spec:
                    specs.setdefault(each.spec, {}).update(dict.fromkeys(each.kinds))
        return {spec: tuple(kinds) for spec, kinds in specs.items()}

    # ---- how cases are made ----

    def _untouched(self, cases: Sequence[Case]) -> Iterator[Case]:
        """The faces themselves, as judges see them: the best that an engine can reach."""
        for table, subjects in dict.fromkeys((case.table, case.subjects) for case in cases):
            if kinds := self._judgements(table):
                yield Case(table, subjects, ALIGNED, UNTOUCHED, "", kinds=kinds)

    def _cases(self, table: Table) -> Iterator[Case]:
        """The reference engine's cases first, then in the order in which engines were named."""
        engines, request = self._engines(table), self.request
        preset_names = [mask for mask in request.masks if mask not in request.mask_files]
        masks = (*preset_names, *self.measurer.masks) if request.masks else table.masks
        for name in self._set_names(table):
            subjects = self.measurer.subjects(name, table.size)
            self._note_missing_pictures(subjects)
            for arrangement, variant, mask in itertools.product(table.arrangements, engines, masks):
                if variant.name.text != WORN or mask in WEARABLE:
                    yield self._case(table, subjects, arrangement, variant, mask)

    def _engines(self, table: Table) -> list[Variant]:
        reference = self.request.reference or table.reference
        names = self.request.engines or table.engines
        if not names or "all" in names:
            ready, skipped = variants.choose(None, table.size)
            listed = ("all", *(variant.name.text for variant in ready))
            more, more_skipped = variants.choose([n for n in (reference, *names) if n not in listed], table.size)
            ready, skipped = [*ready, *more], skipped | more_skipped
        else:
            ready, skipped = variants.choose((reference, *names), table.size)
        if not table.references:
            reason = f"The table {table.name} reserves no reference photos; use the table references."
            skipped |= {variant.name.text: reason for variant in ready if REFERENCES in variant.name.modes}
            ready = [variant for variant in ready if REFERENCES not in variant.name.modes]
        self.notes += [f"{table.name}: skipped {name}: {reason}" for name, reason in skipped.items()]
        ready.sort(key=lambda variant: variant.name.text != reference)
        if table.worn:
            ready.insert(1, variants.described(WORN))
        return ready

    def _set_names(self, table: Table) -> list[str]:
        if not table.sets:
            used = DEFAULT_SET if DEFAULT_SET in self.measurer.sets else next(iter(self.measurer.sets))
            if others := [name for name in self.measurer.sets if name != used]:
                self.notes.append(f"{table.name}: measured on {used}; not used: {', '.join(others)}")
            return [used]
        available = [name for name in table.sets if name in self.measurer.sets] or list(self.measurer.sets)
        if missing := [name for name in table.sets if name not in self.measurer.sets]:
            self.notes.append(f"{table.name}: no shards {', '.join(missing)}; measured on {', '.join(available)}")
        return available

    def _note_missing_pictures(self, subjects: Subjects) -> None:
        name, notes = subjects.name, []
        if subjects.without_points:
            notes.append(f"{name}: {subjects.without_points} pictures without 68 points are left out; others have them")
        if len(subjects) < self.request.pictures:
            notes.append(f"{name}: only {len(subjects)} pictures are available")
        self.notes += [note for note in notes if note not in self.notes]

    def _case(self, table: Table, subjects: Subjects, arrangement: str, variant: Variant, mask: str) -> Case:
        name, modes, problem = subjects.name, variant.name.modes, ""
        if mask in presets.OF_FACES and not subjects.has_points:
            problem = f"The mask {mask} needs 68 points, which {name} lacks. `faceinp data build` writes them."
        elif variants.POINTS in modes and (not subjects.has_points or arrangement != ALIGNED):
            problem = f"{name} has no 68 points for +points. `faceinp data build` writes them."
        elif table.references and subjects.shows_nobody_twice:
            problem = NOBODY_TWICE.format(name)
        if problem:
            return Case(table, subjects, arrangement, variant, mask, problem=problem)
        limits = [len(subjects), table.pictures]
        limits += [] if self.request.every else [tables.SLOW_ENGINES.get(variant.name.engine)]
        count = min(limit for limit in limits if limit is not None)
        references = table.references if REFERENCES in modes else 0
        spec = FillSpec(name, table.size, variant.name.text, mask, arrangement, count, self.request.seed, references)
        kinds: list[Kind] = [Times(), *self._judgements(table)]
        kinds += [Comparisons(table.picture_kinds)] if table.picture_kinds else []
        kinds += [Windows()] if NATURALNESS in table.measures and not self.measurer.windows_problem else []
        return Case(table, subjects, arrangement, variant, mask, spec, tuple(kinds))

    def _judgements(self, table: Table) -> tuple[Vectors, ...]:
        return tuple(Vectors(judge) for judge in self.measurer.judges) if table.needs_judges else ()


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
