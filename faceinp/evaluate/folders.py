"""Results of any program beside the truth: pictures of the same names in two folders are measured."""

import csv
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError, FaceinpError
from faceinp.evaluate import folder_measures as kinds
from faceinp.evaluate import folder_report, measures
from faceinp.evaluate.folder_measures import Pair, PairMeasure, Row, See
from faceinp.evaluate.judge_tables import JUDGES, NOBODY
from faceinp.formulas import metrics
from faceinp.mask import masks
from faceinp.mask.mask_pictures import Polarity
from faceinp.photo import photos
from faceinp.photo.formats import SUFFIXES

SKIPS = ("lpips", "inception", "lite", "identity")
SHOWN = 3  # examples in an error
Files = Mapping[str, tuple[Path, Path, Path | None]]  # truth, result and mask by name
Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Request:
    """What is measured. truth, result: folders. masks: a folder of masks with the pictures' names, or one for all.

    mask_hole: which tone is the hole. common: measure the names that all folders have. aligned: the pictures are
    square, aligned face crops. protocol: of ``metrics.PROTOCOLS``, or empty. lpips: alex or vgg. judges: of
    identity, names or ONNX files (default: those of JUDGES that run here). skip: which of SKIPS are left out. command:
    what was typed, for the report.
    """

    truth: Path
    result: Path
    masks: Path | None = None
    mask_hole: Polarity = "white"
    common: bool = False
    aligned: bool = False
    protocol: str = ""
    lpips: str = "alex"
    judges: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    seed: int = 0
    out: Path = Path("runs/folders")
    command: str = ""


def run(request: Request, say: Callable[[str], None] = print, progress: Progress = lambda *_: None) -> None:
    """Measure, write ``pictures.csv``, ``report.md`` and ``report.html`` into ``request.out``, and say the table.

    progress(done, total): files are read once to be checked, and once to be measured. Raises DataError where folders,
    names, sizes or masks do not fit or a file cannot be read, and what ``identity.load`` raises for judges that were
    named.
    """
    if unknown := set(request.skip) - set(SKIPS):
        raise DataError(f"{', '.join(sorted(unknown))} cannot be skipped. Choose of {', '.join(SKIPS)}.")
    if request.out.exists() and not request.out.is_dir():
        raise DataError(f"{request.out} is a file. Name a folder for the report: -o FOLDER.")
    files = match(request)
    notes, refused = check(request, files, progress), list[str]()
    pairwise, seeing = _measures(request, refused)
    columns = [column for measure in pairwise for column in measure.columns]
    request.out.mkdir(parents=True, exist_ok=True)
    table, features = list[list[float]](), {kind: list[NDArray[np.float32]]() for kind in seeing}
    with (request.out / "pictures.csv").open("w", newline="", encoding="utf-8-sig") as file:
        lines = csv.writer(file)
        lines.writerow(["picture", *(column.key for column in columns)])
        for number, (name, paths) in enumerate(files.items(), len(files) + 1):
            pair = read(request, photos.read(paths[0]), photos.read(paths[1]), paths[2])
            table.append([figure for measure in pairwise for figure in measure.of(pair)])
            for kind, see in seeing.items():
                features[kind].append(see(pair))
            # No spreadsheet may take a name for a formula.
            safe = f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
            lines.writerow([safe, *("" if np.isnan(figure) else f"{figure:.6g}" for figure in table[-1])])
            progress(number, 2 * len(files))
    rows = [_average(column, values, notes) for column, values in zip(columns, np.array(table).T, strict=True)]
    for kind, seen in features.items():
        more, reasons = kinds.of_sets(kind, seen, request.seed)
        rows, refused = rows + more, refused + reasons
    report = folder_report.Report(request.command, len(files), rows, refused, notes)
    folder_report.write(report, request.out)
    say(f"{folder_report.text(report)}\n{request.out} has pictures.csv, report.md and report.html.")


def match(request: Request) -> Files:
    """The files by name: the path below the folder, without suffix. Raises DataError."""
    folders = {"TRUTH": request.truth, "RESULT": request.result}
    if request.masks and not request.masks.is_file():
        folders["--masks"] = request.masks
    found = {label: pictures(folder, label, (*folders.values(), request.out)) for label, folder in folders.items()}
    wanted = set(found["TRUTH"]) | set(found["RESULT"])  # masks of other pictures do no harm
    names = sorted(set.intersection(*map(set, found.values())))
    lacking = {label: sorted(wanted - set(files)) for label, files in found.items() if wanted - set(files)}
    if not names or (lacking and not request.common):
        told = [f"{label} lacks {len(n):,}, such as {', '.join(n[:SHOWN])}" for label, n in lacking.items()]
        advice = f"--common measures the {len(names):,} that all have" if names else "None is common to all"
        raise DataError(
            f"Files belong together by their names without suffix. Of {len(wanted):,}, {'; '.join(told)}. {advice}."
        )
    mask_of = found.get("--masks", {})
    return {name: (found["TRUTH"][name], found["RESULT"][name], mask_of.get(name, request.masks)) for name in names}


