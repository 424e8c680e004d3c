"""Build the page and serve it."""

from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from .api import endpoints
from .events import (
    choose_face,
    compare_engines,
    edit_mask,
    load_photo,
    other_photos,
    propose_mask,
    refill_part,
    requests,
    results,
)
from .layout import page_layout, theme
from .server import hosting, preload, sessions, uploads
from .text import strings

UPLOAD = "128mb"  # a photo of 50 megapixels as PNG
EVENTS: tuple[Any, ...] = (  # in the order in which Gradio runs those of one control
    *(load_photo, edit_mask, propose_mask, choose_face, other_photos),
    *(results, refill_part, compare_engines),
)
KEPT = 3600  # seconds until Gradio deletes its own files


def build() -> gr.Blocks:
    """The page with all its events."""
    blocks = gr.Blocks(title=strings.TITLE, analytics_enabled=False, delete_cache=(KEPT // 6, KEPT))
    with blocks:
        visits = sessions.Visits(blocks)
        page = page_layout.Page()
        requests.clear_errors(blocks, page)
        for events in EVENTS:
            events.connect(page, visits)
        endpoints.connect()
        timer = gr.Timer(1.5)

        def show_state() -> tuple[Any, ...]:
            text, ready = preload.state()
            return strings.server_state(text), gr.Timer(active=not ready)

        timer.tick(show_state, None, [page.state, timer], **requests.QUIET)
        blocks.unload(visits.leave)
        hosting.end_after_errors(blocks)
    blocks.queue(default_concurrency_limit=4, max_size=requests.AT_ONCE, api_open=False)  # nobody skips the queue
    hosting.log_bad_arguments(blocks)
    uploads.replace_gradio_uploads()
    visits.start_sweeping()
    return blocks


def serve(
    host: str,
    port: int,
    auth: tuple[str, str] | None = None,
    judge: str = "auto",
    rules: hosting.Rules = hosting.Rules(),  # noqa: B008 (immutable)
) -> None:
    """Serve the page until it is interrupted. The server makes no outbound requests."""
    blocks = build()
    blocks.launch(
        server_name=host,
        server_port=port,
        auth=auth,
        share=False,
        max_file_size=UPLOAD,
        max_threads=requests.AT_ONCE + 16,  # one for each job that is followed
        theme=theme.theme(),
        css=theme.css(),
        js=theme.script(),
        ssr_mode=False,
        footer_links=[],
        run_history=False,
        show_error=True,
        enable_monitoring=False,  # it would log an address with a key
        app_kwargs={"middleware": [Middleware(hosting.Guard, rules=rules, blocks=blocks)]},
        prevent_thread_lock=True,
    )
    preload.start(judge)
    blocks.block_thread()
