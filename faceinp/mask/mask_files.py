"""Masks from files: a folder of pictures, a list of paths, or one picture, such as other groups publish them.

Which tone is the hole is never guessed: half of these sets say white, half black. ``MaskFiles.about`` says how they
were read and how much they hide.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError, MaskError, PhotoError
from faceinp.mask import mask_pictures
from faceinp.photo import photos
from faceinp.photo.formats import SUFFIXES
from faceinp.photo.photos import Photo

Hole = Literal["white", "black"]
Bools = NDArray[np.bool_]

LISTS = (".flist", ".txt")
STEP = 10  # per cent: how wide a bin of the hidden share is


@dataclass(frozen=True)
class MaskFiles:
    """Masks in files, each with a hole and something around it.

    name: of their folder or list. files: in the order of their paths, or of the list. hole: the tone that is the hole.
    shares: the hole's part of each, in (0, 1), in the order of ``files``. left_out: files that mark nothing or
    everything.
    """

    name: str
    files: tuple[Path, ...]
    hole: Hole
    shares: tuple[float, ...] = field(repr=False)
    left_out: tuple[Path, ...] = ()

    def draw(self, number: int, size: int) -> Bools:
        """One of the masks, the same for the same arguments: bool (size, size), True = hole.

        number: which one; it is counted round, so every number has a mask. size: pixels. A picture that is not square
        is stretched. Enlarged, the mask keeps its pixels; made smaller, a pixel is hole where half of it was. A hole
        too thin for that keeps the pixels that it covers most, and a rest too thin for that likewise.
        """
        path = self.files[number % len(self.files)]
        hole = _hole(path, self.hole)
        if hole is None:
            raise DataError(f"{path} has changed: it marks no hole, or everything. Read the masks anew.")
        shrinks = size < max(hole.shape)
        how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT
        covered = cv2.resize(hole.astype(np.float32), (size, size), interpolation=how)
        # Between the least and the greatest, so that a pixel is hole and another one is not.
        return np.asarray(covered >= np.clip(0.5, np.nextafter(covered.min(), np.float32(1)), covered.max()))

    def bins(self) -> dict[str, "MaskFiles"]:
        """The masks by how much they hide, in per cent: "0-10", "10-20", ... The upper end belongs to a bin, as in
        NVIDIA's (.01, .1], (.1, .2], ...; empty ones are left out.
        """
        numbers: dict[int, list[int]] = defaultdict(list)
        for number, share in enumerate(self.shares):
            numbers[max(0, int(np.ceil(round(100 * share / STEP, 6))) - 1) * STEP].append(number)
        return {
            f"{low}-{low + STEP}": MaskFiles(
                f"{self.name} {low}-{low + STEP} %",
                tuple(self.files[number] for number in chosen),
                self.hole,
                tuple(self.shares[number] for number in chosen),
            )
            for low, chosen in sorted(numbers.items())
        }

    @property
    def about(self) -> str:
        """A sentence or two: how many they are, how they were read, how much they hide, what was left out."""
        mean, count = float(np.mean(self.shares)), f"{len(self.files):,} mask{'s' if len(self.files) > 1 else ''}"
        said = f"{count} of {self.name}: {self.hole} is the hole, which is {mean:.0%} of a mask."
        if mean > 0.5:
            other = "black" if self.hole == "white" else "white"
            said += f" That is more than half: if {other} is the hole, use --mask-hole {other}."
        if self.left_out:
            said += f" {len(self.left_out):,} were left out: they mark nothing or everything."
        return said


def read(path: str | Path, hole: str = "white") -> MaskFiles:
    """Read the masks of a folder (with all folders in it), of a list (.flist or .txt, a path a line, absolute or
    relative to the list) or of one picture.

    Every file is opened once, some 4 ms each at 512 x 512. hole: the tone that is the hole. Raises DataError where
    there is no such path or no picture, a listed file is missing, a picture is broken or is no mask, or none has a hole
    and something around it.
    """
    if hole not in ("white", "black"):
        raise DataError(f"The masks' hole must be white or black, got {hole!r}.")
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
            raise DataError(f"There is no mask in {source}. Give a folder of {', '.join(SUFFIXES)} files.")
        return files
    if not source.is_file():
        raise DataError(f"There is no folder or file {source}. Check the path of the masks.")
    if source.suffix.lower() not in LISTS:
        return [source]
    try:
        lines = [line.strip() for line in source.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{source} cannot be read as a list of masks ({error}). Give a text, a path a line.") from error
    files = [source.parent / line for line in lines if line]
    if not files:
        raise DataError(f"{source} lists no mask. Give a text with the path of a picture on each line.")
    if missing := [file for file in files if not file.is_file()]:
        raise DataError(
            f"{len(missing):,} of the {len(files):,} masks that {source} lists are missing, {missing[0]} first. "
            "Paths are absolute or relative to the list."
        )
    return files


def _hole(file: Path, hole: Hole) -> Bools | None:
    """bool (H, W), True = hole; None where it marks nothing or everything."""
    try:
        layer = photos.read(file)
        # Beside a black photo nothing is taken for a photo that was erased in part.
        marked = mask_pictures.read(layer, Photo(np.zeros_like(layer.pixels)), hole).hole
    except PhotoError as error:
        raise DataError(f"A mask cannot be read: {error}") from error
    except MaskError as error:
        if mask_pictures.is_plain(layer):
            return None
        raise DataError(f"{file} is not a mask: {error}") from error
    return marked if marked.any() and not marked.all() else None
