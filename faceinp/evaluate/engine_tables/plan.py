"""What there is to measure: a request and the tables become rows, rows become tasks."""

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceinp import identity
from faceinp.errors import DataError, EngineError, FaceinpError
from faceinp.evaluate.engine_tables import tables, variants
from faceinp.evaluate.engine_tables.figures import Comparisons, Kind, Measurer, Times, Vectors, Windows
from faceinp.evaluate.engine_tables.fills import Order
from faceinp.evaluate.engine_tables.tables import NATURALNESS, Table
from faceinp.evaluate.engine_tables.variants import REFERENCES, WORN, Variant
from faceinp.evaluate.judge_tables import JUDGES, NOBODY
from faceinp.mask import presets

FIRST = "celeba-val"  # the set that tables are made of where it is there
WEARABLE = ("protective-mask", "glasses")
FLAGS = "(--judges dlib, which pip install 'faceinp[eval]' brings, or --onnx FILE)"
NOBODY_TWICE = "{} shows nobody twice, as far as its shards say (`faceinp data build --identity-from folder`)."


@dataclass(frozen=True)
class Request:
    """What is asked for.

    engines: names, each with options after plus signs, "structural+fast+mode=faithful"; none: each table's own;
    ("all",): all that run here. masks: presets, folders and lists of masks, instead of the tables' own; mask_hole: the
    tone that is the hole in the latter. judges: names as ``identity.load`` takes them, calibrated; none: those of
    JUDGES that run here; (NOBODY,): none. onnx: files of more judges, with sidecars in the folder ``sidecar`` or beside
    them. reference: the engine that differences are taken to, instead of the tables'. workers: processes of one thread
    each. every: slow engines (``tables.FEWER``) take all pictures, too.
    """

    data: tuple[str, ...]
    out: str
    engines: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    mask_hole: str = ""
    pictures: int = 200
    judges: tuple[str, ...] = ()
    onnx: tuple[str, ...] = ()
    sidecar: str = ""
    reference: str = ""
    workers: int = 1
    every: bool = False
    seed: int = 0

    def check(self) -> None:
        """Raises DataError for what cannot be meant, and for engines as ``load_engine``."""
        if self.pictures < 1:
            raise DataError(f"{self.pictures} pictures cannot be measured. Give --pictures 1 or more.")
        if self.workers < 1:
            raise DataError(f"{self.workers} workers do nothing. Give --workers 1, or as many as there are cores.")
        for engine in (name for name in self.engines if name != "all"):
            try:
                variants.described(engine)
            except EngineError as error:
                raise EngineError(f"{engine} cannot be measured: {error}") from error
        for mask in (mask for mask in self.masks if mask not in self.mask_files):
            if not presets.is_name(mask):
                raise DataError(f"There is no hole {mask!r}, nor a file of that name. `faceinp masks` lists them.")
        if self.mask_hole and not self.mask_files:
            raise DataError("--mask-hole is about masks in files. Give their folder to --masks, too, or leave it out.")
        if Path(self.out).exists() and not Path(self.out).is_dir():
            raise DataError(f"{self.out} is a file. Give -o a folder.")

    @property
    def mask_files(self) -> tuple[str, ...]:
        """Those of ``masks`` that are folders or lists."""
        return tuple(mask for mask in self.masks if not presets.is_name(mask) and Path(mask).exists())

    def judged(self, wanted: Sequence[Table]) -> tuple[str, ...]:
        """The judges that these tables need."""
        if not any(table.judged for table in wanted):
            return ()
        named = self.judges or tuple(judge for judge in JUDGES if _runs(judge))
        return (*(judge for judge in named if judge != NOBODY), *self.onnx)

    def command(self, wanted: Sequence[Table]) -> str:
        """What makes the same once more, without folders."""
        name = "paper" if wanted[0].name in tables.TABLES else wanted[0].name
        given: dict[str, object] = {
            "table": ",".join(table.name for table in wanted) if name == "paper" else "",
            "data": " ".join(shlex.quote(Path(pattern).name) for pattern in self.data),
            "engines": ",".join(variants.Name.parse(engine).label for engine in self.engines),
            "masks": ",".join(Path(mask).name for mask in self.masks),
            "judges": ",".join(self.judges),
            "onnx": " ".join(Path(file).name for file in self.onnx),
            "reference": self.reference,
            "pictures": self.pictures,
            "seed": self.seed,
        }
        flags = [f"--{flag} {value}" for flag, value in given.items() if value not in ("", None)]
        return " ".join(["faceinp evaluate", name, *flags, *(["--every"] if self.every else [])])


