"""The report with pictures, as a single HTML file."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from faceinp.evaluate import html
from faceinp.evaluate.engine_tables.cells import Cell
from faceinp.evaluate.engine_tables.report import sections
from faceinp.evaluate.engine_tables.sheets import SIDE, Picture

WARNING = (
    "This report shows faces from research-only data sets. Keep it on this machine: do not publish or send it, and do "
    "not commit it to a repository. The Markdown report and the cells contain figures only."
)


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
