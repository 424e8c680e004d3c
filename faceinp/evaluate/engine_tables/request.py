"""What the user asks to measure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceinp.errors import DataError, EngineError
from faceinp.evaluate.engine_tables import tables
from faceinp.evaluate.engine_tables.tables import Table
from faceinp.evaluate.engine_tables.variants import Name, described
from faceinp.evaluate.judge_tables import NO_JUDGES, load_available
from faceinp.mask import presets


@dataclass(frozen=True)
class Request:
    """engines: names with options after plus signs, "structural+fast+mode=faithful"; empty: each table's own; ("all",):
    all that run here. masks: presets, folders and lists of masks, instead of the tables' own; mask_hole: the tone that
    is the hole in the latter. judges: calibrated judges, as ``identity.load`` takes them; empty: those of JUDGES that
    run here; (NO_JUDGES,): none. onnx: files of more judges, with sidecars in the folder ``sidecar`` or beside them.
    reference: the engine that differences refer to, instead of the tables' own. workers: processes of one thread each.
    every: measure slow engines (``tables.SLOW_ENGINES``) on all pictures, too.
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
        """Raises DataError for values that make no sense, and EngineError for engines that cannot be measured."""
        if self.pictures < 1:
            raise DataError(f"--pictures must be 1 or more, got {self.pictures}.")
        if self.workers < 1:
            raise DataError(f"--workers must be 1 or more, got {self.workers}. Use at most one per core.")
        for engine in (name for name in self.engines if name != "all"):
            try:
                described(engine)
            except EngineError as error:
                raise EngineError(f"{engine} cannot be measured: {error}") from error
        for mask in self.masks:
            if mask not in self.mask_files and not presets.is_name(mask):
                raise DataError(f"Unknown mask {mask!r}, and no such file. `faceinp masks` lists the presets.")
        if self.mask_hole and not self.mask_files:
            raise DataError("--mask-hole needs masks in files. Add their folder to --masks, or omit --mask-hole.")
        if Path(self.out).exists() and not Path(self.out).is_dir():
            raise DataError(f"{self.out} is a file. Give -o a folder.")

    @property
    def mask_files(self) -> tuple[str, ...]:
        """Those of ``masks`` that are folders or lists."""
        return tuple(mask for mask in self.masks if not presets.is_name(mask) and Path(mask).exists())

    def judges_for(self, requested: Sequence[Table]) -> tuple[str, ...]:
        """The judges that these tables need."""
        if not any(table.needs_judges for table in requested):
            return ()
        names = self.judges or tuple(load_available()[0])
        return (*(judge for judge in names if judge != NO_JUDGES), *self.onnx)

    def command(self, requested: Sequence[Table]) -> str:
        """The command that measures the same again, without folders."""
        name = "paper" if requested[0].name in tables.TABLES else requested[0].name
        values: dict[str, object] = {
            "table": ",".join(table.name for table in requested) if name == "paper" else "",
            "data": " ".join(shlex.quote(Path(pattern).name) for pattern in self.data),
            "engines": ",".join(Name.parse(engine).label for engine in self.engines),
            "masks": ",".join(Path(mask).name for mask in self.masks),
            "judges": ",".join(self.judges),
            "onnx": " ".join(Path(file).name for file in self.onnx),
            "reference": self.reference,
            "pictures": self.pictures,
            "seed": self.seed,
        }
        flags = [f"--{flag} {value}" for flag, value in values.items() if value not in ("", None)]
        return " ".join(["faceinp evaluate", name, *flags, *(["--every"] if self.every else [])])
