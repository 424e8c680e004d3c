"""The wires of the page: what happens when something on it is touched."""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp
from demo import views
from demo.editor import Original, read_editor

WORKING_SIDE = 1024  # pixels, of the copy painted on: the editor sends it whole after every stroke, the photo never
COMPARED_SIDE = 1280  # pixels, of the two pictures that are compared
UPLOAD = "64mb"
KEPT = 3600  # seconds for which uploads and results stay
QUEUED = 16


class Wanted:
    """The sessions whose fill somebody still waits for; a fill stops when its session leaves."""

    def __init__(self) -> None:
        self._sessions: set[str] = set()

    def begin(self, request: gr.Request) -> None:
        self._sessions.add(str(request.session_hash))

    def stop(self, request: gr.Request) -> None:
        self._sessions.discard(str(request.session_hash))

    def check(self, request: gr.Request) -> None:
        if str(request.session_hash) not in self._sessions:
            raise faceinp.Cancelled(views.STOPPED)


def build() -> gr.Blocks:
    """The page, wired."""
    wanted = Wanted()
    with gr.Blocks(title=views.TITLE, analytics_enabled=False, delete_cache=(KEPT // 6, KEPT)) as blocks:
        page = views.lay_out()
        original = gr.State()
        newest = gr.State()  # the file of the newest result; it goes when the next one comes

        def begin(request: gr.Request) -> tuple[Any, ...]:
            wanted.begin(request)
            return gr.update(interactive=False), gr.update(interactive=True), views.say(views.FILLING)

        def run(
            value: dict[str, Any] | None,
            original: Original | None,
            engine: str,
            aligned: bool,
            seed: int,
            older: Path | None,
            request: gr.Request,
            bar: gr.Progress = gr.Progress(),  # noqa: B008 (how Gradio asks for one)
        ) -> dict[Any, Any]:
            def progress(done: int, total: int, preview: NDArray[np.float32] | None = None) -> None:
                wanted.check(request)
                bar((done, total), desc="Filling", unit="steps")

            if original is None:
                return {page.message: views.say(views.NO_PHOTO)}
            try:
                photo, hole = read_editor(value, original)
                if not hole.any():
                    return {page.message: views.say(views.NO_STROKE)}
                started = time.perf_counter()
                filled = faceinp.fill(photo, hole, engine=engine, seed=int(seed), aligned=aligned, progress=progress)
                seconds = time.perf_counter() - started
                file = Path(tempfile.mkdtemp(dir=page.download.GRADIO_CACHE)) / f"{photo.stem}-filled.png"
                filled.save(file)
            except faceinp.FaceinpError as error:
                stopped = isinstance(error, faceinp.Cancelled)
                return {page.message: views.say(_for_people(error, original.path), error=not stopped)}
            if older:
                shutil.rmtree(older.parent, ignore_errors=True)
            pair = (_shrunk(filled.photo.pixels, COMPARED_SIDE), _shrunk(filled.image, COMPARED_SIDE))
            return {
                page.compare: pair,
                page.facts: views.state_facts(filled, seconds),
                page.download: gr.update(value=file, visible=True),
                page.message: "",
                newest: file,
            }

        def end(request: gr.Request) -> tuple[Any, ...]:
            wanted.stop(request)
            return gr.update(interactive=True), gr.update(interactive=False)

        result = [page.compare, page.facts, page.download]
        private: Any = {"api_visibility": "private"}
        page.photo.change(
            load,
            page.photo,
            [original, page.photo, page.editor, page.fill, page.another, page.message, *result],
            show_progress_on=[page.photo, page.editor],
            **private,
        )
        # The editor's bin takes the photo away, too: it is put back, and what was painted is gone.
        page.editor.clear(editors_copy, original, page.editor, **private)
        page.another.click(lambda: None, None, page.photo, queue=False, show_progress="hidden", **private)
        page.engine.change(about, page.engine, page.engine, queue=False, show_progress="hidden", **private)
        page.fill.click(
            begin, None, [page.fill, page.cancel, page.message], queue=False, show_progress="hidden", **private
        ).then(
            run,
            [page.editor, original, page.engine, page.aligned, page.seed, newest],
            [*result, page.message, newest],
            show_progress_on=page.compare,
            scroll_to_output=True,
            **private,
        ).then(end, None, [page.fill, page.cancel], queue=False, show_progress="hidden", **private)
        page.cancel.click(wanted.stop, queue=False, show_progress="hidden", **private)
        blocks.unload(wanted.stop)
    blocks.queue(default_concurrency_limit=1, max_size=QUEUED)
    return blocks


def load(file: str | None) -> tuple[Any, ...]:
    """An uploaded file -> the photo it is; the drop zone or the editor; two buttons; what to say; no result yet."""
    original, message = None, views.say(views.NO_PHOTO)
    if file:
        try:
            photo = faceinp.read_photo(file)
        except faceinp.FaceinpError as error:
            message = views.say(_for_people(error, file), error=True)
        else:
            original, message = Original(Path(file), photo.height, photo.width), views.say(views.NO_STROKE)
    there = original is not None
    return (
        original,
        gr.update(visible=not there),
        gr.update(value=_shrunk(photo.pixels, WORKING_SIDE) if there else None, visible=there),
        gr.update(interactive=there),
        gr.update(interactive=there),
        message,
        None,
        "",
        gr.update(value=None, visible=False),
    )


def editors_copy(original: Original | None) -> NDArray[np.uint8] | None:
    """The copy of a photo that is painted on."""
    return _shrunk(faceinp.read_photo(original.path).pixels, WORKING_SIDE) if original else None


def _for_people(error: faceinp.FaceinpError, file: str | Path) -> str:
    """What an error says, without the folder in which this server keeps the file."""
    if isinstance(error, faceinp.NoFaceError):
        return views.NO_FACE
    return str(error).replace(f"{Path(file).parent}{os.sep}", "")


def about(engine: str) -> Any:
    """The line under the engines."""
    return gr.update(info=views.about_engine(engine))


def serve(host: str, port: int, auth: tuple[str, str] | None = None) -> None:
    """Serve the page until it is interrupted. Nothing is shared, and nothing is fetched from elsewhere."""
    build().launch(
        server_name=host,
        server_port=port,
        auth=auth,
        share=False,
        max_file_size=UPLOAD,
        theme=views.theme(),
        css=views.CSS,
        ssr_mode=False,
        footer_links=[],
        run_history=False,
    )


def _shrunk(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """``pixels`` with no side longer than ``side``."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
