"""Events of other photos of the person: add them, use them to fill or only to compare, and remove them."""

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
    """Connect the controls of other photos of the person."""

    def add(files: list[str], request: gr.Request) -> dict[Any, Any]:
        visit = visits.of(request)
        problems = []
        with uploads.read_once(*files):
            for file in files:
                try:
                    _add(visit, file)
                except faceinp.FaceinpError as error:
                    problems.append(strings.error_text(error))
        return show_updates(page, visit) | {page.others_message: strings.message("\n".join(problems), error=True)}

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
            return show_updates(page, visit) | {page.others_message: ""}

        return forget

    parts = [*outputs(page), page.others_message]
    page.add_others.upload(add, page.add_others, parts, **QUIET)
    for index, slot in enumerate(page.others):
        slot.use.input(choose(index), slot.use, slot.use, **CHOICE)
        slot.remove.click(remove(index), None, parts, **QUIET)


def outputs(page: Page) -> list[Any]:
    """The controls of ``show_updates``."""
    parts = [part for slot in page.others for part in (slot.row, slot.thumb, slot.use)]
    return [page.add_others, page.unchecked, *parts]


def show_updates(page: Page, visit: Visit) -> dict[Any, Any]:
    """Updates that show the other photos, and how the current result used each.

    The checkbox that skips the check of the person appears once a photo was refused, and goes with the last photo.
    """
    accepts_more = len(visit.others) < MOST_OTHERS
    updates: dict[Any, Any] = {page.add_others: gr.update(value=None, visible=accepts_more)}
    for slot, other in zip_longest(page.others, visit.others):
        updates[slot.row] = gr.update(visible=other is not None)
        updates[slot.thumb] = strings.thumbnail(other.thumb if other else "")
        if other is not None:
            choice = USE if other.used else ONLY_COMPARE
            updates[slot.use] = gr.update(value=choice, label=other.file.name, info=_info(visit, other))
    if not visit.others:
        updates[page.unchecked] = gr.update(value=False, visible=False)
    elif any(use.refused for _, use in visit.references):
        updates[page.unchecked] = gr.update(visible=True)
    return updates


def _info(visit: Visit, other: OtherPhoto) -> str:
    """How the current result used a photo; empty if it did not, or if the photo is only compared now."""
    use = next((use for file, use in visit.references if file == other.file), None)
    return strings.reference_use(use) if other.used and use else ""


def _add(visit: Visit, file: str) -> None:
    """Add an uploaded photo. Raises FaceinpError if it shows no face, or if there are too many."""
    original = visit.original
    if original is None:
        raise faceinp.PhotoError(strings.NO_PHOTO)
    if len(visit.others) >= MOST_OTHERS:
        raise faceinp.PhotoError(strings.too_many_photos(Path(file).name))
    moved = visit.take(file)
    try:
        pixels = pictures.read(moved).pixels
        if not faceinp.find_faces(pixels):
            raise faceinp.PhotoError(strings.no_face_in(moved.name))
        if visit.original is not original:
            raise pictures.Gone
    except faceinp.FaceinpError:
        _delete(moved)
        raise
    visit.others.append(OtherPhoto(moved, pictures.data_uri(pictures.shrunk(pixels, THUMB), ".jpg")))


def _delete(file: Path) -> None:
    """Delete a file that ``Visit.take`` returned, and its folder."""
    shutil.rmtree(file.parent, ignore_errors=True)
