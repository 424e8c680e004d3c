"""The wires of proposals: what is looked for on the photo, and shown as paint that brush and eraser correct."""

from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp

from ..images import pictures
from ..images.painted_proposal import Proposed
from ..layout.find_controls import SENSITIVITY
from ..layout.page_layout import Page
from ..server.sessions import Visit, Visits
from ..text import strings
from .requests import FINDS, QUIET, Given, Update, chosen_location


def connect(page: Page, visits: Visits) -> None:
    """Wire the parts that find damage, and what hides faces."""
    controls = page.find
    buttons = list(controls.buttons.values())

    def begin(name: str) -> Any:
        return lambda: [*(gr.update(interactive=False) for _ in buttons), strings.message(strings.SEARCHING[name])]

    def end() -> list[Any]:
        return [gr.update(interactive=True) for _ in buttons]

    def looker(name: str) -> Any:
        """The function that looks for ``name``, and leaves what it finds to ``show``, which knows newer strokes."""

        def look(given: Given, request: gr.Request) -> Any:
            visit = visits.of(request)
            original, visit.looked = visit.original, None
            if original is None:
                return strings.message(strings.NO_PHOTO)
            include = ("stamps",) if name == "damage" and given[controls.stamps] else ()
            try:
                found = faceinp.propose(
                    visit.photo(),
                    faceinp.Find(name, 0, include),  # at 0 nothing is marked yet
                    face=chosen_location(visit, given[page.face]),
                    turn=visit.turn,
                )
            except faceinp.FaceinpError as error:
                return strings.message(strings.search_error(error), error=True)
            if visit.original is not original:
                raise pictures.Gone
            visit.looked = Proposed.of(name, found, original, visit.proposed)
            return gr.skip()

        return look

    def show(value: dict[str, Any] | None, sensitivity: float, request: gr.Request) -> Update:
        visit = visits.of(request)
        if visit.looked is None:
            return {controls.message: gr.skip()}
        return _show(page, visit, visit.looked, value, sensitivity)

    def move(value: dict[str, Any] | None, sensitivity: float, request: gr.Request) -> Update:
        visit = visits.of(request)
        if visit.proposed is None:
            return {controls.message: gr.skip()}
        return _show(page, visit, visit.proposed, value, sensitivity)

    shown_parts = [page.editor, page.share, page.message, *outputs(page)]
    shows: Any = {"show_progress_on": controls.message} | QUIET  # not on the editor: see ``requests``
    starts = [(name, button.click) for name, button in controls.buttons.items()]
    for name, start in [*starts, ("damage", controls.stamps.input)]:
        start(begin(name), None, [*buttons, controls.message], **QUIET).then(
            looker(name),
            {controls.stamps, page.face},
            controls.message,
            show_progress="hidden",
            api_visibility="private",
            **FINDS,
        ).then(show, [page.editor, controls.sensitivity], shown_parts, **shows).then(end, None, buttons, **QUIET)
    controls.sensitivity.input(
        move, [page.editor, controls.sensitivity], shown_parts, trigger_mode="always_last", **shows
    )


def outputs(page: Page) -> list[Any]:
    """The parts that ``shown`` has something for."""
    return [page.find.message, page.find.sensitivity, page.find.stamps]


def shown(page: Page, visit: Visit) -> Update:
    """The controls where what was found was put away with the photo, or with what was painted on it."""
    if visit.proposed is not None:
        return {page.find.message: gr.skip()}
    return {
        page.find.message: "",
        page.find.sensitivity: gr.update(value=SENSITIVITY, visible=False),
        page.find.stamps: gr.update(value=False, visible=False),
    }


def painted(visit: Visit, layer: NDArray[np.uint8] | None = None) -> dict[str, Any] | None:
    """The editor's value: the copy of the photo, and what is painted on it, uint8 (h, w, 4)."""
    if visit.background is None:
        return None
    layers = []
    if layer is not None and layer.any():
        file = pictures.own_folder(visit.folder) / "layer.png"
        cv2.imwrite(str(file), cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
        layers.append(str(file))
    return {"background": str(visit.background), "layers": layers, "composite": None}


def _show(page: Page, visit: Visit, proposed: Proposed, value: dict[str, Any] | None, sensitivity: float) -> Update:
    """Paint a proposal at a sensitivity, with what brush and eraser changed."""
    try:
        proposed, found = proposed.corrected(value).at(sensitivity, visit.faces)
    except faceinp.FaceinpError as error:
        return {page.find.message: strings.message(strings.error_text(error), error=True)}
    visit.proposed, visit.looked = proposed, None
    layer = proposed.layer()
    return {
        page.editor: painted(visit, layer),
        page.share: strings.marked_share(proposed.share({"layers": [layer]})),
        page.message: "" if found.mask.any() else gr.skip(),  # what is to be done next stands beside what was found
        page.find.message: strings.proposal(proposed.name, found),
        page.find.sensitivity: gr.update(visible=True),
        page.find.stamps: gr.update(visible=proposed.name == "damage"),
    }
