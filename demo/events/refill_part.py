"""Events of "Redo one part": one part of a result is filled again, and everything else stays as it is."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp

from ..fills import filling
from ..fills.filling import LARGEST_SEED, FillRequest, FillResult
from ..fills.jobs import Job
from ..images import pictures, result_parts
from ..layout.page_layout import Page
from ..layout.part_controls import ANEW, OTHER_HALF, PHOTOS, PUT_BACK
from ..server import preload
from ..server.sessions import Visit, Visits
from ..text import part_text, strings
from . import results
from .requests import CHOICE, QUIET, Inputs, Updates, follow, on_fill, settings_request

GRAIN = 9  # pixels: an average over this size removes grain
VISIBLE = 6  # grey levels
# Scrolls up to the result, unless a message beside the button says why nothing changed.
SHOW_RESULT = """(...values) => {
  setTimeout(() => {
    const message = document.querySelector('#part-message .message');
    if (!message) document.querySelector('#board').scrollIntoView({block: 'start'});
  }, 60);
  return values;
}"""


def connect(page: Page, visits: Visits) -> None:
    """Connect the controls that fill one part of a result again."""
    part = page.part

    def open_box(request: gr.Request) -> Updates:
        visit = visits.of(request)
        if not visit.results:
            return part.closed()
        return _show_parts(page, visit, 1)

    def click(event: gr.SelectData, request: gr.Request) -> Updates:
        visit = visits.of(request)
        if visit.parts is None:
            return {part.message: gr.skip()}
        return _choose(page, visit, visit.parts.at(*map(float, event.index)))

    def choose(number: int | None, request: gr.Request) -> Updates:
        visit = visits.of(request)
        if visit.parts is None or not number:
            return {part.message: gr.skip()}
        return _choose(page, visit, number)

    def run(inputs: Inputs, request: gr.Request) -> Iterator[Updates]:
        visit = visits.of(request)
        number, source, view = inputs[part.number], inputs[part.source], visit.parts
        if view is None or not visit.results or not number or not source:
            yield {part.message: gr.skip()}
            return
        before = visit.result
        hole = view.parts.on_photo(number, before.history.sources)

        def start() -> Job:
            return visit.start(Job([_request(page, inputs, visit, before, hole, source)], visit.folder, preload.judge))

        job = yield from follow(visit, start, part.message, lambda job: {part.message: strings.progress(job.running)})
        if job is None:
            return
        result = replace(
            job.results()[0], about=part_text.part_caption(number, view.parts, restored=source == PUT_BACK)
        )
        message = _message(result, hole, source)
        if source != PUT_BACK and _looks_same(before, result, hole):
            shutil.rmtree(result.folder, ignore_errors=True)
            same = part_text.same_again(view.parts.codes[number - 1])
            yield {part.message: strings.message(same if message == part_text.PART_FILLED else message)}
            return
        visit.add(result)
        yield {
            **results.show_updates(page, visit, inputs[page.view]),
            **_show_parts(page, visit, number, source),
            part.box: gr.update(open=True),
            part.done: strings.message(message),
        }

    def switch(number: int | None, view: str, request: gr.Request) -> Updates:
        """Show the result before or after the part was filled again; the controls stay as they are."""
        visit = visits.of(request)
        if visit.other_index is None:
            return {part.message: gr.skip()}
        earlier = visit.other_index > visit.result_index
        visit.show(visit.other_index)
        return {
            **results.show_updates(page, visit, view),
            **(_show_parts(page, visit, number) if number else {}),
            part.box: gr.skip(),
            part.done: strings.message(part_text.EARLIER_SHOWN if earlier else part_text.NEWER_SHOWN),
        }

    choice = [part.picture, part.number, part.source, part.message]
    part.box.expand(open_box, None, list(part.closed()), **QUIET)
    part.picture.select(click, None, choice, **QUIET)
    part.number.input(choose, part.number, choice, **CHOICE)
    part.switch.click(switch, [part.number, page.view], results.shown_parts(page), js=SHOW_RESULT, **QUIET)
    fill_inputs = page.fill_inputs - {page.editor} | {page.view, part.number, part.source}
    on_fill(page, visits, part.again, run, fill_inputs, results.shown_parts(page), SHOW_RESULT)


def _request(
    page: Page, inputs: Inputs, visit: Visit, result: FillResult, hole: NDArray[np.bool_], source: str
) -> FillRequest:
    """The request that fills a part: the result is its photo, the part its hole. Raises FaceinpError."""
    references = tuple(other.file for other in visit.others if other.used) if source == PHOTOS else ()
    if source == PHOTOS and not references:
        raise faceinp.PhotoError(strings.NO_OTHER_PHOTO)
    next_seed = (max(earlier.seed for earlier in visit.results) + 1) % (LARGEST_SEED + 1)
    engine = result.engine if source == PUT_BACK else inputs[page.engine]
    return replace(
        settings_request(page, inputs, visit, result.file, lambda: hole, engine),
        seed=next_seed if source == ANEW else result.seed,
        symmetry=source == OTHER_HALF,
        references=references,
        earlier=result.history,
        put_back=source == PUT_BACK,
    )


def _show_parts(page: Page, visit: Visit, number: int, source: str = "") -> Updates:
    """Updates that show the parts of the current result, with one part and its source chosen."""
    result = visit.result
    parts = result_parts.find(result.history.sources)
    visit.parts = result_parts.view(parts, pictures.read(result.around).pixels)
    choices = [(part_text.part_label(index, parts), index) for index in range(1, parts.count + 1)]
    chosen = _choose(page, visit, min(number, parts.count), "" if source == PUT_BACK else source)
    number_update = {"choices": choices, "value": chosen[page.part.number], "visible": parts.count > 1}
    return chosen | {page.part.number: gr.update(**number_update)}


def _choose(page: Page, visit: Visit, number: int, source: str = "") -> Updates:
    """Updates that choose a part: its frame, what it shows now, and the sources it can be filled from.

    source: the chosen one; if it is empty or not offered, the one that is likely to help.
    """
    part, view = page.part, visit.parts
    if view is None:
        return {part.message: gr.skip()}
    parts, result = view.parts, visit.result
    codes, on_face = parts.codes[number - 1], parts.on_face(number)
    sources = [OTHER_HALF, PHOTOS, ANEW] if on_face else [ANEW]
    if parts.count > 1:
        sources.append(PUT_BACK)
    if source not in sources:
        photos = any(other.used for other in visit.others)
        source = _likely(codes, photos, filling.completes_faces(result.engine)) if on_face else ANEW
    file = pictures.write(view.draw(number), visit.folder, "parts.png")
    return {
        part.picture: gr.update(value=str(file), visible=parts.count > 1),
        part.number: number,
        part.source: gr.update(
            choices=[(part_text.part_source(name, on_face=on_face), name) for name in sources],
            value=source,
            info=part_text.part_now(codes, [file.name for file in result.history.files]),
            visible=True,
        ),
        part.message: "",
    }


def _likely(codes: tuple[int, ...], photos: bool, completes: bool) -> str:
    """The source that is likely to help a part of a face: real pixels it does not show yet, else an invention.

    codes: its sources, as in ``result_parts.Parts``. photos: whether other photos of the person can be used.
    completes: whether the engine uses the face's other half by default; where it did not, that half does not fit.
    """
    now = codes[0] if codes else pictures.ENGINE
    if photos and now < pictures.REFERENCE:
        return PHOTOS
    mirrored = now == pictures.SYMMETRY or (completes and now < pictures.REFERENCE)
    return ANEW if mirrored else OTHER_HALF


def _message(result: FillResult, hole: NDArray[np.bool_], source: str) -> str:
    """What happened to the part, also if the chosen source did not fit."""
    if source == PUT_BACK:
        return part_text.PART_RESTORED
    codes = result.history.sources[hole]
    from_source = {OTHER_HALF: codes == pictures.SYMMETRY, PHOTOS: codes >= pictures.REFERENCE}.get(source)
    if from_source is not None and not from_source.any():
        return part_text.SOURCE_DOES_NOT_FIT[source]
    return part_text.PART_FILLED


def _looks_same(before: FillResult, after: FillResult, hole: NDArray[np.bool_]) -> bool:
    """Whether a part looks the same in two results, apart from grain, which is random."""
    first, second = (cv2.blur(pictures.read(result.file).pixels, (GRAIN, GRAIN)) for result in (before, after))
    return bool((cv2.absdiff(first, second).max(axis=2)[hole] < VISIBLE).all())
