"""Measuring results of any program: pictures of the same names in two folders are compared."""

import csv
import math
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
from faceinp.evaluate.folder_measures import Column, Extractor, Features, Line, Pair, PairMeasure
from faceinp.evaluate.judge_tables import JUDGES, NO_JUDGES
from faceinp.evaluate.measures import Measure
from faceinp.formulas import metrics
from faceinp.mask import masks
from faceinp.mask.mask_pictures import Polarity
from faceinp.photo import photos
from faceinp.photo.formats import SUFFIXES

SKIPS = ("lpips", "inception", "lite", "identity")
MAX_EXAMPLES = 3  # in an error
Files = Mapping[str, tuple[Path, Path, Path | None]]  # truth, result and mask by name
Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Request:
    """What to measure.

    truth, result: folders. masks: a folder of masks with the pictures' names, or one mask for all. mask_hole: the tone
    that is the hole. common: measure only names that all folders have. aligned: the pictures are square, aligned face
    crops. protocol: a key of ``metrics.PROTOCOLS``, or empty. lpips: alex or vgg. judges: names or ONNX files (default:
    those of JUDGES that run here). skip: those of SKIPS to leave out. command: what the user typed, for the report.
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
    """Measure, write ``pictures.csv``, ``report.md`` and ``report.html`` into ``request.out``, and print the table.

    progress(done, total): each pair is read twice, to check it and to measure it. Raises DataError where folders,
    names, sizes or masks do not match or a file cannot be read, and what ``identity.load`` raises for a judge in
    ``request.judges``.
    """
    if unknown := set(request.skip) - set(SKIPS):
        raise DataError(f"--skip does not know {', '.join(sorted(unknown))}. Available: {', '.join(SKIPS)}.")
    if request.out.exists() and not request.out.is_dir():
        raise DataError(f"{request.out} is a file. Give -o a folder.")
    files = match(request)
    notes = check(request, files, progress)
    pair_measures, extractors, refused = _measures(request)
    columns = [column for each in pair_measures for column in each.columns]
    request.out.mkdir(parents=True, exist_ok=True)
    table, features = list[list[float]](), {kind: list[Features]() for kind in extractors}
    with (request.out / "pictures.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", *(column.key for column in columns)])
        for number, (name, paths) in enumerate(files.items(), len(files) + 1):
            pair = read(request, photos.read(paths[0]), photos.read(paths[1]), paths[2])
            table.append([figure for each in pair_measures for figure in each.measure(pair)])
            for kind, extract in extractors.items():
                features[kind].append(extract(pair))
            # Keeps spreadsheets from taking a name for a formula.
            safe = f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
            writer.writerow([safe, *("" if np.isnan(figure) else f"{figure:.6g}" for figure in table[-1])])
            progress(number, 2 * len(files))
    lines = [_average(column, values, notes) for column, values in zip(columns, np.array(table).T, strict=True)]
    for kind, pair_features in features.items():
        set_lines, reasons = kinds.compare_sets(kind, pair_features, request.seed)
        lines, refused = lines + set_lines, refused + reasons
    report = folder_report.Report(request.command, len(files), lines, refused, notes)
    folder_report.write(report, request.out)
    say(f"{folder_report.text(report)}\nWrote pictures.csv, report.md and report.html into {request.out}.")


def match(request: Request) -> Files:
    """The files by name: the path below the folder, without suffix. Raises DataError."""
    folders = {"TRUTH": request.truth, "RESULT": request.result}
    if request.masks and not request.masks.is_file():
        folders["--masks"] = request.masks
    files = {label: pictures(folder, label, (*folders.values(), request.out)) for label, folder in folders.items()}
    wanted = set(files["TRUTH"]) | set(files["RESULT"])  # masks of other pictures are ignored
    names = sorted(set.intersection(*map(set, files.values())))
    missing = {label: sorted(wanted - set(paths)) for label, paths in files.items() if wanted - set(paths)}
    if not names or (missing and not request.common):
        examples = [f"{label} lacks {len(n):,}, such as {', '.join(n[:MAX_EXAMPLES])}" for label, n in missing.items()]
        advice = f"--common measures the {len(names):,} that all have" if names else "No name is in all folders"
        raise DataError(
            f"Files are matched by name without suffix. Of {len(wanted):,} names, {'; '.join(examples)}. {advice}."
        )
    mask_of = files.get("--masks", {})
    return {name: (files["TRUTH"][name], files["RESULT"][name], mask_of.get(name, request.masks)) for name in names}


def pictures(folder: Path, label: str, excluded: Iterable[Path] = ()) -> dict[str, Path]:
    """The pictures in ``folder`` by name, without those in ``excluded`` folders inside it. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{label}: {folder} is not a folder. Give a folder of pictures.")
    inner = {other.resolve() for other in excluded if folder.resolve() in other.resolve().parents}
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        ignored = any(part.startswith(".") for part in relative.parts) or inner.intersection(path.resolve().parents)
        if ignored or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = unicodedata.normalize("NFC", relative.with_suffix("").as_posix())  # some systems store accents apart
        if name in files:
            raise DataError(f"{label}: {files[name]} and {path} differ only in their suffix. Keep one of them.")
        files[name] = path
    if not files:
        raise DataError(f"{label}: {folder} contains no pictures. Their names end in {', '.join(SUFFIXES)}.")
    return files


