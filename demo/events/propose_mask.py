"""Events of "Find ...": search the photo, and paint the proposed mask, which brush and eraser correct."""

from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

import faceinp

from ..images import pictures
from ..images.painted_proposal import PaintedProposal
from ..layout.find_controls import SENSITIVITY
from ..layout.page_layout import Page
from ..server.sessions import Visit, Visits
from ..text import strings
from .requests import FINDS, QUIET, Inputs, Updates, chosen_location


def connect(page: Page, visits: Visits) -> None:
    """Connect the controls that find damage and occluders."""
    controls = page.find
    buttons = list(controls.buttons.values())

    def begin(name: str) -> Any:
        return lambda: [*(gr.update(interactive=False) for _ in buttons), strings.message(strings.SEARCHING[name])]

    def end() -> list[Any]:
        return [gr.update(interactive=True) for _ in buttons]

    def searcher(name: str) -> Any:
        """The function that searches for ``name``; ``show`` then paints the proposal beside the newest strokes."""

        def search(inputs: Inputs, request: gr.Request) -> Any:
            visit = visits.of(request)
            original, visit.pending_proposal = visit.original, None
            if original is None:
                return strings.message(strings.NO_PHOTO)
            include = ("stamps",) if name == "damage" and inputs[controls.stamps] else ()
            try:
                proposal = faceinp.propose(
                    visit.photo(),
                    faceinp.Find(name, 0, include),  # at 0 nothing is proposed yet
                    face=chosen_location(visit, inputs[page.face]),
                    turn=visit.turn,
                )
            except faceinp.FaceinpError as error:
                return strings.message(strings.search_error(error), error=True)
            if visit.original is not original:
                raise pictures.Gone
            visit.pending_proposal = PaintedProposal.of(name, proposal, original, visit.proposal)
            return gr.skip()

        return search

    def show(value: dict[str, Any] | None, sensitivity: float, request: gr.Request) -> Updates:
        visit = visits.of(request)
        if visit.pending_proposal is None:
            return {controls.message: gr.skip()}
        return _show(page, visit, visit.pending_proposal, value, sensitivity)

    def move(value: dict[str, Any] | None, sensitivity: float, request: gr.Request) -> Updates:
        visit = visits.of(request)
        if visit.proposal is None:
            return {controls.message: gr.skip()}
        return _show(page, visit, visit.proposal, value, sensitivity)

    shown_parts = [page.editor, page.share, page.message, *outputs(page)]
    shows: Any = {"show_progress_on": controls.message} | QUIET  # not on the editor, see ``requests``
    starts = [(name, button.click) for name, button in controls.buttons.items()]
    for name, start in [*starts, ("damage", controls.stamps.input)]:
        start(begin(name), None, [*buttons, controls.message], **QUIET).then(
            searcher(name),
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
    """The controls of ``show_updates``."""
    return [page.find.message, page.find.sensitivity, page.find.stamps]


def show_updates(page: Page, visit: Visit) -> Updates:
    """Updates that reset the controls if the proposal is gone."""
    if visit.proposal is not None:
        return {page.find.message: gr.skip()}
    return {
        page.find.message: "",
        page.find.sensitivity: gr.update(value=SENSITIVITY, visible=False),
        page.find.stamps: gr.update(value=False, visible=False),
    }


def painted(visit: Visit, layer: NDArray[np.uint8] | None = None) -> dict[str, Any] | None:
    """The editor's value: the copy of the photo with a painted layer, uint8 RGBA (h, w, 4)."""
    if visit.background is None:
        return None
    layers = []
    if layer is not None and layer.any():
        file = pictures.own_folder(visit.folder) / "layer.png"
        cv2.imwrite(str(file), cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
        layers.append(str(file))
    return {"background": str(visit.background), "layers": layers, "composite": None}


def _show(
    page: Page, visit: Visit, painting: PaintedProposal, value: dict[str, Any] | None, sensitivity: float
) -> Updates:
    """Updates that paint a proposal at a sensitivity, with the visitor's corrections."""
    try:
        painting, proposal = painting.corrected(value).at(sensitivity, visit.faces)
    except faceinp.FaceinpError as error:
        return {page.find.message: strings.message(strings.error_text(error), error=True)}
    visit.proposal, visit.pending_proposal = painting, None
    layer = painting.layer()
    return {
        page.editor: painted(visit, layer),
        page.share: strings.marked_share(painting.share({"layers": [layer]})),
        page.message: "" if proposal.mask.any() else gr.skip(),  # the next step is named beside the proposal
        page.find.message: strings.proposal(painting.name, proposal),
        page.find.sensitivity: gr.update(visible=True),
        page.find.stamps: gr.update(visible=painting.name == "damage"),
    }
