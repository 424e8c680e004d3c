"""The wires of a fill: what runs, what is shown meanwhile, and what comes of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from demo import filling, other_photos, pictures, result_words, warming, words
from demo.filling import Made, ranked, with_seeds
from demo.jobs import Job
from demo.orders import FILLS, QUIET, Given, Update, follow, painted_order
from demo.sessions import Visit, Visits
from demo.views import MASK_STEP, RESULT_STEP, Page

# Who uses the keyboard goes on from the step that has come; a refusal is said beside the button.
FOCUS = """(...given) => {
  setTimeout(() => {
    const refused = document.querySelector('#message .error');
    if (!refused) document.querySelector('#board').scrollIntoView({block: 'start'});
    document.querySelector(refused ? '#fill' : '#steps [aria-current]')?.focus({preventScroll: true});
  }, 60);
  return given;
}"""


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that start a fill and show its result."""
    shown = [*outputs(page), page.landmarks, *other_photos.outputs(page)]
    buttons = [page.fill, page.again, page.another, page.cancel]

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
                first = replace(painted_order(page, given, visit), landmarks=visit.points if moved else None)
                return visit.start(Job(with_seeds(first, int(given[page.candidates])), visit.folder, warming.judge))

            job = yield from follow(visit, start, page.message, lambda job: {page.running: words.progress(job.running)})
            if job is not None:
                visit.replace(ranked(job.made()))
                message = words.say(words.EQUAL if job.equal else "")
                yield {**_show(page, visit), **_draw(page, visit), page.message: message}

        return run

    def cancel(request: gr.Request) -> None:
        visits.of(request).stop()

    def back() -> tuple[Any, ...]:
        return words.steps(MASK_STEP), gr.update(value=words.FILL, variant="primary"), words.say(words.MARKED)

    def view(name: str, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        if not visit.made:
            return gr.skip(), gr.skip()
        made = visit.made[visit.shown]
        return _pair(made, name), result_words.legend(made, name)

    def pick(view: str, event: gr.SelectData, request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        if not 0 <= int(event.index) < len(visit.made):
            return {page.facts: gr.skip()}
        visit.shown, visit.picked = int(event.index), None
        visit.points = visit.made[visit.shown].landmarks
        return {**_show(page, visit, view), **_draw(page, visit), page.gallery: gr.skip()}

    for button, moved in ((page.fill, False), (page.again, True)):
        button.click(begin, None, [*buttons, page.message], **QUIET).then(
            filler(moved),
            page.order | {page.candidates},
            [*shown, page.running, page.message],
            show_progress="hidden",
            **FILLS,
        ).then(end, None, [*buttons, page.running], js=FOCUS, **QUIET)
    page.cancel.click(cancel, None, None, **QUIET)
    page.back.click(back, None, [page.steps, page.fill, page.message], js=FOCUS, **QUIET)
    page.view.input(view, page.view, [page.compare, page.legend], **QUIET)
    page.gallery.select(pick, page.view, shown, **QUIET)

    def about(engine: str, request: gr.Request) -> tuple[Any, ...]:
        original = visits.of(request).original
        return (
            gr.update(info=words.about_engine(engine, original.height * original.width if original else None)),
            gr.update(visible=engine in filling.SEARCHES),
            filling.completes_faces(engine),
        )

    page.engine.change(about, page.engine, [page.engine, page.iterations, page.symmetry], **QUIET)
    _connect_landmarks(page, visits)


def outputs(page: Page) -> list[Any]:
    """The parts that show a result, those of ``cleared``."""
    parts: list[Any] = [page.steps, page.compare, page.view, page.legend, page.gallery, page.outcome, page.download]
    return [*parts, page.identity, page.facts, page.details, page.landmarks_box, page.fill]


def cleared(page: Page) -> Update:
    """These parts without a result."""
    hidden = (page.view, page.download, page.details, page.landmarks_box)
    return (
        {page.compare: None, page.gallery: gr.update(value=None, visible=False)}
        | dict.fromkeys((page.legend, page.outcome, page.identity, page.facts), "")
        | {part: gr.update(visible=False) for part in hidden}
    )


def _pair(made: Made, view: str) -> tuple[str, str]:
    first, second = made.views.get(view, made.views[pictures.VIEWS[0]])
    return str(first), str(second)


def _show(page: Page, visit: Visit, view: str = "") -> dict[Any, Any]:
    made = visit.made[visit.shown]
    view = view or made.first_view
    items = [(str(one.face), result_words.caption(place, one)) for place, one in enumerate(visit.made, 1)]
    return {
        page.steps: words.steps(RESULT_STEP),
        page.compare: _pair(made, view),
        page.view: gr.update(value=view, visible=True),
        page.legend: result_words.legend(made, view),
        page.gallery: gr.update(value=items if len(items) > 1 else None, visible=len(items) > 1),
        page.outcome: result_words.outcome(made),
        page.facts: result_words.facts(made),
        page.details: gr.update(visible=True),
        page.identity: result_words.identity(made),
        page.download: gr.update(value=str(made.file), visible=True),
        page.fill: gr.update(value=words.FILL_AGAIN, variant="secondary"),
        **other_photos.shown(page, visit),
    }


def _draw(page: Page, visit: Visit) -> dict[Any, Any]:
    """The face with its landmarks, where the engine was led by some."""
    made = visit.made[visit.shown]
    if visit.points is None:
        return {page.landmarks_box: gr.update(visible=False), page.landmarks: None}
    face = pictures.read(made.face).pixels
    drawn = pictures.draw_landmarks(face, visit.points, made.window, visit.picked)
    file = pictures.write(drawn, made.folder, "landmarks.png")
    return {page.landmarks_box: gr.update(visible=True), page.landmarks: str(file)}


def _connect_landmarks(page: Page, visits: Visits) -> None:
    def click(event: gr.SelectData, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        if visit.points is None or not visit.made:
            return gr.skip(), gr.skip()
        made = visit.made[visit.shown]
        shape = pictures.read(made.face).pixels.shape
        at = pictures.to_photo(np.array([event.index], np.float32), made.window, shape)[0]
        if visit.picked is None:
            visit.picked = int(((visit.points - at) ** 2).sum(axis=1).argmin())
            number = visit.picked + 1
        else:
            visit.points = visit.points.copy()
            visit.points[visit.picked] = at
            number, visit.picked = visit.picked + 1, None
        return _draw(page, visit)[page.landmarks], number

    def move(point: int | None, right: float, down: float, request: gr.Request) -> Any:
        visit = visits.of(request)
        if visit.points is None or not visit.made or not point or not 1 <= int(point) <= 68:
            return gr.skip()
        visit.points, visit.picked = visit.points.copy(), None
        visit.points[int(point) - 1] += (float(right or 0), float(down or 0))
        return _draw(page, visit)[page.landmarks]

    def reset(request: gr.Request) -> Any:
        visit = visits.of(request)
        if not visit.made:
            return gr.skip()
        visit.points, visit.picked = visit.made[visit.shown].landmarks, None
        return _draw(page, visit)[page.landmarks]

    page.landmarks.select(click, None, [page.landmarks, page.point], **QUIET)
    page.move.click(move, [page.point, page.right, page.down], page.landmarks, **QUIET)
    page.reset.click(reset, None, page.landmarks, **QUIET)
