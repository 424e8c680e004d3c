"""The page, put together and served."""

from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from .api import endpoints
from .events import (
    choose_face,
    clear_errors,
    compare_engines,
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
KEPT = 3600  # seconds after which Gradio deletes what it made itself


def build() -> gr.Blocks:
    """The page, wired."""
    with gr.Blocks(title=strings.TITLE, analytics_enabled=False, delete_cache=(KEPT // 6, KEPT)) as blocks:
        visits = sessions.Visits(blocks)
        page = page_layout.lay_out()
        clear_errors.connect(blocks, page)
        load_photo.connect(page, visits)
        propose_mask.connect(page, visits)
        choose_face.connect(page, visits)
        other_photos.connect(page, visits)
        results.connect(page, visits)
        refill_part.connect(page, visits)
        compare_engines.connect(page, visits)
        endpoints.connect()
        watch = gr.Timer(1.5)

        def look() -> tuple[Any, ...]:
            text, ready = preload.state()
            return strings.server_state(text), gr.Timer(active=not ready)

        watch.tick(look, None, [page.state, watch], **requests.QUIET)
        blocks.unload(visits.leave)
        hosting.end_after_errors(blocks)
    blocks.queue(default_concurrency_limit=4, max_size=requests.AT_ONCE, api_open=False)  # nobody goes past the queue
    hosting.take_calmly(blocks)
    uploads.take_over()
    visits.keep_swept()
    return blocks


def serve(
    host: str,
    port: int,
    auth: tuple[str, str] | None = None,
    judge: str = "auto",
    rules: hosting.Rules = hosting.Rules(),  # noqa: B008 (nothing changes it)
) -> None:
    """Serve the page until it is interrupted. Nothing is shared, and nothing is fetched from elsewhere."""
    blocks = build()
    blocks.launch(
        server_name=host,
        server_port=port,
        auth=auth,
        share=False,
        max_file_size=UPLOAD,
        max_threads=requests.AT_ONCE + 16,  # each that looks at a job has one
        theme=theme.theme(),
        css=theme.css(),
        js=theme.script(),
        ssr_mode=False,
        footer_links=[],
        run_history=False,
        show_error=True,
        enable_monitoring=False,  # it would write an address with a key into the log
        app_kwargs={"middleware": [Middleware(hosting.Guard, rules=rules, blocks=blocks)]},
        prevent_thread_lock=True,
    )
    preload.start(judge)
    blocks.block_thread()
