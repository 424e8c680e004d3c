"""Contact sheets: the first paper's figures, and samples of every table; and the report that shows them.

They show faces of research-only data sets, so they appear in the HTML report only, which stays on this machine.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from faceinp.evaluate import html
from faceinp.evaluate.engine_tables import tables, variants
from faceinp.evaluate.engine_tables.cells import Cell
from faceinp.evaluate.engine_tables.figures import Measurer
from faceinp.evaluate.engine_tables.fills import Fill, FillSpec
from faceinp.evaluate.engine_tables.plan import Case
from faceinp.evaluate.engine_tables.report import sections
from faceinp.evaluate.engine_tables.tables import ALIGNED, NATURALNESS, REDETECTED, Sheet, Table
from faceinp.mask import presets
from faceinp.photo import staging
from faceinp.photo.arrays import Bools, Pixels

DESCRIPTION = 0x010E  # EXIF tag ImageDescription
SIDE = 128  # pixels of each picture as shown
MAX_MASKS = 4  # of a table's masks in its samples
WARNING = (
    "This report shows faces from research-only data sets. Keep it on this machine: do not publish or send it, and do "
    "not commit it to a repository. The Markdown report and the cells contain figures only."
)


@dataclass(frozen=True)
class Picture:
    """A contact sheet. webp: the encoded picture, with title and heads in its metadata. heads: names of its columns."""

    name: str
    title: str
    heads: tuple[str, ...]
    webp: bytes

    def write(self, folder: Path) -> None:
        """Write NAME.webp."""
        staging.write(folder / f"{self.name}.webp", self.webp)


def read(folder: Path) -> list[Picture]:
    """All contact sheets of a folder, the first paper's figures first."""
    of_paper = {sheet.name for sheet in tables.SHEETS}
    pictures: list[Picture] = []
    for file in sorted(folder.glob("*.webp"), key=lambda file: (file.stem not in of_paper, file.stem)):
        content = file.read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            metadata = json.loads(opened.getexif()[DESCRIPTION])
        pictures.append(Picture(file.stem, metadata["title"], tuple(metadata["heads"]), content))
    return pictures


def make(requested: Sequence[Table], cases: Sequence[Case], measurer: Measurer, seed: int) -> list[Picture]:
    """The first paper's figures where its table is ``requested``, and samples of each table's first faces."""
    pictures: list[Picture] = []
    for table in requested:
        shown = [case for case in cases if case.table is table and case.spec and case.arrangement != REDETECTED]
        if not shown:
            continue
        if table.name == "Q1":
            pictures += [_draw(sheet, shown[0].subjects.name, measurer, seed) for sheet in tables.SHEETS]
        masks = tuple(dict.fromkeys(case.mask for case in shown))
        masks = masks[:: max(1, len(masks) // MAX_MASKS)]
        kind = "blended" if NATURALNESS in table.measures else "composite"
        columns = tuple((engine, kind) for engine in dict.fromkeys(case.variant.name.text for case in shown))
        rows = min(2 * len(masks), *(case.spec.count for case in shown if case.spec))
        sheet = Sheet(table.name, f"{table.title}: samples, {kind}", masks, columns, table.size, rows)
        pictures.append(_draw(sheet, shown[0].subjects.name, measurer, seed))
    return pictures


def _draw(sheet: Sheet, name: str, measurer: Measurer, seed: int) -> Picture:
    """One face per row, one mask per face; the photo, its known pixels, and the columns."""
    subjects = measurer.subjects(name, sheet.size)
    count = min(sheet.rows, len(subjects))
    usable = [mask for mask in sheet.masks if mask not in presets.OF_FACES or subjects.has_points] or ["centre"]
    masks = [usable[index % len(usable)] for index in range(count)]
    photos = [subjects.picture(index) for index in range(count)]
    holes = [subjects.hole(mask, index) for index, mask in enumerate(masks)]
    rows = [[photo, np.where(hole[..., None], np.uint8(128), photo)] for photo, hole in zip(photos, holes, strict=True)]
    engines = [engine for engine, _ in sheet.columns if engine != variants.WORN]
    measurable, skipped = variants.choose(engines, sheet.size)
    ready = [variants.WORN, *(variant.name.text for variant in measurable)]
    title = "; ".join([sheet.title, *(f"without {engine}: {reason}" for engine, reason in skipped.items())])
    columns = [(engine, kind) for engine, kind in sheet.columns if engine in ready]
    for engine, kind in columns:
        for mask in dict.fromkeys(masks):
            indices = [index for index in range(count) if masks[index] == mask]
            spec = FillSpec(name, sheet.size, engine, mask, ALIGNED, count, seed)
            for index, fill in zip(indices, measurer.fills(spec, indices), strict=True):
                rows[index].append(_result(fill, kind, photos[index], holes[index]))
    heads = ("photo", "known", *(f"{variants.Name.parse(engine).label}, {kind}" for engine, kind in columns))
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[DESCRIPTION] = json.dumps({"title": title, "heads": heads})
    pixels = np.concatenate([np.concatenate([_resize(picture) for picture in row], axis=1) for row in rows])
    Image.fromarray(pixels).save(buffer, "WEBP", quality=88, exif=exif)
    return Picture(sheet.name, title, heads, buffer.getvalue())


def _result(fill: Fill, kind: str, photo: Pixels, hole: Bools) -> Pixels:
    if fill.pixels is None:
        return np.full_like(photo, 255)
    if kind == "raw":
        return fill.at(len(photo))
    return fill.blended(photo, hole) if kind == "blended" else fill.composite(photo, hole)


def _resize(picture: Pixels) -> Pixels:
    interpolation = cv2.INTER_AREA if len(picture) > SIDE else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=interpolation), np.uint8)


# ---- the report as a single HTML file ----


def page(cells: Sequence[Cell], folder: Path, pictures: Sequence[Picture]) -> str:
    """The whole page. folder: contains the masks' thumbnails."""
    links, bodies = "", ""
    for section in sections(cells, folder):
        name, title = escape(section.name), escape(section.title)
        links += f'<li><a href="#{name}">{title}</a></li>'
        bodies += f'<h2 id="{name}">{title}</h2>\n{html.from_markdown(section.text, folder)}'
    contents = f'<ul>{links}<li><a href="#pictures">Pictures</a></li></ul>\n'
    body = f'<p class="warning">{escape(WARNING)}</p>\n{contents}{bodies}<h2 id="pictures">Pictures</h2>\n'
    return html.page("Engines on masks", body + "".join(map(_figure, pictures)))


def _figure(picture: Picture) -> str:
    heads = "".join(f'<span style="width:{SIDE}px">{escape(head)}</span>' for head in picture.heads)
    title, url = escape(picture.title), html.data_url(picture.webp, "webp")
    return (
        f'<figure><figcaption><h3>{title}</h3></figcaption><div class="wide"><div class="heads">{heads}</div>'
        f'<img alt="{title}" src="{url}"></div></figure>\n'
    )
