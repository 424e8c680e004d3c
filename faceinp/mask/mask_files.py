"""Sets of masks in files: a folder of pictures, a list of paths, or one picture.

The hole's tone is never guessed: half of the published sets use white, half black. ``MaskFiles.about`` states how the
masks were read and how much they hide.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from faceinp.errors import DataError, MaskError, PhotoError
from faceinp.mask import mask_pictures
from faceinp.photo import photos
from faceinp.photo.arrays import Bools
from faceinp.photo.formats import SUFFIXES
from faceinp.photo.photos import Photo

Hole = Literal["white", "black"]

LISTS = (".flist", ".txt")
BIN_WIDTH = 10  # per cent of the picture


@dataclass(frozen=True)
class MaskFiles:
    """Masks in files, each with a hole and known pixels.

    name: of their folder or list. files: sorted by path, or in the list's order. hole: the tone of the hole. shares:
    the hole's share of each mask, in (0, 1), in the order of ``files``. left_out: files that mark nothing or all.
    """

    name: str
    files: tuple[Path, ...]
    hole: Hole
    shares: tuple[float, ...] = field(repr=False)
    left_out: tuple[Path, ...] = ()

    def draw(self, number: int, size: int) -> Bools:
        """One of the masks, resized: bool (size, size), True = hole; the same for the same arguments.

        number: its index, modulo the number of masks. size: pixels. A picture that is not square is stretched. An
        enlarged mask uses the nearest pixel; in a reduced one a pixel is hole where half of it was. If that left no
        hole, the pixels that the hole covers most are the hole; if it left no known pixel, those it covers least stay
        known.
        """
        path = self.files[number % len(self.files)]
        hole = _hole(path, self.hole)
        if hole is None:
            raise DataError(f"{path} has changed: it marks nothing or everything. Read the masks again.")
        interpolation = cv2.INTER_AREA if size < max(hole.shape) else cv2.INTER_NEAREST_EXACT
        covered = cv2.resize(hole.astype(np.float32), (size, size), interpolation=interpolation)
        # The threshold lies between the least and the greatest value, so that there are hole and known pixels.
        return np.asarray(covered >= np.clip(0.5, np.nextafter(covered.min(), np.float32(1)), covered.max()))

    def bins(self) -> dict[str, "MaskFiles"]:
        """The masks by the share they hide, in per cent: "0-10", "10-20", ...; without empty bins.

        A bin includes its upper end, as NVIDIA's do: (.01, .1], (.1, .2], ...
        """
        numbers: dict[int, list[int]] = defaultdict(list)
        for number, share in enumerate(self.shares):
            numbers[max(0, int(np.ceil(round(100 * share / BIN_WIDTH, 6))) - 1) * BIN_WIDTH].append(number)
        return {
            f"{low}-{low + BIN_WIDTH}": MaskFiles(
                f"{self.name} {low}-{low + BIN_WIDTH} %",
                tuple(self.files[number] for number in chosen),
                self.hole,
                tuple(self.shares[number] for number in chosen),
            )
            for low, chosen in sorted(numbers.items())
        }

    @property
    def about(self) -> str:
        """A few sentences: the number of masks, how they were read, the share they hide, and what was left out."""
        mean, count = float(np.mean(self.shares)), f"{len(self.files):,} mask{'s' if len(self.files) > 1 else ''}"
        text = f"{count} of {self.name}: {self.hole} is the hole, {mean:.0%} of a mask on average."
        if mean > 0.5:
            other = "black" if self.hole == "white" else "white"
            text += f" That is more than half: if {other} is the hole, use --mask-hole {other}."
        if self.left_out:
            text += f" {len(self.left_out):,} were left out: they mark nothing or everything."
        return text


def read(path: str | Path, hole: str = "white") -> MaskFiles:
    """Read the masks in a folder and its subfolders, in a list, or in one picture.

    path: a list is a .flist or .txt file with a path on each line, absolute or relative to the list. Every file is
    opened once, about 4 ms each at 512 x 512. hole: the tone of the hole. Raises DataError for a path that does not
    exist or contains no picture, a missing listed file, a damaged picture, one that is no mask, and where no mask has
    both hole and known pixels.
    """
    if hole not in ("white", "black"):
        raise DataError(f"The hole of the masks must be white or black, got {hole!r}.")
    tone: Hole = "white" if hole == "white" else "black"
    source = Path(path)
    listed = _listed(source)
    shares = {file: 0.0 if (marked := _hole(file, tone)) is None else float(marked.mean()) for file in listed}
    files = tuple(file for file in listed if shares[file])
    left_out = tuple(file for file in listed if not shares[file])
    if not files:
        raise DataError(f"The {len(listed):,} masks of {source} mark nothing or everything. Give masks with holes.")
    return MaskFiles(source.resolve().name, files, tone, tuple(shares[file] for file in files), left_out)


def _listed(source: Path) -> list[Path]:
    if source.is_dir():
        files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not files:
            raise DataError(f"{source} contains no masks. Give a folder of {', '.join(SUFFIXES)} files.")
        return files
    if not source.is_file():
        raise DataError(f"There is no folder or file {source}. Check the path of the masks.")
    if source.suffix.lower() not in LISTS:
        return [source]
    try:
        lines = [line.strip() for line in source.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{source} cannot be read as a list of masks ({error}). Give a text file with one path per line."
        ) from error
    files = [source.parent / line for line in lines if line]
    if not files:
        raise DataError(f"{source} lists no mask. Give a text file with the path of a picture on each line.")
    if missing := [file for file in files if not file.is_file()]:
        raise DataError(
            f"{len(missing):,} of the {len(files):,} masks listed in {source} are missing, first {missing[0]}. "
            "Paths must be absolute or relative to the list."
        )
    return files


def _hole(file: Path, hole: Hole) -> Bools | None:
    """bool (H, W), True = hole; None where it marks nothing or everything."""
    try:
        layer = photos.read(file)
        # Compared with a black photo, no picture passes for a partly erased photo.
        marked = mask_pictures.read(layer, Photo(np.zeros_like(layer.pixels)), hole).hole
    except PhotoError as error:
        raise DataError(f"A mask cannot be read: {error}") from error
    except MaskError as error:
        if mask_pictures.is_plain(layer):
            return None
        raise DataError(f"{file} is not a mask: {error}") from error
    return marked if marked.any() and not marked.all() else None
