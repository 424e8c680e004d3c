"""Events of a fill: start it, follow its progress, and show its result."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ..fills import filling
from ..fills.filling import FillResult, ranked, with_seeds
from ..fills.jobs import Job
from ..images import pictures
from ..layout.page_layout import MASK_STEP, RESULT_STEP, Page
from ..server import preload
from ..server.sessions import Visit, Visits
from ..text import part_text, result_text, strings
from . import move_landmarks, other_photos
from .requests import CHOICE, QUIET, Inputs, Updates, follow, on_fill, painted_request

# Moves the keyboard focus to the new step. After an error, which is shown beside the button, the focus stays there.
FOCUS = """(...values) => {
  setTimeout(() => {
    if (document.querySelector('#message .error')) return;
    document.querySelector('#board').scrollIntoView({block: 'start'});
    document.querySelector('#steps [aria-current]')?.focus({preventScroll: true});
  }, 60);
  return values;
}"""


def connect(page: Page, visits: Visits) -> None:
    """Connect the controls that start a fill and show its result."""
    result_controls = shown_parts(page)

    def filler(moved: bool) -> Any:
        """The function of a button. moved: whether moved landmarks guide the fill."""

        def run(inputs: Inputs, request: gr.Request) -> Iterator[Updates]:
            visit = visits.of(request)
            if visit.original is None:  # removed while the fill waited
                yield {page.running: ""}
                return

            def start() -> Job:
                points = move_landmarks.read_moved(visit, inputs[page.landmarks.face]) if moved else None
                fill_request = painted_request(page, inputs, visit)
                if points is not None:  # mirrored and copied pixels would show the old expression
                    fill_request = replace(fill_request, landmarks=points, symmetry=False, references=())
                return visit.start(
                    Job(with_seeds(fill_request, int(inputs[page.candidates])), visit.folder, preload.judge)
                )

            job = yield from follow(
                visit, start, page.message, lambda job: {page.running: strings.progress(job.running)}
            )
            if job is not None:
                ranking = ranked(job.results())
                visit.replace(move_landmarks.moved_on(ranking, visit) if moved else ranking)
                message = strings.message(strings.ONE_VARIANT if job.equal else "")
                yield {**show_updates(page, visit), page.message: message}

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
        if not visit.results:
            return gr.skip(), gr.skip()
        result = visit.result
        return _pair(result, name), result_text.legend(result, name)

    def pick(view: str, event: gr.SelectData, request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        if not 0 <= int(event.index) < len(visit.results):
            return {page.facts: gr.skip()}
        visit.show(int(event.index))
        return {**show_updates(page, visit, view), page.gallery: gr.skip()}

    inputs = page.fill_inputs | {page.candidates, page.landmarks.face}
    for button, moved in ((page.fill, False), (page.landmarks.again, True)):
        on_fill(page, visits, button, filler(moved), inputs, [*result_controls, page.running, page.message], FOCUS)
    page.cancel.click(cancel, None, None, **QUIET)
    page.back.click(back, None, [page.steps, page.fill, page.message], js=FOCUS, **QUIET)
    page.view.input(view, page.view, [page.compare, page.legend], **CHOICE)
    page.gallery.select(pick, page.view, result_controls, **QUIET)

    def about(engine: str, request: gr.Request) -> tuple[Any, ...]:
        original = visits.of(request).original
        return (
            gr.update(info=strings.about_engine(engine, original.height * original.width if original else None)),
            gr.update(visible=engine in filling.SEARCHES),
            filling.completes_faces(engine),
        )

    page.engine.change(about, page.engine, [page.engine, page.iterations, page.symmetry], **QUIET)
    page.landmarks.reset.click(None, None, page.landmarks.face, js="() => null", **QUIET)  # it happens in the browser


def shown_parts(page: Page) -> list[Any]:
    """The controls of ``show_updates``."""
    return [page.steps, page.fill, *clear_updates(page), *other_photos.outputs(page)]


def clear_updates(page: Page) -> Updates:
    """Updates that remove the result."""
    hidden = (page.view, page.download, page.details)
    return (
        {page.compare: None, page.gallery: gr.update(value=None, visible=False)}
        | dict.fromkeys((page.legend, page.outcome, page.identity, page.facts), "")
        | page.part.closed()
        | {part: gr.update(visible=False) for part in hidden}
        | move_landmarks.clear_updates(page)
    )


def _pair(result: FillResult, view: str) -> tuple[str, str]:
    first, second = result.views.get(view, result.views[pictures.VIEWS[0]])
    return str(first), str(second)


def _switch(visit: Visit) -> Any:
    """The update of the button that switches between the results before and after a part was filled again."""
    if visit.other_index is None:
        return gr.update(visible=False)
    earlier = visit.other_index > visit.result_index  # the newest comes first
    return gr.update(value=part_text.SHOW_EARLIER if earlier else part_text.SHOW_NEWER, visible=True)


def show_updates(page: Page, visit: Visit, view: str = "") -> Updates:
    """Updates that show the current result. view: the name of a view; empty for the first view of the result."""
    result = visit.result
    view = view or result.first_view
    faces = (str(result.face) for result in visit.results)
    items = list(zip(faces, result_text.captions(visit.results), strict=True))
    return {
        page.steps: strings.steps(RESULT_STEP),
        page.compare: _pair(result, view),
        page.view: gr.update(value=view, visible=True),
        page.legend: result_text.legend(result, view),
        page.gallery: gr.update(
            value=items if len(items) > 1 else None, visible=len(items) > 1, label=result_text.variants(visit.results)
        ),
        page.outcome: result_text.outcome(result),
        page.facts: result_text.facts(result),
        page.details: gr.update(visible=True),
        page.identity: result_text.identity(result),
        page.download: gr.update(value=str(result.file), visible=True),
        page.fill: gr.update(value=strings.FILL_AGAIN, variant="secondary"),
        **page.part.closed(),
        page.part.switch: _switch(visit),
        **other_photos.show_updates(page, visit),
        **move_landmarks.show_updates(page, visit),
    }
