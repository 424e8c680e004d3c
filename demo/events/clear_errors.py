"""What was refused is said until the visitor goes on to something else: wherever it stands, it goes then."""

from typing import Any

import gradio as gr

from ..layout.page_layout import Page
from .requests import QUIET

AWAY = """(...said) => said.map((one) => one?.includes('role="alert"') ? '' : one)"""


def connect(blocks: gr.Blocks, page: Page) -> None:
    """Have every button, and every place that takes files, take away what was refused before; other messages stay.

    To be called before anything else is wired: Gradio runs what an event starts in the order in which it was wired,
    each after the one before it has ended, and what is refused then must stay. What to click next ("Which face?")
    stays, too: without it nobody could go on there.
    """
    parts = list(blocks.blocks.values())
    starts: list[Any] = [part.upload for part in parts if isinstance(part, gr.File | gr.UploadButton)]
    starts += [part.click for part in parts if isinstance(part, gr.Button | gr.DownloadButton)]
    said = messages(page)
    gr.on(starts, None, said, said, js=AWAY, **QUIET)


def messages(page: Page) -> list[Any]:
    """The parts of the page that say why something is refused."""
    return [page.refused, page.message, page.find.message, page.others_message, page.part.message, page.comparing]
