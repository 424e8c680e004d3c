"""The report with pictures, as one file of HTML."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from faceinp.evaluate import html
from faceinp.evaluate.engine_tables.cells import Cell
from faceinp.evaluate.engine_tables.report import Section, sections
from faceinp.evaluate.engine_tables.sheets import SIDE, Picture

WARNING = (
    "This report shows faces of sets that are for research only. It stays on this machine: do not publish it, send it, "
    "or put it into a repository. The Markdown report and the cells hold figures alone."
)


def page(cells: Sequence[Cell], folder: Path, pictures: Sequence[Picture]) -> str:
    """The whole file; folder: where the masks' thumbnails lie."""
    told = sections(cells, folder)
    contents = "".join(f'<li><a href="#{escape(section.name)}">{escape(section.title)}</a></li>' for section in told)
    parts = [
        f'<p class="warning">{escape(WARNING)}</p>\n<ul>{contents}<li><a href="#pictures">Pictures</a></li></ul>\n',
    ]
    parts += [_section(section, folder) for section in told]
    parts += ['<h2 id="pictures">Pictures</h2>\n', *map(_picture, pictures)]
    return html.page("Engines on holes", "".join(parts))


def _section(section: Section, folder: Path) -> str:
    title = f'<h2 id="{escape(section.name)}">{escape(section.title)}</h2>\n'
    return title + html.rendered(section.text, folder)


def _picture(picture: Picture) -> str:
    heads = "".join(f'<span style="width:{SIDE}px">{escape(head)}</span>' for head in picture.heads)
    return (
        f'<figure><figcaption><h3>{escape(picture.title)}</h3></figcaption><div class="wide"><div class="heads">{heads}'
        f'</div><img alt="{escape(picture.title)}" src="{html.data(picture.webp, "webp")}"></div></figure>\n'
    )