@dataclass(frozen=True)
class Row:
    """One engine on one kind of hole: the fills of one cell. problem: why there are none.

    kinds: of figures to take of the fills.
    """

    table: Table
    set: str
    arrangement: str
    variant: Variant
    mask: str
    order: Order | None = None
    kinds: tuple[Kind, ...] = ()
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
        self.command = request.command(wanted)
        self.skipped: list[str] = []
        if any(table.judged for table in wanted) and not measurer.judges and request.judges != (NOBODY,):
            self.skipped.append(f"No judge of identity runs here, so none is asked. Name one {FLAGS}.")
        self.rows = tuple(row for table in wanted for row in self._rows(table))
        self._by_place = {row.place: row for row in self.rows if row.order}
        self._contents: dict[tuple[str, ...], str] = {}

    def reference(self, row: Row) -> Row | None:
        """The row of the engine that this one's figures are compared with."""
        name = self.request.reference or row.table.reference
        place = (row.table.name, row.set, row.arrangement, "", variants.Name.parse(name).label, row.mask)
        return self._by_place.get(place) if row.variant.name.text != name else None

    def content(self, row: Row) -> str:
        """A hash of all that the row's cells are made of."""
        if row.place not in self._contents:
            mate = self.reference(row)
            given = [self.measurer.keys(each.order) for each in (row, mate) if each and each.order]
            kinds = [self.measurer.fingerprint(kind) for kind in row.kinds]
            subjects = self.measurer.subjects(row.set, row.table.size)
            told = [row.table.name, row.table.measures, row.table.binned, row.problem, len(subjects.chosen)]
            told += [variants.revision("averages"), self.measurer.limits, row.table.references]
            told += [mate.variant.label if mate else ""]
            self._contents[row.place] = hashlib.sha256(json.dumps([told, given, kinds]).encode()).hexdigest()[:16]
        return self._contents[row.place]

    def tasks(self, rows: Sequence[Row]) -> dict[Order, tuple[Kind, ...]]:
        """What ``rows`` need: fills, and the kinds of figures to take of them. Tables that share fills share tasks."""
        wanted: dict[Order, dict[Kind, None]] = {}
        for row in rows:
            for one in (self.reference(row), row):
                if one and one.order:
                    wanted.setdefault(one.order, {}).update(dict.fromkeys(one.kinds))
        return {order: tuple(kinds) for order, kinds in wanted.items()}

    # ---- how they are made ----

    def _rows(self, table: Table) -> Iterator[Row]:
        """The reference engine's first, then in the order in which engines were named."""
        reference = self.request.reference or table.reference
        given = self.request.engines or table.engines
        everything = not given or "all" in given
        ready, skipped = variants.choose(None if everything else (reference, *given), table.size)
        if everything:
            others = [name for name in (reference, *given) if name not in ("all", *(v.name.text for v in ready))]
            more, lacking = variants.choose(others, table.size)
            ready, skipped = [*ready, *more], skipped | lacking
        self.skipped += [f"{table.name}: skipped {name}: {reason}" for name, reason in skipped.items()]
        if not table.references:
            without = f"The table {table.name} sets no reference photos aside; references does."
            lacking_some = [v for v in ready if REFERENCES in v.name.words]
            self.skipped += [f"{table.name}: skipped {v.name.text}: {without}" for v in lacking_some]
            ready = [variant for variant in ready if variant not in lacking_some]
        ready.sort(key=lambda variant: variant.name.text != reference)
        if table.worn:
            ready.insert(1, variants.described(WORN))
        presets_asked = [mask for mask in self.request.masks if mask not in self.request.mask_files]
        masks = (*presets_asked, *self.measurer.masks) if self.request.masks else table.masks
        for name in self._sets(table):
            self._note_fewer(name, table.size)
            for arrangement in table.arrangements:
                for variant in ready:
                    for mask in masks:
                        if variant.name.text != WORN or mask in WEARABLE:
                            yield self._row(table, name, arrangement, variant, mask)

    def _note_fewer(self, name: str, size: int) -> None:
        subjects = self.measurer.subjects(name, size)
        notes = []
        if subjects.pointless:
            notes.append(f"{name}: {subjects.pointless} pictures without 68 points are left out, as others have them")
        if len(subjects.chosen) < self.request.pictures:
            notes.append(f"{name}: {len(subjects.chosen)} pictures are measured; there are no more")
        self.skipped += [note for note in notes if note not in self.skipped]

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
        words = variant.name.words
        problem = ""
        if mask in presets.OF_FACES and not subjects.pointed:
            problem = f"The hole {mask} is made of 68 points, which {name} lacks. `faceinp data build` writes them."
        elif variants.POINTS in words and (not subjects.pointed or arrangement != tables.ALIGNED):
            problem = f"{name} has no 68 points of this face to tell. `faceinp data build` writes them."
        elif table.references and len(set(subjects.everybody)) == len(subjects.everybody):
            problem = NOBODY_TWICE.format(name)
        if problem:
            return Row(table, name, arrangement, variant, mask, problem=problem)
        limits = [table.pictures, None if self.request.every else tables.limit(variant.name.engine)]
        count = min([len(subjects.chosen), *(limit for limit in limits if limit is not None)])
        given = table.references if REFERENCES in words else 0
        order = Order(name, table.size, variant.name.text, mask, arrangement, count, self.request.seed, given)
        kinds: list[Kind] = [Times(), *self.seen(table)]
        kinds += [Comparisons(table.compared)] if table.compared else []
        kinds += [Windows()] if NATURALNESS in table.measures and not self.measurer.windowless else []
        return Row(table, name, arrangement, variant, mask, order, tuple(kinds))

    def seen(self, table: Table) -> list[Vectors]:
        """Judges that look at whole pictures of a table."""
        return [Vectors(judge) for judge in self.measurer.judges] if table.judged else []


def _runs(judge: str) -> bool:
    try:
        identity.load(judge)
    except FaceinpError:
        return False
    return True
