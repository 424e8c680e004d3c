"""The wires of "This part again": one part of a result is filled anew, and everything else stays as it is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp
from demo import pictures, regions, results, warming, words
from demo.filling import LARGEST_SEED, Made, Order
from demo.jobs import Job
from demo.orders import CHOICE, FILLS, QUIET, Given, Update, follow, settings_order
from demo.part_controls import ANEW, OTHER_HALF, PHOTOS, PUT_BACK, closed
from demo.sessions import Visit, Visits
from demo.views import Page

GRAIN = 9  # pixels, over which grain averages out
VISIBLE = 6  # grey levels
# On a phone the result stands above what was pressed.
SHOW_RESULT = """(...given) => {
  setTimeout(() => document.querySelector('#compare').scrollIntoView({block: 'nearest'}), 60);
  return given;
}"""


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that fill one part of a result again."""
    part = page.part
    waiting = [page.fill, page.landmarks.again, part.again]

    def unfold(request: gr.Request) -> Update:
        visit = visits.of(request)
        if not visit.made:
            return closed(part)
        return _shown(page, visit, 1)

    def click(number: int | None, event: gr.SelectData, request: gr.Request) -> Update:
        visit = visits.of(request)
        if visit.parts is None:
            return {part.message: gr.skip()}
        return _chosen(page, visit, visit.parts.at(*map(float, event.index)))

    def choose(number: int | None, request: gr.Request) -> Update:
        visit = visits.of(request)
        if visit.parts is None or not number:
            return {part.message: gr.skip()}
        return _chosen(page, visit, number)

    def begin() -> tuple[Any, ...]:
        return *(gr.update(interactive=False) for _ in waiting), gr.update(interactive=True), ""

    def end(request: gr.Request) -> tuple[Any, ...]:
        there = visits.of(request).original is not None
        return *(gr.update(interactive=there) for _ in waiting), gr.update(interactive=False)

    def run(given: Given, request: gr.Request) -> Iterator[Update]:
        visit = visits.of(request)
        number, source, parts = given[part.number], given[part.source], visit.parts
        if parts is None or not visit.made or not number or not source:
            yield {part.message: gr.skip()}
            return
        before = visit.made[visit.shown]
        hole = regions.find(before.history.sources).numbers == number

        def start() -> Job:
            return visit.start(Job([_order(page, given, visit, before, hole, source)], visit.folder, warming.judge))

        job = yield from follow(visit, start, part.message, lambda job: {part.message: words.progress(job.running)})
        if job is None:
            return
        made = replace(job.made()[0], about=words.part_again(number, parts, put_back=source == PUT_BACK))
        visit.add(made)
        yield {
            **results.shown(page, visit, given[page.view]),
            **_shown(page, visit, number, source),
            part.box: gr.update(open=True),
            part.message: words.say(_said(before, made, hole, source)),
        }

    chosen = [part.picture, part.number, part.source, part.message]
    part.box.expand(unfold, None, part.outputs, **QUIET)
    part.picture.select(click, part.number, chosen, **QUIET)
    part.number.input(choose, part.number, chosen, **CHOICE)
    part.again.click(begin, None, [*waiting, page.cancel, part.message], **QUIET).then(
        run,
        page.order - {page.editor} | {page.view, part.number, part.source},
        results.shown_parts(page),
        show_progress="hidden",
        **FILLS,
    ).then(end, None, [*waiting, page.cancel], js=SHOW_RESULT, **QUIET)


def _order(page: Page, given: Given, visit: Visit, made: Made, hole: NDArray[np.bool_], source: str) -> Order:
    """The part as an order: the photo is the result, in which the part is the hole. Raises FaceinpError."""
    references = tuple(other.file for other in visit.others if other.used) if source == PHOTOS else ()
    if source == PHOTOS and not references:
        raise faceinp.PhotoError(words.NO_OTHER_PHOTO)
    next_seed = (max(one.seed for one in visit.made) + 1) % (LARGEST_SEED + 1)
    engine = made.engine if source == PUT_BACK else given[page.engine]
    return replace(
        settings_order(page, given, visit, made.file, lambda: hole, engine),
        seed=next_seed if source == ANEW else made.seed,
        symmetry=source == OTHER_HALF,
        references=references,
        earlier=made.history,
        put_back=source == PUT_BACK,
    )


def _shown(page: Page, visit: Visit, number: int, source: str = "") -> Update:
    """The parts of the result that is shown, one of them chosen, and a source where it is offered."""
    made = visit.made[visit.shown]
    sources = made.history.sources
    visit.parts = view = regions.view(regions.find(sources), sources, pictures.read(made.file).pixels)
    choices = [(words.part(one, view), one) for one in range(1, view.count + 1)]
    chosen = _chosen(page, visit, min(number, view.count), "" if source == PUT_BACK else source)
    number_shown = {"choices": choices, "value": chosen[page.part.number], "visible": view.count > 1}
    return chosen | {page.part.number: gr.update(**number_shown)}


def _chosen(page: Page, visit: Visit, number: int, source: str = "") -> Update:
    """One of the parts, framed, and what it can be filled with. source: the one that is chosen; another one than the
    part comes from now, if empty or not offered.
    """
    part, view = page.part, visit.parts
    if view is None:
        return {part.message: gr.skip()}
    sources = [OTHER_HALF, PHOTOS, ANEW] if view.on_face(number) else [ANEW]
    if view.count > 1:
        sources.append(PUT_BACK)
    file = pictures.write(view.draw(number), visit.folder, "parts.png")
    other = ANEW if view.codes[number - 1][0] == pictures.SYMMETRY else sources[0]
    return {
        part.picture: gr.update(value=str(file), visible=view.count > 1),
        part.number: number,
        part.source: gr.update(
            choices=[(words.part_source(one, on_face=view.on_face(number)), one) for one in sources],
            value=source if source in sources else other,
            visible=True,
        ),
        part.message: "",
    }


def _said(before: Made, made: Made, hole: NDArray[np.bool_], source: str) -> str:
    """What came of it: also where it is no other picture than before, or is from elsewhere than was asked for."""
    if source == PUT_BACK:
        return words.PUT_BACK_SAID
    codes = made.history.sources[hole]
    there = {OTHER_HALF: codes == pictures.SYMMETRY, PHOTOS: codes >= pictures.REFERENCE}.get(source)
    if there is not None and not there.any():
        return words.NOT_FROM[source]
    if _alike(before, made, hole):
        return words.SAME_AGAIN[source == ANEW]
    return words.PART_FILLED


def _alike(before: Made, made: Made, hole: NDArray[np.bool_]) -> bool:
    """Whether a part looks the same in two results; grain, which is drawn anew, is no difference."""
    first, second = (cv2.blur(pictures.read(one.file).pixels, (GRAIN, GRAIN)) for one in (before, made))
    return bool((cv2.absdiff(first, second).max(axis=2)[hole] < VISIBLE).all())
