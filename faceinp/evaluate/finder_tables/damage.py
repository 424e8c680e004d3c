"""How well damage finders work: on damage drawn on held-back photos, on clean photos, and on annotated scans.

The shapes are those of ``drawn_damage``, which no training run uses. A finder marks pixels of a photo. Precision is the
share of marked pixels within TOLERANCE pixels of damage, recall the share of damaged pixels within TOLERANCE of a mark,
both over all pixels of all photos of a kind, and F1 their harmonic mean (van Rijsbergen 1979).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np

from faceinp.errors import DataError
from faceinp.evaluate import record
from faceinp.evaluate.finder_tables.drawn_damage import KINDS, draw
from faceinp.evaluate.record import Provenance, Say
from faceinp.find.baseline import classical
from faceinp.photo import photos as photo_files
from faceinp.photo.arrays import Bools, Pixels
from faceinp.photo.formats import SUFFIXES

Finder = Callable[[Pixels], Bools]  # uint8 (H, W, 3), RGB -> bool (H, W), True = damage

TOLERANCE = 2  # pixels
CLEAN = "clean photos"


@dataclass(frozen=True)
class Counts:
    """Numbers of pixels: marked, marked near damage, damaged, and damaged near a mark (found)."""

    marked: int = 0
    at_damage: int = 0
    damaged: int = 0
    found: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        sums = (a + b for a, b in zip(astuple(self), astuple(other), strict=True))
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
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class FinderAccuracy:
    """A finder on one kind of damage, or on one scan. f1, precision, recall: in [0, 1]."""

    subject: str
    finder: str
    f1: float
    precision: float
    recall: float
    photos: int
    provenance: Provenance


@dataclass(frozen=True)
class FalseMarks:
    """Shares of pixels that a finder marks on photos without damage. worst: the photo with the highest share."""

    finder: str
    median: float
    highest: float
    worst: str
    photos: int
    provenance: Provenance


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
) -> tuple[list[FinderAccuracy], list[FalseMarks]]:
    """Measure finders on the photos of the folders ``photos``, which must be held back and free of damage.

    out: a Markdown file; a .jsonl file with the figures is written beside it. finders: by name; default: the network
    and the classical baseline. scans: a folder of damaged photos. outlines: a folder with masks of their damage, PNGs
    with the scans' names: white is damage, grey may be marked but need not be. pictures: how many photos get each kind
    of damage. side: typical longer side of these photos in pixels; it varies from .65 to 1.25 times that. Raises
    DataError where there are no photos.
    """
    finders = FINDERS if finders is None else finders
    paths = list(_photo_paths(photos))
    if not paths:
        raise DataError(f"No photos in {', '.join(map(str, photos))}. Give folders of {', '.join(SUFFIXES)} files.")
    rows = _measure_drawn(paths, finders, pictures, side, seed)
    if scans is not None and outlines is not None:
        rows += _measure_scans(Path(scans), Path(outlines), finders)
    clean = [_measure_clean(paths, name, find) for name, find in finders.items()]
    out = Path(out)
    record.write(out.parent, out.stem, [*rows, *clean], _markdown(rows, clean), say)
    return rows, clean


def compare(marked: Bools, damage: Bools, drawn: Bools | None = None, tolerance: int = TOLERANCE) -> Counts:
    """Compare a finder's mask with the damage, within ``tolerance`` pixels.

    marked, damage: bool (H, W). drawn: bool (H, W), where a mark is correct but not required, such as faint damage.
    """
    correct = damage if drawn is None else damage | drawn
    return Counts(
        marked=int(marked.sum()),
        at_damage=int((marked & _near(correct, tolerance)).sum()),
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


def _measure_drawn(
    paths: Sequence[Path], finders: Mapping[str, Finder], pictures: int, side: int, seed: int
) -> list[FinderAccuracy]:
    rows = []
    for number, subject in enumerate(KINDS):
        counts = dict.fromkeys(finders, Counts())
        rng = np.random.default_rng([seed, number])
        for index in rng.choice(len(paths), pictures, replace=len(paths) < pictures):
            photo = draw(_shrink(_read(paths[index]), int(side * rng.uniform(0.65, 1.25))), subject, rng)
            for name, find in finders.items():
                counts[name] += compare(find(photo.pixels), photo.damage, photo.drawn)
        rows += [_accuracy(subject, name, counts[name], pictures) for name in finders]
    return rows


def _measure_scans(scans: Path, outlines: Path, finders: Mapping[str, Finder]) -> list[FinderAccuracy]:
    rows = []
    for path in _photo_paths([scans]):
        outline = outlines / f"{path.stem}.png"
        if outline.is_file():
            pixels, level = _read(path), _read(outline)[..., 0]
            for name, find in finders.items():
                counts = compare(find(pixels), level > 191, level > 63)
                rows.append(_accuracy(path.stem, name, counts, 1))
    return rows


def _accuracy(subject: str, finder: str, counts: Counts, photos: int) -> FinderAccuracy:
    return FinderAccuracy(subject, finder, counts.f1, counts.precision, counts.recall, photos, Provenance.now())


def _measure_clean(paths: Sequence[Path], name: str, find: Finder) -> FalseMarks:
    shares = [float(find(_read(path)).mean()) for path in paths]
    highest = int(np.argmax(shares))
    return FalseMarks(
        name, float(np.median(shares)), shares[highest], paths[highest].name, len(paths), Provenance.now()
    )


def _photo_paths(folders: Iterable[str | Path]) -> Iterable[Path]:
    for folder in folders:
        yield from sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def _read(path: Path) -> Pixels:
    return photo_files.read(path).pixels


def _shrink(pixels: Pixels, side: int) -> Pixels:
    """To a longer side of at most ``side`` pixels."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _markdown(rows: Sequence[FinderAccuracy], clean: Sequence[FalseMarks]) -> str:
    names = list(dict.fromkeys(row.finder for row in rows))
    heads = [f"{name}, {figure}" for name in names for figure in ("F1", "precision", "recall")]
    lines = []
    for subject in dict.fromkeys(row.subject for row in rows):
        parts = {row.finder: row for row in rows if row.subject == subject}
        figures = (
            f"{value:.2f}" for name in names for value in (parts[name].f1, parts[name].precision, parts[name].recall)
        )
        lines.append((subject, str(parts[names[0]].photos), *figures))
    marks = ((row.finder, str(row.photos), f"{row.median:.3%}", f"{row.highest:.2%}", row.worst) for row in clean)
    return (
        f"Damage found within {TOLERANCE} pixels\n\n{record.grid(('damage', 'photos', *heads), lines)}\n"
        + record.grid((f"{CLEAN} marked by", "photos", "median", "highest", "of"), marks)
    )
