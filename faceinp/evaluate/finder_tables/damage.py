"""How well finders of damage do: on damage drawn on held-back photos, on clean photos, on outlined scans.

Drawn shapes are those of ``drawn_damage``, which no training draws. A finder marks pixels of a photo. Precision is the
share of marked pixels within TOLERANCE pixels of damage, recall the share of damaged pixels within TOLERANCE of a mark,
both over all pixels of all photos of a row, and F1 their harmonic mean (van Rijsbergen 1979).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.finder_tables.drawn_damage import ROWS, draw
from faceinp.evaluate.record import Provenance, Say
from faceinp.find.baseline import classical
from faceinp.photo import photos as files

Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Finder = Callable[[Pixels], Bools]  # uint8 (H, W, 3), RGB -> bool (H, W), True = damage

TOLERANCE = 2  # pixels
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
CLEAN = "clean photos"


@dataclass(frozen=True)
class Counts:
    """Pixels: how many a finder marked and how many of these lie at damage; how many are damaged, and found."""

    marked: int = 0
    at_damage: int = 0
    damaged: int = 0
    found: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        sums = (one + another for one, another in zip(astuple(self), astuple(other), strict=True))
        return Counts(*sums)

    @property
    def precision(self) -> float:
        """In [0, 1]; 1 where nothing is marked."""
        return self.at_damage / self.marked if self.marked else 1.0

    @property
    def recall(self) -> float:
        """In [0, 1]; 1 where nothing is damaged."""
        return self.found / self.damaged if self.damaged else 1.0

    @property
    def f1(self) -> float:
        """In [0, 1]."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True)
class Row:
    """One kind of damage, or one scan, and one finder. Figures are shares in [0, 1]."""

    subject: str
    finder: str
    f1: float
    precision: float
    recall: float
    photos: int
    made: Provenance


@dataclass(frozen=True)
class CleanRow:
    """Shares of pixels that a finder marks on photos without damage. worst: the photo with the highest."""

    finder: str
    median: float
    highest: float
    worst: str
    photos: int
    made: Provenance


def run(
    photos: Sequence[str | Path],
    out: str | Path,
    *,
    finders: Mapping[str, Finder] | None = None,
    scans: str | Path | None = None,
    outlines: str | Path | None = None,
    pictures: int = 12,
    side: int = 768,
    seed: int = 0,
    say: Say = print,
) -> tuple[list[Row], list[CleanRow]]:
    """Measure finders on the photos of the folders ``photos``, which must be held back and free of damage.

    out: a Markdown file; the figures go into a .jsonl file beside it, too. finders: by name; default: the network and
    the classical baseline. scans: a folder of damaged photos, and outlines: a folder with masks of their damage, PNGs
    with the scans' names, white where damaged, grey where a mark is right but nothing must be found. pictures: how many
    photos of each kind are drawn on. side: longer side of these photos in pixels, from .65 to 1.25 of it. Raises
    DataError where there are no photos.
    """
    finders = FINDERS if finders is None else finders
    files_of = list(_pictures(photos))
    if not files_of:
        raise DataError(f"No photos in {', '.join(map(str, photos))}. Give folders of JPEG, PNG, WebP or TIFF files.")
    rows = _drawn_rows(files_of, finders, pictures, side, seed)
    if scans is not None and outlines is not None:
        rows += _scan_rows(Path(scans), Path(outlines), finders)
    clean = [_clean_row(files_of, name, find) for name, find in finders.items()]
    out = Path(out)
    record.write(out.parent, out.stem, [*rows, *clean], _markdown(rows, clean), say)
    return rows, clean


