"""The wires of the second tab: one photo and one mask through several engines."""

import shutil
from collections.abc import Iterator
from typing import Any

import gradio as gr

import faceinp

from ..fills.filling import Made
from ..fills.jobs import Job
from ..images import pictures
from ..layout.page_layout import Page
from ..server import preload
from ..server.sessions import Visits
from ..text import result_text, strings
from .requests import FILLS, QUIET, Given, Update, follow, painted_order


def connect(page: Page, visits: Visits) -> None:
    """Wire the comparison of engines."""

    def begin() -> tuple[Any, ...]:
        return gr.update(interactive=False), gr.update(interactive=True), strings.message(strings.FILLING)

    def end() -> tuple[Any, ...]:
        return gr.update(interactive=True), gr.update(interactive=False)

    def run(given: Given, request: gr.Request) -> Iterator[Update]:
        visit = visits.of(request)
        original = visit.original

        def start() -> Job:
            names = dict.fromkeys(given[page.compared])
            orders = [painted_order(page, given, visit, name) for name in names]
            if not orders:
                raise faceinp.EngineError(strings.NO_ENGINE)
            return visit.start(Job(orders, visit.folder, preload.judge, keep_going=True))

        cards: list[str] = []  # each is drawn once

        def look(job: Job) -> Update:
            return {page.comparing: strings.progress(job.running), **_made_since(page, job, cards)}

        job = yield from follow(visit, start, page.comparing, look)
        if job is None:
            if visit.original is not original:
                yield cleared(page)
            return
        made = job.made()
        done: Update = {page.comparing: "", **_made_since(page, job, cards)}
        if made:
            file = str(pictures.write(_grid(made), visit.folder, "engines.png"))
            done |= {page.grid_file: gr.update(value=file, visible=True)}
        yield done
        for one in made:
            shutil.rmtree(one.folder, ignore_errors=True)

    page.start.click(begin, None, [page.start, page.halt, page.comparing], **QUIET).then(
        run, page.order | {page.compared}, outputs(page), show_progress="hidden", **FILLS
    ).then(end, None, [page.start, page.halt], **QUIET)

    def halt(request: gr.Request) -> None:
        visits.of(request).stop()

    page.halt.click(halt, None, None, **QUIET)


def outputs(page: Page) -> list[Any]:
    """The parts that show a comparison, those of ``cleared``."""
    return [page.comparing, page.cards, page.figures, page.table, page.grid_file]


def cleared(page: Page) -> Update:
    """These parts without a comparison."""
    hidden = {part: gr.update(visible=False) for part in (page.figures, page.grid_file)}
    return hidden | {page.comparing: strings.message(strings.COMPARE_FIRST), page.cards: "", page.table: ""}


def _made_since(page: Page, job: Job, cards: list[str]) -> Update:
    """What is new since ``cards`` were drawn, to which the new ones are added; nothing where there is none."""
    outcomes = list(job.outcomes)
    if len(outcomes) == len(cards):
        return {}
    cards += map(result_text.card, outcomes[len(cards) :])
    return {
        page.cards: f'<div class="cards">{"".join(cards)}</div>{result_text.about_naturalness(outcomes)}',
        page.table: result_text.table(outcomes),
        page.figures: gr.update(visible=bool(outcomes)),
    }


def _grid(made: list[Made]) -> pictures.Pixels:
    """The face as it was, under its hole, and as each engine filled it."""
    views = made[0].views
    files = [("photo", views["Face"][0]), ("hole", views["Hole"][1]), *((one.engine, one.face) for one in made)]
    return pictures.grid([(name, pictures.read(file).pixels) for name, file in files])
