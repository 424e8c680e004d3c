"""What there is to measure: a request and the tables become rows, rows become tasks."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceinp import presets
from faceinp.errors import DataError, WeightsError
from faceinp.evaluate import tables, variants
from faceinp.evaluate.figures import FEATURES, WINDOWS, Measurer
from faceinp.evaluate.fills import Order
from faceinp.evaluate.tables import FRECHET, NATURALNESS, OTHER, SAME, Table
from faceinp.evaluate.variants import REFERENCES, WORN, Variant
from faceinp.evaluate.work import Task

FIRST = "celeba-val"  # the set that tables are made of where it is there
TOGETHER, TOGETHER_SEARCHED = 8, 32  # pictures given to an engine at once; a search of many costs little more
WEARABLE = ("protective-mask", "glasses")
SEARCHED = 64  # the side of engines that search
_AVERAGED = variants.code_of("faceinp.evaluate.measures")


@dataclass(frozen=True)
class Request:
    """What is asked for.

    engines: names, each with options after plus signs, "structural+fast+mode=faithful"; none: each table's own;
    ("all",): all that run here. masks: instead of the tables' own. judges: as ``identity.load`` takes them, calibrated.
    sidecar: folder of ONNX judges' sidecars. features: SqueezeNet 1.0 as safetensors, for Frechet distances. reference:
    the engine that differences are taken to, instead of the tables'. workers: processes of one thread each. every:
    slow engines (``tables.FEWER``) take all pictures, too.
    """

    data: tuple[str, ...]
    out: str
    engines: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    pictures: int = 200
    judges: tuple[str, ...] = ()
    sidecar: str = ""
    features: str = ""
    reference: str = ""
    workers: int = 1
    every: bool = False
    seed: int = 0

    def check(self) -> None:
        """Raises DataError and WeightsError for what cannot be meant."""
        if self.pictures < 1:
            raise DataError(f"{self.pictures} pictures cannot be measured. Give --pictures 1 or more.")
        if self.workers < 1:
            raise DataError(f"{self.workers} workers do nothing. Give --workers 1, or as many as there are cores.")
        if unknown := [mask for mask in self.masks if mask not in presets.NAMES]:
            raise DataError(f"There is no hole {unknown[0]!r}. `faceinp masks` lists them.")
        if Path(self.out).exists() and not Path(self.out).is_dir():
            raise DataError(f"{self.out} is a file. Give -o a folder.")
        if self.features and not Path(self.features).is_file():
            raise WeightsError(
                f"There is no file {self.features}. Give SqueezeNet 1.0 as safetensors, or leave it out."
            )

    def judged(self, wanted: Sequence[Table]) -> tuple[str, ...]:
        """The judges that these tables need."""
        return self.judges if any({SAME, OTHER} & set(table.measures) for table in wanted) else ()


@dataclass(frozen=True)
class Row:
    """One engine on one kind of hole: the fills of one cell, in parts. problem: why there are none.

    kinds: of figures to take of the fills, as ``figures.Measurer.of`` names them.
    """

    table: Table
    set: str
    arrangement: str
    variant: Variant
    mask: str
    orders: tuple[Order, ...] = ()
    kinds: tuple[str, ...] = ()
    problem: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """As ``Cell.place``, of the cell of all its pictures."""
        return self.table.name, self.set, self.arrangement, "", self.variant.label, self.mask


class Plan:
    """The rows of some tables. skipped: what is not measured, and why, in sentences."""

    def __init__(
        self, wanted: Sequence[Table], found: dict[str, list[str]], request: Request, measurer: Measurer
    ) -> None:
        self.found, self.request, self.measurer = found, request, measurer
        self.skipped: list[str] = []
        self.rows = tuple(row for table in wanted for row in self._rows(table))
        self._by_place = {row.place: row for row in self.rows if row.orders}
        self._contents: dict[tuple[str, ...], str] = {}

    def reference(self, row: Row) -> Row | None:
        """The row of the engine that this one's figures are compared with."""
        name = self.request.reference or row.table.reference
        place = (row.table.name, row.set, row.arrangement, "", variants.label(name), row.mask)
        return self._by_place.get(place) if row.variant.name != name else None

    def content(self, row: Row) -> str:
        """A hash of all that the row's cells are made of."""
        if row.place not in self._contents:
            mate = self.reference(row)
            given = [[key for order in r.orders for key in self.measurer.keys(order)] for r in (row, mate) if r]
            kinds = [kind + self.measurer.fingerprint(kind) for kind in row.kinds]
            subjects = self.measurer.subjects(row.set, row.table.size)
            told = [row.table.name, row.table.measures, row.table.binned, row.problem, len(subjects.chosen), _AVERAGED]
            told += [self.measurer.limits, row.table.references, mate.variant.name if mate else ""]
            self._contents[row.place] = hashlib.sha256(json.dumps([told, given, kinds]).encode()).hexdigest()[:16]
        return self._contents[row.place]

    def tasks(self, rows: Sequence[Row]) -> list[Task]:
        """What ``rows`` need; tables that share fills share tasks."""
        wanted: dict[Order, dict[str, None]] = {}
        for row in rows:
            for one in filter(None, (self.reference(row), row)):
                for order in one.orders:
                    wanted.setdefault(order, {}).update(dict.fromkeys(one.kinds))
        return [Task(order, tuple(kinds)) for order, kinds in wanted.items()]

    # ---- how they are made ----

    def _rows(self, table: Table) -> Iterator[Row]:
        """The reference engine's first, then in the order in which engines were named."""
        reference = self.request.reference or table.reference
        given = self.request.engines or table.engines
        everything = not given or "all" in given
        ready, skipped = variants.choose(None if everything else (reference, *given), table.size)
        if everything:
            others = [name for name in (reference, *given) if name not in ("all", *(v.name for v in ready))]
            more, lacking = variants.choose(others, table.size)
            ready, skipped = [*ready, *more], skipped | lacking
        self.skipped += [f"{table.name}: skipped {name}: {reason}" for name, reason in skipped.items()]
        if not table.references:
            without = f"The table {table.name} sets no reference photos aside; references does."
            self.skipped += [f"{table.name}: skipped {v.name}: {without}" for v in ready if REFERENCES in v.words]
            ready = [variant for variant in ready if REFERENCES not in variant.words]
        ready.sort(key=lambda variant: variant.name != reference)
        if table.worn:
            ready.insert(1, variants.described(WORN))
        for name in self._sets(table):
            for arrangement in table.arrangements:
                for variant in ready:
                    for mask in self.request.masks or table.masks:
                        if variant.name == WORN and mask not in WEARABLE:
                            continue
                        yield self._row(table, name, arrangement, variant, mask)

    def _sets(self, table: Table) -> list[str]:
        if not table.sets:
            first = FIRST if FIRST in self.found else next(iter(self.found))
            if others := [name for name in self.found if name != first]:
                self.skipped.append(f"{table.name}: made of {first}; left out: {', '.join(others)}")
            return [first]
        there = [name for name in table.sets if name in self.found] or list(self.found)
        if lacking := [name for name in table.sets if name not in self.found]:
            self.skipped.append(f"{table.name}: there are no shards {', '.join(lacking)}; measured: {', '.join(there)}")
        return there

    def _row(self, table: Table, name: str, arrangement: str, variant: Variant, mask: str) -> Row:
        subjects = self.measurer.subjects(name, table.size)
        if mask in presets.OF_FACES and not subjects.pointed:
            problem = f"The hole {mask} is made of 68 points, which {name} lacks."
            return Row(table, name, arrangement, variant, mask, problem=problem)
        if table.references and len(set(subjects.everybody)) == len(subjects.everybody):
            problem = f"{name} shows nobody twice."
            return Row(table, name, arrangement, variant, mask, problem=problem)
        limits = [table.pictures, None if self.request.every else tables.limit(variant.name)]
        count = min([len(subjects.chosen), *(limit for limit in limits if limit is not None)])
        compared = tables.by_kind(table.measures)
        together = TOGETHER_SEARCHED if variant.largest == SEARCHED else TOGETHER
        parts = (tuple(range(at, min(at + together, count))) for at in range(0, count, together))
        given = table.references if REFERENCES in variant.words else 0
        orders = (
            Order(name, table.size, variant.name, mask, arrangement, part, table.whole, self.request.seed, given)
            for part in parts
        )
        kinds = ["seconds", *self.seen(table)]
        kinds += [f"pixels {','.join(compared)}"] if compared else []
        kinds += [WINDOWS] if NATURALNESS in table.measures and not self.measurer.windowless else []
        return Row(table, name, arrangement, variant, mask, tuple(orders), tuple(kinds))

    def seen(self, table: Table) -> list[str]:
        """Kinds of vectors of whole pictures that a table needs."""
        judges = [f"judge {name}" for name in self.measurer.judges if {SAME, OTHER} & set(table.measures)]
        return judges + ([FEATURES] if FRECHET in table.measures and self.measurer.setting.features else [])