def check(request: Request, files: Files, progress: Progress) -> list[str]:
    """Read every file before anything is measured; returns notes. Raises DataError where pairs cannot be measured."""
    side = metrics.PROTOCOLS[request.protocol].window if request.protocol else metrics.SSIM_WINDOW
    problems, counts = list[str](), Counter[str]()
    for number, (name, paths) in enumerate(files.items(), 1):
        progress(number, 2 * len(files))
        try:
            both = truth, result = photos.read(paths[0]), photos.read(paths[1])
            read(request, truth, result, paths[2])
            if min(truth.height, truth.width) < side or (request.aligned and truth.height != truth.width):
                shape = "square, " if request.aligned else ""
                size = f"{truth.width} x {truth.height}"
                raise DataError(f"The pictures must be {shape}{side} pixels or more on each side, got {size}.")
        except FaceinpError as error:
            problems.append(f"{name}: {error}")
            continue
        counts["with 16 bits per channel, whose upper 8 are compared"] += any(x.deep is not None for x in both)
        counts["with transparency, which is not compared"] += any(x.alpha is not None for x in both)
        counts["with grey on one side only, compared as RGB"] += truth.grey != result.grey
        counts["with a JPEG as result, whose compression counts as error"] += result.source_format == "JPEG"
    if problems:
        examples = "\n".join(problems[:MAX_EXAMPLES])
        raise DataError(f"{len(problems):,} of {len(files):,} pairs cannot be measured, such as\n{examples}")
    return [f"Pairs {text}: {count:,}." for text, count in counts.items() if count]


def read(request: Request, truth: photos.Photo, result: photos.Photo, mask: Path | None) -> Pair:
    """Raises PhotoError or MaskError for a mask that cannot be used, DataError for different sizes."""
    layer = photos.read(mask) if mask else truth
    sizes = [f"{photo.width} x {photo.height}" for photo in (truth, result, layer)]
    if len(set(sizes)) > 1:
        names = "Truth, result and mask" if mask else "Truth and result"
        raise DataError(
            f"{names} must have one size, got {', '.join(sizes if mask else sizes[:2])}. Resize them first."
        )
    hole = masks.read(layer, truth, hole=request.mask_hole).hole if mask else None
    return Pair(truth.pixels, result.pixels, hole, request.aligned)


def _average(column: Column, values: NDArray[np.float64], notes: list[str]) -> Line:
    """The mean over finite figures; the others are counted in ``notes``."""
    finite, infinite, missing = np.isfinite(values), int(np.isinf(values).sum()), int(np.isnan(values).sum())
    if infinite:
        consequence = ": the mean leaves them out" if finite.any() else ""
        notes.append(f"{column.title} is ∞ in {infinite:,} pairs, which are equal{consequence}.")
    if missing:
        notes.append(f"{column.title}: {missing:,} pairs have none, as TRUTH shows no face or is too small.")
    if infinite and not finite.any():
        return Line(column, Measure(math.inf, None, None), infinite)
    mean = measures.mean(np.where(finite, values, np.nan), list(map(str, range(len(values)))))
    return Line(column, mean, int(finite.sum()))


def _measures(request: Request) -> tuple[list[PairMeasure], dict[str, Extractor], list[str]]:
    """What is measured of pairs, what extracts features, and a sentence on each measure that cannot run here."""
    with_holes = request.masks is not None
    pair_measures, extractors, refused = [kinds.pixels(with_holes)], dict[str, Extractor](), list[str]()
    pair_measures += [kinds.by_protocol(request.protocol)] if request.protocol else []
    judges = () if request.judges == (NO_JUDGES,) else request.judges or JUDGES
    loaders: list[tuple[str, str, Callable[[], Any]]] = [
        *(("identity", f"judge {name}", partial(kinds.likeness, name)) for name in judges),
        ("lpips", "LPIPS", partial(kinds.perceptual, request.lpips)),
        ("inception", "FID, KID, P-IDS, U-IDS on Inception", kinds.inception),
        ("lite", f"everything on {kinds.LITE}", partial(kinds.lite, with_holes)),
    ]
    for kind, title, load in loaders:
        if kind in request.skip:
            refused.append(f"{title}: skipped by --skip.")
            continue
        try:
            loaded = load()
        except FaceinpError as error:
            if kind == "identity" and request.judges:
                raise
            refused.append(f"{title}: {error}")
            continue
        if isinstance(loaded, PairMeasure):
            pair_measures.append(loaded)
        else:
            extractors |= loaded
    return pair_measures, extractors, refused
