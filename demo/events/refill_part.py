"""The wires of "This part again": one part of a result is filled anew, and everything else stays as it is."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp

from ..fills import filling
from ..fills.filling import LARGEST_SEED, Made, Order
from ..fills.jobs import Job
from ..images import pictures, result_parts
from ..layout.page_layout import Page
from ..layout.part_controls import ANEW, OTHER_HALF, PHOTOS, PUT_BACK, closed
from ..server import preload
from ..server.sessions import Visit, Visits
from ..text import strings
from . import results
from .requests import CHOICE, FILLS, QUIET, Given, Update, follow, settings_order

GRAIN = 9  # pixels, over which grain averages out
VISIBLE = 6  # grey levels
# The result, and what is said of it, stand above what was pressed; what came to nothing is said beside that.
SHOW_RESULT = """(...given) => {
  setTimeout(() => {
    const nothing = document.querySelector('#part-message .message');
    if (!nothing) document.querySelector('#board').scrollIntoView({block: 'start'});
  }, 60);
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
        number, source, view = given[part.number], given[part.source], visit.parts
        if view is None or not visit.made or not number or not source:
            yield {part.message: gr.skip()}
            return
        before = visit.made[visit.shown]
        hole = view.parts.on_photo(number, before.history.sources)

        def start() -> Job:
            return visit.start(Job([_order(page, given, visit, before, hole, source)], visit.folder, preload.judge))

        job = yield from follow(visit, start, part.message, lambda job: {part.message: strings.progress(job.running)})
        if job is None:
            return
        made = replace(job.made()[0], about=strings.part_caption(number, view.parts, put_back=source == PUT_BACK))
        said = _said(made, hole, source)
        if source != PUT_BACK and _alike(before, made, hole):
            shutil.rmtree(made.folder, ignore_errors=True)
            same = strings.same_again(view.parts.codes[number - 1])
            yield {part.message: strings.message(same if said == strings.PART_FILLED else said)}
            return
        visit.add(made)
        yield {
            **results.shown(page, visit, given[page.view]),
            **_shown(page, visit, number, source),
            part.box: gr.update(open=True),
            part.done: strings.message(said),
        }

    def switch(number: int | None, view: str, request: gr.Request) -> Update:
        """The result before a part was filled again, or the one after it; the controls stay as they are."""
        visit = visits.of(request)
        if visit.other is None:
            return {part.message: gr.skip()}
        earlier = visit.other > visit.shown
        visit.show(visit.other)
        return {
            **results.shown(page, visit, view),
            **(_shown(page, visit, number) if number else {}),
            part.box: gr.skip(),
            part.done: strings.message(strings.EARLIER_SHOWN if earlier else strings.NEWER_SHOWN),
        }

    chosen = [part.picture, part.number, part.source, part.message]
    part.box.expand(unfold, None, part.outputs, **QUIET)
    part.picture.select(click, part.number, chosen, **QUIET)
    part.number.input(choose, part.number, chosen, **CHOICE)
    part.switch.click(switch, [part.number, page.view], results.shown_parts(page), js=SHOW_RESULT, **QUIET)
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
        raise faceinp.PhotoError(strings.NO_OTHER_PHOTO)
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
    parts = result_parts.find(made.history.sources)
    visit.parts = result_parts.view(parts, pictures.read(made.around).pixels)
    choices = [(strings.part_label(one, parts), one) for one in range(1, parts.count + 1)]
    chosen = _chosen(page, visit, min(number, parts.count), "" if source == PUT_BACK else source)
    number_shown = {"choices": choices, "value": chosen[page.part.number], "visible": parts.count > 1}
    return chosen | {page.part.number: gr.update(**number_shown)}


def _chosen(page: Page, visit: Visit, number: int, source: str = "") -> Update:
    """One of the parts, framed, what it shows now, and what it can be filled with. source: the one that is chosen; the
    one that is likely to help, if empty or not offered.
    """
    part, view = page.part, visit.parts
    if view is None:
        return {part.message: gr.skip()}
    parts, made = view.parts, visit.made[visit.shown]
    codes, on_face = parts.codes[number - 1], parts.on_face(number)
    sources = [OTHER_HALF, PHOTOS, ANEW] if on_face else [ANEW]
    if parts.count > 1:
        sources.append(PUT_BACK)
    if source not in sources:
        photos = any(other.used for other in visit.others)
        source = _likely(codes, photos, filling.completes_faces(made.engine)) if on_face else ANEW
    file = pictures.write(view.draw(number), visit.folder, "parts.png")
    return {
        part.picture: gr.update(value=str(file), visible=parts.count > 1),
        part.number: number,
        part.source: gr.update(
            choices=[(strings.part_source(one, on_face=on_face), one) for one in sources],
            value=source,
            info=strings.part_now(codes, [file.name for file in made.history.files]),
            visible=True,
        ),
        part.message: "",
    }


def _likely(codes: tuple[int, ...], photos: bool, completes: bool) -> str:
    """What is likely to help a part of a face: real pixels that it does not show yet, else something invented.

    codes: where it comes from, as in ``result_parts.Parts``. photos: whether photos of the person are there to fill
    from. completes: whether the engine uses the other half of the face by itself, so that it did not fit where it is
    not shown.
    """
    now = codes[0] if codes else pictures.ENGINE
    if photos and now < pictures.REFERENCE:
        return PHOTOS
    mirrored = now == pictures.SYMMETRY or (completes and now < pictures.REFERENCE)
    return ANEW if mirrored else OTHER_HALF


def _said(made: Made, hole: NDArray[np.bool_], source: str) -> str:
    """What came of it: also where it is from elsewhere than was asked for."""
    if source == PUT_BACK:
        return strings.PART_RESTORED
    codes = made.history.sources[hole]
    there = {OTHER_HALF: codes == pictures.SYMMETRY, PHOTOS: codes >= pictures.REFERENCE}.get(source)
    if there is not None and not there.any():
        return strings.SOURCE_DOES_NOT_FIT[source]
    return strings.PART_FILLED


def _alike(before: Made, made: Made, hole: NDArray[np.bool_]) -> bool:
    """Whether a part looks the same in two results; grain, which is drawn anew, is no difference."""
    first, second = (cv2.blur(pictures.read(one.file).pixels, (GRAIN, GRAIN)) for one in (before, made))
    return bool((cv2.absdiff(first, second).max(axis=2)[hole] < VISIBLE).all())
