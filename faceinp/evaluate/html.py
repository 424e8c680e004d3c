"""The report as one file of HTML that needs nothing else: tables, and pictures as data in it."""

import base64
import re
from collections.abc import Sequence
from html import escape

from faceinp.evaluate.cells import Cell
from faceinp.evaluate.report import Grid, Section, sections
from faceinp.evaluate.sheets import SIDE, Picture

WARNING = (
    "This report shows faces of sets that are for research only. It stays on this machine: do not publish it, send it, "
    "or put it into a repository. The Markdown report and the cells hold figures alone."
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #222; }
.warning { border-left: .3rem solid #b3261e; padding: .6rem 1rem; background: #fceeed; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1.5rem; white-space: nowrap; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
figure { margin: 1rem 0 2rem; }
.heads { display: flex; font-size: 12px; }
.heads span { flex: none; overflow-wrap: anywhere; padding: 0 .2rem; box-sizing: border-box; }
code { font-size: 90%; }
"""


def page(cells: Sequence[Cell], pictures: Sequence[Picture]) -> str:
    """The whole file."""
    told = sections(cells)
    contents = "".join(f'<li><a href="#{escape(section.name)}">{escape(section.title)}</a></li>' for section in told)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>faceinp: engines on holes</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n<h1>Engines on holes</h1>\n"
        f'<p class="warning">{escape(WARNING)}</p>\n<ul>{contents}<li><a href="#pictures">Pictures</a></li></ul>\n'
        + "".join(map(_section, told))
        + '<h2 id="pictures">Pictures</h2>\n'
        + "".join(map(_picture, pictures))
        + "</body></html>\n"
    )


def _section(section: Section) -> str:
    notes = "".join(f"<p>{_inline(note)}</p>" for note in section.notes)
    grids = "".join(map(_grid, section.grids))
    return (
        f'<h2 id="{escape(section.name)}">{escape(section.title)}</h2>\n<p>{_inline(section.about)}</p>{grids}{notes}\n'
    )


def _grid(grid: Grid) -> str:
    heads = "".join(f"<th>{_inline(head)}</th>" for head in grid.heads)
    rows = "".join(f"<tr>{''.join(f'<td>{_inline(entry)}</td>' for entry in row)}</tr>\n" for row in grid.rows)
    return f'<h3>{_inline(grid.title)}</h3><div class="wide"><table><tr>{heads}</tr>\n{rows}</table></div>\n'


def _picture(picture: Picture) -> str:
    heads = "".join(f'<span style="width:{SIDE}px">{escape(head)}</span>' for head in picture.heads)
    data = base64.b64encode(picture.webp).decode()
    return (
        f'<figure><figcaption><h3>{escape(picture.title)}</h3></figcaption><div class="wide"><div class="heads">{heads}'
        f'</div><img alt="{escape(picture.title)}" src="data:image/webp;base64,{data}"></div></figure>\n'
    )


def _inline(text: str) -> str:
    """Our Markdown's few signs: `code`, **bold**, *italic*."""
    text = escape(text)
    for mark, tag in (("`", "code"), (r"\*\*", "b"), (r"\*", "i")):
        text = re.sub(rf"{mark}(.+?){mark}", rf"<{tag}>\1</{tag}>", text)
    return text
