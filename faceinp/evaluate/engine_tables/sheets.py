"""Pictures beside the tables: the first paper's figures, and samples of every table that was made.

They show faces of research-only sets: they stand in the HTML report, which stays on this machine, and nowhere else.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceinp.common import staging
from faceinp.evaluate.engine_tables import tables, variants
from faceinp.evaluate.engine_tables.figures import Measurer
from faceinp.evaluate.engine_tables.fills import Fill, Order
from faceinp.evaluate.engine_tables.tables import ALIGNED, FOUND, NATURALNESS, Sheet, Table
from faceinp.mask import presets

if TYPE_CHECKING:
    from faceinp.evaluate.engine_tables.plan import Row

Pixels = NDArray[np.uint8]

KNOWN = tuple(tables.TABLES)
DESCRIPTION = 0x010E  # of Exif: ImageDescription
SIDE = 128  # of each picture as shown
SAMPLED = 4  # holes of a table that are shown


@dataclass(frozen=True)
class Picture:
    """A sheet as it is shown: webp is the encoded picture, heads the names of its columns."""

    name: str
    title: str
    heads: tuple[str, ...]
    webp: bytes

    def write(self, folder: Path) -> None:
        """As NAME.webp, which says in its metadata what it shows."""
        staging.write(folder / f"{self.name}.webp", self.webp)


def read(folder: Path) -> list[Picture]:
    """All that was written into a folder, the first paper's figures first."""
    found = []
    for file in sorted(folder.glob("*.webp"), key=lambda file: (file.stem in KNOWN, file.stem)):
        content = file.read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            told = json.loads(opened.getexif()[DESCRIPTION])
        found.append(Picture(file.stem, told["title"], tuple(told["heads"]), content))
    return found


def make(wanted: Sequence[Table], rows: Sequence["Row"], measurer: Measurer, seed: int) -> list[Picture]:
    """Of the first paper's figures where its table is ``wanted``, and of each table's first faces."""
    made: list[Picture] = []
    for table in wanted:
        mine = [row for row in rows if row.table is table and row.order and row.arrangement != FOUND]
        if not mine:
            continue
        if table.name == "Q1":
            made += [_drawn(sheet, mine[0].set, measurer, seed) for sheet in tables.SHEETS]
        masks = tuple(dict.fromkeys(row.mask for row in mine))
        engines = tuple(dict.fromkeys(row.variant.name.text for row in mine))
        shown = masks[:: max(1, len(masks) // SAMPLED)]
        kind = "blended" if NATURALNESS in table.measures else "composite"
        columns = tuple((engine, kind) for engine in engines)
        rows_shown = min(2 * len(shown), *(row.order.count for row in mine if row.order))
        sheet = Sheet(table.name, f"{table.title}: samples, {kind}", shown, columns, table.size, rows_shown)
        made.append(_drawn(sheet, mine[0].set, measurer, seed))
    return made


def _drawn(sheet: Sheet, name: str, measurer: Measurer, seed: int) -> Picture:
    """Faces down, one hole a face; the photo, what is known of it, and the columns."""
    subjects = measurer.subjects(name, sheet.size)
    count = min(sheet.rows, len(subjects.chosen))
    lines: list[list[Pixels]] = []
    masks = [mask for mask in sheet.masks if mask not in presets.OF_FACES or subjects.pointed] or ["centre"]
    for place in range(count):
        photo, hole = subjects.picture(place), subjects.hole(masks[place % len(masks)], place)
        lines.append([photo, np.where(hole[..., None], np.uint8(128), photo)])
    engines = [engine for engine, _ in sheet.columns if engine != variants.WORN]
    measurable, skipped = variants.choose(engines, sheet.size)
    ready = [variants.WORN, *(variant.name.text for variant in measurable)]
    title = "; ".join([sheet.title, *(f"without {engine}: {reason}" for engine, reason in skipped.items())])
    columns = [(engine, kind) for engine, kind in sheet.columns if engine in ready]
    for engine, kind in columns:
        for mask in dict.fromkeys(masks):
            places = tuple(place for place in range(count) if masks[place % len(masks)] == mask)
            if not places:
                continue
            order = Order(name, sheet.size, engine, mask, ALIGNED, count, seed)
            for place, fill in zip(places, measurer.fills(order, places), strict=True):
                lines[place].append(_shown(fill, kind, subjects.picture(place), subjects.hole(mask, place)))
    content = io.BytesIO()
    grid = np.concatenate([np.concatenate([_sized(part) for part in line], axis=1) for line in lines])
    heads = ("photo", "known", *(f"{variants.Name.parse(engine).label}, {kind}" for engine, kind in columns))
    exif = Image.Exif()
    exif[DESCRIPTION] = json.dumps({"title": title, "heads": heads})
    Image.fromarray(grid).save(content, "WEBP", quality=88, exif=exif)
    return Picture(sheet.name, title, heads, content.getvalue())


def _shown(fill: Fill, kind: str, photo: Pixels, hole: NDArray[np.bool_]) -> Pixels:
    if fill.pixels is None:
        return np.full_like(photo, 255)
    if kind == "raw":
        return fill.at(len(photo))
    if kind == "blended":
        return fill.blended(photo, hole)
    return fill.composite(photo, hole)


def _sized(picture: Pixels) -> Pixels:
    way = cv2.INTER_AREA if len(picture) > SIDE else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=way), np.uint8)