def pictures(folder: Path, label: str, others: Iterable[Path] = ()) -> dict[str, Path]:
    """The pictures below ``folder`` by name, without those in ``others`` inside of it. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{label}: {folder} is not a folder. Name one that holds pictures.")
    inner = [other.resolve() for other in others if folder.resolve() in other.resolve().parents]
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        passed = any(part.startswith(".") for part in below.parts) or set(path.resolve().parents) & set(inner)
        if passed or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = unicodedata.normalize("NFC", below.with_suffix("").as_posix())  # an accent may be stored by itself
        if name in found:
            raise DataError(f"{label}: {found[name]} and {path} differ in nothing but the suffix. Keep one of them.")
        found[name] = path
    if not found:
        raise DataError(f"{label}: {folder} holds no pictures. Their names end in {', '.join(SUFFIXES)}.")
    return found


def check(request: Request, files: Files, progress: Progress) -> list[str]:
    """Read every file before anything is measured: sentences on the pairs. Raises DataError where some do not fit."""
    side = metrics.PROTOCOLS[request.protocol].window if request.protocol else metrics.SSIM_WINDOW
    problems, counts = list[str](), Counter[str]()
    for number, (name, paths) in enumerate(files.items(), 1):
        progress(number, 2 * len(files))
        try:
            both = truth, result = photos.read(paths[0]), photos.read(paths[1])
            read(request, truth, result, paths[2])
            if min(truth.height, truth.width) < side or (request.aligned and truth.height != truth.width):
                wanted = f"be square and {side} pixels" if request.aligned else f"be {side} pixels"
                raise DataError(f"It is {truth.width} x {truth.height}, and must {wanted} wide and high at least.")
        except FaceinpError as error:
            problems.append(f"{name}: {error}")
            continue
        counts["with 16 bits a channel, of which the upper 8 are compared"] += any(x.deep is not None for x in both)
        counts["with transparency, which is not compared"] += any(x.alpha is not None for x in both)
        counts["with grey on one side only, compared as RGB"] += truth.grey != result.grey
        counts["with a JPEG as result, whose compression counts as error"] += result.source_format == "JPEG"
    if problems:
        shown = "\n".join(problems[:SHOWN])
        raise DataError(f"{len(problems):,} of {len(files):,} pairs cannot be measured, such as\n{shown}")
    return [f"Pairs {text}: {count:,}." for text, count in counts.items() if count]


def read(request: Request, truth: photos.Photo, result: photos.Photo, mask: Path | None) -> Pair:
    """Raises PhotoError or MaskError for a mask that cannot be used, DataError for other sizes."""
    drawn = photos.read(mask) if mask else truth
    sizes = [f"{one.width} x {one.height}" for one in (truth, result, drawn)]
    if len(set(sizes)) > 1:
        names = "Truth, result and mask" if mask else "Truth and result"
        shown = ", ".join(sizes if mask else sizes[:2])
        raise DataError(f"{names} are of one size; these are {shown}. Nothing is resized.")
    hole = masks.read(drawn, truth, hole=request.mask_hole).hole if mask else None
    return Pair(truth.pixels, result.pixels, hole, request.aligned)


def _average(column: kinds.Column, values: NDArray[np.float64], notes: list[str]) -> Row:
    """The mean over finite figures; ``notes`` tells how many are not."""
    finite, perfect, lacking = np.isfinite(values), int(np.isinf(values).sum()), int(np.isnan(values).sum())
    if perfect:
        notes.append(f"{column.title} is ∞ in {perfect:,} pairs, which are equal: the mean leaves them out.")
    if lacking:
        notes.append(f"{column.title}: {lacking:,} pairs have none, as no face was found in TRUTH or it is too small.")
    mean = measures.mean(np.where(finite, values, np.nan), list(map(str, range(len(values)))))
    return Row(column, mean, int(finite.sum()), "∞" if perfect and not finite.any() else "")


def _measures(request: Request, refused: list[str]) -> tuple[list[PairMeasure], dict[str, See]]:
    """What is measured of pairs, and what sees their features; ``refused`` gets a sentence on what cannot run here."""
    masked = request.masks is not None
    pairwise, seeing = [kinds.pixels(masked)], dict[str, See]()
    pairwise += [kinds.by_protocol(request.protocol)] if request.protocol else []
    judges = () if request.judges == (NOBODY,) else request.judges or JUDGES
    attempts: list[tuple[str, str, Callable[[], Any]]] = [
        *(("identity", f"judge {name}", partial(kinds.likeness, name)) for name in judges),
        ("lpips", "LPIPS", partial(kinds.perceptual, request.lpips)),
        ("inception", "FID, KID, P-IDS, U-IDS on Inception", kinds.inception),
        ("lite", f"all on {kinds.LITE}", partial(kinds.lite, masked)),
    ]
    for kind, title, attempt in attempts:
        if kind in request.skip:
            refused.append(f"{title}: skipped, as asked for.")
            continue
        try:
            made = attempt()
        except FaceinpError as error:
            if kind == "identity" and request.judges:
                raise
            refused.append(f"{title}: {error}")
            continue
        if isinstance(made, PairMeasure):
            pairwise.append(made)
        else:
            seeing |= made
    return pairwise, seeing
