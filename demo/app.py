"""The page, put together and served."""

from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from . import (
    api,
    comparing,
    finding,
    hosting,
    loading,
    locating,
    looks,
    orders,
    other_photos,
    part_again,
    refusals,
    results,
    sessions,
    uploads,
    views,
    warming,
    words,
)

UPLOAD = "128mb"  # a photo of 50 megapixels as PNG
KEPT = 3600  # seconds after which Gradio deletes what it made itself


def build() -> gr.Blocks:
    """The page, wired."""
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, delete_cache=(KEPT // 6, KEPT)) as blocks:
        visits = sessions.Visits(blocks)
        page = views.lay_out()
        refusals.connect(blocks, page)
        loading.connect(page, visits)
        finding.connect(page, visits)
        locating.connect(page, visits)
        other_photos.connect(page, visits)
        results.connect(page, visits)
        part_again.connect(page, visits)
        comparing.connect(page, visits)
        api.connect()
        watch = gr.Timer(1.5)

        def look() -> tuple[Any, ...]:
            text, ready = warming.state()
            return words.state(text), gr.Timer(active=not ready)

        watch.tick(look, None, [page.state, watch], **orders.QUIET)
        blocks.unload(visits.leave)
        hosting.end_after_errors(blocks)
    blocks.queue(default_concurrency_limit=4, max_size=orders.AT_ONCE, api_open=False)  # nobody goes past the queue
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
        max_threads=orders.AT_ONCE + 16,  # each that looks at a job has one
        theme=looks.theme(),
        css=looks.css(),
        js=looks.script(),
        ssr_mode=False,
        footer_links=[],
        run_history=False,
        show_error=True,
        enable_monitoring=False,  # it would write an address with a key into the log
        app_kwargs={"middleware": [Middleware(hosting.Guard, rules=rules, blocks=blocks)]},
        prevent_thread_lock=True,
    )
    warming.start(judge)
    blocks.block_thread()
