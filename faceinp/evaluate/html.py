"""Reports as a single HTML file that contains its pictures."""

import base64
import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #222; }
.warning { border-left: .3rem solid #b3261e; padding: .6rem 1rem; background: #fceeed; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1.5rem; white-space: nowrap; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
th img { display: block; margin-left: auto; }
figure { margin: 1rem 0 2rem; }
.heads { display: flex; font-size: 12px; }
.heads span { flex: none; overflow-wrap: anywhere; padding: 0 .2rem; box-sizing: border-box; }
code { font-size: 90%; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; }
@media (max-width: 40rem) { td:first-child { white-space: normal; min-width: 7rem; max-width: 35vw; } }
"""


def page(title: str, body: str) -> str:
    """A whole page. body: HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>faceinp: {escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


def from_markdown(markdown: str, folder: Path) -> str:
    """Markdown as HTML: wide tables scroll, and pictures in ``folder`` are embedded."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    html = html.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return re.sub(r'src="([^":]+)"', lambda match: f'src="{data_url((folder / match[1]).read_bytes(), "png")}"', html)


def data_url(content: bytes, kind: str) -> str:
    """A data URL of a picture. kind: such as "png"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