def compare(marked: Bools, damage: Bools, touched: Bools | None = None, tolerance: int = TOLERANCE) -> Counts:
    """Count marked pixels at damage, and damaged pixels found, within ``tolerance`` pixels.

    marked, damage: bool (H, W). touched: bool (H, W), where a mark is right, too, such as damage too faint to be seen.
    """
    right = damage if touched is None else damage | touched
    return Counts(
        marked=int(marked.sum()),
        at_damage=int((marked & _near(right, tolerance)).sum()),
        damaged=int(damage.sum()),
        found=int((damage & _near(marked, tolerance)).sum()),
    )


def _near(mask: Bools, distance: int) -> Bools:
    if not mask.any():
        return np.zeros_like(mask)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= distance + 1e-3


def network(pixels: Pixels) -> Bools:
    """The mask of ``find_damage``."""
    from faceinp.find.damage import find_damage

    return find_damage(pixels).mask


def baseline(pixels: Pixels) -> Bools:
    """The mask of the classical filters."""
    return classical(pixels)[0] > 0.5


FINDERS: Mapping[str, Finder] = {"network": network, "baseline": baseline}


def _drawn_rows(paths: Sequence[Path], finders: Mapping[str, Finder], pictures: int, side: int, seed: int) -> list[Row]:
    rows = []
    for number, subject in enumerate(ROWS):
        counts = dict.fromkeys(finders, Counts())
        rng = np.random.default_rng([seed, number])
        for chosen in rng.choice(len(paths), pictures, replace=len(paths) < pictures):
            drawn = draw(_resized(_read(paths[chosen]), int(side * rng.uniform(0.65, 1.25))), subject, rng)
            for name, find in finders.items():
                counts[name] += compare(find(drawn.pixels), drawn.damage, drawn.touched)
        rows += [_row(subject, name, counted, pictures) for name, counted in counts.items()]
    return rows


def _scan_rows(scans: Path, outlines: Path, finders: Mapping[str, Finder]) -> list[Row]:
    rows = []
    for path in _pictures([scans]):
        outline = outlines / f"{path.stem}.png"
        if outline.is_file():
            pixels, level = _read(path), _read(outline)[..., 0]
            for name, find in finders.items():
                counts = compare(find(pixels), level > 191, level > 63)
                rows.append(_row(path.stem, name, counts, 1))
    return rows


def _row(subject: str, finder: str, counts: Counts, photos: int) -> Row:
    return Row(subject, finder, counts.f1, counts.precision, counts.recall, photos, Provenance.now())


def _clean_row(paths: Sequence[Path], name: str, find: Finder) -> CleanRow:
    shares = [float(find(_read(path)).mean()) for path in paths]
    highest = int(np.argmax(shares))
    return CleanRow(name, float(np.median(shares)), shares[highest], paths[highest].name, len(paths), Provenance.now())


def _pictures(folders: Iterable[str | Path]) -> Iterable[Path]:
    for folder in folders:
        yield from sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def _read(path: Path) -> Pixels:
    return files.read(path).pixels


def _resized(pixels: Pixels, side: int) -> Pixels:
    """With a longer side of ``side`` pixels, unless the photo is smaller."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _markdown(rows: Sequence[Row], clean: Sequence[CleanRow]) -> str:
    names = list(dict.fromkeys(row.finder for row in rows))
    heads = [f"{name}, {figure}" for name in names for figure in ("F1", "precision", "recall")]
    lines = []
    for subject in dict.fromkeys(row.subject for row in rows):
        parts = {row.finder: row for row in rows if row.subject == subject}
        figures = (
            f"{value:.2f}" for name in names for value in (parts[name].f1, parts[name].precision, parts[name].recall)
        )
        lines.append((subject, str(parts[names[0]].photos), *figures))
    unmarked = ((row.finder, str(row.photos), f"{row.median:.3%}", f"{row.highest:.2%}", row.worst) for row in clean)
    return (
        f"Damage found within {TOLERANCE} pixels\n\n{record.grid(('damage', 'photos', *heads), lines)}\n"
        + record.grid((f"{CLEAN} marked by", "photos", "median", "highest", "of"), unmarked)
    )
