"""Events of the second tab: fill one photo with several engines."""

import shutil
from collections.abc import Iterator
from typing import Any

import gradio as gr

import faceinp

from ..fills.filling import FillResult
from ..fills.jobs import Job
from ..images import pictures
from ..layout.page_layout import Page
from ..server import preload
from ..server.sessions import Visits
from ..text import result_text, strings
from .requests import FILLS, QUIET, Inputs, Updates, follow, painted_request


def connect(page: Page, visits: Visits) -> None:
    """Connect the controls that compare engines."""

    def begin() -> tuple[Any, ...]:
        return gr.update(interactive=False), gr.update(interactive=True), strings.message(strings.FILLING)

    def end() -> tuple[Any, ...]:
        return gr.update(interactive=True), gr.update(interactive=False)

    def run(inputs: Inputs, request: gr.Request) -> Iterator[Updates]:
        visit = visits.of(request)
        original = visit.original

        def start() -> Job:
            names = dict.fromkeys(inputs[page.compared])
            requests = [painted_request(page, inputs, visit, name) for name in names]
            if not requests:
                raise faceinp.EngineError(strings.NO_ENGINE)
            return visit.start(Job(requests, visit.folder, preload.judge, keep_going=True))

        cards: list[str] = []  # HTML of each outcome, drawn once

        def progress(job: Job) -> Updates:
            return {page.comparing: strings.progress(job.running), **_new_outcomes(page, job, cards)}

        job = yield from follow(visit, start, page.comparing, progress)
        if job is None:
            if visit.original is not original:
                yield clear_updates(page)
            return
        finished = job.results()
        done: Updates = {page.comparing: "", **_new_outcomes(page, job, cards)}
        if finished:
            file = str(pictures.write(_grid(finished), visit.folder, "engines.png"))
            done |= {page.grid_file: gr.update(value=file, visible=True)}
        yield done
        for result in finished:
            shutil.rmtree(result.folder, ignore_errors=True)

    page.start.click(begin, None, [page.start, page.halt, page.comparing], **QUIET).then(
        run, page.fill_inputs | {page.compared}, list(clear_updates(page)), show_progress="hidden", **FILLS
    ).then(end, None, [page.start, page.halt], **QUIET)

    def halt(request: gr.Request) -> None:
        visits.of(request).stop()

    page.halt.click(halt, None, None, **QUIET)


def clear_updates(page: Page) -> Updates:
    """Updates, one for each control of the comparison, that remove it."""
    hidden = {part: gr.update(visible=False) for part in (page.figures, page.grid_file)}
    return hidden | {page.comparing: strings.message(strings.COMPARE_FIRST), page.cards: "", page.table: ""}


def _new_outcomes(page: Page, job: Job, cards: list[str]) -> Updates:
    """Updates for outcomes that have no card yet, whose cards are added to ``cards``; empty if nothing is new."""
    outcomes = list(job.outcomes)
    if len(outcomes) == len(cards):
        return {}
    cards += map(result_text.card, outcomes[len(cards) :])
    return {
        page.cards: f'<div class="cards">{"".join(cards)}</div>{result_text.about_naturalness(outcomes)}',
        page.table: result_text.table(outcomes),
        page.figures: gr.update(visible=bool(outcomes)),
    }


def _grid(results: list[FillResult]) -> pictures.Pixels:
    """The face in the photo, with its hole, and as each engine filled it."""
    views = results[0].views
    files = [
        ("photo", views["Face"][0]),
        ("hole", views["Hole"][1]),
        *((result.engine, result.face) for result in results),
    ]
    return pictures.grid([(name, pictures.read(file).pixels) for name, file in files])
