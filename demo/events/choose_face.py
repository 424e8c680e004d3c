"""Events of "Which face?": numbered faces to choose from, or clicks on a face that was not found."""

import math
from typing import Any

import gradio as gr

import faceinp

from ..images import pictures
from ..images.editor import working_size
from ..layout.page_layout import Page
from ..layout.panel import ALIGNED, ANYWHERE, BOX, EVERY_FACE
from ..server.sessions import Visit, Visits
from ..text import strings
from .requests import CHOICE, CLICKS, QUIET, Updates, chosen_location

NEAR = 0.01  # of the photo's longer side: a second click closer than this is ignored


def connect(page: Page, visits: Visits) -> None:
    """Connect the controls that choose the face to fill."""

    def choose(face: Any, request: gr.Request) -> Updates:
        visit = visits.of(request)
        visit.clicks = []
        return {page.message: "", **_drawn(page, visit, face)}

    def click(face: Any, event: gr.SelectData, request: gr.Request) -> Updates:
        """Choose the clicked face, or add a click to those that specify a face.

        If no face was found, clicks draw a box even if nothing was chosen.
        """
        visit = visits.of(request)
        if visit.original is None:
            return {page.face: gr.skip()}
        scale = visit.original.width / working_size(visit.original.height, visit.original.width, pictures.FACE_SIDE)[1]
        x, y = (scale * float(v) for v in event.index)
        near = NEAR * max(visit.original.height, visit.original.width)
        if not visit.faces and face not in CLICKS:
            face = BOX
        if face not in CLICKS:
            face = pictures.face_at(visit.faces, x, y) or face
        elif len(visit.clicks) < CLICKS[face] and all(math.dist(earlier, (x, y)) > near for earlier in visit.clicks):
            visit.clicks.append((x, y))
        update = {page.face: face, page.message: "", **_drawn(page, visit, face)}
        return update | (
            _reject_clicks(page, visit, face) if face in CLICKS and len(visit.clicks) == CLICKS[face] else {}
        )

    shown = [page.face, page.faces, page.unclick, page.click_hint, page.message]
    page.face.input(choose, page.face, shown, **CHOICE)
    page.unclick.click(choose, page.face, shown, **QUIET)
    page.faces.select(click, page.face, shown, **QUIET)


def _reject_clicks(page: Page, visit: Visit, face: Any) -> Updates:
    """Updates that start the clicks again if they cannot be a face; else none."""
    try:
        chosen_location(visit, face)
    except faceinp.NoFaceError:
        visit.clicks = []
        return _drawn(page, visit, face) | {page.click_hint: strings.message(strings.BAD_BOX, error=True)}
    return {}


def finder(page: Page, visits: Visits) -> Any:
    """The function that finds the faces of a new photo."""

    def find_faces(face: Any, share: str, request: gr.Request) -> Updates:
        visit = visits.of(request)
        original = visit.original
        if original is None or face == ALIGNED:
            return {page.face: gr.skip()}
        try:
            faces = faceinp.find_faces(visit.photo().pixels, visit.marked, visit.turn)
        except faceinp.NoFaceError as error:  # it is unclear which way up the photo is
            return _drawn(page, visit, face) | {page.message: strings.message(strings.error_text(error), error=True)}
        if visit.original is not original:
            raise pictures.Gone
        visit.faces = faces
        numbers = [(f"{n}, the largest" if n == 1 else str(n), n) for n in range(1, len(faces) + 1)]
        choices = [ANYWHERE[0], *(numbers if len(faces) > 1 else ()), *ANYWHERE[1:]]
        message = strings.faces_found(len(faces), marked=bool(share))
        return _drawn(page, visit, EVERY_FACE) | {
            page.face: gr.update(choices=choices, value=EVERY_FACE),
            page.faces_box: gr.update(open=len(faces) != 1),
            page.message: strings.message(message),
        }

    return find_faces


def clear_updates(page: Page, face: Any = EVERY_FACE) -> Updates:
    """Updates before faces are found, of all controls that ``finder`` changes but the message."""
    return {
        page.faces: gr.update(value=None, visible=False),
        page.face: gr.update(choices=ANYWHERE, value=face),
        page.click_hint: "",
        page.unclick: gr.update(visible=False),
        page.faces_box: gr.update(open=False),
    }


def _drawn(page: Page, visit: Visit, face: Any) -> Updates:
    """Updates that show the photo with numbered faces or with clicks, and what to click next."""
    if visit.original is None or face == ALIGNED:
        return {part: gr.update(visible=False) for part in (page.faces, page.unclick)} | {page.click_hint: ""}
    pixels = visit.photo().pixels
    if face in CLICKS:
        drawn = pictures.draw_clicks(pixels, visit.clicks, box=face == BOX)
        hint = (*(strings.CLICK_BOX if face == BOX else strings.CLICK_POINTS), strings.CLICKED)[len(visit.clicks)]
    else:
        drawn, hint = pictures.number_faces(pixels, visit.faces, face or 0), ""
    file = pictures.write(drawn, visit.folder, "faces.png")
    return {
        page.click_hint: strings.message(hint),
        page.faces: gr.update(value=str(file), visible=True),
        page.unclick: gr.update(visible=face in CLICKS and bool(visit.clicks)),
    }
