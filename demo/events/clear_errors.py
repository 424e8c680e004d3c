"""Remove error messages when the visitor does something else."""

from typing import Any

import gradio as gr

from ..layout.page_layout import Page
from .requests import QUIET

CLEAR_ERRORS = """(...messages) => messages.map((html) => html?.includes('role="alert"') ? '' : html)"""


def connect(blocks: gr.Blocks, page: Page) -> None:
    """Remove earlier error messages when a button is clicked or a file is uploaded; other messages stay.

    Call it before all other events are connected: Gradio runs the handlers of an event in that order, and the errors of
    later ones must stay. The hint what to click next under "Which face?" stays as well.
    """
    parts = list(blocks.blocks.values())
    starts: list[Any] = [part.upload for part in parts if isinstance(part, gr.File | gr.UploadButton)]
    starts += [part.click for part in parts if isinstance(part, gr.Button | gr.DownloadButton)]
    shown = [page.refused, page.message, page.find.message, page.others_message, page.part.message, page.comparing]
    gr.on(starts, None, shown, shown, js=CLEAR_ERRORS, **QUIET)
