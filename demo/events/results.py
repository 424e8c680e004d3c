"""The wires of a fill: what runs, what is shown meanwhile, and what comes of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ..fills import filling
from ..fills.filling import Made, ranked, with_seeds
from ..fills.jobs import Job
from ..images import pictures
from ..layout import part_controls
from ..layout.page_layout import MASK_STEP, RESULT_STEP, Page
from ..server import preload
from ..server.sessions import Visit, Visits
from ..text import result_text, strings
from . import move_landmarks, other_photos
from .requests import CHOICE, FILLS, QUIET, Given, Update, follow, painted_order

# Who uses the keyboard goes on from the step that has come; a refusal is said beside the button, which keeps the focus.
FOCUS = """(...given) => {
  setTimeout(() => {
    if (document.querySelector('#message .error')) return;
    document.querySelector('#board').scrollIntoView({block: 'start'});
    document.querySelector('#steps [aria-current]')?.focus({preventScroll: true});
  }, 60);
  return given;
}"""


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that start a fill and show its result."""
    parts = shown_parts(page)
    buttons = [page.fill, page.landmarks.again, page.another, page.cancel]

    def begin() -> tuple[Any, ...]:
        return *(gr.update(interactive=False) for _ in buttons[:2]), gr.skip(), gr.update(interactive=True), ""

    def end(request: gr.Request) -> tuple[Any, ...]:
        there = visits.of(request).original is not None
        return *(gr.update(interactive=there) for _ in buttons[:3]), gr.update(interactive=False), ""

    def filler(moved: bool) -> Any:
        """The function behind a button. moved: the landmarks, as they were moved, lead the fill."""

        def run(given: Given, request: gr.Request) -> Iterator[Update]:
            visit = visits.of(request)
            if visit.original is None:  # it was put away between the press and its turn
                yield {page.running: ""}
                return

            def start() -> Job:
                points = move_landmarks.read_moved(visit, given[page.landmarks.face]) if moved else None
                first = painted_order(page, given, visit)
                if points is not None:  # real pixels show the expression that was to change
                    first = replace(first, landmarks=points, symmetry=False, references=())
                return visit.start(Job(with_seeds(first, int(given[page.candidates])), visit.folder, preload.judge))

            job = yield from follow(
                visit, start, page.message, lambda job: {page.running: strings.progress(job.running)}
            )
            if job is not None:
                made = ranked(job.made())
                visit.replace(move_landmarks.moved_on(made, visit) if moved else made)
                message = strings.message(strings.ONE_VARIANT if job.equal else "")
                yield {**shown(page, visit), page.message: message}

        return run

    def cancel(request: gr.Request) -> None:
        visits.of(request).stop()

    def back() -> tuple[Any, ...]:
        return (
            strings.steps(MASK_STEP),
            gr.update(value=strings.FILL, variant="primary"),
            strings.message(strings.MARKED),
        )

    def view(name: str, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        if not visit.made:
            return gr.skip(), gr.skip()
        made = visit.made[visit.shown]
        return _pair(made, name), result_text.legend(made, name)

    def pick(view: str, event: gr.SelectData, request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        if not 0 <= int(event.index) < len(visit.made):
            return {page.facts: gr.skip()}
        visit.show(int(event.index))
        return {**shown(page, visit, view), page.gallery: gr.skip()}

    for button, moved in ((page.fill, False), (page.landmarks.again, True)):
        button.click(begin, None, [*buttons, page.message], **QUIET).then(
            filler(moved),
            page.order | {page.candidates, page.landmarks.face},
            [*parts, page.running, page.message],
            show_progress="hidden",
            **FILLS,
        ).then(end, None, [*buttons, page.running], js=FOCUS, **QUIET)
    page.cancel.click(cancel, None, None, **QUIET)
    page.back.click(back, None, [page.steps, page.fill, page.message], js=FOCUS, **QUIET)
    page.view.input(view, page.view, [page.compare, page.legend], **CHOICE)
    page.gallery.select(pick, page.view, parts, **QUIET)

    def about(engine: str, request: gr.Request) -> tuple[Any, ...]:
        original = visits.of(request).original
        return (
            gr.update(info=strings.about_engine(engine, original.height * original.width if original else None)),
            gr.update(visible=engine in filling.SEARCHES),
            filling.completes_faces(engine),
        )

    page.engine.change(about, page.engine, [page.engine, page.iterations, page.symmetry], **QUIET)
    move_landmarks.connect(page)


def outputs(page: Page) -> list[Any]:
    """The parts that show a result, those of ``cleared``."""
    parts: list[Any] = [page.steps, page.compare, page.view, page.legend, page.gallery, page.outcome, page.download]
    return [
        *parts,
        page.identity,
        page.facts,
        page.details,
        page.fill,
        *page.part.outputs,
        *move_landmarks.outputs(page),
    ]


def shown_parts(page: Page) -> list[Any]:
    """The parts that ``shown`` has something for."""
    return [*outputs(page), *other_photos.outputs(page)]


def cleared(page: Page) -> Update:
    """These parts without a result."""
    hidden = (page.view, page.download, page.details)
    return (
        {page.compare: None, page.gallery: gr.update(value=None, visible=False)}
        | dict.fromkeys((page.legend, page.outcome, page.identity, page.facts), "")
        | part_controls.closed(page.part)
        | {part: gr.update(visible=False) for part in hidden}
        | move_landmarks.cleared(page)
    )


def _pair(made: Made, view: str) -> tuple[str, str]:
    first, second = made.views.get(view, made.views[pictures.VIEWS[0]])
    return str(first), str(second)


def _switch(visit: Visit) -> Any:
    """The button that shows the result before a part was filled again, or the one after it."""
    if visit.other is None:
        return gr.update(visible=False)
    earlier = visit.other > visit.shown  # the newest comes first
    return gr.update(value=strings.SHOW_EARLIER if earlier else strings.SHOW_NEWER, visible=True)


def shown(page: Page, visit: Visit, view: str = "") -> Update:
    """The result that is shown. view: which of its views; the one that shows most of it, if empty."""
    made = visit.made[visit.shown]
    view = view or made.first_view
    faces = (str(one.face) for one in visit.made)
    items = list(zip(faces, result_text.captions(visit.made), strict=True))
    return {
        page.steps: strings.steps(RESULT_STEP),
        page.compare: _pair(made, view),
        page.view: gr.update(value=view, visible=True),
        page.legend: result_text.legend(made, view),
        page.gallery: gr.update(
            value=items if len(items) > 1 else None, visible=len(items) > 1, label=result_text.variants(visit.made)
        ),
        page.outcome: result_text.outcome(made),
        page.facts: result_text.facts(made),
        page.details: gr.update(visible=True),
        page.identity: result_text.identity(made),
        page.download: gr.update(value=str(made.file), visible=True),
        page.fill: gr.update(value=strings.FILL_AGAIN, variant="secondary"),
        **part_controls.closed(page.part),
        page.part.switch: _switch(visit),
        **other_photos.shown(page, visit),
        **move_landmarks.shown(page, visit),
    }
