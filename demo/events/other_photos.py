"""The wires of other photos of the person: added, used to fill or only compared with, and removed."""

import shutil
from itertools import zip_longest
from pathlib import Path
from typing import Any

import gradio as gr

import faceinp

from ..images import pictures
from ..layout.page_layout import Page
from ..layout.panel import MOST_OTHERS, ONLY_COMPARE, USE
from ..server import uploads
from ..server.sessions import OtherPhoto, Visit, Visits
from ..text import strings
from .requests import CHOICE, QUIET

THUMB = 96  # pixels, of the small picture of a photo


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that take other photos of the person."""

    def add(files: list[str], request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        problems = []
        with uploads.read_once(*files):
            for file in files:
                try:
                    _add(visit, file)
                except faceinp.FaceinpError as error:
                    problems.append(strings.error_text(error))
        return shown(page, visit) | {page.others_message: strings.message("\n".join(problems), error=True)}

    def choose(index: int) -> Any:
        def use(choice: str, request: gr.Request) -> Any:
            visit = visits.of(request)
            if index >= len(visit.others):
                return gr.skip()
            visit.others[index].used = choice == USE
            return gr.update(info=_info(visit, visit.others[index]))

        return use

    def remove(index: int) -> Any:
        def forget(request: gr.Request) -> dict[Any, Any]:
            visit = visits.of(request)
            if index < len(visit.others):
                _delete(visit.others.pop(index).file)
            return shown(page, visit) | {page.others_message: ""}

        return forget

    parts = [*outputs(page), page.others_message]
    page.add_others.upload(add, page.add_others, parts, **QUIET)
    for index, slot in enumerate(page.others):
        slot.use.input(choose(index), slot.use, slot.use, **CHOICE)
        slot.remove.click(remove(index), None, parts, **QUIET)


def outputs(page: Page) -> list[Any]:
    """The parts that ``shown`` has something for."""
    parts = [part for slot in page.others for part in (slot.row, slot.thumb, slot.use)]
    return [page.add_others, page.unchecked, *parts]


def shown(page: Page, visit: Visit) -> dict[Any, Any]:
    """The visit's other photos, and what became of each in the result that is shown.

    Whether a photo is checked is asked once one was refused, and no more once there is none.
    """
    room = len(visit.others) < MOST_OTHERS
    updates: dict[Any, Any] = {page.add_others: gr.update(value=None, visible=room)}
    for slot, other in zip_longest(page.others, visit.others):
        updates[slot.row] = gr.update(visible=other is not None)
        updates[slot.thumb] = strings.thumbnail(other.thumb if other else "")
        if other is not None:
            choice = USE if other.used else ONLY_COMPARE
            updates[slot.use] = gr.update(value=choice, label=other.file.name, info=_info(visit, other))
    refused = [one for one in visit.references if one.refused]
    if not visit.others:
        updates[page.unchecked] = gr.update(value=False, visible=False)
    elif refused:
        updates[page.unchecked] = gr.update(visible=True)
    return updates


def _info(visit: Visit, other: OtherPhoto) -> str:
    """What became of a photo in the result that is shown; empty where it was not used to fill, or is not now."""
    became = next((one for one in visit.references if one.file == other.file), None)
    return strings.reference_use(became) if other.used and became else ""


def _add(visit: Visit, file: str) -> None:
    """Take an uploaded photo in; raises FaceinpError where it shows no face, or there is no room for it."""
    original = visit.original
    if original is None:
        raise faceinp.PhotoError(strings.NO_PHOTO)
    if len(visit.others) >= MOST_OTHERS:
        raise faceinp.PhotoError(strings.too_many_photos(Path(file).name))
    taken = visit.take(file)
    try:
        pixels = pictures.read(taken).pixels
        if not faceinp.find_faces(pixels):
            raise faceinp.PhotoError(strings.no_face_in(taken.name))
        if visit.original is not original:
            raise pictures.Gone
    except faceinp.FaceinpError:
        _delete(taken)
        raise
    visit.others.append(OtherPhoto(taken, pictures.data_uri(pictures.shrunk(pixels, THUMB), ".jpg")))


def _delete(file: Path) -> None:
    """Delete a file that ``Visit.take`` gave, and its folder."""
    shutil.rmtree(file.parent, ignore_errors=True)
